/*
 * progress.h
 *	  How far an instruction has come.
 */
#ifndef HXPY_PROGRESS_H
#define HXPY_PROGRESS_H

#include "datatype/timestamp.h"

#include "launch/registry.h"

/* Rows that are moved, by one exchange or by one after the other. */
typedef struct RowProgress
{
	TimestampTz since;			/* 0 until hxpy_progress_begin() */
	TimestampTz told;			/* when the client was told last, or `since` */
	uint64		done;
	double		total;			/* 0 when it is not known */
	bool		estimated;		/* by the planner */
	bool		silent;			/* Python tells how far it has come */
} RowProgress;

/* Set by a timer: look at hxpy_progress_tick(). */
extern volatile sig_atomic_t hxpy_progress_due;

extern const char *hxpy_progress_take(RowProgress *rows, SessionSlot *slot, const char *payload,
									  size_t length);
extern void hxpy_progress_begin(RowProgress *rows, SessionSlot *slot);
extern void hxpy_progress_count(RowProgress *rows, SessionSlot *slot, uint64 more);
extern void hxpy_progress_tick(RowProgress *rows, SessionSlot *slot, uint64 more);
extern char *hxpy_progress_rows_text(double done, double total, bool estimated, TimestampTz since);

#endif							/* HXPY_PROGRESS_H */
