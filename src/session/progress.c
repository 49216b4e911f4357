/*
 * progress.c
 *	  How far an instruction has come, as Python tells: PROGRESS frames.
 *
 * They go to the session's slot, and to the client as hxpy.progress says.  A
 * worker is hostile and may send any number of them: nothing is kept but the last
 * one, and no memory.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "session/progress.h"
#include "text.h"
#include "codec/wire.h"

#define MAX_MESSAGE		200			/* bytes */

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
take_columns(SessionSlot *slot, const WireColumn *columns, uint32 ncolumns)
{
	double		done;
	double		total;
	const char *message = "";
	size_t		length = 0;

	if (ncolumns != 3 || !read_number(&columns[0], &done) || isnan(done) ||
		!read_number(&columns[1], &total) || columns[2].tag != HXPY_TAG_TEXT ||
		columns[2].count != 1)
		return "wrong progress";
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
hxpy_progress_take(SessionSlot *slot, const char *payload, size_t length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy progress",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32		ncolumns;
	WireColumn *columns;
	const char *error = hxpy_wire_parse(payload, length, HXPY_MAX_COLUMNS, parse_alloc, &columns,
										&ncolumns);

	if (error == NULL)
		error = take_columns(slot, columns, ncolumns);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return error;
}
