/*
 * output.c
 *	  What Python prints, on its way to the client.
 *
 * Lines that come within hxpy.output_delay of the first one are one message, so that a loop
 * that prints does not flood the client.  They are gathered for all sessions of the backend, in the
 * order in which they come; whatever else is shown or raised comes after them: who does
 * so calls hxpy_output_show() before.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "guc.h"
#include "session/clock.h"
#include "session/output.h"
#include "text.h"

#define MAX_GATHERED	(64 * 1024)		/* bytes; more is shown at once */

static StringInfoData gathered; /* without the last line's end; in TopMemoryContext */
static bool is_gathering = false;	/* `gathered` has something, perhaps an empty line */
static instr_time began;		/* when its first line came */

/* Show what was gathered, at the level of hxpy.output. */
void
hxpy_output_show(void)
{
	char	   *text;

	if (!is_gathering)
		return;
	text = pstrdup(gathered.data);
	is_gathering = false;
	pfree(gathered.data);
	if (hxpy_output != 0)
		ereport(hxpy_output,
				(errmsg_internal("%s", text), errhidecontext(true), errhidestmt(true)));
	pfree(text);
}

/* Return in how many ms what was gathered is to be shown, -1 for nothing. */
long
hxpy_output_left(void)
{
	return is_gathering ? Max(hxpy_output_delay - hxpy_clock_elapsed_ms(began), 0) : -1;
}

/* Show what was gathered if it is time, or if an interrupt is about to be served. */
void
hxpy_output_show_due(void)
{
	if (is_gathering && (InterruptPending || hxpy_output_left() == 0))
		hxpy_output_show();
}

/* Take an OUTPUT frame: stream, text. */
void
hxpy_output_add(const char *payload, size_t length)
{
	MemoryContext old;
	char	   *text;

	if (hxpy_output == 0 || length < 1)
		return;
	hxpy_output_show_due();
	text = hxpy_text_clean(payload + 1, length - 1);
	if (!is_gathering)
	{
		old = MemoryContextSwitchTo(TopMemoryContext);
		initStringInfo(&gathered);
		MemoryContextSwitchTo(old);
		INSTR_TIME_SET_CURRENT(began);
		is_gathering = true;
	}
	else
		appendStringInfoChar(&gathered, '\n');
	appendStringInfoString(&gathered, text);
	pfree(text);
	if (gathered.len >= MAX_GATHERED || hxpy_output_delay == 0)
		hxpy_output_show();
}
