/*
 * into.h
 *	  Rows from Python → a table.
 */
#ifndef HXPY_INTO_H
#define HXPY_INTO_H

#include "session/session.h"

/* What to do when the table is there already (pandas' to_sql). */
typedef enum IfExists
{
	IF_EXISTS_FAIL,
	IF_EXISTS_REPLACE,
	IF_EXISTS_APPEND
} IfExists;

extern uint64 hxpy_into_run(PySession *session, const char *expression, const char *table,
							IfExists if_exists, Oid extension_schema);

#endif							/* HXPY_INTO_H */
