/*
 * rows.c
 *	  The answer's batches → rows.
 *
 * Batches of columns become tuples, one batch at a time: of a tuplestore (work_mem
 * is honoured), or one by one as they are asked for.  The worker is told which
 * columns are wanted and encodes each cell for its type; what it sends is checked as
 * everything from there (wire.c, datum.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/coltype.h"
#include "move/rows.h"

#define ROW_MEMORY	(64 * 1024)	/* that rows keep: more is given back after the row */

/* Begin a batch, whose columns must be those that were wanted. */
static void
open_batch(ExchangeSink *sink, const char *payload, size_t length)
{
	RowsReader *reader = (RowsReader *) sink;
	MemoryContext old;

	MemoryContextReset(reader->batch_context);
	old = MemoryContextSwitchTo(reader->batch_context);
	reader->readers = hxpy_datum_readers(reader->types, reader->ncolumns, payload, length,
										 &reader->rows_left);
	hxpy_registry_add(reader->exchange->conn->slot, COUNT_ROWS_OUT, reader->rows_left);
	/* Where rows go both ways, those that were fed count. */
	if (reader->exchange->source == NULL)
		hxpy_exchange_count(reader->exchange, reader->rows_left);
	MemoryContextSwitchTo(old);
}

/*
 * Read the next row of the batch into the reader's values and nulls, where it
 * stays until the next one; false when there is none.
 */
bool
hxpy_rows_next(RowsReader *reader)
{
	MemoryContext old;
	int			column = 0;

	if (reader->rows_left == 0)
		return false;
	reader->rows_left--;
	/* Input functions leave much; a core's cache holds what is used again at once. */
	if (MemoryContextMemAllocated(reader->row_context, false) > ROW_MEMORY)
		MemoryContextReset(reader->row_context);
	old = MemoryContextSwitchTo(reader->row_context);
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
static void
store_batch(ExchangeSink *sink, const char *payload, size_t length)
{
	RowsReader *reader = (RowsReader *) sink;

	open_batch(sink, payload, length);
	while (hxpy_rows_next(reader))
	{
		tuplestore_putvalues(reader->store, reader->tupdesc, reader->values, reader->nulls);
		if (reader->rows_left % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Give a reader memory for its batches and rows within a context.  The row that was
 * given out last stays where it is.
 */
void
hxpy_rows_set_context(RowsReader *reader, MemoryContext context)
{
	reader->batch_context = AllocSetContextCreate(context, "hxpy rows", ALLOCSET_DEFAULT_SIZES);
	reader->row_context = AllocSetContextCreate(context, "hxpy row", ROW_MEMORY, ROW_MEMORY,
												ALLOCSET_DEFAULT_MAXSIZE);
}

/*
 * Make a reader of rows of a type the sink of an exchange, in the current memory
 * context; without a store hxpy_rows_next() gives the rows of each step.
 */
RowsReader *
hxpy_rows_create(Exchange *exchange, TupleDesc tupdesc, Tuplestorestate *store)
{
	RowsReader *reader = palloc0(sizeof(RowsReader));

	reader->sink.take = store != NULL ? store_batch : open_batch;
	reader->exchange = exchange;
	reader->tupdesc = tupdesc;
	reader->store = store;
	reader->types = palloc(Max(tupdesc->natts, 1) * sizeof(ColumnType *));
	reader->values = palloc0(Max(tupdesc->natts, 1) * sizeof(Datum));
	reader->nulls = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
	memset(reader->nulls, true, tupdesc->natts * sizeof(bool));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnType *type;

		if (attribute->attisdropped)
			continue;
		type = hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, true);
		hxpy_exchange_add_want(exchange, type, hxpy_coltype_to_utf8(NameStr(attribute->attname)));
		reader->types[reader->ncolumns++] = type;
	}
	hxpy_rows_set_context(reader, CurrentMemoryContext);
	exchange->sink = &reader->sink;
	return reader;
}
