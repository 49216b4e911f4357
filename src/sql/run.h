/*
 * run.h
 *	  Containers that superusers run beside the sessions'.
 */
#ifndef HXPY_RUN_H
#define HXPY_RUN_H

/* Creates and starts a container; config is JSON in UTF-8.  Returns its id. */
extern const char *hxpy_run_container(const char *image, const char *config);

#endif							/* HXPY_RUN_H */
