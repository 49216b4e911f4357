/*
 * transaction.h
 *	  Subtransactions, COMMIT and ROLLBACK of Python.
 */
#ifndef HXPY_TRANSACTION_H
#define HXPY_TRANSACTION_H

#include "move/ask.h"

extern void hxpy_transaction_sub(Exchange *exchange, const WireColumn *columns, uint32 ncolumns);
extern void hxpy_transaction_end(Exchange *exchange, const WireColumn *columns, uint32 ncolumns);

#endif							/* HXPY_TRANSACTION_H */
