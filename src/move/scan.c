/*
 * scan.c
 *	  Functions in FROM as scans that stream: py_eval_grid, py_eval_rows, py_apply, and
 *	  those of the language.
 *
 * PostgreSQL's function scan keeps all rows of a function in a tuplestore before
 * it gives the first one.  The planner is told of a custom scan in its place,
 * which reads batch after batch as rows are asked for: a LIMIT, or a cursor that
 * is closed, ends the stream, and an endless generator can be read from.
 *
 * py_apply's query is run in steps: batches go to the worker until rows have come
 * back, which are given out before more are sent.
 *
 * When something else needs the session meanwhile (another scan of it in a join, a
 * py_eval for each row), the scan is asked to spool: the rest of the rows goes to a
 * tuplestore after all, and the session is free.
 *
 * A function scan can be read again without calling the function again.  Where
 * something could do so, the custom scan stands below a Material node, which keeps
 * rows only when asked to.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/portal.h"
#include "utils/ruleutils.h"
#include "utils/tuplestore.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "guc.h"
#include "move/explain.h"
#include "move/query.h"
#include "move/rows.h"
#include "move/scan.h"
#include "session/session.h"

/* Where a scan stands. */
typedef enum StreamPhase
{
	STREAM_CLOSED,				/* not begun */
	STREAM_OPEN,				/* the session is busy with it */
	STREAM_SPOOLED,				/* the rest is in the tuplestore */
	STREAM_ENDED
} StreamPhase;

/* A scan of a session's rows; lives in the query's memory context. */
typedef struct StreamState
{
	CustomScanState custom;		/* must be first */
	Oid			function;
	const char *mode;			/* of EVAL_GRID, or one of the modes below */
	bool		has_session;	/* as the first argument */
	bool		is_row;			/* the result is a row, not one value */
	bool		wants_all;		/* nothing stops the scan early */
	List	   *arguments;		/* ExprStates */
	TupleDesc	tupdesc;		/* with the columns' names */
	StreamPhase phase;
	MemoryContext context;		/* of what follows; made anew for each stream */
	Exchange	exchange;
	RowsReader *reader;
	SqlSource *query;			/* of py_apply, or NULL */
	const char *session;		/* of the latest stream, or NULL */
	int			workers;		/* of it, 0 before */
	ExchangeCosts costs;		/* of streams that were closed */
	bool		converting;		/* a row is being read, or reading it has failed */
	Tuplestorestate *store;
	TupleTableSlot *stored;		/* a row of the store */
} StreamState;

PG_FUNCTION_INFO_V1(py_support);

extern Datum py_eval_grid(PG_FUNCTION_ARGS);
extern Datum py_eval_grid_as(PG_FUNCTION_ARGS);
extern Datum py_eval_rows(PG_FUNCTION_ARGS);
extern Datum py_apply(PG_FUNCTION_ARGS);

static const char MODE_APPLY[] = "apply";
static const char MODE_FUNCTION[] = "function";

/* Functions of hxpy that a scan can stream; with so many arguments the session is given */
static const struct
{
	PGFunction	function;
	const char *mode;
	int			nargs;
}			streams[] = {
	{py_eval_grid, "table", 2},
	{py_eval_grid_as, "table", FUNC_MAX_ARGS},
	{py_eval_rows, "rows", 2},
	{py_apply, MODE_APPLY, 8}
};

static Plan *plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path, List *tlist,
						 List *clauses, List *custom_plans);
static Node *create_stream(CustomScan *scan);
static void begin_stream(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_stream(CustomScanState *node);
static void end_stream(CustomScanState *node);
static void rescan_stream(CustomScanState *node);
static void explain_stream(CustomScanState *node, List *ancestors, ExplainState *es);

static const CustomPathMethods path_methods = {
	.CustomName = "hxpy stream",
	.PlanCustomPath = plan_stream
};

static const CustomScanMethods scan_methods = {
	.CustomName = "hxpy stream",
	.CreateCustomScanState = create_stream
};

static const CustomExecMethods exec_methods = {
	.CustomName = "hxpy stream",
	.BeginCustomScan = begin_stream,
	.ExecCustomScan = exec_stream,
	.EndCustomScan = end_stream,
	.ReScanCustomScan = rescan_stream,
	.ExplainCustomScan = explain_stream
};

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;
static const ScanFunctions *functions;

/* ---------- planning ---------- */

/*
 * Return the mode that a function stands for, NULL for other functions; sets with how many
 * arguments the session is one of them.
 */
static const char *
stream_mode(Oid function, int *nargs)
{
	char	   *name = get_func_name(function);
	FmgrInfo	info;

	*nargs = 0;
	if (functions->claim(function))
		return MODE_FUNCTION;
	if (name == NULL || strncmp(name, "py_", 3) != 0)
		return NULL;
	fmgr_info(function, &info);
	for (int i = 0; i < lengthof(streams); i++)
	{
		if (streams[i].function == info.fn_addr)
		{
			*nargs = streams[i].nargs;
			return streams[i].mode;
		}
	}
	return NULL;
}

/*
 * Return the columns of a call in FROM, NULL where a scan cannot stream it:
 * unknown columns, dropped ones.
 */
static TupleDesc
stream_columns(const RangeTblFunction *function)
{
	Oid			type;
	TupleDesc	tupdesc;
	ListCell   *names,
			   *types,
			   *typmods,
			   *collations;
	AttrNumber	attno = 0;

	switch (get_expr_result_type(function->funcexpr, &type, &tupdesc))
	{
		case TYPEFUNC_COMPOSITE:
		case TYPEFUNC_COMPOSITE_DOMAIN:
			for (int i = 0; i < tupdesc->natts; i++)
			{
				if (TupleDescAttr(tupdesc, i)->attisdropped)
					return NULL;
			}
			return tupdesc->natts == function->funccolcount ? tupdesc : NULL;
		case TYPEFUNC_SCALAR:
			tupdesc = CreateTemplateTupleDesc(1);
			TupleDescInitEntry(tupdesc, 1, "value", type, -1, 0);
			TupleDescInitEntryCollation(tupdesc, 1, exprCollation(function->funcexpr));
			return tupdesc;
		case TYPEFUNC_RECORD:
			if (function->funccolnames == NIL)
				return NULL;
			tupdesc = CreateTemplateTupleDesc(list_length(function->funccolnames));
			forfour(names, function->funccolnames, types, function->funccoltypes,
					typmods, function->funccoltypmods, collations, function->funccolcollations)
			{
				attno++;
				TupleDescInitEntry(tupdesc, attno, strVal(lfirst(names)), lfirst_oid(types),
								   lfirst_int(typmods), 0);
				TupleDescInitEntryCollation(tupdesc, attno, lfirst_oid(collations));
			}
			return tupdesc;
		default:
			return NULL;
	}
}

/* Return whether a call's result is a row, not one value. */
static bool
is_row(const FuncExpr *call)
{
	Oid			type;
	TupleDesc	tupdesc;

	return get_expr_result_type((Node *) call, &type, &tupdesc) != TYPEFUNC_SCALAR;
}

/* Return whether a query needs a scan's row as a whole, for which it has no column. */
static bool
needs_whole_row(const RelOptInfo *rel)
{
	Bitmapset  *attnos = NULL;
	ListCell   *cell;

	/* attr_needed does not know what only the scan's own conditions need. */
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attnos);
	foreach(cell, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &attnos);
	foreach(cell, rel->joininfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &attnos);
	return bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attnos);
}

/* Put the custom scan in the place of a function scan. */
static void
replace_function_scan(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	RangeTblFunction *function;
	CustomPath *path;
	int			nargs;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1 || rte->funcordinality)
		return;
	function = linitial(rte->functions);
	if (!IsA(function->funcexpr, FuncExpr) ||
		stream_mode(((FuncExpr *) function->funcexpr)->funcid, &nargs) == NULL ||
		needs_whole_row(rel) || stream_columns(function) == NULL)
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->path.rows = rel->rows;
	path->path.startup_cost = rel->baserestrictcost.startup;
	path->path.total_cost = path->path.startup_cost +
		(cpu_tuple_cost + rel->baserestrictcost.per_tuple) * rel->tuples + 10000 * cpu_operator_cost;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	/* Only what has nothing beside it and nothing around it is read once for sure. */
	if (root->query_level == 1 && bms_membership(root->all_baserels) == BMS_SINGLETON)
		rel->pathlist = list_make1(path);
	else
		rel->pathlist = list_make1(create_material_path(rel, &path->path));
	rel->partial_pathlist = NIL;
}

/* Make the plan node of the custom scan. */
static Plan *
plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path, List *tlist,
			List *clauses, List *custom_plans)
{
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, root);
	RangeTblFunction *function = linitial(rte->functions);
	FuncExpr   *call = (FuncExpr *) function->funcexpr;
	TupleDesc	tupdesc = stream_columns(function);
	CustomScan *scan = makeNode(CustomScan);
	List	   *names = NIL;

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->scan.scanrelid = 0;
	scan->flags = best_path->flags;
	scan->custom_exprs = copyObject(call->args);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		Var		   *var = makeVar(rel->relid, i + 1, attribute->atttypid, attribute->atttypmod,
								  attribute->attcollation, 0);

		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) var, i + 1, NULL, false));
		names = lappend(names, makeString(pstrdup(NameStr(attribute->attname))));
	}
	scan->custom_private = list_make4(list_make1_oid(call->funcid), names,
									  makeBoolean(is_row(call)),
									  makeBoolean(root->tuple_fraction == 0));
	scan->methods = &scan_methods;
	return &scan->scan.plan;
}

/* Return whether a plan is one of these scans. */
bool
hxpy_scan_is_stream(const Plan *plan)
{
	return IsA(plan, CustomScan) && ((const CustomScan *) plan)->methods == &scan_methods;
}

/* ---------- execution ---------- */

/* Make the state of a scan. */
static Node *
create_stream(CustomScan *scan)
{
	StreamState *state = (StreamState *) newNode(sizeof(StreamState), T_CustomScanState);

	state->custom.methods = &exec_methods;
	state->function = linitial_oid((List *) linitial(scan->custom_private));
	return (Node *) state;
}

/* Prepare a scan; nothing runs yet. */
static void
begin_stream(CustomScanState *node, EState *estate, int eflags)
{
	StreamState *state = (StreamState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	List	   *names = lsecond(scan->custom_private);
	AclResult	right = HxpyFunctionAclCheck(state->function);
	int			nargs;

	if (right != ACLCHECK_OK)
		aclcheck_error(right, OBJECT_FUNCTION, get_func_name(state->function));
	InvokeFunctionExecuteHook(state->function);
	state->mode = stream_mode(state->function, &nargs);
	if (state->mode == NULL)
		elog(ERROR, "function %u was changed after the query was planned", state->function);
	state->has_session = list_length(scan->custom_exprs) >= nargs;
	state->is_row = boolVal(lthird(scan->custom_private));
	state->wants_all = boolVal(lfourth(scan->custom_private));
	state->arguments = ExecInitExprList(scan->custom_exprs, &node->ss.ps);
	state->tupdesc = CreateTupleDescCopy(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	for (int i = 0; i < state->tupdesc->natts; i++)
		namestrcpy(&TupleDescAttr(state->tupdesc, i)->attname, strVal(list_nth(names, i)));
}

/* Evaluate one of the function's arguments. */
static Datum
argument(StreamState *state, int number, bool *isnull)
{
	return ExecEvalExprSwitchContext(list_nth(state->arguments, number),
									 state->custom.ss.ps.ps_ExprContext, isnull);
}

/* Return the type of one of the function's arguments. */
static Oid
argument_type(const StreamState *state, int number)
{
	return exprType(list_nth(((CustomScan *) state->custom.ss.ps.plan)->custom_exprs, number));
}

/* Evaluate one of the function's text arguments. */
static char *
text_argument(StreamState *state, int number, const char *name)
{
	bool		isnull;
	Datum		value = argument(state, number, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return TextDatumGetCString(value);
}

/* Evaluate one of the function's flags, which NULL leaves off. */
static bool
flag_argument(StreamState *state, int number)
{
	bool		isnull;
	Datum		value = argument(state, number, &isnull);

	return !isnull && DatumGetBool(value);
}

/*
 * Return whether all rows that are left go to a store: the scan's own, or that of a
 * cursor WITH HOLD, which a COMMIT fills where statement_timeout ends nothing.
 */
static bool
is_stored(const StreamState *state)
{
	return state->store != NULL ||
		(ActivePortal != NULL && ActivePortal->strategy == PORTAL_ONE_SELECT &&
		 ActivePortal->holdStore != NULL);
}

/* Get the next batch of the open stream; false at its end. */
static bool
next_batch(StreamState *state)
{
	bool		found = hxpy_exchange_step(&state->exchange, is_stored(state));

	if (!found)
		state->phase = STREAM_ENDED;
	return found;
}

/* Read the next row of the current batch; false when there is none. */
static bool
next_row(StreamState *state)
{
	bool		found;

	/* A domain's check may come back here through the session. */
	state->converting = true;
	found = hxpy_rows_next(state->reader);
	state->converting = false;
	return found;
}

/* Put the rest of the open stream into a tuplestore, since its session is needed. */
static void
spool_stream(void *arg)
{
	StreamState *state = arg;
	RowsReader *reader = state->reader;
	MemoryContext old;

	if (state->converting)
		return;					/* the session stays busy */
	old = MemoryContextSwitchTo(state->context);
	hxpy_rows_set_context(reader, state->context);
	state->store = tuplestore_begin_heap(false, false, work_mem);
	state->stored = MakeSingleTupleTableSlot(state->tupdesc, &TTSOpsMinimalTuple);
	do
	{
		while (next_row(state))
			tuplestore_putvalues(state->store, reader->tupdesc, reader->values, reader->nulls);
	} while (next_batch(state));
	state->phase = STREAM_SPOOLED;
	MemoryContextSwitchTo(old);
}

/*
 * Set up the call of a function of the language, from its arguments; false when there are
 * no rows.
 */
static bool
prepare_function(StreamState *state)
{
	int			nargs = list_length(state->arguments);
	Oid			types[FUNC_MAX_ARGS];
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];

	for (int i = 0; i < nargs; i++)
	{
		types[i] = argument_type(state, i);
		values[i] = argument(state, i, &nulls[i]);
	}
	if (!functions->prepare(&state->exchange, state->function, state->is_row, nargs, types, values,
							nulls))
		return false;
	state->reader = hxpy_rows_create(&state->exchange, state->tupdesc, NULL);
	functions->adapt(state->reader, state->function);
	state->exchange.spool = spool_stream;
	state->exchange.spool_arg = state;
	return true;
}

/* Set up the instruction; the session's exchange comes after all arguments, which may use it. */
static void
prepare_exchange(StreamState *state)
{
	Exchange   *exchange = &state->exchange;
	int			first = state->has_session ? 1 : 0;
	char	   *session = state->has_session ? text_argument(state, 0, "session") :
		hxpy_session_default_name();
	char	   *expression = NULL;
	ApplyRequest request = {.wants_all = state->wants_all};
	bool		apply = state->mode == MODE_APPLY;

	if (apply)
	{
		bool		isnull;
		Datum		by;
		Datum		workers;

		request.function = text_argument(state, first, "function");
		request.query = text_argument(state, first + 1, "query");
		request.arrays = flag_argument(state, first + 2);
		by = argument(state, first + 3, &isnull);
		request.by = hxpy_query_names(by, isnull, argument_type(state, first + 3));
		request.whole = flag_argument(state, first + 4);
		workers = argument(state, first + 5, &isnull);
		hxpy_query_set_workers(&request, workers, isnull);
		state->workers = request.workers;
		request.ordered = flag_argument(state, first + 6);
	}
	else
		expression = text_argument(state, first, "expression");
	hxpy_session_exchange(exchange, hxpy_session_get(session),
						  apply ? HXPY_FRAME_APPLY : HXPY_FRAME_EVAL_GRID);
	state->reader = hxpy_rows_create(exchange, state->tupdesc, NULL);
	exchange->spool = spool_stream;
	exchange->spool_arg = state;
	if (apply)
		state->query = hxpy_query_apply(exchange, &request);
	else
	{
		hxpy_exchange_add_text(exchange, "expr", expression);
		hxpy_exchange_add_text(exchange, "mode", state->mode);
	}
}

/* Open the stream. */
static void
open_stream(StreamState *state)
{
	MemoryContext old;
	bool		has_rows = true;

	if (state->context != NULL)
		MemoryContextDelete(state->context);
	state->context = AllocSetContextCreate(state->custom.ss.ps.state->es_query_cxt,
										   "hxpy stream", ALLOCSET_DEFAULT_SIZES);
	state->converting = false;
	old = MemoryContextSwitchTo(state->context);
	if (state->mode == MODE_FUNCTION)
		has_rows = prepare_function(state);
	else
		prepare_exchange(state);
	if (has_rows)
	{
		state->session = pstrdup(state->exchange.conn->session);
		hxpy_exchange_open(&state->exchange);
	}
	state->phase = has_rows ? STREAM_OPEN : STREAM_ENDED;
	MemoryContextSwitchTo(old);
}

/* Fetch a row of the tuplestore. */
static bool
fetch_stored(StreamState *state, Datum **values, bool **nulls)
{
	if (!tuplestore_gettupleslot(state->store, true, false, state->stored))
		return false;
	slot_getallattrs(state->stored);
	*values = state->stored->tts_values;
	*nulls = state->stored->tts_isnull;
	return true;
}

/* Fetch a row of the open stream; false at its end. */
static bool
fetch_streamed(StreamState *state, Datum **values, bool **nulls)
{
	while (!next_row(state))
	{
		if (!next_batch(state))
			return false;
	}
	*values = state->reader->values;
	*nulls = state->reader->nulls;
	return true;
}

/* Fetch the next row. */
static TupleTableSlot *
fetch_row(ScanState *node)
{
	StreamState *state = (StreamState *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	int			natts = state->tupdesc->natts;
	Datum	   *values;
	bool	   *nulls;
	bool		found = false;

	ExecClearTuple(slot);
	if (state->phase == STREAM_CLOSED)
		open_stream(state);
	hxpy_exchange_check(&state->exchange);
	if (state->phase == STREAM_OPEN)
		found = fetch_streamed(state, &values, &nulls);
	else if (state->phase == STREAM_SPOOLED)
		found = fetch_stored(state, &values, &nulls);
	if (!found)
		return slot;
	memcpy(slot->tts_values, values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, natts * sizeof(bool));
	return ExecStoreVirtualTuple(slot);
}

/*
 * Return the next row that passes the scan's conditions.  ExecScan() would take
 * the scan for a join that EvalPlanQual has to check again.
 */
static TupleTableSlot *
exec_stream(CustomScanState *node)
{
	ExprContext *context = node->ss.ps.ps_ExprContext;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	for (;;)
	{
		TupleTableSlot *slot;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(context);
		slot = fetch_row(&node->ss);
		if (TupIsNull(slot))
			return projection ? ExecClearTuple(projection->pi_state.resultslot) : slot;
		context->ecxt_scantuple = slot;
		if (ExecQual(node->ss.ps.qual, context))
			return projection ? ExecProject(projection) : slot;
		InstrCountFiltered1(node, 1);
	}
}

/* End the stream, and what it needs. */
static void
close_stream(StreamState *state)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (state->phase == STREAM_CLOSED)
		return;
	state->phase = STREAM_CLOSED;
	hxpy_explain_add(&state->costs, &state->exchange);
	hxpy_exchange_close(&state->exchange);
	/* Without the owner these are gone already. */
	if (state->exchange.owner != NULL)
	{
		CurrentResourceOwner = state->exchange.owner;
		if (state->store != NULL)
			tuplestore_end(state->store);
		if (state->query != NULL)
			hxpy_query_close(state->query);
		CurrentResourceOwner = owner;
	}
	state->store = NULL;
	state->query = NULL;
}

/* End the scan. */
static void
end_stream(CustomScanState *node)
{
	close_stream((StreamState *) node);
}

/* Begin anew: the expression is evaluated again. */
static void
rescan_stream(CustomScanState *node)
{
	close_stream((StreamState *) node);
	ExecScanReScan(&node->ss);
}

/* Return how many processes a scan has, as far as that is known before it begins. */
static int
known_workers(const StreamState *state)
{
	Const	   *workers;

	if (state->mode != MODE_APPLY || state->workers > 0)
		return state->workers;
	workers = list_nth(((CustomScan *) state->custom.ss.ps.plan)->custom_exprs,
					   state->has_session ? 6 : 5);
	if (!IsA(workers, Const))
		return 1;
	return workers->constisnull ? hxpy_workers : DatumGetInt32(workers->constvalue);
}

/* Show what is called, where, and what it has cost. */
static void
explain_stream(CustomScanState *node, List *ancestors, ExplainState *es)
{
	StreamState *state = (StreamState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	ExchangeCosts costs = state->costs;

	if (es->verbose)
	{
		List	   *context = set_deparse_context_plan(es->deparse_cxt, &scan->scan.plan, ancestors);
		FuncExpr   *call = makeFuncExpr(state->function, get_func_rettype(state->function),
										scan->custom_exprs, InvalidOid, InvalidOid,
										COERCE_EXPLICIT_CALL);

		ExplainPropertyText("Function Call",
							deparse_expression((Node *) call, context, true, false), es);
		if (state->session != NULL)
			ExplainPropertyText("Session", state->session, es);
		hxpy_explain_workers(known_workers(state), es);
	}
	if (state->phase != STREAM_CLOSED)
		hxpy_explain_add(&costs, &state->exchange);
	hxpy_explain_costs(&costs, es);
}

/*
 * py_support(internal): a planner support function that knows nothing.  It is
 * asked before paths are made, which loads this library: so the hook below works
 * for the first query of a connection, too.
 */
Datum
py_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(NULL);
}

/* Hook into the planner; it asks `of_language` about other functions than those of hxpy. */
void
hxpy_scan_init(const ScanFunctions *of_language)
{
	functions = of_language;
	RegisterCustomScanMethods(&scan_methods);
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = replace_function_scan;
}
