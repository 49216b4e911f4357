/*
 * aggregate.c
 *	  py_agg: a group's columns through a Python callable.
 *
 * The state of a group is one column an argument, kept in the aggregate's memory
 * context; the final function sends them and gives back what the callable makes
 * of them.
 *
 * PostgreSQL finishes groups one by one.  Where it hashes, all of them are complete when the
 * first is finished: then many travel in one message, and values wait until their group is
 * finished.  It begins with few groups, since whoever asks may stop.  An error of the callable
 * waits for its group, too.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/column.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "guc.h"
#include "session/error.h"
#include "session/session.h"
#include "sql/arguments.h"

#define FIRST_GROUPS	16		/* in a message */
#define GROWTH			4
#define MAX_BYTES		(16 * 1024 * 1024)	/* in a message, after which no more groups come */
#define FIRST_BYTES		64		/* of a column of a group among many */

PG_FUNCTION_INFO_V1(py_agg_transfn);
PG_FUNCTION_INFO_V1(py_agg_transfn_default);
PG_FUNCTION_INFO_V1(py_agg_finalfn);

/* Complete groups of a hashed aggregation; lives as long as they do. */
typedef struct GroupList
{
	dlist_head	waiting;		/* for their values; the oldest comes first */
	uint64		wanted;			/* groups in the next message */
} GroupList;

/* What the groups of an aggregate have in common; lives in the query's memory context. */
typedef struct Common
{
	ColumnType **types;			/* of the values */
	const char **names;			/* of these in errors */
	bool		anonymous;		/* a type may differ between groups */
	GroupList  *list;			/* NULL while there is none */
} Common;

/* A group, and what it has gathered. */
typedef struct PyGroup
{
	char	   *session;
	char	   *function;
	int			ncolumns;
	Column	  **columns;		/* without memory when the value is there */
	GroupList  *list;			/* NULL for a group of its own */
	dlist_node	node;			/* in list->waiting */
	bool		has_value;
	bool		isnull;
	Datum		value;
	char	   *error;			/* ERROR frame that is there in place of the value, or NULL */
	size_t		error_length;
	ErrorData  *failure;		/* of SQL that Python has run, or NULL */
	uint32		failures;
} PyGroup;

/* Groups whose calls one message makes, and where their values go. */
typedef struct Message
{
	ExchangeSink sink;			/* must be first */
	List	   *groups;
	int			answered;		/* have their values */
	ColumnType *type;			/* of these */
	MemoryContext context;		/* where they live */
} Message;

/* ---------- gathering ---------- */

/* Return what the groups of an aggregate have in common. */
static Common *
get_common(FunctionCallInfo fcinfo, int first)
{
	Common	   *common = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (common != NULL)
		return common;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	common = palloc0(sizeof(Common));
	common->types = palloc((PG_NARGS() - first) * sizeof(ColumnType *));
	common->names = palloc((PG_NARGS() - first) * sizeof(char *));
	for (int i = first; i < PG_NARGS(); i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i);

		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine the type of argument %d", i - first + 1)));
		common->anonymous = common->anonymous || type == RECORDOID || type == RECORDARRAYOID;
		common->types[i - first] = hxpy_coltype_create(type, -1, false);
		common->names[i - first] = psprintf("a%d", i - first);
	}
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = common;
	return common;
}

/* The groups of a list go. */
static void
forget_list(Datum common)
{
	((Common *) DatumGetPointer(common))->list = NULL;
}

/* Have a new group travel with others, if they will all be complete at once. */
static void
join_list(FunctionCallInfo fcinfo, Common *common, PyGroup *group)
{
	AggState   *aggregation = (AggState *) fcinfo->context;

	if (!IsA(aggregation, AggState) || aggregation->curaggcontext != aggregation->hashcontext ||
		common->anonymous)
		return;
	if (common->list == NULL)
	{
		GroupList  *list = palloc0(sizeof(GroupList));

		dlist_init(&list->waiting);
		list->wanted = FIRST_GROUPS;
		AggRegisterCallback(fcinfo, forget_list, PointerGetDatum(common));
		common->list = list;
	}
	group->list = common->list;
	dlist_push_tail(&group->list->waiting, &group->node);
	for (int i = 0; i < group->ncolumns; i++)
		hxpy_buffer_begin(&group->columns[i]->data, FIRST_BYTES);
}

/* Make a new group, whose values are the arguments from one on. */
static PyGroup *
create_group(FunctionCallInfo fcinfo, MemoryContext context, const char *session, int first)
{
	Common	   *common = get_common(fcinfo, first);
	MemoryContext old = MemoryContextSwitchTo(context);
	PyGroup	   *group = palloc0(sizeof(PyGroup));

	group->session = pstrdup(session);
	group->function = hxpy_argument_text(fcinfo, first - 1, "function");
	group->ncolumns = PG_NARGS() - first;
	group->columns = palloc(group->ncolumns * sizeof(Column *));
	for (int i = 0; i < group->ncolumns; i++)
	{
		ColumnType *type = common->anonymous ?
			hxpy_coltype_create(common->types[i]->type_id, -1, false) : common->types[i];

		group->columns[i] = hxpy_column_create(type, common->names[i], context);
	}
	join_list(fcinfo, common, group);
	MemoryContextSwitchTo(old);
	return group;
}

/* Add a row to a group: the group, perhaps the session, the callable, then the values. */
static Datum
add_row(FunctionCallInfo fcinfo, bool has_session)
{
	int			first = has_session ? 3 : 2;
	MemoryContext context;
	PyGroup	   *group;
	Datum		values[FUNC_MAX_ARGS];
	bool		nulls[FUNC_MAX_ARGS];

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "py_agg_transfn called in non-aggregate context");
	if (PG_ARGISNULL(0))
		group = create_group(fcinfo, context, has_session ?
							 hxpy_argument_text(fcinfo, 1, "session") : hxpy_session, first);
	else
		group = (PyGroup *) PG_GETARG_POINTER(0);
	for (int i = 0; i < group->ncolumns; i++)
	{
		values[i] = PG_GETARG_DATUM(first + i);
		nulls[i] = PG_ARGISNULL(first + i);
	}
	hxpy_column_append_row(group->columns, group->ncolumns, values, nulls,
						   group->columns[0]->count + 1);
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

/* ---------- calling ---------- */

/* Return about how many bytes a group has gathered. */
static size_t
group_size(const PyGroup *group)
{
	size_t		size = 0;

	for (int i = 0; i < group->ncolumns; i++)
		size += hxpy_column_size(group->columns[i]);
	return size;
}

/* Choose the groups that travel with one that is finished. */
static List *
choose_groups(PyGroup *group)
{
	List	   *groups = list_make1(group);
	size_t		size = group_size(group);
	dlist_iter	iter;

	if (group->list == NULL)
		return groups;
	dlist_foreach(iter, &group->list->waiting)
	{
		PyGroup	   *other = dlist_container(PyGroup, node, iter.cur);

		if ((uint64) list_length(groups) >= group->list->wanted || size >= MAX_BYTES)
			break;
		if (other == group || strcmp(other->function, group->function) != 0 ||
			strcmp(other->session, group->session) != 0)
			continue;
		groups = lappend(groups, other);
		size += group_size(other);
	}
	group->list->wanted = Min(group->list->wanted * GROWTH, (uint64) hxpy_batch_rows);
	return groups;
}

/* Return the columns of a message: where its groups end, and their values. */
static List *
message_columns(const List *groups)
{
	const PyGroup *any = linitial(groups);
	Column	   *ends = hxpy_column_create(hxpy_coltype_create(INT8OID, -1, false), "ends",
										  CurrentMemoryContext);
	List	   *columns = list_make1(ends);
	uint64		count = 0;
	ListCell   *cell;

	foreach(cell, groups)
	{
		count += ((PyGroup *) lfirst(cell))->columns[0]->count;
		hxpy_column_append(ends, Int64GetDatum(count), false);
	}
	for (int i = 0; i < any->ncolumns; i++)
	{
		Column	   *column = hxpy_column_create(any->columns[i]->type, any->columns[i]->name,
												CurrentMemoryContext);

		foreach(cell, groups)
			hxpy_column_extend(column, ((PyGroup *) lfirst(cell))->columns[i]);
		columns = lappend(columns, column);
	}
	return columns;
}

/* A group has its value, or an error: what it has gathered is no longer needed. */
static void
finish_group(PyGroup *group)
{
	group->has_value = true;
	if (group->list == NULL)
		return;
	dlist_delete(&group->node);
	for (int i = 0; i < group->ncolumns; i++)
		hxpy_buffer_free(&group->columns[i]->data);
}

/* Take the values of a message's next groups. */
static void
take_values(ExchangeSink *sink, const char *payload, size_t length)
{
	Message    *message = (Message *) sink;
	ColumnReader **readers;
	uint64		count;

	readers = hxpy_datum_readers(&message->type, 1, payload, length, &count);
	if (count > (uint64) (list_length(message->groups) - message->answered))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("invalid frame from the Python worker"),
				 errdetail("An answer has more values than there are groups.")));
	while (count-- > 0)
	{
		PyGroup	   *group = list_nth(message->groups, message->answered++);
		Datum		value = hxpy_datum_next(readers[0], &group->isnull);
		MemoryContext old = MemoryContextSwitchTo(message->context);

		group->value = group->isnull ? (Datum) 0 : datumCopy(value, false, -1);
		MemoryContextSwitchTo(old);
		finish_group(group);
	}
}

/* Keep the error that has come in the place of a group's value. */
static void
keep_error(const Message *message, const Exchange *exchange)
{
	PyGroup	   *group;

	if (message->answered == list_length(message->groups))
		hxpy_error_raise_python(exchange->payload, exchange->length, false, exchange->failure,
								exchange->failures);
	group = list_nth(message->groups, message->answered);
	group->error = MemoryContextAllocHuge(message->context, Max(exchange->length, 1));
	memcpy(group->error, exchange->payload, exchange->length);
	group->error_length = exchange->length;
	group->failure = exchange->failure;
	group->failures = exchange->failures;
	finish_group(group);
}

/*
 * Have the callable called for a group, and for others that it travels with; values are made
 * in the memory context.
 */
static void
call_groups(PyGroup *group, MemoryContext context)
{
	MemoryContext work = AllocSetContextCreate(context, "hxpy groups", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	PySession  *session = hxpy_session_get(group->session);
	Message		message = {.sink.take = take_values,.context = context};
	Exchange	exchange;
	List	   *columns;

	message.groups = choose_groups(group);
	message.type = hxpy_coltype_create(JSONBOID, -1, true);
	columns = message_columns(message.groups);
	hxpy_session_exchange(&exchange, session, HXPY_FRAME_CALL);
	hxpy_exchange_add_text(&exchange, "func", group->function);
	hxpy_exchange_add_want(&exchange, message.type, "as");
	exchange.columns = columns;
	exchange.sink = &message.sink;
	exchange.keeps_error = true;
	hxpy_exchange_run(&exchange);
	hxpy_registry_add(session->slot, COUNT_ROWS_IN, ((Column *) lsecond(columns))->count);
	if (exchange.failed)
		keep_error(&message, &exchange);
	else
		take_values(&message.sink, exchange.payload, exchange.length);
	MemoryContextSwitchTo(old);
	/* What an error refers to lives in it. */
	if (!exchange.failed)
		MemoryContextDelete(work);
}

/*
 * Return the value that the callable has made of a group, as jsonb.
 */
Datum
py_agg_finalfn(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	PyGroup	   *group;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "py_agg_finalfn called in non-aggregate context");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	group = (PyGroup *) PG_GETARG_POINTER(0);
	/* A window asks again when the group has grown. */
	if (group->list == NULL)
		call_groups(group, CurrentMemoryContext);
	else if (!group->has_value)
		call_groups(group, context);
	if (group->error != NULL)
		hxpy_error_raise_python(group->error, group->error_length, false, group->failure,
								group->failures);
	if (!group->has_value)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("invalid frame from the Python worker"),
				 errdetail("An answer has fewer values than there are groups.")));
	if (group->isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(group->value);
}
