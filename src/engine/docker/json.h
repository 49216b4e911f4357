/*
 * json.h
 *	  JSON values in memory contexts.
 *
 * Both functions succeed or ereport.  A json_t that a memory context owns is
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

/* Returns JSON as palloc'ed text, in UTF-8. */
extern char *hxpy_json_write(json_t *json);

#endif							/* HXPY_JSON_H */
