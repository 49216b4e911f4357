/*
 * messages.c
 *	  Rows of a batch: their calls are made by messages, and results read.
 *
 * Rows of expressions' values are added to columns; when the first result is asked for, the
 * calls are made, and results are read row by row.
 *
 * The first step's message may be sent ahead of need, so that the caller goes on while Python
 * works.  Whoever needs the session meanwhile has the answer read first, with the rights
 * and the snapshot of the query, since Python may still run SQL for it.
 *
 * A row for which a call fails ends an answer: rows before it are given out, and the error is
 * raised when it is reached.  An answer may also end early because it is large; the rest
 * is asked for when its rows are given out.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "hxpy.h"
#include "batch/messages.h"
#include "guc.h"
#include "session/error.h"

#define WRONG_COUNT		"An answer has another number of rows than it was asked for."
#define MAX_ANSWER		(64 * 1024 * 1024)	/* bytes, after which it ends; workers end it earlier */

/* ---------- rows ---------- */

/* Forget all rows. */
void
hxpy_messages_reset(BatchProgram *program)
{
	for (int i = 0; i < program->ncolumns; i++)
		hxpy_column_reset(program->columns[i]);
	for (int i = 0; i < program->nsteps; i++)
	{
		program->steps[i].parts = NIL;
		program->steps[i].exchange = NULL;
	}
	program->is_started = false;
	program->added = program->answered = program->given = 0;
	program->error.payload = NULL;
	MemoryContextReset(program->answers);
	MemoryContextReset(program->work);
}

/* Add a row: the expressions' values. */
void
hxpy_messages_add(BatchProgram *program, const Datum *values, const bool *nulls)
{
	SavedEnvironment saved;

	if (program->converts)
		saved = hxpy_environment_enter(program->environment);
	for (int i = 0; i < program->ncolumns; i++)
		hxpy_column_append(program->columns[i], values[i], nulls[i]);
	program->added++;
	if (program->converts)
		hxpy_environment_leave(program->environment, saved);
}

/* Return about how many bytes the rows' values have. */
size_t
hxpy_messages_size(const BatchProgram *program)
{
	size_t		size = 0;

	for (int i = 0; i < program->ncolumns; i++)
		size += hxpy_column_size(program->columns[i]);
	return size;
}

/* ---------- answers ---------- */

/* Report an answer that is not what was asked for. */
static void
invalid_answer(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid frame from the Python worker"),
			 errdetail_internal("%s", detail)));
}

/* Take a part of a step's answer: one without rows, or one after many bytes, is the last one. */
static void
take_part(ExchangeSink *sink, const char *payload, size_t length)
{
	ProgramStep *step = (ProgramStep *) sink;
	MemoryContext old = MemoryContextSwitchTo(step->program->answers);
	AnswerPart *part = palloc(sizeof(AnswerPart));

	if (step->parts != NIL && ((AnswerPart *) llast(step->parts))->nrows == 0)
		invalid_answer("An answer goes on after a part without rows.");
	if (step->received > MAX_ANSWER)
		invalid_answer("An answer is too long.");

	/* The next exchange takes the payload's place. */
	part->payload = MemoryContextAllocHuge(CurrentMemoryContext, Max(length, 1));
	memcpy(part->payload, payload, length);
	part->length = length;
	MemoryContextSwitchTo(step->program->work);
	(void) hxpy_datum_readers(step->types, step->nreturned, payload, length, &part->nrows);
	if (part->nrows > step->asked)
		invalid_answer(WRONG_COUNT);
	step->asked -= part->nrows;
	MemoryContextSwitchTo(step->program->answers);
	step->parts = lappend(step->parts, part);
	step->received += length;
	step->program->costs->sums.received += length;
	MemoryContextSwitchTo(old);
}

/* Read the next row of a step's answer into its values; there is one. */
static void
read_row(ProgramStep *step, AnswerCursor *cursor)
{
	while (cursor->nrows == 0)
	{
		AnswerPart *part = list_nth(step->parts, cursor->part++);
		MemoryContext old = MemoryContextSwitchTo(step->program->answers);

		cursor->readers = hxpy_datum_readers(step->types, step->nreturned, part->payload,
											 part->length, &cursor->nrows);
		MemoryContextSwitchTo(old);
	}
	cursor->nrows--;
	for (int i = 0; i < step->nreturned; i++)
		step->values[i] = hxpy_datum_next(cursor->readers[i], &step->nulls[i]);
}

/* Fill those columns of a step that have other steps' values: after rows that are given out. */
static void
fill_columns(BatchProgram *program, ProgramStep *step, uint64 count)
{
	ListCell   *cell;

	foreach(cell, step->sources)
	{
		Column	   *column = list_nth(step->columns, foreach_current_index(cell));
		AnswerCursor cursor = {0};
		ProgramCall *call;

		if (lfirst_int(cell) >= 0)
			continue;
		call = &program->calls[-1 - lfirst_int(cell)];
		hxpy_column_reset(column);
		for (uint64 i = 0; i < program->given; i++)
			hxpy_column_append(column, (Datum) 0, true);
		for (uint64 i = 0; i < count; i++)
		{
			ProgramStep *from = &program->steps[call->step];

			CHECK_FOR_INTERRUPTS();
			read_row(from, &cursor);
			hxpy_column_append(column, from->values[call->returned], from->nulls[call->returned]);
		}
	}
}

/* Keep the error that has ended a step's answer. */
static void
keep_error(ProgramStep *step, const Exchange *exchange)
{
	BatchProgram *program = step->program;
	RowError   *error = &program->error;
	uint32		number = hxpy_error_call(exchange->payload, exchange->length);

	error->payload = MemoryContextAllocHuge(program->answers, Max(exchange->length, 1));
	memcpy(error->payload, exchange->payload, exchange->length);
	error->length = exchange->length;
	error->failure = exchange->failure;
	error->number = exchange->failures;
	number = Min(number, (uint32) list_length(step->calls) - 1);
	error->function = program->calls[list_nth_int(step->calls, number)].function;
}

/* Return the session in which a step runs, whose worker knows its functions. */
static PySession *
step_session(const ProgramStep *step)
{
	PySession  *session = NULL;
	ListCell   *cell;

	foreach(cell, step->calls)
		session = hxpy_function_session(step->program->calls[lfirst_int(cell)].function);
	strlcpy(step->program->costs->session, session->key.name, NAMEDATALEN);
	return session;
}

/* Name a step's functions in an error's context. */
static void
step_context(void *arg)
{
	const ProgramStep *step = arg;
	List	   *named = NIL;
	ListCell   *cell;

	foreach(cell, step->calls)
	{
		PyFunction *function = step->program->calls[lfirst_int(cell)].function;

		if (!list_member_oid(named, function->oid))
			hxpy_function_context(function);
		named = lappend_oid(named, function->oid);
	}
}

/* Read a step's answer to its end; returns how many rows it has. */
static uint64
end_step(ProgramStep *step)
{
	BatchProgram *program = step->program;
	ErrorContextCallback callback = {error_context_stack, step_context, step};
	Exchange   *exchange = step->exchange;
	SessionSlot *slot;
	SavedEnvironment saved;
	MemoryContext old;
	instr_time	start;
	instr_time	end;

	if (exchange == NULL)
		return step->count - step->asked;
	old = MemoryContextSwitchTo(program->work);
	error_context_stack = &callback;
	saved = hxpy_environment_enter(program->environment);
	INSTR_TIME_SET_CURRENT(start);
	slot = exchange->conn != NULL ? exchange->conn->slot : NULL;
	while (hxpy_exchange_step(exchange, false))
		;
	step->exchange = NULL;
	program->costs->sums.worked += exchange->costs.worked;
	if (exchange->failed)
		keep_error(step, exchange);
	else
		take_part(&step->sink, exchange->payload, exchange->length);
	/* An error of a step before is not reached yet. */
	if (!exchange->failed && step->asked > 0)
		program->error.payload = NULL;
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_ACCUM_DIFF(program->costs->sums.time, end, start);
	if (step == &program->steps[program->nsteps - 1])
		hxpy_progress_count(&program->costs->progress, slot, step->count - step->asked);
	program->costs->runs_sql = program->costs->runs_sql || exchange->answer.own.context != NULL;
	hxpy_environment_leave(program->environment, saved);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
	MemoryContextReset(program->work);
	return step->count - step->asked;
}

/* The session is needed: read the answer of a step. */
static void
spool_step(void *arg)
{
	ProgramStep *step = arg;
	Oid			user;
	int			security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(step->program->user, step->program->security);
	PushActiveSnapshot(step->program->snapshot);
	(void) end_step(step);
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, security);
}

/* Return how many rows the groups of a step have. */
static uint64
group_rows(const ProgramStep *step)
{
	uint64		count = 0;
	ListCell   *cell;

	if (!step->program->calls[linitial_int(step->calls)].is_group)
		return 0;
	foreach(cell, step->columns)
		count += ((Column *) lfirst(cell))->children[0]->count;
	return count;
}

/*
 * Return which rows a message is about: the first one, and how many.  Copies of the session may
 * make the calls where so many are allowed, and what Python does needs nothing of the server;
 * for each node that is run the worker makes new ones.
 */
static const char *
rows_text(const BatchProgram *program, uint64 count)
{
	ProgramCosts *costs = program->costs;
	char	   *rows = psprintf(UINT64_FORMAT " " UINT64_FORMAT, program->given, count);

	if (hxpy_workers > 1 && !costs->runs_sql)
		rows = psprintf("%s %d %d", rows, hxpy_workers, !costs->has_begun);
	costs->has_begun = true;
	return rows;
}

/* Send the message of a step for rows after those that were given out. */
static void
begin_step(BatchProgram *program, ProgramStep *step, uint64 count)
{
	ErrorContextCallback callback = {error_context_stack, step_context, step};
	MemoryContext old = MemoryContextSwitchTo(program->work);
	PySession  *session;
	Exchange   *exchange;
	SavedEnvironment saved;

	error_context_stack = &callback;
	GetUserIdAndSecContext(&program->user, &program->security);
	saved = hxpy_environment_enter(program->environment);
	fill_columns(program, step, count);
	MemoryContextReset(program->work);
	MemoryContextSwitchTo(program->answers);
	exchange = palloc(sizeof(Exchange));
	session = step_session(step);
	hxpy_function_exchange(exchange, program->calls[linitial_int(step->calls)].function, session,
						   HXPY_FRAME_CALLS);
	hxpy_exchange_add_text(exchange, "program", step->text);
	hxpy_exchange_add_text(exchange, "rows", rows_text(program, count));
	exchange->wants = step->wants;
	exchange->columns = list_concat(list_make1(step->functions), step->columns);
	exchange->keeps_error = true;
	exchange->sink = &step->sink;
	exchange->spool = spool_step;
	exchange->spool_arg = step;
	step->sink.take = take_part;
	step->parts = NIL;
	step->received = 0;
	step->cursor = (AnswerCursor) {0};
	step->count = step->asked = count;
	hxpy_registry_add(session->slot, COUNT_ROWS_IN, group_rows(step));
	exchange->rows = &program->costs->progress;
	hxpy_exchange_open(exchange);
	step->exchange = exchange;
	program->costs->sums.messages++;
	program->costs->sums.sent += exchange->head.length;
	hxpy_environment_leave(program->environment, saved);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old);
}

/*
 * Send the first message for the rows that were not given out, unless that was done, without
 * waiting for an answer.  Again where whoever needed the session has failed to read one.
 */
void
hxpy_messages_start(BatchProgram *program)
{
	Exchange   *exchange = program->steps[0].exchange;

	if (program->is_started && (exchange == NULL || exchange->state != EXCHANGE_BROKEN))
		return;
	Assert(program->given == program->answered);
	MemoryContextReset(program->answers);
	begin_step(program, &program->steps[0], program->added - program->given);
	program->is_started = true;
}

/*
 * Send more of a message that was begun, as far as it goes; that the worker is gone shows when
 * the answer is read.
 */
void
hxpy_messages_push(BatchProgram *program)
{
	Exchange   *exchange = program->steps[0].exchange;

	if (exchange != NULL && exchange->conn != NULL && exchange->conn->current == exchange)
		(void) hxpy_worker_send(exchange->conn);
}

/* Break off what is under way: nobody wants the answer. */
void
hxpy_messages_cancel(BatchProgram *program)
{
	for (int i = 0; i < program->nsteps; i++)
	{
		if (program->steps[i].exchange != NULL)
			hxpy_exchange_close(program->steps[i].exchange);
		program->steps[i].exchange = NULL;
	}
}

/* Make the calls for the rows that were not given out, or for the first of them. */
static void
run_program(BatchProgram *program)
{
	uint64		count;

	hxpy_messages_start(program);
	count = end_step(&program->steps[0]);
	for (int i = 1; i < program->nsteps && count > 0; i++)
	{
		begin_step(program, &program->steps[i], count);
		count = end_step(&program->steps[i]);
	}
	program->is_started = false;
	if (count == 0 && program->error.payload == NULL)
		invalid_answer(WRONG_COUNT);
	program->costs->sums.rows += count;
	program->answered = program->given + count;
}

/* Raise the error that has waited for its row. */
static void
raise_error(BatchProgram *program)
{
	RowError   *error = &program->error;
	ErrorContextCallback callback = {error_context_stack, hxpy_function_context,
	unconstify(PyFunction *, error->function)};

	error_context_stack = &callback;
	hxpy_error_raise_python(error->payload, error->length, true, error->failure, error->number);
}

/* Return whether a call for the next row, of those that were added, has failed. */
bool
hxpy_messages_fails(BatchProgram *program)
{
	Assert(program->given < program->added);
	if (program->given == program->answered && program->error.payload == NULL)
		run_program(program);
	return program->given == program->answered;
}

/* Return the results for the next row, of those that were added; they are in the current context. */
void
hxpy_messages_next(BatchProgram *program, Datum *values, bool *nulls)
{
	ErrorContextCallback callback = {error_context_stack, step_context, NULL};
	SavedEnvironment saved;

	if (hxpy_messages_fails(program))
		raise_error(program);
	error_context_stack = &callback;
	if (program->converts)
		saved = hxpy_environment_enter(program->environment);
	for (int i = 0; i < program->nsteps; i++)
	{
		ProgramStep *step = &program->steps[i];

		callback.arg = step;
		read_row(step, &step->cursor);
	}
	if (program->converts)
		hxpy_environment_leave(program->environment, saved);
	error_context_stack = callback.previous;
	for (int i = 0; i < program->noutputs; i++)
	{
		values[i] = *program->outputs[i].value;
		nulls[i] = *program->outputs[i].isnull;
	}
	program->given++;
}
