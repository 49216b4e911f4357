/*
 * wire.c
 *	  Parsing of batches that came over the wire.
 *
 * The worker is hostile: every tag, count, length and offset is checked here
 * before anyone uses it, so that later code may walk a parsed column without
 * looking back.  What a value means (is it a date? valid UTF-8?) is checked
 * where it becomes a Datum (datum.c).
 *
 * The file uses no PostgreSQL header, so that a fuzzer drives it alone.  It
 * owns nothing: columns point into the batch, and the caller's allocator (which
 * does not return on failure) gives the small structs.  Errors come back as a
 * constant text.
 */
#include "codec/wire.h"

/*
 * Values of a column that has no bytes for each (NULLs, records without
 * fields), for which the batch's length is no limit.
 */
#define MAX_BARE_VALUES		(1024 * 1024)

/* What is left of the batch. */
typedef struct Cursor
{
	const char *position;
	const char *end;
	uint32_t	columns_left;	/* that may yet come, nested ones counted */
	WireAlloc	alloc;
} Cursor;

static const char *parse_columns(Cursor *cursor, uint32_t count, WireColumn **columns, int depth);

/* Take items of a size off the cursor, with their padding; NULL when there are too few bytes. */
static const char *
take(Cursor *cursor, uint64_t count, size_t size)
{
	const char *taken = cursor->position;
	size_t		left = (size_t) (cursor->end - cursor->position);
	size_t		padded;

	if (count > left / size)
		return NULL;
	padded = ((size_t) count * size + 7) & ~(size_t) 7;
	cursor->position += padded < left ? padded : left;
	return taken;
}

/* Take one item off the cursor into a variable; false when there are too few bytes. */
static bool
take_into(Cursor *cursor, void *variable, size_t size)
{
	const char *taken = take(cursor, 1, size);

	if (taken != NULL)
		memcpy(variable, taken, size);
	return taken != NULL;
}

/* Parse the text of a column: as many values as the count says. */
static const char *
parse_text(Cursor *cursor, WireColumn *column)
{
	uint64_t	length;
	uint64_t	separators = 0;
	const char *position;
	const char *end;

	if (!take_into(cursor, &length, sizeof(length)) ||
		(column->data = take(cursor, length, 1)) == NULL)
		return "truncated text";
	column->data_length = (size_t) length;
	position = column->data;
	end = position + length;
	while ((position = memchr(position, 0, (size_t) (end - position))) != NULL)
	{
		separators++;
		position++;
	}
	if (column->count == 0 ? length != 0 : separators != column->count - 1)
		return "wrong number of values in a text";
	return NULL;
}

/* Parse the offsets of a column; on success they rise from 0. */
static const char *
parse_offsets(Cursor *cursor, WireColumn *column)
{
	int64_t		last = 0;

	if (column->count == UINT64_MAX ||
		(column->offsets = take(cursor, column->count + 1, sizeof(int64_t))) == NULL)
		return "truncated offsets";
	for (uint64_t i = 0; i <= column->count; i++)
	{
		int64_t		offset = hxpy_wire_int64(column->offsets, i);

		if (offset < last || (i == 0 && offset != 0))
			return "offsets that do not rise from zero";
		last = offset;
	}
	return NULL;
}

/*
 * Check the sizes of an array column: for each value the number of dimensions
 * and their sizes, whose product is its number of elements.
 */
static const char *
check_dims(const WireColumn *column)
{
	uint64_t	position = 0;

	for (uint64_t i = 0; i < column->count; i++)
	{
		uint64_t	size = 1;
		int32_t		ndim;

		if (position >= column->dims_count)
			return "truncated dimensions";
		ndim = hxpy_wire_int32(column->dims, position++);
		if (ndim < 1 || ndim > 6 || (uint64_t) ndim > column->dims_count - position)
			return "wrong number of dimensions";
		for (int32_t j = 0; j < ndim; j++)
		{
			int32_t		length = hxpy_wire_int32(column->dims, position++);

			if (length < 0 || (length != 0 && size > (uint64_t) INT32_MAX / (uint64_t) length))
				return "wrong dimension";
			size *= (uint64_t) length;
		}
		if (size != (uint64_t) (hxpy_wire_int64(column->offsets, i + 1) -
								hxpy_wire_int64(column->offsets, i)))
			return "dimensions that do not match the elements";
	}
	return position == column->dims_count ? NULL : "trailing dimensions";
}

/* Parse an array column: offsets, dimensions, elements. */
static const char *
parse_array(Cursor *cursor, WireColumn *column, int depth)
{
	const char *error = parse_offsets(cursor, column);

	if (error != NULL)
		return error;
	if (!take_into(cursor, &column->dims_count, sizeof(column->dims_count)) ||
		(column->dims = take(cursor, column->dims_count, sizeof(int32_t))) == NULL)
		return "truncated dimensions";
	if (column->dims_count != 0 && (error = check_dims(column)) != NULL)
		return error;
	column->nchildren = 1;
	if ((error = parse_columns(cursor, 1, &column->children, depth + 1)) != NULL)
		return error;
	if (column->children->count != (uint64_t) hxpy_wire_int64(column->offsets, column->count))
		return "wrong number of elements";
	return NULL;
}

/* Parse a record column: its fields, each with as many values as the column. */
static const char *
parse_record(Cursor *cursor, WireColumn *column, int depth)
{
	const char *error;
	uint64_t	fields;

	if (!take_into(cursor, &fields, sizeof(fields)) || fields > cursor->columns_left ||
		fields > (uint64_t) (cursor->end - cursor->position) / sizeof(WireColumnHead))
		return "wrong number of fields";
	if (fields == 0 && column->count > MAX_BARE_VALUES)
		return "too many records without fields";
	column->nchildren = (uint32_t) fields;
	if ((error = parse_columns(cursor, column->nchildren, &column->children, depth + 1)) != NULL)
		return error;
	for (uint32_t i = 0; i < column->nchildren; i++)
	{
		if (column->children[i].count != column->count)
			return "fields of different lengths";
	}
	return NULL;
}

/* Parse the bytes of a bytea column. */
static const char *
parse_bytea(Cursor *cursor, WireColumn *column)
{
	const char *error = parse_offsets(cursor, column);

	if (error != NULL)
		return error;
	column->data_length = (size_t) hxpy_wire_int64(column->offsets, column->count);
	column->data = take(cursor, column->data_length, 1);
	return column->data == NULL ? "truncated bytes" : NULL;
}

/* Parse one column and what it holds. */
static const char *
parse_column(Cursor *cursor, WireColumn *column, int depth)
{
	WireColumnHead head;
	size_t		width;

	if (!take_into(cursor, &head, sizeof(head)))
		return "truncated column";
	if (depth > HXPY_MAX_DEPTH)
		return "columns nested too deeply";
	if (cursor->columns_left == 0)
		return "more columns than wanted";
	cursor->columns_left--;
	column->tag = head.tag;
	column->count = head.count;
	column->name_length = head.name_length;
	if ((head.flags & ~HXPY_FLAG_HAS_NULLS) != 0 || head.extra_length > HXPY_MAX_LABEL)
		return "wrong flags or labels";
	if ((column->name = take(cursor, (uint64_t) head.name_length + head.extra_length, 1)) == NULL)
		return "truncated name";
	if ((head.flags & HXPY_FLAG_HAS_NULLS) != 0 &&
		(column->nulls = (const uint8_t *) take(cursor, column->count, 1)) == NULL)
		return "truncated null mask";
	if ((width = hxpy_wire_width(column->tag)) != 0)
	{
		column->data = take(cursor, column->count, width);
		column->data_length = column->data == NULL ? 0 : (size_t) column->count * width;
		return column->data == NULL ? "truncated values" : NULL;
	}
	if (hxpy_wire_is_text(column->tag))
		return parse_text(cursor, column);
	switch (column->tag)
	{
		case HXPY_TAG_NULL:
			return column->count > MAX_BARE_VALUES ? "too many nulls" : NULL;
		case HXPY_TAG_BYTEA:
			return parse_bytea(cursor, column);
		case HXPY_TAG_ARRAY:
			return parse_array(cursor, column, depth);
		case HXPY_TAG_RECORD:
			return parse_record(cursor, column, depth);
		default:
			return "unknown tag";
	}
}

/* Parse the columns of a batch, or those that a column holds. */
static const char *
parse_columns(Cursor *cursor, uint32_t count, WireColumn **columns, int depth)
{
	const char *error = NULL;

	*columns = cursor->alloc((size_t) count * sizeof(WireColumn));
	for (uint32_t i = 0; i < count && error == NULL; i++)
		error = parse_column(cursor, &(*columns)[i], depth);
	return error;
}

/*
 * Parse a batch into its columns, at most so many with those that they hold: each
 * takes memory, and empty ones come at 16 bytes apiece.  Returns NULL, or what is
 * wrong with it; then the columns are not to be used.
 */
const char *
hxpy_wire_parse(const char *batch, size_t length, uint32_t max_columns,
				WireAlloc alloc, WireColumn **columns, uint32_t *ncolumns)
{
	Cursor		cursor = {batch, batch + length, max_columns, alloc};
	uint32_t	head[2];		/* the number of columns, and 0 */
	const char *error;

	if (!take_into(&cursor, head, sizeof(head)))
		return "truncated batch";
	*ncolumns = head[0];
	if (*ncolumns > HXPY_MAX_COLUMNS || *ncolumns > max_columns ||
		*ncolumns > length / sizeof(WireColumnHead))
		return "wrong number of columns";
	if ((error = parse_columns(&cursor, *ncolumns, columns, 0)) != NULL)
		return error;
	return cursor.position == cursor.end ? NULL : "trailing bytes";
}
