/*
 * startup.c
 *	  Waiting for a worker that starts.
 *
 * Whatever is waited for, the sandbox's end is noticed at once, and the limit, cancel
 * and terminate are obeyed.
 */
#include "postgres.h"

#include "hxpy.h"
#include "launch/startup.h"

/* Return the milliseconds that are left, 0 when the limit is over. */
static long
time_left(const Startup *startup)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, startup->begun);
	return Max(startup->limit_ms - (long) INSTR_TIME_GET_MILLISEC(now), 0);
}

/* Raise an error when the sandbox has ended. */
static void
check_end(const Startup *startup)
{
	const char *words;

	if (startup->start == NULL || !hxpy_engine->has_ended(startup->start))
		return;
	words = hxpy_engine->last_words(startup->start);
	ereport(ERROR,
			(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
			 errmsg("the container of image \"%s\" ended before Python could connect",
					startup->image),
			 words[0] ? errdetail("%s", words) : 0,
			 errhint("The image must be one of hxpy's (docker/build), with /usr/bin/python3 and the package hxpy.")));
}

/*
 * Wait until a socket (or none), where there was nothing a moment ago, is readable or
 * the engine says something, at most for step_ms unless that is -1; false when the limit
 * is over.  Raises an error when the sandbox has ended.
 */
bool
hxpy_startup_wait(const Startup *startup, pgsocket socket, long step_ms)
{
	long		left = time_left(startup);

	if (left == 0)
		return false;
	check_end(startup);
	(void) hxpy_engine->wait(socket, step_ms < 0 ? left : Min(left, step_ms),
							 startup->start != NULL ? HXPY_WAIT_ENGINE : HXPY_WAIT_POOL);
	return true;
}
