/*
 * launcher.h
 *	  The launcher: fills the pool, reaps containers.
 */
#ifndef HXPY_LAUNCHER_H
#define HXPY_LAUNCHER_H

/* Registers the background worker; to be called while the server preloads libraries. */
extern void hxpy_launcher_init(void);

extern PGDLLEXPORT void hxpy_launcher_main(Datum arg);

#endif							/* HXPY_LAUNCHER_H */
