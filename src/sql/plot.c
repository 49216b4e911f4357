/*
 * plot.c
 *	  Pictures: py_plot, py_plot_text.
 *
 * Python draws, in the package's module plot, which evaluates the expression in the
 * session.  Its functions are named by the instruction CODEC, as codecs are: no source is
 * made of the arguments.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "codec/column.h"
#include "codec/protocol.h"
#include "session/session.h"

PG_FUNCTION_INFO_V1(py_plot);
PG_FUNCTION_INFO_V1(py_plot_text);

/* Begin what a function of the module is asked, with the expression, which is returned. */
static char *
begin_request(FunctionCallInfo fcinfo, bool has_session, StringInfo request)
{
	char	   *expression = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "expression");

	initStringInfo(request);
	appendStringInfoString(request, "{\"expr\": ");
	escape_json(request, expression);
	return expression;
}

/* Add a text, which is a name where no session is given; null for NULL. */
static void
add_text(StringInfo request, const char *name, FunctionCallInfo fcinfo, int argument,
		 bool has_session)
{
	appendStringInfo(request, ", \"%s\": ", name);
	if (PG_ARGISNULL(argument))
		appendStringInfoString(request, "null");
	else
		escape_json(request, has_session ? text_to_cstring(PG_GETARG_TEXT_PP(argument)) :
					NameStr(*PG_GETARG_NAME(argument)));
}

/* Add a positive number; null for NULL. */
static void
add_number(StringInfo request, const char *name, FunctionCallInfo fcinfo, int argument)
{
	float8		size;

	appendStringInfo(request, ", \"%s\": ", name);
	if (PG_ARGISNULL(argument))
	{
		appendStringInfoString(request, "null");
		return;
	}
	size = PG_GETARG_FLOAT8(argument);
	if (!isfinite(size) || size <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite and more than 0", name)));
	appendStringInfo(request, "%.17g", size);
}

/* Have a function of the module answer a request with a value of a type. */
static Datum
ask(FunctionCallInfo fcinfo, bool has_session, const char *function, const char *expression,
	const StringInfoData *request, Oid type, bool *isnull)
{
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	Column	   *column = hxpy_column_create(hxpy_coltype_create(JSONOID, -1, false), "",
											CurrentMemoryContext);
	Exchange	exchange;
	Datum		value;

	hxpy_column_append(column, PointerGetDatum(cstring_to_text_with_len(request->data, request->len)),
					   false);
	hxpy_session_exchange(&exchange, hxpy_session_get(name), HXPY_FRAME_CODEC);
	exchange.shown = expression;
	hxpy_exchange_add_text(&exchange, "text", function);
	hxpy_exchange_add_want(&exchange, hxpy_coltype_create(type, -1, true), "");
	exchange.columns = list_make1(column);
	hxpy_exchange_values(&exchange, &value, isnull);
	return value;
}

/*
 * py_plot([session,] expr, format, width, height, dpi): the picture of a value.
 */
Datum
py_plot(PG_FUNCTION_ARGS)
{
	static const char *const sizes[] = {"width", "height", "dpi"};
	bool		has_session = PG_NARGS() == 6;
	int			format = has_session ? 2 : 1;
	StringInfoData request;
	char	   *expression = begin_request(fcinfo, has_session, &request);

	hxpy_argument_require(fcinfo, format, "format");
	add_text(&request, "format", fcinfo, format, has_session);
	for (int i = 0; i < lengthof(sizes); i++)
		add_number(&request, sizes[i], fcinfo, format + 1 + i);
	appendStringInfoChar(&request, '}');
	return ask(fcinfo, has_session, "plot.picture", expression, &request, BYTEAOID,
			   &fcinfo->isnull);
}

/* Return whether all that reads a text has characters that draw, on its way to the client. */
static bool
has_blocks(void)
{
	return GetDatabaseEncoding() == PG_UTF8 && pg_get_client_encoding() == PG_UTF8;
}

/* Return the lines of a chart, and how many there are. */
static Datum *
chart_lines(FunctionCallInfo fcinfo, int *count)
{
	bool		has_session = PG_NARGS() == 5;
	int			kind = has_session ? 2 : 1;
	StringInfoData request;
	char	   *expression = begin_request(fcinfo, has_session, &request);
	Datum		lines;
	bool		isnull;
	bool	   *nulls;
	Datum	   *values;

	add_text(&request, "kind", fcinfo, kind, has_session);
	for (int i = 1; i <= 2; i++)
	{
		appendStringInfo(&request, ", \"%s\": ", i == 1 ? "width" : "height");
		if (PG_ARGISNULL(kind + i))
			appendStringInfoString(&request, "null");
		else
			appendStringInfo(&request, "%d", PG_GETARG_INT32(kind + i));
	}
	appendStringInfo(&request, ", \"blocks\": %s}", has_blocks() ? "true" : "false");
	lines = ask(fcinfo, has_session, "plot.lines", expression, &request, TEXTARRAYOID, &isnull);
	*count = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(lines), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  count);
	/* A worker may answer anything of the type. */
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			values[i] = CStringGetTextDatum("");
	}
	return values;
}

/*
 * py_plot_text([session,] expr, kind, width, height): a chart made of characters, a row a line.
 */
Datum
py_plot_text(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		int			count;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		context->user_fctx = chart_lines(fcinfo, &count);
		context->max_calls = count;
		MemoryContextSwitchTo(old);
	}
	context = SRF_PERCALL_SETUP();
	if (context->call_cntr < context->max_calls)
	{
		Datum		line = ((Datum *) context->user_fctx)[context->call_cntr];

		SRF_RETURN_NEXT(context, line);
	}
	SRF_RETURN_DONE(context);
}
