/*
 * network.h
 *	  Networks of sessions.
 */
#ifndef HXPY_NETWORK_H
#define HXPY_NETWORK_H

#include "engine/docker/docker.h"
#include "codec/protocol.h"

#define HXPY_NO_NETWORK		"none"

/* Where a container listens, and what it must prove. */
typedef struct NetworkPeer
{
	const char *address;		/* numeric */
	int			port;
	uint8		key[HXPY_KEY_SIZE];
} NetworkPeer;

extern bool hxpy_network_is_none(const char *network);
extern void hxpy_network_check(const char *network);
extern void hxpy_network_resolve(const char *network);

/* parts of the sandbox */
extern json_t *hxpy_network_exposed(const char *network);
extern json_t *hxpy_network_bindings(const char *network);
extern void hxpy_network_check_attached(json_t *container, const char *network);

/* before and after the container's start */
extern void hxpy_network_make_key(NetworkPeer *peer, const char *container, int gid);
extern void hxpy_network_find_address(NetworkPeer *peer, const char *container,
									  const char *network);

#endif							/* HXPY_NETWORK_H */
