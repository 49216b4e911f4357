/*
 * set.h
 *	  Functions of the language that return sets.
 */
#ifndef HXPY_SET_H
#define HXPY_SET_H

#include "fmgr.h"

#include "lang/function.h"
#include "move/scan.h"

extern const ScanFunctions hxpy_set_functions;

extern void hxpy_set_return(FunctionCallInfo fcinfo, const PyFunction *function,
							PySession *session, List *arguments);

#endif							/* HXPY_SET_H */
