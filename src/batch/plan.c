/*
 * plan.c
 *	  Has plans call functions of the language for many rows at once.
 *
 * A hook sees each finished plan.  Where a node evaluates calls that can be made ahead
 * (calls.c), a node that makes them (build.c) is put above it, and takes over its target list;
 * or below it, where calls are arguments of what only the node itself computes, as
 * aggregates.  All that is not understood stays as it is.
 *
 * Conditions keep their order, by which row security and barriers hold: those before the
 * first with a call stay, it and all behind it move up.  Each condition's calls are a round of
 * its own, so that later ones, and the target list, see only the rows that have passed.
 *
 * Nodes below the new one keep their form; those above see a child whose columns have the
 * same numbers as before.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "batch/build.h"
#include "batch/calls.h"
#include "batch/groups.h"
#include "batch/node.h"
#include "batch/plan.h"
#include "guc.h"
#include "move/scan.h"

/* Rows of a plan that is read again and again that are worth a batch. */
#define MIN_REPEATED_ROWS	8

/* What the plan above says of one below it. */
typedef struct Place
{
	const Limit *limit;			/* no more rows than this are read, for sure; or NULL */
	bool		is_repeated;	/* it is read anew for each row of something else */
	Bitmapset  *columns;		/* that are looked at */
	bool		all_columns;	/* all may be */
} Place;

static planner_hook_type previous_planner_hook = NULL;

/* id for the next new node of the plan that is rewritten */
static int	next_node_id;

static Plan *rewrite(Plan *plan, Place place);

/* ---------- the nodes of a plan ---------- */

/* Return a place of which nothing is known but whether it is read repeatedly. */
static Place
any_place(const Place *above)
{
	return (Place) {.is_repeated = above->is_repeated,.all_columns = true};
}

/* Collect the columns of a child that expressions look at. */
static bool
collect_columns(Node *node, void *context)
{
	Bitmapset **columns = context;

	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varno == OUTER_VAR)
	{
		/* A whole row is all its columns, which attribute 0 stands for. */
		*columns = bms_add_member(*columns, Max(((Var *) node)->varattno, 0));
		return false;
	}
	return expression_tree_walker(node, collect_columns, context);
}

/* Add the columns by which a node groups or sorts. */
static Bitmapset *
add_keys(Bitmapset *columns, int count, const AttrNumber *keys)
{
	for (int i = 0; i < count; i++)
		columns = bms_add_member(columns, keys[i]);
	return columns;
}

/* Return the columns of its child that an aggregate node looks at. */
static Bitmapset *
aggregate_columns(const Agg *agg)
{
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	(void) collect_columns((Node *) agg->plan.targetlist, &columns);
	(void) collect_columns((Node *) agg->plan.qual, &columns);
	columns = add_keys(columns, agg->numCols, agg->grpColIdx);
	foreach(cell, agg->chain)
	{
		const Agg  *chained = lfirst_node(Agg, cell);
		const Sort *sort = (const Sort *) chained->plan.lefttree;

		columns = add_keys(columns, chained->numCols, chained->grpColIdx);
		if (sort != NULL)
			columns = add_keys(columns, sort->numCols, sort->sortColIdx);
	}
	return columns;
}

/* Return the highest id of the nodes of a plan. */
static int
highest_id(const Plan *plan)
{
	int			highest;
	ListCell   *cell;
	List	   *children = NIL;

	if (plan == NULL)
		return 0;
	check_stack_depth();
	highest = Max(plan->plan_node_id, highest_id(plan->lefttree));
	highest = Max(highest, highest_id(plan->righttree));
	if (IsA(plan, Append))
		children = ((const Append *) plan)->appendplans;
	else if (IsA(plan, MergeAppend))
		children = ((const MergeAppend *) plan)->mergeplans;
	else if (IsA(plan, BitmapAnd))
		children = ((const BitmapAnd *) plan)->bitmapplans;
	else if (IsA(plan, BitmapOr))
		children = ((const BitmapOr *) plan)->bitmapplans;
	else if (IsA(plan, SubqueryScan))
		children = list_make1(((const SubqueryScan *) plan)->subplan);
	else if (IsA(plan, CustomScan))
		children = ((const CustomScan *) plan)->custom_plans;
	foreach(cell, children)
		highest = Max(highest, highest_id(lfirst(cell)));
	return highest;
}

/* Return a node that keeps the rows of another one, to give them again or backwards. */
static Plan *
materialize(Plan *child)
{
	Plan	   *plan = &makeNode(Material)->plan;
	ListCell   *cell;

	plan->startup_cost = child->startup_cost;
	plan->total_cost = child->total_cost;
	plan->plan_rows = child->plan_rows;
	plan->plan_width = child->plan_width;
	plan->parallel_safe = child->parallel_safe;
	plan->plan_node_id = next_node_id++;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
	foreach(cell, child->targetlist)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst_node(TargetEntry, cell));

		entry->expr = (Expr *) makeVar(OUTER_VAR, entry->resno, exprType((Node *) entry->expr),
									   exprTypmod((Node *) entry->expr),
									   exprCollation((Node *) entry->expr), 0);
		plan->targetlist = lappend(plan->targetlist, entry);
	}
	plan->lefttree = child;
	return plan;
}

/* Return whether a plan is one of the new nodes. */
static bool
is_batch(const Plan *plan)
{
	return plan != NULL && IsA(plan, CustomScan) &&
		((const CustomScan *) plan)->methods == &hxpy_batch_methods;
}

/* ---------- nodes above ---------- */

/*
 * Return whether a node evaluates its target list for each row that it gives, as any
 * other list of expressions.
 */
static bool
can_move_target_list(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_TableFuncScan:
		case T_ValuesScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
		case T_ProjectSet:
		case T_Group:
		case T_Agg:
		case T_WindowAgg:
		case T_Gather:
		case T_GatherMerge:
			return true;
		case T_Result:
			return plan->lefttree != NULL;
		case T_ForeignScan:
			return ((const ForeignScan *) plan)->operation == CMD_SELECT;
		case T_CustomScan:
			return hxpy_scan_is_stream(plan);
		default:
			return false;
	}
}

/* Return a node's conditions that can move up, those of an inner join last: NULL for none. */
static List **
movable_conditions(Plan *plan)
{
	if (IsA(plan, NestLoop) || IsA(plan, MergeJoin) || IsA(plan, HashJoin))
		return ((Join *) plan)->jointype == JOIN_INNER && plan->qual == NIL ?
			&((Join *) plan)->joinqual : &plan->qual;
	/* A window's conditions also say when to stop. */
	if (IsA(plan, WindowAgg) || !can_move_target_list(plan))
		return NULL;
	return &plan->qual;
}

/* Return whether an expression cannot move. */
static bool
is_bound(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CurrentOfExpr) ||
		(IsA(node, SubPlan) && ((SubPlan *) node)->subLinkType == MULTIEXPR_SUBLINK))
		return true;
	return expression_tree_walker(node, is_bound, context);
}

/* Cut a list of conditions before the first with a call; returns the rest. */
static List *
cut_conditions(List **conditions)
{
	List	   *rest;
	int			count = 0;

	while (count < list_length(*conditions) && !hxpy_calls_in(list_nth(*conditions, count)) &&
		   !hxpy_groups_in(list_nth(*conditions, count)))
		count++;
	rest = list_copy_tail(*conditions, count);
	*conditions = list_truncate(list_copy(*conditions), count);
	return rest;
}

/* Return a target list with NULL in the place of columns that nobody looks at. */
static List *
trim_target_list(List *tlist, const Place *place)
{
	List	   *trimmed = NIL;
	ListCell   *cell;

	if (place->all_columns || bms_is_member(0, place->columns))
		return tlist;
	foreach(cell, tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		Node	   *expression = (Node *) entry->expr;

		if (IsA(expression, Var) && !bms_is_member(entry->resno, place->columns))
		{
			entry = flatCopyTargetEntry(entry);
			entry->expr = (Expr *) makeNullConst(exprType(expression), exprTypmod(expression),
												 exprCollation(expression));
		}
		trimmed = lappend(trimmed, entry);
	}
	return trimmed;
}

/* Return whether a LIMIT says the same each time it is evaluated. */
static bool
is_exact(const Limit *limit)
{
	return limit->limitOption == LIMIT_OPTION_COUNT && limit->limitCount != NULL &&
		!contain_volatile_functions(limit->limitCount) &&
		!contain_volatile_functions(limit->limitOffset) &&
		!contain_subplans(limit->limitCount) && !contain_subplans(limit->limitOffset);
}

/* Return whether a node does nothing but evaluate its target list. */
static bool
only_projects(const Plan *plan)
{
	return IsA(plan, Result) && plan->lefttree != NULL && plan->qual == NIL &&
		((const Result *) plan)->resconstantqual == NULL;
}

/* Have a column of a target list (context: before, now) be that which is the same now. */
static Node *
renumber(Node *node, void *context)
{
	List	  **tlists = context;
	Node	   *same;
	ListCell   *cell;

	if (node == NULL || !IsA(node, Var))
		return expression_tree_mutator(node, renumber, context);
	same = (Node *) list_nth_node(TargetEntry, tlists[0], ((Var *) node)->varattno - 1)->expr;
	foreach(cell, tlists[1])
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (!equal(entry->expr, same))
			continue;
		node = copyObject(node);
		((Var *) node)->varattno = entry->resno;
		return node;
	}
	elog(ERROR, "a window's condition is about none of its columns");
}

/* Put a node above a plan that makes calls. */
static CustomScan *
put_above(Plan *plan, bool is_first, List *calls, Node **expressions)
{
	bool		fixed = is_first && only_projects(plan);
	List	   *tlists[] = {plan->targetlist, NIL};
	CustomScan *scan = hxpy_build_batch(fixed ? plan->lefttree : plan, fixed, calls, expressions);

	/* A window's conditions that say when to stop see what it gives. */
	tlists[1] = plan->targetlist;
	if (IsA(plan, WindowAgg))
		((WindowAgg *) plan)->runCondition =
			(List *) renumber((Node *) ((WindowAgg *) plan)->runCondition, tlists);
	scan->scan.plan.initPlan = plan->initPlan;
	plan->initPlan = NIL;
	scan->scan.plan.extParam = bms_copy(plan->extParam);
	scan->scan.plan.allParam = bms_copy(plan->allParam);
	scan->scan.plan.plan_rows = plan->plan_rows;
	scan->scan.plan.plan_width = plan->plan_width;
	scan->scan.plan.plan_node_id = next_node_id++;
	scan->scan.plan.lefttree->async_capable = false;
	return scan;
}

/*
 * Have a plan and the nodes above it cost what the plan did alone: what its calls cost is
 * now in those.
 */
static void
share_costs(Plan *top, Plan *plan, Cost total)
{
	Cost		excess = top->total_cost - total;

	for (Plan *node = top;; node = node->lefttree)
	{
		node->total_cost = Max(node->total_cost - excess, node->startup_cost);
		if (node == plan)
			break;
	}
}

/* Move a node's calls to nodes above it; returns the highest. */
static Plan *
move_up(Plan *plan, const Place *place)
{
	List	  **conditions = movable_conditions(plan);
	List	   *groups = NIL;
	List	   *tlist;
	List	   *rest = NIL;
	Plan	   *top = plan;

	if (!can_move_target_list(plan) || is_bound((Node *) plan->targetlist, NULL) ||
		(place->is_repeated && plan->plan_rows < MIN_REPEATED_ROWS))
		return plan;
	if (IsA(plan, Agg) && !is_bound((Node *) plan->qual, NULL))
		groups = hxpy_groups_take((Agg *) plan);
	tlist = plan->targetlist;
	if (conditions != NULL && (groups != NIL || hxpy_calls_in((Node *) *conditions)) &&
		!is_bound((Node *) *conditions, NULL))
	{
		rest = cut_conditions(conditions);
		/* What the join takes for a match may not be one. */
		if (conditions != &plan->qual)
			((Join *) plan)->inner_unique = false;
	}
	if (groups == NIL && rest == NIL && !hxpy_calls_in((Node *) tlist))
		return plan;
	tlist = trim_target_list(tlist, place);
	while (groups != NIL || rest != NIL || hxpy_calls_in((Node *) tlist))
	{
		bool		filters = rest != NIL;
		List	   *calls = groups != NIL ? groups :
			hxpy_calls_ready(filters ? linitial(rest) : (Node *) tlist);
		Node	   *expressions = (Node *) list_make2(tlist, rest);
		CustomScan *scan = put_above(top, top == plan, calls, &expressions);

		groups = NIL;
		tlist = linitial((List *) expressions);
		rest = lsecond((List *) expressions);
		while (rest != NIL && !hxpy_calls_in(linitial(rest)))
		{
			scan->scan.plan.qual = lappend(scan->scan.plan.qual, linitial(rest));
			rest = list_delete_first(rest);
		}
		if (!filters && place->limit != NULL)
			lsecond(scan->custom_private) = list_make2(copyObject(place->limit->limitOffset),
													   copyObject(place->limit->limitCount));
		top = &scan->scan.plan;
	}
	top->targetlist = tlist;
	/* A node that did nothing else is gone. */
	if (!only_projects(plan))
		share_costs(top, plan, plan->total_cost);
	return top;
}

/* ---------- nodes below ---------- */

/* Collect the parameters of an expression. */
static bool
collect_parameters(Node *node, void *context)
{
	Bitmapset **parameters = context;

	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		*parameters = bms_add_member(*parameters, ((Param *) node)->paramid);
	return expression_tree_walker(node, collect_parameters, context);
}

/*
 * Put a node between a plan and its child that makes calls for the child's rows, whose
 * values are columns after those of the child.
 */
static void
put_below(Plan *plan, List *calls)
{
	Plan	   *child = plan->lefttree;
	int			ncolumns = list_length(child->targetlist);
	List	   *tlist = NIL;
	Bitmapset  *columns;
	Bitmapset  *parameters = NULL;
	CustomScan *scan;
	ListCell   *cell;

	plan->targetlist = (List *) hxpy_build_replace((Node *) plan->targetlist, calls, OUTER_VAR,
												   ncolumns);
	plan->qual = (List *) hxpy_build_replace((Node *) plan->qual, calls, OUTER_VAR, ncolumns);
	columns = IsA(plan, Agg) ? aggregate_columns((Agg *) plan) : bms_make_singleton(0);
	foreach(cell, child->targetlist)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst_node(TargetEntry, cell));
		Node	   *of = (Node *) entry->expr;

		if (bms_is_member(0, columns) || bms_is_member(entry->resno, columns))
			entry->expr = (Expr *) makeVar(OUTER_VAR, entry->resno, exprType(of), exprTypmod(of),
										   exprCollation(of), 0);
		else
			entry->expr = (Expr *) makeNullConst(exprType(of), exprTypmod(of), exprCollation(of));
		tlist = lappend(tlist, entry);
	}
	foreach(cell, calls)
	{
		BatchCall  *call = lfirst(cell);

		(void) collect_parameters((Node *) call->call, &parameters);
		(void) collect_parameters((Node *) call->guards, &parameters);
		if (call->places != NIL)
			tlist = lappend(tlist, makeTargetEntry((Expr *) linitial(call->places),
												   list_length(tlist) + 1, NULL, false));
	}
	scan = hxpy_build_batch(child, true, calls, (Node **) &tlist);
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.plan_node_id = next_node_id++;
	scan->scan.plan.extParam = bms_add_members(scan->scan.plan.extParam, parameters);
	scan->scan.plan.allParam = bms_add_members(scan->scan.plan.allParam, parameters);
	child->async_capable = false;
	plan->lefttree = &scan->scan.plan;
}

/* Return a FILTER and what stands under it as one expression: a CASE of its form. */
static Node *
filtered(Expr *filter, List *arguments)
{
	CaseExpr   *expression;
	CaseWhen   *when;

	if (filter == NULL)
		return (Node *) arguments;
	when = makeNode(CaseWhen);
	when->expr = filter;
	when->result = (Expr *) arguments;
	expression = makeNode(CaseExpr);
	expression->args = list_make1(when);
	return (Node *) expression;
}

/* Return whether a window's frame has each row in it when that is the current one. */
static bool
frames_current_row(const WindowAgg *window)
{
	return (window->frameOptions &
			(FRAMEOPTION_START_OFFSET_FOLLOWING | FRAMEOPTION_END_OFFSET_PRECEDING |
			 FRAMEOPTION_START_UNBOUNDED_FOLLOWING | FRAMEOPTION_END_UNBOUNDED_PRECEDING |
			 FRAMEOPTION_EXCLUSION)) == 0 && window->runCondition == NIL;
}

/* Collect expressions that a node evaluates once for each row of its child. */
static bool
collect_inputs(Node *node, void *context)
{
	List	  **inputs = ((void **) context)[0];
	const Plan *plan = ((void **) context)[1];

	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
		*inputs = lappend(*inputs, filtered(((Aggref *) node)->aggfilter, ((Aggref *) node)->args));
	else if (IsA(node, WindowFunc) && IsA(plan, WindowAgg) && ((WindowFunc *) node)->winagg &&
			 frames_current_row((const WindowAgg *) plan))
		*inputs = lappend(*inputs, filtered(((WindowFunc *) node)->aggfilter,
											((WindowFunc *) node)->args));
	else if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset)
		*inputs = lappend(*inputs, ((FuncExpr *) node)->args);
	else if (IsA(node, OpExpr) && ((OpExpr *) node)->opretset)
		*inputs = lappend(*inputs, ((OpExpr *) node)->args);
	else
		return expression_tree_walker(node, collect_inputs, context);
	return false;
}

/* Return the expressions that a node evaluates once for each row of its child. */
static List *
inputs_of(Plan *plan)
{
	List	   *inputs = NIL;
	void	   *context[] = {&inputs, plan};

	(void) collect_inputs((Node *) plan->targetlist, context);
	(void) collect_inputs((Node *) plan->qual, context);
	return inputs;
}

/* Move the calls of what a node evaluates for the rows of its child to nodes below it. */
static void
move_down(Plan *plan)
{
	List	   *inputs;

	if (!IsA(plan, Agg) && !IsA(plan, WindowAgg) && !IsA(plan, ProjectSet))
		return;
	while (hxpy_calls_in((Node *) (inputs = inputs_of(plan))))
		put_below(plan, hxpy_calls_ready((Node *) inputs));
}

/* ---------- the whole plan ---------- */

/* Rewrite each plan of a list. */
static void
rewrite_list(List *plans, Place place)
{
	ListCell   *cell;

	foreach(cell, plans)
		lfirst(cell) = rewrite(lfirst(cell), place);
}

/* Return whether going back in a plan means to go back in one of the new nodes. */
static bool
marks_batch(const Plan *plan)
{
	while (plan != NULL && IsA(plan, Result))
		plan = plan->lefttree;
	return is_batch(plan);
}

/* Rewrite what is below a join. */
static void
rewrite_join(Plan *plan, const Place *place)
{
	Place		inner = any_place(place);

	if (IsA(plan, NestLoop) && ((NestLoop *) plan)->nestParams != NIL)
		inner.is_repeated = true;
	plan->lefttree = rewrite(plan->lefttree, any_place(place));
	plan->righttree = rewrite(plan->righttree, inner);
	/* A merge join goes back in its inner plan. */
	if (IsA(plan, MergeJoin) && marks_batch(plan->righttree) &&
		!((MergeJoin *) plan)->skip_mark_restore)
		plan->righttree = materialize(plan->righttree);
}

/* Rewrite what is below a plan. */
static void
rewrite_children(Plan *plan, const Place *place)
{
	Place		below = any_place(place);

	switch (nodeTag(plan))
	{
		case T_Append:
			below.limit = place->limit;
			rewrite_list(((Append *) plan)->appendplans, below);
			break;
		case T_MergeAppend:
			below.limit = place->limit;
			rewrite_list(((MergeAppend *) plan)->mergeplans, below);
			break;
		case T_SubqueryScan:
			below.limit = plan->qual == NIL ? place->limit : NULL;
			((SubqueryScan *) plan)->subplan = rewrite(((SubqueryScan *) plan)->subplan, below);
			break;
		case T_Limit:
			below.limit = is_exact((Limit *) plan) ? (Limit *) plan : NULL;
			plan->lefttree = rewrite(plan->lefttree, below);
			break;
		case T_Result:
			below.limit = plan->qual == NIL ? place->limit : NULL;
			plan->lefttree = rewrite(plan->lefttree, below);
			break;
		case T_Agg:
			below.columns = aggregate_columns((Agg *) plan);
			below.all_columns = false;
			plan->lefttree = rewrite(plan->lefttree, below);
			break;
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			rewrite_join(plan, place);
			break;
		default:
			plan->lefttree = rewrite(plan->lefttree, below);
			plan->righttree = rewrite(plan->righttree, below);
	}
}

/* Rewrite a plan; returns what stands in its place. */
static Plan *
rewrite(Plan *plan, Place place)
{
	if (plan == NULL)
		return NULL;
	check_stack_depth();
	rewrite_children(plan, &place);
	move_down(plan);
	return move_up(plan, &place);
}

/*
 * Return whether a cursor's plan is one whose current row UPDATE or DELETE can find again:
 * there the scan must not have read on.
 */
static bool
is_updatable(const Plan *plan)
{
	ListCell   *cell;

	if (plan == NULL)
		return false;
	switch (nodeTag(plan))
	{
		case T_Result:
		case T_Limit:
			return is_updatable(plan->lefttree);
		case T_SubqueryScan:
			return is_updatable(((const SubqueryScan *) plan)->subplan);
		case T_Append:
			foreach(cell, ((const Append *) plan)->appendplans)
			{
				if (is_updatable(lfirst(cell)))
					return true;
			}
			return false;
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_ForeignScan:
			return true;
		default:
			return false;
	}
}

/* Rewrite the plans of a statement. */
static void
rewrite_statement(PlannedStmt *statement, int cursor_options)
{
	ListCell   *cell;

	next_node_id = highest_id(statement->planTree);
	foreach(cell, statement->subplans)
		next_node_id = Max(next_node_id, highest_id(lfirst(cell)));
	next_node_id++;
	foreach(cell, statement->subplans)
	{
		Plan	   *plan = lfirst(cell);
		Place		place = {.all_columns = true};

		place.is_repeated = plan != NULL && !bms_is_empty(plan->extParam);
		lfirst(cell) = rewrite(plan, place);
	}
	if ((cursor_options & CURSOR_OPT_FAST_PLAN) != 0 && statement->rowMarks == NIL &&
		is_updatable(statement->planTree))
		return;
	statement->planTree = rewrite(statement->planTree, (Place) {.all_columns = true});
	if ((cursor_options & CURSOR_OPT_SCROLL) != 0 &&
		!ExecSupportsBackwardScan(statement->planTree))
		statement->planTree = materialize(statement->planTree);
}

/* Return whether a plan depends on functions other than PostgreSQL's own. */
static bool
has_functions(const PlannedStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->invalItems)
	{
		if (lfirst_node(PlanInvalItem, cell)->cacheId == PROCOID)
			return true;
	}
	return false;
}

/* Plan a query. */
static PlannedStmt *
plan_query(Query *query, const char *text, int cursor_options, ParamListInfo parameters)
{
	PlannedStmt *statement = previous_planner_hook != NULL ?
		previous_planner_hook(query, text, cursor_options, parameters) :
		standard_planner(query, text, cursor_options, parameters);

	if (hxpy_batching && has_functions(statement))
		rewrite_statement(statement, cursor_options);
	return statement;
}

/* Hook into the planner. */
void
hxpy_plan_init(void)
{
	hxpy_node_init();
	previous_planner_hook = planner_hook;
	planner_hook = plan_query;
}
