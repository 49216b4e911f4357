/*
 * calls.h
 *	  Calls of functions of the language, and of callables, in an expression.
 */
#ifndef HXPY_CALLS_H
#define HXPY_CALLS_H

#include "nodes/pg_list.h"
#include "nodes/primnodes.h"

/* A call that can be made for many rows at once. */
typedef struct BatchCall
{
	FuncExpr   *call;
	List	   *places;			/* the FuncExprs whose value it is, as they stand in expressions */
	bool		always;			/* it is made for each row */
	List	   *guards;			/* else for those where one of these is true; none is NULL */
} BatchCall;

extern bool hxpy_calls_is_fixed(Node *node, bool isnull);
extern bool hxpy_calls_has_type(Node *expression);
extern bool hxpy_calls_is_batched(Node *node);
extern List *hxpy_calls_arguments(const FuncExpr *call);
extern bool hxpy_calls_in(Node *expression);
extern List *hxpy_calls_ready(Node *expression);
extern int	hxpy_calls_find(const List *calls, const FuncExpr *call);

#endif							/* HXPY_CALLS_H */
