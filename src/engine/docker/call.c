/*
 * call.c
 *	  A call to the Docker engine: its path, its end, its answer, its errors.
 *
 * Requests go by http.c.  Names, ids and labels are checked or percent-encoded
 * before they become part of a path.
 *
 * The API version is agreed on with the engine once per engine and backend, and
 * again after each call that did not get an answer: the engine may have been
 * replaced in the meantime.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/docker/call.h"
#include "guc.h"
#include "text.h"

#define CALL_API_MAJOR		1
#define CALL_API_MIN		41	/* oldest minor version we can work with */
#define CALL_API_MAX		47	/* newest one we know */

#define CALL_END_TIMEOUT_MS	2000	/* for a call that was broken off */

/* API version agreed on, of which engine, and whether that still holds */
static char call_version[16];
static char *call_version_host = NULL;	/* in TopMemoryContext */
static bool call_version_valid = false;

/* ---------- paths ---------- */

/* Returns text percent-encoded, but for the bytes in keep. */
char *
hxpy_call_escape(const char *text, const char *keep)
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
const char *
hxpy_call_check_name(const char *name)
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
void
hxpy_call_raise_image_name(const char *image)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid image name \"%s\"", image),
			 errdetail("An image is named as repository, repository:tag or repository@digest."),
			 errhint("List the images with: docker image ls")));
}

/* Returns the name of an image as part of a path: no empty, "." or ".." step. */
char *
hxpy_call_image_path(const char *image)
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
		hxpy_call_raise_image_name(image);
	return hxpy_call_escape(image, "/:@");
}

/* ---------- errors ---------- */

/* Returns the engine's own words about an error. */
char *
hxpy_call_message(HttpRequest *req)
{
	size_t		len;
	const char *body = hxpy_http_body(req, &len);
	json_t	   *json = json_loadb(body, len, 0, NULL);
	const char *message;

	if (json == NULL)
		return pstrdup("(no message)");
	message = json_string_value(json_object_get(hxpy_json_own(json), "message"));
	if (message == NULL)
		return pstrdup("(no message)");
	return hxpy_text_clean(message, strnlen(message, HXPY_CALL_MESSAGE_MAX));
}

/* Chooses the SQLSTATE for an error of the engine. */
int
hxpy_call_sqlstate(int status, const char *message)
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
call_hint(int sqlstate, const char *message)
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
void
hxpy_call_raise(HttpRequest *req, const char *what)
{
	int			status = hxpy_http_status(req);
	char	   *message = hxpy_call_message(req);
	int			sqlstate = hxpy_call_sqlstate(status, message);

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not %s", what),
			 errdetail("The Docker engine answered with status %d: %s", status, message),
			 errhint("%s", call_hint(sqlstate, message))));
}

/* ---------- calls ---------- */

/* Raises the error for an engine that is too old, or none. */
static void
call_raise_version(const char *theirs)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine at \"%s\" is not supported", hxpy_docker_host),
			 errdetail("Its API version is \"%s\", hxpy needs %d.%d or newer.",
					   hxpy_text_clean(theirs, strnlen(theirs, 64)),
					   CALL_API_MAJOR, CALL_API_MIN),
			 errhint("Upgrade Docker to 20.10 or newer, or set \"hxpy.docker_host\" to another engine.")));
}

/* Keeps the API version that both sides know. */
static void
call_agree_on(const char *theirs)
{
	int			major;
	int			minor;
	char		end;
	char	   *host;

	if (theirs == NULL)
		call_raise_version("unknown");
	if (sscanf(theirs, "%4d.%4d%c", &major, &minor, &end) != 2 ||
		major != CALL_API_MAJOR || minor < CALL_API_MIN)
		call_raise_version(theirs);

	host = MemoryContextStrdup(TopMemoryContext, hxpy_docker_host);
	if (call_version_host != NULL)
		pfree(call_version_host);
	call_version_host = host;
	snprintf(call_version, sizeof(call_version), "%d.%d",
			 CALL_API_MAJOR, Min(minor, CALL_API_MAX));
	call_version_valid = true;
}

/* Asks the engine for its API version; returns the one agreed on. */
const char *
hxpy_call_negotiate(long timeout_ms)
{
	HttpRequest *req;

	call_version_valid = false;
	req = hxpy_http_start("GET", "/_ping", NULL, timeout_ms);
	(void) hxpy_http_wait(req, PGINVALID_SOCKET, -1);
	if (hxpy_http_status(req) != 200)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("Docker engine at \"%s\" is not ready", hxpy_docker_host),
				 errdetail("It answered a ping with status %d: %s",
						   hxpy_http_status(req), hxpy_call_message(req)),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine, and that \"hxpy.docker_cert_path\" is set if it wants TLS.")));
	call_agree_on(hxpy_http_header(req, "Api-Version"));
	hxpy_http_free(req);
	return call_version;
}

/*
 * Makes a versioned path, negotiating first when needed, and takes the time for
 * that off *timeout_ms.  After a call without an answer the version is unsure.
 */
static char *
call_prepare(const char *path, long *timeout_ms)
{
	if (!call_version_valid || strcmp(call_version_host, hxpy_docker_host) != 0)
	{
		instr_time	start;
		instr_time	took;

		INSTR_TIME_SET_CURRENT(start);
		(void) hxpy_call_negotiate(*timeout_ms);
		INSTR_TIME_SET_CURRENT(took);
		INSTR_TIME_SUBTRACT(took, start);
		*timeout_ms = Max(1, *timeout_ms - (long) INSTR_TIME_GET_MILLISEC(took));
	}
	return psprintf("/v%s%s", call_version, path);
}

/*
 * Waits a moment for the end of a call that an error has broken off, and raises
 * the error again: what the engine is making can be removed only once it is
 * there.
 */
static void
call_end_broken_off(HttpRequest *req, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		(void) hxpy_http_wait(req, PGINVALID_SOCKET, CALL_END_TIMEOUT_MS);
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
EngineCall *
hxpy_call_begin(const char *method, const char *path, json_t *body, long timeout_ms)
{
	EngineCall *call = palloc0(sizeof(EngineCall));
	char	   *text = body ? hxpy_json_write(body) : NULL;
	char	   *versioned = call_prepare(path, &timeout_ms);

	/* Only the call that creates has a body. */
	call->creates = body != NULL;
	call->req = hxpy_http_start(method, versioned, text, timeout_ms);
	pfree(versioned);
	if (text)
		pfree(text);
	return call;
}

/* Begins a request about a container. */
EngineCall *
hxpy_call_begin_container(const char *method, const char *id, const char *what, long timeout_ms)
{
	EngineCall *call = hxpy_call_begin(method,
									   psprintf("/containers/%s%s", hxpy_call_check_name(id), what),
									   NULL, timeout_ms);

	call->name = id;
	return call;
}

/*
 * Opens a stream: returns when the status has come, which need not be 200.  The
 * request goes to the current memory context.
 */
HttpRequest *
hxpy_call_open_stream(const char *path, HttpSink sink, void *arg)
{
	long		timeout_ms = hxpy_docker_timeout;
	char	   *versioned = call_prepare(path, &timeout_ms);
	HttpRequest *req;

	call_version_valid = false; /* until it has answered */
	req = hxpy_http_open_stream("POST", versioned, sink, arg, timeout_ms);
	call_version_valid = true;
	pfree(versioned);
	return req;
}

/* Begins to send data. */
EngineCall *
hxpy_call_begin_put(const char *path, const char *type, const char *data, size_t length)
{
	EngineCall *call = palloc0(sizeof(EngineCall));
	long		timeout_ms = hxpy_docker_timeout;
	char	   *versioned = call_prepare(path, &timeout_ms);

	call->req = hxpy_http_put(versioned, type, data, length, timeout_ms);
	pfree(versioned);
	return call;
}

/* Waits for the end of a request, whatever its status. */
HttpRequest *
hxpy_call_end(EngineCall *call)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		(void) hxpy_http_wait(call->req, PGINVALID_SOCKET, -1);
	}
	PG_CATCH();
	{
		call_version_valid = false;
		if (call->creates)
			call_end_broken_off(call->req, context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return call->req;
}

/* Does a request to its end, whatever its status. */
HttpRequest *
hxpy_call(const char *method, const char *path, json_t *body, long timeout_ms)
{
	return hxpy_call_end(hxpy_call_begin(method, path, body, timeout_ms));
}

/* Reads the answer of a request. */
json_t *
hxpy_call_read_json(HttpRequest *req)
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
	return hxpy_json_own(json);
}

/* Reads the JSON of an answer, NULL if there is nothing of that name. */
json_t *
hxpy_call_read_found(HttpRequest *req, const char *what)
{
	int			status = hxpy_http_status(req);
	json_t	   *json = NULL;

	if (status == 200)
		json = hxpy_call_read_json(req);
	else if (status != 404)
		hxpy_call_raise(req, what);
	hxpy_http_free(req);
	return json;
}

/* Gets JSON; NULL if there is nothing of that name. */
json_t *
hxpy_call_get(const char *path, const char *what)
{
	return hxpy_call_read_found(hxpy_call("GET", path, NULL, hxpy_docker_timeout), what);
}
