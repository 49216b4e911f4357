/*
 * tcp.h
 *	  Connections to workers that listen in a network.
 */
#ifndef HXPY_TCP_H
#define HXPY_TCP_H

#include "codec/protocol.h"
#include "launch/startup.h"

/* Where a worker listens, and what it must prove. */
typedef struct TcpPeer
{
	const char *address;		/* numeric; NULL when the engine names none */
	int			port;
	const uint8 *key;			/* HXPY_KEY_SIZE bytes */
} TcpPeer;

extern pgsocket hxpy_tcp_connect(const Startup *startup, const TcpPeer *peer, uint8 role);

#endif							/* HXPY_TCP_H */
