/*
 * build.c
 *	  Makes the plan nodes that call functions for many rows at once.
 *
 * Such a node stands above the one whose rows it reads.  Its scan tuple has the columns of
 * these that are still needed, then the values of the calls; its target list and its
 * conditions see nothing else.
 *
 * What an expression takes from its node's input are its leaves: columns, and what only the
 * node itself can compute, as aggregates.  When an expression moves up the child gives the
 * leaves as columns.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"

#include "hxpy.h"
#include "batch/build.h"
#include "batch/calls.h"

/* A search for leaves. */
typedef struct LeafSearch
{
	List	   *leaves;
	List	   *calls;			/* BatchCalls; what they hold does not count */
} LeafSearch;

/* What stands in the place of leaves and calls. */
typedef struct Replacement
{
	List	   *leaves;			/* become columns 1, 2 ...; NIL: they stay */
	int			leaf_varno;		/* of this */
	List	   *calls;			/* BatchCalls; become columns */
	int			call_varno;		/* of this */
	int			offset;			/* after so many */
} Replacement;

/* Return whether a node is a leaf. */
static bool
is_leaf(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Aggref:
		case T_GroupingFunc:
		case T_WindowFunc:
			return true;
		case T_FuncExpr:
			return ((FuncExpr *) node)->funcretset;
		case T_OpExpr:
			return ((OpExpr *) node)->opretset;
		default:
			return false;
	}
}

/* Return whether a node has the value of a call, which is there for each row or at this place. */
static bool
is_value_of(Node *node, const BatchCall *call)
{
	return list_member_ptr(call->places, node) ||
		(call->places != NIL && call->always && equal(node, call->call) &&
		 !contain_volatile_functions(node));
}

/* Return the number of the call whose value a node has, or -1. */
static int
find_place(Node *node, List *calls)
{
	ListCell   *cell;

	if (!IsA(node, FuncExpr))
		return -1;
	foreach(cell, calls)
	{
		if (is_value_of(node, lfirst(cell)))
			return foreach_current_index(cell);
	}
	return -1;
}

/* Return which value a call becomes: those that are nobody's but an argument become none. */
static int
output_number(const List *calls, int index)
{
	int			number = 0;

	for (int i = 0; i < index; i++)
		number += ((BatchCall *) list_nth(calls, i))->places != NIL;
	return number;
}

/* Return the place of a node among others, or -1; equal ones that are not volatile are one. */
static int
find_equal(List *nodes, Node *node)
{
	ListCell   *cell;

	foreach(cell, nodes)
	{
		if (lfirst(cell) == node ||
			(equal(lfirst(cell), node) && !contain_volatile_functions(node)))
			return foreach_current_index(cell);
	}
	return -1;
}

/* Collect leaves. */
static bool
collect_leaves(Node *node, void *context)
{
	LeafSearch *result = context;

	if (node == NULL || find_place(node, result->calls) >= 0)
		return false;
	if (is_leaf(node))
	{
		if (find_equal(result->leaves, node) < 0)
			result->leaves = lappend(result->leaves, node);
		return false;
	}
	return expression_tree_walker(node, collect_leaves, context);
}

/* Return the leaves of an expression, but for those in the calls. */
static List *
leaves_of(Node *expression, List *calls)
{
	LeafSearch	result = {.calls = calls};

	(void) collect_leaves(expression, &result);
	return result.leaves;
}

/* Return a column that has the values of an expression. */
static Node *
make_column(int varno, int number, Node *of)
{
	return (Node *) makeVar(varno, number, exprType(of), exprTypmod(of), exprCollation(of), 0);
}

/* Replace calls, and leaves if they do not stay. */
static Node *
replace(Node *node, void *context)
{
	Replacement *replacement = context;
	int			place;

	if (node == NULL)
		return NULL;
	place = find_place(node, replacement->calls);
	if (place >= 0)
		return make_column(replacement->call_varno, replacement->offset + 1 +
						   output_number(replacement->calls, place), node);
	if (is_leaf(node) && replacement->leaves != NIL)
	{
		place = find_equal(replacement->leaves, node);
		Assert(place >= 0);
		return make_column(replacement->leaf_varno, place + 1, node);
	}
	return expression_tree_mutator(node, replace, context);
}

/* Return an expression with columns, after so many, in the places of calls. */
Node *
hxpy_build_replace(Node *expression, List *calls, int varno, int offset)
{
	Replacement replacement = {.calls = calls,.call_varno = varno,.offset = offset};

	return replace(expression, &replacement);
}

/* Return a target list of expressions. */
static List *
make_target_list(List *expressions)
{
	List	   *tlist = NIL;
	ListCell   *cell;

	foreach(cell, expressions)
		tlist = lappend(tlist, makeTargetEntry(lfirst(cell), list_length(tlist) + 1, NULL, false));
	return tlist;
}

/* Return the number of an expression in a list, to which it is added where it is new. */
static int
add_expression(List **expressions, Node *expression)
{
	int			place = find_equal(*expressions, expression);

	if (place >= 0)
		return place;
	*expressions = lappend(*expressions, expression);
	return list_length(*expressions) - 1;
}

/* Return the condition under which a call is made, NULL for always. */
static Expr *
call_guard(const BatchCall *call)
{
	if (call->always)
		return NULL;
	return list_length(call->guards) == 1 ? linitial(call->guards) :
		makeBoolExpr(OR_EXPR, call->guards, -1);
}

/* Return an argument of a call, which is evaluated only where the call is made. */
static Node *
guarded_argument(Expr *guard, Node *argument)
{
	CaseExpr   *expression;
	CaseWhen   *when;

	if (guard == NULL || IsA(argument, Var) || IsA(argument, Const))
		return argument;
	when = makeNode(CaseWhen);
	when->expr = guard;
	when->result = (Expr *) argument;
	when->location = -1;
	expression = makeNode(CaseExpr);
	expression->casetype = exprType(argument);
	expression->casecollid = exprCollation(argument);
	expression->args = list_make1(when);
	expression->defresult = (Expr *) makeNullConst(expression->casetype, exprTypmod(argument),
												   expression->casecollid);
	expression->location = -1;
	return (Node *) expression;
}

/*
 * Describe a call for execution; what is to be evaluated for it is added to the expressions.
 */
static List *
describe_call(List *calls, int index, Replacement *columns, List **expressions)
{
	BatchCall  *call = list_nth(calls, index);
	Expr	   *guard = (Expr *) replace((Node *) call_guard(call), columns);
	List	   *numbers = NIL;
	ListCell   *cell;

	numbers = lappend_int(numbers, guard == NULL ? -1 :
						  add_expression(expressions, (Node *) guard));
	numbers = lappend_int(numbers, call->places == NIL ? -1 : output_number(calls, index));
	foreach(cell, hxpy_calls_arguments(call->call))
	{
		Node	   *argument = lfirst(cell);
		int			inner = hxpy_calls_is_batched(argument) ?
			hxpy_calls_find(calls, (FuncExpr *) argument) : -1;

		if (inner >= 0)
			numbers = lappend_int(numbers, -1 - inner);
		else
			numbers = lappend_int(numbers,
								  add_expression(expressions,
												 guarded_argument(guard,
																  replace(argument, columns))));
	}
	return list_make2(replace((Node *) call->call, columns), numbers);
}

/* Set what a node above a plan costs, with the calls that it makes, and gives. */
static void
set_costs(Plan *plan, const Plan *child, List *calls)
{
	QualCost	cost = {0};
	ListCell   *cell;

	foreach(cell, calls)
	{
		FuncExpr   *call = ((BatchCall *) lfirst(cell))->call;

		add_function_cost(NULL, call->funcid, (Node *) call, &cost);
	}
	plan->startup_cost = child->startup_cost + cost.startup;
	plan->total_cost = child->total_cost + cost.startup + cost.per_tuple * child->plan_rows;
	plan->plan_rows = child->plan_rows;
	plan->plan_width = child->plan_width;
	plan->parallel_safe = child->parallel_safe;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
}

/*
 * Make a node that makes calls for the rows of another one, to evaluate expressions that
 * stood in that, or, if its columns are `fixed`, in one above it.  The expressions become
 * what they are in the new node; its target list and conditions are to be made of them.
 */
CustomScan *
hxpy_build_batch(Plan *child, bool fixed, List *calls, Node **expressions)
{
	CustomScan *scan = makeNode(CustomScan);
	List	   *kept = leaves_of(*expressions, calls);
	Replacement columns = {.leaf_varno = OUTER_VAR};	/* of the child, for arguments */
	Replacement values = {.leaves = kept,.leaf_varno = INDEX_VAR,.calls = calls,
	.call_varno = INDEX_VAR,.offset = list_length(kept)};
	List	   *tuple = NIL;
	List	   *described = NIL;
	ListCell   *cell;

	if (!fixed)
	{
		columns.leaves = leaves_of(*expressions, NIL);
		child->targetlist = make_target_list(columns.leaves);
	}
	foreach(cell, kept)
		tuple = lappend(tuple, replace(lfirst(cell), &columns));
	for (int i = 0; i < list_length(calls); i++)
	{
		List	   *call = describe_call(calls, i, &columns, &scan->custom_exprs);

		described = lappend(described, call);
		if (((BatchCall *) list_nth(calls, i))->places != NIL)
			tuple = lappend(tuple, linitial(call));
	}
	scan->custom_scan_tlist = make_target_list(tuple);
	scan->custom_private = list_make2(described, NIL);
	scan->methods = &hxpy_batch_methods;
	set_costs(&scan->scan.plan, child, calls);
	scan->scan.plan.lefttree = child;
	*expressions = replace(*expressions, &values);
	return scan;
}
