/*
 * worker.c
 *	  The connection to a worker: handshake, frames, timeout, cancel.
 *
 * A WorkerConn owns two sockets: data (the Python of the user) and control (the
 * supervisor, process 1 of the container).  One request is under way at a time;
 * `busy` is set around it, so that whatever error breaks it off (cancel,
 * timeout, a failing query, a failing NOTICE) passes through
 * hxpy_worker_break_off(), which interrupts Python, ends the stream and drains
 * the reply, or else gives the session up: a stale reply never answers a later
 * request.  A connection given up is `lost`: its
 * sockets are closed, which ends the container.
 *
 * All waits are on a WaitEventSet of the latch, the postmaster's death and both
 * sockets, made once for each connection.  hxpy_worker_recover() runs in PG_CATCH
 * blocks: nothing it calls may ereport.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "session/error.h"
#include "session/frames.h"
#include "guc.h"
#include "session/progress.h"
#include "codec/protocol.h"
#include "text.h"
#include "wait.h"
#include "session/worker.h"

#define MAX_PIECES			64
#define MAX_STEPS			64		/* reads before other things get a look */
#define DEATH_WAIT_MS		2000	/* for the supervisor's last words */
#define SECOND_INTERRUPT_MS 500
#define MAX_CONTROL_FRAME	(128 * 1024)
#define MAX_HELD_OUTPUT		(1024 * 1024)
#define OUTPUT_SLACK		(64 * 1024) /* what came before the request, words about a cut */

/*
 * The time that counts against a request's limit.  It runs while the backend waits
 * for the worker, and stands still while a query, a trigger or the client takes its
 * time.  A request that is read to its end without a pause is the exception:
 * hxpy_worker_count_all().
 */
typedef struct RequestClock
{
	instr_time	counted;		/* until it was stopped last */
	instr_time	started;		/* when it was started, zero while it stands still */
	bool		continuous;		/* it is not stopped any more */
	long		limit_ms;		/* 0 for none */
	const char *limit_name;		/* what set the limit */
} RequestClock;

struct WorkerConn
{
	MemoryContext context;		/* of everything here */
	const char *session;		/* for messages */
	FrameStream data;
	FrameStream control;
	SessionSlot *slot;			/* told of all that happens, NULL until it is open */
	WaitEventSet *events;
	int			data_event;		/* position of the data socket in `events` */
	uint32		data_mask;		/* what is waited for on it */
	uint32		request;		/* number of the latest request */
	bool		busy;			/* that request is under way */
	bool		streaming;		/* it takes more frames: END or ABORT was not sent */
	bool		reply_seen;		/* the head of its RESULT or ERROR has come */
	uint32		printed;		/* OUTPUT frames of the worker that were handled */
	size_t		output_limit;	/* bytes of each of the next three in one request */
	size_t		printed_left;	/* of what Python prints; 0: it was cut */
	size_t		written_left;	/* of what its subprocesses write */
	size_t		logged_left;	/* of LOG frames */
	bool		logs;			/* these were asked for */
	instr_time	began;			/* when it began */
	RequestClock clock;			/* of that request */
	const GatherList *sending;	/* payload not yet fully sent, or NULL */
	char		header[HXPY_HEADER_SIZE];
	size_t		sent;			/* bytes of header and payload sent so far */
	GatherList	nothing;		/* payload of frames without one */
	void		(*spool) (void *arg);	/* reads the request under way to its end */
	void	   *spool_arg;
	const char *lost;			/* why the session is over, or NULL */
};

/* Close the sockets; the end of its connection ends the container. */
static void
close_sockets(WorkerConn *conn)
{
	if (conn->events != NULL)
		FreeWaitEventSet(conn->events);
	conn->events = NULL;
	if (conn->data.socket != PGINVALID_SOCKET)
	{
		closesocket(conn->data.socket);
		ReleaseExternalFD();
	}
	if (conn->control.socket != PGINVALID_SOCKET)
	{
		closesocket(conn->control.socket);
		ReleaseExternalFD();
	}
	conn->data.socket = conn->control.socket = PGINVALID_SOCKET;
}

/* Note that the request under way has ended. */
static void
end_request(WorkerConn *conn)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, conn->began);
	conn->busy = false;
	hxpy_registry_end(conn->slot, INSTR_TIME_GET_MICROSEC(now));
}

/* Give the session up.  Does not ereport; the reason, short, must live as long. */
static void
lose(WorkerConn *conn, const char *reason)
{
	if (conn->lost == NULL)
		conn->lost = reason;
	if (conn->busy)
		end_request(conn);
	conn->streaming = false;
	conn->sending = NULL;
	close_sockets(conn);
	hxpy_registry_set_lost(conn->slot);
}

/* Raise the error of a session that is lost. */
static void
raise_lost(WorkerConn *conn, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("session \"%s\" was lost: %s", conn->session, conn->lost),
			 detail[0] ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) :
			 errhint("Its variables are gone. Close it with py_close('%s'), or open it anew with py_open('%s').",
					 conn->session, conn->session)));
}

/* Raise an error about a worker that breaks the protocol; the session is over. */
static void
raise_protocol_error(WorkerConn *conn, const char *detail)
{
	lose(conn, "the worker broke the protocol");
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid frame from the Python worker"),
			 errdetail_internal("%s", detail),
			 errhint("The session \"%s\" is lost; open it anew with py_open.", conn->session)));
}

/*
 * Take the sockets of a new worker, which are non-blocking and counted with
 * AcquireExternalFD; on error they stay the caller's.  Of its output one request
 * shows so many bytes, of its log as many if that is wanted at all.
 */
WorkerConn *
hxpy_worker_create(pgsocket control, pgsocket data, const char *session, size_t output_limit,
				   bool logs, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	WorkerConn *conn = palloc0(sizeof(WorkerConn));

	conn->context = context;
	conn->session = pstrdup(session);
	conn->output_limit = output_limit + OUTPUT_SLACK;
	conn->logs = logs;
	hxpy_frames_init(&conn->data, data, "worker", context);
	hxpy_frames_init(&conn->control, control, "supervisor", context);
	hxpy_gather_init(&conn->nothing, context);
	(void) hxpy_wait_event(HXPY_WAIT_WORKER);	/* later it must not raise errors */
	conn->events = HxpyCreateWaitEventSet(4);
	AddWaitEventToSet(conn->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(conn->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	conn->data_event = AddWaitEventToSet(conn->events, WL_SOCKET_READABLE, data, NULL, NULL);
	conn->data_mask = WL_SOCKET_READABLE;
	AddWaitEventToSet(conn->events, WL_SOCKET_READABLE, control, NULL, NULL);
	MemoryContextSwitchTo(old);
	return conn;
}

/* Tell a slot, from now on, of what happens on an open connection. */
void
hxpy_worker_watch(WorkerConn *conn, SessionSlot *slot)
{
	conn->slot = slot;
	hxpy_registry_set_idle(slot);
}

/* Close a connection; the worker and its container end by themselves. */
void
hxpy_worker_close(WorkerConn *conn)
{
	conn->busy = false;
	close_sockets(conn);
}

/* Return why the session is over, NULL when it is not. */
const char *
hxpy_worker_lost(const WorkerConn *conn)
{
	return conn->lost;
}

/*
 * Tell whether the session is over, also when that is not noticed yet.  For sessions
 * that run no user's code: nothing else comes from the supervisor between two requests.
 */
bool
hxpy_worker_has_ended(const WorkerConn *conn)
{
	char		byte;

	return conn->lost != NULL ||
		recv(conn->control.socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Tell whether a request is under way. */
bool
hxpy_worker_is_busy(const WorkerConn *conn)
{
	return conn->busy;
}

/* Return the milliseconds since a moment. */
static long
elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return (long) INSTR_TIME_GET_MILLISEC(now);
}

/* Wait for one of the sockets or the latch. */
static void
wait_events(WorkerConn *conn, long timeout_ms)
{
	uint32		mask = conn->sending != NULL ?
		WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
	WaitEvent	event;

	if (mask != conn->data_mask)
	{
		ModifyWaitEvent(conn->events, conn->data_event, mask, NULL);
		conn->data_mask = mask;
	}
	if (WaitEventSetWait(conn->events, timeout_ms, &event, 1,
						 hxpy_wait_event(HXPY_WAIT_WORKER)) == 1 &&
		event.events == WL_LATCH_SET)
		ResetLatch(MyLatch);
}

/* Try to send more of the frame under way; false when the worker is gone. */
static bool
send_more(WorkerConn *conn)
{
	while (conn->sending != NULL)
	{
		const GatherList *list = conn->sending;
		struct iovec pieces[MAX_PIECES];
		struct msghdr message = {.msg_iov = pieces};
		size_t		position = 0;
		size_t		total = HXPY_HEADER_SIZE + list->length;
		ssize_t		count;

		for (int i = -1; i < list->npieces && message.msg_iovlen < MAX_PIECES; i++)
		{
			const char *data = i < 0 ? conn->header :
				list->pieces[i].data != NULL ? list->pieces[i].data :
				list->own.data + list->pieces[i].offset;
			size_t		length = i < 0 ? HXPY_HEADER_SIZE : list->pieces[i].length;
			size_t		skip = conn->sent > position ? conn->sent - position : 0;

			position += length;
			if (skip >= length)
				continue;
			pieces[message.msg_iovlen].iov_base = unconstify(char *, data + skip);
			pieces[message.msg_iovlen].iov_len = length - skip;
			message.msg_iovlen++;
		}
		count = sendmsg(conn->data.socket, &message, MSG_NOSIGNAL);
		if (count < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		conn->sent += count;
		hxpy_registry_add_bytes_in(conn->slot, count);
		if (conn->sent == total)
			conn->sending = NULL;
	}
	return true;
}

/*
 * Tell the supervisor to interrupt the request under way.  Does not ereport: that it
 * is gone shows when the connection is read.
 */
static void
send_interrupt(WorkerConn *conn)
{
	char		header[HXPY_HEADER_SIZE];

	hxpy_wire_header(header, HXPY_FRAME_INTERRUPT, conn->request, 0);
	(void) send(conn->control.socket, header, sizeof(header), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Prepare to send a frame of the request under way. */
static void
start_frame(WorkerConn *conn, uint8 type, const GatherList *payload)
{
	hxpy_wire_header(conn->header, type, conn->request, payload->length);
	conn->sent = 0;
	conn->sending = payload;
	if (type == HXPY_FRAME_END || type == HXPY_FRAME_ABORT)
		conn->streaming = false;
}

/* Return a text field of a DEAD or HELLO frame. */
static char *
text_field(const WireColumn *columns, uint32 ncolumns, uint32 field)
{
	if (field >= ncolumns || columns[field].tag != HXPY_TAG_TEXT || columns[field].count != 1)
		return "";
	return hxpy_text_clean(columns[field].data, Min(columns[field].data_length, 8192));
}

/* Give the session up for the reason in a DEAD frame and raise the error. */
static void
raise_death(WorkerConn *conn, const Frame *frame)
{
	uint32		ncolumns;
	WireColumn *columns;
	const char *reason;
	const char *value;
	const char *why;
	const char *hint = NULL;

	/* Even if the frame makes no sense. */
	lose(conn, "Python ended");
	columns = hxpy_datum_parse_batch(frame->payload, frame->length, HXPY_MAX_COLUMNS, &ncolumns);
	reason = text_field(columns, ncolumns, 0);
	value = text_field(columns, ncolumns, 1);
	if (strcmp(reason, "exit") == 0)
		why = psprintf("Python exited with status %s", value);
	else if (strcmp(reason, "memory") == 0)
	{
		why = "Python ran out of memory";
		hint = "Its variables are gone. Open it anew with more: py_open(memory => ...), or hxpy.memory.";
	}
	else if (strcmp(reason, "idle") == 0)
		why = psprintf("it was idle for longer than %s s (hxpy.idle_timeout)", value);
	else
		why = psprintf("Python was terminated by %s", value);
	conn->lost = MemoryContextStrdup(conn->context, why);
	raise_lost(conn, text_field(columns, ncolumns, 2), hint);
}

/* Check a greeting: a batch whose first column is the role. */
static void
take_greeting(WorkerConn *conn, FrameStream *stream, const Frame *frame)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(frame->payload, frame->length, HXPY_MAX_COLUMNS,
												 &ncolumns);

	if (stream->greeted || strcmp(text_field(columns, ncolumns, 0), stream->role) != 0)
		raise_protocol_error(conn, "wrong greeting");
	stream->greeted = true;
}

/* Remember that the reply to the request under way has begun to arrive. */
static void
note_reply(WorkerConn *conn, const Frame *frame)
{
	if (frame->request == conn->request &&
		(frame->type == HXPY_FRAME_RESULT || frame->type == HXPY_FRAME_ERROR))
		conn->reply_seen = true;
}

/*
 * Tell whether output of subprocesses has come before output of Python that was
 * written first: the frame says how many of Python's went before it.  Once the
 * reply is there, nothing is waited for.
 */
static bool
is_early(const WorkerConn *conn, const Frame *frame)
{
	return conn->busy && !conn->reply_seen && (int32) (frame->request - conn->printed) > 0 &&
		conn->control.buffer.length < MAX_HELD_OUTPUT;
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

/* Show an OUTPUT frame, as far as the request's limit lets it. */
static void
take_output(const Frame *frame, size_t *left)
{
	static const char cut[] = "\1... (output cut at the limit)";

	if (*left == 0)
		return;
	hxpy_error_show_output(frame->payload, count_text(left, frame));
	if (*left == 0)
		hxpy_error_show_output(cut, sizeof(cut) - 1);
}

/* Log a LOG frame, if that is wanted, as far as the request's limit lets it. */
static void
take_log(WorkerConn *conn, const Frame *frame)
{
	static const char cut[] = "\36... (log cut at the limit)";	/* 30: a warning */

	if (!conn->logs || conn->logged_left == 0)
		return;
	hxpy_error_show_log(frame->payload, count_text(&conn->logged_left, frame), conn->session);
	if (conn->logged_left == 0)
		hxpy_error_show_log(cut, sizeof(cut) - 1, conn->session);
}

/*
 * Handle what the supervisor has sent; raises an error when it reports the
 * worker's death, or is gone.
 */
static void
read_control(WorkerConn *conn)
{
	ReadResult	result;
	int			steps = 0;

	do
	{
		Frame		frame;
		bool		found;
		size_t		missing;
		const char *error;

		result = hxpy_frames_read(&conn->control, 0);
		do
		{
			error = hxpy_frames_take(&conn->control, MAX_CONTROL_FRAME, &frame, &found, &missing);
			if (error != NULL || (found && frame.payload == NULL))
				raise_protocol_error(conn, error ? error : "oversized control frame");
			if (!found)
				break;
			if (frame.type == HXPY_FRAME_OUTPUT)
			{
				/* Nothing is held back from the end of the connection. */
				if (result != READ_CLOSED && is_early(conn, &frame))
				{
					hxpy_frames_put_back(&conn->control, &frame);
					return;
				}
				take_output(&frame, &conn->written_left);
			}
			else if (frame.type == HXPY_FRAME_DEAD)
				raise_death(conn, &frame);
			else if (frame.type == HXPY_FRAME_HELLO)
				take_greeting(conn, &conn->control, &frame);
			else
				raise_protocol_error(conn, "unexpected control frame");
		} while (found);
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	if (result == READ_CLOSED)
	{
		lose(conn, "its container is gone");
		raise_lost(conn, "", NULL);
	}
}

/* The data connection has ended: let the supervisor say why, then raise an error. */
static void
raise_data_closed(WorkerConn *conn)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	conn->sending = NULL;
	while (elapsed_ms(start) < DEATH_WAIT_MS)
	{
		(void) WaitLatchOrSocket(MyLatch,
								 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT |
								 WL_SOCKET_READABLE,
								 conn->control.socket, DEATH_WAIT_MS,
								 hxpy_wait_event(HXPY_WAIT_WORKER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		read_control(conn);
	}
	lose(conn, "Python has closed its connection");
	raise_lost(conn, "", NULL);
}

/* Start a request's clock, if it stands still. */
static void
start_clock(RequestClock *clock)
{
	if (INSTR_TIME_IS_ZERO(clock->started))
		INSTR_TIME_SET_CURRENT(clock->started);
}

/* Stop a request's clock. */
static void
stop_clock(RequestClock *clock)
{
	instr_time	now;

	if (clock->continuous)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(clock->counted, now, clock->started);
	INSTR_TIME_SET_ZERO(clock->started);
}

/*
 * Return the milliseconds that are left of the limit of the request under way, whose
 * clock runs: -1 where there is none, and an error when none is left.
 */
static long
time_left(const WorkerConn *conn)
{
	const RequestClock *clock = &conn->clock;
	long		left;

	if (clock->limit_ms == 0)
		return -1;
	left = clock->limit_ms - (long) INSTR_TIME_GET_MILLISEC(clock->counted) -
		elapsed_ms(clock->started);
	if (left <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling Python due to %s", clock->limit_name),
				 errhint("The limit is %ld ms.", clock->limit_ms)));
	return left;
}

/* Wait for something to happen, within the request's limit. */
static void
wait_request(WorkerConn *conn)
{
	wait_events(conn, time_left(conn));
	CHECK_FOR_INTERRUPTS();
}

/* Take a PROGRESS frame; one of an earlier request comes too late. */
static void
take_progress(WorkerConn *conn, const Frame *frame)
{
	const char *error;

	if (frame->request != conn->request)
		return;
	error = hxpy_progress_take(conn->slot, frame->payload, frame->length);
	if (error != NULL)
		raise_protocol_error(conn, error);
}

/* Read what there is on the data connection, at most one step. */
static ReadResult
receive_data(WorkerConn *conn, size_t wanted)
{
	uint64		before = conn->data.received;
	ReadResult	result = hxpy_frames_read(&conn->data, wanted);

	hxpy_registry_add_bytes_out(conn->slot, conn->data.received - before);
	return result;
}

/*
 * Take the next frame of the answer out of what was read, handling others on
 * the way; false when there is none whole.
 */
static bool
take_answer(WorkerConn *conn, Frame *frame, size_t *missing)
{
	for (;;)
	{
		bool		found;
		const char *error = hxpy_frames_take(&conn->data,
											 (size_t) hxpy_max_frame_size * 1024 * 1024,
											 frame, &found, missing);

		if (error != NULL)
			raise_protocol_error(conn, error);
		if (!found)
			return false;
		note_reply(conn, frame);
		if (frame->payload == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("a value of %zu bytes from Python is larger than hxpy.max_frame_size",
							frame->length),
					 errhint("Raise hxpy.max_frame_size, now %d MB.", hxpy_max_frame_size)));
		if (frame->type == HXPY_FRAME_OUTPUT)
		{
			/* What subprocesses wrote before has come that way. */
			read_control(conn);
			conn->printed++;
			take_output(frame, &conn->printed_left);
		}
		else if (frame->type == HXPY_FRAME_LOG)
			take_log(conn, frame);
		else if (frame->type == HXPY_FRAME_PROGRESS)
			take_progress(conn, frame);
		else if (frame->type == HXPY_FRAME_HELLO)
			take_greeting(conn, &conn->data, frame);
		else if (conn->reply_seen ||
				 (frame->type == HXPY_FRAME_ROWS && frame->request == conn->request))
			return true;
		else
			raise_protocol_error(conn, "unexpected frame");
	}
}

/* Read what the worker has sent, at most one step. */
static void
read_data(WorkerConn *conn, size_t missing)
{
	if (receive_data(conn, missing) == READ_CLOSED)
		raise_data_closed(conn);
}

/* Raise the error that is the request's answer. */
static void
raise_answer(WorkerConn *conn, const Frame *frame)
{
	/* With a stream open, break_off() has to end that. */
	if (!conn->streaming && conn->sending == NULL)
		end_request(conn);
	hxpy_error_raise_python(frame->payload, frame->length);
}

/* Skip the worker's frames that were read; false when the connection is of no use. */
static bool
skip_data(WorkerConn *conn)
{
	Frame		frame;
	bool		found;
	size_t		missing;

	do
	{
		/* With a limit of 0 every payload is skipped unread. */
		if (hxpy_frames_take(&conn->data, 0, &frame, &found, &missing) != NULL)
			return false;
		if (found)
			note_reply(conn, &frame);
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
static bool
drain_data(WorkerConn *conn)
{
	ReadResult	result;
	int			steps = 0;

	if (!send_more(conn) || !skip_data(conn))
		return false;
	do
	{
		result = receive_data(conn, 0);
		if (!skip_data(conn))
			return false;
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	return result != READ_CLOSED;
}

/* Skip the supervisor's frames that were read; false when the worker is dead. */
static bool
skip_control(WorkerConn *conn)
{
	Frame		frame;
	bool		found;
	size_t		missing;

	do
	{
		if (hxpy_frames_take(&conn->control, 0, &frame, &found, &missing) != NULL ||
			(found && frame.type == HXPY_FRAME_DEAD))
			return false;
	} while (found);
	return true;
}

/* Skip what the supervisor has sent, as above; false when the worker is dead. */
static bool
drain_control(WorkerConn *conn)
{
	ReadResult	result;
	int			steps = 0;

	if (!skip_control(conn))
		return false;
	do
	{
		result = hxpy_frames_read(&conn->control, 0);
		if (!skip_control(conn))
			return false;
	} while (result == READ_SOME && ++steps < MAX_STEPS);
	return result != READ_CLOSED;
}

/* Tell whether nothing of a broken-off request is left on the way. */
static bool
is_drained(const WorkerConn *conn)
{
	return conn->reply_seen && conn->sending == NULL && !conn->streaming &&
		conn->data.discard == 0;
}

/*
 * Bring a broken-off request to its end: interrupt Python, end its stream and
 * wait for the reply, or give the session up after hxpy.cancel_grace.  May run
 * in PG_CATCH blocks; interrupts are held.
 */
void
hxpy_worker_recover(WorkerConn *conn)
{
	instr_time	start;
	bool		repeated = false;

	if (!conn->busy)
		return;
	HOLD_INTERRUPTS();
	INSTR_TIME_SET_CURRENT(start);
	if (!conn->reply_seen)
		send_interrupt(conn);
	for (;;)
	{
		long		elapsed;

		if (conn->sending == NULL && conn->streaming)
			start_frame(conn, HXPY_FRAME_ABORT, &conn->nothing);
		if (!drain_data(conn) || !drain_control(conn))
		{
			lose(conn, "Python ended while it was being interrupted");
			break;
		}
		if (is_drained(conn))
			break;
		if (conn->sending == NULL && conn->streaming)
			continue;
		elapsed = elapsed_ms(start);
		if (ProcDiePending || elapsed >= hxpy_cancel_grace)
		{
			lose(conn, "Python did not react to an interrupt within hxpy.cancel_grace");
			break;
		}
		if (!repeated && elapsed >= SECOND_INTERRUPT_MS)
		{
			send_interrupt(conn);
			repeated = true;
		}
		wait_events(conn, repeated ? hxpy_cancel_grace - elapsed :
					Min(hxpy_cancel_grace, SECOND_INTERRUPT_MS) - elapsed);
	}
	if (conn->busy)
		end_request(conn);
	RESUME_INTERRUPTS();
}

/*
 * End the request that the current error has broken off, and throw the error
 * on, with what became of the session when it is a cancel.  To be called in a
 * PG_CATCH block around the request, with the memory context from before.
 */
void
hxpy_worker_break_off(WorkerConn *conn, MemoryContext context)
{
	bool		was_busy = conn->busy;
	ErrorData  *error;

	hxpy_worker_recover(conn);
	if (!was_busy)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (conn->lost != NULL && error->detail == NULL)
		error->detail = psprintf("Session \"%s\" is lost: %s.", conn->session, conn->lost);
	else if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->detail == NULL)
		error->detail = psprintf("Python was interrupted; session \"%s\" keeps its variables.",
								 conn->session);
	ReThrowError(error);
}

/*
 * Set what makes the connection free when another request comes while one is
 * under way, by reading that to its end; NULL takes it back.
 */
void
hxpy_worker_set_spool(WorkerConn *conn, void (*spool) (void *arg), void *arg)
{
	conn->spool = spool;
	conn->spool_arg = arg;
}

/*
 * Make sure that a request may begin, or raise an error; to be called before the
 * PG_TRY around it.
 */
void
hxpy_worker_check_ready(WorkerConn *conn)
{
	if (conn->busy && conn->spool != NULL)
		conn->spool(conn->spool_arg);
	if (conn->lost != NULL)
		raise_lost(conn, "", NULL);
	if (conn->busy)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("session \"%s\" is busy with another request", conn->session),
				 errhint("Use another session within a query that streams to or from this one.")));
}

/*
 * Begin a request by its first frame.  With `streaming`, more frames follow
 * through hxpy_worker_send, the last of them END.  Every payload must live until
 * the next call.  The source is for the slot and may be NULL.
 */
void
hxpy_worker_begin(WorkerConn *conn, uint8 type, const GatherList *payload,
				  const char *source, bool streaming, long limit_ms, const char *limit_name)
{
	Assert(conn->lost == NULL && !conn->busy);
	hxpy_registry_begin(conn->slot, type, source);
	hxpy_frames_shrink(&conn->data);
	if (++conn->request == 0)
		conn->request = 1;
	start_frame(conn, type, payload);
	conn->reply_seen = false;
	conn->printed_left = conn->written_left = conn->logged_left = conn->output_limit;
	conn->streaming = streaming;
	conn->clock = (RequestClock) {.limit_ms = limit_ms,.limit_name = limit_name};
	INSTR_TIME_SET_CURRENT(conn->began);
	conn->busy = true;
	if (!send_more(conn))
		raise_data_closed(conn);
}

/*
 * Have all time count against the limit of the request under way from now on: all
 * that is left of it is to store its rows.  A worker that sends them faster than that
 * is never waited for, and might send for ever.
 */
void
hxpy_worker_count_all(WorkerConn *conn)
{
	start_clock(&conn->clock);
	conn->clock.continuous = true;
}

/* Handle the answer's frames that are there while the request still streams. */
static void
take_early_answers(WorkerConn *conn, RowsSink sink, void *arg)
{
	Frame		frame;
	size_t		missing;

	read_data(conn, 0);
	while (take_answer(conn, &frame, &missing))
	{
		if (frame.type == HXPY_FRAME_ERROR)
			raise_answer(conn, &frame);
		if (frame.type != HXPY_FRAME_ROWS || sink == NULL)
			raise_protocol_error(conn, "answer to an unfinished request");
		sink(arg, frame.payload, frame.length);
	}
}

/*
 * Send a further frame of the request under way.  Waits only for the frame
 * before to be gone; rows that come meanwhile go to the sink.
 */
void
hxpy_worker_send(WorkerConn *conn, uint8 type, const GatherList *payload, RowsSink sink,
				 void *arg)
{
	start_clock(&conn->clock);
	for (;;)
	{
		if (!send_more(conn))
			raise_data_closed(conn);
		take_early_answers(conn, sink, arg);
		if (conn->sending == NULL)
			break;
		wait_request(conn);
		read_control(conn);
	}
	stop_clock(&conn->clock);
	start_frame(conn, type, payload ? payload : &conn->nothing);
	if (!send_more(conn))
		raise_data_closed(conn);
}

/*
 * Wait for the next frame of the answer: true for rows, false for the result,
 * which ends the request.  The payload is valid until the next call.
 */
bool
hxpy_worker_next(WorkerConn *conn, const char **payload, size_t *length)
{
	Frame		frame;
	size_t		missing;

	start_clock(&conn->clock);
	(void) time_left(conn);		/* many batches may be here without a wait */
	while (!take_answer(conn, &frame, &missing))
	{
		if (!send_more(conn))
			raise_data_closed(conn);
		wait_request(conn);
		read_data(conn, missing);
		read_control(conn);
	}
	stop_clock(&conn->clock);
	if (frame.type == HXPY_FRAME_ERROR)
		raise_answer(conn, &frame);
	*payload = frame.payload;
	*length = frame.length;
	if (frame.type == HXPY_FRAME_ROWS)
		return true;
	end_request(conn);
	return false;
}

/*
 * Send a request and wait for its reply, which stays valid until the next
 * request.  A Python exception, a lost worker, cancel and timeout are errors;
 * after them the connection is ready for the next request, or lost.
 */
void
hxpy_worker_request(WorkerConn *conn, uint8 type, const GatherList *payload,
					const char *source, long limit_ms, const char *limit_name,
					const char **reply, size_t *reply_length)
{
	MemoryContext context = CurrentMemoryContext;

	hxpy_worker_check_ready(conn);
	PG_TRY();
	{
		hxpy_worker_begin(conn, type, payload, source, false, limit_ms, limit_name);
		if (hxpy_worker_next(conn, reply, reply_length))
			raise_protocol_error(conn, "rows in place of a result");
	}
	PG_CATCH();
	{
		hxpy_worker_break_off(conn, context);
	}
	PG_END_TRY();
}

/*
 * Greet a new worker: send the session's options, a batch of text columns, to
 * the supervisor and to the worker, and wait until both have said hello.
 */
void
hxpy_worker_open(WorkerConn *conn, const GatherList *options, long timeout_ms)
{
	const char *reply;
	size_t		reply_length;
	StringInfoData frame;
	char		header[HXPY_HEADER_SIZE];

	initStringInfo(&frame);
	hxpy_wire_header(header, HXPY_FRAME_OPEN, 0, options->length);
	appendBinaryStringInfo(&frame, header, HXPY_HEADER_SIZE);
	appendBinaryStringInfo(&frame, options->own.data, options->own.length);
	if (options->own.length != options->length ||
		send(conn->control.socket, frame.data, frame.len, MSG_NOSIGNAL) != frame.len)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not send the session's options: %m")));
	hxpy_worker_request(conn, HXPY_FRAME_OPEN, options, NULL, timeout_ms, "hxpy.open_timeout",
						&reply, &reply_length);
	if (!conn->data.greeted || !conn->control.greeted)
		raise_protocol_error(conn, "no greeting");
}
