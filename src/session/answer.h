/*
 * answer.h
 *	  What worker and supervisor send while an exchange is under way.
 */
#ifndef HXPY_ANSWER_H
#define HXPY_ANSWER_H

#include "session/state.h"

extern bool hxpy_answer_take(Exchange *exchange, Frame *frame, size_t *missing);
extern void hxpy_answer_read_data(Exchange *exchange, size_t missing);
extern void hxpy_answer_read_control(Exchange *exchange);
pg_noreturn extern void hxpy_answer_raise_closed(Exchange *exchange);

/* for an exchange that is broken off; they raise no error */
extern bool hxpy_answer_drain_data(Exchange *exchange);
extern bool hxpy_answer_drain_control(FrameStream *control);

#endif							/* HXPY_ANSWER_H */
