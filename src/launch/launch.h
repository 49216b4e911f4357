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

/* What is launched, and so who connects to whom. */
typedef enum LaunchKind
{
	LAUNCH_SESSION,				/* a session's own sandbox: to its backend, control and data */
	LAUNCH_POOL,				/* one for whoever comes: to the launcher */
	LAUNCH_SHARED,				/* the same, for the sessions of a role */
	LAUNCH_FORK,				/* a worker in a shared one: to its backend, control and data */
	LAUNCH_HEIR,				/* the same, forked from the parent that py_share has made */
	LAUNCH_CLONE				/* the same, forked from a session's worker */
} LaunchKind;

/* A launch, from before the sandbox is made until its owner has what it wants of it. */
typedef struct Launch
{
	LaunchKind	kind;
	EngineSpec	spec;
	const char *session;		/* NULL when it is not made for one */
	LaunchStep	step;
	const char *id;				/* the engine's, from LAUNCH_CONNECTING on */
	SocketDirectory directory;
	const char *socket_name;	/* in the directory */
	pgsocket	listener;		/* until all are connected */
	pgsocket	sockets[2];		/* control, data; the launcher's: one */
	int			nsockets;		/* that are connected */
	Startup		startup;		/* its end, its limit */
	uint8		key[HXPY_KEY_SIZE];	/* with a network */
} Launch;

extern Launch *hxpy_launch_create(LaunchKind kind, const EngineSpec *spec, const char *image,
								  const char *session, long limit_ms);
extern void hxpy_launch_begin(Launch *launch);
extern bool hxpy_launch_begin_claimed(Launch *launch, const char *id, int uid);
extern bool hxpy_launch_step(Launch *launch);
extern bool hxpy_launch_run(Launch *launch);
extern void hxpy_launch_end_watch(Launch *launch);
extern void hxpy_launch_release(Launch *launch, bool remove);

#endif							/* HXPY_LAUNCH_H */
