/*
 * run.c
 *	  Containers that superusers run beside the sessions' (py_run).
 *
 * The engine's request to create can give a container everything on its host, so what a
 * caller may say is a list of keys, compared byte by byte although engines do not
 * mind their case; all others are refused by name.  What must not depend on the
 * caller is set afterwards, in forced_host_config(), and compared with what the
 * engine has made.
 *
 * A container is made under a name of its own that nobody else uses, so that a
 * failure at any point can remove it by that name, and gets the caller's name then.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "hxpy.h"
#include "codec/coltype.h"
#include "engine/docker/choice.h"
#include "engine/docker/docker.h"
#include "engine/docker/sandbox.h"
#include "guc.h"
#include "launch/owner.h"
#include "sql/admin.h"
#include "sql/arguments.h"
#include "sql/bind.h"
#include "text.h"

PG_FUNCTION_INFO_V1(py_run);

#define RUN_CONFIG_MAX			(1024 * 1024)	/* bytes */
#define RUN_PIDS_LIMIT			512

/* What a caller may say: the engine's keys, but for the container's name */
#define BODY_KEYS \
	"Cmd, Entrypoint, Env, ExposedPorts, Healthcheck, HostConfig, Hostname, " \
	"Labels, StopSignal, StopTimeout, User, WorkingDir, name"
#define HOST_KEYS \
	"AutoRemove, Binds, CapDrop, ExtraHosts, Init, Memory, NanoCpus, NetworkMode, " \
	"PidsLimit, PortBindings, ReadonlyRootfs, ShmSize, Tmpfs"

/* Raise the error for a value of the wrong kind. */
static void
raise_kind(const char *key, const char *kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" must be %s", key, kind)));
}

/* Copy an object, or make an empty one for NULL; refuse keys that are not in a list. */
static json_t *
copy_allowed(json_t *from, const char *prefix, const char *allowed)
{
	json_t	   *copy = hxpy_json_own(json_pack("{}"));
	const char *key;
	json_t	   *value;

	json_object_foreach(from, key, value)
	{
		if (!hxpy_text_in_patterns(key, allowed))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("config key \"%s%s\" is not allowed", prefix,
							hxpy_text_clean(key, strlen(key))),
					 errdetail("Allowed are: %s.", allowed),
					 errhint("See py_run in docs/reference.md; what it does not offer can be had by: docker run")));
		if (!json_is_null(value))
			hxpy_json_put(copy, key, json_incref(value));
	}
	return copy;
}

/* Read the config; an object. */
static json_t *
read_config(const char *config)
{
	json_error_t error;
	json_t	   *json;

	if (strlen(config) > RUN_CONFIG_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("config of a container is larger than %d bytes", RUN_CONFIG_MAX)));
	json = json_loads(config, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("config of a container cannot be read"),
				 errdetail("%s", hxpy_text_clean(error.text, strlen(error.text)))));
	hxpy_json_own(json);
	if (!json_is_object(json))
		raise_kind("config", "an object");
	return json;
}

/* Take the container's name out of a config; NULL when there is none. */
static char *
take_name(json_t *config)
{
	json_t	   *value = json_object_get(config, "name");
	char	   *name;

	if (value == NULL || json_is_null(value))
		return NULL;
	if (!json_is_string(value))
		raise_kind("name", "a string");
	name = hxpy_text_clean(json_string_value(value), json_string_length(value));
	json_object_del(config, "name");
	return name;
}

/* Add our labels to the caller's, which must not look like ours. */
static void
add_labels(json_t *body)
{
	json_t	   *given = json_object_get(body, "Labels");
	json_t	   *labels = hxpy_sandbox_labels(hxpy_owner_run_labels());
	const char *key;
	json_t	   *value;

	if (given != NULL && !json_is_object(given))
		raise_kind("Labels", "an object of strings");
	json_object_foreach(given, key, value)
	{
		if (pg_strncasecmp(key, "hxpy.", 5) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("label \"%s\" is not allowed", hxpy_text_clean(key, strlen(key))),
					 errdetail("Labels that begin with \"hxpy.\" are hxpy's own.")));
		hxpy_json_put(labels, key, json_incref(value));
	}
	hxpy_json_put(body, "Labels", json_incref(labels));
}

/* Return whether a network can have this name; "container:x" and "ns:x" name none. */
static bool
is_network_name(const char *name)
{
	return isalnum((unsigned char) name[0]) &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == '\0';
}

/* Refuse networks that are another's: the host's, or that of a container. */
static void
check_network(json_t *host)
{
	json_t	   *mode = json_object_get(host, "NetworkMode");
	const char *name = json_string_value(mode);
	const char *shown;
	json_t	   *network;
	const char *driver;
	const char *real;

	if (mode == NULL)
		return;
	if (name == NULL)
		raise_kind("HostConfig.NetworkMode", "a string");
	shown = hxpy_text_clean(name, strlen(name));
	if (strcmp(name, "none") == 0)
		return;
	network = is_network_name(name) ? hxpy_docker_inspect_network(name) : NULL;
	driver = json_string_value(json_object_get(network, "Driver"));
	real = json_string_value(json_object_get(network, "Name"));
	if (!is_network_name(name) || (driver != NULL && strcmp(driver, "host") == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("network \"%s\" is not allowed", shown),
				 errhint("Give \"none\", \"bridge\" or the name of a network; publish ports with PortBindings.")));
	/* Ids are found, too, but the host's network may not be asked for by its id. */
	if (driver == NULL || real == NULL || strcmp(real, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the Docker engine has no network \"%s\"", shown),
				 errhint("Give a name, not an id; see: docker network ls")));
}

/* Set a limit that the caller has not set. */
static void
default_limit(json_t *host, const char *key, int64 limit)
{
	json_t	   *value = json_object_get(host, key);

	if (value == NULL)
		hxpy_json_put(host, key, json_integer(limit));
	else if (!json_is_integer(value))
		raise_kind(psprintf("HostConfig.%s", key), "a whole number");
}

/*
 * Make the part of HostConfig that no caller chooses.  It is said in full, so that
 * hxpy_sandbox_check_host() sees it.
 */
static json_t *
forced_host_config(json_t *mounts, json_t *memory)
{
	json_t	   *forced;

	forced = json_pack("{s:O, s:O, s:b, s:[s], s:[], s:s, s:s, s:s, s:s, s:s, s:s,"
					   " s:[], s:[], s:[], s:[], s:b, s:i, s:{s:s}, s:{s:s, s:{s:s, s:s}}}",
					   "Mounts", mounts,
					   "MemorySwap", memory,
					   "Privileged", 0,
					   "SecurityOpt", "no-new-privileges",
					   "CapAdd",
					   "IpcMode", "private",
					   "CgroupnsMode", "private",
					   "PidMode", "", "UTSMode", "", "UsernsMode", "",
					   "CgroupParent", "",
					   "Binds", "Devices", "DeviceRequests", "VolumesFrom",
					   "PublishAllPorts", 0,
					   "OomScoreAdj", 500,
	/* At its next start the engine would follow the mounts' paths again. */
					   "RestartPolicy", "Name", "no",
					   "LogConfig", "Type", "json-file", "Config", "max-size", "10m",
					   "max-file", "2");
	hxpy_json_own(forced);
	if (hxpy_runtime[0])
		hxpy_json_put(forced, "Runtime", json_string(hxpy_runtime));
	return forced;
}

/* Make the body of the request that creates, and *forced, the part that must hold. */
static json_t *
make_body(json_t *config, const char *image_id, json_t **forced)
{
	json_t	   *body = copy_allowed(config, "", BODY_KEYS);
	json_t	   *given = json_object_get(body, "HostConfig");
	json_t	   *host;
	const char *key;
	json_t	   *value;

	if (given != NULL && !json_is_object(given))
		raise_kind("HostConfig", "an object");
	host = copy_allowed(given, "HostConfig.", HOST_KEYS);
	check_network(host);
	default_limit(host, "Memory", (int64) hxpy_max_memory * 1024 * 1024);
	default_limit(host, "NanoCpus", (int64) (hxpy_max_cpus * 1e9));
	default_limit(host, "PidsLimit", RUN_PIDS_LIMIT);
	*forced = forced_host_config(hxpy_bind_mounts(json_object_get(host, "Binds")),
								 json_object_get(host, "Memory"));
	json_object_foreach(*forced, key, value)
		hxpy_json_put(host, key, json_incref(value));
	add_labels(body);
	hxpy_json_put(body, "HostConfig", json_incref(host));
	hxpy_json_put(body, "Image", json_string(image_id));
	return body;
}

/*
 * Create a container as asked, and start it under its name, if it has one; until then
 * it has ours.
 */
static const char *
start(json_t *body, json_t *forced, const char *own_name, const char *name)
{
	MemoryContext context = CurrentMemoryContext;
	EngineRequest *volatile creating = NULL;
	const char *volatile id = NULL;

	PG_TRY();
	{
		creating = hxpy_docker_begin_create(own_name, body);
		id = hxpy_docker_end_create(creating, own_name);
		creating = NULL;
		hxpy_sandbox_check_host(hxpy_docker_inspect(id), forced);
		if (name != NULL)
			hxpy_docker_rename(id, name);
		(void) hxpy_request_end(hxpy_docker_begin_start(id));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Undoing may fail itself, so that this error must be put away. */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		hxpy_docker_undo(creating, id != NULL ? id : own_name, "Remove it by");
		ReThrowError(error);
	}
	PG_END_TRY();
	return id;
}

/*
 * py_run(image, config): start a container; returns its id.
 */
Datum
py_run(PG_FUNCTION_ARGS)
{
	char	   *image;
	const char *image_id;
	json_t	   *config;
	char	   *name;
	json_t	   *body;
	json_t	   *forced;

	hxpy_admin_check_superuser("run a container");
	image = hxpy_argument_text(fcinfo, 0, "image");
	hxpy_argument_require(fcinfo, 1, "config");
	config = read_config(hxpy_coltype_to_utf8(JsonbToCString(NULL, &PG_GETARG_JSONB_P(1)->root, 0)));
	name = take_name(config);
	(void) hxpy_choice_make();
	image_id = hxpy_docker_image_id(image);
	if (image_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the Docker engine has no image \"%s\"", image),
				 errhint("Get it with py_pull.")));
	body = make_body(config, image_id, &forced);
	PG_RETURN_TEXT_P(cstring_to_text(start(body, forced, hxpy_owner_new_name(), name)));
}
