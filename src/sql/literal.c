/*
 * literal.c
 *	  Literals without a type as arguments of hs_ref, hs_uri and hs_symbol.
 *
 * These names are domains as well, and the parser takes name('literal') for a
 * cast unless there is a function whose argument has exactly the type unknown.
 * Only functions in C may have it.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "hxpy.h"

PG_FUNCTION_INFO_V1(py_literal);

/*
 * Return what the function of the same name and schema makes of the literal as
 * varchar.
 */
Datum
py_literal(PG_FUNCTION_ARGS)
{
	Oid			self = fcinfo->flinfo->fn_oid;
	Oid			argument = VARCHAROID;
	char	   *schema = get_namespace_name(get_func_namespace(self));
	List	   *name = list_make2(makeString(schema), makeString(get_func_name(self)));
	Oid			function = LookupFuncName(name, 1, &argument, false);

	PG_RETURN_DATUM(OidFunctionCall1Coll(function, DEFAULT_COLLATION_OID,
										 CStringGetTextDatum(PG_GETARG_CSTRING(0))));
}
