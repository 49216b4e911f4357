/*
 * options.c
 *	  The options of a session: what py_open was told, completed by the settings.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "guc.h"
#include "launch/permit.h"
#include "session/options.h"

/* Set options that say nothing. */
void
hxpy_options_init(SessionOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->timeout_ms = -1;
	options->memory = -1;
	options->cpus = -1;
	options->persistent = true;
}

/* Raise the error of an option that differs from the open session's. */
static void
raise_difference(const char *session, const char *option)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("session \"%s\" is already open with another %s", session, option),
			 errhint("Close it with py_close('%s') first, or leave the option out.",
					 session)));
}

/*
 * Check that the options of a second py_open are those of the first, which has taken an
 * image.
 */
void
hxpy_options_check_same(const char *session, const SessionOptions *open, const char *image,
						const SessionOptions *options)
{
	if (options->image != NULL && strcmp(options->image, open->image) != 0 &&
		strcmp(options->image, image) != 0)
		raise_difference(session, "image");
	if (options->network != NULL && strcmp(options->network, open->network) != 0)
		raise_difference(session, "network");
	if (options->log_level != NULL && strcmp(options->log_level, open->log_level) != 0)
		raise_difference(session, "log_level");
	if (options->timeout_ms >= 0 && options->timeout_ms != open->timeout_ms)
		raise_difference(session, "timeout");
	if (options->memory >= 0 && options->memory != open->memory)
		raise_difference(session, "memory limit");
	if (options->cpus >= 0 && options->cpus != open->cpus)
		raise_difference(session, "CPU limit");
	if (options->has_persistent && options->persistent != open->persistent)
		raise_difference(session, "choice of persistent");
}

/* Complete and check the options of a new session; strings go to its context. */
void
hxpy_options_adopt(SessionOptions *own, MemoryContext context, const SessionOptions *options)
{
	*own = *options;
	own->image = MemoryContextStrdup(context,
									 options->image ? options->image : hxpy_image);
	own->network = MemoryContextStrdup(context,
									   options->network ? options->network : hxpy_network);
	own->log_level = MemoryContextStrdup(context,
										 options->log_level ? options->log_level : "");
	if (own->memory < 0)
		own->memory = Min(hxpy_memory, hxpy_max_memory);
	if (own->cpus < 0)
		own->cpus = Min(hxpy_cpus, hxpy_max_cpus);
	hxpy_permit_check_network(own->network);
	if (own->memory > hxpy_max_memory)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("memory of %d MB is more than hxpy.max_memory", own->memory),
				 errhint("hxpy.max_memory is %d MB; a superuser can raise it.",
						 hxpy_max_memory)));
	if (own->cpus > hxpy_max_cpus)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("%g CPUs are more than hxpy.max_cpus", own->cpus),
				 errhint("hxpy.max_cpus is %g; a superuser can raise it.", hxpy_max_cpus)));
}
