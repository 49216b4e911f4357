/*
 * into.h
 *	  Rows from Python → a table.
 */
#ifndef HXPY_INTO_H
#define HXPY_INTO_H

#include "session/session.h"

extern void hxpy_into_init(void);
extern uint64 hxpy_into_run(PySession *session, const char *expression, const char *table,
							const char *if_exists);
extern char *hxpy_into_columns(PySession *session, const char *expression);

#endif							/* HXPY_INTO_H */
