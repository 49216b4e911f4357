/*
 * rows.h
 *	  The answer's batches → rows.
 */
#ifndef HXPY_ROWS_H
#define HXPY_ROWS_H

#include "utils/tuplestore.h"

#include "codec/datum.h"
#include "session/exchange.h"

/* How the rows of an exchange become tuples. */
typedef struct RowsReader
{
	ExchangeSink sink;			/* must be first */
	Exchange   *exchange;
	TupleDesc	tupdesc;
	int			ncolumns;		/* that are not dropped */
	ColumnType **types;
	Datum	   *values;			/* of one tuple */
	bool	   *nulls;
	MemoryContext batch_context;	/* the current batch */
	MemoryContext row_context;	/* the current row's Datums, perhaps those of some before */
	ColumnReader **readers;		/* of the current batch */
	uint64		rows_left;		/* in it */
	Tuplestorestate *store;		/* where rows go, or NULL when they are fetched */
} RowsReader;

extern RowsReader *hxpy_rows_create(Exchange *exchange, TupleDesc tupdesc,
									Tuplestorestate *store);
extern void hxpy_rows_set_context(RowsReader *reader, MemoryContext context);
extern bool hxpy_rows_next(RowsReader *reader);

#endif							/* HXPY_ROWS_H */
