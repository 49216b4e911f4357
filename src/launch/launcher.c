/*
 * launcher.c
 *	  The launcher: a background worker that fills the pool and reaps containers.
 *
 * The containers of the pool are member.c's, what is removed is reaper.c's; here are
 * the kinds of containers that are kept, and the loop that drives all.
 *
 * Everything happens in one loop that waits for the latch, the engine's answers and the
 * members' sockets together; the shared lock is held for moments, never while it
 * talks to the engine.  An error ends the step that raised it, is logged, and slows
 * further starts of that kind down.  It is connected to no database, so that each may be
 * dropped.
 */
#include "postgres.h"

#include <sys/epoll.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/directory.h"
#include "launch/launcher.h"
#include "launch/member.h"
#include "launch/notes.h"
#include "launch/permit.h"
#include "launch/pool.h"
#include "launch/reaper.h"
#include "launch/sampler.h"
#include "text.h"

#define RESTART_SECONDS		2	/* after the launcher has failed */
#define IMAGES_MS			5000	/* between looks at the images' ids */
#define SAMPLE_MS			10000	/* between looks at memory and CPU */
#define ENGINE_RETRY_MS		1000
#define YIELD_MS			30	/* of refilling to a session that has just come */
#define STOP_MS				5000	/* for cleaning up before the server stops */
#define STOP_REQUEST_MS		1000
#define STOP_STEP_MS		50

static uint64 seen_ended = 0;
static TimestampTz images_at = 0;
static TimestampTz sample_at = 0;

/* ---------- kinds ---------- */

/*
 * Look up the id of a kind's image; an engine that does not answer is an error and
 * changes nothing.
 */
static void
look_up_image(int kind)
{
	PoolKind   *shared = &hxpy_pool->kinds[kind];
	const char *image = shared->spec.image;
	const char *volatile id = NULL;
	char	   *volatile error = NULL;

	PG_TRY();
	{
		id = hxpy_engine->find_image(image);
	}
	PG_CATCH();
	{
		/* An invalid name in hxpy.pool_images fails its own kind only. */
		if (ProcDiePending || (geterrcode() != ERRCODE_INVALID_NAME &&
							   geterrcode() != ERRCODE_INVALID_PARAMETER_VALUE))
			PG_RE_THROW();
		error = hxpy_notes_take_error();
	}
	PG_END_TRY();
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	strlcpy(shared->image_id, id ? id : "", sizeof(shared->image_id));
	LWLockRelease(hxpy_pool->lock);
	if (id == NULL && !shared->error[0])
		hxpy_notes_start(kind, error ? error :
								 psprintf("the Docker engine has no image \"%s\"", image));
}

/* Look up the ids of the kinds' images. */
static void
look_up_images(void)
{
	images_at = hxpy_notes_in_ms(IMAGES_MS);
	for (int i = 0; i < hxpy_pool->nkinds; i++)
		look_up_image(i);
}

/* Return whether a database is still there. */
static bool
has_database(Oid database)
{
	MemoryContext context = CurrentMemoryContext;
	bool		found;

	StartTransactionCommand();
	found = get_database_name(database) != NULL;
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return found;
}

/* Return whether there is a container of a kind. */
static bool
has_member(int kind)
{
	ListCell   *cell;

	foreach(cell, hxpy_members)
	{
		if (hxpy_member_kind(lfirst(cell)) == kind)
			return true;
	}
	return false;
}

/* Return whether a kind is of no use any more. */
static bool
is_over(int number)
{
	const PoolKind *kind = &hxpy_pool->kinds[number];
	Oid			database = kind->spec.io_database;

	if (hxpy_pool_is_shared(&kind->spec))
	{
		if (kind->wanted == 0 && !has_member(number))
			return true;
		database = kind->spec.database;
	}
	return OidIsValid(database) && !has_database(database);
}

/*
 * Forget the kinds of databases that were dropped, and those of roles whose sessions have
 * long ended.
 */
static void
drop_kinds(void)
{
	for (int i = hxpy_pool->nkinds - 1; i >= 0; i--)
	{
		if (!is_over(i))
			continue;
		LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
		hxpy_pool->kinds[i] = hxpy_pool->kinds[--hxpy_pool->nkinds];
		LWLockRelease(hxpy_pool->lock);
	}
}

/*
 * Make a kind of each image of the pool; those that stay keep their counters, and their
 * databases' kinds.  Those of roles stay as they are: nobody asks for one that is out of date.
 */
static void
make_kinds(void)
{
	static PoolKind kinds[HXPY_POOL_KINDS];
	/* Containers of the pool have no network, and one engine; else sessions would not take them. */
	List	   *images = hxpy_permit_no_network(hxpy_network) && hxpy_engine->count() == 1 ?
		hxpy_text_split(hxpy_pool_images) : NIL;
	ListCell   *cell;
	int			count = 0;
	int			patterns;

	memset(kinds, 0, sizeof(kinds));
	foreach(cell, images)
	{
		PoolSpec	spec;

		if (count == HXPY_POOL_KINDS ||
			!hxpy_pool_make_spec(&spec, lfirst(cell), InvalidOid,
								 Min(hxpy_memory, hxpy_max_memory),
								 Min(hxpy_cpus, hxpy_max_cpus)))
		{
			ereport(LOG, (errmsg("hxpy launcher: no pool of image \"%s\"", (char *) lfirst(cell)),
						  errdetail("hxpy.pool_images may name %d images, and no setting of containers may have more than %d bytes.",
									HXPY_POOL_KINDS, HXPY_POOL_TEXT - 1)));
			continue;
		}
		if (hxpy_pool_find_kind(kinds, count, &spec) != NULL)
			continue;
		kinds[count].spec = spec;
		kinds[count].asked_at = GetCurrentTimestamp();
		count++;
	}
	patterns = count;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		PoolKind   *old = &hxpy_pool->kinds[i];
		PoolSpec	pattern = old->spec;
		PoolKind   *kind;

		pattern.io_database = InvalidOid;
		kind = hxpy_pool_find_kind(kinds, patterns, &pattern);
		if (hxpy_pool_is_shared(&old->spec) || (kind != NULL && OidIsValid(old->spec.io_database)))
			kind = count < HXPY_POOL_KINDS ? &kinds[count++] : NULL;
		if (kind == NULL)
			continue;
		*kind = *old;
		kind->retry_at = 0;
		kind->backoff_ms = 0;
	}
	memcpy(hxpy_pool->kinds, kinds, sizeof(kinds));
	hxpy_pool->nkinds = count;
	strlcpy(hxpy_pool->launcher_host, hxpy_docker_host, HXPY_POOL_TEXT);
	LWLockRelease(hxpy_pool->lock);
}

/* Return whether a kind is only the pattern for kinds of databases. */
static bool
is_pattern(const PoolKind *kind)
{
	return kind->spec.io_directory[0] && !OidIsValid(kind->spec.io_database);
}

/* Remove the members that nobody wants, and start those that are missing. */
static void
fill_pool(void)
{
	int			count[HXPY_POOL_KINDS] = {0};
	TimestampTz now = GetCurrentTimestamp();
	List	   *list = list_copy(hxpy_members);
	ListCell   *cell;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		PoolKind   *kind = &hxpy_pool->kinds[i];
		bool		idle = hxpy_pool_idle > 0 &&
			TimestampDifferenceExceeds(kind->asked_at, now, hxpy_pool_idle * 1000);

		if (idle || !kind->image_id[0] || is_pattern(kind))
			kind->wanted = 0;
		else if (!hxpy_pool_is_shared(&kind->spec))
			kind->wanted = hxpy_pool_size;
	}
	LWLockRelease(hxpy_pool->lock);
	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);
		int			kind = hxpy_member_kind(member);

		if (member->step == MEMBER_CLAIMED)
			continue;
		if (kind >= 0 && !hxpy_member_is_retired(member) &&
			(count[kind] < hxpy_pool->kinds[kind].wanted || hxpy_member_is_used(member)))
			count[kind]++;
		else if (member->step != MEMBER_STARTING &&
				 (member->step != MEMBER_READY || hxpy_member_withdraw(member)))
			hxpy_member_forget(member, true);
		else if (kind < 0)
			hxpy_member_retire(member, true);
	}
	/* The next look at images and containers notices that it is back. */
	if (hxpy_notes_lacks_engine())
		return;
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		PoolKind   *kind = &hxpy_pool->kinds[i];

		/* A session that is just being opened needs the processors more. */
		if (count[i] > 0)
			kind->retry_at = Max(kind->retry_at,
								 TimestampTzPlusMilliseconds(kind->asked_at, YIELD_MS));
		while (count[i] < kind->wanted && kind->retry_at <= now && hxpy_member_start(i))
			count[i]++;
	}
}

/* Do what is due: look at the images, at the containers, at their memory and CPU. */
static void
do_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	/* The look at memory and CPU asks the engine later, elsewhere. */
	bool		asks = (images_at <= now && hxpy_pool->nkinds > 0) || hxpy_reaper_due <= now;

	if (Min(Min(images_at, hxpy_reaper_due), sample_at) > now)
		return;
	PG_TRY();
	{
		if (images_at <= now)
		{
			drop_kinds();
			look_up_images();
		}
		if (hxpy_reaper_due <= now)
			hxpy_reaper_sweep();
		if (sample_at <= now)
		{
			sample_at = hxpy_notes_in_ms(SAMPLE_MS);
			hxpy_sampler_begin();
			hxpy_member_measure_all();
		}
		if (asks)
			hxpy_notes_engine(NULL);
	}
	PG_CATCH();
	{
		TimestampTz retry = hxpy_notes_in_ms(ENGINE_RETRY_MS);
		char	   *error;

		if (ProcDiePending)
			PG_RE_THROW();
		error = hxpy_notes_take_error();
		/* It may come out of has_database(). */
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(hxpy_launcher_round);
		hxpy_notes_engine(error);
		images_at = Max(images_at, retry);
		hxpy_reaper_due = Max(hxpy_reaper_due, retry);
		sample_at = Max(sample_at, retry);
	}
	PG_END_TRY();
}

/* ---------- the loop ---------- */

/* See whether sessions have ended; their containers end a moment later. */
static void
notice_ends(void)
{
	uint64		ended;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	ended = hxpy_pool->ended;
	LWLockRelease(hxpy_pool->lock);
	if (ended != seen_ended)
		hxpy_reaper_hurry(HXPY_REAPER_SOON_MS);
	seen_ended = ended;
}

/* Return the milliseconds until something is due by the clock. */
static long
time_left(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = Min(Min(hxpy_reaper_due, images_at), sample_at);
	ListCell   *cell;

	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		if (hxpy_pool->kinds[i].retry_at > now)
			next = Min(next, hxpy_pool->kinds[i].retry_at);
	}
	foreach(cell, hxpy_members)
	{
		Member	   *member = lfirst(cell);

		if (member->step == MEMBER_WARMING)
			next = Min(next, TimestampTzPlusMilliseconds(member->begun, HXPY_MEMBER_READY_MS));
	}
	return TimestampDifferenceMilliseconds(now, next);
}

/* Run one turn of the loop. */
static void
run_round(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		make_kinds();
		images_at = 0;
	}
	notice_ends();
	do_due();
	hxpy_member_handle_slots();
	hxpy_member_step_all();
	hxpy_reaper_end_removals();
	hxpy_sampler_step();
	fill_pool();
	(void) hxpy_engine->wait(hxpy_member_events, time_left(), HXPY_WAIT_LAUNCHER);
}

/* Run one turn of the loop; only termination is no error that ends the process. */
static void
run_until_error(void)
{
	PG_TRY();
	{
		run_round();
	}
	PG_CATCH();
	{
		if (!ProcDiePending)
			PG_RE_THROW();
		(void) hxpy_notes_take_error();
	}
	PG_END_TRY();
}

/* Leave no word of this process in shared memory. */
static void
leave_pool(int code, Datum arg)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->launcher_pid = 0;
	hxpy_pool->launcher_latch = NULL;
	hxpy_pool->launcher_starts = 0;
	/* They end with this process, but for those that a backend has claimed. */
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state != POOL_CLAIMED)
			slot->state = POOL_FREE;
	}
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableBroadcast(&hxpy_pool->turn);
}

/*
 * Clean up before the server stops: close the pool, and remove containers until none
 * is left.  Backends end meanwhile; those that are slow leave theirs to the next start.
 */
static void
stop(void)
{
	TimestampTz deadline = hxpy_notes_in_ms(STOP_MS);
	TimestampTz created = hxpy_notes_in_ms(STOP_REQUEST_MS);

	HOLD_INTERRUPTS();
	/* Nobody else reads it in this process any more. */
	hxpy_docker_timeout = Min(hxpy_docker_timeout, STOP_REQUEST_MS);
	/* What is not there yet cannot be removed. */
	while (hxpy_member_any_creating() && GetCurrentTimestamp() < created)
		(void) hxpy_engine->wait(PGINVALID_SOCKET, STOP_STEP_MS, HXPY_WAIT_ENGINE);
	hxpy_member_forget_all();
	while (GetCurrentTimestamp() < deadline)
	{
		MemoryContextReset(hxpy_launcher_round);
		if (!hxpy_reaper_sweep_at_stop())
			break;
		(void) hxpy_engine->wait(PGINVALID_SOCKET, STOP_STEP_MS, HXPY_WAIT_ENGINE);
		hxpy_reaper_end_removals();
	}
	hxpy_directory_clean();
}

/* Run the launcher. */
void
hxpy_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	hxpy_launcher_context = AllocSetContextCreate(TopMemoryContext, "hxpy launcher",
											 ALLOCSET_DEFAULT_SIZES);
	hxpy_launcher_round = AllocSetContextCreate(hxpy_launcher_context, "hxpy launcher's round",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(hxpy_launcher_round);
	hxpy_member_events = epoll_create1(EPOLL_CLOEXEC);
	if (hxpy_member_events < 0)
		elog(ERROR, "epoll_create1 failed: %m");
	before_shmem_exit(leave_pool, (Datum) 0);
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->launcher_pid = MyProcPid;
	hxpy_pool->launcher_latch = MyLatch;
	seen_ended = hxpy_pool->ended;
	LWLockRelease(hxpy_pool->lock);
	make_kinds();
	while (!ProcDiePending)
	{
		MemoryContextReset(hxpy_launcher_round);
		run_until_error();
	}
	stop();
	/* Status 0 would end it for ever; the server may go on. */
	proc_exit(1);
}

/* Register the background worker. */
void
hxpy_launcher_init(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_ConsistentState,
		.bgw_restart_time = RESTART_SECONDS,
		.bgw_library_name = "hxpy",
		.bgw_function_name = "hxpy_launcher_main",
		.bgw_name = "hxpy launcher",
		.bgw_type = "hxpy launcher"
	};

	RegisterBackgroundWorker(&worker);
}
