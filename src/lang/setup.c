/*
 * setup.c
 *	  What calls from one place have in common.
 *
 * What a call needs (the function, how its arguments and its value travel, columns to
 * fill, the bytes that each instruction begins with) is set up once for an expression or
 * a trigger of a query, and kept with it, in fn_extra.  A warm call looks up that the
 * function and the settings are what they were.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "lang/setup.h"

/* Return the settings that are in force. */
TravelSettings
hxpy_setup_settings(void)
{
	return (TravelSettings) {session_timezone, hxpy_numeric, hxpy_types};
}

/* Return whether what was set up for calls of a function still holds. */
bool
hxpy_setup_is_current(const TravelSettings *settings, const PyFunction *function)
{
	return settings->zone == session_timezone && settings->numeric == hxpy_numeric &&
		settings->types == hxpy_types && hxpy_function_is_current(function);
}

/* Return the function of the language that is called. */
PyFunction *
hxpy_setup_load(FunctionCallInfo fcinfo)
{
	return hxpy_function_load(fcinfo->flinfo->fn_oid);
}

/* Set up calls, in a memory context of their own. */
static CallSetup *
create_setup(FunctionCallInfo fcinfo, size_t size, SetupLoad load, SetupComplete complete,
			 MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "hxpy call", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CallSetup  *setup = palloc0(size);

	setup->context = context;
	setup->work = AllocSetContextCreate(context, "hxpy call's work", ALLOCSET_SMALL_SIZES);
	setup->settings = hxpy_setup_settings();
	setup->function = load(fcinfo);
	complete(setup, fcinfo);
	MemoryContextSwitchTo(old);
	return setup;
}

/* Forget what was set up, unless it is busy. */
void
hxpy_setup_forget(FunctionCallInfo fcinfo)
{
	CallSetup  *setup = fcinfo->flinfo->fn_extra;

	if (setup == NULL || setup->busy)
		return;
	fcinfo->flinfo->fn_extra = NULL;
	MemoryContextDelete(setup->context);
}

/* Return what was set up, of this size, anew where it does not hold. */
CallSetup *
hxpy_setup_get(FunctionCallInfo fcinfo, size_t size, SetupLoad load, SetupComplete complete)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	CallSetup  *setup = flinfo->fn_extra;

	/* One that is busy is left alone: a call has come back to its own expression. */
	if (setup != NULL && setup->busy)
		return create_setup(fcinfo, size, load, complete, CurrentMemoryContext);
	if (setup != NULL && hxpy_setup_is_current(&setup->settings, setup->function))
		return setup;
	hxpy_setup_forget(fcinfo);
	setup = create_setup(fcinfo, size, load, complete, flinfo->fn_mcxt);
	flinfo->fn_extra = setup;
	return setup;
}

/* Write what instructions that call a function begin with, its key and columns, in a context. */
void
hxpy_setup_write_head(HeadPrefix *head, const PyFunction *function, List *columns,
					  MemoryContext context)
{
	GatherList	list;
	ListCell   *cell;

	hxpy_gather_init(&list, CurrentMemoryContext);
	hxpy_column_write_text(function->is_callable ? "func" : "key",
						   hxpy_coltype_to_utf8(hxpy_function_key(function)), &list);
	foreach(cell, columns)
		hxpy_column_write(lfirst(cell), &list);
	head->ncolumns = 1 + list_length(columns);
	hxpy_buffer_init(&head->bytes, context);
	hxpy_gather_flatten(&list, &head->bytes);
}
