/*
 * call.c
 *	  Calls of functions of the language.
 *
 * What a call needs (the function, how its arguments and its value travel, columns to
 * fill) is set up once for an expression and kept with it, in fn_extra.  A warm call looks
 * up that the function and the session are what they were, fills the columns and does
 * one exchange.  Its memory is reset before the next one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "guc.h"
#include "lang/function.h"
#include "lang/set.h"
#include "lang/trigger.h"

/* The settings that say how values travel. */
typedef struct CallSettings
{
	const pg_tz *zone;
	int			numeric;
	int			types;
} CallSettings;

/* What an expression's calls have in common; everything lives in `context`. */
typedef struct PyCall
{
	MemoryContext context;
	MemoryContext work;			/* of one call */
	bool		busy;			/* it is being called, or a call has failed */
	CallSettings settings;		/* that were in force */
	PyFunction *function;
	ColumnType *result;			/* NULL for none */
	List	   *wants;			/* the column of the result, or none */
	List	   *arguments;		/* Columns */
} PyCall;

PG_FUNCTION_INFO_V1(hxpy_call_handler);

/* Return the settings that are in force. */
static CallSettings
current_settings(void)
{
	return (CallSettings) {session_timezone, hxpy_numeric, hxpy_types};
}

/* Return whether what was set up for calls still holds. */
static bool
is_valid(const PyCall *call)
{
	return !call->busy && call->settings.zone == session_timezone &&
		call->settings.numeric == hxpy_numeric && call->settings.types == hxpy_types &&
		hxpy_function_is_current(call->function);
}

/* Return the type of an argument, by the expression that calls where it is polymorphic. */
static Oid
argument_type(FunctionCallInfo fcinfo, const PyFunction *function, int argument)
{
	Oid			type = function->types[argument];

	if (!IsPolymorphicType(type))
		return type;
	type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of argument %d", argument + 1)));
	return type;
}

/* Return how a function's value travels. */
static ColumnType *
result_type(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	tupdesc;
	Oid			type;

	switch (get_call_result_type(fcinfo, &type, &tupdesc))
	{
		case TYPEFUNC_COMPOSITE:
			return hxpy_coltype_create_record(tupdesc, true);
		case TYPEFUNC_RECORD:
			if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || rsinfo->expectedDesc == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("function returning record called in context that cannot accept type record"),
						 errhint("Call it in FROM, with a column definition list.")));
			return hxpy_coltype_create_record(rsinfo->expectedDesc, true);
		default:
			return hxpy_coltype_create(type, -1, true);
	}
}

/* Set up an expression's calls, in a memory context of their own. */
static PyCall *
create_call(FunctionCallInfo fcinfo, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "hxpy call", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	PyCall	   *call = palloc0(sizeof(PyCall));

	call->context = context;
	call->work = AllocSetContextCreate(context, "hxpy call's work", ALLOCSET_SMALL_SIZES);
	call->settings = current_settings();
	call->function = hxpy_function_load(fcinfo->flinfo->fn_oid);
	if (call->function->kind >= FUNCTION_TRIGGER)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trigger functions can only be called as triggers")));
	if (call->function->kind == FUNCTION_VALUE)
	{
		call->result = hxpy_function_type(result_type(fcinfo));
		call->wants = list_make1(hxpy_column_create(call->result, "", context));
	}
	for (int i = 0; i < call->function->nargs; i++)
	{
		Oid			type = argument_type(fcinfo, call->function, i);
		ColumnType *travel = hxpy_function_type(hxpy_coltype_create(type, -1, false));

		call->arguments = lappend(call->arguments, hxpy_column_create(travel, "", context));
	}
	MemoryContextSwitchTo(old);
	return call;
}

/* Return what was set up for the calls of an expression, anew where it does not hold. */
static PyCall *
get_call(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	PyCall	   *call = flinfo->fn_extra;

	if (call != NULL && is_valid(call))
		return call;
	/* One that is busy is left alone: a call has come back to its own expression. */
	if (call != NULL && call->busy)
		return create_call(fcinfo, CurrentMemoryContext);
	flinfo->fn_extra = NULL;
	if (call != NULL)
		MemoryContextDelete(call->context);
	call = create_call(fcinfo, flinfo->fn_mcxt);
	flinfo->fn_extra = call;
	return call;
}

/* Fill the columns of the arguments. */
static void
fill_arguments(FunctionCallInfo fcinfo, const PyCall *call)
{
	ListCell   *cell;

	foreach(cell, call->arguments)
	{
		int			i = foreach_current_index(cell);
		Column	   *column = lfirst(cell);

		hxpy_column_reset(column);
		hxpy_column_append(column, PG_GETARG_DATUM(i), PG_ARGISNULL(i));
	}
}

/* Call a function; its value is in the current memory context. */
static Datum
run_call(FunctionCallInfo fcinfo, PyCall *call, bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(call->work);
	PySession  *session = hxpy_function_session(call->function);
	Datum		value = (Datum) 0;
	Exchange	exchange;

	fill_arguments(fcinfo, call);
	if (call->function->kind == FUNCTION_SET)
	{
		hxpy_set_return(fcinfo, call->function, session, call->arguments);
		MemoryContextSwitchTo(old);
		MemoryContextReset(call->work);
		return value;
	}
	hxpy_function_exchange(&exchange, call->function, session, HXPY_FRAME_INVOKE);
	exchange.wants = call->wants;
	exchange.columns = call->arguments;
	if (call->result != NULL)
		hxpy_exchange_values(&exchange, &value, isnull);
	else
	{
		hxpy_exchange_run(&exchange);
		*isnull = false;
	}
	MemoryContextSwitchTo(old);
	if (call->result != NULL && !*isnull)
		value = datumCopy(value, call->result->typbyval, call->result->typlen);
	MemoryContextReset(call->work);
	return value;
}

/*
 * Call a function of the language.
 */
Datum
hxpy_call_handler(PG_FUNCTION_ARGS)
{
	PyCall	   *call;
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context};
	Datum		value = (Datum) 0;

	if (CALLED_AS_TRIGGER(fcinfo))
		return hxpy_trigger_call(fcinfo);
	if (CALLED_AS_EVENT_TRIGGER(fcinfo))
	{
		hxpy_trigger_call_event(fcinfo);
		return value;
	}
	call = get_call(fcinfo);
	callback.arg = call->function;
	call->busy = true;
	error_context_stack = &callback;
	value = run_call(fcinfo, call, &fcinfo->isnull);
	error_context_stack = callback.previous;
	call->busy = false;
	return value;
}
