/*
 * rows.c
 *	  Rows that a function returns, filled column by column.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "sql/rows.h"

/* Begin a function's result, a tuplestore. */
void
hxpy_rows_begin(RowWriter *rows, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	rows->result = (ReturnSetInfo *) fcinfo->resultinfo;
	rows->next = 0;
	rows->values = palloc(rows->result->setDesc->natts * sizeof(Datum));
	rows->nulls = palloc(rows->result->setDesc->natts * sizeof(bool));
}

/* Set the row's next column. */
void
hxpy_rows_put(RowWriter *rows, Datum value, bool isnull)
{
	Assert(rows->next < rows->result->setDesc->natts);
	rows->values[rows->next] = value;
	rows->nulls[rows->next++] = isnull;
}

/* Set the row's next column to a text. */
void
hxpy_rows_put_text(RowWriter *rows, const char *text)
{
	hxpy_rows_put(rows, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

/* End the row. */
void
hxpy_rows_end_row(RowWriter *rows)
{
	while (rows->next < rows->result->setDesc->natts)
		hxpy_rows_put(rows, (Datum) 0, true);
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, rows->values, rows->nulls);
	rows->next = 0;
}
