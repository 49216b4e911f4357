/*
 * bind.c
 *	  Directories and files of /io, mounted elsewhere in containers of py_run.
 *
 * The engine follows a mount's path as root, a moment after we have looked at it, and
 * sessions with a writable /io may make links there and move things about.  So it is
 * not enough that no step of the path is a link: each must stand in a directory where
 * only the server's user and root can put another thing in its place.  That is so when
 * one of them owns the directory and either nobody else may write to it, or it is
 * sticky and one of them owns the step, too.  What passes stays as it was seen, so
 * lstat() of one step after the other will do.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"

#include "hxpy.h"
#include "engine/docker/sandbox.h"
#include "launch/iodir.h"
#include "sql/bind.h"
#include "text.h"

/* Raise the error for a bind of another form. */
static void
raise_form(const char *bind, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid bind \"%s\"", hxpy_text_clean(bind, strlen(bind))),
			 errdetail("%s", detail),
			 errhint("Give \"path:/target\" or \"path:/target:ro\"; the path begins below this database's directory in hxpy.io_directory, and \".\" is that directory.")));
}

/* Raise the error for a path that must not be mounted. */
static void
raise_path(const char *path, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("refusing to mount \"%s\": %s", hxpy_text_clean(path, strlen(path)), what),
			 errhint("Make it anew as the server's user, in directories that only this user can write to, or sticky ones (chmod +t).")));
}

/* Look at a step of a path. */
static void
look_at(const char *path, struct stat *st)
{
	if (lstat(path, st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m",
						hxpy_text_clean(path, strlen(path)))));
}

/* Return whether a file is the server's own, or root's. */
static bool
is_trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Return whether what stands in a directory stays there, whatever others do. */
static bool
is_kept_in(const struct stat *directory, const struct stat *st)
{
	if (!is_trusted_owner(directory))
		return false;
	if ((directory->st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	return (directory->st_mode & S_ISVTX) != 0 && is_trusted_owner(st);
}

/* Join a relative path to the io directory, and look at each of its steps. */
static char *
checked_source(const char *base, const char *path, const char *bind)
{
	char	   *source = pstrdup(base);
	char	   *rest = pstrdup(path);
	struct stat directory;
	struct stat st;
	char	   *step;

	look_at(source, &directory);
	if (!S_ISDIR(directory.st_mode))
		raise_path(source, "not a directory");
	if (strcmp(path, ".") == 0)
		return source;
	while ((step = strsep(&rest, "/")) != NULL)
	{
		if (step[0] == '\0' || strcmp(step, ".") == 0 || strcmp(step, "..") == 0)
			raise_form(bind, "The path must be relative, without empty steps, \".\" and \"..\".");
		source = psprintf("%s/%s", source, step);
		look_at(source, &st);
		if (S_ISLNK(st.st_mode))
			raise_path(source, "it is a symbolic link");
		if (!S_ISDIR(st.st_mode) && (rest != NULL || !S_ISREG(st.st_mode)))
			raise_path(source, "not a directory or plain file");
		if (!is_kept_in(&directory, &st))
			raise_path(source, "others than the server's user could put another file in its place");
		directory = st;
	}
	return source;
}

/* Make the mount of one bind. */
static json_t *
make_mount(const char *base, const char *bind)
{
	char	   *path = pstrdup(bind);
	char	   *target = strchr(path, ':');
	char	   *mode;
	bool		read_only = false;

	if (target == NULL)
		raise_form(bind, "It has no target.");
	*target++ = '\0';
	mode = strchr(target, ':');
	if (mode != NULL)
	{
		*mode++ = '\0';
		read_only = strcmp(mode, "ro") == 0;
		if (!read_only && strcmp(mode, "rw") != 0)
			raise_form(bind, "The mode is \"ro\" or \"rw\".");
	}
	if (target[0] != '/')
		raise_form(bind, "The target must be an absolute path.");
	return hxpy_sandbox_mount(checked_source(base, path, bind), target, read_only);
}

/* Make the mounts of binds, which may be NULL. */
json_t *
hxpy_bind_mounts(json_t *binds)
{
	json_t	   *mounts = hxpy_json_own(json_pack("[]"));
	const char *base;
	json_t	   *bind;
	size_t		index;

	if (binds == NULL || json_is_null(binds))
		return mounts;
	if (!json_is_array(binds))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"HostConfig.Binds\" must be an array of strings")));
	if (json_array_size(binds) == 0)
		return mounts;
	base = hxpy_iodir_mount_source(MyDatabaseId);
	if (base == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing can be mounted: there is no io directory"),
				 errhint("Set hxpy.io_directory.")));
	json_array_foreach(binds, index, bind)
	{
		if (!json_is_string(bind) || json_string_length(bind) != strlen(json_string_value(bind)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"HostConfig.Binds\" must be an array of strings")));
		hxpy_json_append(mounts, make_mount(base, json_string_value(bind)));
	}
	return mounts;
}
