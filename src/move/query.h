/*
 * query.h
 *	  The rows of a query as the source of an exchange.
 */
#ifndef HXPY_QUERY_H
#define HXPY_QUERY_H

#include "session/session.h"

typedef struct SqlSource SqlSource;

extern void hxpy_query_define(PySession *session, const char *variable, const char *kind,
							  const char *meta, const char *query);
extern SqlSource *hxpy_query_apply(Exchange *exchange, const char *function,
									 const char *query, bool arrays);
extern void hxpy_query_close(SqlSource *source);

#endif							/* HXPY_QUERY_H */
