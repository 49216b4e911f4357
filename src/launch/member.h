/*
 * member.h
 *	  The launcher's containers of the pool.
 */
#ifndef HXPY_MEMBER_H
#define HXPY_MEMBER_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "launch/launch.h"

#define HXPY_MEMBER_READY_MS	60000	/* what is not ready by then has failed */

typedef enum MemberStep
{
	MEMBER_STARTING,			/* counts as a start under way */
	MEMBER_WARMING,				/* until it says that it is ready */
	MEMBER_READY,
	MEMBER_CLAIMED				/* by a backend; nothing to do but wait */
} MemberStep;

/* A container of the pool, from before its creation until it is taken or removed. */
typedef struct Member
{
	MemoryContext context;		/* of everything here */
	int			slot;			/* in shared memory */
	MemberStep	step;
	Launch	   *launch;
	TimestampTz begun;
	const char *imports;		/* hxpy.pool_imports when it was made */
	char		line[256];		/* that a shared one has begun to send */
	int			line_length;
} Member;

extern List *hxpy_members;		/* all of them */
extern int	hxpy_member_events; /* epoll descriptor of their sockets, made by the launcher */

extern bool hxpy_member_start(int kind);
extern void hxpy_member_forget(Member *member, bool remove);
extern void hxpy_member_forget_all(void);
extern bool hxpy_member_any_creating(void);
extern bool hxpy_member_withdraw(const Member *member);
extern void hxpy_member_retire(const Member *member, bool outdated);
extern bool hxpy_member_is_retired(const Member *member);
extern bool hxpy_member_is_used(const Member *member);
extern int	hxpy_member_kind(const Member *member);
extern void hxpy_member_handle_slots(void);
extern void hxpy_member_step_all(void);
extern void hxpy_member_measure_all(void);

#endif							/* HXPY_MEMBER_H */
