/*
 * exchange.h
 *	  Exchanges: an instruction goes to a worker, its answer comes back.
 *
 * Whoever has an exchange to do sets up its head, source and sink, and then runs
 * it to its end, or opens it and steps through its rows.  Whatever error breaks it
 * off, also in its source or sink, or between two steps, the session is free
 * afterwards, or lost.
 */
#ifndef HXPY_EXCHANGE_H
#define HXPY_EXCHANGE_H

#include "codec/coltype.h"
#include "session/state.h"

extern void hxpy_exchange_init(Exchange *exchange, WorkerConn *conn, uint8 type);
extern void hxpy_exchange_add_text(Exchange *exchange, const char *name, const char *value);
extern void hxpy_exchange_add_want(Exchange *exchange, ColumnType *type, const char *name);
extern void hxpy_exchange_run(Exchange *exchange);
extern void hxpy_exchange_values(Exchange *exchange, Datum *values, bool *nulls);
extern void hxpy_exchange_keep(Exchange *exchange);

/*
 * Answers a frame by which Python asks: feeds rows, if there are any, and writes the
 * answer's payload to exchange->answer.  The frame's payload and the memory context go
 * when it returns.
 */
typedef void (*AskHandler) (Exchange *exchange, const char *payload, size_t length);

extern void hxpy_exchange_on_ask(uint8 type, AskHandler handler);
extern void hxpy_exchange_check_alive(const Exchange *exchange);
extern void hxpy_exchange_tell_columns(Exchange *exchange, const GatherList *columns);

/* step by step */
extern void hxpy_exchange_open(Exchange *exchange);
extern void hxpy_exchange_check(const Exchange *exchange);
extern bool hxpy_exchange_step(Exchange *exchange, bool all_counts);
extern void hxpy_exchange_close(Exchange *exchange);

/* for sources and sinks */
extern void hxpy_exchange_begin(Exchange *exchange, Column **heads, int nheads);
extern void hxpy_exchange_feed(Exchange *exchange, const GatherList *batch);
extern bool hxpy_exchange_next(Exchange *exchange);
extern void hxpy_exchange_count(Exchange *exchange, uint64 rows);

/* for the session's end */
extern void hxpy_exchange_forget(WorkerConn *conn);

#endif							/* HXPY_EXCHANGE_H */
