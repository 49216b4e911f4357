/*
 * sandbox.h
 *	  The sandbox of containers.
 */
#ifndef HXPY_SANDBOX_H
#define HXPY_SANDBOX_H

#include "launch/directory.h"
#include "engine/docker/docker.h"

/* What a container is made of, besides the settings for all of them. */
typedef struct Sandbox
{
	const char *session;		/* for labels; NULL in the pool */
	const char *image_id;
	const SocketDirectory *directory;
	const char *io;				/* directory to mount at /io; NULL for none */
	const char *network;		/* NULL in the pool: none */
	int			memory;			/* MB */
	double		cpus;
	bool		auto_remove;	/* by the engine, when it ends */
	const char *imports;		/* what Python imports in the pool, or NULL */
} Sandbox;

/* Makes the body of the engine's create call. */
extern json_t *hxpy_sandbox_body(const Sandbox *sandbox);

/* Raises an error when a container is not what its body asked for. */
extern void hxpy_sandbox_check(json_t *container, json_t *body);
extern void hxpy_sandbox_check_host(json_t *container, json_t *asked);

#endif							/* HXPY_SANDBOX_H */
