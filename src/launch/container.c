/*
 * container.c
 *	  A session's container and the sockets of its worker: out of the pool, or started.
 *
 * It comes out of the pool (warm), or is launched here (cold), or is a place in one that the
 * role's sessions share.  A failure at any point
 * removes it by its name, which is made, and noted in the session's slot, before the
 * container is.  A running container ends with its control connection; then the launcher
 * removes it, or, without one, the engine (auto_remove).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/container.h"
#include "launch/iodir.h"
#include "launch/launch.h"
#include "launch/permit.h"
#include "launch/pool.h"
#include "launch/reaper.h"

#define READY_TIMEOUT_MS	2000	/* for a container of the pool to answer */
#define FORK_TIMEOUT_MS		10000	/* the same, of a shared one: many may come at once */
#define START_DESCRIPTORS	10		/* a session keeps 4; the rest is the engine's */

/* Hand what a launch has to its container. */
static void
take_over(Container *container, Launch *launch)
{
	MemoryContext context = GetMemoryChunkContext(container);

	container->id = MemoryContextStrdup(context, launch->id);
	container->directory = launch->directory;
	container->directory.path = MemoryContextStrdup(context, launch->directory.path);
	launch->directory.fd = -1;
	container->control = launch->sockets[0];
	container->data = launch->sockets[1];
	launch->sockets[0] = launch->sockets[1] = PGINVALID_SOCKET;
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

/* Start a container; on error nothing is left of it. */
static void
start_cold(Container *container, const ContainerOptions *options, const char *image_id)
{
	EngineSpec	spec = {
		.image_id = image_id,
		.io = hxpy_iodir_mount_source(MyDatabaseId),
		.network = hxpy_permit_no_network(options->network) ? NULL : options->network,
		.memory = options->memory,
		.cpus = options->cpus,
		.sessions = 1,
		/* The launcher removes what has ended: with it, engines may restart below us. */
		.auto_remove = !hxpy_pool_has_launcher()
	};
	MemoryContext context = CurrentMemoryContext;
	Launch	   *launch = hxpy_launch_create(LAUNCH_SESSION, &spec, container->image,
											options->session, hxpy_open_timeout);

	PG_TRY();
	{
		hxpy_registry_set_container(options->slot, launch->spec.name);
		hxpy_launch_begin(launch);
		if (!hxpy_launch_run(launch))
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("Python did not connect within hxpy.open_timeout"),
					 errhint("Raise hxpy.open_timeout, now %d ms, or look after the machine's load.",
							 hxpy_open_timeout)));
		take_over(container, launch);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Undoing may fail itself, so that this error must be put away. */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (launch->startup.start != NULL)
			hxpy_engine->undo_start(launch->startup.start);
		hxpy_launch_release(launch, true);
		hxpy_pool_leave();
		ReThrowError(error);
	}
	PG_END_TRY();
	hxpy_pool_leave();
}

/*
 * Connect with a claimed container's worker, or the one that is forked for us.  False when
 * the container does not answer: then the launcher removes it, a shared one when its other
 * sessions have ended.
 */
static bool
connect_claimed(Container *container, const ContainerOptions *options, const PoolClaim *claim)
{
	EngineSpec	spec = {0};
	Launch	   *launch = hxpy_launch_create(!options->shared ? LAUNCH_SESSION :
											claim->parent.number != 0 ? LAUNCH_HEIR : LAUNCH_FORK,
											&spec, container->image, options->session,
											options->shared ? FORK_TIMEOUT_MS : READY_TIMEOUT_MS);
	/* After an error of ours, as a cancel, a shared one is still of use. */
	volatile bool usable = options->shared;
	volatile bool connected = false;

	PG_TRY();
	{
		connected = hxpy_launch_begin_claimed(launch, claim->id, claim->uid) &&
			hxpy_launch_run(launch);
		usable = connected;
		if (connected)
			take_over(container, launch);
		container->shared = options->shared;
		container->by_parent = launch->kind == LAUNCH_HEIR;
		container->initialized = container->by_parent && claim->parent.initialized;
		container->started = container->by_parent && claim->parent.started;
	}
	PG_FINALLY();
	{
		hxpy_pool_end_claim(claim, usable);
		hxpy_launch_release(launch, false);
	}
	PG_END_TRY();
	return connected;
}

/*
 * Return whether a new session of the current role shares its container.  Who starts one in
 * a security-restricted operation may be another than the role that it is for.
 */
bool
hxpy_container_may_share(const char *network)
{
	return hxpy_share == HXPY_SHARE_ROLE && hxpy_permit_no_network(network) &&
		!InSecurityRestrictedOperation() && hxpy_pool_has_launcher() && hxpy_engine->count() == 1;
}

/* Fill the spec of the pool's containers that would do; false when none can be. */
static bool
make_spec(PoolSpec *spec, const ContainerOptions *options, const char *image)
{
	bool		made = hxpy_pool_has_launcher() && hxpy_engine->count() == 1 &&
		hxpy_permit_no_network(options->network) &&
		hxpy_pool_make_spec(spec, image, MyDatabaseId, options->memory, options->cpus);

	if (made && options->shared)
		hxpy_pool_share_spec(spec, GetUserId(), MyDatabaseId);
	return made;
}

/*
 * Take a container out of the pool, or start one, when it is our turn and the pool has
 * none by then; where sessions share them, take a place in one.  The engine is asked only
 * where the pool has no container of the first image of the list.
 */
static void
launch_container(Container *container, const ContainerOptions *options)
{
	MemoryContext context = GetMemoryChunkContext(container);
	const char *image = hxpy_permit_first_image(options->images);
	const char *image_id;
	PoolSpec	spec;
	PoolClaim	claim;
	bool		pooled = make_spec(&spec, options, image);

	container->image = MemoryContextStrdup(context, image);
	while (pooled && hxpy_pool_claim(&spec, options->slot, &claim))
	{
		if (connect_claimed(container, options, &claim))
			return;
	}
	if (!hxpy_pool_has_launcher())
		hxpy_reaper_clean_once();
	container->host = hxpy_engine->choose();
	image_id = hxpy_permit_find_image(options->images, &image);
	container->image = MemoryContextStrdup(context, image);
	if (!hxpy_permit_no_network(options->network))
		hxpy_engine->check_network(options->network);
	pooled = make_spec(&spec, options, image);
	while (hxpy_pool_enter(pooled ? &spec : NULL, image_id, options->slot, &claim))
	{
		if (connect_claimed(container, options, &claim))
			return;
	}
	start_cold(container, options, image_id);
}

/*
 * Start a container, or take one out of the pool, and wait until its worker has
 * connected.
 */
Container *
hxpy_container_start(const ContainerOptions *options, MemoryContext context)
{
	Container  *container = MemoryContextAllocZero(context, sizeof(Container));
	/* What a launch needs for itself does not live as long as the session. */
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "hxpy launch",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);

	container->control = container->data = PGINVALID_SOCKET;
	container->directory.fd = -1;
	check_descriptors();
	hxpy_pool_check_memory();
	launch_container(container, options);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(own);
	hxpy_registry_set_started(options->slot, container->id, container->image, options->network,
							  container->host);
	return container;
}

/*
 * Have the worker of a session in a shared container, which the engine names so, forked
 * into one for another session, and wait until that has its sockets.  `order` says so to
 * who has the first one; the worker itself is the caller's to ask.
 */
Container *
hxpy_container_clone(const ContainerOptions *options, const Container *origin, const char *name,
					 ForkOrder order, void *arg, MemoryContext context)
{
	Container  *container = MemoryContextAllocZero(context, sizeof(Container));
	EngineSpec	spec = {0};
	Launch	   *launch;

	container->control = container->data = PGINVALID_SOCKET;
	container->directory.fd = -1;
	container->shared = true;
	container->image = MemoryContextStrdup(context, origin->image);
	check_descriptors();
	hxpy_pool_join(name, options->slot);
	launch = hxpy_launch_create(LAUNCH_CLONE, &spec, container->image, options->session,
								FORK_TIMEOUT_MS);
	PG_TRY();
	{
		bool		connected = hxpy_launch_begin_claimed(launch, origin->id, origin->directory.uid);

		if (connected)
		{
			order(arg, launch->socket_name);
			connected = hxpy_launch_run(launch);
		}
		if (!connected)
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("the session's container does not answer"),
					 errhint("Look after the machine's load, or open the session anew.")));
		take_over(container, launch);
	}
	PG_FINALLY();
	{
		hxpy_launch_release(launch, false);
	}
	PG_END_TRY();
	container->host = origin->host;
	hxpy_registry_set_started(options->slot, container->id, container->image, options->network,
							  container->host);
	return container;
}

/*
 * Give a container's directory and user id free, and its sockets if they were not
 * handed over, and have what is left of the container removed; does not ereport.
 */
void
hxpy_container_release(Container *container)
{
	hxpy_directory_close_socket(&container->control);
	hxpy_directory_close_socket(&container->data);
	if (container->shared)
		hxpy_directory_leave(&container->directory);
	else
		hxpy_directory_release(&container->directory);
}
