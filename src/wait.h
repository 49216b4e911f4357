/*
 * wait.h
 *	  Waiting: names of what is waited for, and a clock.
 */
#ifndef HXPY_WAIT_H
#define HXPY_WAIT_H

typedef enum HxpyWait
{
	HXPY_WAIT_WORKER,			/* a worker's answer */
	HXPY_WAIT_ENGINE,			/* the Docker engine's */
	HXPY_WAIT_LAUNCHER,			/* the launcher has nothing to do */
	HXPY_WAIT_POOL				/* a container of the pool */
} HxpyWait;

extern uint32 hxpy_wait_event(HxpyWait what);

/* Returns the time in milliseconds, on a clock that nobody sets. */
extern double hxpy_wait_now(void);

#endif							/* HXPY_WAIT_H */
