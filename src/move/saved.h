/*
 * saved.h
 *	  Saved values of Python: their bytes, as a bytea or a large object.
 */
#ifndef HXPY_SAVED_H
#define HXPY_SAVED_H

#include "session/session.h"

extern bytea *hxpy_saved_value(PySession *session, const char *expression);
extern Oid	hxpy_saved_object(PySession *session, const char *expression);
extern void hxpy_saved_load_value(PySession *session, const char *variable, Datum value);
extern void hxpy_saved_load_object(PySession *session, const char *variable, Oid object);

#endif							/* HXPY_SAVED_H */
