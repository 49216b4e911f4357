/*
 * request.h
 *	  Requests to the Docker Engine API: their paths, answers, errors.
 *
 * All functions succeed or ereport.  A request lives in the memory context that was
 * current at its beginning, until its end function frees it.
 */
#ifndef HXPY_REQUEST_H
#define HXPY_REQUEST_H

#include "engine/docker/http.h"
#include "engine/docker/json.h"

/* Parts of paths: text percent-encoded but for the bytes in keep, names checked. */
extern char *hxpy_request_escape(const char *text, const char *keep);
extern const char *hxpy_request_check_name(const char *name);
extern char *hxpy_request_image_path(const char *image);
pg_noreturn extern void hxpy_request_raise_image_name(const char *image);

/* What the engine says about an error, and what that means. */
extern char *hxpy_request_words(const char *words);
extern char *hxpy_request_message(const EngineRequest *request);
extern int	hxpy_request_sqlstate(int status, const char *message);
pg_noreturn extern void hxpy_request_raise(const EngineRequest *request);
pg_noreturn extern void hxpy_request_raise_garbled(const char *detail);

/* Asks the engine for its API version; returns the one agreed on. */
extern const char *hxpy_request_negotiate(long timeout_ms);

/* A request whose answer is taken whole; the path of a message lacks the version. */
extern EngineRequest *hxpy_request_begin(const HttpMessage *message, long timeout_ms);
extern bool hxpy_request_wait(EngineRequest *request);
extern json_t *hxpy_request_json(const EngineRequest *request);
extern bool hxpy_request_end(EngineRequest *request);
extern json_t *hxpy_request_end_json(EngineRequest *request);

/* One whose answer goes to a sink as it comes; its status is there. */
extern EngineRequest *hxpy_request_open(const HttpMessage *message);

#endif							/* HXPY_REQUEST_H */
