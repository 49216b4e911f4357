/*
 * spin.c
 *	  A short look for what comes, before a wait sleeps.
 *
 * Python often answers sooner than the kernel takes to put a process to sleep and to
 * wake it up, above all on virtual machines, where waking a CPU that idles takes tens
 * of microseconds.  So a wait looks at the socket for up to hxpy.spin microseconds
 * first, and then sleeps.
 *
 * That helps only where Python is short and has a CPU of its own meanwhile.  Whether it
 * is so shows: each time that the look was in vain twice as many waits sleep at once
 * until the next one looks; when one was not, half as many.  So what is lost where it
 * does not help is one look in about MAX_PAUSE waits.  It does not yield the CPU: that
 * it has it in vain must show, too, or two processes would take turns on one CPU by
 * yielding, which takes longer than sleeping.
 *
 * The worker does the same for requests (Connection in python/hxpy/_worker/protocol.py).
 */
#include "postgres.h"

#include <sched.h>
#include <sys/socket.h>

#include "portability/instr_time.h"
#include "storage/s_lock.h"

#include "hxpy.h"
#include "guc.h"
#include "session/spin.h"

#define MAX_PAUSE	1023

/* Begin, where there is another CPU for Python. */
void
hxpy_spin_init(Spin *spin)
{
	cpu_set_t	cpus;

	memset(spin, 0, sizeof(*spin));
	spin->useless = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) < 2;
}

/* Return whether a socket has bytes, its end or an error to give. */
static bool
has_come(pgsocket socket)
{
	char		byte;

	return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Look for what comes from a socket, but not for long; return whether something has come. */
bool
hxpy_spin_wait(Spin *spin, pgsocket socket)
{
	instr_time	start;
	instr_time	now;

	if (hxpy_spin == 0 || spin->useless)
		return false;
	if (spin->left > 0)
	{
		spin->left--;
		return false;
	}
	INSTR_TIME_SET_CURRENT(start);
	do
	{
		if (has_come(socket))
		{
			spin->pause /= 2;
			return true;
		}
		SPIN_DELAY();
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
	} while (INSTR_TIME_GET_MICROSEC(now) < hxpy_spin);
	spin->pause = Min(2 * spin->pause + 1, MAX_PAUSE);
	spin->left = spin->pause;
	return false;
}
