/*
 * http.h
 *	  HTTP requests to the Docker engine, waiting on the backend's latch.
 *
 * A request lives in a memory context of its own below the context that was
 * current at its start; deleting either one, by hxpy_http_free or by an error,
 * breaks the transfer off and frees everything.  What the functions return
 * points into the request.  All functions succeed or ereport.
 */
#ifndef HXPY_HTTP_H
#define HXPY_HTTP_H

#include "wait.h"

typedef struct HttpRequest HttpRequest;

/*
 * Takes a piece of a stream's body.  It is called by libcurl: it must neither
 * ereport nor palloc.
 */
typedef void (*HttpSink) (void *arg, const char *data, size_t len);

/* What ended a wait; more than one may be set */
#define HXPY_HTTP_DONE		0x01	/* the request is complete */
#define HXPY_HTTP_SOCKET	0x02	/* the other socket is readable */
#define HXPY_HTTP_TIMEOUT	0x04	/* neither happened in time */

/* Starts a request; body is JSON or NULL, timeout_ms 0 means none. */
extern HttpRequest *hxpy_http_start(const char *method, const char *path,
									const char *body, long timeout_ms);

/* Starts a PUT of bytes of a type. */
extern HttpRequest *hxpy_http_put(const char *path, const char *type,
								  const char *data, size_t length,
								  long timeout_ms);

/*
 * Starts a request whose answer is a stream, and returns when its status has
 * come, at the latest after timeout_ms.  The body of a 2xx answer goes to sink
 * whenever some request waits; that of any other answer is kept as usual.
 */
extern HttpRequest *hxpy_http_open_stream(const char *method, const char *path,
										  HttpSink sink, void *arg,
										  long timeout_ms);

/*
 * Drives all transfers of the process until req is complete, other (or
 * PGINVALID_SOCKET) is readable, or timeout_ms (-1: none) is over.  A transfer
 * that failed is an error here, but for a stream that broke off after its
 * status came: that is its end.
 */
extern int	hxpy_http_wait(HttpRequest *req, pgsocket other, long timeout_ms);

/*
 * Drives all transfers for one wait: until one makes a step, other is readable (then
 * true), the latch is set, or timeout_ms (-1: none) is over; `what` is shown as the
 * reason.
 */
extern bool hxpy_http_drive(pgsocket other, long timeout_ms, HxpyWait what);

extern bool hxpy_http_is_done(const HttpRequest *req);

/* Tells whether a stream that is done broke off before its end. */
extern bool hxpy_http_is_broken(HttpRequest *req);

extern int	hxpy_http_status(HttpRequest *req);
extern const char *hxpy_http_body(HttpRequest *req, size_t *len);
extern const char *hxpy_http_header(HttpRequest *req, const char *name);
extern void hxpy_http_free(HttpRequest *req);

#endif							/* HXPY_HTTP_H */
