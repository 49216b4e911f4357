/*
 * http.h
 *	  HTTP requests to the Docker engine.
 *
 * A request lives in a memory context of its own below the context that was current at
 * its beginning; deleting either one, by hxpy_http_free or by an error, breaks the
 * transfer off and frees everything.  All functions succeed or ereport.
 */
#ifndef HXPY_HTTP_H
#define HXPY_HTTP_H

#include "engine/docker/transfer.h"
#include "engine/engine.h"

/*
 * Takes a piece of an answer's body.  It is called by libcurl: it must neither ereport
 * nor palloc.
 */
typedef void (*HttpSink) (void *arg, const char *data, size_t len);

/* What is asked; copied when the request begins. */
typedef struct HttpMessage
{
	const char *method;
	const char *path;
	const char *what;			/* for messages: "could not …" */
	const char *type;			/* header line of the data; NULL for none */
	const char *data;
	size_t		length;
	HttpSink	sink;			/* gets the body of a 2xx answer as it comes; or NULL */
	void	   *sink_arg;		/* lives longer than the request */
} HttpMessage;

/* Bytes of an answer, NUL-terminated once there are any */
typedef struct HttpBuffer
{
	char	   *data;			/* malloc'ed, freed with the request; may be NULL */
	size_t		len;
	size_t		size;
} HttpBuffer;

struct EngineRequest
{
	MemoryContext context;		/* holds this struct and its strings */
	MemoryContextCallback callback; /* releases all that is malloc'ed */
	Transfer	transfer;
	HttpMessage message;
	struct curl_slist *headers; /* owned; libcurl reads it during the transfer */
	const char *address;		/* of the engine, for messages */
	long		timeout_ms;		/* of the whole answer, 0 for none */
	int			status;			/* 0 before all headers have come */
	HttpBuffer	head;			/* header lines of the last answer */
	HttpBuffer	body;			/* without a sink, or when the status is not 2xx */
	char		error[CURL_ERROR_SIZE]; /* written by libcurl */
	bool		no_memory;		/* marks left by callbacks */
	bool		too_large;
};

/* Begins a request whose answer must be complete in time. */
extern EngineRequest *hxpy_http_begin(const HttpMessage *message, long timeout_ms);

/* Begins one without end, and returns when its status has come, which must be in time. */
extern EngineRequest *hxpy_http_open(const HttpMessage *message, long timeout_ms);

/*
 * Drives all transfers of the process until a request is complete; false when timeout_ms
 * (-1: none) is over.  A transfer that failed is an error here, but for one with a sink
 * that broke off after its status came: that is its end.
 */
extern bool hxpy_http_wait(EngineRequest *req, long timeout_ms);

/* Returns a copy of a header's value, NULL when there is none. */
extern const char *hxpy_http_header(const EngineRequest *req, const char *name);
extern void hxpy_http_free(EngineRequest *req);

#endif							/* HXPY_HTTP_H */
