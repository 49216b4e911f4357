/*
 * registry.c
 *	  The registry of sessions: a slot for each, of all backends; limits of their number.
 *
 * Every session has a slot, in shared memory where hxpy is in
 * shared_preload_libraries, else in an array of this backend, through the same
 * code.  A slot belongs to its session from hxpy_registry_open() to
 * hxpy_registry_close(), which also runs when the backend ends; after a kill -9 of a
 * backend shared memory is made anew.
 *
 * The LWLock "hxpy_sessions" is held while a slot is taken, so that two backends
 * never take one, and limits are kept; and while a session's figures go to the history
 * and its slot is given back, so that they are there once.  What a slot says (`info`) is written and
 * read under its spinlock: by the owner, but for memory and CPU, which the launcher
 * writes.  Counters are written by the owner alone and read by anyone, in place.
 * No lock is held while the engine is talked to.
 *
 * Texts in slots are UTF-8, whatever the database's encoding, and may be cut; who
 * reads them makes them safe.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/registry.h"

#define SHARED_NAME			"hxpy_sessions"

struct SessionSlot
{
	slock_t		mutex;			/* of info */
	SlotInfo	info;
	pg_atomic_uint64 counters[NUM_COUNTERS];
	uint64		before[NUM_COUNTERS];	/* the last reset of the history; under the LWLock */
};

/* All slots; plain data only. */
typedef struct SlotArray
{
	int			count;
	SessionSlot slots[FLEXIBLE_ARRAY_MEMBER];
} SlotArray;

static SlotArray *array = NULL;
static LWLock *array_lock = NULL;	/* NULL where the array is this backend's own */
static History *history = NULL;	/* under the same lock, and NULL where that is */

/* ---------- memory ---------- */

/* Return the size of an array of slots. */
static Size
array_size(int count)
{
	return add_size(offsetof(SlotArray, slots), mul_size(count, sizeof(SessionSlot)));
}

/* Prepare memory that is zero to be an array of slots. */
static void
init_array(SlotArray *fresh, int count)
{
	fresh->count = count;
	for (int i = 0; i < count; i++)
	{
		SpinLockInit(&fresh->slots[i].mutex);
		for (int j = 0; j < NUM_COUNTERS; j++)
			pg_atomic_init_u64(&fresh->slots[i].counters[j], 0);
	}
}

/* Ask for shared memory, when the server starts with this library. */
void
hxpy_registry_request_memory(void)
{
	RequestAddinShmemSpace(add_size(array_size(hxpy_max_total_sessions), sizeof(History)));
	RequestNamedLWLockTranche(SHARED_NAME, 1);
}

/* Keep the history at a clean shutdown. */
static void
save_history(int code, Datum arg)
{
	if (code == 0)
		hxpy_history_save(history);
}

/* Make slots and history in shared memory, or find them; AddinShmemInitLock is held. */
void
hxpy_registry_start_memory(void)
{
	Size		size = array_size(hxpy_max_total_sessions);
	bool		found;

	array = ShmemInitStruct(SHARED_NAME, size, &found);
	if (!found)
	{
		memset(array, 0, size);
		init_array(array, hxpy_max_total_sessions);
	}
	history = ShmemInitStruct("hxpy_history", sizeof(History), &found);
	if (!found)
		hxpy_history_load(history);
	if (!IsUnderPostmaster)
		on_shmem_exit(save_history, (Datum) 0);
	array_lock = &GetNamedLWLockTranche(SHARED_NAME)->lock;
}

/* Make the slots of this backend alone where there are no shared ones. */
static void
create_own(void)
{
	SlotArray  *fresh;

	if (array != NULL)
		return;
	fresh = MemoryContextAllocZero(TopMemoryContext, array_size(HXPY_MAX_SESSIONS));
	init_array(fresh, HXPY_MAX_SESSIONS);
	array = fresh;
}

/* ---------- texts ---------- */

/* Copy the beginning of a UTF-8 text; size is that of the target. */
static void
copy_utf8(char *target, size_t size, const char *text, size_t length)
{
	size_t		kept = pg_encoding_mbcliplen(PG_UTF8, text, (int) Min(length, size),
											 (int) size - 1);

	/* A character that is not whole counts as if it were. */
	kept = Min(kept, length);
	memcpy(target, text, kept);
	target[kept] = '\0';
}

/* Copy the beginning of a text in the server's encoding as UTF-8; NULL is "". */
static void
copy_text(char *target, size_t size, const char *text)
{
	size_t		length = text ? strnlen(text, size) : 0;
	char	   *start;
	char	   *converted;

	if (length == 0 || GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII)
	{
		copy_utf8(target, size, text ? text : "", length);
		return;
	}
	start = pnstrdup(text, pg_mbcliplen(text, (int) length, (int) size - 1));
	converted = pg_server_to_any(start, strlen(start), PG_UTF8);
	copy_utf8(target, size, converted, strlen(converted));
	if (converted != start)
		pfree(converted);
	pfree(start);
}

/* ---------- a session's life ---------- */

/* Copy what a slot says; false when nobody uses it. */
bool
hxpy_registry_read(SessionSlot *slot, SlotInfo *info)
{
	SpinLockAcquire(&slot->mutex);
	info->in_use = slot->info.in_use;
	if (info->in_use)
		*info = slot->info;
	SpinLockRelease(&slot->mutex);
	return info->in_use;
}

/* Look for a free slot, and count a role's sessions; the lock must be held. */
static SessionSlot *
find_free(Oid role, int *of_role)
{
	SessionSlot *found = NULL;

	*of_role = 0;
	for (int i = array->count - 1; i >= 0; i--)
	{
		SessionSlot *slot = &array->slots[i];
		bool		in_use;

		SpinLockAcquire(&slot->mutex);
		in_use = slot->info.in_use;
		*of_role += in_use && slot->info.role == role;
		SpinLockRelease(&slot->mutex);
		if (!in_use)
			found = slot;
	}
	return found;
}

/* Make a free slot a new session's; the lock must be held. */
static void
take_slot(SessionSlot *slot, const SlotInfo *info)
{
	for (int i = 0; i < NUM_COUNTERS; i++)
	{
		pg_atomic_write_u64(&slot->counters[i], 0);
		slot->before[i] = 0;
	}
	SpinLockAcquire(&slot->mutex);
	slot->info = *info;
	SpinLockRelease(&slot->mutex);
}

/*
 * Take a slot for a new session of the current role, whose own container may take so much
 * memory (MB), or raise an error.
 */
SessionSlot *
hxpy_registry_open(const char *session, int reserved)
{
	SlotInfo	info = {
		.in_use = true,
		.pid = MyProcPid,
		.role = GetUserId(),
		.database = MyDatabaseId,
		.state = SLOT_STARTING,
		.reserved = reserved,
		.started = GetCurrentTimestamp(),
		.measured_evals = PG_UINT64_MAX
	};
	SessionSlot *slot;
	int			of_role;
	bool		role_is_full;

	copy_text(info.session, sizeof(info.session), session);
	create_own();
	if (array_lock != NULL)
		LWLockAcquire(array_lock, LW_EXCLUSIVE);
	slot = find_free(info.role, &of_role);
	role_is_full = hxpy_max_role_sessions > 0 && of_role >= hxpy_max_role_sessions;
	if (slot != NULL && !role_is_full)
		take_slot(slot, &info);
	if (array_lock != NULL)
		LWLockRelease(array_lock);
	if (role_is_full)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many Python sessions of role \"%s\"",
						GetUserNameFromId(info.role, false)),
				 errhint("Close some with py_close; hxpy.max_role_sessions is %d.",
						 hxpy_max_role_sessions)));
	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many Python sessions in this server"),
				 errhint("Close some with py_close; hxpy.max_total_sessions is %d.",
						 array->count)));
	return slot;
}

/* Say which container the session will have, by the engine's name for it. */
void
hxpy_registry_set_container(SessionSlot *slot, const char *name)
{
	SpinLockAcquire(&slot->mutex);
	strlcpy(slot->info.container, name, sizeof(slot->info.container));
	SpinLockRelease(&slot->mutex);
}

/* Say that the container runs. */
void
hxpy_registry_set_started(SessionSlot *slot, const char *id, const char *image, const char *network,
						  int host)
{
	SpinLockAcquire(&slot->mutex);
	strlcpy(slot->info.id, id, sizeof(slot->info.id));
	strlcpy(slot->info.image, image, sizeof(slot->info.image));
	strlcpy(slot->info.network, network, sizeof(slot->info.network));
	slot->info.host = host;
	SpinLockRelease(&slot->mutex);
}

/* Say in what state the session is. */
void
hxpy_registry_set_state(SessionSlot *slot, SlotState state)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	slot->info.state = state;
	SpinLockRelease(&slot->mutex);
}

/* Say that the session is lost, and why, in UTF-8: its container may be removed. */
void
hxpy_registry_set_lost(SessionSlot *slot, const char *reason)
{
	char		text[HXPY_SLOT_TEXT + 1];

	if (slot == NULL)
		return;
	copy_utf8(text, sizeof(text), reason, strlen(reason));
	SpinLockAcquire(&slot->mutex);
	slot->info.state = SLOT_LOST;
	strcpy(slot->info.lost, text);
	SpinLockRelease(&slot->mutex);
}

/* Add what a slot has counted since the last reset to a history; the lock must be held. */
static void
add_to_history(History *target, SessionSlot *slot)
{
	uint64		counters[NUM_COUNTERS];
	uint64		any = 0;

	for (int i = 0; i < NUM_COUNTERS; i++)
	{
		counters[i] = pg_atomic_read_u64(&slot->counters[i]) - slot->before[i];
		any |= counters[i];
	}
	if (any != 0)
		hxpy_history_add(target, slot->info.database, slot->info.role, counters);
}

/* Give a slot back, and its figures to the history. */
void
hxpy_registry_close(SessionSlot *slot)
{
	if (slot == NULL)
		return;
	if (array_lock != NULL)
	{
		LWLockAcquire(array_lock, LW_EXCLUSIVE);
		add_to_history(history, slot);
	}
	SpinLockAcquire(&slot->mutex);
	slot->info.in_use = false;
	SpinLockRelease(&slot->mutex);
	if (array_lock != NULL)
		LWLockRelease(array_lock);
}

/* ---------- instructions ---------- */

/* Count; the owner alone does. */
void
hxpy_registry_add(SessionSlot *slot, SessionCounter counter, uint64 amount)
{
	if (slot != NULL)
		pg_atomic_write_u64(&slot->counters[counter],
							pg_atomic_read_u64(&slot->counters[counter]) + amount);
}

/* Say that an instruction begins; the source may be NULL. */
void
hxpy_registry_begin(SessionSlot *slot, uint8 type, const char *source)
{
	TimestampTz now;
	char		text[HXPY_SLOT_TEXT + 1];

	if (slot == NULL)
		return;
	now = GetCurrentTimestamp();
	copy_text(text, sizeof(text), source);
	SpinLockAcquire(&slot->mutex);
	slot->info.state = SLOT_ACTIVE;
	slot->info.instruction = type;
	slot->info.instruction_started = now;
	slot->info.has_progress = false;
	strcpy(slot->info.source, text);
	SpinLockRelease(&slot->mutex);
	hxpy_registry_add(slot, COUNT_EVALS, 1);
}

/* Say how far the instruction has come; NaN when no total is known. */
void
hxpy_registry_progress(SessionSlot *slot, double done, double total, const char *message,
					size_t length)
{
	char		text[HXPY_SLOT_TEXT + 1];

	if (slot == NULL)
		return;
	copy_utf8(text, sizeof(text), message, length);
	SpinLockAcquire(&slot->mutex);
	slot->info.has_progress = true;
	slot->info.counted_since = 0;
	slot->info.done = done;
	slot->info.total = total;
	strcpy(slot->info.message, text);
	SpinLockRelease(&slot->mutex);
}

/* Say how many rows have been moved since a moment; NaN when no total is known. */
void
hxpy_registry_rows(SessionSlot *slot, double done, double total, bool estimated, TimestampTz since)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	slot->info.has_progress = true;
	slot->info.counted_since = since;
	slot->info.estimated = estimated;
	slot->info.done = done;
	slot->info.total = total;
	SpinLockRelease(&slot->mutex);
}

/* ---------- for the launcher ---------- */

/* Return how many sessions live in a container, by the engine's name. */
int
hxpy_registry_count_users(const char *container)
{
	int			users = 0;

	for (int i = 0; array != NULL && i < array->count; i++)
	{
		SessionSlot *slot = &array->slots[i];

		SpinLockAcquire(&slot->mutex);
		users += slot->info.in_use && slot->info.state != SLOT_LOST &&
			strcmp(slot->info.container, container) == 0;
		SpinLockRelease(&slot->mutex);
	}
	return users;
}

/* Return the memory (MB) that the containers of all sessions may take, without shared ones. */
int64
hxpy_registry_reserved(void)
{
	int64		reserved = 0;

	for (int i = 0; array != NULL && i < array->count; i++)
	{
		SessionSlot *slot = &array->slots[i];

		SpinLockAcquire(&slot->mutex);
		if (slot->info.in_use && slot->info.state != SLOT_LOST)
			reserved += slot->info.reserved;
		SpinLockRelease(&slot->mutex);
	}
	return reserved;
}

/* ---------- for who looks at all sessions ---------- */

/* Return the number of slots, used or not. */
int
hxpy_registry_count(void)
{
	return array != NULL ? array->count : 0;
}

/* Return a slot by its number. */
SessionSlot *
hxpy_registry_slot(int number)
{
	return &array->slots[number];
}

/* Return a counter of a slot. */
uint64
hxpy_registry_counter(SessionSlot *slot, SessionCounter counter)
{
	return pg_atomic_read_u64(&slot->counters[counter]);
}

/* Return whether there is a history. */
bool
hxpy_registry_has_history(void)
{
	return history != NULL;
}

/* Copy the history, with what sessions that are open have done so far. */
void
hxpy_registry_copy_history(History *copy)
{
	LWLockAcquire(array_lock, LW_SHARED);
	memcpy(copy, history, sizeof(History));
	for (int i = 0; i < array->count; i++)
	{
		/* Slots are taken and given back under the lock only. */
		if (array->slots[i].info.in_use)
			add_to_history(copy, &array->slots[i]);
	}
	LWLockRelease(array_lock);
}

/* Forget the history, also of sessions that are open. */
void
hxpy_registry_reset_history(void)
{
	LWLockAcquire(array_lock, LW_EXCLUSIVE);
	hxpy_history_reset(history);
	for (int i = 0; i < array->count; i++)
	{
		for (int j = 0; j < NUM_COUNTERS; j++)
			array->slots[i].before[j] = pg_atomic_read_u64(&array->slots[i].counters[j]);
	}
	LWLockRelease(array_lock);
}

/*
 * Write the figures of a container to its session's slot, unless that is another's by
 * now: measured when the slot said this, after so many instructions.
 */
void
hxpy_registry_set_figures(SessionSlot *slot, const SlotInfo *info, uint64 evals, int64 memory,
						  int64 cpu)
{
	SpinLockAcquire(&slot->mutex);
	if (slot->info.in_use && strcmp(slot->info.id, info->id) == 0)
	{
		slot->info.measured = true;
		slot->info.memory = memory;
		slot->info.cpu = cpu;
		if (info->state == SLOT_IDLE)
			slot->info.measured_evals = evals;
	}
	SpinLockRelease(&slot->mutex);
}

/* Return the engine's name for the container of a session of this backend. */
const char *
hxpy_registry_container(const SessionSlot *slot)
{
	return slot->info.container;
}

/* Return the number of a slot, by which the container of its session knows it. */
int
hxpy_registry_number(const SessionSlot *slot)
{
	return (int) (slot - array->slots);
}

/*
 * Write the figures of a session in a shared container, which has told them and its slot's
 * number; what it says of others does not count.
 */
void
hxpy_registry_set_shared_figures(int number, const char *container, int64 memory, int64 cpu)
{
	SessionSlot *slot;

	if (number < 0 || number >= array->count)
		return;
	slot = &array->slots[number];
	SpinLockAcquire(&slot->mutex);
	if (slot->info.in_use && strcmp(slot->info.container, container) == 0)
	{
		slot->info.measured = true;
		slot->info.memory = memory;
		slot->info.cpu = cpu;
	}
	SpinLockRelease(&slot->mutex);
}
