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

/* Return within what a pid names one process: the boot and the pid namespace. */
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

/* Return a text in UTF-8. */
static const char *
to_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Return the cluster's label. */
EngineLabel
hxpy_owner_cluster(void)
{
	EngineLabel cluster = {"hxpy.cluster", psprintf(UINT64_FORMAT, GetSystemIdentifier())};

	return cluster;
}

/* Begin the labels of a container with the cluster's. */
static List *
cluster_labels(void)
{
	EngineLabel cluster = hxpy_owner_cluster();

	return hxpy_engine_add_label(NIL, cluster.key, cluster.value);
}

/* Add the labels that tell of the user. */
static List *
add_user(List *labels)
{
	const char *database = OidIsValid(MyDatabaseId) ? get_database_name(MyDatabaseId) : NULL;

	labels = hxpy_engine_add_label(labels, "hxpy.database", to_utf8(database ? database : ""));
	return hxpy_engine_add_label(labels, "hxpy.role",
								 to_utf8(GetUserNameFromId(GetUserId(), false)));
}

/* Make the labels of a container that this process starts. */
List *
hxpy_owner_labels(const char *session)
{
	List	   *labels = cluster_labels();

	labels = hxpy_engine_add_label(labels, "hxpy.pids", pid_space());
	labels = hxpy_engine_add_label(labels, "hxpy.postmaster", process_identity(PostmasterPid));
	labels = hxpy_engine_add_label(labels, "hxpy.backend", psprintf("%d", MyProcPid));
	labels = hxpy_engine_add_label(labels, "hxpy.backend_start",
								   psprintf(UINT64_FORMAT, process_start(MyProcPid)));
	if (session == NULL)
		return hxpy_engine_add_label(labels, "hxpy.pool", "1");
	return add_user(hxpy_engine_add_label(labels, "hxpy.session", to_utf8(session)));
}

/*
 * Make the labels of a container that py_run starts.  They name no owner, since it lives
 * on when the backend ends.
 */
List *
hxpy_owner_run_labels(void)
{
	return add_user(hxpy_engine_add_label(cluster_labels(), "hxpy.run", "1"));
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
List *
hxpy_owner_list(void)
{
	EngineLabel cluster = hxpy_owner_cluster();

	return hxpy_engine->list(&cluster);
}

/* Return whether the process that a listed container names as its starter still runs. */
bool
hxpy_owner_lives(const EngineEntry *entry)
{
	const char *pid = hxpy_engine_label(entry->labels, "hxpy.backend");
	const char *start = hxpy_engine_label(entry->labels, "hxpy.backend_start");

	return process_start(atoi(pid)) == strtoull(start, NULL, 10);
}

/* Return what is known of a listed container's owner. */
OwnerState
hxpy_owner_state(const EngineEntry *entry)
{
	const char *postmaster = hxpy_engine_label(entry->labels, "hxpy.postmaster");
	const char *pids = hxpy_engine_label(entry->labels, "hxpy.pids");

	if (hxpy_engine_label(entry->labels, "hxpy.backend") == NULL ||
		hxpy_engine_label(entry->labels, "hxpy.backend_start") == NULL)
		return OWNER_OTHERS;
	if (pids == NULL || strcmp(pids, pid_space()) != 0)
		return OWNER_UNKNOWN;
	if (postmaster != NULL && strcmp(postmaster, process_identity(PostmasterPid)) == 0)
		return OWNER_OURS;
	/* A launcher may have gone and sessions live on in what it had started. */
	if (postmaster != NULL && strcmp(postmaster, process_identity(atoi(postmaster))) == 0)
		return OWNER_ALIVE;
	return hxpy_owner_lives(entry) ? OWNER_ALIVE : OWNER_GONE;
}
