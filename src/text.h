/*
 * text.h
 *	  Foreign text made safe, names, and lists in settings.
 */
#ifndef HXPY_TEXT_H
#define HXPY_TEXT_H

#include "nodes/pg_list.h"

extern char *hxpy_text_clean(const char *text, size_t length);
extern bool hxpy_text_is_name(const char *text);

/* items of a comma-separated list, trimmed; none is empty */
extern List *hxpy_text_split(const char *list);
extern bool hxpy_text_in_patterns(const char *name, const char *patterns);

#endif							/* HXPY_TEXT_H */
