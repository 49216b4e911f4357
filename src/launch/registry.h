/*
 * registry.h
 *	  The registry of sessions.
 */
#ifndef HXPY_REGISTRY_H
#define HXPY_REGISTRY_H

#include "utils/timestamp.h"

#include "launch/history.h"

#define HXPY_SLOT_TEXT		200		/* bytes of sources and messages that are kept */
#define HXPY_SLOT_NAME		256

typedef struct SessionSlot SessionSlot;

typedef enum SlotState
{
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_ACTIVE,
	SLOT_LOST
} SlotState;

/* What a slot says of its session. */
typedef struct SlotInfo
{
	bool		in_use;			/* nothing else counts when it is not */
	int			pid;
	Oid			role;
	Oid			database;
	SlotState	state;
	uint8		instruction;	/* the latest one's frame, 0 for none */
	int			reserved;		/* MB that its own container may take; 0 in a shared one */
	TimestampTz started;
	TimestampTz instruction_started;
	bool		measured;		/* memory and cpu are known */
	uint64		measured_evals; /* instructions when they were measured last */
	int64		memory;			/* bytes */
	int64		cpu;			/* microseconds */
	bool		has_progress;
	TimestampTz counted_since;	/* progress is of rows that the server counts; or 0 */
	bool		estimated;		/* their total, by the planner */
	double		done;
	double		total;			/* NaN for none */
	char		session[HXPY_SLOT_NAME];
	char		container[HXPY_SLOT_NAME];	/* the engine's name */
	char		id[HXPY_SLOT_NAME];	/* "" until it has started */
	char		image[HXPY_SLOT_NAME];
	char		network[HXPY_SLOT_NAME];
	int			host;			/* which engine of the list has it */
	char		source[HXPY_SLOT_TEXT + 1];	/* of the latest instruction */
	char		message[HXPY_SLOT_TEXT + 1];	/* of its progress */
	char		lost[HXPY_SLOT_TEXT + 1];	/* why it was lost, "" until then */
} SlotInfo;

extern void hxpy_registry_request_memory(void);
extern void hxpy_registry_start_memory(void);

/*
 * A session's life.  Open raises an error when there is no slot left; nothing else here
 * does.  What a session says once it has a container takes NULL for no slot.
 */
extern SessionSlot *hxpy_registry_open(const char *session, int reserved);
extern void hxpy_registry_set_container(SessionSlot *slot, const char *name);
extern void hxpy_registry_set_started(SessionSlot *slot, const char *id, const char *image,
								   const char *network, int host);
extern void hxpy_registry_set_state(SessionSlot *slot, SlotState state);
extern void hxpy_registry_set_lost(SessionSlot *slot, const char *reason);
extern void hxpy_registry_close(SessionSlot *slot);

/* instructions; texts in the server's encoding but for the message, UTF-8 of anyone */
extern void hxpy_registry_begin(SessionSlot *slot, uint8 type, const char *source);
extern void hxpy_registry_progress(SessionSlot *slot, double done, double total,
								const char *message, size_t length);
extern void hxpy_registry_rows(SessionSlot *slot, double done, double total, bool estimated,
							   TimestampTz since);

/* never for a single row */
extern void hxpy_registry_add(SessionSlot *slot, SessionCounter counter, uint64 amount);

/* for who looks at all sessions: the launcher, views */
extern int	hxpy_registry_count_users(const char *container);
extern int64 hxpy_registry_reserved(void);
extern int	hxpy_registry_count(void);
extern SessionSlot *hxpy_registry_slot(int number);
extern bool hxpy_registry_read(SessionSlot *slot, SlotInfo *info);
extern uint64 hxpy_registry_counter(SessionSlot *slot, SessionCounter counter);
extern bool hxpy_registry_has_history(void);
extern void hxpy_registry_copy_history(History *copy);
extern void hxpy_registry_reset_history(void);
extern void hxpy_registry_set_figures(SessionSlot *slot, const SlotInfo *info, uint64 evals,
									  int64 memory, int64 cpu);
extern const char *hxpy_registry_container(const SessionSlot *slot);
extern int	hxpy_registry_number(const SessionSlot *slot);
extern void hxpy_registry_set_shared_figures(int number, const char *container, int64 memory,
											 int64 cpu);

#endif							/* HXPY_REGISTRY_H */
