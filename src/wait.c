/*
 * wait.c
 *	  Waiting: names of what is waited for (pg_stat_activity), and a clock.
 *
 * PostgreSQL gives a name its number once in a cluster; it is kept for the
 * process.  Before 17 extensions have one nameless event.
 */
#include "postgres.h"

#include "portability/instr_time.h"

#include "hxpy.h"
#include "wait.h"

/* Return the number of what is waited for; the first call for each may raise an error. */
uint32
hxpy_wait_event(HxpyWait what)
{
	static const char *const names[] = {"HxpyWorker", "HxpyEngine", "HxpyLauncher", "HxpyPool"};
	static uint32 events[lengthof(names)] = {0};

	if (events[what] == 0)
		events[what] = HxpyWaitEventNew(names[what]);
	return events[what];
}

/* Return the time in milliseconds, on a clock that nobody sets. */
double
hxpy_wait_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}
