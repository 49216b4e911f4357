/*
 * wait.c
 *	  Names of what backends and the launcher wait for (pg_stat_activity).
 *
 * PostgreSQL gives a name its number once in a cluster; it is kept for the
 * process.  Before 17 extensions have one nameless event.
 */
#include "postgres.h"

#include "hxpy.h"
#include "wait.h"

/* Return the number of what is waited for; where errors are no good, ask before. */
uint32
hxpy_wait_event(HxpyWait what)
{
	static const char *const names[] = {"HxpyWorker", "HxpyEngine", "HxpyLauncher", "HxpyPool"};
	static uint32 events[lengthof(names)] = {0};

	if (events[what] == 0)
		events[what] = HxpyWaitEventNew(names[what]);
	return events[what];
}
