/*
 * request.c
 *	  Requests to the Docker Engine API: their paths, answers, errors.
 *
 * Names, ids and labels are checked or percent-encoded before they become part of a
 * path.
 *
 * The API version is agreed on with the engine once per engine and backend, and again
 * after each request that did not get an answer: the engine may have been replaced in
 * the meantime.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/docker/hosts.h"
#include "engine/docker/request.h"
#include "guc.h"
#include "text.h"

#define API_MAJOR		1
#define API_MIN			41		/* oldest minor version we can work with */
#define API_MAX			47		/* newest one we know */

#define MESSAGE_MAX		1024	/* bytes of the engine's words we repeat */

/* API version agreed on, of which engine, and whether that still holds */
static char version[16];
static char *version_host = NULL;	/* in TopMemoryContext */
static bool version_holds = false;

/* ---------- paths ---------- */

/* Return text percent-encoded, but for the bytes in keep. */
char *
hxpy_request_escape(const char *text, const char *keep)
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

/* Check the name or id of a container, so that it can stand in a path. */
const char *
hxpy_request_check_name(const char *name)
{
	if (!hxpy_text_is_name(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid container name \"%s\"", name),
				 errdetail("A name has at most 128 letters, digits, \"_\", \".\" and \"-\", and begins with a letter or a digit."),
				 errhint("List the containers with: docker ps --all")));
	return name;
}

/* Raise the error for what cannot be an image's name. */
void
hxpy_request_raise_image_name(const char *image)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid image name \"%s\"", image),
			 errdetail("An image is named as repository, repository:tag or repository@digest."),
			 errhint("List the images with: docker image ls")));
}

/* Return the name of an image as part of a path: no empty, "." or ".." step. */
char *
hxpy_request_image_path(const char *image)
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
		hxpy_request_raise_image_name(image);
	return hxpy_request_escape(image, "/:@");
}

/* ---------- errors ---------- */

/* Return words of the engine, safe and not too long. */
char *
hxpy_request_words(const char *words)
{
	return hxpy_text_clean(words, strnlen(words, MESSAGE_MAX));
}

/* Return the engine's own words about an error. */
char *
hxpy_request_message(const EngineRequest *request)
{
	json_t	   *json = json_loadb(request->body.data, request->body.len, 0, NULL);
	const char *message = NULL;

	if (json != NULL)
		message = json_string_value(json_object_get(hxpy_json_own(json), "message"));
	return message != NULL ? hxpy_request_words(message) : pstrdup("(no message)");
}

/* Choose the SQLSTATE for an error of the engine. */
int
hxpy_request_sqlstate(int status, const char *message)
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

/* Choose the next step to take after an error of the engine. */
static const char *
choose_hint(int sqlstate, const char *message)
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

/* Raise the error for an answer whose status tells of a failure. */
void
hxpy_request_raise(const EngineRequest *request)
{
	char	   *message = hxpy_request_message(request);
	int			sqlstate = hxpy_request_sqlstate(request->status, message);

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not %s", request->message.what),
			 errdetail("The Docker engine answered with status %d: %s", request->status, message),
			 errhint("%s", choose_hint(sqlstate, message))));
}

/* Raise the error for an answer that is not as the API says. */
void
hxpy_request_raise_garbled(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("could not understand the answer of the Docker engine"),
			 errdetail_internal("%s", detail),
			 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
}

/* ---------- the API version ---------- */

/* Raise the error for an engine that is too old, or none. */
static void
raise_version(const char *theirs)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("Docker engine at \"%s\" is not supported", hxpy_hosts_address()),
			 errdetail("Its API version is \"%s\", hxpy needs %d.%d or newer.",
					   hxpy_text_clean(theirs, strnlen(theirs, 64)),
					   API_MAJOR, API_MIN),
			 errhint("Upgrade Docker to 20.10 or newer, or set \"hxpy.docker_host\" to another engine.")));
}

/* Keep the API version that both sides know. */
static void
agree_on(const char *theirs)
{
	int			major;
	int			minor;
	char		end;
	char	   *host;

	if (theirs == NULL)
		raise_version("unknown");
	if (sscanf(theirs, "%4d.%4d%c", &major, &minor, &end) != 2 ||
		major != API_MAJOR || minor < API_MIN)
		raise_version(theirs);

	host = MemoryContextStrdup(TopMemoryContext, hxpy_hosts_address());
	if (version_host != NULL)
		pfree(version_host);
	version_host = host;
	snprintf(version, sizeof(version), "%d.%d",
			 API_MAJOR, Min(minor, API_MAX));
	version_holds = true;
}

/* Ask the engine for its API version; return the one agreed on. */
const char *
hxpy_request_negotiate(long timeout_ms)
{
	HttpMessage ping = {.method = "GET", .path = "/_ping", .what = "ping the engine"};
	EngineRequest *request;

	version_holds = false;
	request = hxpy_http_begin(&ping, timeout_ms);
	(void) hxpy_http_wait(request, -1);
	if (request->status != 200)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("Docker engine at \"%s\" is not ready", hxpy_hosts_address()),
				 errdetail("It answered a ping with status %d: %s",
						   request->status, hxpy_request_message(request)),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine, and that \"hxpy.docker_cert_path\" is set if it wants TLS.")));
	agree_on(hxpy_http_header(request, "Api-Version"));
	hxpy_http_free(request);
	return version;
}

/*
 * Put the version in front of a message's path, negotiating first when needed, and take
 * the time for that off *timeout_ms.
 */
static HttpMessage
add_version(const HttpMessage *message, long *timeout_ms)
{
	HttpMessage versioned = *message;

	if (!version_holds || strcmp(version_host, hxpy_hosts_address()) != 0)
	{
		double		start = hxpy_wait_now();

		(void) hxpy_request_negotiate(*timeout_ms);
		*timeout_ms = Max(1, *timeout_ms - (long) (hxpy_wait_now() - start));
	}
	versioned.path = psprintf("/v%s%s", version, message->path);
	return versioned;
}

/* ---------- requests ---------- */

/* Begin a request. */
EngineRequest *
hxpy_request_begin(const HttpMessage *message, long timeout_ms)
{
	HttpMessage versioned = add_version(message, &timeout_ms);

	return hxpy_http_begin(&versioned, timeout_ms);
}

/*
 * Begin a request whose answer goes to a sink for as long as something goes on.  When
 * its status is not 200 the answer is there whole, for the caller's error.
 */
EngineRequest *
hxpy_request_open(const HttpMessage *message)
{
	long		timeout_ms = hxpy_docker_timeout;
	HttpMessage versioned = add_version(message, &timeout_ms);
	EngineRequest *request;

	version_holds = false;		/* until it has answered */
	request = hxpy_http_open(&versioned, timeout_ms);
	version_holds = true;
	if (request->status != 200)
		(void) hxpy_http_wait(request, hxpy_docker_timeout);
	return request;
}

/* Return whether a status says that there was nothing to do, or to find. */
static bool
found_nothing(const EngineRequest *request)
{
	const char *method = request->message.method;

	switch (request->status)
	{
		case 304:				/* a container that runs is started */
			return strcmp(method, "POST") == 0;
		case 404:
			return strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
		case 409:				/* with force: somebody else is removing it */
			return strcmp(method, "DELETE") == 0;
		default:
			return false;
	}
}

/* Wait for the answer; false when there was nothing to do, or to find. */
bool
hxpy_request_wait(EngineRequest *request)
{
	bool		held = version_holds;

	version_holds = false;		/* until it has answered */
	(void) hxpy_http_wait(request, -1);
	version_holds = held;
	if (request->status >= 200 && request->status <= 299)
		return true;
	if (!found_nothing(request))
		hxpy_request_raise(request);
	return false;
}

/* Wait for the answer, and free the request. */
bool
hxpy_request_end(EngineRequest *request)
{
	bool		done = hxpy_request_wait(request);

	hxpy_http_free(request);
	return done;
}

/* Return the JSON of an answer that is there. */
json_t *
hxpy_request_json(const EngineRequest *request)
{
	json_error_t error;
	json_t	   *json = json_loadb(request->body.data, request->body.len, 0, &error);

	if (json == NULL)
		hxpy_request_raise_garbled(psprintf("It is not JSON from byte %d on.", error.position));
	return hxpy_json_own(json);
}

/* Return the JSON of the answer, and free the request; NULL when there was nothing to find. */
json_t *
hxpy_request_end_json(EngineRequest *request)
{
	json_t	   *json = hxpy_request_wait(request) ? hxpy_request_json(request) : NULL;

	hxpy_http_free(request);
	return json;
}
