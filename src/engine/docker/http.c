/*
 * http.c
 *	  HTTP requests to the Docker engine.
 *
 * A request owns its transfer, header list and answer, all of them malloc'ed by libcurl
 * or here, and sits in a memory context of its own, whose reset callback gives them
 * back.  Thus an error anywhere leaks nothing, and no PG_TRY is needed.  Callbacks run
 * below libcurl's frames: they never ereport and never palloc, but leave a mark that is
 * looked at afterwards.
 */
#include "postgres.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hxpy.h"
#include "engine/docker/hosts.h"
#include "engine/docker/http.h"
#include "guc.h"

#define HTTP_MAX_HEAD		(64 * 1024)
#define HTTP_MAX_BODY		(64 * 1024 * 1024)

#define HTTP_UNIX_PREFIX	"unix://"
#define HTTP_TCP_PREFIX		"tcp://"

/* ---------- libcurl's callbacks: no ereport, no palloc ---------- */

/* Append to a buffer of at most so many bytes; false, with a mark, when that cannot be. */
static bool
append(EngineRequest *req, HttpBuffer *buffer, size_t max, const char *data, size_t len)
{
	req->too_large = req->too_large || buffer->len + len > max;
	if (req->too_large)
		return false;
	if (buffer->len + len + 1 > buffer->size)
	{
		size_t		size = Max(buffer->size * 2, buffer->len + len + 1);
		char	   *grown = realloc(buffer->data, size);

		req->no_memory = grown == NULL;
		if (req->no_memory)
			return false;
		buffer->data = grown;
		buffer->size = size;
	}
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
	return true;
}

/* Keep a header line; note the status when the last one has come. */
static size_t
on_header(char *data, size_t size, size_t nmemb, void *arg)
{
	EngineRequest *req = arg;
	size_t		len = size * nmemb;
	long		status = 0;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		req->head.len = 0;		/* after a 1xx: forget it */
	if (!append(req, &req->head, HTTP_MAX_HEAD, data, len))
		return 0;
	if (len <= 2 && (data[0] == '\r' || data[0] == '\n'))
	{
		curl_easy_getinfo(req->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
		req->status = status >= 200 ? (int) status : 0;
	}
	return len;
}

/* Keep a piece of the body, or hand it to the sink. */
static size_t
on_body(char *data, size_t size, size_t nmemb, void *arg)
{
	EngineRequest *req = arg;
	size_t		len = size * nmemb;

	if (req->message.sink == NULL || req->status < 200 || req->status > 299)
		return append(req, &req->body, HTTP_MAX_BODY, data, len) ? len : 0;
	req->message.sink(req->message.sink_arg, data, len);
	return len;
}

/* ---------- errors ---------- */

/* Raise the error that a callback has marked, if any. */
static void
raise_marked(EngineRequest *req)
{
	if (req->no_memory || req->transfer.result == CURLE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The answer of the Docker engine at \"%s\" did not fit into memory.",
						   req->address),
				 errhint("Close sessions or give the server more memory.")));
	if (req->too_large)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("answer of the Docker engine is too large"),
				 errdetail("The engine at \"%s\" sent more than %d MB, or more than %d kB of headers.",
						   req->address, HTTP_MAX_BODY / (1024 * 1024), HTTP_MAX_HEAD / 1024),
				 errhint("Check that \"hxpy.docker_host\" names a Docker engine.")));
	if (req->transfer.no_descriptor)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not connect to the Docker engine at \"%s\"",
						req->address),
				 errdetail("There are too many open files in this server process."),
				 errhint("Raise \"max_files_per_process\" and the server's \"ulimit -n\", or use fewer sessions.")));
}

/* Raise the error for an engine that cannot be reached. */
static void
raise_unreachable(EngineRequest *req, const char *words)
{
	if (req->transfer.os_errno == EACCES || req->transfer.os_errno == EPERM)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for the Docker engine at \"%s\"",
						req->address),
				 errdetail("%s", words),
				 errhint("Add the operating system user of the PostgreSQL server to the group \"docker\" and restart the server, or set \"hxpy.docker_host\" to an engine it may use.")));
	ereport(ERROR,
			(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("could not connect to the Docker engine at \"%s\"",
					req->address),
			 errdetail("%s", words),
			 errhint("Start Docker, or set \"hxpy.docker_host\" to the engine's address.")));
}

/* Raise the error for an engine that did not answer in time. */
static void
raise_timeout(EngineRequest *req, long timeout_ms)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("Docker engine did not answer in time"),
			 errdetail("The engine at \"%s\" did not answer within %ld ms.",
					   req->address, timeout_ms),
			 errhint("Check the engine (journalctl -u docker), or raise \"hxpy.docker_timeout\".")));
}

/* Raise the error of a transfer that failed. */
static void
raise_failure(EngineRequest *req)
{
	const char *words = req->error[0] ? req->error : curl_easy_strerror(req->transfer.result);

	raise_marked(req);
	if (req->transfer.result == CURLE_COULDNT_CONNECT && req->transfer.os_errno != 0)
		words = psprintf("Connecting failed: %s.", strerror(req->transfer.os_errno));
	switch (req->transfer.result)
	{
		case CURLE_COULDNT_CONNECT:
		case CURLE_COULDNT_RESOLVE_HOST:
			raise_unreachable(req, words);
			break;
		case CURLE_OPERATION_TIMEDOUT:
			raise_timeout(req, req->timeout_ms);
			break;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_PEER_FAILED_VERIFICATION:
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("could not make a secure connection to the Docker engine at \"%s\"",
							req->address),
					 errdetail("%s", words),
					 errhint("Check the certificates in \"hxpy.docker_cert_path\" and the engine's own.")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("connection to the Docker engine at \"%s\" broke off",
							req->address),
					 errdetail("%s", words),
					 strncmp(req->address, HTTP_TCP_PREFIX, strlen(HTTP_TCP_PREFIX)) == 0 ?
					 errhint("Check the engine, and that it accepts the certificate in \"hxpy.docker_cert_path\".") :
					 errhint("Check the engine (journalctl -u docker).")));
	}
}

/* ---------- settings ---------- */

/* Raise the error for an invalid hxpy.docker_host. */
pg_noreturn static void
raise_bad_host(const char *host)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for parameter \"%s\": \"%s\"",
					"hxpy.docker_host", host),
			 errdetail("The address of a Docker engine is unix:///path or tcp://host:port; several are separated by commas."),
			 errhint("Set \"hxpy.docker_host\", for example to \"unix:///var/run/docker.sock\".")));
}

/* Return whether text is host:port and nothing more. */
static bool
is_host_port(const char *text)
{
	const char *port = strrchr(text, ':');
	size_t		len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:");

	return port != NULL && port != text && text[len] == '\0' &&
		port[1] != '\0' && strspn(port + 1, "0123456789") == strlen(port + 1);
}

/* Return the path of a certificate file; a private one must be private. */
static char *
certificate_path(const char *name, bool private)
{
	char	   *path = psprintf("%s/%s", hxpy_docker_cert_path, name);
	struct stat st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not access certificate file \"%s\": %m", path),
				 errdetail("\"hxpy.docker_cert_path\" must hold ca.pem, cert.pem and key.pem."),
				 errhint("Put the files there, readable by the operating system user of the PostgreSQL server.")));
	if (private && (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("private key file \"%s\" has group or world access", path),
				 errdetail("The key must be a plain file with mode 0600 or less."),
				 errhint("Run: chmod 0600 \"%s\"", path)));
	return path;
}

/* ---------- requests ---------- */

/* Give back what a request holds outside its context; runs once. */
static void
release(void *arg)
{
	EngineRequest *req = arg;

	hxpy_transfer_end(&req->transfer);
	curl_slist_free_all(req->headers);
	free(req->head.data);
	free(req->body.data);
}

/* Make an empty request in a context of its own. */
static EngineRequest *
create_request(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy http request",
												  ALLOCSET_SMALL_SIZES);
	EngineRequest *req = MemoryContextAllocZero(context, sizeof(EngineRequest));

	req->context = context;
	req->callback.func = release;
	req->callback.arg = req;
	MemoryContextRegisterResetCallback(context, &req->callback);
	return req;
}

/* Set an option, unless one before failed. */
#define HTTP_SET(option, value) \
	(rc = (rc != CURLE_OK) ? rc : curl_easy_setopt(easy, (option), (value)))

/* Allow HTTP and nothing that libcurl would do on its own account. */
static CURLcode
set_protocol(CURL *easy, bool tls)
{
	CURLcode	rc = CURLE_OK;

#if LIBCURL_VERSION_NUM >= 0x075500
	HTTP_SET(CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
#else
	HTTP_SET(CURLOPT_PROTOCOLS, (long) (tls ? CURLPROTO_HTTPS : CURLPROTO_HTTP));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a name look-up that hangs must not hold up an error's cleanup */
	HTTP_SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	HTTP_SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	HTTP_SET(CURLOPT_FOLLOWLOCATION, 0L);
	HTTP_SET(CURLOPT_PATH_AS_IS, 1L);
	HTTP_SET(CURLOPT_NOSIGNAL, 1L); /* SIGALRM is statement_timeout's */
	HTTP_SET(CURLOPT_PROXY, "");
	HTTP_SET(CURLOPT_NOPROXY, "*");
	HTTP_SET(CURLOPT_TCP_NODELAY, 1L);
	HTTP_SET(CURLOPT_TCP_KEEPALIVE, 1L);
	return rc;
}

/* Set the way to an engine behind a Unix socket. */
static CURLcode
set_unix(CURL *easy, const char *socket_path, const char *path)
{
	CURLcode	rc = set_protocol(easy, false);

	HTTP_SET(CURLOPT_URL, psprintf("http://localhost%s", path));
	HTTP_SET(CURLOPT_UNIX_SOCKET_PATH, socket_path);
	return rc;
}

/* Set the way to an engine on a host; refuse one without TLS. */
static CURLcode
set_tcp(CURL *easy, const char *host_port, const char *path)
{
	bool		tls = hxpy_docker_cert_path && hxpy_docker_cert_path[0];
	CURLcode	rc = set_protocol(easy, tls);

	if (!tls && !hxpy_docker_insecure)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("refusing to use the Docker engine at \"%s\" without TLS",
						hxpy_hosts_address()),
				 errdetail("Whoever reaches such an engine is root on its host."),
				 errhint("Set \"hxpy.docker_cert_path\" to a directory of ca.pem, cert.pem and key.pem.")));
	HTTP_SET(CURLOPT_URL, psprintf("%s://%s%s", tls ? "https" : "http", host_port, path));
	if (tls)
	{
		HTTP_SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
		HTTP_SET(CURLOPT_SSL_VERIFYPEER, 1L);
		HTTP_SET(CURLOPT_SSL_VERIFYHOST, 2L);
		HTTP_SET(CURLOPT_CAPATH, (char *) NULL);	/* not the system's CAs */
		HTTP_SET(CURLOPT_CAINFO, certificate_path("ca.pem", false));
		HTTP_SET(CURLOPT_SSLCERT, certificate_path("cert.pem", false));
		HTTP_SET(CURLOPT_SSLKEY, certificate_path("key.pem", true));
	}
	return rc;
}

/* Set the way to the selected engine. */
static CURLcode
set_target(CURL *easy, const char *path)
{
	const char *host = hxpy_hosts_address();
	const char *rest = strstr(host, "://");

	rest = rest != NULL ? rest + strlen("://") : "";
	if (strncmp(host, HTTP_UNIX_PREFIX, strlen(HTTP_UNIX_PREFIX)) == 0 && is_absolute_path(rest))
		return set_unix(easy, rest, path);
	if (strncmp(host, HTTP_TCP_PREFIX, strlen(HTTP_TCP_PREFIX)) == 0 && is_host_port(rest))
		return set_tcp(easy, rest, path);
	raise_bad_host(host);
}

/* Set method, data and headers. */
static CURLcode
set_message(EngineRequest *req)
{
	const HttpMessage *message = &req->message;
	CURL	   *easy = req->transfer.easy;
	CURLcode	rc = CURLE_OK;
	struct curl_slist *list;

	if (strcmp(message->method, "GET") == 0)
		return rc;
	if (message->type != NULL || strcmp(message->method, "POST") == 0)
	{
		HTTP_SET(CURLOPT_POSTFIELDS, message->data);
		HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) message->length);
	}
	if (strcmp(message->method, "POST") != 0)
		HTTP_SET(CURLOPT_CUSTOMREQUEST, message->method);

	/* "Expect:" keeps libcurl from asking before it sends a large body */
	list = curl_slist_append(NULL, message->type ? message->type : "Content-Type:");
	if (list == NULL)
		return CURLE_OUT_OF_MEMORY;
	req->headers = list;
	if (curl_slist_append(list, "Expect:") == NULL)
		return CURLE_OUT_OF_MEMORY;
	HTTP_SET(CURLOPT_HTTPHEADER, list);
	return rc;
}

/* Set what becomes of the answer. */
static CURLcode
set_answer(EngineRequest *req)
{
	CURL	   *easy = req->transfer.easy;
	CURLcode	rc = CURLE_OK;

	HTTP_SET(CURLOPT_ERRORBUFFER, req->error);
	HTTP_SET(CURLOPT_HEADERFUNCTION, on_header);
	HTTP_SET(CURLOPT_HEADERDATA, req);
	HTTP_SET(CURLOPT_WRITEFUNCTION, on_body);
	HTTP_SET(CURLOPT_WRITEDATA, req);
	HTTP_SET(CURLOPT_TIMEOUT_MS, req->timeout_ms);
	return rc;
}

/* Copy a message, whose data is at hand as long as the transfer. */
static void
copy_message(HttpMessage *copy, const HttpMessage *message)
{
	*copy = *message;
	copy->what = pstrdup(message->what);
	copy->data = memcpy(palloc(message->length + 1), message->data ? message->data : "",
						message->length);
}

/* Make a request ready and hand it to libcurl. */
EngineRequest *
hxpy_http_begin(const HttpMessage *message, long timeout_ms)
{
	EngineRequest *req = create_request();
	MemoryContext caller = MemoryContextSwitchTo(req->context);
	CURL	   *easy;
	CURLcode	rc = CURLE_OUT_OF_MEMORY;

	copy_message(&req->message, message);
	req->address = pstrdup(hxpy_hosts_address());
	req->timeout_ms = timeout_ms;
	easy = hxpy_transfer_create(&req->transfer);
	if (easy != NULL)
		rc = set_target(easy, message->path);
	if (rc == CURLE_OK)
		rc = set_message(req);
	if (rc == CURLE_OK)
		rc = set_answer(req);
	if (rc == CURLE_OK)
		rc = hxpy_transfer_begin(&req->transfer);
	if (rc != CURLE_OK)
		ereport(ERROR,
				(errcode(rc == CURLE_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY : ERRCODE_SYSTEM_ERROR),
				 errmsg("could not prepare a request to the Docker engine at \"%s\"",
						req->address),
				 errdetail("%s", curl_easy_strerror(rc)),
				 errhint("Check that the server's libcurl supports HTTP, TLS and Unix sockets.")));
	MemoryContextSwitchTo(caller);
	return req;
}

/* Raise the error of a request that failed; with a sink it may break off. */
static void
check_result(EngineRequest *req)
{
	/* An answer may end amid its headers. */
	if (req->transfer.result == CURLE_OK && req->status == 0)
		req->transfer.result = CURLE_GOT_NOTHING;
	if (req->transfer.result != CURLE_OK &&
		(req->message.sink == NULL || req->status == 0 || req->no_memory || req->too_large))
		raise_failure(req);
}

/* Wait until a request is complete, or, if that is asked for, answered; false when late. */
static bool
wait_for(EngineRequest *req, bool answered, long timeout_ms)
{
	double		deadline = hxpy_wait_now() + timeout_ms;
	double		left = timeout_ms;

	while (!req->transfer.done && !(answered && req->status != 0))
	{
		if (timeout_ms >= 0 && left < 0)
			return false;
		(void) hxpy_transfer_drive(PGINVALID_SOCKET, (long) ceil(left), HXPY_WAIT_ENGINE);
		if (timeout_ms >= 0)
			left = deadline - hxpy_wait_now();
	}
	if (req->transfer.done)
		check_result(req);
	return true;
}

/* Wait until a request is complete. */
bool
hxpy_http_wait(EngineRequest *req, long timeout_ms)
{
	return wait_for(req, false, timeout_ms);
}

/* Begin a request without end, and wait for its status. */
EngineRequest *
hxpy_http_open(const HttpMessage *message, long timeout_ms)
{
	EngineRequest *req = hxpy_http_begin(message, 0);

	if (!wait_for(req, true, timeout_ms))
		raise_timeout(req, timeout_ms);
	return req;
}

/* Return a copy of a header's value, NULL when there is none. */
const char *
hxpy_http_header(const EngineRequest *req, const char *name)
{
	const char *line = strcasestr(req->head.data, psprintf("\n%s:", name));
	const char *value;

	if (line == NULL)
		return NULL;
	value = line + strlen(name) + 2;
	value += strspn(value, " \t");
	return pnstrdup(value, strcspn(value, " \t\r\n"));
}

/* Free a request, complete or not. */
void
hxpy_http_free(EngineRequest *req)
{
	MemoryContextDelete(req->context);
}
