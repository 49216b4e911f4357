/*
 * wire.h
 *	  The form of what goes over the wire, and the parsing of batches that came; knows
 *	  nothing of PostgreSQL.
 */
#ifndef HXPY_WIRE_H
#define HXPY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codec/protocol.h"

/* What stands before a frame's payload, as it stands there. */
typedef struct WireFrameHead
{
	uint16_t	magic;
	uint8_t		version;
	uint8_t		type;
	uint32_t	request;
	uint64_t	length;			/* of the payload */
} WireFrameHead;

/* What a column begins with, as it stands there; name and extra follow. */
typedef struct WireColumnHead
{
	uint8_t		tag;
	uint8_t		flags;
	uint16_t	name_length;
	uint32_t	extra_length;
	uint64_t	count;			/* values */
} WireColumnHead;

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

/* Return the bytes of a value of a fixed-width tag, 0 for other tags. */
static inline size_t
hxpy_wire_width(uint8_t tag)
{
	static const uint8_t widths[] = {
		[HXPY_TAG_BOOL] = 1, [HXPY_TAG_INT16] = 2, [HXPY_TAG_INT32] = 4, [HXPY_TAG_INT64] = 8,
		[HXPY_TAG_FLOAT32] = 4, [HXPY_TAG_FLOAT64] = 8, [HXPY_TAG_DATE] = 4, [HXPY_TAG_TIME] = 8,
		[HXPY_TAG_TIMESTAMP] = 8, [HXPY_TAG_TIMESTAMPTZ] = 8, [HXPY_TAG_INTERVAL] = 8,
		[HXPY_TAG_UUID] = 16
	};

	return tag < sizeof(widths) ? widths[tag] : 0;
}

/* Return whether a column of this tag is NUL-separated text. */
static inline bool
hxpy_wire_is_text(uint8_t tag)
{
	return tag >= HXPY_TAG_TEXT && tag <= HXPY_TAG_PLAIN;
}

/* Return whether values of this tag stand in an array of PostgreSQL as they do in a column. */
static inline bool
hxpy_wire_is_number(uint8_t tag)
{
	return tag >= HXPY_TAG_BOOL && tag <= HXPY_TAG_FLOAT64;
}

/* Read the int64 at an index of an array in wire order. */
static inline int64_t
hxpy_wire_int64(const char *data, uint64_t index)
{
	int64_t		value;

	memcpy(&value, data + index * sizeof(value), sizeof(value));
	return value;
}

/* Read the int32 at an index of an array in wire order. */
static inline int32_t
hxpy_wire_int32(const char *data, uint64_t index)
{
	int32_t		value;

	memcpy(&value, data + index * sizeof(value), sizeof(value));
	return value;
}

/* Write a frame's header. */
static inline void
hxpy_wire_header(char *header, uint8_t type, uint32_t request, uint64_t length)
{
	const WireFrameHead head = {HXPY_PROTOCOL_MAGIC, HXPY_PROTOCOL_VERSION, type, request, length};

	memcpy(header, &head, HXPY_HEADER_SIZE);
}

#endif							/* HXPY_WIRE_H */
