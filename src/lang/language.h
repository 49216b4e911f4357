/*
 * language.h
 *	  Which functions are of the languages hxpy and hxpy_batch.
 */
#ifndef HXPY_LANGUAGE_H
#define HXPY_LANGUAGE_H

#include "fmgr.h"

extern Datum hxpy_call_handler(PG_FUNCTION_ARGS);

/* What functions of a language are to hxpy. */
typedef enum LanguageKind
{
	LANGUAGE_FOREIGN,			/* none of its */
	LANGUAGE_ROWS,				/* hxpy: called for a row */
	LANGUAGE_COLUMNS			/* hxpy_batch: called for columns */
} LanguageKind;

extern LanguageKind hxpy_language_kind(Oid language);

#endif							/* HXPY_LANGUAGE_H */
