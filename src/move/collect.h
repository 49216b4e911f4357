/*
 * collect.h
 *	  A query's rows in groups that Python collects: numbered, not sorted.
 */
#ifndef HXPY_COLLECT_H
#define HXPY_COLLECT_H

#include "nodes/parsenodes.h"

#include "session/exchange.h"

typedef struct GroupCollector GroupCollector;

extern bool hxpy_collect_is_cheaper(const PlannedStmt *plain, const PlannedStmt *sorted,
									const Query *query);
extern GroupCollector *hxpy_collect_create(Exchange *exchange, DestReceiver *filler,
										   const List *keys);
extern DestReceiver *hxpy_collect_receiver(GroupCollector *collector);
extern void hxpy_collect_finish(GroupCollector *collector);
extern bool hxpy_collect_step(GroupCollector *collector, uint64 asked);
extern void hxpy_collect_close(GroupCollector *collector);

#endif							/* HXPY_COLLECT_H */
