/*
 * compat.h
 *	  Differences between the PostgreSQL versions hxpy builds with, and nothing
 *	  else: every PG_VERSION_NUM of the extension stands here.
 */
#ifndef HXPY_COMPAT_H
#define HXPY_COMPAT_H

#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* Marks a function that does not return; 18 has it before the declaration, as C 23. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * A wait event set that its maker frees, also on errors (PG_FINALLY).  From 17
 * on a resource owner may own the set; we give none, so that waiting works at
 * any moment of a transaction's end, too.
 */
#if PG_VERSION_NUM >= 170000
#define HxpyCreateWaitEventSet(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define HxpyCreateWaitEventSet(nevents) \
	CreateWaitEventSet(CurrentMemoryContext, (nevents))
#endif

/* Gives what is waited for a name, where extensions may; may raise errors. */
#if PG_VERSION_NUM >= 170000
#define HxpyWaitEventNew(name) WaitEventExtensionNew(name)
#else
#define HxpyWaitEventNew(name) ((void) (name), PG_WAIT_EXTENSION)
#endif

/*
 * Adds a table to a parse state and raises an error unless the current user may
 * insert into the columns.  From 16 on permissions stand apart from the range
 * table.  Users include parser/parse_relation.h and executor/executor.h.
 */
#if PG_VERSION_NUM >= 160000
#define HxpyCheckInsert(pstate, rel, columns) \
	do { \
		ParseNamespaceItem *item_ = \
			addRangeTableEntryForRelation((pstate), (rel), RowExclusiveLock, NULL, false, false); \
		item_->p_perminfo->requiredPerms = ACL_INSERT; \
		item_->p_perminfo->insertedCols = (columns); \
		ExecCheckPermissions((pstate)->p_rtable, list_make1(item_->p_perminfo), true); \
	} while (0)
#else
#define HxpyCheckInsert(pstate, rel, columns) \
	do { \
		ParseNamespaceItem *item_ = \
			addRangeTableEntryForRelation((pstate), (rel), RowExclusiveLock, NULL, false, false); \
		item_->p_rte->requiredPerms = ACL_INSERT; \
		item_->p_rte->insertedCols = (columns); \
		ExecCheckRTPerms((pstate)->p_rtable, true); \
	} while (0)
#endif

/*
 * Where COPY FROM has the expression of a column that it fills with a default, by the place
 * of the column in its defmap.  Users include commands/copyfrom_internal.h.
 */
#if PG_VERSION_NUM >= 160000
#define HxpyCopyDefault(copy, place) (&(copy)->defexprs[(copy)->defmap[place]])
#else
#define HxpyCopyDefault(copy, place) (&(copy)->defexprs[place])
#endif

/* Returns whether an interval is infinite, as from 17 on it may be.  Users include utils/timestamp.h. */
#if PG_VERSION_NUM >= 170000
#define HxpyIntervalIsInfinite(interval) INTERVAL_NOT_FINITE(interval)
#else
#define HxpyIntervalIsInfinite(interval) false
#endif

/* Parts a name with dots.  Users include utils/regproc.h. */
#if PG_VERSION_NUM >= 160000
#define HxpyParseName(name) stringToQualifiedNameList((name), NULL)
#else
#define HxpyParseName(name) stringToQualifiedNameList(name)
#endif

/* Looks a type's name up.  Users include parser/parse_type.h. */
#if PG_VERSION_NUM >= 160000
#define HxpyParseType(name, type, typmod) ((void) parseTypeString((name), (type), (typmod), NULL))
#else
#define HxpyParseType(name, type, typmod) parseTypeString((name), (type), (typmod), false)
#endif

/* Checks the right to execute a function.  Users include utils/acl.h. */
#if PG_VERSION_NUM >= 160000
#define HxpyFunctionAclCheck(function) \
	object_aclcheck(ProcedureRelationId, (function), GetUserId(), ACL_EXECUTE)
#else
#define HxpyFunctionAclCheck(function) \
	pg_proc_aclcheck((function), GetUserId(), ACL_EXECUTE)
#endif

/*
 * Runs a query forward for at most so many rows; it may be run further.  Users
 * include executor/executor.h.
 */
#if PG_VERSION_NUM >= 180000
#define HxpyExecutorRun(query, count) ExecutorRun((query), ForwardScanDirection, (count))
#else
#define HxpyExecutorRun(query, count) \
	ExecutorRun((query), ForwardScanDirection, (count), false)
#endif

/* Runs a query forward from its beginning to its end, in parallel workers if it has such a plan. */
#if PG_VERSION_NUM >= 180000
#define HxpyExecutorRunOnce(query) ExecutorRun((query), ForwardScanDirection, 0)
#else
#define HxpyExecutorRunOnce(query) ExecutorRun((query), ForwardScanDirection, 0, true)
#endif

/*
 * Makes a hash table of tuples, each with data of some bytes.  Slots that are looked up are
 * virtual ones.  Users include executor/executor.h.
 */
#if PG_VERSION_NUM >= 180000
#define HxpyBuildTupleHashTable(desc, ncolumns, numbers, equal, hash, collations, nbuckets, \
								size, table, temp) \
	BuildTupleHashTable(NULL, (desc), &TTSOpsVirtual, (ncolumns), (numbers), (equal), (hash), \
						(collations), (nbuckets), (size), (table), (table), (temp), false)
#else
#define HxpyBuildTupleHashTable(desc, ncolumns, numbers, equal, hash, collations, nbuckets, \
								size, table, temp) \
	BuildTupleHashTable(NULL, (desc), (ncolumns), (numbers), (equal), (hash), (collations), \
						(nbuckets), (size), (table), (temp), false)
#endif

/* Where such a table has an int32 of an entry; before 18 it has room for a pointer. */
#if PG_VERSION_NUM >= 180000
#define HxpyTupleHashInt32(table, entry) ((int32 *) TupleHashEntryGetAdditional((table), (entry)))
#else
#define HxpyTupleHashInt32(table, entry) ((int32 *) &(entry)->additional)
#endif

#endif							/* HXPY_COMPAT_H */
