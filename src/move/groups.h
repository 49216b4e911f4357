/*
 * groups.h
 *	  A query's rows in groups: sorted, and cut where a group starts.
 */
#ifndef HXPY_GROUPS_H
#define HXPY_GROUPS_H

#include "executor/tuptable.h"
#include "nodes/parsenodes.h"
#include "tcop/dest.h"

extern Query *hxpy_groups_sort(Query *query, const List *names, List **keys);
extern DestReceiver *hxpy_groups_create(DestReceiver *filler, const List *keys);
extern void hxpy_groups_start(DestReceiver *self, TupleTableSlot *slot, int32 kept);

#endif							/* HXPY_GROUPS_H */
