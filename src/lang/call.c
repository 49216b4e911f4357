/*
 * call.c
 *	  Calls of functions of the language, and of callables.
 *
 * A warm call, whose setup (setup.c) and session are what they were, fills the columns of
 * the arguments and does one exchange.  Its memory is reset before the next one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "lang/call.h"
#include "lang/language.h"
#include "lang/set.h"
#include "lang/trigger.h"

/* What an expression's calls have in common. */
typedef struct PyCall
{
	CallSetup	setup;			/* must be first */
	ColumnType *result;			/* NULL for none */
	List	   *wants;			/* the column of the result, or none */
	List	   *arguments;		/* Columns */
	bool		spreads;		/* the arguments stand in an array, VARIADIC */
	HeadPrefix	head;			/* of an instruction, up to the arguments */
} PyCall;

PG_FUNCTION_INFO_V1(hxpy_call_handler);

/* Return the type of an argument, by the expression that calls where it is polymorphic. */
static Oid
argument_type(FunctionCallInfo fcinfo, const PyFunction *function, int argument)
{
	Oid			type = function->types[argument];

	if (IsPolymorphicType(type))
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

/* Set up an expression's calls. */
static void
complete_call(CallSetup *setup, FunctionCallInfo fcinfo)
{
	PyCall	   *call = (PyCall *) setup;
	const PyFunction *function = setup->function;

	if (function->kind >= FUNCTION_TRIGGER)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("trigger functions can only be called as triggers")));
	if (function->kind == FUNCTION_VALUE)
	{
		call->result = hxpy_function_type(function, result_type(fcinfo));
		call->wants = list_make1(hxpy_column_create(call->result, "", setup->context));
	}
	call->spreads = function->is_callable && get_fn_expr_variadic(fcinfo->flinfo);
	for (int i = 0; i < function->nargs && !call->spreads; i++)
	{
		Oid			type = argument_type(fcinfo, function, i);
		ColumnType *travel = hxpy_function_type(function,
												hxpy_coltype_create(type, -1, false));

		call->arguments = lappend(call->arguments, hxpy_column_create(travel, "", setup->context));
	}
	hxpy_setup_write_head(&call->head, function, call->wants, setup->context);
}

/* Return the elements of an array that is an argument as columns; there are none in NULL. */
static List *
spread_array(FunctionCallInfo fcinfo, int argument)
{
	List	   *columns = NIL;
	ArrayType  *array;
	int16		length;
	bool		by_value;
	char		alignment;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(argument))
		return NIL;
	array = PG_GETARG_ARRAYTYPE_P(argument);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &values, &nulls,
					  &count);
	if (count > FUNC_MAX_ARGS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_ARGUMENTS),
				 errmsg("cannot pass more than %d arguments", FUNC_MAX_ARGS)));
	for (int i = 0; i < count; i++)
	{
		ColumnType *type = hxpy_coltype_create(ARR_ELEMTYPE(array), -1, false);
		Column	   *column = hxpy_column_create(type, "", CurrentMemoryContext);

		hxpy_column_append(column, values[i], nulls[i]);
		columns = lappend(columns, column);
	}
	return columns;
}

/* Fill the columns of the arguments; returns all of them. */
static List *
fill_arguments(FunctionCallInfo fcinfo, const PyCall *call)
{
	int			first = call->setup.function->first;
	ListCell   *cell;

	foreach(cell, call->arguments)
	{
		int			i = first + foreach_current_index(cell);
		Column	   *column = lfirst(cell);

		hxpy_column_reset(column);
		hxpy_column_append(column, PG_GETARG_DATUM(i), PG_ARGISNULL(i));
	}
	return call->spreads ? spread_array(fcinfo, first) : call->arguments;
}

/* Return whether a procedure is called so that it may end the transaction. */
static bool
is_nonatomic(FunctionCallInfo fcinfo)
{
	return fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!((CallContext *) fcinfo->context)->atomic;
}

/* Call a function; its value is in the current memory context. */
static Datum
run_call(FunctionCallInfo fcinfo, PyCall *call, bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(call->setup.work);
	const PyFunction *function = call->setup.function;
	PySession  *session = hxpy_function_session(function);
	Datum		value = (Datum) 0;
	List	   *arguments = fill_arguments(fcinfo, call);
	Exchange	exchange;

	*isnull = false;
	if (function->kind == FUNCTION_SET)
		hxpy_set_return(fcinfo, function, session, arguments);
	else
	{
		hxpy_function_exchange(&exchange, function, session, HXPY_FRAME_INVOKE);
		exchange.prefix = &call->head;
		exchange.wants = call->wants;
		exchange.columns = arguments;
		exchange.nonatomic = is_nonatomic(fcinfo);
		if (call->result != NULL)
			hxpy_exchange_values(&exchange, &value, isnull);
		else
			hxpy_exchange_run(&exchange);
	}
	MemoryContextSwitchTo(old);
	if (call->result != NULL && !*isnull)
		value = datumCopy(value, call->result->typbyval, call->result->typlen);
	MemoryContextReset(call->setup.work);
	return value;
}

/* Call a function, which `load` gives where nothing is set up yet. */
Datum
hxpy_call_function(FunctionCallInfo fcinfo, SetupLoad load)
{
	PyCall	   *call = (PyCall *) hxpy_setup_get(fcinfo, sizeof(PyCall), load, complete_call);
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context,
	call->setup.function};
	Datum		value;

	call->setup.busy = true;
	error_context_stack = &callback;
	value = run_call(fcinfo, call, &fcinfo->isnull);
	error_context_stack = callback.previous;
	call->setup.busy = false;
	return value;
}

/*
 * Call a function of the language.
 */
Datum
hxpy_call_handler(PG_FUNCTION_ARGS)
{
	if (CALLED_AS_TRIGGER(fcinfo))
		return hxpy_trigger_call(fcinfo);
	if (CALLED_AS_EVENT_TRIGGER(fcinfo))
	{
		hxpy_trigger_call_event(fcinfo);
		return (Datum) 0;
	}
	return hxpy_call_function(fcinfo, hxpy_setup_load);
}
