/*
 * startup.h
 *	  Waiting for a worker that starts.
 */
#ifndef HXPY_STARTUP_H
#define HXPY_STARTUP_H

#include "portability/instr_time.h"

#include "engine/engine.h"

/* A sandbox that was started, until its worker is there. */
typedef struct Startup
{
	const char *image;			/* for messages */
	EngineStart *start;			/* NULL for one of the pool, which another has started */
	instr_time	begun;
	long		limit_ms;		/* from then on */
} Startup;

extern bool hxpy_startup_wait(const Startup *startup, pgsocket socket, long step_ms);

#endif							/* HXPY_STARTUP_H */
