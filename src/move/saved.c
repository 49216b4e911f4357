/*
 * saved.c
 *	  Saved values of Python: their bytes, as a bytea or a large object.
 *
 * The worker makes the bytes and reads them; to the server they mean nothing.  They
 * travel in pieces, as columns of bytea: rows of the answer when a value is saved, batches
 * of the stream when it is loaded, so that their size is not that of a frame.  A value
 * that stands out of line as it is (STORAGE EXTERNAL) is read piece by piece, too.
 *
 * Large objects are opened through their SQL functions, whose descriptors end with the
 * transaction or the subtransaction, also by an error.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "codec/column.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "move/saved.h"

#define PIECE_SIZE	(512 * 1024)	/* bytes that are fed at a time */

/* Takes a saved value's pieces. */
typedef struct SavedSink
{
	ExchangeSink sink;			/* must be first */
	ByteBuffer	bytes;			/* of a bytea, with its head */
	int			descriptor;		/* of a large object */
} SavedSink;

/* Gives a saved value's pieces. */
typedef struct SavedSource
{
	ExchangeSource source;		/* must be first */
	Datum		value;			/* a bytea, if `object` is NULL */
	int32		offset;			/* bytes of it that were given */
	int			descriptor;		/* of a large object */
	bytea	   *object;			/* where its pieces are read to */
	Column	   *columns[2];		/* of a piece each: one is filled while the other is sent */
	GatherList	lists[2];
} SavedSource;

/* ---------- saving ---------- */

/* Parse a piece that has come: a column of bytea. */
static WireColumn *
parse_piece(const char *payload, size_t length)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(payload, length, 1, &ncolumns);

	if (ncolumns != 1 || columns->tag != HXPY_TAG_BYTEA)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("invalid frame from Python"),
				 errdetail("A saved value does not come as bytes.")));
	return columns;
}

/* Append a piece to the bytea. */
static void
append_piece(ExchangeSink *self, const char *payload, size_t length)
{
	SavedSink  *sink = (SavedSink *) self;
	WireColumn *piece = parse_piece(payload, length);

	if (piece->data_length > MaxAllocSize - sink->bytes.length)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the saved value is larger than 1 GB, which a bytea cannot hold"),
				 errhint("Save it as a large object, with py_save_lo.")));
	hxpy_buffer_append(&sink->bytes, piece->data, piece->data_length);
	pfree(piece);
}

/* Write a piece to the large object. */
static void
write_piece(ExchangeSink *self, const char *payload, size_t length)
{
	SavedSink  *sink = (SavedSink *) self;
	WireColumn *piece = parse_piece(payload, length);

	for (size_t start = 0; start < piece->data_length; start += PIECE_SIZE)
		lo_write(sink->descriptor, piece->data + start,
				 (int) Min(piece->data_length - start, PIECE_SIZE));
	pfree(piece);
}

/* Have an expression's value saved into a sink. */
static void
save(PySession *session, const char *expression, SavedSink *sink)
{
	Exchange	exchange;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_SAVE);
	hxpy_exchange_add_text(&exchange, "expr", expression);
	hxpy_exchange_add_want(&exchange, hxpy_coltype_create(BYTEAOID, -1, true), "");
	exchange.sink = &sink->sink;
	hxpy_exchange_run(&exchange);
}

/* Save an expression's value as a bytea. */
bytea *
hxpy_saved_value(PySession *session, const char *expression)
{
	SavedSink	sink = {.sink.take = append_piece};

	hxpy_buffer_init(&sink.bytes, CurrentMemoryContext);
	(void) hxpy_buffer_reserve(&sink.bytes, VARHDRSZ);
	sink.bytes.length = VARHDRSZ;
	save(session, expression, &sink);
	SET_VARSIZE(sink.bytes.data, sink.bytes.length);
	return (bytea *) sink.bytes.data;
}

/* Open a large object; returns its descriptor. */
static int
open_object(Oid object, int32 mode)
{
	return DatumGetInt32(DirectFunctionCall2(be_lo_open, ObjectIdGetDatum(object),
											 Int32GetDatum(mode)));
}

/* Close a large object. */
static void
close_object(int descriptor)
{
	(void) DirectFunctionCall1(be_lo_close, Int32GetDatum(descriptor));
}

/* Save an expression's value as a new large object of the current role. */
Oid
hxpy_saved_object(PySession *session, const char *expression)
{
	SavedSink	sink = {.sink.take = write_piece};
	Oid			object;

	object = DatumGetObjectId(DirectFunctionCall1(be_lo_create, ObjectIdGetDatum(InvalidOid)));
	sink.descriptor = open_object(object, INV_WRITE);
	save(session, expression, &sink);
	close_object(sink.descriptor);
	return object;
}

/* ---------- loading ---------- */

/* Return the next piece; NULL at the end. */
static bytea *
next_piece(SavedSource *source)
{
	bytea	   *piece = source->object;

	if (piece == NULL)
	{
		piece = DatumGetByteaPSlice(source->value, source->offset, PIECE_SIZE);
		source->offset += (int32) VARSIZE_ANY_EXHDR(piece);
	}
	else
		SET_VARSIZE(piece, VARHDRSZ + lo_read(source->descriptor, VARDATA(piece), PIECE_SIZE));
	return VARSIZE_ANY_EXHDR(piece) > 0 ? piece : NULL;
}

/* Feed all pieces. */
static bool
feed_pieces(ExchangeSource *self, Exchange *exchange, bool whole)
{
	SavedSource *source = (SavedSource *) self;
	bytea	   *piece;

	hxpy_exchange_begin(exchange, source->columns, 1);
	for (int i = 0; (piece = next_piece(source)) != NULL; i = 1 - i)
	{
		Column	   *column = source->columns[i];
		GatherList *list = &source->lists[i];

		CHECK_FOR_INTERRUPTS();
		hxpy_gather_reset(list);
		hxpy_column_reset(column);
		hxpy_column_append(column, PointerGetDatum(piece), false);
		if (piece != source->object)
			pfree(piece);
		hxpy_column_write_batch(1, list);
		hxpy_column_write(column, list);
		hxpy_exchange_feed(exchange, list);
	}
	return false;
}

/* Have a variable loaded from a source. */
static void
load(PySession *session, const char *variable, SavedSource *source)
{
	ColumnType *type = hxpy_coltype_create(BYTEAOID, -1, false);
	Exchange	exchange;

	for (int i = 0; i < lengthof(source->columns); i++)
	{
		source->columns[i] = hxpy_column_create(type, "", CurrentMemoryContext);
		hxpy_gather_init(&source->lists[i], CurrentMemoryContext);
	}
	source->source.open = feed_pieces;
	hxpy_session_exchange(&exchange, session, HXPY_FRAME_LOAD);
	hxpy_exchange_add_text(&exchange, "name", variable);
	exchange.source = &source->source;
	hxpy_exchange_run(&exchange);
}

/* Return whether pieces of a bytea can be read without the rest of it. */
static bool
has_slices(const struct varlena *value)
{
	struct varatt_external pointer;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return false;
	VARATT_EXTERNAL_GET_POINTER(pointer, value);
	return !VARATT_EXTERNAL_IS_COMPRESSED(pointer);
}

/* Load a variable from a bytea. */
void
hxpy_saved_load_value(PySession *session, const char *variable, Datum value)
{
	struct varlena *given = (struct varlena *) DatumGetPointer(value);
	SavedSource source = {
		.value = has_slices(given) ? value : PointerGetDatum(PG_DETOAST_DATUM_PACKED(value))
	};

	load(session, variable, &source);
}

/* Load a variable from a large object, which the current role may read. */
void
hxpy_saved_load_object(PySession *session, const char *variable, Oid object)
{
	SavedSource source = {
		.descriptor = open_object(object, INV_READ),
		.object = palloc(VARHDRSZ + PIECE_SIZE)
	};

	load(session, variable, &source);
	close_object(source.descriptor);
}
