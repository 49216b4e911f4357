/*
 * stream.c
 *	  What the Docker engine sends for as long as something goes on: the output of a
 *	  container, the progress of a pull.
 *
 * A DockerStream owns its request until it is closed or its memory context goes.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/docker/call.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "text.h"

#define STREAM_TAIL			(8 * 1024)
#define STREAM_LOGS_TAIL	(64 * 1024)

/* Makes the last bytes of a container's output out of the engine's frames */
typedef struct OutputLog
{
	unsigned char head[8];		/* header of the frame that is being read */
	int			head_len;
	uint32		rest;			/* bytes of that frame still to come */
	uint64		total;			/* bytes of output so far */
	size_t		size;			/* of tail, a ring that ends at total % size */
	char		tail[FLEXIBLE_ARRAY_MEMBER];
} OutputLog;

struct DockerStream
{
	MemoryContext context;		/* holds this struct, the log and the request */
	OutputLog  *log;			/* written by the request, which ends first */
	HttpRequest *req;
};

StaticAssertDecl(HXPY_DOCKER_ENDED == HXPY_HTTP_DONE &&
				 HXPY_DOCKER_SOCKET == HXPY_HTTP_SOCKET &&
				 HXPY_DOCKER_TIMEOUT == HXPY_HTTP_TIMEOUT,
				 "docker.h and http.h disagree");

/* ---------- output of containers ---------- */

/* Makes an empty log that keeps the last size bytes. */
static OutputLog *
log_create(size_t size)
{
	OutputLog  *log = palloc0(offsetof(OutputLog, tail) + size);

	log->size = size;
	return log;
}

/* Appends output, overwriting the oldest. */
static void
log_append(OutputLog *log, const char *data, size_t len)
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
log_feed(void *arg, const char *data, size_t len)
{
	OutputLog  *log = arg;

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
		log_append(log, data, n);
		log->rest -= (uint32) n;
		data += n;
		len -= n;
	}
}

/* Returns the tail as text. */
static char *
log_text(OutputLog *log)
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

/* Returns the last lines of a container's output. */
char *
hxpy_docker_logs(const char *id, int lines)
{
	HttpRequest *req = hxpy_call("GET",
								 psprintf("/containers/%s/logs?stdout=1&stderr=1&tail=%d",
										  hxpy_call_check_name(id), Max(lines, 0)),
								 NULL, hxpy_docker_timeout);
	OutputLog  *log;
	size_t		len;
	const char *body;
	char	   *text;

	if (hxpy_http_status(req) != 200)
		hxpy_call_raise(req, psprintf("read the output of container \"%s\"", id));
	log = log_create(STREAM_LOGS_TAIL);
	body = hxpy_http_body(req, &len);
	log_feed(log, body, len);
	hxpy_http_free(req);
	text = log_text(log);
	pfree(log);
	return text;
}

/* ---------- streams ---------- */

/* Makes a stream that is not open yet, in a memory context of its own. */
static DockerStream *
stream_create(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "hxpy docker stream",
												  ALLOCSET_START_SMALL_SIZES);
	DockerStream *stream = MemoryContextAllocZero(context, sizeof(DockerStream));

	stream->context = context;
	return stream;
}

/* Opens a stream; false when the engine answered with an error, which is there whole. */
static bool
stream_open(DockerStream *stream, const char *path, HttpSink sink, void *arg)
{
	MemoryContext caller = MemoryContextSwitchTo(stream->context);

	stream->req = hxpy_call_open_stream(path, sink, arg);
	MemoryContextSwitchTo(caller);
	if (hxpy_http_status(stream->req) == 200)
		return true;
	(void) hxpy_http_wait(stream->req, PGINVALID_SOCKET, hxpy_docker_timeout);
	return false;
}

/*
 * Attaches to a container's output.  Without an Upgrade header the engine
 * answers 200 and streams until the container dies, even one that is removed at
 * once; it has subscribed to the output before it answers, so that a container
 * started after this returns loses nothing.
 */
DockerStream *
hxpy_docker_attach(const char *id)
{
	DockerStream *stream = stream_create();
	MemoryContext caller = MemoryContextSwitchTo(stream->context);

	stream->log = log_create(STREAM_TAIL);
	MemoryContextSwitchTo(caller);
	if (!stream_open(stream, psprintf("/containers/%s/attach?stream=1&stdout=1&stderr=1",
									  hxpy_call_check_name(id)),
					 log_feed, stream->log))
		hxpy_call_raise(stream->req, psprintf("attach to container \"%s\"", id));
	return stream;
}

/* Tells whether a stream has come to its end. */
bool
hxpy_docker_stream_has_ended(const DockerStream *stream)
{
	return hxpy_http_is_done(stream->req);
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
	return log_text(stream->log);
}

/* Tells whether a stream that has ended did so before its time. */
bool
hxpy_docker_stream_is_broken(DockerStream *stream)
{
	return hxpy_http_is_broken(stream->req);
}

/* Closes a stream; the container does not notice. */
void
hxpy_docker_stream_close(DockerStream *stream)
{
	MemoryContextDelete(stream->context);
}

/* ---------- pulls ---------- */

/* Raises the error of a pull that failed, in the engine's words. */
void
hxpy_docker_raise_pull(const char *image, int status, const char *message)
{
	ereport(ERROR,
			(errcode(hxpy_call_sqlstate(status, message)),
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
pull_path(const char *image)
{
	char	   *name = pstrdup(image);
	char	   *tag = strchr(name, '@');
	char	   *base;
	char	   *colon;

	hxpy_call_image_path(image);	/* raises an error unless it can be one */
	if (tag != NULL)
		*tag++ = '\0';
	base = strrchr(name, '/');
	colon = strrchr(base ? base : name, ':');
	if (colon != NULL)
		*colon++ = '\0';
	if (tag == NULL)
		tag = colon ? colon : "latest";
	if (name[0] == '\0' || tag[0] == '\0')
		hxpy_call_raise_image_name(image);
	return psprintf("/images/create?fromImage=%s&tag=%s",
					hxpy_call_escape(name, ""), hxpy_call_escape(tag, ""));
}

/*
 * Begins to pull an image.  What the engine says goes to sink, as JSON values
 * of a line each.  A stream that is closed early ends the pull, unless another
 * client of the engine pulls the same; the engine keeps the layers that it has.
 */
DockerStream *
hxpy_docker_pull(const char *image, DockerSink sink, void *arg)
{
	DockerStream *stream = stream_create();

	if (!stream_open(stream, pull_path(image), sink, arg))
		hxpy_docker_raise_pull(image, hxpy_http_status(stream->req),
							   hxpy_call_message(stream->req));
	return stream;
}
