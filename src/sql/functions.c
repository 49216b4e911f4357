/*
 * functions.c
 *	  The SQL-callable functions: check arguments, call, return.
 *
 * Overloads are one C function each for what they do: the session comes first
 * and may be left out, so the number of arguments tells.  Where two of the same number
 * differ in that, they are two C functions.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "codec/column.h"
#include "guc.h"
#include "codec/protocol.h"
#include "session/session.h"
#include "sql/rowset.h"

PG_FUNCTION_INFO_V1(py_open);
PG_FUNCTION_INFO_V1(py_init);
PG_FUNCTION_INFO_V1(py_init_value);
PG_FUNCTION_INFO_V1(py_timeout);
PG_FUNCTION_INFO_V1(py_define);
PG_FUNCTION_INFO_V1(py_exec);
PG_FUNCTION_INFO_V1(py_eval);
PG_FUNCTION_INFO_V1(py_eval_as);
PG_FUNCTION_INFO_V1(py_close);
PG_FUNCTION_INFO_V1(py_close_all);
PG_FUNCTION_INFO_V1(py_sessions);

/* Convert a time limit to milliseconds. */
static int64
interval_ms(const Interval *limit)
{
	int64		days = limit->day + (int64) limit->month * DAYS_PER_MONTH;
	double		ms = days * (double) SECS_PER_DAY * 1000 + limit->time / 1000.0;

	if (ms < 0 || ms > INT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a timeout must be between 0 and 24 days"),
				 errhint("0 means none.")));
	return (int64) ceil(ms);
}

/* Return an amount of memory in MB, as a setting's text ("512MB", "2GB"). */
static int
memory_mb(const char *text)
{
	int			megabytes;
	const char *hint = NULL;

	if (!parse_int(text, &megabytes, GUC_UNIT_MB, &hint) || megabytes < HXPY_MIN_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid memory limit \"%s\"", text),
				 hint ? errhint("%s", hint) :
				 errhint("Give at least %dMB, for example \"512MB\" or \"2GB\".",
						 HXPY_MIN_MEMORY)));
	return megabytes;
}

/* Check the level of Python's logging. */
static const char *
checked_log_level(const char *level)
{
	static const char *const levels[] = {"debug", "info", "warning", "error", "critical"};

	for (int i = 0; i < lengthof(levels); i++)
	{
		if (pg_strcasecmp(level, levels[i]) == 0)
			return levels[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid log level \"%s\"", level),
			 errhint("Available levels: debug, info, warning, error, critical.")));
}

/*
 * py_open(session, image, network, timeout, persistent, log_level, memory, cpus)
 */
Datum
py_open(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, !PG_ARGISNULL(0));
	SessionOptions options;

	hxpy_options_init(&options);
	options.image = hxpy_argument_optional(fcinfo, 1);
	options.network = hxpy_argument_optional(fcinfo, 2);
	if (!PG_ARGISNULL(3))
		options.timeout_ms = interval_ms(PG_GETARG_INTERVAL_P(3));
	if (!PG_ARGISNULL(4))
	{
		options.persistent = PG_GETARG_BOOL(4);
		options.has_persistent = true;
	}
	if (!PG_ARGISNULL(5))
		options.log_level = checked_log_level(hxpy_argument_optional(fcinfo, 5));
	if (!PG_ARGISNULL(6))
		options.memory = memory_mb(hxpy_argument_optional(fcinfo, 6));
	if (!PG_ARGISNULL(7))
	{
		options.cpus = PG_GETARG_FLOAT8(7);
		if (!(options.cpus >= HXPY_MIN_CPUS))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid CPU limit"),
					 errhint("Give at least %g.", HXPY_MIN_CPUS)));
	}
	hxpy_session_open(name, &options);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/* Return whether py_exec shows the value of an expression that is its last statement. */
static bool
is_echoed(void)
{
	if (hxpy_echo == HXPY_ECHO_AUTO)
		return strcmp(application_name, "psql") == 0;
	return hxpy_echo == HXPY_ECHO_ON;
}

/* Run statements, for someone who looks at what comes of them or not. */
static void
run_source(PySession *session, const char *source, bool is_watched)
{
	Exchange	exchange;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_EXEC);
	hxpy_exchange_add_text(&exchange, "code", source);
	if (is_watched)
	{
		hxpy_exchange_add_text(&exchange, "width", psprintf("%d", hxpy_width));
		hxpy_exchange_add_text(&exchange, "echo", is_echoed() ? "on" : "");
	}
	hxpy_exchange_run(&exchange);
}

/* Set a Python variable to an argument of type "any". */
static void
define_argument(FunctionCallInfo fcinfo, PySession *session, const char *variable, int argument)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	Column	   *column;
	Exchange	exchange;

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of the value"),
				 errhint("Cast it, for example 1::int.")));
	if (strlen(variable) > HXPY_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of a variable is longer than %d bytes", HXPY_MAX_NAME)));
	column = hxpy_column_create(hxpy_coltype_create(type, -1, false),
								hxpy_coltype_to_utf8(variable), CurrentMemoryContext);
	hxpy_column_append(column, PG_ARGISNULL(argument) ? (Datum) 0 : PG_GETARG_DATUM(argument),
					   PG_ARGISNULL(argument));
	hxpy_session_exchange(&exchange, session, HXPY_FRAME_DEFINE);
	exchange.shown = variable;
	exchange.columns = list_make1(column);
	hxpy_exchange_run(&exchange);
}

/* Define a variable once in a session's life, to an argument. */
static void
init_variable(FunctionCallInfo fcinfo, PySession *session, const char *variable, int argument)
{
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, session->init_names)
	{
		if (strcmp(lfirst(cell), variable) == 0)
			return;
	}
	define_argument(fcinfo, session, variable, argument);
	old = MemoryContextSwitchTo(session->context);
	session->init_names = lappend(session->init_names, pstrdup(variable));
	MemoryContextSwitchTo(old);
}

/*
 * py_init([session,] code): run code once in a session's life.
 */
Datum
py_init(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	char	   *code = hxpy_argument_text(fcinfo, PG_NARGS() - 1, "code");
	PySession  *session = hxpy_session_get(name);

	if (!session->initialized)
	{
		run_source(session, code, false);
		session->initialized = true;
	}
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_init([session,] name, value): define a variable once in a session's life.
 */
Datum
py_init_value(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 3);
	char	   *variable = hxpy_argument_text(fcinfo, PG_NARGS() - 2, "name");

	init_variable(fcinfo, hxpy_session_get(name), variable, PG_NARGS() - 1);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_timeout(session, interval): limit each later call; NULL takes the limit back.
 */
Datum
py_timeout(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	int			argument = PG_NARGS() - 1;
	int64		timeout = PG_ARGISNULL(argument) ? -1 :
		interval_ms(PG_GETARG_INTERVAL_P(argument));

	hxpy_session_get(name)->options.timeout_ms = timeout;
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_define([session,] name, value): set a Python variable.
 */
Datum
py_define(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 3;
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *variable = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "name");

	define_argument(fcinfo, hxpy_session_get(name), variable, has_session ? 2 : 1);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_exec([session,] code): run statements.
 */
Datum
py_exec(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	char	   *code = hxpy_argument_text(fcinfo, PG_NARGS() - 1, "code");

	run_source(hxpy_session_get(name), code, hxpy_output != 0);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/* Return how a value of a SQL type travels from Python; jsonb's way is found once. */
static ColumnType *
wanted_type(Oid type_id)
{
	static ColumnType *jsonb = NULL;
	MemoryContext old;

	if (type_id != JSONBOID)
		return hxpy_coltype_create(type_id, -1, true);
	if (jsonb == NULL)
	{
		old = MemoryContextSwitchTo(TopMemoryContext);
		jsonb = hxpy_coltype_create(type_id, -1, true);
		MemoryContextSwitchTo(old);
	}
	return jsonb;
}

/* Evaluate an expression as a SQL type. */
static Datum
eval_as(PySession *session, const char *expression, Oid type_id, bool *isnull)
{
	Exchange	exchange;
	Datum		value;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_EVAL);
	hxpy_exchange_add_text(&exchange, "expr", expression);
	hxpy_exchange_add_want(&exchange, wanted_type(type_id), "");
	hxpy_exchange_values(&exchange, &value, isnull);
	return value;
}

/* Evaluate the first argument, or the second one after the session, as a SQL type. */
static Datum
eval_argument(FunctionCallInfo fcinfo, bool has_session, Oid type)
{
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *expression = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "expression");
	PySession  *session = hxpy_session_get(name);
	uint64		id = session->id;
	bool		once = !session->options.persistent;
	Datum		value;

	PG_TRY();
	{
		value = eval_as(session, expression, type, &fcinfo->isnull);
	}
	PG_FINALLY();
	{
		if (once)
			hxpy_session_finish(id);
	}
	PG_END_TRY();
	return value;
}

/*
 * py_eval([session,] expr) → jsonb; py_eval(session, expr, "as") → its type.
 */
Datum
py_eval(PG_FUNCTION_ARGS)
{
	return eval_argument(fcinfo, PG_NARGS() >= 2, PG_NARGS() == 3 ?
						 get_fn_expr_argtype(fcinfo->flinfo, 2) : JSONBOID);
}

/*
 * py_eval(expr, "as") → its type.
 */
Datum
py_eval_as(PG_FUNCTION_ARGS)
{
	return eval_argument(fcinfo, false, get_fn_expr_argtype(fcinfo->flinfo, 1));
}

/*
 * py_close([session]): end a session; false when there is none.
 */
Datum
py_close(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(hxpy_session_close(hxpy_argument_session(fcinfo, PG_NARGS() == 1)));
}

/*
 * py_close_all(): end the current role's sessions; returns how many.
 */
Datum
py_close_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(hxpy_session_close_all());
}

/* Make an interval of milliseconds. */
static Datum
ms_interval(int64 ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = ms * 1000;
	return IntervalPGetDatum(interval);
}

/*
 * py_sessions(): the current role's sessions in this backend, but for hxpy's own.
 */
Datum
py_sessions(PG_FUNCTION_ARGS)
{
	RowSet	rows;
	ListCell   *cell;

	hxpy_rowset_begin(&rows, fcinfo);
	foreach(cell, hxpy_session_list())
	{
		PySession  *session = lfirst(cell);
		const char *lost = session->worker->lost;
		int64		timeout = session->options.timeout_ms;

		if (hxpy_session_is_own(session))
			continue;
		if (timeout < 0)
			timeout = hxpy_eval_timeout;
		hxpy_rowset_put_text(&rows, session->key.name);
		hxpy_rowset_put_text(&rows, GetUserNameFromId(session->key.role, false));
		hxpy_rowset_put_text(&rows, pnstrdup(session->container->id, 12));
		hxpy_rowset_put_text(&rows, session->container->image);
		hxpy_rowset_put_text(&rows, lost != NULL ? psprintf("lost: %s", lost) :
						   hxpy_session_is_busy(session) ? "active" : "idle");
		hxpy_rowset_put(&rows, TimestampTzGetDatum(session->opened), false);
		hxpy_rowset_put(&rows, TimestampTzGetDatum(session->worker->last_used), false);
		hxpy_rowset_put(&rows, ms_interval(timeout), timeout == 0);
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}
