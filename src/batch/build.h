/*
 * build.h
 *	  Makes the plan nodes that call functions for many rows at once.
 */
#ifndef HXPY_BUILD_H
#define HXPY_BUILD_H

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

/*
 * What a node's custom_private holds: its calls, each a list of the FuncExpr and of integers;
 * then LIMIT's offset and count, either of which may be NULL.  The integers: which
 * expression is the guard, -1 for none; which value of the scan tuple it becomes, -1 for
 * none; and of each argument which expression it is, or, below 0, -1 minus the number of
 * the call.  The expressions are custom_exprs.
 */
#define HXPY_CALLS(scan)		((List *) linitial((scan)->custom_private))
#define HXPY_LIMIT(scan)		((List *) lsecond((scan)->custom_private))
#define HXPY_CALL_EXPR(call)	((FuncExpr *) linitial(call))
#define HXPY_CALL_NUMBERS(call) ((List *) lsecond(call))

extern const CustomScanMethods hxpy_batch_methods;

extern CustomScan *hxpy_build_batch(Plan *child, bool fixed, List *calls, Node **expressions);
extern Node *hxpy_build_replace(Node *expression, List *calls, int varno, int offset);

#endif							/* HXPY_BUILD_H */
