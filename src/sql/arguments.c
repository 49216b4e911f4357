/*
 * arguments.c
 *	  Arguments of the SQL-callable functions.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "hxpy.h"
#include "guc.h"
#include "session/session.h"
#include "sql/arguments.h"

/* Return a text argument, NULL for NULL. */
char *
hxpy_argument_optional(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/* Raise an error when an argument is NULL. */
void
hxpy_argument_require(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* Return a text argument that must not be NULL. */
char *
hxpy_argument_text(FunctionCallInfo fcinfo, int argument, const char *name)
{
	hxpy_argument_require(fcinfo, argument, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/* Return a flag, which NULL leaves off. */
bool
hxpy_argument_flag(FunctionCallInfo fcinfo, int argument)
{
	return !PG_ARGISNULL(argument) && PG_GETARG_BOOL(argument);
}

/* Return the session's name: argument 0, or that of the setting where it was left out. */
char *
hxpy_argument_session(FunctionCallInfo fcinfo, bool given)
{
	return given ? hxpy_argument_text(fcinfo, 0, "session") : hxpy_session_default_name();
}

/* Return a grid's meta as JSON, that of an empty object for NULL. */
const char *
hxpy_argument_meta(FunctionCallInfo fcinfo, int argument)
{
	Jsonb	   *jsonb;

	if (PG_ARGISNULL(argument))
		return "{}";
	jsonb = PG_GETARG_JSONB_P(argument);
	if (!JB_ROOT_IS_OBJECT(jsonb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a grid's meta must be a JSON object"),
				 errhint("For example {\"cols\": {\"temp\": {\"unit\": \"°F\"}}}.")));
	return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
}
