/*
 * engine.c
 *	  Which engine is in use, and labels.
 */
#include "postgres.h"

#include "hxpy.h"
#include "engine/engine.h"

const Engine *hxpy_engine = NULL;

/* Return a label's value, NULL when there is none of that key. */
const char *
hxpy_engine_label(const List *labels, const char *key)
{
	ListCell   *cell;

	foreach(cell, labels)
	{
		const EngineLabel *label = lfirst(cell);

		if (strcmp(label->key, key) == 0)
			return label->value;
	}
	return NULL;
}

/* Append a label to a list; key and value are borrowed. */
List *
hxpy_engine_add_label(List *labels, const char *key, const char *value)
{
	EngineLabel *label = palloc(sizeof(EngineLabel));

	label->key = key;
	label->value = value;
	return lappend(labels, label);
}
