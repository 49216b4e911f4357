/*
 * container.c
 *	  Starts a session's container and hands back the sockets of its worker.
 *
 * Without a network the server listens in a directory that it mounts into the
 * container; with one the container listens, and the directory serves only to
 * claim the user id.
 *
 * Above this file nothing knows Docker.  A container comes out of the pool (warm), or is
 * started here (cold).  A failure at any point removes it by its name, which is made,
 * and noted in the session's slot, before the container is.  A running container ends
 * with its control connection; then the launcher removes it, or, without one, the
 * engine (AutoRemove).
 */
#include "postgres.h"

#include <sys/socket.h>

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/container.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "engine/docker/http.h"
#include "launch/image.h"
#include "sql/io.h"
#include "launch/network.h"
#include "launch/owner.h"
#include "launch/pool.h"
#include "engine/docker/sandbox.h"
#include "launch/startup.h"
#include "launch/tcp.h"

#define CLEANUP_TIMEOUT_MS	10000
#define READY_TIMEOUT_MS	2000	/* for a container of the pool to answer */
#define START_DESCRIPTORS	10		/* a session keeps 4; the rest is the engine's */

/* Take one connection of the container, or raise an error when it dies first. */
static pgsocket
accept_worker(const Container *container, pgsocket listener, const Startup *startup)
{
	for (;;)
	{
		pgsocket	socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

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
		if (!hxpy_startup_wait(startup, listener, -1))
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("Python did not connect within hxpy.open_timeout"),
					 errhint("Raise hxpy.open_timeout, now %d ms, or look after the machine's load.",
							 hxpy_open_timeout)));
	}
}

/* Take a connection and count its descriptor. */
static pgsocket
accept_counted(const Container *container, pgsocket listener, const Startup *startup)
{
	pgsocket	socket;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another session")));
	PG_TRY();
	{
		socket = accept_worker(container, listener, startup);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return socket;
}

/* Connect twice to a container that listens in its network. */
static void
connect_worker(Container *container, const char *network, NetworkPeer *peer,
			   const Startup *startup)
{
	hxpy_network_find_address(peer, container->id, network);
	container->control = hxpy_tcp_connect(startup, peer, HXPY_ROLE_CONTROL);
	container->data = hxpy_tcp_connect(startup, peer, HXPY_ROLE_DATA);
}

/* Create and start the container and get its two connections. */
static void
run_container(Container *container, const ContainerOptions *options, const char *name,
			  const char *image_id, pgsocket listener)
{
	Sandbox		sandbox = {
		.session = options->session,
		.image_id = image_id,
		.directory = &container->directory,
		.io = hxpy_io_mount_source(MyDatabaseId),
		.network = options->network,
		.memory = options->memory,
		.cpus = options->cpus,
		/* The launcher removes what has ended: with it, engines may restart below us. */
		.auto_remove = !hxpy_pool_has_launcher()
	};
	json_t	   *body = hxpy_sandbox_body(&sandbox);
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(container));
	bool		is_listening = listener != PGINVALID_SOCKET;
	NetworkPeer peer;
	Startup		startup = {.image = container->image};

	INSTR_TIME_SET_CURRENT(startup.begin);
	container->id = hxpy_docker_create(name, body);
	MemoryContextSwitchTo(old);
	hxpy_sandbox_check(hxpy_docker_inspect(container->id), body);
	if (!is_listening)
		hxpy_network_make_key(&peer, container->id, container->directory.uid);
	startup.output = hxpy_docker_attach(container->id);
	hxpy_docker_start(container->id);
	if (is_listening)
	{
		/* The supervisor connects before it makes the worker. */
		container->control = accept_counted(container, listener, &startup);
		container->data = accept_counted(container, listener, &startup);
	}
	else
		connect_worker(container, options->network, &peer, &startup);
	hxpy_docker_stream_close(startup.output);
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

/* Start a container; on error nothing is left of it. */
static void
start_cold(Container *container, const ContainerOptions *options, const char *image_id)
{
	MemoryContext context = GetMemoryChunkContext(container);
	MemoryContext old = CurrentMemoryContext;
	char	   *name = hxpy_owner_new_name();
	volatile pgsocket listener = PGINVALID_SOCKET;

	PG_TRY();
	{
		hxpy_stats_set_container(options->slot, name);
		hxpy_directory_claim(&container->directory, context);
		if (hxpy_network_is_none(options->network))
			listener = hxpy_directory_listen(&container->directory, HXPY_SESSION_SOCKET);
		run_container(container, options, name, image_id, listener);
		if (listener != PGINVALID_SOCKET)
		{
			/* Nobody else gets in. */
			hxpy_directory_unlink(&container->directory, HXPY_SESSION_SOCKET);
			closesocket(listener);
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Undoing may fail itself, so that this error must be put away. */
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		undo_start(container, name, listener);
		hxpy_pool_leave();
		ReThrowError(error);
	}
	PG_END_TRY();
	hxpy_pool_leave();
}

/* Take a connection of a container that was ready; PGINVALID_SOCKET when none comes. */
static pgsocket
accept_ready(const PoolClaim *claim, pgsocket listener)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		pgsocket	socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		instr_time	now;
		long		left;

		if (socket != PGINVALID_SOCKET && hxpy_directory_is_peer(socket, claim->id))
		{
			if (AcquireExternalFD())
				return socket;
			closesocket(socket);
			return PGINVALID_SOCKET;
		}
		if (socket != PGINVALID_SOCKET)
			closesocket(socket);
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		left = READY_TIMEOUT_MS - (long) INSTR_TIME_GET_MILLISEC(now);
		if (left <= 0)
			return PGINVALID_SOCKET;
		(void) hxpy_http_drive(listener, left, HXPY_WAIT_POOL);
	}
}

/* Come to the end of a claim; what is not connected is given up. */
static void
end_claim(Container *container, const PoolClaim *claim, pgsocket listener, bool connected)
{
	if (listener != PGINVALID_SOCKET)
		closesocket(listener);
	hxpy_pool_end_claim(claim, connected);
	if (!connected)
	{
		hxpy_directory_close_socket(&container->control);
		hxpy_directory_leave(&container->directory);
	}
}

/*
 * Connect with a claimed container's worker.  False when it does not answer: it is of
 * no use, and somebody else removes it.
 */
static bool
connect_claimed(Container *container, const PoolClaim *claim)
{
	MemoryContext context = GetMemoryChunkContext(container);
	volatile pgsocket listener = PGINVALID_SOCKET;
	volatile bool connected = false;

	PG_TRY();
	{
		if (hxpy_directory_join(&container->directory, claim->uid, context))
		{
			listener = hxpy_directory_listen(&container->directory, HXPY_SESSION_SOCKET);
			container->control = accept_ready(claim, listener);
			if (container->control != PGINVALID_SOCKET)
				container->data = accept_ready(claim, listener);
			connected = container->data != PGINVALID_SOCKET;
			hxpy_directory_unlink(&container->directory, HXPY_SESSION_SOCKET);
		}
	}
	PG_CATCH();
	{
		end_claim(container, claim, listener, false);
		PG_RE_THROW();
	}
	PG_END_TRY();
	end_claim(container, claim, listener, connected);
	if (connected)
		container->id = MemoryContextStrdup(context, claim->id);
	return connected;
}

/* Fill the spec of the pool's containers that would do; false when none can be. */
static bool
make_spec(PoolSpec *spec, const ContainerOptions *options, const char *image)
{
	return hxpy_pool_has_launcher() && hxpy_network_is_none(options->network) &&
		hxpy_pool_make_spec(spec, image, MyDatabaseId, options->memory, options->cpus);
}

/* Take a container out of the pool, if one is ready. */
static bool
start_warm(Container *container, const ContainerOptions *options, const char *image)
{
	PoolSpec	spec;
	PoolClaim	claim;

	if (!make_spec(&spec, options, image))
		return false;
	while (hxpy_pool_claim(&spec, options->slot, &claim))
	{
		if (connect_claimed(container, &claim))
			return true;
	}
	return false;
}

/* Wait for our turn to start a container, and do so, unless the pool has one by then. */
static void
start_in_turn(Container *container, const ContainerOptions *options, const char *image,
			  const char *image_id)
{
	PoolSpec	spec;
	PoolClaim	claim;
	bool		pooled = make_spec(&spec, options, image);

	while (hxpy_pool_enter(pooled ? &spec : NULL, options->slot, &claim) == POOL_TURN_CLAIMED)
	{
		if (connect_claimed(container, &claim))
			return;
	}
	start_cold(container, options, image_id);
}

/*
 * Start a container, or take one out of the pool, and wait until its worker has
 * connected.  The engine is asked only where the pool has no container of the first
 * image of the list.
 */
Container *
hxpy_container_start(const ContainerOptions *options, MemoryContext context)
{
	Container  *container = MemoryContextAllocZero(context, sizeof(Container));
	const char *image = hxpy_image_first(options->images);
	const char *image_id;

	container->control = container->data = PGINVALID_SOCKET;
	container->directory.fd = -1;
	container->image = MemoryContextStrdup(context, image);
	check_descriptors();
	if (!start_warm(container, options, image))
	{
		if (!hxpy_pool_has_launcher())
			clean_up_once();
		image_id = hxpy_image_resolve(options->images, &image);
		container->image = MemoryContextStrdup(context, image);
		if (!hxpy_network_is_none(options->network))
			hxpy_network_resolve(options->network);
		start_in_turn(container, options, image, image_id);
	}
	hxpy_stats_set_started(options->slot, container->id, container->image, options->network);
	return container;
}

/*
 * Give a container's directory and user id free, and its sockets if they were not
 * handed over; does not ereport.
 */
void
hxpy_container_release(Container *container)
{
	hxpy_directory_close_socket(&container->control);
	hxpy_directory_close_socket(&container->data);
	hxpy_directory_release(&container->directory);
}
