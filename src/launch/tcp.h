/*
 * tcp.h
 *	  Connections to containers that listen in a network.
 */
#ifndef HXPY_TCP_H
#define HXPY_TCP_H

#include "launch/network.h"
#include "launch/startup.h"

extern pgsocket hxpy_tcp_connect(const Startup *startup, const NetworkPeer *peer, uint8 role);

#endif							/* HXPY_TCP_H */
