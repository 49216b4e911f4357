/*
 * explain.c
 *	  What EXPLAIN shows of plan nodes that call Python.
 */
#include "postgres.h"

#include "hxpy.h"
#include "move/explain.h"

/* Add what an exchange has cost so far. */
void
hxpy_explain_add(ExchangeCosts *costs, const Exchange *exchange)
{
	costs->messages += exchange->costs.messages;
	costs->rows += exchange->costs.rows;
	costs->sent += exchange->costs.sent;
	costs->received += exchange->costs.received;
	INSTR_TIME_ADD(costs->time, exchange->clock.counted);
}

/* Show costs, where EXPLAIN has run the query. */
void
hxpy_explain_costs(const ExchangeCosts *costs, ExplainState *es)
{
	if (!es->analyze)
		return;
	ExplainPropertyUInteger("Batches", NULL, costs->messages, es);
	if (!es->verbose)
		return;
	ExplainPropertyUInteger("Rows in Batches", NULL, costs->rows, es);
	ExplainPropertyUInteger("Sent", "bytes", costs->sent, es);
	ExplainPropertyUInteger("Received", "bytes", costs->received, es);
	if (es->timing)
		ExplainPropertyFloat("Waited for Python", "ms", INSTR_TIME_GET_MILLISEC(costs->time), 3,
							 es);
}
