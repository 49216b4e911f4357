/*
 * hxpy_test.c
 *	  The column codec of hxpy as SQL functions: golden and damaged batches.
 *
 * Links the objects of src/ that it tests, and has a setting of its own in the
 * place of hxpy.numeric; hxpy.unsupported is what it is by default.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "hxpy.h"
#include "codec/column.h"
#include "codec/datum.h"
#include "guc.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hxpy_test_encode);
PG_FUNCTION_INFO_V1(hxpy_test_want);
PG_FUNCTION_INFO_V1(hxpy_test_decode);
PG_FUNCTION_INFO_V1(hxpy_test_parse);

void		_PG_init(void);

int			hxpy_numeric = HXPY_NUMERIC_FLOAT;
int			hxpy_unsupported = HXPY_UNSUPPORTED_ERROR;

static const struct config_enum_entry numeric_modes[] = {
	{"float", HXPY_NUMERIC_FLOAT, false},
	{"decimal", HXPY_NUMERIC_DECIMAL, false},
	{NULL, 0, false}
};

/* Define the module's setting. */
void
_PG_init(void)
{
	DefineCustomEnumVariable("hxpy_test.numeric", "What hxpy.numeric is to hxpy.", NULL,
							 &hxpy_numeric, HXPY_NUMERIC_FLOAT, numeric_modes, PGC_USERSET,
							 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("hxpy_test");
}

/* Return a batch of one column as a bytea. */
static bytea *
batch_bytea(Column *column)
{
	GatherList	list;
	bytea	   *result;
	char	   *end;

	hxpy_gather_init(&list, CurrentMemoryContext);
	hxpy_column_write_batch(1, &list);
	hxpy_column_write(column, &list);
	result = palloc(VARHDRSZ + list.length);
	SET_VARSIZE(result, VARHDRSZ + list.length);
	end = VARDATA(result);
	for (int i = 0; i < list.npieces; i++)
	{
		const GatherPiece *piece = &list.pieces[i];

		memcpy(end, piece->data ? piece->data : list.own.data + piece->offset, piece->length);
		end += piece->length;
	}
	return result;
}

/*
 * hxpy_test_encode(VARIADIC "any"): the arguments as a column.
 */
Datum
hxpy_test_encode(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Column	   *column = hxpy_column_create(hxpy_coltype_create(type, -1, false), "v",
											CurrentMemoryContext);

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (get_fn_expr_argtype(fcinfo->flinfo, i) != type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("the arguments are of different types")));
		hxpy_column_append(column, PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i),
						   PG_ARGISNULL(i));
	}
	PG_RETURN_BYTEA_P(batch_bytea(column));
}

/*
 * hxpy_test_want(anyelement): the column that asks for the argument's type.
 */
Datum
hxpy_test_want(PG_FUNCTION_ARGS)
{
	ColumnType *type = hxpy_coltype_create(get_fn_expr_argtype(fcinfo->flinfo, 0), -1, true);

	PG_RETURN_BYTEA_P(batch_bytea(hxpy_column_create(type, "v", CurrentMemoryContext)));
}

/*
 * hxpy_test_decode(bytea, anyelement): the values of a batch of one column.
 */
Datum
hxpy_test_decode(PG_FUNCTION_ARGS)
{
	FuncCallContext *context;
	ColumnReader *reader;
	Datum		value;
	bool		isnull;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		bytea	   *batch;
		ColumnType *type;
		ColumnReader **readers;
		uint64		count;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		if (PG_ARGISNULL(0))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the batch is null")));
		/* A copy, so that a reader that runs over its end leaves a palloc'd chunk. */
		batch = PG_GETARG_BYTEA_P_COPY(0);
		type = hxpy_coltype_create(get_fn_expr_argtype(fcinfo->flinfo, 1), -1, true);
		readers = hxpy_datum_readers(&type, 1, VARDATA(batch), VARSIZE(batch) - VARHDRSZ, &count);
		context->user_fctx = readers[0];
		MemoryContextSwitchTo(old);
	}
	context = SRF_PERCALL_SETUP();
	reader = context->user_fctx;
	CHECK_FOR_INTERRUPTS();
	if (reader->next >= reader->wire->count)
		SRF_RETURN_DONE(context);
	value = hxpy_datum_next(reader, &isnull);
	if (isnull)
		SRF_RETURN_NEXT_NULL(context);
	SRF_RETURN_NEXT(context, value);
}

/*
 * hxpy_test_parse(bytea): the number of columns of a batch.
 */
Datum
hxpy_test_parse(PG_FUNCTION_ARGS)
{
	bytea	   *batch = PG_GETARG_BYTEA_P_COPY(0);
	uint32		ncolumns;

	hxpy_datum_parse_batch(VARDATA(batch), VARSIZE(batch) - VARHDRSZ, HXPY_MAX_COLUMNS,
						   &ncolumns);
	PG_RETURN_INT32((int32) ncolumns);
}
