/*
 * history.c
 *	  What sessions have done since a reset, by database and role.
 *
 * Sessions count in their slots (registry.c); their figures come here when they close.  At
 * a clean shutdown all is written to a file where PostgreSQL keeps its own statistics, and
 * read at the next start; as these it is lost by a crash.
 */
#include "postgres.h"

#include <unistd.h>

#include "pgstat.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "launch/history.h"

#define HISTORY_FILE	PGSTAT_STAT_PERMANENT_DIRECTORY "/hxpy.stat"
#define FILE_FORM		UINT64CONST(0x0001000079707868) /* "hxpy", and the number of the form */

/* What the file begins with; that many entries follow. */
typedef struct FileHead
{
	uint64		form;
	uint64		entry_size;		/* a new counter makes another form of it */
	TimestampTz since;
	int64		count;
} FileHead;

/* Forget all. */
void
hxpy_history_reset(History *history)
{
	memset(history, 0, sizeof(*history));
	history->since = GetCurrentTimestamp();
	history->count = 1;
}

/* Return the entry of a role in a database, a new one if it must be; the first if none is left. */
static HistoryEntry *
find_entry(History *history, Oid database, Oid role)
{
	HistoryEntry *entry;

	for (int i = 1; i < history->count; i++)
	{
		entry = &history->entries[i];
		if (entry->database == database && entry->role == role)
			return entry;
	}
	if (history->count == HXPY_HISTORY_ENTRIES)
		return &history->entries[0];
	entry = &history->entries[history->count++];
	entry->database = database;
	entry->role = role;
	return entry;
}

/* Add a session's figures. */
void
hxpy_history_add(History *history, Oid database, Oid role, const uint64 *counters)
{
	HistoryEntry *entry = find_entry(history, database, role);

	for (int i = 0; i < NUM_COUNTERS; i++)
		entry->counters[i] += counters[i];
}

/* Read the file; false when it is not there, or not as expected. */
static bool
read_file(FILE *file, History *history)
{
	FileHead	head;

	if (fread(&head, sizeof(head), 1, file) != 1 || head.form != FILE_FORM ||
		head.entry_size != sizeof(HistoryEntry) ||
		head.count < 1 || head.count > HXPY_HISTORY_ENTRIES ||
		fread(history->entries, sizeof(HistoryEntry), head.count, file) != head.count ||
		fgetc(file) != EOF)
		return false;
	history->since = head.since;
	history->count = (int) head.count;
	return true;
}

/*
 * Begin with what the last clean shutdown has left, or anew.  The file goes: after a
 * crash it would be too old.
 */
void
hxpy_history_load(History *history)
{
	FILE	   *file = AllocateFile(HISTORY_FILE, PG_BINARY_R);

	hxpy_history_reset(history);
	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", HISTORY_FILE)));
		return;
	}
	if (!read_file(file, history))
	{
		ereport(LOG,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ignoring invalid data in file \"%s\"", HISTORY_FILE)));
		hxpy_history_reset(history);
	}
	FreeFile(file);
	unlink(HISTORY_FILE);
}

/* Write the file; what fails is only logged. */
void
hxpy_history_save(const History *history)
{
	FileHead	head = {FILE_FORM, sizeof(HistoryEntry), history->since, history->count};
	FILE	   *file = AllocateFile(HISTORY_FILE ".tmp", PG_BINARY_W);
	bool		written = file != NULL &&
		fwrite(&head, sizeof(head), 1, file) == 1 &&
		fwrite(history->entries, sizeof(HistoryEntry), history->count, file) == history->count;

	if (file != NULL && FreeFile(file) != 0)
		written = false;
	if (!written)
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", HISTORY_FILE ".tmp")));
		unlink(HISTORY_FILE ".tmp");
		return;
	}
	(void) durable_rename(HISTORY_FILE ".tmp", HISTORY_FILE, LOG);
}
