/*
 * call.h
 *	  Calls of functions of the language, and of callables.
 */
#ifndef HXPY_CALL_H
#define HXPY_CALL_H

#include "lang/setup.h"

extern Datum hxpy_call_function(FunctionCallInfo fcinfo, SetupLoad load);

#endif							/* HXPY_CALL_H */
