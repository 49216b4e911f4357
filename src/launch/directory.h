/*
 * directory.h
 *	  Directories of sockets.
 */
#ifndef HXPY_DIRECTORY_H
#define HXPY_DIRECTORY_H

#include "utils/palloc.h"

/* names of sockets; python/hxpy/_worker/endpoint.py knows them, too */
#define HXPY_SESSION_SOCKET "sock"	/* a session's: control, then data */
#define HXPY_POOL_SOCKET	"pool"	/* the launcher's, of a container in the pool */
#define HXPY_SHARED_SOCKET	"shared"	/* the same, of one for several sessions */
#define HXPY_FORK_PREFIX	"session-"	/* of those of these sessions, each of a name of its own */
#define HXPY_HEIR_PREFIX	"heir-" /* the same, forked from the parent that py_share has made */
#define HXPY_CLONE_PREFIX	"clone-"	/* the same, forked from a session of the backend */

/* A claim on a directory and the user id that it is named after. */
typedef struct SocketDirectory
{
	char	   *path;
	int			fd;				/* open and locked as long as the claim; else -1 */
	int			uid;
} SocketDirectory;

extern void hxpy_directory_claim(SocketDirectory *directory, MemoryContext context);
extern bool hxpy_directory_join(SocketDirectory *directory, int uid, MemoryContext context);
extern void hxpy_directory_hide(const SocketDirectory *directory);
extern void hxpy_directory_leave(SocketDirectory *directory);
extern void hxpy_directory_release(SocketDirectory *directory);
extern pgsocket hxpy_directory_listen(const SocketDirectory *directory, const char *name);
extern void hxpy_directory_close_socket(pgsocket *socket);
extern void hxpy_directory_unlink(const SocketDirectory *directory, const char *name);
extern void hxpy_directory_clean(void);

#endif							/* HXPY_DIRECTORY_H */
