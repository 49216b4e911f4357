/*
 * messages.h
 *	  Rows of a batch: their calls are made by messages, and results read.
 */
#ifndef HXPY_MESSAGES_H
#define HXPY_MESSAGES_H

#include "batch/program.h"

extern void hxpy_messages_reset(BatchProgram *program);
extern void hxpy_messages_add(BatchProgram *program, const Datum *values, const bool *nulls);
extern size_t hxpy_messages_size(const BatchProgram *program);
extern void hxpy_messages_start(BatchProgram *program);
extern void hxpy_messages_push(BatchProgram *program);
extern void hxpy_messages_cancel(BatchProgram *program);
extern bool hxpy_messages_fails(BatchProgram *program);
extern void hxpy_messages_next(BatchProgram *program, Datum *values, bool *nulls);

#endif							/* HXPY_MESSAGES_H */
