/*
 * error.c
 *	  Text and errors from the wire → ereport.
 *
 * Whatever a worker says is hostile: its text is made safe (text.c), its
 * SQLSTATE is taken only from a list, its log levels never exceed WARNING.
 */
#include "postgres.h"

#include "hxpy.h"
#include "codec/datum.h"
#include "session/error.h"
#include "guc.h"
#include "codec/protocol.h"
#include "text.h"

/* fields of an ERROR frame, in their order */
#define FIELD_SQLSTATE	0
#define FIELD_MESSAGE	1
#define FIELD_DETAIL	2
#define FIELD_HINT		3
#define FIELD_CONTEXT	4
#define FIELD_FAILURE	5			/* number of what the server has told Python, if it is that */
#define FIELD_OBJECT	6			/* the first of the object's names */
#define FIELD_CALL		11			/* number of the call of a batch that has failed */

/* fields of a MESSAGE frame, in their order */
#define MESSAGE_LEVEL	0
#define MESSAGE_SQLSTATE 1
#define MESSAGE_TEXT	2
#define MESSAGE_DETAIL	3
#define MESSAGE_HINT	4
#define MESSAGE_OBJECT	5			/* the first of the object's names */

#define MAX_ERROR_TEXT	16384

/* names of an object, in their order in both frames */
static const int object_fields[] = {
	PG_DIAG_SCHEMA_NAME, PG_DIAG_TABLE_NAME, PG_DIAG_COLUMN_NAME, PG_DIAG_DATATYPE_NAME,
	PG_DIAG_CONSTRAINT_NAME
};

static const struct
{
	const char *name;
	int			level;
}			message_levels[] = {
	{"debug", DEBUG2}, {"log", LOG}, {"info", INFO}, {"notice", NOTICE}, {"warning", WARNING}
};

/* SQLSTATEs that the worker may choose (python/hxpy) */
static const int allowed_sqlstates[] = {
	ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
	ERRCODE_CANNOT_COERCE,
	ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
	ERRCODE_INVALID_DATETIME_FORMAT,
	ERRCODE_DATETIME_FIELD_OVERFLOW,
	ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
	ERRCODE_INVALID_PARAMETER_VALUE,
	ERRCODE_ARRAY_SUBSCRIPT_ERROR,
	ERRCODE_INVALID_TEXT_REPRESENTATION,
	ERRCODE_INVALID_BINARY_REPRESENTATION,
	ERRCODE_UNDEFINED_COLUMN,
	ERRCODE_DUPLICATE_COLUMN,
	ERRCODE_UNDEFINED_FUNCTION,
	ERRCODE_WRONG_OBJECT_TYPE,
	ERRCODE_DATATYPE_MISMATCH,
	ERRCODE_INVALID_NAME,
	ERRCODE_FEATURE_NOT_SUPPORTED,
	ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
	ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	ERRCODE_INSUFFICIENT_RESOURCES,
	ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
};

/* Return a field of a frame of texts, at most so many bytes of it; "" where there is none. */
char *
hxpy_error_text(const WireColumn *columns, uint32 ncolumns, uint32 field, size_t limit)
{
	if (field >= ncolumns || columns[field].tag != HXPY_TAG_TEXT || columns[field].count != 1)
		return "";
	return hxpy_text_clean(columns[field].data, Min(columns[field].data_length, limit));
}

/* Return a field of an ERROR or MESSAGE frame. */
static char *
error_field(const WireColumn *columns, uint32 ncolumns, uint32 field)
{
	return hxpy_error_text(columns, ncolumns, field, MAX_ERROR_TEXT);
}

/*
 * Return whether a function may raise an SQLSTATE, as one of PL/pgSQL may: not those that
 * are no errors, nor those by which the server tells of its own state.
 */
static bool
is_raisable(const char *text)
{
	static const char *const classes[] = {"00", "01", "02", "03", "57", "58", "F0", "XX"};

	if (strlen(text) != 5 || strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
		return false;
	for (int i = 0; i < lengthof(classes); i++)
	{
		if (strncmp(text, classes[i], 2) == 0)
			return false;
	}
	return true;
}

/* Return the SQLSTATE that a worker may give, else that of a Python exception. */
static int
checked_sqlstate(const char *text, bool of_function)
{
	if (of_function && is_raisable(text))
		return MAKE_SQLSTATE(text[0], text[1], text[2], text[3], text[4]);
	for (int i = 0; i < lengthof(allowed_sqlstates); i++)
	{
		if (strcmp(text, unpack_sql_state(allowed_sqlstates[i])) == 0)
			return allowed_sqlstates[i];
	}
	return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
}

/* Give the error that is being made the names of an object. */
static int
set_object(const WireColumn *columns, uint32 ncolumns, int first)
{
	for (int i = 0; i < lengthof(object_fields); i++)
	{
		const char *name = error_field(columns, ncolumns, first + i);

		if (name[0])
			err_generic_string(object_fields[i], name);
	}
	return 0;
}

/*
 * Raise a query's error that Python has not caught, with its traceback.  The context of
 * all that surrounds it is there already.
 */
static void
raise_failure(ErrorData *failure, const char *context)
{
	if (context[0])
		failure->context = failure->context == NULL ? pstrdup(context) :
			psprintf("%s\n%s", failure->context, context);
	ReThrowError(failure);
}

/*
 * Raise the error of an ERROR frame.  It may be a query's that Python has not caught:
 * `failure`, if that is not NULL, with the number.  A function of the language may raise
 * nearly any SQLSTATE.
 */
void
hxpy_error_raise_python(const char *payload, size_t length, bool of_function, ErrorData *failure,
						uint32 number)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(payload, length, HXPY_MAX_COLUMNS, &ncolumns);
	char	   *message = error_field(columns, ncolumns, FIELD_MESSAGE);
	char	   *detail = error_field(columns, ncolumns, FIELD_DETAIL);
	char	   *hint = error_field(columns, ncolumns, FIELD_HINT);
	char	   *context = error_field(columns, ncolumns, FIELD_CONTEXT);

	if (failure != NULL &&
		strcmp(error_field(columns, ncolumns, FIELD_FAILURE), psprintf("%u", number)) == 0)
		raise_failure(failure, context);
	ereport(ERROR,
			(errcode(checked_sqlstate(error_field(columns, ncolumns, FIELD_SQLSTATE),
									  of_function)),
			 errmsg("%s", message[0] ? message : "Python failed without a message"),
			 detail[0] ? errdetail("%s", detail) : 0,
			 hint[0] ? errhint("%s", hint) : 0,
			 context[0] ? errcontext("%s", context) : 0,
			 set_object(columns, ncolumns, FIELD_OBJECT)));
}

/* Return the number of the call that an ERROR frame says has failed: what the worker claims. */
uint32
hxpy_error_call(const char *payload, size_t length)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(payload, length, HXPY_MAX_COLUMNS, &ncolumns);

	return (uint32) strtoul(error_field(columns, ncolumns, FIELD_CALL), NULL, 10);
}

/* Show a MESSAGE frame; of one that is longer than the limit only that it was cut. */
void
hxpy_error_show_message(const char *payload, size_t length, size_t limit)
{
	uint32		ncolumns;
	WireColumn *columns = hxpy_datum_parse_batch(payload, length, HXPY_MAX_COLUMNS, &ncolumns);
	char	   *level = error_field(columns, ncolumns, MESSAGE_LEVEL);
	char	   *sqlstate = error_field(columns, ncolumns, MESSAGE_SQLSTATE);
	char	   *text = error_field(columns, ncolumns, MESSAGE_TEXT);
	char	   *detail = error_field(columns, ncolumns, MESSAGE_DETAIL);
	char	   *hint = error_field(columns, ncolumns, MESSAGE_HINT);
	int			elevel = NOTICE;

	for (int i = 0; i < lengthof(message_levels); i++)
	{
		if (strcmp(level, message_levels[i].name) == 0)
			elevel = message_levels[i].level;
	}
	if (length > limit)
	{
		text = "... (output cut at the limit)";
		detail = hint = "";
	}
	ereport(elevel,
			(is_raisable(sqlstate) ? errcode(checked_sqlstate(sqlstate, true)) : 0,
			 errmsg("%s", text),
			 detail[0] ? errdetail("%s", detail) : 0,
			 hint[0] ? errhint("%s", hint) : 0,
			 set_object(columns, ncolumns, MESSAGE_OBJECT)));
}

/* Write a LOG frame (level of Python's logging, text) to the server log. */
void
hxpy_error_show_log(const char *payload, size_t length, const char *session)
{
	char	   *text;
	uint8		level;

	if (length < 1)
		return;
	level = (uint8) payload[0];
	text = hxpy_text_clean(payload + 1, Min(length - 1, MAX_ERROR_TEXT));
	/* Above LOG_SERVER_ONLY a record would go to the client as well. */
	ereport(level < 20 ? DEBUG1 : LOG_SERVER_ONLY,
			(errmsg_internal("session \"%s\": %s", session, text), errhidestmt(true),
			 errhidecontext(true)));
	pfree(text);
}
