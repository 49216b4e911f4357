/*
 * call.h
 *	  A call to the Docker engine: its path, its end, its answer, its errors.
 *
 * For docker.c and stream.c alone.  All functions succeed or ereport.  Each call
 * ends within its time, hxpy.docker_timeout where none is given.
 */
#ifndef HXPY_CALL_H
#define HXPY_CALL_H

#include "engine/engine.h"
#include "engine/docker/http.h"
#include "engine/docker/json.h"

#define HXPY_CALL_MESSAGE_MAX	1024	/* bytes of the engine's words we repeat */

struct EngineCall
{
	HttpRequest *req;			/* freed by the end function, or with its context */
	const char *name;			/* of the container, for messages */
	bool		creates;		/* what is made must be removed, whatever happens */
};

/* Parts of paths: text percent-encoded but for the bytes in keep, names checked. */
extern char *hxpy_call_escape(const char *text, const char *keep);
extern const char *hxpy_call_check_name(const char *name);
extern char *hxpy_call_image_path(const char *image);
pg_noreturn extern void hxpy_call_raise_image_name(const char *image);

/* What the engine says about an error, and what that means. */
extern char *hxpy_call_message(HttpRequest *req);
extern int	hxpy_call_sqlstate(int status, const char *message);
pg_noreturn extern void hxpy_call_raise(HttpRequest *req, const char *what);

/* Asks the engine for its API version; returns the one agreed on. */
extern const char *hxpy_call_negotiate(long timeout_ms);

/* A call in two steps, or in one; whatever its status is. */
extern EngineCall *hxpy_call_begin(const char *method, const char *path, json_t *body,
								   long timeout_ms);
extern EngineCall *hxpy_call_begin_container(const char *method, const char *id,
											 const char *what, long timeout_ms);
extern EngineCall *hxpy_call_begin_put(const char *path, const char *type, const char *data,
									   size_t length);
extern HttpRequest *hxpy_call_end(EngineCall *call);
extern HttpRequest *hxpy_call(const char *method, const char *path, json_t *body,
							  long timeout_ms);

/* A stream, whose status has come. */
extern HttpRequest *hxpy_call_open_stream(const char *path, HttpSink sink, void *arg);

/* JSON of an answer; NULL, of those that find or get, when there is nothing of that name. */
extern json_t *hxpy_call_read_json(HttpRequest *req);
extern json_t *hxpy_call_read_found(HttpRequest *req, const char *what);
extern json_t *hxpy_call_get(const char *path, const char *what);

#endif							/* HXPY_CALL_H */
