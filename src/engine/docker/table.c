/*
 * table.c
 *	  Docker as an engine.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "storage/fd.h"

#include "hxpy.h"
#include "engine/docker/docker.h"
#include "engine/docker/endpoint.h"
#include "engine/docker/http.h"
#include "engine/docker/start.h"
#include "engine/docker/table.h"

/* Return the id of an image, a digest. */
static const char *
find_image(const char *image)
{
	return json_string_value(json_object_get(hxpy_docker_inspect_image(image), "Id"));
}

/* Tell whether a connection's other end is a process of a container. */
static bool
is_peer(pgsocket socket, const char *id)
{
	struct ucred peer;
	socklen_t	length = sizeof(peer);
	char		path[64];
	char		line[1024];
	FILE	   *file;
	bool		found = false;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) peer.pid);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, id) != NULL;
	FreeFile(file);
	return found;
}

/* Copy the labels of a listed container. */
static List *
read_labels(json_t *object)
{
	List	   *labels = NIL;
	const char *key;
	json_t	   *value;

	json_object_foreach(object, key, value)
	{
		if (json_is_string(value))
			labels = hxpy_engine_add_label(labels, key, json_string_value(value));
	}
	return labels;
}

/* List the containers that carry a label. */
static List *
list_containers(const EngineLabel *label)
{
	json_t	   *containers = hxpy_docker_list(psprintf("%s=%s", label->key, label->value));
	List	   *entries = NIL;
	size_t		index;
	json_t	   *container;

	json_array_foreach(containers, index, container)
	{
		EngineEntry *entry = palloc(sizeof(EngineEntry));
		const char *state = json_string_value(json_object_get(container, "State"));

		entry->id = json_string_value(json_object_get(container, "Id"));
		entry->name = hxpy_docker_entry_name(container);
		entry->has_ended = state != NULL &&
			(strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0);
		entry->labels = read_labels(json_object_get(container, "Labels"));
		if (entry->id != NULL)
			entries = lappend(entries, entry);
	}
	return entries;
}

const Engine hxpy_docker_engine = {
	.find_image = find_image,
	.check_network = hxpy_endpoint_check_network,
	.begin_start = hxpy_start_begin,
	.step_start = hxpy_start_step,
	.started_id = hxpy_start_id,
	.is_creating = hxpy_start_is_creating,
	.has_ended = hxpy_start_has_ended,
	.last_words = hxpy_start_last_words,
	.end_watch = hxpy_start_end_watch,
	.find_address = hxpy_start_find_address,
	.is_peer = is_peer,
	.begin_remove = hxpy_docker_begin_remove,
	.end_remove = hxpy_docker_end_remove,
	.begin_measure = hxpy_docker_begin_stats,
	.end_measure = hxpy_docker_end_stats,
	.is_done = hxpy_docker_is_done,
	.list = list_containers,
	.wait = hxpy_http_drive
};
