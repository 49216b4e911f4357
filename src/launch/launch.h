/*
 * launch.h
 *	  Launches: how a worker comes to be.
 */
#ifndef HXPY_LAUNCH_H
#define HXPY_LAUNCH_H

#include "codec/protocol.h"
#include "launch/connect.h"
#include "launch/directory.h"

/* How far a launch has come. */
typedef enum LaunchStep
{
	LAUNCH_STARTING,			/* the engine makes the sandbox, checks and starts it */
	LAUNCH_CONNECTING,			/* it runs; not all connections are there */
	LAUNCH_CONNECTED
} LaunchStep;

/* A launch, from before the sandbox is made until its owner has what it wants of it. */
typedef struct Launch
{
	EngineSpec	spec;
	const char *session;		/* NULL in the pool */
	LaunchStep	step;
	const char *id;				/* the engine's, from LAUNCH_CONNECTING on */
	SocketDirectory directory;
	const char *socket_name;	/* in the directory */
	pgsocket	listener;		/* until all are connected */
	pgsocket	sockets[2];		/* control, data; of the pool: one */
	int			nsockets;		/* that are connected */
	int			wanted;
	Startup		startup;		/* its end, its limit */
	uint8		key[HXPY_KEY_SIZE];	/* with a network */
} Launch;

extern Launch *hxpy_launch_create(const EngineSpec *spec, const char *image,
								  const char *session, long limit_ms);
extern void hxpy_launch_begin(Launch *launch);
extern bool hxpy_launch_begin_claimed(Launch *launch, const char *id, int uid);
extern bool hxpy_launch_step(Launch *launch);
extern bool hxpy_launch_run(Launch *launch);
extern void hxpy_launch_end_watch(Launch *launch);
extern void hxpy_launch_release(Launch *launch, bool remove);

#endif							/* HXPY_LAUNCH_H */
