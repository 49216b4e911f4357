/*
 * column.h
 *	  Datum ↔ column: types (coltype.c), sending (column.c), receiving (datum.c).
 */
#ifndef HXPY_COLUMN_H
#define HXPY_COLUMN_H

#include "access/tupdesc.h"
#include "fmgr.h"

#include "codec/buffer.h"
#include "codec/wire.h"

/* days and microseconds from PostgreSQL's epoch to 1970-01-01, where the wire's begins */
#define HXPY_EPOCH_DAYS	(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define HXPY_EPOCH_USECS	((int64) HXPY_EPOCH_DAYS * USECS_PER_DAY)

/*
 * How one SQL type travels.  Set up once, used for many values; everything
 * lives in the memory context that was current at set-up.
 */
typedef struct ColumnType
{
	uint8		tag;			/* HXPY_TAG_... */
	Oid			type_id;		/* as declared, perhaps a domain */
	Oid			base_id;		/* without domains */
	int32		typmod;			/* of the base type */
	char	   *extra;			/* UTF-8: time zone, mode or name; see docs/protocol.md */
	int16		typlen;			/* of the base type */
	bool		typbyval;
	char		typalign;
	bool		is_varlena_text;	/* the Datum is the text itself */
	bool		for_input;		/* values come back: `convert` is an input function */
	FmgrInfo	convert;		/* output or input function of text-like tags and vectors */
	Oid			ioparam;
	void	   *domain_cache;	/* of domain_check */
	TupleDesc	tupdesc;		/* records; NULL until the first value of an anonymous one */
	int			nchildren;
	struct ColumnType **children;	/* element, or fields that are not dropped */
	char	  **child_names;	/* UTF-8 */
} ColumnType;

/*
 * A column being filled.  Its buffers live in the memory context given when it
 * was made.
 */
typedef struct Column
{
	ColumnType *type;
	const char *name;			/* UTF-8, the maker's */
	uint64		count;
	bool		has_nulls;
	bool		has_dims;		/* some array is not one-dimensional */
	ByteBuffer	nulls;			/* HXPY_MASK_... or 0 a value; filled from the first NULL on */
	ByteBuffer	data;			/* values, text, or bytes */
	ByteBuffer	offsets;		/* bytea, arrays */
	ByteBuffer	dims;			/* arrays */
	uint64		elements;		/* arrays: elements so far; bytea: bytes so far */
	struct Column **children;
	struct Column *texts;		/* of values that Python cannot hold; NULL until one comes */
} Column;

/* A parsed column being read from its first value to its last. */
typedef struct ColumnReader
{
	ColumnType *type;
	const WireColumn *wire;
	uint64		next;			/* index of the next value */
	const char *text;			/* where the next value of a text begins */
	uint64		dims_next;		/* where the next array's sizes begin */
	struct ColumnReader **children;
} ColumnReader;

/* coltype.c */
extern ColumnType *hxpy_coltype_create(Oid type, int32 typmod, bool for_input);
extern void hxpy_coltype_set_record(ColumnType *type, TupleDesc tupdesc);
extern uint32 hxpy_coltype_count(const ColumnType *type);
extern char *hxpy_coltype_to_utf8(const char *text);

/* column.c */
extern Column *hxpy_column_create(ColumnType *type, const char *name, MemoryContext context);
extern void hxpy_column_append(Column *column, Datum value, bool isnull);
extern void hxpy_column_append_row(Column **columns, int ncolumns, const Datum *values,
								   const bool *nulls, uint64 row);
extern void hxpy_column_reset(Column *column);
extern size_t hxpy_column_size(const Column *column);
extern void hxpy_column_write(Column *column, GatherList *list);
extern void hxpy_column_write_batch(int ncolumns, GatherList *list);
extern void hxpy_column_write_text(const char *name, const char *text, GatherList *list);

/* datum.c */
extern WireColumn *hxpy_datum_parse_batch(const char *data, size_t length, uint32 max_columns,
										  uint32 *ncolumns);
extern ColumnReader **hxpy_datum_readers(ColumnType **types, int ntypes, const char *data,
										 size_t length, uint64 *nrows);
extern Datum hxpy_datum_next(ColumnReader *reader, bool *isnull);
extern Datum hxpy_datum_single(ColumnType *type, const char *data, size_t length, bool *isnull);

#endif							/* HXPY_COLUMN_H */
