/*
 * bind.h
 *	  Directories and files of /io, mounted elsewhere in containers of py_run.
 */
#ifndef HXPY_BIND_H
#define HXPY_BIND_H

#include "engine/docker/json.h"

/* Makes the engine's Mounts of binds, "path:/target[:ro]" below the io directory. */
extern json_t *hxpy_bind_mounts(json_t *binds);

#endif							/* HXPY_BIND_H */
