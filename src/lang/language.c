/*
 * language.c
 *	  Which functions are of the languages hxpy and hxpy_batch.
 *
 * The planner asks for every function of a query, so that answers are kept as long as
 * pg_language is not changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "lang/language.h"

PG_FUNCTION_INFO_V1(hxpy_batch_handler);

/* the language of each kind that was asked for last, or InvalidOid */
static Oid	known[LANGUAGE_COLUMNS + 1];

/* Forget the answers. */
static void
forget(Datum arg, int cache, uint32 hash)
{
	memset(known, 0, sizeof(known));
}

/* Return what a language's handler says. */
static LanguageKind
look_up(Oid language)
{
	HeapTuple	row = SearchSysCache1(LANGOID, ObjectIdGetDatum(language));
	FmgrInfo	handler = {0};
	Oid			function;

	if (!HeapTupleIsValid(row))
		return LANGUAGE_FOREIGN;
	function = ((Form_pg_language) GETSTRUCT(row))->lanplcallfoid;
	ReleaseSysCache(row);
	if (OidIsValid(function))
		fmgr_info(function, &handler);
	return handler.fn_addr == hxpy_call_handler ? LANGUAGE_ROWS :
		handler.fn_addr == hxpy_batch_handler ? LANGUAGE_COLUMNS : LANGUAGE_FOREIGN;
}

/* Return what functions of a language are. */
LanguageKind
hxpy_language_kind(Oid language)
{
	static bool registered = false;
	LanguageKind kind;

	if (language == INTERNALlanguageId || language == ClanguageId || language == SQLlanguageId)
		return LANGUAGE_FOREIGN;
	for (int i = 0; i < lengthof(known); i++)
	{
		if (known[i] == language)
			return (LanguageKind) i;
	}
	if (!registered)
		CacheRegisterSyscacheCallback(LANGOID, forget, (Datum) 0);
	registered = true;
	kind = look_up(language);
	known[kind] = language;
	return kind;
}

/*
 * Call a function of the language hxpy_batch, for one row.
 */
Datum
hxpy_batch_handler(PG_FUNCTION_ARGS)
{
	return hxpy_call_handler(fcinfo);
}
