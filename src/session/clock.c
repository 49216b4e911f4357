/*
 * clock.c
 *	  The time of an exchange that counts against its limit.
 */
#include "postgres.h"

#include "hxpy.h"
#include "session/clock.h"

/* Return the milliseconds since a moment. */
long
hxpy_clock_elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return (long) INSTR_TIME_GET_MILLISEC(now);
}

/* Start a clock, if it stands still. */
void
hxpy_clock_start(ExchangeClock *clock)
{
	if (INSTR_TIME_IS_ZERO(clock->started))
		INSTR_TIME_SET_CURRENT(clock->started);
}

/* Stop a clock. */
void
hxpy_clock_stop(ExchangeClock *clock)
{
	instr_time	now;

	if (clock->continuous)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(clock->counted, now, clock->started);
	INSTR_TIME_SET_ZERO(clock->started);
}

/* Have all time count from now on. */
void
hxpy_clock_count_all(ExchangeClock *clock)
{
	hxpy_clock_start(clock);
	clock->continuous = true;
}

/*
 * Return the milliseconds that are left of the limit of a clock that runs: -1 where
 * there is none, and an error when none is left.
 */
long
hxpy_clock_left(ExchangeClock *clock)
{
	long		left;

	if (clock->limit_ms == 0)
		return -1;
	left = clock->limit_ms - (long) INSTR_TIME_GET_MILLISEC(clock->counted) -
		hxpy_clock_elapsed_ms(clock->started);
	clock->is_over = left <= 0;
	if (clock->is_over)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling Python due to %s", clock->limit_name),
				 errhint("The limit is %ld ms.", clock->limit_ms)));
	return left;
}
