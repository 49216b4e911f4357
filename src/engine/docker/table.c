/*
 * table.c
 *	  Docker as an engine: starts of containers, and the table of functions.
 *
 * A container is created, checked, watched, started: one question to the engine after the
 * other, so that whoever has several starts under way waits for all of them at once.  Its
 * output is attached to before it starts: the output's end tells of the container's, and
 * what came last says why.
 *
 * An EngineStart lives in the memory context of its beginning.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "storage/fd.h"

#include "hxpy.h"
#include "engine/docker/choice.h"
#include "engine/docker/docker.h"
#include "engine/docker/endpoint.h"
#include "engine/docker/hosts.h"
#include "engine/docker/sandbox.h"
#include "engine/docker/table.h"

#define OUTPUT_BYTES		(8 * 1024)

typedef enum StartStep
{
	START_CREATING,
	START_CHECKING,
	START_HANDING_KEY,			/* only with a network */
	START_STARTING,
	START_RUNNING
} StartStep;

struct EngineStart
{
	MemoryContext context;		/* of everything here */
	const EngineSpec *spec;		/* the caller's */
	int			host;
	json_t	   *body;
	char	   *id;				/* once it is created */
	StartStep	step;
	EngineRequest *request;		/* under way, or NULL */
	EngineRequest *watch;		/* sends the output; NULL before it is attached to, and after */
	OutputLog  *output;			/* written by the watch */
};

/* ---------- starts ---------- */

/* Return whether a request has its answer. */
static bool
is_done(const EngineRequest *request)
{
	return request->transfer.done;
}

/* Begin to start a container. */
static EngineStart *
begin_start(const EngineSpec *spec)
{
	EngineStart *start = palloc0(sizeof(EngineStart));

	start->context = CurrentMemoryContext;
	start->spec = spec;
	start->host = hxpy_hosts_selected();
	start->body = hxpy_sandbox_body(spec);
	start->request = hxpy_docker_begin_create(spec->name, start->body);
	return start;
}

/* Attach to the output of a container that is as it must be, and begin to start it. */
static void
run_checked(EngineStart *start)
{
	start->output = hxpy_output_create(OUTPUT_BYTES);
	start->watch = hxpy_docker_attach(start->id, start->output);
	start->step = START_STARTING;
	start->request = hxpy_docker_begin_start(start->id);
}

/* Take the engine's answer and go on to the next step. */
static void
advance(EngineStart *start)
{
	EngineRequest *request = start->request;

	start->request = NULL;
	switch (start->step)
	{
		case START_CREATING:
			start->id = hxpy_docker_end_create(request, start->spec->name);
			start->step = START_CHECKING;
			start->request = hxpy_docker_begin_inspect(start->id);
			break;
		case START_CHECKING:
			hxpy_sandbox_check(hxpy_request_end_json(request), start->body);
			if (start->spec->key == NULL)
				run_checked(start);
			else
			{
				start->step = START_HANDING_KEY;
				start->request = hxpy_endpoint_begin_key(start->id, start->spec->key,
													  start->spec->uid);
			}
			break;
		case START_HANDING_KEY:
			(void) hxpy_request_end(request);
			run_checked(start);
			break;
		case START_STARTING:
			(void) hxpy_request_end(request);
			start->step = START_RUNNING;
			break;
		case START_RUNNING:
			Assert(false);
	}
}

/* Go on as far as the engine has answered; true once the container runs. */
static bool
step_start(EngineStart *start)
{
	MemoryContext old = MemoryContextSwitchTo(start->context);

	hxpy_hosts_select(start->host);
	while (start->step != START_RUNNING && is_done(start->request))
		advance(start);
	MemoryContextSwitchTo(old);
	return start->step == START_RUNNING;
}

/* Return the id of a container that runs. */
static const char *
started_id(const EngineStart *start)
{
	Assert(start->step == START_RUNNING);
	return start->id;
}

/* Return whether the engine may still be making the container. */
static bool
is_creating(const EngineStart *start)
{
	return start->step == START_CREATING && start->request != NULL &&
		!is_done(start->request);
}

/* Remove what a start that failed has made, or is making. */
static void
undo_start(const EngineStart *start)
{
	hxpy_hosts_select(start->host);
	hxpy_docker_undo(is_creating(start) ? start->request : NULL, start->spec->name,
					 "It is removed when a session is opened again, or by");
}

/* Return whether a container that was started has ended since, or the engine has. */
static bool
has_ended(const EngineStart *start)
{
	return start->watch != NULL && is_done(start->watch);
}

/* Return what a container has written last. */
static char *
last_words(const EngineStart *start)
{
	return start->watch != NULL ? hxpy_output_text(start->output) : pstrdup("");
}

/* Watch no more; the container does not notice. */
static void
end_watch(EngineStart *start)
{
	if (start->watch != NULL)
		hxpy_http_free(start->watch);
	start->watch = NULL;
}

/* Find out where a container listens in its network. */
static bool
find_address(const EngineStart *start, const char **address, int *port)
{
	hxpy_hosts_select(start->host);
	return hxpy_endpoint_find(start->id, start->spec->network, address, port);
}

/* ---------- the table ---------- */

/* Return whether a file of a process has a line with this beginning and this text. */
static bool
process_says(pid_t pid, const char *name, const char *begin, const char *text)
{
	char		path[64];
	char		line[1024];
	FILE	   *file;
	bool		found = false;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, begin, strlen(begin)) == 0 && strstr(line, text) != NULL;
	FreeFile(file);
	return found;
}

/*
 * Return whether a connection's other end is a process of a container, or the first one:
 * the last of its ids, that in the container's own space, is 1.
 */
static bool
is_peer(pgsocket socket, const char *id, bool first)
{
	struct ucred peer;
	socklen_t	length = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid == 0)
		return false;
	return process_says(peer.pid, "cgroup", "", id) &&
		(!first || process_says(peer.pid, "status", "NSpid:", "\t1\n"));
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

/* Add the selected engine's containers that carry a label to a list. */
static List *
add_containers(List *entries, const EngineLabel *label)
{
	json_t	   *containers = hxpy_docker_list(psprintf("%s=%s", label->key, label->value));
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
		entry->host = hxpy_hosts_selected();
		entry->labels = read_labels(json_object_get(container, "Labels"));
		if (entry->id != NULL)
			entries = lappend(entries, entry);
	}
	return entries;
}

/* List the containers that carry a label, of all engines that answer. */
static List *
list_containers(const EngineLabel *label)
{
	List	   *entries = NIL;
	ListCell   *cell;

	foreach(cell, hxpy_choice_answering())
	{
		hxpy_hosts_select(lfirst_int(cell));
		entries = add_containers(entries, label);
	}
	return entries;
}

/* Begin to remove a container of an engine. */
static EngineRequest *
begin_remove(const char *name, int host, long timeout_ms)
{
	hxpy_hosts_select(host);
	return hxpy_docker_begin_remove(name, timeout_ms);
}

/* Begin to measure a container of an engine. */
static EngineRequest *
begin_measure(const char *id, int host)
{
	hxpy_hosts_select(host);
	return hxpy_docker_begin_stats(id);
}

const Engine hxpy_docker_engine = {
	.count = hxpy_hosts_count,
	.choose = hxpy_choice_make,
	.find_image = hxpy_docker_image_id,
	.check_network = hxpy_endpoint_check_network,
	.begin_start = begin_start,
	.step_start = step_start,
	.started_id = started_id,
	.is_creating = is_creating,
	.undo_start = undo_start,
	.has_ended = has_ended,
	.last_words = last_words,
	.end_watch = end_watch,
	.find_address = find_address,
	.is_peer = is_peer,
	.begin_remove = begin_remove,
	.end_remove = hxpy_request_end,
	.begin_measure = begin_measure,
	.end_measure = hxpy_docker_end_stats,
	.is_done = is_done,
	.list = list_containers,
	.wait = hxpy_transfer_drive
};
