/*
 * stats.c
 *	  The views of sessions, of their history, and of the pool.
 *
 * Texts of slots are UTF-8 of anyone, and the launcher has no database and so no
 * encoding: all are made safe here.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "launch/pool.h"
#include "launch/registry.h"
#include "session/progress.h"
#include "sql/rowset.h"
#include "text.h"

PG_FUNCTION_INFO_V1(py_stat_sessions);
PG_FUNCTION_INFO_V1(py_stat_pool);
PG_FUNCTION_INFO_V1(py_stat_history);
PG_FUNCTION_INFO_V1(hxpy_stat_reset);

static const char *const state_names[] = {"starting", "idle", "active", "lost"};

/* The words for instructions, by their frames' types */
static const char *const instruction_names[] = {
	[HXPY_FRAME_DEFINE] = "define",
	[HXPY_FRAME_EXEC] = "exec",
	[HXPY_FRAME_EVAL] = "eval",
	[HXPY_FRAME_GRID] = "grid",
	[HXPY_FRAME_EVAL_GRID] = "eval_grid",
	[HXPY_FRAME_APPLY] = "apply",
	[HXPY_FRAME_CALL] = "call",
	[HXPY_FRAME_CODEC] = "codec",
	[HXPY_FRAME_FUNCTION] = "function",
	[HXPY_FRAME_INVOKE] = "invoke",
	[HXPY_FRAME_INVOKE_ROWS] = "invoke",
	[HXPY_FRAME_CALLS] = "calls",
	[HXPY_FRAME_SAVE] = "save",
	[HXPY_FRAME_LOAD] = "load",
	[HXPY_FRAME_FORK] = "fork"
};

/* Put a text of a slot or the launcher, made safe; NULL for "". */
static void
put_foreign(RowSet *rows, const char *text)
{
	hxpy_rowset_put_text(rows, text[0] ? hxpy_text_clean(text, strlen(text)) : NULL);
}

/* Return what a session does or did last; NULL for nothing. */
static const char *
instruction_text(const SlotInfo *info)
{
	const char *name = info->instruction < lengthof(instruction_names) ?
		instruction_names[info->instruction] : NULL;

	if (info->instruction == 0)
		return NULL;
	return psprintf("%s%s%s", name != NULL ? name : "unknown", info->source[0] ? " " : "",
					hxpy_text_clean(info->source, strlen(info->source)));
}

/* Put the columns that only the session's role and pg_read_all_stats may see. */
static void
put_private(RowSet *rows, SessionSlot *slot, const SlotInfo *info)
{
	put_foreign(rows, info->session);
	hxpy_rowset_put_text(rows, info->id[0] ? pnstrdup(info->id, 12) : NULL);
	put_foreign(rows, info->image);
	put_foreign(rows, info->network);
	hxpy_rowset_put(rows, BoolGetDatum(info->reserved == 0), false);
	hxpy_rowset_put_text(rows, state_names[info->state]);
	hxpy_rowset_put_text(rows, instruction_text(info));
	hxpy_rowset_put(rows, TimestampTzGetDatum(info->started), false);
	hxpy_rowset_put(rows, TimestampTzGetDatum(info->instruction_started), info->instruction == 0);
	for (int i = COUNT_EVALS; i <= COUNT_BYTES_OUT; i++)
		hxpy_rowset_put(rows, Int64GetDatum((int64) hxpy_registry_counter(slot, i)), false);
	hxpy_rowset_put(rows, Float8GetDatum(hxpy_registry_counter(slot, COUNT_MICROSECONDS) / 1000.0),
				  false);
	hxpy_rowset_put(rows, Int64GetDatum(info->memory), !info->measured);
	hxpy_rowset_put(rows, Float8GetDatum(info->cpu / 1000.0), !info->measured);
	if (info->has_progress)
	{
		hxpy_rowset_put(rows, Float8GetDatum(info->done), false);
		hxpy_rowset_put(rows, Float8GetDatum(info->total), isnan(info->total));
		if (info->counted_since != 0)
			hxpy_rowset_put_text(rows, hxpy_progress_rows_text(info->done, info->total, info->estimated,
															   info->state == SLOT_ACTIVE ?
															   info->counted_since : 0));
		else
			put_foreign(rows, info->message);
	}
	else
	{
		for (int column = 0; column < 3; column++)
			hxpy_rowset_put(rows, (Datum) 0, true);
	}
	put_foreign(rows, info->lost);
}

/*
 * py_stat_sessions(): the sessions of all backends, or of this one where the
 * server was not started with this library; visible as in pg_stat_activity.
 */
Datum
py_stat_sessions(PG_FUNCTION_ARGS)
{
	RowSet	rows;

	hxpy_rowset_begin(&rows, fcinfo);
	for (int i = 0; i < hxpy_registry_count(); i++)
	{
		SessionSlot *slot = hxpy_registry_slot(i);
		SlotInfo	info;

		if (!hxpy_registry_read(slot, &info))
			continue;
		hxpy_rowset_put(&rows, Int32GetDatum(info.pid), false);
		hxpy_rowset_put_text(&rows, GetUserNameFromId(info.role, true));
		hxpy_rowset_put_text(&rows, get_database_name(info.database));
		if (has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
			has_privs_of_role(GetUserId(), info.role))
			put_private(&rows, slot, &info);
		else
		{
			/* in the place of what it does; all else is NULL */
			for (int column = 0; column < 6; column++)
				hxpy_rowset_put(&rows, (Datum) 0, true);
			hxpy_rowset_put_text(&rows, "<insufficient privilege>");
		}
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}

/* Count a kind's containers in one state. */
static int
count_slots(const PoolShared *pool, const PoolKind *kind, PoolState state)
{
	int			count = 0;

	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		if (pool->slots[i].state == state &&
			memcmp(&pool->slots[i].spec, &kind->spec, sizeof(PoolSpec)) == 0)
			count++;
	}
	return count;
}

/* Count the sessions that live in the containers of a kind. */
static int
count_sessions(const PoolShared *pool, const PoolKind *kind)
{
	int			count = 0;

	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		if (pool->slots[i].state != POOL_FREE &&
			memcmp(&pool->slots[i].spec, &kind->spec, sizeof(PoolSpec)) == 0)
			count += hxpy_registry_count_users(pool->slots[i].name);
	}
	return count;
}

/* Return the parent that py_share has made for sessions of a kind, or NULL. */
static const PoolParent *
find_parent(const PoolShared *pool, const PoolKind *kind)
{
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		if (pool->slots[i].state == POOL_READY && pool->slots[i].parent.number != 0 &&
			memcmp(&pool->slots[i].spec, &kind->spec, sizeof(PoolSpec)) == 0)
			return &pool->slots[i].parent;
	}
	return NULL;
}

/* Put a moment; NULL when there was none. */
static void
put_moment(RowSet *rows, TimestampTz moment)
{
	hxpy_rowset_put(rows, TimestampTzGetDatum(moment), moment == 0);
}

/*
 * py_stat_pool(): what the launcher keeps, a row for each image, and for each role and
 * database whose sessions share containers.
 */
Datum
py_stat_pool(PG_FUNCTION_ARGS)
{
	bool		may_read = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	RowSet	rows;
	PoolShared *pool;

	hxpy_rowset_begin(&rows, fcinfo);
	if (hxpy_pool == NULL)
		return (Datum) 0;
	/* The rows are made of a copy: no work with the lock held. */
	pool = palloc(sizeof(PoolShared));
	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	memcpy(pool, hxpy_pool, sizeof(PoolShared));
	LWLockRelease(hxpy_pool->lock);
	for (int i = 0; i < pool->nkinds; i++)
	{
		const PoolKind *kind = &pool->kinds[i];
		bool		engine = pool->engine_error[0] != '\0';
		bool		shared = hxpy_pool_is_shared(&kind->spec);
		Oid			database = shared ? kind->spec.database : kind->spec.io_database;
		const char *error = engine ? pool->engine_error : kind->error;
		const PoolParent *parent;

		hxpy_rowset_put_text(&rows, kind->spec.image);
		hxpy_rowset_put_text(&rows, OidIsValid(database) ? get_database_name(database) : NULL);
		hxpy_rowset_put_text(&rows, shared ? GetUserNameFromId(kind->spec.role, true) : NULL);
		hxpy_rowset_put_text(&rows, kind->image_id[0] ? kind->image_id : NULL);
		hxpy_rowset_put(&rows, Int32GetDatum(kind->wanted), false);
		hxpy_rowset_put(&rows, Int32GetDatum(count_slots(pool, kind, POOL_READY)), false);
		hxpy_rowset_put(&rows, Int32GetDatum(count_slots(pool, kind, POOL_STARTING)), false);
		hxpy_rowset_put(&rows, Int32GetDatum(count_sessions(pool, kind)), !shared);
		hxpy_rowset_put(&rows, Int64GetDatum(kind->started), false);
		hxpy_rowset_put(&rows, Int64GetDatum(kind->taken), false);
		hxpy_rowset_put(&rows, Int64GetDatum(kind->missed), false);
		hxpy_rowset_put(&rows, Int64GetDatum(kind->failed), false);
		put_moment(&rows, kind->asked_at);
		/* The launcher has no database, and so no encoding. */
		put_foreign(&rows, may_read ? error : "");
		put_moment(&rows, !error[0] ? 0 : engine ? pool->engine_error_at : kind->error_at);
		parent = find_parent(pool, kind);
		put_foreign(&rows, parent != NULL &&
					(may_read || has_privs_of_role(GetUserId(), kind->spec.role)) ?
					parent->session : "");
		put_moment(&rows, parent != NULL ? parent->since : 0);
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}

/*
 * py_stat_history(): what sessions have done since the last reset, a row for each role in
 * each database.
 */
Datum
py_stat_history(PG_FUNCTION_ARGS)
{
	RowSet		rows;
	History    *history;

	hxpy_rowset_begin(&rows, fcinfo);
	if (!hxpy_registry_has_history())
		return (Datum) 0;
	history = palloc(sizeof(History));
	hxpy_registry_copy_history(history);
	for (int i = 0; i < history->count; i++)
	{
		const HistoryEntry *entry = &history->entries[i];

		/* The first one is for what has found no room: mostly nothing. */
		if (i == 0 && entry->counters[COUNT_SESSIONS] == 0)
			continue;
		hxpy_rowset_put_text(&rows, get_database_name(entry->database));
		hxpy_rowset_put_text(&rows, GetUserNameFromId(entry->role, true));
		for (int counter = 0; counter < NUM_COUNTERS; counter++)
		{
			if (counter == COUNT_MICROSECONDS)
				hxpy_rowset_put(&rows, Float8GetDatum(entry->counters[counter] / 1000.0), false);
			else
				hxpy_rowset_put(&rows, Int64GetDatum((int64) entry->counters[counter]), false);
		}
		put_moment(&rows, history->since);
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}

/*
 * hxpy_stat_reset(): begin the history anew.
 */
Datum
hxpy_stat_reset(PG_FUNCTION_ARGS)
{
	if (!hxpy_registry_has_history())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are no statistics to reset"),
				 errhint("They need shared_preload_libraries = 'hxpy'.")));
	hxpy_registry_reset_history();
	PG_RETURN_VOID();
}
