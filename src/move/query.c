/*
 * query.c
 *	  The rows of a query as the source of an exchange.
 *
 * The query runs through SPI as the current user: privileges, row security and
 * snapshot are those of any query of the caller's.  It runs as a whole, where
 * plans may be parallel, or in steps, where rows that come back are to be read
 * meanwhile.  The steps have no portal, which a COMMIT, a CLOSE ALL or a
 * ROLLBACK TO could end before the cursor that reads those rows: they belong to
 * whoever opens the exchange, as those of a function in SQL do.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/cmdtag.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "move/filler.h"
#include "move/query.h"
#include "move/relations.h"

struct SqlSource
{
	ExchangeSource source;		/* must be first */
	DestReceiver *filler;
	const char *query;
	bool		distinct;		/* its columns must have different names */
	Exchange   *exchange;
	MemoryContext context;		/* of everything here; lives to the exchange's end */
	bool		has_begun;
	QueryDesc  *steps;			/* when the query is run in steps */
};

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

/* Begin the exchange, now that the columns are known. */
static void
begin(void *arg, TupleDesc tupdesc, Column **heads, int nheads)
{
	SqlSource  *source = arg;

	if (source->distinct)
		check_names(tupdesc);
	source->has_begun = true;
	hxpy_exchange_begin(source->exchange, heads, nheads);
}

/*
 * Prepare a query that gives rows, in a level of SPI of its own; anything else is an
 * error.  Sets whether it reads transition tables.
 */
static SPIPlanPtr
prepare_query(const char *query, bool *reads_relations)
{
	QueryEnvironment *around = hxpy_relations_connect(false);
	SPIPlanPtr	plan = SPI_prepare_params(query, hxpy_relations_setup, around,
										  CURSOR_OPT_PARALLEL_OK);
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
	*reads_relations = hxpy_relations_register(plan, around);
	return plan;
}

/* Run the query as a whole. */
static void
run_whole(SqlSource *source)
{
	SPIExecuteOptions options = {.dest = source->filler};
	bool		reads_relations;
	SPIPlanPtr	plan = prepare_query(source->query, &reads_relations);
	int			result;

	result = SPI_execute_plan_extended(plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(result));
	SPI_finish();
	if (!source->has_begun)
		elog(ERROR, "the query had no columns to describe");
}

/*
 * Return the query's statement if it can be run in steps, as one that changes no
 * data, nor reads what may be gone before the last step; NULL otherwise.
 */
static PlannedStmt *
plan_steps(SqlSource *source)
{
	bool		reads_relations;
	SPIPlanPtr	plan = prepare_query(source->query, &reads_relations);
	CachedPlan *cached;
	PlannedStmt *statement;
	bool		single;

	cached = SPI_plan_get_cached_plan(plan);
	single = list_length(cached->stmt_list) == 1;	/* rules may add others */
	MemoryContextSwitchTo(source->context);
	statement = copyObject(linitial_node(PlannedStmt, cached->stmt_list));
	ReleaseCachedPlan(cached, NULL);
	SPI_finish();
	MemoryContextSwitchTo(source->context);
	return single && statement->commandType == CMD_SELECT && !statement->hasModifyingCTE &&
		!reads_relations ? statement : NULL;
}

/* Begin the exchange; the query runs as a whole, or steps are left. */
static bool
open_query(ExchangeSource *self, Exchange *exchange, bool whole)
{
	SqlSource *source = (SqlSource *) self;
	PlannedStmt *statement = whole ? NULL : plan_steps(source);

	if (statement == NULL)
	{
		run_whole(source);
		return false;
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	source->steps = CreateQueryDesc(statement, source->query, GetActiveSnapshot(),
									InvalidSnapshot, source->filler, NULL, NULL, 0);
	ExecutorStart(source->steps, 0);
	PopActiveSnapshot();
	source->filler->rStartup(source->filler, CMD_SELECT, source->steps->tupDesc);
	return true;
}

/* Feed the query's next rows, about a batch. */
static bool
step_query(ExchangeSource *self, Exchange *exchange)
{
	SqlSource *source = (SqlSource *) self;
	uint64		asked = hxpy_filler_batch_rows(source->filler);

	PushActiveSnapshot(source->steps->snapshot);
	HxpyExecutorRun(source->steps, asked);
	PopActiveSnapshot();
	return source->steps->estate->es_processed == asked;
}

/*
 * Make a query's rows the source of an exchange, in the current memory context;
 * `distinct` when its columns are told apart by their names.
 */
static SqlSource *
create_source(Exchange *exchange, const char *query, bool distinct)
{
	SqlSource *source = palloc0(sizeof(SqlSource));

	source->source = (ExchangeSource) {open_query, step_query};
	source->filler = hxpy_filler_create(exchange, begin, source);
	source->query = query;
	source->distinct = distinct;
	source->exchange = exchange;
	source->context = CurrentMemoryContext;
	exchange->source = &source->source;
	return source;
}

/* Define a variable of a kind, `grid` or `matrix`, from a query's rows. */
void
hxpy_query_define(PySession *session, const char *variable, const char *kind, const char *meta,
				  const char *query)
{
	Exchange	exchange;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_GRID);
	hxpy_exchange_add_text(&exchange, "name", variable);
	hxpy_exchange_add_text(&exchange, "kind", kind);
	hxpy_exchange_add_text(&exchange, "meta", meta);
	/* A matrix has no names. */
	(void) create_source(&exchange, query, strcmp(kind, "matrix") != 0);
	hxpy_exchange_run(&exchange);
}

/* Set an exchange up to pass a query's rows through a callable; its wants are set. */
SqlSource *
hxpy_query_apply(Exchange *exchange, const char *function, const char *query, bool arrays)
{
	hxpy_exchange_add_text(exchange, "func", function);
	hxpy_exchange_add_text(exchange, "pass", arrays ? "arrays" : "frame");
	hxpy_exchange_add_text(exchange, "wants", psprintf("%d", list_length(exchange->wants)));
	return create_source(exchange, query, true);
}

/* Close the query that is run in steps. */
void
hxpy_query_close(SqlSource *source)
{
	if (source->steps == NULL)
		return;
	ExecutorFinish(source->steps);
	ExecutorEnd(source->steps);
	FreeQueryDesc(source->steps);
	source->steps = NULL;
}
