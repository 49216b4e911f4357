/*
 * launcher.h
 *	  The launcher: fills the pool, reaps containers.
 */
#ifndef HXPY_LAUNCHER_H
#define HXPY_LAUNCHER_H

#include "utils/timestamp.h"

/* Registers the background worker; to be called while the server preloads libraries. */
extern void hxpy_launcher_init(void);

extern PGDLLEXPORT void hxpy_launcher_main(Datum arg);

/* for member.c and reaper.c, within the launcher */
extern MemoryContext hxpy_launcher_context; /* lives as long as the process */
extern MemoryContext hxpy_launcher_round;	/* lives for one turn of the loop */

extern char *hxpy_launcher_take_error(MemoryContext context);
extern void hxpy_launcher_note_engine(const char *error);
extern bool hxpy_launcher_lacks_engine(void);
extern void hxpy_launcher_note_start(int kind, const char *error);

/* Returns the moment so many milliseconds from now. */
static inline TimestampTz
hxpy_launcher_in_ms(int64 ms)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

#endif							/* HXPY_LAUNCHER_H */
