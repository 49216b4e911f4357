/*
 * docker.c
 *	  The Docker Engine API, one function an endpoint.
 *
 * Calls go by call.c, and live no longer than the function that makes them or,
 * made in two steps, than the memory context of their beginning.  What is a stream
 * is in stream.c.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "hxpy.h"
#include "engine/docker/call.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "text.h"

/* Asks the engine whether it is there. */
const char *
hxpy_docker_ping(void)
{
	return hxpy_call_negotiate(hxpy_docker_timeout);
}

/* Tells whether a call has ended, so that its end function does not wait. */
bool
hxpy_docker_is_done(const EngineCall *call)
{
	return hxpy_http_is_done(call->req);
}

/* Describes an image. */
json_t *
hxpy_docker_inspect_image(const char *image)
{
	return hxpy_call_get(psprintf("/images/%s/json", hxpy_call_image_path(image)),
						 psprintf("inspect image \"%s\"", image));
}

/* Begins to describe a container. */
EngineCall *
hxpy_docker_begin_inspect(const char *id)
{
	return hxpy_call_begin_container("GET", id, "/json", hxpy_docker_timeout);
}

/* Describes a container; NULL if there is none. */
json_t *
hxpy_docker_end_inspect(EngineCall *call)
{
	return hxpy_call_read_found(hxpy_call_end(call),
								psprintf("inspect container \"%s\"", call->name));
}

/* Describes a container. */
json_t *
hxpy_docker_inspect(const char *id)
{
	return hxpy_docker_end_inspect(hxpy_docker_begin_inspect(id));
}

/* Describes a network, found by its name or the beginning of its id. */
json_t *
hxpy_docker_inspect_network(const char *network)
{
	return hxpy_call_get(psprintf("/networks/%s", hxpy_call_escape(network, "")),
						 psprintf("inspect network \"%s\"", network));
}

/* Gets a list of something. */
static json_t *
docker_get_list(const char *path, const char *what)
{
	json_t	   *list = hxpy_call_get(path, psprintf("list %s", what));

	if (!json_is_array(list))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not understand the answer of the Docker engine"),
				 errdetail("The list of %s is not an array.", what),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	return list;
}

/* Lists the containers with a label, or all. */
json_t *
hxpy_docker_list(const char *label)
{
	json_t	   *filters;

	if (label == NULL)
		return docker_get_list("/containers/json?all=1", "containers");
	filters = hxpy_json_own(json_pack("{s:[s]}", "label", label));
	return docker_get_list(psprintf("/containers/json?all=1&filters=%s",
									hxpy_call_escape(hxpy_json_write(filters), "")),
						   "containers");
}

/* Returns a listed container's name, without the slash in front; NULL when it has none. */
const char *
hxpy_docker_entry_name(json_t *entry)
{
	const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));

	return name != NULL && name[0] == '/' ? name + 1 : name;
}

/* Refuses a container for which the engine has warnings. */
static void
docker_check_warnings(const char *name, json_t *warnings)
{
	StringInfoData buf;
	size_t		i;
	json_t	   *warning;

	if (warnings == NULL || json_is_null(warnings) ||
		(json_is_array(warnings) && json_array_size(warnings) == 0))
		return;
	initStringInfo(&buf);
	json_array_foreach(warnings, i, warning)
	{
		const char *text = json_string_value(warning);

		if (text != NULL)
			appendStringInfo(&buf, " %s", hxpy_text_clean(text, strnlen(text, HXPY_CALL_MESSAGE_MAX)));
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine did not grant all limits of container \"%s\"", name),
			 errdetail("The engine warns:%s", buf.data),
			 errhint("Enable what is missing in the engine's kernel or configuration; see: docker info")));
}

/* Begins to make a container. */
EngineCall *
hxpy_docker_begin_create(const char *name, json_t *body)
{
	EngineCall *call = hxpy_call_begin("POST",
									   psprintf("/containers/create?name=%s",
												hxpy_call_check_name(name)),
									   body, hxpy_docker_timeout);

	call->name = name;
	return call;
}

/* Returns the id of the container that was made. */
char *
hxpy_docker_end_create(EngineCall *call)
{
	HttpRequest *req = hxpy_call_end(call);
	json_t	   *answer;
	const char *id;

	if (hxpy_http_status(req) != 201)
		hxpy_call_raise(req, psprintf("create container \"%s\"", call->name));
	answer = hxpy_call_read_json(req);
	hxpy_http_free(req);
	docker_check_warnings(call->name, json_object_get(answer, "Warnings"));
	id = json_string_value(json_object_get(answer, "Id"));
	if (id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not understand the answer of the Docker engine"),
				 errdetail("Container \"%s\" was created without an id.", call->name),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	return pstrdup(hxpy_call_check_name(id));
}

/* Makes a container. */
char *
hxpy_docker_create(const char *name, json_t *body)
{
	return hxpy_docker_end_create(hxpy_docker_begin_create(name, body));
}

/* Begins to unpack a tar archive in a container's directory. */
EngineCall *
hxpy_docker_begin_put(const char *id, const char *path, const char *data, size_t length)
{
	EngineCall *call = hxpy_call_begin_put(psprintf("/containers/%s/archive?path=%s",
													hxpy_call_check_name(id),
													hxpy_call_escape(path, "")),
										   "application/x-tar", data, length);

	call->name = id;
	return call;
}

/* Makes sure that an archive was unpacked. */
void
hxpy_docker_end_put(EngineCall *call)
{
	HttpRequest *req = hxpy_call_end(call);

	if (hxpy_http_status(req) != 200)
		hxpy_call_raise(req, psprintf("write to container \"%s\"", call->name));
	hxpy_http_free(req);
}

/* Begins to start a container. */
EngineCall *
hxpy_docker_begin_start(const char *id)
{
	return hxpy_call_begin_container("POST", id, "/start", hxpy_docker_timeout);
}

/* Makes sure that a container was started; one that ran stays as it is. */
void
hxpy_docker_end_start(EngineCall *call)
{
	HttpRequest *req = hxpy_call_end(call);
	int			status = hxpy_http_status(req);

	if (status != 204 && status != 304)
		hxpy_call_raise(req, psprintf("start container \"%s\"", call->name));
	hxpy_http_free(req);
}

/* Starts a container. */
void
hxpy_docker_start(const char *id)
{
	hxpy_docker_end_start(hxpy_docker_begin_start(id));
}

/* Begins to remove a container with its volumes, running or not. */
EngineCall *
hxpy_docker_begin_remove(const char *id, long timeout_ms)
{
	return hxpy_call_begin_container("DELETE", id, "?force=1&v=1", timeout_ms);
}

/*
 * Tells whether a container was removed; false if it was gone, or on its way (409
 * with force: somebody else's removal is in progress).
 */
bool
hxpy_docker_end_remove(EngineCall *call)
{
	HttpRequest *req = hxpy_call_end(call);
	int			status = hxpy_http_status(req);

	if (status != 204 && status != 404 && status != 409)
		hxpy_call_raise(req, psprintf("remove container \"%s\"", call->name));
	hxpy_http_free(req);
	return status == 204;
}

/* Removes a container. */
bool
hxpy_docker_remove(const char *id, long timeout_ms)
{
	return hxpy_docker_end_remove(hxpy_docker_begin_remove(id, timeout_ms));
}

/* ---------- figures ---------- */

/* Begins to measure a container. */
EngineCall *
hxpy_docker_begin_stats(const char *id)
{
	return hxpy_call_begin_container("GET", id, "/stats?stream=false&one-shot=1", hxpy_docker_timeout);
}

/*
 * Returns a container's memory in bytes, without the cache of files that can go at
 * any time, and the microseconds of CPU that it has used; false if it does not run
 * or is gone.
 */
bool
hxpy_docker_end_stats(EngineCall *call, int64 *memory, int64 *cpu)
{
	json_t	   *stats = hxpy_call_read_found(hxpy_call_end(call),
											 psprintf("measure container \"%s\"", call->name));
	json_t	   *usage = json_object_get(json_object_get(stats, "memory_stats"), "usage");
	json_t	   *details = json_object_get(json_object_get(stats, "memory_stats"), "stats");
	json_t	   *cache = json_object_get(details, "total_inactive_file");	/* cgroup v1 */

	if (cache == NULL)
		cache = json_object_get(details, "inactive_file");
	if (!json_is_integer(usage))
		return false;
	*memory = Max(json_integer_value(usage) - json_integer_value(cache), 0);
	*cpu = json_integer_value(json_object_get(json_object_get(json_object_get(stats, "cpu_stats"),
															  "cpu_usage"),
											  "total_usage")) / 1000;
	return true;
}

/* ---------- administration ---------- */

/* Gets an object that every engine has. */
static json_t *
docker_get_object(const char *path, const char *what)
{
	json_t	   *object = hxpy_call_get(path, psprintf("get %s", what));

	if (!json_is_object(object))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not understand the answer of the Docker engine"),
				 errdetail("Its answer about %s is not an object.", what),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	return object;
}

/* Lists the images. */
json_t *
hxpy_docker_images(void)
{
	return docker_get_list("/images/json", "images");
}

/* Describes the engine's programs. */
json_t *
hxpy_docker_version(void)
{
	return docker_get_object("/version", "the engine's version");
}

/* Describes the engine's state and configuration. */
json_t *
hxpy_docker_info(void)
{
	return docker_get_object("/info", "the engine's state");
}

/* Gives a container another name. */
void
hxpy_docker_rename(const char *id, const char *name)
{
	HttpRequest *req = hxpy_call("POST",
								 psprintf("/containers/%s/rename?name=%s",
										  hxpy_call_check_name(id), hxpy_call_check_name(name)),
								 NULL, hxpy_docker_timeout);

	if (hxpy_http_status(req) != 204)
		hxpy_call_raise(req, psprintf("name a container \"%s\"", name));
	hxpy_http_free(req);
}
