/*
 * cursor.h
 *	  Cursors of Python: portals.
 */
#ifndef HXPY_CURSOR_H
#define HXPY_CURSOR_H

#include "move/ask.h"

extern void hxpy_cursor_open(Exchange *exchange, const WireColumn *columns, uint32 ncolumns);
extern void hxpy_cursor_fetch(Exchange *exchange, const WireColumn *columns, uint32 ncolumns);
extern bool hxpy_cursor_close(Exchange *exchange, int64 number);
extern void hxpy_cursor_pin(bool pin);
extern void hxpy_cursor_end(Exchange *exchange);

#endif							/* HXPY_CURSOR_H */
