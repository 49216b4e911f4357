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
 *
 * PostgreSQL runs a parallel plan only from its beginning to its end.  In steps a query
 * has one only if all that comes back is wanted: then its rows go to a tuplestore first, and
 * the steps read them there.  So it is with a query that changes data, or reads what may be
 * gone before the last step.  One whose groups are collected runs to its end first, too, and
 * steps give out the groups.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "tcop/cmdtag.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "guc.h"
#include "move/collect.h"
#include "move/filler.h"
#include "move/groups.h"
#include "move/query.h"
#include "move/relations.h"

struct SqlSource
{
	ExchangeSource source;		/* must be first */
	DestReceiver *filler;
	DestReceiver *receiver;		/* of the query's rows: the filler, or what sees them before */
	GroupCollector *collector;	/* which numbers them, or NULL */
	const char *query;
	const List *by;				/* names of the columns that make groups, or NIL */
	bool		distinct;		/* its columns must have different names */
	bool		parallel;		/* steps may run it whole first, in parallel workers */
	Exchange   *exchange;
	MemoryContext context;		/* of everything here; lives to the exchange's end */
	bool		has_begun;
	RowProgress progress;
	/* when the query is run in steps: one of these */
	QueryDesc  *steps;
	Tuplestorestate *store;		/* has its rows */
	TupleTableSlot *stored;		/* one of them */
};

/* A query that is prepared, in a level of SPI of its own. */
typedef struct Prepared
{
	SPIPlanPtr	plan;
	CachedPlanSource *source;
	QueryEnvironment *relations;	/* transition tables that it reads, or NULL */
} Prepared;

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

/* Prepare a query that gives rows, in a level of SPI of its own; anything else is an error. */
static Prepared
prepare_query(const char *query)
{
	QueryEnvironment *around = hxpy_relations_connect(false);
	Prepared	prepared = {NULL};
	List	   *sources;
	CommandTag	tag;

	prepared.plan = SPI_prepare_params(query, hxpy_relations_setup, around,
									   CURSOR_OPT_PARALLEL_OK);
	if (prepared.plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("could not prepare the query: %s", SPI_result_code_string(SPI_result))));
	sources = SPI_plan_get_plan_sources(prepared.plan);
	if (list_length(sources) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query must be one statement, not %d", list_length(sources))));
	prepared.source = linitial(sources);
	tag = prepared.source->commandTag;
	if (!SPI_is_cursor_plan(prepared.plan) ||
		(tag != CMDTAG_SELECT && tag != CMDTAG_INSERT && tag != CMDTAG_UPDATE &&
		 tag != CMDTAG_DELETE && tag != CMDTAG_MERGE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is no query that gives rows", GetCommandTagName(tag)),
				 errhint("Give a SELECT, VALUES or WITH query, or INSERT, UPDATE or DELETE with RETURNING.")));
	if (hxpy_relations_register(prepared.plan, around))
		prepared.relations = around;
	return prepared;
}

/* Expect the rows that the planner has estimated. */
static void
expect_rows(SqlSource *source, const PlannedStmt *statement)
{
	source->progress.total = statement->planTree != NULL ? statement->planTree->plan_rows : 0;
	source->progress.estimated = true;
}

/* Have SPI run a prepared query, as a whole. */
static void
execute(SqlSource *source, const Prepared *prepared, DestReceiver *receiver)
{
	/* The plan that SPI makes is kept, and is the one that it runs. */
	CachedPlan *cached = SPI_plan_get_cached_plan(prepared->plan);
	SPIExecuteOptions options = {.dest = receiver};
	int			result;

	if (cached != NULL)
	{
		expect_rows(source, linitial_node(PlannedStmt, cached->stmt_list));
		ReleaseCachedPlan(cached, NULL);
	}
	result = SPI_execute_plan_extended(prepared->plan, &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(result));
}

/* Tell the worker how the rows come. */
static void
add_cut(const SqlSource *source, const List *keys)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	appendStringInfoString(&text, "groups");
	foreach(cell, keys)
		appendStringInfo(&text, " %d", lfirst_int(cell) - 1);
	hxpy_exchange_add_text(source->exchange, "cut", text.data);
}

/* Have rows, which are sorted or not, in groups by columns of these numbers. */
static void
group_rows(SqlSource *source, List *keys, bool are_sorted)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);

	keys = list_copy(keys);
	add_cut(source, keys);
	source->exchange->grouped = true;
	hxpy_filler_add_groups(source->filler);
	if (are_sorted)
		source->receiver = hxpy_groups_create(source->filler, keys);
	else
	{
		source->collector = hxpy_collect_create(source->exchange, source->filler, keys);
		source->receiver = hxpy_collect_receiver(source->collector);
	}
	MemoryContextSwitchTo(old);
}

/* Plan a query whose rows are to come in groups: sorted, or to be collected. */
static PlannedStmt *
plan_groups(SqlSource *source, Query *query, int options)
{
	List	   *keys;
	Query	   *sorted = hxpy_groups_sort(copyObject(query), source->by, &keys);
	PlannedStmt *statement = pg_plan_query(copyObject(sorted), source->query, options, NULL);
	/* What is collected runs to its end before anything comes back. */
	PlannedStmt *plain = pg_plan_query(query, source->query, CURSOR_OPT_PARALLEL_OK, NULL);
	bool		collects = hxpy_collect_is_cheaper(plain, statement, sorted);

	group_rows(source, keys, !collects);
	return collects ? plain : statement;
}

/*
 * Plan a prepared query, if it changes no data, with its rows in groups where these are asked
 * for; NULL otherwise.
 */
static PlannedStmt *
plan_query(SqlSource *source, const Prepared *prepared, int options)
{
	List	   *queries = prepared->source->query_list;
	Query	   *query = copyObject(linitial_node(Query, queries));
	MemoryContext old;
	PlannedStmt *statement;

	/* Rules may add others. */
	if (list_length(queries) != 1 || query->commandType != CMD_SELECT || query->hasModifyingCTE)
	{
		if (source->by == NIL)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a query that changes data cannot be sorted into groups"),
				 errhint("Keep what it returns in a temporary table, and give a query of that.")));
	}
	if (source->by != NIL)
		statement = plan_groups(source, query, options);
	else
		statement = pg_plan_query(query, source->query, options, NULL);
	old = MemoryContextSwitchTo(source->context);
	statement = copyObject(statement);
	MemoryContextSwitchTo(old);
	return statement;
}

/* Begin to run a statement. */
static void
start_steps(SqlSource *source, PlannedStmt *statement, QueryEnvironment *relations,
			DestReceiver *receiver)
{
	expect_rows(source, statement);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	source->steps = CreateQueryDesc(statement, source->query, GetActiveSnapshot(),
									InvalidSnapshot, receiver, NULL, relations, 0);
	ExecutorStart(source->steps, 0);
	PopActiveSnapshot();
}

/* End the statement. */
static void
end_steps(SqlSource *source)
{
	ExecutorFinish(source->steps);
	ExecutorEnd(source->steps);
	FreeQueryDesc(source->steps);
	source->steps = NULL;
}

/* Run what was begun from its beginning to its end. */
static void
run_to_end(SqlSource *source)
{
	PushActiveSnapshot(source->steps->snapshot);
	HxpyExecutorRunOnce(source->steps);
	PopActiveSnapshot();
	end_steps(source);
}

/* Run a prepared query that was planned to its end; of what is collected steps are left. */
static void
run_planned(SqlSource *source, const Prepared *prepared, PlannedStmt *statement)
{
	start_steps(source, statement, prepared->relations, source->receiver);
	run_to_end(source);
	if (source->collector != NULL)
		hxpy_collect_finish(source->collector);
}

/* Run the query as a whole. */
static void
run_whole(SqlSource *source)
{
	Prepared	prepared = prepare_query(source->query);

	if (source->by == NIL)
		execute(source, &prepared, source->receiver);
	else
		run_planned(source, &prepared, plan_query(source, &prepared, CURSOR_OPT_PARALLEL_OK));
	SPI_finish();
	if (source->collector != NULL)
	{
		(void) hxpy_collect_step(source->collector, PG_UINT64_MAX);
		hxpy_collect_close(source->collector);
	}
	if (!source->has_begun)
		elog(ERROR, "the query had no columns to describe");
}

/* Run a prepared query, whose plan may be NULL, to its end, for steps that read its rows. */
static void
store_rows(SqlSource *source, const Prepared *prepared, PlannedStmt *statement)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);
	TupleDesc	tupdesc = CreateTupleDescCopy(prepared->source->resultDesc);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	DestReceiver *receiver = CreateTuplestoreDestReceiver();

	source->stored = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	source->store = store;
	SetTuplestoreDestReceiverParams(receiver, store, source->context, false, NULL, NULL);
	MemoryContextSwitchTo(old);
	if (statement == NULL)
		execute(source, prepared, receiver);
	else
	{
		start_steps(source, statement, prepared->relations, receiver);
		run_to_end(source);
	}
	receiver->rDestroy(receiver);
	source->progress.total = (double) tuplestore_tuple_count(store);
	source->progress.estimated = false;
}

/* Begin the exchange; the query runs as a whole, or steps are left. */
static bool
open_query(ExchangeSource *self, Exchange *exchange, bool whole)
{
	SqlSource *source = (SqlSource *) self;
	int			options = source->parallel ? CURSOR_OPT_PARALLEL_OK : 0;
	Prepared	prepared;
	PlannedStmt *statement;
	TupleDesc	tupdesc;

	if (whole)
	{
		run_whole(source);
		return false;
	}
	prepared = prepare_query(source->query);
	statement = plan_query(source, &prepared, options);
	if (source->collector != NULL)
	{
		run_planned(source, &prepared, statement);
		SPI_finish();
		return true;
	}
	if (statement == NULL || statement->parallelModeNeeded || prepared.relations != NULL)
		store_rows(source, &prepared, statement);
	SPI_finish();
	MemoryContextSwitchTo(source->context);
	if (source->store == NULL)
		start_steps(source, statement, NULL, source->receiver);
	tupdesc = source->store != NULL ? source->stored->tts_tupleDescriptor : source->steps->tupDesc;
	source->receiver->rStartup(source->receiver, CMD_SELECT, tupdesc);
	return true;
}

/* Feed rows of the store, about so many; returns whether some are left. */
static bool
step_store(SqlSource *source, uint64 asked)
{
	while (asked > 0 && tuplestore_gettupleslot(source->store, true, false, source->stored))
	{
		source->receiver->receiveSlot(source->stored, source->receiver);
		asked--;
	}
	source->receiver->rShutdown(source->receiver);
	return asked == 0;
}

/* Feed the query's next rows, about a batch. */
static bool
step_query(ExchangeSource *self, Exchange *exchange)
{
	SqlSource *source = (SqlSource *) self;
	uint64		asked = hxpy_filler_batch_rows(source->filler);

	if (source->collector != NULL)
		return hxpy_collect_step(source->collector, asked);
	if (source->store != NULL)
		return step_store(source, asked);
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
	source->receiver = source->filler;
	source->query = query;
	source->distinct = distinct;
	source->exchange = exchange;
	source->context = CurrentMemoryContext;
	exchange->source = &source->source;
	exchange->rows = &source->progress;
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

/* Report a `by` that cannot be. */
pg_noreturn static void
invalid_by(int code, const char *message)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s", message),
			 errhint("Give the name of a column, or an array of names: by => 'k', or ARRAY['k', 'l'].")));
}

/* Return the names that py_apply's argument `by` gives, of this type: a text or an array. */
List *
hxpy_query_names(Datum value, bool isnull, Oid type)
{
	Oid			element = get_element_type(type);
	Oid			single = OidIsValid(element) ? element : type;
	int16		length;
	bool		by_value;
	char		alignment;
	Datum	   *values = &value;
	bool	   *nulls = &isnull;
	int			count = 1;
	Oid			output;
	List	   *names = NIL;

	if (isnull)
		return NIL;
	if (single != UNKNOWNOID && TypeCategory(single) != TYPCATEGORY_STRING)
		invalid_by(ERRCODE_DATATYPE_MISMATCH,
				   psprintf("by must be text or text[], not %s", format_type_be(type)));
	if (OidIsValid(element))
	{
		get_typlenbyvalalign(element, &length, &by_value, &alignment);
		deconstruct_array(DatumGetArrayTypeP(value), element, length, by_value, alignment,
						  &values, &nulls, &count);
	}
	getTypeOutputInfo(single, &output, &by_value);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			invalid_by(ERRCODE_NULL_VALUE_NOT_ALLOWED, "by must not have nulls");
		names = lappend(names, OidOutputFunctionCall(output, values[i]));
	}
	if (names == NIL)
		invalid_by(ERRCODE_INVALID_PARAMETER_VALUE, "by names no column");
	return names;
}

/*
 * Set how many processes make py_apply's calls, by its argument `workers`, NULL for
 * hxpy.workers; `whole` is set.
 */
void
hxpy_query_set_workers(ApplyRequest *request, Datum value, bool isnull)
{
	request->workers = isnull ? hxpy_workers : DatumGetInt32(value);
	if (request->workers < 1 || request->workers > HXPY_MAX_WORKERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("workers must be between 1 and %d, not %d", HXPY_MAX_WORKERS,
						request->workers)));
	if (!request->whole)
		return;
	if (!isnull && request->workers > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("whole and workers exclude each other"),
				 errhint("With whole there is one call, of all rows. Use batches, or by.")));
	request->workers = 1;
}

/* Return how the callable is to be called. */
static const char *
pass_text(const ApplyRequest *request)
{
	const char *form = request->arrays ? "arrays" : "frame";

	if (request->workers == 1)
		return form;
	return psprintf("%s %d%s", form, request->workers, request->ordered ? "" : " any");
}

/* Set an exchange up to pass a query's rows through a callable; its wants are set. */
SqlSource *
hxpy_query_apply(Exchange *exchange, const ApplyRequest *request)
{
	SqlSource *source;

	if (request->whole && request->by != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("by and whole exclude each other"),
				 errhint("With by the callable gets a group at a time, with whole all rows at once.")));
	hxpy_exchange_add_text(exchange, "func", request->function);
	hxpy_exchange_add_text(exchange, "pass", pass_text(request));
	hxpy_exchange_add_text(exchange, "wants", psprintf("%d", list_length(exchange->wants)));
	if (request->by == NIL)
		hxpy_exchange_add_text(exchange, "cut", request->whole ? "whole" : "batches");
	source = create_source(exchange, request->query, true);
	source->by = request->by;
	source->parallel = request->wants_all;
	return source;
}

/* Close the query that is run in steps. */
void
hxpy_query_close(SqlSource *source)
{
	if (source->collector != NULL)
		hxpy_collect_close(source->collector);
	source->collector = NULL;
	if (source->store != NULL)
		tuplestore_end(source->store);
	source->store = NULL;
	if (source->steps != NULL)
		end_steps(source);
}
