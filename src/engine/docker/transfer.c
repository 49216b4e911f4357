/*
 * transfer.c
 *	  Transfers by libcurl, driven while the process waits on its latch.
 *
 * Each process that talks to the engine has one curl multi handle, made at its first
 * request and kept with its idle connections until the process ends; it never exists in
 * the postmaster.  libcurl does no waiting: its socket and timer callbacks note what it
 * wants to wait for, and wait_round() waits for that together with the latch, the
 * postmaster's death and one socket of the caller, so that cancel, terminate and
 * statement_timeout end every wait.
 *
 * Callbacks run below libcurl's frames: they never ereport and never palloc.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "hxpy.h"
#include "engine/docker/transfer.h"

#define MAX_TRANSFERS		128 /* at once, at most 4 sockets each */
#define MAX_SOCKETS			512 /* libcurl's sockets in one process */
#define MAX_EVENTS			16	/* events taken from one wait */

/* A socket that libcurl waits for */
typedef struct CurlSocket
{
	curl_socket_t fd;
	int			what;			/* CURL_POLL_... */
} CurlSocket;

static CURLM *multi = NULL;
static CurlSocket sockets[MAX_SOCKETS];
static int	nsockets = 0;
static int	ntransfers = 0;
static double timer_due = -1;	/* on the clock of hxpy_wait_now(), -1 for none */

/* ---------- libcurl's callbacks: no ereport, no palloc ---------- */

/* Open a socket that no child inherits, and count it. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	Transfer   *transfer = arg;
	int			fd;

	if (!AcquireExternalFD())
	{
		transfer->no_descriptor = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
	{
		transfer->no_descriptor = (errno == EMFILE || errno == ENFILE);
		ReleaseExternalFD();
		return CURL_SOCKET_BAD;
	}
	return fd;
}

/* Close a socket of on_open; its transfer may be long gone by then. */
static int
on_close(void *arg, curl_socket_t fd)
{
	ReleaseExternalFD();
	return close(fd);
}

/* Note what libcurl wants to know about a socket. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socketp)
{
	int			i = 0;

	while (i < nsockets && sockets[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE)
	{
		if (i < nsockets)
			sockets[i] = sockets[--nsockets];
		return 0;
	}
	if (i == MAX_SOCKETS)
		return -1;				/* cannot be: MAX_TRANSFERS is far less */
	if (i == nsockets)
		nsockets++;
	sockets[i].fd = fd;
	sockets[i].what = what;
	return 0;
}

/* Note when libcurl wants to be called even if no socket is ready. */
static int
on_timer(CURLM *handle, long timeout_ms, void *arg)
{
	timer_due = timeout_ms < 0 ? -1 : hxpy_wait_now() + timeout_ms;
	return 0;
}

/* ---------- a transfer's life ---------- */

/* Make the process's multi handle, unless it is there. */
static void
make_multi(void)
{
	if (multi != NULL)
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
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
}

/* Make the handle of a transfer; NULL when memory is out. */
CURL *
hxpy_transfer_create(Transfer *transfer)
{
	make_multi();
	if (ntransfers >= MAX_TRANSFERS)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many requests to the Docker engine"),
				 errdetail("This server process has %d of them.", ntransfers),
				 errhint("Close sessions.")));
	transfer->easy = curl_easy_init();
	if (transfer->easy != NULL)
		ntransfers++;
	return transfer->easy;
}

/* Hand a transfer, whose options are set, to libcurl. */
CURLcode
hxpy_transfer_begin(Transfer *transfer)
{
	CURL	   *easy = transfer->easy;

	if (curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) != CURLE_OK ||
		curl_multi_add_handle(multi, easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	return CURLE_OK;
}

/* End a transfer, complete or not, created or not; does not ereport. */
void
hxpy_transfer_end(Transfer *transfer)
{
	if (transfer->easy == NULL)
		return;
	curl_multi_remove_handle(multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	ntransfers--;
}

/* ---------- waiting ---------- */

/*
 * Answer cancel, terminate and statement_timeout.  Termination is raised as an
 * ERROR: a FATAL of CHECK_FOR_INTERRUPTS would go past the PG_CATCH blocks of
 * the callers, which must get a chance to remove a container half made.  The
 * request to die stays pending, and the backend's next CHECK_FOR_INTERRUPTS
 * obeys it.
 */
static void
check_interrupts(void)
{
	if (ProcDiePending && InterruptHoldoffCount == 0 && CritSectionCount == 0)
		ereport(ERROR,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("terminating connection due to administrator command")));
	CHECK_FOR_INTERRUPTS();
}

/*
 * Let libcurl work on a socket, or on timers.  It may start a thread to look
 * up a name; signals are blocked so that the thread never runs our handlers.
 */
static void
act(curl_socket_t fd, int mask)
{
	sigset_t	all;
	sigset_t	saved;
	int			running;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &saved);
	curl_multi_socket_action(multi, fd, mask, &running);
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

/*
 * Run libcurl's timer when it is due, and note which transfers are done; return whether
 * anything happened.
 */
static bool
note_progress(void)
{
	CURLMsg    *msg;
	int			left;
	bool		happened = timer_due >= 0 && timer_due <= hxpy_wait_now();

	if (happened)
	{
		timer_due = -1;
		act(CURL_SOCKET_TIMEOUT, 0);
	}
	while (multi != NULL && (msg = curl_multi_info_read(multi, &left)) != NULL)
	{
		char	   *private = NULL;
		long		os_errno = 0;
		Transfer   *transfer;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		curl_easy_getinfo(msg->easy_handle, CURLINFO_OS_ERRNO, &os_errno);
		transfer = (Transfer *) private;
		transfer->result = msg->data.result;
		transfer->os_errno = (int) os_errno;
		transfer->done = true;
		happened = true;
	}
	return happened;
}

/* Wait once and pass events on; return whether other is readable. */
static bool
wait_round(pgsocket other, long timeout_ms, HxpyWait what)
{
	WaitEventSet *set = HxpyCreateWaitEventSet(nsockets + 3);
	WaitEvent	events[MAX_EVENTS];
	volatile int nevents = 0;
	bool		readable = false;

	PG_TRY();
	{
		AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
		if (IsUnderPostmaster)
			AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
		if (other != PGINVALID_SOCKET)
			AddWaitEventToSet(set, WL_SOCKET_READABLE, other, NULL, NULL);
		for (int i = 0; i < nsockets; i++)
		{
			/* CURL_POLL_INOUT is both, CURL_POLL_NONE neither. */
			uint32		mask = (sockets[i].what & CURL_POLL_IN ? WL_SOCKET_READABLE : 0) |
				(sockets[i].what & CURL_POLL_OUT ? WL_SOCKET_WRITEABLE : 0);

			if (mask != 0)
				AddWaitEventToSet(set, mask, sockets[i].fd, NULL, NULL);
		}
		nevents = WaitEventSetWait(set, timeout_ms, events, MAX_EVENTS, hxpy_wait_event(what));
	}
	PG_FINALLY();
	{
		FreeWaitEventSet(set);
	}
	PG_END_TRY();

	for (int i = 0; i < nevents; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else if (events[i].fd == other)
			readable = true;
		else
			act(events[i].fd,
				(events[i].events & WL_SOCKET_READABLE ? CURL_CSELECT_IN : 0) |
				(events[i].events & WL_SOCKET_WRITEABLE ? CURL_CSELECT_OUT : 0));
	}
	return readable;
}

/* Drive all transfers for one wait. */
bool
hxpy_transfer_drive(pgsocket other, long timeout_ms, HxpyWait what)
{
	bool		readable;

	check_interrupts();
	/* After what has happened now no further event need come. */
	if (note_progress())
		timeout_ms = 0;
	if (timer_due >= 0)
	{
		long		left = (long) ceil(Max(timer_due - hxpy_wait_now(), 0));

		timeout_ms = timeout_ms < 0 ? left : Min(timeout_ms, left);
	}
	readable = wait_round(other, timeout_ms, what);
	(void) note_progress();
	return readable;
}
