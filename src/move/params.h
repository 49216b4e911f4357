/*
 * params.h
 *	  Parameters of what Python runs.
 */
#ifndef HXPY_PARAMS_H
#define HXPY_PARAMS_H

#include "executor/spi.h"

#include "codec/datum.h"
#include "move/relations.h"

/* Values that Python has given, or NULL. */
typedef struct QueryParams
{
	int			count;
	Oid		   *types;			/* parsing may make the type of a NULL more precise */
	Datum	   *values;
	bool	   *nulls;
	QueryEnvironment *around;	/* transition tables that can be named, or NULL */
	bool		reads_relations;	/* the query that was prepared names some */
} QueryParams;

extern void hxpy_params_read(QueryParams *params, const WireColumn *columns, int count);
extern void hxpy_params_read_as(QueryParams *params, ColumnType **types, int ntypes,
								const WireColumn *columns, int count);
extern SPIPlanPtr hxpy_params_prepare(QueryParams *params, const char *query, int options);
extern ParamListInfo hxpy_params_list(const QueryParams *params);

#endif							/* HXPY_PARAMS_H */
