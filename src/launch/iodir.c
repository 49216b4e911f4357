/*
 * iodir.c
 *	  Directories that SQL and Python share: one for each database, /io in sandboxes.
 *
 * hxpy.io_directory holds a directory for each database, named by its OID and made
 * by the server.  Sandboxes of the database's sessions have it at /io; the functions
 * py_io_* (io.c) reach it from SQL.
 *
 * The server's user owns the directories, so that nobody else can put another in the
 * place of one that the engine mounts.  Descriptors are closed with the memory context
 * that they were opened in.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/iodir.h"

/* Close a descriptor; does not ereport. */
void
hxpy_iodir_close(void *argument)
{
	Descriptor *descriptor = argument;

	if (descriptor->fd < 0)
		return;
	if (descriptor->listing != NULL)
		closedir(descriptor->listing);
	else
		close(descriptor->fd);
	descriptor->fd = -1;
	ReleaseExternalFD();
}

/* Open a path as the kernel may resolve it; NULL, with errno set, when that fails. */
Descriptor *
hxpy_iodir_open_path(int directory, const char *path, uint64 flags, uint64 resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? S_IRUSR | S_IWUSR : 0,
		.resolve = resolve
	};
	Descriptor *descriptor = palloc0(sizeof(Descriptor));

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Close sessions, or raise max_files_per_process.")));
	descriptor->fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof(how));
	if (descriptor->fd < 0)
	{
		int			save_errno = errno;

		ReleaseExternalFD();
		if (save_errno == ENOSYS)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("hxpy.io_directory needs the system call openat2"),
					 errhint("Use Linux 5.6 or later, and allow it if the server runs in a container.")));
		errno = save_errno;
		return NULL;
	}
	descriptor->callback.func = hxpy_iodir_close;
	descriptor->callback.arg = descriptor;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &descriptor->callback);
	return descriptor;
}

/* Raise an error for what is not as hxpy.io_directory has to be. */
static void
refuse_directory(const char *path, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("hxpy.io_directory cannot be used"),
			 errdetail("\"%s\" %s.", path, problem),
			 errhint("Choose a directory of the server's user with mode 0700, on a path without symbolic links where only root and that user may write.")));
}

/*
 * Check one part of the path of hxpy.io_directory.  Whoever could put another in its
 * place could have any directory of the host mounted.
 */
static void
check_part(const char *path, bool last)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not access directory \"%s\": %m", path),
				 errhint("Make the directory of hxpy.io_directory: mode 0700, owned by the server's user.")));
	if (S_ISLNK(st.st_mode))
		refuse_directory(path, "is a symbolic link");
	if (!S_ISDIR(st.st_mode))
		refuse_directory(path, "is not a directory");
	if (st.st_uid != geteuid() && (last || st.st_uid != 0))
		refuse_directory(path, "belongs to another user");
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && (last || !(st.st_mode & S_ISVTX)))
		refuse_directory(path, "may be written by other users");
}

/* Return hxpy.io_directory, checked. */
static char *
base_directory(void)
{
	char	   *base = pstrdup(hxpy_io_directory);
	char		data[PATH_MAX];

	canonicalize_path(base);
	if (!is_absolute_path(base))
		refuse_directory(base, "is no absolute path");
	for (char *slash = base; slash != NULL; slash = strchr(slash + 1, '/'))
	{
		char	   *part = pnstrdup(base, Max(slash - base, 1));

		check_part(part, false);
		pfree(part);
	}
	check_part(base, true);
	/* Names there may be OIDs of databases, too. */
	if (realpath(DataDir, data) != NULL && path_is_prefix_of_path(data, base))
		refuse_directory(base, "is within the data directory");
	return base;
}

/* Open a database's directory, made when missing, with the mode that it must have now. */
Descriptor *
hxpy_iodir_open(Oid database, char **path)
{
	mode_t		mode = hxpy_io_mode == HXPY_IO_READ_WRITE ? 0777 : 0755;
	Descriptor *directory;
	struct stat st;

	if (!hxpy_io_directory[0])
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no directory for files"),
				 errhint("An administrator must set hxpy.io_directory; see docs/operations.md.")));
	*path = psprintf("%s/%u", base_directory(), database);
	if (mkdir(*path, S_IRWXU) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", *path)));
	directory = hxpy_iodir_open_path(AT_FDCWD, *path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (directory == NULL || fstat(directory->fd, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", *path)));
	if (st.st_uid != geteuid())
		refuse_directory(*path, "belongs to another user");
	/* Users of containers are others; the directory above keeps other users of the host out. */
	if ((st.st_mode & 07777) != mode && fchmod(directory->fd, mode) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not set permissions of \"%s\": %m", *path)));
	return directory;
}

/* Return the directory to mount at /io in containers of a database. */
char *
hxpy_iodir_mount_source(Oid database)
{
	char	   *path;

	if (!hxpy_io_directory[0])
		return NULL;
	hxpy_iodir_close(hxpy_iodir_open(database, &path));
	return path;
}
