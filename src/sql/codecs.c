/*
 * codecs.c
 *	  Haystack's formats in SQL: hs_to_zinc, hs_from_zinc and the others, hs_grid.
 *
 * They run in sessions of hxpy's own (hxpy_session_own), so that they work within
 * queries that stream to or from any session of the user's.  No code of the user's
 * runs there: a codec is named by an instruction of its own, not by source.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "codec/column.h"
#include "move/query.h"
#include "codec/protocol.h"

PG_FUNCTION_INFO_V1(py_codec);
PG_FUNCTION_INFO_V1(py_grid);

/*
 * Run an instruction: a text, the wanted type, and a column or NULL; returns the
 * one value that comes back.
 */
static Datum
run_instruction(FunctionCallInfo fcinfo, PySession *session, uint8 frame, const char *text,
				Oid type_id, Column *argument)
{
	Exchange	exchange;
	Datum		value;

	hxpy_session_exchange(&exchange, session, frame);
	hxpy_exchange_add_text(&exchange, "text", text);
	hxpy_exchange_add_want(&exchange, hxpy_coltype_create(type_id, -1, true), "");
	if (argument != NULL)
		exchange.columns = list_make1(argument);
	hxpy_exchange_values(&exchange, &value, &fcinfo->isnull);
	return value;
}

/*
 * hs_to_zinc(value), hs_from_zinc(zinc) and the like: run the codec of the Python package
 * that the SQL function is named after, zinc.dumps or zinc.loads.
 */
Datum
py_codec(PG_FUNCTION_ARGS)
{
	Oid			self = fcinfo->flinfo->fn_oid;
	const char *name = get_func_name(self);
	const char *module = strrchr(name, '_');
	bool		dumps = get_func_rettype(self) == TEXTOID;
	Column	   *argument = hxpy_column_create(hxpy_coltype_create(dumps ? JSONBOID : TEXTOID, -1, false),
											  "", CurrentMemoryContext);

	hxpy_column_append(argument, PG_GETARG_DATUM(0), false);
	return run_instruction(fcinfo, hxpy_session_own(), HXPY_FRAME_CODEC,
						   psprintf("%s.%s", module != NULL ? module + 1 : name,
									dumps ? "dumps" : "loads"),
						   dumps ? TEXTOID : JSONBOID, argument);
}

/*
 * hs_grid(query, meta): a query's rows → a Hayson grid.
 */
Datum
py_grid(PG_FUNCTION_ARGS)
{
	char	   *query = hxpy_argument_text(fcinfo, 0, "query");
	const char *meta = hxpy_argument_meta(fcinfo, 1);
	PySession  *session = hxpy_session_own();

	hxpy_query_define(session, "grid", "grid", meta, query);
	return run_instruction(fcinfo, session, HXPY_FRAME_EVAL, "globals().pop('grid')", JSONBOID,
						   NULL);
}
