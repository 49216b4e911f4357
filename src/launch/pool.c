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
 * A container that sessions share stays in its slot, READY, as long as it is there; how
 * many sessions it has the registry knows, which is asked with the lock held where a place
 * is taken.  Backends never start one: they say that one more is wanted, and wait.
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
#include "text.h"
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
	spec->sessions = 1;
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

/* Make a spec one of containers that a role's sessions in a database share. */
void
hxpy_pool_share_spec(PoolSpec *spec, Oid role, Oid database)
{
	spec->role = role;
	spec->database = database;
	spec->sessions = hxpy_sessions_per_container;
	spec->memory = hxpy_role_memory / hxpy_containers_per_role;
	spec->cpus = Max(hxpy_role_cpus / hxpy_containers_per_role, HXPY_MIN_CPUS);
}

/* Return whether sessions share the containers of a spec. */
bool
hxpy_pool_is_shared(const PoolSpec *spec)
{
	return OidIsValid(spec->role);
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

/* Make a kind, with the lock held; NULL when there are too many. */
static PoolKind *
append_kind(const PoolSpec *spec, const char *image_id)
{
	PoolKind   *kind;

	if (hxpy_pool->nkinds == HXPY_POOL_KINDS)
		return NULL;
	kind = &hxpy_pool->kinds[hxpy_pool->nkinds++];
	memset(kind, 0, sizeof(*kind));
	kind->spec = *spec;
	strlcpy(kind->image_id, image_id, sizeof(kind->image_id));
	return kind;
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

	pattern.io_database = InvalidOid;
	image = find_kind(&pattern);
	return image == NULL ? NULL : append_kind(spec, image->image_id);
}

/* ---------- memory ---------- */

/* Return how many sessions live in the container of a slot. */
static int
count_users(const PoolSlot *slot)
{
	return slot->state == POOL_STARTING ? 0 : hxpy_registry_count_users(slot->name);
}

/*
 * Return whether a shared container has sessions, or a parent of sessions, or is about to,
 * with the lock held: then it may take what it is allowed to.
 */
static bool
is_in_use(const PoolSlot *slot)
{
	return slot->state != POOL_FREE && hxpy_pool_is_shared(&slot->spec) &&
		(slot->state == POOL_STARTING || slot->parent.number != 0 || count_users(slot) > 0);
}

/*
 * Return what all sessions may take (MB), with the lock held: those with a container of
 * their own, and shared containers.
 */
static int64
total_memory(void)
{
	int64		total = hxpy_registry_reserved();

	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		const PoolSlot *slot = &hxpy_pool->slots[i];

		if (is_in_use(slot))
			total += slot->spec.memory;
	}
	return total;
}

/*
 * Return whether a role may have one more container in use, whatever its database and
 * image, with the lock held.  Those from before its limits or an image were changed do not
 * count: only a superuser brings that about, and they go with their last sessions.
 */
static bool
has_allowance(const PoolSpec *spec)
{
	int			count = 0;

	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		const PoolSlot *slot = &hxpy_pool->slots[i];

		count += is_in_use(slot) && !slot->outdated && slot->spec.role == spec->role &&
			slot->spec.memory == spec->memory && slot->spec.cpus == spec->cpus;
	}
	return count < hxpy_containers_per_role;
}

/* Return whether so much memory (MB) more is within the limit, with the lock held. */
static bool
has_memory(int more)
{
	return hxpy_max_total_memory == 0 || total_memory() + more <= hxpy_max_total_memory;
}

/* Raise the error of a session that would take too much. */
static void
raise_no_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("no memory for another Python session in this server"),
			 errdetail("All sessions together may take %d MB by their limits.",
					   hxpy_max_total_memory),
			 errhint("Close some with py_close, open it with less (hxpy.memory), or raise hxpy.max_total_memory.")));
}

/* Raise the error of a role that would take too much. */
static void
raise_no_allowance(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("no memory for another container of the role's Python sessions"),
			 errdetail("The role's sessions may live in %d containers at once, of all databases and images; each has its part of hxpy.role_memory.",
					   hxpy_containers_per_role),
			 errhint("Close those in other databases or images, call py_unshare() there, or raise hxpy.containers_per_role or hxpy.sessions_per_container.")));
}

/* Raise an error if the sessions there are, with one whose slot says so, may take too much. */
void
hxpy_pool_check_memory(void)
{
	bool		enough;

	if (hxpy_pool == NULL || hxpy_max_total_memory == 0)
		return;
	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	enough = has_memory(0);
	LWLockRelease(hxpy_pool->lock);
	if (!enough)
		raise_no_memory();
}

/* ---------- what a backend holds ---------- */

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

/* Return whether a shared container has a place for a session, with the lock held. */
static bool
has_place(const PoolSlot *slot)
{
	int			users = count_users(slot);

	return users < slot->spec.sessions &&
		(is_in_use(slot) || (has_memory(slot->spec.memory) && has_allowance(&slot->spec)));
}

/* Return whether a slot has a shared container of a spec with a parent, with the lock held. */
static bool
has_parent(const PoolSlot *slot, const PoolSpec *spec)
{
	return slot->state == POOL_READY && slot->parent.number != 0 &&
		memcmp(&slot->spec, spec, sizeof(*spec)) == 0;
}

/*
 * Return whether sessions of a spec are forked from a parent of py_share, with the lock
 * held, which is given up before an error: in another container they would not find what
 * they expect.
 */
static bool
expects_parent(const PoolSpec *spec)
{
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		if (!has_parent(&hxpy_pool->slots[i], spec))
			continue;
		if (has_place(&hxpy_pool->slots[i]))
			return true;
		LWLockRelease(hxpy_pool->lock);
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no place for another session in the container of the role's parent"),
				 errdetail("Sessions are forked from the one that py_share has made the parent, in its container only."),
				 errhint("Close some, raise hxpy.sessions_per_container, now %d, or call py_unshare().",
						 spec->sessions)));
	}
	return false;
}

/* Claim a container that is ready, with the lock held; false when there is none. */
static bool
claim_ready(const PoolSpec *spec, SessionSlot *session, PoolClaim *claim)
{
	PoolKind   *kind = find_kind(spec);
	bool		by_parent;

	if (kind == NULL && OidIsValid(spec->io_database))
		kind = make_kind(spec);
	if (kind == NULL)
		return false;
	kind->asked_at = GetCurrentTimestamp();
	by_parent = hxpy_pool_is_shared(spec) && expects_parent(spec);
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state != POOL_READY || memcmp(&slot->spec, spec, sizeof(*spec)) != 0)
			continue;
		if (!hxpy_pool_is_shared(spec))
			slot->state = POOL_CLAIMED;
		else if (!has_place(slot) || (by_parent && slot->parent.number == 0))
			continue;
		claim->parent = slot->parent;
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

/* Return in what state a container is after a claim. */
static PoolState
state_after(const PoolSlot *slot, bool connected)
{
	if (hxpy_pool_is_shared(&slot->spec))
		return connected ? slot->state : POOL_RETIRED;
	return connected ? POOL_TAKEN : POOL_FAILED;
}

/*
 * End a claim: the container, or its place, has become a session's, or is of no use.  Does
 * not ereport.
 */
void
hxpy_pool_end_claim(const PoolClaim *claim, bool connected)
{
	PoolSlot   *slot = &hxpy_pool->slots[claim->slot];

	claimed_slot = -1;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	/* A shared one may be gone meanwhile, and its slot another's. */
	if (!hxpy_pool_is_shared(&slot->spec) || strcmp(slot->id, claim->id) == 0)
		slot->state = state_after(slot, connected);
	if (!connected || !hxpy_pool_is_shared(&slot->spec))
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
 * Ask the launcher for one more container of a shared kind, unless one is starting, with
 * the lock held, which is given up before an error: it would take too much memory.
 */
static void
ask_for_container(PoolKind *kind)
{
	void		(*raise_refusal) (void);
	int			count = 0;

	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		const PoolSlot *slot = &hxpy_pool->slots[i];

		if (memcmp(&slot->spec, &kind->spec, sizeof(PoolSpec)) != 0)
			continue;
		if (slot->state == POOL_STARTING)
			return;
		count += slot->state == POOL_READY;
	}
	raise_refusal = !has_allowance(&kind->spec) ? raise_no_allowance :
		!has_memory(kind->spec.memory) ? raise_no_memory : NULL;
	if (raise_refusal != NULL)
	{
		LWLockRelease(hxpy_pool->lock);
		raise_refusal();
	}
	kind->wanted = count + 1;
	wake_launcher();
}

/* Raise the error of a session for which no shared container could be started. */
static void
raise_no_shared(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("no container could be started for the role's sessions to share"),
			 detail[0] ? errdetail("%s", hxpy_text_clean(detail, strlen(detail))) : 0,
			 errhint("See hxpy_stat_pool, or set hxpy.share to off.")));
}

/*
 * See that a shared container is on its way for a session that has found none, with the
 * lock held, which is given up before an error.  `failed` counts starts that had failed
 * before, -1 at first.
 */
static void
await_shared(const PoolSpec *spec, const char *image_id, SessionSlot *session, int64 *failed)
{
	PoolKind   *kind = find_kind(spec);
	char		error[HXPY_POOL_TEXT] = "hxpy.share is on for too many roles, databases and images at once.";

	if (kind == NULL)
		kind = append_kind(spec, image_id);
	if (kind != NULL && *failed < 0)
	{
		*failed = kind->failed;
		count_miss(spec, session);
		kind->asked_at = GetCurrentTimestamp();
	}
	if (kind == NULL || kind->failed > *failed)
	{
		if (kind != NULL)
			strlcpy(error, kind->error, sizeof(error));
		LWLockRelease(hxpy_pool->lock);
		raise_no_shared(error);
	}
	ask_for_container(kind);
}

/*
 * Wait until a container of this spec (NULL: none would do) is ready and claim it, or
 * until it is our turn to start one, which is false, and not so of shared ones.  Raises an
 * error after hxpy.open_timeout.  The image's id is that of the spec's.
 */
bool
hxpy_pool_enter(const PoolSpec *spec, const char *image_id, SessionSlot *session,
				PoolClaim *claim)
{
	double		deadline = hxpy_wait_now() + hxpy_open_timeout;
	bool		shared = spec != NULL && hxpy_pool_is_shared(spec);
	bool		claimed = false;
	int64		failed = -1;

	if (!hxpy_pool_has_launcher())
		return false;
	watch_exit();
	for (;;)
	{
		long		left;

		LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
		claimed = spec != NULL && claim_ready(spec, session, claim);
		if (!claimed && shared)
			await_shared(spec, image_id, session, &failed);
		else if (!claimed && take_turn() && spec != NULL)
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

/* ---------- sessions that are forked from others ---------- */

/* Find the slot of a shared container that takes sessions, with the lock held; or NULL. */
static PoolSlot *
find_shared(const char *container)
{
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state == POOL_READY && hxpy_pool_is_shared(&slot->spec) &&
			strcmp(slot->name, container) == 0)
			return slot;
	}
	return NULL;
}

/* Take a place for a session in the container of another, or raise an error. */
void
hxpy_pool_join(const char *container, SessionSlot *session)
{
	bool		joined;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	joined = hxpy_registry_count_users(container) < hxpy_sessions_per_container;
	if (joined)
		hxpy_registry_set_container(session, container);
	LWLockRelease(hxpy_pool->lock);
	if (!joined)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no place for another session in the container of the one to clone"),
				 errhint("Close some, or raise hxpy.sessions_per_container, now %d.",
						 hxpy_sessions_per_container)));
}

/* Raise an error unless sessions can still come to a shared container. */
void
hxpy_pool_check_share(const char *container)
{
	bool		found;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	found = find_shared(container) != NULL;
	LWLockRelease(hxpy_pool->lock);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the session's container takes no more sessions"),
				 errdetail("Settings, the image or the launcher have changed since it was started."),
				 errhint("Open a new session, and share that.")));
}

/* Return a number for a parent. */
uint32
hxpy_pool_number_parent(void)
{
	uint32		number;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	if (++hxpy_pool->parents == 0)
		hxpy_pool->parents = 1;
	number = hxpy_pool->parents;
	LWLockRelease(hxpy_pool->lock);
	return number;
}

/* Return whether sessions that come to a shared container's role have a parent. */
bool
hxpy_pool_has_parent(const char *container)
{
	const PoolSlot *slot;
	bool		found = false;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	slot = find_shared(container);
	for (int i = 0; slot != NULL && i < HXPY_POOL_SLOTS; i++)
		found = found || has_parent(&hxpy_pool->slots[i], &slot->spec);
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Have the launcher end a slot's parents up to a number, with the lock held. */
static void
unshare_slot(PoolSlot *slot, uint32 number)
{
	slot->unshared = Max(slot->unshared, number);
	slot->parent.number = 0;
	wake_launcher();
}

/*
 * Let sessions be forked from a parent in a container from now on; earlier ones of the role
 * end.  Where two are made at once the one with the higher number counts, here and for the
 * container's process 1, whichever comes first.
 */
void
hxpy_pool_share(const char *container, const PoolParent *parent)
{
	PoolSlot   *slot;
	bool		is_latest = true;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	slot = find_shared(container);
	for (int i = 0; slot != NULL && i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *other = &hxpy_pool->slots[i];

		if (!has_parent(other, &slot->spec))
			continue;
		if (other->parent.number > parent->number)
			is_latest = false;
		else
			unshare_slot(other, other->parent.number);
	}
	if (slot != NULL && is_latest)
		slot->parent = *parent;
	else if (slot != NULL && slot->parent.number == 0)
		unshare_slot(slot, parent->number);
	LWLockRelease(hxpy_pool->lock);
	if (slot == NULL)
		hxpy_pool_check_share(container);
}

/* End the parents of a role in a database, for sessions that come; false when there is none. */
bool
hxpy_pool_unshare(Oid role, Oid database)
{
	bool		found = false;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state == POOL_FREE || slot->parent.number == 0 ||
			slot->spec.role != role || slot->spec.database != database)
			continue;
		unshare_slot(slot, slot->parent.number);
		found = true;
	}
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Know that a parent has ended; no sessions are forked from it any more. */
void
hxpy_pool_end_parent(PoolSlot *slot, uint32 number)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	if (slot->parent.number == number)
		slot->parent.number = 0;
	LWLockRelease(hxpy_pool->lock);
}
