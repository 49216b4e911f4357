/*
 * calls.c
 *	  Calls of functions of the language, and of callables, in an expression.
 *
 * A call can be made for many rows at once, ahead of the expression that it stands in, if
 * that changes neither a result nor an error.  So what is between it and the top of its
 * expression must be known to evaluate it always, or under conditions that can be evaluated
 * ahead as well: its guards.  Below anything else calls stay where they are.
 *
 * What is volatile is evaluated as often as the query says, at its place: a call with such
 * an argument, or below such a condition, is not batched.  Sub-selects may hide such things.
 *
 * py_call is volatile, and batched all the same: what it calls is evaluated as often as the
 * query says, but not at its place.
 *
 * A call is ready when its arguments and its guards have no calls but for those that are
 * its arguments themselves, and run at the same place: with the same role and settings, in the
 * same session.  Others come in a later round, when the values of the first are there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "batch/calls.h"
#include "batch/environment.h"
#include "guc.h"
#include "lang/callable.h"
#include "lang/language.h"

/* A search for calls. */
typedef struct Search
{
	bool		collects;		/* else it ends at the first call */
	bool		found;
	List	   *calls;			/* BatchCalls that are ready; a call's arguments before it */
} Search;

/* What surrounds an expression. */
typedef struct Surroundings
{
	Expr	   *guard;			/* under which it is evaluated, NULL for always */
	bool		ready;			/* the guard has no calls */
} Surroundings;

static void search(Node *node, Surroundings around, Search *result);

/* ---------- which calls ---------- */

/* Return whether a function can be called for many rows at once. */
static bool
is_function(Oid oid)
{
	HeapTuple	row;
	Form_pg_proc form;
	bool		batched;

	if (oid < FirstGenbkiObjectId)
		return false;
	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(row))
		return false;
	form = (Form_pg_proc) GETSTRUCT(row);
	batched = hxpy_language_kind(form->prolang) != LANGUAGE_FOREIGN &&
		form->prokind == PROKIND_FUNCTION && !form->proretset &&
		(form->provolatile != PROVOLATILE_VOLATILE || hxpy_batch_volatile) &&
		form->prorettype != VOIDOID && !FmgrHookIsNeeded(oid);
	ReleaseSysCache(row);
	return batched;
}

/* Return whether an expression has one value throughout a query, which may be NULL or is not. */
bool
hxpy_calls_is_fixed(Node *node, bool isnull)
{
	if (IsA(node, RelabelType))
		return hxpy_calls_is_fixed((Node *) ((RelabelType *) node)->arg, isnull);
	if (IsA(node, CoerceToDomain))
		return hxpy_calls_is_fixed((Node *) ((CoerceToDomain *) node)->arg, isnull);
	return IsA(node, Const) ? ((Const *) node)->constisnull == isnull :
		IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN;
}

/*
 * Return whether a node is a py_call that can be made for many rows at once; what is wrong
 * about another one shows where it is evaluated.
 */
static bool
is_callable(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	CallableArguments arguments;

	if (!IsA(node, FuncExpr) || call->funcid < FirstGenbkiObjectId || call->funcvariadic ||
		!hxpy_callable_arguments(call->funcid, list_length(call->args), &arguments) ||
		FmgrHookIsNeeded(call->funcid))
		return false;
	for (int i = 0; i < arguments.nfixed; i++)
	{
		if (!hxpy_calls_is_fixed(list_nth(call->args, i), i > arguments.has_session))
			return false;
	}
	return true;
}

/* Return whether a function is volatile and not batched. */
static bool
is_volatile(Oid oid, void *context)
{
	return func_volatile(oid) == PROVOLATILE_VOLATILE && !is_function(oid);
}

/* Return whether an expression has something that must be evaluated at its place. */
static bool
must_stay(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, NextValueExpr) ||
		(check_functions_in_node(node, is_volatile, context) && !is_callable(node)) ||
		expression_tree_walker(node, must_stay, context);
}

/*
 * Return whether values of an expression have a type that is the same for all rows: fields
 * of anonymous records may differ.
 */
bool
hxpy_calls_has_type(Node *expression)
{
	Oid			type = exprType(expression);

	/* a literal's, where any type may be */
	return type == UNKNOWNOID || get_typtype(type) != TYPTYPE_PSEUDO;
}

/* Return the arguments that a call sends. */
List *
hxpy_calls_arguments(const FuncExpr *call)
{
	CallableArguments arguments;

	return hxpy_callable_arguments(call->funcid, list_length(call->args), &arguments) ?
		list_copy_tail(call->args, arguments.nfixed) : call->args;
}

/* Return whether a node is a call that can be made for many rows at once. */
bool
hxpy_calls_is_batched(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	ListCell   *cell;
	Oid			type;
	TupleDesc	tupdesc;

	if (node == NULL || !IsA(node, FuncExpr) || !(is_function(call->funcid) || is_callable(node)))
		return false;
	if (!hxpy_calls_has_type(node) &&
		get_expr_result_type(node, &type, &tupdesc) != TYPEFUNC_COMPOSITE)
		return false;
	foreach(cell, hxpy_calls_arguments(call))
	{
		if (!hxpy_calls_has_type(lfirst(cell)) || must_stay(lfirst(cell), NULL))
			return false;
	}
	return true;
}

/* Return whether two calls run at the same place. */
static bool
is_same_place(FuncExpr *one, FuncExpr *two)
{
	CallableArguments first;
	CallableArguments second;
	bool		is_call = hxpy_callable_arguments(one->funcid, list_length(one->args), &first);

	if (is_call != hxpy_callable_arguments(two->funcid, list_length(two->args), &second) ||
		!hxpy_environment_is_same(one->funcid, two->funcid))
		return false;
	return !is_call || (first.has_session == second.has_session &&
						(!first.has_session || equal(linitial(one->args), linitial(two->args))));
}

/* Return whether a call is ready. */
static bool
is_ready(FuncExpr *call)
{
	ListCell   *cell;

	foreach(cell, call->args)
	{
		Node	   *argument = lfirst(cell);

		if (hxpy_calls_is_batched(argument) &&
			is_same_place((FuncExpr *) argument, call) ?
			!is_ready((FuncExpr *) argument) : hxpy_calls_in(argument))
			return false;
	}
	return true;
}

/* Return whether a call runs at the place of others that were found. */
static bool
fits(FuncExpr *call, const List *calls)
{
	return calls == NIL || is_same_place(((BatchCall *) linitial(calls))->call, call);
}

/* Return where a call is among others, or -1; equal calls that are not volatile are one. */
int
hxpy_calls_find(const List *calls, const FuncExpr *call)
{
	ListCell   *cell;

	foreach(cell, calls)
	{
		BatchCall  *other = lfirst(cell);

		if (other->call == call || list_member_ptr(other->places, call) ||
			(equal(other->call, call) && !contain_volatile_functions((Node *) call)))
			return foreach_current_index(cell);
	}
	return -1;
}

/* Add a call that is ready to those that were found, after the calls among its arguments. */
static BatchCall *
add_call(FuncExpr *call, Expr *guard, Search *result)
{
	int			place = hxpy_calls_find(result->calls, call);
	BatchCall  *entry;
	ListCell   *cell;

	foreach(cell, call->args)
	{
		if (hxpy_calls_is_batched(lfirst(cell)))
			add_call(lfirst(cell), guard, result);
	}
	if (place >= 0)
		entry = list_nth(result->calls, place);
	else
	{
		entry = palloc0(sizeof(BatchCall));
		entry->call = call;
		result->calls = lappend(result->calls, entry);
	}
	if (guard == NULL)
		entry->always = true;
	else
		entry->guards = list_append_unique(entry->guards, guard);
	return entry;
}

/* ---------- where they stand ---------- */

/* Return a condition added to a guard. */
static Expr *
add_guard(Expr *guard, Expr *condition)
{
	return guard == NULL ? condition : makeBoolExpr(AND_EXPR, list_make2(guard, condition), -1);
}

/* Return a test of a boolean expression. */
static Expr *
make_test(Expr *argument, BoolTestType type)
{
	BooleanTest *test = makeNode(BooleanTest);

	test->arg = argument;
	test->booltesttype = type;
	test->location = -1;
	return (Expr *) test;
}

/* Return a test whether a value is NULL; a row of NULLs is not. */
static Expr *
make_null_test(Expr *argument)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = argument;
	test->nulltesttype = IS_NULL;
	test->argisrow = false;
	test->location = -1;
	return (Expr *) test;
}

/*
 * Go on behind an expression that decides whether what follows is evaluated: it does
 * where a condition about it holds.  False when nothing that follows can be evaluated ahead.
 */
static bool
pass(Expr *decider, Expr *condition, Surroundings *around)
{
	if (must_stay((Node *) decider, NULL))
		return false;
	around->guard = add_guard(around->guard, condition);
	around->ready = around->ready && !hxpy_calls_in((Node *) decider);
	return true;
}

/* Search a CASE: each result stands under its condition and those before it. */
static void
search_case(CaseExpr *expression, Surroundings around, Search *result)
{
	ListCell   *cell;

	/* With an argument, conditions are about a value that is known only inside. */
	if (expression->arg != NULL)
		return;
	foreach(cell, expression->args)
	{
		CaseWhen   *when = lfirst_node(CaseWhen, cell);
		Surroundings chosen = around;

		search((Node *) when->expr, around, result);
		if (!pass(when->expr, make_test(when->expr, IS_TRUE), &chosen) ||
			!pass(when->expr, make_test(when->expr, IS_NOT_TRUE), &around))
			return;
		search((Node *) when->result, chosen, result);
	}
	search((Node *) expression->defresult, around, result);
}

/* Search a COALESCE, AND or OR: what comes later is evaluated unless an earlier one decides. */
static void
search_chain(List *arguments, Node *chain, Surroundings around, Search *result)
{
	ListCell   *cell;

	foreach(cell, arguments)
	{
		Expr	   *argument = lfirst(cell);
		Expr	   *goes_on;

		search((Node *) argument, around, result);
		if (IsA(chain, CoalesceExpr))
			goes_on = make_null_test(argument);
		else
			goes_on = make_test(argument, ((BoolExpr *) chain)->boolop == AND_EXPR ?
								IS_NOT_FALSE : IS_NOT_TRUE);
		if (!pass(argument, goes_on, &around))
			return;
	}
}

/* Search a call, or what its arguments hold. */
static void
search_function(FuncExpr *call, Surroundings around, Search *result)
{
	if (call->funcretset)
		return;
	if (hxpy_calls_is_batched((Node *) call))
	{
		result->found = true;
		if (!result->collects)
			return;
		if (around.ready && is_ready(call) && fits(call, result->calls))
		{
			BatchCall  *entry = add_call(call, around.guard, result);

			entry->places = list_append_unique_ptr(entry->places, call);
			return;
		}
	}
	search((Node *) call->args, around, result);
}

/* Search what is below a node. */
static void
search(Node *node, Surroundings around, Search *result)
{
	ListCell   *cell;

	if (node == NULL || (result->found && !result->collects))
		return;
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_FuncExpr:
			search_function((FuncExpr *) node, around, result);
			break;
		case T_CaseExpr:
			search_case((CaseExpr *) node, around, result);
			break;
		case T_CoalesceExpr:
			search_chain(((CoalesceExpr *) node)->args, node, around, result);
			break;
		case T_BoolExpr:
			if (((BoolExpr *) node)->boolop != NOT_EXPR)
				search_chain(((BoolExpr *) node)->args, node, around, result);
			else
				search((Node *) ((BoolExpr *) node)->args, around, result);
			break;
		case T_List:
			foreach(cell, (List *) node)
				search(lfirst(cell), around, result);
			break;
		case T_TargetEntry:
			search((Node *) ((TargetEntry *) node)->expr, around, result);
			break;
		case T_OpExpr:
			if (!((OpExpr *) node)->opretset)
				search((Node *) ((OpExpr *) node)->args, around, result);
			break;
		case T_DistinctExpr:
		case T_NullIfExpr:
			search((Node *) ((OpExpr *) node)->args, around, result);
			break;
		case T_ScalarArrayOpExpr:
			search((Node *) ((ScalarArrayOpExpr *) node)->args, around, result);
			break;
		case T_MinMaxExpr:
			search((Node *) ((MinMaxExpr *) node)->args, around, result);
			break;
		case T_RowExpr:
			search((Node *) ((RowExpr *) node)->args, around, result);
			break;
		case T_ArrayExpr:
			search((Node *) ((ArrayExpr *) node)->elements, around, result);
			break;
		case T_RelabelType:
			search((Node *) ((RelabelType *) node)->arg, around, result);
			break;
		case T_CoerceViaIO:
			search((Node *) ((CoerceViaIO *) node)->arg, around, result);
			break;
		case T_ArrayCoerceExpr:
			search((Node *) ((ArrayCoerceExpr *) node)->arg, around, result);
			break;
		case T_ConvertRowtypeExpr:
			search((Node *) ((ConvertRowtypeExpr *) node)->arg, around, result);
			break;
		case T_CollateExpr:
			search((Node *) ((CollateExpr *) node)->arg, around, result);
			break;
		case T_FieldSelect:
			search((Node *) ((FieldSelect *) node)->arg, around, result);
			break;
		case T_NullTest:
			search((Node *) ((NullTest *) node)->arg, around, result);
			break;
		case T_BooleanTest:
			search((Node *) ((BooleanTest *) node)->arg, around, result);
			break;
		case T_CoerceToDomain:
			search((Node *) ((CoerceToDomain *) node)->arg, around, result);
			break;
		default:
			break;
	}
}

/* Return whether an expression, or a list of them, has calls. */
bool
hxpy_calls_in(Node *expression)
{
	Search		result = {.collects = false};

	search(expression, (Surroundings) {NULL, true}, &result);
	return result.found;
}

/*
 * Return the calls of an expression, or of a list of them, that are ready and run with the same
 * role and settings; if it has any calls, there is one.
 */
List *
hxpy_calls_ready(Node *expression)
{
	Search		result = {.collects = true};

	search(expression, (Surroundings) {NULL, true}, &result);
	return result.calls;
}
