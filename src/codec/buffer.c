/*
 * buffer.c
 *	  Growable byte buffers without StringInfo's limit of 1 GB, and gather lists.
 *
 * A frame with one value of nearly 1 GB is longer than a StringInfo may be.
 * Buffers live in the memory context given at their start and end with it.
 */
#include "postgres.h"

#include "hxpy.h"
#include "codec/buffer.h"

#define INITIAL_CAPACITY	1024

/* Start an empty buffer. */
void
hxpy_buffer_init(ByteBuffer *buffer, MemoryContext context)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->context = context;
}

/* Make room for more bytes and return where they go; the length stays. */
char *
hxpy_buffer_reserve(ByteBuffer *buffer, size_t length)
{
	size_t		needed = buffer->length + length;

	if (needed > buffer->capacity)
	{
		size_t		capacity = buffer->capacity > 0 ? buffer->capacity * 2 : INITIAL_CAPACITY;

		capacity = Max(capacity, needed);
		if (buffer->data == NULL)
			buffer->data = MemoryContextAllocHuge(buffer->context, capacity);
		else
			buffer->data = repalloc_huge(buffer->data, capacity);
		buffer->capacity = capacity;
	}
	return buffer->data + buffer->length;
}

/* Remove bytes from the front. */
void
hxpy_buffer_consume(ByteBuffer *buffer, size_t length)
{
	Assert(length <= buffer->length);
	buffer->length -= length;
	if (buffer->length > 0)
		memmove(buffer->data, buffer->data + length, buffer->length);
}

/* Give memory back, but for a capacity; the buffer is empty then. */
void
hxpy_buffer_shrink(ByteBuffer *buffer, size_t capacity)
{
	buffer->length = 0;
	buffer->data = repalloc_huge(buffer->data, capacity);
	buffer->capacity = capacity;
}

/* Start an empty gather list. */
void
hxpy_gather_init(GatherList *list, MemoryContext context)
{
	memset(list, 0, sizeof(*list));
	hxpy_buffer_init(&list->own, context);
}

/* Empty a gather list, keeping its memory. */
void
hxpy_gather_reset(GatherList *list)
{
	list->own.length = 0;
	list->npieces = 0;
	list->length = 0;
}

/* Add an empty piece. */
static GatherPiece *
add_piece(GatherList *list)
{
	if (list->npieces == list->allocated)
	{
		list->allocated = Max(list->allocated * 2, 16);
		if (list->pieces == NULL)
			list->pieces = MemoryContextAlloc(list->own.context,
											  list->allocated * sizeof(GatherPiece));
		else
			list->pieces = repalloc(list->pieces, list->allocated * sizeof(GatherPiece));
	}
	return &list->pieces[list->npieces++];
}

/* Add bytes by value, which the caller writes where this says, before anything else is added. */
char *
hxpy_gather_room(GatherList *list, size_t length)
{
	GatherPiece *last = list->npieces > 0 ? &list->pieces[list->npieces - 1] : NULL;
	char	   *room;

	if (last == NULL || last->data != NULL)
	{
		last = add_piece(list);
		last->data = NULL;
		last->offset = list->own.length;
		last->length = 0;
	}
	room = hxpy_buffer_reserve(&list->own, length);
	list->own.length += length;
	last->length += length;
	list->length += length;
	return room;
}

/* Add bytes by value. */
void
hxpy_gather_copy(GatherList *list, const void *data, size_t length)
{
	if (length > 0)
		memcpy(hxpy_gather_room(list, length), data, length);
}

/* Add bytes by reference, or by value when they are few. */
void
hxpy_gather_refer(GatherList *list, const void *data, size_t length)
{
	GatherPiece *piece;

	if (length < 512)
	{
		hxpy_gather_copy(list, data, length);
		return;
	}
	piece = add_piece(list);
	piece->data = data;
	piece->offset = 0;
	piece->length = length;
	list->length += length;
}

/* Add the padding that follows `length` bytes. */
void
hxpy_gather_pad(GatherList *list, size_t length)
{
	static const char zeros[8] = {0};

	hxpy_gather_copy(list, zeros, (8 - length % 8) % 8);
}

/* Append all pieces to a buffer. */
void
hxpy_gather_flatten(const GatherList *list, ByteBuffer *buffer)
{
	for (int i = 0; i < list->npieces; i++)
		hxpy_buffer_append(buffer, hxpy_gather_piece(list, i), list->pieces[i].length);
}
