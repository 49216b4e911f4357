/*
 * aggregate.c
 *	  py_agg: a group's columns through a Python callable.
 *
 * The rows of groups that are gathered at the same time stand in one array, in the order in
 * which they come, each with its group's number: so a row costs no more than to add it
 * there, however many groups there are.  When the first group is finished the rows are
 * brought in the groups' order.
 *
 * The final function has the callable called, by a message a group.  Where a plan node makes
 * the calls, many in a message (batch/groups.c), the aggregate's type in the plan is internal, and
 * the final function hands over the group itself, to be read before the next one is asked for.
 */
#include "postgres.h"

#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "guc.h"
#include "lang/aggregate.h"

#define FIRST_ROWS		64		/* for which there is room */
#define MAX_KEPT_ROWS	65536	/* whose room a next group takes over */

PG_FUNCTION_INFO_V1(py_agg_transfn);
PG_FUNCTION_INFO_V1(py_agg_transfn_default);
PG_FUNCTION_INFO_V1(py_agg_finalfn);

typedef struct Common Common;

/* Rows of the groups that an aggregate gathers at the same time. */
typedef struct GroupRows
{
	Common	   *common;
	MemoryContext home;			/* of the groups: the aggregate's */
	MemoryContext context;		/* of the arrays */
	uint32		ngroups;
	uint32		nrows;
	uint32		capacity;
	Datum	   *values;			/* row by row */
	bool	   *nulls;			/* so */
	uint32	   *numbers;		/* of the rows' groups; NULL where there is one */
	uint32		nordered;		/* rows in `order` */
	uint32	   *order;			/* rows, group by group */
	uint32	   *ends;			/* of the groups in it */
} GroupRows;

/* A value's type. */
typedef struct ValueType
{
	Oid			id;
	int16		length;
	bool		by_value;
} ValueType;

/* What the groups of an aggregate have in common; lives in the query's memory context. */
struct Common
{
	int			ncolumns;
	ValueType  *types;			/* of the values */
	List	   *rows;			/* GroupRows, one for each of the aggregate's contexts */
};

/* A group. */
typedef struct PyGroup
{
	GroupRows  *rows;
	uint32		number;
	char	   *session;
	char	   *function;
} PyGroup;

/* ---------- gathering ---------- */

/* Return what the groups of an aggregate have in common. */
static Common *
get_common(FunctionCallInfo fcinfo, int first)
{
	Common	   *common = fcinfo->flinfo->fn_extra;
	MemoryContext context = fcinfo->flinfo->fn_mcxt;

	if (common != NULL)
		return common;
	common = MemoryContextAllocZero(context, sizeof(Common));
	common->ncolumns = PG_NARGS() - first;
	common->types = MemoryContextAlloc(context, common->ncolumns * sizeof(ValueType));
	for (int i = 0; i < common->ncolumns; i++)
	{
		ValueType  *type = &common->types[i];

		type->id = get_fn_expr_argtype(fcinfo->flinfo, first + i);
		if (!OidIsValid(type->id))
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine the type of argument %d", i + 1)));
		get_typlenbyval(type->id, &type->length, &type->by_value);
	}
	fcinfo->flinfo->fn_extra = common;
	return common;
}

/* Make room for rows. */
static void
make_room(GroupRows *rows, uint32 capacity)
{
	Size		nvalues = (Size) capacity * rows->common->ncolumns;

	if (rows->values == NULL)
	{
		rows->values = MemoryContextAllocHuge(rows->context, nvalues * sizeof(Datum));
		rows->nulls = MemoryContextAllocHuge(rows->context, nvalues);
	}
	else
	{
		rows->values = repalloc_huge(rows->values, nvalues * sizeof(Datum));
		rows->nulls = repalloc_huge(rows->nulls, nvalues);
	}
	if (rows->numbers != NULL)
		rows->numbers = repalloc_huge(rows->numbers, (Size) capacity * sizeof(uint32));
	rows->capacity = capacity;
}

/* Begin to gather. */
static GroupRows *
create_rows(Common *common, MemoryContext home, MemoryContext context)
{
	GroupRows  *rows = MemoryContextAllocZero(context, sizeof(GroupRows));

	rows->common = common;
	rows->home = home;
	rows->context = context;
	make_room(rows, FIRST_ROWS);
	return rows;
}

/* Forget rows. */
static void
forget_rows(GroupRows *rows)
{
	rows->ngroups = rows->nrows = rows->nordered = 0;
	if (rows->capacity > MAX_KEPT_ROWS)
		make_room(rows, MAX_KEPT_ROWS);
}

/* The memory of rows goes. */
static void
rows_go(Datum arg)
{
	GroupRows  *rows = (GroupRows *) DatumGetPointer(arg);

	rows->common->rows = list_delete_ptr(rows->common->rows, rows);
}

/* Return where the rows of a new group go. */
static GroupRows *
choose_rows(FunctionCallInfo fcinfo, Common *common, MemoryContext home)
{
	AggState   *aggregation = (AggState *) fcinfo->context;
	bool		hashes;
	GroupRows  *rows;
	MemoryContext old;
	ListCell   *cell;

	/* A window's frames do not end one after the other. */
	if (!IsA(aggregation, AggState))
		return create_rows(common, home, home);
	hashes = aggregation->curaggcontext == aggregation->hashcontext;
	foreach(cell, common->rows)
	{
		rows = lfirst(cell);
		if (rows->home != home)
			continue;
		/* Sorted groups come one after the other. */
		if (!hashes)
			forget_rows(rows);
		return rows;
	}
	/* What hashed groups take counts where PostgreSQL limits their memory. */
	rows = create_rows(common, home, hashes ? home : fcinfo->flinfo->fn_mcxt);
	if (hashes)
	{
		rows->numbers = MemoryContextAlloc(home, rows->capacity * sizeof(uint32));
		AggRegisterCallback(fcinfo, rows_go, PointerGetDatum(rows));
	}
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	common->rows = lappend(common->rows, rows);
	MemoryContextSwitchTo(old);
	return rows;
}

/* Return a text argument, which must not be NULL. */
static char *
text_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/* Make a new group, whose values are the arguments from one on. */
static PyGroup *
create_group(FunctionCallInfo fcinfo, bool has_session, int first)
{
	MemoryContext context;
	MemoryContext old;
	PyGroup	   *group;
	const Aggref *aggregate = AggGetAggref(fcinfo);

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "py_agg_transfn called in non-aggregate context");
	old = MemoryContextSwitchTo(context);
	group = palloc0(sizeof(PyGroup));
	group->rows = choose_rows(fcinfo, get_common(fcinfo, first), context);
	group->number = group->rows->ngroups++;
	/* A node knows these itself. */
	if (aggregate == NULL || aggregate->aggtype != INTERNALOID)
	{
		group->session = has_session ? text_argument(fcinfo, 1, "session") : hxpy_session_default_name();
		group->function = text_argument(fcinfo, first - 1, "function");
	}
	MemoryContextSwitchTo(old);
	return group;
}

/* Return a copy of a value, in the groups' memory context. */
static Datum
copy_value(const GroupRows *rows, Datum value, int16 length)
{
	MemoryContext old = MemoryContextSwitchTo(rows->home);

	value = length == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(value)) :
		datumCopy(value, false, length);
	MemoryContextSwitchTo(old);
	return value;
}

/* Add a row to a group: the group, perhaps the session, the callable, then the values. */
static Datum
add_row(FunctionCallInfo fcinfo, bool has_session)
{
	int			first = has_session ? 3 : 2;
	PyGroup	   *group = PG_ARGISNULL(0) ? create_group(fcinfo, has_session, first) :
		(PyGroup *) PG_GETARG_POINTER(0);
	GroupRows  *rows = group->rows;
	int			ncolumns = rows->common->ncolumns;
	Datum	   *values;
	bool	   *nulls;

	if (rows->nrows == rows->capacity)
	{
		if (rows->capacity > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the groups of py_agg have more than %d rows", PG_INT32_MAX / 2)));
		make_room(rows, rows->capacity * 2);
	}
	values = rows->values + (Size) rows->nrows * ncolumns;
	nulls = rows->nulls + (Size) rows->nrows * ncolumns;
	for (int i = 0; i < ncolumns; i++)
	{
		const ValueType *type = &rows->common->types[i];

		values[i] = PG_GETARG_DATUM(first + i);
		nulls[i] = PG_ARGISNULL(first + i);
		if (!type->by_value && !nulls[i])
			values[i] = copy_value(rows, values[i], type->length);
	}
	if (rows->numbers != NULL)
		rows->numbers[rows->nrows] = group->number;
	rows->nrows++;
	PG_RETURN_POINTER(group);
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

/* ---------- groups ---------- */

/* Bring the rows in the order of their groups, in which each group's keep theirs. */
static void
order_rows(GroupRows *rows)
{
	uint32	   *ends;
	uint32		sum = 0;

	if (rows->order != NULL)
	{
		pfree(rows->order);
		pfree(rows->ends);
	}
	rows->order = MemoryContextAllocHuge(rows->context, (Size) rows->nrows * sizeof(uint32));
	rows->ends = ends = MemoryContextAllocHuge(rows->context,
											   ((Size) rows->ngroups + 1) * sizeof(uint32));
	memset(ends, 0, ((Size) rows->ngroups + 1) * sizeof(uint32));
	for (uint32 i = 0; i < rows->nrows; i++)
		ends[rows->numbers[i] + 1]++;
	for (uint32 i = 1; i <= rows->ngroups; i++)
		ends[i] = sum += ends[i];
	/* What is now a group's begin becomes its end. */
	for (uint32 i = 0; i < rows->nrows; i++)
		rows->order[ends[rows->numbers[i]]++] = i;
	rows->nordered = rows->nrows;
}

/* Append the values of a group to columns, one for each argument. */
static uint32
append_group(Column **columns, const PyGroup *group)
{
	GroupRows  *rows = group->rows;
	int			ncolumns = rows->common->ncolumns;
	uint32		begin = 0;
	uint32		end = rows->nrows;

	if (rows->numbers != NULL)
	{
		if (rows->nordered != rows->nrows)
			order_rows(rows);
		begin = group->number > 0 ? rows->ends[group->number - 1] : 0;
		end = rows->ends[group->number];
	}
	for (uint32 i = begin; i < end; i++)
	{
		Size		row = (Size) (rows->numbers != NULL ? rows->order[i] : i) * ncolumns;

		hxpy_column_append_row(columns, ncolumns, rows->values + row, rows->nulls + row,
							   i - begin + 1);
	}
	return end - begin;
}

/* Append a group as one value: a list of records, with a field for each argument. */
static void
append_list(Column *column, Datum value, bool isnull)
{
	Column	   *items = hxpy_column_begin_list(column, isnull);

	if (!isnull)
		items->count += append_group(items->children, (const PyGroup *) DatumGetPointer(value));
}

/* Return how an argument travels, by its number. */
static ColumnType *
argument_type(Oid type, int number)
{
	ColumnType *travel = hxpy_coltype_create(type, -1, false);

	travel->name = psprintf("a%d", number);
	return travel;
}

/*
 * Return the final function of an aggregate that is py_agg, and what its first arguments are;
 * InvalidOid of another one.
 */
Oid
hxpy_aggregate_function(const Aggref *aggregate, CallableArguments *arguments)
{
	HeapTuple	row;
	Form_pg_aggregate form;
	FmgrInfo	transition;
	FmgrInfo	final = {.fn_oid = InvalidOid};

	if (aggregate->aggtranstype != INTERNALOID || aggregate->aggkind != AGGKIND_NORMAL)
		return InvalidOid;
	row = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate->aggfnoid));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for aggregate %u", aggregate->aggfnoid);
	form = (Form_pg_aggregate) GETSTRUCT(row);
	fmgr_info(form->aggtransfn, &transition);
	if (OidIsValid(form->aggfinalfn))
		fmgr_info(form->aggfinalfn, &final);
	ReleaseSysCache(row);
	if (!OidIsValid(final.fn_oid) || final.fn_addr != py_agg_finalfn)
		return InvalidOid;
	*arguments = (CallableArguments) {.is_group = true};
	arguments->has_session = transition.fn_addr == py_agg_transfn;
	arguments->nfixed = arguments->has_session ? 2 : 1;
	return final.fn_oid;
}

/* Make a column whose values are groups of an aggregate that is py_agg. */
Column *
hxpy_aggregate_column(const Aggref *aggregate, MemoryContext context)
{
	CallableArguments arguments;
	ColumnType **fields = palloc(list_length(aggregate->args) * sizeof(ColumnType *));
	int			nfields = 0;
	Column	   *column;
	ListCell   *cell;

	(void) hxpy_aggregate_function(aggregate, &arguments);
	for_each_from(cell, aggregate->args, arguments.nfixed)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		/* Others are there to sort by. */
		if (entry->resjunk)
			break;
		fields[nfields] = argument_type(exprType((Node *) entry->expr), nfields);
		nfields++;
	}
	column = hxpy_column_create(hxpy_coltype_create_list(nfields, fields), "", context);
	column->append = append_list;
	return column;
}

/* ---------- calling ---------- */

/*
 * Have the callable called for a group; its value is made in the current memory context, which
 * is that of one call.
 */
static Datum
call_group(PyGroup *group, bool *isnull)
{
	const Common *common = group->rows->common;
	PySession  *session = hxpy_session_get(group->session);
	Column	  **columns = palloc(common->ncolumns * sizeof(Column *));
	ColumnType *type = hxpy_coltype_create(JSONBOID, -1, true);
	Exchange	exchange;
	Datum		value;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_CALL);
	hxpy_exchange_add_text(&exchange, "func", group->function);
	hxpy_exchange_add_want(&exchange, type, "as");
	for (int i = 0; i < common->ncolumns; i++)
	{
		ColumnType *travel = argument_type(common->types[i].id, i);

		columns[i] = hxpy_column_create(travel, travel->name, CurrentMemoryContext);
		exchange.columns = lappend(exchange.columns, columns[i]);
	}
	hxpy_registry_add(session->slot, COUNT_ROWS_IN, append_group(columns, group));
	hxpy_exchange_values(&exchange, &value, isnull);
	return value;
}

/*
 * Return the value that the callable has made of a group, as jsonb; or the group.
 */
Datum
py_agg_finalfn(PG_FUNCTION_ARGS)
{
	const Aggref *aggregate = AggGetAggref(fcinfo);
	MemoryContext context;
	MemoryContext old;
	Datum		value;
	bool		isnull;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "py_agg_finalfn called in non-aggregate context");
	if (aggregate != NULL && aggregate->aggtype == INTERNALOID)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	context = AllocSetContextCreate(CurrentMemoryContext, "hxpy group", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	value = call_group((PyGroup *) PG_GETARG_POINTER(0), &isnull);
	MemoryContextSwitchTo(old);
	if (!isnull)
		value = datumCopy(value, false, -1);
	MemoryContextDelete(context);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(value);
}
