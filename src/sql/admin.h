/*
 * admin.h
 *	  Who may use the SQL functions of the Docker side.
 */
#ifndef HXPY_ADMIN_H
#define HXPY_ADMIN_H

/* Refuses everybody but superusers, whatever was granted to them. */
extern void hxpy_admin_check_superuser(const char *what);

#endif							/* HXPY_ADMIN_H */
