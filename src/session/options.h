/*
 * options.h
 *	  The options of a session.
 */
#ifndef HXPY_OPTIONS_H
#define HXPY_OPTIONS_H

/* What py_open was told; what was not told is NULL, negative or unset. */
typedef struct SessionOptions
{
	const char *image;
	const char *network;
	const char *log_level;
	int64		timeout_ms;		/* -1: hxpy.eval_timeout */
	int			memory;			/* MB, -1: hxpy.memory */
	double		cpus;			/* -1: hxpy.cpus */
	bool		persistent;
	bool		has_persistent;
} SessionOptions;

extern void hxpy_options_init(SessionOptions *options);
extern void hxpy_options_check_same(const char *session, const SessionOptions *open,
									const char *image, const SessionOptions *options);
extern void hxpy_options_adopt(SessionOptions *own, MemoryContext context,
							   const SessionOptions *options);

#endif							/* HXPY_OPTIONS_H */
