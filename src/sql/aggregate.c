/*
 * aggregate.c
 *	  py_agg: a group's columns through a Python callable.
 *
 * The state of a group is one column an argument, kept in the aggregate's memory
 * context; the final function sends them and gives back what the callable makes
 * of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "hxpy.h"
#include "codec/column.h"
#include "codec/protocol.h"
#include "session/session.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(py_agg_transfn);
PG_FUNCTION_INFO_V1(py_agg_finalfn);

#define FIRST_VALUE		3		/* state, session, func, then values */

/* What a group has gathered. */
typedef struct AggState
{
	char	   *session;
	char	   *function;
	int			ncolumns;
	Column	  **columns;
} AggState;

/* Make the state of a new group. */
static AggState *
create_state(FunctionCallInfo fcinfo, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	AggState   *state = palloc0(sizeof(AggState));

	state->session = hxpy_argument_text(fcinfo, 1, "session");
	state->function = hxpy_argument_text(fcinfo, 2, "function");
	state->ncolumns = PG_NARGS() - FIRST_VALUE;
	state->columns = palloc(state->ncolumns * sizeof(Column *));
	for (int i = 0; i < state->ncolumns; i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, FIRST_VALUE + i);

		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine the type of argument %d", i + 1)));
		state->columns[i] = hxpy_column_create(hxpy_coltype_create(type, -1, false),
											   psprintf("a%d", i), context);
	}
	MemoryContextSwitchTo(old);
	return state;
}

/*
 * Add a row to a group.
 */
Datum
py_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	AggState   *state;
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "py_agg_transfn called in non-aggregate context");
	state = PG_ARGISNULL(0) ? create_state(fcinfo, context) : (AggState *) PG_GETARG_POINTER(0);
	for (int i = 0; i < state->ncolumns; i++)
	{
		values[i] = PG_GETARG_DATUM(FIRST_VALUE + i);
		nulls[i] = PG_ARGISNULL(FIRST_VALUE + i);
	}
	hxpy_column_append_row(state->columns, state->ncolumns, values, nulls,
						   state->columns[0]->count + 1);
	PG_RETURN_POINTER(state);
}

/*
 * Send a group's columns to the callable; the result is its value as jsonb.
 */
Datum
py_agg_finalfn(PG_FUNCTION_ARGS)
{
	AggState   *state;
	PySession  *session;
	Exchange	exchange;
	Datum		value;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (AggState *) PG_GETARG_POINTER(0);
	session = hxpy_session_get(state->session);
	hxpy_session_exchange(&exchange, session, HXPY_FRAME_CALL);
	hxpy_exchange_add_text(&exchange, "func", state->function);
	hxpy_exchange_add_want(&exchange, hxpy_coltype_create(JSONBOID, -1, true), "as");
	for (int i = 0; i < state->ncolumns; i++)
		exchange.columns = lappend(exchange.columns, state->columns[i]);
	hxpy_exchange_values(&exchange, &value, &fcinfo->isnull);
	hxpy_registry_add(session->slot, COUNT_ROWS_IN, state->columns[0]->count);
	return value;
}
