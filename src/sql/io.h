/*
 * io.h
 *	  Files that SQL and Python share.
 */
#ifndef HXPY_IO_H
#define HXPY_IO_H

/*
 * Returns the directory to mount at /io in containers of a database, palloc'd, made
 * and checked; NULL when hxpy.io_directory is off.  Needs no connection to the database.
 */
extern char *hxpy_io_mount_source(Oid database);

#endif							/* HXPY_IO_H */
