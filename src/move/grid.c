/*
 * grid.c
 *	  Worker → rows.
 *
 * Batches of columns become tuples of a tuplestore (work_mem is honoured), one
 * batch at a time.  The worker is told which columns are wanted and encodes
 * each cell for its type; what it sends is checked as everything from there
 * (wire.c, datum.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/column.h"
#include "move/grid.h"
#include "codec/protocol.h"

/* Make a reader of rows of a type; everything lives in the current memory context. */
RowsReader *
hxpy_grid_reader(TupleDesc tupdesc, Tuplestorestate *store)
{
	RowsReader *reader = palloc0(sizeof(RowsReader));

	reader->tupdesc = tupdesc;
	reader->store = store;
	reader->types = palloc(Max(tupdesc->natts, 1) * sizeof(ColumnType *));
	reader->names = palloc(Max(tupdesc->natts, 1) * sizeof(char *));
	reader->values = palloc0(Max(tupdesc->natts, 1) * sizeof(Datum));
	reader->nulls = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	memset(reader->nulls, true, tupdesc->natts * sizeof(bool));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped)
			continue;
		reader->types[reader->ncolumns] =
			hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, true);
		reader->names[reader->ncolumns] = hxpy_coltype_to_utf8(NameStr(attribute->attname));
		reader->ncolumns++;
	}
	reader->batch_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy rows",
												  ALLOCSET_DEFAULT_SIZES);
	return reader;
}

/* Write an instruction's texts. */
void
hxpy_grid_write_texts(const InstructionText *texts, int ntexts, GatherList *list)
{
	for (int i = 0; i < ntexts; i++)
		hxpy_column_write_text(texts[i].name, hxpy_coltype_to_utf8(texts[i].value), list);
}

/* Write the columns that are wanted: names and types, no values. */
void
hxpy_grid_write_wants(RowsReader *reader, GatherList *list)
{
	for (int i = 0; i < reader->ncolumns; i++)
		hxpy_column_write(hxpy_column_create(reader->types[i], reader->names[i],
											 CurrentMemoryContext), list);
}

/*
 * Begin a batch, whose columns must be those that were wanted.  The payload must
 * live until its last row is read.
 */
void
hxpy_grid_open_batch(RowsReader *reader, const char *payload, size_t length)
{
	MemoryContext old;

	MemoryContextReset(reader->batch_context);
	old = MemoryContextSwitchTo(reader->batch_context);
	reader->readers = hxpy_datum_readers(reader->types, reader->ncolumns, payload, length,
										 &reader->rows_left);
	hxpy_registry_add_rows_out(reader->slot, reader->rows_left);
	MemoryContextSwitchTo(old);
}

/*
 * Read the next row of the batch into the reader's values and nulls, where it
 * stays until the next batch; false when there is none.
 */
bool
hxpy_grid_next_row(RowsReader *reader)
{
	MemoryContext old;
	int			column = 0;

	if (reader->rows_left == 0)
		return false;
	reader->rows_left--;
	old = MemoryContextSwitchTo(reader->batch_context);
	for (int i = 0; i < reader->tupdesc->natts; i++)
	{
		if (!TupleDescAttr(reader->tupdesc, i)->attisdropped)
		{
			reader->values[i] = hxpy_datum_next(reader->readers[column], &reader->nulls[i]);
			column++;
		}
	}
	MemoryContextSwitchTo(old);
	return true;
}

/* Put the rows of a batch into the tuplestore. */
void
hxpy_grid_take_rows(void *arg, const char *payload, size_t length)
{
	RowsReader *reader = arg;

	hxpy_grid_open_batch(reader, payload, length);
	while (hxpy_grid_next_row(reader))
	{
		tuplestore_putvalues(reader->store, reader->tupdesc, reader->values, reader->nulls);
		if (reader->rows_left % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* Begin an EVAL_GRID instruction; to be called in a PG_TRY block. */
void
hxpy_grid_begin(PySession *session, const InstructionText *texts, int ntexts,
				RowsReader *reader)
{
	GatherList *head = palloc(sizeof(GatherList));	/* lives until it is sent */

	hxpy_gather_init(head, CurrentMemoryContext);
	hxpy_column_write_batch(ntexts + reader->ncolumns, head);
	hxpy_grid_write_texts(texts, ntexts, head);
	hxpy_grid_write_wants(reader, head);
	reader->slot = session->slot;
	hxpy_session_begin(session, HXPY_FRAME_EVAL_GRID, head, texts[0].value, false);
}

/* Run an EVAL_GRID instruction and take its rows. */
void
hxpy_grid_receive(PySession *session, const InstructionText *texts, int ntexts,
				  RowsReader *reader)
{
	MemoryContext context = CurrentMemoryContext;
	const char *payload;
	size_t		length;

	hxpy_worker_check_ready(session->worker);
	PG_TRY();
	{
		hxpy_grid_begin(session, texts, ntexts, reader);
		hxpy_worker_count_all(session->worker);
		while (hxpy_worker_next(session->worker, &payload, &length))
			hxpy_grid_take_rows(reader, payload, length);
	}
	PG_CATCH();
	{
		hxpy_worker_break_off(session->worker, context);
	}
	PG_END_TRY();
}

/*
 * Run an instruction whose input is a query's rows, and take the rows that come
 * back into the reader's tuplestore; without a reader none may come.
 */
void
hxpy_grid_exchange(PySession *session, uint8 type, const InstructionText *texts, int ntexts,
				   RowsReader *reader, const char *query)
{
	QuerySender *sender = hxpy_sender_create(session, type, texts, ntexts, reader,
											 reader ? hxpy_grid_take_rows : NULL, reader);
	MemoryContext context = CurrentMemoryContext;
	uint64		id = session->id;
	const char *payload;
	size_t		length;

	hxpy_worker_check_ready(session->worker);
	PG_TRY();
	{
		hxpy_sender_run(sender, query);
		hxpy_worker_count_all(session->worker);
		while (hxpy_worker_next(session->worker, &payload, &length))
		{
			if (reader == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_PROTOCOL_VIOLATION),
						 errmsg("invalid frame from the Python worker"),
						 errdetail("Rows came where none were asked for.")));
			hxpy_grid_take_rows(reader, payload, length);
		}
	}
	PG_CATCH();
	{
		hxpy_session_break_off(id, context);
	}
	PG_END_TRY();
}
