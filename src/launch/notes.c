/*
 * notes.c
 *	  What the launcher notes: errors, of the engine and of kinds of containers.
 *
 * A kind whose starts fail is slowed down, and each error is logged once.  The words are
 * for hxpy_stat_pool.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/notes.h"
#include "launch/pool.h"

#define BACKOFF_MIN_MS		500 /* between starts of a kind that fail */
#define BACKOFF_MAX_MS		30000

MemoryContext hxpy_launcher_context;
MemoryContext hxpy_launcher_round;

/* Return the moment so many milliseconds from now. */
TimestampTz
hxpy_notes_in_ms(int64 ms)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

/*
 * Take the current error's message and forget the error, in a PG_CATCH block; go on in
 * the context of the round.
 */
char *
hxpy_notes_take_error(void)
{
	ErrorData  *error;
	char	   *text;

	MemoryContextSwitchTo(hxpy_launcher_round);
	error = CopyErrorData();
	FlushErrorState();
	text = error->detail ? psprintf("%s: %s", error->message, error->detail) :
		pstrdup(error->message);
	FreeErrorData(error);
	return text;
}

/* Copy a message to where it has HXPY_POOL_TEXT bytes, without half a character. */
static void
copy_message(char *to, const char *text)
{
	int			length = pg_mbcliplen(text, strlen(text), HXPY_POOL_TEXT - 1);

	memcpy(to, text, length);
	to[length] = '\0';
}

/* Note, and log once, that the engine cannot be used; NULL: that it can. */
void
hxpy_notes_engine(const char *error)
{
	char		message[HXPY_POOL_TEXT];
	bool		changed;

	copy_message(message, error ? error : "");
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	changed = strcmp(hxpy_pool->engine_error, message) != 0;
	if (changed)
		hxpy_pool->engine_error_at = GetCurrentTimestamp();
	strlcpy(hxpy_pool->engine_error, message, HXPY_POOL_TEXT);
	LWLockRelease(hxpy_pool->lock);
	if (changed)
		ereport(LOG, (errmsg("hxpy launcher: %s", error ? error : "the Docker engine is back")));
}

/* Return whether the engine could not be used when it was looked at last. */
bool
hxpy_notes_lacks_engine(void)
{
	/* Nobody else writes it. */
	return hxpy_pool->engine_error[0] != '\0';
}

/*
 * Note that a start of a kind has failed, or that it has not; -1 for one that is no
 * longer kept.
 */
void
hxpy_notes_start(int kind, const char *error)
{
	PoolKind   *shared;
	bool		repeated;

	if (kind < 0)
		return;
	shared = &hxpy_pool->kinds[kind];
	LWLockAcquire(hxpy_pool->lock, LW_EXCLUSIVE);
	repeated = error != NULL && strncmp(shared->error, error, HXPY_POOL_TEXT - 1) == 0;
	copy_message(shared->error, error ? error : "");
	if (error == NULL)
		shared->started++;
	else
	{
		shared->failed++;
		shared->error_at = GetCurrentTimestamp();
	}
	LWLockRelease(hxpy_pool->lock);
	if (error == NULL)
	{
		shared->backoff_ms = 0;
		return;
	}
	if (!repeated)
		ereport(LOG, (errmsg("hxpy launcher: no container of image \"%s\" for the pool: %s",
							 shared->spec.image, error),
					  shared->image_id[0] ? 0 :
					  errhint("Build it with docker/build, or get it with: docker pull %s",
							  shared->spec.image)));
	shared->backoff_ms = Min(Max(shared->backoff_ms * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
	shared->retry_at = hxpy_notes_in_ms(shared->backoff_ms);
}
