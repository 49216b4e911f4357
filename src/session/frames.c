/*
 * frames.c
 *	  Frames in the incoming bytes of one socket.
 *
 * Bytes are read in steps, whatever length a header claims: memory grows with
 * what has arrived.  A frame over the limit is skipped without being kept.
 *
 * Nothing here raises an error but for want of memory.  There is always room for a
 * step, MIN_CAPACITY, so that whoever skips all frames before each read needs none:
 * a broken-off request is drained so in a PG_CATCH block.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "hxpy.h"
#include "session/frames.h"
#include "codec/protocol.h"

#define READ_STEP			65536
#define MAX_READ_STEP		(1024 * 1024)
#define MIN_CAPACITY		(READ_STEP + HXPY_HEADER_SIZE)	/* part of a header is left */
#define KEEP_BUFFER			(1024 * 1024)

/* Start reading a socket. */
void
hxpy_frames_init(FrameStream *stream, pgsocket socket, const char *role, MemoryContext context)
{
	memset(stream, 0, sizeof(*stream));
	stream->socket = socket;
	stream->role = role;
	hxpy_buffer_init(&stream->buffer, context);
	(void) hxpy_buffer_reserve(&stream->buffer, MIN_CAPACITY);
}

/* Give the memory of a large frame back once it was handled. */
void
hxpy_frames_shrink(FrameStream *stream)
{
	if (stream->buffer.capacity > KEEP_BUFFER && stream->used == stream->buffer.length)
	{
		hxpy_buffer_shrink(&stream->buffer, MIN_CAPACITY);
		stream->used = 0;
	}
}

/* Read what a socket has, at most one step. */
ReadResult
hxpy_frames_read(FrameStream *stream, size_t wanted)
{
	size_t		step = Max(READ_STEP, Min(wanted, MAX_READ_STEP));
	ssize_t		count;

	/* Move what is left to the front when there is little of it, or no room. */
	if (stream->used > 0)
	{
		hxpy_buffer_consume(&stream->buffer, stream->used);
		stream->used = 0;
	}
	count = recv(stream->socket, hxpy_buffer_reserve(&stream->buffer, step), step, 0);
	if (count > 0)
	{
		stream->buffer.length += count;
		stream->received += count;
		return READ_SOME;
	}
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return READ_NOTHING;
	return READ_CLOSED;
}

/* Skip bytes of an oversized frame that have arrived. */
static void
skip_discarded(FrameStream *stream)
{
	size_t		have = stream->buffer.length - stream->used;
	size_t		skip = Min(stream->discard, have);

	stream->used += skip;
	stream->discard -= skip;
}

/*
 * Take the next frame out of a stream's buffer, if it is there whole; else say
 * how many bytes are missing.  Returns NULL, or what is wrong.
 */
const char *
hxpy_frames_take(FrameStream *stream, size_t limit, Frame *frame, bool *found, size_t *missing)
{
	const char *start;
	size_t		have;
	uint16		magic;
	uint64		length;

	*found = false;
	*missing = 0;
	skip_discarded(stream);
	start = stream->buffer.data + stream->used;
	have = stream->buffer.length - stream->used;
	if (have < HXPY_HEADER_SIZE)
		return NULL;
	memcpy(&magic, start, sizeof(magic));
	memcpy(&frame->request, start + 4, sizeof(frame->request));
	memcpy(&length, start + 8, sizeof(length));
	frame->type = (uint8) start[3];
	if (magic != HXPY_PROTOCOL_MAGIC || start[2] != HXPY_PROTOCOL_VERSION)
		return "wrong header";
	frame->length = length;
	if (length > limit)
	{
		stream->used += HXPY_HEADER_SIZE;
		stream->discard = length;
		frame->payload = NULL;
		*found = true;
		return NULL;
	}
	if (have - HXPY_HEADER_SIZE < length)
	{
		*missing = length - (have - HXPY_HEADER_SIZE);
		return NULL;
	}
	frame->payload = start + HXPY_HEADER_SIZE;
	stream->used += HXPY_HEADER_SIZE + length;
	*found = true;
	return NULL;
}

/* Put the frame that was taken last back, to be taken again later. */
void
hxpy_frames_put_back(FrameStream *stream, const Frame *frame)
{
	stream->used -= HXPY_HEADER_SIZE + frame->length;
}
