/*
 * startup.h
 *	  Waiting for a container that starts.
 */
#ifndef HXPY_STARTUP_H
#define HXPY_STARTUP_H

#include "portability/instr_time.h"

#include "engine/docker/docker.h"

/* A container that was started, until its worker is there. */
typedef struct Startup
{
	const char *image;			/* for messages */
	DockerStream *output;		/* ends with the container */
	instr_time	begin;			/* what hxpy.open_timeout counts from */
} Startup;

extern bool hxpy_startup_wait(const Startup *startup, pgsocket socket, long step_ms);

#endif							/* HXPY_STARTUP_H */
