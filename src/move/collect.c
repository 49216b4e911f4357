/*
 * collect.c
 *	  A query's rows in groups that Python collects: numbered, not sorted.
 *
 * The query runs to its end in whatever order is cheapest.  A hash table of the groups' keys
 * gives each row the number of its group, which goes to the worker with it.  There the rows are
 * kept, and put together when all have come.  That costs less than to sort whole rows.  Before
 * the hash table a memo tells where keys had the same bits: these are equal, whatever the type
 * takes for equal besides.
 *
 * Two things have a limit: the hash table (hash_mem_multiplier times work_mem), beyond which no
 * group is added, and what the worker keeps, who tells when it is full.  Rows that are left
 * over then go to a sort, by the columns that make the groups, and in a group as they came.
 *
 * The same sort has a mark for each group of the hash table, which comes before the left-over
 * rows of that group.  So it gives the groups in the order of their keys, and each group is
 * what the worker keeps of it, then left-over rows; one of the two may be missing.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "parser/parse_oper.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#include "hxpy.h"
#include "move/collect.h"
#include "move/filler.h"
#include "move/groups.h"

#define FIRST_GROUPS	256		/* for which the hash table has room at first */
#define MEMO_BITS		12		/* its places are 2 to the power of this */
#define MEMO_FACTOR		UINT64CONST(0x9E3779B97F4A7C15) /* 2^64 / golden ratio: spreads bits */

/* Receives rows of a query. */
struct GroupCollector
{
	DestReceiver pub;			/* must be first */
	Exchange   *exchange;
	DestReceiver *filler;
	DestReceiver *cutter;		/* of the sort's rows, on their way to the filler */
	const List *keys;			/* numbers of the columns that make the groups */
	MemoryContext context;		/* of everything here */
	int			natts;			/* columns of the query */

	/* until the query has ended */
	MemoryContext table_context;	/* of the hash table */
	MemoryContext row_context;	/* of one row's work */
	TupleHashTable table;
	TupleTableSlot *key;		/* of a row: only its columns that make the groups */
	Datum	   *memo_keys;		/* of a group at each place; NULL if one is not by value */
	int32	   *memo_groups;	/* the group's number there, -1 of none */
	int32		ngroups;		/* in the hash table */
	bool		has_room;		/* for more */

	/* the sort: the query's columns, a group's number in a mark, and the row's place */
	Tuplesortstate *sort;
	TupleTableSlot *unsorted;	/* a row of it, on its way there */
	TupleTableSlot *sorted;		/* and back */
	int64		nrows;			/* that were sorted */
};

/* ---------- planning ---------- */

/* Return whether a plan ends by a sort, of all rows or of those of each worker. */
static bool
ends_by_sort(const Plan *plan)
{
	if (IsA(plan, GatherMerge))
		plan = outerPlan(plan);
	return IsA(plan, Sort) || IsA(plan, IncrementalSort);
}

/*
 * Return whether rows of a plan that need to be collected cost less than sorted rows; they do not
 * where the query gives them in that order.  A sort of their own is never taken, however few
 * rows the planner expects: it would lose the query's order within the groups.
 */
bool
hxpy_collect_is_cheaper(const PlannedStmt *plain, const PlannedStmt *sorted, const Query *query)
{
	const Plan *plan = plain->planTree;
	Cost		difference = sorted->planTree->total_cost - plan->total_cost;
	int			nkeys = list_length(query->sortClause);
	ListCell   *cell;

	foreach(cell, query->sortClause)
	{
		if (!lfirst_node(SortGroupClause, cell)->hashable)
			return false;
	}
	if (difference > 0 && ends_by_sort(sorted->planTree))
		return true;
	/* As the planner has it for an aggregate that hashes. */
	return difference > plan->plan_rows * (nkeys * cpu_operator_cost + cpu_tuple_cost);
}

/* ---------- collecting ---------- */

/* Make the hash table for columns of a query. */
static void
create_table(GroupCollector *collector, TupleDesc tupdesc)
{
	int			nkeys = list_length(collector->keys);
	TupleDesc	keydesc = CreateTemplateTupleDesc(nkeys);
	AttrNumber *numbers = palloc(nkeys * sizeof(AttrNumber));
	Oid		   *operators = palloc(nkeys * sizeof(Oid));
	Oid		   *collations = palloc(nkeys * sizeof(Oid));
	Oid		   *equal;
	FmgrInfo   *hash;
	bool		are_by_value = true;
	ListCell   *cell;

	foreach(cell, collector->keys)
	{
		int			i = foreach_current_index(cell);
		Form_pg_attribute column = TupleDescAttr(tupdesc, lfirst_int(cell) - 1);

		are_by_value = are_by_value && column->attbyval;
		TupleDescCopyEntry(keydesc, i + 1, tupdesc, lfirst_int(cell));
		numbers[i] = i + 1;
		collations[i] = column->attcollation;
		get_sort_group_operators(column->atttypid, false, true, false, NULL, &operators[i], NULL,
								 NULL);
	}
	execTuplesHashPrepare(nkeys, operators, &equal, &hash);
	collector->key = MakeSingleTupleTableSlot(keydesc, &TTSOpsVirtual);
	collector->table_context = AllocSetContextCreate(collector->context, "hxpy groups",
													 ALLOCSET_DEFAULT_SIZES);
	collector->row_context = AllocSetContextCreate(collector->context, "hxpy row of a group",
												   ALLOCSET_SMALL_SIZES);
	collector->has_room = true;
	if (are_by_value)
	{
		collector->memo_keys = palloc0(sizeof(Datum) * nkeys << MEMO_BITS);
		collector->memo_groups = palloc(sizeof(int32) << MEMO_BITS);
		memset(collector->memo_groups, -1, sizeof(int32) << MEMO_BITS);
	}
	collector->table = HxpyBuildTupleHashTable(keydesc, nkeys, numbers, equal, hash, collations,
											   FIRST_GROUPS, sizeof(int32),
											   collector->table_context, collector->row_context);
}

/* Begin the sort of marks and left-over rows. */
static void
begin_sort(GroupCollector *collector, TupleDesc tupdesc)
{
	int			nkeys = list_length(collector->keys);
	TupleDesc	sorted = CreateTemplateTupleDesc(tupdesc->natts + 2);
	AttrNumber *numbers = palloc((nkeys + 1) * sizeof(AttrNumber));
	Oid		   *operators = palloc((nkeys + 1) * sizeof(Oid));
	Oid		   *collations = palloc((nkeys + 1) * sizeof(Oid));
	bool	   *nulls_first = palloc0((nkeys + 1) * sizeof(bool));

	for (int i = 1; i <= tupdesc->natts; i++)
		TupleDescCopyEntry(sorted, i, tupdesc, i);
	TupleDescInitEntry(sorted, tupdesc->natts + 1, "group", INT4OID, -1, 0);
	TupleDescInitEntry(sorted, tupdesc->natts + 2, "place", INT8OID, -1, 0);
	for (int i = 0; i <= nkeys; i++)
	{
		Form_pg_attribute column;

		numbers[i] = i < nkeys ? list_nth_int(collector->keys, i) : tupdesc->natts + 2;
		column = TupleDescAttr(sorted, numbers[i] - 1);
		collations[i] = column->attcollation;
		get_sort_group_operators(column->atttypid, true, false, false, &operators[i], NULL, NULL,
								 NULL);
	}
	collector->sort = tuplesort_begin_heap(sorted, nkeys + 1, numbers, operators, collations,
										   nulls_first, work_mem, NULL, TUPLESORT_NONE);
	collector->unsorted = MakeSingleTupleTableSlot(sorted, &TTSOpsVirtual);
	collector->sorted = MakeSingleTupleTableSlot(sorted, &TTSOpsMinimalTuple);
}

/* Set up what the query's columns decide. */
static void
collector_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	GroupCollector *collector = (GroupCollector *) self;
	MemoryContext old = MemoryContextSwitchTo(collector->context);

	collector->natts = tupdesc->natts;
	create_table(collector, tupdesc);
	begin_sort(collector, tupdesc);
	collector->cutter = hxpy_groups_create(collector->filler, collector->keys);
	MemoryContextSwitchTo(old);
	collector->filler->rStartup(collector->filler, operation, tupdesc);
}

/* Return the place in the memo of a row's group; -1 if it has none, as with a key that is NULL. */
static int
memo_place(const GroupCollector *collector, const TupleTableSlot *slot)
{
	uint64		bits = 0;
	ListCell   *cell;

	if (collector->memo_keys == NULL)
		return -1;
	foreach(cell, collector->keys)
	{
		if (slot->tts_isnull[lfirst_int(cell) - 1])
			return -1;
		bits = (bits ^ (uint64) slot->tts_values[lfirst_int(cell) - 1]) * MEMO_FACTOR;
		bits ^= bits >> 32;
	}
	return (int) ((bits * MEMO_FACTOR) >> (64 - MEMO_BITS));
}

/* Return the number of a row's group if the memo has it at this place, else -1. */
static int32
memo_find(const GroupCollector *collector, const TupleTableSlot *slot, int place)
{
	const Datum *key;
	ListCell   *cell;

	if (place < 0)
		return -1;
	key = collector->memo_keys + (Size) place * list_length(collector->keys);
	foreach(cell, collector->keys)
	{
		if (key[foreach_current_index(cell)] != slot->tts_values[lfirst_int(cell) - 1])
			return -1;
	}
	return collector->memo_groups[place];
}

/* Put a row's group into the memo, in place of another one. */
static void
memo_put(GroupCollector *collector, const TupleTableSlot *slot, int place, int32 number)
{
	Datum	   *key;
	ListCell   *cell;

	if (place < 0 || number < 0)
		return;
	key = collector->memo_keys + (Size) place * list_length(collector->keys);
	foreach(cell, collector->keys)
		key[foreach_current_index(cell)] = slot->tts_values[lfirst_int(cell) - 1];
	collector->memo_groups[place] = number;
}

/*
 * Return the number of a row's group in the hash table, -1 when that has none and gets none;
 * sets whether it is new.
 */
static int32
find_group(GroupCollector *collector, const TupleTableSlot *slot, bool *isnew)
{
	TupleHashEntry entry;
	ListCell   *cell;

	*isnew = false;
	ExecClearTuple(collector->key);
	foreach(cell, collector->keys)
	{
		int			i = foreach_current_index(cell);

		collector->key->tts_values[i] = slot->tts_values[lfirst_int(cell) - 1];
		collector->key->tts_isnull[i] = slot->tts_isnull[lfirst_int(cell) - 1];
	}
	ExecStoreVirtualTuple(collector->key);
	entry = LookupTupleHashEntry(collector->table, collector->key,
								 collector->has_room ? isnew : NULL, NULL);
	if (entry == NULL)
		return -1;
	if (*isnew)
	{
		collector->has_room = MemoryContextMemAllocated(collector->table_context, true) <
			get_hash_memory_limit();
		*HxpyTupleHashInt32(collector->table, entry) = collector->ngroups++;
	}
	return *HxpyTupleHashInt32(collector->table, entry);
}

/* Return a value that is there when its query has ended: what stands out of line is fetched. */
static Datum
keep_value(Datum value, bool isnull, const FormData_pg_attribute *column)
{
	if (isnull || column->attlen != -1 || !VARATT_IS_EXTERNAL(DatumGetPointer(value)))
		return value;
	return PointerGetDatum(detoast_external_attr((struct varlena *) DatumGetPointer(value)));
}

/*
 * Put a row into the sort; if it is a mark of a group with this number only what makes the
 * group, else the number is -1.
 */
static void
put_row(GroupCollector *collector, const TupleTableSlot *slot, int32 number)
{
	TupleTableSlot *row = ExecClearTuple(collector->unsorted);
	bool		is_mark = number >= 0;

	for (int i = 0; i < collector->natts; i++)
	{
		row->tts_isnull[i] = slot->tts_isnull[i] ||
			(is_mark && !list_member_int(collector->keys, i + 1));
		row->tts_values[i] = keep_value(slot->tts_values[i], row->tts_isnull[i],
										TupleDescAttr(row->tts_tupleDescriptor, i));
	}
	row->tts_values[collector->natts] = Int32GetDatum(number);
	row->tts_values[collector->natts + 1] = Int64GetDatum(is_mark ? -1 : collector->nrows++);
	row->tts_isnull[collector->natts] = row->tts_isnull[collector->natts + 1] = false;
	ExecStoreVirtualTuple(row);
	tuplesort_puttupleslot(collector->sort, row);
}

/* Return the number of a row's group, which may be new; -1 when the row went to the sort. */
static int32
place_row(GroupCollector *collector, const TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(collector->row_context);
	bool		isnew = false;
	int32		number = -1;

	if (!collector->exchange->is_full)
		number = find_group(collector, slot, &isnew);
	if (number < 0 || isnew)
		put_row(collector, slot, number);
	MemoryContextSwitchTo(old);
	MemoryContextReset(collector->row_context);
	return number;
}

/* Pass a row on with its group's number, or put it into the sort. */
static bool
collector_receive(TupleTableSlot *slot, DestReceiver *self)
{
	GroupCollector *collector = (GroupCollector *) self;
	int32		number = -1;
	int			place;

	slot_getallattrs(slot);
	place = memo_place(collector, slot);
	if (!collector->exchange->is_full)
		number = memo_find(collector, slot, place);
	if (number < 0)
	{
		number = place_row(collector, slot);
		memo_put(collector, slot, place, number);
	}
	if (number < 0)
		return true;
	hxpy_filler_number(collector->filler, number);
	return collector->filler->receiveSlot(slot, collector->filler);
}

/* Pass the last rows on. */
static void
collector_shutdown(DestReceiver *self)
{
	GroupCollector *collector = (GroupCollector *) self;

	collector->filler->rShutdown(collector->filler);
}

/* Nothing to do: the collector lives in a memory context. */
static void
collector_destroy(DestReceiver *self)
{
}

/* Make what numbers a query's rows before they go to a filler, in the current memory context. */
GroupCollector *
hxpy_collect_create(Exchange *exchange, DestReceiver *filler, const List *keys)
{
	GroupCollector *collector = palloc0(sizeof(GroupCollector));

	collector->pub.receiveSlot = collector_receive;
	collector->pub.rStartup = collector_startup;
	collector->pub.rShutdown = collector_shutdown;
	collector->pub.rDestroy = collector_destroy;
	collector->pub.mydest = filler->mydest;
	collector->exchange = exchange;
	collector->filler = filler;
	collector->keys = keys;
	collector->context = CurrentMemoryContext;
	return collector;
}

/* Return what receives the query's rows. */
DestReceiver *
hxpy_collect_receiver(GroupCollector *collector)
{
	return &collector->pub;
}

/* ---------- giving out ---------- */

/* The query has ended: sort. */
void
hxpy_collect_finish(GroupCollector *collector)
{
	collector->exchange->costs.sorted += collector->nrows;
	ExecDropSingleTupleTableSlot(collector->key);
	MemoryContextDelete(collector->table_context);
	collector->table = NULL;
	tuplesort_performsort(collector->sort);
	collector->cutter->rStartup(collector->cutter, CMD_SELECT,
								collector->sorted->tts_tupleDescriptor);
}

/* Feed the next marks and rows, about so many; returns whether some are left. */
bool
hxpy_collect_step(GroupCollector *collector, uint64 asked)
{
	TupleTableSlot *slot = collector->sorted;

	while (asked > 0 && tuplesort_gettupleslot(collector->sort, true, false, slot, NULL))
	{
		int32		number;

		slot_getallattrs(slot);
		number = DatumGetInt32(slot->tts_values[collector->natts]);
		if (number >= 0)
			hxpy_groups_start(collector->cutter, slot, number);
		else
			collector->cutter->receiveSlot(slot, collector->cutter);
		asked--;
	}
	collector->cutter->rShutdown(collector->cutter);
	return asked == 0;
}

/* End the sort. */
void
hxpy_collect_close(GroupCollector *collector)
{
	if (collector->sort != NULL)
		tuplesort_end(collector->sort);
	collector->sort = NULL;
}
