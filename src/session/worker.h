/*
 * worker.h
 *	  The connection to a worker.
 */
#ifndef HXPY_WORKER_H
#define HXPY_WORKER_H

#include "codec/buffer.h"
#include "launch/registry.h"

typedef struct WorkerConn WorkerConn;

/* Takes a batch of rows out of the worker's answer; may raise errors. */
typedef void (*RowsSink) (void *arg, const char *payload, size_t length);

extern WorkerConn *hxpy_worker_create(pgsocket control, pgsocket data, const char *session,
									  size_t output_limit, bool logs, MemoryContext context);
extern void hxpy_worker_open(WorkerConn *conn, const GatherList *options, long timeout_ms);
extern void hxpy_worker_watch(WorkerConn *conn, SessionSlot *slot);
extern void hxpy_worker_close(WorkerConn *conn);
extern const char *hxpy_worker_lost(const WorkerConn *conn);
extern bool hxpy_worker_is_busy(const WorkerConn *conn);
extern bool hxpy_worker_has_ended(const WorkerConn *conn);

/* one frame there, one frame back */
extern void hxpy_worker_request(WorkerConn *conn, uint8 type, const GatherList *payload,
								const char *source, long limit_ms, const char *limit_name,
								const char **reply, size_t *reply_length);

/* streams; all within PG_TRY, with hxpy_worker_break_off in PG_CATCH */
extern void hxpy_worker_check_ready(WorkerConn *conn);
extern void hxpy_worker_begin(WorkerConn *conn, uint8 type, const GatherList *payload,
							  const char *source, bool streaming, long limit_ms,
							  const char *limit_name);
extern void hxpy_worker_count_all(WorkerConn *conn);
extern void hxpy_worker_send(WorkerConn *conn, uint8 type, const GatherList *payload,
							 RowsSink sink, void *arg);
extern bool hxpy_worker_next(WorkerConn *conn, const char **payload, size_t *length);
pg_noreturn extern void hxpy_worker_break_off(WorkerConn *conn, MemoryContext context);
extern void hxpy_worker_recover(WorkerConn *conn);
extern void hxpy_worker_set_spool(WorkerConn *conn, void (*spool) (void *arg), void *arg);

#endif							/* HXPY_WORKER_H */
