/*
 * subxact.h
 *	  Subtransactions that Python opens within an exchange.
 */
#ifndef HXPY_SUBXACT_H
#define HXPY_SUBXACT_H

#include "session/state.h"

extern void hxpy_subxact_begin(Exchange *exchange);
extern void hxpy_subxact_end(Exchange *exchange, bool commit);
extern void hxpy_subxact_abandon(Exchange *exchange, bool warn);

#endif							/* HXPY_SUBXACT_H */
