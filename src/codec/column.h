/*
 * column.h
 *	  Datum → column → wire.
 */
#ifndef HXPY_COLUMN_H
#define HXPY_COLUMN_H

#include "codec/buffer.h"
#include "codec/coltype.h"

/*
 * A column being filled.  Its buffers live in the memory context given when it
 * was made.
 */
typedef struct Column
{
	void		(*append) (struct Column *column, Datum value, bool isnull);
	ColumnType *type;
	const char *name;			/* UTF-8, the maker's */
	uint64		count;
	ByteBuffer	nulls;			/* HXPY_MASK_... or 0 a value; empty until the first NULL */
	ByteBuffer	data;			/* values, text, or bytes */
	ByteBuffer	offsets;		/* bytea, arrays */
	ByteBuffer	dims;			/* arrays: the number of dimensions and their sizes */
	struct Column **children;
	struct Column *texts;		/* of values that Python cannot hold; NULL until one comes */
} Column;

extern Column *hxpy_column_create(ColumnType *type, const char *name, MemoryContext context);
extern void hxpy_column_append_row(Column **columns, int ncolumns, const Datum *values,
								   const bool *nulls, uint64 row);
extern Column *hxpy_column_begin_list(Column *column, bool isnull);
extern void hxpy_column_reset(Column *column);
extern size_t hxpy_column_size(const Column *column);
extern void hxpy_column_write(Column *column, GatherList *list);
extern void hxpy_column_write_batch(int ncolumns, GatherList *list);
extern void hxpy_column_write_text(const char *name, const char *text, GatherList *list);

/* Append one value. */
static inline void
hxpy_column_append(Column *column, Datum value, bool isnull)
{
	column->append(column, value, isnull);
}

#endif							/* HXPY_COLUMN_H */
