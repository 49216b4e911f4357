/*
 * rowset.h
 *	  Rows that a function returns, filled column by column.
 */
#ifndef HXPY_ROWSET_H
#define HXPY_ROWSET_H

#include "fmgr.h"
#include "nodes/execnodes.h"

/* The result of a function, and the row that is being filled */
typedef struct RowSet
{
	ReturnSetInfo *result;
	int			next;			/* the next column */
	Datum	   *values;
	bool	   *nulls;
} RowSet;

extern void hxpy_rowset_begin(RowSet *rows, FunctionCallInfo fcinfo);
extern void hxpy_rowset_put(RowSet *rows, Datum value, bool isnull);

/* NULL is NULL. */
extern void hxpy_rowset_put_text(RowSet *rows, const char *text);

/* Columns that were not put are NULL. */
extern void hxpy_rowset_end_row(RowSet *rows);

#endif							/* HXPY_ROWSET_H */
