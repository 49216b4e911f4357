/*
 * query.h
 *	  The rows of a query as the source of an exchange.
 */
#ifndef HXPY_QUERY_H
#define HXPY_QUERY_H

#include "session/session.h"

typedef struct SqlSource SqlSource;

/* What py_apply is asked for. */
typedef struct ApplyRequest
{
	const char *function;		/* an expression of a callable */
	const char *query;
	bool		arrays;			/* the callable gets arrays, not a DataFrame */
	const List *by;				/* names of the columns whose groups it gets, or NIL */
	bool		whole;			/* it gets all rows at once */
	int			workers;		/* processes that make the calls */
	bool		ordered;		/* rows come in the order of what they are made of */
	bool		wants_all;		/* rows that come back, for sure: the query need not stop early */
} ApplyRequest;

extern void hxpy_query_define(PySession *session, const char *variable, const char *kind,
							  const char *meta, const char *query);
extern List *hxpy_query_names(Datum value, bool isnull, Oid type);
extern void hxpy_query_set_workers(ApplyRequest *request, Datum value, bool isnull);
extern SqlSource *hxpy_query_apply(Exchange *exchange, const ApplyRequest *request);
extern void hxpy_query_close(SqlSource *source);

#endif							/* HXPY_QUERY_H */
