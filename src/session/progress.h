/*
 * progress.h
 *	  How far an instruction has come, as Python tells.
 */
#ifndef HXPY_PROGRESS_H
#define HXPY_PROGRESS_H

#include "launch/registry.h"

extern const char *hxpy_progress_take(SessionSlot *slot, const char *payload, size_t length);

#endif							/* HXPY_PROGRESS_H */
