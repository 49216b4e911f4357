/*
 * wire.h
 *	  Parsing of batches that came over the wire; knows nothing of PostgreSQL.
 */
#ifndef HXPY_WIRE_H
#define HXPY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/protocol.h"

/*
 * A parsed column.  All pointers point into the batch, whose owner keeps it
 * alive; every length was checked against the batch's end.
 */
typedef struct WireColumn
{
	uint8_t		tag;
	const char *name;			/* not terminated */
	size_t		name_length;
	uint64_t	count;			/* values */
	const uint8_t *nulls;		/* one byte a value, or NULL */
	const char *data;			/* fixed-width values, text, or bytes */
	size_t		data_length;
	const char *offsets;		/* count + 1 int64s: bytea, arrays */
	const char *dims;			/* int32s: arrays */
	uint64_t	dims_count;
	uint32_t	nchildren;
	struct WireColumn *children;	/* elements, or fields */
} WireColumn;

/* Gives zeroed memory; does not return without. */
typedef void *(*WireAlloc) (size_t size);

extern const char *hxpy_wire_parse(const char *batch, size_t length, uint32_t max_columns,
								   WireAlloc alloc, WireColumn **columns, uint32_t *ncolumns);
extern void hxpy_wire_header(char *header, uint8_t type, uint32_t request, uint64_t length);
extern size_t hxpy_wire_width(uint8_t tag);
extern int64_t hxpy_wire_int64(const char *data, uint64_t index);
extern int32_t hxpy_wire_int32(const char *data, uint64_t index);

/* Tell whether a column of this tag is NUL-separated text. */
static inline bool
hxpy_wire_is_text(uint8_t tag)
{
	return tag >= HXPY_TAG_TEXT && tag <= HXPY_TAG_SYMBOL;
}

#endif							/* HXPY_WIRE_H */
