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

#define MAX_ERROR_TEXT	16384

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
	ERRCODE_UNDEFINED_COLUMN,
	ERRCODE_DUPLICATE_COLUMN,
	ERRCODE_WRONG_OBJECT_TYPE,
	ERRCODE_DATATYPE_MISMATCH,
	ERRCODE_INVALID_NAME,
	ERRCODE_PROGRAM_LIMIT_EXCEEDED
};

/* Return a field of an ERROR frame. */
static char *
error_field(const WireColumn *columns, uint32 ncolumns, int field)
{
	const WireColumn *column;

	if (field >= (int) ncolumns)
		return "";
	column = &columns[field];
	if (column->tag != HXPY_TAG_TEXT || column->count != 1)
		return "";
	return hxpy_text_clean(column->data, Min(column->data_length, MAX_ERROR_TEXT));
}

/* Return the SQLSTATE that a worker may give, else that of a Python exception. */
static int
checked_sqlstate(const char *text)
{
	for (int i = 0; i < lengthof(allowed_sqlstates); i++)
	{
		if (strcmp(text, unpack_sql_state(allowed_sqlstates[i])) == 0)
			return allowed_sqlstates[i];
	}
	return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
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
 * `failure`, if that is not NULL, with the number.
 */
void
hxpy_error_raise_python(const char *payload, size_t length, ErrorData *failure, uint32 number)
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
			(errcode(checked_sqlstate(error_field(columns, ncolumns, FIELD_SQLSTATE))),
			 errmsg("%s", message[0] ? message : "Python failed without a message"),
			 detail[0] ? errdetail("%s", detail) : 0,
			 hint[0] ? errhint("%s", hint) : 0,
			 context[0] ? errcontext("%s", context) : 0));
}

/* Show an OUTPUT frame (stream, text) at the level of hxpy.output. */
void
hxpy_error_show_output(const char *payload, size_t length)
{
	char	   *text;

	if (hxpy_output == 0 || length < 1)
		return;
	text = hxpy_text_clean(payload + 1, length - 1);
	ereport(hxpy_output, (errmsg_internal("%s", text), errhidecontext(true), errhidestmt(true)));
	pfree(text);
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
