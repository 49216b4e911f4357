/*
 * params.c
 *	  Parameters of what Python runs: values of the types that Python gives them, or that a
 *	  plan has.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/params.h"
#include "parser/parse_param.h"

#include "hxpy.h"
#include "move/ask.h"
#include "move/params.h"

/* Make room for parameters, all NULL. */
static void
init_params(QueryParams *params, int count)
{
	params->count = count;
	params->around = NULL;
	params->reads_relations = false;
	params->types = palloc(Max(count, 1) * sizeof(Oid));
	params->values = palloc0(Max(count, 1) * sizeof(Datum));
	params->nulls = palloc(Max(count, 1) * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		params->types[i] = UNKNOWNOID;
		params->nulls[i] = true;
	}
}

/* Read parameters, whose types go by how they travel. */
void
hxpy_params_read(QueryParams *params, const WireColumn *columns, int count)
{
	init_params(params, count);
	for (int i = 0; i < count; i++)
	{
		const WireColumn *column = &columns[i];
		ColumnType *type;

		if (column->count != 1)
			hxpy_ask_raise_invalid();
		if (column->nulls != NULL && column->nulls[0] != 0)
			continue;
		params->types[i] = hxpy_coltype_of_wire(column);
		type = hxpy_coltype_create(params->types[i], -1, true);
		params->values[i] = hxpy_datum_of_column(type, column, &params->nulls[i]);
	}
}

/* Read parameters of known types. */
void
hxpy_params_read_as(QueryParams *params, ColumnType **types, int ntypes,
					const WireColumn *columns, int count)
{
	if (count != ntypes)
		hxpy_ask_raise_invalid();
	init_params(params, count);
	for (int i = 0; i < count; i++)
	{
		if (columns[i].count != 1)
			hxpy_ask_raise_invalid();
		params->types[i] = types[i]->type_id;
		params->values[i] = hxpy_datum_of_column(types[i], &columns[i], &params->nulls[i]);
	}
}

/* Let parsing see the parameters, and transition tables. */
static void
set_up_params(ParseState *pstate, void *arg)
{
	QueryParams *params = arg;

	hxpy_relations_setup(pstate, params->around);
	setup_parse_variable_parameters(pstate, &params->types, &params->count);
}

/*
 * Prepare a query for parameters that were read, whose types it may make more precise, in
 * a level of SPI that can name what is `around`.
 */
SPIPlanPtr
hxpy_params_prepare(QueryParams *params, const char *query, int options)
{
	int			count = params->count;
	SPIPlanPtr	plan = SPI_prepare_params(query, set_up_params, params, options);

	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("could not prepare the query: %s", SPI_result_code_string(SPI_result))));
	if (params->count != count)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("the query has %d parameters, but %d values were given", params->count,
						count)));
	params->reads_relations = hxpy_relations_register(plan, params->around);
	return plan;
}

/* Return the parameters as the executor wants them. */
ParamListInfo
hxpy_params_list(const QueryParams *params)
{
	ParamListInfo list = makeParamList(params->count);

	for (int i = 0; i < params->count; i++)
	{
		list->params[i].value = params->values[i];
		list->params[i].isnull = params->nulls[i];
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = params->types[i];
	}
	return list;
}
