/*
 * exchange.c
 *	  Exchanges: an instruction goes to a worker, its answer comes back.
 *
 * One exchange is under way on a connection at a time, `current`.  Whatever error
 * breaks the exchange off (cancel, timeout, a failing query, a failing NOTICE) ends in
 * recover(), which interrupts Python, ends the stream of rows and drains the answer,
 * or else gives the session up: a stale answer is never taken for that to a later
 * instruction.
 *
 * The guard: the functions below that run user's code or wait catch errors around
 * it.  An exchange that is stepped lives on between them, so that a callback of its
 * resource owner, and one of its memory context, break it off when these go.
 *
 * recover() and what it calls must not ereport.
 *
 * It has a few more than 800 lines: all of them change where an exchange stands, and what
 * recovers from an error must know each way in which it can stop.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "guc.h"
#include "session/answer.h"
#include "session/error.h"
#include "session/exchange.h"
#include "session/output.h"
#include "session/subxact.h"

#define SECOND_INTERRUPT_MS 500
#define MAX_DEPTH			32		/* of exchanges inside each other */

static const GatherList nothing;	/* payload of frames without one */

static void answer_ask(Exchange *exchange, const Frame *frame);

/* what Python may ask for, by the frame's type */
static AskHandler ask_handlers[HXPY_MAX_ASKS];

/* exchanges that are stepped */
static dlist_head guarded = DLIST_STATIC_INIT(guarded);

/* ---------- sending and waiting ---------- */

/* Prepare to send a frame. */
static void
put_frame(Exchange *exchange, uint8 type, const GatherList *payload)
{
	hxpy_worker_put(exchange->conn, type, exchange->request, payload);
	exchange->costs.sent += payload->length;
	if (type != HXPY_FRAME_END && type != HXPY_FRAME_ABORT)
		return;
	/* The first ABORT ends the stream of rows, the second one what Python waits for. */
	if (exchange->state == EXCHANGE_SUSPENDED && exchange->resumed == EXCHANGE_FEEDING)
		exchange->resumed = EXCHANGE_WAITING;
	else
		hxpy_state_set(exchange, exchange->state == EXCHANGE_REJECTED ?
					   EXCHANGE_ANSWERED : EXCHANGE_WAITING);
}

/* Send what is to be sent, as far as it goes. */
static void
send_more(Exchange *exchange)
{
	if (!hxpy_worker_send(exchange->conn))
		hxpy_answer_raise_closed(exchange);
}

/* Wait for something to happen, within the limit; what Python has printed is shown in time. */
static void
wait_for_more(Exchange *exchange)
{
	long		left = hxpy_clock_left(&exchange->clock);
	long		output_left = hxpy_output_left();

	if (output_left >= 0 && (left < 0 || output_left < left))
		left = output_left;
	hxpy_worker_wait(exchange->conn, left);
	hxpy_output_show_due();
	CHECK_FOR_INTERRUPTS();
	if (hxpy_progress_due && exchange->rows != NULL)
		hxpy_progress_tick(exchange->rows, exchange->conn->slot, 0);
}

/* Count what a frame of the answer costs.  In the place of what other batches do not use stands the time. */
static void
count_answer(Exchange *exchange, const Frame *frame)
{
	exchange->costs.received += frame->length;
	if ((frame->type == HXPY_FRAME_ROWS || frame->type == HXPY_FRAME_RESULT) &&
		frame->length >= 2 * sizeof(uint32))
		exchange->costs.worked += (uint32) hxpy_wire_int32(frame->payload, 1);
}

/*
 * Take the next frame of the answer out of what was read, answering what Python asks
 * on the way; false when there is none whole.
 */
static bool
take_answer(Exchange *exchange, Frame *frame, size_t *missing)
{
	while (hxpy_answer_take(exchange, frame, missing))
	{
		/* What was printed before it comes before what it brings. */
		hxpy_output_show();
		if (exchange->state != EXCHANGE_SUSPENDED)
		{
			count_answer(exchange, frame);
			return true;
		}
		answer_ask(exchange, frame);
	}
	return false;
}

/* Raise the error that is the answer. */
static void
raise_answer(Exchange *exchange, const Frame *frame)
{
	/* While it is fed, the stream of rows has to be ended. */
	if (exchange->state == EXCHANGE_ANSWERED && exchange->conn->sending == NULL)
		hxpy_state_finish(exchange, EXCHANGE_BROKEN);
	hxpy_error_raise_python(frame->payload, frame->length,
							exchange->type >= HXPY_FRAME_FUNCTION &&
							exchange->type <= HXPY_FRAME_INVOKE_ROWS,
							exchange->failure, exchange->failures);
}

/* ---------- breaking off ---------- */

/* Interrupt Python.  That the supervisor is gone shows when its connection is read. */
static void
interrupt(Exchange *exchange)
{
	(void) hxpy_worker_tell_supervisor(exchange->conn, HXPY_FRAME_INTERRUPT, exchange->request,
									   &nothing);
}

/* Return whether Python waits for frames: ABORT has to end that. */
static bool
is_waited_for(const Exchange *exchange)
{
	return HXPY_IS_FEEDING(exchange) || exchange->state == EXCHANGE_SUSPENDED;
}

/*
 * Bring an exchange that is under way to its end: interrupt Python, end the stream
 * of rows, or what it has asked for, and wait for the answer, or give the session up
 * after hxpy.cancel_grace.  May run in PG_CATCH blocks; interrupts are held.
 */
static void
recover(Exchange *exchange)
{
	WorkerConn *conn = exchange->conn;
	instr_time	start;
	bool		repeated = false;

	HOLD_INTERRUPTS();
	/* What an error has left inside goes first. */
	while (conn->current != exchange)
		hxpy_exchange_close(conn->current);
	INSTR_TIME_SET_CURRENT(start);
	if (exchange->state == EXCHANGE_FEEDING || exchange->state == EXCHANGE_WAITING)
		interrupt(exchange);
	for (;;)
	{
		long		elapsed;

		if (conn->sending == NULL && is_waited_for(exchange))
			put_frame(exchange, HXPY_FRAME_ABORT, &nothing);
		if (!hxpy_answer_drain_data(exchange) || !hxpy_answer_drain_control(&conn->control))
		{
			hxpy_state_lose(exchange, "Python ended while it was being interrupted");
			break;
		}
		if (exchange->state == EXCHANGE_ANSWERED && conn->sending == NULL &&
			conn->data.discard == 0)
		{
			hxpy_state_finish(exchange, EXCHANGE_BROKEN);
			break;
		}
		elapsed = hxpy_clock_elapsed_ms(start);
		if (ProcDiePending || elapsed >= hxpy_cancel_grace)
		{
			hxpy_state_lose(exchange, "Python did not react to an interrupt within hxpy.cancel_grace");
			break;
		}
		if (conn->sending == NULL && is_waited_for(exchange))
			continue;
		if (!repeated && elapsed >= SECOND_INTERRUPT_MS)
		{
			interrupt(exchange);
			repeated = true;
		}
		hxpy_worker_wait(conn, repeated ? hxpy_cancel_grace - elapsed :
						 Min(hxpy_cancel_grace, SECOND_INTERRUPT_MS) - elapsed);
	}
	RESUME_INTERRUPTS();
}

/* End an exchange, wherever it stands; nobody reads on. */
void
hxpy_exchange_close(Exchange *exchange)
{
	if (HXPY_IS_UNDER_WAY(exchange))
		recover(exchange);
	else
		hxpy_state_finish(exchange, EXCHANGE_BROKEN);
}

/*
 * End the exchange that the current error has broken off, and throw the error
 * on, with what became of the session when it is a cancel.  To be called in a
 * PG_CATCH block around the exchange, with the memory context from before.
 */
pg_noreturn static void
break_off(Exchange *exchange, MemoryContext context)
{
	WorkerConn *conn = HXPY_IS_UNDER_WAY(exchange) ? exchange->conn : NULL;
	ErrorData  *error;

	hxpy_exchange_close(exchange);
	hxpy_subxact_abandon(exchange, false);
	if (conn == NULL)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	hxpy_output_show();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		hxpy_registry_add(conn->slot, exchange->clock.is_over ? COUNT_TIMEOUTS : COUNT_CANCELS, 1);
	if (conn->lost != NULL && error->detail == NULL)
		error->detail = psprintf("Session \"%s\" is lost: %s.", conn->session, conn->lost);
	else if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->detail == NULL)
		error->detail = psprintf("Python was interrupted; session \"%s\" keeps its variables.",
								 conn->session);
	ReThrowError(error);
}

/* A resource owner goes: end its exchanges, which errors have left. */
static void
release_exchanges(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	dlist_iter	iter;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS)
		return;
	dlist_foreach(iter, &guarded)
	{
		Exchange   *exchange = dlist_container(Exchange, guard_node, iter.cur);

		if (exchange->owner != CurrentResourceOwner)
			continue;
		hxpy_exchange_close(exchange);
		exchange->owner = NULL;
	}
}

/* An exchange's memory goes: end it if an error has left it. */
static void
release_memory(void *arg)
{
	Exchange   *exchange = arg;

	hxpy_exchange_close(exchange);
	dlist_delete(&exchange->guard_node);
}

/* Its session ends: leave all of its exchanges without it. */
void
hxpy_exchange_forget(WorkerConn *conn)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &conn->exchanges)
	{
		Exchange   *exchange = dlist_container(Exchange, node, iter.cur);

		if (HXPY_IS_UNDER_WAY(exchange))
			hxpy_state_finish(exchange, EXCHANGE_BROKEN);
		else
		{
			dlist_delete(&exchange->node);
			exchange->conn = NULL;
		}
	}
}

/* ---------- the way of an exchange ---------- */

/*
 * Make an exchange with a worker, in the current memory context, without a time
 * limit.  The rest of the head is the caller's to set.
 */
void
hxpy_exchange_init(Exchange *exchange, WorkerConn *conn, uint8 type)
{
	memset(exchange, 0, sizeof(*exchange));
	exchange->conn = conn;
	exchange->type = type;
	exchange->context = CurrentMemoryContext;
}

/* Give the instruction a text, which must live as long as the exchange. */
void
hxpy_exchange_add_text(Exchange *exchange, const char *name, const char *value)
{
	Assert(exchange->ntexts < HXPY_MAX_TEXTS);
	exchange->texts[exchange->ntexts++] = (ExchangeText) {name, value};
}

/* Want a column of a type in the answer; the name is in UTF-8. */
void
hxpy_exchange_add_want(Exchange *exchange, ColumnType *type, const char *name)
{
	exchange->wants = lappend(exchange->wants,
							  hxpy_column_create(type, name, CurrentMemoryContext));
}

/* Keep a batch that came while the exchange was fed, for a later step. */
static void
keep_batch(Exchange *exchange, const Frame *frame)
{
	MemoryContext old = MemoryContextSwitchTo(exchange->context);
	char	   *batch = MemoryContextAllocHuge(exchange->context, sizeof(size_t) + frame->length);

	memcpy(batch, &frame->length, sizeof(size_t));
	memcpy(batch + sizeof(size_t), frame->payload, frame->length);
	exchange->waiting_bytes += frame->length;
	if (exchange->waiting_bytes > (size_t) hxpy_max_frame_size * 1024 * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("Python returns more rows than can wait while a batch is sent"),
				 errhint("Return less for each batch, lower hxpy.batch_size, or raise hxpy.max_frame_size, now %d MB.",
						 hxpy_max_frame_size)));
	exchange->waiting = lappend(exchange->waiting, batch);
	MemoryContextSwitchTo(old);
}

/* Handle the answer's frames that are there while the exchange is fed. */
static void
take_early_answers(Exchange *exchange)
{
	Frame		frame;
	size_t		missing;

	hxpy_answer_read_data(exchange, 0);
	hxpy_output_show_due();
	while (take_answer(exchange, &frame, &missing))
	{
		hxpy_subxact_abandon(exchange, true);
		if (frame.type == HXPY_FRAME_ERROR)
			raise_answer(exchange, &frame);
		if (frame.type != HXPY_FRAME_ROWS || exchange->sink == NULL)
			hxpy_state_raise_protocol(exchange, "answer to an unfinished request");
		if (exchange->owner != NULL)
			keep_batch(exchange, &frame);
		else
			exchange->sink->take(exchange->sink, frame.payload, frame.length);
	}
}

/* If a stepped exchange is under way, read what is left of it: its session is needed. */
static void
spool_inner(WorkerConn *conn)
{
	Exchange   *exchange = conn->current;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = CurrentMemoryContext;

	if (exchange == NULL || !exchange->resting)
		return;
	PG_TRY();
	{
		CurrentResourceOwner = exchange->owner;
		exchange->spool(exchange->spool_arg);
	}
	PG_CATCH();
	{
		CurrentResourceOwner = owner;
		break_off(exchange, context);
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
}

/*
 * Wait until the frame that is being sent is gone; the answer's frames that come
 * meanwhile are handled.  What feeds the exchange does not go on within a subtransaction
 * of Python's, so that its end is waited for, too.
 */
static void
flush(Exchange *exchange)
{
	/* What waits for an answer has nothing to say. */
	if (exchange->state == EXCHANGE_SUSPENDED && exchange->conn->sending == NULL)
		return;
	hxpy_clock_start(&exchange->clock);
	for (;;)
	{
		send_more(exchange);
		take_early_answers(exchange);
		if (exchange->conn->sending == NULL &&
			(exchange->subxacts == NULL || exchange->state == EXCHANGE_SUSPENDED))
			break;
		wait_for_more(exchange);
		hxpy_answer_read_control(exchange);
	}
	hxpy_clock_stop(&exchange->clock);
}

/* Raise an error when the session was lost within what Python has asked. */
void
hxpy_exchange_check_alive(const Exchange *exchange)
{
	if (exchange->conn == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the session was lost while SQL ran that Python had asked for")));
}

/*
 * Send a further frame.  Waits only for the frame before to be gone; its payload
 * must live until the next call.  A small one that answers Python is sent with the
 * answer: Python wakes up once.
 */
static void
send_frame(Exchange *exchange, uint8 type, const GatherList *payload)
{
	hxpy_exchange_check_alive(exchange);
	spool_inner(exchange->conn);
	flush(exchange);
	if (exchange->state == EXCHANGE_SUSPENDED &&
		hxpy_worker_hold(exchange->conn, type, exchange->request, payload))
		return;
	put_frame(exchange, type, payload);
	send_more(exchange);
}

/* Make sure that the exchange may begin, or raise an error. */
static void
check_ready(Exchange *exchange)
{
	WorkerConn *conn = exchange->conn;

	if (conn != NULL)
		spool_inner(conn);
	/* Planning the query, or what was read, may have run functions. */
	conn = exchange->conn;
	if (conn == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("the session was closed while the query was planned")));
	if (conn->lost != NULL)
		hxpy_state_raise_lost(conn, "", NULL);
	if (conn->current != NULL && conn->current->state != EXCHANGE_SUSPENDED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("session \"%s\" is busy with another request", conn->session),
				 errhint("Use another session within a query that streams to or from this one.")));
	if (conn->current != NULL && conn->current->depth >= MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("Python and SQL call each other too deeply in session \"%s\"",
						conn->session),
				 errhint("The limit is %d calls, one inside the other.", MAX_DEPTH)));
}

/*
 * Write the head: texts and wanted columns, with the heads of the columns that the source
 * will feed between them, or the prefix that has both; then columns at hand.
 */
static void
write_head(Exchange *exchange, Column **heads, int nheads)
{
	const HeadPrefix *prefix = exchange->prefix;
	GatherList *list = &exchange->head;
	ListCell   *cell;

	hxpy_gather_init(list, exchange->context);
	if (prefix != NULL)
	{
		uint32		begin[2] = {prefix->ncolumns + list_length(exchange->columns)};

		begin[1] = sizeof(begin) + prefix->bytes.length;
		hxpy_gather_copy(list, begin, sizeof(begin));
		hxpy_gather_copy(list, prefix->bytes.data, prefix->bytes.length);
	}
	else
	{
		hxpy_column_write_batch(exchange->ntexts + nheads + list_length(exchange->wants) +
								list_length(exchange->columns), list);
		for (int i = 0; i < exchange->ntexts; i++)
			hxpy_column_write_text(exchange->texts[i].name,
								   hxpy_coltype_to_utf8(exchange->texts[i].value), list);
		for (int i = 0; i < nheads; i++)
			hxpy_column_write(heads[i], list);
		foreach(cell, exchange->wants)
			hxpy_column_write(lfirst(cell), list);
	}
	foreach(cell, exchange->columns)
		hxpy_column_write(lfirst(cell), list);
}

/* Send the head, with the heads of the columns that are to be fed, if any. */
void
hxpy_exchange_begin(Exchange *exchange, Column **heads, int nheads)
{
	WorkerConn *conn;

	check_ready(exchange);
	write_head(exchange, heads, nheads);
	if (exchange->shown == NULL && exchange->ntexts > 0)
		exchange->shown = exchange->texts[0].value;
	conn = exchange->conn;
	if (conn->current != NULL)
	{
		flush(conn->current);
		exchange->depth = conn->current->depth + 1;
	}
	exchange->outer = conn->current;
	hxpy_registry_begin(conn->slot, exchange->type, exchange->shown);
	hxpy_frames_shrink(&conn->data);
	if (++conn->request == 0)
		conn->request = 1;
	exchange->request = conn->request;
	exchange->printed_left = exchange->written_left = exchange->logged_left = conn->output_limit;
	INSTR_TIME_SET_CURRENT(exchange->began);
	if (exchange->rows != NULL)
		hxpy_progress_begin(exchange->rows, conn->slot);
	conn->current = exchange;
	hxpy_state_set(exchange, exchange->source != NULL ? EXCHANGE_FEEDING : EXCHANGE_WAITING);
	put_frame(exchange, exchange->type, &exchange->head);
	send_more(exchange);
	if ((exchange->type == HXPY_FRAME_OPEN || exchange->type == HXPY_FRAME_FORK) &&
		!hxpy_worker_tell_supervisor(conn, exchange->type, 0, &exchange->head))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not send to the session's supervisor: %m")));
}

/* Feed a batch of rows, which must live until the next call. */
void
hxpy_exchange_feed(Exchange *exchange, const GatherList *batch)
{
	send_frame(exchange, HXPY_FRAME_BATCH, batch);
}

/* Count a batch of rows that the exchange has moved: the fed ones where rows go both ways. */
void
hxpy_exchange_count(Exchange *exchange, uint64 rows)
{
	exchange->costs.messages++;
	exchange->costs.rows += rows;
	if (exchange->rows != NULL)
		hxpy_progress_count(exchange->rows, exchange->conn->slot, rows);
}

/* ---------- what Python asks ---------- */

/* Have a function answer frames of a type. */
void
hxpy_exchange_on_ask(uint8 type, AskHandler handler)
{
	ask_handlers[type - HXPY_FRAME_ASK] = handler;
}

/*
 * Answer what Python has asked.  The clock stands still but for the sending: what the
 * handler runs is not Python's time.
 */
static void
answer_ask(Exchange *exchange, const Frame *frame)
{
	uint8		type = frame->type;
	AskHandler	handler = ask_handlers[type - HXPY_FRAME_ASK];
	bool		continuous = exchange->clock.continuous;
	MemoryContext context;
	MemoryContext old;
	char	   *payload;

	/* While a session is forked, SQL would find the new one half made. */
	if (handler == NULL || exchange->type == HXPY_FRAME_FORK)
		hxpy_state_raise_protocol(exchange, "unexpected frame");
	context = AllocSetContextCreate(exchange->context, "hxpy ask", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	/* What the handler runs may read on. */
	payload = MemoryContextAllocHuge(context, Max(frame->length, 1));
	memcpy(payload, frame->payload, frame->length);
	exchange->clock.continuous = false;
	hxpy_clock_stop(&exchange->clock);
	/* The last answer was read, if the worker is fair; else it has to be sent first. */
	flush(exchange);
	if (exchange->ask_context != NULL)
		MemoryContextDelete(exchange->ask_context);
	exchange->ask_context = context;
	if (exchange->answer.own.context == NULL)
		hxpy_gather_init(&exchange->answer, exchange->context);
	hxpy_gather_reset(&exchange->answer);
	handler(exchange, payload, frame->length);
	hxpy_exchange_check_alive(exchange);
	spool_inner(exchange->conn);
	flush(exchange);
	/* What Python says from now on belongs to the request again. */
	hxpy_state_set(exchange, exchange->resumed);
	put_frame(exchange, type - HXPY_FRAME_ASK + HXPY_FRAME_ANSWER, &exchange->answer);
	send_more(exchange);
	hxpy_clock_start(&exchange->clock);
	exchange->clock.continuous = continuous;
	MemoryContextSwitchTo(old);
}

/* Tell the columns of the rows that answer what Python has asked, as hxpy_exchange_feed(). */
void
hxpy_exchange_tell_columns(Exchange *exchange, const GatherList *columns)
{
	Assert(exchange->state == EXCHANGE_SUSPENDED);
	send_frame(exchange, HXPY_FRAME_COLUMNS, columns);
}

/* Wait for the answer's next batch of rows; false at its end. */
bool
hxpy_exchange_next(Exchange *exchange)
{
	Frame		frame;
	size_t		missing;

	hxpy_clock_start(&exchange->clock);
	(void) hxpy_clock_left(&exchange->clock); /* many batches may be here without a wait */
	while (!take_answer(exchange, &frame, &missing))
	{
		send_more(exchange);
		wait_for_more(exchange);
		hxpy_answer_read_data(exchange, missing);
		hxpy_answer_read_control(exchange);
	}
	hxpy_clock_stop(&exchange->clock);
	hxpy_subxact_abandon(exchange, true);
	exchange->failed = frame.type == HXPY_FRAME_ERROR;
	if (exchange->failed && !exchange->keeps_error)
		raise_answer(exchange, &frame);
	exchange->payload = frame.payload;
	exchange->length = frame.length;
	if (frame.type == HXPY_FRAME_ROWS)
	{
		if (exchange->sink == NULL)
			hxpy_state_raise_protocol(exchange, "rows in place of a result");
		return true;
	}
	if (exchange->conn->sending != NULL)
		hxpy_state_raise_protocol(exchange, "answer to an unfinished request");
	hxpy_state_finish(exchange, EXCHANGE_ENDED);
	return false;
}

/* Send the head, and the source's rows. */
static void
start(Exchange *exchange, bool whole)
{
	dlist_push_head(&exchange->conn->exchanges, &exchange->node);
	if (exchange->source == NULL)
		hxpy_exchange_begin(exchange, NULL, 0);
	else
	{
		exchange->has_more = exchange->source->open(exchange->source, exchange, whole);
		if (!exchange->has_more)
			send_frame(exchange, HXPY_FRAME_END, &nothing);
	}
}

/*
 * Run an exchange to its end.  A Python exception, a lost worker, cancel and timeout
 * are errors; after them the session is free for the next one, or lost.
 */
void
hxpy_exchange_run(Exchange *exchange)
{
	MemoryContext context = CurrentMemoryContext;
	ExchangeSink *sink = exchange->sink;

	PG_TRY();
	{
		start(exchange, true);
		if (sink != NULL && sink->pull != NULL)
			sink->pull(sink, exchange);
		else
		{
			if (sink != NULL)
				hxpy_clock_count_all(&exchange->clock);
			while (hxpy_exchange_next(exchange))
				sink->take(sink, exchange->payload, exchange->length);
		}
	}
	PG_CATCH();
	{
		break_off(exchange, context);
	}
	PG_END_TRY();
	if (exchange->at_end != NULL)
		exchange->at_end(exchange);
	/* Another transaction may have begun, in which the answer's values are made. */
	if (exchange->nonatomic)
		EnsurePortalSnapshotExists();
}

/* Copy the answer to the current memory context: the next exchange takes its place. */
void
hxpy_exchange_keep(Exchange *exchange)
{
	char	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, Max(exchange->length, 1));

	memcpy(copy, exchange->payload, exchange->length);
	exchange->payload = copy;
}

/* Run an exchange to its end, and read the values of its wanted columns. */
void
hxpy_exchange_values(Exchange *exchange, Datum *values, bool *nulls)
{
	ColumnType **types = palloc(list_length(exchange->wants) * sizeof(ColumnType *));
	bool		runs_code = false;
	ListCell   *cell;

	hxpy_exchange_run(exchange);
	foreach(cell, exchange->wants)
	{
		ColumnType *type = ((Column *) lfirst(cell))->type;

		types[foreach_current_index(cell)] = type;
		runs_code = runs_code || hxpy_coltype_runs_code(type);
	}
	if (runs_code)
		hxpy_exchange_keep(exchange);
	hxpy_datum_row(types, list_length(exchange->wants), exchange->payload, exchange->length,
				   values, nulls);
}

/* ---------- step by step ---------- */

/* Refuse to go on with an exchange that was broken off: an error in it was caught elsewhere. */
void
hxpy_exchange_check(const Exchange *exchange)
{
	if (exchange->state == EXCHANGE_BROKEN)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("the stream of rows from Python has failed before")));
}

/* Have exchanges end with their resource owner; a backend without any pays nothing for it. */
static void
register_release(void)
{
	static bool is_registered = false;

	if (is_registered)
		return;
	RegisterResourceReleaseCallback(release_exchanges, NULL);
	is_registered = true;
}

/*
 * Begin an exchange that is to be stepped.  Its memory context, in which it was made,
 * and the current resource owner end it when they go.
 */
void
hxpy_exchange_open(Exchange *exchange)
{
	MemoryContext context = CurrentMemoryContext;

	register_release();
	exchange->callback.func = release_memory;
	exchange->callback.arg = exchange;
	MemoryContextRegisterResetCallback(exchange->context, &exchange->callback);
	dlist_push_head(&guarded, &exchange->guard_node);
	exchange->owner = CurrentResourceOwner;
	PG_TRY();
	{
		start(exchange, false);
	}
	PG_CATCH();
	{
		break_off(exchange, context);
	}
	PG_END_TRY();
	exchange->resting = true;
}

/* Get the next batch: one that has waited, or the worker's next; false at the end. */
static bool
next_batch(Exchange *exchange, bool all_counts)
{
	if (exchange->taken != NULL)
		pfree(exchange->taken);
	exchange->taken = NULL;
	while (exchange->waiting == NIL && exchange->has_more)
	{
		exchange->has_more = exchange->source->step(exchange->source, exchange);
		if (!exchange->has_more)
			send_frame(exchange, HXPY_FRAME_END, &nothing);
	}
	if (exchange->waiting == NIL)
	{
		if (all_counts)
			hxpy_clock_count_all(&exchange->clock);
		return hxpy_exchange_next(exchange);
	}
	exchange->taken = linitial(exchange->waiting);
	exchange->waiting = list_delete_first(exchange->waiting);
	memcpy(&exchange->length, exchange->taken, sizeof(size_t));
	exchange->payload = exchange->taken + sizeof(size_t);
	exchange->waiting_bytes -= exchange->length;
	return true;
}

/*
 * Give the sink the answer's next batch, which is valid until the next step; false at
 * the end.  With all_counts, all time counts once nothing more is fed: the rows only
 * go to a store.
 */
bool
hxpy_exchange_step(Exchange *exchange, bool all_counts)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool found = false;

	hxpy_exchange_check(exchange);
	/* What the source itself calls cannot wait for its own end. */
	exchange->resting = false;
	PG_TRY();
	{
		found = next_batch(exchange, all_counts);
		if (found)
			exchange->sink->take(exchange->sink, exchange->payload, exchange->length);
	}
	PG_CATCH();
	{
		break_off(exchange, context);
	}
	PG_END_TRY();
	exchange->resting = found;
	return found;
}
