/*
 * start.c
 *	  The start of a container: created, checked, watched, started.
 *
 * One question to the engine after the other, so that whoever has several starts under
 * way waits for all of them at once.  The container's output is attached to before it
 * starts: its end tells of the container's, and what came last says why.
 *
 * An EngineStart lives in the memory context of its beginning.
 */
#include "postgres.h"

#include "hxpy.h"
#include "engine/docker/endpoint.h"
#include "engine/docker/sandbox.h"
#include "engine/docker/start.h"

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
	json_t	   *body;
	char	   *id;				/* once it is created */
	StartStep	step;
	EngineCall *call;			/* under way, or NULL */
	DockerStream *output;		/* NULL before it is attached to, and after the watch */
};

/* Begin to start a container. */
EngineStart *
hxpy_start_begin(const EngineSpec *spec)
{
	EngineStart *start = palloc0(sizeof(EngineStart));

	start->context = CurrentMemoryContext;
	start->spec = spec;
	start->body = hxpy_sandbox_body(spec);
	start->call = hxpy_docker_begin_create(spec->name, start->body);
	return start;
}

/* Attach to the output of a container that is as it must be, and begin to start it. */
static void
run_checked(EngineStart *start)
{
	start->output = hxpy_docker_attach(start->id);
	start->step = START_STARTING;
	start->call = hxpy_docker_begin_start(start->id);
}

/* Take the engine's answer and go on to the next step. */
static void
advance(EngineStart *start)
{
	EngineCall *call = start->call;

	start->call = NULL;
	switch (start->step)
	{
		case START_CREATING:
			start->id = hxpy_docker_end_create(call);
			start->step = START_CHECKING;
			start->call = hxpy_docker_begin_inspect(start->id);
			break;
		case START_CHECKING:
			hxpy_sandbox_check(hxpy_docker_end_inspect(call), start->body);
			if (start->spec->key == NULL)
				run_checked(start);
			else
			{
				start->step = START_HANDING_KEY;
				start->call = hxpy_endpoint_begin_key(start->id, start->spec->key,
													  start->spec->uid);
			}
			break;
		case START_HANDING_KEY:
			hxpy_docker_end_put(call);
			run_checked(start);
			break;
		case START_STARTING:
			hxpy_docker_end_start(call);
			start->step = START_RUNNING;
			break;
		case START_RUNNING:
			Assert(false);
	}
}

/* Go on as far as the engine has answered; true once the container runs. */
bool
hxpy_start_step(EngineStart *start)
{
	MemoryContext old = MemoryContextSwitchTo(start->context);

	while (start->step != START_RUNNING && hxpy_docker_is_done(start->call))
		advance(start);
	MemoryContextSwitchTo(old);
	return start->step == START_RUNNING;
}

/* Return the id of a container that runs. */
const char *
hxpy_start_id(const EngineStart *start)
{
	Assert(start->step == START_RUNNING);
	return start->id;
}

/* Whether the engine may still be making the container. */
bool
hxpy_start_is_creating(const EngineStart *start)
{
	return start->step == START_CREATING && start->call != NULL &&
		!hxpy_docker_is_done(start->call);
}

/* Whether a container that was started has ended since, or the engine has. */
bool
hxpy_start_has_ended(const EngineStart *start)
{
	return start->output != NULL && hxpy_docker_stream_has_ended(start->output);
}

/* Return what a container has written last. */
char *
hxpy_start_last_words(const EngineStart *start)
{
	return start->output != NULL ? hxpy_docker_stream_text(start->output) : pstrdup("");
}

/* Watch no more; the container does not notice. */
void
hxpy_start_end_watch(EngineStart *start)
{
	if (start->output != NULL)
		hxpy_docker_stream_close(start->output);
	start->output = NULL;
}

/* Find out where a container listens in its network. */
bool
hxpy_start_find_address(const EngineStart *start, const char **address, int *port)
{
	return hxpy_endpoint_find(start->id, start->spec->network, address, port);
}
