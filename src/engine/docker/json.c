/*
 * json.c
 *	  JSON values in memory contexts.
 *
 * All JSON that is exchanged with the Docker engine is read and written by
 * jansson, which counts references and knows no memory contexts: a value is given
 * to one (hxpy_json_own), so that no error leaks it.
 *
 * Nothing here is shared between processes, so there are no locks.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/docker/json.h"

/* Gives a json_t back when its memory context goes */
typedef struct JsonOwner
{
	MemoryContextCallback callback;
	json_t	   *json;
} JsonOwner;

/* Gives a json_t back; runs once. */
static void
json_release(void *arg)
{
	json_decref(((JsonOwner *) arg)->json);
}

/* Gives json to the current memory context. */
json_t *
hxpy_json_own(json_t *json)
{
	JsonOwner *owner = NULL;

	if (json != NULL)
		owner = MemoryContextAllocExtended(CurrentMemoryContext,
										   sizeof(JsonOwner), MCXT_ALLOC_NO_OOM);
	if (owner == NULL)
	{
		json_decref(json);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A JSON value for the Docker engine could not be made."),
				 errhint("Close sessions or give the server more memory.")));
	}
	owner->json = json;
	owner->callback.func = json_release;
	owner->callback.arg = owner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);
	return json;
}

/* Returns JSON as palloc'ed text. */
char *
hxpy_json_write(json_t *json)
{
	size_t		len = json_dumpb(json, NULL, 0, JSON_COMPACT);
	char	   *text = palloc(len + 1);

	if (len == 0 || json_dumpb(json, text, len, JSON_COMPACT) != len)
		elog(ERROR, "could not write JSON for the Docker engine");
	text[len] = '\0';
	return text;
}

