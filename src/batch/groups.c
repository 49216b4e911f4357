/*
 * groups.c
 *	  Calls for the groups of py_agg: which a plan node that aggregates has.
 *
 * Where a node above makes the calls, an aggregate gives the group itself (lang/aggregate.c):
 * its type in the plan is internal, and the call is one of its final function with that as
 * its only argument.  PostgreSQL finishes all aggregates of a group before it looks at any; so
 * the calls are all made, whatever their surroundings.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "hxpy.h"
#include "batch/calls.h"
#include "batch/groups.h"
#include "lang/aggregate.h"

/* Aggregates of a node. */
typedef struct Aggregates
{
	Aggref	   *first;			/* the others run in its session */
	bool		stay;			/* calls for them cannot be made above */
	List	   *calls;			/* BatchCalls, made of them */
} Aggregates;

/* Return whether a call is one for groups. */
bool
hxpy_groups_is_call(const FuncExpr *call)
{
	return list_length(call->args) == 1 && exprType(linitial(call->args)) == INTERNALOID;
}

/* Return the aggregate whose groups a node gets in a column of its child. */
const Aggref *
hxpy_groups_aggregate(const Plan *plan, Node *group)
{
	return (const Aggref *) list_nth_node(TargetEntry, outerPlan(plan)->targetlist,
										  castNode(Var, group)->varattno - 1)->expr;
}

/* Return an argument of an aggregate. */
static Node *
argument(const Aggref *aggregate, int number)
{
	return (Node *) list_nth_node(TargetEntry, aggregate->args, number)->expr;
}

/*
 * Return the expressions that say which callable a node's call is of, perhaps the session
 * before it; NIL for a function of the language.
 */
List *
hxpy_groups_callable(const Plan *plan, FuncExpr *call, CallableArguments *arguments)
{
	const Aggref *aggregate;
	List	   *fixed = NIL;

	if (!hxpy_groups_is_call(call))
		return !hxpy_callable_arguments(call->funcid, list_length(call->args), arguments) ? NIL :
			list_truncate(list_copy(call->args), arguments->nfixed);
	aggregate = hxpy_groups_aggregate(plan, linitial(call->args));
	(void) hxpy_aggregate_function(aggregate, arguments);
	for (int i = 0; i < arguments->nfixed; i++)
		fixed = lappend(fixed, argument(aggregate, i));
	return fixed;
}

/* Return whether calls for an aggregate's groups can be made by one node with the first one's. */
static bool
fits(const Aggref *aggregate, const CallableArguments *arguments, const Aggref *first)
{
	for (int i = 0; i < arguments->nfixed; i++)
	{
		if (!hxpy_calls_is_fixed(argument(aggregate, i), false))
			return false;
	}
	for (int i = arguments->nfixed; i < list_length(aggregate->args); i++)
	{
		if (!hxpy_calls_has_type(argument(aggregate, i)))
			return false;
	}
	return first->aggfnoid == aggregate->aggfnoid &&
		(!arguments->has_session || equal(argument(first, 0), argument(aggregate, 0)));
}

/* Look at the aggregates of an expression. */
static bool
look_at(Node *node, void *context)
{
	Aggregates *result = context;
	CallableArguments arguments;

	if (node == NULL)
		return false;
	if (!IsA(node, Aggref))
		return expression_tree_walker(node, look_at, context);
	if (!OidIsValid(hxpy_aggregate_function((Aggref *) node, &arguments)))
		return false;
	if (result->first == NULL)
		result->first = (Aggref *) node;
	result->stay = result->stay || !fits((Aggref *) node, &arguments, result->first);
	return false;
}

/* Return the call for an aggregate's groups: a new one where there is none. */
static FuncExpr *
call_for(const Aggref *aggregate, Oid function, Aggregates *result)
{
	BatchCall  *entry;
	FuncExpr   *call;
	Aggref	   *group;
	ListCell   *cell;

	foreach(cell, result->calls)
	{
		call = ((BatchCall *) lfirst(cell))->call;
		if (linitial_node(Aggref, call->args)->aggno == aggregate->aggno)
			return call;
	}
	group = copyObject(unconstify(Aggref *, aggregate));
	group->aggtype = INTERNALOID;
	/* EXPLAIN shows an implicit cast as what is cast. */
	call = makeFuncExpr(function, aggregate->aggtype, list_make1(group), InvalidOid, InvalidOid,
						COERCE_IMPLICIT_CAST);
	entry = palloc0(sizeof(BatchCall));
	entry->call = call;
	entry->places = list_make1(call);
	entry->always = true;
	result->calls = lappend(result->calls, entry);
	return call;
}

/* Replace the aggregates of an expression by calls. */
static Node *
replace(Node *node, void *context)
{
	CallableArguments arguments;
	Oid			function;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Aggref))
		return expression_tree_mutator(node, replace, context);
	function = hxpy_aggregate_function((Aggref *) node, &arguments);
	return !OidIsValid(function) ? node : (Node *) call_for((Aggref *) node, function, context);
}

/*
 * Replace the aggregates of a node that are py_agg by calls for their groups, which are all to
 * be made by one node above; returns them as BatchCalls, NIL where there are none, or where
 * they must stay.
 */
List *
hxpy_groups_take(Agg *agg)
{
	Aggregates	result = {0};

	(void) look_at((Node *) agg->plan.targetlist, &result);
	(void) look_at((Node *) agg->plan.qual, &result);
	/* A single group is a message anyway. */
	if (result.first == NULL || result.stay || agg->aggstrategy == AGG_PLAIN ||
		agg->aggsplit != AGGSPLIT_SIMPLE)
		return NIL;
	agg->plan.targetlist = (List *) replace((Node *) agg->plan.targetlist, &result);
	agg->plan.qual = (List *) replace((Node *) agg->plan.qual, &result);
	return result.calls;
}

/* Search an expression for calls. */
static bool
search(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && hxpy_groups_is_call((FuncExpr *) node))
		return true;
	return expression_tree_walker(node, search, context);
}

/* Return whether an expression has calls for groups. */
bool
hxpy_groups_in(Node *expression)
{
	return search(expression, NULL);
}
