/*
 * pull.c
 *	  Pulling an image (py_pull), which tells how far it is.
 *
 * The engine sends JSON values of a line each while it works.  The sink takes them
 * below libcurl's frames, so it makes no more of them than the last status and the
 * first error, in buffers of fixed size; jansson's own memory is malloc'ed and given
 * back before the sink returns.  Between two looks at that, at most a second passes.
 *
 * The request, and with it the connection, is freed on every way out, which ends the
 * pull in the engine, too.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "engine/docker/choice.h"
#include "engine/docker/docker.h"
#include "guc.h"
#include "launch/permit.h"
#include "sql/admin.h"
#include "sql/arguments.h"
#include "text.h"

PG_FUNCTION_INFO_V1(py_pull);

#define PULL_LINE_MAX		(64 * 1024)
#define PULL_TEXT_MAX		1024
#define PULL_LOOK_MS		1000	/* between two looks, and two NOTICEs */
#define PULL_QUIET_LOOKS	10		/* looks without a step, after which its size is told */

/* What the engine has said; written by the sink, in the server's own memory */
typedef struct PullProgress
{
	char		line[PULL_LINE_MAX];	/* what has come of the line under way */
	size_t		line_len;
	uint64		received;		/* bytes so far */
	bool		garbled;		/* a line was too long, or no JSON object */
	bool		has_step;		/* status has changed since the last look */
	char		status[PULL_TEXT_MAX];	/* the last step of a layer, or of the image */
	char		amount[PULL_TEXT_MAX];	/* how much of a layer was there last */
	char		error[PULL_TEXT_MAX];	/* the first error, empty for none */
} PullProgress;

/*
 * Take one JSON value: an error, or a status.  One with numbers tells how much of a
 * layer is there, a hundred times for each: it is no step.
 */
static void
take_message(PullProgress *progress, json_t *message)
{
	const char *error = json_string_value(json_object_get(message, "error"));
	const char *status = json_string_value(json_object_get(message, "status"));
	const char *id = json_string_value(json_object_get(message, "id"));
	json_t	   *detail = json_object_get(message, "progressDetail");

	if (error != NULL && progress->error[0] == '\0')
		strlcpy(progress->error, error[0] ? error : "(no message)", PULL_TEXT_MAX);
	if (status == NULL)
		return;
	if (json_object_size(detail) > 0)
	{
		snprintf(progress->amount, PULL_TEXT_MAX, "%s: %s %.1f of %.1f MB", id ? id : "", status,
				 json_number_value(json_object_get(detail, "current")) / 1e6,
				 json_number_value(json_object_get(detail, "total")) / 1e6);
		return;
	}
	snprintf(progress->status, PULL_TEXT_MAX, "%s%s%s", id ? id : "", id ? ": " : "", status);
	progress->has_step = true;
}

/* Take the line that is complete now. */
static void
take_line(PullProgress *progress)
{
	json_t	   *message;

	while (progress->line_len > 0 && isspace((unsigned char) progress->line[progress->line_len - 1]))
		progress->line_len--;
	if (progress->line_len == 0)
		return;
	message = json_loadb(progress->line, progress->line_len, 0, NULL);
	if (json_is_object(message))
		take_message(progress, message);
	else
		progress->garbled = true;
	json_decref(message);
	progress->line_len = 0;
}

/* Take a piece of what the engine says; called by libcurl: no ereport, no palloc. */
static void
feed(void *arg, const char *data, size_t len)
{
	PullProgress *progress = arg;

	progress->received += len;
	for (size_t i = 0; i < len; i++)
	{
		if (data[i] == '\n')
			take_line(progress);
		else if (progress->line_len < PULL_LINE_MAX)
			progress->line[progress->line_len++] = data[i];
		else
			progress->garbled = true;
	}
}

/* Show what the engine has said last. */
static void
show(const char *image, const char *status)
{
	ereport(NOTICE,
			(errmsg("image \"%s\": %s", image, hxpy_text_clean(status, strlen(status)))));
}

/*
 * Show the last step, unless it was shown; when there was none for a while, how much
 * is there.
 */
static void
show_progress(PullProgress *progress, const char *image, int *quiet_looks)
{
	if (progress->has_step)
		show(image, progress->status);
	else if (++*quiet_looks < PULL_QUIET_LOOKS)
		return;
	else if (progress->amount[0] != '\0')
		show(image, progress->amount);
	progress->has_step = false;
	progress->amount[0] = '\0';
	*quiet_looks = 0;
}

/* Raise what the engine has said in place of an image, if it has. */
static void
check_progress(const PullProgress *progress, const char *image)
{
	if (progress->error[0] != '\0')
		hxpy_docker_raise_pull(image, 500,
							   hxpy_text_clean(progress->error, strlen(progress->error)));
	if (progress->garbled)
		hxpy_request_raise_garbled(psprintf("What it says about image \"%s\" is no JSON.", image));
}

/* Wait for the end of a pull; the engine may take its time, but not be silent for long. */
static void
follow(EngineRequest *request, PullProgress *progress, const char *image, bool quiet)
{
	uint64		received = 0;
	double		heard = hxpy_wait_now();
	int			quiet_looks = 0;
	bool		ended = false;

	while (!ended)
	{
		if (hxpy_wait_now() - heard >= hxpy_docker_timeout)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("Docker engine has been silent for too long about image \"%s\"", image),
					 errdetail("It did not say anything within %d ms.", hxpy_docker_timeout),
					 errhint("Check the way to the registry, or raise \"hxpy.docker_timeout\"; layers that are complete are kept.")));
		ended = hxpy_http_wait(request, Min(PULL_LOOK_MS, hxpy_docker_timeout));
		/* The last line may lack its end, unless the end is what is missing. */
		if (ended && request->transfer.result == CURLE_OK)
			feed(progress, "\n", 1);
		if (progress->received != received)
		{
			received = progress->received;
			heard = hxpy_wait_now();
		}
		if (!quiet)
			show_progress(progress, image, &quiet_looks);
		check_progress(progress, image);
	}
	if (request->transfer.result != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("connection to the Docker engine broke off while it pulled image \"%s\"", image),
				 errhint("Check the engine (journalctl -u docker).")));
}

/*
 * py_pull(image, quiet): get an image from its registry; returns its id.
 */
Datum
py_pull(PG_FUNCTION_ARGS)
{
	char	   *image;
	bool		quiet = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	PullProgress *progress = palloc0(sizeof(PullProgress));
	EngineRequest *request;
	const char *id;

	hxpy_admin_check_superuser("pull an image");
	image = hxpy_argument_text(fcinfo, 0, "image");
	(void) hxpy_choice_make();
	request = hxpy_docker_pull(image, feed, progress);
	PG_TRY();
	{
		follow(request, progress, image, quiet);
	}
	PG_FINALLY();
	{
		hxpy_http_free(request);
	}
	PG_END_TRY();
	id = hxpy_docker_image_id(image);
	if (id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the Docker engine has no image \"%s\" after pulling it", image),
				 errhint("See the engine's log (journalctl -u docker).")));
	if (!quiet && !hxpy_permit_image(image))
		ereport(NOTICE,
				(errmsg("sessions may not use image \"%s\" yet", image),
				 errhint("Add it to hxpy.allowed_images.")));
	PG_RETURN_TEXT_P(cstring_to_text(id));
}
