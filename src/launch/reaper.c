/*
 * reaper.c
 *	  The launcher's reaper: removes the containers that nobody wants.
 *
 * It looks at the engine's list of this cluster's containers: those of this postmaster
 * belong to a slot of the pool, to a session, or to nobody; those of an earlier one are
 * judged by their labels (owner.c).  Removals are under way several at once, each in a
 * memory context of its own; one that fails is tried again by a later sweep.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/directory.h"
#include "engine/docker/docker.h"
#include "launch/launcher.h"
#include "launch/member.h"
#include "launch/owner.h"
#include "launch/pool.h"
#include "launch/reaper.h"
#include "launch/stats.h"

#define SWEEP_MS			10000	/* between sweeps */
#define RETRY_MS			2000
#define MAX_REMOVALS		4	/* under way at once */
#define MAX_STOP_REMOVALS	32
#define REMOVE_TIMEOUT_MS	10000

/* A container that is being removed. */
typedef struct Removal
{
	MemoryContext context;
	char	   *id;
	DockerCall *call;
} Removal;

static List *removals = NIL;

TimestampTz hxpy_reaper_due = 0;

/* Sweep no later than in so many milliseconds. */
void
hxpy_reaper_hurry(int64 ms)
{
	hxpy_reaper_due = Min(hxpy_reaper_due, hxpy_launcher_in_ms(ms));
}

/* ---------- removing ---------- */

/* Tell whether a container is being removed. */
static bool
is_being_removed(const char *id)
{
	ListCell   *cell;

	foreach(cell, removals)
	{
		if (strcmp(((Removal *) lfirst(cell))->id, id) == 0)
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
	const char *error = hxpy_launcher_take_error(hxpy_launcher_round);

	if (unreachable)
		hxpy_launcher_note_engine(error);
	else if (!hxpy_launcher_lacks_engine())
		ereport(LOG, (errmsg("hxpy launcher: could not remove container \"%s\": %s", id, error)));
	hxpy_reaper_hurry(RETRY_MS);
}

/* Begin to remove a container, by id or name. */
void
hxpy_reaper_remove(const char *id)
{
	MemoryContext context = AllocSetContextCreate(hxpy_launcher_context, "hxpy removal",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Removal    *removal = palloc0(sizeof(Removal));
	uint32		holdoff = InterruptHoldoffCount;

	removal->context = context;
	removal->id = pstrdup(id);
	PG_TRY();
	{
		removal->call = hxpy_docker_begin_remove(removal->id, REMOVE_TIMEOUT_MS);
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
		(void) hxpy_docker_end_remove(removal->call);
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = holdoff;	/* the error has reset it */
		note_failure(removal->id);
	}
	PG_END_TRY();
	removals = list_delete_ptr(removals, removal);
	MemoryContextDelete(removal->context);
}

/* Forget the removals that have ended. */
void
hxpy_reaper_end_removals(void)
{
	List	   *list = list_copy(removals);
	ListCell   *cell;

	foreach(cell, list)
	{
		Removal    *removal = lfirst(cell);

		if (hxpy_docker_is_done(removal->call))
			end_removal(removal);
	}
}

/* ---------- reaping ---------- */

/* Tell whether a container belongs to the pool. */
static bool
is_in_pool(const char *name)
{
	bool		found = false;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	for (int i = 0; i < HXPY_POOL_SLOTS && !found; i++)
		found = hxpy_pool->slots[i].state != POOL_FREE &&
			strcmp(hxpy_pool->slots[i].name, name) == 0;
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Tell whether nobody wants a listed container any more. */
static bool
is_garbage(json_t *entry)
{
	const char *name = hxpy_owner_name(entry);

	switch (hxpy_owner_state(entry))
	{
		case OWNER_OURS:
			/* In this order: a claim moves a container from the pool to a session. */
			return hxpy_owner_has_ended(entry) ||
				(name != NULL && !is_in_pool(name) && !hxpy_stats_uses_container(name));
		case OWNER_GONE:
			return true;
		case OWNER_UNKNOWN:
			return hxpy_owner_has_ended(entry);
		default:
			return false;
	}
}

/* Look through the containers of this cluster and remove what nobody wants. */
void
hxpy_reaper_sweep(void)
{
	json_t	   *entries = hxpy_owner_list();
	json_t	   *entry;
	size_t		index;

	hxpy_reaper_due = hxpy_launcher_in_ms(SWEEP_MS);
	hxpy_member_end_dead(entries);
	json_array_foreach(entries, index, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "Id"));

		if (id == NULL || is_being_removed(id) || !is_garbage(entry))
			continue;
		if (list_length(removals) >= MAX_REMOVALS)
		{
			hxpy_reaper_hurry(HXPY_REAPER_SOON_MS);
			break;
		}
		hxpy_reaper_remove(id);
	}
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
		json_t	   *entries = hxpy_owner_list();
		json_t	   *entry;
		size_t		index;

		json_array_foreach(entries, index, entry)
		{
			const char *id = json_string_value(json_object_get(entry, "Id"));

			left = left || hxpy_owner_state(entry) == OWNER_OURS;
			if (id != NULL && is_garbage(entry) && !is_being_removed(id) &&
				list_length(removals) < MAX_STOP_REMOVALS)
				hxpy_reaper_remove(id);
		}
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		hxpy_launcher_note_engine(hxpy_launcher_take_error(hxpy_launcher_round));
		left = false;
	}
	PG_END_TRY();
	return left;
}
