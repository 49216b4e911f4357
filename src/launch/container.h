/*
 * container.h
 *	  Containers of sessions.
 */
#ifndef HXPY_CONTAINER_H
#define HXPY_CONTAINER_H

#include "launch/directory.h"
#include "launch/registry.h"

/* What a session asks of its container; all checked against the settings. */
typedef struct ContainerOptions
{
	const char *session;		/* for labels */
	SessionSlot *slot;			/* tells others which container is whose */
	const char *images;			/* preference list */
	const char *network;		/* or HXPY_NO_NETWORK */
	int			memory;			/* MB */
	double		cpus;
	bool		shared;			/* with other sessions of the role */
} ContainerOptions;

/* A running container whose worker has connected. */
typedef struct Container
{
	char	   *image;			/* the name in the list that was there */
	char	   *id;
	int			host;			/* which engine of the list has it */
	bool		shared;			/* others live in it, and its directory is theirs, too */
	SocketDirectory directory;
	pgsocket	control;		/* PGINVALID_SOCKET once handed over */
	pgsocket	data;
} Container;

extern bool hxpy_container_may_share(const char *network);
extern Container *hxpy_container_start(const ContainerOptions *options, MemoryContext context);
extern void hxpy_container_release(Container *container);

#endif							/* HXPY_CONTAINER_H */
