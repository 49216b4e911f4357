/*
 * tables.c
 *	  The SQL-callable functions that move tables: check arguments, call, return.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "move/into.h"
#include "move/query.h"
#include "move/rows.h"
#include "codec/protocol.h"

PG_FUNCTION_INFO_V1(py_define_grid);
PG_FUNCTION_INFO_V1(py_define_matrix);
PG_FUNCTION_INFO_V1(py_eval_grid);
PG_FUNCTION_INFO_V1(py_eval_grid_as);
PG_FUNCTION_INFO_V1(py_eval_rows);
PG_FUNCTION_INFO_V1(py_eval_into);
PG_FUNCTION_INFO_V1(py_apply);

/* Define a variable from a query's rows; the session comes first, if it is given. */
static Datum
define_from_query(FunctionCallInfo fcinfo, bool has_session, const char *kind, const char *meta)
{
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *variable = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "name");
	char	   *query = hxpy_argument_text(fcinfo, has_session ? 2 : 1, "query");

	hxpy_query_define(hxpy_session_get(name), variable, kind, meta, query);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_define_grid([session,] name, query, meta): a query's rows → Grid.
 */
Datum
py_define_grid(PG_FUNCTION_ARGS)
{
	return define_from_query(fcinfo, PG_NARGS() == 4, "grid",
							 hxpy_argument_meta(fcinfo, PG_NARGS() - 1));
}

/*
 * py_define_matrix([session,] name, query): a query's numbers → 2-D ndarray.
 */
Datum
py_define_matrix(PG_FUNCTION_ARGS)
{
	return define_from_query(fcinfo, PG_NARGS() == 3, "matrix", "{}");
}

/*
 * Return the columns that a call's result must have: those of the row type of
 * an argument (`NULL::rowtype`), or of the column list after the call.
 */
static TupleDesc
result_columns(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			type;
	TupleDesc	tupdesc;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set"),
				 errhint("Call it in FROM.")));
	switch (get_call_result_type(fcinfo, &type, &tupdesc))
	{
		case TYPEFUNC_COMPOSITE:
		case TYPEFUNC_COMPOSITE_DOMAIN:
			return CreateTupleDescCopy(tupdesc);
		case TYPEFUNC_SCALAR:
			tupdesc = CreateTemplateTupleDesc(1);
			TupleDescInitEntry(tupdesc, 1, "value", type, -1, 0);
			return tupdesc;
		default:
			if (rsinfo->expectedDesc != NULL)
				return CreateTupleDescCopy(rsinfo->expectedDesc);
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the columns of the result are not known"),
					 errhint("Call it in FROM with a column list, which py_columns writes: AS t(a int, b text), or give a row type: NULL::my_type. py_eval_rows and py_eval_into need neither.")));
	}
}

/* Have the rows of an exchange returned in a tuplestore. */
static void
return_rows(FunctionCallInfo fcinfo, Exchange *exchange)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	tupdesc = result_columns(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);

	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setDesc = CreateTupleDescCopy(tupdesc);
	rsinfo->setResult =
		tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false,
							  work_mem);
	MemoryContextSwitchTo(old);
	(void) hxpy_rows_create(exchange, tupdesc, rsinfo->setResult);
}

/* Evaluate an expression to rows; the session comes first, if it is given. */
static Datum
eval_rows(FunctionCallInfo fcinfo, bool has_session, const char *mode)
{
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *expression = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "expression");
	Exchange	exchange;

	hxpy_session_exchange(&exchange, hxpy_session_get(name), HXPY_FRAME_EVAL_GRID);
	hxpy_exchange_add_text(&exchange, "expr", expression);
	hxpy_exchange_add_text(&exchange, "mode", mode);
	return_rows(fcinfo, &exchange);
	hxpy_exchange_run(&exchange);
	return (Datum) 0;
}

/*
 * py_eval_grid([session,] expr), py_eval_grid(session, expr, NULL::rowtype): a table
 * value → rows.
 */
Datum
py_eval_grid(PG_FUNCTION_ARGS)
{
	return eval_rows(fcinfo, PG_NARGS() >= 2, "table");
}

/*
 * py_eval_grid(expr, NULL::rowtype): a table value → rows.
 */
Datum
py_eval_grid_as(PG_FUNCTION_ARGS)
{
	return eval_rows(fcinfo, false, "table");
}

/*
 * py_eval_rows([session,] expr): a table value → one Hayson dict a row.
 */
Datum
py_eval_rows(PG_FUNCTION_ARGS)
{
	return eval_rows(fcinfo, PG_NARGS() == 2, "rows");
}

/*
 * py_eval_into([session,] expr, table, if_exists): a table value → a table; returns
 * the number of rows.
 */
Datum
py_eval_into(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 4;
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *expression = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "expression");
	char	   *table = hxpy_argument_text(fcinfo, has_session ? 2 : 1, "table");
	char	   *if_exists;

	hxpy_argument_require(fcinfo, PG_NARGS() - 1, "if_exists");
	/* As a text, if_exists could be taken for the table after a session. */
	if_exists = has_session ? text_to_cstring(PG_GETARG_TEXT_PP(3)) : NameStr(*PG_GETARG_NAME(2));
	PG_RETURN_INT64(hxpy_into_run(hxpy_session_get(name), expression, table, if_exists));
}

/*
 * py_apply([session,] func, query[, arrays, by, whole, workers, ordered]): a query's rows, in batches, in
 * groups or as a whole, through a Python callable; what it returns as rows.
 */
Datum
py_apply(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 8;
	int			first = has_session ? 1 : 0;
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	ApplyRequest request = {
		.function = hxpy_argument_text(fcinfo, first, "function"),
		.query = hxpy_argument_text(fcinfo, first + 1, "query"),
		.arrays = hxpy_argument_flag(fcinfo, first + 2),
		.by = hxpy_query_names(PG_GETARG_DATUM(first + 3), PG_ARGISNULL(first + 3),
							   get_fn_expr_argtype(fcinfo->flinfo, first + 3)),
		.whole = hxpy_argument_flag(fcinfo, first + 4),
		.ordered = hxpy_argument_flag(fcinfo, first + 6)
	};
	Exchange	exchange;

	hxpy_query_set_workers(&request, PG_GETARG_DATUM(first + 5), PG_ARGISNULL(first + 5));
	hxpy_session_exchange(&exchange, hxpy_session_get(name), HXPY_FRAME_APPLY);
	return_rows(fcinfo, &exchange);
	(void) hxpy_query_apply(&exchange, &request);
	hxpy_exchange_run(&exchange);
	return (Datum) 0;
}
