/*
 * error.h
 *	  Errors and output from the wire → ereport.
 */
#ifndef HXPY_ERROR_H
#define HXPY_ERROR_H

#include "codec/wire.h"

extern char *hxpy_error_text(const WireColumn *columns, uint32 ncolumns, uint32 field,
							 size_t limit);
pg_noreturn extern void hxpy_error_raise_python(const char *payload, size_t length,
												bool of_function, ErrorData *failure,
												uint32 number);
extern uint32 hxpy_error_call(const char *payload, size_t length);
extern void hxpy_error_show_message(const char *payload, size_t length, size_t limit);
extern void hxpy_error_show_log(const char *payload, size_t length, const char *session);

#endif							/* HXPY_ERROR_H */
