/*
 * filler.c
 *	  Rows → batches of an exchange.
 *
 * Rows of any slot fill batches of columns, each of which is fed without waiting
 * for it: while the socket takes one batch the next is filled, and the worker
 * decodes as they come.  Two sets of columns take turns, so that memory is two
 * batches whatever the table.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/coltype.h"
#include "codec/column.h"
#include "guc.h"
#include "move/filler.h"

#define FIRST_BATCH_ROWS	256

/* A batch being filled or sent. */
typedef struct BatchSet
{
	Column	  **columns;
	GatherList	list;
} BatchSet;

struct BatchFiller
{
	Exchange   *exchange;
	MemoryContext row_context;	/* what converting a batch's values leaves */
	int			ncolumns;
	BatchSet	sets[2];
	int			filling;		/* which set */
	uint64		filled;			/* rows in it */
	uint64		sent;			/* rows of earlier ones */
	uint64		check_at;		/* rows at which to look at its size */
	uint64		batch_rows;		/* about how many make a batch */
};

/* Begin an exchange by telling the columns; everything lives in the current memory context. */
BatchFiller *
hxpy_filler_begin(Exchange *exchange, TupleDesc tupdesc)
{
	BatchFiller *filler = palloc0(sizeof(BatchFiller));

	filler->exchange = exchange;
	filler->row_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												ALLOCSET_DEFAULT_SIZES);
	filler->check_at = 1;
	filler->batch_rows = FIRST_BATCH_ROWS;
	filler->ncolumns = tupdesc->natts;
	for (int i = 0; i < lengthof(filler->sets); i++)
	{
		filler->sets[i].columns = palloc(Max(tupdesc->natts, 1) * sizeof(Column *));
		hxpy_gather_init(&filler->sets[i].list, CurrentMemoryContext);
	}
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnType *type = hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, false);
		char	   *name = hxpy_coltype_to_utf8(NameStr(attribute->attname));

		for (int set = 0; set < lengthof(filler->sets); set++)
			filler->sets[set].columns[i] = hxpy_column_create(type, name, CurrentMemoryContext);
	}
	hxpy_exchange_begin(exchange, filler->sets[0].columns, filler->ncolumns);
	return filler;
}

/* Return about how many bytes a batch holds. */
static size_t
batch_size(const BatchFiller *filler)
{
	const BatchSet *set = &filler->sets[filler->filling];
	size_t		size = 0;

	for (int i = 0; i < filler->ncolumns; i++)
		size += hxpy_column_size(set->columns[i]);
	return size;
}

/* Feed the rows that wait, if any, and begin the next batch. */
void
hxpy_filler_flush(BatchFiller *filler)
{
	BatchSet   *set = &filler->sets[filler->filling];
	MemoryContext old;

	if (filler->filled == 0)
		return;
	old = MemoryContextSwitchTo(filler->row_context);
	filler->batch_rows = Max((size_t) hxpy_batch_size * 1024 /
							 (batch_size(filler) / filler->filled + 1), 1);
	hxpy_column_write_batch(filler->ncolumns, &set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_write(set->columns[i], &set->list);
	hxpy_exchange_feed(filler->exchange, &set->list);
	hxpy_registry_add(filler->exchange->conn->slot, COUNT_ROWS_IN, filler->filled);
	filler->sent += filler->filled;
	filler->filled = 0;
	filler->check_at = 1;
	/* Now the other set's frame is gone. */
	filler->filling = 1 - filler->filling;
	set = &filler->sets[filler->filling];
	hxpy_gather_reset(&set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_reset(set->columns[i]);
	MemoryContextSwitchTo(old);
}

/*
 * Feed the batch when it is large enough; else say when to look again, which is
 * halfway to where it would be full, judged by the rows so far.
 */
static void
check_batch(BatchFiller *filler)
{
	size_t		limit = (size_t) hxpy_batch_size * 1024;
	size_t		size = batch_size(filler);
	size_t		row_size = size / filler->filled + 1;

	if (size >= limit || filler->ncolumns == 0)
		hxpy_filler_flush(filler);
	else
		filler->check_at = filler->filled +
			Min(Max((limit - size) / row_size / 2, 1), filler->filled);
	MemoryContextReset(filler->row_context);
}

/* Add a row. */
void
hxpy_filler_add(BatchFiller *filler, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(filler->row_context);

	slot_getallattrs(slot);
	hxpy_column_append_row(filler->sets[filler->filling].columns, filler->ncolumns,
						   slot->tts_values, slot->tts_isnull, filler->sent + filler->filled + 1);
	filler->filled++;
	if (filler->filled >= filler->check_at)
		check_batch(filler);
	MemoryContextSwitchTo(old);
}

/* Return about how many rows make a batch. */
uint64
hxpy_filler_batch_rows(const BatchFiller *filler)
{
	return filler->batch_rows;
}
