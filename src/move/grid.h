/*
 * grid.h
 *	  Tables: a query's rows → worker (sender.c), worker → rows (grid.c).
 */
#ifndef HXPY_GRID_H
#define HXPY_GRID_H

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

#include "codec/datum.h"
#include "session/session.h"

/* How a stream of rows from Python becomes tuples. */
typedef struct RowsReader
{
	TupleDesc	tupdesc;
	int			ncolumns;		/* that are not dropped */
	ColumnType **types;
	char	  **names;			/* UTF-8 */
	Datum	   *values;			/* of one tuple */
	bool	   *nulls;
	MemoryContext batch_context;	/* the current batch and its Datums */
	ColumnReader **readers;		/* of the current batch */
	uint64		rows_left;		/* in it */
	SessionSlot *slot;			/* of the session they come from */
	Tuplestorestate *store;		/* where rows go, or NULL when they are fetched */
} RowsReader;

/* A text that an instruction carries, by name. */
typedef struct InstructionText
{
	const char *name;
	const char *value;			/* in the server's encoding */
} InstructionText;

typedef struct QuerySender QuerySender;

/* sender.c */
extern QuerySender *hxpy_sender_create(PySession *session, uint8 type,
									   const InstructionText *texts, int ntexts,
									   RowsReader *wants, RowsSink sink, void *arg);
extern void hxpy_sender_run(QuerySender *sender, const char *query);
extern void hxpy_sender_open(QuerySender *sender, const char *query);
extern void hxpy_sender_step(QuerySender *sender);
extern bool hxpy_sender_has_ended(const QuerySender *sender);
extern void hxpy_sender_close(QuerySender *sender);

/* grid.c */
extern RowsReader *hxpy_grid_reader(TupleDesc tupdesc, Tuplestorestate *store);
extern void hxpy_grid_write_texts(const InstructionText *texts, int ntexts, GatherList *list);
extern void hxpy_grid_write_wants(RowsReader *reader, GatherList *list);
extern void hxpy_grid_open_batch(RowsReader *reader, const char *payload, size_t length);
extern bool hxpy_grid_next_row(RowsReader *reader);
extern void hxpy_grid_take_rows(void *arg, const char *payload, size_t length);
extern void hxpy_grid_begin(PySession *session, const InstructionText *texts, int ntexts,
							RowsReader *reader);
extern void hxpy_grid_receive(PySession *session, const InstructionText *texts, int ntexts,
							  RowsReader *reader);
extern void hxpy_grid_exchange(PySession *session, uint8 type, const InstructionText *texts,
							   int ntexts, RowsReader *reader, const char *query);

/* scan.c */
extern void hxpy_scan_init(void);

#endif							/* HXPY_GRID_H */
