/*
 * owner.h
 *	  Owners of containers.
 */
#ifndef HXPY_OWNER_H
#define HXPY_OWNER_H

#include "engine/engine.h"

/* What is known of the process that started a container. */
typedef enum OwnerState
{
	OWNER_OTHERS,				/* the container is neither a session's nor in the pool */
	OWNER_OURS,					/* of this postmaster: its shared memory knows more */
	OWNER_ALIVE,
	OWNER_GONE,
	OWNER_UNKNOWN				/* it lives, or not, where its pid means nothing here */
} OwnerState;

extern EngineLabel hxpy_owner_cluster(void);
extern List *hxpy_owner_labels(const char *session);	/* NULL: of the pool */
extern List *hxpy_owner_run_labels(void);
extern char *hxpy_owner_new_name(void);

/* the containers of this cluster, a list of EngineEntry, and what they tell */
extern List *hxpy_owner_list(void);
extern OwnerState hxpy_owner_state(const EngineEntry *entry);
extern bool hxpy_owner_lives(const EngineEntry *entry);

#endif							/* HXPY_OWNER_H */
