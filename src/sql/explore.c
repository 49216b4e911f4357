/*
 * explore.c
 *	  The SQL-callable functions for looking at a session's values: check arguments, call,
 *	  return.  What they answer is made in Python, by _worker/explore.py.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "guc.h"
#include "move/into.h"
#include "move/rows.h"
#include "sql/arguments.h"
#include "codec/protocol.h"

PG_FUNCTION_INFO_V1(py_show);
PG_FUNCTION_INFO_V1(py_vars);
PG_FUNCTION_INFO_V1(py_help);
PG_FUNCTION_INFO_V1(py_complete);
PG_FUNCTION_INFO_V1(py_columns);

/* Begin to call a function of explore.py; the session comes first, if it is given. */
static void
begin(Exchange *exchange, FunctionCallInfo fcinfo, bool has_session, const char *function)
{
	hxpy_session_exchange(exchange, hxpy_session_get(hxpy_argument_session(fcinfo, has_session)),
						  HXPY_FRAME_EVAL_GRID);
	hxpy_exchange_add_text(exchange, "explore", function);
	hxpy_exchange_add_text(exchange, "mode", "table");
	exchange->shown = function;
}

/* Give the function the text that is looked at. */
static void
add_source(Exchange *exchange, const char *source)
{
	hxpy_exchange_add_text(exchange, "source", source);
	exchange->shown = source;
}

/* Call the function; the rows that it gives are the result. */
static Datum
finish(Exchange *exchange, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	(void) hxpy_rows_create(exchange, rsinfo->setDesc, rsinfo->setResult);
	hxpy_exchange_run(exchange);
	return (Datum) 0;
}

/* Return a number of rows as a text, "" for NULL: all. */
static const char *
rows_text(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return "";
	if (PG_GETARG_INT32(argument) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows must be at least 1"),
				 errhint("NULL shows all.")));
	return psprintf("%d", PG_GETARG_INT32(argument));
}

/* Return a width as a text, that of the setting for NULL. */
static const char *
width_text(FunctionCallInfo fcinfo, int argument)
{
	int			width = PG_ARGISNULL(argument) ? hxpy_width : PG_GETARG_INT32(argument);

	if (width < HXPY_MIN_WIDTH || width > HXPY_MAX_WIDTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("width must be between %d and %d", HXPY_MIN_WIDTH, HXPY_MAX_WIDTH)));
	return psprintf("%d", width);
}

/*
 * py_show([session,] expr, rows, width): lines that show a value.
 */
Datum
py_show(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 4;
	int			first = has_session ? 1 : 0;
	char	   *source = hxpy_argument_text(fcinfo, first, "expression");
	const char *rows = rows_text(fcinfo, first + 1);
	const char *width = width_text(fcinfo, first + 2);
	Exchange	exchange;

	begin(&exchange, fcinfo, has_session, "show");
	add_source(&exchange, source);
	hxpy_exchange_add_text(&exchange, "rows", rows);
	hxpy_exchange_add_text(&exchange, "width", width);
	return finish(&exchange, fcinfo);
}

/*
 * py_vars(session): the session's variables.
 */
Datum
py_vars(PG_FUNCTION_ARGS)
{
	Exchange	exchange;

	begin(&exchange, fcinfo, !PG_ARGISNULL(0), "vars");
	return finish(&exchange, fcinfo);
}

/*
 * py_help([session,] expr, full): lines of a value's documentation.
 */
Datum
py_help(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 3;
	int			first = has_session ? 1 : 0;
	char	   *source = hxpy_argument_text(fcinfo, first, "expression");
	bool		full = hxpy_argument_flag(fcinfo, first + 1);
	Exchange	exchange;

	begin(&exchange, fcinfo, has_session, "help");
	add_source(&exchange, source);
	hxpy_exchange_add_text(&exchange, "full", full ? "full" : "");
	return finish(&exchange, fcinfo);
}

/*
 * py_complete([session,] prefix): how a name can go on.
 */
Datum
py_complete(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 2;
	char	   *source = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "prefix");
	Exchange	exchange;

	begin(&exchange, fcinfo, has_session, "complete");
	add_source(&exchange, source);
	return finish(&exchange, fcinfo);
}

/*
 * py_columns([session,] expr): the column list that py_eval_grid needs.
 */
Datum
py_columns(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 2;
	char	   *source = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "expression");
	PySession  *session = hxpy_session_get(hxpy_argument_session(fcinfo, has_session));

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("AS t(%s)", hxpy_into_columns(session, source))));
}
