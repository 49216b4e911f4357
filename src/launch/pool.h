/*
 * pool.h
 *	  The pool of containers that wait for a session.
 */
#ifndef HXPY_POOL_H
#define HXPY_POOL_H

#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "launch/registry.h"

#define HXPY_POOL_SLOTS		256 /* containers in the pool */
#define HXPY_POOL_KINDS		256 /* images, with /io and their databases; roles that share */
#define HXPY_POOL_TEXT		256 /* bytes of a name or message, with its end */

/*
 * What a container is made with, but for its uid: those that are equal serve the same
 * sessions.  Zeroed before it is filled, since it is compared as bytes.
 */
typedef struct PoolSpec
{
	Oid			role;			/* whose sessions share it; InvalidOid: it is for one */
	Oid			database;		/* the same */
	int			sessions;		/* that may live in it at once */
	char		image[HXPY_POOL_TEXT];	/* name */
	char		runtime[HXPY_POOL_TEXT];
	char		docker_host[HXPY_POOL_TEXT];
	char		socket_directory[HXPY_POOL_TEXT];
	char		io_directory[HXPY_POOL_TEXT];	/* "" for no /io */
	Oid			io_database;	/* with /io: whose files */
	int			io_mode;
	int			memory;			/* MB */
	int			pids_limit;
	int			tmp_size;		/* MB */
	int			uid_base;
	double		cpus;
} PoolSpec;

/* The state of a slot, and which process changes it next. */
typedef enum PoolState
{
	POOL_FREE,
	POOL_STARTING,				/* launcher: until it is ready */
	POOL_READY,					/* a backend may claim it, of a shared one a place in it */
	POOL_CLAIMED,				/* that backend: until its worker has connected */
	POOL_RETIRED,				/* launcher: a shared one, for no more sessions than it has */
	POOL_TAKEN,					/* launcher: forgets it, it is a session's now */
	POOL_FAILED					/* launcher: removes it, it did not answer */
} PoolState;

/* What sessions find that are forked from the parent that py_share has made. */
typedef struct PoolParent
{
	uint32		number;			/* never used twice; 0 for none */
	bool		initialized;	/* py_init has run code in it */
	bool		started;		/* hxpy.start_proc has run in it */
	TimestampTz since;
	char		session[HXPY_SLOT_NAME];	/* UTF-8 name of the session that it was */
} PoolParent;

/* A container in the pool. */
typedef struct PoolSlot
{
	PoolState	state;
	PoolSpec	spec;
	char		name[HXPY_POOL_TEXT];	/* the engine's, made before the container is */
	char		id[HXPY_POOL_TEXT];
	int			uid;			/* and its directory's name */
	PoolParent	parent;			/* of a shared one */
	bool		outdated;		/* retired, since image or settings are others now */
	uint32		unshared;		/* launcher: tells it to end parents up to this number, or 0 */
} PoolSlot;

/*
 * What the launcher keeps of one kind, and how that goes; for hxpy_stat_pool.  There is
 * one for each image of hxpy.pool_images.  With /io those are patterns only: each
 * database that asks gets one of its own behind them, which the first backend makes.  So
 * does each role whose sessions share containers; there `wanted` is what backends say.
 */
typedef struct PoolKind
{
	PoolSpec	spec;
	int			wanted;			/* containers; 0 when nobody has asked for long */
	char		image_id[HXPY_POOL_TEXT];	/* "" when the engine has no such image */
	uint64		started;		/* containers that became ready */
	uint64		taken;			/* by sessions */
	uint64		missed;			/* sessions that found none ready */
	uint64		failed;			/* starts */
	char		error[HXPY_POOL_TEXT];	/* the last one, "" for none since the last success */
	TimestampTz error_at;
	TimestampTz asked_at;		/* when a session last asked */
	TimestampTz retry_at;		/* the launcher's own: no start before */
	int			backoff_ms;		/* the same: after the last failure, 0 for none */
} PoolKind;

/* In shared memory; all under `lock` but for what is said otherwise. */
typedef struct PoolShared
{
	LWLock	   *lock;			/* never held while talking to the engine */
	pid_t		launcher_pid;	/* 0 when there is none */
	struct Latch *launcher_latch;
	char		launcher_host[HXPY_POOL_TEXT];	/* its hxpy.docker_host */
	int			launcher_starts;	/* containers that the launcher starts right now */
	int			backend_starts; /* the same of backends */
	ConditionVariable turn;		/* a start has ended, or a container is ready */
	uint64		ended;			/* sessions that have ended: something to reap */
	uint32		parents;		/* numbers of parents that were given */
	char		engine_error[HXPY_POOL_TEXT];	/* of the launcher's last look, or "" */
	TimestampTz engine_error_at;
	int			nkinds;
	PoolKind	kinds[HXPY_POOL_KINDS];
	PoolSlot	slots[HXPY_POOL_SLOTS];
} PoolShared;

/* A container that this backend has claimed. */
typedef struct PoolClaim
{
	int			slot;
	char		id[HXPY_POOL_TEXT];
	int			uid;
	PoolParent	parent;			/* that the session is to be forked from */
} PoolClaim;

extern PoolShared *hxpy_pool;	/* NULL without shared_preload_libraries */

extern void hxpy_pool_init(void);
extern bool hxpy_pool_has_launcher(void);
extern void hxpy_pool_session_ended(void);
extern bool hxpy_pool_make_spec(PoolSpec *spec, const char *image, Oid database, int memory,
								double cpus);
extern void hxpy_pool_share_spec(PoolSpec *spec, Oid role, Oid database);
extern bool hxpy_pool_is_shared(const PoolSpec *spec);
extern void hxpy_pool_check_memory(void);
extern PoolKind *hxpy_pool_find_kind(PoolKind *kinds, int count, const PoolSpec *spec);

/*
 * A claim ends by hxpy_pool_end_claim(); of a shared container it is one of a place in it.
 * A turn to start, which enter gives when it does
 * not claim, ends by hxpy_pool_leave().  The session's slot gets the name of the
 * container that is claimed.
 */
extern bool hxpy_pool_claim(const PoolSpec *spec, SessionSlot *session, PoolClaim *claim);
extern void hxpy_pool_end_claim(const PoolClaim *claim, bool connected);
extern bool hxpy_pool_enter(const PoolSpec *spec, const char *image_id, SessionSlot *session,
							PoolClaim *claim);
extern void hxpy_pool_leave(void);

/* sessions that are forked from others, all in shared containers, by the engine's names */
extern void hxpy_pool_join(const char *container, SessionSlot *session);
extern void hxpy_pool_check_share(const char *container);
extern uint32 hxpy_pool_number_parent(void);
extern bool hxpy_pool_has_parent(const char *container);
extern void hxpy_pool_share(const char *container, const PoolParent *parent);
extern bool hxpy_pool_unshare(Oid role, Oid database);
extern void hxpy_pool_end_parent(PoolSlot *slot, uint32 number);

#endif							/* HXPY_POOL_H */
