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
 * its number.  A stream that an error has left open is ended by a callback of its
 * memory context, or of its resource owner if that goes first (a cursor that has
 * failed keeps its memory until the transaction's end).
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
#include "lib/ilist.h"
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
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "hxpy.h"
#include "move/grid.h"
#include "guc.h"
#include "codec/protocol.h"

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
	size_t		waiting_bytes;	/* in them */
	EarlyBatch *current;		/* that is being read, or NULL */
	bool		converting;		/* a row is being read, or reading it has failed */
	Tuplestorestate *store;
	TupleTableSlot *stored;		/* a row of the store */
	ResourceOwner owner;		/* of the store and the query, NULL when it is gone */
	dlist_node	node;			/* in `streams` as long as `context` is there */
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

/* scans that have begun to read */
static dlist_head streams = DLIST_STATIC_INIT(streams);

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

/* Tell whether a query needs a scan's row as a whole, for which it has no column. */
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

	if (previous_pathlist_hook != NULL)
		previous_pathlist_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1 || rte->funcordinality)
		return;
	function = linitial(rte->functions);
	if (!IsA(function->funcexpr, FuncExpr) ||
		stream_mode(((FuncExpr *) function->funcexpr)->funcid) == NULL ||
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

/* The stream's memory goes: end it if an error has left it open. */
static void
close_abandoned(void *arg)
{
	StreamState *state = arg;

	close_stream(state);
	dlist_delete(&state->node);
}

/* A resource owner goes: end its streams, which errors have left. */
static void
release_streams(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	dlist_iter	iter;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS)
		return;
	dlist_foreach(iter, &streams)
	{
		StreamState *state = dlist_container(StreamState, node, iter.cur);

		if (state->owner != CurrentResourceOwner)
			continue;
		close_stream(state);
		state->phase = STREAM_FAILED;
		state->owner = NULL;
		state->store = NULL;
		state->sender = NULL;
	}
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
	if (state->mode == NULL)
		elog(ERROR, "function %u was changed after the query was planned", state->function);
	state->arguments = ExecInitExprList(scan->custom_exprs, &node->ss.ps);
	state->tupdesc = CreateTupleDescCopy(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	for (int i = 0; i < state->tupdesc->natts; i++)
		namestrcpy(&TupleDescAttr(state->tupdesc, i)->attname, strVal(list_nth(names, i)));
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
	state->waiting_bytes += length;
	if (state->waiting_bytes > (size_t) hxpy_max_frame_size * 1024 * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("Python returns more rows than can wait while a batch is sent"),
				 errhint("Return less for each batch, lower hxpy.batch_size, or raise hxpy.max_frame_size, now %d MB.",
						 hxpy_max_frame_size)));
	state->waiting = lappend(state->waiting, batch);
	MemoryContextSwitchTo(old);
}

/*
 * Tell whether all rows that are left go to a store: the scan's own, or that of a
 * cursor WITH HOLD, which a COMMIT fills where statement_timeout ends nothing.
 */
static bool
is_stored(const StreamState *state)
{
	return state->store != NULL ||
		(ActivePortal != NULL && ActivePortal->strategy == PORTAL_ONE_SELECT &&
		 ActivePortal->holdStore != NULL);
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
	{
		if (is_stored(state))
			hxpy_worker_count_all(conn);
		return hxpy_worker_next(conn, payload, length);
	}
	state->current = linitial(state->waiting);
	state->waiting = list_delete_first(state->waiting);
	state->waiting_bytes -= state->current->length;
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

/* Read the next row of the current batch; false when there is none. */
static bool
next_row(StreamState *state)
{
	bool		found;

	/* A domain's check may come back here through the session. */
	state->converting = true;
	found = hxpy_grid_next_row(state->reader);
	state->converting = false;
	return found;
}

/* Put the rest of the open stream into a tuplestore, since its session is needed. */
static void
spool_stream(void *arg)
{
	StreamState *state = arg;
	RowsReader *reader = state->reader;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context;

	if (state->converting)
		return;					/* the session stays busy */
	context = MemoryContextSwitchTo(state->context);
	PG_TRY();
	{
		CurrentResourceOwner = state->owner;
		/* The row that was given out last stays where it is. */
		reader->batch_context = AllocSetContextCreate(state->context, "hxpy rows",
													  ALLOCSET_DEFAULT_SIZES);
		state->store = tuplestore_begin_heap(false, false, work_mem);
		state->stored = MakeSingleTupleTableSlot(state->tupdesc, &TTSOpsMinimalTuple);
		do
		{
			while (next_row(state))
				tuplestore_putvalues(state->store, reader->tupdesc, reader->values,
									 reader->nulls);
		} while (next_batch(state));
		state->phase = STREAM_SPOOLED;
	}
	PG_CATCH();
	{
		CurrentResourceOwner = owner;
		close_stream(state);
		state->phase = STREAM_FAILED;
		PG_RE_THROW();
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
}

/* Begin an EVAL_GRID instruction. */
static void
begin_eval(StreamState *state, PySession *session, const char *expression)
{
	InstructionText texts[] = {{"expr", expression}, {"mode", state->mode}};

	hxpy_grid_begin(session, texts, lengthof(texts), state->reader);
}

/* Begin an APPLY instruction. */
static void
begin_apply(StreamState *state, PySession *session, const char *function, const char *query,
			bool arrays)
{
	InstructionText *texts = palloc(3 * sizeof(InstructionText));

	texts[0].name = "func";
	texts[0].value = function;
	texts[1].name = "pass";
	texts[1].value = arrays ? "arrays" : "frame";
	texts[2].name = "wants";
	texts[2].value = psprintf("%d", state->reader->ncolumns);
	state->sender = hxpy_sender_create(session, HXPY_FRAME_APPLY, texts, 3, state->reader,
									   keep_batch, state);
	hxpy_sender_open(state->sender, query);
}

/* Make the memory context of a stream, and have it end the stream. */
static void
create_context(StreamState *state)
{
	if (state->context != NULL)
		MemoryContextDelete(state->context);
	state->context = AllocSetContextCreate(state->custom.ss.ps.state->es_query_cxt,
										   "hxpy stream", ALLOCSET_DEFAULT_SIZES);
	state->callback.func = close_abandoned;
	state->callback.arg = state;
	MemoryContextRegisterResetCallback(state->context, &state->callback);
	dlist_push_head(&streams, &state->node);
	state->owner = CurrentResourceOwner;
	state->waiting = NIL;
	state->waiting_bytes = 0;
	state->current = NULL;
	state->converting = false;
}

/* Begin the stream's instruction; the session is broken off when that fails. */
static void
begin_instruction(StreamState *state, PySession *session, const char *source,
				  const char *query, bool arrays)
{
	PG_TRY();
	{
		if (state->mode == MODE_APPLY)
			begin_apply(state, session, source, query, arrays);
		else
			begin_eval(state, session, source);
	}
	PG_CATCH();
	{
		/* the stream's own context may not live on */
		hxpy_session_break_off(state->session_id, state->custom.ss.ps.state->es_query_cxt);
	}
	PG_END_TRY();
}

/* Open the stream. */
static void
open_stream(StreamState *state)
{
	MemoryContext old;
	PySession  *session;
	char	   *name;
	char	   *source;
	char	   *query = NULL;
	bool		isnull = true;
	Datum		arrays = (Datum) 0;

	create_context(state);
	old = MemoryContextSwitchTo(state->context);
	/* The arguments first: they may use the session, and close it. */
	name = text_argument(state, 0, "session");
	source = text_argument(state, 1, state->mode == MODE_APPLY ? "function" : "expression");
	if (state->mode == MODE_APPLY)
	{
		query = text_argument(state, 2, "query");
		arrays = ExecEvalExprSwitchContext(list_nth(state->arguments, 3),
										   state->custom.ss.ps.ps_ExprContext, &isnull);
	}
	session = hxpy_session_get(name);
	state->session_id = session->id;
	state->reader = hxpy_grid_reader(state->tupdesc, NULL);
	hxpy_worker_check_ready(session->worker);
	begin_instruction(state, session, source, query, !isnull && DatumGetBool(arrays));
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

/* Forget the tuplestore and the query; after an error they are gone already. */
static void
drop_store(StreamState *state)
{
	ResourceOwner owner = CurrentResourceOwner;

	if (state->store != NULL)
		tuplestore_end(state->store);
	state->store = NULL;
	if (state->sender != NULL && state->owner != NULL)
	{
		CurrentResourceOwner = state->owner;
		hxpy_sender_close(state->sender);
		CurrentResourceOwner = owner;
	}
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
	RegisterResourceReleaseCallback(release_streams, NULL);
}
