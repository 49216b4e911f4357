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
#define MAX_STARTS			4096	/* of groups in a batch */

/* What tells groups of rows, see docs/protocol.md; in the order of a batch's columns. */
typedef enum GroupColumn
{
	GROUP_NUMBERS,				/* of each row the group's number, if it has one */
	GROUP_STARTS,				/* how many rows come before each group that starts */
	GROUP_KEPT,					/* its number if Python has rows of it, else -1 */
	GROUP_COLUMNS
} GroupColumn;

/* A batch being filled or sent. */
typedef struct BatchSet
{
	Column	  **columns;
	Column	   *groups[GROUP_COLUMNS]; /* that tell groups of rows; or NULL */
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

/* Return whether a batch tells groups. */
static bool
has_groups(const BatchSet *set)
{
	return set->groups[0] != NULL;
}

/* Return how many groups start in a batch. */
static uint64
count_starts(const BatchSet *set)
{
	return has_groups(set) ? set->groups[GROUP_STARTS]->count : 0;
}

/* Feed the rows that wait, if any, and begin the next batch. */
static void
feed_batch(BatchFiller *filler)
{
	BatchSet   *set = &filler->sets[filler->filling];
	MemoryContext old;

	if (filler->filled == 0 && count_starts(set) == 0)
		return;
	old = MemoryContextSwitchTo(filler->row_context);
	if (filler->filled > 0)
		filler->batch_rows = Max((size_t) hxpy_batch_size * 1024 /
								 (batch_size(filler) / filler->filled + 1), 1);
	hxpy_column_write_batch(filler->ncolumns + (has_groups(set) ? GROUP_COLUMNS : 0), &set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_write(set->columns[i], &set->list);
	for (int i = 0; has_groups(set) && i < GROUP_COLUMNS; i++)
		hxpy_column_write(set->groups[i], &set->list);
	hxpy_exchange_feed(filler->exchange, &set->list);
	hxpy_registry_add(filler->exchange->conn->slot, COUNT_ROWS_IN, filler->filled);
	hxpy_exchange_count(filler->exchange, filler->filled);
	filler->exchange->costs.groups += count_starts(set);
	filler->sent += filler->filled;
	filler->filled = 0;
	filler->check_at = 1;
	/* Now the other set's frame is gone. */
	filler->filling = 1 - filler->filling;
	set = &filler->sets[filler->filling];
	hxpy_gather_reset(&set->list);
	for (int i = 0; i < filler->ncolumns; i++)
		hxpy_column_reset(set->columns[i]);
	for (int i = 0; has_groups(set) && i < GROUP_COLUMNS; i++)
		hxpy_column_reset(set->groups[i]);
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
	/* A slow query may take long to fill a batch. */
	if (hxpy_progress_due && filler->exchange->rows != NULL && filler->exchange->conn != NULL)
		hxpy_progress_tick(filler->exchange->rows, filler->exchange->conn->slot, filler->filled);
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

/* Have further columns of each batch tell groups of rows. */
void
hxpy_filler_add_groups(DestReceiver *self)
{
	static const struct
	{
		const char *name;
		Oid			type;
	}			columns[GROUP_COLUMNS] = {
		[GROUP_NUMBERS] = {"numbers", INT4OID},
		[GROUP_STARTS] = {"starts", INT8OID},
		[GROUP_KEPT] = {"kept", INT4OID}
	};
	BatchFiller *filler = (BatchFiller *) self;

	for (int i = 0; i < lengthof(filler->sets); i++)
	{
		for (int j = 0; j < GROUP_COLUMNS; j++)
		{
			ColumnType *type = hxpy_coltype_create(columns[j].type, -1, false);

			filler->sets[i].groups[j] = hxpy_column_create(type, columns[j].name,
														   filler->context);
		}
	}
}

/* The next row belongs to the group of this number, whose rows Python keeps. */
void
hxpy_filler_number(DestReceiver *self, int32 group)
{
	BatchFiller *filler = (BatchFiller *) self;

	hxpy_column_append(filler->sets[filler->filling].groups[GROUP_NUMBERS], Int32GetDatum(group),
					   false);
}

/*
 * A group starts before the next row.  `kept` is its number if Python keeps rows of it, which
 * come first; else -1.
 */
void
hxpy_filler_start(DestReceiver *self, int32 kept)
{
	BatchFiller *filler = (BatchFiller *) self;
	BatchSet   *set;

	if (count_starts(&filler->sets[filler->filling]) >= MAX_STARTS)
		feed_batch(filler);
	set = &filler->sets[filler->filling];
	hxpy_column_append(set->groups[GROUP_STARTS], Int64GetDatum(filler->filled), false);
	hxpy_column_append(set->groups[GROUP_KEPT], Int32GetDatum(kept), false);
}

/* Return about how many rows make a batch. */
uint64
hxpy_filler_batch_rows(const DestReceiver *self)
{
	return ((const BatchFiller *) self)->batch_rows;
}
