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

/* Give a json_t back; runs once. */
static void
json_release(void *arg)
{
	json_decref(((JsonOwner *) arg)->json);
}

/* Raise the error for a value that could not be made. */
static void
raise_not_made(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("A JSON value for the Docker engine could not be made."),
			 errhint("Close sessions or give the server more memory.")));
}

/* Give json to the current memory context. */
json_t *
hxpy_json_own(json_t *json)
{
	JsonOwner  *owner = NULL;

	if (json != NULL)
		owner = MemoryContextAllocExtended(CurrentMemoryContext,
										   sizeof(JsonOwner), MCXT_ALLOC_NO_OOM);
	if (owner == NULL)
	{
		json_decref(json);
		raise_not_made();
	}
	owner->json = json;
	owner->callback.func = json_release;
	owner->callback.arg = owner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);
	return json;
}

/* Set a key of an object. */
void
hxpy_json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		raise_not_made();
}

/* Append to an array. */
void
hxpy_json_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		raise_not_made();
}

/* Return JSON as palloc'ed text. */
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
