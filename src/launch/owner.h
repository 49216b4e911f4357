/*
 * owner.h
 *	  Owners of containers.
 */
#ifndef HXPY_OWNER_H
#define HXPY_OWNER_H

#include "engine/docker/docker.h"

/* What is known of the process that started a container. */
typedef enum OwnerState
{
	OWNER_OTHERS,				/* the container is none of sessions or pool */
	OWNER_OURS,					/* of this postmaster: its shared memory knows more */
	OWNER_ALIVE,
	OWNER_GONE,
	OWNER_UNKNOWN				/* it lives, or not, where its pid means nothing here */
} OwnerState;

/* Makes the labels of a container that this process starts; no session: for the pool. */
extern json_t *hxpy_owner_labels(const char *session);

/* Makes the labels of a container of py_run. */
extern json_t *hxpy_owner_run_labels(void);

/* Tells whether a container with these labels is this cluster's. */
extern bool hxpy_owner_is_ours(json_t *labels);

/* Makes a name that no other container has. */
extern char *hxpy_owner_new_name(void);

/* Lists all containers of this cluster, running or not, as the engine does. */
extern json_t *hxpy_owner_list(void);

/* what an entry of that list tells */
extern OwnerState hxpy_owner_state(json_t *entry);
extern const char *hxpy_owner_name(json_t *entry);
extern bool hxpy_owner_has_ended(json_t *entry);

/* Removes the containers of this cluster whose owners are gone. */
extern void hxpy_owner_clean(void);

#endif							/* HXPY_OWNER_H */
