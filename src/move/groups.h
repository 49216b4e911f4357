/*
 * groups.h
 *	  A query's rows in groups: sorted, and cut where a group ends.
 */
#ifndef HXPY_GROUPS_H
#define HXPY_GROUPS_H

#include "nodes/parsenodes.h"
#include "tcop/dest.h"

extern Query *hxpy_groups_sort(Query *query, const List *names, List **keys);
extern DestReceiver *hxpy_groups_create(DestReceiver *filler, const List *keys);

#endif							/* HXPY_GROUPS_H */
