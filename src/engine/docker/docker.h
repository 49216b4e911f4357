/*
 * docker.h
 *	  The Docker Engine API, one function an endpoint.
 *
 * All functions succeed or ereport, with the engine's own words as DETAIL.
 * Each call ends within hxpy.docker_timeout, or within its timeout_ms, and
 * answers cancel, terminate and statement_timeout; with interrupts held it is
 * bounded by the time alone.  A returned json_t is owned by the memory context
 * that was current: borrow it, never json_decref it.  Its strings are UTF-8;
 * returned char pointers are in the server's encoding.
 */
#ifndef HXPY_DOCKER_H
#define HXPY_DOCKER_H

#include "engine/docker/json.h"
#include "engine/engine.h"

typedef struct DockerStream DockerStream;

/*
 * A call under way lives in the memory context that was current at its beginning; name
 * and body must live as long.  The end function waits, if need be, for its end, and
 * frees it; without that it ends with its context.
 */

/* What ended a wait on a stream; more than one may be set */
#define HXPY_DOCKER_ENDED	0x01	/* the container died (or the engine did) */
#define HXPY_DOCKER_SOCKET	0x02	/* the other socket is readable */
#define HXPY_DOCKER_TIMEOUT 0x04	/* neither happened in time */

/* Asks the engine whether it is there; returns the API version agreed on. */
extern const char *hxpy_docker_ping(void);

/* NULL when there is no such image, container, network */
extern json_t *hxpy_docker_inspect_image(const char *image);
extern json_t *hxpy_docker_inspect(const char *id);
extern json_t *hxpy_docker_inspect_network(const char *network);

/* Returns the id.  After an error the container may exist: remove it by name. */
extern char *hxpy_docker_create(const char *name, json_t *body);
extern void hxpy_docker_start(const char *id);

/* the same in two steps, for whoever has several under way */
extern bool hxpy_docker_is_done(const EngineCall *call);
extern EngineCall *hxpy_docker_begin_inspect(const char *id);
extern json_t *hxpy_docker_end_inspect(EngineCall *call);
extern EngineCall *hxpy_docker_begin_create(const char *name, json_t *body);
extern char *hxpy_docker_end_create(EngineCall *call);
extern EngineCall *hxpy_docker_begin_put(const char *id, const char *path, const char *data,
										 size_t length);
extern void hxpy_docker_end_put(EngineCall *call);
extern EngineCall *hxpy_docker_begin_start(const char *id);
extern void hxpy_docker_end_start(EngineCall *call);
extern EngineCall *hxpy_docker_begin_remove(const char *id, long timeout_ms);
extern bool hxpy_docker_end_remove(EngineCall *call);

extern char *hxpy_docker_logs(const char *id, int lines);

/* False when there was nothing (left) to remove */
extern bool hxpy_docker_remove(const char *id, long timeout_ms);

/* Array of the containers, running or not, that carry label ("key=value"); NULL: all. */
extern json_t *hxpy_docker_list(const char *label);
extern const char *hxpy_docker_entry_name(json_t *entry);

/*
 * Output of a container from now on: attach before start to get all of it.
 * The stream ends a moment before an inspect shows the container's end.
 */
extern DockerStream *hxpy_docker_attach(const char *id);
extern bool hxpy_docker_stream_has_ended(const DockerStream *stream);
extern int	hxpy_docker_stream_wait(DockerStream *stream, pgsocket other,
									long timeout_ms);
extern char *hxpy_docker_stream_text(DockerStream *stream);
extern void hxpy_docker_stream_close(DockerStream *stream);

/* Memory (bytes) and CPU time (microseconds); false when the container does not run */
extern EngineCall *hxpy_docker_begin_stats(const char *id);
extern bool hxpy_docker_end_stats(EngineCall *call, int64 *memory, int64 *cpu);

/* Administration; for a new name, one that is taken is an error. */
extern json_t *hxpy_docker_images(void);
extern json_t *hxpy_docker_version(void);
extern json_t *hxpy_docker_info(void);
extern void hxpy_docker_rename(const char *id, const char *name);

/*
 * A pull: sink, which must neither ereport nor palloc, gets what the engine says
 * about it, JSON values of a line each, and with them the errors.  Its arg lives
 * longer than the stream.
 */
typedef void (*DockerSink) (void *arg, const char *data, size_t len);

extern DockerStream *hxpy_docker_pull(const char *image, DockerSink sink, void *arg);
extern bool hxpy_docker_stream_is_broken(DockerStream *stream);
pg_noreturn extern void hxpy_docker_raise_pull(const char *image, int status,
											   const char *message);

#endif							/* HXPY_DOCKER_H */
