/*
 * hxpy.h
 *	  What every module of hxpy shares.
 *
 * Words, as in docs/ and in messages:
 *	session		a named Python namespace that lives in a worker; owned by one
 *				backend and one role (session.c)
 *	container	Docker's; one for each session (container.c, sandbox.c, docker.c, http.c)
 *	worker		the Python process in the container, reached over a data and a
 *				control connection (worker.c)
 *	instruction	one request to a worker: define, exec, eval (functions.c)
 *	frame		one length-prefixed message on the wire (protocol.h)
 *	column		a typed buffer of N values; a single value is a column of
 *				length 1 (column.c, wire.c)
 *
 * Modules include postgres.h, then this file, then what they use.  Above
 * container.c nothing knows Docker, but for admin.c, whose functions are about it.
 */
#ifndef HXPY_H
#define HXPY_H

#include "compat.h"

/* the image that a server without settings uses */
#define HXPY_DEFAULT_IMAGE		"hxpy:" HXPY_VERSION

#define HXPY_UID_COUNT			65536

/* bytes of a Python variable's name */
#define HXPY_MAX_NAME			1024

#endif							/* HXPY_H */
