/*
 * share.c
 *	  Sessions that are the parent of those that come.
 *
 * A parent is forked from a session's worker, and waits in its container; it has no
 * connection to anybody but process 1.  The fork is made first, and counts once process 1
 * and the pool know its number: when that is broken off before, it ends with the session,
 * or when the next one is made, and the parent before it stays.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "hxpy.h"
#include "codec/column.h"
#include "guc.h"
#include "launch/pool.h"
#include "session/share.h"

/* Tell process 1 that the parent which the session has made counts from now on. */
static void
commit_parent(PySession *session, uint32 number)
{
	GatherList	payload;

	hxpy_gather_init(&payload, CurrentMemoryContext);
	hxpy_column_write_batch(1, &payload);
	hxpy_column_write_text("number", psprintf("%u", number), &payload);
	if (!hxpy_worker_tell_supervisor(session->worker, HXPY_FRAME_SHARE, 0, &payload))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not send to the session's supervisor: %m")));
}

/* Make a session the parent of the next ones of its role in this database. */
void
hxpy_share_session(PySession *session)
{
	const char *container = hxpy_registry_container(session->slot);
	PoolParent	parent = {.initialized = session->initialized,.started = session->started};
	SlotInfo	info;

	hxpy_session_check_forkable(session);
	hxpy_pool_check_share(container);
	parent.number = hxpy_pool_number_parent();
	parent.since = GetCurrentTimestamp();
	if (hxpy_registry_read(session->slot, &info))
		strlcpy(parent.session, info.session, sizeof(parent.session));
	hxpy_session_fork(session, psprintf("parent-%u", parent.number), "parent");
	commit_parent(session, parent.number);
	hxpy_pool_share(container, &parent);
}

/*
 * Make a session in which hxpy.start_proc has just run, and nothing before, the parent, if
 * that is wanted and there is none.
 */
void
hxpy_share_start(PySession *session)
{
	if (hxpy_start_proc_shared && session->container->shared && !session->container->by_parent &&
		!hxpy_pool_has_parent(hxpy_registry_container(session->slot)))
		hxpy_share_session(session);
}
