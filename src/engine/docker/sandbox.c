/*
 * sandbox.c
 *	  The sandbox: what a container is made of, and whether the engine made it so.
 *
 * All sandbox settings stand here, in hxpy_sandbox_body(); docs/security.md gives
 * the reasons.
 */
#include "postgres.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "hxpy.h"
#include "engine/docker/endpoint.h"
#include "engine/docker/sandbox.h"
#include "guc.h"

#define MOUNT_TARGET		"/run/hxpy"
#define IO_TARGET			"/io"
#define SHM_BYTES			(64 * 1024 * 1024)
#define NOFILE_LIMIT		256
#define SESSION_FILES		8		/* that process 1 has for each of several sessions */
#define TMP_INODES			16384

/* docker/seccomp.json as a string, which the Makefile makes of it. */
static const char seccomp_profile[] =
#include "seccomp.inc"
;

/* Allow TCP and UDP sockets of a family: no MPTCP, SCTP, UDP-Lite, ICMP. */
static void
allow_family(json_t *profile, int family)
{
	static const struct
	{
		int			type;
		int			protocol;
	}			allowed[] = {
		{SOCK_STREAM, 0}, {SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, 0}, {SOCK_DGRAM, IPPROTO_UDP}
	};

	for (int i = 0; i < lengthof(allowed); i++)
	{
		/* Beside the type's four bits the kernel takes SOCK_NONBLOCK and SOCK_CLOEXEC only. */
		hxpy_json_append(json_object_get(profile, "syscalls"),
						 json_pack("{s:[s], s:s, s:[{s:i, s:i, s:s}, {s:i, s:i, s:i, s:s}, {s:i, s:i, s:s}]}",
								   "names", "socket", "action", "SCMP_ACT_ALLOW", "args",
								   "index", 0, "value", family, "op", "SCMP_CMP_EQ",
								   "index", 1, "value", 0xf, "valueTwo", allowed[i].type,
								   "op", "SCMP_CMP_MASKED_EQ",
								   "index", 2, "value", allowed[i].protocol, "op", "SCMP_CMP_EQ"));
	}
}

/* Make the option that gives a container our seccomp profile. */
static const char *
seccomp_option(bool has_network)
{
	json_t	   *profile = hxpy_json_own(json_loads(seccomp_profile, JSON_REJECT_DUPLICATES, NULL));

	if (has_network)
	{
		allow_family(profile, AF_INET);
		allow_family(profile, AF_INET6);
	}
	return psprintf("seccomp=%s", hxpy_json_write(profile));
}

/* Make an ulimit whose soft and hard limits are the same. */
static json_t *
ulimit(const char *name, int64 limit)
{
	return json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t) limit,
					 "Hard", (json_int_t) limit);
}

/* Make a mount of a directory, or file, that is there; it is not owned yet. */
json_t *
hxpy_sandbox_mount(const char *source, const char *target, bool read_only)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:{s:s}}", "Type", "bind", "Source", source,
					 "Target", target, "ReadOnly", read_only,
					 "BindOptions", "Propagation", "rprivate");
}

/* Make all mounts of a container: the socket's directory, or a volume for the key; /io. */
static json_t *
mounts(const EngineSpec *spec)
{
	json_t	   *list = hxpy_json_own(json_pack("[]"));

	if (spec->network == NULL)
		hxpy_json_append(list, hxpy_sandbox_mount(spec->socket_directory, MOUNT_TARGET, true));
	else
		/* Engines refuse to make it read-only: all in it is root's instead. */
		hxpy_json_append(list, json_pack("{s:s, s:s, s:{s:b}}", "Type", "volume",
										 "Target", MOUNT_TARGET, "VolumeOptions", "NoCopy", 1));
	if (spec->io != NULL)
		hxpy_json_append(list, hxpy_sandbox_mount(spec->io, IO_TARGET,
												  hxpy_io_mode == HXPY_IO_READ_ONLY));
	return list;
}

/*
 * Make the engine's HostConfig: the sandbox.
 *
 * What the engine must not add by itself is asked for explicitly, so that
 * hxpy_sandbox_check() sees it.
 */
static json_t *
create_host_config(const EngineSpec *spec)
{
	json_int_t	memory = (json_int_t) spec->memory * 1024 * 1024;
	json_int_t	tmp = (json_int_t) hxpy_tmp_size * 1024 * 1024;
	json_int_t	nofile = spec->sessions == 1 ? NOFILE_LIMIT :
		NOFILE_LIMIT + SESSION_FILES * spec->sessions;
	/* What may raise an error comes before values that nobody owns yet. */
	const char *seccomp = seccomp_option(spec->network != NULL);
	json_t	   *mounted = mounts(spec);
	json_t	   *config;

	config = json_pack("{s:s, s:[s], s:[], s:b, s:[s, s], s:b, s:I,"
					   " s:{s:s}, s:i, s:I, s:I, s:I, s:i,"
					   " s:[o, o, o, o, o],"
					   " s:s, s:s, s:b, s:b, s:{s:s},"
					   " s:{s:s, s:{s:s, s:s}},"
					   " s:O,"
					   " s:s, s:s, s:s, s:[], s:[], s:[], s:[], s:b, s:o}",
					   "NetworkMode", spec->network ? spec->network : HXPY_NO_NETWORK,
					   "CapDrop", "ALL",
					   "CapAdd",
					   "Privileged", 0,
					   "SecurityOpt", "no-new-privileges", seccomp,
					   "ReadonlyRootfs", 1,
					   "ShmSize", (json_int_t) SHM_BYTES,
					   "Tmpfs", "/tmp",
					   psprintf("rw,noexec,nosuid,nodev,size=%dm,nr_inodes=%d,mode=1777",
								hxpy_tmp_size, TMP_INODES),
					   "PidsLimit", hxpy_pids_limit * spec->sessions,
					   "Memory", memory,
					   "MemorySwap", memory,
					   "NanoCpus", (json_int_t) (spec->cpus * 1e9),
					   "OomScoreAdj", 500,
					   "Ulimits",
					   ulimit("nofile", nofile), ulimit("core", 0), ulimit("fsize", tmp),
					   ulimit("memlock", 65536), ulimit("msgqueue", 0),
					   "IpcMode", "private",
					   "CgroupnsMode", "private",
					   "Init", 0,
					   "AutoRemove", spec->auto_remove,
					   "RestartPolicy", "Name", "no",
					   "LogConfig", "Type", "json-file", "Config", "max-size", "256k",
					   "max-file", "1",
					   "Mounts", mounted,
					   "PidMode", "", "UTSMode", "", "UsernsMode", "",
					   "Binds", "Devices", "VolumesFrom", "ExtraHosts",
					   "PublishAllPorts", 0,
					   "PortBindings", hxpy_endpoint_bindings(spec->network));
	hxpy_json_own(config);
	/* A name that is no UTF-8 is an error: without one the engine takes its own runtime. */
	if (hxpy_runtime[0])
		hxpy_json_put(config, "Runtime", json_string(hxpy_runtime));
	return config;
}

/* Make the engine's Labels. */
json_t *
hxpy_sandbox_labels(const List *labels)
{
	json_t	   *object = hxpy_json_own(json_pack("{}"));
	ListCell   *cell;

	foreach(cell, labels)
	{
		const EngineLabel *label = lfirst(cell);

		hxpy_json_put(object, label->key, json_string(label->value));
	}
	return object;
}

/* Make the body of the request that creates a container. */
json_t *
hxpy_sandbox_body(const EngineSpec *spec)
{
	json_t	   *labels = hxpy_sandbox_labels(spec->labels);
	json_t	   *host_config = create_host_config(spec);
	json_t	   *body;

	body = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:[s, s, s, s],"
					 " s:[s, s, s, s, s, s], s:O, s:O}",
					 "Image", spec->image_id,
					 "User", psprintf("%d:%d", spec->uid, spec->uid),
					 "WorkingDir", "/tmp",
					 "Hostname", "hxpy",
					 "NetworkDisabled", spec->network == NULL,
					 "ExposedPorts", hxpy_endpoint_exposed(spec->network),
					 "Entrypoint", "/usr/bin/python3", "-I", "-m", "hxpy",
					 "Env", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1",
					 "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1",
	/* Batches reuse memory in place of asking the kernel for it again. */
					 "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=134217728",
					 "Labels", labels,
					 "HostConfig", host_config);
	hxpy_json_own(body);
	if (spec->imports != NULL)
		hxpy_json_append(json_object_get(body, "Env"),
						 json_string(psprintf("HXPY_IMPORTS=%s", spec->imports)));
	return body;
}

/* Return whether a JSON value asks for nothing. */
static bool
is_empty_json(json_t *value)
{
	return value == NULL || json_is_null(value) || json_is_false(value) ||
		(json_is_array(value) && json_array_size(value) == 0) ||
		(json_is_object(value) && json_object_size(value) == 0) ||
		(json_is_string(value) && json_string_length(value) == 0);
}

/* Return whether what the engine has made holds all that was asked. */
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
 * Compare a new container's HostConfig with what was asked for, since engines ignore
 * keys that they do not know; refuse it when a field differs.
 */
void
hxpy_sandbox_check_host(json_t *container, json_t *asked)
{
	json_t	   *made = json_object_get(container, "HostConfig");
	const char *key;
	json_t	   *value;

	json_object_foreach(asked, key, value)
	{
		if (!json_holds(value, json_object_get(made, key)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the Docker engine did not apply the sandbox setting \"%s\"", key),
					 errhint("Use an engine that supports it; see docs/security.md.")));
	}
}

/* Compare a new container of a session with what was asked for. */
void
hxpy_sandbox_check(json_t *container, json_t *body)
{
	json_t	   *config = json_object_get(container, "Config");

	hxpy_sandbox_check_host(container, json_object_get(body, "HostConfig"));
	if (!json_holds(json_object_get(body, "User"), json_object_get(config, "User")) ||
		!json_holds(json_object_get(body, "Entrypoint"), json_object_get(config, "Entrypoint")) ||
		!json_holds(json_object_get(body, "NetworkDisabled"),
					json_object_get(config, "NetworkDisabled")))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the Docker engine did not apply the user, entry point or network asked for")));
	hxpy_endpoint_check_attached(container,
								json_string_value(json_object_get(json_object_get(body, "HostConfig"),
																  "NetworkMode")));
}
