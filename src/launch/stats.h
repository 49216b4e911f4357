/*
 * stats.h
 *	  What the sessions of all backends are doing.
 */
#ifndef HXPY_STATS_H
#define HXPY_STATS_H

typedef struct SessionSlot SessionSlot;

extern void hxpy_stats_init(void);
extern bool hxpy_stats_is_shared(void);

/*
 * A session's life.  Open raises an error when there is no slot left; nothing
 * else here does.  Everything but open takes NULL for no slot.
 */
extern SessionSlot *hxpy_stats_open(const char *session);
extern void hxpy_stats_set_container(SessionSlot *slot, const char *name);
extern void hxpy_stats_set_started(SessionSlot *slot, const char *id, const char *image,
								   const char *network);
extern void hxpy_stats_set_idle(SessionSlot *slot);
extern void hxpy_stats_set_lost(SessionSlot *slot);
extern void hxpy_stats_close(SessionSlot *slot);

/* instructions; texts in the server's encoding but for the message, UTF-8 of anyone */
extern void hxpy_stats_begin(SessionSlot *slot, uint8 type, const char *source);
extern void hxpy_stats_end(SessionSlot *slot, uint64 microseconds);
extern void hxpy_stats_progress(SessionSlot *slot, double done, double total,
								const char *message, size_t length);

/* counters; never for a single row */
extern void hxpy_stats_add_rows_in(SessionSlot *slot, uint64 rows);
extern void hxpy_stats_add_rows_out(SessionSlot *slot, uint64 rows);
extern void hxpy_stats_add_bytes_in(SessionSlot *slot, uint64 bytes);
extern void hxpy_stats_add_bytes_out(SessionSlot *slot, uint64 bytes);

/* for the launcher */
extern bool hxpy_stats_uses_container(const char *name);
extern void hxpy_stats_begin_sample(void);
extern void hxpy_stats_go_on(void);

#endif							/* HXPY_STATS_H */
