/*
 * datum.c
 *	  Wire column → Datum.
 *
 * wire.c has checked the form; here each value is checked for what its type
 * allows, because the worker is hostile: text must be valid in its encoding,
 * dates in range, and everything that has an input function goes through it.
 * Readers point into the batch; Datums are palloc'd in the current context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "hxpy.h"
#include "codec/datum.h"

/* Allocate for the parser. */
static void *
parse_alloc(size_t size)
{
	return palloc0(Max(size, 1));
}

/* Report a frame that is not what the protocol says. */
static void
invalid_frame(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid frame from the Python worker"),
			 errdetail_internal("%s", detail)));
}

/*
 * Parse a batch from the worker; an ill-formed one, or one of more columns than
 * wanted, counted with those that they hold, is an error.
 */
WireColumn *
hxpy_datum_parse_batch(const char *data, size_t length, uint32 max_columns, uint32 *ncolumns)
{
	WireColumn *columns;
	const char *error = hxpy_wire_parse(data, length, max_columns, parse_alloc, &columns, ncolumns);

	if (error != NULL)
		invalid_frame(error);
	return columns;
}

/* Read a date or time, rounded to the digits that its type holds. */
static Datum
read_time(const ColumnType *type, const char *data, uint64 index)
{
	static const PGFunction roundings[] = {
		[HXPY_TAG_TIME] = time_scale, [HXPY_TAG_TIMESTAMP] = timestamp_scale,
		[HXPY_TAG_TIMESTAMPTZ] = timestamptz_scale, [HXPY_TAG_INTERVAL] = interval_scale
	};
	bool		fits = true;
	DateADT		date;
	int64		usecs;
	Interval   *interval;
	Datum		value;

	switch (type->tag)
	{
		case HXPY_TAG_DATE:
			fits = !pg_sub_s32_overflow(hxpy_wire_int32(data, index), HXPY_EPOCH_DAYS, &date) &&
				IS_VALID_DATE(date);
			value = DateADTGetDatum(date);
			break;
		case HXPY_TAG_TIME:
			usecs = hxpy_wire_int64(data, index);
			fits = usecs >= 0 && usecs <= USECS_PER_DAY;
			value = TimeADTGetDatum(usecs);
			break;
		case HXPY_TAG_INTERVAL:
			/* whole days and the rest, as Python's timedelta */
			usecs = hxpy_wire_int64(data, index);
			interval = palloc0(sizeof(Interval));
			interval->day = (int32) (usecs / USECS_PER_DAY);
			interval->time = usecs % USECS_PER_DAY;
			value = IntervalPGetDatum(interval);
			break;
		default:
			fits = !pg_sub_s64_overflow(hxpy_wire_int64(data, index), HXPY_EPOCH_USECS, &usecs) &&
				IS_VALID_TIMESTAMP(usecs);
			value = TimestampGetDatum(usecs);
	}
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("%s out of range", format_type_be(type->base_id))));
	if (type->typmod >= 0 && roundings[type->tag] != NULL)
		value = DirectFunctionCall2(roundings[type->tag], value, Int32GetDatum(type->typmod));
	return value;
}

/* Read a value of a fixed-width column. */
static Datum
read_fixed(const ColumnType *type, const char *data, uint64 index)
{
	int16		number;
	pg_uuid_t  *uuid;

	/* The Datum of a float is the integer of its bits. */
	switch (type->tag)
	{
		case HXPY_TAG_BOOL:
			return BoolGetDatum(data[index] != 0);
		case HXPY_TAG_INT16:
			memcpy(&number, data + index * sizeof(number), sizeof(number));
			return Int16GetDatum(number);
		case HXPY_TAG_INT32:
		case HXPY_TAG_FLOAT32:
			return Int32GetDatum(hxpy_wire_int32(data, index));
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT64:
			return Int64GetDatum(hxpy_wire_int64(data, index));
		case HXPY_TAG_UUID:
			uuid = palloc(sizeof(pg_uuid_t));
			memcpy(uuid->data, data + index * UUID_LEN, UUID_LEN);
			return UUIDPGetDatum(uuid);
		default:
			return read_time(type, data, index);
	}
}

/* Step over the next value of a text column; returns where it stands and its length. */
static const char *
next_piece(ColumnReader *reader, uint64 index, size_t *length)
{
	const char *piece = reader->text;
	const char *end = reader->wire->data + reader->wire->data_length;

	if (index + 1 < reader->wire->count)
	{
		const char *separator = memchr(piece, 0, end - piece);

		Assert(separator != NULL);
		*length = separator - piece;
		reader->text = separator + 1;
	}
	else
	{
		*length = end - piece;
		reader->text = end;
	}
	return piece;
}

/* Check that a text is not too long for a value. */
static inline void
check_text_length(size_t length)
{
	if (length >= MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a Python str of %zu bytes is too long for a value of PostgreSQL",
						length),
				 errhint("Return it in pieces, as rows.")));
}

/* Make a value of a text-like tag through its type's input function. */
static Datum
make_text(ColumnType *type, const char *piece, size_t length)
{
	char	   *text;
	char	   *copy;
	Datum		value;

	check_text_length(length);
	text = pg_any_to_server(piece, length, PG_UTF8);
	if (text != piece)
		length = strlen(text);
	if (type->base_id == TEXTOID)
		return PointerGetDatum(cstring_to_text_with_len(text, length));
	copy = text != piece ? text : pnstrdup(piece, length);
	value = InputFunctionCall(&type->convert, copy, type->ioparam, type->typmod);
	pfree(copy);
	return value;
}

/* Make a bytea of the bytes between two offsets. */
static Datum
make_bytea(const WireColumn *wire, uint64 index)
{
	int64		start = hxpy_wire_int64(wire->offsets, index);
	int64		length = hxpy_wire_int64(wire->offsets, index + 1) - start;

	if (length >= MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("Python bytes of length %lld are too long for a value of PostgreSQL",
						(long long) length),
				 errhint("Return them in pieces, as rows.")));
	return PointerGetDatum(cstring_to_text_with_len(wire->data + start, length));
}

/* Make an array whose data are the column's values as they stand. */
static ArrayType *
make_native_array(const ColumnType *element, ColumnReader *child, int nitems, int ndim,
				  const int *sizes)
{
	size_t		width = hxpy_wire_width(element->tag);
	size_t		bytes = (size_t) nitems * width;
	size_t		overhead = ARR_OVERHEAD_NONULLS(ndim);
	ArrayType  *array = palloc0(overhead + bytes);
	char	   *data;

	SET_VARSIZE(array, overhead + bytes);
	array->ndim = ndim;
	array->dataoffset = 0;
	array->elemtype = element->type_id;
	memcpy(ARR_DIMS(array), sizes, ndim * sizeof(int));
	for (int i = 0; i < ndim; i++)
		ARR_LBOUND(array)[i] = 1;
	data = ARR_DATA_PTR(array);
	memcpy(data, child->wire->data + child->next * width, bytes);
	if (element->tag == HXPY_TAG_BOOL)
	{
		for (int i = 0; i < nitems; i++)
			data[i] = data[i] != 0;
	}
	child->next += nitems;
	return array;
}

/* Read the next array's sizes; returns its number of dimensions. */
static int
next_dims(ColumnReader *reader, int64 nitems, int *sizes)
{
	const WireColumn *wire = reader->wire;
	int			ndim;

	if (wire->dims_count == 0)
	{
		sizes[0] = (int) nitems;
		return 1;
	}
	ndim = hxpy_wire_int32(wire->dims, reader->dims_next++);
	for (int i = 0; i < ndim; i++)
		sizes[i] = hxpy_wire_int32(wire->dims, reader->dims_next++);
	return ndim;
}

/* Make an int2vector or oidvector through its input function. */
static Datum
make_vector(ColumnType *type, const Datum *values, const bool *nulls, int nitems, int ndim)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < nitems; i++)
	{
		if (ndim != 1 || nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_ELEMENT_ERROR),
					 errmsg("a value of type %s has one dimension and no NULLs",
							format_type_be(type->base_id))));
		if (type->base_id == OIDVECTOROID)
			appendStringInfo(&text, " %u", DatumGetObjectId(values[i]));
		else
			appendStringInfo(&text, " %d", DatumGetInt16(values[i]));
	}
	return InputFunctionCall(&type->convert, text.data, type->ioparam, type->typmod);
}

/* Read the next value of an array column. */
static Datum
next_array(ColumnReader *reader, uint64 index)
{
	ColumnReader *child = reader->children[0];
	ColumnType *element = child->type;
	int64		nitems = hxpy_wire_int64(reader->wire->offsets, index + 1) - child->next;
	int			sizes[MAXDIM];
	int			lower[MAXDIM] = {1, 1, 1, 1, 1, 1};
	bool		vector = OidIsValid(reader->type->convert.fn_oid);
	bool		native = !vector && child->wire->nulls == NULL &&
		element->type_id == element->base_id && hxpy_wire_is_number(element->tag);
	int			ndim;
	Datum	   *values;
	bool	   *nulls;

	/* Other elements become Datums first. */
	if (nitems > (int64) MaxArraySize ||
		nitems * (native ? hxpy_wire_width(element->tag) : sizeof(Datum)) >
		MaxAllocSize - ARR_OVERHEAD_NONULLS(MAXDIM))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed"),
				 errhint("Return the values as rows.")));
	ndim = next_dims(reader, nitems, sizes);
	if (nitems == 0 && !vector)
		return PointerGetDatum(construct_empty_array(element->type_id));
	if (native)
		return PointerGetDatum(make_native_array(element, child, nitems, ndim, sizes));

	values = palloc(nitems * sizeof(Datum));
	nulls = palloc(nitems * sizeof(bool));
	for (int64 i = 0; i < nitems; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[i] = hxpy_datum_next(child, &nulls[i]);
	}
	if (vector)
		return make_vector(reader->type, values, nulls, (int) nitems, ndim);
	return PointerGetDatum(construct_md_array(values, nulls, ndim, sizes, lower,
											  element->type_id, element->typlen,
											  element->typbyval, element->typalign));
}

/* Read the next value of a record column. */
static Datum
next_record(ColumnReader *reader)
{
	TupleDesc	tupdesc = reader->type->tupdesc;
	Datum	   *values = palloc(tupdesc->natts * sizeof(Datum));
	bool	   *nulls = palloc(tupdesc->natts * sizeof(bool));
	int			child = 0;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		nulls[i] = TupleDescAttr(tupdesc, i)->attisdropped;
		if (nulls[i])
			values[i] = (Datum) 0;
		else
			values[i] = hxpy_datum_next(reader->children[child++], &nulls[i]);
	}
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

/*
 * Step a record's fields over a NULL row without making Datums: their domains
 * may forbid the NULLs that stand there.
 */
static void
skip_value(ColumnReader *reader)
{
	uint64		index = reader->next++;
	size_t		length;

	CHECK_FOR_INTERRUPTS();
	if (hxpy_wire_is_text(reader->type->tag))
		next_piece(reader, index, &length);
	else if (reader->type->tag == HXPY_TAG_RECORD)
	{
		for (int i = 0; i < reader->type->nchildren; i++)
			skip_value(reader->children[i]);
	}
	else if (reader->type->tag == HXPY_TAG_ARRAY)
	{
		int64		nitems = hxpy_wire_int64(reader->wire->offsets, index + 1) -
			reader->children[0]->next;
		int			sizes[MAXDIM];

		next_dims(reader, nitems, sizes);
		for (int64 i = 0; i < nitems; i++)
			skip_value(reader->children[0]);
	}
}

/* Read the next value of a column of any type. */
static Datum
read_any(ColumnReader *reader, bool *isnull)
{
	ColumnType *type = reader->type;
	const WireColumn *wire = reader->wire;
	uint64		index = reader->next;
	Datum		value = (Datum) 0;
	size_t		length;

	check_stack_depth();
	*isnull = type->tag == HXPY_TAG_NULL || (wire->nulls != NULL && wire->nulls[index] != 0);
	if (*isnull)
		skip_value(reader);
	else
	{
		reader->next++;
		if (hxpy_wire_width(type->tag) > 0)
			value = read_fixed(type, wire->data, index);
		else if (hxpy_wire_is_text(type->tag))
		{
			const char *piece = next_piece(reader, index, &length);

			value = make_text(type, piece, length);
		}
		else if (type->tag == HXPY_TAG_BYTEA)
			value = make_bytea(wire, index);
		else if (type->tag == HXPY_TAG_ARRAY)
			value = next_array(reader, index);
		else
			value = next_record(reader);
	}
	if (type->type_id != type->base_id)
		domain_check(value, *isnull, type->type_id, &type->domain_cache,
					 GetMemoryChunkContext(type));
	return value;
}

/* Step to the next value; returns its index and whether it is NULL. */
static inline uint64
step(ColumnReader *reader, bool *isnull)
{
	uint64		index = reader->next++;

	*isnull = reader->wire->nulls != NULL && reader->wire->nulls[index] != 0;
	return index;
}

/* Read the next value of 4 bytes, which is any integer. */
static Datum
read_int32(ColumnReader *reader, bool *isnull)
{
	uint64		index = step(reader, isnull);

	return Int32GetDatum(hxpy_wire_int32(reader->wire->data, index));
}

/* Read the next value of 8 bytes, which is any integer. */
static Datum
read_int64(ColumnReader *reader, bool *isnull)
{
	uint64		index = step(reader, isnull);

	return Int64GetDatum(hxpy_wire_int64(reader->wire->data, index));
}

/* Read the next value of another fixed width. */
static Datum
read_other_fixed(ColumnReader *reader, bool *isnull)
{
	uint64		index = step(reader, isnull);

	return *isnull ? (Datum) 0 : read_fixed(reader->type, reader->wire->data, index);
}

/* Read the next text of a column that is all ASCII, which each encoding of a server has. */
static Datum
read_ascii(ColumnReader *reader, bool *isnull)
{
	uint64		index = step(reader, isnull);
	size_t		length;
	const char *piece = next_piece(reader, index, &length);

	if (*isnull)
		return (Datum) 0;
	check_text_length(length);
	return PointerGetDatum(cstring_to_text_with_len(piece, length));
}

/* Return whether bytes are all ASCII. */
static bool
is_ascii(const char *data, size_t length)
{
	uint64		bits = 0;
	size_t		i = 0;

	for (; i + sizeof(bits) <= length; i += sizeof(bits))
		bits |= (uint64) hxpy_wire_int64(data + i, 0);
	for (; i < length; i++)
		bits |= (uint8) data[i];
	return (bits & UINT64CONST(0x8080808080808080)) == 0;
}

/* Choose how a column is read: the plainest values come in masses. */
static void
choose_read(ColumnReader *reader)
{
	const ColumnType *type = reader->type;
	const WireColumn *wire = reader->wire;

	reader->read = read_any;
	if (type->type_id != type->base_id)
		return;
	switch (type->tag)
	{
		case HXPY_TAG_INT32:
		case HXPY_TAG_FLOAT32:
			reader->read = read_int32;
			break;
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT64:
			reader->read = read_int64;
			break;
		case HXPY_TAG_TEXT:
			if (type->base_id == TEXTOID && is_ascii(wire->data, wire->data_length))
				reader->read = read_ascii;
			break;
		default:
			if (hxpy_wire_width(type->tag) > 0)
				reader->read = read_other_fixed;
	}
}

/*
 * Make a reader of a parsed column, whose form must be that of the type.
 */
static ColumnReader *
make_reader(ColumnType *type, const WireColumn *wire)
{
	ColumnReader *reader = palloc0(sizeof(ColumnReader));

	if (wire->tag != type->tag || wire->nchildren != (uint32) type->nchildren)
		invalid_frame("A column is not of the type that was asked for.");
	reader->type = type;
	reader->wire = wire;
	reader->text = wire->data;
	choose_read(reader);
	reader->children = palloc(Max(type->nchildren, 1) * sizeof(ColumnReader *));
	for (int i = 0; i < type->nchildren; i++)
		reader->children[i] = make_reader(type->children[i], &wire->children[i]);
	return reader;
}

/*
 * Make the readers of a batch's columns, which must be of these types and as long as
 * each other: *nrows values.
 */
ColumnReader **
hxpy_datum_readers(ColumnType **types, int ntypes, const char *data, size_t length, uint64 *nrows)
{
	uint32		ncolumns;
	uint32		max_columns = 0;
	WireColumn *columns;
	ColumnReader **readers = palloc(Max(ntypes, 1) * sizeof(ColumnReader *));
	bool		matches;

	for (int i = 0; i < ntypes; i++)
		max_columns += hxpy_coltype_count(types[i]);
	columns = hxpy_datum_parse_batch(data, length, max_columns, &ncolumns);
	matches = ncolumns == (uint32) ntypes;
	*nrows = ncolumns > 0 ? columns[0].count : 0;
	for (uint32 i = 0; matches && i < ncolumns; i++)
		matches = columns[i].count == *nrows;
	if (!matches)
		invalid_frame("A batch has other columns than asked for.");
	for (int i = 0; i < ntypes; i++)
		readers[i] = make_reader(types[i], &columns[i]);
	return readers;
}

/* Read the one value of a column. */
Datum
hxpy_datum_of_column(ColumnType *type, const WireColumn *column, bool *isnull)
{
	return hxpy_datum_next(make_reader(type, column), isnull);
}

/* Read a batch of one row: a value of each of these types. */
void
hxpy_datum_row(ColumnType **types, int ntypes, const char *data, size_t length, Datum *values,
			   bool *nulls)
{
	uint64		nrows;
	ColumnReader **readers = hxpy_datum_readers(types, ntypes, data, length, &nrows);

	if (nrows != 1)
		invalid_frame("A value was expected.");
	for (int i = 0; i < ntypes; i++)
		values[i] = hxpy_datum_next(readers[i], &nulls[i]);
}

/*
 * Read some fields of a row: columns of one value, with the fields' names, in their
 * order.  Of the others only `found` is set.
 */
void
hxpy_datum_fields(const ColumnType *row, const WireColumn *columns, uint32 ncolumns,
				  Datum *values, bool *nulls, bool *found)
{
	uint32		next = 0;

	for (int i = 0; i < row->nchildren; i++)
	{
		ColumnType *type = row->children[i];
		const WireColumn *column = &columns[next];

		found[i] = next < ncolumns && column->name_length == strlen(type->name) &&
			memcmp(column->name, type->name, column->name_length) == 0;
		if (!found[i])
			continue;
		if (column->count != 1)
			invalid_frame("A value was expected.");
		values[i] = hxpy_datum_of_column(type, column, &nulls[i]);
		next++;
	}
	if (next < ncolumns)
		invalid_frame("A column is none of the row's.");
}
