/*
 * trigger.h
 *	  Functions of the language as triggers.
 */
#ifndef HXPY_TRIGGER_H
#define HXPY_TRIGGER_H

#include "fmgr.h"

extern Datum hxpy_trigger_call(FunctionCallInfo fcinfo);
extern void hxpy_trigger_call_event(FunctionCallInfo fcinfo);

#endif							/* HXPY_TRIGGER_H */
