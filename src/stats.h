/*
 * stats.h
 *	  STUB until the real one is merged.
 */
#ifndef HXPY_STATS_H
#define HXPY_STATS_H
typedef struct SessionSlot SessionSlot;
extern void hxpy_stats_init(void);
extern SessionSlot *hxpy_stats_open(const char *session);
extern void hxpy_stats_set_container(SessionSlot *slot, const char *name);
extern void hxpy_stats_set_started(SessionSlot *slot, const char *id, const char *image, const char *network);
extern void hxpy_stats_close(SessionSlot *slot);
extern bool hxpy_stats_uses_container(const char *name);
extern bool hxpy_stats_is_shared(void);
extern void hxpy_stats_sample(void);
#endif
