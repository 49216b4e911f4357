/*
 * docker.h
 *	  The Docker Engine API, one function an endpoint.
 *
 * All functions succeed or ereport, with the engine's own words as DETAIL.  Each ends
 * within hxpy.docker_timeout, or within its timeout_ms, and answers cancel, terminate and
 * statement_timeout; with interrupts held it is bounded by the time alone.  A returned
 * json_t is owned by the memory context that was current: borrow it, never json_decref
 * it.  Its strings are UTF-8; returned char pointers are in the server's encoding.
 */
#ifndef HXPY_DOCKER_H
#define HXPY_DOCKER_H

#include "engine/docker/json.h"
#include "engine/docker/output.h"
#include "engine/docker/request.h"

/* Asks the engine whether it is there; returns the API version agreed on. */
extern const char *hxpy_docker_ping(void);
extern json_t *hxpy_docker_version(void);
extern json_t *hxpy_docker_info(void);
extern json_t *hxpy_docker_images(void);

/* NULL when there is no such image, network, container */
extern json_t *hxpy_docker_inspect_image(const char *image);
extern const char *hxpy_docker_image_id(const char *image);
extern json_t *hxpy_docker_inspect_network(const char *network);
extern json_t *hxpy_docker_inspect(const char *id);

/* Array of the containers, running or not, that carry label ("key=value"); NULL: all. */
extern json_t *hxpy_docker_list(const char *label);
extern const char *hxpy_docker_entry_name(json_t *entry);

/* False when there was nothing (left) to remove */
extern bool hxpy_docker_remove(const char *id, long timeout_ms);

/* A name that is taken is an error. */
extern void hxpy_docker_rename(const char *id, const char *name);

/*
 * Requests that end by hxpy_request_end(), or hxpy_request_end_json() where they inspect,
 * for whoever has several under way.
 */
extern EngineRequest *hxpy_docker_begin_inspect(const char *id);
extern EngineRequest *hxpy_docker_begin_put(const char *id, const char *path, const char *data,
											size_t length);
extern EngineRequest *hxpy_docker_begin_start(const char *id);
extern EngineRequest *hxpy_docker_begin_remove(const char *id, long timeout_ms);

/*
 * Create returns the id.  After an error the container may exist, or come: undo it by its
 * name, with what else the hint has to say of "docker rm".
 */
extern EngineRequest *hxpy_docker_begin_create(const char *name, json_t *body);
extern char *hxpy_docker_end_create(EngineRequest *request, const char *name);
extern void hxpy_docker_undo(const EngineRequest *creating, const char *name, const char *hint);

/* Memory (bytes) and CPU time (microseconds); false when the container does not run */
extern EngineRequest *hxpy_docker_begin_stats(const char *id);
extern bool hxpy_docker_end_stats(EngineRequest *request, int64 *memory, int64 *cpu);

/*
 * Output of a container that was, or from now on: attach before start to get all of it.
 * The request is done a moment before an inspect shows the container's end.
 */
extern char *hxpy_docker_logs(const char *id, int lines);
extern EngineRequest *hxpy_docker_attach(const char *id, OutputLog *log);

/*
 * A pull: the sink gets what the engine says about it, JSON values of a line each, and
 * with them the errors.  A request that is freed early ends the pull, unless another
 * client of the engine pulls the same; the engine keeps the layers that it has.
 */
extern EngineRequest *hxpy_docker_pull(const char *image, HttpSink sink, void *arg);
pg_noreturn extern void hxpy_docker_raise_pull(const char *image, int status,
											   const char *message);

#endif							/* HXPY_DOCKER_H */
