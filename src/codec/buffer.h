/*
 * buffer.h
 *	  Growable byte buffers without StringInfo's limit of 1 GB, and gather lists.
 */
#ifndef HXPY_BUFFER_H
#define HXPY_BUFFER_H

/* Bytes in one piece of memory of `context`. */
typedef struct ByteBuffer
{
	MemoryContext context;
	char	   *data;			/* NULL until first used */
	size_t		length;
	size_t		capacity;
} ByteBuffer;

/* One piece of a gather list. */
typedef struct GatherPiece
{
	const char *data;			/* NULL: the piece stands in `own`, at `offset` */
	size_t		offset;
	size_t		length;
} GatherPiece;

/*
 * What a frame's payload consists of, in order.  Pieces added by reference
 * belong to their owner and live until the frame is sent.
 */
typedef struct GatherList
{
	ByteBuffer	own;			/* bytes that were copied */
	GatherPiece *pieces;
	int			npieces;
	int			allocated;
	size_t		length;			/* of all pieces */
} GatherList;

extern void hxpy_buffer_init(ByteBuffer *buffer, MemoryContext context);
extern char *hxpy_buffer_reserve(ByteBuffer *buffer, size_t length);
extern void hxpy_buffer_consume(ByteBuffer *buffer, size_t length);
extern void hxpy_buffer_shrink(ByteBuffer *buffer, size_t capacity);

/* Append bytes; inline, because it runs for every value. */
static inline void
hxpy_buffer_append(ByteBuffer *buffer, const void *data, size_t length)
{
	if (buffer->capacity - buffer->length < length)
		(void) hxpy_buffer_reserve(buffer, length);
	if (length > 0)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
}

extern void hxpy_gather_reset(GatherList *list);
extern void hxpy_gather_init(GatherList *list, MemoryContext context);
extern char *hxpy_gather_room(GatherList *list, size_t length);
extern void hxpy_gather_copy(GatherList *list, const void *data, size_t length);
extern void hxpy_gather_refer(GatherList *list, const void *data, size_t length);
extern void hxpy_gather_pad(GatherList *list, size_t length);
extern void hxpy_gather_flatten(const GatherList *list, ByteBuffer *buffer);

/* Return where a piece stands, until the list changes. */
static inline const char *
hxpy_gather_piece(const GatherList *list, int index)
{
	const GatherPiece *piece = &list->pieces[index];

	return piece->data != NULL ? piece->data : list->own.data + piece->offset;
}

#endif							/* HXPY_BUFFER_H */
