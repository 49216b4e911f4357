/*
 * notes.h
 *	  What the launcher notes: errors, of the engine and of kinds of containers.
 */
#ifndef HXPY_NOTES_H
#define HXPY_NOTES_H

#include "utils/timestamp.h"

extern MemoryContext hxpy_launcher_context; /* lives as long as the launcher */
extern MemoryContext hxpy_launcher_round;	/* lives for one turn of its loop */

extern TimestampTz hxpy_notes_in_ms(int64 ms);
extern char *hxpy_notes_take_error(void);
extern void hxpy_notes_engine(const char *error);
extern bool hxpy_notes_lacks_engine(void);
extern void hxpy_notes_start(int kind, const char *error);

#endif							/* HXPY_NOTES_H */
