/*
 * output.h
 *	  What Python prints, on its way to the client.
 */
#ifndef HXPY_OUTPUT_H
#define HXPY_OUTPUT_H

extern void hxpy_output_add(const char *payload, size_t length);
extern void hxpy_output_show(void);
extern void hxpy_output_show_due(void);
extern long hxpy_output_left(void);

#endif							/* HXPY_OUTPUT_H */
