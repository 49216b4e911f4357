/*
 * explain.h
 *	  What EXPLAIN shows of plan nodes that call Python.
 */
#ifndef HXPY_EXPLAIN_H
#define HXPY_EXPLAIN_H

#include "commands/explain.h"

#include "session/state.h"

extern void hxpy_explain_add(ExchangeCosts *costs, const Exchange *exchange);
extern void hxpy_explain_workers(int workers, ExplainState *es);
extern void hxpy_explain_costs(const ExchangeCosts *costs, ExplainState *es);

#endif							/* HXPY_EXPLAIN_H */
