/*
 * sampler.c
 *	  Measures memory and CPU of sessions' containers, for the launcher.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/engine.h"
#include "launch/registry.h"
#include "launch/sampler.h"

#define SAMPLES_AT_ONCE		16

/* A session whose container the launcher measures. */
typedef struct Sample
{
	MemoryContext context;		/* of the request */
	EngineRequest *request;	/* under way; NULL: this one is free */
	SessionSlot *slot;
	SlotInfo	info;			/* as it was when the engine was asked */
	uint64		evals;
} Sample;

static Sample samples[SAMPLES_AT_ONCE];
static int	next_sample = INT_MAX;	/* slot to look at; behind the last when all is done */

/*
 * Return whether a session's container is to be measured: it works, or has worked since
 * that was done last.
 */
static bool
wants_sample(SessionSlot *slot, Sample *sample)
{
	sample->slot = slot;
	sample->evals = hxpy_registry_counter(slot, COUNT_EVALS);
	/* What a shared one takes is not this session's alone. */
	return hxpy_registry_read(slot, &sample->info) && sample->info.id[0] != '\0' &&
		sample->info.reserved > 0 &&
		(sample->info.state == SLOT_ACTIVE ||
		 (sample->info.state == SLOT_IDLE && sample->info.measured_evals != sample->evals));
}

/*
 * Begin to measure a session's container, or take the engine's answer about it.  An
 * error is only told: the next round tries again.
 */
static void
step_sample(Sample *sample)
{
	MemoryContext old = CurrentMemoryContext;
	int64		memory;
	int64		cpu;

	if (sample->request == NULL)
		sample->context = AllocSetContextCreate(TopMemoryContext, "hxpy sample",
												ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(sample->context);
	PG_TRY();
	{
		if (sample->request == NULL)
			sample->request = hxpy_engine->begin_measure(sample->info.id, sample->info.host);
		else
		{
			if (hxpy_engine->end_measure(sample->request, &memory, &cpu))
				hxpy_registry_set_figures(sample->slot, &sample->info, sample->evals,
										  memory, cpu);
			sample->request = NULL;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(sample->context);
		elog(DEBUG1, "could not measure a container: %s", CopyErrorData()->message);
		FlushErrorState();
		sample->request = NULL;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	if (sample->request == NULL)
		MemoryContextDelete(sample->context);
}

/*
 * Begin to measure the containers of all sessions that work, or have worked since
 * they were measured last, unless that is under way.
 */
void
hxpy_sampler_begin(void)
{
	if (next_sample >= hxpy_registry_count())
		next_sample = 0;
}

/*
 * Go on with measuring, without waiting: an engine takes up to a second for each
 * container, and the launcher has others to serve.
 */
void
hxpy_sampler_step(void)
{
	for (int i = 0; i < SAMPLES_AT_ONCE; i++)
	{
		Sample	   *sample = &samples[i];

		if (sample->request != NULL && hxpy_engine->is_done(sample->request))
			step_sample(sample);
		while (sample->request == NULL && next_sample < hxpy_registry_count())
		{
			if (wants_sample(hxpy_registry_slot(next_sample++), sample))
				step_sample(sample);
		}
	}
}
