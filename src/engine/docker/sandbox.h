/*
 * sandbox.h
 *	  The sandbox of containers.
 */
#ifndef HXPY_SANDBOX_H
#define HXPY_SANDBOX_H

#include "engine/docker/json.h"
#include "engine/engine.h"

/* Makes the body of the request that creates a container. */
extern json_t *hxpy_sandbox_body(const EngineSpec *spec);

/* Make parts of it: the Labels, and a bind mount, which is to be given to an array. */
extern json_t *hxpy_sandbox_labels(const List *labels);
extern json_t *hxpy_sandbox_mount(const char *source, const char *target, bool read_only);

/* Raises an error when a container is not what its body asked for. */
extern void hxpy_sandbox_check(json_t *container, json_t *body);
extern void hxpy_sandbox_check_host(json_t *container, json_t *asked);

#endif							/* HXPY_SANDBOX_H */
