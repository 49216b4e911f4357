/*
 * engine.h
 *	  What starts, watches and ends the sandboxes of workers.
 *
 * The storey engine/ is this table of functions; engine/docker/ is the one engine
 * that fills it.  What includes this file alone works with any engine: nothing above
 * knows Docker or JSON, but for the SQL functions about Docker itself.
 *
 * All functions succeed or ereport.  Nothing waits but wait() and what says so; each
 * wait answers cancel, terminate and statement_timeout.  What they return lives in the
 * memory context that was current.
 */
#ifndef HXPY_ENGINE_H
#define HXPY_ENGINE_H

#include "nodes/pg_list.h"

#include "wait.h"

/* A label of a sandbox; UTF-8. */
typedef struct EngineLabel
{
	const char *key;
	const char *value;
} EngineLabel;

/* What a sandbox is made of, besides the settings for all of them. */
typedef struct EngineSpec
{
	const char *name;			/* that no other has: a failed start is undone by it */
	List	   *labels;			/* of EngineLabel */
	const char *image_id;
	int			uid;			/* the user that the worker runs as */
	const char *socket_directory;	/* mounted read-only where there is no network */
	const char *io;				/* directory to mount at /io; NULL for none */
	const char *network;		/* NULL for none */
	const uint8 *key;			/* with a network: HXPY_KEY_SIZE bytes for the worker alone */
	int			memory;			/* MB */
	double		cpus;
	int			sessions;		/* that may live in it at once */
	bool		auto_remove;	/* by the engine, when it ends */
	const char *imports;		/* what Python imports in the pool, or NULL */
} EngineSpec;

/* A sandbox that is there, as the engine lists it. */
typedef struct EngineEntry
{
	const char *id;
	const char *name;			/* NULL when it has none */
	bool		has_ended;
	int			host;			/* which engine of the list has it */
	List	   *labels;
} EngineEntry;

/* A start under way, or a sandbox that runs and is still watched. */
typedef struct EngineStart EngineStart;

/* A request under way; it ends with its memory context, or by its end function. */
typedef struct EngineRequest EngineRequest;

typedef struct Engine
{
	/*
	 * How many hosts the settings list, in order of preference, and which one, counted from
	 * 0, is used: the first that answers.  What is asked next goes there, until another is
	 * chosen; a start stays with its own.  choose() waits where there are several.
	 */
	int			(*count) (void);
	int			(*choose) (void);

	/* The id of an image, NULL when the engine has none of that name; waits. */
	const char *(*find_image) (const char *image);

	/* Raise an error unless the engine has a network that serves; waits. */
	void		(*check_network) (const char *network);

	/*
	 * Start a sandbox, and check that it is what the spec says: step() until it returns
	 * true.  Between two steps that return false, wait().  The spec lives as long.
	 */
	EngineStart *(*begin_start) (const EngineSpec *spec);
	bool		(*step_start) (EngineStart *start);
	const char *(*started_id) (const EngineStart *start);	/* once it runs */

	/* Whether a sandbox may come into being after it was given up: remove it later. */
	bool		(*is_creating) (const EngineStart *start);

	/* Remove what a start that failed has made; waits, raises nothing above WARNING. */
	void		(*undo_start) (const EngineStart *start);

	/* Whether it has ended since, and its last words; until the watch ends. */
	bool		(*has_ended) (const EngineStart *start);
	char	   *(*last_words) (const EngineStart *start);
	void		(*end_watch) (EngineStart *start);

	/* Where a worker in a network listens; false when it has no address (any more). */
	bool		(*find_address) (const EngineStart *start, const char **address, int *port);

	/* Whether a connection's other end is a process of a sandbox, or its first one. */
	bool		(*is_peer) (pgsocket socket, const char *id, bool first);

	/* Remove a sandbox by name or id; false when there was nothing to remove. */
	EngineRequest *(*begin_remove) (const char *name, int host, long timeout_ms);
	bool		(*end_remove) (EngineRequest *request);

	/* Memory (bytes) and CPU time (microseconds); false when it does not run. */
	EngineRequest *(*begin_measure) (const char *id, int host);
	bool		(*end_measure) (EngineRequest *request, int64 *memory, int64 *cpu);

	/* Whether a request has its answer, so that its end function does not wait. */
	bool		(*is_done) (const EngineRequest *request);

	/*
	 * The sandboxes, running or not, that carry a label: a list of EngineEntry; waits.  Of
	 * several hosts those that do not answer are left out, and an error only where none does.
	 */
	List	   *(*list) (const EngineLabel *label);

	/*
	 * Wait once: until the engine has said something, a socket (or PGINVALID_SOCKET) is
	 * readable, which is the result, the latch is set, or time (-1: none) is over.
	 */
	bool		(*wait) (pgsocket socket, long timeout_ms, HxpyWait what);
} Engine;

extern const Engine *hxpy_engine;	/* the one in use, set once when the library is loaded */

extern const char *hxpy_engine_label(const List *labels, const char *key);
extern List *hxpy_engine_add_label(List *labels, const char *key, const char *value);

#endif							/* HXPY_ENGINE_H */
