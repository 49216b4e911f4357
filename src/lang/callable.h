/*
 * callable.h
 *	  Callables of sessions, and which calls in a query are about them: py_call's.
 */
#ifndef HXPY_CALLABLE_H
#define HXPY_CALLABLE_H

#include "fmgr.h"
#include "nodes/pg_list.h"

#include "lang/function.h"

#define HXPY_MAX_FIXED	3

/* What the arguments of a py_call, or a py_agg, are; those after the fixed ones go to the callable. */
typedef struct CallableArguments
{
	bool		has_session;	/* it is the first one; the callable follows */
	bool		has_type;		/* then NULL of the type of the result; never of a py_agg */
	bool		is_group;		/* it is a py_agg */
	int			nfixed;			/* at most HXPY_MAX_FIXED */
} CallableArguments;

extern bool hxpy_callable_arguments(Oid function, int nargs, CallableArguments *arguments);
extern PyFunction *hxpy_callable_create(Oid function, const CallableArguments *arguments,
										const Datum *values, const bool *nulls);

#endif							/* HXPY_CALLABLE_H */
