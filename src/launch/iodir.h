/*
 * iodir.h
 *	  Directories that SQL and Python share.
 */
#ifndef HXPY_IODIR_H
#define HXPY_IODIR_H

#include <dirent.h>

#include "utils/palloc.h"

/* A counted descriptor, which its memory context closes at the latest. */
typedef struct Descriptor
{
	MemoryContextCallback callback;
	int			fd;				/* -1 once it is closed */
	DIR		   *listing;		/* owns fd when there is one */
} Descriptor;

extern Descriptor *hxpy_iodir_open_path(int directory, const char *path, uint64 flags,
										uint64 resolve);
extern void hxpy_iodir_close(void *descriptor);

/* Opens a database's directory, made when missing; its path goes to *path. */
extern Descriptor *hxpy_iodir_open(Oid database, char **path);

/*
 * Returns the directory to mount at /io in sandboxes of a database, palloc'd, made
 * and checked; NULL when hxpy.io_directory is off.  Needs no connection to the database.
 */
extern char *hxpy_iodir_mount_source(Oid database);

#endif							/* HXPY_IODIR_H */
