/*
 * coltype.h
 *	  How SQL types travel.
 */
#ifndef HXPY_COLTYPE_H
#define HXPY_COLTYPE_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "nodes/pg_list.h"

#include "codec/wire.h"

/* days and microseconds from PostgreSQL's epoch to 1970-01-01, where the wire's begins */
#define HXPY_EPOCH_DAYS	(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define HXPY_EPOCH_USECS	((int64) HXPY_EPOCH_DAYS * USECS_PER_DAY)

/*
 * How one SQL type travels.  Set up once, used for many values; everything
 * lives in the memory context that was current at set-up.
 */
typedef struct ColumnType
{
	uint8		tag;			/* HXPY_TAG_... */
	Oid			type_id;		/* as declared, perhaps a domain */
	Oid			base_id;		/* without domains */
	int32		typmod;			/* of the base type */
	const char *name;			/* of a record's field, UTF-8 */
	char	   *extra;			/* UTF-8: time zone, mode or name; see docs/protocol.md */
	int16		typlen;			/* of the base type */
	bool		typbyval;
	char		typalign;
	bool		is_varlena_text;	/* the Datum is the text itself */
	bool		is_plain;		/* as PL/Python has it; see hxpy_coltype_adapt() */
	List	   *transforms;		/* base types that travel as dicts and lists */
	bool		for_input;		/* values come back: `convert` is an input function */
	FmgrInfo	convert;		/* output or input function of text-like tags and vectors */
	Oid			ioparam;
	void	   *domain_cache;	/* of domain_check */
	TupleDesc	tupdesc;		/* records; NULL until the first value of an anonymous one */
	int			nchildren;
	struct ColumnType **children;	/* element, or fields that are not dropped */
} ColumnType;

extern ColumnType *hxpy_coltype_create(Oid type, int32 typmod, bool for_input);
extern ColumnType *hxpy_coltype_create_record(TupleDesc tupdesc, bool for_input);
extern ColumnType *hxpy_coltype_create_list(int nfields, ColumnType **fields);
extern void hxpy_coltype_set_record(ColumnType *type, TupleDesc tupdesc);
extern const char *hxpy_coltype_transform(Oid base_id);
extern void hxpy_coltype_adapt(ColumnType *type, bool plain, List *transforms);
extern bool hxpy_coltype_runs_code(const ColumnType *type);
extern Oid	hxpy_coltype_of_wire(const WireColumn *column);
extern uint32 hxpy_coltype_count(const ColumnType *type);
extern char *hxpy_coltype_to_utf8(const char *text);

#endif							/* HXPY_COLTYPE_H */
