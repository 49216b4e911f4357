/*
 * owner.c
 *	  Whose a container is: its labels, and who is gone.
 *
 * A container carries the cluster's system identifier, and its owner's pid and
 * start time, which together name one process for ever.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "owner.h"

#define CLEANUP_TIMEOUT_MS	10000

/* Return when a process has started, in clock ticks since boot; 0 when there is none. */
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
	/* Field 22; the command in parentheses, which may hold anything, is field 2. */
	for (int i = 2; field != NULL && i < 22; i++)
		field = strchr(field + 1, ' ');
	return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

/* Return a label's text in UTF-8. */
static const char *
label(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Make the labels by which a container's owner is found. */
json_t *
hxpy_owner_labels(const char *session)
{
	const char *database = get_database_name(MyDatabaseId);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
					 "hxpy.cluster", psprintf(UINT64_FORMAT, GetSystemIdentifier()),
					 "hxpy.database", label(database ? database : ""),
					 "hxpy.backend", psprintf("%d", MyProcPid),
					 "hxpy.backend_start", psprintf(UINT64_FORMAT, process_start(MyProcPid)),
					 "hxpy.session", label(session),
					 "hxpy.role", label(GetUserNameFromId(GetUserId(), false)));
}

/* Tell whether the backend that owns a container is gone. */
static bool
is_orphan(json_t *container)
{
	json_t	   *labels = json_object_get(container, "Labels");
	const char *pid = json_string_value(json_object_get(labels, "hxpy.backend"));
	const char *start = json_string_value(json_object_get(labels, "hxpy.backend_start"));

	return pid != NULL && start != NULL &&
		process_start(atoi(pid)) != strtoull(start, NULL, 10);
}

/* Remove the containers of this cluster whose backends are gone. */
void
hxpy_owner_clean(void)
{
	json_t	   *containers;
	json_t	   *container;
	size_t		index;

	containers = hxpy_docker_list(psprintf("hxpy.cluster=" UINT64_FORMAT,
										   GetSystemIdentifier()));
	json_array_foreach(containers, index, container)
	{
		const char *id = json_string_value(json_object_get(container, "Id"));

		if (id != NULL && is_orphan(container))
			hxpy_docker_remove(id, CLEANUP_TIMEOUT_MS);
	}
}
