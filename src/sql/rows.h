/*
 * rows.h
 *	  Rows that a function returns, filled column by column.
 */
#ifndef HXPY_ROWS_H
#define HXPY_ROWS_H

#include "fmgr.h"
#include "nodes/execnodes.h"

/* The result of a function, and the row that is being filled */
typedef struct RowWriter
{
	ReturnSetInfo *result;
	int			next;			/* the next column */
	Datum	   *values;
	bool	   *nulls;
} RowWriter;

extern void hxpy_rows_begin(RowWriter *rows, FunctionCallInfo fcinfo);
extern void hxpy_rows_put(RowWriter *rows, Datum value, bool isnull);

/* NULL is NULL. */
extern void hxpy_rows_put_text(RowWriter *rows, const char *text);

/* Columns that were not put are NULL. */
extern void hxpy_rows_end_row(RowWriter *rows);

#endif							/* HXPY_ROWS_H */
