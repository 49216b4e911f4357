/*
 * into.c
 *	  Rows from Python → a table.
 *
 * COPY FROM itself reads the rows, batch by batch, so that constraints, defaults,
 * generated and identity columns, triggers, partitions and indexes are served as
 * by any COPY, with multi-inserts.  What it reads, in its binary form, are rows
 * without fields; the columns that come from Python are among those that it fills
 * with defaults, by expressions of ours that read the worker's batch (datum.c).
 * So no value takes COPY's way through bytes and receive functions.  COPY's
 * callback has no argument: the stream under way is a static variable, set around
 * the call.  Row security is refused as COPY does.
 *
 * What the rows meet on their way (triggers, checks, defaults) may need the session that
 * they come from: then the rest of them goes to a temporary file first.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "storage/buffile.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "hxpy.h"
#include "codec/column.h"
#include "codec/datum.h"
#include "codec/protocol.h"
#include "move/into.h"
#include "move/ask.h"
#include "text.h"

/* what COPY's binary form begins with: a signature, flags, the length of no extension */
static const char copy_header[19] = "PGCOPY\n\377\r\n";

/* What to do when the table is there already (pandas' to_sql). */
typedef enum IfExists
{
	IF_EXISTS_FAIL,
	IF_EXISTS_REPLACE,
	IF_EXISTS_APPEND
} IfExists;

static const char *const choices[] = {"fail", "replace", "append"};

/* A column of the table that comes from Python, in the place of its default. */
typedef struct IntoColumn
{
	ExprState	expression;		/* must be first: COPY has it evaluated for each row */
	ColumnReader *reader;		/* of the current batch */
	CopyFromState copy;
	const char *name;			/* for errors */
} IntoColumn;

/* Rows on their way into a table. */
typedef struct IntoStream
{
	ExchangeSink sink;			/* must be first */
	Exchange	exchange;
	const char *writer;			/* what is called to write them */
	const RangeVar *table;
	IfExists	if_exists;		/* FAIL where there is none */
	uint64		count;			/* of rows written */
	RowProgress progress;
	int			ncolumns;
	ColumnType **types;
	TupleDesc	wanted;			/* what the worker was told of the table; NULL of a new one */
	uint32		max_columns;	/* of an announcement */
	MemoryContext batch_context;
	IntoColumn *columns;
	const char *bytes;			/* what COPY reads next; NULL: zeros */
	size_t		nbytes;			/* how many of them */
	bool		ended;
	BufFile    *rest;			/* batches, each after its length; NULL while they come */
} IntoStream;

static IntoStream *current_stream = NULL;

/* ---------- the table ---------- */

/* Return a column's name in the server's encoding, checked as an identifier. */
static char *
column_name(const WireColumn *column)
{
	char	   *name = pnstrdup(column->name, column->name_length);
	bool		has_nul = strlen(name) != column->name_length;

	name = pg_any_to_server(name, strlen(name), PG_UTF8);
	if (has_nul || name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid column name \"%s\"",
						hxpy_text_clean(column->name, Min(column->name_length, 2 * NAMEDATALEN))),
				 errdetail("A name has 1 to %d bytes, and no NUL among them.", NAMEDATALEN - 1),
				 errhint("Rename the column in Python.")));
	return name;
}

/* Run a statement as the current user. */
static void
run_statement(const char *statement)
{
	int			result;

	SPI_connect();
	result = SPI_execute(statement, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/* Return a table's name, quoted where needed. */
static char *
quote_range_var(const RangeVar *table)
{
	return quote_qualified_identifier(table->schemaname, table->relname);
}

/* Append the columns of a batch with their types, as a table's definition has them. */
static void
append_columns(StringInfo list, const WireColumn *columns, uint32 ncolumns,
			   char *(*type_name) (Oid type))
{
	for (uint32 i = 0; i < ncolumns; i++)
		appendStringInfo(list, "%s%s %s", i > 0 ? ", " : "",
						 quote_identifier(column_name(&columns[i])),
						 type_name(hxpy_coltype_of_wire(&columns[i])));
}

/* Create the table with the columns of a batch. */
static void
create_table(const RangeVar *table, const WireColumn *columns, uint32 ncolumns)
{
	StringInfoData statement;

	initStringInfo(&statement);
	appendStringInfo(&statement, "CREATE TABLE %s (", quote_range_var(table));
	append_columns(&statement, columns, ncolumns, format_type_be_qualified);
	appendStringInfoChar(&statement, ')');
	run_statement(statement.data);
}

/*
 * Check that the current user may insert into a table, or at least into one of its
 * columns, before the table is locked.
 */
static void
check_before_lock(const RangeVar *table, Oid relid, Oid old_relid, void *arg)
{
	if (OidIsValid(relid) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_INSERT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)),
					   table->relname);
}

/* Open a table that rows are to be appended to, if the current user may do so. */
static Relation
open_table(const IntoStream *stream, LOCKMODE lock)
{
	Oid			relid = RangeVarGetRelidExtended(stream->table, lock, 0, check_before_lock, NULL);
	Relation	rel = table_open(relid, NoLock);

	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write into table \"%s\" with row-level security",
						RelationGetRelationName(rel)),
				 errhint("Use INSERT INTO ... SELECT * FROM py_eval_grid(...).")));
	if (XactReadOnly && !rel->rd_islocaltemp)
		PreventCommandIfReadOnly(stream->writer);
	return rel;
}

/* Check that the current user may insert into columns of a table, as COPY FROM does. */
static void
check_insert(ParseState *pstate, Relation rel, const List *attnums)
{
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	foreach(cell, attnums)
		columns = bms_add_member(columns, lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
	HxpyCheckInsert(pstate, rel, columns);
}

/* ---------- the rows ---------- */

/* Give COPY the next value of a column, as if it were the column's default. */
static Datum
read_value(ExprState *expression, ExprContext *context, bool *isnull)
{
	IntoColumn *column = (IntoColumn *) expression;
	Datum		value;

	column->copy->cur_attname = column->name;
	value = hxpy_datum_next(column->reader, isnull);
	column->copy->cur_attname = NULL;
	return value;
}

/*
 * Let COPY take all columns that it was told of from the stream: its input has no
 * fields for them, and they go before the columns that it fills with defaults.
 */
static void
replace_fields(IntoStream *stream, CopyFromState copy, const List *attnums)
{
	int			count = list_length(attnums);
	ListCell   *cell;

	for (int i = copy->num_defaults - 1; i >= 0; i--)
	{
		ExprState  *expression = *HxpyCopyDefault(copy, i);

		copy->defmap[count + i] = copy->defmap[i];
		*HxpyCopyDefault(copy, count + i) = expression;
	}
	foreach(cell, attnums)
	{
		int			place = foreach_current_index(cell);
		IntoColumn *column = &stream->columns[place];

		copy->defmap[place] = lfirst_int(cell) - 1;
		column->expression.type = T_ExprState;
		column->expression.evalfunc = read_value;
		column->copy = copy;
		column->name = NameStr(TupleDescAttr(RelationGetDescr(copy->rel),
											 copy->defmap[place])->attname);
		*HxpyCopyDefault(copy, place) = &column->expression;
	}
	copy->num_defaults += count;
	copy->attnumlist = NIL;
}

/* Return how many rows the batch at hand has, which is checked for that. */
static uint64
count_rows(IntoStream *stream)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		nrows;

	(void) hxpy_datum_readers(stream->types, stream->ncolumns, stream->exchange.payload,
							  stream->exchange.length, &nrows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return nrows;
}

/* Count rows that have come. */
static void
count_out(Exchange *exchange, uint64 rows)
{
	hxpy_registry_add(exchange->conn->slot, COUNT_ROWS_OUT, rows);
	hxpy_exchange_count(exchange, rows);
}

/*
 * Put the rest of the batches into a file, since the session is needed.  Their rows count
 * now: when they are inserted the session may be another one's.
 */
static void
spool_rest(void *arg)
{
	IntoStream *stream = arg;
	Exchange   *exchange = &stream->exchange;
	MemoryContext old = MemoryContextSwitchTo(exchange->context);
	BufFile    *file = BufFileCreateTemp(false);

	exchange->resting = false;
	hxpy_clock_count_all(&exchange->clock);
	while (hxpy_exchange_next(exchange))
	{
		count_out(exchange, count_rows(stream));
		BufFileWrite(file, &exchange->length, sizeof(exchange->length));
		BufFileWrite(file, unconstify(char *, exchange->payload), exchange->length);
	}
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		elog(ERROR, "could not rewind a temporary file");
	stream->rest = file;
	MemoryContextSwitchTo(old);
}

/* Read from the file; what is not there is an error. */
static void
read_file(BufFile *file, void *data, size_t length)
{
	if (BufFileRead(file, data, length) != length)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from a temporary file: %m")));
}

/* Get the next batch of rows out of the file; false at their end. */
static bool
next_of_rest(IntoStream *stream)
{
	Exchange   *exchange = &stream->exchange;
	char	   *payload;

	if (BufFileRead(stream->rest, &exchange->length, sizeof(exchange->length)) !=
		sizeof(exchange->length))
		return false;
	payload = MemoryContextAllocHuge(stream->batch_context, Max(exchange->length, 1));
	read_file(stream->rest, payload, exchange->length);
	exchange->payload = payload;
	return true;
}

/* Get the next batch of rows; false at their end.  Until the next call spool_rest() may run. */
static bool
next_batch(IntoStream *stream)
{
	Exchange   *exchange = &stream->exchange;
	MemoryContext old;

	if (stream->rest != NULL)
		return next_of_rest(stream);
	/* An error in spool_rest() was caught by what had needed the session. */
	hxpy_exchange_check(exchange);
	exchange->resting = false;
	if (!hxpy_exchange_next(exchange))
		return false;
	exchange->resting = true;
	old = MemoryContextSwitchTo(stream->batch_context);
	hxpy_exchange_keep(exchange);
	MemoryContextSwitchTo(old);
	return true;
}

/* Begin a batch: its values wait in the readers; its rows are their numbers of fields, 0. */
static void
take_batch(IntoStream *stream, const char *payload, size_t length)
{
	MemoryContext old = MemoryContextSwitchTo(stream->batch_context);
	uint64		nrows;
	ColumnReader **readers = hxpy_datum_readers(stream->types, stream->ncolumns, payload, length,
												&nrows);

	for (int i = 0; i < stream->ncolumns; i++)
		stream->columns[i].reader = readers[i];
	MemoryContextSwitchTo(old);
	stream->bytes = NULL;
	stream->nbytes = nrows * sizeof(int16);
	if (stream->rest == NULL && stream->exchange.conn != NULL)
		count_out(&stream->exchange, nrows);
}

/* End a batch, of which COPY has taken every value: it reads no further than it has got. */
static void
end_batch(IntoStream *stream)
{
	for (int i = 0; i < stream->ncolumns; i++)
	{
		const ColumnReader *reader = stream->columns[i].reader;

		if (reader != NULL && reader->next != reader->wire->count)
			elog(ERROR, "COPY has left values of a batch");
		stream->columns[i].reader = NULL;
	}
	MemoryContextReset(stream->batch_context);
}

/* Get more for COPY: the rows of a batch, or at the end the form's trailer. */
static void
refill(IntoStream *stream)
{
	static const int16 trailer = -1;

	end_batch(stream);
	if (next_batch(stream))
		take_batch(stream, stream->exchange.payload, stream->exchange.length);
	else
	{
		stream->bytes = (const char *) &trailer;
		stream->nbytes = sizeof(trailer);
		stream->ended = true;
	}
}

/* Give COPY its next bytes. */
static int
give_bytes(void *out, int minread, int maxread)
{
	IntoStream *stream = current_stream;
	size_t		given;

	while (stream->nbytes == 0 && !stream->ended)
		refill(stream);
	given = Min(stream->nbytes, (size_t) maxread);
	if (stream->bytes == NULL)
		memset(out, 0, given);
	else
	{
		memcpy(out, stream->bytes, given);
		stream->bytes += given;
	}
	stream->nbytes -= given;
	return (int) given;
}

/* Write the rows of the stream into columns of a table; returns how many. */
static uint64
copy_rows(IntoStream *stream, ParseState *pstate, Relation rel, List *names, List *attnums)
{
	List	   *options = list_make1(makeDefElem("format", (Node *) makeString("binary"), -1));
	IntoStream *outer = current_stream; /* a trigger of its table has called */
	CopyFromState copy;
	uint64		count;

	stream->bytes = copy_header;
	stream->nbytes = sizeof(copy_header);
	PG_TRY();
	{
		current_stream = stream;
		copy = BeginCopyFrom(pstate, rel, NULL, NULL, false, give_bytes, names, options);
		replace_fields(stream, copy, attnums);
		count = CopyFrom(copy);
		EndCopyFrom(copy);
	}
	PG_FINALLY();
	{
		current_stream = outer;
	}
	PG_END_TRY();
	return count;
}

/*
 * Return the number of the table's column that a column of the batch goes to.  The
 * table was not locked while Python computed.
 */
static AttrNumber
find_column(const IntoStream *stream, Relation rel, const WireColumn *column, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						hxpy_text_clean(column->name, column->name_length),
						RelationGetRelationName(rel))));
	if (stream->wanted != NULL &&
		(attnum > stream->wanted->natts ||
		 TupleDescAttr(stream->wanted, attnum - 1)->atttypid !=
		 TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of table \"%s\" was changed while Python computed",
						name, RelationGetRelationName(rel)),
				 errhint("Call %s again.", stream->writer)));
	return attnum;
}

/* Open the table and write the stream's rows into the columns of a batch. */
static void
write_table(IntoStream *stream, const WireColumn *columns, uint32 ncolumns)
{
	ParseState *pstate = make_parsestate(NULL);
	Relation	rel = open_table(stream, RowExclusiveLock);
	List	   *names = NIL;
	List	   *attnums = NIL;

	stream->ncolumns = (int) ncolumns;
	stream->types = palloc(Max(ncolumns, 1) * sizeof(ColumnType *));
	stream->columns = palloc0(Max(ncolumns, 1) * sizeof(IntoColumn));
	for (uint32 i = 0; i < ncolumns; i++)
	{
		char	   *name = column_name(&columns[i]);
		AttrNumber	attnum = find_column(stream, rel, &columns[i], name);
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

		stream->types[i] = hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, true);
		names = lappend(names, makeString(name));
		attnums = lappend_int(attnums, attnum);
	}
	check_insert(pstate, rel, attnums);
	stream->count = copy_rows(stream, pstate, rel, names, attnums);
	table_close(rel, NoLock);
	free_parsestate(pstate);
}

/*
 * Want the columns that the table can take, so that the worker chooses among them.
 * Python may compute for long: meanwhile the table is not locked.
 */
static void
want_columns(IntoStream *stream)
{
	Relation	rel = open_table(stream, AccessShareLock);
	TupleDesc	tupdesc = RelationGetDescr(rel);

	stream->wanted = CreateTupleDescCopy(tupdesc);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnType *type;

		if (attribute->attisdropped || attribute->attgenerated)
			continue;
		type = hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, true);
		hxpy_exchange_add_want(&stream->exchange, type,
							   hxpy_coltype_to_utf8(NameStr(attribute->attname)));
		stream->max_columns += hxpy_coltype_count(type);
	}
	table_close(rel, AccessShareLock);
}

/*
 * Take the announcement of the columns, and then the rows, into the table: a new one
 * (IF_EXISTS_FAIL), one in the place of the old, or the old.
 */
static void
receive_rows(ExchangeSink *sink, Exchange *exchange)
{
	IntoStream *stream = (IntoStream *) sink;
	WireColumn *columns;
	uint32		ncolumns;

	exchange->owner = CurrentResourceOwner;
	if (!next_batch(stream))
	{
		if (stream->if_exists == IF_EXISTS_APPEND)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the value has no rows, so that its columns are not known"),
				 errhint("Create the table first and append to it.")));
	}
	/* The batch goes with the next one. */
	hxpy_exchange_keep(exchange);
	columns = hxpy_datum_parse_batch(exchange->payload, exchange->length, stream->max_columns,
									 &ncolumns);
	if (stream->if_exists == IF_EXISTS_REPLACE)
		run_statement(psprintf("DROP TABLE %s", quote_range_var(stream->table)));
	if (stream->if_exists != IF_EXISTS_APPEND)
		create_table(stream->table, columns, ncolumns);
	write_table(stream, columns, ncolumns);
	if (!stream->ended)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("rows after the end of the table")));
}

/* Return what is to be done when the table is there already. */
static IfExists
parse_choice(const char *if_exists)
{
	for (int i = 0; i < lengthof(choices); i++)
	{
		if (strcmp(if_exists, choices[i]) == 0)
			return (IfExists) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value of if_exists: \"%s\"", if_exists),
			 errhint("Available values: fail, replace, append.")));
}

/*
 * Write the rows that a stream's exchange brings into a table, which is created, replaced
 * or appended to; returns how many.  The exchange has the text that says which rows.
 */
static uint64
run_stream(IntoStream *stream, const char *table, const char *if_exists)
{
	RangeVar   *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(table)));
	Oid			relid = RangeVarGetRelid(range, NoLock, true);
	bool		exists = OidIsValid(relid);
	IfExists	choice = parse_choice(if_exists);

	if (exists && choice == IF_EXISTS_FAIL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", range->relname),
				 errhint("Choose \"append\" or \"replace\" for if_exists.")));
	/* What replaces a table stands where that stood, in pg_temp, too. */
	if (exists)
		range->schemaname = get_namespace_name_or_temp(get_rel_namespace(relid));
	stream->sink.pull = receive_rows;
	stream->table = range;
	stream->if_exists = exists ? choice : IF_EXISTS_FAIL;
	stream->batch_context = AllocSetContextCreate(CurrentMemoryContext, "hxpy batch",
												  ALLOCSET_DEFAULT_SIZES);
	hxpy_exchange_add_text(&stream->exchange, "mode",
						   stream->if_exists == IF_EXISTS_APPEND ? "append" : "create");
	stream->exchange.sink = &stream->sink;
	stream->exchange.rows = &stream->progress;
	stream->exchange.spool = spool_rest;
	stream->exchange.spool_arg = stream;
	stream->max_columns = 2 * HXPY_MAX_COLUMNS; /* each may be an array */
	if (stream->if_exists == IF_EXISTS_APPEND)
		want_columns(stream);
	hxpy_exchange_run(&stream->exchange);
	if (stream->rest != NULL)
		BufFileClose(stream->rest);
	MemoryContextDelete(stream->batch_context);
	return stream->count;
}

/* Write the rows of an expression's value into a table; returns how many. */
uint64
hxpy_into_run(PySession *session, const char *expression, const char *table,
			  const char *if_exists)
{
	IntoStream	stream = {.writer = "py_eval_into"};

	hxpy_session_exchange(&stream.exchange, session, HXPY_FRAME_EVAL_GRID);
	hxpy_exchange_add_text(&stream.exchange, "expr", expression);
	return run_stream(&stream, table, if_exists);
}

/* Takes the columns that a value's table has, which come without rows. */
typedef struct ColumnsSink
{
	ExchangeSink sink;			/* must be first */
	StringInfoData list;
} ColumnsSink;

/* Take the columns. */
static void
take_columns(ExchangeSink *sink, const char *payload, size_t length)
{
	ColumnsSink *columns = (ColumnsSink *) sink;
	uint32		ncolumns;
	WireColumn *wire = hxpy_datum_parse_batch(payload, length, 2 * HXPY_MAX_COLUMNS, &ncolumns);

	resetStringInfo(&columns->list);
	append_columns(&columns->list, wire, ncolumns, format_type_be);
}

/* Return the columns that a table of an expression's value would have: "a bigint, b text". */
char *
hxpy_into_columns(PySession *session, const char *expression)
{
	ColumnsSink sink = {.sink.take = take_columns};
	Exchange	exchange;

	initStringInfo(&sink.list);
	hxpy_session_exchange(&exchange, session, HXPY_FRAME_EVAL_GRID);
	hxpy_exchange_add_text(&exchange, "expr", expression);
	hxpy_exchange_add_text(&exchange, "mode", "columns");
	exchange.sink = &sink.sink;
	hxpy_exchange_run(&exchange);
	return sink.list.data;
}

/*
 * Write what Python has asked for, by a request within the one that waits: texts `kept`,
 * by which the worker knows the value, `name` of the table, and `if_exists`.
 */
static void
request_table(Exchange *exchange, const WireColumn *columns, uint32 ncolumns)
{
	IntoStream	stream = {.writer = "hxpy.to_table"};
	char	   *table;
	uint64		count;

	if (ncolumns != 3)
		hxpy_ask_raise_invalid();
	if (exchange->read_only)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is not allowed in a non-volatile function", stream.writer)));
	table = hxpy_ask_text(&columns[1]);
	hxpy_exchange_init(&stream.exchange, exchange->conn, HXPY_FRAME_EVAL_GRID);
	hxpy_exchange_add_text(&stream.exchange, "kept", hxpy_ask_text(&columns[0]));
	stream.exchange.shown = table;
	stream.exchange.clock.limit_ms = exchange->clock.limit_ms;
	stream.exchange.clock.limit_name = exchange->clock.limit_name;
	/* In a procedure that has committed there is none. */
	PushActiveSnapshot(GetTransactionSnapshot());
	count = run_stream(&stream, table, hxpy_ask_text(&columns[2]));
	PopActiveSnapshot();
	hxpy_column_write_batch(1, &exchange->answer);
	hxpy_column_write_text("processed", psprintf(UINT64_FORMAT, count), &exchange->answer);
}

/* Answer the frame TABLE. */
static void
answer_table(Exchange *exchange, const char *payload, size_t length)
{
	hxpy_ask_run(exchange, payload, length, 3, ASK_INSIDE, request_table);
}

/* Have tables written. */
void
hxpy_into_init(void)
{
	hxpy_exchange_on_ask(HXPY_FRAME_TABLE, answer_table);
}
