/*
 * stats.c
 *	  STUB until the real one is merged.
 */
#include "postgres.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/lwlock.h"
#include "miscadmin.h"
#include "hxpy.h"
#include "stats.h"
struct SessionSlot { int pid; char name[256]; };
static SessionSlot *slots;
static SessionSlot own[64];
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;
/* x */
static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(256 * sizeof(SessionSlot));
}
/* x */
static void
start_memory(void)
{
	bool found;
	if (previous_startup_hook)
		previous_startup_hook();
	slots = ShmemInitStruct("hxpy sessions", 256 * sizeof(SessionSlot), &found);
	if (!found)
		memset(slots, 0, 256 * sizeof(SessionSlot));
}
/* x */
void
hxpy_stats_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}
/* x */
SessionSlot *
hxpy_stats_open(const char *session)
{
	SessionSlot *s = slots ? slots : own;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < (slots ? 256 : 64); i++)
		if (s[i].pid == 0)
		{
			s[i].pid = MyProcPid;
			s[i].name[0] = 0;
			LWLockRelease(AddinShmemInitLock);
			return &s[i];
		}
	elog(ERROR, "too many");
}
/* x */
void
hxpy_stats_set_container(SessionSlot *slot, const char *name)
{
	strlcpy(slot->name, name, 256);
}
/* x */
void
hxpy_stats_set_started(SessionSlot *slot, const char *id, const char *image, const char *network)
{
}
/* x */
void
hxpy_stats_close(SessionSlot *slot)
{
	slot->name[0] = 0;
	slot->pid = 0;
}
/* x */
bool
hxpy_stats_uses_container(const char *name)
{
	for (int i = 0; slots && i < 256; i++)
		if (slots[i].pid && strcmp(slots[i].name, name) == 0)
			return true;
	return false;
}
/* x */
bool
hxpy_stats_is_shared(void)
{
	return slots != NULL;
}
/* x */
void
hxpy_stats_sample(void)
{
}
