/*
 * container.c
 *	  Starts a session's container: configuration, sandbox, socket directory.
 *
 * All sandbox settings stand here, in create_body(); docs/security.md gives
 * the reasons.  Above this file nothing knows Docker: it hands back a running
 * container with both sockets of its worker.
 *
 * The server listens, the container connects: the backend makes a directory of
 * its own below one that only the server's user may enter, listens in it, and
 * mounts it read-only.  The directory's name is the user id that the container
 * runs as; its flock, held by the backend, claims both, and ends with the
 * backend however that ends.  Stale directories are taken over or removed by
 * whoever gets their lock.
 *
 * A failure at any point removes the container by its name, which is made
 * before the container is.  A running container ends with its control
 * connection; the engine then removes it (AutoRemove).
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "hxpy.h"
#include "container.h"
#include "docker.h"
#include "guc.h"

#define DIRECTORY_DEFAULT	"pgsql_tmp_hxpy"	/* left out of base backups by its prefix */
#define SOCKET_NAME			"sock"
#define MOUNT_TARGET		"/run/hxpy"
#define CLEANUP_TIMEOUT_MS	10000
#define SHM_BYTES			(64 * 1024 * 1024)
#define NOFILE_LIMIT		256
#define TMP_INODES			16384
#define START_DESCRIPTORS	10		/* a session keeps 4; the rest is the engine's */

static void remove_stale_containers(void);

/* ---------- images ---------- */

/* Split a comma-separated list; items are trimmed and none is empty. */
static List *
split_list(const char *list)
{
	List	   *items = NIL;
	char	   *rest = pstrdup(list);
	char	   *item;

	while ((item = strsep(&rest, ",")) != NULL)
	{
		char	   *end;

		while (isspace((unsigned char) *item))
			item++;
		end = item + strlen(item);
		while (end > item && isspace((unsigned char) end[-1]))
			*--end = '\0';
		if (*item)
			items = lappend(items, item);
	}
	return items;
}

/* Match a name with a pattern in which '*' stands for any characters. */
static bool
matches_pattern(const char *name, const char *pattern)
{
	for (; *pattern && *pattern != '*'; name++, pattern++)
	{
		if (*name != *pattern)
			return false;
	}
	if (!*pattern)
		return !*name;
	for (;; name++)
	{
		if (matches_pattern(name, pattern + 1))
			return true;
		if (!*name)
			return false;
	}
}

/* Tell whether sessions may use an image. */
static bool
is_allowed_image(const char *image)
{
	List	   *patterns = split_list(hxpy_allowed_images);
	ListCell   *cell;

	if (patterns == NIL)
		return strcmp(image, HXPY_DEFAULT_IMAGE) == 0;
	foreach(cell, patterns)
	{
		if (matches_pattern(image, lfirst(cell)))
			return true;
	}
	return false;
}

/* Raise an error unless every image of a list is allowed. */
static void
check_images(const char *images)
{
	List	   *list = split_list(images);
	ListCell   *cell;

	if (list == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no image is named"),
				 errhint("Set hxpy.image, for example to \"%s\".", HXPY_DEFAULT_IMAGE)));
	foreach(cell, list)
	{
		if (!is_allowed_image(lfirst(cell)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("image \"%s\" is not allowed", (char *) lfirst(cell)),
					 errdetail("hxpy.allowed_images is \"%s\"; when empty, only \"%s\" is allowed.",
							   hxpy_allowed_images, HXPY_DEFAULT_IMAGE),
					 errhint("A superuser can add it to hxpy.allowed_images.")));
	}
}

/*
 * Find the first image of a preference list that the engine has; sets its name
 * and returns its id, a digest.
 */
static const char *
resolve_image(const char *images, const char **name)
{
	List	   *list = split_list(images);
	ListCell   *cell;

	check_images(images);
	foreach(cell, list)
	{
		json_t	   *image = hxpy_docker_inspect_image(lfirst(cell));
		const char *id = json_string_value(json_object_get(image, "Id"));

		if (id != NULL)
		{
			*name = lfirst(cell);
			return id;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the Docker engine has no image \"%s\"", images),
			 errhint("Build it with docker/build, or get it with: docker pull %s",
					 (char *) linitial(list))));
}

/* ---------- the socket directory ---------- */

/* Return the directory of all socket directories, made when missing. */
static const char *
base_directory(void)
{
	const char *path = hxpy_socket_directory[0] ? hxpy_socket_directory :
		psprintf("%s/%s", DataDir, DIRECTORY_DEFAULT);

	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", path),
				 errhint("Set hxpy.socket_directory to a directory that the server's user owns.")));
	return path;
}

/* Close a claimed directory. */
static void
close_directory(int fd)
{
	close(fd);
	ReleaseExternalFD();
}

/*
 * Open and lock a socket directory; -1 when another backend holds it, or when
 * it has just gone.
 */
static int
lock_directory(const char *path)
{
	struct stat opened;
	struct stat named;
	int			fd;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session")));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
		opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
		return fd;
	if (fd >= 0)
		close(fd);
	ReleaseExternalFD();
	return -1;
}

/* Remove a locked directory; does not ereport. */
static void
remove_directory(const char *path, int fd)
{
	unlinkat(fd, SOCKET_NAME, 0);
	rmdir(path);
	close_directory(fd);
}

/*
 * Remove directories that backends have left behind.
 */
static void
remove_stale_directories(const char *base)
{
	DIR		   *directory = AllocateDir(base);
	struct dirent *entry;

	while ((entry = ReadDir(directory, base)) != NULL)
	{
		char	   *path;
		int			fd;

		if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
			continue;
		path = psprintf("%s/%s", base, entry->d_name);
		fd = lock_directory(path);
		if (fd >= 0)
			remove_directory(path, fd);
		pfree(path);
	}
	FreeDir(directory);
}

/*
 * Claim a user id and the directory of that name.  Sets the directory's path
 * and locked descriptor.
 */
static int
claim_directory(Container *container)
{
	const char *base = base_directory();

	for (int tries = 0; tries < 1000; tries++)
	{
		int			uid = hxpy_uid_base +
			(int) pg_prng_uint64_range(&pg_global_prng_state, 0, HXPY_UID_COUNT - 1);
		char	   *path = psprintf("%s/%d", base, uid);

		if (mkdir(path, S_IRWXU) == 0)
		{
			container->directory_fd = lock_directory(path);
			if (container->directory_fd >= 0)
			{
				container->directory = path;
				/* The container's user must be able to enter it. */
				if (fchmod(container->directory_fd, 0755) != 0)
					ereport(ERROR,
							(errcode_for_file_access(),
							 errmsg("could not set permissions of \"%s\": %m", path)));
				return uid;
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

/* Return the address of the socket in a claimed directory, however long its path. */
static struct sockaddr_un
socket_address(const Container *container)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
			 container->directory_fd, SOCKET_NAME);
	return address;
}

/* Listen in the claimed directory. */
static pgsocket
listen_in_directory(const Container *container)
{
	struct sockaddr_un address = socket_address(container);
	pgsocket	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (listener == PGINVALID_SOCKET ||
		bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		fchmodat(container->directory_fd, SOCKET_NAME, 0666, 0) != 0 ||
		listen(listener, 2) != 0)
	{
		int			save_errno = errno;

		if (listener != PGINVALID_SOCKET)
			closesocket(listener);
		errno = save_errno;
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not listen in directory \"%s\": %m", container->directory)));
	}
	return listener;
}

/* Tell whether a connection's other end is a process of a container. */
static bool
is_container_peer(pgsocket socket, const char *id)
{
	struct ucred peer;
	socklen_t	length = sizeof(peer);
	char		path[64];
	char		line[1024];
	FILE	   *file;
	bool		found = false;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) peer.pid);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, id) != NULL;
	FreeFile(file);
	return found;
}

/* ---------- the sandbox ---------- */

/* Read the seccomp profile that was installed with the extension. */
static const char *
seccomp_option(void)
{
	char		share[MAXPGPATH];
	char	   *path;
	json_error_t error;
	json_t	   *profile;
	char	   *text;
	char	   *option;

	get_share_path(my_exec_path, share);
	path = psprintf("%s/extension/hxpy-seccomp.json", share);
	profile = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (profile == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("could not read the seccomp profile \"%s\"", path),
				 errdetail_internal("%s", error.text),
				 errhint("Install the extension again (make install).")));
	text = json_dumps(hxpy_docker_own(profile), JSON_COMPACT | JSON_ENSURE_ASCII);
	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	option = psprintf("seccomp=%s", text);
	free(text);
	return option;
}

/* Return when a process has started, in clock ticks since boot; 0 when there is none. */
static uint64
process_start(int pid)
{
	char		path[64];
	char		line[1024];
	FILE	   *file;
	const char *field = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL)
		field = strrchr(line, ')');
	FreeFile(file);
	/* Field 22; the command in parentheses, which may hold anything, is field 2. */
	for (int i = 2; field != NULL && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

/* Return a label's text in UTF-8. */
static const char *
label(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Make the labels by which a container's owner is found. */
static json_t *
create_labels(const ContainerOptions *options)
{
	const char *database = get_database_name(MyDatabaseId);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
					 "hxpy.cluster", psprintf(UINT64_FORMAT, GetSystemIdentifier()),
					 "hxpy.database", label(database ? database : ""),
					 "hxpy.backend", psprintf("%d", MyProcPid),
					 "hxpy.backend_start", psprintf(UINT64_FORMAT, process_start(MyProcPid)),
					 "hxpy.session", label(options->session),
					 "hxpy.role", label(GetUserNameFromId(GetUserId(), false)));
}

/* Make an ulimit whose soft and hard limits are the same. */
static json_t *
ulimit(const char *name, int64 limit)
{
	return json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t) limit,
					 "Hard", (json_int_t) limit);
}

/*
 * Make the engine's HostConfig: the sandbox.
 *
 * What the engine must not add by itself is asked for explicitly, so that
 * check_container() sees it.
 */
static json_t *
create_host_config(const ContainerOptions *options, const Container *container)
{
	json_int_t	memory = (json_int_t) options->memory * 1024 * 1024;
	json_int_t	tmp = (json_int_t) hxpy_tmp_size * 1024 * 1024;
	json_t	   *config;

	config = json_pack("{s:s, s:[s], s:[], s:b, s:[s, s], s:b, s:I,"
					   " s:{s:s}, s:i, s:I, s:I, s:I, s:i,"
					   " s:[o, o, o, o, o],"
					   " s:s, s:s, s:b, s:b, s:{s:s},"
					   " s:{s:s, s:{s:s, s:s}},"
					   " s:[{s:s, s:s, s:s, s:b, s:{s:s}}],"
					   " s:s, s:s, s:s, s:[], s:[], s:[], s:[], s:b}",
					   "NetworkMode", "none",
					   "CapDrop", "ALL",
					   "CapAdd",
					   "Privileged", 0,
					   "SecurityOpt", "no-new-privileges", seccomp_option(),
					   "ReadonlyRootfs", 1,
					   "ShmSize", (json_int_t) SHM_BYTES,
					   "Tmpfs", "/tmp",
					   psprintf("rw,noexec,nosuid,nodev,size=%dm,nr_inodes=%d,mode=1777",
								hxpy_tmp_size, TMP_INODES),
					   "PidsLimit", hxpy_pids_limit,
					   "Memory", memory,
					   "MemorySwap", memory,
					   "NanoCpus", (json_int_t) (options->cpus * 1e9),
					   "OomScoreAdj", 500,
					   "Ulimits",
					   ulimit("nofile", NOFILE_LIMIT), ulimit("core", 0), ulimit("fsize", tmp),
					   ulimit("memlock", 65536), ulimit("msgqueue", 0),
					   "IpcMode", "private",
					   "CgroupnsMode", "private",
					   "Init", 0,
					   "AutoRemove", 1,
					   "RestartPolicy", "Name", "no",
					   "LogConfig", "Type", "json-file", "Config", "max-size", "256k",
					   "max-file", "1",
					   "Mounts", "Type", "bind", "Source", container->directory,
					   "Target", MOUNT_TARGET, "ReadOnly", 1,
					   "BindOptions", "Propagation", "rprivate",
					   "PidMode", "", "UTSMode", "", "UsernsMode", "",
					   "Binds", "Devices", "VolumesFrom", "ExtraHosts",
					   "PublishAllPorts", 0);
	if (config != NULL && hxpy_runtime[0])
		json_object_set_new(config, "Runtime", json_string(hxpy_runtime));
	return config;
}

/* Make the body of the engine's create call. */
static json_t *
create_body(const ContainerOptions *options, const char *image_id, const Container *container,
			int uid)
{
	json_t	   *body;

	body = json_pack("{s:s, s:s, s:s, s:s, s:b, s:[s, s, s, s], s:[s, s, s, s, s, s], s:o, s:o}",
					 "Image", image_id,
					 "User", psprintf("%d:%d", uid, uid),
					 "WorkingDir", "/tmp",
					 "Hostname", "hxpy",
					 "NetworkDisabled", 1,
					 "Entrypoint", "/usr/bin/python3", "-I", "-m", "hxpy",
					 "Env", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1",
					 "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1",
	/* Batches reuse memory in place of asking the kernel for it again. */
					 "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=134217728",
					 "Labels", create_labels(options),
					 "HostConfig", create_host_config(options, container));
	return hxpy_docker_own(body);
}

/* Tell whether a JSON value asks for nothing. */
static bool
is_empty_json(json_t *value)
{
	return value == NULL || json_is_null(value) || json_is_false(value) ||
		(json_is_array(value) && json_array_size(value) == 0) ||
		(json_is_string(value) && json_string_length(value) == 0);
}

/* Tell whether what the engine has made holds all that was asked. */
static bool
json_holds(json_t *asked, json_t *made)
{
	const char *key;
	json_t	   *value;
	size_t		index;

	if (is_empty_json(asked))
		return is_empty_json(made);
	if (json_is_object(asked))
	{
		json_object_foreach(asked, key, value)
		{
			if (!json_holds(value, json_object_get(made, key)))
				return false;
		}
		return true;
	}
	if (json_is_array(asked))
	{
		if (json_array_size(asked) != json_array_size(made))
			return false;
		json_array_foreach(asked, index, value)
		{
			if (!json_holds(value, json_array_get(made, index)))
				return false;
		}
		return true;
	}
	return json_equal(asked, made);
}

/*
 * Compare a new container with what was asked for, since engines ignore keys
 * that they do not know; refuse it when a field of the sandbox differs.
 */
static void
check_container(const char *id, json_t *body)
{
	json_t	   *container = hxpy_docker_inspect(id);
	json_t	   *made = json_object_get(container, "HostConfig");
	json_t	   *config = json_object_get(container, "Config");
	const char *key;
	json_t	   *value;

	json_object_foreach(json_object_get(body, "HostConfig"), key, value)
	{
		if (!json_holds(value, json_object_get(made, key)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the Docker engine did not apply the sandbox setting \"%s\"", key),
					 errhint("Use an engine that supports it; see docs/security.md.")));
	}
	if (!json_holds(json_object_get(body, "User"), json_object_get(config, "User")) ||
		!json_holds(json_object_get(body, "Entrypoint"), json_object_get(config, "Entrypoint")) ||
		!json_holds(json_object_get(body, "NetworkDisabled"),
					json_object_get(config, "NetworkDisabled")))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the Docker engine did not apply the user, entry point or network asked for")));
}

/* ---------- starting ---------- */

/* Take one connection of the container, or raise an error when it dies first. */
static pgsocket
accept_worker(const Container *container, pgsocket listener, DockerStream *output,
			  instr_time start)
{
	for (;;)
	{
		pgsocket	socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		instr_time	now;
		long		left;
		int			happened;

		if (socket != PGINVALID_SOCKET)
		{
			if (is_container_peer(socket, container->id))
				return socket;
			closesocket(socket);
			ereport(ERROR,
					(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
					 errmsg("a process outside the container has connected to its socket"),
					 errhint("Check who may enter \"%s\"; see docs/security.md for servers that run in containers themselves.",
							 container->directory)));
		}
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		left = hxpy_open_timeout - (long) INSTR_TIME_GET_MILLISEC(now);
		happened = left > 0 ? hxpy_docker_stream_wait(output, listener, left) :
			HXPY_DOCKER_TIMEOUT;
		if (happened & HXPY_DOCKER_SOCKET)
			continue;
		if (happened & HXPY_DOCKER_ENDED)
		{
			char	   *text = hxpy_docker_stream_text(output);

			ereport(ERROR,
					(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
					 errmsg("the container of image \"%s\" ended before Python could connect",
							container->image),
					 text[0] ? errdetail("%s", text) : 0,
					 errhint("The image must be one of hxpy's (docker/build), with /usr/bin/python3 and the package hxpy.")));
		}
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("Python did not connect within hxpy.open_timeout"),
				 errhint("Raise hxpy.open_timeout, now %d ms, or look after the machine's load.",
						 hxpy_open_timeout)));
	}
}

/* Take a connection and count its descriptor. */
static pgsocket
accept_counted(const Container *container, pgsocket listener, DockerStream *output,
			   instr_time start)
{
	pgsocket	socket;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session")));
	PG_TRY();
	{
		socket = accept_worker(container, listener, output, start);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return socket;
}

/* Create and start the container and take its two connections. */
static void
run_container(Container *container, const ContainerOptions *options, const char *name,
			  const char *image_id, int uid, pgsocket listener)
{
	json_t	   *body = create_body(options, image_id, container, uid);
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(container));
	DockerStream *output;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	container->id = hxpy_docker_create(name, body);
	MemoryContextSwitchTo(old);
	check_container(container->id, body);
	output = hxpy_docker_attach(container->id);
	hxpy_docker_start(container->id);
	/* The supervisor connects before it makes the worker. */
	container->control = accept_counted(container, listener, output, start);
	container->data = accept_counted(container, listener, output, start);
	hxpy_docker_stream_close(output);
}

/* Undo a failed start; raises nothing above WARNING. */
static void
undo_start(Container *container, const char *name, pgsocket listener)
{
	MemoryContext context = CurrentMemoryContext;

	if (listener != PGINVALID_SOCKET)
		closesocket(listener);
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		hxpy_docker_remove(name, CLEANUP_TIMEOUT_MS);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ereport(WARNING,
				(errmsg("could not remove container \"%s\"", name),
				 errhint("It is removed when a session is opened again, or by: docker rm -f %s",
						 name)));
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
	hxpy_container_release(container);
}

/* Raise an error unless there are descriptors enough to start a container, or to undo that. */
static void
check_descriptors(void)
{
	int			count = 0;

	while (count < START_DESCRIPTORS && AcquireExternalFD())
		count++;
	for (int i = 0; i < count; i++)
		ReleaseExternalFD();
	if (count < START_DESCRIPTORS)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session"),
				 errhint("Close sessions, or raise max_files_per_process.")));
}

/* Rid the engine and the socket directory of what ended backends have left, once. */
static void
clean_up_once(void)
{
	static bool done = false;

	if (done)
		return;
	remove_stale_directories(base_directory());
	remove_stale_containers();
	done = true;
}

/* Start a container and wait until its worker has connected. */
Container *
hxpy_container_start(const ContainerOptions *options, MemoryContext context)
{
	static uint32 counter = 0;
	Container  *container = MemoryContextAllocZero(context, sizeof(Container));
	const char *image;
	const char *image_id;
	volatile pgsocket listener = PGINVALID_SOCKET;
	char	   *name = psprintf("hxpy-" UINT64_FORMAT "-%d-%u", GetSystemIdentifier(),
								MyProcPid, ++counter);
	MemoryContext old = CurrentMemoryContext;

	container->control = container->data = PGINVALID_SOCKET;
	container->directory_fd = -1;
	check_descriptors();
	clean_up_once();
	image_id = resolve_image(options->images, &image);
	container->image = MemoryContextStrdup(context, image);
	PG_TRY();
	{
		int			uid;

		MemoryContextSwitchTo(context);
		uid = claim_directory(container);
		MemoryContextSwitchTo(old);
		listener = listen_in_directory(container);
		run_container(container, options, name, image_id, uid, listener);
		/* Nobody else gets in. */
		unlinkat(container->directory_fd, SOCKET_NAME, 0);
		closesocket(listener);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Undoing may fail itself, so that this error must be put away. */
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		undo_start(container, name, listener);
		ReThrowError(error);
	}
	PG_END_TRY();
	return container;
}

/* Close a socket that was not handed over. */
static void
close_counted(pgsocket *socket)
{
	if (*socket == PGINVALID_SOCKET)
		return;
	closesocket(*socket);
	ReleaseExternalFD();
	*socket = PGINVALID_SOCKET;
}

/*
 * Give a container's directory and user id free, and its sockets if they were not
 * handed over; does not ereport.
 */
void
hxpy_container_release(Container *container)
{
	close_counted(&container->control);
	close_counted(&container->data);
	if (container->directory_fd >= 0)
		remove_directory(container->directory, container->directory_fd);
	container->directory_fd = -1;
}

/* ---------- cleaning ---------- */

/* Tell whether the backend that owns a container is gone. */
static bool
is_orphan(json_t *container)
{
	json_t	   *labels = json_object_get(container, "Labels");
	const char *pid = json_string_value(json_object_get(labels, "hxpy.backend"));
	const char *start = json_string_value(json_object_get(labels, "hxpy.backend_start"));

	return pid != NULL && start != NULL &&
		process_start(atoi(pid)) != strtoull(start, NULL, 10);
}

/* Remove the containers of this cluster whose backends are gone. */
static void
remove_stale_containers(void)
{
	json_t	   *containers;
	json_t	   *container;
	size_t		index;

	containers = hxpy_docker_list(psprintf("hxpy.cluster=" UINT64_FORMAT,
										   GetSystemIdentifier()));
	json_array_foreach(containers, index, container)
	{
		const char *id = json_string_value(json_object_get(container, "Id"));

		if (id != NULL && is_orphan(container))
			hxpy_docker_remove(id, CLEANUP_TIMEOUT_MS);
	}
}
