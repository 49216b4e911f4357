/*
 * environment.c
 *	  The role and the settings that functions have of their own.
 *
 * PostgreSQL's function manager puts them in force around each call of a SECURITY DEFINER
 * function, or of one with SET clauses.  Here they are so for a batch of calls.  After an error the
 * end of the transaction restores what was in force before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "batch/environment.h"

struct Environment
{
	Oid			user;			/* the owner of a SECURITY DEFINER function, or InvalidOid */
	ArrayType  *settings;		/* of SET clauses, or NULL */
	ArrayType  *transforms;		/* types of a TRANSFORM clause, or NULL; these take no putting in force */
};

/* Read what a function's row says; its settings are in the current memory context. */
static Environment
read_environment(Oid function)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Environment environment = {InvalidOid, NULL, NULL};
	Form_pg_proc form;
	bool		isnull;
	Datum		settings;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(row);
	if (form->prosecdef)
		environment.user = form->proowner;
	settings = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_proconfig, &isnull);
	if (!isnull)
		environment.settings = DatumGetArrayTypePCopy(settings);
	settings = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_protrftypes, &isnull);
	if (!isnull)
		environment.transforms = DatumGetArrayTypePCopy(settings);
	ReleaseSysCache(row);
	return environment;
}

/* Return whether two arrays are the same, or missing both. */
static bool
are_equal(const ArrayType *one, const ArrayType *two)
{
	return one == NULL || two == NULL ? one == two :
		datumIsEqual(PointerGetDatum(one), PointerGetDatum(two), false, -1);
}

/* Return whether two functions run with the same role and settings, and the same transforms. */
bool
hxpy_environment_is_same(Oid function, Oid other)
{
	Environment one;
	Environment two;

	if (function == other)
		return true;
	one = read_environment(function);
	two = read_environment(other);
	return one.user == two.user && are_equal(one.settings, two.settings) &&
		are_equal(one.transforms, two.transforms);
}

/* Return what a function has of its own, in the current memory context; NULL for nothing. */
Environment *
hxpy_environment_load(Oid function)
{
	Environment environment = read_environment(function);
	Environment *copy;

	if (!OidIsValid(environment.user) && environment.settings == NULL)
		return NULL;
	copy = palloc(sizeof(Environment));
	*copy = environment;
	return copy;
}

/* Put a role and settings in force. */
SavedEnvironment
hxpy_environment_enter(const Environment *environment)
{
	SavedEnvironment saved = {InvalidOid, 0, 0};

	if (environment == NULL)
		return saved;
	GetUserIdAndSecContext(&saved.user, &saved.security);
	if (environment->settings != NULL)
		saved.level = NewGUCNestLevel();
	if (OidIsValid(environment->user))
		SetUserIdAndSecContext(environment->user, saved.security | SECURITY_LOCAL_USERID_CHANGE);
	if (environment->settings != NULL)
		ProcessGUCArray(environment->settings, superuser() ? PGC_SUSET : PGC_USERSET,
						PGC_S_SESSION, GUC_ACTION_SAVE);
	return saved;
}

/* Restore what was in force before. */
void
hxpy_environment_leave(const Environment *environment, SavedEnvironment saved)
{
	if (environment == NULL)
		return;
	if (saved.level > 0)
		AtEOXact_GUC(true, saved.level);
	if (OidIsValid(environment->user))
		SetUserIdAndSecContext(saved.user, saved.security);
}
