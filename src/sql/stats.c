/*
 * stats.c
 *	  The views of sessions and of the pool.
 *
 * Texts of slots are UTF-8 of anyone, and the launcher has no database and so no
 * encoding: all are made safe here.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "text.h"
#include "codec/protocol.h"
#include "launch/pool.h"
#include "launch/registry.h"

#define SESSION_COLUMNS		22

PG_FUNCTION_INFO_V1(py_stat_sessions);
PG_FUNCTION_INFO_V1(py_stat_pool);

static const char *const state_names[] = {"starting", "idle", "active", "lost"};

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
		counters[i] = hxpy_registry_counter(slot, i);
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
	for (int i = 0; i < hxpy_registry_count(); i++)
	{
		SessionSlot *slot = hxpy_registry_slot(i);
		SlotInfo	info;
		Datum		values[SESSION_COLUMNS] = {0};
		bool		nulls[SESSION_COLUMNS];

		if (!hxpy_registry_read(slot, &info))
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

/* Make an array member of a moment, NULL when there was none. */
static void
put_moment(TimestampTz moment, Datum *value, bool *isnull)
{
	*value = TimestampTzGetDatum(moment);
	*isnull = moment == 0;
}

/*
 * py_stat_pool(): what the launcher keeps, a row for each image.
 */
Datum
py_stat_pool(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		may_read = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	PoolShared *pool;

	InitMaterializedSRF(fcinfo, 0);
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
		const char *error = engine ? pool->engine_error : kind->error;
		const char *database = OidIsValid(kind->spec.io_database) ?
			get_database_name(kind->spec.io_database) : NULL;
		Datum		values[13];
		bool		nulls[13] = {0};

		values[0] = CStringGetTextDatum(kind->spec.image);
		values[1] = database ? CStringGetTextDatum(database) : (Datum) 0;
		nulls[1] = database == NULL;
		values[2] = CStringGetTextDatum(kind->image_id);
		nulls[2] = !kind->image_id[0];
		values[3] = Int32GetDatum(kind->wanted);
		values[4] = Int32GetDatum(count_slots(pool, kind, POOL_READY));
		values[5] = Int32GetDatum(count_slots(pool, kind, POOL_STARTING));
		values[6] = Int64GetDatum(kind->started);
		values[7] = Int64GetDatum(kind->taken);
		values[8] = Int64GetDatum(kind->missed);
		values[9] = Int64GetDatum(kind->failed);
		put_moment(kind->asked_at, &values[10], &nulls[10]);
		/* The launcher has no database, and so no encoding. */
		values[11] = CStringGetTextDatum(may_read ? hxpy_text_clean(error, strlen(error)) : "");
		nulls[11] = !may_read || !error[0];
		put_moment(!error[0] ? 0 : engine ? pool->engine_error_at : kind->error_at,
				   &values[12], &nulls[12]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
