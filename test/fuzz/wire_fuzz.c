/*
 * wire_fuzz.c
 *	  Fuzzer of the parser of batches (src/codec/wire.c), which needs no PostgreSQL.
 *
 * Parses the input and, where it is well-formed, reads all that a caller may read of it.
 * With libFuzzer LLVMFuzzerTestOneInput is driven; with -DREPLAY a main() of our own
 * runs the files it is given.
 *
 * Allocations may not exceed a share of the input: a small frame must not take much.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/protocol.h"
#include "codec/wire.h"

/* a WireColumn takes at least the 16 bytes of its head; the outermost counts twice */
#define MAX_ALLOCATED(size) (sizeof(WireColumn) * (HXPY_MAX_COLUMNS * (HXPY_MAX_DEPTH + 2) + (size) / 16))

static void *blocks[1 << 20];
static size_t nblocks;
static size_t allocated;
static size_t input_size;
static volatile uint64_t sink;

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Give zeroed memory that is freed after the input. */
static void *
fuzz_alloc(size_t size)
{
	void	   *block = calloc(1, size > 0 ? size : 1);

	allocated += size;
	if (block == NULL || nblocks == sizeof(blocks) / sizeof(*blocks) ||
		allocated > MAX_ALLOCATED(input_size))
		abort();
	blocks[nblocks++] = block;
	return block;
}

/* Read bytes, so that the sanitizer sees it. */
static void
touch(const void *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sink += ((const uint8_t *) data)[i];
}

/* Read all of a parsed column, as datum.c does. */
static void
walk(const WireColumn *column, int depth)
{
	size_t		width = hxpy_wire_width(column->tag);

	if (depth > HXPY_MAX_DEPTH + 1)
		abort();
	touch(column->name, column->name_length);
	if (column->nulls != NULL)
		touch(column->nulls, column->count);
	if (width > 0)
		touch(column->data, column->count * width);
	else if (hxpy_wire_is_text(column->tag))
	{
		const char *piece = column->data;
		const char *end = column->data + column->data_length;

		touch(column->data, column->data_length);
		for (uint64_t i = 0; i + 1 < column->count; i++)
		{
			piece = memchr(piece, 0, (size_t) (end - piece));
			if (piece++ == NULL)
				abort();
		}
	}
	else if (column->tag == HXPY_TAG_BYTEA)
	{
		for (uint64_t i = 0; i < column->count; i++)
		{
			int64_t		start = hxpy_wire_int64(column->offsets, i);

			touch(column->data + start,
				  (size_t) (hxpy_wire_int64(column->offsets, i + 1) - start));
		}
	}
	else if (column->tag == HXPY_TAG_ARRAY)
	{
		uint64_t	position = 0;
		int64_t		elements = 0;

		for (uint64_t i = 0; i < column->count; i++)
		{
			int64_t		length = hxpy_wire_int64(column->offsets, i + 1) -
				hxpy_wire_int64(column->offsets, i);
			int64_t		product = 1;

			if (length < 0)
				abort();
			elements += length;
			if (column->dims_count == 0)
				continue;
			for (int32_t n = hxpy_wire_int32(column->dims, position++); n > 0; n--)
				product *= hxpy_wire_int32(column->dims, position++);
			if (product != length || position > column->dims_count)
				abort();
		}
		if (column->nchildren != 1 || (uint64_t) elements != column->children->count)
			abort();
	}
	for (uint32_t i = 0; i < column->nchildren; i++)
	{
		if (column->tag == HXPY_TAG_RECORD && column->children[i].count != column->count)
			abort();
		walk(&column->children[i], depth + 1);
	}
}

/* Parse one input, which stands at the end of a block of its own. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *batch = malloc(size > 0 ? size : 1);
	WireColumn *columns;
	uint32_t	ncolumns;

	if (size > 0)
		memcpy(batch, data, size);
	nblocks = allocated = 0;
	input_size = size;
	if (hxpy_wire_parse(batch, size, HXPY_MAX_COLUMNS, fuzz_alloc, &columns, &ncolumns) == NULL)
	{
		for (uint32_t i = 0; i < ncolumns; i++)
			walk(&columns[i], 0);
	}
	while (nblocks > 0)
		free(blocks[--nblocks]);
	free(batch);
	return 0;
}

#ifdef REPLAY
/* Run files, whole and cut at every byte. */
int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		static uint8_t input[1 << 20];
		FILE	   *file = fopen(argv[i], "rb");
		size_t		size;

		if (file == NULL)
		{
			perror(argv[i]);
			return 1;
		}
		size = fread(input, 1, sizeof(input), file);
		fclose(file);
		for (size_t length = 0; length <= size; length++)
			LLVMFuzzerTestOneInput(input, length);
	}
	printf("%d inputs replayed, each cut at every byte\n", argc - 1);
	return 0;
}
#endif
