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
	costs->groups += exchange->costs.groups;
	costs->sorted += exchange->costs.sorted;
	costs->sent += exchange->costs.sent;
	costs->received += exchange->costs.received;
	costs->worked += exchange->costs.worked;
	INSTR_TIME_ADD(costs->time, exchange->clock.counted);
}

/* Show how many processes of a session may work beside each other, if that is more than one. */
void
hxpy_explain_workers(int workers, ExplainState *es)
{
	if (workers > 1)
		ExplainPropertyInteger("Python Workers", NULL, workers, es);
}

/* Show costs, where EXPLAIN has run the query. */
void
hxpy_explain_costs(const ExchangeCosts *costs, ExplainState *es)
{
	if (!es->analyze)
		return;
	ExplainPropertyUInteger("Batches", NULL, costs->messages, es);
	if (costs->groups > 0)
		ExplainPropertyUInteger("Groups", NULL, costs->groups, es);
	if (!es->verbose)
		return;
	ExplainPropertyUInteger("Rows in Batches", NULL, costs->rows, es);
	if (costs->sorted > 0)
		ExplainPropertyUInteger("Rows Left over for Sort", NULL, costs->sorted, es);
	ExplainPropertyUInteger("Sent", "bytes", costs->sent, es);
	ExplainPropertyUInteger("Received", "bytes", costs->received, es);
	if (!es->timing)
		return;
	ExplainPropertyFloat("Waited for Python", "ms", INSTR_TIME_GET_MILLISEC(costs->time), 3, es);
	ExplainPropertyFloat("Time in Python", "ms", costs->worked / 1000.0, 3, es);
}
