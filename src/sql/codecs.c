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

#include "hxpy.h"
#include "sql/arguments.h"
#include "codec/column.h"
#include "codec/datum.h"
#include "move/query.h"
#include "codec/protocol.h"

PG_FUNCTION_INFO_V1(py_to_zinc);
PG_FUNCTION_INFO_V1(py_from_zinc);
PG_FUNCTION_INFO_V1(py_to_trio);
PG_FUNCTION_INFO_V1(py_from_trio);
PG_FUNCTION_INFO_V1(py_to_v3);
PG_FUNCTION_INFO_V1(py_from_v3);
PG_FUNCTION_INFO_V1(py_to_csv);
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
	bool		isnull;

	hxpy_session_exchange(&exchange, session, frame);
	hxpy_exchange_add_text(&exchange, "text", text);
	hxpy_exchange_add_want(&exchange, hxpy_coltype_create(type_id, -1, true), "");
	if (argument != NULL)
		exchange.columns = list_make1(argument);
	hxpy_exchange_values(&exchange, &value, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	return value;
}

/* Run a codec of the Python package, given by its module and function, on argument 0. */
static Datum
run_codec(FunctionCallInfo fcinfo, const char *codec, Oid from, Oid to)
{
	Column	   *argument = hxpy_column_create(hxpy_coltype_create(from, -1, false), "",
											  CurrentMemoryContext);

	hxpy_column_append(argument, PG_GETARG_DATUM(0), false);
	return run_instruction(fcinfo, hxpy_session_own(), HXPY_FRAME_CODEC, codec, to, argument);
}

/*
 * hs_to_zinc(value): Hayson → Zinc.
 */
Datum
py_to_zinc(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "zinc.dumps", JSONBOID, TEXTOID);
}

/*
 * hs_from_zinc(zinc): Zinc → Hayson.
 */
Datum
py_from_zinc(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "zinc.loads", TEXTOID, JSONBOID);
}

/*
 * hs_to_trio(value): Hayson → Trio.
 */
Datum
py_to_trio(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "trio.dumps", JSONBOID, TEXTOID);
}

/*
 * hs_from_trio(trio): Trio → Hayson.
 */
Datum
py_from_trio(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "trio.loads", TEXTOID, JSONBOID);
}

/*
 * hs_to_v3(value): Hayson → JSON of Haystack 3.
 */
Datum
py_to_v3(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "v3.dumps", JSONBOID, TEXTOID);
}

/*
 * hs_from_v3(json): JSON of Haystack 3 → Hayson.
 */
Datum
py_from_v3(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "v3.loads", TEXTOID, JSONBOID);
}

/*
 * hs_to_csv(grid): a Hayson grid → CSV.
 */
Datum
py_to_csv(PG_FUNCTION_ARGS)
{
	return run_codec(fcinfo, "csv.dumps", JSONBOID, TEXTOID);
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
