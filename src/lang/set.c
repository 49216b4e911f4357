/*
 * set.c
 *	  Functions of the language that return sets.
 *
 * In FROM a scan streams the rows (move/scan.c), unless the function manager has to see the
 * call: SECURITY DEFINER, a SET of the function's own.  There, and elsewhere in a query,
 * they go to a tuplestore.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "hxpy.h"
#include "lang/language.h"
#include "lang/set.h"
#include "move/rows.h"

/* Set up the instruction to call a function, whose arguments are filled columns. */
static void
prepare_call(Exchange *exchange, const PyFunction *function, PySession *session, bool is_row,
			 List *arguments)
{
	hxpy_function_exchange(exchange, function, session, HXPY_FRAME_INVOKE_ROWS);
	hxpy_exchange_add_text(exchange, "key", function->key);
	hxpy_exchange_add_text(exchange, "mode", is_row ? "row" : "value");
	exchange->columns = arguments;
}

/* Have the types of a function's rows travel as it wants. */
static void
adapt_rows(RowsReader *reader, const PyFunction *function)
{
	for (int i = 0; i < reader->ncolumns; i++)
		(void) hxpy_function_type(function, reader->types[i]);
}

/* Return a function's rows in a tuplestore. */
void
hxpy_set_return(FunctionCallInfo fcinfo, const PyFunction *function, PySession *session,
				List *arguments)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	tupdesc;
	Oid			type;
	bool		is_row = get_call_result_type(fcinfo, &type, &tupdesc) != TYPEFUNC_SCALAR;
	Exchange	exchange;
	MemoryContext old;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (rsinfo->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record"),
				 errhint("Call it in FROM, with a column definition list.")));
	prepare_call(&exchange, function, session, is_row, arguments);
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setDesc = CreateTupleDescCopy(rsinfo->expectedDesc);
	rsinfo->setResult =
		tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false,
							  work_mem);
	MemoryContextSwitchTo(old);
	adapt_rows(hxpy_rows_create(&exchange, rsinfo->setDesc, rsinfo->setResult), function);
	hxpy_exchange_run(&exchange);
}

/* Return whether a scan can stream the rows of a function. */
static bool
claim(Oid oid)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Form_pg_proc form;
	bool		streams;

	if (!HeapTupleIsValid(row))
		return false;
	form = (Form_pg_proc) GETSTRUCT(row);
	streams = form->proretset && !form->prosecdef &&
		heap_attisnull(row, Anum_pg_proc_proconfig, NULL) && !FmgrHookIsNeeded(oid) &&
		hxpy_language_kind(form->prolang) == LANGUAGE_ROWS;
	ReleaseSysCache(row);
	return streams;
}

/* Return whether a function is not called for NULLs. */
static bool
is_strict(Oid oid)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	bool		strict = HeapTupleIsValid(row) && ((Form_pg_proc) GETSTRUCT(row))->proisstrict;

	if (HeapTupleIsValid(row))
		ReleaseSysCache(row);
	return strict;
}

/* Set up a scan's call of a function; false when there are no rows. */
static bool
prepare_scan(Exchange *exchange, Oid oid, bool is_row, int nargs, const Oid *types,
			 const Datum *values, const bool *nulls)
{
	PyFunction *function = hxpy_function_load(oid);
	bool		strict = is_strict(oid);
	List	   *arguments = NIL;

	for (int i = 0; i < nargs; i++)
	{
		Column	   *column =
		hxpy_column_create(hxpy_function_type(function, hxpy_coltype_create(types[i], -1, false)),
						   "", CurrentMemoryContext);

		if (strict && nulls[i])
			return false;
		hxpy_column_append(column, values[i], nulls[i]);
		arguments = lappend(arguments, column);
	}
	prepare_call(exchange, function, hxpy_function_session(function), is_row, arguments);
	return true;
}

/* Have the types of a scan's rows travel as the function wants. */
static void
adapt_scan(RowsReader *reader, Oid oid)
{
	adapt_rows(reader, hxpy_function_load(oid));
}

const ScanFunctions hxpy_set_functions = {
	.claim = claim,
	.prepare = prepare_scan,
	.adapt = adapt_scan
};
