/*
 * fork.c
 *	  The SQL-callable functions of sessions that are forked from others.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "launch/pool.h"
#include "session/share.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(py_clone);
PG_FUNCTION_INFO_V1(py_share);
PG_FUNCTION_INFO_V1(py_unshare);

/*
 * py_clone([session,] new_name): a session forked into another one.
 */
Datum
py_clone(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 2);
	char	   *new_name = hxpy_argument_text(fcinfo, PG_NARGS() - 1, "new_name");

	(void) hxpy_session_clone(name, new_name);
	PG_RETURN_TEXT_P(cstring_to_text(new_name));
}

/*
 * py_share([session]): a session as the parent of those that the role opens later.
 */
Datum
py_share(PG_FUNCTION_ARGS)
{
	char	   *name = hxpy_argument_session(fcinfo, PG_NARGS() == 1);

	hxpy_share_session(hxpy_session_get(name));
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * py_unshare(): an end of that; false when there was no parent.
 */
Datum
py_unshare(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(hxpy_pool != NULL && hxpy_pool_unshare(GetUserId(), MyDatabaseId));
}
