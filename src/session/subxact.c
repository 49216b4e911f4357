/*
 * subxact.c
 *	  Subtransactions that Python opens within an exchange.
 *
 * Each is an internal subtransaction that stays open while Python goes on.  It belongs
 * to the exchange whose request has opened it: one that runs inside cannot end it.  It
 * ends before the exchange gives anything out (rows, a value, an error), so that what
 * surrounds an exchange always goes on in the subtransaction in which it has begun it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "session/subxact.h"

#define MAX_SUBTRANSACTIONS	1000	/* open at a time in one exchange */

/* An open subtransaction; lives in the exchange's context. */
struct OpenSubxact
{
	OpenSubxact *outer;
	int			depth;			/* how many are open, with this one */
	ResourceOwner owner;		/* to go back to */
};

/* Open a subtransaction. */
void
hxpy_subxact_begin(Exchange *exchange)
{
	MemoryContext context = CurrentMemoryContext;
	int			depth = exchange->subxacts == NULL ? 1 : exchange->subxacts->depth + 1;
	OpenSubxact *own;

	if (depth > MAX_SUBTRANSACTIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("Python has opened too many subtransactions inside each other"),
				 errhint("The limit is %d. Exit each of them.", MAX_SUBTRANSACTIONS)));
	own = MemoryContextAlloc(exchange->context, sizeof(OpenSubxact));
	own->outer = exchange->subxacts;
	own->depth = depth;
	own->owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	exchange->subxacts = own;
}

/* Forget the innermost subtransaction, which has ended. */
static void
leave(Exchange *exchange, MemoryContext context)
{
	OpenSubxact *own = exchange->subxacts;

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = own->owner;
	exchange->subxacts = own->outer;
	pfree(own);
}

/* End the innermost subtransaction. */
void
hxpy_subxact_end(Exchange *exchange, bool commit)
{
	MemoryContext context = CurrentMemoryContext;

	if (exchange->subxacts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_S_E_INVALID_SPECIFICATION),
				 errmsg("there is no subtransaction to exit from")));
	if (commit)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	leave(exchange, context);
}

/* Abort what is open; `warn` if Python could have ended it.  May run in PG_CATCH blocks. */
void
hxpy_subxact_abandon(Exchange *exchange, bool warn)
{
	while (exchange->subxacts != NULL)
	{
		MemoryContext context = CurrentMemoryContext;

		if (warn)
			ereport(WARNING,
					(errmsg("forcibly aborting a subtransaction that has not been exited")));
		RollbackAndReleaseCurrentSubTransaction();
		leave(exchange, context);
	}
}
