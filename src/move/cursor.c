/*
 * cursor.c
 *	  Cursors of Python: portals.
 *
 * A cursor belongs to the session in which it was opened, and lives in its portal's
 * memory: where the portal ends, however (a subtransaction that is aborted, the
 * transaction's end, CLOSE ALL), there is no cursor any more.  Where Python ends the
 * transaction the rows of the cursors are kept, until the call of the procedure ends.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "optimizer/optimizer.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/portal.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "move/cursor.h"
#include "move/filler.h"
#include "move/plan.h"

#define MAX_CURSORS			1000	/* open at a time in a backend */
#define FIRST_ROWS			32		/* that are read ahead */

/* A cursor; lives in its portal's memory. */
typedef struct PyCursor
{
	dlist_node	node;			/* in `cursors` */
	uint64		owner;			/* id of the session's connection */
	Exchange   *within;			/* which it must not outlive, or NULL */
	int64		number;			/* never used twice in a backend */
	Portal		portal;
	bool		plain;			/* its rows are for plpy */
	uint64		batch_rows;		/* about how many make a batch */
	MemoryContextCallback callback;
} PyCursor;

static dlist_head cursors = DLIST_STATIC_INIT(cursors);
static int	ncursors = 0;
static int64 last_number = 0;

/* ---------- cursors and portals ---------- */

/* A portal ends, and its cursor. */
static void
release_cursor(void *arg)
{
	PyCursor   *cursor = arg;

	dlist_delete(&cursor->node);
	ncursors--;
}

/* Make a portal a cursor. */
static PyCursor *
add_cursor(uint64 owner, Portal portal, bool plain)
{
	PyCursor   *cursor = MemoryContextAllocZero(portal->portalContext, sizeof(PyCursor));

	cursor->owner = owner;
	cursor->number = ++last_number;
	cursor->portal = portal;
	cursor->plain = plain;
	cursor->batch_rows = FIRST_ROWS;
	cursor->callback.func = release_cursor;
	cursor->callback.arg = cursor;
	MemoryContextRegisterResetCallback(portal->portalContext, &cursor->callback);
	dlist_push_head(&cursors, &cursor->node);
	ncursors++;
	return cursor;
}

/* Return a cursor of the exchange's session, NULL if there is none of the number. */
static PyCursor *
find_cursor(const Exchange *exchange, int64 number)
{
	dlist_iter	iter;

	dlist_foreach(iter, &cursors)
	{
		PyCursor   *cursor = dlist_container(PyCursor, node, iter.cur);

		if (cursor->number == number && exchange->conn != NULL &&
			cursor->owner == exchange->conn->id)
		{
			dlist_move_head(&cursors, &cursor->node);
			return cursor;
		}
	}
	return NULL;
}

/* ---------- opening ---------- */

/*
 * Return whether it makes no difference to anyone when rows are read before they are
 * needed: nothing is changed or locked by it, and no function knows.
 */
static bool
can_read_ahead(SPIPlanPtr plan, Portal portal)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	return portal->strategy == PORTAL_ONE_SELECT &&
		linitial_node(PlannedStmt, portal->stmts)->rowMarks == NIL &&
		!contain_volatile_functions((Node *) source->query_list);
}

/*
 * See to it that a cursor which reads transition tables ends before they do: with what
 * Python was called for.  The level of SPI in which they were named ends now.
 */
static void
bind_relations(Exchange *exchange, PyCursor *cursor, const QueryParams *params)
{
	cursor->portal->queryEnv = params->reads_relations ? params->around : NULL;
	if (!params->reads_relations)
		return;
	if (exchange->callback.func != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function whose rows are streamed cannot open a cursor for transition tables")));
	cursor->within = exchange;
	exchange->at_end = hxpy_cursor_end;
}

/* Open a portal for a plan of SPI, and answer with its number. */
static void
open_portal(Exchange *exchange, SPIPlanPtr plan, const QueryParams *params, bool plain)
{
	uint64		owner = exchange->conn->id;
	Portal		portal = SPI_cursor_open_with_paramlist(NULL, plan, hxpy_params_list(params),
														exchange->read_only);
	bool		ahead = can_read_ahead(plan, portal);
	PyCursor   *cursor;
	GatherList *answer = &exchange->answer;

	cursor = add_cursor(owner, portal, plain);
	bind_relations(exchange, cursor, params);
	SPI_finish();
	hxpy_column_write_batch(2, answer);
	hxpy_column_write_text("cursor", psprintf(INT64_FORMAT, cursor->number), answer);
	hxpy_column_write_text("ahead", ahead ? "1" : "", answer);
}

/* Open a cursor for a query. */
static void
open_query(Exchange *exchange, const char *query, bool plain, const WireColumn *columns,
		   int ncolumns)
{
	QueryParams params;

	hxpy_params_read(&params, columns, ncolumns);
	params.around = hxpy_relations_connect(exchange->isolated);
	open_portal(exchange, hxpy_params_prepare(&params, query, 0), &params, plain);
}

/* Open a cursor for a plan. */
static void
open_plan(Exchange *exchange, int64 number, const WireColumn *columns, int ncolumns)
{
	PyPlan	   *plan = hxpy_plan_take(exchange, number);

	PG_TRY();
	{
		QueryParams params;
		SPIPlanPtr	spi = hxpy_plan_connect(plan, exchange, &params, columns, ncolumns);

		open_portal(exchange, spi, &params, true);
	}
	PG_FINALLY();
	{
		hxpy_plan_release(plan);
	}
	PG_END_TRY();
}

/* Open a cursor: texts `form` and `query`, then the parameters' values; see spi.c. */
void
hxpy_cursor_open(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	const char *form = hxpy_ask_text(&columns[0]);

	if (ncursors >= MAX_CURSORS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("Python has too many open cursors"),
				 errhint("The limit is %d. Close those that are read.", MAX_CURSORS)));
	if (strcmp(form, "plan") == 0)
		open_plan(exchange, hxpy_ask_number(&columns[1]), columns + 2, (int) ncolumns - 2);
	else
		open_query(exchange, hxpy_ask_text(&columns[1]), strcmp(form, "rows") == 0, columns + 2,
				   (int) ncolumns - 2);
}

/* ---------- reading ---------- */

/* Send the next rows of a cursor; returns how many. */
static uint64
send_rows(Exchange *exchange, PyCursor *cursor, const char *count)
{
	DestReceiver *receiver = hxpy_ask_receiver(exchange, cursor->plain);
	Portal		portal = cursor->portal;
	uint64		fetched;

	/* One that changes data was perhaps opened by a function that may do so. */
	if (exchange->read_only && portal->strategy != PORTAL_ONE_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is not allowed in a non-volatile function",
						GetCommandTagName(portal->commandTag))));
	if (strcmp(count, "batch") != 0)
		return PortalRunFetch(portal, FETCH_FORWARD, (long) pg_strtoint64(count), receiver);
	fetched = PortalRunFetch(portal, FETCH_FORWARD, (long) cursor->batch_rows, receiver);
	if (fetched > 0)
		cursor->batch_rows = Min(hxpy_filler_batch_rows(receiver), 8 * cursor->batch_rows);
	return fetched;
}

/*
 * Fetch rows: texts `cursor` and `count`, a number, or `batch` for about as many as make
 * one, or `none`.  The status is negative where there is no such cursor (any more).
 */
void
hxpy_cursor_fetch(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	PyCursor   *cursor = find_cursor(exchange, hxpy_ask_number(&columns[0]));
	const char *count = hxpy_ask_text(&columns[1]);
	uint64		fetched = 0;

	if (cursor != NULL && strcmp(count, "none") != 0)
		fetched = send_rows(exchange, cursor, count);
	hxpy_ask_write_done(exchange, cursor == NULL ? SPI_ERROR_ARGUMENT : SPI_OK_FETCH, fetched);
}

/* ---------- ending ---------- */

/* Close a cursor of the session; false if there is none. */
bool
hxpy_cursor_close(Exchange *exchange, int64 number)
{
	PyCursor   *cursor = find_cursor(exchange, number);

	if (cursor == NULL)
		return false;
	PortalDrop(cursor->portal, false);
	return true;
}

/* Have cursors outlive the end of a transaction that comes, or no more so. */
void
hxpy_cursor_pin(bool pin)
{
	dlist_iter	iter;

	dlist_foreach(iter, &cursors)
	{
		Portal		portal = dlist_container(PyCursor, node, iter.cur)->portal;

		if (pin && portal->status == PORTAL_READY)
			PinPortal(portal);
		else if (!pin && portal->portalPinned)
			UnpinPortal(portal);
	}
}

/* Return a cursor that must not outlive an exchange, NULL if there is none. */
static PyCursor *
find_within(const Exchange *exchange)
{
	dlist_iter	iter;

	dlist_foreach(iter, &cursors)
	{
		PyCursor   *cursor = dlist_container(PyCursor, node, iter.cur);

		if (cursor->within == exchange ||
			(exchange->nonatomic && cursor->portal->createSubid == InvalidSubTransactionId))
			return cursor;
	}
	return NULL;
}

/* Close the cursors that must not outlive an exchange, which ends. */
void
hxpy_cursor_end(Exchange *exchange)
{
	PyCursor   *cursor;

	while ((cursor = find_within(exchange)) != NULL)
		PortalDrop(cursor->portal, false);
}
