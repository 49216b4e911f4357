/*
 * connect.h
 *	  Connections to workers that start.
 */
#ifndef HXPY_CONNECT_H
#define HXPY_CONNECT_H

#include "codec/protocol.h"
#include "engine/engine.h"

/* A sandbox that was started, until its worker is there. */
typedef struct Startup
{
	const char *image;			/* for messages */
	EngineStart *start;			/* NULL for one of the pool, which another has started */
	double		begun;			/* on the clock of hxpy_wait_now() */
	long		limit_ms;		/* from then on */
} Startup;

/* Where a worker listens, and what it must prove. */
typedef struct TcpPeer
{
	const char *address;		/* numeric; NULL when the engine names none */
	int			port;
	const uint8 *key;			/* HXPY_KEY_SIZE bytes */
} TcpPeer;

extern bool hxpy_connect_wait(const Startup *startup, pgsocket socket, long step_ms);
extern void hxpy_connect_network(const Startup *startup, const TcpPeer *peer, uint8 role,
								 pgsocket *used);

#endif							/* HXPY_CONNECT_H */
