/*
 * rowset.c
 *	  Rows that a function returns, filled column by column.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "hxpy.h"
#include "sql/rowset.h"

/* Begin a function's result, a tuplestore. */
void
hxpy_rowset_begin(RowSet *rows, FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	rows->result = (ReturnSetInfo *) fcinfo->resultinfo;
	rows->next = 0;
	rows->values = palloc(rows->result->setDesc->natts * sizeof(Datum));
	rows->nulls = palloc(rows->result->setDesc->natts * sizeof(bool));
}

/* Set the row's next column. */
void
hxpy_rowset_put(RowSet *rows, Datum value, bool isnull)
{
	Assert(rows->next < rows->result->setDesc->natts);
	rows->values[rows->next] = value;
	rows->nulls[rows->next++] = isnull;
}

/* Set the row's next column to a text. */
void
hxpy_rowset_put_text(RowSet *rows, const char *text)
{
	hxpy_rowset_put(rows, text != NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

/* End the row. */
void
hxpy_rowset_end_row(RowSet *rows)
{
	while (rows->next < rows->result->setDesc->natts)
		hxpy_rowset_put(rows, (Datum) 0, true);
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, rows->values, rows->nulls);
	rows->next = 0;
}
