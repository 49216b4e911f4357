/*
 * environment.h
 *	  The role and the settings that functions have of their own.
 */
#ifndef HXPY_ENVIRONMENT_H
#define HXPY_ENVIRONMENT_H

/* What SECURITY DEFINER and SET say of a function. */
typedef struct Environment Environment;

/* What was in force before. */
typedef struct SavedEnvironment
{
	Oid			user;
	int			security;
	int			level;			/* of settings, 0 for none */
} SavedEnvironment;

extern bool hxpy_environment_is_same(Oid function, Oid other);
extern Environment *hxpy_environment_load(Oid function);
extern SavedEnvironment hxpy_environment_enter(const Environment *environment);
extern void hxpy_environment_leave(const Environment *environment, SavedEnvironment saved);

#endif							/* HXPY_ENVIRONMENT_H */
