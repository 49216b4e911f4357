/*
 * plan.c
 *	  Plans that Python has prepared.
 *
 * A plan belongs to the session in which it was prepared, and so to one role: a number
 * means nothing in another session.  It is freed when Python has dropped it, or with the
 * session, but not while it runs: what it runs may bring either about.
 */
#include "postgres.h"

#include "parser/parse_param.h"
#include "parser/parse_type.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "move/plan.h"

#define MAX_PLANS			1000	/* of a session */

/* A session's plans; lives in the session's memory. */
typedef struct PlanTable
{
	dlist_head	plans;			/* the one that was used last comes first */
	int			count;
	MemoryContextCallback callback;
} PlanTable;

/* A plan. */
struct PyPlan
{
	MemoryContext context;		/* of everything here but for `spi` */
	PlanTable  *table;			/* NULL when it was dropped */
	dlist_node	node;
	int64		number;			/* never used twice in a backend */
	SPIPlanPtr	spi;
	int			nparams;
	Oid		   *types;			/* of the parameters */
	ColumnType **params;		/* how they travel */
	QueryEnvironment *around;	/* transition tables that can be named where it is used */
	int			uses;			/* how often it is being run */
};

static int64 last_number = 0;

/* Free a plan; does not ereport. */
static void
free_plan(PyPlan *plan)
{
	SPI_freeplan(plan->spi);
	MemoryContextDelete(plan->context);
}

/* Take a plan out of its table; it is freed, or will be when it has run. */
static void
drop_plan(PyPlan *plan)
{
	dlist_delete(&plan->node);
	plan->table->count--;
	plan->table = NULL;
	if (plan->uses == 0)
		free_plan(plan);
}

/* A session ends: drop its plans. */
static void
drop_plans(void *arg)
{
	PlanTable  *table = arg;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &table->plans)
		drop_plan(dlist_container(PyPlan, node, iter.cur));
}

/* Return the table of an exchange's session. */
static PlanTable *
get_table(Exchange *exchange)
{
	WorkerConn *conn = exchange->conn;

	if (conn->plans == NULL)
	{
		PlanTable  *table = MemoryContextAllocZero(conn->context, sizeof(PlanTable));

		dlist_init(&table->plans);
		table->callback.func = drop_plans;
		table->callback.arg = table;
		MemoryContextRegisterResetCallback(conn->context, &table->callback);
		conn->plans = table;
	}
	return conn->plans;
}

/* Return a plan of the session, NULL if there is none of the number. */
static PyPlan *
find_plan(Exchange *exchange, int64 number)
{
	PlanTable  *table = get_table(exchange);
	dlist_iter	iter;

	dlist_foreach(iter, &table->plans)
	{
		PyPlan	   *plan = dlist_container(PyPlan, node, iter.cur);

		if (plan->number == number)
		{
			dlist_move_head(&table->plans, &plan->node);
			return plan;
		}
	}
	return NULL;
}

/* Let parsing see the parameters, and transition tables; also when it is done again. */
static void
set_up_plan(ParseState *pstate, void *arg)
{
	PyPlan	   *plan = arg;

	hxpy_relations_setup(pstate, plan->around);
	setup_parse_fixed_parameters(pstate, plan->types, plan->nparams);
}

/* Have SPI prepare a plan, of one statement, to be kept. */
static SPIPlanPtr
prepare_spi(const Exchange *exchange, const char *query, PyPlan *own)
{
	SPIPlanPtr	plan = SPI_prepare_params(query, set_up_plan, own, CURSOR_OPT_PARALLEL_OK);

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("SPI_prepare failed: %s", SPI_result_code_string(SPI_result))));
	if (list_length(SPI_plan_get_plan_sources(plan)) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a plan cannot have several statements"),
				 errhint("Prepare a plan for each of them, or run them as a text.")));
	/* Values in the query may have called Python. */
	hxpy_exchange_check_alive(exchange);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	return plan;
}

/* Make a plan: text `query`, then the name of each parameter's type. */
void
hxpy_plan_prepare(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	PlanTable  *table = get_table(exchange);
	const char *query = hxpy_ask_text(&columns[0]);
	int			nparams = (int) ncolumns - 1;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy plan",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	PyPlan	   *plan = palloc0(sizeof(PyPlan));

	if (table->count >= MAX_PLANS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("session \"%s\" has too many plans", exchange->conn->session),
				 errhint("The limit is %d. Keep plans that are used again, for example in SD, and let go of others.",
						 MAX_PLANS)));
	plan->context = context;
	plan->nparams = nparams;
	plan->types = palloc(Max(nparams, 1) * sizeof(Oid));
	plan->params = palloc(Max(nparams, 1) * sizeof(ColumnType *));
	for (int i = 0; i < nparams; i++)
	{
		int32		typmod;

		HxpyParseType(hxpy_ask_text(&columns[1 + i]), &plan->types[i], &typmod);
		plan->params[i] = hxpy_coltype_create(plan->types[i], typmod, true);
		hxpy_coltype_adapt(plan->params[i], hxpy_types == HXPY_TYPES_PLPYTHON,
						   list_copy(exchange->transforms));
	}
	MemoryContextSwitchTo(old);
	plan->around = hxpy_relations_connect(exchange->isolated);
	plan->spi = prepare_spi(exchange, query, plan);
	SPI_finish();
	MemoryContextSetParent(context, TopMemoryContext);
	plan->table = table;
	plan->number = ++last_number;
	dlist_push_head(&table->plans, &plan->node);
	table->count++;
	hxpy_column_write_batch(1 + nparams, &exchange->answer);
	hxpy_column_write_text("plan", psprintf(INT64_FORMAT, plan->number), &exchange->answer);
	for (int i = 0; i < nparams; i++)
		hxpy_column_write(hxpy_column_create(plan->params[i], "", CurrentMemoryContext),
						  &exchange->answer);
}

/* Take a plan of the session, to be released after it was run; an error if there is none. */
PyPlan *
hxpy_plan_take(Exchange *exchange, int64 number)
{
	PyPlan	   *plan = find_plan(exchange, number);

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_SQL_STATEMENT_NAME),
				 errmsg("the session has no such plan")));
	plan->uses++;
	return plan;
}

/* Let go of a plan that was taken. */
void
hxpy_plan_release(PyPlan *plan)
{
	plan->uses--;
	if (plan->uses == 0 && plan->table == NULL)
		free_plan(plan);
}

/*
 * Read the parameters of a plan, and connect a level of SPI in which it can be run; returns
 * SPI's part of it.
 */
SPIPlanPtr
hxpy_plan_connect(PyPlan *plan, const Exchange *exchange, QueryParams *params,
				  const WireColumn *columns, int count)
{
	hxpy_params_read_as(params, plan->params, plan->nparams, columns, count);
	params->around = plan->around = hxpy_relations_connect(exchange->isolated);
	params->reads_relations = hxpy_relations_register(plan->spi, plan->around);
	return plan->spi;
}

/* Drop a plan of the session, if it is there. */
void
hxpy_plan_forget(Exchange *exchange, int64 number)
{
	PyPlan	   *plan = find_plan(exchange, number);

	if (plan != NULL)
		drop_plan(plan);
}
