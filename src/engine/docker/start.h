/*
 * start.h
 *	  The start of a container.
 */
#ifndef HXPY_START_H
#define HXPY_START_H

#include "engine/engine.h"

/* as engine.h has them */
extern EngineStart *hxpy_start_begin(const EngineSpec *spec);
extern bool hxpy_start_step(EngineStart *start);
extern const char *hxpy_start_id(const EngineStart *start);
extern bool hxpy_start_is_creating(const EngineStart *start);
extern bool hxpy_start_has_ended(const EngineStart *start);
extern char *hxpy_start_last_words(const EngineStart *start);
extern void hxpy_start_end_watch(EngineStart *start);
extern bool hxpy_start_find_address(const EngineStart *start, const char **address, int *port);

#endif							/* HXPY_START_H */
