/*
 * validate.c
 *	  The language's validator, and its handler of DO.
 */
#include "postgres.h"

#include "access/xact.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "guc.h"
#include "lang/function.h"

PG_FUNCTION_INFO_V1(hxpy_validator);
PG_FUNCTION_INFO_V1(hxpy_inline_handler);
PG_FUNCTION_INFO_V1(hxpy_transform);

/*
 * Have a worker compile a function.  That none can be reached is no error: a dump can be
 * restored where no engine answers.
 */
static void
check_function(const PyFunction *function)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		hxpy_function_check(function);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION)
			ReThrowError(error);
		ereport(DEBUG1,
				(errmsg("function \"%s\" was not compiled: %s", function->name, error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/*
 * Tell who creates a function that is called for each row by itself how it need not be.  One
 * that runs SQL, as its source seems to, may have to be; one without arguments is about no row.
 */
static void
advise(const PyFunction *function)
{
	const char *source;

	if (function->kind != FUNCTION_VALUE || function->is_procedure || function->nargs == 0 ||
		function->read_only || !hxpy_batching || hxpy_batch_volatile)
		return;
	source = hxpy_function_source(function);
	if (strstr(source, "plpy") == NULL && strstr(source, "hxpy") == NULL)
		ereport(NOTICE,
				(errmsg("function \"%s\" is VOLATILE, so that a query calls it for each row by itself",
						function->name),
				 errhint("Declare it IMMUTABLE or STABLE if it is: then queries call it for many rows at once. hxpy.batch_volatile has VOLATILE ones called so, too.")));
}

/*
 * Check a function that is being created.
 */
Datum
hxpy_validator(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	PyFunction *function;

	if (!CheckFunctionValidatorAccess(fcinfo->flinfo->fn_oid, oid))
		PG_RETURN_VOID();
	function = hxpy_function_load(oid);
	if (check_function_bodies)
	{
		check_function(function);
		advise(function);
	}
	PG_RETURN_VOID();
}

/*
 * Stand in CREATE TRANSFORM for what is done where values become columns: a value goes to
 * the language as it is.
 */
Datum
hxpy_transform(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Name a DO in an error's context. */
static void
do_context(void *arg)
{
	errcontext("hxpy anonymous code block");
}

/*
 * Run a DO.
 */
Datum
hxpy_inline_handler(PG_FUNCTION_ARGS)
{
	InlineCodeBlock *block = (InlineCodeBlock *) PG_GETARG_POINTER(0);
	ErrorContextCallback callback = {error_context_stack, do_context, NULL};

	error_context_stack = &callback;
	hxpy_function_do(block->source_text, !block->atomic);
	error_context_stack = callback.previous;
	PG_RETURN_VOID();
}
