/*
 * sandbox.h
 *	  The sandbox of containers.
 */
#ifndef HXPY_SANDBOX_H
#define HXPY_SANDBOX_H

#include "engine/docker/docker.h"

/* Makes the body of the engine's create call. */
extern json_t *hxpy_sandbox_body(const EngineSpec *spec);

/* Makes the engine's Labels; NULL when memory is out. */
extern json_t *hxpy_sandbox_labels(const List *labels);

/* Raises an error when a container is not what its body asked for. */
extern void hxpy_sandbox_check(json_t *container, json_t *body);
extern void hxpy_sandbox_check_host(json_t *container, json_t *asked);

#endif							/* HXPY_SANDBOX_H */
