/*
 * launcher.c
 *	  The launcher: a background worker that fills the pool and reaps containers.
 *
 * It starts containers step by step (create, inspect, start, wait until they are
 * ready), several at once: each is a Member, which owns a memory context, a claim on
 * a directory and the connection that tells when it is ready, and when it has died.
 * A backend that claims a container shares the directory, connects, and says so in the
 * slot; then the launcher forgets its member.
 *
 * It reaps by looking at the engine's list of this cluster's containers: those of this
 * postmaster belong to a slot of the pool, to a session, or to nobody.  It looks after
 * a session has ended, every ten seconds, at its start (what an earlier postmaster or a
 * crash has left) and at its end.
 *
 * Everything happens in one loop that waits for the latch, the engine's answers and the
 * members' sockets together; the shared lock is held for moments, never while it
 * talks to the engine.  An error ends the step that raised it, is logged, and slows
 * further starts of that kind down.  It is connected to no database, so that it holds
 * up nobody who drops one.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "directory.h"
#include "docker.h"
#include "guc.h"
#include "http.h"
#include "image.h"
#include "launcher.h"
#include "owner.h"
#include "pool.h"
#include "sandbox.h"
#include "stats.h"
#include "text.h"

#define RESTART_SECONDS		2	/* after the launcher has failed */
#define SWEEP_MS			10000	/* between looks at the engine's list */
#define SWEEP_SOON_MS		200		/* after a session's end: its container ends meanwhile */
#define IMAGES_MS			5000	/* between looks at the images' ids */
#define SAMPLE_MS			10000	/* between looks at memory and CPU */
#define READY_MS			60000	/* a container that is not ready by then has failed */
#define BACKOFF_MIN_MS		500
#define BACKOFF_MAX_MS		30000
#define MAX_REMOVALS		4		/* under way at once */
#define REMOVE_TIMEOUT_MS	10000
#define STOP_MS				5000	/* for cleaning up before the server stops */
#define STOP_CALL_MS		1000
#define STOP_STEP_MS		50
#define MAX_STOP_REMOVALS	32
#define MAX_EVENTS			16

typedef enum MemberStep
{
	MEMBER_CREATING,
	MEMBER_CHECKING,
	MEMBER_STARTING,
	MEMBER_WARMING,				/* until it says that it is ready */
	MEMBER_READY,
	MEMBER_CLAIMED				/* by a backend; nothing to do but wait */
} MemberStep;

/* A container of the pool, from before its creation until it is taken or removed. */
typedef struct Member
{
	MemoryContext context;		/* of everything here */
	int			slot;			/* in shared memory */
	int			kind;
	MemberStep	step;
	char	   *name;
	char	   *id;
	char	   *image_id;
	char	   *imports;
	SocketDirectory directory;
	pgsocket	listener;		/* until it has connected */
	pgsocket	connection;		/* until it is taken */
	json_t	   *body;
	DockerCall *call;			/* under way */
	TimestampTz begun;
} Member;

/* A container that is being removed. */
typedef struct Removal
{
	MemoryContext context;
	char	   *id;
	DockerCall *call;
} Removal;

/* What this process knows of a kind besides what is shared. */
typedef struct KindState
{
	TimestampTz retry_at;		/* no start before, after a failure */
	int			backoff_ms;		/* the last one */
} KindState;

static MemoryContext launcher_context;
static MemoryContext round_context; /* of one turn of the loop */
static List *members = NIL;
static List *removals = NIL;
static KindState kind_states[HXPY_POOL_KINDS];
static int	events = -1;		/* epoll descriptor of the members' sockets */
static uint64 seen_ended = 0;
static TimestampTz sweep_at = 0;
static TimestampTz images_at = 0;
static TimestampTz sample_at = 0;
static char engine_error[HXPY_POOL_TEXT];	/* of the last look, "" for none */

/* ---------- moments ---------- */

/* Return the moment so many milliseconds from now. */
static TimestampTz
in_ms(int64 ms)
{
	return GetCurrentTimestamp() + ms * 1000;
}

/* Bring a moment forward. */
static void
no_later(TimestampTz *moment, TimestampTz other)
{
	if (other < *moment)
		*moment = other;
}

/* ---------- errors ---------- */

/*
 * Take the current error's message and forget the error.  To be called in a PG_CATCH
 * block, with the memory context to go on with.
 */
static char *
take_error(MemoryContext context)
{
	ErrorData  *error;
	char	   *text;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	text = error->detail ? psprintf("%s: %s", error->message, error->detail) :
		pstrdup(error->message);
	FreeErrorData(error);
	return text;
}

/* Copy a message to where it has HXPY_POOL_TEXT bytes, without half a character. */
static void
copy_message(char *to, const char *text)
{
	int			length = pg_mbcliplen(text, strlen(text), HXPY_POOL_TEXT - 1);

	memcpy(to, text, length);
	to[length] = '\0';
}

/* Note, and log once, that the engine cannot be used; NULL: that it can. */
static void
note_engine(const char *error)
{
	if (error == NULL && engine_error[0])
		ereport(LOG, (errmsg("hxpy launcher: the Docker engine is back")));
	else if (error != NULL && strncmp(engine_error, error, strlen(engine_error)) != 0)
		ereport(LOG, (errmsg("hxpy launcher: %s", error)));
	else if (error != NULL && !engine_error[0])
		ereport(LOG, (errmsg("hxpy launcher: %s", error)));
	copy_message(engine_error, error ? error : "");
}

/* Note that a start of a kind has failed, or that it has not. */
static void
note_start(int kind, const char *error)
{
	PoolKind   *shared = &hxpy_pool->kinds[kind];
	KindState  *state = &kind_states[kind];
	bool		repeated;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	repeated = error != NULL && strncmp(shared->error, error, HXPY_POOL_TEXT - 1) == 0;
	copy_message(shared->error, error ? error : "");
	if (error != NULL)
	{
		shared->failed++;
		shared->error_at = GetCurrentTimestamp();
	}
	LWLockRelease(hxpy_pool->lock);
	if (error == NULL)
	{
		state->backoff_ms = 0;
		return;
	}
	if (!repeated)
		ereport(LOG, (errmsg("hxpy launcher: no container of image \"%s\" for the pool: %s",
							 shared->spec.image, error)));
	state->backoff_ms = Min(Max(state->backoff_ms * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
	state->retry_at = in_ms(state->backoff_ms);
}

/* ---------- removing ---------- */

/* Tell whether a container is being removed. */
static bool
is_being_removed(const char *id)
{
	ListCell   *cell;

	foreach(cell, removals)
	{
		if (strcmp(((Removal *) lfirst(cell))->id, id) == 0)
			return true;
	}
	return false;
}

/* Begin to remove a container, by id or name. */
static void
begin_removal(const char *id)
{
	MemoryContext context = AllocSetContextCreate(launcher_context, "hxpy removal",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Removal    *removal = palloc0(sizeof(Removal));

	removal->context = context;
	removal->id = pstrdup(id);
	PG_TRY();
	{
		removal->call = hxpy_docker_begin_remove(removal->id, REMOVE_TIMEOUT_MS);
		MemoryContextSwitchTo(launcher_context);
		removals = lappend(removals, removal);
	}
	PG_CATCH();
	{
		note_engine(take_error(round_context));
		MemoryContextDelete(context);
		no_later(&sweep_at, in_ms(BACKOFF_MIN_MS));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* Take the engine's answer about a removal; one that failed is tried again by a sweep. */
static void
end_removal(Removal *removal)
{
	PG_TRY();
	{
		(void) hxpy_docker_end_remove(removal->call);
	}
	PG_CATCH();
	{
		note_engine(take_error(round_context));
		no_later(&sweep_at, in_ms(SWEEP_SOON_MS));
	}
	PG_END_TRY();
	removals = list_delete_ptr(removals, removal);
	MemoryContextDelete(removal->context);
}

/* Forget the removals that have ended. */
static void
end_removals(void)
{
	List	   *list = list_copy(removals);
	ListCell   *cell;

	foreach(cell, list)
	{
		Removal    *removal = lfirst(cell);

		if (hxpy_docker_is_done(removal->call))
			end_removal(removal);
	}
}

/* ---------- members ---------- */

/* Close a member's socket. */
static void
close_socket(pgsocket *socket)
{
	if (*socket == PGINVALID_SOCKET)
		return;
	closesocket(*socket);
	ReleaseExternalFD();
	*socket = PGINVALID_SOCKET;
}

/* Tell whether a member counts as being started. */
static bool
is_starting(const Member *member)
{
	return member->step < MEMBER_WARMING;
}

/* Give back the turn that a start has taken. */
static void
end_turn(void)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->launcher_starts--;
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableSignal(&hxpy_pool->turn);
}

/* Set the state of a member's slot. */
static void
set_slot(const Member *member, PoolState state)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->slots[member->slot].state = state;
	LWLockRelease(hxpy_pool->lock);
}

/*
 * Forget a member: its slot becomes free.  With `remove`, its container and directory
 * go; else they are a session's.
 */
static void
forget_member(Member *member, bool remove)
{
	/* It may be the member's own. */
	MemoryContextSwitchTo(round_context);
	if (is_starting(member))
		end_turn();
	close_socket(&member->listener);
	close_socket(&member->connection);
	if (remove)
		hxpy_directory_release(&member->directory);
	else
		hxpy_directory_leave(&member->directory);
	members = list_delete_ptr(members, member);
	set_slot(member, POOL_FREE);
	if (remove)
		begin_removal(member->name);
	MemoryContextDelete(member->context);
}

/* Forget a member whose start has failed. */
static void
fail_member(Member *member, const char *error)
{
	note_start(member->kind, error);
	forget_member(member, true);
}

/* Find a free slot and take a turn for a start; -1 when there is none. */
static int
take_slot(int kind, const char *name, int uid)
{
	int			found = -1;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	if (hxpy_pool->launcher_starts + hxpy_pool->backend_starts < hxpy_pool_starts)
	{
		for (int i = 0; i < HXPY_POOL_SLOTS && found < 0; i++)
		{
			PoolSlot   *slot = &hxpy_pool->slots[i];

			if (slot->state != POOL_FREE)
				continue;
			slot->state = POOL_STARTING;
			slot->spec = hxpy_pool->kinds[kind].spec;
			strlcpy(slot->name, name, sizeof(slot->name));
			slot->id[0] = '\0';
			slot->uid = uid;
			hxpy_pool->launcher_starts++;
			found = i;
		}
	}
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Listen for a member, and for its end. */
static void
watch_socket(pgsocket socket)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,.data.fd = socket};

	if (epoll_ctl(events, EPOLL_CTL_ADD, socket, &event) != 0)
		elog(ERROR, "epoll_ctl failed: %m");
}

/* Count a descriptor or raise an error. */
static void
count_descriptor(void)
{
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files for another container"),
				 errhint("Lower hxpy.pool_size, or raise max_files_per_process.")));
}

/* Begin to create a member's container. */
static void
create_member(Member *member)
{
	const PoolSpec *spec = &hxpy_pool->slots[member->slot].spec;
	Sandbox		sandbox = {
		.image_id = member->image_id,
		.directory = &member->directory,
		.memory = spec->memory,
		.cpus = spec->cpus,
		.imports = member->imports
	};

	count_descriptor();
	PG_TRY();
	{
		member->listener = hxpy_directory_listen(&member->directory, HXPY_POOL_SOCKET);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	watch_socket(member->listener);
	member->body = hxpy_sandbox_body(&sandbox);
	member->call = hxpy_docker_begin_create(member->name, member->body);
}

/* Begin to start a container of a kind; false when it is not our turn. */
static bool
start_member(int kind)
{
	MemoryContext context = AllocSetContextCreate(launcher_context, "hxpy pool member",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Member	   *member = palloc0(sizeof(Member));
	volatile bool begun = false;

	member->context = context;
	member->kind = kind;
	member->slot = -1;
	member->directory.fd = -1;
	member->listener = member->connection = PGINVALID_SOCKET;
	member->begun = GetCurrentTimestamp();
	member->name = hxpy_owner_new_name();
	member->image_id = pstrdup(hxpy_pool->kinds[kind].image_id);
	member->imports = pstrdup(hxpy_pool_imports);
	PG_TRY();
	{
		hxpy_directory_claim(&member->directory, context);
		member->slot = take_slot(kind, member->name, member->directory.uid);
		if (member->slot >= 0)
		{
			MemoryContextSwitchTo(launcher_context);
			members = lappend(members, member);
			MemoryContextSwitchTo(context);
			create_member(member);
			begun = true;
		}
		else
		{
			hxpy_directory_release(&member->directory);
			MemoryContextDelete(context);
		}
	}
	PG_CATCH();
	{
		char	   *error = take_error(round_context);

		if (member->slot >= 0)
			fail_member(member, error);
		else
		{
			note_start(kind, error);
			hxpy_directory_release(&member->directory);
			MemoryContextDelete(context);
		}
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return begun;
}

/* Take the engine's answer about a member and go on to its next step. */
static void
advance_member(Member *member)
{
	DockerCall *call = member->call;

	member->call = NULL;
	switch (member->step)
	{
		case MEMBER_CREATING:
			member->id = hxpy_docker_end_create(call);
			LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
			strlcpy(hxpy_pool->slots[member->slot].id, member->id, HXPY_POOL_TEXT);
			LWLockRelease(hxpy_pool->lock);
			member->step = MEMBER_CHECKING;
			member->call = hxpy_docker_begin_inspect(member->id);
			break;
		case MEMBER_CHECKING:
			hxpy_sandbox_check(hxpy_docker_end_inspect(call), member->body);
			member->step = MEMBER_STARTING;
			member->call = hxpy_docker_begin_start(member->id);
			break;
		case MEMBER_STARTING:
			hxpy_docker_end_start(call);
			member->step = MEMBER_WARMING;
			end_turn();
			break;
		default:
			Assert(false);
	}
}

/* Take a member's connection. */
static void
accept_member(Member *member)
{
	pgsocket	socket = accept4(member->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (socket == PGINVALID_SOCKET)
		return;
	/* It takes the listener's place, and its count of descriptors. */
	if (!hxpy_directory_is_peer(socket, member->id ? member->id : "?"))
	{
		closesocket(socket);
		ereport(ERROR,
				(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
				 errmsg("a process outside the container has connected to its socket")));
	}
	closesocket(member->listener);
	member->listener = PGINVALID_SOCKET;
	member->connection = socket;
	hxpy_directory_unlink(&member->directory, HXPY_POOL_SOCKET);
	watch_socket(socket);
}

/* Make a member ready: from now on backends may claim it. */
static void
make_ready(Member *member, const char *failed_imports)
{
	if (failed_imports[0])
		ereport(LOG, (errmsg("hxpy launcher: image \"%s\" cannot import all of hxpy.pool_imports: %s",
							 hxpy_pool->kinds[member->kind].spec.image, failed_imports)));
	note_start(member->kind, NULL);
	member->step = MEMBER_READY;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->slots[member->slot].state = POOL_READY;
	hxpy_pool->kinds[member->kind].started++;
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableSignal(&hxpy_pool->turn);
}

/* Take a ready container out of the pool; false when a backend was faster. */
static bool
withdraw(const Member *member)
{
	bool		withdrawn;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	withdrawn = hxpy_pool->slots[member->slot].state == POOL_READY;
	if (withdrawn)
		hxpy_pool->slots[member->slot].state = POOL_FAILED;
	LWLockRelease(hxpy_pool->lock);
	return withdrawn;
}

/*
 * Read from a member: a line when it is ready, the end when it dies, or when a session
 * has taken it.
 */
static void
read_member(Member *member)
{
	char		text[4096];
	ssize_t		length = recv(member->connection, text, sizeof(text), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (length <= 0)
	{
		close_socket(&member->connection);
		if (member->step == MEMBER_WARMING)
			fail_member(member, "the container ended before it was ready; see its output with: docker logs");
		else if (withdraw(member))
			forget_member(member, true);
		/* else a backend has claimed it, and ends the claim */
		return;
	}
	if (member->step != MEMBER_WARMING)
		return;
	make_ready(member, hxpy_text_clean(text, text[length - 1] == '\n' ? length - 1 : length));
}

/* Find the member of a socket, NULL when it has gone meanwhile. */
static Member *
find_member(pgsocket socket)
{
	ListCell   *cell;

	foreach(cell, members)
	{
		Member	   *member = lfirst(cell);

		if (member->listener == socket || member->connection == socket)
			return member;
	}
	return NULL;
}

/* Run a member's step; its error is the member's end. */
static void
run_step(Member *member, void (*step) (Member *member))
{
	MemoryContext old = MemoryContextSwitchTo(member->context);

	PG_TRY();
	{
		step(member);
	}
	PG_CATCH();
	{
		fail_member(member, take_error(round_context));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* Handle what the members' sockets have to tell. */
static void
handle_sockets(void)
{
	struct epoll_event ready[MAX_EVENTS];
	int			count = epoll_wait(events, ready, MAX_EVENTS, 0);

	for (int i = 0; i < count; i++)
	{
		Member	   *member = find_member(ready[i].data.fd);

		if (member == NULL)
			continue;
		run_step(member, member->listener == ready[i].data.fd ? accept_member : read_member);
	}
}

/* Handle the engine's answers about members, and those that take too long. */
static void
handle_answers(void)
{
	List	   *list = list_copy(members);
	ListCell   *cell;

	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);

		if (member->call != NULL && hxpy_docker_is_done(member->call))
			run_step(member, advance_member);
		else if (member->step == MEMBER_WARMING &&
				 TimestampDifferenceExceeds(member->begun, GetCurrentTimestamp(), READY_MS))
			fail_member(member, "the container was not ready in time");
	}
}

/* See what backends have done with the members' slots. */
static void
handle_slots(void)
{
	List	   *list = list_copy(members);
	ListCell   *cell;

	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);
		PoolState	state;

		LWLockAcquire(hxpy_pool->lock, LW_SHARED);
		state = hxpy_pool->slots[member->slot].state;
		LWLockRelease(hxpy_pool->lock);
		if (state == POOL_CLAIMED)
			member->step = MEMBER_CLAIMED;
		else if (state == POOL_TAKEN)
			forget_member(member, false);
		else if (state == POOL_FAILED)
			forget_member(member, true);
	}
}

/* ---------- kinds ---------- */

/* Look up the ids of the kinds' images; an engine that does not answer changes nothing. */
static void
look_up_images(void)
{
	images_at = in_ms(IMAGES_MS);
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		PoolKind   *kind = &hxpy_pool->kinds[i];
		json_t	   *image = hxpy_docker_inspect_image(kind->spec.image);
		const char *id = json_string_value(json_object_get(image, "Id"));

		if (id == NULL && !kind->error[0])
			note_start(i, psprintf("the Docker engine has no image \"%s\"", kind->spec.image));
		LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
		strlcpy(kind->image_id, id ? id : "", sizeof(kind->image_id));
		LWLockRelease(hxpy_pool->lock);
	}
}

/* Make a kind of each image of the pool; those that stay keep their counters. */
static void
make_kinds(void)
{
	static PoolKind kinds[HXPY_POOL_KINDS];
	List	   *images = hxpy_text_split(hxpy_pool_images);
	ListCell   *cell;
	int			count = 0;

	memset(kinds, 0, sizeof(kinds));
	foreach(cell, images)
	{
		PoolSpec	spec;

		if (count == HXPY_POOL_KINDS)
		{
			ereport(LOG, (errmsg("hxpy launcher: hxpy.pool_images names more than %d images",
								 HXPY_POOL_KINDS)));
			break;
		}
		hxpy_pool_make_spec(&spec, lfirst(cell), Min(hxpy_memory, hxpy_max_memory),
							Min(hxpy_cpus, hxpy_max_cpus));
		kinds[count].spec = spec;
		kinds[count].asked_at = GetCurrentTimestamp();
		for (int i = 0; i < hxpy_pool->nkinds; i++)
		{
			if (memcmp(&hxpy_pool->kinds[i].spec, &spec, sizeof(spec)) == 0)
				kinds[count] = hxpy_pool->kinds[i];
		}
		count++;
	}
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	memcpy(hxpy_pool->kinds, kinds, sizeof(kinds));
	hxpy_pool->nkinds = count;
	LWLockRelease(hxpy_pool->lock);
	memset(kind_states, 0, sizeof(kind_states));
}

/* Return the kind of a member, -1 when the settings or the image have changed. */
static int
current_kind(const Member *member)
{
	const PoolSpec *spec = &hxpy_pool->slots[member->slot].spec;

	if (strcmp(member->imports, hxpy_pool_imports) != 0)
		return -1;
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		if (memcmp(&hxpy_pool->kinds[i].spec, spec, sizeof(*spec)) == 0)
			return strcmp(hxpy_pool->kinds[i].image_id, member->image_id) == 0 ? i : -1;
	}
	return -1;
}

/* Remove the members that nobody wants, and start those that are missing. */
static void
fill_pool(void)
{
	int			count[HXPY_POOL_KINDS] = {0};
	TimestampTz now = GetCurrentTimestamp();
	List	   *list = list_copy(members);
	ListCell   *cell;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		PoolKind   *kind = &hxpy_pool->kinds[i];
		bool		idle = hxpy_pool_idle > 0 &&
			TimestampDifferenceExceeds(kind->asked_at, now, hxpy_pool_idle * 1000);

		kind->wanted = idle || !kind->image_id[0] ? 0 : hxpy_pool_size;
	}
	LWLockRelease(hxpy_pool->lock);
	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);
		int			kind = current_kind(member);

		if (member->step == MEMBER_CLAIMED)
			continue;
		if (kind >= 0)
			member->kind = kind;
		if (kind >= 0 && count[kind] < hxpy_pool->kinds[kind].wanted)
			count[kind]++;
		else if (!is_starting(member) && (member->step != MEMBER_READY || withdraw(member)))
			forget_member(member, true);
	}
	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		while (count[i] < hxpy_pool->kinds[i].wanted && kind_states[i].retry_at <= now &&
			   start_member(i))
			count[i]++;
	}
}

/* ---------- reaping ---------- */

/* Tell whether a container belongs to the pool. */
static bool
is_in_pool(const char *name)
{
	bool		found = false;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	for (int i = 0; i < HXPY_POOL_SLOTS && !found; i++)
		found = hxpy_pool->slots[i].state != POOL_FREE &&
			strcmp(hxpy_pool->slots[i].name, name) == 0;
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Tell whether nobody wants a listed container any more. */
static bool
is_garbage(json_t *entry)
{
	const char *name = hxpy_owner_name(entry);

	switch (hxpy_owner_state(entry))
	{
		case OWNER_OURS:
			/* In this order: a claim moves a container from the pool to a session. */
			return hxpy_owner_has_ended(entry) ||
				(name != NULL && !is_in_pool(name) && !hxpy_stats_uses_container(name));
		case OWNER_GONE:
			return true;
		case OWNER_UNKNOWN:
			return hxpy_owner_has_ended(entry);
		default:
			return false;
	}
}

/* Free the slots of claims that ended while there was no launcher. */
static void
free_stale_slots(void)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];
		bool		ours = false;
		ListCell   *cell;

		foreach(cell, members)
			ours = ours || ((Member *) lfirst(cell))->slot == i;
		if (!ours && (slot->state == POOL_TAKEN || slot->state == POOL_FAILED))
			slot->state = POOL_FREE;
	}
	LWLockRelease(hxpy_pool->lock);
}

/* Look through the containers of this cluster and remove what nobody wants. */
static void
sweep(void)
{
	json_t	   *entries = hxpy_owner_list();
	json_t	   *entry;
	size_t		index;

	sweep_at = in_ms(SWEEP_MS);
	json_array_foreach(entries, index, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "Id"));

		if (id == NULL || is_being_removed(id) || !is_garbage(entry))
			continue;
		if (list_length(removals) >= MAX_REMOVALS)
		{
			no_later(&sweep_at, in_ms(SWEEP_SOON_MS));
			break;
		}
		begin_removal(id);
	}
	hxpy_directory_clean();
	free_stale_slots();
}

/* Do what is due: look at the images, at the containers, at their memory and CPU. */
static void
do_due(void)
{
	TimestampTz now = GetCurrentTimestamp();

	PG_TRY();
	{
		if (images_at <= now)
			look_up_images();
		if (sweep_at <= now)
			sweep();
		if (sample_at <= now)
		{
			sample_at = in_ms(SAMPLE_MS);
			hxpy_stats_sample();
		}
		note_engine(NULL);
	}
	PG_CATCH();
	{
		note_engine(take_error(round_context));
		images_at = Max(images_at, in_ms(1000));
		sweep_at = Max(sweep_at, in_ms(1000));
	}
	PG_END_TRY();
}

/* ---------- the loop ---------- */

/* See whether sessions have ended; their containers end a moment later. */
static void
notice_ends(void)
{
	uint64		ended;

	LWLockAcquire(hxpy_pool->lock, LW_SHARED);
	ended = hxpy_pool->ended;
	LWLockRelease(hxpy_pool->lock);
	if (ended != seen_ended)
		no_later(&sweep_at, in_ms(SWEEP_SOON_MS));
	seen_ended = ended;
}

/* Return the milliseconds until something is due by the clock. */
static long
time_left(void)
{
	TimestampTz next = Min(Min(sweep_at, images_at), sample_at);
	ListCell   *cell;

	for (int i = 0; i < hxpy_pool->nkinds; i++)
	{
		if (kind_states[i].backoff_ms > 0)
			next = Min(next, kind_states[i].retry_at);
	}
	foreach(cell, members)
	{
		Member	   *member = lfirst(cell);

		if (member->step == MEMBER_WARMING)
			next = Min(next, TimestampTzPlusMilliseconds(member->begun, READY_MS));
	}
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
}

/* Run one turn of the loop. */
static void
run_round(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		make_kinds();
		images_at = 0;
	}
	notice_ends();
	do_due();
	handle_slots();
	handle_sockets();
	handle_answers();
	end_removals();
	fill_pool();
	(void) hxpy_http_drive(events, time_left());
}

/* Run one turn of the loop; only termination is no error that ends the process. */
static void
run_until_error(void)
{
	PG_TRY();
	{
		run_round();
	}
	PG_CATCH();
	{
		if (!ProcDiePending)
			PG_RE_THROW();
		(void) take_error(round_context);
	}
	PG_END_TRY();
}

/* Leave no word of this process in shared memory. */
static void
leave_pool(int code, Datum arg)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->launcher_pid = 0;
	hxpy_pool->launcher_latch = NULL;
	hxpy_pool->launcher_starts = 0;
	/* Without us they die; what backends have claimed they lead on. */
	for (int i = 0; i < HXPY_POOL_SLOTS; i++)
	{
		PoolSlot   *slot = &hxpy_pool->slots[i];

		if (slot->state != POOL_CLAIMED)
			slot->state = POOL_FREE;
	}
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableBroadcast(&hxpy_pool->turn);
}

/*
 * Begin to remove what nobody wants; false when no container of this postmaster is
 * left, or the engine does not answer.
 */
static bool
sweep_at_stop(void)
{
	volatile bool left = false;

	PG_TRY();
	{
		json_t	   *entries = hxpy_owner_list();
		json_t	   *entry;
		size_t		index;

		json_array_foreach(entries, index, entry)
		{
			const char *id = json_string_value(json_object_get(entry, "Id"));

			left = left || hxpy_owner_state(entry) == OWNER_OURS;
			if (id != NULL && is_garbage(entry) && !is_being_removed(id) &&
				list_length(removals) < MAX_STOP_REMOVALS)
				begin_removal(id);
		}
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();		/* the error has reset the count */
		note_engine(take_error(round_context));
		left = false;
	}
	PG_END_TRY();
	return left;
}

/*
 * Clean up before the server stops: close the pool, and remove containers until none
 * is left.  Backends end meanwhile; those that are slow leave theirs to the next start.
 */
static void
stop(void)
{
	TimestampTz deadline = in_ms(STOP_MS);

	HOLD_INTERRUPTS();
	/* Nobody else reads it in this process any more. */
	hxpy_docker_timeout = Min(hxpy_docker_timeout, STOP_CALL_MS);
	while (members != NIL)
		forget_member(linitial(members), true);
	while (GetCurrentTimestamp() < deadline)
	{
		MemoryContextReset(round_context);
		if (!sweep_at_stop())
			break;
		(void) hxpy_http_drive(PGINVALID_SOCKET, STOP_STEP_MS);
		end_removals();
	}
	hxpy_directory_clean();
}

/* Run the launcher. */
void
hxpy_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	launcher_context = AllocSetContextCreate(TopMemoryContext, "hxpy launcher",
											 ALLOCSET_DEFAULT_SIZES);
	round_context = AllocSetContextCreate(launcher_context, "hxpy launcher's round",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(round_context);
	events = epoll_create1(EPOLL_CLOEXEC);
	if (events < 0)
		elog(ERROR, "epoll_create1 failed: %m");
	before_shmem_exit(leave_pool, (Datum) 0);
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->launcher_pid = MyProcPid;
	hxpy_pool->launcher_latch = MyLatch;
	seen_ended = hxpy_pool->ended;
	LWLockRelease(hxpy_pool->lock);
	make_kinds();
	while (!ProcDiePending)
	{
		MemoryContextReset(round_context);
		run_until_error();
	}
	stop();
	proc_exit(0);
}

/* Register the background worker. */
void
hxpy_launcher_init(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_ConsistentState,
		.bgw_restart_time = RESTART_SECONDS,
		.bgw_library_name = "hxpy",
		.bgw_function_name = "hxpy_launcher_main",
		.bgw_name = "hxpy launcher",
		.bgw_type = "hxpy launcher"
	};

	RegisterBackgroundWorker(&worker);
}
