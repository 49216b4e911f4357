/*
 * ask.c
 *	  What Python asks for in SQL: who may, and what becomes of errors.
 *
 * The worker is hostile: what it asks for runs with the rights, the row security, the
 * search_path and the read-only state of the statement that has called Python, since
 * it runs inside that, and never for another role than the session's.  Roles that
 * could reach beyond the database are refused unless hxpy.superuser_sql is on.
 *
 * Most of it runs in a subtransaction, as PL/Python's does.  An error goes to Python
 * as an exception; when Python does not catch it, the server raises its own copy.
 * A cancel is no error of the query: it breaks the exchange off.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "guc.h"
#include "move/ask.h"
#include "move/filler.h"

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

/* ---------- what is asked ---------- */

/* Refuse a request that only a worker makes that breaks the protocol. */
void
hxpy_ask_raise_invalid(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid request for SQL from Python")));
}

/* Read a text of the request. */
char *
hxpy_ask_text(const WireColumn *column)
{
	char	   *text;

	if (column->tag != HXPY_TAG_TEXT || column->count != 1 || column->nulls != NULL)
		hxpy_ask_raise_invalid();
	text = pnstrdup(column->data, column->data_length);
	if (strlen(text) != column->data_length)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("a query cannot hold a NUL character")));
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* Read a number of the request, which is a text. */
int64
hxpy_ask_number(const WireColumn *column)
{
	return pg_strtoint64(hxpy_ask_text(column));
}

/* ---------- what is answered ---------- */

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

/*
 * Make what sends rows to Python, in the current memory context; `plain`: for plpy,
 * whose values travel as hxpy.types and the function's transforms want.
 */
DestReceiver *
hxpy_ask_receiver(Exchange *exchange, bool plain)
{
	DestReceiver *filler = hxpy_filler_create(exchange, send_columns, exchange);

	if (plain)
		hxpy_filler_adapt(filler);
	return filler;
}

/* Answer with SPI's code, and a number of rows. */
void
hxpy_ask_write_done(Exchange *exchange, int status, uint64 processed)
{
	hxpy_column_write_batch(2, &exchange->answer);
	hxpy_column_write_text("status", psprintf("%d", status), &exchange->answer);
	hxpy_column_write_text("processed", psprintf(UINT64_FORMAT, processed), &exchange->answer);
}

/*
 * Give Python the error of what it has asked for.  The exchange keeps it, in case that
 * Python does not catch it.
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

/* ---------- doing it ---------- */

/*
 * Do what was asked for in a subtransaction, in which no other role can be taken on: not
 * even the connection's own, of which SET ROLE has made the current one.  After an error
 * the caller has to end it if *inside; that sets the role's context back.
 */
void
hxpy_ask_inside(Exchange *exchange, AskAction action, const WireColumn *columns, uint32 ncolumns,
				volatile bool *inside)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Oid			role;
	int			security;

	/* After a COMMIT there is none yet, and reading values may need it. */
	if (exchange->nonatomic)
		EnsurePortalSnapshotExists();
	BeginInternalSubTransaction(NULL);
	*inside = true;
	MemoryContextSwitchTo(context);
	GetUserIdAndSecContext(&role, &security);
	SetUserIdAndSecContext(role, security | SECURITY_LOCAL_USERID_CHANGE);
	if (hxpy_sql == HXPY_SQL_READ_ONLY)
		XactReadOnly = true;	/* until the subtransaction's end */
	action(exchange, columns, ncolumns);
	SetUserIdAndSecContext(role, security);
	ReleaseCurrentSubTransaction();
	*inside = false;
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* Answer a request of at least so many columns; see AskAction. */
void
hxpy_ask_run(Exchange *exchange, const char *payload, size_t length, uint32 mincolumns,
			 AskFrame frame, AskAction action)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool inside = false;

	PG_TRY();
	{
		uint32		ncolumns;
		/* Each parameter may be an array. */
		WireColumn *columns = hxpy_datum_parse_batch(payload, length, 2 * HXPY_MAX_COLUMNS,
													 &ncolumns);

		if (ncolumns < mincolumns)
			hxpy_ask_raise_invalid();
		if (frame != ASK_FREE)
			check_allowed(exchange);
		if (frame == ASK_INSIDE)
			hxpy_ask_inside(exchange, action, columns, ncolumns, &inside);
		else
			action(exchange, columns, ncolumns);
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
