/*
 * startup.c
 *	  Waiting for a container that starts.
 *
 * Whatever is waited for, the container's death is noticed at once, and
 * hxpy.open_timeout, cancel and terminate are obeyed.
 */
#include "postgres.h"

#include "hxpy.h"
#include "guc.h"
#include "launch/startup.h"

/*
 * Wait until a socket (or none) is readable, at most for step_ms unless that is
 * -1; false when hxpy.open_timeout is over.  Raises an error when the container
 * has ended.
 */
bool
hxpy_startup_wait(const Startup *startup, pgsocket socket, long step_ms)
{
	instr_time	now;
	long		left;
	int			happened;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, startup->begin);
	left = hxpy_open_timeout - (long) INSTR_TIME_GET_MILLISEC(now);
	if (left <= 0)
		return false;
	happened = hxpy_docker_stream_wait(startup->output, socket,
									   step_ms < 0 ? left : Min(left, step_ms));
	if ((happened & HXPY_DOCKER_ENDED) && !(happened & HXPY_DOCKER_SOCKET))
	{
		char	   *text = hxpy_docker_stream_text(startup->output);

		ereport(ERROR,
				(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
				 errmsg("the container of image \"%s\" ended before Python could connect",
						startup->image),
				 text[0] ? errdetail("%s", text) : 0,
				 errhint("The image must be one of hxpy's (docker/build), with /usr/bin/python3 and the package hxpy.")));
	}
	return true;
}
