/*
 * owner.h
 *	  Owners of containers.
 */
#ifndef HXPY_OWNER_H
#define HXPY_OWNER_H

#include "docker.h"

/* Makes the labels of a container that this process starts. */
extern json_t *hxpy_owner_labels(const char *session);

/* Removes the containers of this cluster whose owners are gone. */
extern void hxpy_owner_clean(void);

#endif							/* HXPY_OWNER_H */
