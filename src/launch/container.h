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
	bool		by_parent;		/* the worker is forked from that of py_share */
	bool		initialized;	/* py_init has run there */
	bool		started;		/* hxpy.start_proc has run there */
	SocketDirectory directory;
	pgsocket	control;		/* PGINVALID_SOCKET once handed over */
	pgsocket	data;
} Container;

/* Has a session's worker forked for the socket of a name. */
typedef void (*ForkOrder) (void *arg, const char *socket_name);

extern bool hxpy_container_may_share(const char *network);
extern Container *hxpy_container_start(const ContainerOptions *options, MemoryContext context);
extern Container *hxpy_container_clone(const ContainerOptions *options, const Container *origin,
									   const char *name, ForkOrder order, void *arg,
									   MemoryContext context);
extern void hxpy_container_release(Container *container);

#endif							/* HXPY_CONTAINER_H */
