/*
 * launch.c
 *	  Launches: how a worker comes to be.
 *
 * A Launch is stepped until the worker is connected.  Then it has the connections, the
 * sandbox's id, the claim on the directory, and the watch that notices its end.  A
 * backend drives one and waits (container.c), the launcher drives many (member.c).
 *
 * Without a network the server listens in a directory that is mounted into the
 * sandbox; with one the worker listens, and the directory serves only to claim the
 * user id.  A sandbox of the pool connects once to the launcher, and when a backend has
 * claimed it, twice to that, by a launch that begins with the sandbox at hand.  One that
 * sessions share does so for each backend that comes, and stays connected to the launcher.
 * There the directory hides its names, and nobody but the sandbox's first process counts:
 * other processes in it are a sibling's.
 *
 * A Launch lives in the memory context of its creation, owns its descriptors, counted,
 * and gives them up by hxpy_launch_release(), whatever has become of it.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "storage/fd.h"

#include "hxpy.h"
#include "launch/launch.h"
#include "launch/owner.h"

/* Of each kind the socket's name in the directory, and how many connections are wanted. */
static const struct
{
	const char *socket_name;
	int			wanted;
}			kinds[] = {
	[LAUNCH_SESSION] = {HXPY_SESSION_SOCKET, 2},
	[LAUNCH_POOL] = {HXPY_POOL_SOCKET, 1},
	[LAUNCH_SHARED] = {HXPY_SHARED_SOCKET, 1},
	[LAUNCH_FORK] = {HXPY_FORK_PREFIX, 2},	/* and random digits */
	[LAUNCH_HEIR] = {HXPY_HEIR_PREFIX, 2},	/* the same */
	[LAUNCH_CLONE] = {HXPY_CLONE_PREFIX, 2},
};

/* Fill memory with random bytes. */
static void
make_random(void *bytes, size_t length)
{
	if (!pg_strong_random(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
}

/* Return the name of a launch's socket. */
static const char *
make_socket_name(LaunchKind kind)
{
	uint64		digits[2];

	if (kind < LAUNCH_FORK)
		return kinds[kind].socket_name;
	make_random(digits, sizeof(digits));
	return psprintf("%s%016llx%016llx", kinds[kind].socket_name,
					(unsigned long long) digits[0], (unsigned long long) digits[1]);
}

/*
 * Make a launch.  The spec says all but the sandbox's name, labels, user and directory;
 * the image's name is for messages, the session's for labels, NULL in the pool.
 */
Launch *
hxpy_launch_create(LaunchKind kind, const EngineSpec *spec, const char *image,
				   const char *session, long limit_ms)
{
	Launch	   *launch = palloc0(sizeof(Launch));

	launch->kind = kind;
	launch->spec = *spec;
	launch->spec.name = hxpy_owner_new_name();
	launch->session = session;
	launch->startup.image = image;
	launch->startup.limit_ms = limit_ms;
	launch->directory.fd = -1;
	launch->listener = launch->sockets[0] = launch->sockets[1] = PGINVALID_SOCKET;
	launch->socket_name = make_socket_name(kind);
	launch->startup.begun = hxpy_wait_now();
	return launch;
}

/* Count a descriptor or raise an error. */
static void
count_descriptor(void)
{
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another container"),
				 errhint("Close sessions, lower hxpy.pool_size, or raise max_files_per_process.")));
}

/* Listen for the worker. */
static void
listen_for_worker(Launch *launch)
{
	count_descriptor();
	launch->listener = hxpy_directory_listen(&launch->directory, launch->socket_name);
}

/* Claim a directory, listen in it, and let the engine begin to make the sandbox. */
void
hxpy_launch_begin(Launch *launch)
{
	EngineSpec *spec = &launch->spec;

	spec->labels = hxpy_owner_labels(launch->session);
	hxpy_directory_claim(&launch->directory, CurrentMemoryContext);
	spec->uid = launch->directory.uid;
	spec->socket_directory = launch->directory.path;
	if (spec->network == NULL)
		listen_for_worker(launch);
	else
	{
		make_random(launch->key, HXPY_KEY_SIZE);
		spec->key = launch->key;
	}
	launch->startup.start = hxpy_engine->begin_start(spec);
}

/*
 * Begin with a sandbox of the pool, or that sessions share, which waits for a socket in its
 * directory; false when it is gone.
 */
bool
hxpy_launch_begin_claimed(Launch *launch, const char *id, int uid)
{
	if (!hxpy_directory_join(&launch->directory, uid, CurrentMemoryContext))
		return false;
	listen_for_worker(launch);
	launch->id = pstrdup(id);
	launch->step = LAUNCH_CONNECTING;
	return true;
}

/* Connect to a worker that listens in its network. */
static void
connect_worker(Launch *launch)
{
	TcpPeer		peer = {.key = launch->key};

	if (!hxpy_engine->find_address(launch->startup.start, &peer.address, &peer.port))
		peer.address = NULL;
	for (; launch->nsockets < kinds[launch->kind].wanted; launch->nsockets++)
		hxpy_connect_network(&launch->startup, &peer,
							 launch->nsockets == 0 ? HXPY_ROLE_CONTROL : HXPY_ROLE_DATA,
							 &launch->sockets[launch->nsockets]);
}

/* Accept the connections that have come. */
static void
accept_worker(Launch *launch)
{
	bool		shared = launch->kind >= LAUNCH_FORK;

	while (launch->nsockets < kinds[launch->kind].wanted)
	{
		pgsocket	socket = accept4(launch->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (socket == PGINVALID_SOCKET)
			return;
		if (!hxpy_engine->is_peer(socket, launch->id, shared))
		{
			closesocket(socket);
			if (shared)
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
					 errmsg("a process outside the container has connected to its socket"),
					 errhint("Check who may enter \"%s\"; see docs/security.md for servers that run in containers themselves.",
							 launch->directory.path)));
		}
		if (!AcquireExternalFD())
		{
			closesocket(socket);
			count_descriptor();
		}
		launch->sockets[launch->nsockets++] = socket;
	}
}

/*
 * Go on as far as engine and worker have come; true once the worker is connected.  Only
 * the connection to a network waits.  The caller checks whether the sandbox has ended.
 */
bool
hxpy_launch_step(Launch *launch)
{
	if (launch->step == LAUNCH_STARTING)
	{
		if (!hxpy_engine->step_start(launch->startup.start))
			return false;
		launch->id = hxpy_engine->started_id(launch->startup.start);
		launch->step = LAUNCH_CONNECTING;
	}
	if (launch->step == LAUNCH_CONNECTING)
	{
		if (launch->spec.network != NULL)
			connect_worker(launch);
		else
			accept_worker(launch);
		if (launch->nsockets < kinds[launch->kind].wanted)
			return false;
		/* Nobody else gets in. */
		if (launch->listener != PGINVALID_SOCKET)
			hxpy_directory_unlink(&launch->directory, launch->socket_name);
		hxpy_directory_close_socket(&launch->listener);
		launch->step = LAUNCH_CONNECTED;
	}
	return true;
}

/* Drive one launch to its end; false when its limit is over. */
bool
hxpy_launch_run(Launch *launch)
{
	while (!hxpy_launch_step(launch))
	{
		/* The engine's answers have a limit of their own. */
		if (launch->step == LAUNCH_STARTING)
			(void) hxpy_engine->wait(PGINVALID_SOCKET, -1, HXPY_WAIT_ENGINE);
		else if (!hxpy_connect_wait(&launch->startup, launch->listener, -1))
			return false;
	}
	hxpy_launch_end_watch(launch);
	return true;
}

/* End the watch: from now on the end of its connection shows that the sandbox has ended. */
void
hxpy_launch_end_watch(Launch *launch)
{
	if (launch->startup.start != NULL)
		hxpy_engine->end_watch(launch->startup.start);
	launch->startup.start = NULL;
}

/*
 * Give up what a launch owns and has not handed over: sockets, and the directory, which
 * goes with `remove` and else is left to those who share it.  The sandbox is for others
 * to remove.  Does not ereport.
 */
void
hxpy_launch_release(Launch *launch, bool remove)
{
	hxpy_directory_close_socket(&launch->listener);
	for (int i = 0; i < lengthof(launch->sockets); i++)
		hxpy_directory_close_socket(&launch->sockets[i]);
	if (remove)
		hxpy_directory_release(&launch->directory);
	else
		hxpy_directory_leave(&launch->directory);
}
