/*
 * worker.c
 *	  The connection to a worker: its sockets, waiting, sending.
 *
 * A WorkerConn owns two sockets: data (the Python of the user) and control (the
 * supervisor, process 1 of the container).  What is said on them is the
 * exchanges' (exchange.c); frames.c reads.  A connection that is given up is
 * `lost`: its sockets are closed, which ends the container.
 *
 * All waits are on a WaitEventSet made once for each connection.  But for the
 * making, nothing here raises an error.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "hxpy.h"
#include "codec/wire.h"
#include "session/worker.h"
#include "wait.h"

#define MAX_PIECES			64
#define MAX_HELD			8192	/* bytes of frames that wait for the next one */
#define OUTPUT_SLACK		(64 * 1024) /* what came before the request, words about a cut */

/*
 * Take the sockets of a new worker, which are non-blocking and counted with
 * AcquireExternalFD; on error they stay the caller's.  Of its output one request
 * shows so many bytes, of its log as many if that is wanted at all.
 */
WorkerConn *
hxpy_worker_create(pgsocket control, pgsocket data, const char *session, size_t output_limit,
				   bool logs, MemoryContext context)
{
	static uint64 last_id = 0;
	MemoryContext old = MemoryContextSwitchTo(context);
	WorkerConn *conn = palloc0(sizeof(WorkerConn));

	conn->context = context;
	conn->id = ++last_id;
	conn->session = pstrdup(session);
	conn->role = GetUserId();
	conn->output_limit = output_limit + OUTPUT_SLACK;
	conn->logs = logs;
	dlist_init(&conn->exchanges);
	hxpy_frames_init(&conn->data, data, "worker", context);
	hxpy_frames_init(&conn->control, control, "supervisor", context);
	hxpy_buffer_init(&conn->head, context);
	(void) hxpy_buffer_reserve(&conn->head, MAX_HELD + HXPY_HEADER_SIZE);
	(void) hxpy_wait_event(HXPY_WAIT_WORKER);	/* later it must not raise errors */
	conn->events = HxpyCreateWaitEventSet(4);
	AddWaitEventToSet(conn->events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(conn->events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	conn->data_event = AddWaitEventToSet(conn->events, WL_SOCKET_READABLE, data, NULL, NULL);
	conn->data_mask = WL_SOCKET_READABLE;
	AddWaitEventToSet(conn->events, WL_SOCKET_READABLE, control, NULL, NULL);
	hxpy_spin_init(&conn->spin);
	MemoryContextSwitchTo(old);
	return conn;
}

/* Close the sockets; the end of its connection ends the container. */
void
hxpy_worker_close(WorkerConn *conn)
{
	FrameStream *streams[] = {&conn->data, &conn->control};

	conn->sending = NULL;
	if (conn->events != NULL)
		FreeWaitEventSet(conn->events);
	conn->events = NULL;
	for (int i = 0; i < lengthof(streams); i++)
	{
		if (streams[i]->socket == PGINVALID_SOCKET)
			continue;
		closesocket(streams[i]->socket);
		ReleaseExternalFD();
		streams[i]->socket = PGINVALID_SOCKET;
	}
}

/*
 * Return whether the session is over, also when that is not noticed yet.  For sessions
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

/* Wait for one of the sockets or the latch; for what is soon there without sleeping. */
void
hxpy_worker_wait(WorkerConn *conn, long timeout_ms)
{
	uint32		mask = conn->sending != NULL ?
		WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
	WaitEvent	event;

	if (conn->sending == NULL && hxpy_spin_wait(&conn->spin, conn->data.socket))
		return;
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

/* Add a frame's header to what goes before its payload.  There is always room for one. */
static void
add_header(WorkerConn *conn, uint8 type, uint32 request, size_t length)
{
	char		header[HXPY_HEADER_SIZE];

	hxpy_wire_header(header, type, request, length);
	hxpy_buffer_append(&conn->head, header, HXPY_HEADER_SIZE);
}

/*
 * Hold a small frame, to be sent together with the next one, which must be put before
 * anything from the worker is waited for; false when it is too large for that.
 */
bool
hxpy_worker_hold(WorkerConn *conn, uint8 type, uint32 request, const GatherList *payload)
{
	Assert(conn->sending == NULL);
	if (conn->head.length + HXPY_HEADER_SIZE + payload->length > MAX_HELD)
		return false;
	add_header(conn, type, request, payload->length);
	hxpy_gather_flatten(payload, &conn->head);
	return true;
}

/* Prepare to send a frame; the one before is gone. */
void
hxpy_worker_put(WorkerConn *conn, uint8 type, uint32 request, const GatherList *payload)
{
	Assert(conn->sending == NULL);
	add_header(conn, type, request, payload->length);
	conn->sent = 0;
	conn->sending = payload;
}

/* Try to send more of the frame under way; false when the worker is gone. */
bool
hxpy_worker_send(WorkerConn *conn)
{
	while (conn->sending != NULL)
	{
		const GatherList *list = conn->sending;
		struct iovec pieces[MAX_PIECES];
		struct msghdr message = {.msg_iov = pieces};
		size_t		position = 0;
		ssize_t		count;

		for (int i = -1; i < list->npieces && message.msg_iovlen < MAX_PIECES; i++)
		{
			const char *data = i < 0 ? conn->head.data : hxpy_gather_piece(list, i);
			size_t		length = i < 0 ? conn->head.length : list->pieces[i].length;
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
		hxpy_registry_add(conn->slot, COUNT_BYTES_IN, count);
		if (conn->sent == conn->head.length + list->length)
		{
			conn->sending = NULL;
			conn->head.length = 0;
		}
	}
	return true;
}

/* Send the supervisor a small frame; false when that fails, errno says why. */
bool
hxpy_worker_tell_supervisor(WorkerConn *conn, uint8 type, uint32 request,
							const GatherList *payload)
{
	char		header[HXPY_HEADER_SIZE];
	struct iovec pieces[] = {{header, HXPY_HEADER_SIZE}, {payload->own.data, payload->length}};
	struct msghdr message = {.msg_iov = pieces,.msg_iovlen = payload->length > 0 ? 2 : 1};

	Assert(payload->length == payload->own.length);
	hxpy_wire_header(header, type, request, payload->length);
	return sendmsg(conn->control.socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
		(ssize_t) (HXPY_HEADER_SIZE + payload->length);
}
