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
 * snapshot are those of any query of the caller's, and plans may be parallel.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "hxpy.h"
#include "column.h"
#include "grid.h"
#include "guc.h"
#include "protocol.h"

/* A batch being filled or sent. */
typedef struct BatchSet
{
	Column	  **columns;
	GatherList	list;
} BatchSet;

/* Takes the rows of a query and sends them. */
typedef struct SenderReceiver
{
	DestReceiver pub;			/* must be first */
	PySession  *session;
	uint8		type;			/* of the instruction */
	const InstructionText *texts;	/* that it carries */
	int			ntexts;
	RowsReader *rows;			/* of the rows that come back, or NULL */
	GatherList	head;			/* its first frame */
	MemoryContext context;		/* of everything here; lives to the stream's end */
	MemoryContext row_context;	/* what converting a batch's values leaves */
	int			ncolumns;
	ColumnType **types;
	BatchSet	sets[2];
	int			filling;		/* which set */
	uint64		filled;			/* rows in it */
	uint64		check_at;		/* rows at which to look at its size */
} SenderReceiver;

/* Make the columns of a batch. */
static void
create_set(SenderReceiver *receiver, BatchSet *set, TupleDesc tupdesc)
{
	set->columns = palloc(Max(receiver->ncolumns, 1) * sizeof(Column *));
	for (int i = 0; i < receiver->ncolumns; i++)
		set->columns[i] =
			hxpy_column_create(receiver->types[i],
							   hxpy_coltype_to_utf8(NameStr(TupleDescAttr(tupdesc, i)->attname)),
							   receiver->context);
	hxpy_gather_init(&set->list, receiver->context);
}

/* Refuse a query whose columns Python could not tell apart. */
static void
check_names(TupleDesc tupdesc)
{
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

/* Begin: send the instruction with the columns' names and types. */
static void
sender_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	SenderReceiver *receiver = (SenderReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->context);

	check_names(tupdesc);
	receiver->ncolumns = tupdesc->natts;
	receiver->types = palloc(Max(tupdesc->natts, 1) * sizeof(ColumnType *));
	for (int i = 0; i < tupdesc->natts; i++)
		receiver->types[i] = hxpy_coltype_create(TupleDescAttr(tupdesc, i)->atttypid,
												 TupleDescAttr(tupdesc, i)->atttypmod, false);
	create_set(receiver, &receiver->sets[0], tupdesc);
	create_set(receiver, &receiver->sets[1], tupdesc);
	hxpy_gather_init(&receiver->head, receiver->context);
	hxpy_column_write_batch(receiver->ntexts + receiver->ncolumns +
							(receiver->rows ? receiver->rows->ncolumns : 0), &receiver->head);
	hxpy_grid_write_texts(receiver->texts, receiver->ntexts, &receiver->head);
	for (int i = 0; i < receiver->ncolumns; i++)
		hxpy_column_write(receiver->sets[0].columns[i], &receiver->head);
	if (receiver->rows != NULL)
		hxpy_grid_write_wants(receiver->rows, &receiver->head);
	hxpy_session_begin(receiver->session, receiver->type, &receiver->head, true);
	MemoryContextSwitchTo(old);
}

/* Send the batch that was filled and begin the next one. */
static void
send_batch(SenderReceiver *receiver)
{
	BatchSet   *set = &receiver->sets[receiver->filling];

	hxpy_column_write_batch(receiver->ncolumns, &set->list);
	for (int i = 0; i < receiver->ncolumns; i++)
		hxpy_column_write(set->columns[i], &set->list);
	hxpy_worker_send(receiver->session->worker, HXPY_FRAME_BATCH, &set->list,
					 receiver->rows ? hxpy_grid_take_rows : NULL, receiver->rows);
	/* Now the other set's frame is gone. */
	receiver->filling = 1 - receiver->filling;
	set = &receiver->sets[receiver->filling];
	hxpy_gather_reset(&set->list);
	for (int i = 0; i < receiver->ncolumns; i++)
		hxpy_column_reset(set->columns[i]);
	receiver->filled = 0;
	receiver->check_at = 1;
}

/* Return about how many bytes a batch holds. */
static size_t
batch_size(const SenderReceiver *receiver)
{
	const BatchSet *set = &receiver->sets[receiver->filling];
	size_t		size = 0;

	for (int i = 0; i < receiver->ncolumns; i++)
		size += hxpy_column_size(set->columns[i]);
	return size;
}

/*
 * Send the batch when it is large enough; else say when to look again, which is
 * halfway to where it would be full, judged by the rows so far.
 */
static void
check_batch(SenderReceiver *receiver)
{
	size_t		limit = (size_t) hxpy_batch_size * 1024;
	size_t		size = batch_size(receiver);
	size_t		row_size = size / receiver->filled + 1;

	if (size >= limit || receiver->ncolumns == 0)
		send_batch(receiver);
	else
		receiver->check_at = receiver->filled +
			Min(Max((limit - size) / row_size / 2, 1), receiver->filled);
}

/* Take a row. */
static bool
sender_receive(TupleTableSlot *slot, DestReceiver *self)
{
	SenderReceiver *receiver = (SenderReceiver *) self;
	Column	  **columns = receiver->sets[receiver->filling].columns;
	MemoryContext old = MemoryContextSwitchTo(receiver->row_context);

	slot_getallattrs(slot);
	for (int i = 0; i < receiver->ncolumns; i++)
		hxpy_column_append(columns[i], slot->tts_values[i], slot->tts_isnull[i]);
	receiver->filled++;
	if (receiver->filled >= receiver->check_at)
	{
		check_batch(receiver);
		MemoryContextReset(receiver->row_context);
	}
	MemoryContextSwitchTo(old);
	return true;
}

/* End: send what is left, and the stream's end. */
static void
sender_shutdown(DestReceiver *self)
{
	SenderReceiver *receiver = (SenderReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->row_context);

	if (receiver->filled > 0)
		send_batch(receiver);
	MemoryContextSwitchTo(old);
}

/* Nothing to do: the receiver lives in a memory context. */
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

/* Run the query into the receiver. */
static void
run_query(SenderReceiver *receiver, const char *query)
{
	SPIExecuteOptions options = {.dest = &receiver->pub};
	SPIPlanPtr	plan;
	int			result;

	SPI_connect();
	plan = prepare_query(query);
	result = SPI_execute_plan_extended(plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/* Make a receiver that lives in the current memory context. */
static SenderReceiver *
create_receiver(PySession *session)
{
	SenderReceiver *receiver = palloc0(sizeof(SenderReceiver));

	receiver->pub.receiveSlot = sender_receive;
	receiver->pub.rStartup = sender_startup;
	receiver->pub.rShutdown = sender_shutdown;
	receiver->pub.rDestroy = sender_destroy;
	receiver->pub.mydest = DestNone;
	receiver->session = session;
	receiver->context = CurrentMemoryContext;
	receiver->row_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												  ALLOCSET_DEFAULT_SIZES);
	receiver->check_at = 1;
	return receiver;
}

/*
 * Run an instruction whose input is a query's rows: a frame with its texts, the
 * query's columns and those of `rows`; batches; and END.  Rows that come back
 * go where `rows` puts them; NULL where none may come.
 */
void
hxpy_sender_run(PySession *session, uint8 type, const InstructionText *texts, int ntexts,
				RowsReader *rows, const char *query)
{
	SenderReceiver *receiver = create_receiver(session);
	MemoryContext context = CurrentMemoryContext;
	const char *payload;
	size_t		length;

	receiver->type = type;
	receiver->texts = texts;
	receiver->ntexts = ntexts;
	receiver->rows = rows;
	hxpy_worker_check_ready(session->worker);
	PG_TRY();
	{
		run_query(receiver, query);
		if (receiver->types == NULL)
			elog(ERROR, "the query had no columns to describe");
		hxpy_worker_send(session->worker, HXPY_FRAME_END, NULL,
						 rows ? hxpy_grid_take_rows : NULL, rows);
		while (hxpy_worker_next(session->worker, &payload, &length))
		{
			if (rows == NULL)
				elog(ERROR, "rows came where none were asked for");
			hxpy_grid_take_rows(rows, payload, length);
		}
	}
	PG_CATCH();
	{
		hxpy_worker_break_off(session->worker, context);
	}
	PG_END_TRY();
	MemoryContextDelete(receiver->row_context);
}
