/*
 * trigger.c
 *	  Functions of the language as triggers.
 *
 * Python is given the dict TD.  What all calls of a trigger for an event have in common
 * goes before the rows, so that the worker reads it once.  Of a row that Python has
 * modified the columns that were set come back: the others keep their values, which never
 * went through Python.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "lang/setup.h"
#include "lang/trigger.h"

/* What instructions for an event begin with, and the Columns of the rows that follow. */
typedef struct EventHead
{
	HeadPrefix	prefix;			/* empty until the event has come */
	List	   *rows;
} EventHead;

/* What calls of one trigger in a query have in common. */
typedef struct PyTrigger
{
	CallSetup	setup;			/* must be first */
	ColumnType *row;			/* to Python */
	ColumnType *modified;		/* back */
	List	   *new;			/* Columns of a row's fields */
	List	   *old;
	Datum	   *values;			/* of the row that was read last: the new one, if there is one */
	bool	   *nulls;
	EventHead	heads[TRIGGER_EVENT_OPMASK + 1];
} PyTrigger;

/* Make the columns of a row's fields. */
static List *
make_row(const ColumnType *row)
{
	List	   *columns = NIL;

	for (int i = 0; i < row->nchildren; i++)
		columns = lappend(columns, hxpy_column_create(row->children[i], row->children[i]->name,
													  CurrentMemoryContext));
	return columns;
}

/* Set up a trigger's calls. */
static void
complete_trigger(CallSetup *setup, FunctionCallInfo fcinfo)
{
	PyTrigger  *trigger = (PyTrigger *) setup;
	TupleDesc	tupdesc = RelationGetDescr(((TriggerData *) fcinfo->context)->tg_relation);

	trigger->row = hxpy_function_type(setup->function,
									  hxpy_coltype_create_record(tupdesc, false));
	trigger->modified = hxpy_function_type(setup->function,
										   hxpy_coltype_create_record(tupdesc, true));
	trigger->new = make_row(trigger->row);
	trigger->old = make_row(trigger->row);
	trigger->values = palloc(Max(tupdesc->natts, 1) * sizeof(Datum));
	trigger->nulls = palloc(Max(tupdesc->natts, 1) * sizeof(bool));
}

/* ---------- what Python is given ---------- */

/* Add a column of one value. */
static void
add_value(List **columns, const char *name, Oid type, Datum value, bool isnull)
{
	Column	   *column = hxpy_column_create(hxpy_coltype_create(type, -1, false), name,
											CurrentMemoryContext);

	hxpy_column_append(column, value, isnull);
	*columns = lappend(*columns, column);
}

/* Add a column of a text. */
static void
add_text(List **columns, const char *name, const char *text)
{
	add_value(columns, name, TEXTOID, CStringGetTextDatum(text), false);
}

/* Add the column of a trigger's arguments. */
static void
add_arguments(List **columns, const Trigger *trigger)
{
	Datum	   *items = palloc(Max(trigger->tgnargs, 1) * sizeof(Datum));

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *argument = trigger->tgargs[i];

		items[i] = CStringGetTextDatum(argument);
	}
	add_value(columns, "args", TEXTARRAYOID,
			  PointerGetDatum(construct_array(items, trigger->tgnargs, TEXTOID, -1, false,
											  TYPALIGN_INT)),
			  trigger->tgnargs == 0);
}

/* Return what a trigger's event is called. */
static const char *
event_name(TriggerEvent event)
{
	return TRIGGER_FIRED_BY_INSERT(event) ? "INSERT" :
		TRIGGER_FIRED_BY_UPDATE(event) ? "UPDATE" :
		TRIGGER_FIRED_BY_DELETE(event) ? "DELETE" : "TRUNCATE";
}

/* Return whether a trigger fires for rows that have a new version. */
static bool
has_new(TriggerEvent event)
{
	return TRIGGER_FIRED_FOR_ROW(event) &&
		(TRIGGER_FIRED_BY_INSERT(event) || TRIGGER_FIRED_BY_UPDATE(event));
}

/* Return whether a trigger fires for rows that have an old version. */
static bool
has_old(TriggerEvent event)
{
	return TRIGGER_FIRED_FOR_ROW(event) &&
		(TRIGGER_FIRED_BY_DELETE(event) || TRIGGER_FIRED_BY_UPDATE(event));
}

/* Write what instructions for an event begin with: texts of TD, columns that may be set. */
static void
make_head(PyTrigger *trigger, const TriggerData *data, EventHead *head)
{
	Relation	relation = data->tg_relation;
	TriggerEvent event = data->tg_event;
	List	   *columns = NIL;
	MemoryContext old;

	add_text(&columns, "name", data->tg_trigger->tgname);
	add_text(&columns, "relid", psprintf("%u", RelationGetRelid(relation)));
	add_text(&columns, "table_name", RelationGetRelationName(relation));
	add_text(&columns, "table_schema", get_namespace_name(RelationGetNamespace(relation)));
	add_text(&columns, "when", TRIGGER_FIRED_BEFORE(event) ? "BEFORE" :
			 TRIGGER_FIRED_AFTER(event) ? "AFTER" : "INSTEAD OF");
	add_text(&columns, "level", TRIGGER_FIRED_FOR_ROW(event) ? "ROW" : "STATEMENT");
	add_text(&columns, "event", event_name(event));
	add_arguments(&columns, data->tg_trigger);
	if (has_new(event))
		columns = list_concat(columns, make_row(trigger->modified));
	hxpy_setup_write_head(&head->prefix, trigger->setup.function, columns,
						  trigger->setup.context);
	old = MemoryContextSwitchTo(trigger->setup.context);
	if (has_new(event))
		head->rows = list_copy(trigger->new);
	if (has_old(event))
		head->rows = list_concat(head->rows, trigger->old);
	MemoryContextSwitchTo(old);
}

/* Fill the columns of a row. */
static void
fill_row(const PyTrigger *trigger, List *columns, HeapTuple tuple, TupleDesc tupdesc)
{
	ListCell   *cell = list_head(columns);

	heap_deform_tuple(tuple, tupdesc, trigger->values, trigger->nulls);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
			continue;
		hxpy_column_reset(lfirst(cell));
		hxpy_column_append(lfirst(cell), trigger->values[i], trigger->nulls[i]);
		cell = lnext(columns, cell);
	}
}

/* Fill the columns of the event's rows; return what its instructions begin with. */
static const EventHead *
fill_rows(PyTrigger *trigger, const TriggerData *data)
{
	TupleDesc	tupdesc = RelationGetDescr(data->tg_relation);
	TriggerEvent event = data->tg_event;
	EventHead  *head = &trigger->heads[event & TRIGGER_EVENT_OPMASK];

	if (head->prefix.ncolumns == 0)
		make_head(trigger, data, head);
	if (has_old(event))
		fill_row(trigger, trigger->old, data->tg_trigtuple, tupdesc);
	/* The new row comes last: its other values go into the one that Python modifies. */
	if (has_new(event))
		fill_row(trigger, trigger->new,
				 has_old(event) ? data->tg_newtuple : data->tg_trigtuple, tupdesc);
	return head;
}

/* ---------- what comes back ---------- */

/* Return whether a column is a certain text. */
static bool
is_text(const WireColumn *column, const char *text)
{
	return column->tag == HXPY_TAG_TEXT && column->count == 1 && column->nulls == NULL &&
		column->data_length == strlen(text) &&
		memcmp(column->data, text, column->data_length) == 0;
}

/* Return the row that was sent with the columns that Python has set, in a memory context. */
static HeapTuple
modify_row(const PyTrigger *trigger, HeapTuple tuple, TupleDesc tupdesc,
		   const WireColumn *columns, uint32 ncolumns, MemoryContext context)
{
	int			nfields = trigger->modified->nchildren;
	Datum	   *values = palloc(Max(nfields, 1) * sizeof(Datum));
	bool	   *nulls = palloc(Max(nfields, 1) * sizeof(bool));
	bool	   *found = palloc(Max(nfields, 1) * sizeof(bool));
	int			field = 0;
	MemoryContext old;
	HeapTuple	modified;

	hxpy_datum_fields(trigger->modified, columns, ncolumns, values, nulls, found);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || !found[field++])
			continue;
		if (attribute->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("cannot set generated column \"%s\"", NameStr(attribute->attname))));
		trigger->values[i] = values[field - 1];
		trigger->nulls[i] = nulls[field - 1];
	}
	old = MemoryContextSwitchTo(context);
	modified = heap_form_tuple(tupdesc, trigger->values, trigger->nulls);
	MemoryContextSwitchTo(old);
	modified->t_data->t_ctid = tuple->t_data->t_ctid;
	modified->t_self = tuple->t_self;
	modified->t_tableOid = tuple->t_tableOid;
	return modified;
}

/* Return the row that the trigger gives back, NULL for none; in a memory context. */
static HeapTuple
take_answer(const PyTrigger *trigger, const TriggerData *data, Exchange *exchange,
			MemoryContext context)
{
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple :
		data->tg_trigtuple;
	uint32		ncolumns;
	WireColumn *columns;

	/* Making values may run code that calls Python. */
	hxpy_exchange_keep(exchange);
	columns = hxpy_datum_parse_batch(exchange->payload, exchange->length,
									 hxpy_coltype_count(trigger->modified), &ncolumns);
	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || ncolumns == 0 || is_text(&columns[0], "SKIP"))
		return NULL;
	if (ncolumns == 1 || !is_text(&columns[0], "MODIFY") || !has_new(data->tg_event))
		return tuple;
	return modify_row(trigger, tuple, RelationGetDescr(data->tg_relation), columns + 1,
					  ncolumns - 1, context);
}

/*
 * Exchange with the worker; meanwhile a level of SPI has the transition tables, if there
 * are any, so that all queries inside can name them.
 */
static void
run_exchange(Exchange *exchange, TriggerData *data)
{
	MemoryContext context = CurrentMemoryContext;
	bool		has_tables = data->tg_newtable != NULL || data->tg_oldtable != NULL;

	if (has_tables)
	{
		SPI_connect();
		if (SPI_register_trigger_data(data) < 0)
			elog(ERROR, "could not register the transition tables");
		MemoryContextSwitchTo(context);
		exchange->isolated = false;
	}
	hxpy_exchange_run(exchange);
	if (has_tables)
		SPI_finish();
}

/* Call a trigger function. */
Datum
hxpy_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	PyTrigger  *trigger = (PyTrigger *) hxpy_setup_get(fcinfo, sizeof(PyTrigger),
													   hxpy_setup_load, complete_trigger);
	PyFunction *function = trigger->setup.function;
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context, function};
	MemoryContext old = MemoryContextSwitchTo(trigger->setup.work);
	const EventHead *head;
	Exchange	exchange;
	HeapTuple	result;

	trigger->setup.busy = true;
	error_context_stack = &callback;
	hxpy_function_exchange(&exchange, function, hxpy_function_session(function),
						   HXPY_FRAME_INVOKE);
	head = fill_rows(trigger, data);
	exchange.prefix = &head->prefix;
	exchange.columns = head->rows;
	run_exchange(&exchange, data);
	result = take_answer(trigger, data, &exchange, old);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	MemoryContextReset(trigger->setup.work);
	trigger->setup.busy = false;
	fcinfo->isnull = false;
	return PointerGetDatum(result);
}

/* Call an event trigger function. */
void
hxpy_trigger_call_event(FunctionCallInfo fcinfo)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;
	PyFunction *function = hxpy_function_load(fcinfo->flinfo->fn_oid);
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context, function};
	Exchange	exchange;
	HeadPrefix	head;
	List	   *columns = NIL;

	error_context_stack = &callback;
	hxpy_function_exchange(&exchange, function, hxpy_function_session(function),
						   HXPY_FRAME_INVOKE);
	add_text(&columns, "event", data->event);
	add_text(&columns, "tag", GetCommandTagName(data->tag));
	hxpy_setup_write_head(&head, function, columns, CurrentMemoryContext);
	exchange.prefix = &head;
	hxpy_exchange_run(&exchange);
	error_context_stack = callback.previous;
}
