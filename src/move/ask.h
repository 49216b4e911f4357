/*
 * ask.h
 *	  What Python asks for in SQL.
 */
#ifndef HXPY_ASK_H
#define HXPY_ASK_H

#include "tcop/dest.h"

#include "session/exchange.h"

/* What surrounds what is done. */
typedef enum AskFrame
{
	ASK_FREE,					/* nothing: it needs no right */
	ASK_CHECKED,				/* Python may run SQL */
	ASK_INSIDE					/* so, and it is a subtransaction of its own */
} AskFrame;

/*
 * Does what was asked for, and writes its answer.  There are as many columns as was said,
 * or more.
 */
typedef void (*AskAction) (Exchange *exchange, const WireColumn *columns, uint32 ncolumns);

extern void hxpy_ask_run(Exchange *exchange, const char *payload, size_t length,
						 uint32 mincolumns, AskFrame frame, AskAction action);
extern void hxpy_ask_inside(Exchange *exchange, AskAction action, const WireColumn *columns,
							uint32 ncolumns, volatile bool *inside);
pg_noreturn extern void hxpy_ask_raise_invalid(void);
extern char *hxpy_ask_text(const WireColumn *column);
extern int64 hxpy_ask_number(const WireColumn *column);
extern DestReceiver *hxpy_ask_receiver(Exchange *exchange, bool plain);
extern void hxpy_ask_write_done(Exchange *exchange, int status, uint64 processed);

#endif							/* HXPY_ASK_H */
