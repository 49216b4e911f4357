/*
 * progress.c
 *	  How far an instruction has come: as Python tells, by PROGRESS frames, or by the
 *	  rows that are moved.
 *
 * Both go to the session's slot, and to the client as hxpy.progress says.  A
 * worker is hostile and may send any number of frames: nothing is kept but the last
 * one, and no memory.
 *
 * Rows are counted batch by batch.  The client is told after INTERVAL_MS, and again and
 * again, whoever is slow: the query, Python or the table.  No clock is read for that; a
 * timer says when.  It is started by whoever finds it stopped, an error that ends a statement
 * stops it with all others, and it stops by itself when nobody asks for the next time.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "guc.h"
#include "session/progress.h"
#include "text.h"
#include "codec/wire.h"

#define MAX_MESSAGE		200			/* bytes */
#define INTERVAL_MS		2000		/* between two messages about rows, and before the first */

volatile sig_atomic_t hxpy_progress_due = false;

/* Allocate for the parser. */
static void *
parse_alloc(size_t size)
{
	return palloc0(Max(size, 1));
}

/* Read a number, NaN for NULL; false when it is none that counts anything. */
static bool
read_number(const WireColumn *column, double *number)
{
	if (column->tag != HXPY_TAG_FLOAT64 || column->count != 1)
		return false;
	*number = get_float8_nan();
	if (column->nulls != NULL && column->nulls[0])
		return true;
	memcpy(number, column->data, sizeof(*number));
	return isfinite(*number) && *number >= 0;
}

/* Show progress at the level of hxpy.progress. */
static void
show_progress(double done, double total, const char *message)
{
	const char *of = isnan(total) ? "" : psprintf(" of %.15g", total);
	const char *percent = total > 0 && done <= total ?
		psprintf(" (%d %%)", (int) floor(100 * (done / total))) : "";

	ereport(hxpy_progress,
			(errmsg_internal("progress: %.15g%s%s%s%s", done, of, percent,
							 message[0] ? ": " : "", message),
			 errhidecontext(true), errhidestmt(true)));
}

/* Take a parsed frame; returns NULL, or what is wrong. */
static const char *
take_columns(RowProgress *rows, SessionSlot *slot, const WireColumn *columns, uint32 ncolumns)
{
	double		done;
	double		total;
	const char *message = "";
	size_t		length = 0;

	if (ncolumns != 3 || !read_number(&columns[0], &done) ||
		!read_number(&columns[1], &total) || columns[2].tag != HXPY_TAG_TEXT ||
		columns[2].count != 1)
		return "wrong progress";
	if (isnan(done))
	{
		/* Python knows how many rows will come; they are counted here. */
		if (isnan(total))
			return "wrong progress";
		if (rows != NULL && rows->total == 0)
			rows->total = total;
		return NULL;
	}
	/* It knows better than who counts rows. */
	if (rows != NULL)
		rows->silent = true;
	if (columns[2].nulls == NULL || !columns[2].nulls[0])
	{
		message = columns[2].data;
		length = Min(columns[2].data_length, MAX_MESSAGE + 1);
		length = Min(pg_encoding_mbcliplen(PG_UTF8, message, (int) length, MAX_MESSAGE), length);
	}
	hxpy_registry_progress(slot, done, total, message, length);
	if (hxpy_progress != 0)
		show_progress(done, total, hxpy_text_clean(message, length));
	return NULL;
}

/*
 * Take a PROGRESS frame of the instruction under way; returns NULL, or what is
 * wrong with it.
 */
const char *
hxpy_progress_take(RowProgress *rows, SessionSlot *slot, const char *payload, size_t length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy progress",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32		ncolumns;
	WireColumn *columns;
	const char *error = hxpy_wire_parse(payload, length, HXPY_MAX_COLUMNS, parse_alloc, &columns,
										&ncolumns);

	if (error == NULL)
		error = take_columns(rows, slot, columns, ncolumns);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return error;
}

/* ---------- rows ---------- */

/* Say that it is time to look, and wake up who waits. */
static void
note_time(void)
{
	hxpy_progress_due = true;
	SetLatch(MyLatch);
}

/* Have the timer go off in a time, unless it will already. */
static void
start_timer(long ms)
{
	static TimeoutId timer = MAX_TIMEOUTS;

	if (timer == MAX_TIMEOUTS)
		timer = RegisterTimeout(USER_TIMEOUT, note_time);
	if (!get_timeout_active(timer))
		enable_timeout_after(timer, (int) ms);
}

/* Show others how many rows there are. */
static void
show_rows(const RowProgress *rows, SessionSlot *slot, uint64 done)
{
	/* What was estimated to be less is not known. */
	double		total = rows->total >= done ? rows->total : 0;

	hxpy_registry_rows(slot, (double) done, total > 0 ? total : get_float8_nan(), rows->estimated,
					   rows->since);
}

/* Begin to count rows, or go on with the next exchange. */
void
hxpy_progress_begin(RowProgress *rows, SessionSlot *slot)
{
	if (rows->since == 0)
		rows->since = rows->told = GetCurrentTimestamp();
	if (!rows->silent)
		show_rows(rows, slot, rows->done);
	start_timer(INTERVAL_MS);
}

/* Count rows. */
void
hxpy_progress_count(RowProgress *rows, SessionSlot *slot, uint64 more)
{
	rows->done += more;
	if (!rows->silent)
		show_rows(rows, slot, rows->done);
	if (hxpy_progress_due)
		hxpy_progress_tick(rows, slot, 0);
}

/* Tell the client if it is time, with rows that are not counted yet. */
void
hxpy_progress_tick(RowProgress *rows, SessionSlot *slot, uint64 more)
{
	long		left;
	double		done = (double) (rows->done + more);
	double		total = rows->total >= done && rows->total > 0 ? rows->total : get_float8_nan();

	hxpy_progress_due = false;
	left = INTERVAL_MS - (long) TimestampDifferenceMilliseconds(rows->told, GetCurrentTimestamp());
	start_timer(left > 0 ? left : INTERVAL_MS);
	if (left > 0 || rows->silent)
		return;
	rows->told = GetCurrentTimestamp();
	show_rows(rows, slot, rows->done + more);
	if (hxpy_progress != 0)
	{
		char	   *text = hxpy_progress_rows_text(done, total, rows->estimated, rows->since);

		show_progress(done, total, text);
		pfree(text);
	}
}

/* Return a length of time. */
static char *
duration_text(double seconds)
{
	if (seconds < 100)
		return psprintf("%.0f s", ceil(seconds));
	if (seconds < 100 * 60)
		return psprintf("%.0f min", seconds / 60);
	return psprintf("%.0f h", seconds / 3600);
}

/*
 * Return what is to be said of so many rows (a total of NaN is not known) that have been moved
 * since a moment; 0 for no moment, and so no rate.
 */
char *
hxpy_progress_rows_text(double done, double total, bool estimated, TimestampTz since)
{
	double		seconds = since == 0 ? 0 : (GetCurrentTimestamp() - since) / 1e6;
	double		rate = seconds > 0 ? done / seconds : 0;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "rows");
	if (rate > 0)
		appendStringInfo(&text, ", %.*f a second", rate < 10 ? 1 : 0, rate);
	if (rate > 0 && total > done)
		appendStringInfo(&text, ", %s%s left", estimated ? "about " : "",
						 duration_text((total - done) / rate));
	if (estimated && !isnan(total))
		appendStringInfoString(&text, "; the total is the planner's estimate");
	return text.data;
}
