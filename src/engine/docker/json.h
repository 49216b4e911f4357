/*
 * json.h
 *	  JSON values in memory contexts.
 *
 * All functions succeed or ereport.  A json_t that a memory context owns is
 * borrowed, never given back by json_decref.
 */
#ifndef HXPY_JSON_H
#define HXPY_JSON_H

/*
 * PostgreSQL exports a function json_object, too, and would win at run time:
 * hide jansson's, so that a call of it does not compile.  json_pack("{}") makes
 * an empty object.  Within jansson the call is safe from 2.13 on, which is
 * linked to prefer its own functions.
 */
#define json_object hxpy_do_not_call_json_object
#include <jansson.h>
#undef json_object

#if JANSSON_VERSION_HEX < 0x020D00
#error "hxpy needs jansson 2.13 or newer"
#endif

/* Gives json to the current memory context; NULL is an error. */
extern json_t *hxpy_json_own(json_t *json);

/*
 * Set a key, append: the value is given to the object or array, which some context owns;
 * NULL, what jansson makes when memory is out or a text is no UTF-8, is an error.
 */
extern void hxpy_json_put(json_t *object, const char *key, json_t *value);
extern void hxpy_json_append(json_t *array, json_t *value);

/* Returns JSON as palloc'ed text, in UTF-8. */
extern char *hxpy_json_write(json_t *json);

#endif							/* HXPY_JSON_H */
