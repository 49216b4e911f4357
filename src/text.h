/*
 * text.h
 *	  Foreign text made safe.
 */
#ifndef HXPY_TEXT_H
#define HXPY_TEXT_H

extern char *hxpy_text_clean(const char *text, size_t length);

#endif							/* HXPY_TEXT_H */
