/*
 * program.h
 *	  What calls a batch makes, and by which messages.
 */
#ifndef HXPY_PROGRAM_H
#define HXPY_PROGRAM_H

#include "nodes/execnodes.h"
#include "utils/snapshot.h"

#include "batch/environment.h"
#include "codec/datum.h"
#include "lang/setup.h"

/* What calls have cost; outlives the program. */
typedef struct ProgramCosts
{
	ExchangeCosts sums;
	RowProgress progress;
	char		session[NAMEDATALEN];	/* of the last one */
	bool		runs_sql;		/* Python has asked for SQL in one of them */
	bool		has_begun;		/* a message was sent */
} ProgramCosts;

typedef struct BatchProgram BatchProgram;

/* A call. */
typedef struct ProgramCall
{
	PyFunction *function;
	bool		is_group;		/* its argument is a group of py_agg, with all arguments' columns */
	ColumnType *type;			/* of its value */
	int			guard;			/* expression, or -1 */
	int			output;			/* which of the program's results, or -1 */
	List	   *arguments;		/* expression, or -1 minus the call's number */
	int			step;
	int			returned;		/* which of the step's columns come back, or -1 */
} ProgramCall;

/* A part of an answer. */
typedef struct AnswerPart
{
	char	   *payload;
	size_t		length;
	uint64		nrows;
} AnswerPart;

/* Where an answer is read. */
typedef struct AnswerCursor
{
	int			part;			/* the next one */
	uint64		nrows;			/* left of the current one */
	ColumnReader **readers;
} AnswerCursor;

/* Calls that are made by one message. */
typedef struct ProgramStep
{
	ExchangeSink sink;			/* must be first */
	BatchProgram *program;
	List	   *calls;			/* numbers */
	bool		read_only;		/* their SQL changes nothing */
	char	   *text;			/* what the worker is to do */
	List	   *wants;			/* a column for each call */
	Column	   *functions;		/* by what the worker finds them, a value for each call */
	List	   *columns;		/* that are sent */
	List	   *sources;		/* of these: expression, or -1 minus the call's number */
	int			nreturned;
	ColumnType **types;			/* of the columns that come back */
	Datum	   *values;			/* of a row of these */
	bool	   *nulls;
	List	   *parts;			/* AnswerParts */
	size_t		received;		/* their bytes */
	Exchange   *exchange;		/* that is under way, or NULL */
	uint64		count;			/* rows that it is about */
	uint64		asked;			/* of these, may still come */
	AnswerCursor cursor;
} ProgramStep;

/* Where a result of the program stands once a row of its step is read. */
typedef struct ProgramOutput
{
	const Datum *value;
	const bool *isnull;
} ProgramOutput;

/* An error that waits for its row. */
typedef struct RowError
{
	char	   *payload;		/* of the ERROR frame; NULL for none */
	size_t		length;
	ErrorData  *failure;		/* of SQL that Python has run, or NULL */
	uint32		number;
	const PyFunction *function;
} RowError;

struct BatchProgram
{
	MemoryContext context;		/* of all */
	MemoryContext answers;		/* of what came back */
	MemoryContext work;			/* of one message */
	TravelSettings settings;	/* that were in force */
	ProgramCosts *costs;
	Environment *environment;	/* of the functions, or NULL */
	bool		varies;			/* expressions' values have not all the same size */
	bool		converts;		/* it has a say in what values become on their way */
	Snapshot	snapshot;		/* of the query */
	Oid			user;			/* who the current message was sent for */
	int			security;
	int			ncalls;
	ProgramCall *calls;
	int			ncolumns;
	Column	  **columns;		/* of the expressions' values */
	int			nsteps;
	ProgramStep *steps;
	int			noutputs;
	ProgramOutput *outputs;		/* of all results, by their numbers */
	uint64		added;			/* rows */
	uint64		answered;		/* results of so many are there */
	uint64		given;			/* so many were given out */
	bool		is_started;		/* the first step's message was sent ahead */
	RowError	error;			/* of row `answered` */
};

extern BatchProgram *hxpy_program_create(PlanState *node, List *calls, List *expressions,
										 ProgramCosts *costs);
extern void hxpy_program_free(BatchProgram *program);
extern bool hxpy_program_is_current(const BatchProgram *program);

#endif							/* HXPY_PROGRAM_H */
