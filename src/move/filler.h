/*
 * filler.h
 *	  Rows → batches of an exchange.
 */
#ifndef HXPY_FILLER_H
#define HXPY_FILLER_H

#include "executor/tuptable.h"

#include "session/exchange.h"

typedef struct BatchFiller BatchFiller;

extern BatchFiller *hxpy_filler_begin(Exchange *exchange, TupleDesc tupdesc);
extern void hxpy_filler_add(BatchFiller *filler, TupleTableSlot *slot);
extern void hxpy_filler_flush(BatchFiller *filler);
extern uint64 hxpy_filler_batch_rows(const BatchFiller *filler);

#endif							/* HXPY_FILLER_H */
