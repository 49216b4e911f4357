/*
 * endpoint.h
 *	  Containers in a network: the key, the address.
 */
#ifndef HXPY_ENDPOINT_H
#define HXPY_ENDPOINT_H

#include "engine/docker/json.h"
#include "engine/engine.h"

/* Raises an error unless the engine has a network of this name that serves. */
extern void hxpy_endpoint_check_network(const char *network);

/* parts of the sandbox; without a network NULL, but HXPY_NO_NETWORK to check */
extern json_t *hxpy_endpoint_exposed(const char *network);
extern json_t *hxpy_endpoint_bindings(const char *network);
extern void hxpy_endpoint_check_attached(json_t *container, const char *network);

/* before and after the container's start */
extern EngineRequest *hxpy_endpoint_begin_key(const char *container, const uint8 *key, int gid);
extern bool hxpy_endpoint_find(const char *container, const char *network,
							   const char **address, int *port);

#endif							/* HXPY_ENDPOINT_H */
