/*
 * choice.c
 *	  Which of several engines is used: the first of the list that answers.
 *
 * A process that has found an engine dead leaves it out for a while, since one whose machine
 * is gone costs a time limit each time; then it is asked again, and comes back.  Where there
 * is one engine only, it is not asked: what is wanted of it says what is wrong.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "hxpy.h"
#include "engine/docker/choice.h"
#include "engine/docker/hosts.h"
#include "engine/docker/request.h"
#include "guc.h"

#define MAX_HOSTS			16
#define ANSWER_TIMEOUT_MS	3000
#define LEAVE_OUT_MS		10000

static double left_out_until[MAX_HOSTS];

/* Return the number of engines. */
static int
count_hosts(void)
{
	int			count = hxpy_hosts_count();

	if (count > MAX_HOSTS)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("hxpy.docker_host lists %d engines", count),
				 errdetail("The most is %d.", MAX_HOSTS),
				 errhint("Shorten the list.")));
	return count;
}

/* Select an engine and return whether it answers; if not, append why. */
static bool
answers(int number, StringInfo reasons)
{
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;
	volatile bool answered = false;

	hxpy_hosts_select(number);
	PG_TRY();
	{
		(void) hxpy_request_negotiate(Min(hxpy_docker_timeout, ANSWER_TIMEOUT_MS));
		answered = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_CONNECTION_EXCEPTION)
			PG_RE_THROW();
		InterruptHoldoffCount = holdoff;	/* the error has reset it */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		appendStringInfo(reasons, "%s%s: %s", reasons->len > 0 ? "\n" : "", error->message,
						 error->detail ? error->detail : "");
		FreeErrorData(error);
	}
	PG_END_TRY();
	left_out_until[number] = answered ? 0 : hxpy_wait_now() + LEAVE_OUT_MS;
	return answered;
}

/* Raise the error that no engine answers. */
pg_noreturn static void
raise_none(const StringInfo reasons)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("none of the %d Docker engines answers", hxpy_hosts_count()),
			 errdetail_internal("%s", reasons->data),
			 errhint("Start one of them, or set \"hxpy.docker_host\" to others.")));
}

/*
 * Collect the engines that answer, only the first of them if so wanted.  Those that are
 * left out are asked only where no other one answers.
 */
static List *
collect(bool only_first)
{
	int			count = count_hosts();
	bool		left_out[MAX_HOSTS];
	List	   *found = NIL;
	StringInfoData reasons;

	initStringInfo(&reasons);
	for (int i = 0; i < count; i++)
		left_out[i] = left_out_until[i] > hxpy_wait_now();
	for (int again = 0; again <= 1 && found == NIL; again++)
	{
		for (int i = 0; i < count && !(only_first && found != NIL); i++)
		{
			if (left_out[i] == (again == 1) && answers(i, &reasons))
				found = lappend_int(found, i);
		}
	}
	if (found == NIL)
		raise_none(&reasons);
	return found;
}

/* Select the first engine that answers, in order of preference, and return its number. */
int
hxpy_choice_make(void)
{
	hxpy_hosts_select(hxpy_hosts_count() == 1 ? 0 : linitial_int(collect(true)));
	return hxpy_hosts_selected();
}

/* Return the numbers of the engines that answer; raises an error where none does. */
List *
hxpy_choice_answering(void)
{
	return hxpy_hosts_count() == 1 ? list_make1_int(0) : collect(false);
}
