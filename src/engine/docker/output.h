/*
 * output.h
 *	  The last bytes of a container's output.
 */
#ifndef HXPY_OUTPUT_H
#define HXPY_OUTPUT_H

typedef struct OutputLog OutputLog;

extern OutputLog *hxpy_output_create(size_t size);

/* An HttpSink of a log. */
extern void hxpy_output_feed(void *log, const char *data, size_t len);

/* Returns what has come last, as text. */
extern char *hxpy_output_text(const OutputLog *log);

#endif							/* HXPY_OUTPUT_H */
