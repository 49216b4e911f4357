/*
 * member.c
 *	  The launcher's containers of the pool.
 *
 * A Member is a container from before its creation until a session has taken it, or it
 * is removed: a launch, and after that the connection that tells when it is ready, and
 * when it has died.  It owns a memory context.  A backend that claims a container
 * shares the directory, connects, and says so in the slot; then the launcher forgets
 * its member.  One that sessions share stays a member; when it takes no more of them, by
 * itself or since it is no longer as it should be, it goes after the last one.  An error
 * while a member is led on is the member's end.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/iodir.h"
#include "launch/member.h"
#include "launch/notes.h"
#include "launch/pool.h"
#include "launch/reaper.h"
#include "text.h"

List	   *hxpy_members = NIL;
int			hxpy_member_events = -1;

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
	if (member->step == MEMBER_STARTING)
		end_turn();
	hxpy_launch_release(member->launch, remove);
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
	/* It may have been created even if the engine's answer was an error. */
	if (remove)
		hxpy_reaper_remove(member->launch->spec.name, 0);
	MemoryContextDelete(member->context);
}

/* Return whether the engine is creating a container. */
bool
hxpy_member_any_creating(void)
{
	ListCell   *cell;

	foreach(cell, hxpy_members)
	{
		Member	   *member = lfirst(cell);

		if (member->step == MEMBER_STARTING &&
			hxpy_engine->is_creating(member->launch->startup.start))
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

/* Return the kind of a member, -1 when the settings or the image have changed. */
int
hxpy_member_kind(const Member *member)
{
	PoolKind   *kind = hxpy_pool_find_kind(hxpy_pool->kinds, hxpy_pool->nkinds,
										   &hxpy_pool->slots[member->slot].spec);

	if (kind == NULL || strcmp(kind->image_id, member->launch->spec.image_id) != 0 ||
		strcmp(member->imports, hxpy_pool_imports) != 0)
		return -1;
	return (int) (kind - hxpy_pool->kinds);
}

/* Forget a member whose start has failed. */
static void
fail_member(Member *member, const char *error)
{
	hxpy_notes_start(hxpy_member_kind(member), error);
	hxpy_member_forget(member, true);
}

/* Find a free slot and take a turn for a start; -1 when there is none. */
static int
take_slot(int kind, const char *name)
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
			slot->parent.number = slot->unshared = 0;
			slot->outdated = false;
			hxpy_pool->launcher_starts++;
			found = i;
		}
	}
	LWLockRelease(hxpy_pool->lock);
	return found;
}

/* Let a member wake the launcher. */
static void
watch_socket(pgsocket socket)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,.data.fd = socket};

	if (epoll_ctl(hxpy_member_events, EPOLL_CTL_ADD, socket, &event) != 0)
		elog(ERROR, "epoll_ctl failed: %m");
}

/* Begin to launch a member's container. */
static void
launch_member(Member *member)
{
	const PoolSpec *spec = &hxpy_pool->slots[member->slot].spec;

	if (spec->io_directory[0])
		member->launch->spec.io = hxpy_iodir_mount_source(spec->io_database);
	hxpy_launch_begin(member->launch);
}

/*
 * Return the modules that containers of an image import: what hxpy.pool_imports says for
 * that image, else what it says for all.
 */
static const char *
imports_of(const char *image)
{
	char	   *rest = pstrdup(hxpy_pool_imports);
	const char *for_all = "";
	char	   *part;

	while ((part = strsep(&rest, ";")) != NULL)
	{
		char	   *modules = strchr(part, '=');
		List	   *name;

		if (modules == NULL)
		{
			for_all = part;
			continue;
		}
		*modules++ = '\0';
		name = hxpy_text_split(part);	/* without blanks around it */
		if (name != NIL && strcmp(linitial(name), image) == 0)
			return modules;
	}
	return for_all;
}

/* Make a member of a kind; it has no slot yet. */
static Member *
create_member(int kind)
{
	const PoolKind *shared = &hxpy_pool->kinds[kind];
	MemoryContext context = AllocSetContextCreate(hxpy_launcher_context, "hxpy pool member",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EngineSpec	spec = {
		.image_id = pstrdup(shared->image_id),
		.memory = shared->spec.memory,
		.cpus = shared->spec.cpus,
		.sessions = shared->spec.sessions,
		.imports = imports_of(shared->spec.image)
	};
	Member	   *member = palloc0(sizeof(Member));

	member->context = context;
	member->imports = pstrdup(hxpy_pool_imports);
	member->begun = GetCurrentTimestamp();
	member->launch = hxpy_launch_create(hxpy_pool_is_shared(&shared->spec) ? LAUNCH_SHARED : LAUNCH_POOL,
										&spec, pstrdup(shared->spec.image), NULL,
										HXPY_MEMBER_READY_MS);
	MemoryContextSwitchTo(old);
	return member;
}

/* Begin to start a container of a kind; false when it is not our turn, or that fails. */
bool
hxpy_member_start(int kind)
{
	Member	   *member = create_member(kind);
	MemoryContext old = CurrentMemoryContext;
	volatile bool begun = false;

	member->slot = take_slot(kind, member->launch->spec.name);
	if (member->slot < 0)
	{
		MemoryContextDelete(member->context);
		return false;
	}
	MemoryContextSwitchTo(hxpy_launcher_context);
	hxpy_members = lappend(hxpy_members, member);
	MemoryContextSwitchTo(member->context);
	PG_TRY();
	{
		launch_member(member);
		begun = true;
	}
	PG_CATCH();
	{
		fail_member(member, hxpy_notes_take_error());
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return begun;
}

/* Step a member's launch; what its worker says once it is connected comes later. */
static void
advance_member(Member *member)
{
	Launch	   *launch = member->launch;
	bool		connected = hxpy_launch_step(launch);

	if (member->step == MEMBER_STARTING && launch->step > LAUNCH_STARTING)
	{
		member->step = MEMBER_WARMING;
		end_turn();
		if (!connected)
			watch_socket(launch->listener);
	}
	if (connected)
		watch_socket(launch->sockets[0]);
}

/* Make a member ready: from now on backends may claim it. */
static void
make_ready(Member *member, const char *failed_imports)
{
	PoolSlot   *slot = &hxpy_pool->slots[member->slot];

	if (failed_imports[0])
		ereport(LOG, (errmsg("hxpy launcher: image \"%s\" cannot import all of hxpy.pool_imports: %s",
							 slot->spec.image, failed_imports)));
	hxpy_notes_start(hxpy_member_kind(member), NULL);
	hxpy_launch_end_watch(member->launch);
	if (hxpy_pool_is_shared(&slot->spec))
		hxpy_directory_hide(&member->launch->directory);
	member->step = MEMBER_READY;
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	strlcpy(slot->id, member->launch->id, sizeof(slot->id));
	slot->uid = member->launch->directory.uid;
	slot->state = POOL_READY;
	LWLockRelease(hxpy_pool->lock);
	ConditionVariableBroadcast(&hxpy_pool->turn);
}

/* Return whether sessions share a member's container and some are in it. */
bool
hxpy_member_is_used(const Member *member)
{
	const PoolSlot *slot = &hxpy_pool->slots[member->slot];

	return hxpy_pool_is_shared(&slot->spec) && hxpy_registry_count_users(slot->name) > 0;
}

/*
 * Take a ready container out of the pool; false when a backend was faster, or sessions are
 * in it.
 */
bool
hxpy_member_withdraw(const Member *member)
{
	PoolSlot   *slot = &hxpy_pool->slots[member->slot];
	bool		withdrawn;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	withdrawn = (slot->state == POOL_READY || slot->state == POOL_RETIRED) &&
		!hxpy_member_is_used(member);
	if (withdrawn)
		slot->state = POOL_FAILED;
	LWLockRelease(hxpy_pool->lock);
	return withdrawn;
}

/* Return whether a member's container takes no more sessions. */
bool
hxpy_member_is_retired(const Member *member)
{
	return hxpy_pool->slots[member->slot].state == POOL_RETIRED;
}

/*
 * Let a shared container take no more sessions: it is of no use any more, or `outdated` by
 * a change of its image or of settings.
 */
void
hxpy_member_retire(const Member *member, bool outdated)
{
	PoolSlot   *slot = &hxpy_pool->slots[member->slot];

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	if (slot->state == POOL_READY && hxpy_pool_is_shared(&slot->spec))
		slot->state = POOL_RETIRED;
	slot->outdated |= outdated;
	LWLockRelease(hxpy_pool->lock);
}

/* Return the last line that a member's container has written. */
static const char *
last_line(const Member *member)
{
	char	   *words = hxpy_engine->last_words(member->launch->startup.start);
	size_t		length = strlen(words);
	char	   *line;

	while (length > 0 && words[length - 1] == '\n')
		words[--length] = '\0';
	line = strrchr(words, '\n');
	return line != NULL ? line + 1 : words;
}

/* Forget a member whose container has ended too early, and tell why. */
static void
fail_ended(Member *member)
{
	const char *line = last_line(member);

	fail_member(member, psprintf("the container ended before it was ready%s%s",
								 line[0] ? ": " : "", line));
}

/* Tell a shared container something; false when it does not read. */
static bool
tell_member(const Member *member, const char *line)
{
	ssize_t		length = strlen(line);

	/* A line fits whole, or not at all: the socket's buffer is of many. */
	return member->launch->sockets[0] != PGINVALID_SOCKET &&
		send(member->launch->sockets[0], line, length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

/* Take a line that a shared container has sent; what makes no sense is passed over. */
static void
take_line(const Member *member, const char *line)
{
	PoolSlot   *slot = &hxpy_pool->slots[member->slot];
	int			number;
	uint32		parent;
	long long	memory;
	long long	cpu;

	if (sscanf(line, "session %d %lld %lld", &number, &memory, &cpu) == 3)
		hxpy_registry_set_shared_figures(number, slot->name, Max(memory, 0), Max(cpu, 0));
	else if (sscanf(line, "unshared %u", &parent) == 1)
		hxpy_pool_end_parent(slot, parent);
}

/* Take the lines that a shared container has sent. */
static void
take_lines(Member *member, const char *text, ssize_t length)
{
	for (ssize_t i = 0; i < length; i++)
	{
		if (text[i] != '\n')
		{
			/* A line that is too long makes no sense either. */
			if (member->line_length < (int) sizeof(member->line) - 1)
				member->line[member->line_length++] = text[i];
			continue;
		}
		member->line[member->line_length] = '\0';
		member->line_length = 0;
		take_line(member, member->line);
	}
}

/* Ask all shared containers that have sessions what these have taken. */
void
hxpy_member_measure_all(void)
{
	ListCell   *cell;

	foreach(cell, hxpy_members)
	{
		const Member *member = lfirst(cell);

		if (member->step == MEMBER_READY && hxpy_member_is_used(member))
			(void) tell_member(member, "measure\n");
	}
}

/* Tell a shared container of parents that are to end. */
static void
tell_unshared(const Member *member)
{
	PoolSlot   *slot = &hxpy_pool->slots[member->slot];
	uint32		number;

	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	number = slot->unshared;
	if (number != 0 && tell_member(member, psprintf("unshare %u\n", number)))
		slot->unshared = 0;		/* else the next round tells it */
	LWLockRelease(hxpy_pool->lock);
}

/*
 * Read from a member: a line when it is ready, the end when it dies, or when a session
 * has taken it.  A shared one has more to tell.
 */
static void
read_member(Member *member)
{
	char		text[4096];
	ssize_t		length;

	if (member->launch->sockets[0] == PGINVALID_SOCKET)
		return;
	length = recv(member->launch->sockets[0], text, sizeof(text), MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (length <= 0)
	{
		hxpy_directory_close_socket(&member->launch->sockets[0]);
		if (member->step == MEMBER_WARMING)
			fail_ended(member);
		else if (hxpy_member_withdraw(member))
			hxpy_member_forget(member, true);
		else
			hxpy_member_retire(member, false);
		/* else a backend has claimed it, and ends the claim */
		return;
	}
	if (member->step == MEMBER_WARMING)
		make_ready(member, hxpy_text_clean(text, text[length - 1] == '\n' ? length - 1 : length));
	else
		take_lines(member, text, length);
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
		fail_member(member, hxpy_notes_take_error());
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
}

/*
 * Step all launches, end those whose container has ended, or takes too long, and read
 * what the others have to tell.
 */
void
hxpy_member_step_all(void)
{
	/* From the end: what is behind may go. */
	for (int i = list_length(hxpy_members) - 1; i >= 0; i--)
	{
		Member	   *member = list_nth(hxpy_members, i);

		if (member->step == MEMBER_WARMING &&
			TimestampDifferenceExceeds(member->begun, GetCurrentTimestamp(), HXPY_MEMBER_READY_MS))
			fail_member(member, "the container was not ready in time");
		else if (member->launch->step == LAUNCH_CONNECTING &&
				 hxpy_engine->has_ended(member->launch->startup.start))
			run_step(member, fail_ended);
		else if (member->launch->step < LAUNCH_CONNECTED)
			run_step(member, advance_member);
		else
			run_step(member, read_member);
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
		if (!ours && (slot->state == POOL_TAKEN || slot->state == POOL_FAILED ||
					  slot->state == POOL_RETIRED))
			slot->state = POOL_FREE;
	}
	LWLockRelease(hxpy_pool->lock);
}

/* See what backends have done with the members' slots. */
void
hxpy_member_handle_slots(void)
{
	free_stale_slots();
	for (int i = list_length(hxpy_members) - 1; i >= 0; i--)
	{
		Member	   *member = list_nth(hxpy_members, i);
		PoolState	state;

		LWLockAcquire(hxpy_pool->lock, LW_SHARED);
		state = hxpy_pool->slots[member->slot].state;
		LWLockRelease(hxpy_pool->lock);
		if (member->step == MEMBER_READY)
			tell_unshared(member);
		if (state == POOL_CLAIMED)
			member->step = MEMBER_CLAIMED;
		else if (state == POOL_TAKEN)
			hxpy_member_forget(member, false);
		else if (state == POOL_FAILED)
			hxpy_member_forget(member, true);
	}
}
