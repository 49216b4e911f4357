/*
 * session.h
 *	  The sessions of this backend.
 */
#ifndef HXPY_SESSION_H
#define HXPY_SESSION_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

#include "launch/container.h"
#include "launch/registry.h"
#include "session/exchange.h"
#include "session/options.h"

#define HXPY_DEFAULT_SESSION	"default"
#define HXPY_OWN_PREFIX			"hxpy."	/* of names that users cannot open */

/* Sessions of different roles may have the same name. */
typedef struct SessionKey
{
	Oid			role;
	char		name[NAMEDATALEN];
} SessionKey;

/* Everything here lives in `context`, which ends with the session. */
typedef struct PySession
{
	SessionKey	key;			/* must be first: the hash table's key */
	uint64		id;				/* never used twice in a backend */
	MemoryContext context;
	bool		restricted;		/* it ends with a security-restricted operation */
	SessionSlot *slot;			/* what others see of it */
	Container  *container;
	WorkerConn *worker;
	SessionOptions options;		/* as opened: memory and cpus are set */
	bool		initialized;	/* py_init has run code */
	List	   *init_names;		/* variables that py_init has defined */
	bool		started;		/* hxpy.start_proc has run */
	HTAB	   *functions;		/* what its worker has compiled, or NULL; see lang/function.c */
	long		functions_limit;	/* how many these may be until those that are dropped go */
	TimestampTz opened;
} PySession;

extern void hxpy_session_init(void);
extern PySession *hxpy_session_open(const char *name, const SessionOptions *options);
extern PySession *hxpy_session_get(const char *name);
extern char *hxpy_session_default_name(void);
extern PySession *hxpy_session_use(const char *name, bool pins_image);
extern PySession *hxpy_session_own(void);
extern bool hxpy_session_is_busy(const PySession *session);
extern bool hxpy_session_is_own(const PySession *session);
extern bool hxpy_session_close(const char *name);
extern void hxpy_session_finish(uint64 id);
extern int	hxpy_session_close_all(void);
extern List *hxpy_session_list(void);
extern void hxpy_session_check_forkable(const PySession *session);
extern PySession *hxpy_session_clone(const char *name, const char *new_name);
extern void hxpy_session_fork(PySession *session, const char *socket, const char *kind);
extern void hxpy_session_exchange(Exchange *exchange, PySession *session, uint8 type);

#endif							/* HXPY_SESSION_H */
