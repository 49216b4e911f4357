/*
 * worker.h
 *	  The connection to a worker.
 */
#ifndef HXPY_WORKER_H
#define HXPY_WORKER_H

#include "buffer.h"

typedef struct WorkerConn WorkerConn;

extern WorkerConn *hxpy_worker_create(pgsocket control, pgsocket data, const char *session,
									  MemoryContext context);
extern void hxpy_worker_open(WorkerConn *conn, const GatherList *options, long timeout_ms);
extern void hxpy_worker_request(WorkerConn *conn, uint8 type, const GatherList *payload,
								long timeout_ms, const char *timeout_name,
								const char **reply, size_t *reply_length);
extern void hxpy_worker_close(WorkerConn *conn);
extern const char *hxpy_worker_lost(const WorkerConn *conn);
extern bool hxpy_worker_is_busy(const WorkerConn *conn);

#endif							/* HXPY_WORKER_H */
