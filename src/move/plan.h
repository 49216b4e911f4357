/*
 * plan.h
 *	  Plans that Python has prepared.
 */
#ifndef HXPY_PLAN_H
#define HXPY_PLAN_H

#include "move/ask.h"
#include "move/params.h"

typedef struct PyPlan PyPlan;

extern void hxpy_plan_prepare(Exchange *exchange, const WireColumn *columns, uint32 ncolumns);
extern PyPlan *hxpy_plan_take(Exchange *exchange, int64 number);
extern void hxpy_plan_release(PyPlan *plan);
extern SPIPlanPtr hxpy_plan_connect(PyPlan *plan, const Exchange *exchange,
									QueryParams *params, const WireColumn *columns, int count);
extern void hxpy_plan_forget(Exchange *exchange, int64 number);

#endif							/* HXPY_PLAN_H */
