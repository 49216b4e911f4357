/*
 * reaper.c
 *	  The reaper: removes the containers that nobody wants.
 *
 * It looks at the engine's list of this cluster's containers: those of this postmaster
 * belong to a slot of the pool, to a session, or to nobody; those of an earlier one are
 * judged by their labels (owner.c).  Removals are under way several at once, each in a
 * memory context of its own; one that fails is tried again by a later sweep.  Where
 * there is no launcher a backend does as much before its first start, and waits.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/directory.h"
#include "launch/notes.h"
#include "launch/owner.h"
#include "launch/pool.h"
#include "launch/reaper.h"
#include "launch/registry.h"

#define SWEEP_MS			10000	/* between sweeps */
#define RETRY_MS			2000
#define MAX_REMOVALS		4	/* under way at once */
#define MAX_STOP_REMOVALS	32
#define REMOVE_TIMEOUT_MS	10000

/* A container that is being removed. */
typedef struct Removal
{
	MemoryContext context;
	char	   *what;			/* id or name */
	EngineRequest *request;
} Removal;

static List *removals = NIL;

TimestampTz hxpy_reaper_due = 0;

/* Sweep no later than in so many milliseconds. */
void
hxpy_reaper_hurry(int64 ms)
{
	hxpy_reaper_due = Min(hxpy_reaper_due, hxpy_notes_in_ms(ms));
}

/* ---------- removing ---------- */

/* Return whether a listed container is being removed. */
static bool
is_being_removed(const EngineEntry *entry)
{
	ListCell   *cell;

	foreach(cell, removals)
	{
		const char *what = ((Removal *) lfirst(cell))->what;

		if (strcmp(what, entry->id) == 0 || (entry->name != NULL && strcmp(what, entry->name) == 0))
			return true;
	}
	return false;
}

/*
 * Note the current error of a removal, which a later sweep tries again: an engine that is
 * not there is the matter of all, and logged once.
 */
static void
note_failure(const char *id)
{
	bool		unreachable = geterrcode() == ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
	const char *error = hxpy_notes_take_error();

	if (unreachable)
		hxpy_notes_engine(error);
	else if (!hxpy_notes_lacks_engine())
		ereport(LOG, (errmsg("hxpy launcher: could not remove container \"%s\": %s", id, error)));
	hxpy_reaper_hurry(RETRY_MS);
}

/* Begin to remove a container of an engine's, by id or name. */
void
hxpy_reaper_remove(const char *id, int host)
{
	MemoryContext context = AllocSetContextCreate(hxpy_launcher_context, "hxpy removal",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Removal    *removal = palloc0(sizeof(Removal));
	uint32		holdoff = InterruptHoldoffCount;

	removal->context = context;
	removal->what = pstrdup(id);
	PG_TRY();
	{
		removal->request = hxpy_engine->begin_remove(removal->what, host, REMOVE_TIMEOUT_MS);
		MemoryContextSwitchTo(hxpy_launcher_context);
		removals = lappend(removals, removal);
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = holdoff;	/* the error has reset it */
		note_failure(id);
		MemoryContextDelete(context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* Take the engine's answer about a removal. */
static void
end_removal(Removal *removal)
{
	uint32		holdoff = InterruptHoldoffCount;

	PG_TRY();
	{
		(void) hxpy_engine->end_remove(removal->request);
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = holdoff;	/* the error has reset it */
		note_failure(removal->what);
	}
	PG_END_TRY();
	removals = list_delete_ptr(removals, removal);
	MemoryContextDelete(removal->context);
}

/* Forget the removals that have ended. */
void
hxpy_reaper_end_removals(void)
{
	/* From the end: what is behind may go. */
	for (int i = list_length(removals) - 1; i >= 0; i--)
	{
		Removal    *removal = list_nth(removals, i);

		if (hxpy_engine->is_done(removal->request))
			end_removal(removal);
	}
}

/* ---------- reaping ---------- */

/* Return whether a container belongs to the pool. */
static bool
is_in_pool(const char *name)
{
	bool		found = false;

	if (hxpy_pool == NULL)
		return false;
	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	for (int i = 0; i < HXPY_POOL_SLOTS && !found; i++)
		found = hxpy_pool->slots[i].state != POOL_FREE &&
			strcmp(hxpy_pool->slots[i].name, name) == 0;
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/*
 * Return whether nobody wants a listed container any more.  The launcher knows all
 * sessions; where there is none, the process that started a container speaks for it.
 */
static bool
is_garbage(const EngineEntry *entry, bool launcher)
{
	const char *name = entry->name;
	bool		used;

	switch (hxpy_owner_state(entry))
	{
		case OWNER_OURS:
			/* In this order: a claim moves a container from the pool to a session. */
			used = name != NULL && (is_in_pool(name) || hxpy_registry_count_users(name) > 0);
			if (!launcher)
				return !used && !hxpy_owner_lives(entry);
			return entry->has_ended || (name != NULL && !used);
		case OWNER_GONE:
			return true;
		case OWNER_UNKNOWN:
			return entry->has_ended;
		default:
			return false;
	}
}

/* Begin to remove what nobody wants of a list, up to a limit; false when some is left. */
static bool
remove_garbage(const List *entries, int limit)
{
	ListCell   *cell;

	foreach(cell, entries)
	{
		const EngineEntry *entry = lfirst(cell);

		if (is_being_removed(entry) || !is_garbage(entry, true))
			continue;
		if (list_length(removals) >= limit)
			return false;
		hxpy_reaper_remove(entry->id, entry->host);
	}
	return true;
}

/* Look through the containers of this cluster and remove what nobody wants. */
void
hxpy_reaper_sweep(void)
{
	List	   *entries = hxpy_owner_list();

	hxpy_reaper_due = hxpy_notes_in_ms(SWEEP_MS);
	if (!remove_garbage(entries, MAX_REMOVALS))
		hxpy_reaper_hurry(HXPY_REAPER_SOON_MS);
	hxpy_directory_clean();
}

/*
 * Begin to remove what nobody wants; false when no container of this postmaster is
 * left, or the engine does not answer.
 */
bool
hxpy_reaper_sweep_at_stop(void)
{
	volatile bool left = false;

	PG_TRY();
	{
		List	   *entries = hxpy_owner_list();
		ListCell   *cell;

		foreach(cell, entries)
			left = left || hxpy_owner_state(lfirst(cell)) == OWNER_OURS;
		(void) remove_garbage(entries, MAX_STOP_REMOVALS);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		hxpy_notes_engine(hxpy_notes_take_error());
		left = false;
	}
	PG_END_TRY();
	return left;
}

/*
 * Rid the engine and the socket directory, where there is no launcher, of what ended
 * backends have left, once in a process; waits.
 */
void
hxpy_reaper_clean_once(void)
{
	static bool done = false;
	ListCell   *cell;

	if (done)
		return;
	hxpy_directory_clean();
	foreach(cell, hxpy_owner_list())
	{
		const EngineEntry *entry = lfirst(cell);

		if (is_garbage(entry, false))
			(void) hxpy_engine->end_remove(hxpy_engine->begin_remove(entry->id, entry->host,
																	 REMOVE_TIMEOUT_MS));
	}
	done = true;
}
