/*
 * notes.h
 *	  What the launcher notes: errors, of the engine and of kinds of containers.
 */
#ifndef HXPY_NOTES_H
#define HXPY_NOTES_H

#include "utils/timestamp.h"

#include "launch/pool.h"

/* What the launcher knows of a kind besides what is shared. */
typedef struct KindState
{
	TimestampTz retry_at;		/* no start before */
	int			backoff_ms;		/* after the last failure, 0 for none */
} KindState;

extern MemoryContext hxpy_launcher_context; /* lives as long as the launcher */
extern MemoryContext hxpy_launcher_round;	/* lives for one turn of its loop */
extern KindState hxpy_kind_states[HXPY_POOL_KINDS];

extern TimestampTz hxpy_notes_in_ms(int64 ms);
extern char *hxpy_notes_take_error(MemoryContext context);
extern void hxpy_notes_engine(const char *error);
extern bool hxpy_notes_lacks_engine(void);
extern void hxpy_notes_start(int kind, const char *error);

#endif							/* HXPY_NOTES_H */
