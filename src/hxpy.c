/*
 * hxpy.c
 *	  The module's start.
 *
 * Nothing happens here but the modules' own start; sessions, connections and
 * libcurl are made on first use, never in the postmaster.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "hxpy.h"
#include "batch/plan.h"
#include "engine/docker/table.h"
#include "guc.h"
#include "launch/launcher.h"
#include "lang/set.h"
#include "launch/pool.h"
#include "move/into.h"
#include "move/scan.h"
#include "move/spi.h"
#include "session/session.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

/* Start the modules. */
void
_PG_init(void)
{
	hxpy_engine = &hxpy_docker_engine;
	hxpy_guc_init();
	hxpy_session_init();
	hxpy_scan_init(&hxpy_set_functions);
	hxpy_spi_init();
	hxpy_into_init();
	hxpy_plan_init();
	if (process_shared_preload_libraries_in_progress)
	{
		hxpy_pool_init();
		hxpy_launcher_init();
	}
}
