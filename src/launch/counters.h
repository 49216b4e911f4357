/*
 * counters.h
 *	  What is counted of sessions.
 */
#ifndef HXPY_COUNTERS_H
#define HXPY_COUNTERS_H

typedef enum SessionCounter
{
	COUNT_EVALS,
	COUNT_ROWS_IN,
	COUNT_ROWS_OUT,
	COUNT_BYTES_IN,
	COUNT_BYTES_OUT,
	COUNT_MICROSECONDS,
	COUNT_SESSIONS,				/* 1 once it was opened */
	COUNT_ERRORS,				/* Python exceptions that came back */
	COUNT_TIMEOUTS,				/* instructions that our own limits of time have ended */
	COUNT_CANCELS,				/* those that a cancel has, or statement_timeout */
	COUNT_MEMORY_KILLS,
	COUNT_POOL_HITS,			/* its container came out of the pool */
	COUNT_POOL_MISSES,			/* the pool could have had one, but had none */
	NUM_COUNTERS
} SessionCounter;

#endif							/* HXPY_COUNTERS_H */
