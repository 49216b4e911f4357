/*
 * models.c
 *	  The SQL-callable functions that save and load values of Python: check arguments,
 *	  call, return.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "move/saved.h"

PG_FUNCTION_INFO_V1(py_save);
PG_FUNCTION_INFO_V1(py_save_lo);
PG_FUNCTION_INFO_V1(py_load);
PG_FUNCTION_INFO_V1(py_load_lo);

/*
 * py_save([session,] expr): a value as bytes, for py_load.
 */
Datum
py_save(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	char	   *expression = hxpy_argument_text(fcinfo, PG_NARGS() - 1, "expression");

	PG_RETURN_BYTEA_P(hxpy_saved_value(hxpy_session_get(name), expression));
}

/*
 * py_save_lo([session,] expr): a value as a new large object, for py_load_lo.
 */
Datum
py_save_lo(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	char	   *expression = hxpy_argument_text(fcinfo, PG_NARGS() - 1, "expression");

	PreventCommandIfReadOnly("py_save_lo()");
	PG_RETURN_OID(hxpy_saved_object(hxpy_session_get(name), expression));
}

/*
 * py_load([session,] name, data): set a variable to a value that py_save has saved.
 */
Datum
py_load(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 3;
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *variable = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "name");

	hxpy_argument_require(fcinfo, PG_NARGS() - 1, "data");
	hxpy_saved_load_value(hxpy_session_get(name), variable, PG_GETARG_DATUM(PG_NARGS() - 1));
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_load_lo([session,] name, loid): set a variable to a value that py_save_lo has saved.
 */
Datum
py_load_lo(PG_FUNCTION_ARGS)
{
	bool		has_session = PG_NARGS() == 3;
	char	   *name = hxpy_argument_session(fcinfo, has_session);
	char	   *variable = hxpy_argument_text(fcinfo, has_session ? 1 : 0, "name");

	hxpy_argument_require(fcinfo, PG_NARGS() - 1, "loid");
	hxpy_saved_load_object(hxpy_session_get(name), variable, PG_GETARG_OID(PG_NARGS() - 1));
	PG_RETURN_TEXT_P(cstring_to_text(name));
}
