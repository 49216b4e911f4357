/*
 * share.h
 *	  Sessions that are the parent of those that come.
 */
#ifndef HXPY_SHARE_H
#define HXPY_SHARE_H

#include "session/session.h"

extern void hxpy_share_session(PySession *session);
extern void hxpy_share_start(PySession *session);

#endif							/* HXPY_SHARE_H */
