/*
 * scan.h
 *	  Functions in FROM as scans that stream: py_eval_grid, py_eval_rows, py_apply, and
 *	  those of the language.
 */
#ifndef HXPY_SCAN_H
#define HXPY_SCAN_H

#include "nodes/plannodes.h"

#include "move/rows.h"

/* Set-returning functions of a language, which a scan can stream, too. */
typedef struct ScanFunctions
{
	/* Return whether a call of a function may go past PostgreSQL's function manager. */
	bool		(*claim) (Oid function);
	/*
	 * Set up the instruction for a call, all but its sink; false when there are no
	 * rows.  `is_row`: the function's result is a row, not one value.
	 */
	bool		(*prepare) (Exchange *exchange, Oid function, bool is_row, int nargs,
							const Oid *types, const Datum *values, const bool *nulls);
	/* Have the types of its rows travel as it wants. */
	void		(*adapt) (RowsReader *reader, Oid function);
} ScanFunctions;

extern void hxpy_scan_init(const ScanFunctions *functions);
extern bool hxpy_scan_is_stream(const Plan *plan);

#endif							/* HXPY_SCAN_H */
