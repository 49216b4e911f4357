/*
 * directory.c
 *	  Directories of sockets: one for each container, listened in by the server.
 *
 * The server listens, the container connects: whoever starts a container makes a
 * directory of its own below one that only the server's user may enter, listens
 * in it, and mounts it read-only.  The directory's name is the user id that the
 * container runs as; a shared flock claims both, and ends with its holders however
 * they end.  The launcher and the backend that takes a container out of the pool
 * hold it together for a moment, so that it is never free in between.  Stale
 * directories are removed by whoever gets the exclusive lock.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/directory.h"

#define DIRECTORY_DEFAULT	"pgsql_tmp_hxpy"	/* left out of base backups by its prefix */

/*
 * Return the directory of all socket directories, made when missing.  Whoever else may
 * enter it could connect in a container's place, or put another socket there.
 */
static const char *
base_directory(void)
{
	const char *path = hxpy_socket_directory[0] ? hxpy_socket_directory :
		psprintf("%s/%s", DataDir, DIRECTORY_DEFAULT);
	struct stat st;

	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", path),
				 errhint("Set hxpy.socket_directory to a directory that the server's user owns.")));
	if (lstat(path, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not access directory \"%s\": %m", path)));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0777) != S_IRWXU)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("directory \"%s\" cannot hold sockets", path),
				 errdetail("It is not a directory of the server's user that nobody else may enter."),
				 errhint("Set hxpy.socket_directory to one that the server's user owns, with mode 0700 and no symbolic link.")));
	return path;
}

/* Close a directory's descriptor, which ends the claim if it is the last one. */
static void
close_descriptor(int fd)
{
	close(fd);
	ReleaseExternalFD();
}

/*
 * Open and lock a directory, for sharing or alone; -1 when others hold it, or when
 * it is gone.
 */
static int
lock_directory(const char *path, int mode)
{
	struct stat opened;
	struct stat named;
	int			fd;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session")));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, mode | LOCK_NB) == 0 &&
		fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
		opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
		return fd;
	if (fd >= 0)
		close(fd);
	ReleaseExternalFD();
	return -1;
}

/* Remove a directory with its sockets; does not ereport. */
static void
remove_directory(const char *path, int fd)
{
	DIR		   *directory = opendir(path);
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		unlinkat(fd, entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	rmdir(path);
}

/* Remove a directory of a name, unless somebody holds it. */
static void
clean_directory(const char *base, const char *name)
{
	char	   *path = psprintf("%s/%s", base, name);
	int			fd = lock_directory(path, LOCK_EX);

	if (fd >= 0)
	{
		remove_directory(path, fd);
		close_descriptor(fd);
	}
	pfree(path);
}

/*
 * Remove the directories that nobody holds.
 */
void
hxpy_directory_clean(void)
{
	const char *base = base_directory();
	DIR		   *directory = AllocateDir(base);
	struct dirent *entry;

	/* The launcher has no transaction whose end would close it. */
	PG_TRY();
	{
		while ((entry = ReadDir(directory, base)) != NULL)
		{
			if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
				clean_directory(base, entry->d_name);
		}
	}
	PG_FINALLY();
	{
		FreeDir(directory);
	}
	PG_END_TRY();
}

/*
 * Claim a free user id and the directory of that name; the path goes to a memory
 * context.
 */
void
hxpy_directory_claim(SocketDirectory *directory, MemoryContext context)
{
	const char *base = base_directory();

	for (int tries = 0; tries < 1000; tries++)
	{
		int			uid = hxpy_uid_base +
			(int) pg_prng_uint64_range(&pg_global_prng_state, 0, HXPY_UID_COUNT - 1);
		char	   *path = psprintf("%s/%d", base, uid);

		if (mkdir(path, S_IRWXU) == 0)
		{
			directory->fd = lock_directory(path, LOCK_SH);
			if (directory->fd >= 0)
			{
				directory->path = MemoryContextStrdup(context, path);
				directory->uid = uid;
				/* The container's user must be able to enter it. */
				if (fchmod(directory->fd, 0755) != 0)
					ereport(ERROR,
							(errcode_for_file_access(),
							 errmsg("could not set permissions of \"%s\": %m", path)));
				return;
			}
		}
		else if (errno != EEXIST)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not create directory \"%s\": %m", path)));
		pfree(path);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("no free user id for a container"),
			 errhint("Close sessions.")));
}

/*
 * Share the claim on the directory of an user id; false when it is gone.
 */
bool
hxpy_directory_join(SocketDirectory *directory, int uid, MemoryContext context)
{
	char	   *path = psprintf("%s/%d", base_directory(), uid);

	directory->fd = lock_directory(path, LOCK_SH);
	directory->path = MemoryContextStrdup(context, path);
	directory->uid = uid;
	return directory->fd >= 0;
}

/* Let nobody see the names in a directory any more, who has not begun to watch it. */
void
hxpy_directory_hide(const SocketDirectory *directory)
{
	if (fchmod(directory->fd, 0711) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not set permissions of \"%s\": %m", directory->path)));
}

/* Give up the claim, and leave the directory to those who share it; does not ereport. */
void
hxpy_directory_leave(SocketDirectory *directory)
{
	if (directory->fd >= 0)
		close_descriptor(directory->fd);
	directory->fd = -1;
}

/* Remove a claimed directory; does not ereport. */
void
hxpy_directory_release(SocketDirectory *directory)
{
	if (directory->fd >= 0)
		remove_directory(directory->path, directory->fd);
	hxpy_directory_leave(directory);
}

/*
 * Listen in a claimed directory on a socket of this name, which the caller has counted;
 * an error takes that back.  It gets the name when it listens already: the container may
 * be waiting for it.
 */
pgsocket
hxpy_directory_listen(const SocketDirectory *directory, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *new_name = psprintf("%s.new", name);
	pgsocket	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* However long the directory's path, this one fits. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
			 directory->fd, new_name);
	if (listener == PGINVALID_SOCKET ||
		bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		fchmodat(directory->fd, new_name, 0666, 0) != 0 ||
		listen(listener, 2) != 0 ||
		renameat(directory->fd, new_name, directory->fd, name) != 0)
	{
		int			save_errno = errno;

		if (listener != PGINVALID_SOCKET)
			closesocket(listener);
		ReleaseExternalFD();
		errno = save_errno;
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not listen in directory \"%s\": %m", directory->path)));
	}
	return listener;
}

/* Close a socket, if there is one, that was counted with AcquireExternalFD. */
void
hxpy_directory_close_socket(pgsocket *socket)
{
	if (*socket == PGINVALID_SOCKET)
		return;
	closesocket(*socket);
	ReleaseExternalFD();
	*socket = PGINVALID_SOCKET;
}

/* Remove a socket, so that nobody else connects. */
void
hxpy_directory_unlink(const SocketDirectory *directory, const char *name)
{
	unlinkat(directory->fd, name, 0);
}
