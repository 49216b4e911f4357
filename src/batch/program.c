/*
 * program.c
 *	  What calls a batch makes, and by which messages.
 *
 * A program has calls, whose arguments are values of expressions or other calls' values.
 * One message (CALLS) makes many calls: a step.  A call's value goes to another one in the
 * worker only where that changes nothing: what PostgreSQL would make of it on its way has
 * the same form again.  Else it comes back, and is sent with the next step.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "batch/build.h"
#include "batch/groups.h"
#include "batch/program.h"
#include "lang/aggregate.h"

#define CALL_OF_GROUPS	2		/* what a call is of, beside a function and a callable */

/* Return how a call's value travels. */
static ColumnType *
result_type(const PyFunction *function, FuncExpr *call)
{
	Oid			type;
	TupleDesc	tupdesc;

	if (get_expr_result_type((Node *) call, &type, &tupdesc) == TYPEFUNC_COMPOSITE)
		return hxpy_function_type(function, hxpy_coltype_create_record(tupdesc, true));
	return hxpy_function_type(function, hxpy_coltype_create(type, -1, true));
}

/*
 * Return whether a value that comes back as a column and is sent again is the same column:
 * no input function, domain or encoding has a say in it.
 */
static bool
is_lossless(const ColumnType *type)
{
	if (type->is_plain || type->type_id != type->base_id)
		return false;
	switch (type->tag)
	{
		case HXPY_TAG_BOOL:
		case HXPY_TAG_INT16:
		case HXPY_TAG_INT32:
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT32:
		case HXPY_TAG_FLOAT64:
		case HXPY_TAG_UUID:
		case HXPY_TAG_BYTEA:
			return true;
		case HXPY_TAG_TEXT:
			return type->base_id == TEXTOID && GetDatabaseEncoding() == PG_UTF8;
		default:
			return false;
	}
}

/* Return a column of arguments of a type; in that all functions of a program are alike. */
static Column *
create_column(const BatchProgram *program, Oid type)
{
	ColumnType *travel = hxpy_function_type(program->calls[0].function,
											hxpy_coltype_create(type, -1, false));

	return hxpy_column_create(travel, "", CurrentMemoryContext);
}

/* Return what a call is of: a callable's session and expression have one value in a query. */
static PyFunction *
load_function(PlanState *node, FuncExpr *call)
{
	CallableArguments arguments;
	List	   *fixed = hxpy_groups_callable(node->plan, call, &arguments);
	Datum		values[HXPY_MAX_FIXED];
	bool		nulls[HXPY_MAX_FIXED];
	ListCell   *cell;

	if (fixed == NIL)
		return hxpy_function_load(call->funcid);
	foreach(cell, fixed)
	{
		int			i = foreach_current_index(cell);

		values[i] = ExecEvalExprSwitchContext(ExecInitExpr(lfirst(cell), node),
											  node->ps_ExprContext, &nulls[i]);
	}
	return hxpy_callable_create(call->funcid, &arguments, values, nulls);
}

/* Return a column of an expression's values, which are sent. */
static Column *
expression_column(const BatchProgram *program, const PlanState *node, Node *expression)
{
	if (exprType(expression) != INTERNALOID)
		return create_column(program, exprType(expression));
	return hxpy_aggregate_column(hxpy_groups_aggregate(node->plan, expression),
								 CurrentMemoryContext);
}

/* Set up a call as the plan has it. */
static void
create_call(PlanState *node, ProgramCall *call, List *planned)
{
	FuncExpr   *expression = HXPY_CALL_EXPR(planned);
	List	   *numbers = HXPY_CALL_NUMBERS(planned);

	call->function = load_function(node, expression);
	call->is_group = hxpy_groups_is_call(expression);
	call->type = result_type(call->function, expression);
	call->guard = linitial_int(numbers);
	call->output = lsecond_int(numbers);
	call->arguments = list_copy_tail(numbers, 2);
	call->returned = -1;
}

/* Return the number of the step that makes a call: the first that can, or a new one. */
static int
choose_step(BatchProgram *program, const ProgramCall *call)
{
	int			number = 0;
	ListCell   *cell;

	foreach(cell, call->arguments)
	{
		const ProgramCall *inner;

		if (lfirst_int(cell) >= 0)
			continue;
		inner = &program->calls[-1 - lfirst_int(cell)];
		number = Max(number, inner->step + !is_lossless(inner->type));
	}
	while (number < program->nsteps &&
		   program->steps[number].read_only != call->function->read_only)
		number++;
	return number;
}

/* Assign each call to a step. */
static void
create_steps(BatchProgram *program)
{
	program->steps = palloc0(program->ncalls * sizeof(ProgramStep));
	for (int i = 0; i < program->ncalls; i++)
	{
		ProgramCall *call = &program->calls[i];
		ProgramStep *step;

		call->step = choose_step(program, call);
		step = &program->steps[call->step];
		if (call->step == program->nsteps)
		{
			program->nsteps++;
			step->program = program;
			step->read_only = call->function->read_only;
		}
		step->calls = lappend_int(step->calls, i);
	}
}

/* Have a call's value come back. */
static void
want_back(ProgramStep *step, ProgramCall *call)
{
	if (call->returned < 0)
		call->returned = step->nreturned++;
}

/* Return where a number stands in a list, or -1. */
static int
index_of(const List *numbers, int number)
{
	ListCell   *cell;

	foreach(cell, numbers)
	{
		if (lfirst_int(cell) == number)
			return foreach_current_index(cell);
	}
	return -1;
}

/* Return which column of a step has the values of a source; it is added where it is new. */
static int
step_column(BatchProgram *program, ProgramStep *step, int source)
{
	Column	   *column;

	if (index_of(step->sources, source) >= 0)
		return index_of(step->sources, source);
	if (source >= 0)
		column = program->columns[source];
	else
	{
		ProgramCall *inner = &program->calls[-1 - source];

		want_back(&program->steps[inner->step], inner);
		column = create_column(program, inner->type->type_id);
	}
	step->sources = lappend_int(step->sources, source);
	step->columns = lappend(step->columns, column);
	return list_length(step->columns) - 1;
}

/* Choose the columns of a step, and which calls' values come back. */
static void
connect_step(BatchProgram *program, int number)
{
	ProgramStep *step = &program->steps[number];
	ListCell   *cell;
	ListCell   *source;

	foreach(cell, step->calls)
	{
		ProgramCall *call = &program->calls[lfirst_int(cell)];

		if (call->output >= 0)
			want_back(step, call);
		if (call->guard >= 0)
			(void) step_column(program, step, call->guard);
		foreach(source, call->arguments)
		{
			int			from = lfirst_int(source);

			if (from >= 0 || program->calls[-1 - from].step != number)
				(void) step_column(program, step, from);
		}
	}
}

/* Write what the worker is to do in a step: a line and a function for each call. */
static void
describe_step(BatchProgram *program, int number)
{
	ProgramStep *step = &program->steps[number];
	StringInfoData text;
	ListCell   *cell;
	ListCell   *source;

	initStringInfo(&text);
	step->types = palloc(Max(step->nreturned, 1) * sizeof(ColumnType *));
	step->values = palloc(Max(step->nreturned, 1) * sizeof(Datum));
	step->nulls = palloc(Max(step->nreturned, 1) * sizeof(bool));
	step->functions = hxpy_column_create(hxpy_coltype_create(TEXTOID, -1, false), "functions",
										 CurrentMemoryContext);
	foreach(cell, step->calls)
	{
		ProgramCall *call = &program->calls[lfirst_int(cell)];

		if (call->returned >= 0)
			step->types[call->returned] = call->type;
		step->wants = lappend(step->wants,
							  hxpy_column_create(call->type, "", CurrentMemoryContext));
		hxpy_column_append(step->functions,
						   CStringGetTextDatum(hxpy_function_key(call->function)), false);
		appendStringInfo(&text, "%s%d %d %d %d", text.len > 0 ? "\n" : "",
						 call->is_group ? CALL_OF_GROUPS : call->function->is_callable,
						 func_strict(call->function->oid), call->returned,
						 call->guard < 0 ? -1 : step_column(program, step, call->guard));
		foreach(source, call->arguments)
		{
			int			from = lfirst_int(source);

			if (from >= 0 || program->calls[-1 - from].step != number)
				appendStringInfo(&text, " %d", step_column(program, step, from));
			else
				appendStringInfo(&text, " %d", -1 - index_of(step->calls, -1 - from));
		}
	}
	step->text = text.data;
}

/* Check that functions still have the role and settings in common by which they were planned. */
static void
check_environment(List *calls)
{
	Oid			first = HXPY_CALL_EXPR((List *) linitial(calls))->funcid;
	ListCell   *cell;

	foreach(cell, calls)
	{
		if (!hxpy_environment_is_same(first, HXPY_CALL_EXPR((List *) lfirst(cell))->funcid))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("role or settings of a function were changed while a query calls it"),
					 errhint("Run the query again.")));
	}
}

/* Note where the results stand. */
static void
set_outputs(BatchProgram *program)
{
	program->outputs = palloc0(program->ncalls * sizeof(ProgramOutput));
	for (int i = 0; i < program->ncalls; i++)
	{
		const ProgramCall *call = &program->calls[i];
		const ProgramStep *step = &program->steps[call->step];

		if (call->output < 0)
			continue;
		program->outputs[call->output] =
			(ProgramOutput) {&step->values[call->returned], &step->nulls[call->returned]};
		program->noutputs = Max(program->noutputs, call->output + 1);
	}
}

/* Return whether settings or the role have a say in what values become on their way. */
static bool
has_conversions(const BatchProgram *program)
{
	bool		found = false;

	for (int i = 0; i < program->ncalls; i++)
		found = found || !is_lossless(program->calls[i].type);
	for (int i = 0; i < program->ncolumns; i++)
		found = found || !is_lossless(program->columns[i]->type);
	return found;
}

/* Set up a node's program, from what the plan says, in a memory context of its own. */
BatchProgram *
hxpy_program_create(PlanState *node, List *calls, List *expressions, ProgramCosts *costs)
{
	MemoryContext context = AllocSetContextCreate(node->state->es_query_cxt, "hxpy calls",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BatchProgram *program = palloc0(sizeof(BatchProgram));
	SavedEnvironment saved;
	ListCell   *cell;

	check_environment(calls);
	program->context = context;
	program->answers = AllocSetContextCreate(context, "hxpy answers", ALLOCSET_DEFAULT_SIZES);
	program->work = AllocSetContextCreate(context, "hxpy calls' work", ALLOCSET_SMALL_SIZES);
	program->settings = hxpy_setup_settings();
	program->costs = costs;
	program->snapshot = node->state->es_snapshot;
	program->ncalls = list_length(calls);
	program->calls = palloc0(program->ncalls * sizeof(ProgramCall));
	program->environment =
		hxpy_environment_load(HXPY_CALL_EXPR((List *) linitial(calls))->funcid);
	saved = hxpy_environment_enter(program->environment);
	foreach(cell, calls)
		create_call(node, &program->calls[foreach_current_index(cell)], lfirst(cell));
	program->columns = palloc(Max(list_length(expressions), 1) * sizeof(Column *));
	foreach(cell, expressions)
	{
		Column	   *column = expression_column(program, node, lfirst(cell));

		program->columns[program->ncolumns++] = column;
		program->varies = program->varies || hxpy_wire_width(column->type->tag) == 0;
	}
	create_steps(program);
	for (int i = 0; i < program->nsteps; i++)
		connect_step(program, i);
	for (int i = 0; i < program->nsteps; i++)
		describe_step(program, i);
	set_outputs(program);
	hxpy_environment_leave(program->environment, saved);
	program->converts = program->environment != NULL && has_conversions(program);
	MemoryContextSwitchTo(old);
	return program;
}

/* Free a program. */
void
hxpy_program_free(BatchProgram *program)
{
	MemoryContextDelete(program->context);
}

/* Return whether what was set up still holds. */
bool
hxpy_program_is_current(const BatchProgram *program)
{
	for (int i = 0; i < program->ncalls; i++)
	{
		if (!hxpy_setup_is_current(&program->settings, program->calls[i].function))
			return false;
	}
	return true;
}
