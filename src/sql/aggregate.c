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
#include "guc.h"
#include "session/session.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(py_agg_transfn);
PG_FUNCTION_INFO_V1(py_agg_transfn_default);
PG_FUNCTION_INFO_V1(py_agg_finalfn);

/* What a group has gathered. */
typedef struct AggState
{
	char	   *session;
	char	   *function;
	int			ncolumns;
	Column	  **columns;
} AggState;

/* Make the state of a new group, whose values are the arguments from one on. */
static AggState *
create_state(FunctionCallInfo fcinfo, MemoryContext context, const char *session, int first)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	AggState   *state = palloc0(sizeof(AggState));

	state->session = pstrdup(session);
	state->function = hxpy_argument_text(fcinfo, first - 1, "function");
	state->ncolumns = PG_NARGS() - first;
	state->columns = palloc(state->ncolumns * sizeof(Column *));
	for (int i = 0; i < state->ncolumns; i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, first + i);

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

/* Add a row to a group: the state, perhaps the session, the callable, then the values. */
static Datum
add_row(FunctionCallInfo fcinfo, bool has_session)
{
	int			first = has_session ? 3 : 2;
	MemoryContext context;
	AggState   *state;
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "py_agg_transfn called in non-aggregate context");
	if (PG_ARGISNULL(0))
		state = create_state(fcinfo, context, has_session ?
							 hxpy_argument_text(fcinfo, 1, "session") : hxpy_session, first);
	else
		state = (AggState *) PG_GETARG_POINTER(0);
	for (int i = 0; i < state->ncolumns; i++)
	{
		values[i] = PG_GETARG_DATUM(first + i);
		nulls[i] = PG_ARGISNULL(first + i);
	}
	hxpy_column_append_row(state->columns, state->ncolumns, values, nulls,
						   state->columns[0]->count + 1);
	PG_RETURN_POINTER(state);
}

/*
 * Add a row to a group of py_agg(session, func, values).
 */
Datum
py_agg_transfn(PG_FUNCTION_ARGS)
{
	return add_row(fcinfo, true);
}

/*
 * Add a row to a group of py_agg(func, values).
 */
Datum
py_agg_transfn_default(PG_FUNCTION_ARGS)
{
	return add_row(fcinfo, false);
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
