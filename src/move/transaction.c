/*
 * transaction.c
 *	  Subtransactions, COMMIT and ROLLBACK of Python.
 *
 * Python ends the transaction only where a procedure or a DO was called so that it may,
 * which is never so inside of what Python has asked for itself.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"

#include "hxpy.h"
#include "move/cursor.h"
#include "move/transaction.h"
#include "session/subxact.h"

/* Open or end a subtransaction: text `what`. */
void
hxpy_transaction_sub(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	const char *what = hxpy_ask_text(&columns[0]);

	if (strcmp(what, "begin") == 0)
		hxpy_subxact_begin(exchange);
	else if (strcmp(what, "abandon") == 0)
		hxpy_subxact_abandon(exchange, true);
	else if (strcmp(what, "commit") == 0 || strcmp(what, "rollback") == 0)
		hxpy_subxact_end(exchange, strcmp(what, "commit") == 0);
	else
		hxpy_ask_raise_invalid();
	hxpy_column_write_batch(0, &exchange->answer);
}

/* Read the rows of cursors that outlive the transaction. */
static void
hold_portals(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	HoldPinnedPortals();
}

/*
 * Have the rows of cursors read before SPI would do so, as what else Python asks for: with
 * no other role to be taken on.  An error rolls the transaction back.
 */
static void
hold_cursors(Exchange *exchange)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool inside = false;

	PG_TRY();
	{
		hxpy_ask_inside(exchange, hold_portals, NULL, 0, &inside);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (inside)
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		hxpy_cursor_pin(false);
		SPI_rollback();
		ReThrowError(error);
	}
	PG_END_TRY();
}

/* End the transaction and begin the next: text `what`. */
void
hxpy_transaction_end(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	const char *what = hxpy_ask_text(&columns[0]);

	if (strcmp(what, "commit") != 0 && strcmp(what, "rollback") != 0)
		hxpy_ask_raise_invalid();
	if (!exchange->nonatomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("invalid transaction termination")));
	exchange->at_end = hxpy_cursor_end;
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	hxpy_cursor_pin(true);
	PG_TRY();
	{
		if (!IsSubTransaction())
			hold_cursors(exchange);
		if (strcmp(what, "commit") == 0)
			SPI_commit();
		else
			SPI_rollback();
	}
	PG_FINALLY();
	{
		hxpy_cursor_pin(false);
		SPI_finish();
	}
	PG_END_TRY();
	hxpy_column_write_batch(0, &exchange->answer);
}
