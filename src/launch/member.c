/*
 * member.c
 *	  The launcher's containers of the pool, step by step.
 *
 * A Member is a container from before its creation until a session has taken it, or it
 * is removed.  It owns a memory context, a claim on a directory and the connection that
 * tells when it is ready, and when it has died.  A backend that claims a container
 * shares the directory, connects, and says so in the slot; then the launcher forgets
 * its member.  A step's error is the member's end.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/directory.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "sql/io.h"
#include "launch/launcher.h"
#include "launch/member.h"
#include "launch/owner.h"
#include "launch/pool.h"
#include "launch/reaper.h"
#include "engine/docker/sandbox.h"
#include "text.h"

#define MAX_EVENTS			16

List	   *hxpy_members = NIL;
int			hxpy_member_events = -1;

/* Tell whether a member counts as being started. */
bool
hxpy_member_is_starting(const Member *member)
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
	ConditionVariableBroadcast(&hxpy_pool->turn);
}

/* Set the state of a member's slot. */
static void
set_slot(const Member *member, PoolState state)
{
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	hxpy_pool->slots[member->slot].state = state;
	LWLockRelease(hxpy_pool->lock);
}

/* Give up a member's turn, sockets and directory, which is removed with `remove`. */
static void
release_member(Member *member, bool remove)
{
	if (hxpy_member_is_starting(member))
		end_turn();
	hxpy_directory_close_socket(&member->listener);
	hxpy_directory_close_socket(&member->connection);
	if (remove)
		hxpy_directory_release(&member->directory);
	else
		hxpy_directory_leave(&member->directory);
	hxpy_members = list_delete_ptr(hxpy_members, member);
}

/*
 * Forget a member: its slot becomes free.  With `remove`, its container and directory
 * go; else they are a session's.
 */
void
hxpy_member_forget(Member *member, bool remove)
{
	/* It may be the member's own. */
	MemoryContextSwitchTo(hxpy_launcher_round);
	release_member(member, remove);
	set_slot(member, POOL_FREE);
	/* By its id, as the reaper knows it; without one it may have been created all the same. */
	if (remove)
		hxpy_reaper_remove(member->id ? member->id : member->name);
	MemoryContextDelete(member->context);
}

/* Tell whether the engine is creating a container. */
bool
hxpy_member_any_creating(void)
{
	ListCell   *cell;

	foreach(cell, hxpy_members)
	{
		Member	   *member = lfirst(cell);

		if (member->step == MEMBER_CREATING && member->call != NULL &&
			!hxpy_docker_is_done(member->call))
			return true;
	}
	return false;
}

/*
 * Forget all members: their containers end with the connections, and the next sweep
 * removes them.  A slot that a backend has claimed stays with it, and so does the
 * container.
 */
void
hxpy_member_forget_all(void)
{
	while (hxpy_members != NIL)
	{
		Member	   *member = linitial(hxpy_members);
		bool		claimed = member->step >= MEMBER_READY && !hxpy_member_withdraw(member);

		release_member(member, !claimed);
		if (!claimed)
			set_slot(member, POOL_FREE);
		MemoryContextDelete(member->context);
	}
}

/* Return the last line that a container has written; "" when the engine does not tell. */
static const char *
last_line(const char *id)
{
	char	   *volatile text = pstrdup("");

	PG_TRY();
	{
		text = hxpy_docker_logs(id, 1);
	}
	PG_CATCH();
	{
		if (ProcDiePending)
			PG_RE_THROW();
		(void) hxpy_launcher_take_error(hxpy_launcher_round);
	}
	PG_END_TRY();
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Forget a member whose start has failed. */
static void
fail_member(Member *member, const char *error)
{
	hxpy_launcher_note_start(member->kind, error);
	hxpy_member_forget(member, true);
}

/* Forget a member whose container has ended too early, and tell why. */
static void
fail_ended(Member *member)
{
	const char *line = last_line(member->id);

	fail_member(member, psprintf("the container ended before it was ready%s%s",
								 line[0] ? ": " : "", line));
}

/* Tell whether a container is among the engine's and has not ended. */
static bool
is_alive(const char *id, json_t *entries)
{
	json_t	   *entry;
	size_t		index;

	json_array_foreach(entries, index, entry)
	{
		const char *listed = json_string_value(json_object_get(entry, "Id"));

		if (listed != NULL && strcmp(listed, id) == 0)
			return !hxpy_owner_has_ended(entry);
	}
	return false;
}

/*
 * Forget the members that wait for a container to become ready which has ended, or was
 * removed: before it has connected there is no connection whose end would tell.  The
 * list is of all containers of this cluster, and younger than the members' steps.
 */
void
hxpy_member_end_dead(json_t *entries)
{
	List	   *list = list_copy(hxpy_members);
	ListCell   *cell;

	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);

		if (member->step == MEMBER_WARMING && !is_alive(member->id, entries))
			fail_ended(member);
	}
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

	if (epoll_ctl(hxpy_member_events, EPOLL_CTL_ADD, socket, &event) != 0)
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

	if (spec->io_directory[0])
		sandbox.io = hxpy_io_mount_source(spec->io_database);
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
bool
hxpy_member_start(int kind)
{
	MemoryContext context = AllocSetContextCreate(hxpy_launcher_context, "hxpy pool member",
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
			MemoryContextSwitchTo(hxpy_launcher_context);
			hxpy_members = lappend(hxpy_members, member);
			MemoryContextSwitchTo(context);
			create_member(member);
			begun = true;
		}
		else
		{
			hxpy_directory_release(&member->directory);
			MemoryContextSwitchTo(old);
			MemoryContextDelete(context);
		}
	}
	PG_CATCH();
	{
		char	   *error = hxpy_launcher_take_error(hxpy_launcher_round);

		if (member->slot >= 0)
			fail_member(member, error);
		else
		{
			hxpy_launcher_note_start(kind, error);
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
			/* It may have been faster than the engine's answer. */
			if (member->connection != PGINVALID_SOCKET)
				watch_socket(member->connection);
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
	/* What it says counts only once the engine has said that it was started. */
	if (member->step == MEMBER_WARMING)
		watch_socket(socket);
}

/* Make a member ready: from now on backends may claim it. */
static void
make_ready(Member *member, const char *failed_imports)
{
	if (failed_imports[0])
		ereport(LOG, (errmsg("hxpy launcher: image \"%s\" cannot import all of hxpy.pool_imports: %s",
							 hxpy_pool->slots[member->slot].spec.image, failed_imports)));
	hxpy_launcher_note_start(member->kind, NULL);
	member->step = MEMBER_READY;
	set_slot(member, POOL_READY);
	ConditionVariableBroadcast(&hxpy_pool->turn);
}

/* Take a ready container out of the pool; false when a backend was faster. */
bool
hxpy_member_withdraw(const Member *member)
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
		hxpy_directory_close_socket(&member->connection);
		if (member->step == MEMBER_WARMING)
			fail_ended(member);
		else if (hxpy_member_withdraw(member))
			hxpy_member_forget(member, true);
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

	foreach(cell, hxpy_members)
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
		fail_member(member, hxpy_launcher_take_error(hxpy_launcher_round));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/* Handle what the members' sockets have to tell. */
void
hxpy_member_handle_sockets(void)
{
	struct epoll_event ready[MAX_EVENTS];
	int			count = epoll_wait(hxpy_member_events, ready, MAX_EVENTS, 0);

	for (int i = 0; i < count; i++)
	{
		Member	   *member = find_member(ready[i].data.fd);

		if (member == NULL)
			continue;
		run_step(member, member->listener == ready[i].data.fd ? accept_member : read_member);
	}
}

/* Handle the engine's answers about members, and those that take too long. */
void
hxpy_member_handle_answers(void)
{
	List	   *list = list_copy(hxpy_members);
	ListCell   *cell;

	foreach(cell, list)
	{
		Member	   *member = lfirst(cell);

		if (member->call != NULL && hxpy_docker_is_done(member->call))
			run_step(member, advance_member);
		else if (member->step == MEMBER_WARMING &&
				 TimestampDifferenceExceeds(member->begun, GetCurrentTimestamp(), HXPY_MEMBER_READY_MS))
			fail_member(member, "the container was not ready in time");
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

		foreach(cell, hxpy_members)
			ours = ours || ((Member *) lfirst(cell))->slot == i;
		if (!ours && (slot->state == POOL_TAKEN || slot->state == POOL_FAILED))
			slot->state = POOL_FREE;
	}
	LWLockRelease(hxpy_pool->lock);
}

/* See what backends have done with the members' slots. */
void
hxpy_member_handle_slots(void)
{
	List	   *list = list_copy(hxpy_members);
	ListCell   *cell;

	free_stale_slots();
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
			hxpy_member_forget(member, false);
		else if (state == POOL_FAILED)
			hxpy_member_forget(member, true);
	}
}

/* Return the kind of a member, -1 when the settings or the image have changed. */
int
hxpy_member_kind(const Member *member)
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
