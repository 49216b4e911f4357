/*
 * worker.h
 *	  The connection to a worker.
 */
#ifndef HXPY_WORKER_H
#define HXPY_WORKER_H

#include "lib/ilist.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "codec/protocol.h"
#include "launch/registry.h"
#include "session/frames.h"
#include "session/spin.h"

struct Exchange;

/* Everything here lives in `context`. */
typedef struct WorkerConn
{
	MemoryContext context;
	uint64		id;				/* never used twice in a backend */
	const char *session;		/* for messages */
	Oid			role;			/* whose session it is */
	FrameStream data;			/* the Python of the user */
	FrameStream control;		/* the supervisor, process 1 of the container */
	SessionSlot *slot;			/* told of all that happens, NULL until it is open */
	const char *lost;			/* why the session is over, or NULL */

	/* waiting: the latch, the postmaster's death and both sockets */
	WaitEventSet *events;
	int			data_event;		/* position of the data socket in it */
	uint32		data_mask;		/* what is waited for on that */
	Spin		spin;			/* before it sleeps */

	/* the frame that is being sent on `data` */
	const GatherList *sending;	/* payload not yet fully sent, or NULL */
	ByteBuffer	head;			/* frames that were held for it, then its header */
	size_t		sent;			/* bytes of head and payload sent so far */

	/* of the exchanges; see exchange.c */
	dlist_head	exchanges;		/* that will use this connection, or do so */
	struct Exchange *current;	/* that is under way, NULL when the session is free */
	uint32		request;		/* number of the latest one */
	uint32		printed;		/* OUTPUT frames of the worker that were handled */
	size_t		output_limit;	/* bytes of each kind of output in one exchange */
	bool		logs;			/* LOG frames were asked for */

	struct PlanTable *plans;	/* that Python has prepared, NULL until it does; move/plan.c */
	TimestampTz last_used;
} WorkerConn;

extern WorkerConn *hxpy_worker_create(pgsocket control, pgsocket data, const char *session,
									  size_t output_limit, bool logs, MemoryContext context);
extern void hxpy_worker_close(WorkerConn *conn);
extern bool hxpy_worker_has_ended(const WorkerConn *conn);
extern void hxpy_worker_wait(WorkerConn *conn, long timeout_ms);

/* sending; the payload lives until it is sent, that of a frame that is held does not matter */
extern bool hxpy_worker_hold(WorkerConn *conn, uint8 type, uint32 request,
							 const GatherList *payload);
extern void hxpy_worker_put(WorkerConn *conn, uint8 type, uint32 request,
							const GatherList *payload);
extern bool hxpy_worker_send(WorkerConn *conn);
extern bool hxpy_worker_tell_supervisor(WorkerConn *conn, uint8 type, uint32 request,
										const GatherList *payload);

#endif							/* HXPY_WORKER_H */
