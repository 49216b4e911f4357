/*
 * groups.c
 *	  A query's rows in groups: sorted, and cut where a group starts.
 *
 * The planner is asked for the query's rows in the order of the columns that make the
 * groups, as by an ORDER BY around the query: rows that come in that order are not sorted
 * again, and keep the order that they have within a group.
 *
 * Where a group starts is found here, by the equality of the columns' types, so that Python
 * gets the groups that GROUP BY has.  NULLs are equal to each other.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_oper.h"

#include "hxpy.h"
#include "move/filler.h"
#include "move/groups.h"

/* Cuts rows on their way to a filler. */
typedef struct GroupCutter
{
	DestReceiver pub;			/* must be first */
	DestReceiver *filler;
	const List *keys;			/* numbers of the columns that make the groups */
	MemoryContext context;		/* of everything here */
	ExprContext *comparing;
	ExprState  *is_same;		/* group; NULL until the columns are known */
	TupleTableSlot *first;		/* row of the current group, or a mark for it */
} GroupCutter;

/* ---------- sorting ---------- */

/* Return the entry of a target list for the column of a name. */
static TargetEntry *
find_column(const List *tlist, const char *name)
{
	ListCell   *cell;

	foreach(cell, tlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (strcmp(entry->resname, name) == 0)
			return entry;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the query has no column \"%s\" to group by", name),
			 errhint("Give its name as it is, without quotes: by => 'k', or ARRAY['k', 'l'].")));
}

/* Return how a query around another one sorts by a column. */
static SortGroupClause *
sort_by(TargetEntry *entry, Index reference)
{
	SortGroupClause *clause = makeNode(SortGroupClause);

	entry->ressortgroupref = reference;
	clause->tleSortGroupRef = reference;
	get_sort_group_operators(exprType((Node *) entry->expr), true, true, false,
							 &clause->sortop, &clause->eqop, NULL, &clause->hashable);
	return clause;
}

/*
 * Return a query for the rows of another one, sorted by the columns of these names; sets their
 * numbers.
 */
Query *
hxpy_groups_sort(Query *query, const List *names, List **keys)
{
	Query	   *sorted = makeNode(Query);
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	RangeTblRef *reference = makeNode(RangeTblRef);
	ListCell   *cell;

	entry->rtekind = RTE_SUBQUERY;
	entry->subquery = query;
	entry->eref = makeAlias("query", NIL);
	entry->inFromCl = true;
	foreach(cell, query->targetList)
	{
		TargetEntry *column = lfirst_node(TargetEntry, cell);
		Var		   *var;

		if (column->resjunk)
			continue;
		entry->eref->colnames = lappend(entry->eref->colnames, makeString(column->resname));
		var = makeVarFromTargetEntry(1, column);
		sorted->targetList = lappend(sorted->targetList,
									 makeTargetEntry((Expr *) var, column->resno,
													 column->resname, false));
	}
	*keys = NIL;
	foreach(cell, names)
	{
		TargetEntry *column = find_column(sorted->targetList, lfirst(cell));

		if (list_member_int(*keys, column->resno))
			continue;
		*keys = lappend_int(*keys, column->resno);
		sorted->sortClause = lappend(sorted->sortClause, sort_by(column, list_length(*keys)));
	}
	reference->rtindex = 1;
	sorted->commandType = CMD_SELECT;
	sorted->querySource = QSRC_ORIGINAL;
	sorted->canSetTag = true;
	sorted->rtable = list_make1(entry);
	sorted->jointree = makeFromExpr(list_make1(reference), NULL);
	sorted->hasRowSecurity = query->hasRowSecurity;
	return sorted;
}

/* ---------- cutting ---------- */

/* Set up the comparison, unless that was done in an earlier step. */
static void
cutter_startup(DestReceiver *self, int operation, TupleDesc tupdesc)
{
	GroupCutter *cutter = (GroupCutter *) self;
	int			nkeys = list_length(cutter->keys);
	AttrNumber *numbers = palloc(nkeys * sizeof(AttrNumber));
	Oid		   *operators = palloc(nkeys * sizeof(Oid));
	Oid		   *collations = palloc(nkeys * sizeof(Oid));
	MemoryContext old;
	ListCell   *cell;

	cutter->filler->rStartup(cutter->filler, operation, tupdesc);
	if (cutter->is_same != NULL)
		return;
	foreach(cell, cutter->keys)
	{
		int			i = foreach_current_index(cell);
		Form_pg_attribute column = TupleDescAttr(tupdesc, lfirst_int(cell) - 1);

		numbers[i] = lfirst_int(cell);
		collations[i] = column->attcollation;
		get_sort_group_operators(column->atttypid, false, true, false, NULL, &operators[i],
								 NULL, NULL);
	}
	old = MemoryContextSwitchTo(cutter->context);
	tupdesc = CreateTupleDescCopy(tupdesc);
	cutter->first = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	cutter->comparing = CreateStandaloneExprContext();
	cutter->is_same = execTuplesMatchPrepare(tupdesc, nkeys, numbers, operators, collations, NULL);
	MemoryContextSwitchTo(old);
}

/* Return whether a row belongs to the current group. */
static bool
is_same_group(GroupCutter *cutter, TupleTableSlot *slot)
{
	cutter->comparing->ecxt_innertuple = slot;
	cutter->comparing->ecxt_outertuple = cutter->first;
	return ExecQualAndReset(cutter->is_same, cutter->comparing);
}

/*
 * Start the group of a row that is not passed on.  `kept` is the group's number if Python has
 * rows of it, else -1.
 */
void
hxpy_groups_start(DestReceiver *self, TupleTableSlot *slot, int32 kept)
{
	GroupCutter *cutter = (GroupCutter *) self;

	hxpy_filler_start(cutter->filler, kept);
	(void) ExecCopySlot(cutter->first, slot);
}

/* Pass a row on; it starts a group if it does not belong to that of the row before. */
static bool
cutter_receive(TupleTableSlot *slot, DestReceiver *self)
{
	GroupCutter *cutter = (GroupCutter *) self;

	if (TTS_EMPTY(cutter->first) || !is_same_group(cutter, slot))
		hxpy_groups_start(self, slot, -1);
	return cutter->filler->receiveSlot(slot, cutter->filler);
}

/* The end, or that of a step: the last group may go on. */
static void
cutter_shutdown(DestReceiver *self)
{
	GroupCutter *cutter = (GroupCutter *) self;

	cutter->filler->rShutdown(cutter->filler);
}

/* Nothing to do: the cutter lives in a memory context. */
static void
cutter_destroy(DestReceiver *self)
{
}

/* Return what cuts sorted rows before they go to a filler, in the current memory context. */
DestReceiver *
hxpy_groups_create(DestReceiver *filler, const List *keys)
{
	GroupCutter *cutter = palloc0(sizeof(GroupCutter));

	cutter->pub.receiveSlot = cutter_receive;
	cutter->pub.rStartup = cutter_startup;
	cutter->pub.rShutdown = cutter_shutdown;
	cutter->pub.rDestroy = cutter_destroy;
	cutter->pub.mydest = filler->mydest;
	cutter->filler = filler;
	cutter->keys = keys;
	cutter->context = CurrentMemoryContext;
	return &cutter->pub;
}
