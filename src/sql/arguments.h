/*
 * arguments.h
 *	  Arguments of the SQL-callable functions.
 */
#ifndef HXPY_ARGUMENTS_H
#define HXPY_ARGUMENTS_H

#include "fmgr.h"

extern char *hxpy_argument_optional(FunctionCallInfo fcinfo, int argument);
extern void hxpy_argument_require(FunctionCallInfo fcinfo, int argument, const char *name);
extern char *hxpy_argument_text(FunctionCallInfo fcinfo, int argument, const char *name);
extern bool hxpy_argument_flag(FunctionCallInfo fcinfo, int argument);
extern char *hxpy_argument_session(FunctionCallInfo fcinfo, bool given);
extern const char *hxpy_argument_meta(FunctionCallInfo fcinfo, int argument);

#endif							/* HXPY_ARGUMENTS_H */
