/*
 * setup.h
 *	  What calls from one place have in common.
 */
#ifndef HXPY_SETUP_H
#define HXPY_SETUP_H

#include "fmgr.h"
#include "pgtime.h"

#include "lang/function.h"

/* The settings that say how values travel. */
typedef struct TravelSettings
{
	const pg_tz *zone;
	int			numeric;
	int			types;
} TravelSettings;

/* Of an expression or a trigger; begins what is kept for one.  All of it lives in `context`. */
typedef struct CallSetup
{
	MemoryContext context;
	MemoryContext work;			/* of one call */
	bool		busy;			/* it is being called, or a call has failed */
	TravelSettings settings;	/* that were in force */
	PyFunction *function;
} CallSetup;

/* Returns what is called, in the current memory context. */
typedef PyFunction *(*SetupLoad) (FunctionCallInfo fcinfo);

/* Completes a setup, in its memory context, which is current. */
typedef void (*SetupComplete) (CallSetup *setup, FunctionCallInfo fcinfo);

extern TravelSettings hxpy_setup_settings(void);
extern bool hxpy_setup_is_current(const TravelSettings *settings, const PyFunction *function);
extern PyFunction *hxpy_setup_load(FunctionCallInfo fcinfo);
extern CallSetup *hxpy_setup_get(FunctionCallInfo fcinfo, size_t size, SetupLoad load,
								 SetupComplete complete);
extern void hxpy_setup_forget(FunctionCallInfo fcinfo);
extern void hxpy_setup_write_head(HeadPrefix *head, const PyFunction *function, List *columns,
								  MemoryContext context);

#endif							/* HXPY_SETUP_H */
