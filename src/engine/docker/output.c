/*
 * output.c
 *	  The last bytes of a container's output, made out of the engine's frames.
 */
#include "postgres.h"

#include "hxpy.h"
#include "engine/docker/output.h"
#include "text.h"

struct OutputLog
{
	unsigned char head[8];		/* header of the frame that is being read */
	int			head_len;
	uint32		rest;			/* bytes of that frame still to come */
	uint64		total;			/* bytes of output so far */
	size_t		size;			/* of tail, a ring that ends at total % size */
	char		tail[FLEXIBLE_ARRAY_MEMBER];
};

/* Make an empty log that keeps so many bytes. */
OutputLog *
hxpy_output_create(size_t size)
{
	OutputLog  *log = palloc0(offsetof(OutputLog, tail) + size);

	log->size = size;
	return log;
}

/* Append output, overwriting the oldest. */
static void
append(OutputLog *log, const char *data, size_t len)
{
	if (len > log->size)
	{
		log->total += len - log->size;
		data += len - log->size;
		len = log->size;
	}
	while (len > 0)
	{
		size_t		at = log->total % log->size;
		size_t		n = Min(len, log->size - at);

		memcpy(log->tail + at, data, n);
		log->total += n;
		data += n;
		len -= n;
	}
}

/*
 * Take a piece of what the engine sends: frames of an 8-byte header (stream
 * number, three zeros, length in network order) and that many bytes of output.
 * Called by libcurl: no ereport, no palloc.
 */
void
hxpy_output_feed(void *arg, const char *data, size_t len)
{
	OutputLog  *log = arg;

	while (len > 0)
	{
		size_t		n;

		if (log->rest == 0)
		{
			log->head[log->head_len++] = (unsigned char) *data++;
			len--;
			if (log->head_len < (int) sizeof(log->head))
				continue;
			log->head_len = 0;
			log->rest = ((uint32) log->head[4] << 24) | ((uint32) log->head[5] << 16) |
				((uint32) log->head[6] << 8) | (uint32) log->head[7];
			continue;
		}
		n = Min(len, log->rest);
		append(log, data, n);
		log->rest -= (uint32) n;
		data += n;
		len -= n;
	}
}

/* Return the tail as text. */
char *
hxpy_output_text(const OutputLog *log)
{
	size_t		len = (size_t) Min(log->total, log->size);
	size_t		start = (size_t) ((log->total - len) % log->size);
	char	   *bytes = palloc(len + 1);
	size_t		first = Min(len, log->size - start);
	char	   *from = bytes;

	memcpy(bytes, log->tail + start, first);
	memcpy(bytes + first, log->tail, len - first);
	if (log->total > log->size)
	{
		/* do not begin in the midst of a character */
		for (int i = 0; i < 3 && len > 0 && (*from & 0xC0) == 0x80; i++)
		{
			from++;
			len--;
		}
	}
	return hxpy_text_clean(from, len);
}
