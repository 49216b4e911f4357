/*
 * spi.c
 *	  SQL that Python asks for.
 *
 * The worker is hostile: what it asks for runs with the rights, the row security, the
 * search_path and the read-only state of the statement that has called Python, since
 * it runs inside that, and never for another role than the session's.  Roles that
 * could reach beyond the database are refused unless hxpy.superuser_sql is on.
 *
 * Each request runs in a subtransaction, as PL/Python's do.  An error goes to Python
 * as an exception; when Python does not catch it, the server raises its own copy.
 * A cancel is no error of the query: it breaks the exchange off.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "parser/parse_param.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "guc.h"
#include "move/filler.h"
#include "move/relations.h"
#include "move/spi.h"

/* Parameters of a query: values that Python has given, or NULL. */
typedef struct QueryParams
{
	int			count;
	Oid		   *types;			/* parsing may make the type of a NULL more precise */
	Datum	   *values;
	bool	   *nulls;
	QueryEnvironment *around;	/* transition tables that can be named, or NULL */
} QueryParams;

/* Refuse SQL that Python must not run here. */
static void
check_allowed(const Exchange *exchange)
{
	static const Oid powerful[] = {
		ROLE_PG_EXECUTE_SERVER_PROGRAM, ROLE_PG_READ_SERVER_FILES, ROLE_PG_WRITE_SERVER_FILES
	};
	bool		refused = superuser() || has_createrole_privilege(GetUserId());

	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("Python cannot run SQL during a parallel operation"),
				 errhint("SET max_parallel_workers_per_gather = 0.")));
	if (hxpy_sql == HXPY_SQL_OFF)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("Python may not run SQL"),
				 errhint("hxpy.sql is off; a superuser can set it.")));
	if (GetUserId() != exchange->conn->role)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("Python may not run SQL for another role than its session's")));
	for (int i = 0; i < lengthof(powerful); i++)
		refused = refused || is_member_of_role(GetUserId(), powerful[i]);
	if (refused && !hxpy_superuser_sql)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("Python may not run SQL for a role that can do more than the database"),
				 errdetail("What is in the session's image could use the role's rights as superuser, or to server files and programs."),
				 errhint("Call it as another role, or set hxpy.superuser_sql if the image can be trusted.")));
}

/* Raise the error of a request that makes no sense. */
void
hxpy_spi_raise_invalid(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid request for SQL from Python")));
}

/* Read a text of a request. */
char *
hxpy_spi_text(const WireColumn *column)
{
	char	   *text;

	if (column->tag != HXPY_TAG_TEXT || column->count != 1 || column->nulls != NULL)
		hxpy_spi_raise_invalid();
	text = pnstrdup(column->data, column->data_length);
	if (strlen(text) != column->data_length)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("a query cannot hold a NUL character")));
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* Read the values of parameters. */
static void
read_params(QueryParams *params, const WireColumn *columns, int count)
{
	params->count = count;
	params->types = palloc(Max(count, 1) * sizeof(Oid));
	params->values = palloc0(Max(count, 1) * sizeof(Datum));
	params->nulls = palloc(Max(count, 1) * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		const WireColumn *column = &columns[i];
		ColumnType *type;

		params->nulls[i] = true;
		params->types[i] = UNKNOWNOID;
		if (column->count != 1)
			hxpy_spi_raise_invalid();
		if (column->nulls != NULL && column->nulls[0] != 0)
			continue;
		params->types[i] = hxpy_coltype_of_wire(column);
		type = hxpy_coltype_create(params->types[i], -1, true);
		params->values[i] = hxpy_datum_of_column(type, column, &params->nulls[i]);
	}
}

/* Let parsing see the parameters, and transition tables. */
static void
set_up_params(ParseState *pstate, void *arg)
{
	QueryParams *params = arg;

	hxpy_relations_setup(pstate, params->around);
	setup_parse_variable_parameters(pstate, &params->types, &params->count);
}

/* Return the parameters as the executor wants them. */
static ParamListInfo
param_list(const QueryParams *params)
{
	ParamListInfo list = makeParamList(params->count);

	for (int i = 0; i < params->count; i++)
	{
		list->params[i].value = params->values[i];
		list->params[i].isnull = params->nulls[i];
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = params->types[i];
	}
	return list;
}

/* Tell Python the columns of the rows that follow. */
static void
send_columns(void *arg, TupleDesc tupdesc, Column **heads, int nheads)
{
	GatherList *list = palloc(sizeof(GatherList));	/* lives until it is sent */
	StringInfoData types;

	hxpy_gather_init(list, CurrentMemoryContext);
	hxpy_column_write_batch(1 + nheads, list);
	initStringInfo(&types);
	for (int i = 0; i < tupdesc->natts; i++)
		appendStringInfo(&types, "%s%u:%d", i > 0 ? "," : "", TupleDescAttr(tupdesc, i)->atttypid,
						 TupleDescAttr(tupdesc, i)->atttypmod);
	hxpy_column_write_text("types", types.data, list);
	for (int i = 0; i < nheads; i++)
		hxpy_column_write(heads[i], list);
	hxpy_exchange_tell_columns(arg, list);
}

/* Run one statement; its rows go to a receiver.  Returns SPI's code. */
static int
run_statement(const char *statement, QueryParams *params, uint64 limit, bool read_only,
			  DestReceiver *receiver)
{
	SPIExecuteOptions options = {
		.read_only = read_only,
		.tcount = limit,
		.dest = receiver
	};
	int			count = params->count;
	SPIPlanPtr	plan = SPI_prepare_params(statement, set_up_params, params, CURSOR_OPT_PARALLEL_OK);
	int			result;

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("could not prepare the query: %s", SPI_result_code_string(SPI_result))));
	if (params->count != count)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("the query has %d parameters, but %d values were given", params->count,
						count)));
	options.params = param_list(params);
	(void) hxpy_relations_register(plan, params->around);
	result = SPI_execute_plan_extended(plan, &options);
	if (result < 0)
		ereport(ERROR,
				(errcode(result == SPI_ERROR_TRANSACTION ?
						 ERRCODE_INVALID_TRANSACTION_TERMINATION : ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("Python cannot run this statement: %s", SPI_result_code_string(result))));
	return result;
}

/*
 * Run the statements of a query; the rows of the last one are sent.  Returns SPI's code
 * of that.
 */
static int
run_query(Exchange *exchange, const char *query, uint64 limit, QueryParams *params,
		  uint64 *processed)
{
	List	   *statements = raw_parser(query, RAW_PARSE_DEFAULT);
	DestReceiver *filler = hxpy_filler_create(exchange, send_columns, exchange);
	int			result = 0;
	ListCell   *cell;

	params->around = hxpy_relations_connect(exchange->isolated);
	foreach(cell, statements)
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		const char *text = query + raw->stmt_location;
		bool		last = lnext(statements, cell) == NULL;

		if (raw->stmt_len > 0)
			text = pnstrdup(text, raw->stmt_len);
		result = run_statement(text, params, last ? limit : 0, exchange->read_only,
							   last ? filler : None_Receiver);
		*processed = SPI_processed;
	}
	SPI_finish();
	return result;
}

/* Tell Python that its query has ended. */
static void
write_done(GatherList *answer, int result, uint64 processed)
{
	hxpy_column_write_batch(2, answer);
	hxpy_column_write_text("status", psprintf("%d", result), answer);
	hxpy_column_write_text("processed", psprintf(UINT64_FORMAT, processed), answer);
}

/*
 * Give Python the error of a query.  The exchange keeps it, in case that Python does
 * not catch it.
 */
static void
write_failure(Exchange *exchange, ErrorData *error)
{
	const struct
	{
		const char *name;
		const char *value;
	}			texts[] = {
		{"sqlstate", unpack_sql_state(error->sqlerrcode)},
		{"message", error->message},
		{"detail", error->detail},
		{"hint", error->hint},
		{"context", error->context},
		{"query", error->internalquery},
		{"position", psprintf("%d", error->internalquery ? error->internalpos : error->cursorpos)},
		{"schema_name", error->schema_name},
		{"table_name", error->table_name},
		{"column_name", error->column_name},
		{"datatype_name", error->datatype_name},
		{"constraint_name", error->constraint_name},
		{"number", psprintf("%u", ++exchange->failures)}
	};

	if (exchange->failure != NULL)
		FreeErrorData(exchange->failure);
	exchange->failure = error;
	hxpy_gather_reset(&exchange->answer);	/* of what the error has interrupted */
	hxpy_column_write_batch(lengthof(texts), &exchange->answer);
	for (int i = 0; i < lengthof(texts); i++)
		hxpy_column_write_text(texts[i].name,
							   hxpy_coltype_to_utf8(texts[i].value ? texts[i].value : ""),
							   &exchange->answer);
}

/*
 * Do what Python asks, in a subtransaction, in which no other role can be taken on: not
 * even the connection's own, of which SET ROLE has made the current one.  Whatever error
 * comes goes to Python, unless it breaks the exchange off.
 */
void
hxpy_spi_answer(Exchange *exchange, const char *payload, size_t length, SpiRequest request)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool inside = false;

	PG_TRY();
	{
		Oid			role;
		int			security;
		uint32		ncolumns;
		/* Each parameter may be an array. */
		WireColumn *columns = hxpy_datum_parse_batch(payload, length, 2 * HXPY_MAX_COLUMNS,
													 &ncolumns);

		check_allowed(exchange);
		BeginInternalSubTransaction(NULL);
		inside = true;
		/* An error's end of the subtransaction sets these back. */
		GetUserIdAndSecContext(&role, &security);
		SetUserIdAndSecContext(role, security | SECURITY_LOCAL_USERID_CHANGE);
		if (hxpy_sql == HXPY_SQL_READ_ONLY)
			XactReadOnly = true;
		MemoryContextSwitchTo(context);
		request(exchange, columns, ncolumns);
		SetUserIdAndSecContext(role, security);
		ReleaseCurrentSubTransaction();
		inside = false;
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(exchange->context);
		error = CopyErrorData();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		if (inside)
		{
			RollbackAndReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = owner;
		}
		if (exchange->state != EXCHANGE_SUSPENDED || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		write_failure(exchange, error);
	}
	PG_END_TRY();
}

/* Run a query: texts `query` and `limit`, then the parameters' values. */
static void
request_query(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	QueryParams params;
	char	   *query;
	int64		limit;
	int			result;
	uint64		processed = 0;

	if (ncolumns < 2)
		hxpy_spi_raise_invalid();
	query = hxpy_spi_text(&columns[0]);
	limit = pg_strtoint64(hxpy_spi_text(&columns[1]));
	read_params(&params, columns + 2, (int) ncolumns - 2);
	result = run_query(exchange, query, (uint64) Max(limit, 0), &params, &processed);
	write_done(&exchange->answer, result, processed);
}

/* Answer the frame QUERY. */
static void
answer_query(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_spi_answer(exchange, payload, length, request_query);
}

/* Have queries answered. */
void
hxpy_spi_init(void)
{
	hxpy_exchange_on_ask(HXPY_FRAME_QUERY, answer_query);
}
