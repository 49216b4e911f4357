/*
 * reaper.h
 *	  The reaper.
 */
#ifndef HXPY_REAPER_H
#define HXPY_REAPER_H

#include "utils/timestamp.h"

#define HXPY_REAPER_SOON_MS	200 /* after a session's end: its container ends meanwhile */

extern TimestampTz hxpy_reaper_due; /* when the next sweep is */

extern void hxpy_reaper_hurry(int64 ms);
extern void hxpy_reaper_sweep(void);
extern bool hxpy_reaper_sweep_at_stop(void);
extern void hxpy_reaper_remove(const char *id, int host);
extern void hxpy_reaper_end_removals(void);
extern void hxpy_reaper_clean_once(void);

#endif							/* HXPY_REAPER_H */
