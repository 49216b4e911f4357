/*
 * callable.c
 *	  Callables of sessions, and which calls in a query are about them: py_call's.
 *
 * A callable is what an expression gives in a session, most often the name of a function
 * that py_exec has defined.  The worker evaluates it for each request, so that a new
 * definition counts at once.  Calls are made as those of functions of the language are
 * (call.c, and batches), with the arguments that follow those that say which callable it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "lang/call.h"
#include "lang/callable.h"

PG_FUNCTION_INFO_V1(py_call);
PG_FUNCTION_INFO_V1(py_call_default);

#define CALL_NAME	"py_call"

/* Return what the arguments of a py_call are. */
static CallableArguments
arguments_of(bool has_session, int nargs)
{
	CallableArguments arguments = {.has_session = has_session};

	arguments.has_type = nargs > 1 + has_session;
	arguments.nfixed = 1 + has_session + arguments.has_type;
	return arguments;
}

/* Return whether a function is py_call, and what its so many arguments are. */
bool
hxpy_callable_arguments(Oid function, int nargs, CallableArguments *arguments)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		is_call;
	FmgrInfo	info;

	if (!HeapTupleIsValid(row))
		return false;
	form = (Form_pg_proc) GETSTRUCT(row);
	is_call = form->prolang == ClanguageId && strcmp(NameStr(form->proname), CALL_NAME) == 0;
	ReleaseSysCache(row);
	if (!is_call)
		return false;
	fmgr_info(function, &info);
	*arguments = arguments_of(info.fn_addr == py_call, nargs);
	return info.fn_addr == py_call || info.fn_addr == py_call_default;
}

/* Raise the error for a session or a callable that is NULL. */
pg_noreturn static void
raise_null(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", name),
			 hint == NULL ? 0 : errhint("%s", hint)));
}

/* Describe a callable, by the fixed arguments of a py_call, in the current memory context. */
PyFunction *
hxpy_callable_create(Oid oid, const CallableArguments *arguments, const Datum *values,
					 const bool *nulls)
{
	PyFunction *function = palloc0(sizeof(PyFunction));
	int			func = arguments->has_session ? 1 : 0;

	function->oid = oid;
	function->kind = FUNCTION_VALUE;
	function->is_callable = true;
	if (arguments->has_session && nulls[0])
		raise_null("session", NULL);
	if (nulls[func])
		raise_null("function", !arguments->has_session || arguments->is_group ? NULL :
				   "For a result of type text the session must be named: py_call('session', 'func', NULL::text, 1, 2).");
	if (arguments->has_session)
		function->session = TextDatumGetCString(values[0]);
	function->name = TextDatumGetCString(values[func]);
	function->first = arguments->nfixed;
	/* What was meant as the first argument is here. */
	if (arguments->has_type && !nulls[func + 1])
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the type of the result must be given as NULL"),
				 errhint("Arguments follow it, as in py_call('session', 'func', NULL::float8, 1, 2), or NULL::jsonb.")));
	return function;
}

/* Return the callable that a py_call is about. */
static PyFunction *
load_callable(FunctionCallInfo fcinfo)
{
	CallableArguments arguments = arguments_of(fcinfo->flinfo->fn_addr == py_call, PG_NARGS());
	Datum		values[HXPY_MAX_FIXED];
	bool		nulls[HXPY_MAX_FIXED];
	PyFunction *function;

	for (int i = 0; i < arguments.nfixed; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i);
	}
	function = hxpy_callable_create(fcinfo->flinfo->fn_oid, &arguments, values, nulls);
	function->nargs = PG_NARGS() - function->first;
	function->types = palloc(Max(function->nargs, 1) * sizeof(Oid));
	for (int i = 0; i < function->nargs; i++)
		function->types[i] = get_fn_expr_argtype(fcinfo->flinfo, function->first + i);
	return function;
}

/* Return whether an argument is this text. */
static bool
is_text(FunctionCallInfo fcinfo, int argument, const char *expected)
{
	text	   *value;

	if (PG_ARGISNULL(argument))
		return false;
	value = PG_GETARG_TEXT_PP(argument);
	return VARSIZE_ANY_EXHDR(value) == strlen(expected) &&
		memcmp(VARDATA_ANY(value), expected, strlen(expected)) == 0;
}

/* Return whether a py_call is about a callable. */
static bool
is_about(FunctionCallInfo fcinfo, const PyFunction *function)
{
	int			func = function->session != NULL ? 1 : 0;

	return (function->session == NULL || is_text(fcinfo, 0, function->session)) &&
		is_text(fcinfo, func, function->name) &&
		(function->first == func + 1 || PG_ARGISNULL(func + 1));
}

/* Call a callable. */
static Datum
call_callable(FunctionCallInfo fcinfo)
{
	const CallSetup *setup = fcinfo->flinfo->fn_extra;

	/* Another row may have another one. */
	if (setup != NULL && !is_about(fcinfo, setup->function))
		hxpy_setup_forget(fcinfo);
	return hxpy_call_function(fcinfo, load_callable);
}

/*
 * py_call(session, func, [, "as" [, arguments]]) → jsonb, or the type of `as`.
 */
Datum
py_call(PG_FUNCTION_ARGS)
{
	return call_callable(fcinfo);
}

/*
 * py_call(func [, "as" [, arguments]]): the same in the session of hxpy.session.
 */
Datum
py_call_default(PG_FUNCTION_ARGS)
{
	return call_callable(fcinfo);
}
