/*
 * io.c
 *	  Files that SQL and Python share, reached from SQL: py_io_list, _read, _write, _remove.
 *
 * Where /io is mounted read-write, code in sessions leaves there what it likes (symbolic
 * links, FIFOs, sparse files, leases) and changes it under our hands.  So the kernel
 * resolves each path beneath the directory, through no symbolic link and no mount
 * (openat2); files are opened without waiting, taken only when they are regular, and
 * read with read(), never mapped; new ones are written under another name and renamed.
 * A name's last part is never opened to be removed or replaced.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access/detoast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

#include "hxpy.h"
#include "sql/arguments.h"
#include "codec/coltype.h"
#include "guc.h"
#include "launch/iodir.h"
#include "text.h"

#define IO_CHUNK			(1024 * 1024)	/* bytes between looks at interrupts */
#define IO_LIST_COLUMNS		4
#define RESOLVE_CONFINED	(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | \
							 RESOLVE_NO_XDEV)

/* A file that is not under its own name yet. */
typedef struct TemporaryFile
{
	Descriptor *directory;
	Descriptor *file;
	char		name[64];
} TemporaryFile;

PG_FUNCTION_INFO_V1(py_io_list);
PG_FUNCTION_INFO_V1(py_io_read);
PG_FUNCTION_INFO_V1(py_io_write);
PG_FUNCTION_INFO_V1(py_io_remove);

/* Raise an error for a path, by errno. */
static void
raise_path_error(const char *action, const char *path)
{
	int			error = errno;

	switch (error)
	{
		case EXDEV:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("\"%s\" is outside of the database's directory", path),
					 errhint("Give a path relative to that directory, which is /io in Python.")));
			break;
		case ELOOP:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("\"%s\" is or goes through a symbolic link", path),
					 errdetail("Symbolic links are never followed.")));
			break;
		case ENXIO:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a regular file", path)));
			break;
		case EAGAIN:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("\"%s\" is in use", path),
					 errdetail("It is being moved, or a process holds a lease on it.")));
			break;
		default:
			ereport(ERROR,
					(error == ENAMETOOLONG ? errcode(ERRCODE_NAME_TOO_LONG) :
					 error == EDQUOT ? errcode(ERRCODE_DISK_FULL) : errcode_for_file_access(),
					 errmsg("could not %s \"%s\": %m", action, path),
					 error != EACCES && error != EPERM ? 0 :
					 errhint("Files of Python's tempfile, for example, are for their user only: call os.chmod(path, 0o666), for directories 0o777.")));
	}
}

/* Open a path in the database's directory, or raise an error. */
static Descriptor *
open_confined(const Descriptor *directory, const char *path, uint64 flags, const char *action)
{
	Descriptor *descriptor;

	descriptor = hxpy_iodir_open_path(directory->fd, hxpy_coltype_to_utf8(path), flags, RESOLVE_CONFINED);
	if (descriptor == NULL)
		raise_path_error(action, path);
	return descriptor;
}

/*
 * Open the directory that a path's last part stands in; that part, in UTF-8, goes to
 * *name.  NULL, with errno set, when it cannot be opened.
 */
static Descriptor *
open_parent(const Descriptor *directory, const char *path, char **name)
{
	char	   *parent = hxpy_coltype_to_utf8(path);
	char	   *slash = strrchr(parent, '/');

	*name = pstrdup(slash == NULL ? parent : slash + 1);
	if ((*name)[0] == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("path \"%s\" does not end with a name", path)));
	if (slash == NULL)
		parent = ".";
	else
		slash[slash == parent ? 1 : 0] = '\0';
	return hxpy_iodir_open_path(directory->fd, parent, O_PATH | O_DIRECTORY, RESOLVE_CONFINED);
}

/* Return when a file was changed; false when that is no timestamp, as its owner may set any. */
static bool
modified_at(const struct stat *st, TimestampTz *modified)
{
	int64		usecs;

	return !pg_mul_s64_overflow(st->st_mtim.tv_sec, USECS_PER_SEC, &usecs) &&
		!pg_add_s64_overflow(usecs, st->st_mtim.tv_nsec / 1000, &usecs) &&
		!pg_sub_s64_overflow(usecs, HXPY_EPOCH_USECS, modified) &&
		IS_VALID_TIMESTAMP(*modified);
}

/* Put what is known of a directory's entry into a row; false when it is gone. */
static bool
describe_entry(int directory, const char *name, TupleTableSlot *row)
{
	struct stat st;
	TimestampTz modified = 0;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	ExecClearTuple(row);
	MemSet(row->tts_isnull, false, IO_LIST_COLUMNS * sizeof(bool));
	row->tts_values[0] = CStringGetTextDatum(hxpy_text_clean(name, strlen(name)));
	row->tts_values[1] = CStringGetTextDatum(S_ISREG(st.st_mode) ? "file" :
											 S_ISDIR(st.st_mode) ? "directory" : "other");
	row->tts_values[2] = Int64GetDatum((int64) st.st_size);
	row->tts_isnull[2] = !S_ISREG(st.st_mode);
	row->tts_isnull[3] = !modified_at(&st, &modified);
	row->tts_values[3] = TimestampTzGetDatum(modified);
	ExecStoreVirtualTuple(row);
	return true;
}

/* Read a directory into a sort. */
static void
read_entries(Descriptor *directory, const char *path, TupleTableSlot *row, Tuplesortstate *sort)
{
	MemoryContext entry_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy entry",
														ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(entry_context);
	struct dirent *entry;

	while (errno = 0, (entry = readdir(directory->listing)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			describe_entry(directory->fd, entry->d_name, row))
			tuplesort_puttupleslot(sort, row);
		MemoryContextReset(entry_context);
	}
	if (errno != 0)
		raise_path_error("read directory", path);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(entry_context);
}

/*
 * py_io_list(path): what is in a directory, by name.  It may hold more than memory
 * does, since code in sessions makes it.
 */
Datum
py_io_list(PG_FUNCTION_ARGS)
{
	char	   *path = hxpy_argument_text(fcinfo, 0, "path");
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	AttrNumber	by_name = 1;
	Oid			order = TextLessOperator;
	Oid			collation = C_COLLATION_OID;
	bool		nulls_first = false;
	char	   *database;
	Descriptor *root = hxpy_iodir_open(MyDatabaseId, &database);
	Descriptor *directory;
	Tuplesortstate *sort;
	TupleTableSlot *row;

	InitMaterializedSRF(fcinfo, 0);
	Assert(rsinfo->setDesc->natts == IO_LIST_COLUMNS);
	directory = open_confined(root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, "open directory");
	hxpy_iodir_close(root);
	directory->listing = fdopendir(directory->fd);
	if (directory->listing == NULL)
		raise_path_error("read directory", path);
	sort = tuplesort_begin_heap(rsinfo->setDesc, 1, &by_name, &order, &collation, &nulls_first,
								work_mem, NULL, TUPLESORT_NONE);
	row = MakeSingleTupleTableSlot(rsinfo->setDesc, &TTSOpsVirtual);
	read_entries(directory, path, row, sort);
	hxpy_iodir_close(directory);
	ExecDropSingleTupleTableSlot(row);
	tuplesort_performsort(sort);
	row = MakeSingleTupleTableSlot(rsinfo->setDesc, &TTSOpsMinimalTuple);
	while (tuplesort_gettupleslot(sort, true, false, row, NULL))
		tuplestore_puttupleslot(rsinfo->setResult, row);
	ExecDropSingleTupleTableSlot(row);
	tuplesort_end(sort);
	return (Datum) 0;
}

/* Raise an error for a file that is too large. */
static void
refuse_size(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("file \"%s\" is larger than hxpy.io_max_size", path),
			 errhint("Raise hxpy.io_max_size, now %d MB, or take the file in parts.",
					 hxpy_io_max_size)));
}

/*
 * Read a file to its end.  It may grow and shrink meanwhile: its size is where the
 * memory begins, its end is where read() says so.
 */
static bytea *
read_file(const Descriptor *file, const char *path)
{
	Size		limit = (Size) hxpy_io_max_size * 1024 * 1024;
	Size		used = 0;
	Size		size;
	bytea	   *content;
	struct stat st;

	if (fstat(file->fd, &st) != 0)
		raise_path_error("read file", path);
	if (!S_ISREG(st.st_mode))
	{
		errno = ENXIO;
		raise_path_error("read file", path);
	}
	if (st.st_size > limit)
		refuse_size(path);
	/* One byte more, to find the end without growing. */
	size = (Size) st.st_size + 1;
	content = palloc(VARHDRSZ + size);
	for (;;)
	{
		ssize_t		count;

		CHECK_FOR_INTERRUPTS();
		if (used == size)
		{
			size = Min(Max(size * 2, BLCKSZ), limit + 1);
			content = repalloc(content, VARHDRSZ + size);
		}
		count = read(file->fd, VARDATA(content) + used, Min(size - used, IO_CHUNK));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			raise_path_error("read file", path);
		if (count == 0)
			break;
		used += count;
		if (used > limit)
			refuse_size(path);
	}
	SET_VARSIZE(content, VARHDRSZ + used);
	return content;
}

/*
 * py_io_read(path): the content of a file.
 */
Datum
py_io_read(PG_FUNCTION_ARGS)
{
	char	   *path = hxpy_argument_text(fcinfo, 0, "path");
	char	   *database;
	Descriptor *root = hxpy_iodir_open(MyDatabaseId, &database);
	Descriptor *file = open_confined(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, "open file");
	bytea	   *content = read_file(file, path);

	hxpy_iodir_close(file);
	hxpy_iodir_close(root);
	PG_RETURN_BYTEA_P(content);
}

/* Make a file of a name that nobody has in a directory. */
static void
create_temporary(TemporaryFile *temporary, const char *path)
{
	do
	{
		uint64		number;

		if (!pg_strong_random(&number, sizeof(number)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a random name")));
		snprintf(temporary->name, sizeof(temporary->name), ".hxpy-" UINT64_FORMAT, number);
		temporary->file = hxpy_iodir_open_path(temporary->directory->fd, temporary->name,
									O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, RESOLVE_CONFINED);
	} while (temporary->file == NULL && errno == EEXIST);
	if (temporary->file == NULL)
		raise_path_error("write file", path);
}

/* Remove a file that did not get its own name; does not ereport. */
static void
remove_temporary(int code, Datum argument)
{
	TemporaryFile *temporary = (TemporaryFile *) DatumGetPointer(argument);

	unlinkat(temporary->directory->fd, temporary->name, 0);
}

/* Write a temporary file and give it its own name. */
static void
write_temporary(TemporaryFile *temporary, const char *name, const char *data, Size length,
				const char *path)
{
	int			fd = temporary->file->fd;
	Size		done = 0;

	if (fchmod(fd, hxpy_io_mode == HXPY_IO_READ_WRITE ? 0666 : 0644) != 0)
		raise_path_error("write file", path);
	while (done < length)
	{
		ssize_t		count;

		CHECK_FOR_INTERRUPTS();
		count = write(fd, data + done, Min(length - done, IO_CHUNK));
		if (count < 0 && errno != EINTR)
			raise_path_error("write file", path);
		done += Max(count, 0);
	}
	if (renameat(temporary->directory->fd, temporary->name, temporary->directory->fd, name) != 0)
		raise_path_error("write file", path);
}

/*
 * py_io_write(path, content): create or replace a file; returns its size.
 */
Datum
py_io_write(PG_FUNCTION_ARGS)
{
	char	   *path = hxpy_argument_text(fcinfo, 0, "path");
	char	   *database;
	char	   *name;
	Descriptor *root;
	bytea	   *content;
	TemporaryFile temporary;

	hxpy_argument_require(fcinfo, 1, "content");
	if (toast_raw_datum_size(PG_GETARG_DATUM(1)) - VARHDRSZ > (Size) hxpy_io_max_size * 1024 * 1024)
		refuse_size(path);
	content = PG_GETARG_BYTEA_PP(1);
	root = hxpy_iodir_open(MyDatabaseId, &database);
	temporary.directory = open_parent(root, path, &name);
	if (temporary.directory == NULL)
	{
		if (errno == ENOENT)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FILE),
					 errmsg("the directory of \"%s\" does not exist", path),
					 errhint("py_io_write makes no directories; Python does, where /io is read-write.")));
		raise_path_error("write file", path);
	}
	create_temporary(&temporary, path);
	PG_ENSURE_ERROR_CLEANUP(remove_temporary, PointerGetDatum(&temporary));
	{
		write_temporary(&temporary, name, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), path);
	}
	PG_END_ENSURE_ERROR_CLEANUP(remove_temporary, PointerGetDatum(&temporary));
	hxpy_iodir_close(temporary.file);
	hxpy_iodir_close(temporary.directory);
	hxpy_iodir_close(root);
	PG_RETURN_INT64(VARSIZE_ANY_EXHDR(content));
}

/*
 * py_io_remove(path): remove a file, or an empty directory; false when there is none.
 */
Datum
py_io_remove(PG_FUNCTION_ARGS)
{
	char	   *path = hxpy_argument_text(fcinfo, 0, "path");
	char	   *database;
	char	   *name;
	Descriptor *root = hxpy_iodir_open(MyDatabaseId, &database);
	Descriptor *directory = open_parent(root, path, &name);
	bool		removed = directory != NULL &&
		(unlinkat(directory->fd, name, 0) == 0 ||
		 (errno == EISDIR && unlinkat(directory->fd, name, AT_REMOVEDIR) == 0));

	if (!removed && errno != ENOENT)
		raise_path_error("remove", path);
	if (directory != NULL)
		hxpy_iodir_close(directory);
	hxpy_iodir_close(root);
	PG_RETURN_BOOL(removed);
}
