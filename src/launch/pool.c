/*
 * pool.c
 *	  The pool of containers that wait for a session: shared memory.
 *
 * The launcher (launcher.c) fills slots, backends claim containers out of them.  At any
 * moment one process alone may change a slot, the one that its state names (pool.h), so
 * that the lock is held for moments only and never during a request to the engine.  A
 * process waits for its turn before it starts a container: no more than hxpy.pool_starts
 * are under way at once, and a backend that waits takes a container of the pool as soon
 * as there is one.
 *
 * Without shared_preload_libraries there is no shared memory, no launcher and no pool,
 * and nobody waits.  A backend that is killed takes all shared memory along.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/pool.h"
#include "launch/registry.h"
#include "wait.h"

PoolShared *hxpy_pool = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* what this backend must give back if it ends now */
static bool holds_turn = false;
static int	claimed_slot = -1;

/* ---------- start ---------- */

/* Ask for shared memory, for the registry of sessions, too. */
static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(PoolShared));
	RequestNamedLWLockTranche("hxpy_pool", 1);
	hxpy_registry_request_memory();
}

/* Make pool and registry, or find them. */
static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	hxpy_pool = ShmemInitStruct("hxpy pool", sizeof(PoolShared), &found);
	if (!found)
	{
		memset(hxpy_pool, 0, sizeof(PoolShared));
		hxpy_pool->lock = &GetNamedLWLockTranche("hxpy_pool")->lock;
		ConditionVariableInit(&hxpy_pool->turn);
	}
	hxpy_registry_start_memory();
	LWLockRelease(AddinShmemInitLock);
}

/* Hook into the making of shared memory; to be called while the server preloads libraries. */
void
hxpy_pool_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

/* ---------- the launcher, seen from backends ---------- */

/*
 * Return whether there is a launcher, which removes containers that have ended, and it
 * has the engine that the current settings name.
 */
bool
hxpy_pool_has_launcher(void)
{
	bool		found;

	if (hxpy_pool == NULL)
		return false;
	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	found = hxpy_pool->launcher_pid != 0 &&
		strncmp(hxpy_pool->launcher_host, hxpy_docker_host, HXPY_POOL_TEXT - 1) == 0;
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Wake the launcher; to be called with the lock. */
static void
wake_launcher(void)
{
	if (hxpy_pool->launcher_pid != 0)
		SetLatch(hxpy_pool->launcher_latch);
}

/* Tell the launcher that a session has ended; does not ereport. */
void
hxpy_pool_session_ended(void)
{
	if (hxpy_pool == NULL)
		return;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->ended++;
	wake_launcher();
	LWLockRelease(hxpy_pool->lock);
}

/* ---------- claims ---------- */

/* Copy a text into a spec; false when it is too long. */
static bool
put_text(char *to, const char *text)
{
	return strlcpy(to, text, HXPY_POOL_TEXT) < HXPY_POOL_TEXT;
}

/*
 * Fill a spec out of an image's name, limits and the current settings; the database
 * counts only with /io.  False when one of the texts is too long for a container of the
 * pool.
 */
bool
hxpy_pool_make_spec(PoolSpec *spec, const char *image, Oid database, int memory, double cpus)
{
	memset(spec, 0, sizeof(*spec));
	if (hxpy_io_directory[0])
	{
		spec->io_database = database;
		spec->io_mode = hxpy_io_mode;
	}
	spec->memory = memory;
	spec->pids_limit = hxpy_pids_limit;
	spec->tmp_size = hxpy_tmp_size;
	spec->uid_base = hxpy_uid_base;
	spec->cpus = cpus;
	return put_text(spec->image, image) && put_text(spec->runtime, hxpy_runtime) &&
		put_text(spec->docker_host, hxpy_docker_host) &&
		put_text(spec->socket_directory, hxpy_socket_directory) &&
		put_text(spec->io_directory, hxpy_io_directory);
}

/* Return the kind of a spec among so many, NULL when there is none. */
PoolKind *
hxpy_pool_find_kind(PoolKind *kinds, int count, const PoolSpec *spec)
{
	for (int i = 0; i < count; i++)
	{
		if (memcmp(&kinds[i].spec, spec, sizeof(*spec)) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Return the kind of a spec, NULL when there is none; to be called with the lock. */
static PoolKind *
find_kind(const PoolSpec *spec)
{
	return hxpy_pool_find_kind(hxpy_pool->kinds, hxpy_pool->nkinds, spec);
}

/*
 * Make a kind for a database's files, when its image has one, with the lock held; else
 * NULL.
 */
static PoolKind *
make_kind(const PoolSpec *spec)
{
	PoolSpec	pattern = *spec;
	PoolKind   *image;
	PoolKind   *kind;

	pattern.io_database = InvalidOid;
	image = find_kind(&pattern);
	if (image == NULL || hxpy_pool->nkinds == HXPY_POOL_KINDS)
		return NULL;
	kind = &hxpy_pool->kinds[hxpy_pool->nkinds];
	memset(kind, 0, sizeof(*kind));
	kind->spec = *spec;
	strlcpy(kind->image_id, image->image_id, sizeof(kind->image_id));
	hxpy_pool->nkinds++;
	return kind;
}

/* Give back what this backend holds, when it ends in the midst of a start. */
static void
give_back(int code, Datum arg)
{
	if (claimed_slot >= 0)
	{
		PoolClaim	claim = {.slot = claimed_slot};

		hxpy_pool_end_claim(&claim, false);
	}
	hxpy_pool_leave();
}

/* Register the exit callback, once in a backend. */
static void
watch_exit(void)
{
	static bool done = false;

	if (!done)
		before_shmem_exit(give_back, (Datum) 0);
	done = true;
}

/* Claim a container that is ready, with the lock held; false when there is none. */
static bool
claim_ready(const PoolSpec *spec, SessionSlot *session, PoolClaim *claim)
{
	PoolKind   *kind = find_kind(spec);

	if (kind == NULL && OidIsValid(spec->io_database))
		kind = make_kind(spec);
	if (kind == NULL)
		return false;
	kind->asked_at = GetCurrentTimestamp();
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state != POOL_READY || memcmp(&slot->spec, spec, sizeof(*spec)) != 0)
			continue;
		slot->state = POOL_CLAIMED;
		claimed_slot = claim->slot = i;
		strlcpy(claim->id, slot->id, sizeof(claim->id));
		claim->uid = slot->uid;
		/* In the pool or in a session's slot: the launcher finds it at any moment. */
		hxpy_registry_set_container(session, slot->name);
		kind->taken++;
		hxpy_registry_add(session, COUNT_POOL_HITS, 1);
		return true;
	}
	return false;
}

/* Claim a container that is ready; false when there is none. */
bool
hxpy_pool_claim(const PoolSpec *spec, SessionSlot *session, PoolClaim *claim)
{
	bool		claimed;

	watch_exit();
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	claimed = claim_ready(spec, session, claim);
	LWLockRelease(hxpy_pool->lock);
	return claimed;
}

/*
 * End a claim: the container has become a session's, or is of no use.  Does not
 * ereport.
 */
void
hxpy_pool_end_claim(const PoolClaim *claim, bool connected)
{
	claimed_slot = -1;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->slots[claim->slot].state = connected ? POOL_TAKEN : POOL_FAILED;
	wake_launcher();
	LWLockRelease(hxpy_pool->lock);
}

/* ---------- turns ---------- */

/* Take a turn to start a container, with the lock held; false when all are taken. */
static bool
take_turn(void)
{
	if (hxpy_pool->launcher_starts + hxpy_pool->backend_starts >= hxpy_pool_starts)
		return false;
	hxpy_pool->backend_starts++;
	holds_turn = true;
	return true;
}

/* Count a session that finds nothing ready, with the lock held. */
static void
count_miss(const PoolSpec *spec, SessionSlot *session)
{
	PoolKind   *kind = find_kind(spec);

	if (kind == NULL)
		return;
	kind->missed++;
	hxpy_registry_add(session, COUNT_POOL_MISSES, 1);
	wake_launcher();
}

/* Raise the error of a backend whose turn did not come. */
static void
raise_no_turn(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("no container could be started within hxpy.open_timeout"),
			 errdetail("At most %d containers are started at once (hxpy.pool_starts).",
					   hxpy_pool_starts),
			 errhint("Raise hxpy.open_timeout, now %d ms, or hxpy.pool_size.",
					 hxpy_open_timeout)));
}

/*
 * Wait until a container of this spec (NULL: none would do) is ready and claim it, or
 * until it is our turn to start one, which is false.  Raises an error after
 * hxpy.open_timeout.
 */
bool
hxpy_pool_enter(const PoolSpec *spec, SessionSlot *session, PoolClaim *claim)
{
	double		deadline = hxpy_wait_now() + hxpy_open_timeout;
	bool		claimed = false;

	if (!hxpy_pool_has_launcher())
		return false;
	watch_exit();
	for (;;)
	{
		long		left;

		LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
		claimed = spec != NULL && claim_ready(spec, session, claim);
		if (!claimed && take_turn() && spec != NULL)
			count_miss(spec, session);
		LWLockRelease(hxpy_pool->lock);
		if (claimed || holds_turn)
			break;
		left = (long) (deadline - hxpy_wait_now());
		if (left <= 0)
			raise_no_turn();
		/* The launcher may have gone meanwhile: look again now and then. */
		ConditionVariableTimedSleep(&hxpy_pool->turn, Min(left, 1000),
									hxpy_wait_event(HXPY_WAIT_POOL));
	}
	ConditionVariableCancelSleep();
	return claimed;
}

/* Give a turn back, if this backend has one; does not ereport. */
void
hxpy_pool_leave(void)
{
	if (!holds_turn)
		return;
	holds_turn = false;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->backend_starts--;
	wake_launcher();
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableBroadcast(&hxpy_pool->turn);
}
