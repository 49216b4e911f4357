/*
 * owner.c
 *	  Whose a container is: its labels, and who is gone.
 *
 * A container carries the cluster's system identifier, and the pid and start time,
 * which together name one process for ever, of its owner and of the postmaster: a copy
 * of the cluster may run beside it.  Pids mean something only within one boot and pid
 * namespace, so that is a label, too: a server in a container does not judge those
 * whose servers ran elsewhere before they have ended.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "common/pg_prng.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/owner.h"
#include "launch/stats.h"

#define CLEANUP_TIMEOUT_MS	10000

/*
 * Return when a process has started, in clock ticks since boot; 0 when there is none,
 * or when it has ended and nobody has noticed yet.
 */
static uint64
process_start(int pid)
{
	char		path[64];
	char		line[1024];
	FILE	   *file;
	const char *field = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL)
		field = strrchr(line, ')');
	FreeFile(file);
	if (field != NULL && (strncmp(field, ") Z", 3) == 0 || strncmp(field, ") X", 3) == 0))
		return 0;
	/* Field 22; the command in parentheses, which may hold anything, is field 2. */
	for (int i = 2; field != NULL && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

/* Return what names a process for ever: its pid and start time. */
static char *
process_identity(int pid)
{
	return psprintf("%d:" UINT64_FORMAT, pid, process_start(pid));
}

/*
 * Return what tells within which processes a pid means anything: the boot and the pid
 * namespace.
 */
static const char *
pid_space(void)
{
	static char *space = NULL;
	char		boot[64] = "";
	char		namespace[64] = "";
	FILE	   *file;

	if (space != NULL)
		return space;
	file = AllocateFile("/proc/sys/kernel/random/boot_id", "r");
	if (file != NULL)
	{
		if (fgets(boot, sizeof(boot), file) != NULL)
			boot[strcspn(boot, "\n")] = '\0';
		FreeFile(file);
	}
	if (readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1) < 0)
		namespace[0] = '\0';
	space = MemoryContextStrdup(TopMemoryContext, psprintf("%s %s", boot, namespace));
	return space;
}

/* Return a label's text in UTF-8. */
static const char *
label(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Make the labels of a container that this process starts. */
json_t *
hxpy_owner_labels(const char *session)
{
	const char *database = OidIsValid(MyDatabaseId) ? get_database_name(MyDatabaseId) : NULL;
	json_t	   *labels = json_pack("{s:s, s:s, s:s, s:s, s:s}",
								   "hxpy.cluster", psprintf(UINT64_FORMAT, GetSystemIdentifier()),
								   "hxpy.pids", pid_space(),
								   "hxpy.postmaster", process_identity(PostmasterPid),
								   "hxpy.backend", psprintf("%d", MyProcPid),
								   "hxpy.backend_start",
								   psprintf(UINT64_FORMAT, process_start(MyProcPid)));

	if (labels == NULL)
		return NULL;
	if (session == NULL)
		json_object_set_new(labels, "hxpy.pool", json_string("1"));
	else
	{
		json_object_set_new(labels, "hxpy.database", json_string(label(database ? database : "")));
		json_object_set_new(labels, "hxpy.session", json_string(label(session)));
		json_object_set_new(labels, "hxpy.role",
							json_string(label(GetUserNameFromId(GetUserId(), false))));
	}
	return labels;
}

/*
 * Make the labels of a container that py_run starts: it belongs to nobody who could
 * be gone, so that no owner is named.
 */
json_t *
hxpy_owner_run_labels(void)
{
	const char *database = get_database_name(MyDatabaseId);

	return json_pack("{s:s, s:s, s:s, s:s}",
					 "hxpy.cluster", psprintf(UINT64_FORMAT, GetSystemIdentifier()),
					 "hxpy.run", "1",
					 "hxpy.database", label(database ? database : ""),
					 "hxpy.role", label(GetUserNameFromId(GetUserId(), false)));
}

/* Tell whether a container with these labels is this cluster's. */
bool
hxpy_owner_is_ours(json_t *labels)
{
	const char *cluster = json_string_value(json_object_get(labels, "hxpy.cluster"));

	return cluster != NULL && strcmp(cluster, psprintf(UINT64_FORMAT, GetSystemIdentifier())) == 0;
}

/*
 * Make a name that no other container has: a failed start is undone by name.  Pids come
 * again, and early in servers that run in containers, so that the rest is random.
 */
char *
hxpy_owner_new_name(void)
{
	return psprintf("hxpy-" UINT64_FORMAT "-%d-" UINT64_FORMAT, GetSystemIdentifier(), MyProcPid,
					pg_prng_uint64(&pg_global_prng_state));
}

/* List all containers of this cluster. */
json_t *
hxpy_owner_list(void)
{
	return hxpy_docker_list(psprintf("hxpy.cluster=" UINT64_FORMAT, GetSystemIdentifier()));
}

/* Return a label of a listed container, NULL when it has none of that name. */
static const char *
get_label(json_t *entry, const char *name)
{
	return json_string_value(json_object_get(json_object_get(entry, "Labels"), name));
}

/* Tell what is known of a listed container's owner. */
OwnerState
hxpy_owner_state(json_t *entry)
{
	const char *pid = get_label(entry, "hxpy.backend");
	const char *start = get_label(entry, "hxpy.backend_start");
	const char *postmaster = get_label(entry, "hxpy.postmaster");
	const char *pids = get_label(entry, "hxpy.pids");

	if (pid == NULL || start == NULL)
		return OWNER_OTHERS;
	if (pids == NULL || strcmp(pids, pid_space()) != 0)
		return OWNER_UNKNOWN;
	if (postmaster != NULL && strcmp(postmaster, process_identity(PostmasterPid)) == 0)
		return OWNER_OURS;
	/* A launcher may have gone and sessions live on in what it had started. */
	if (postmaster != NULL && strcmp(postmaster, process_identity(atoi(postmaster))) == 0)
		return OWNER_ALIVE;
	return process_start(atoi(pid)) == strtoull(start, NULL, 10) ? OWNER_ALIVE : OWNER_GONE;
}

/* Return a listed container's name, without the slash in front; NULL when it has none. */
const char *
hxpy_owner_name(json_t *entry)
{
	const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));

	return name != NULL && name[0] == '/' ? name + 1 : name;
}

/* Tell whether a listed container has run to its end. */
bool
hxpy_owner_has_ended(json_t *entry)
{
	const char *state = json_string_value(json_object_get(entry, "State"));

	return state != NULL && (strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0);
}

/* Tell whether a listed container's owner is gone, and no session has taken it over. */
static bool
is_orphan(json_t *entry)
{
	const char *pid = get_label(entry, "hxpy.backend");
	const char *start = get_label(entry, "hxpy.backend_start");
	const char *name = hxpy_owner_name(entry);

	switch (hxpy_owner_state(entry))
	{
		case OWNER_GONE:
			return true;
		case OWNER_OURS:
			return process_start(atoi(pid)) != strtoull(start, NULL, 10) &&
				(name == NULL || !hxpy_stats_uses_container(name));
		case OWNER_UNKNOWN:
			return hxpy_owner_has_ended(entry);
		default:
			return false;
	}
}

/* Remove the containers of this cluster whose owners are gone. */
void
hxpy_owner_clean(void)
{
	json_t	   *entries = hxpy_owner_list();
	json_t	   *entry;
	size_t		index;

	json_array_foreach(entries, index, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "Id"));

		if (id != NULL && is_orphan(entry))
			hxpy_docker_remove(id, CLEANUP_TIMEOUT_MS);
	}
}
