/*
 * groups.h
 *	  Calls for the groups of py_agg.
 */
#ifndef HXPY_GROUPS_H
#define HXPY_GROUPS_H

#include "nodes/plannodes.h"

#include "lang/callable.h"

extern List *hxpy_groups_take(Agg *agg);
extern bool hxpy_groups_in(Node *expression);
extern bool hxpy_groups_is_call(const FuncExpr *call);
extern const Aggref *hxpy_groups_aggregate(const Plan *plan, Node *group);
extern List *hxpy_groups_callable(const Plan *plan, FuncExpr *call, CallableArguments *arguments);

#endif							/* HXPY_GROUPS_H */
