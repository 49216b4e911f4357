/*
 * hxpy.h
 *	  What every module of hxpy shares.
 *
 * Words, as in docs/ and in messages:
 *	session		a named Python namespace that lives in a worker; owned by one
 *				backend and one role (session/)
 *	container	Docker's; one for each session, or for those of a role that share it
 *				(launch/, engine/docker/)
 *	worker		the Python process in the container, reached over a data and a
 *				control connection (session/worker.c)
 *	launch		how a worker comes to be (launch/launch.c)
 *	engine		what starts, watches and ends sandboxes (engine/)
 *	instruction	one request to a worker: define, exec, eval (sql/functions.c)
 *	frame		one length-prefixed message on the wire (codec/protocol.h)
 *	column		a typed buffer of N values; a single value is a column of
 *				length 1 (codec/)
 *
 * Modules include postgres.h, then this file, then what they use, of their own storey or
 * a lower one (docs/architecture.md).
 */
#ifndef HXPY_H
#define HXPY_H

#include "compat.h"

/* the image that a server without settings uses */
#define HXPY_DEFAULT_IMAGE		"hxpy:" HXPY_VERSION

/* the network of sessions without one */
#define HXPY_NO_NETWORK			"none"

#define HXPY_UID_COUNT			65536

/* bytes of a Python variable's name */
#define HXPY_MAX_NAME			1024

#endif							/* HXPY_H */
