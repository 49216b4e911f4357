/*
 * answer.c
 *	  What worker and supervisor send while an exchange is under way.
 *
 * Frames are handled by a table from their types to functions; those of the answer
 * are given to who waits for it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "guc.h"
#include "session/answer.h"
#include "session/error.h"
#include "session/output.h"
#include "session/progress.h"
#include "wait.h"

#define MAX_STEPS			64		/* reads before other things get a look */
#define DEATH_WAIT_MS		2000	/* for the supervisor's last words */
#define MAX_CONTROL_FRAME	(128 * 1024)
#define MAX_CONTROL_TEXT	8192	/* bytes of a text that is shown */
#define MAX_HELD_OUTPUT		(1024 * 1024)

/* ---------- what comes ---------- */

/*
 * Handles a frame; returns whether it is one of the answer, to be read by who waits
 * for that.
 */
typedef bool (*FrameHandler) (Exchange *exchange, const Frame *frame);

/* Return a text field of a DEAD or HELLO frame. */
static char *
text_field(const WireColumn *columns, uint32 ncolumns, uint32 field)
{
	return hxpy_error_text(columns, ncolumns, field, MAX_CONTROL_TEXT);
}

/* Give the session up for the reason in a DEAD frame and raise the error. */
static bool
handle_dead(Exchange *exchange, const Frame *frame)
{
	WorkerConn *conn = exchange->conn;
	uint32		ncolumns;
	WireColumn *columns;
	const char *reason;
	const char *value;
	const char *why;
	const char *hint = NULL;

	/* Even if the frame makes no sense. */
	hxpy_state_lose(exchange, "Python ended");
	columns = hxpy_datum_parse_batch(frame->payload, frame->length, HXPY_MAX_COLUMNS, &ncolumns);
	reason = text_field(columns, ncolumns, 0);
	value = text_field(columns, ncolumns, 1);
	if (strcmp(reason, "exit") == 0)
		why = psprintf("Python exited with status %s", value);
	else if (strcmp(reason, "memory") == 0)
	{
		why = "Python ran out of memory";
		hxpy_registry_add(conn->slot, COUNT_MEMORY_KILLS, 1);
		hint = "Its variables are gone. Open it anew with more: py_open(memory => ...), or hxpy.memory.";
	}
	else if (strcmp(reason, "processes") == 0)
		why = psprintf("it had more than %s processes and threads (hxpy.pids_limit)", value);
	else if (strcmp(reason, "parent") == 0)
	{
		why = "the parent that py_share has made has ended";
		hint = "The next session will have no variables of it. Share a session again.";
	}
	else if (strcmp(reason, "idle") == 0)
		why = psprintf("it was idle for longer than %s s (hxpy.idle_timeout)", value);
	else
		why = psprintf("Python was terminated by %s", value);
	conn->lost = MemoryContextStrdup(conn->context, why);
	hxpy_registry_set_lost(conn->slot, hxpy_coltype_to_utf8(why));
	hxpy_state_raise_lost(conn, text_field(columns, ncolumns, 2), hint);
}

/* Check a greeting: a batch whose first column is the role. */
static void
take_greeting(Exchange *exchange, FrameStream *stream, const Frame *frame)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(frame->payload, frame->length, HXPY_MAX_COLUMNS,
												 &ncolumns);

	if (stream->greeted || strcmp(text_field(columns, ncolumns, 0), stream->role) != 0)
		hxpy_state_raise_protocol(exchange, "wrong greeting");
	stream->greeted = true;
}

/* Take the worker's greeting. */
static bool
handle_worker_hello(Exchange *exchange, const Frame *frame)
{
	take_greeting(exchange, &exchange->conn->data, frame);
	return false;
}

/* Take the supervisor's greeting. */
static bool
handle_supervisor_hello(Exchange *exchange, const Frame *frame)
{
	take_greeting(exchange, &exchange->conn->control, frame);
	return false;
}

/*
 * Return how much of a text frame is to be shown: all, or what is left of the limit
 * in *left, which is 0 then.  The container cuts, too, and earlier, unless it is
 * hostile.
 */
static size_t
count_text(size_t *left, const Frame *frame)
{
	size_t		count = Max(frame->length, 2) - 1;	/* without the leading byte */
	size_t		shown = Min(count, *left);

	*left -= shown;
	return Min(frame->length, shown + 1);
}

/* Show an OUTPUT frame, as far as the limit lets it. */
static void
show_output(const Frame *frame, size_t *left)
{
	static const char cut[] = "\1... (output cut at the limit)";

	if (*left == 0)
		return;
	hxpy_output_add(frame->payload, count_text(left, frame));
	if (*left == 0)
		hxpy_output_add(cut, sizeof(cut) - 1);
}

/* Show what Python has printed, after what subprocesses wrote before: that has come. */
static bool
handle_printed(Exchange *exchange, const Frame *frame)
{
	hxpy_answer_read_control(exchange);
	exchange->conn->printed++;
	show_output(frame, &exchange->printed_left);
	return false;
}

/* Show what subprocesses have written. */
static bool
handle_written(Exchange *exchange, const Frame *frame)
{
	show_output(frame, &exchange->written_left);
	return false;
}

/* Show a MESSAGE frame, as far as the limit of what Python prints lets it. */
static bool
handle_message(Exchange *exchange, const Frame *frame)
{
	size_t	   *left = &exchange->printed_left;

	if (*left == 0)
		return false;
	hxpy_answer_read_control(exchange);
	hxpy_output_show();
	hxpy_error_show_message(frame->payload, frame->length, *left);
	*left -= Min(*left, frame->length);
	return false;
}

/* Log a LOG frame, if that is wanted, as far as the limit lets it. */
static bool
handle_log(Exchange *exchange, const Frame *frame)
{
	static const char cut[] = "\36... (log cut at the limit)";	/* 30: a warning */
	const char *session = exchange->conn->session;

	if (!exchange->conn->logs || exchange->logged_left == 0)
		return false;
	hxpy_error_show_log(frame->payload, count_text(&exchange->logged_left, frame), session);
	if (exchange->logged_left == 0)
		hxpy_error_show_log(cut, sizeof(cut) - 1, session);
	return false;
}

/* Take a PROGRESS frame; one of an earlier exchange comes too late. */
static bool
handle_progress(Exchange *exchange, const Frame *frame)
{
	const char *error;

	if (frame->request != exchange->request)
		return false;
	if (hxpy_progress != 0)
		hxpy_output_show();
	error = hxpy_progress_take(exchange->rows, exchange->conn->slot, frame->payload, frame->length);
	if (error != NULL)
		hxpy_state_raise_protocol(exchange, error);
	return false;
}

/* Take a FULL frame, which changes nothing but where rows wait. */
static bool
handle_full(Exchange *exchange, const Frame *frame)
{
	if (!exchange->grouped || frame->request != exchange->request || frame->length != 0)
		hxpy_state_raise_protocol(exchange, "unexpected frame");
	exchange->is_full = true;
	return false;
}

/* Take a frame of the answer. */
static bool
handle_answer(Exchange *exchange, const Frame *frame)
{
	WorkerConn *conn = exchange->conn;

	if (frame->request != exchange->request || exchange->state == EXCHANGE_SUSPENDED ||
		!conn->data.greeted || !conn->control.greeted)
		hxpy_state_raise_protocol(exchange, "unexpected frame");
	if (frame->type == HXPY_FRAME_ERROR)
		hxpy_registry_add(conn->slot, COUNT_ERRORS, 1);
	return true;
}

/* Who may send which frame, and what becomes of it. */
static const struct
{
	FrameHandler worker;
	FrameHandler supervisor;
}			handlers[UINT8_MAX + 1] = {
	[HXPY_FRAME_HELLO] = {handle_worker_hello, handle_supervisor_hello},
	[HXPY_FRAME_OUTPUT] = {handle_printed, handle_written},
	[HXPY_FRAME_LOG] = {handle_log, NULL},
	[HXPY_FRAME_MESSAGE] = {handle_message, NULL},
	[HXPY_FRAME_RESULT] = {handle_answer, NULL},
	[HXPY_FRAME_ERROR] = {handle_answer, NULL},
	[HXPY_FRAME_DEAD] = {NULL, handle_dead},
	[HXPY_FRAME_ROWS] = {handle_answer, NULL},
	[HXPY_FRAME_PROGRESS] = {handle_progress, NULL},
	[HXPY_FRAME_FULL] = {handle_full, NULL},
};

/* ---------- reading ---------- */

/*
 * Return whether output of subprocesses has come before output of Python that was
 * written first: the frame says how many of Python's went before it.  Once the
 * answer is there, nothing is waited for.
 */
static bool
is_early(const Exchange *exchange, const Frame *frame)
{
	const WorkerConn *conn = exchange->conn;

	return (exchange->state == EXCHANGE_FEEDING || exchange->state == EXCHANGE_WAITING) &&
		(int32) (frame->request - conn->printed) > 0 &&
		conn->control.buffer.length < MAX_HELD_OUTPUT;
}

/*
 * Handle what the supervisor has sent; raises an error when it reports the
 * worker's death, or is gone.
 */
void
hxpy_answer_read_control(Exchange *exchange)
{
	FrameStream *control = &exchange->conn->control;
	ReadResult	result;
	int			steps = 0;

	do
	{
		Frame		frame;
		bool		found;
		size_t		missing;
		const char *error;

		result = hxpy_frames_read(control, 0);
		do
		{
			error = hxpy_frames_take(control, MAX_CONTROL_FRAME, &frame, &found, &missing);
			if (error != NULL || (found && frame.payload == NULL))
				hxpy_state_raise_protocol(exchange, error ? error : "oversized control frame");
			if (!found)
				break;
			/* Nothing is held back from the end of the connection. */
			if (frame.type == HXPY_FRAME_OUTPUT && result != READ_CLOSED &&
				is_early(exchange, &frame))
			{
				hxpy_frames_put_back(control, &frame);
				return;
			}
			if (handlers[frame.type].supervisor == NULL)
				hxpy_state_raise_protocol(exchange, "unexpected control frame");
			handlers[frame.type].supervisor(exchange, &frame);
		} while (found);
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	if (result == READ_CLOSED)
		hxpy_state_raise_loss(exchange, "its container is gone");
}

/* The data connection has ended: let the supervisor say why, then raise an error. */
void
hxpy_answer_raise_closed(Exchange *exchange)
{
	TimestampTz start = GetCurrentTimestamp();

	exchange->conn->sending = NULL;
	while (!TimestampDifferenceExceeds(start, GetCurrentTimestamp(), DEATH_WAIT_MS))
	{
		(void) WaitLatchOrSocket(MyLatch,
								 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT |
								 WL_SOCKET_READABLE,
								 exchange->conn->control.socket, DEATH_WAIT_MS,
								 hxpy_wait_event(HXPY_WAIT_WORKER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		hxpy_answer_read_control(exchange);
	}
	hxpy_state_raise_loss(exchange, "Python has closed its connection");
}

/* Read what there is on the data connection, at most one step. */
static ReadResult
receive_data(WorkerConn *conn, size_t wanted)
{
	uint64		before = conn->data.received;
	ReadResult	result = hxpy_frames_read(&conn->data, wanted);

	hxpy_registry_add(conn->slot, COUNT_BYTES_OUT, conn->data.received - before);
	return result;
}

/* Read what the worker has sent, at most one step. */
void
hxpy_answer_read_data(Exchange *exchange, size_t missing)
{
	if (receive_data(exchange->conn, missing) == READ_CLOSED)
		hxpy_answer_raise_closed(exchange);
}

/*
 * Take the next frame of the answer, or one by which Python asks, out of what was
 * read, handling others on the way; false when there is none whole.
 */
bool
hxpy_answer_take(Exchange *exchange, Frame *frame, size_t *missing)
{
	for (;;)
	{
		bool		found;
		bool		asked;
		const char *error = hxpy_frames_take(&exchange->conn->data,
											 (size_t) hxpy_max_frame_size * 1024 * 1024,
											 frame, &found, missing);

		if (error != NULL)
			hxpy_state_raise_protocol(exchange, error);
		if (!found)
			return false;
		asked = exchange->state == EXCHANGE_SUSPENDED;
		hxpy_state_note(exchange, frame);
		if (frame->payload == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("a value of %zu bytes from Python is larger than hxpy.max_frame_size",
							frame->length),
					 errhint("Raise hxpy.max_frame_size, now %d MB.", hxpy_max_frame_size)));
		if (HXPY_IS_ASK(frame->type) && exchange->state == EXCHANGE_SUSPENDED && !asked)
			return true;
		if (handlers[frame->type].worker == NULL)
			hxpy_state_raise_protocol(exchange, "unexpected frame");
		if (handlers[frame->type].worker(exchange, frame))
			return true;
	}
}

/* ---------- skipping it ---------- */

/* Skip the worker's frames that were read; false when the connection is of no use. */
static bool
skip_data(Exchange *exchange)
{
	WorkerConn *conn = exchange->conn;
	Frame		frame;
	bool		found;
	size_t		missing;

	do
	{
		/* With a limit of 0 every payload is skipped unread. */
		if (hxpy_frames_take(&conn->data, 0, &frame, &found, &missing) != NULL)
			return false;
		if (found)
			hxpy_state_note(exchange, &frame);
		if (found && frame.type == HXPY_FRAME_OUTPUT)
			conn->printed++;
	} while (found);
	return true;
}

/*
 * Skip what the worker has sent; neither raises errors nor shows output, nor needs
 * memory, since nothing is kept when more is read.  False when the connection is of
 * no use.  Bounded, so that a worker that writes all the time does not outlast the
 * caller's time limit.
 */
bool
hxpy_answer_drain_data(Exchange *exchange)
{
	ReadResult	result;
	int			steps = 0;

	if (!hxpy_worker_send(exchange->conn) || !skip_data(exchange))
		return false;
	do
	{
		result = receive_data(exchange->conn, 0);
		if (!skip_data(exchange))
			return false;
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	return result != READ_CLOSED;
}

/* Skip the supervisor's frames that were read; false when the worker is dead. */
static bool
skip_control(FrameStream *control)
{
	Frame		frame;
	bool		found;
	size_t		missing;

	do
	{
		if (hxpy_frames_take(control, 0, &frame, &found, &missing) != NULL ||
			(found && frame.type == HXPY_FRAME_DEAD))
			return false;
	} while (found);
	return true;
}

/* Skip what the supervisor has sent, as above; false when the worker is dead. */
bool
hxpy_answer_drain_control(FrameStream *control)
{
	ReadResult	result;
	int			steps = 0;

	if (!skip_control(control))
		return false;
	do
	{
		result = hxpy_frames_read(control, 0);
		if (!skip_control(control))
			return false;
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	return result != READ_CLOSED;
}
