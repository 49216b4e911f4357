/*
 * sender.c
 *	  A query's rows → worker.
 *
 * A DestReceiver of our own fills column batches straight from the executor and
 * sends each one without waiting for it: while the socket takes one batch the
 * next is filled, and the worker decodes as they come.  Two sets of columns take
 * turns, so that memory is two batches whatever the table.
 *
 * The query runs through SPI as the current user: privileges, row security and
 * snapshot are those of any query of the caller's.  It runs as a whole, where
 * plans may be parallel, or in steps, where rows that come back are to be read
 * meanwhile.  The steps have no portal, which a COMMIT, a CLOSE ALL or a
 * ROLLBACK TO could end before the cursor that reads those rows: they belong to
 * whoever opens the query, as those of a function in SQL do.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "hxpy.h"
#include "codec/column.h"
#include "move/grid.h"
#include "guc.h"
#include "codec/protocol.h"

#define FIRST_STEP_ROWS		256

/* A batch being filled or sent. */
typedef struct BatchSet
{
	Column	  **columns;
	GatherList	list;
} BatchSet;

/* Takes the rows of a query and sends them. */
struct QuerySender
{
	DestReceiver pub;			/* must be first */
	PySession  *session;		/* until the stream has begun it may be closed */
	uint64		session_id;
	uint8		type;			/* of the instruction */
	const InstructionText *texts;	/* that it carries */
	int			ntexts;
	RowsReader *wants;			/* of the rows that come back, or NULL */
	RowsSink	sink;			/* where these go, or NULL */
	void	   *sink_arg;
	GatherList	head;			/* its first frame */
	MemoryContext context;		/* of everything here; lives to the stream's end */
	MemoryContext row_context;	/* what converting a batch's values leaves */
	int			ncolumns;
	ColumnType **types;
	BatchSet	sets[2];
	int			filling;		/* which set */
	uint64		filled;			/* rows in it */
	uint64		sent;			/* rows of earlier ones */
	uint64		check_at;		/* rows at which to look at its size */
	QueryDesc  *steps;			/* when the query is run in steps */
	uint64		step_rows;		/* of the next step */
	bool		ended;
};

/* Make the columns of a batch. */
static void
create_set(QuerySender *sender, BatchSet *set, TupleDesc tupdesc)
{
	set->columns = palloc(Max(sender->ncolumns, 1) * sizeof(Column *));
	for (int i = 0; i < sender->ncolumns; i++)
		set->columns[i] =
			hxpy_column_create(sender->types[i],
							   hxpy_coltype_to_utf8(NameStr(TupleDescAttr(tupdesc, i)->attname)),
							   sender->context);
	hxpy_gather_init(&set->list, sender->context);
}

/* Refuse a query whose columns Python could not tell apart; a matrix has no names. */
static void
check_names(const QuerySender *sender, TupleDesc tupdesc)
{
	for (int i = 0; i < sender->ntexts; i++)
	{
		if (strcmp(sender->texts[i].name, "kind") == 0 &&
			strcmp(sender->texts[i].value, "matrix") == 0)
			return;
	}
	for (int i = 0; i < tupdesc->natts; i++)
	{
		for (int j = 0; j < i; j++)
		{
			if (strcmp(NameStr(TupleDescAttr(tupdesc, i)->attname),
					   NameStr(TupleDescAttr(tupdesc, j)->attname)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("the query has two columns named \"%s\"",
								NameStr(TupleDescAttr(tupdesc, i)->attname)),
						 errhint("Give each column a name of its own with AS.")));
		}
	}
}

/* Make sure that the session is there and ready: planning may have run functions. */
static void
check_session(const QuerySender *sender)
{
	if (hxpy_session_find(sender->session_id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("the session was closed while the query was planned")));
	hxpy_worker_check_ready(sender->session->worker);
}

/* Begin: send the instruction with the columns' names and types. */
static void
sender_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	QuerySender *sender = (QuerySender *) self;
	MemoryContext old;

	if (sender->types != NULL)
		return;					/* a further step */
	old = MemoryContextSwitchTo(sender->context);
	check_names(sender, tupdesc);
	sender->ncolumns = tupdesc->natts;
	sender->types = palloc(Max(tupdesc->natts, 1) * sizeof(ColumnType *));
	for (int i = 0; i < tupdesc->natts; i++)
		sender->types[i] = hxpy_coltype_create(TupleDescAttr(tupdesc, i)->atttypid,
												 TupleDescAttr(tupdesc, i)->atttypmod, false);
	create_set(sender, &sender->sets[0], tupdesc);
	create_set(sender, &sender->sets[1], tupdesc);
	hxpy_gather_init(&sender->head, sender->context);
	hxpy_column_write_batch(sender->ntexts + sender->ncolumns +
							(sender->wants ? sender->wants->ncolumns : 0), &sender->head);
	hxpy_grid_write_texts(sender->texts, sender->ntexts, &sender->head);
	for (int i = 0; i < sender->ncolumns; i++)
		hxpy_column_write(sender->sets[0].columns[i], &sender->head);
	if (sender->wants != NULL)
		hxpy_grid_write_wants(sender->wants, &sender->head);
	check_session(sender);
	hxpy_session_begin(sender->session, sender->type, &sender->head, sender->texts[0].value,
					   true);
	MemoryContextSwitchTo(old);
}

/* Return about how many bytes a batch holds. */
static size_t
batch_size(const QuerySender *sender)
{
	const BatchSet *set = &sender->sets[sender->filling];
	size_t		size = 0;

	for (int i = 0; i < sender->ncolumns; i++)
		size += hxpy_column_size(set->columns[i]);
	return size;
}

/* Send the batch that was filled and begin the next one. */
static void
send_batch(QuerySender *sender)
{
	BatchSet   *set = &sender->sets[sender->filling];

	sender->step_rows = Max((size_t) hxpy_batch_size * 1024 /
							(batch_size(sender) / sender->filled + 1), 1);
	hxpy_column_write_batch(sender->ncolumns, &set->list);
	for (int i = 0; i < sender->ncolumns; i++)
		hxpy_column_write(set->columns[i], &set->list);
	hxpy_worker_send(sender->session->worker, HXPY_FRAME_BATCH, &set->list, sender->sink,
					 sender->sink_arg);
	hxpy_registry_add_rows_in(sender->session->slot, sender->filled);
	/* Now the other set's frame is gone. */
	sender->filling = 1 - sender->filling;
	set = &sender->sets[sender->filling];
	hxpy_gather_reset(&set->list);
	for (int i = 0; i < sender->ncolumns; i++)
		hxpy_column_reset(set->columns[i]);
	sender->sent += sender->filled;
	sender->filled = 0;
	sender->check_at = 1;
}

/*
 * Send the batch when it is large enough; else say when to look again, which is
 * halfway to where it would be full, judged by the rows so far.
 */
static void
check_batch(QuerySender *sender)
{
	size_t		limit = (size_t) hxpy_batch_size * 1024;
	size_t		size = batch_size(sender);
	size_t		row_size = size / sender->filled + 1;

	if (size >= limit || sender->ncolumns == 0)
		send_batch(sender);
	else
		sender->check_at = sender->filled +
			Min(Max((limit - size) / row_size / 2, 1), sender->filled);
}

/* Take a row. */
static bool
sender_receive(TupleTableSlot *slot, DestReceiver *self)
{
	QuerySender *sender = (QuerySender *) self;
	Column	  **columns = sender->sets[sender->filling].columns;
	MemoryContext old = MemoryContextSwitchTo(sender->row_context);

	slot_getallattrs(slot);
	hxpy_column_append_row(columns, sender->ncolumns, slot->tts_values, slot->tts_isnull,
						   sender->sent + sender->filled + 1);
	sender->filled++;
	if (sender->filled >= sender->check_at)
	{
		check_batch(sender);
		MemoryContextReset(sender->row_context);
	}
	MemoryContextSwitchTo(old);
	return true;
}

/* End: send what is left. */
static void
sender_shutdown(DestReceiver *self)
{
	QuerySender *sender = (QuerySender *) self;
	MemoryContext old = MemoryContextSwitchTo(sender->row_context);

	if (sender->filled > 0)
		send_batch(sender);
	MemoryContextSwitchTo(old);
}

/* Nothing to do: the sender lives in a memory context. */
static void
sender_destroy(DestReceiver *self)
{
}

/* Prepare a query that gives rows; anything else is an error. */
static SPIPlanPtr
prepare_query(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_PARALLEL_OK);
	List	   *sources;
	CommandTag	tag;

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("could not prepare the query: %s", SPI_result_code_string(SPI_result))));
	sources = SPI_plan_get_plan_sources(plan);
	if (list_length(sources) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query must be one statement, not %d", list_length(sources))));
	tag = ((CachedPlanSource *) linitial(sources))->commandTag;
	if (!SPI_is_cursor_plan(plan) ||
		(tag != CMDTAG_SELECT && tag != CMDTAG_INSERT && tag != CMDTAG_UPDATE &&
		 tag != CMDTAG_DELETE && tag != CMDTAG_MERGE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is no query that gives rows", GetCommandTagName(tag)),
				 errhint("Give a SELECT, VALUES or WITH query, or INSERT, UPDATE or DELETE with RETURNING.")));
	return plan;
}

/* Make a sender of an instruction's input; everything lives in the current memory context. */
QuerySender *
hxpy_sender_create(PySession *session, uint8 type, const InstructionText *texts, int ntexts,
				   RowsReader *wants, RowsSink sink, void *arg)
{
	QuerySender *sender = palloc0(sizeof(QuerySender));

	sender->pub.receiveSlot = sender_receive;
	sender->pub.rStartup = sender_startup;
	sender->pub.rShutdown = sender_shutdown;
	sender->pub.rDestroy = sender_destroy;
	sender->pub.mydest = DestNone;
	sender->session = session;
	sender->session_id = session->id;
	sender->type = type;
	sender->texts = texts;
	sender->ntexts = ntexts;
	sender->wants = wants;
	if (wants != NULL)
		wants->slot = session->slot;
	sender->sink = sink;
	sender->sink_arg = arg;
	sender->context = CurrentMemoryContext;
	sender->row_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												ALLOCSET_DEFAULT_SIZES);
	sender->check_at = 1;
	sender->step_rows = FIRST_STEP_ROWS;
	return sender;
}

/* End the stream of batches. */
static void
send_end(QuerySender *sender)
{
	hxpy_worker_send(sender->session->worker, HXPY_FRAME_END, NULL, sender->sink,
					 sender->sink_arg);
	sender->ended = true;
}

/*
 * Run the query and send its rows: a frame with the instruction's texts, the
 * query's columns and the wanted ones; batches; END.  To be called in a PG_TRY
 * block that breaks the request off.
 */
void
hxpy_sender_run(QuerySender *sender, const char *query)
{
	SPIExecuteOptions options = {.dest = &sender->pub};
	SPIPlanPtr	plan;
	int			result;

	SPI_connect();
	plan = prepare_query(query);
	result = SPI_execute_plan_extended(plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(result));
	SPI_finish();
	if (sender->types == NULL)
		elog(ERROR, "the query had no columns to describe");
	send_end(sender);
}

/*
 * Begin to run the query in steps, in the current memory context and resource
 * owner.  One that changes data runs as a whole.
 */
void
hxpy_sender_open(QuerySender *sender, const char *query)
{
	SPIPlanPtr	plan;
	CachedPlan *cached;
	PlannedStmt *statement;
	bool		single;

	SPI_connect();
	plan = prepare_query(query);
	cached = SPI_plan_get_cached_plan(plan);
	single = list_length(cached->stmt_list) == 1;	/* rules may add others */
	MemoryContextSwitchTo(sender->context);
	statement = copyObject(linitial_node(PlannedStmt, cached->stmt_list));
	ReleaseCachedPlan(cached, NULL);
	SPI_finish();
	MemoryContextSwitchTo(sender->context);
	if (!single || statement->commandType != CMD_SELECT || statement->hasModifyingCTE)
	{
		hxpy_sender_run(sender, query);
		return;
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	sender->steps = CreateQueryDesc(statement, query, GetActiveSnapshot(), InvalidSnapshot,
									&sender->pub, NULL, NULL, 0);
	ExecutorStart(sender->steps, 0);
	PopActiveSnapshot();
	sender_startup(&sender->pub, CMD_SELECT, sender->steps->tupDesc);
}

/*
 * Send the query's next rows, about a batch, or the stream's end.
 */
void
hxpy_sender_step(QuerySender *sender)
{
	uint64		asked = sender->step_rows;

	PushActiveSnapshot(sender->steps->snapshot);
	HxpyExecutorRun(sender->steps, asked);
	PopActiveSnapshot();
	if (sender->steps->estate->es_processed < asked)
		send_end(sender);
}

/* Tell whether all was sent. */
bool
hxpy_sender_has_ended(const QuerySender *sender)
{
	return sender->ended;
}

/* Close the query that is run in steps. */
void
hxpy_sender_close(QuerySender *sender)
{
	if (sender->steps == NULL)
		return;
	ExecutorFinish(sender->steps);
	ExecutorEnd(sender->steps);
	FreeQueryDesc(sender->steps);
	sender->steps = NULL;
}
