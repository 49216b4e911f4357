/*
 * relations.c
 *	  Transition tables of the trigger in which Python is called.
 *
 * A trigger function, of whatever language, connects a level of SPI and registers its
 * transition tables there, so that its queries can name them.  When such a query calls
 * Python, what that has run gets a level of its own, where none is registered: here the
 * level around is asked for its tables.
 *
 * SPI tells a level's environment to one thing that is ours: a parser's set-up hook.  So a
 * kept plan is marked as not valid, and SPI parses it again, as it would after a change of
 * its tables.  (To prepare a query in that level would reset the memory of the one that
 * it runs.)  An environment cannot be listed, only asked for a name: what a query reads is
 * registered in our level when the query has been parsed.  Besides, our level has an entry
 * that no query can name, which leads to all that is around for those further inside.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "tcop/utility.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "move/relations.h"

#define PASSAGE			""		/* the entry's name */
#define NO_RELATION		"a name that is longer than NAMEDATALEN, so that no relation has it ......"

/* What the walk through a query needs. */
typedef struct Registration
{
	QueryEnvironment *around;
	bool		found;			/* a table of it */
	bool		stale;			/* the query was parsed for another table of that name */
} Registration;

/* a query that is parsed to see its environment */
static SPIPlanPtr probe = NULL;
static QueryEnvironment *probed;

/* Note the environment in which the probe is parsed. */
static void
note_environment(ParseState *pstate, void *arg)
{
	probed = pstate->p_queryEnv;
}

/* Make the probe, once in a backend. */
static void
create_probe(void)
{
	SPIPlanPtr	plan;

	if (probe != NULL)
		return;
	SPI_connect();
	plan = SPI_prepare_params("SELECT", note_environment, NULL, 0);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare a query: %s", SPI_result_code_string(SPI_result));
	probe = plan;
	SPI_finish();
}

/* Return the tables that can be named in the level of SPI that is connected, NULL for none. */
static QueryEnvironment *
find_around(void)
{
	CachedPlanSource *source;
	EphemeralNamedRelation passage;

	/* It is found nowhere, but the answer says whether a level is connected. */
	if (SPI_unregister_relation(NO_RELATION) == SPI_ERROR_UNCONNECTED)
		return NULL;
	create_probe();
	source = linitial(SPI_plan_get_plan_sources(probe));
	source->is_valid = false;
	probed = NULL;
	ReleaseCachedPlan(SPI_plan_get_cached_plan(probe), CurrentResourceOwner);
	passage = get_ENR(probed, PASSAGE);
	return passage != NULL ? passage->reldata : probed;
}

/*
 * Connect a level of SPI, from which the tables around can be named unless it is isolated;
 * returns these, NULL for none.
 */
QueryEnvironment *
hxpy_relations_connect(bool isolated)
{
	QueryEnvironment *around = isolated ? NULL : find_around();
	EphemeralNamedRelation passage;

	SPI_connect();
	if (around == NULL)
		return NULL;
	passage = palloc0(sizeof(EphemeralNamedRelationData));
	passage->md.name = PASSAGE;
	passage->reldata = around;
	if (SPI_register_relation(passage) < 0)
		elog(ERROR, "could not register a relation");
	return around;
}

/* Let a query name the tables around. */
void
hxpy_relations_setup(ParseState *pstate, void *around)
{
	pstate->p_queryEnv = around;
}

/* Register a table around, if it is there. */
static void
register_table(const RangeTblEntry *entry, Registration *registration)
{
	EphemeralNamedRelation table = get_ENR(registration->around, entry->enrname);

	registration->found = true;
	if (table == NULL || table->md.reliddesc != entry->relid)
		registration->stale = true;
	/* It may be registered, from another place of the query. */
	if (table != NULL)
		(void) SPI_register_relation(table);
}

/* Register the tables around that a query reads. */
static bool
register_tables(Node *node, Registration *registration)
{
	Query	   *query = (Query *) node;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_NAMEDTUPLESTORE)
			register_table(entry, registration);
		return false;
	}
	if (!IsA(node, Query))
		return expression_tree_walker(node, register_tables, registration);
	if (query->commandType == CMD_UTILITY)
		return register_tables((Node *) UtilityContainsQuery(query->utilityStmt), registration);
	return query_tree_walker(query, register_tables, registration, QTW_EXAMINE_RTES_BEFORE);
}

/*
 * Register those of the tables around that a plan reads in the current level; returns
 * whether there are any.  They go with the level around: so must what runs the plan.
 */
bool
hxpy_relations_register(SPIPlanPtr plan, QueryEnvironment *around)
{
	Registration registration = {around, false, false};
	ListCell   *cell;

	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = lfirst(cell);
		ListCell   *query;

		if (around == NULL && !source->is_saved)
			continue;
		foreach(query, source->query_list)
			(void) register_tables(lfirst(query), &registration);
		/* A kept plan may have been used in a trigger of another table: it is parsed again. */
		if (registration.stale)
			source->is_valid = false;
	}
	return registration.found;
}
