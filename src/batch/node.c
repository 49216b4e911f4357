/*
 * node.c
 *	  The plan node that calls functions for many rows at once: its execution.
 *
 * Rows of the child are read ahead, a batch of them: what calls need goes into the columns of
 * a program (messages.c), what else of a row is still needed is kept.  Then the rows are
 * given out one by one, with the results.
 *
 * A batch begins with few rows and grows, since whoever asks may stop; where a LIMIT says how
 * many rows are asked for, no more are read.  It is also bounded by bytes.
 *
 * Large batches come in twos: while the rows of one are given out, and more are read, Python
 * works on the other.  Not so when Python has run SQL: that is run at its place in the query.
 *
 * An error of a call is raised when its row is reached.  A node that reads ahead from another
 * one must not reach it: the lower one then stops before the row, until the upper one has
 * given out those before.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

#include "hxpy.h"
#include "batch/build.h"
#include "batch/groups.h"
#include "batch/messages.h"
#include "batch/node.h"
#include "guc.h"
#include "lang/callable.h"
#include "move/explain.h"

#define FIRST_ROWS		16
#define GROWTH			4
#define MAX_GROWING_MS	100		/* a batch that has taken longer is large enough */
#define PUSH_ROWS		256		/* that are read until more of a message is sent */
#define MIN_AHEAD_ROWS	256		/* in a batch, from which on the next is made ahead */
#define MAX_BYTES		(16 * 1024 * 1024)
#define CHECKED_ROWS	64		/* until the bytes are looked at, of values that are all alike */

/* What came of asking for a row. */
typedef enum NextRow
{
	ROW_FOUND,
	ROW_END,					/* there is none */
	ROW_BLOCKED					/* its call has failed, and may not be told yet */
} NextRow;

/* A column of the child that is kept. */
typedef struct KeptColumn
{
	AttrNumber	number;			/* in the child's rows */
	int16		length;			/* of the type */
	bool		by_value;
} KeptColumn;

/* Rows that calls are made for. */
typedef struct Batch
{
	BatchProgram *program;		/* NULL until the first rows */
	MemoryContext rows;			/* of kept values */
	size_t		kept_bytes;
	Datum	   *values;			/* kept, column by column */
	bool	   *nulls;
	int			capacity;		/* rows */
	int			filled;
	int			next;			/* row to be given out */
} Batch;

/* The node; lives in the query's memory context. */
typedef struct BatchState
{
	CustomScanState custom;		/* must be first */
	ProgramCosts costs;
	ExprContext *reading;		/* of a row that is read */
	ProjectionInfo *arguments;	/* what calls need of it */
	int			nkept;
	KeptColumn *kept;
	AttrNumber	last_kept;		/* the last one's number in the child's rows */
	Batch		batches[2];
	Batch	   *current;		/* whose rows are given out */
	Batch	   *ahead;			/* the other one */
	int			wanted;			/* rows of the next batch */
	double		waited;			/* ms, for Python, when it was chosen */
	bool		at_end;			/* the child has no more rows */
	bool		defers;			/* it must not raise a call's error */
	bool		is_blocked;		/* so it has stopped */
	ExprState  *offset;			/* of LIMIT, or NULL */
	ExprState  *count;
	bool		has_begun;
	int64		left;			/* rows that may yet be asked for, -1 if that is not known */
} BatchState;

static Node *create_state(CustomScan *scan);
static void begin_node(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_node(CustomScanState *node);
static void end_node(CustomScanState *node);
static void rescan_node(CustomScanState *node);
static void explain_node(CustomScanState *node, List *ancestors, ExplainState *es);

const CustomScanMethods hxpy_batch_methods = {
	.CustomName = "hxpy calls",
	.CreateCustomScanState = create_state
};

static const CustomExecMethods exec_methods = {
	.CustomName = "hxpy calls",
	.BeginCustomScan = begin_node,
	.ExecCustomScan = exec_node,
	.EndCustomScan = end_node,
	.ReScanCustomScan = rescan_node,
	.ExplainCustomScan = explain_node
};

/* ---------- beginning ---------- */

/* Make the node's state. */
static Node *
create_state(CustomScan *scan)
{
	BatchState *state = (BatchState *) newNode(sizeof(BatchState), T_CustomScanState);

	state->custom.methods = &exec_methods;
	return (Node *) state;
}

/* Check that the current user may call the functions, as an expression does when it begins. */
static void
check_rights(CustomScan *scan)
{
	ListCell   *cell;

	foreach(cell, HXPY_CALLS(scan))
	{
		FuncExpr   *call = HXPY_CALL_EXPR((List *) lfirst(cell));
		Oid			function = call->funcid;
		AclResult	right;

		/* The node that aggregates checks that. */
		if (hxpy_groups_is_call(call))
			continue;
		right = HxpyFunctionAclCheck(function);
		if (right != ACLCHECK_OK)
			aclcheck_error(right, OBJECT_FUNCTION, get_func_name(function));
		InvokeFunctionExecuteHook(function);
	}
}

/* Set up which columns of the child are kept: those that the scan tuple begins with. */
static void
set_up_kept(BatchState *state, CustomScan *scan)
{
	ListCell   *cell;

	state->kept = palloc0(Max(list_length(scan->custom_scan_tlist), 1) * sizeof(KeptColumn));
	foreach(cell, scan->custom_scan_tlist)
	{
		Var		   *var = (Var *) lfirst_node(TargetEntry, cell)->expr;
		KeptColumn *column = &state->kept[state->nkept];

		if (!IsA(var, Var))
			break;
		column->number = var->varattno;
		get_typlenbyval(var->vartype, &column->length, &column->by_value);
		state->last_kept = Max(state->last_kept, column->number);
		state->nkept++;
	}
	for (int i = 0; i < lengthof(state->batches); i++)
		state->batches[i].rows = AllocSetContextCreate(CurrentMemoryContext, "hxpy rows",
													   ALLOCSET_DEFAULT_SIZES);
	state->current = &state->batches[0];
	state->ahead = &state->batches[1];
}

/* Set up what calls need of a row of the child. */
static void
set_up_arguments(BatchState *state, CustomScan *scan, EState *estate)
{
	List	   *tlist = NIL;
	ListCell   *cell;
	TupleTableSlot *slot;

	foreach(cell, scan->custom_exprs)
		tlist = lappend(tlist, makeTargetEntry(lfirst(cell), list_length(tlist) + 1, NULL, false));
	state->reading = CreateExprContext(estate);
	slot = ExecInitExtraTupleSlot(estate, ExecTypeFromTL(tlist), &TTSOpsVirtual);
	state->arguments = ExecBuildProjectionInfo(tlist, state->reading, slot, &state->custom.ss.ps,
											   NULL);
}

/* Prepare the node; nothing runs yet. */
static void
begin_node(CustomScanState *node, EState *estate, int eflags)
{
	BatchState *state = (BatchState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	List	   *limit = HXPY_LIMIT(scan);

	Assert((eflags & (EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK)) == 0);
	check_rights(scan);
	outerPlanState(node) = ExecInitNode(outerPlan(scan), estate, eflags);
	set_up_kept(state, scan);
	set_up_arguments(state, scan, estate);
	if (limit != NIL)
	{
		state->offset = ExecInitExpr(linitial(limit), &node->ss.ps);
		state->count = ExecInitExpr(lsecond(limit), &node->ss.ps);
	}
	state->wanted = FIRST_ROWS / GROWTH;
	state->costs.progress.total = outerPlan(scan)->plan_rows;
	state->costs.progress.estimated = true;
}

/* ---------- reading ---------- */

/* Return the value of a part of LIMIT, or what it is where that is missing or NULL. */
static int64
limit_value(ExprState *expression, ExprContext *context, int64 missing)
{
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (expression != NULL)
		value = ExecEvalExprSwitchContext(expression, context, &isnull);
	return isnull ? missing : Max(DatumGetInt64(value), 0);
}

/* Find out how many rows may be asked for, and tell the child. */
static void
begin_reading(BatchState *state)
{
	ExprContext *context = state->reading;
	int64		offset;

	state->has_begun = true;
	state->left = -1;
	if (state->count == NULL)
		return;
	state->left = limit_value(state->count, context, -1);
	offset = limit_value(state->offset, context, 0);
	if (state->left < 0 || state->left > PG_INT64_MAX - offset)
		state->left = -1;
	else
		state->left += offset;
	ExecSetTupleBound(state->left, outerPlanState(state));
}

/* Make room for a batch's kept values. */
static void
make_room(BatchState *state, Batch *batch, int rows)
{
	MemoryContext context = state->custom.ss.ps.state->es_query_cxt;

	if (rows <= batch->capacity)
		return;
	if (batch->values != NULL)
	{
		pfree(batch->values);
		pfree(batch->nulls);
	}
	batch->values = MemoryContextAllocHuge(context, (Size) rows * Max(state->nkept, 1) *
										   sizeof(Datum));
	batch->nulls = MemoryContextAllocHuge(context, (Size) rows * Max(state->nkept, 1));
	batch->capacity = rows;
}

/* Return a copy of a value, in the current memory context; its bytes are added. */
static Datum
copy_value(Datum value, const KeptColumn *column, size_t *bytes)
{
	Size		length;
	char	   *copy;

	if (column->length == -1 && VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
	{
		value = datumCopy(value, false, -1);
		*bytes += VARSIZE_ANY(DatumGetPointer(value));
		return value;
	}
	length = column->length > 0 ? column->length :
		column->length == -1 ? VARSIZE_ANY(DatumGetPointer(value)) :
		strlen(DatumGetCString(value)) + 1;
	copy = palloc(length);
	memcpy(copy, DatumGetPointer(value), length);
	*bytes += length;
	return PointerGetDatum(copy);
}

/* Keep what is needed of a row. */
static void
keep_row(BatchState *state, Batch *batch, TupleTableSlot *slot)
{
	Datum	   *values = batch->values + batch->filled;
	bool	   *nulls = batch->nulls + batch->filled;
	MemoryContext old = MemoryContextSwitchTo(batch->rows);

	slot_getsomeattrs(slot, state->last_kept);
	for (int i = 0; i < state->nkept; i++)
	{
		KeptColumn *column = &state->kept[i];
		Datum		value = slot->tts_values[column->number - 1];
		bool		isnull = slot->tts_isnull[column->number - 1];

		nulls[(Size) i * batch->capacity] = isnull;
		values[(Size) i * batch->capacity] = isnull || column->by_value ? value :
			copy_value(value, column, &batch->kept_bytes);
	}
	MemoryContextSwitchTo(old);
}

/* Add a row of the child to a batch. */
static void
add_row(BatchState *state, Batch *batch, TupleTableSlot *slot)
{
	ExprContext *context = state->reading;
	MemoryContext old = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	TupleTableSlot *arguments;

	context->ecxt_outertuple = slot;
	arguments = ExecProject(state->arguments);
	hxpy_messages_add(batch->program, arguments->tts_values, arguments->tts_isnull);
	MemoryContextSwitchTo(old);
	keep_row(state, batch, slot);
	batch->filled++;
	ResetExprContext(context);
}

/* Return whether a batch has enough bytes. */
static bool
is_full(const Batch *batch)
{
	if (batch->filled == 0)
		return false;
	if (batch->kept_bytes >= MAX_BYTES)
		return true;
	return (batch->program->varies || batch->filled % CHECKED_ROWS == 0) &&
		hxpy_messages_size(batch->program) + batch->kept_bytes >= MAX_BYTES;
}

/* Make a batch's program, again where what it was made for has changed. */
static void
prepare_program(BatchState *state, Batch *batch)
{
	CustomScan *scan = (CustomScan *) state->custom.ss.ps.plan;

	if (batch->program != NULL && hxpy_program_is_current(batch->program))
		return;
	if (batch->program != NULL)
		hxpy_program_free(batch->program);
	batch->program = NULL;
	batch->program = hxpy_program_create(&state->custom.ss.ps, HXPY_CALLS(scan),
										 scan->custom_exprs, &state->costs);
}

/* Forget the rows of a batch. */
static void
empty_batch(Batch *batch)
{
	if (batch->program != NULL)
		hxpy_messages_reset(batch->program);
	MemoryContextReset(batch->rows);
	batch->kept_bytes = 0;
	batch->filled = batch->next = 0;
}

/*
 * Return the state of a node of this kind whose rows another one gives as they come, or that is
 * the node itself; else NULL.  What stands between them goes on after what looks like the end.
 */
static BatchState *
as_batch(PlanState *state)
{
	for (;;)
	{
		switch (nodeTag(state))
		{
			case T_SubqueryScanState:
				state = ((SubqueryScanState *) state)->subplan;
				break;
			case T_ResultState:
			case T_ProjectSetState:
				state = outerPlanState(state);
				if (state == NULL)
					return NULL;
				break;
			case T_CustomScanState:
				return ((CustomScanState *) state)->methods == &exec_methods ?
					(BatchState *) state : NULL;
			default:
				return NULL;
		}
	}
}

/* Return whether rows wait to be given out. */
static bool
has_rows(const Batch *batch)
{
	return batch->next < batch->filled;
}

/* Read a row of the child; a call's error there waits until what was read is given out. */
static TupleTableSlot *
read_child(BatchState *state, BatchState *lower)
{
	TupleTableSlot *slot;

	if (lower != NULL)
	{
		lower->is_blocked = false;
		lower->defers = state->defers || has_rows(state->current) || has_rows(state->ahead);
	}
	slot = ExecProcNode(outerPlanState(state));
	state->at_end = TupIsNull(slot) && (lower == NULL || !lower->is_blocked);
	return slot;
}

/* Read rows into an empty batch. */
static NextRow
fill_batch(BatchState *state, Batch *batch)
{
	BatchState *lower = as_batch(outerPlanState(state));
	int			limit = Min(state->wanted, hxpy_batch_rows);

	if (state->at_end)
		return ROW_END;
	if (state->left >= 0)
		limit = (int) Min(state->left, hxpy_batch_rows);
	make_room(state, batch, limit);
	while (batch->filled < limit && !is_full(batch))
	{
		TupleTableSlot *slot = read_child(state, lower);

		CHECK_FOR_INTERRUPTS();
		if (TupIsNull(slot))
			break;
		/* Not before: where there is no row it does not matter what a parameter is. */
		if (batch->filled == 0)
			prepare_program(state, batch);
		add_row(state, batch, slot);
		if (batch->filled % PUSH_ROWS == 0 && state->current != batch)
			hxpy_messages_push(state->current->program);
	}
	if (state->left >= 0)
		state->left -= batch->filled;
	return has_rows(batch) ? ROW_FOUND : lower != NULL && lower->is_blocked ? ROW_BLOCKED : ROW_END;
}

/* Choose the size of the batches to come, by how long Python has worked on those before. */
static void
choose_size(BatchState *state)
{
	double		before = state->waited;

	state->waited = INSTR_TIME_GET_MILLISEC(state->costs.sums.time);
	if (state->waited - before < MAX_GROWING_MS)
		state->wanted = (int) Min((int64) state->wanted * GROWTH, hxpy_batch_rows);
}

/* Return whether the next batch is to be made while the current one is given out. */
static bool
goes_ahead(const BatchState *state)
{
	return state->current->filled >= MIN_AHEAD_ROWS && !state->at_end && !state->costs.runs_sql;
}

/* Go to the next batch; Python begins to work on the one after it. */
static NextRow
next_batch(BatchState *state)
{
	Batch	   *used = state->current;
	NextRow		result = ROW_FOUND;

	empty_batch(used);
	if (!state->has_begun)
		begin_reading(state);
	state->current = state->ahead;
	state->ahead = used;
	if (!has_rows(state->current))
		result = fill_batch(state, state->current);
	if (result != ROW_FOUND)
		return result;
	if (!goes_ahead(state))
		return result;
	hxpy_messages_start(state->current->program);
	if (fill_batch(state, state->ahead) == ROW_FOUND)
	{
		/* Python takes them one by one. */
		(void) hxpy_messages_fails(state->current->program);
		if (!state->costs.runs_sql)
			hxpy_messages_start(state->ahead->program);
	}
	return result;
}

/* ---------- giving out ---------- */

/* Put the next row, with the results, into the scan slot. */
static NextRow
next_row(BatchState *state)
{
	TupleTableSlot *slot = state->custom.ss.ss_ScanTupleSlot;
	Batch	   *batch;
	MemoryContext old;
	NextRow		result = ROW_FOUND;

	ExecClearTuple(slot);
	if (!has_rows(state->current))
	{
		choose_size(state);
		result = next_batch(state);
	}
	batch = state->current;
	if (result == ROW_FOUND && state->defers && hxpy_messages_fails(batch->program))
		result = ROW_BLOCKED;
	if (result != ROW_FOUND)
		return result;
	for (int i = 0; i < state->nkept; i++)
	{
		slot->tts_values[i] = batch->values[(Size) i * batch->capacity + batch->next];
		slot->tts_isnull[i] = batch->nulls[(Size) i * batch->capacity + batch->next];
	}
	old = MemoryContextSwitchTo(state->custom.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	hxpy_messages_next(batch->program, slot->tts_values + state->nkept,
					  slot->tts_isnull + state->nkept);
	MemoryContextSwitchTo(old);
	batch->next++;
	(void) ExecStoreVirtualTuple(slot);
	return ROW_FOUND;
}

/*
 * Return the next row that passes the conditions.  ExecScan() would take the node for one
 * that EvalPlanQual has to check again, which the child does.
 */
static TupleTableSlot *
exec_node(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;
	ExprContext *context = node->ss.ps.ps_ExprContext;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	for (;;)
	{
		NextRow		result;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(context);
		result = next_row(state);
		state->is_blocked = result == ROW_BLOCKED;
		if (result != ROW_FOUND)
			return ExecClearTuple(projection != NULL ? projection->pi_state.resultslot :
								  node->ss.ss_ScanTupleSlot);
		context->ecxt_scantuple = node->ss.ss_ScanTupleSlot;
		if (ExecQual(node->ss.ps.qual, context))
			return projection != NULL ? ExecProject(projection) : node->ss.ss_ScanTupleSlot;
		InstrCountFiltered1(node, 1);
	}
}

/* End the node. */
static void
end_node(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;

	for (int i = 0; i < lengthof(state->batches); i++)
	{
		Batch	   *batch = &state->batches[i];

		if (batch->program == NULL)
			continue;
		hxpy_messages_cancel(batch->program);
		hxpy_program_free(batch->program);
		batch->program = NULL;
	}
	ExecEndNode(outerPlanState(node));
}

/* Begin anew. */
static void
rescan_node(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;

	for (int i = 0; i < lengthof(state->batches); i++)
	{
		if (state->batches[i].program != NULL)
			hxpy_messages_cancel(state->batches[i].program);
		empty_batch(&state->batches[i]);
	}
	state->at_end = state->has_begun = state->defers = false;
	state->wanted = FIRST_ROWS / GROWTH;
	/* How often it will be run again is not known. */
	state->costs.progress.total = 0;
	if (outerPlanState(node)->chgParam == NULL)
		ExecReScan(outerPlanState(node));
}

/* ---------- EXPLAIN ---------- */

/* Return the name of the session in which calls run, or the parameter that has it. */
static const char *
session_name(const BatchState *state, List *context)
{
	CustomScan *scan = (CustomScan *) state->custom.ss.ps.plan;
	FuncExpr   *call = HXPY_CALL_EXPR((List *) linitial(HXPY_CALLS(scan)));
	CallableArguments arguments;
	List	   *fixed;
	Environment *environment;
	SavedEnvironment saved;
	const char *name;

	if (state->costs.session[0])
		return state->costs.session;
	fixed = hxpy_groups_callable(&scan->scan.plan, call, &arguments);
	if (fixed != NIL && arguments.has_session)
		return IsA(linitial(fixed), Const) ?
			TextDatumGetCString(linitial_node(Const, fixed)->constvalue) :
			deparse_expression(linitial(fixed), context, true, false);
	environment = hxpy_environment_load(call->funcid);
	saved = hxpy_environment_enter(environment);
	name = pstrdup(hxpy_session);
	hxpy_environment_leave(environment, saved);
	return name;
}

/* Return how many processes of the session may make the calls. */
static int
allowed_workers(CustomScan *scan)
{
	FuncExpr   *call = HXPY_CALL_EXPR((List *) linitial(HXPY_CALLS(scan)));
	Environment *environment = hxpy_environment_load(call->funcid);
	SavedEnvironment saved = hxpy_environment_enter(environment);
	int			workers = hxpy_workers;

	hxpy_environment_leave(environment, saved);
	return workers;
}

/* Show the calls, and what they have cost. */
static void
explain_node(CustomScanState *node, List *ancestors, ExplainState *es)
{
	BatchState *state = (BatchState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
	List	   *calls = NIL;
	ListCell   *cell;

	foreach(cell, HXPY_CALLS(scan))
	{
		List	   *call = lfirst(cell);

		/* The others are among these. */
		if (lsecond_int(HXPY_CALL_NUMBERS(call)) >= 0)
			calls = lappend(calls, deparse_expression((Node *) HXPY_CALL_EXPR(call), context,
													  true, false));
	}
	ExplainPropertyList("Calls", calls, es);
	if (es->verbose)
	{
		ExplainPropertyText("Session", session_name(state, context), es);
		hxpy_explain_workers(allowed_workers(scan), es);
	}
	hxpy_explain_costs(&state->costs.sums, es);
}

/* Make the node known. */
void
hxpy_node_init(void)
{
	RegisterCustomScanMethods(&hxpy_batch_methods);
}
