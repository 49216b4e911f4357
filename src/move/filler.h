/*
 * filler.h
 *	  Rows → batches of an exchange.
 */
#ifndef HXPY_FILLER_H
#define HXPY_FILLER_H

#include "tcop/dest.h"

#include "session/exchange.h"

/* Tells the worker the columns, before the first row. */
typedef void (*FillerBegin) (void *arg, TupleDesc tupdesc, Column **heads, int nheads);

extern DestReceiver *hxpy_filler_create(Exchange *exchange, FillerBegin begin, void *arg);
extern void hxpy_filler_adapt(DestReceiver *self);
extern void hxpy_filler_add_groups(DestReceiver *self);
extern void hxpy_filler_number(DestReceiver *self, int32 group);
extern void hxpy_filler_start(DestReceiver *self, int32 kept);
extern uint64 hxpy_filler_batch_rows(const DestReceiver *self);

#endif							/* HXPY_FILLER_H */
