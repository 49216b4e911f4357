/*
 * http.c
 *	  HTTP requests to the Docker engine by libcurl, waiting on the latch.
 *
 * Each backend that talks to the engine has one curl multi handle, made at its
 * first request and kept with its idle connections until the process ends; it
 * never exists in the postmaster.  libcurl does no waiting: its socket and
 * timer callbacks note what it wants to wait for, and http_wait_round waits for
 * that together with the latch, the postmaster's death and one socket of the
 * caller, so that cancel, terminate and statement_timeout end every call.
 *
 * A request owns its easy handle, header list and answer, all of them malloc'ed
 * by libcurl or here, and sits in a memory context of its own, whose reset
 * callback gives them back.  Thus an error anywhere leaks nothing, and no
 * PG_TRY is needed.  Callbacks run below libcurl's frames: they never ereport
 * and never palloc, but leave a mark that is looked at afterwards.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"
#include "guc.h"
#include "engine/docker/http.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "wait.h"

#define HTTP_MAX_SOCKETS	512 /* libcurl's sockets in one process */
#define HTTP_MAX_REQUESTS	128 /* live requests, at most 4 sockets each */
#define HTTP_MAX_EVENTS		16	/* events taken from one wait */
#define HTTP_MAX_HEAD		(64 * 1024)
#define HTTP_MAX_BODY		(64 * 1024 * 1024)

#define HTTP_UNIX_PREFIX	"unix://"
#define HTTP_TCP_PREFIX		"tcp://"

/* Bytes of an answer, NUL-terminated once there are any */
typedef struct HttpBuffer
{
	char	   *data;			/* malloc'ed, freed with the request */
	size_t		len;
	size_t		size;
} HttpBuffer;

struct HttpRequest
{
	MemoryContext context;		/* holds this struct and its strings */
	MemoryContextCallback callback; /* releases all that is malloc'ed */
	CURL	   *easy;			/* owned; in http_multi when added is set */
	struct curl_slist *headers; /* owned; libcurl reads it during the transfer */
	const char *address;		/* for messages */
	long		timeout_ms;		/* for messages, 0 for none */
	HttpSink	sink;			/* of a stream, else NULL */
	void	   *sink_arg;		/* lives longer than the request */
	HttpBuffer	head;			/* header lines of the last answer */
	HttpBuffer	body;
	bool		added;
	bool		answered;		/* status and headers are complete */
	bool		done;			/* the three below are valid */
	CURLcode	result;
	int			os_errno;
	char		error[CURL_ERROR_SIZE]; /* written by libcurl */
	bool		no_memory;		/* marks left by callbacks */
	bool		too_large;
	bool		no_descriptor;
};

/* Where the engine is, made of hxpy.docker_host */
typedef struct HttpTarget
{
	char	   *base;			/* scheme and host of all URLs */
	const char *socket_path;	/* NULL for tcp */
	bool		tls;
} HttpTarget;

/* What a request sends; must live as long as the request */
typedef struct HttpContent
{
	const char *type;			/* header line */
	const char *data;
	size_t		len;
} HttpContent;

/* A socket that libcurl waits for */
typedef struct HttpSocket
{
	curl_socket_t fd;
	int			what;			/* CURL_POLL_... */
} HttpSocket;

static CURLM *http_multi = NULL;
static HttpSocket http_sockets[HTTP_MAX_SOCKETS];
static int	http_nsockets = 0;
static int	http_nrequests = 0;
static double http_timer_due = -1;	/* ms on http_now's clock, -1 for none */

/* Returns a monotonic time in milliseconds. */
static double
http_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* Appends to a buffer; false if there is no memory. */
static bool
http_buffer_append(HttpBuffer *buffer, const char *data, size_t len)
{
	if (buffer->len + len + 1 > buffer->size)
	{
		size_t		size = Max(buffer->size * 2, buffer->len + len + 1);
		char	   *grown = realloc(buffer->data, size);

		if (grown == NULL)
			return false;
		buffer->data = grown;
		buffer->size = size;
	}
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
	return true;
}

/* ---------- libcurl's callbacks: no ereport, no palloc ---------- */

/* Keeps a header line; notes when the last one has come. */
static size_t
http_on_header(char *data, size_t size, size_t nmemb, void *arg)
{
	HttpRequest *req = arg;
	size_t		len = size * nmemb;
	long		status = 0;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		req->head.len = 0;		/* after a 1xx: forget it */
	if (req->head.len + len > HTTP_MAX_HEAD)
	{
		req->too_large = true;
		return 0;
	}
	if (!http_buffer_append(&req->head, data, len))
	{
		req->no_memory = true;
		return 0;
	}
	if (len <= 2 && (data[0] == '\r' || data[0] == '\n'))
	{
		curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
		req->answered = (status >= 200);
	}
	return len;
}

/* Keeps a piece of the body, or hands it to the stream's sink. */
static size_t
http_on_body(char *data, size_t size, size_t nmemb, void *arg)
{
	HttpRequest *req = arg;
	size_t		len = size * nmemb;
	long		status = 0;

	curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
	if (req->sink != NULL && status >= 200 && status < 300)
	{
		req->sink(req->sink_arg, data, len);
		return len;
	}
	if (req->body.len + len > HTTP_MAX_BODY)
	{
		req->too_large = true;
		return 0;
	}
	if (!http_buffer_append(&req->body, data, len))
	{
		req->no_memory = true;
		return 0;
	}
	return len;
}

/* Opens a socket that no child inherits, and counts it. */
static curl_socket_t
http_on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpRequest *req = arg;
	int			type = address->socktype;
	int			fd;

	(void) purpose;
	if (!AcquireExternalFD())
	{
		req->no_descriptor = true;
		return CURL_SOCKET_BAD;
	}
#ifdef SOCK_CLOEXEC
	type |= SOCK_CLOEXEC;
#endif
	fd = socket(address->family, type, address->protocol);
	if (fd < 0)
	{
		req->no_descriptor = (errno == EMFILE || errno == ENFILE);
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
#ifndef SOCK_CLOEXEC
	(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
	return fd;
}

/* Closes a socket of http_on_open; requests may be long gone by then. */
static int
http_on_close(void *arg, curl_socket_t fd)
{
	(void) arg;
	ReleaseExternalFD();
	return close(fd);
}

/* Notes what libcurl wants to know about a socket. */
static int
http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
	int			i;

	(void) easy;
	(void) arg;
	(void) socketp;
	for (i = 0; i < http_nsockets; i++)
		if (http_sockets[i].fd == fd)
			break;
	if (what == CURL_POLL_REMOVE)
	{
		if (i < http_nsockets)
			http_sockets[i] = http_sockets[--http_nsockets];
		return 0;
	}
	if (i == HTTP_MAX_SOCKETS)
		return -1;				/* cannot be: HTTP_MAX_REQUESTS is far less */
	if (i == http_nsockets)
		http_nsockets++;
	http_sockets[i].fd = fd;
	http_sockets[i].what = what;
	return 0;
}

/* Notes when libcurl wants to be called even if no socket is ready. */
static int
http_on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	(void) multi;
	(void) arg;
	http_timer_due = (timeout_ms < 0) ? -1 : http_now() + timeout_ms;
	return 0;
}

/* ---------- errors ---------- */

/* Raises the error that a callback has marked, if any. */
static void
http_raise_marked(HttpRequest *req)
{
	if (req->no_memory || req->result == CURLE_OUT_OF_MEMORY)
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
	if (req->no_descriptor)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not connect to the Docker engine at \"%s\"",
						req->address),
				 errdetail("There are too many open files in this server process."),
				 errhint("Raise \"max_files_per_process\" and the server's \"ulimit -n\", or use fewer sessions.")));
}

/* Raises the error for an engine that cannot be reached. */
static void
http_raise_unreachable(HttpRequest *req, const char *words)
{
	if (req->os_errno == EACCES || req->os_errno == EPERM)
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

/* Raises the error for an engine that did not answer in time. */
static void
http_raise_timeout(HttpRequest *req, long timeout_ms)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("Docker engine did not answer in time"),
			 errdetail("The engine at \"%s\" did not answer within %ld ms.",
					   req->address, timeout_ms),
			 errhint("Check the engine (journalctl -u docker), or raise \"hxpy.docker_timeout\".")));
}

/* Raises the error of a transfer that failed; req->result says why. */
static void
http_raise(HttpRequest *req)
{
	const char *words = req->error[0] ? req->error : curl_easy_strerror(req->result);

	http_raise_marked(req);
	if (req->result == CURLE_COULDNT_CONNECT && req->os_errno != 0)
		words = psprintf("Connecting failed: %s.", strerror(req->os_errno));
	switch (req->result)
	{
		case CURLE_COULDNT_CONNECT:
		case CURLE_COULDNT_RESOLVE_HOST:
			http_raise_unreachable(req, words);
			break;
		case CURLE_OPERATION_TIMEDOUT:
			http_raise_timeout(req, req->timeout_ms);
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

/* Raises the error for a docker_host nobody can connect to. */
static void
http_raise_bad_host(const char *host)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for parameter \"%s\": \"%s\"",
					"hxpy.docker_host", host),
			 errdetail("The address of a Docker engine is unix:///path or tcp://host:port."),
			 errhint("Set \"hxpy.docker_host\", for example to \"unix:///var/run/docker.sock\".")));
}

/* Tells whether text is host:port and nothing more. */
static bool
http_is_host_port(const char *text)
{
	const char *port = strrchr(text, ':');
	size_t		len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]:");

	return port != NULL && port != text && text[len] == '\0' &&
		port[1] != '\0' && strspn(port + 1, "0123456789") == strlen(port + 1);
}

/* Turns hxpy.docker_host into a target; refuses tcp without TLS. */
static void
http_parse_target(HttpTarget *target)
{
	const char *host = hxpy_docker_host ? hxpy_docker_host : "";

	target->socket_path = NULL;
	target->tls = false;
	if (strncmp(host, HTTP_UNIX_PREFIX, strlen(HTTP_UNIX_PREFIX)) == 0)
	{
		target->socket_path = host + strlen(HTTP_UNIX_PREFIX);
		target->base = pstrdup("http://localhost");
		if (!is_absolute_path(target->socket_path))
			http_raise_bad_host(host);
		return;
	}
	if (strncmp(host, HTTP_TCP_PREFIX, strlen(HTTP_TCP_PREFIX)) != 0 ||
		!http_is_host_port(host + strlen(HTTP_TCP_PREFIX)))
		http_raise_bad_host(host);
	target->tls = (hxpy_docker_cert_path && hxpy_docker_cert_path[0]);
	if (!target->tls && !hxpy_docker_insecure)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("refusing to use the Docker engine at \"%s\" without TLS",
						host),
				 errdetail("Whoever reaches such an engine is root on its host."),
				 errhint("Set \"hxpy.docker_cert_path\" to a directory of ca.pem, cert.pem and key.pem.")));
	target->base = psprintf("%s://%s", target->tls ? "https" : "http",
							host + strlen(HTTP_TCP_PREFIX));
}

/* Returns the path of a certificate file; a private one must be private. */
static char *
http_certificate_path(const char *name, bool private)
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

/* Gives back what a request holds outside its context; runs once. */
static void
http_release(void *arg)
{
	HttpRequest *req = arg;

	if (req->easy != NULL)
	{
		if (req->added)
			curl_multi_remove_handle(http_multi, req->easy);
		curl_easy_cleanup(req->easy);
	}
	curl_slist_free_all(req->headers);
	free(req->head.data);
	free(req->body.data);
	http_nrequests--;
}

/* Makes the process's multi handle, unless it is there. */
static void
http_init(void)
{
	CURLM	   *multi;

	if (http_multi != NULL)
		return;
	if (IsPostmasterEnvironment && !IsUnderPostmaster)
		elog(ERROR, "Docker engine must not be used in the postmaster");

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
		(multi = curl_multi_init()) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The HTTP library could not be initialized."),
				 errhint("Close sessions or give the server more memory.")));
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, http_on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, http_on_timer);
	http_multi = multi;
}

/* Makes an empty request in a context of its own. */
static HttpRequest *
http_create(void)
{
	MemoryContext context;
	HttpRequest *req;

	http_init();
	if (http_nrequests >= HTTP_MAX_REQUESTS)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many requests to the Docker engine"),
				 errdetail("This server process has %d of them.", http_nrequests),
				 errhint("Close sessions.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "hxpy http request",
									ALLOCSET_SMALL_SIZES);
	req = MemoryContextAllocZero(context, sizeof(HttpRequest));
	req->context = context;
	req->callback.func = http_release;
	req->callback.arg = req;
	http_nrequests++;
	MemoryContextRegisterResetCallback(context, &req->callback);
	return req;
}

/* Sets an option, unless one before failed. */
#define HTTP_SET(option, value) \
	(rc = (rc != CURLE_OK) ? rc : curl_easy_setopt(easy, (option), (value)))

/* Allows HTTP and nothing that libcurl would do on its own account. */
static CURLcode
http_set_protocol(CURL *easy, bool tls)
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

/* Sets the way to the engine. */
static CURLcode
http_set_target(CURL *easy, const HttpTarget *target, const char *path)
{
	CURLcode	rc = CURLE_OK;

	HTTP_SET(CURLOPT_URL, psprintf("%s%s", target->base, path));
	if (target->socket_path != NULL)
		HTTP_SET(CURLOPT_UNIX_SOCKET_PATH, target->socket_path);
	if (target->tls)
	{
		HTTP_SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
		HTTP_SET(CURLOPT_SSL_VERIFYPEER, 1L);
		HTTP_SET(CURLOPT_SSL_VERIFYHOST, 2L);
		HTTP_SET(CURLOPT_CAPATH, (char *) NULL);	/* not the system's CAs */
		HTTP_SET(CURLOPT_CAINFO, http_certificate_path("ca.pem", false));
		HTTP_SET(CURLOPT_SSLCERT, http_certificate_path("cert.pem", false));
		HTTP_SET(CURLOPT_SSLKEY, http_certificate_path("key.pem", true));
	}
	return rc;
}

/* Sets method, content (or NULL) and headers. */
static CURLcode
http_set_message(HttpRequest *req, const char *method, const HttpContent *content)
{
	CURL	   *easy = req->easy;
	CURLcode	rc = CURLE_OK;
	struct curl_slist *list;

	if (strcmp(method, "GET") == 0)
		return rc;
	if (content != NULL || strcmp(method, "POST") == 0)
	{
		HTTP_SET(CURLOPT_POSTFIELDS, content ? content->data : "");
		HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) (content ? content->len : 0));
	}
	if (strcmp(method, "POST") != 0)
		HTTP_SET(CURLOPT_CUSTOMREQUEST, method);

	/* "Expect:" keeps libcurl from asking before it sends a large body */
	list = curl_slist_append(NULL, content ? content->type : "Content-Type:");
	if (list == NULL)
		return CURLE_OUT_OF_MEMORY;
	req->headers = list;
	if (curl_slist_append(list, "Expect:") == NULL)
		return CURLE_OUT_OF_MEMORY;
	HTTP_SET(CURLOPT_HTTPHEADER, list);
	return rc;
}

/* Sets the callbacks. */
static CURLcode
http_set_callbacks(HttpRequest *req)
{
	CURL	   *easy = req->easy;
	CURLcode	rc = CURLE_OK;

	HTTP_SET(CURLOPT_PRIVATE, req);
	HTTP_SET(CURLOPT_ERRORBUFFER, req->error);
	HTTP_SET(CURLOPT_HEADERFUNCTION, http_on_header);
	HTTP_SET(CURLOPT_HEADERDATA, req);
	HTTP_SET(CURLOPT_WRITEFUNCTION, http_on_body);
	HTTP_SET(CURLOPT_WRITEDATA, req);
	HTTP_SET(CURLOPT_OPENSOCKETFUNCTION, http_on_open);
	HTTP_SET(CURLOPT_OPENSOCKETDATA, req);
	HTTP_SET(CURLOPT_CLOSESOCKETFUNCTION, http_on_close);
	HTTP_SET(CURLOPT_TIMEOUT_MS, req->timeout_ms);
	return rc;
}

/* Makes a request ready and hands it to libcurl. */
static HttpRequest *
http_begin(const char *method, const char *path, const HttpContent *content,
		   long timeout_ms, HttpSink sink, void *sink_arg)
{
	HttpRequest *req = http_create();
	MemoryContext caller = MemoryContextSwitchTo(req->context);
	HttpTarget	target;
	HttpContent own;
	CURLcode	rc = CURLE_OUT_OF_MEMORY;

	if (content != NULL)
	{
		own = *content;
		own.data = memcpy(palloc(content->len + 1), content->data, content->len);
	}
	http_parse_target(&target);
	req->address = pstrdup(hxpy_docker_host);
	req->timeout_ms = timeout_ms;
	req->sink = sink;
	req->sink_arg = sink_arg;
	req->easy = curl_easy_init();
	if (req->easy != NULL)
		rc = http_set_protocol(req->easy, target.tls);
	if (rc == CURLE_OK)
		rc = http_set_target(req->easy, &target, path);
	if (rc == CURLE_OK)
		rc = http_set_message(req, method, content ? &own : NULL);
	if (rc == CURLE_OK)
		rc = http_set_callbacks(req);
	if (rc == CURLE_OK && curl_multi_add_handle(http_multi, req->easy) != CURLM_OK)
		rc = CURLE_OUT_OF_MEMORY;
	if (rc != CURLE_OK)
		ereport(ERROR,
				(errcode(rc == CURLE_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY : ERRCODE_SYSTEM_ERROR),
				 errmsg("could not prepare a request to the Docker engine at \"%s\"",
						req->address),
				 errdetail("%s", curl_easy_strerror(rc)),
				 errhint("Check that the server's libcurl supports HTTP, TLS and Unix sockets.")));
	req->added = true;
	MemoryContextSwitchTo(caller);
	return req;
}

/* ---------- waiting ---------- */

/*
 * Answers cancel, terminate and statement_timeout.  Termination is raised as an
 * ERROR: a FATAL of CHECK_FOR_INTERRUPTS would go past the PG_CATCH blocks of
 * the callers, which must get a chance to remove a container half made.  The
 * request to die stays pending, and the backend's next CHECK_FOR_INTERRUPTS
 * obeys it.
 */
static void
http_check_interrupts(void)
{
	if (ProcDiePending && InterruptHoldoffCount == 0 && CritSectionCount == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("terminating connection due to administrator command")));
	CHECK_FOR_INTERRUPTS();
}

/*
 * Lets libcurl work on a socket, or on timers.  It may start a thread to look
 * up a name; signals are blocked so that the thread never runs our handlers.
 */
static void
http_action(curl_socket_t fd, int mask)
{
	sigset_t	all;
	sigset_t	saved;
	int			running;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &saved);
	curl_multi_socket_action(http_multi, fd, mask, &running);
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

/*
 * Runs libcurl's timer when it is due, and notes which requests are done; tells whether
 * there was one.
 */
static bool
http_progress(void)
{
	CURLMsg    *msg;
	int			left;
	bool		found = false;

	if (http_timer_due >= 0 && http_timer_due <= http_now())
	{
		http_timer_due = -1;
		http_action(CURL_SOCKET_TIMEOUT, 0);
	}
	while (http_multi != NULL && (msg = curl_multi_info_read(http_multi, &left)) != NULL)
	{
		char	   *private = NULL;
		long		os_errno = 0;
		HttpRequest *req;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_OS_ERRNO, &os_errno);
		req = (HttpRequest *) private;
		req->result = msg->data.result;
		req->os_errno = (int) os_errno;
		if (req->result == CURLE_OK && !req->answered)
			req->result = CURLE_GOT_NOTHING;	/* ended amid the headers */
		req->done = true;
		found = true;
	}
	return found;
}

/* Returns the milliseconds to wait at most, -1 for no limit. */
static long
http_time_left(double deadline)
{
	double		until = deadline;

	if (http_timer_due >= 0 && (until < 0 || http_timer_due < until))
		until = http_timer_due;
	if (until < 0)
		return -1;
	return (long) ceil(Max(until - http_now(), 0));
}

/* Fills a wait event set and waits on it; returns the number of events. */
static int
http_wait_events(WaitEventSet *set, pgsocket other, long timeout_ms, HxpyWait what,
				 WaitEvent *events)
{
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (other != PGINVALID_SOCKET)
		AddWaitEventToSet(set, WL_SOCKET_READABLE, other, NULL, NULL);
	for (int i = 0; i < http_nsockets; i++)
	{
		int			what = http_sockets[i].what;
		uint32		mask = 0;

		if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
			mask |= WL_SOCKET_READABLE;
		if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
			mask |= WL_SOCKET_WRITEABLE;
		if (mask != 0)
			AddWaitEventToSet(set, mask, http_sockets[i].fd, NULL, NULL);
	}
	return WaitEventSetWait(set, timeout_ms, events, HTTP_MAX_EVENTS,
							hxpy_wait_event(what));
}

/* Waits once and passes events on; returns true if other is readable. */
static bool
http_wait_round(pgsocket other, long timeout_ms, HxpyWait what)
{
	WaitEventSet *set = HxpyCreateWaitEventSet(http_nsockets + 3);
	WaitEvent	events[HTTP_MAX_EVENTS];
	volatile int nevents = 0;
	bool		readable = false;

	PG_TRY();
	{
		nevents = http_wait_events(set, other, timeout_ms, what, events);
	}
	PG_FINALLY();
	{
		FreeWaitEventSet(set);
	}
	PG_END_TRY();

	for (int i = 0; i < nevents; i++)
	{
		int			mask = 0;

		if (events[i].events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			continue;
		}
		if (events[i].fd == other)
		{
			readable = true;
			continue;
		}
		if (events[i].events & WL_SOCKET_READABLE)
			mask |= CURL_CSELECT_IN;
		if (events[i].events & WL_SOCKET_WRITEABLE)
			mask |= CURL_CSELECT_OUT;
		http_action(events[i].fd, mask);
	}
	return readable;
}

/* Raises the error of a request that failed; a stream may break off. */
static void
http_check_result(HttpRequest *req)
{
	bool		streaming = (req->sink != NULL && req->answered);

	if (req->result == CURLE_OK ||
		(streaming && !req->no_memory && !req->too_large))
		return;
	http_raise(req);
}

/* ---------- for docker.c ---------- */

/* Starts a request. */
HttpRequest *
hxpy_http_start(const char *method, const char *path, const char *body,
				long timeout_ms)
{
	HttpContent content = {"Content-Type: application/json", body, body ? strlen(body) : 0};

	return http_begin(method, path, body ? &content : NULL, timeout_ms, NULL, NULL);
}

/* Starts a PUT. */
HttpRequest *
hxpy_http_put(const char *path, const char *type, const char *data, size_t length,
			  long timeout_ms)
{
	HttpContent content = {psprintf("Content-Type: %s", type), data, length};

	return http_begin("PUT", path, &content, timeout_ms, NULL, NULL);
}

/* Starts a stream and waits for its status. */
HttpRequest *
hxpy_http_open_stream(const char *method, const char *path, HttpSink sink,
					  void *arg, long timeout_ms)
{
	double		deadline = http_now() + timeout_ms;
	HttpRequest *req = http_begin(method, path, NULL, 0, sink, arg);

	for (;;)
	{
		http_check_interrupts();
		(void) http_progress();
		if (req->done)
			http_check_result(req);
		if (req->done || req->answered)
			return req;
		if (http_now() >= deadline)
			http_raise_timeout(req, timeout_ms);
		http_wait_round(PGINVALID_SOCKET, http_time_left(deadline), HXPY_WAIT_ENGINE);
	}
}

/* Drives all transfers until something happens that the caller waits for. */
int
hxpy_http_wait(HttpRequest *req, pgsocket other, long timeout_ms)
{
	double		deadline = (timeout_ms < 0) ? -1 : http_now() + timeout_ms;
	bool		readable = false;
	bool		late = false;

	for (;;)
	{
		http_check_interrupts();
		(void) http_progress();
		if (req->done || readable)
			break;
		if (late)
			return HXPY_HTTP_TIMEOUT;
		readable = http_wait_round(other, http_time_left(deadline), HXPY_WAIT_ENGINE);
		late = (deadline >= 0 && http_now() >= deadline);
	}
	if (!req->done)
		return HXPY_HTTP_SOCKET;
	http_check_result(req);
	if (!readable && other != PGINVALID_SOCKET)
		readable = http_wait_round(other, 0, HXPY_WAIT_ENGINE);
	return HXPY_HTTP_DONE | (readable ? HXPY_HTTP_SOCKET : 0);
}

/* Drives all transfers for one wait. */
bool
hxpy_http_drive(pgsocket other, long timeout_ms, HxpyWait what)
{
	bool		readable;

	http_check_interrupts();
	/* After what is done now no further event need come. */
	if (http_progress())
		timeout_ms = 0;
	readable = http_wait_round(other,
							   http_time_left(timeout_ms < 0 ? -1 : http_now() + timeout_ms),
							   what);
	(void) http_progress();
	return readable;
}

/* Tells whether a request is complete or has failed. */
bool
hxpy_http_is_done(const HttpRequest *req)
{
	return req->done;
}

/* Returns the status of a request that is answered. */
int
hxpy_http_status(HttpRequest *req)
{
	long		status = 0;

	Assert(req->answered);
	curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int) status;
}

/* Returns the body that has come so far, NUL-terminated. */
const char *
hxpy_http_body(HttpRequest *req, size_t *len)
{
	if (len != NULL)
		*len = req->body.len;
	return req->body.data ? req->body.data : "";
}

/* Returns a copy of a header's value, NULL if there is none. */
const char *
hxpy_http_header(HttpRequest *req, const char *name)
{
	const char *line = req->head.data;
	size_t		len = strlen(name);

	while (line != NULL && *line != '\0')
	{
		if (pg_strncasecmp(line, name, len) == 0 && line[len] == ':')
		{
			const char *value = line + len + 1;
			MemoryContext caller = MemoryContextSwitchTo(req->context);
			char	   *copy;

			value += strspn(value, " \t");
			copy = pnstrdup(value, strcspn(value, " \t\r\n"));
			MemoryContextSwitchTo(caller);
			return copy;
		}
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return NULL;
}

/* Frees a request, done or not. */
void
hxpy_http_free(HttpRequest *req)
{
	MemoryContextDelete(req->context);
}

/* Tells whether a stream that is done broke off before its end. */
bool
hxpy_http_is_broken(HttpRequest *req)
{
	return req->result != CURLE_OK;
}
