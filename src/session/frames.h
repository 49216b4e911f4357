/*
 * frames.h
 *	  Frames in the incoming bytes of one socket.
 */
#ifndef HXPY_FRAMES_H
#define HXPY_FRAMES_H

#include "codec/buffer.h"

/* One socket's incoming bytes. */
typedef struct FrameStream
{
	pgsocket	socket;
	ByteBuffer	buffer;
	size_t		used;			/* bytes of the buffer that were handled */
	uint64		received;		/* bytes, ever */
	uint64		discard;		/* bytes of an oversized frame still to skip */
	const char *role;			/* what the greeting must say */
	bool		greeted;
} FrameStream;

/* A frame as it stands in a stream's buffer, until the next read. */
typedef struct Frame
{
	uint8		type;
	uint32		request;
	const char *payload;		/* NULL when it was longer than the limit */
	size_t		length;
} Frame;

/* What came of a try to read. */
typedef enum ReadResult
{
	READ_NOTHING,				/* would block */
	READ_SOME,
	READ_CLOSED
} ReadResult;

extern void hxpy_frames_init(FrameStream *stream, pgsocket socket, const char *role,
							 MemoryContext context);
extern void hxpy_frames_shrink(FrameStream *stream);
extern ReadResult hxpy_frames_read(FrameStream *stream, size_t wanted);
extern const char *hxpy_frames_take(FrameStream *stream, size_t limit, Frame *frame,
									bool *found, size_t *missing);
extern void hxpy_frames_put_back(FrameStream *stream, const Frame *frame);

#endif							/* HXPY_FRAMES_H */
