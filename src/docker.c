/*
 * docker.c
 *	  The Docker Engine API, one function an endpoint.
 *
 * Requests go by http.c, and live no longer than the function that makes them;
 * a DockerStream owns its request until it is closed or its memory context goes.
 * All JSON is read and written by jansson; a json_t is given to a memory context
 * (hxpy_docker_own), so that no error leaks it.  Names, ids and labels are
 * checked or percent-encoded before they become part of a path.
 *
 * The API version is agreed on with the engine once per engine and backend, and
 * again after each call that did not get an answer: the engine may have been
 * replaced in the meantime.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "docker.h"
#include "guc.h"
#include "http.h"
#include "text.h"

#define DOCKER_API_MAJOR	1
#define DOCKER_API_MIN		41	/* oldest minor version we can work with */
#define DOCKER_API_MAX		47	/* newest one we know */

#define DOCKER_STREAM_TAIL	(8 * 1024)
#define DOCKER_LOGS_TAIL	(64 * 1024)
#define DOCKER_END_TIMEOUT_MS	2000	/* for a call that was broken off */
#define DOCKER_MESSAGE_MAX	1024	/* bytes of the engine's words we repeat */

/* Makes the last bytes of a container's output out of the engine's frames */
typedef struct DockerLog
{
	unsigned char head[8];		/* header of the frame that is being read */
	int			head_len;
	uint32		rest;			/* bytes of that frame still to come */
	uint64		total;			/* bytes of output so far */
	size_t		size;			/* of tail, a ring that ends at total % size */
	char		tail[FLEXIBLE_ARRAY_MEMBER];
} DockerLog;

struct DockerStream
{
	MemoryContext context;		/* holds this struct, the log and the request */
	DockerLog  *log;			/* written by the request, which ends first */
	HttpRequest *req;
};

struct DockerCall
{
	HttpRequest *req;			/* freed by the end function, or with its context */
	const char *name;			/* of the container, for messages */
	bool		creates;		/* what is made must be removed, whatever happens */
};

/* Gives a json_t back when its memory context goes */
typedef struct DockerJson
{
	MemoryContextCallback callback;
	json_t	   *json;
} DockerJson;

/* API version agreed on, of which engine, and whether that still holds */
static char docker_version[16];
static char *docker_version_host = NULL;	/* in TopMemoryContext */
static bool docker_version_valid = false;

StaticAssertDecl(HXPY_DOCKER_ENDED == HXPY_HTTP_DONE &&
				 HXPY_DOCKER_SOCKET == HXPY_HTTP_SOCKET &&
				 HXPY_DOCKER_TIMEOUT == HXPY_HTTP_TIMEOUT,
				 "docker.h and http.h disagree");

/* ---------- output of containers ---------- */

/* Makes an empty log that keeps the last size bytes. */
static DockerLog *
docker_log_create(size_t size)
{
	DockerLog  *log = palloc0(offsetof(DockerLog, tail) + size);

	log->size = size;
	return log;
}

/* Appends output, overwriting the oldest. */
static void
docker_log_append(DockerLog *log, const char *data, size_t len)
{
	if (len > log->size)
	{
		log->total += len - log->size;
		data += len - log->size;
		len = log->size;
	}
	while (len > 0)
	{
		size_t		at = log->total % log->size;
		size_t		n = Min(len, log->size - at);

		memcpy(log->tail + at, data, n);
		log->total += n;
		data += n;
		len -= n;
	}
}

/*
 * Takes a piece of the engine's stream: frames of an 8-byte header (stream
 * number, three zeros, length in network order) and that many bytes of output.
 * Called by libcurl: no ereport, no palloc.
 */
static void
docker_log_feed(void *arg, const char *data, size_t len)
{
	DockerLog  *log = arg;

	while (len > 0)
	{
		size_t		n;

		if (log->rest == 0)
		{
			log->head[log->head_len++] = (unsigned char) *data++;
			len--;
			if (log->head_len < (int) sizeof(log->head))
				continue;
			log->head_len = 0;
			log->rest = ((uint32) log->head[4] << 24) | ((uint32) log->head[5] << 16) |
				((uint32) log->head[6] << 8) | (uint32) log->head[7];
			continue;
		}
		n = Min(len, log->rest);
		docker_log_append(log, data, n);
		log->rest -= (uint32) n;
		data += n;
		len -= n;
	}
}

/* Returns the tail as text. */
static char *
docker_log_text(DockerLog *log)
{
	size_t		len = (size_t) Min(log->total, log->size);
	size_t		start = (size_t) ((log->total - len) % log->size);
	char	   *bytes = palloc(len + 1);
	size_t		first = Min(len, log->size - start);
	char	   *from = bytes;

	memcpy(bytes, log->tail + start, first);
	memcpy(bytes + first, log->tail, len - first);
	if (log->total > log->size)
	{
		/* do not begin in the midst of a character */
		for (int i = 0; i < 3 && len > 0 && (*from & 0xC0) == 0x80; i++)
		{
			from++;
			len--;
		}
	}
	return hxpy_text_clean(from, len);
}

/* ---------- JSON ---------- */

/* Gives a json_t back; runs once. */
static void
docker_json_release(void *arg)
{
	json_decref(((DockerJson *) arg)->json);
}

/* Gives json to the current memory context. */
json_t *
hxpy_docker_own(json_t *json)
{
	DockerJson *owner = NULL;

	if (json != NULL)
		owner = MemoryContextAllocExtended(CurrentMemoryContext,
										   sizeof(DockerJson), MCXT_ALLOC_NO_OOM);
	if (owner == NULL)
	{
		json_decref(json);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A JSON value for the Docker engine could not be made."),
				 errhint("Close sessions or give the server more memory.")));
	}
	owner->json = json;
	owner->callback.func = docker_json_release;
	owner->callback.arg = owner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);
	return json;
}

/* Reads the answer of a request. */
static json_t *
docker_read_json(HttpRequest *req)
{
	size_t		len;
	const char *body = hxpy_http_body(req, &len);
	json_error_t error;
	json_t	   *json = json_loadb(body, len, 0, &error);

	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not understand the answer of the Docker engine"),
				 errdetail("It is not JSON from byte %d on.", error.position),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	return hxpy_docker_own(json);
}

/* Returns JSON as palloc'ed text. */
static char *
docker_write_json(json_t *json)
{
	size_t		len = json_dumpb(json, NULL, 0, JSON_COMPACT);
	char	   *text = palloc(len + 1);

	if (len == 0 || json_dumpb(json, text, len, JSON_COMPACT) != len)
		elog(ERROR, "could not write JSON for the Docker engine");
	text[len] = '\0';
	return text;
}

/* ---------- paths ---------- */

/* Returns text percent-encoded, but for the bytes in keep. */
static char *
docker_escape(const char *text, const char *keep)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *p = text; *p; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || strchr("-._~", *p) || strchr(keep, *p))
			appendStringInfoChar(&buf, *p);
		else
			appendStringInfo(&buf, "%%%02X", (unsigned char) *p);
	}
	return buf.data;
}

/* Checks the name or id of a container, so that it can stand in a path. */
static const char *
docker_check_name(const char *name)
{
	size_t		len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (name[0] == '\0' || name[len] != '\0' || strchr("_.-", name[0]) || len > 128)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid container name \"%s\"", name),
				 errdetail("A name has at most 128 letters, digits, \"_\", \".\" and \"-\", and begins with a letter or a digit."),
				 errhint("List the containers with: docker ps --all")));
	return name;
}

/* Raises the error for what cannot be an image's name. */
static void
docker_raise_image_name(const char *image)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid image name \"%s\"", image),
			 errdetail("An image is named as repository, repository:tag or repository@digest."),
			 errhint("List the images with: docker image ls")));
}

/* Returns the name of an image as part of a path: no empty, "." or ".." step. */
static char *
docker_image_path(const char *image)
{
	bool		valid = strlen(image) <= 512;

	for (const char *step = image; valid; step++)
	{
		size_t		len = strcspn(step, "/");

		valid = len > 0 && !(step[0] == '.' && (len == 1 || (len == 2 && step[1] == '.')));
		step += len;
		if (*step == '\0')
			break;
	}
	if (!valid)
		docker_raise_image_name(image);
	return docker_escape(image, "/:@");
}

/* ---------- errors ---------- */

/* Returns the engine's own words about an error. */
static char *
docker_message(HttpRequest *req)
{
	size_t		len;
	const char *body = hxpy_http_body(req, &len);
	json_t	   *json = json_loadb(body, len, 0, NULL);
	const char *message;

	if (json == NULL)
		return pstrdup("(no message)");
	message = json_string_value(json_object_get(hxpy_docker_own(json), "message"));
	if (message == NULL)
		return pstrdup("(no message)");
	return hxpy_text_clean(message, strnlen(message, DOCKER_MESSAGE_MAX));
}

/* Chooses the SQLSTATE for an error of the engine. */
static int
docker_sqlstate(int status, const char *message)
{
	if (strstr(message, "no space left on device"))
		return ERRCODE_DISK_FULL;
	switch (status)
	{
		case 400:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case 401:
		case 403:
			return ERRCODE_INSUFFICIENT_PRIVILEGE;
		case 404:
			return ERRCODE_UNDEFINED_OBJECT;
		case 409:
			return ERRCODE_OBJECT_IN_USE;
		default:
			return ERRCODE_SYSTEM_ERROR;
	}
}

/* Chooses the next step to take after an error of the engine. */
static const char *
docker_hint(int sqlstate, const char *message)
{
	switch (sqlstate)
	{
		case ERRCODE_DISK_FULL:
			return "Free space on the engine's disk, for example with: docker system prune";
		case ERRCODE_INVALID_PARAMETER_VALUE:
			if (strstr(message, "bind source path does not exist"))
				return
					"The engine does not see the files of a server in a container: set hxpy.network (docs/operations.md).";
			return "Check the options of the session and the hxpy settings against the engine's words.";
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return "The engine, or a proxy in front of it, refuses this call: allow it there.";
		case ERRCODE_UNDEFINED_OBJECT:
			if (strstr(message, "o such image"))
				return "Get the image with docker pull, or build it with script/bootstrap.";
			return "See what is there with: docker ps --all; docker network ls";
		case ERRCODE_OBJECT_IN_USE:
			return "See the container's state with: docker ps --all";
		default:
			return "See the engine's log (journalctl -u docker) and the container's (docker logs).";
	}
}

/* Raises the error for an answer with a status nobody wanted. */
static void
docker_raise(HttpRequest *req, const char *what)
{
	int			status = hxpy_http_status(req);
	char	   *message = docker_message(req);
	int			sqlstate = docker_sqlstate(status, message);

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not %s", what),
			 errdetail("The Docker engine answered with status %d: %s", status, message),
			 errhint("%s", docker_hint(sqlstate, message))));
}

/* ---------- calls ---------- */

/* Raises the error for an engine that is too old, or none. */
static void
docker_raise_version(const char *theirs)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine at \"%s\" is not supported", hxpy_docker_host),
			 errdetail("Its API version is \"%s\", hxpy needs %d.%d or newer.",
					   hxpy_text_clean(theirs, strnlen(theirs, 64)),
					   DOCKER_API_MAJOR, DOCKER_API_MIN),
			 errhint("Upgrade Docker to 20.10 or newer, or set \"hxpy.docker_host\" to another engine.")));
}

/* Keeps the API version that both sides know. */
static void
docker_agree_on(const char *theirs)
{
	int			major;
	int			minor;
	char		end;
	char	   *host;

	if (theirs == NULL)
		docker_raise_version("unknown");
	if (sscanf(theirs, "%4d.%4d%c", &major, &minor, &end) != 2 ||
		major != DOCKER_API_MAJOR || minor < DOCKER_API_MIN)
		docker_raise_version(theirs);

	host = MemoryContextStrdup(TopMemoryContext, hxpy_docker_host);
	if (docker_version_host != NULL)
		pfree(docker_version_host);
	docker_version_host = host;
	snprintf(docker_version, sizeof(docker_version), "%d.%d",
			 DOCKER_API_MAJOR, Min(minor, DOCKER_API_MAX));
	docker_version_valid = true;
}

/* Asks the engine for its API version. */
static void
docker_negotiate(long timeout_ms)
{
	HttpRequest *req;

	docker_version_valid = false;
	req = hxpy_http_start("GET", "/_ping", NULL, timeout_ms);
	(void) hxpy_http_wait(req, PGINVALID_SOCKET, -1);
	if (hxpy_http_status(req) != 200)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("Docker engine at \"%s\" is not ready", hxpy_docker_host),
				 errdetail("It answered a ping with status %d: %s",
						   hxpy_http_status(req), docker_message(req)),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine, and that \"hxpy.docker_cert_path\" is set if it wants TLS.")));
	docker_agree_on(hxpy_http_header(req, "Api-Version"));
	hxpy_http_free(req);
}

/*
 * Makes a versioned path, negotiating first when needed, and takes the time for
 * that off *timeout_ms.  After a call without an answer the version is unsure.
 */
static char *
docker_prepare(const char *path, long *timeout_ms)
{
	if (!docker_version_valid || strcmp(docker_version_host, hxpy_docker_host) != 0)
	{
		instr_time	start;
		instr_time	took;

		INSTR_TIME_SET_CURRENT(start);
		docker_negotiate(*timeout_ms);
		INSTR_TIME_SET_CURRENT(took);
		INSTR_TIME_SUBTRACT(took, start);
		*timeout_ms = Max(1, *timeout_ms - (long) INSTR_TIME_GET_MILLISEC(took));
	}
	return psprintf("/v%s%s", docker_version, path);
}

/*
 * Waits a moment for the end of a call that an error has broken off, and raises
 * the error again: what the engine is making can be removed only once it is
 * there.
 */
static void
docker_end_broken_off(HttpRequest *req, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		(void) hxpy_http_wait(req, PGINVALID_SOCKET, DOCKER_END_TIMEOUT_MS);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
	ReThrowError(error);
}

/* Begins a request; everything goes to the current memory context. */
static DockerCall *
docker_begin(const char *method, const char *path, json_t *body, long timeout_ms)
{
	DockerCall *call = palloc0(sizeof(DockerCall));
	char	   *text = body ? docker_write_json(body) : NULL;
	char	   *versioned = docker_prepare(path, &timeout_ms);

	/* Only the call that creates has a body. */
	call->creates = body != NULL;
	call->req = hxpy_http_start(method, versioned, text, timeout_ms);
	pfree(versioned);
	if (text)
		pfree(text);
	return call;
}

/* Begins a request about a container. */
static DockerCall *
docker_begin_container(const char *method, const char *id, const char *what, long timeout_ms)
{
	DockerCall *call = docker_begin(method,
									psprintf("/containers/%s%s", docker_check_name(id), what),
									NULL, timeout_ms);

	call->name = id;
	return call;
}

/* Tells whether a call has ended, so that its end function does not wait. */
bool
hxpy_docker_is_done(const DockerCall *call)
{
	return hxpy_http_is_done(call->req);
}

/* Waits for the end of a request, whatever its status. */
static HttpRequest *
docker_end(DockerCall *call)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		(void) hxpy_http_wait(call->req, PGINVALID_SOCKET, -1);
	}
	PG_CATCH();
	{
		docker_version_valid = false;
		if (call->creates)
			docker_end_broken_off(call->req, context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return call->req;
}

/* Does a request to its end, whatever its status. */
static HttpRequest *
docker_call(const char *method, const char *path, json_t *body, long timeout_ms)
{
	return docker_end(docker_begin(method, path, body, timeout_ms));
}

/* Reads the JSON of an answer, NULL if there is nothing of that name. */
static json_t *
docker_read_found(HttpRequest *req, const char *what)
{
	int			status = hxpy_http_status(req);
	json_t	   *json = NULL;

	if (status == 200)
		json = docker_read_json(req);
	else if (status != 404)
		docker_raise(req, what);
	hxpy_http_free(req);
	return json;
}

/* Gets JSON; NULL if there is nothing of that name. */
static json_t *
docker_get(const char *path, const char *what)
{
	return docker_read_found(docker_call("GET", path, NULL, hxpy_docker_timeout), what);
}

/* Asks the engine whether it is there. */
const char *
hxpy_docker_ping(void)
{
	docker_negotiate(hxpy_docker_timeout);
	return docker_version;
}

/* Describes an image. */
json_t *
hxpy_docker_inspect_image(const char *image)
{
	return docker_get(psprintf("/images/%s/json", docker_image_path(image)),
					  psprintf("inspect image \"%s\"", image));
}

/* Begins to describe a container. */
DockerCall *
hxpy_docker_begin_inspect(const char *id)
{
	return docker_begin_container("GET", id, "/json", hxpy_docker_timeout);
}

/* Describes a container; NULL if there is none. */
json_t *
hxpy_docker_end_inspect(DockerCall *call)
{
	return docker_read_found(docker_end(call),
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
	return docker_get(psprintf("/networks/%s", docker_escape(network, "")),
					  psprintf("inspect network \"%s\"", network));
}

/* Gets a list of something. */
static json_t *
docker_get_list(const char *path, const char *what)
{
	json_t	   *list = docker_get(path, psprintf("list %s", what));

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
	filters = hxpy_docker_own(json_pack("{s:[s]}", "label", label));
	return docker_get_list(psprintf("/containers/json?all=1&filters=%s",
									docker_escape(docker_write_json(filters), "")),
						   "containers");
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
			appendStringInfo(&buf, " %s", hxpy_text_clean(text, strnlen(text, DOCKER_MESSAGE_MAX)));
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine did not grant all limits of container \"%s\"", name),
			 errdetail("The engine warns:%s", buf.data),
			 errhint("Enable what is missing in the engine's kernel or configuration; see: docker info")));
}

/* Begins to make a container. */
DockerCall *
hxpy_docker_begin_create(const char *name, json_t *body)
{
	DockerCall *call = docker_begin("POST",
									psprintf("/containers/create?name=%s",
											 docker_check_name(name)),
									body, hxpy_docker_timeout);

	call->name = name;
	return call;
}

/* Returns the id of the container that was made. */
char *
hxpy_docker_end_create(DockerCall *call)
{
	HttpRequest *req = docker_end(call);
	json_t	   *answer;
	const char *id;

	if (hxpy_http_status(req) != 201)
		docker_raise(req, psprintf("create container \"%s\"", call->name));
	answer = docker_read_json(req);
	hxpy_http_free(req);
	docker_check_warnings(call->name, json_object_get(answer, "Warnings"));
	id = json_string_value(json_object_get(answer, "Id"));
	if (id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("could not understand the answer of the Docker engine"),
				 errdetail("Container \"%s\" was created without an id.", call->name),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	return pstrdup(docker_check_name(id));
}

/* Makes a container. */
char *
hxpy_docker_create(const char *name, json_t *body)
{
	return hxpy_docker_end_create(hxpy_docker_begin_create(name, body));
}

/* Unpacks a tar archive in a container's directory. */
void
hxpy_docker_put_archive(const char *id, const char *path, const char *data, size_t length)
{
	long		timeout_ms = hxpy_docker_timeout;
	char	   *versioned = docker_prepare(psprintf("/containers/%s/archive?path=%s",
													docker_check_name(id),
													docker_escape(path, "")), &timeout_ms);
	DockerCall	call = {
		.req = hxpy_http_put(versioned, "application/x-tar", data, length, timeout_ms)
	};
	HttpRequest *req = docker_end(&call);

	if (hxpy_http_status(req) != 200)
		docker_raise(req, psprintf("write to container \"%s\"", id));
	hxpy_http_free(req);
}

/* Begins to start a container. */
DockerCall *
hxpy_docker_begin_start(const char *id)
{
	return docker_begin_container("POST", id, "/start", hxpy_docker_timeout);
}

/* Makes sure that a container was started; one that ran stays as it is. */
void
hxpy_docker_end_start(DockerCall *call)
{
	HttpRequest *req = docker_end(call);
	int			status = hxpy_http_status(req);

	if (status != 204 && status != 304)
		docker_raise(req, psprintf("start container \"%s\"", call->name));
	hxpy_http_free(req);
}

/* Starts a container. */
void
hxpy_docker_start(const char *id)
{
	hxpy_docker_end_start(hxpy_docker_begin_start(id));
}

/* Returns the last lines of a container's output. */
char *
hxpy_docker_logs(const char *id, int lines)
{
	HttpRequest *req = docker_call("GET",
								   psprintf("/containers/%s/logs?stdout=1&stderr=1&tail=%d",
											docker_check_name(id), Max(lines, 0)),
								   NULL, hxpy_docker_timeout);
	DockerLog  *log;
	size_t		len;
	const char *body;
	char	   *text;

	if (hxpy_http_status(req) != 200)
		docker_raise(req, psprintf("read the output of container \"%s\"", id));
	log = docker_log_create(DOCKER_LOGS_TAIL);
	body = hxpy_http_body(req, &len);
	docker_log_feed(log, body, len);
	hxpy_http_free(req);
	text = docker_log_text(log);
	pfree(log);
	return text;
}

/* Begins to remove a container with its volumes, running or not. */
DockerCall *
hxpy_docker_begin_remove(const char *id, long timeout_ms)
{
	return docker_begin_container("DELETE", id, "?force=1&v=1", timeout_ms);
}

/*
 * Tells whether a container was removed; false if it was gone, or on its way (409
 * with force: somebody else's removal is in progress).
 */
bool
hxpy_docker_end_remove(DockerCall *call)
{
	HttpRequest *req = docker_end(call);
	int			status = hxpy_http_status(req);

	if (status != 204 && status != 404 && status != 409)
		docker_raise(req, psprintf("remove container \"%s\"", call->name));
	hxpy_http_free(req);
	return status == 204;
}

/* Removes a container. */
bool
hxpy_docker_remove(const char *id, long timeout_ms)
{
	return hxpy_docker_end_remove(hxpy_docker_begin_remove(id, timeout_ms));
}

/* ---------- streams ---------- */

/*
 * Attaches to a container's output.  Without an Upgrade header the engine
 * answers 200 and streams until the container dies, even one that is removed at
 * once; it has subscribed to the output before it answers, so that a container
 * started after this returns loses nothing.
 */
DockerStream *
hxpy_docker_attach(const char *id)
{
	long		timeout_ms = hxpy_docker_timeout;
	char	   *path = docker_prepare(psprintf("/containers/%s/attach?stream=1&stdout=1&stderr=1",
											   docker_check_name(id)), &timeout_ms);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hxpy docker stream",
												  ALLOCSET_START_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	DockerStream *stream = palloc0(sizeof(DockerStream));

	stream->context = context;
	stream->log = docker_log_create(DOCKER_STREAM_TAIL);
	docker_version_valid = false;	/* until it has answered */
	stream->req = hxpy_http_open_stream("POST", path, docker_log_feed,
										stream->log, timeout_ms);
	MemoryContextSwitchTo(caller);
	docker_version_valid = true;
	if (hxpy_http_status(stream->req) != 200)
	{
		(void) hxpy_http_wait(stream->req, PGINVALID_SOCKET, timeout_ms);
		docker_raise(stream->req, psprintf("attach to container \"%s\"", id));
	}
	return stream;
}

/* Waits until a stream ends, another socket is readable, or time is over. */
int
hxpy_docker_stream_wait(DockerStream *stream, pgsocket other, long timeout_ms)
{
	return hxpy_http_wait(stream->req, other, timeout_ms);
}

/* Returns the last 8 kB of output that have come so far. */
char *
hxpy_docker_stream_text(DockerStream *stream)
{
	return docker_log_text(stream->log);
}

/* Closes a stream; the container does not notice. */
void
hxpy_docker_stream_close(DockerStream *stream)
{
	MemoryContextDelete(stream->context);
}

/* ---------- figures ---------- */

/* Begins to measure a container. */
DockerCall *
hxpy_docker_begin_stats(const char *id)
{
	return docker_begin_container("GET", id, "/stats?stream=false&one-shot=1", hxpy_docker_timeout);
}

/*
 * Returns a container's memory in bytes, without the cache of files that can go at
 * any time, and the microseconds of CPU that it has used; false if it does not run
 * or is gone.
 */
bool
hxpy_docker_end_stats(DockerCall *call, int64 *memory, int64 *cpu)
{
	json_t	   *stats = docker_read_found(docker_end(call),
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
	json_t	   *object = docker_get(path, psprintf("get %s", what));

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
	HttpRequest *req = docker_call("POST",
								   psprintf("/containers/%s/rename?name=%s",
											docker_check_name(id), docker_check_name(name)),
								   NULL, hxpy_docker_timeout);

	if (hxpy_http_status(req) != 204)
		docker_raise(req, psprintf("name a container \"%s\"", name));
	hxpy_http_free(req);
}

/* Raises the error of a pull that failed, in the engine's words. */
void
hxpy_docker_raise_pull(const char *image, int status, const char *message)
{
	ereport(ERROR,
			(errcode(docker_sqlstate(status, message)),
			 errmsg("could not pull image \"%s\"", image),
			 errdetail("The Docker engine answered: %s", message),
			 errhint("Check the name, and that the engine can reach the registry; where that asks for a login, use: docker pull %s",
					 image)));
}

/*
 * Returns the path of the call that pulls an image.  The engine takes the name
 * apart from its tag or digest, and would get all tags if none were given.
 */
static char *
docker_pull_path(const char *image)
{
	char	   *name = pstrdup(image);
	char	   *tag = strchr(name, '@');
	char	   *base;
	char	   *colon;

	docker_image_path(image);	/* raises an error unless it can be one */
	if (tag != NULL)
		*tag++ = '\0';
	base = strrchr(name, '/');
	colon = strrchr(base ? base : name, ':');
	if (colon != NULL)
		*colon++ = '\0';
	if (tag == NULL)
		tag = colon ? colon : "latest";
	if (name[0] == '\0' || tag[0] == '\0')
		docker_raise_image_name(image);
	return psprintf("/images/create?fromImage=%s&tag=%s",
					docker_escape(name, ""), docker_escape(tag, ""));
}

/*
 * Begins to pull an image.  What the engine says goes to sink, as JSON values
 * of a line each.  A stream that is closed early ends the pull, unless another
 * client of the engine pulls the same; the engine keeps the layers that it has.
 */
DockerStream *
hxpy_docker_pull(const char *image, DockerSink sink, void *arg)
{
	long		timeout_ms = hxpy_docker_timeout;
	char	   *path = docker_prepare(docker_pull_path(image), &timeout_ms);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hxpy docker stream",
												  ALLOCSET_START_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	DockerStream *stream = palloc0(sizeof(DockerStream));

	stream->context = context;
	docker_version_valid = false;	/* until it has answered */
	stream->req = hxpy_http_open_stream("POST", path, sink, arg, timeout_ms);
	MemoryContextSwitchTo(caller);
	docker_version_valid = true;
	if (hxpy_http_status(stream->req) != 200)
	{
		(void) hxpy_http_wait(stream->req, PGINVALID_SOCKET, timeout_ms);
		hxpy_docker_raise_pull(image, hxpy_http_status(stream->req),
							   docker_message(stream->req));
	}
	return stream;
}

/* Tells whether a stream that has ended did so before its time. */
bool
hxpy_docker_stream_is_broken(DockerStream *stream)
{
	return hxpy_http_is_broken(stream->req);
}
