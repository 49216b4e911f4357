/*
 * filler.c
 *	  Rows → batches of an exchange.
 *
 * A DestReceiver: rows of any slot, straight from the executor or from elsewhere, fill
 * batches of columns, each of which is fed without waiting for it: while the socket
 * takes one batch the next is filled, and the worker decodes as they come.  Two sets of
 * columns take turns, so that memory is two batches whatever the table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
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
	Column	   *ends;			/* how many rows come before the end of each group; or NULL */
	GatherList	list;
} BatchSet;

typedef struct BatchFiller
{
	DestReceiver pub;			/* must be first */
	Exchange   *exchange;
	FillerBegin begin;
	void	   *arg;
	bool		adapts;			/* values travel as hxpy.types and the exchange want */
	MemoryContext context;		/* of everything here; lives to the exchange's end */
	MemoryContext row_context;	/* what converting a batch's values leaves */
	int			ncolumns;
	BatchSet	sets[2];
	int			filling;		/* which set */
	uint64		filled;			/* rows in it */
	uint64		sent;			/* rows of earlier ones */
	uint64		check_at;		/* rows at which to look at its size */
	uint64		batch_rows;		/* about how many make a batch */
} BatchFiller;

/* Make the columns and tell them, unless that was done in an earlier step. */
static void
filler_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	BatchFiller *filler = (BatchFiller *) self;
	MemoryContext old;

	if (filler->sets[0].columns != NULL)
		return;
	old = MemoryContextSwitchTo(filler->context);
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

		if (filler->adapts)
			hxpy_coltype_adapt(type, hxpy_types == HXPY_TYPES_PLPYTHON,
							   filler->exchange->transforms);
		for (int set = 0; set < lengthof(filler->sets); set++)
			filler->sets[set].columns[i] = hxpy_column_create(type, name, CurrentMemoryContext);
	}
	filler->begin(filler->arg, tupdesc, filler->sets[0].columns, filler->ncolumns);
	MemoryContextSwitchTo(old);
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
static void
feed_batch(BatchFiller *filler)
{
	BatchSet   *set = &filler->sets[filler->filling];
	MemoryContext old;

	if (filler->filled == 0)
		return;
	old = MemoryContextSwitchTo(filler->row_context);
	filler->batch_rows = Max((size_t) hxpy_batch_size * 1024 /
							 (batch_size(filler) / filler->filled + 1), 1);
	hxpy_column_write_batch(filler->ncolumns + (set->ends != NULL), &set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_write(set->columns[i], &set->list);
	if (set->ends != NULL)
		hxpy_column_write(set->ends, &set->list);
	hxpy_exchange_feed(filler->exchange, &set->list);
	hxpy_registry_add(filler->exchange->conn->slot, COUNT_ROWS_IN, filler->filled);
	filler->exchange->costs.messages++;
	filler->exchange->costs.rows += filler->filled;
	filler->sent += filler->filled;
	filler->filled = 0;
	filler->check_at = 1;
	/* Now the other set's frame is gone. */
	filler->filling = 1 - filler->filling;
	set = &filler->sets[filler->filling];
	hxpy_gather_reset(&set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_reset(set->columns[i]);
	if (set->ends != NULL)
		hxpy_column_reset(set->ends);
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
		feed_batch(filler);
	else
		filler->check_at = filler->filled +
			Min(Max((limit - size) / row_size / 2, 1), filler->filled);
	MemoryContextReset(filler->row_context);
}

/* Add a row. */
static bool
filler_receive(TupleTableSlot *slot, DestReceiver *self)
{
	BatchFiller *filler = (BatchFiller *) self;
	MemoryContext old = MemoryContextSwitchTo(filler->row_context);

	slot_getallattrs(slot);
	hxpy_column_append_row(filler->sets[filler->filling].columns, filler->ncolumns,
						   slot->tts_values, slot->tts_isnull, filler->sent + filler->filled + 1);
	filler->filled++;
	if (filler->filled >= filler->check_at)
		check_batch(filler);
	MemoryContextSwitchTo(old);
	return true;
}

/* Feed what is left, at the end or at that of a step. */
static void
filler_shutdown(DestReceiver *self)
{
	feed_batch((BatchFiller *) self);
}

/* Nothing to do: the filler lives in a memory context. */
static void
filler_destroy(DestReceiver *self)
{
}

/* Make a filler of an exchange, in the current memory context. */
DestReceiver *
hxpy_filler_create(Exchange *exchange, FillerBegin begin, void *arg)
{
	BatchFiller *filler = palloc0(sizeof(BatchFiller));

	filler->pub.receiveSlot = filler_receive;
	filler->pub.rStartup = filler_startup;
	filler->pub.rShutdown = filler_shutdown;
	filler->pub.rDestroy = filler_destroy;
	filler->pub.mydest = DestTuplestore;	/* SPI takes a SELECT to DestNone for a utility */
	filler->exchange = exchange;
	filler->begin = begin;
	filler->arg = arg;
	filler->context = CurrentMemoryContext;
	filler->row_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												ALLOCSET_DEFAULT_SIZES);
	filler->check_at = 1;
	filler->batch_rows = FIRST_BATCH_ROWS;
	return &filler->pub;
}

/* Have the values travel as hxpy.types and the exchange's transforms want. */
void
hxpy_filler_adapt(DestReceiver *self)
{
	((BatchFiller *) self)->adapts = true;
}

/* Have a further column of each batch tell where groups of rows end. */
void
hxpy_filler_add_ends(DestReceiver *self)
{
	BatchFiller *filler = (BatchFiller *) self;

	for (int i = 0; i < lengthof(filler->sets); i++)
		filler->sets[i].ends = hxpy_column_create(hxpy_coltype_create(INT8OID, -1, false), "ends",
												  filler->context);
}

/* A group ends with the latest row. */
void
hxpy_filler_cut(DestReceiver *self)
{
	BatchFiller *filler = (BatchFiller *) self;

	hxpy_column_append(filler->sets[filler->filling].ends, Int64GetDatum(filler->filled), false);
}

/* Return about how many rows make a batch. */
uint64
hxpy_filler_batch_rows(const DestReceiver *self)
{
	return ((const BatchFiller *) self)->batch_rows;
}
