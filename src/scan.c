/*
 * scan.c
 *	  py_eval_grid, py_eval_rows and py_apply in FROM as scans that stream.
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
 * py_eval for each row), the worker's connection asks the scan to spool: the rest
 * of the stream goes to a tuplestore after all, and the session is free.
 *
 * The scan does not own its session, which may be closed under it: it is found by
 * its number.  A stream that is left open by an error is ended by a callback of
 * the query's memory context.
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
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "hxpy.h"
#include "grid.h"
#include "protocol.h"

/* Where a scan stands. */
typedef enum StreamPhase
{
	STREAM_CLOSED,				/* not begun */
	STREAM_OPEN,				/* the session is busy with it */
	STREAM_SPOOLED,				/* the rest is in the tuplestore */
	STREAM_ENDED,
	STREAM_FAILED				/* an error in it was caught elsewhere */
} StreamPhase;

/* A batch that came while the query's rows were sent. */
typedef struct EarlyBatch
{
	size_t		length;
	char		payload[FLEXIBLE_ARRAY_MEMBER];
} EarlyBatch;

/* A scan of a session's rows; lives in the query's memory context. */
typedef struct StreamState
{
	CustomScanState custom;		/* must be first */
	Oid			function;
	const char *mode;			/* of EVAL_GRID, or MODE_APPLY */
	List	   *arguments;		/* ExprStates */
	TupleDesc	tupdesc;		/* with the columns' names */
	StreamPhase phase;
	uint64		session_id;		/* of the open stream */
	MemoryContext context;		/* of what follows; reset for each stream */
	RowsReader *reader;
	QuerySender *sender;		/* of py_apply's query, or NULL */
	List	   *waiting;		/* batches that came while sending */
	EarlyBatch *current;		/* that is being read, or NULL */
	Tuplestorestate *store;
	TupleTableSlot *stored;		/* a row of the store */
	ResourceOwner owner;		/* of the store */
	MemoryContextCallback callback;
} StreamState;

PG_FUNCTION_INFO_V1(py_support);

extern Datum py_eval_grid(PG_FUNCTION_ARGS);
extern Datum py_eval_rows(PG_FUNCTION_ARGS);
extern Datum py_apply(PG_FUNCTION_ARGS);

static const char MODE_APPLY[] = "apply";

static Plan *plan_stream(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path, List *tlist,
						 List *clauses, List *custom_plans);
static Node *create_stream(CustomScan *scan);
static void begin_stream(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_stream(CustomScanState *node);
static void end_stream(CustomScanState *node);
static void rescan_stream(CustomScanState *node);
static void spool_stream(void *arg);

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
	.ReScanCustomScan = rescan_stream
};

static set_rel_pathlist_hook_type previous_pathlist_hook = NULL;

/* ---------- planning ---------- */

/* Return the mode that a function stands for, NULL for other functions. */
static const char *
stream_mode(Oid function)
{
	char	   *name = get_func_name(function);
	FmgrInfo	info;

	if (name == NULL || strncmp(name, "py_", 3) != 0)
		return NULL;
	fmgr_info(function, &info);
	return info.fn_addr == py_eval_grid ? "table" :
		info.fn_addr == py_eval_rows ? "rows" :
		info.fn_addr == py_apply ? MODE_APPLY : NULL;
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

/* Put the custom scan in the place of a function scan. */
static void
replace_function_scan(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	RangeTblFunction *function;
	CustomPath *path;

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1 || rte->funcordinality)
		return;
	function = linitial(rte->functions);
	/* A whole row would need a column of its own. */
	if (!IsA(function->funcexpr, FuncExpr) ||
		stream_mode(((FuncExpr *) function->funcexpr)->funcid) == NULL ||
		rel->attr_needed[0 - rel->min_attr] != NULL || stream_columns(function) == NULL)
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
	rel->pathlist = list_make1(path);
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
	scan->custom_private = list_make2(list_make1_oid(call->funcid), names);
	scan->methods = &scan_methods;
	return &scan->scan.plan;
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

/* End the stream that is open, if any; does not ereport. */
static void
close_stream(StreamState *state)
{
	PySession  *session;
	bool		open = state->phase == STREAM_OPEN;

	state->phase = STREAM_CLOSED;
	if (!open)
		return;
	session = hxpy_session_find(state->session_id);
	if (session == NULL)
		return;
	hxpy_worker_set_spool(session->worker, NULL, NULL);
	hxpy_worker_recover(session->worker);
}

/* The query's memory goes: end a stream that an error has left open. */
static void
close_abandoned(void *arg)
{
	close_stream(arg);
}

/* Prepare a scan; nothing runs yet. */
static void
begin_stream(CustomScanState *node, EState *estate, int eflags)
{
	StreamState *state = (StreamState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	List	   *names = lsecond(scan->custom_private);
	AclResult	right = HxpyFunctionAclCheck(state->function);

	if (right != ACLCHECK_OK)
		aclcheck_error(right, OBJECT_FUNCTION, get_func_name(state->function));
	InvokeFunctionExecuteHook(state->function);
	state->mode = stream_mode(state->function);
	state->arguments = ExecInitExprList(scan->custom_exprs, &node->ss.ps);
	state->tupdesc = CreateTupleDescCopy(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	for (int i = 0; i < state->tupdesc->natts; i++)
		namestrcpy(&TupleDescAttr(state->tupdesc, i)->attname, strVal(list_nth(names, i)));
	state->callback.func = close_abandoned;
	state->callback.arg = state;
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &state->callback);
}

/* Evaluate one of the function's text arguments. */
static char *
text_argument(StreamState *state, int argument, const char *name)
{
	bool		isnull;
	Datum		value = ExecEvalExprSwitchContext(list_nth(state->arguments, argument),
												  state->custom.ss.ps.ps_ExprContext, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return TextDatumGetCString(value);
}

/* Keep a batch that came while the query's rows were sent. */
static void
keep_batch(void *arg, const char *payload, size_t length)
{
	StreamState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	EarlyBatch *batch = MemoryContextAllocHuge(state->context,
											   offsetof(EarlyBatch, payload) + length);

	batch->length = length;
	memcpy(batch->payload, payload, length);
	state->waiting = lappend(state->waiting, batch);
	MemoryContextSwitchTo(old);
}

/* Get the payload of the next batch; false at the stream's end. */
static bool
next_payload(StreamState *state, WorkerConn *conn, const char **payload, size_t *length)
{
	if (state->current != NULL)
		pfree(state->current);
	state->current = NULL;
	while (state->sender != NULL && state->waiting == NIL &&
		   !hxpy_sender_has_ended(state->sender))
		hxpy_sender_step(state->sender);
	if (state->waiting == NIL)
		return hxpy_worker_next(conn, payload, length);
	state->current = linitial(state->waiting);
	state->waiting = list_delete_first(state->waiting);
	*payload = state->current->payload;
	*length = state->current->length;
	return true;
}

/* Get the next batch of the open stream; false at its end. */
static bool
next_batch(StreamState *state)
{
	PySession  *session = hxpy_session_find(state->session_id);
	MemoryContext context = CurrentMemoryContext;
	const char *payload;
	size_t		length;
	volatile bool found = false;

	if (session == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("the session was closed while rows were read from it")));
	/* What the query itself calls cannot wait for its own end. */
	hxpy_worker_set_spool(session->worker, NULL, NULL);
	PG_TRY();
	{
		found = next_payload(state, session->worker, &payload, &length);
		if (found)
			hxpy_grid_open_batch(state->reader, payload, length);
	}
	PG_CATCH();
	{
		state->phase = STREAM_FAILED;
		hxpy_worker_break_off(session->worker, context);
	}
	PG_END_TRY();
	if (found)
		hxpy_worker_set_spool(session->worker, spool_stream, state);
	else
		state->phase = STREAM_ENDED;
	return found;
}

/* Put the rest of the open stream into a tuplestore, since its session is needed. */
static void
spool_stream(void *arg)
{
	StreamState *state = arg;
	MemoryContext context = MemoryContextSwitchTo(state->context);
	ResourceOwner owner = CurrentResourceOwner;
	RowsReader *reader = state->reader;

	PG_TRY();
	{
		CurrentResourceOwner = state->owner;
		state->store = tuplestore_begin_heap(false, false, work_mem);
		state->stored = MakeSingleTupleTableSlot(state->tupdesc, &TTSOpsMinimalTuple);
		do
		{
			while (hxpy_grid_next_row(reader))
				tuplestore_putvalues(state->store, reader->tupdesc, reader->values,
									 reader->nulls);
		} while (next_batch(state));
		state->phase = STREAM_SPOOLED;
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = owner;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
}

/* Begin an EVAL_GRID instruction: session, expression. */
static void
begin_eval(StreamState *state, PySession *session)
{
	InstructionText texts[] = {
		{"expr", text_argument(state, 1, "expression")},
		{"mode", state->mode}
	};

	hxpy_grid_begin(session, texts, lengthof(texts), state->reader);
}

/* Begin an APPLY instruction: session, func, query, arrays. */
static void
begin_apply(StreamState *state, PySession *session)
{
	InstructionText *texts = palloc(3 * sizeof(InstructionText));
	char	   *query = text_argument(state, 2, "query");
	bool		isnull;
	Datum		arrays = ExecEvalExprSwitchContext(list_nth(state->arguments, 3),
												   state->custom.ss.ps.ps_ExprContext, &isnull);

	texts[0].name = "func";
	texts[0].value = text_argument(state, 1, "function");
	texts[1].name = "pass";
	texts[1].value = !isnull && DatumGetBool(arrays) ? "arrays" : "frame";
	texts[2].name = "wants";
	texts[2].value = psprintf("%d", state->reader->ncolumns);
	state->sender = hxpy_sender_create(session, HXPY_FRAME_APPLY, texts, 3, state->reader,
									   keep_batch, state);
	hxpy_sender_open(state->sender, query);
}

/* Open the stream. */
static void
open_stream(StreamState *state)
{
	MemoryContext old;
	PySession  *session;

	if (state->context == NULL)
		state->context = AllocSetContextCreate(state->custom.ss.ps.state->es_query_cxt,
											   "hxpy stream", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(state->context);
	state->waiting = NIL;
	state->current = NULL;
	old = MemoryContextSwitchTo(state->context);
	session = hxpy_session_get(text_argument(state, 0, "session"));
	state->reader = hxpy_grid_reader(state->tupdesc, NULL);
	hxpy_worker_check_ready(session->worker);
	PG_TRY();
	{
		if (state->mode == MODE_APPLY)
			begin_apply(state, session);
		else
			begin_eval(state, session);
	}
	PG_CATCH();
	{
		hxpy_worker_break_off(session->worker, old);
	}
	PG_END_TRY();
	state->session_id = session->id;
	state->owner = CurrentResourceOwner;
	state->phase = STREAM_OPEN;
	hxpy_worker_set_spool(session->worker, spool_stream, state);
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
	while (!hxpy_grid_next_row(state->reader))
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
	if (state->phase == STREAM_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the stream of rows from Python has failed before")));
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

/* There is nothing to check again. */
static bool
recheck_row(ScanState *node, TupleTableSlot *slot)
{
	return true;
}

/* Return the next row that passes the scan's conditions. */
static TupleTableSlot *
exec_stream(CustomScanState *node)
{
	return ExecScan(&node->ss, fetch_row, recheck_row);
}

/* Forget the tuplestore and the query; after an error they are gone already. */
static void
drop_store(StreamState *state)
{
	if (state->store != NULL)
		tuplestore_end(state->store);
	if (state->sender != NULL)
		hxpy_sender_close(state->sender);
	state->store = NULL;
	state->sender = NULL;
}

/* End the scan, and with it the stream. */
static void
end_stream(CustomScanState *node)
{
	close_stream((StreamState *) node);
	drop_store((StreamState *) node);
}

/* Begin anew: the expression is evaluated again. */
static void
rescan_stream(CustomScanState *node)
{
	close_stream((StreamState *) node);
	drop_store((StreamState *) node);
	ExecScanReScan(&node->ss);
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

/* Hook into the planner. */
void
hxpy_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
	previous_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = replace_function_scan;
}
