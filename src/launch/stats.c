/*
 * stats.c
 *	  What the sessions of all backends are doing: slots, and the view over them.
 *
 * Every session has a slot, in shared memory where hxpy is in
 * shared_preload_libraries, else in an array of this backend, through the same
 * code.  A slot belongs to its session from hxpy_stats_open() to
 * hxpy_stats_close(), which also runs when the backend ends; after a kill -9 of a
 * backend shared memory is made anew.
 *
 * The LWLock "hxpy_sessions" is held while a slot is taken, so that two backends
 * never take one, and limits are kept.  What a slot says (`info`) is written and
 * read under its spinlock: by the owner, but for memory and CPU, which the launcher
 * writes.  Counters are written by the owner alone and read by anyone, in place.
 * No lock is held while the engine is talked to.
 *
 * Texts in slots are UTF-8, whatever the database's encoding, and may be cut; who
 * reads them makes them safe.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "codec/protocol.h"
#include "launch/stats.h"
#include "text.h"

#define SHARED_NAME			"hxpy_sessions"
#define MAX_TEXT			200		/* bytes of sources and messages that are kept */
#define MAX_NAME			256
#define NUM_COLUMNS			22
#define SAMPLES_AT_ONCE		16

PG_FUNCTION_INFO_V1(py_stat_sessions);

typedef enum SlotState
{
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_ACTIVE,
	SLOT_LOST
} SlotState;

static const char *const state_names[] = {"starting", "idle", "active", "lost"};

/* What a slot says of its session. */
typedef struct SlotInfo
{
	bool		in_use;			/* nothing else counts when it is not */
	int			pid;
	Oid			role;
	Oid			database;
	SlotState	state;
	uint8		instruction;	/* the latest one's frame, 0 for none */
	TimestampTz started;
	TimestampTz instruction_started;
	bool		measured;		/* memory and cpu are known */
	uint64		measured_evals; /* instructions when they were measured last */
	int64		memory;			/* bytes */
	int64		cpu;			/* microseconds */
	bool		has_progress;
	double		done;
	double		total;			/* NaN for none */
	char		session[MAX_NAME];
	char		container[MAX_NAME];	/* the engine's name */
	char		id[MAX_NAME];	/* "" until it has started */
	char		image[MAX_NAME];
	char		network[MAX_NAME];
	char		source[MAX_TEXT + 1];	/* of the latest instruction */
	char		message[MAX_TEXT + 1];	/* of its progress */
} SlotInfo;

typedef enum SlotCounter
{
	COUNT_EVALS,
	COUNT_ROWS_IN,
	COUNT_ROWS_OUT,
	COUNT_BYTES_IN,
	COUNT_BYTES_OUT,
	COUNT_MICROSECONDS,
	NUM_COUNTERS
} SlotCounter;

struct SessionSlot
{
	slock_t		mutex;			/* of info */
	SlotInfo	info;
	pg_atomic_uint64 counters[NUM_COUNTERS];
};

/* All slots; plain data only. */
typedef struct SlotArray
{
	int			count;
	SessionSlot slots[FLEXIBLE_ARRAY_MEMBER];
} SlotArray;

static SlotArray *array = NULL;
static LWLock *array_lock = NULL;	/* NULL where the array is this backend's own */
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

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

/* Ask for shared memory. */
static void
request_shared(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(array_size(hxpy_max_total_sessions));
	RequestNamedLWLockTranche(SHARED_NAME, 1);
}

/* Make the slots in shared memory, or find them. */
static void
start_shared(void)
{
	Size		size = array_size(hxpy_max_total_sessions);
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	array = ShmemInitStruct(SHARED_NAME, size, &found);
	if (!found)
	{
		memset(array, 0, size);
		init_array(array, hxpy_max_total_sessions);
	}
	array_lock = &GetNamedLWLockTranche(SHARED_NAME)->lock;
	LWLockRelease(AddinShmemInitLock);
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

/* Hook into the making of shared memory, when the server starts with this library. */
void
hxpy_stats_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_shared;
}

/* Tell whether all backends' sessions are here. */
bool
hxpy_stats_is_shared(void)
{
	return array_lock != NULL;
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
static bool
read_info(SessionSlot *slot, SlotInfo *info)
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
		pg_atomic_write_u64(&slot->counters[i], 0);
	SpinLockAcquire(&slot->mutex);
	slot->info = *info;
	SpinLockRelease(&slot->mutex);
}

/* Take a slot for a new session of the current role, or raise an error. */
SessionSlot *
hxpy_stats_open(const char *session)
{
	SlotInfo	info = {
		.in_use = true,
		.pid = MyProcPid,
		.role = GetUserId(),
		.database = MyDatabaseId,
		.state = SLOT_STARTING,
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
hxpy_stats_set_container(SessionSlot *slot, const char *name)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	strlcpy(slot->info.container, name, sizeof(slot->info.container));
	SpinLockRelease(&slot->mutex);
}

/* Say that the container runs; a network of NULL is none. */
void
hxpy_stats_set_started(SessionSlot *slot, const char *id, const char *image, const char *network)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	strlcpy(slot->info.id, id, sizeof(slot->info.id));
	strlcpy(slot->info.image, image, sizeof(slot->info.image));
	strlcpy(slot->info.network, network ? network : "none", sizeof(slot->info.network));
	SpinLockRelease(&slot->mutex);
}

/* Change the state of a session. */
static void
set_state(SessionSlot *slot, SlotState state)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	slot->info.state = state;
	SpinLockRelease(&slot->mutex);
}

/* Say that the session is open. */
void
hxpy_stats_set_idle(SessionSlot *slot)
{
	set_state(slot, SLOT_IDLE);
}

/* Say that the session is lost; its container is nobody's now. */
void
hxpy_stats_set_lost(SessionSlot *slot)
{
	set_state(slot, SLOT_LOST);
}

/* Give a slot back. */
void
hxpy_stats_close(SessionSlot *slot)
{
	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	slot->info.in_use = false;
	SpinLockRelease(&slot->mutex);
}

/* ---------- instructions ---------- */

/* Count; the owner alone does. */
static inline void
add(SessionSlot *slot, SlotCounter counter, uint64 amount)
{
	if (slot != NULL)
		pg_atomic_write_u64(&slot->counters[counter],
							pg_atomic_read_u64(&slot->counters[counter]) + amount);
}

/* Say that an instruction begins; the source may be NULL. */
void
hxpy_stats_begin(SessionSlot *slot, uint8 type, const char *source)
{
	TimestampTz now;
	char		text[MAX_TEXT + 1];

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
	add(slot, COUNT_EVALS, 1);
}

/* Say that the instruction has ended, one way or another, and how long it took. */
void
hxpy_stats_end(SessionSlot *slot, uint64 microseconds)
{
	set_state(slot, SLOT_IDLE);
	add(slot, COUNT_MICROSECONDS, microseconds);
}

/* Say how far the instruction has come; a total of NaN is none. */
void
hxpy_stats_progress(SessionSlot *slot, double done, double total, const char *message,
					size_t length)
{
	char		text[MAX_TEXT + 1];

	if (slot == NULL)
		return;
	copy_utf8(text, sizeof(text), message, length);
	SpinLockAcquire(&slot->mutex);
	slot->info.has_progress = true;
	slot->info.done = done;
	slot->info.total = total;
	strcpy(slot->info.message, text);
	SpinLockRelease(&slot->mutex);
}

/* Count rows sent to Python. */
void
hxpy_stats_add_rows_in(SessionSlot *slot, uint64 rows)
{
	add(slot, COUNT_ROWS_IN, rows);
}

/* Count rows that came from Python. */
void
hxpy_stats_add_rows_out(SessionSlot *slot, uint64 rows)
{
	add(slot, COUNT_ROWS_OUT, rows);
}

/* Count bytes sent to Python. */
void
hxpy_stats_add_bytes_in(SessionSlot *slot, uint64 bytes)
{
	add(slot, COUNT_BYTES_IN, bytes);
}

/* Count bytes that came from Python. */
void
hxpy_stats_add_bytes_out(SessionSlot *slot, uint64 bytes)
{
	add(slot, COUNT_BYTES_OUT, bytes);
}

/* ---------- for the launcher ---------- */

/* Tell whether a container, by the engine's name, is that of a session that lives. */
bool
hxpy_stats_uses_container(const char *name)
{
	bool		used = false;

	for (int i = 0; array != NULL && i < array->count && !used; i++)
	{
		SessionSlot *slot = &array->slots[i];

		SpinLockAcquire(&slot->mutex);
		used = slot->info.in_use && slot->info.state != SLOT_LOST &&
			strcmp(slot->info.container, name) == 0;
		SpinLockRelease(&slot->mutex);
	}
	return used;
}

/* A session whose container the launcher measures. */
typedef struct Sample
{
	MemoryContext context;		/* of the call */
	DockerCall *call;			/* under way; NULL: this one is free */
	SessionSlot *slot;
	SlotInfo	info;			/* as it was when the engine was asked */
	uint64		evals;
} Sample;

static Sample samples[SAMPLES_AT_ONCE];
static int	next_sample = INT_MAX;	/* slot to look at; behind the last when all is done */

/*
 * Tell whether a session's container is to be measured: it works, or has worked
 * since that was done last.
 */
static bool
wants_sample(SessionSlot *slot, Sample *sample)
{
	sample->slot = slot;
	sample->evals = pg_atomic_read_u64(&slot->counters[COUNT_EVALS]);
	return read_info(slot, &sample->info) && sample->info.id[0] != '\0' &&
		(sample->info.state == SLOT_ACTIVE ||
		 (sample->info.state == SLOT_IDLE && sample->info.measured_evals != sample->evals));
}

/* Write a container's figures to its session's slot, unless that is another's by now. */
static void
write_sample(const Sample *sample, int64 memory, int64 cpu)
{
	SessionSlot *slot = sample->slot;

	SpinLockAcquire(&slot->mutex);
	if (slot->info.in_use && strcmp(slot->info.id, sample->info.id) == 0)
	{
		slot->info.measured = true;
		slot->info.memory = memory;
		slot->info.cpu = cpu;
		if (sample->info.state == SLOT_IDLE)
			slot->info.measured_evals = sample->evals;
	}
	SpinLockRelease(&slot->mutex);
}

/*
 * Begin to measure a session's container, or take the engine's answer about it.  An
 * error is only told: the next round tries again.
 */
static void
step_sample(Sample *sample)
{
	MemoryContext old = CurrentMemoryContext;
	int64		memory;
	int64		cpu;

	if (sample->call == NULL)
		sample->context = AllocSetContextCreate(TopMemoryContext, "hxpy sample",
												ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(sample->context);
	PG_TRY();
	{
		if (sample->call == NULL)
			sample->call = hxpy_docker_begin_stats(sample->info.id);
		else
		{
			if (hxpy_docker_end_stats(sample->call, &memory, &cpu))
				write_sample(sample, memory, cpu);
			sample->call = NULL;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(sample->context);
		elog(DEBUG1, "could not measure a container: %s", CopyErrorData()->message);
		FlushErrorState();
		sample->call = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	if (sample->call == NULL)
		MemoryContextDelete(sample->context);
}

/*
 * Begin to measure the containers of all sessions that work, or have worked since
 * they were measured last, unless that is under way.
 */
void
hxpy_stats_begin_sample(void)
{
	if (array != NULL && next_sample >= array->count)
		next_sample = 0;
}

/*
 * Go on with measuring, without waiting: an engine takes up to a second for each
 * container, and the launcher has others to serve.
 */
void
hxpy_stats_go_on(void)
{
	for (int i = 0; array != NULL && i < SAMPLES_AT_ONCE; i++)
	{
		Sample	   *sample = &samples[i];

		if (sample->call != NULL && hxpy_docker_is_done(sample->call))
			step_sample(sample);
		while (sample->call == NULL && next_sample < array->count)
		{
			if (wants_sample(&array->slots[next_sample++], sample))
				step_sample(sample);
		}
	}
}

/* ---------- the view ---------- */

/* Return the word for an instruction's frame. */
static const char *
instruction_name(uint8 type)
{
	switch (type)
	{
		case HXPY_FRAME_DEFINE:
			return "define";
		case HXPY_FRAME_EXEC:
			return "exec";
		case HXPY_FRAME_EVAL:
			return "eval";
		case HXPY_FRAME_GRID:
			return "grid";
		case HXPY_FRAME_EVAL_GRID:
			return "eval_grid";
		case HXPY_FRAME_APPLY:
			return "apply";
		case HXPY_FRAME_CALL:
			return "call";
		case HXPY_FRAME_CODEC:
			return "codec";
		default:
			return "unknown";
	}
}

/* Set a text column, NULL for "" and for NULL. */
static void
set_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL || text[0] == '\0';
	if (!nulls[column])
		values[column] = CStringGetTextDatum(text);
}

/* Set a text column to a slot's text, made safe. */
static void
set_foreign(Datum *values, bool *nulls, int column, const char *text)
{
	set_text(values, nulls, column, hxpy_text_clean(text, strlen(text)));
}

/* Set the columns of the latest instruction and its progress. */
static void
set_instruction(const SlotInfo *info, Datum *values, bool *nulls)
{
	nulls[10] = info->instruction == 0;
	if (info->instruction != 0)
	{
		const char *source = hxpy_text_clean(info->source, strlen(info->source));

		set_text(values, nulls, 8, psprintf("%s%s%s", instruction_name(info->instruction),
											source[0] ? " " : "", source));
		values[10] = TimestampTzGetDatum(info->instruction_started);
	}
	if (info->has_progress)
	{
		values[19] = Float8GetDatum(info->done);
		nulls[19] = false;
		values[20] = Float8GetDatum(info->total);
		nulls[20] = isnan(info->total);
		set_foreign(values, nulls, 21, info->message);
	}
}

/* Set the columns that only the session's role and pg_read_all_stats may see. */
static void
set_private(SessionSlot *slot, const SlotInfo *info, Datum *values, bool *nulls)
{
	uint64		counters[NUM_COUNTERS];

	for (int i = 0; i < NUM_COUNTERS; i++)
		counters[i] = pg_atomic_read_u64(&slot->counters[i]);
	set_foreign(values, nulls, 3, info->session);
	set_text(values, nulls, 4, pnstrdup(info->id, 12));
	set_foreign(values, nulls, 5, info->image);
	set_foreign(values, nulls, 6, info->network);
	set_text(values, nulls, 7, state_names[info->state]);
	values[9] = TimestampTzGetDatum(info->started);
	nulls[9] = false;
	for (int i = COUNT_EVALS; i <= COUNT_BYTES_OUT; i++)
	{
		values[11 + i] = Int64GetDatum((int64) counters[i]);
		nulls[11 + i] = false;
	}
	values[16] = Float8GetDatum(counters[COUNT_MICROSECONDS] / 1000.0);
	nulls[16] = false;
	values[17] = Int64GetDatum(info->memory);
	values[18] = Float8GetDatum(info->cpu / 1000.0);
	nulls[17] = nulls[18] = !info->measured;
	set_instruction(info, values, nulls);
}

/*
 * py_stat_sessions(): the sessions of all backends, or of this one where the
 * server was not started with this library; visible as in pg_stat_activity.
 */
Datum
py_stat_sessions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; array != NULL && i < array->count; i++)
	{
		SessionSlot *slot = &array->slots[i];
		SlotInfo	info;
		Datum		values[NUM_COLUMNS] = {0};
		bool		nulls[NUM_COLUMNS];

		if (!read_info(slot, &info))
			continue;
		memset(nulls, true, sizeof(nulls));
		values[0] = Int32GetDatum(info.pid);
		nulls[0] = false;
		set_text(values, nulls, 1, GetUserNameFromId(info.role, true));
		set_text(values, nulls, 2, get_database_name(info.database));
		if (has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
			has_privs_of_role(GetUserId(), info.role))
			set_private(slot, &info, values, nulls);
		else
			set_text(values, nulls, 8, "<insufficient privilege>");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
