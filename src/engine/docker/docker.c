/*
 * docker.c
 *	  The Docker Engine API, one function an endpoint.
 *
 * Requests go by request.c; what is said there of their lives holds here.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "hxpy.h"
#include "engine/docker/docker.h"
#include "guc.h"

#define LOGS_BYTES			(64 * 1024)
#define CREATE_WAIT_MS		2000	/* for what a failed start is making */
#define UNDO_TIMEOUT_MS		10000

/* Ask the engine whether it is there. */
const char *
hxpy_docker_ping(void)
{
	return hxpy_request_negotiate(hxpy_docker_timeout);
}

/* Begin a request that has no data; what it is about is text for "could not …". */
static EngineRequest *
begin(const char *method, const char *path, const char *what, long timeout_ms)
{
	HttpMessage message = {.method = method, .path = path, .what = what};

	return hxpy_request_begin(&message, timeout_ms);
}

/* Begin a request about a container; what is done to it is a verb. */
static EngineRequest *
begin_container(const char *method, const char *id, const char *rest, const char *verb,
				long timeout_ms)
{
	return begin(method, psprintf("/containers/%s%s", hxpy_request_check_name(id), rest),
				 psprintf("%s container \"%s\"", verb, id), timeout_ms);
}

/* Get JSON; NULL when there is nothing of that name. */
static json_t *
get(const char *path, const char *what)
{
	return hxpy_request_end_json(begin("GET", path, what, hxpy_docker_timeout));
}

/* Get JSON of a type, which every engine has. */
static json_t *
get_always(const char *path, const char *what, json_type type, const char *mismatch)
{
	json_t	   *json = get(path, what);

	if (json == NULL || json_typeof(json) != type)
		hxpy_request_raise_garbled(mismatch);
	return json;
}

/* Describe an image. */
json_t *
hxpy_docker_inspect_image(const char *image)
{
	return get(psprintf("/images/%s/json", hxpy_request_image_path(image)),
			   psprintf("inspect image \"%s\"", image));
}

/* Return the id of an image, a digest. */
const char *
hxpy_docker_image_id(const char *image)
{
	return json_string_value(json_object_get(hxpy_docker_inspect_image(image), "Id"));
}

/* Describe a network, found by its name or the beginning of its id. */
json_t *
hxpy_docker_inspect_network(const char *network)
{
	return get(psprintf("/networks/%s", hxpy_request_escape(network, "")),
			   psprintf("inspect network \"%s\"", network));
}

/* List the images. */
json_t *
hxpy_docker_images(void)
{
	return get_always("/images/json", "list images", JSON_ARRAY,
					  "The list of images is not an array.");
}

/* Describe the engine's programs. */
json_t *
hxpy_docker_version(void)
{
	return get_always("/version", "get the engine's version", JSON_OBJECT,
					  "Its answer about the engine's version is not an object.");
}

/* Describe the engine's state and configuration. */
json_t *
hxpy_docker_info(void)
{
	return get_always("/info", "get the engine's state", JSON_OBJECT,
					  "Its answer about the engine's state is not an object.");
}

/* ---------- containers ---------- */

/* List the containers with a label, or all. */
json_t *
hxpy_docker_list(const char *label)
{
	const char *path = "/containers/json?all=1";

	if (label != NULL)
	{
		json_t	   *filters = hxpy_json_own(json_pack("{s:[s]}", "label", label));

		path = psprintf("%s&filters=%s", path, hxpy_request_escape(hxpy_json_write(filters), ""));
	}
	return get_always(path, "list containers", JSON_ARRAY,
					  "The list of containers is not an array.");
}

/* Return a listed container's name, without the slash in front; NULL when it has none. */
const char *
hxpy_docker_entry_name(json_t *entry)
{
	const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));

	return name != NULL && name[0] == '/' ? name + 1 : name;
}

/* Begin to describe a container. */
EngineRequest *
hxpy_docker_begin_inspect(const char *id)
{
	return begin_container("GET", id, "/json", "inspect", hxpy_docker_timeout);
}

/* Describe a container. */
json_t *
hxpy_docker_inspect(const char *id)
{
	return hxpy_request_end_json(hxpy_docker_begin_inspect(id));
}

/* Refuse a container for which the engine has warnings. */
static void
check_warnings(const char *name, json_t *warnings)
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
			appendStringInfo(&buf, " %s", hxpy_request_words(text));
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine did not grant all limits of container \"%s\"", name),
			 errdetail("The engine warns:%s", buf.data),
			 errhint("Enable what is missing in the engine's kernel or configuration; see: docker info")));
}

/* Begin to make a container. */
EngineRequest *
hxpy_docker_begin_create(const char *name, json_t *body)
{
	char	   *text = hxpy_json_write(body);
	HttpMessage message = {
		.method = "POST",
		.path = psprintf("/containers/create?name=%s", hxpy_request_check_name(name)),
		.what = psprintf("create container \"%s\"", name),
		.type = "Content-Type: application/json",
		.data = text,
		.length = strlen(text)
	};
	EngineRequest *request = hxpy_request_begin(&message, hxpy_docker_timeout);

	pfree(text);
	return request;
}

/* Return the id of the container that was made; the request is freed when there is no error. */
char *
hxpy_docker_end_create(EngineRequest *request, const char *name)
{
	json_t	   *answer;
	char	   *id;

	(void) hxpy_request_wait(request);
	answer = hxpy_request_json(request);
	check_warnings(name, json_object_get(answer, "Warnings"));
	if (!json_is_string(json_object_get(answer, "Id")))
		hxpy_request_raise_garbled(psprintf("Container \"%s\" was created without an id.", name));
	id = pstrdup(hxpy_request_check_name(json_string_value(json_object_get(answer, "Id"))));
	hxpy_http_free(request);
	return id;
}

/*
 * Undo a start that has failed, whatever the engine has made of it: the request to create
 * may be under way still, or NULL.  Raises nothing above WARNING.
 */
void
hxpy_docker_undo(const EngineRequest *creating, const char *name, const char *hint)
{
	MemoryContext context = CurrentMemoryContext;
	double		deadline = hxpy_wait_now() + CREATE_WAIT_MS;

	HOLD_INTERRUPTS();
	PG_TRY();
	{
		/* What the engine is making can be removed only once it is there. */
		while (creating != NULL && !creating->transfer.done && hxpy_wait_now() < deadline)
			(void) hxpy_transfer_drive(PGINVALID_SOCKET, CREATE_WAIT_MS, HXPY_WAIT_ENGINE);
		(void) hxpy_docker_remove(name, UNDO_TIMEOUT_MS);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ereport(WARNING,
				(errmsg("could not remove container \"%s\"", name),
				 errhint("%s: docker rm -f %s", hint, name)));
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
}

/* Begin to unpack a tar archive in a container's directory. */
EngineRequest *
hxpy_docker_begin_put(const char *id, const char *path, const char *data, size_t length)
{
	HttpMessage message = {
		.method = "PUT",
		.path = psprintf("/containers/%s/archive?path=%s", hxpy_request_check_name(id),
						 hxpy_request_escape(path, "")),
		.what = psprintf("write to container \"%s\"", id),
		.type = "Content-Type: application/x-tar",
		.data = data,
		.length = length
	};

	return hxpy_request_begin(&message, hxpy_docker_timeout);
}

/* Begin to start a container; one that runs stays as it is. */
EngineRequest *
hxpy_docker_begin_start(const char *id)
{
	return begin_container("POST", id, "/start", "start", hxpy_docker_timeout);
}

/* Begin to remove a container with its volumes, running or not. */
EngineRequest *
hxpy_docker_begin_remove(const char *id, long timeout_ms)
{
	return begin_container("DELETE", id, "?force=1&v=1", "remove", timeout_ms);
}

/* Remove a container; false when it was gone, or on its way. */
bool
hxpy_docker_remove(const char *id, long timeout_ms)
{
	return hxpy_request_end(hxpy_docker_begin_remove(id, timeout_ms));
}

/* Give a container another name. */
void
hxpy_docker_rename(const char *id, const char *name)
{
	(void) hxpy_request_end(begin("POST",
								  psprintf("/containers/%s/rename?name=%s",
										   hxpy_request_check_name(id), hxpy_request_check_name(name)),
								  psprintf("name a container \"%s\"", name), hxpy_docker_timeout));
}

/* Begin to measure a container. */
EngineRequest *
hxpy_docker_begin_stats(const char *id)
{
	return begin_container("GET", id, "/stats?stream=false&one-shot=1", "measure",
						   hxpy_docker_timeout);
}

/*
 * Return a container's memory in bytes, without the cache of files that can go at any
 * time, and the microseconds of CPU that it has used; false if it does not run or is gone.
 */
bool
hxpy_docker_end_stats(EngineRequest *request, int64 *memory, int64 *cpu)
{
	json_t	   *stats = hxpy_request_end_json(request);
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

/* ---------- output ---------- */

/* Return the last lines of a container's output. */
char *
hxpy_docker_logs(const char *id, int lines)
{
	OutputLog  *log = hxpy_output_create(LOGS_BYTES);
	EngineRequest *request = begin("GET",
								   psprintf("/containers/%s/logs?stdout=1&stderr=1&tail=%d",
											hxpy_request_check_name(id), Max(lines, 0)),
								   psprintf("read the output of container \"%s\"", id),
								   hxpy_docker_timeout);

	if (!hxpy_request_wait(request))
		hxpy_request_raise(request);
	hxpy_output_feed(log, request->body.data, request->body.len);
	hxpy_http_free(request);
	return hxpy_output_text(log);
}

/*
 * Attach to a container's output.  Without an Upgrade header the engine answers 200 and
 * sends until the container dies, even one that is removed at once; it has subscribed to
 * the output before it answers, so that a container started after this returns loses
 * nothing.
 */
EngineRequest *
hxpy_docker_attach(const char *id, OutputLog *log)
{
	HttpMessage message = {
		.method = "POST",
		.path = psprintf("/containers/%s/attach?stream=1&stdout=1&stderr=1",
						 hxpy_request_check_name(id)),
		.what = psprintf("attach to container \"%s\"", id),
		.sink = hxpy_output_feed,
		.sink_arg = log
	};
	EngineRequest *request = hxpy_request_open(&message);

	if (request->status != 200)
		hxpy_request_raise(request);
	return request;
}

/* ---------- pulls ---------- */

/* Raise the error of a pull that failed, in the engine's words. */
void
hxpy_docker_raise_pull(const char *image, int status, const char *message)
{
	ereport(ERROR,
			(errcode(hxpy_request_sqlstate(status, message)),
			 errmsg("could not pull image \"%s\"", image),
			 errdetail("The Docker engine answered: %s", message),
			 errhint("Check the name, and that the engine can reach the registry; where that asks for a login, use: docker pull %s",
					 image)));
}

/*
 * Return the path of the request that pulls an image.  The engine takes the name
 * apart from its tag or digest, and would get all tags if none were given.
 */
static char *
pull_path(const char *image)
{
	char	   *name = pstrdup(image);
	char	   *tag = strchr(name, '@');
	char	   *base;
	char	   *colon;

	hxpy_request_image_path(image);	/* raises an error unless it can be one */
	if (tag != NULL)
		*tag++ = '\0';
	base = strrchr(name, '/');
	colon = strrchr(base ? base : name, ':');
	if (colon != NULL)
		*colon++ = '\0';
	if (tag == NULL)
		tag = colon ? colon : "latest";
	if (name[0] == '\0' || tag[0] == '\0')
		hxpy_request_raise_image_name(image);
	return psprintf("/images/create?fromImage=%s&tag=%s",
					hxpy_request_escape(name, ""), hxpy_request_escape(tag, ""));
}

/* Begin to pull an image. */
EngineRequest *
hxpy_docker_pull(const char *image, HttpSink sink, void *arg)
{
	HttpMessage message = {
		.method = "POST",
		.path = pull_path(image),
		.what = psprintf("pull image \"%s\"", image),
		.sink = sink,
		.sink_arg = arg
	};
	EngineRequest *request = hxpy_request_open(&message);

	if (request->status != 200)
		hxpy_docker_raise_pull(image, request->status, hxpy_request_message(request));
	return request;
}
