/*
 * container.c
 *	  Starts a session's container and hands back the sockets of its worker.
 *
 * Above this file nothing knows Docker.  A failure at any point removes the
 * container by its name, which is made before the container is.  A running
 * container ends with its control connection; the engine then removes it
 * (AutoRemove).
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "container.h"
#include "docker.h"
#include "guc.h"
#include "image.h"
#include "io.h"
#include "owner.h"
#include "sandbox.h"

#define CLEANUP_TIMEOUT_MS	10000
#define START_DESCRIPTORS	10		/* a session keeps 4; the rest is the engine's */

/* Take one connection of the container, or raise an error when it dies first. */
static pgsocket
accept_worker(const Container *container, pgsocket listener, DockerStream *output,
			  instr_time start)
{
	for (;;)
	{
		pgsocket	socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		instr_time	now;
		long		left;
		int			happened;

		if (socket != PGINVALID_SOCKET)
		{
			if (hxpy_directory_is_peer(socket, container->id))
				return socket;
			closesocket(socket);
			ereport(ERROR,
					(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
					 errmsg("a process outside the container has connected to its socket"),
					 errhint("Check who may enter \"%s\"; see docs/security.md for servers that run in containers themselves.",
							 container->directory.path)));
		}
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		left = hxpy_open_timeout - (long) INSTR_TIME_GET_MILLISEC(now);
		happened = left > 0 ? hxpy_docker_stream_wait(output, listener, left) :
			HXPY_DOCKER_TIMEOUT;
		if (happened & HXPY_DOCKER_SOCKET)
			continue;
		if (happened & HXPY_DOCKER_ENDED)
		{
			char	   *text = hxpy_docker_stream_text(output);

			ereport(ERROR,
					(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
					 errmsg("the container of image \"%s\" ended before Python could connect",
							container->image),
					 text[0] ? errdetail("%s", text) : 0,
					 errhint("The image must be one of hxpy's (docker/build), with /usr/bin/python3 and the package hxpy.")));
		}
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("Python did not connect within hxpy.open_timeout"),
				 errhint("Raise hxpy.open_timeout, now %d ms, or look after the machine's load.",
						 hxpy_open_timeout)));
	}
}

/* Take a connection and count its descriptor. */
static pgsocket
accept_counted(const Container *container, pgsocket listener, DockerStream *output,
			   instr_time start)
{
	pgsocket	socket;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session")));
	PG_TRY();
	{
		socket = accept_worker(container, listener, output, start);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return socket;
}

/* Create and start the container and take its two connections. */
static void
run_container(Container *container, const ContainerOptions *options, const char *name,
			  const char *image_id, pgsocket listener)
{
	Sandbox		sandbox = {
		.session = options->session,
		.image_id = image_id,
		.directory = &container->directory,
		.io = hxpy_io_mount_source(MyDatabaseId),
		.memory = options->memory,
		.cpus = options->cpus,
		.auto_remove = true
	};
	json_t	   *body = hxpy_sandbox_body(&sandbox);
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(container));
	DockerStream *output;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	container->id = hxpy_docker_create(name, body);
	MemoryContextSwitchTo(old);
	hxpy_sandbox_check(hxpy_docker_inspect(container->id), body);
	output = hxpy_docker_attach(container->id);
	hxpy_docker_start(container->id);
	/* The supervisor connects before it makes the worker. */
	container->control = accept_counted(container, listener, output, start);
	container->data = accept_counted(container, listener, output, start);
	hxpy_docker_stream_close(output);
}

/* Undo a failed start; raises nothing above WARNING. */
static void
undo_start(Container *container, const char *name, pgsocket listener)
{
	MemoryContext context = CurrentMemoryContext;

	if (listener != PGINVALID_SOCKET)
		closesocket(listener);
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		hxpy_docker_remove(name, CLEANUP_TIMEOUT_MS);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		MemoryContextSwitchTo(context);
		FlushErrorState();
		ereport(WARNING,
				(errmsg("could not remove container \"%s\"", name),
				 errhint("It is removed when a session is opened again, or by: docker rm -f %s",
						 name)));
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
	hxpy_container_release(container);
}

/* Raise an error unless there are descriptors enough to start a container, or to undo that. */
static void
check_descriptors(void)
{
	int			count = 0;

	while (count < START_DESCRIPTORS && AcquireExternalFD())
		count++;
	for (int i = 0; i < count; i++)
		ReleaseExternalFD();
	if (count < START_DESCRIPTORS)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session"),
				 errhint("Close sessions, or raise max_files_per_process.")));
}

/* Rid the engine and the socket directory of what ended backends have left, once. */
static void
clean_up_once(void)
{
	static bool done = false;

	if (done)
		return;
	hxpy_directory_clean();
	hxpy_owner_clean();
	done = true;
}

/* Start a container and wait until its worker has connected. */
Container *
hxpy_container_start(const ContainerOptions *options, MemoryContext context)
{
	static uint32 counter = 0;
	Container  *container = MemoryContextAllocZero(context, sizeof(Container));
	const char *image;
	const char *image_id;
	volatile pgsocket listener = PGINVALID_SOCKET;
	char	   *name = psprintf("hxpy-" UINT64_FORMAT "-%d-%u", GetSystemIdentifier(),
								MyProcPid, ++counter);
	MemoryContext old = CurrentMemoryContext;

	container->control = container->data = PGINVALID_SOCKET;
	container->directory.fd = -1;
	check_descriptors();
	clean_up_once();
	image_id = hxpy_image_resolve(options->images, &image);
	container->image = MemoryContextStrdup(context, image);
	PG_TRY();
	{
		hxpy_directory_claim(&container->directory, context);
		listener = hxpy_directory_listen(&container->directory, HXPY_SESSION_SOCKET);
		run_container(container, options, name, image_id, listener);
		/* Nobody else gets in. */
		hxpy_directory_unlink(&container->directory, HXPY_SESSION_SOCKET);
		closesocket(listener);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Undoing may fail itself, so that this error must be put away. */
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		undo_start(container, name, listener);
		ReThrowError(error);
	}
	PG_END_TRY();
	return container;
}

/* Close a socket that was not handed over. */
static void
close_counted(pgsocket *socket)
{
	if (*socket == PGINVALID_SOCKET)
		return;
	closesocket(*socket);
	ReleaseExternalFD();
	*socket = PGINVALID_SOCKET;
}

/*
 * Give a container's directory and user id free, and its sockets if they were not
 * handed over; does not ereport.
 */
void
hxpy_container_release(Container *container)
{
	close_counted(&container->control);
	close_counted(&container->data);
	hxpy_directory_release(&container->directory);
}
