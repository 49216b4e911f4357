/*
 * history.h
 *	  What sessions have done since a reset, by database and role.
 */
#ifndef HXPY_HISTORY_H
#define HXPY_HISTORY_H

#include "datatype/timestamp.h"

#include "launch/counters.h"

#define HXPY_HISTORY_ENTRIES	1024

/* The sums of a role's sessions in a database. */
typedef struct HistoryEntry
{
	Oid			database;
	Oid			role;
	uint64		counters[NUM_COUNTERS];
} HistoryEntry;

/* Plain data, in shared memory and in copies; the owner locks it. */
typedef struct History
{
	TimestampTz since;			/* the reset */
	int			count;			/* entries; the first one is for what finds no room, of no oids */
	HistoryEntry entries[HXPY_HISTORY_ENTRIES];
} History;

extern void hxpy_history_reset(History *history);
extern void hxpy_history_add(History *history, Oid database, Oid role, const uint64 *counters);
extern void hxpy_history_load(History *history);
extern void hxpy_history_save(const History *history);

#endif							/* HXPY_HISTORY_H */
