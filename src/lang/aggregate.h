/*
 * aggregate.h
 *	  Groups of py_agg: what they gather, and which aggregates of a query they are of.
 */
#ifndef HXPY_AGGREGATE_H
#define HXPY_AGGREGATE_H

#include "nodes/primnodes.h"

#include "codec/column.h"
#include "lang/callable.h"

extern Oid	hxpy_aggregate_function(const Aggref *aggregate, CallableArguments *arguments);
extern Column *hxpy_aggregate_column(const Aggref *aggregate, MemoryContext context);

#endif							/* HXPY_AGGREGATE_H */
