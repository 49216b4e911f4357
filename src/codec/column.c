/*
 * column.c
 *	  Datum → column → wire.
 *
 * Columns are filled value by value and then written into the gather list of a
 * frame.  The list refers to the columns' buffers: a column must not change
 * until the frame is sent.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "hxpy.h"
#include "codec/column.h"
#include "guc.h"
#include "codec/wire.h"
#include "text.h"

/* what Python's datetime holds: the years 1 to 9999, since 1970-01-01 */
#define PYTHON_MIN_DAY	(-719162)
#define PYTHON_MAX_DAY	2932896
#define PYTHON_MIN_USEC ((int64) PYTHON_MIN_DAY * USECS_PER_DAY)
#define PYTHON_MAX_USEC (((int64) PYTHON_MAX_DAY + 1) * USECS_PER_DAY - 1)

/*
 * Make the columns of elements or fields, if the type knows them by now; an
 * anonymous record does from its first value on.  Rows so far were NULL.
 */
static void
make_children(Column *column)
{
	ColumnType *type = column->type;
	MemoryContext context = column->data.context;

	if (column->children != NULL || type->nchildren == 0)
		return;
	column->children = MemoryContextAlloc(context, type->nchildren * sizeof(Column *));
	for (int i = 0; i < type->nchildren; i++)
	{
		column->children[i] = hxpy_column_create(type->children[i], type->children[i]->name, context);
		if (type->tag == HXPY_TAG_RECORD)
			for (uint64 row = 0; row < column->count; row++)
				hxpy_column_append(column->children[i], (Datum) 0, true);
	}
}

/* Append text of the server's encoding in UTF-8. */
static void
append_utf8(Column *column, const char *text, size_t length)
{
	char	   *utf8 = pg_server_to_any(text, length, PG_UTF8);

	if (utf8 != text)
		length = strlen(utf8);
	hxpy_buffer_append(&column->data, utf8, length);
	if (utf8 != text)
		pfree(utf8);
}

/* Append a value that travels as text, or a bytea. */
static void
append_text(Column *column, Datum value)
{
	ColumnType *type = column->type;

	if (type->tag == HXPY_TAG_BYTEA || type->is_varlena_text)
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

		if (type->tag == HXPY_TAG_BYTEA)
			hxpy_buffer_append(&column->data, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		else
			append_utf8(column, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		if ((Pointer) bytes != DatumGetPointer(value))
			pfree(bytes);
	}
	else
	{
		char	   *text = OutputFunctionCall(&type->convert, value);

		append_utf8(column, text, strlen(text));
		pfree(text);
	}
}

/* Append the sizes of an array, which has one dimension when it is empty. */
static void
append_dims(Column *column, int32 ndim, const int *sizes)
{
	static const int32 empty[] = {1, 0};

	if (ndim == 0)
		hxpy_buffer_append(&column->dims, empty, sizeof(empty));
	else
	{
		hxpy_buffer_append(&column->dims, &ndim, sizeof(ndim));
		hxpy_buffer_append(&column->dims, sizes, ndim * sizeof(int32));
	}
}

/* Append zero bytes; a buffer that nothing was put into has no memory. */
static void
append_zeros(ByteBuffer *buffer, size_t length)
{
	if (length == 0)
		return;
	memset(hxpy_buffer_reserve(buffer, length), 0, length);
	buffer->length += length;
}

/* Append an array. */
static void
append_array(Column *column, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Column	   *child = column->children[0];
	ColumnType *element = child->type;
	int			nitems = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	append_dims(column, ARR_NDIM(array), ARR_DIMS(array));
	if (hxpy_wire_is_number(element->tag) && !ARR_HASNULL(array))
	{
		hxpy_buffer_append(&child->data, ARR_DATA_PTR(array),
						   (size_t) nitems * hxpy_wire_width(element->tag));
		if (child->nulls.length > 0)
			append_zeros(&child->nulls, nitems);
		child->count += nitems;
	}
	else
	{
		Datum	   *values;
		bool	   *nulls;

		deconstruct_array(array, ARR_ELEMTYPE(array), element->typlen, element->typbyval,
						  element->typalign, &values, &nulls, &nitems);
		for (int i = 0; i < nitems; i++)
		{
			CHECK_FOR_INTERRUPTS();
			hxpy_column_append(child, values[i], nulls[i]);
		}
		pfree(values);
		pfree(nulls);
	}
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
}

/* Report a record of another form than those before it. */
static void
different_fields_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the rows of a column have different fields")));
}

/* Append a composite value: each field to its own column. */
static void
append_record(Column *column, Datum value)
{
	ColumnType *type = column->type;
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	tupdesc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
												 HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	Datum	   *values = palloc(tupdesc->natts * sizeof(Datum));
	bool	   *nulls = palloc(tupdesc->natts * sizeof(bool));
	int			nfields = 0;

	if (type->tupdesc == NULL)	/* an anonymous record's fields are those of its first value */
		hxpy_coltype_set_record(type, tupdesc);
	make_children(column);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, tupdesc, values, nulls);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		if (TupleDescAttr(tupdesc, i)->attisdropped)
			continue;
		if (nfields == type->nchildren ||
			type->children[nfields]->type_id != TupleDescAttr(tupdesc, i)->atttypid)
			different_fields_error();
		hxpy_column_append(column->children[nfields++], values[i], nulls[i]);
	}
	if (nfields < type->nchildren)
		different_fields_error();
	ReleaseTupleDesc(tupdesc);
	pfree(values);
	pfree(nulls);
	if ((Pointer) header != DatumGetPointer(value))
		pfree(header);
}

/*
 * Append what stands in the place of a NULL: zeros, an empty text, NULL fields;
 * returns its byte of the null mask.
 */
static uint8
append_blank(Column *column)
{
	static const char zeros[16] = {0};
	size_t		width = hxpy_wire_width(column->type->tag);

	if (width > 0)
		hxpy_buffer_append(&column->data, zeros, width);
	else if (column->type->tag == HXPY_TAG_ARRAY)
		append_dims(column, 0, NULL);
	else if (column->type->tag == HXPY_TAG_RECORD && column->children != NULL)
	{
		for (int i = 0; i < column->type->nchildren; i++)
			hxpy_column_append(column->children[i], (Datum) 0, true);
	}
	return HXPY_MASK_NULL;
}

/* Report a value that Python cannot hold. */
static void
unsupported_error(const Column *column, Datum value)
{
	if (column->type->tag == HXPY_TAG_INTERVAL &&
		!HxpyIntervalIsInfinite(DatumGetIntervalP(value)) && DatumGetIntervalP(value)->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("an interval with months or years has no fixed length in Python"),
				 errhint("Pass days instead, or extract(epoch FROM ...), or the text; or see hxpy.unsupported.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("%s out of range for Python", format_type_be(column->type->base_id)),
			 errdetail("Python holds the years 1 to 9999, times before 24:00 and no infinity."),
			 errhint("Pass the value as text, or NULL in its place; or see hxpy.unsupported.")));
}

/* Return a column for the texts of values that Python cannot hold. */
static Column *
create_texts(const Column *column)
{
	MemoryContext context = column->data.context;
	MemoryContext old = MemoryContextSwitchTo(context);
	Column	   *texts = hxpy_column_create(hxpy_coltype_create(TEXTOID, -1, false), "", context);

	MemoryContextSwitchTo(old);
	return texts;
}

/*
 * Append what hxpy.unsupported wants in the place of a value that Python cannot hold;
 * returns its byte of the null mask.
 */
static uint8
append_unsupported(Column *column, Datum value)
{
	Oid			function;
	bool		is_varlena;

	if (hxpy_unsupported == HXPY_UNSUPPORTED_ERROR)
		unsupported_error(column, value);
	append_blank(column);
	if (hxpy_unsupported == HXPY_UNSUPPORTED_NULL)
		return HXPY_MASK_NULL;
	if (column->texts == NULL)
		column->texts = create_texts(column);
	getTypeOutputInfo(column->type->base_id, &function, &is_varlena);
	hxpy_column_append(column->texts,
					   CStringGetTextDatum(OidOutputFunctionCall(function, value)), false);
	return HXPY_MASK_TEXT;
}

/* Get a moment as microseconds from 1970-01-01 on; false when Python cannot hold it. */
static inline bool
to_python_usecs(Datum value, int64 *usecs)
{
	return !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) &&
		!pg_add_s64_overflow(DatumGetTimestamp(value), HXPY_EPOCH_USECS, usecs) &&
		*usecs >= PYTHON_MIN_USEC && *usecs <= PYTHON_MAX_USEC;
}

/*
 * Append a value that is not NULL; returns its byte of the null mask.  Dates and times
 * are days and microseconds, from 1970-01-01 on where they are moments.
 */
static uint8
append_value(Column *column, Datum value)
{
	ByteBuffer *data = &column->data;
	const Interval *interval;
	int64		usecs;
	int32		days;

	/* The Datum of a float is the integer of its bits. */
	switch (column->type->tag)
	{
		case HXPY_TAG_BOOL:
			hxpy_buffer_append(data, &(bool) {DatumGetBool(value)}, sizeof(bool));
			break;
		case HXPY_TAG_INT16:
			hxpy_buffer_append(data, &(int16) {DatumGetInt16(value)}, sizeof(int16));
			break;
		case HXPY_TAG_INT32:
		case HXPY_TAG_FLOAT32:
			hxpy_buffer_append(data, &(int32) {DatumGetInt32(value)}, sizeof(int32));
			break;
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT64:
			hxpy_buffer_append(data, &(int64) {DatumGetInt64(value)}, sizeof(int64));
			break;
		case HXPY_TAG_DATE:
			days = DatumGetDateADT(value) + HXPY_EPOCH_DAYS;
			if (DATE_NOT_FINITE(DatumGetDateADT(value)) || days < PYTHON_MIN_DAY || days > PYTHON_MAX_DAY)
				return append_unsupported(column, value);
			hxpy_buffer_append(data, &days, sizeof(days));
			break;
		case HXPY_TAG_TIME:
			usecs = DatumGetTimeADT(value);
			if (usecs >= USECS_PER_DAY)
				return append_unsupported(column, value);
			hxpy_buffer_append(data, &usecs, sizeof(usecs));
			break;
		case HXPY_TAG_TIMESTAMP:
		case HXPY_TAG_TIMESTAMPTZ:
			if (!to_python_usecs(value, &usecs))
				return append_unsupported(column, value);
			hxpy_buffer_append(data, &usecs, sizeof(usecs));
			break;
		case HXPY_TAG_INTERVAL:
			interval = DatumGetIntervalP(value);
			if (interval->month != 0 ||
				pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &usecs) ||
				pg_add_s64_overflow(usecs, interval->time, &usecs))
				return append_unsupported(column, value);
			hxpy_buffer_append(data, &usecs, sizeof(usecs));
			break;
		case HXPY_TAG_UUID:
			hxpy_buffer_append(data, DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case HXPY_TAG_ARRAY:
			append_array(column, value);
			break;
		case HXPY_TAG_RECORD:
			append_record(column, value);
			break;
		default:
			append_text(column, value);
	}
	return 0;
}

/* Return where the values of an array or bytea column end: elements or bytes so far. */
static uint64
end_offset(const Column *column)
{
	return column->type->tag == HXPY_TAG_ARRAY ? column->children[0]->count : column->data.length;
}

/* Append the next value's byte of the null mask, which begins with the first one that is not 0. */
static void
append_mask(Column *column, uint8 mask)
{
	if (mask != 0 && column->nulls.length == 0)
		append_zeros(&column->nulls, column->count);
	if (mask != 0 || column->nulls.length > 0)
		hxpy_buffer_append(&column->nulls, &mask, 1);
}

/* Append a value of any type. */
static void
append_any(Column *column, Datum value, bool isnull)
{
	uint8		tag = column->type->tag;

	if (column->type->nchildren > 0)
	{
		check_stack_depth();
		make_children(column);
	}
	if (hxpy_wire_is_text(tag) && column->count > 0)
		hxpy_buffer_append(&column->data, "", 1);
	if (tag == HXPY_TAG_ARRAY || tag == HXPY_TAG_BYTEA)
		hxpy_buffer_append(&column->offsets, &(uint64) {end_offset(column)}, sizeof(uint64));
	append_mask(column, isnull ? append_blank(column) : append_value(column, value));
	column->count++;
}

/* Return whether a value is the first NULL or comes after it: then there is a mask to write. */
static inline bool
is_masked(const Column *column, bool isnull)
{
	return isnull || column->nulls.length > 0;
}

/* Append a boolean. */
static void
append_bool(Column *column, Datum value, bool isnull)
{
	if (is_masked(column, isnull))
		append_any(column, value, isnull);
	else
	{
		hxpy_buffer_append(&column->data, &(bool) {DatumGetBool(value)}, sizeof(bool));
		column->count++;
	}
}

/* Append a value of 4 bytes, which Python holds whatever it is. */
static void
append_int32(Column *column, Datum value, bool isnull)
{
	if (is_masked(column, isnull))
		append_any(column, value, isnull);
	else
	{
		hxpy_buffer_append(&column->data, &(int32) {DatumGetInt32(value)}, sizeof(int32));
		column->count++;
	}
}

/* Append a value of 8 bytes, which Python holds whatever it is. */
static void
append_int64(Column *column, Datum value, bool isnull)
{
	if (is_masked(column, isnull))
		append_any(column, value, isnull);
	else
	{
		hxpy_buffer_append(&column->data, &(int64) {DatumGetInt64(value)}, sizeof(int64));
		column->count++;
	}
}

/* Append a moment. */
static void
append_timestamp(Column *column, Datum value, bool isnull)
{
	int64		usecs;

	if (is_masked(column, isnull) || !to_python_usecs(value, &usecs))
		append_any(column, value, isnull);
	else
	{
		hxpy_buffer_append(&column->data, &usecs, sizeof(usecs));
		column->count++;
	}
}

/* Append a text that stands in its Datum as it travels. */
static void
append_utf8_text(Column *column, Datum value, bool isnull)
{
	const struct varlena *text = (const struct varlena *) DatumGetPointer(value);

	if (is_masked(column, isnull) || VARATT_IS_EXTERNAL(text) || VARATT_IS_COMPRESSED(text))
		append_any(column, value, isnull);
	else
	{
		if (column->count > 0)
			hxpy_buffer_append(&column->data, "", 1);
		hxpy_buffer_append(&column->data, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
		column->count++;
	}
}

/* Choose how values of a type are appended: the plainest come in masses. */
static void (*
choose_append(const ColumnType *type)) (Column *, Datum, bool)
{
	switch (type->tag)
	{
		case HXPY_TAG_BOOL:
			return append_bool;
		case HXPY_TAG_TIMESTAMP:
		case HXPY_TAG_TIMESTAMPTZ:
			return append_timestamp;
		case HXPY_TAG_INT32:
		case HXPY_TAG_FLOAT32:
			return append_int32;
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT64:
			return append_int64;
		default:
			return type->is_varlena_text && hxpy_wire_is_text(type->tag) &&
				GetDatabaseEncoding() == PG_UTF8 ? append_utf8_text : append_any;
	}
}

/* Make an empty column of a type.  The name must live as long as the column. */
Column *
hxpy_column_create(ColumnType *type, const char *name, MemoryContext context)
{
	Column	   *column = MemoryContextAllocZero(context, sizeof(Column));

	column->append = choose_append(type);
	column->type = type;
	column->name = name;
	hxpy_buffer_init(&column->nulls, context);
	hxpy_buffer_init(&column->data, context);
	hxpy_buffer_init(&column->offsets, context);
	hxpy_buffer_init(&column->dims, context);
	make_children(column);
	return column;
}

/* Where the value that is being appended stands. */
typedef struct Place
{
	const Column *column;
	uint64		row;			/* of the query, from 1 */
} Place;

/* Say in an error where the value stands. */
static void
place_context(void *arg)
{
	const Place *place = arg;

	errcontext("column \"%s\", row %llu",
			   hxpy_text_clean(place->column->name, strlen(place->column->name)),
			   (unsigned long long) place->row);
}

/* Append a row's values to its columns; errors name the column, and the row by this number. */
void
hxpy_column_append_row(Column **columns, int ncolumns, const Datum *values, const bool *nulls,
					   uint64 row)
{
	Place		place = {.row = row};
	ErrorContextCallback callback = {error_context_stack, place_context, &place};

	error_context_stack = &callback;
	for (int i = 0; i < ncolumns; i++)
	{
		place.column = columns[i];
		hxpy_column_append(columns[i], values[i], nulls[i]);
	}
	error_context_stack = callback.previous;
}

/*
 * Begin a value of a column of lists; returns the column to which its items are appended, until
 * the next value begins.
 */
Column *
hxpy_column_begin_list(Column *column, bool isnull)
{
	hxpy_buffer_append(&column->offsets, &(uint64) {end_offset(column)}, sizeof(uint64));
	/* All have one dimension, so that sizes are not written. */
	append_dims(column, 0, NULL);
	append_mask(column, isnull ? HXPY_MASK_NULL : 0);
	column->count++;
	return column->children[0];
}

/* Empty a column, keeping its memory. */
void
hxpy_column_reset(Column *column)
{
	column->count = 0;
	column->nulls.length = 0;
	column->data.length = 0;
	column->offsets.length = 0;
	column->dims.length = 0;
	if (column->texts != NULL)
		hxpy_column_reset(column->texts);
	for (int i = 0; i < column->type->nchildren && column->children != NULL; i++)
		hxpy_column_reset(column->children[i]);
}

/* Return about how many bytes a column holds. */
size_t
hxpy_column_size(const Column *column)
{
	size_t		size = column->nulls.length + column->data.length + column->offsets.length +
		column->dims.length;

	if (column->texts != NULL)
		size += hxpy_column_size(column->texts);
	for (int i = 0; i < column->type->nchildren && column->children != NULL; i++)
		size += hxpy_column_size(column->children[i]);
	return size;
}

/* Write a buffer and its padding. */
static void
write_padded(const ByteBuffer *buffer, GatherList *list)
{
	hxpy_gather_refer(list, buffer->data, buffer->length);
	hxpy_gather_pad(list, buffer->length);
}

/* Write a length. */
static void
write_length(uint64 length, GatherList *list)
{
	hxpy_gather_copy(list, &length, sizeof(length));
}

/* Write a column's header, name and extra. */
static void
write_head(uint8 tag, uint8 flags, const char *name, const char *extra, uint64 count,
		   GatherList *list)
{
	size_t		name_length = strlen(name);
	size_t		extra_length = strlen(extra);
	size_t		label_length = TYPEALIGN(8, name_length + extra_length);
	WireColumnHead head = {tag, flags, name_length, extra_length, count};
	char	   *room = hxpy_gather_room(list, sizeof(head) + label_length);

	memcpy(room, &head, sizeof(head));
	room += sizeof(head);
	if (label_length > 0)
		memset(room + label_length - 8, 0, 8);
	memcpy(room, name, name_length);
	memcpy(room + name_length, extra, extra_length);
}

/*
 * Write a column.  The list refers to the column's buffers.  A column without
 * values tells the worker which type is wanted.
 */
void
hxpy_column_write(Column *column, GatherList *list)
{
	const ColumnType *type = column->type;
	bool		has_texts = column->texts != NULL && column->texts->count > 0;

	make_children(column);
	write_head(type->tag, (column->nulls.length > 0 ? HXPY_FLAG_HAS_NULLS : 0) |
			   (has_texts ? HXPY_FLAG_HAS_TEXTS : 0), column->name, type->extra, column->count, list);
	if (column->nulls.length > 0)
		write_padded(&column->nulls, list);
	if (hxpy_wire_width(type->tag) > 0)
		write_padded(&column->data, list);
	else if (hxpy_wire_is_text(type->tag))
	{
		write_length(column->data.length, list);
		write_padded(&column->data, list);
	}
	else if (type->tag == HXPY_TAG_RECORD)
		write_length(type->nchildren, list);
	else
	{
		hxpy_gather_refer(list, column->offsets.data, column->offsets.length);
		write_length(end_offset(column), list);
		if (type->tag == HXPY_TAG_BYTEA)
			write_padded(&column->data, list);
		else
		{
			/* An array of one dimension has two numbers; none are written if all are such. */
			bool		flat = column->dims.length == column->count * 2 * sizeof(int32);

			write_length(flat ? 0 : column->dims.length / sizeof(int32), list);
			if (!flat)
				write_padded(&column->dims, list);
		}
	}
	for (int i = 0; i < type->nchildren; i++)
		hxpy_column_write(column->children[i], list);
	if (has_texts)
		hxpy_column_write(column->texts, list);
}

/* Write the head of a batch. */
void
hxpy_column_write_batch(int ncolumns, GatherList *list)
{
	uint32		head[2] = {ncolumns, 0};

	hxpy_gather_copy(list, head, sizeof(head));
}

/* Write a text column of one value, given in UTF-8. */
void
hxpy_column_write_text(const char *name, const char *text, GatherList *list)
{
	size_t		length = strlen(text);

	write_head(HXPY_TAG_TEXT, 0, name, "", 1, list);
	write_length(length, list);
	hxpy_gather_refer(list, text, length);
	hxpy_gather_pad(list, length);
}
