/*
 * datum.h
 *	  Wire column → Datum.
 */
#ifndef HXPY_DATUM_H
#define HXPY_DATUM_H

#include "codec/coltype.h"
#include "codec/wire.h"

/* A parsed column being read from its first value to its last. */
typedef struct ColumnReader
{
	Datum		(*read) (struct ColumnReader *reader, bool *isnull);	/* the next value */
	ColumnType *type;
	const WireColumn *wire;
	uint64		next;			/* index of the next value */
	const char *text;			/* where the next value of a text begins */
	uint64		dims_next;		/* where the next array's sizes begin */
	struct ColumnReader **children;
} ColumnReader;

extern WireColumn *hxpy_datum_parse_batch(const char *data, size_t length, uint32 max_columns,
										  uint32 *ncolumns);
extern ColumnReader **hxpy_datum_readers(ColumnType **types, int ntypes, const char *data,
										 size_t length, uint64 *nrows);
extern Datum hxpy_datum_of_column(ColumnType *type, const WireColumn *column, bool *isnull);
extern void hxpy_datum_fields(const ColumnType *row, const WireColumn *columns, uint32 ncolumns,
							  Datum *values, bool *nulls, bool *found);
extern void hxpy_datum_row(ColumnType **types, int ntypes, const char *data, size_t length,
						   Datum *values, bool *nulls);

/* Read the next value.  The caller has not read more values than the column holds. */
static inline Datum
hxpy_datum_next(ColumnReader *reader, bool *isnull)
{
	Assert(reader->next < reader->wire->count);
	return reader->read(reader, isnull);
}

#endif							/* HXPY_DATUM_H */
