/*
 * clock.h
 *	  The time of an exchange that counts against its limit.
 */
#ifndef HXPY_CLOCK_H
#define HXPY_CLOCK_H

#include "portability/instr_time.h"

/*
 * The time that counts against the limit.  It runs while the backend waits for the
 * worker, and stands still while a query, a trigger or the client takes its time.
 * Where all that is left is to store the answer's rows it is not stopped any more: a
 * worker that sends them faster than that is never waited for, and might send for ever.
 */
typedef struct ExchangeClock
{
	instr_time	counted;		/* until it was stopped last */
	instr_time	started;		/* when it was started, zero while it stands still */
	bool		continuous;		/* it is not stopped any more */
	long		limit_ms;		/* 0 for none */
	const char *limit_name;		/* what set the limit */
	bool		is_over;		/* the error of the limit was raised */
} ExchangeClock;

extern long hxpy_clock_elapsed_ms(instr_time since);
extern void hxpy_clock_start(ExchangeClock *clock);
extern void hxpy_clock_stop(ExchangeClock *clock);
extern void hxpy_clock_count_all(ExchangeClock *clock);
extern long hxpy_clock_left(ExchangeClock *clock);

#endif							/* HXPY_CLOCK_H */
