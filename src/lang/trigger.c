/*
 * trigger.c
 *	  Functions of the language as triggers.
 *
 * Python is given the dict TD.  What all calls of a trigger for an event have in common
 * goes before the rows, so that the worker reads it once.  A row that Python has modified
 * comes back with a mask of the columns that were set: the others keep their values, which
 * never went through Python.
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
#include "utils/memutils.h"
#include "utils/rel.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "guc.h"
#include "lang/function.h"
#include "lang/trigger.h"

/* What comes back: what to do, which columns were set, the row. */
#define NUM_ANSWERS	3

/* What calls of one trigger in a query have in common; kept in fn_extra. */
typedef struct PyTrigger
{
	MemoryContext context;		/* of all but what follows */
	MemoryContext head;			/* of `columns`, made anew for another event */
	MemoryContext work;			/* of one call */
	bool		busy;			/* it is being called, or a call has failed */
	PyFunction *function;
	Oid			trigger;
	int			types;			/* hxpy.types that was in force */
	ColumnType *row;			/* to Python */
	ColumnType *answers[NUM_ANSWERS];
	TriggerEvent event;
	List	   *columns;		/* that make TD, NIL at first */
	Column	   *new;			/* the last two of these */
	Column	   *old;
} PyTrigger;

/* Set up a trigger's calls, in a memory context of their own. */
static PyTrigger *
create_trigger(FunctionCallInfo fcinfo, const TriggerData *data, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "hxpy trigger", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TupleDesc	tupdesc = RelationGetDescr(data->tg_relation);
	PyTrigger  *trigger = palloc0(sizeof(PyTrigger));

	trigger->context = context;
	trigger->head = AllocSetContextCreate(context, "hxpy trigger's data", ALLOCSET_SMALL_SIZES);
	trigger->work = AllocSetContextCreate(context, "hxpy trigger's call", ALLOCSET_DEFAULT_SIZES);
	trigger->function = hxpy_function_load(fcinfo->flinfo->fn_oid);
	trigger->trigger = data->tg_trigger->tgoid;
	trigger->types = hxpy_types;
	trigger->row = hxpy_function_type(hxpy_coltype_create_record(tupdesc, false));
	trigger->answers[0] = hxpy_coltype_create(TEXTOID, -1, true);
	trigger->answers[1] = hxpy_coltype_create(BYTEAOID, -1, true);
	trigger->answers[2] = hxpy_function_type(hxpy_coltype_create_record(tupdesc, true));
	/* Columns that were not set are NULL there: domains are checked later. */
	for (int i = 0; i < trigger->answers[2]->nchildren; i++)
		trigger->answers[2]->children[i]->type_id = trigger->answers[2]->children[i]->base_id;
	MemoryContextSwitchTo(old);
	return trigger;
}

/* Return what was set up for a trigger's calls, anew where it does not hold. */
static PyTrigger *
get_trigger(FunctionCallInfo fcinfo, const TriggerData *data)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	PyTrigger  *trigger = flinfo->fn_extra;

	if (trigger != NULL && trigger->busy)
		return create_trigger(fcinfo, data, CurrentMemoryContext);
	if (trigger != NULL && trigger->trigger == data->tg_trigger->tgoid &&
		trigger->types == hxpy_types && hxpy_function_is_current(trigger->function))
		return trigger;
	flinfo->fn_extra = NULL;
	if (trigger != NULL)
		MemoryContextDelete(trigger->context);
	trigger = create_trigger(fcinfo, data, flinfo->fn_mcxt);
	flinfo->fn_extra = trigger;
	return trigger;
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

/* Make the columns of TD for an event; those of the rows are filled later. */
static void
make_columns(PyTrigger *trigger, const TriggerData *data)
{
	Relation	relation = data->tg_relation;
	TriggerEvent event = data->tg_event;
	List	  **columns = &trigger->columns;
	MemoryContext old;

	MemoryContextReset(trigger->head);
	old = MemoryContextSwitchTo(trigger->head);
	trigger->event = event;
	trigger->columns = NIL;
	add_text(columns, "name", data->tg_trigger->tgname);
	add_text(columns, "relid", psprintf("%u", RelationGetRelid(relation)));
	add_text(columns, "table_name", RelationGetRelationName(relation));
	add_text(columns, "table_schema", get_namespace_name(RelationGetNamespace(relation)));
	add_text(columns, "when", TRIGGER_FIRED_BEFORE(event) ? "BEFORE" :
			 TRIGGER_FIRED_AFTER(event) ? "AFTER" : "INSTEAD OF");
	add_text(columns, "level", TRIGGER_FIRED_FOR_ROW(event) ? "ROW" : "STATEMENT");
	add_text(columns, "event", event_name(event));
	add_arguments(columns, data->tg_trigger);
	trigger->new = hxpy_column_create(trigger->row, "new", trigger->head);
	trigger->old = hxpy_column_create(trigger->row, "old", trigger->head);
	*columns = lappend(lappend(*columns, trigger->new), trigger->old);
	MemoryContextSwitchTo(old);
}

/* Fill the column of a row, or NULL. */
static void
fill_row(Column *column, HeapTuple tuple, TupleDesc tupdesc)
{
	hxpy_column_reset(column);
	hxpy_column_append(column, tuple == NULL ? (Datum) 0 :
					   heap_copy_tuple_as_datum(tuple, tupdesc), tuple == NULL);
}

/* Fill the columns of TD. */
static void
fill_columns(PyTrigger *trigger, const TriggerData *data)
{
	TupleDesc	tupdesc = RelationGetDescr(data->tg_relation);
	TriggerEvent event = data->tg_event;
	bool		is_row = TRIGGER_FIRED_FOR_ROW(event);
	HeapTuple	new = TRIGGER_FIRED_BY_UPDATE(event) ? data->tg_newtuple :
		TRIGGER_FIRED_BY_INSERT(event) ? data->tg_trigtuple : NULL;
	HeapTuple	old = TRIGGER_FIRED_BY_INSERT(event) ? NULL : data->tg_trigtuple;

	if (trigger->columns == NIL || trigger->event != event)
		make_columns(trigger, data);
	fill_row(trigger->new, is_row ? new : NULL, tupdesc);
	fill_row(trigger->old, is_row ? old : NULL, tupdesc);
}

/* ---------- what comes back ---------- */

/* Return a row with the columns that Python has set. */
static HeapTuple
modify_row(const PyTrigger *trigger, HeapTuple tuple, TupleDesc tupdesc, bytea *mask, Datum row)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData modified = {
		.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header
	};
	Datum	   *values = palloc(tupdesc->natts * sizeof(Datum));
	bool	   *nulls = palloc(tupdesc->natts * sizeof(bool));
	bool	   *set = palloc0(tupdesc->natts * sizeof(bool));
	int			field = 0;

	ItemPointerSetInvalid(&modified.t_self);
	heap_deform_tuple(&modified, trigger->answers[2]->tupdesc, values, nulls);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped)
			continue;
		set[i] = field < (int) VARSIZE_ANY_EXHDR(mask) && VARDATA_ANY(mask)[field] != 0;
		field++;
		if (set[i] && attribute->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("cannot set generated column \"%s\"", NameStr(attribute->attname))));
		if (set[i] && get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)
			domain_check(values[i], nulls[i], attribute->atttypid, NULL, NULL);
	}
	return heap_modify_tuple(tuple, tupdesc, values, nulls, set);
}

/* Return the row that the trigger gives back, NULL for none; in the caller's context. */
static HeapTuple
take_answer(const PyTrigger *trigger, const TriggerData *data, const Datum *values,
			const bool *nulls, MemoryContext context)
{
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple :
		data->tg_trigtuple;
	char	   *status = nulls[0] ? "OK" : TextDatumGetCString(values[0]);
	MemoryContext old;

	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) || strcmp(status, "SKIP") == 0)
		return NULL;
	if (strcmp(status, "MODIFY") != 0 || TRIGGER_FIRED_BY_DELETE(data->tg_event) || nulls[1] ||
		nulls[2])
		return tuple;
	old = MemoryContextSwitchTo(context);
	tuple = modify_row(trigger, tuple, RelationGetDescr(data->tg_relation),
					   DatumGetByteaPP(values[1]), values[2]);
	MemoryContextSwitchTo(old);
	return tuple;
}

/*
 * Exchange with the worker; meanwhile a level of SPI has the transition tables, if there
 * are any, so that all queries inside can name them.
 */
static void
run_exchange(Exchange *exchange, TriggerData *data, Datum *values, bool *nulls)
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
	hxpy_exchange_values(exchange, values, nulls);
	if (has_tables)
		SPI_finish();
}

/* Call a trigger function. */
Datum
hxpy_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	PyTrigger  *trigger = get_trigger(fcinfo, data);
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context, trigger->function};
	MemoryContext old = MemoryContextSwitchTo(trigger->work);
	bool		has_row = TRIGGER_FIRED_FOR_ROW(data->tg_event) &&
		!TRIGGER_FIRED_BY_DELETE(data->tg_event);
	Datum		values[NUM_ANSWERS];
	bool		nulls[NUM_ANSWERS];
	Exchange	exchange;
	HeapTuple	result;

	trigger->busy = true;
	error_context_stack = &callback;
	hxpy_function_exchange(&exchange, trigger->function, hxpy_function_session(trigger->function),
						   HXPY_FRAME_INVOKE);
	for (int i = 0; i < (has_row ? NUM_ANSWERS : 1); i++)
		hxpy_exchange_add_want(&exchange, trigger->answers[i], "");
	fill_columns(trigger, data);
	exchange.columns = trigger->columns;
	run_exchange(&exchange, data, values, nulls);
	result = take_answer(trigger, data, values, nulls, old);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	MemoryContextReset(trigger->work);
	trigger->busy = false;
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

	error_context_stack = &callback;
	hxpy_function_exchange(&exchange, function, hxpy_function_session(function),
						   HXPY_FRAME_INVOKE);
	add_text(&exchange.columns, "event", data->event);
	add_text(&exchange.columns, "tag", GetCommandTagName(data->tag));
	hxpy_exchange_run(&exchange);
	error_context_stack = callback.previous;
}
