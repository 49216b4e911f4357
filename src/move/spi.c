/*
 * spi.c
 *	  SQL that Python asks for: queries, and who answers what else it asks.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "parser/parser.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "move/cursor.h"
#include "move/plan.h"
#include "move/spi.h"
#include "move/transaction.h"

/* Run a plan of SPI; its rows go to a receiver.  Returns SPI's code. */
static int
run_spi(SPIPlanPtr plan, const QueryParams *params, uint64 limit, bool read_only,
		DestReceiver *receiver)
{
	SPIExecuteOptions options = {
		.params = hxpy_params_list(params),
		.read_only = read_only,
		.tcount = limit,
		.dest = receiver
	};
	int			result = SPI_execute_plan_extended(plan, &options);

	if (result < 0)
		ereport(ERROR,
				(errcode(result == SPI_ERROR_TRANSACTION ?
						 ERRCODE_INVALID_TRANSACTION_TERMINATION : ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("Python cannot run this statement: %s", SPI_result_code_string(result))));
	return result;
}

/*
 * Run the statements of a query; the rows of the last one are sent.  Returns SPI's code
 * of that.
 */
static int
run_text(Exchange *exchange, const char *query, uint64 limit, QueryParams *params,
		 DestReceiver *receiver)
{
	List	   *statements = raw_parser(query, RAW_PARSE_DEFAULT);
	int			result = 0;
	ListCell   *cell;

	foreach(cell, statements)
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		const char *text = query + raw->stmt_location;
		bool		last = lnext(statements, cell) == NULL;

		if (raw->stmt_len > 0)
			text = pnstrdup(text, raw->stmt_len);
		result = run_spi(hxpy_params_prepare(params, text, CURSOR_OPT_PARALLEL_OK), params,
						 last ? limit : 0, exchange->read_only, last ? receiver : None_Receiver);
	}
	return result;
}

/* Run a plan of the session.  Returns SPI's code. */
static int
run_plan(Exchange *exchange, int64 number, uint64 limit, const WireColumn *columns, int ncolumns,
		 DestReceiver *receiver)
{
	PyPlan	   *plan = hxpy_plan_take(exchange, number);
	volatile int result = 0;

	PG_TRY();
	{
		QueryParams params;
		SPIPlanPtr	spi = hxpy_plan_connect(plan, exchange, &params, columns, ncolumns);

		result = run_spi(spi, &params, limit, exchange->read_only, receiver);
	}
	PG_FINALLY();
	{
		hxpy_plan_release(plan);
	}
	PG_END_TRY();
	return result;
}

/*
 * Run a query: texts `form` (`table`; for plpy `rows`, or `plan`), `query` (a plan's number)
 * and `limit`, then the parameters' values.
 */
static void
run_query(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	const char *form = hxpy_ask_text(&columns[0]);
	uint64		limit = (uint64) Max(hxpy_ask_number(&columns[2]), 0);
	DestReceiver *receiver = hxpy_ask_receiver(exchange, strcmp(form, "table") != 0);
	int			result;
	uint64		processed;

	if (strcmp(form, "plan") == 0)
		result = run_plan(exchange, hxpy_ask_number(&columns[1]), limit, columns + 3,
						  (int) ncolumns - 3, receiver);
	else
	{
		const char *query = hxpy_ask_text(&columns[1]);
		QueryParams params;

		hxpy_params_read(&params, columns + 3, (int) ncolumns - 3);
		params.around = hxpy_relations_connect(exchange->isolated);
		result = run_text(exchange, query, limit, &params, receiver);
	}
	processed = SPI_processed;
	SPI_finish();
	hxpy_ask_write_done(exchange, result, processed);
}

/* Close cursors and drop plans: columns `plans` and `cursors`, INT64. */
static void
close_all(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	uint64		closed = 0;

	for (int i = 0; i < 2; i++)
	{
		if (columns[i].tag != HXPY_TAG_INT64 || columns[i].nulls != NULL)
			hxpy_ask_raise_invalid();
		for (uint64 j = 0; j < columns[i].count; j++)
		{
			int64		number;

			memcpy(&number, columns[i].data + j * sizeof(number), sizeof(number));
			if (i == 0)
				hxpy_plan_forget(exchange, number);
			else
				closed += hxpy_cursor_close(exchange, number);
		}
	}
	hxpy_ask_write_done(exchange, 0, closed);
}

/* Answer QUERY. */
static void
answer_query(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 3, ASK_INSIDE, run_query);
}

/* Answer PREPARE. */
static void
answer_prepare(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 1, ASK_INSIDE, hxpy_plan_prepare);
}

/* Answer CURSOR. */
static void
answer_cursor(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 2, ASK_INSIDE, hxpy_cursor_open);
}

/* Answer FETCH. */
static void
answer_fetch(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 2, ASK_INSIDE, hxpy_cursor_fetch);
}

/* Answer CLOSE. */
static void
answer_close(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 2, ASK_FREE, close_all);
}

/* Answer SUBTRANSACTION. */
static void
answer_subtransaction(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 1, ASK_CHECKED, hxpy_transaction_sub);
}

/* Answer TRANSACTION. */
static void
answer_transaction(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 1, ASK_CHECKED, hxpy_transaction_end);
}

/* Have what Python asks answered. */
void
hxpy_spi_init(void)
{
	hxpy_exchange_on_ask(HXPY_FRAME_QUERY, answer_query);
	hxpy_exchange_on_ask(HXPY_FRAME_PREPARE, answer_prepare);
	hxpy_exchange_on_ask(HXPY_FRAME_CURSOR, answer_cursor);
	hxpy_exchange_on_ask(HXPY_FRAME_FETCH, answer_fetch);
	hxpy_exchange_on_ask(HXPY_FRAME_CLOSE, answer_close);
	hxpy_exchange_on_ask(HXPY_FRAME_SUBTRANSACTION, answer_subtransaction);
	hxpy_exchange_on_ask(HXPY_FRAME_TRANSACTION, answer_transaction);
}
