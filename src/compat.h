/*
 * compat.h
 *	  Differences between the PostgreSQL versions hxpy builds with, and nothing
 *	  else: every PG_VERSION_NUM of the extension stands here.
 */
#ifndef HXPY_COMPAT_H
#define HXPY_COMPAT_H

#include "storage/latch.h"
#include "utils/memutils.h"

/*
 * A wait event set that its maker frees, also on errors (PG_FINALLY).  From 17
 * on a resource owner may own the set; we give none, so that waiting works at
 * any moment of a transaction's end, too.
 */
#if PG_VERSION_NUM >= 170000
#define HxpyCreateWaitEventSet(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define HxpyCreateWaitEventSet(nevents) \
	CreateWaitEventSet(CurrentMemoryContext, (nevents))
#endif

#endif							/* HXPY_COMPAT_H */
