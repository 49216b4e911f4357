/*
 * container.h
 *	  Containers of sessions: configuration, sandbox, socket directory.
 */
#ifndef HXPY_CONTAINER_H
#define HXPY_CONTAINER_H

/* What a session asks of its container; all checked against the settings. */
typedef struct ContainerOptions
{
	const char *session;		/* for labels */
	const char *images;			/* preference list */
	int			memory;			/* MB */
	double		cpus;
} ContainerOptions;

/* A running container whose worker has connected. */
typedef struct Container
{
	char	   *image;			/* the name in the list that was there */
	char	   *id;
	char	   *directory;		/* of the socket; also claims the user id */
	int			directory_fd;	/* open and locked as long as the claim */
	pgsocket	control;		/* PGINVALID_SOCKET once handed over */
	pgsocket	data;
} Container;

extern Container *hxpy_container_start(const ContainerOptions *options, MemoryContext context);
extern void hxpy_container_release(Container *container);

#endif							/* HXPY_CONTAINER_H */
