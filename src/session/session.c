/*
 * session.c
 *	  The sessions of this backend; transaction and exit callbacks.
 *
 * A hash table, made on first use, maps (role, name) to sessions.  A session
 * owns a memory context, the worker's connection and the claim on its
 * container's directory.  It survives errors and ROLLBACK; it ends by py_close,
 * DISCARD ALL and with the backend.  Closing is closing sockets: the container
 * ends by itself, so that nothing here waits for Docker.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "launch/container.h"
#include "guc.h"
#include "launch/pool.h"
#include "session/session.h"
#include "session/state.h"
#include "launch/registry.h"

static void drop_sessions(void);

static HTAB *sessions = NULL;
static int	num_restricted = 0;		/* of them, see use_restricted() */
static uint64 last_id = 0;
static ProcessUtility_hook_type previous_utility_hook = NULL;

/* Make the key of the current role's session of a name that fits. */
static SessionKey
make_key(const char *name)
{
	SessionKey	key;

	memset(&key, 0, sizeof(key));
	key.role = GetUserId();
	strlcpy(key.name, name, NAMEDATALEN);
	return key;
}

/*
 * Refuse control characters in the name of a new session, C1 of ISO 6429 included: it
 * reaches terminals by the container's label.
 */
static void
check_name(const char *name)
{
	const char *text = pg_server_to_any(name, strlen(name), PG_UTF8);

	for (const unsigned char *c = (const unsigned char *) text; *c != '\0'; c++)
	{
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("invalid session name"),
					 errdetail("The name has control characters.")));
	}
}

/* Make the key of the current role's session of a name that the user gave. */
static SessionKey
session_key(const char *name)
{
	size_t		length = strlen(name);

	if (length == 0 || length >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid session name \"%s\"", name),
				 errdetail("A name has 1 to %d bytes.", NAMEDATALEN - 1)));
	if (strncmp(name, HXPY_OWN_PREFIX, strlen(HXPY_OWN_PREFIX)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid session name \"%s\"", name),
				 errdetail("Names that begin with \"%s\" are those of sessions of hxpy itself.",
						   HXPY_OWN_PREFIX)));
	return make_key(name);
}

/* Refuse where there are no sessions. */
static void
check_context(void)
{
	if (IsParallelWorker())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("Python sessions cannot be used in parallel workers")));
}

/* Refuse what chooses a session where it would be used behind its owner's back. */
static void
check_unrestricted(void)
{
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot use Python sessions by name within a security-restricted operation"),
				 errdetail("Materialized views, index expressions and maintenance commands are kept apart from all sessions that are open."),
				 errhint("Name no session: functions of LANGUAGE hxpy, and calls that leave the session out, run in one that is opened for the operation.")));
}

/* Free what a session owns and forget it; does not ereport. */
static void
destroy_session(PySession *session)
{
	MemoryContext context = session->context;

	if (session->worker != NULL)
	{
		hxpy_exchange_forget(session->worker);
		hxpy_worker_close(session->worker);
	}
	if (session->container != NULL)
		hxpy_container_release(session->container);
	hxpy_registry_close(session->slot);
	/* A shared container is the launcher's. */
	if (session->container == NULL || !session->container->shared)
		hxpy_pool_session_ended();
	num_restricted -= session->restricted;
	hash_search(sessions, &session->key, HASH_REMOVE, NULL);
	MemoryContextDelete(context);
}

/* Close all sessions when the backend ends. */
static void
close_at_exit(int code, Datum arg)
{
	drop_sessions();
}

/* Close the sessions of security-restricted operations, which are over; does not ereport. */
static void
close_restricted(void)
{
	HASH_SEQ_STATUS status;
	PySession  *session;

	if (num_restricted == 0)
		return;
	hash_seq_init(&status, sessions);
	while ((session = hash_seq_search(&status)) != NULL)
	{
		if (session->restricted)
			destroy_session(session);
	}
}

/* A transaction ends, and with it any security-restricted operation. */
static void
close_at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		close_restricted();
}

/* A subtransaction is undone, perhaps with a security-restricted operation that was in it. */
static void
close_at_rollback(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && !InSecurityRestrictedOperation())
		close_restricted();
}

/* Make the hash table and register the callbacks, once in a backend. */
static void
create_table(void)
{
	HASHCTL		control = {.keysize = sizeof(SessionKey),.entrysize = sizeof(PySession)};

	if (sessions != NULL)
		return;
	sessions = hash_create("hxpy sessions", 8, &control, HASH_ELEM | HASH_BLOBS);
	before_shmem_exit(close_at_exit, (Datum) 0);
	RegisterXactCallback(close_at_transaction_end, NULL);
	RegisterSubXactCallback(close_at_rollback, NULL);
}

/*
 * Greet a new worker: send the session's options to the supervisor and to the worker,
 * and wait until both have said hello.
 */
static void
greet(PySession *session)
{
	WorkerConn *conn = session->worker;
	Exchange	exchange;

	hxpy_exchange_init(&exchange, conn, HXPY_FRAME_OPEN);
	hxpy_exchange_add_text(&exchange, "output_limit", psprintf("%d", hxpy_output_limit * 1024));
	hxpy_exchange_add_text(&exchange, "idle_timeout", psprintf("%d", hxpy_idle_timeout));
	hxpy_exchange_add_text(&exchange, "log_level", session->options.log_level);
	hxpy_exchange_add_text(&exchange, "image", session->container->image);
	/* Where it has less than a CPU, or shares it, that is not Python's to spend on waiting. */
	hxpy_exchange_add_text(&exchange, "spin",
						   psprintf("%d", session->container->shared ||
									session->options.cpus < 1 ? 0 : hxpy_spin));
	if (session->container->shared)
	{
		hxpy_exchange_add_text(&exchange, "slot",
							   psprintf("%d", hxpy_registry_number(session->slot)));
		hxpy_exchange_add_text(&exchange, "memory",
							   psprintf(INT64_FORMAT, (int64) session->options.memory * 1024 * 1024));
		hxpy_exchange_add_text(&exchange, "processes", psprintf("%d", hxpy_pids_limit));
	}
	exchange.clock.limit_ms = hxpy_open_timeout;
	exchange.clock.limit_name = "hxpy.open_timeout";
	hxpy_exchange_run(&exchange);
	conn->slot = session->slot;
	hxpy_registry_set_state(session->slot, SLOT_IDLE);
	hxpy_registry_add(session->slot, COUNT_SESSIONS, 1);
}

/* Have a session's worker forked; what it becomes is named for process 1 of its container. */
void
hxpy_session_fork(PySession *session, const char *socket, const char *kind)
{
	Exchange	exchange;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_FORK);
	exchange.shown = kind;
	hxpy_exchange_add_text(&exchange, "name", socket);
	hxpy_exchange_add_text(&exchange, "kind", kind);
	hxpy_exchange_run(&exchange);
}

/* Have a session's worker forked into one for the socket of a name; see ForkOrder. */
static void
order_clone(void *arg, const char *socket_name)
{
	hxpy_session_fork(arg, socket_name, "session");
}

/*
 * Start a session's container, or have the worker of one that is open forked, and greet its
 * worker.
 */
static void
start_session(PySession *session, bool shared, PySession *origin)
{
	ContainerOptions options = {
		.session = session->key.name,
		.images = session->options.image,
		.network = session->options.network,
		.memory = session->options.memory,
		.cpus = session->options.cpus,
		.shared = shared,
		.slot = session->slot
	};

	if (origin != NULL)
		session->container = hxpy_container_clone(&options, origin->container,
												  hxpy_registry_container(origin->slot), order_clone, origin,
												  session->context);
	else
		session->container = hxpy_container_start(&options, session->context);
	session->initialized = session->container->initialized;
	session->started = session->container->started;
	session->worker = hxpy_worker_create(session->container->control, session->container->data,
										 session->key.name, (size_t) hxpy_output_limit * 1024,
										 session->options.log_level[0] != '\0',
										 session->context);
	session->container->control = session->container->data = PGINVALID_SOCKET;
	greet(session);
}

/* Open a new session under a key, by a fork of an open one unless that is NULL. */
static PySession *
create_session(const SessionKey *key, const SessionOptions *options, PySession *origin)
{
	PySession  *session;
	MemoryContext context;

	check_name(key->name);
	if (hash_get_num_entries(sessions) >= hxpy_max_sessions)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many Python sessions in this connection"),
				 errhint("Close some with py_close; hxpy.max_sessions is %d.",
						 hxpy_max_sessions)));
	context = AllocSetContextCreate(TopMemoryContext, "hxpy session", ALLOCSET_SMALL_SIZES);
	session = hash_search(sessions, key, HASH_ENTER, NULL);
	memset((char *) session + sizeof(SessionKey), 0, sizeof(PySession) - sizeof(SessionKey));
	session->id = ++last_id;
	session->context = context;
	session->restricted = InSecurityRestrictedOperation();
	num_restricted += session->restricted;
	PG_TRY();
	{
		bool		shared;

		hxpy_options_adopt(&session->options, context, options);
		shared = origin != NULL || hxpy_container_may_share(session->options.network);
		session->slot = hxpy_registry_open(key->name, shared ? 0 : session->options.memory);
		start_session(session, shared, origin);
		session->opened = session->worker->last_used;
	}
	PG_CATCH();
	{
		destroy_session(session);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return session;
}

/* Raise an error unless options are an open session's. */
static void
check_same_options(const PySession *session, const SessionOptions *options)
{
	hxpy_options_check_same(session->key.name, &session->options, session->container->image,
							options);
}

/*
 * Open a session, or return the one that is open; its options must not differ.
 * A lost session is replaced.
 */
PySession *
hxpy_session_open(const char *name, const SessionOptions *options)
{
	SessionKey	key;
	PySession  *session;

	check_context();
	check_unrestricted();
	key = session_key(name);
	create_table();
	session = hash_search(sessions, &key, HASH_FIND, NULL);
	if (session != NULL && session->worker->lost == NULL)
	{
		check_same_options(session, options);
		return session;
	}
	if (session != NULL)
		destroy_session(session);
	return create_session(&key, options, NULL);
}

/*
 * Return an open session; the default one, and that which hxpy.session names, are opened
 * on first use.  In a security-restricted operation there are none but its own.
 */
PySession *
hxpy_session_get(const char *name)
{
	SessionKey	key;
	PySession  *session;

	check_context();
	create_table();
	if (InSecurityRestrictedOperation())
	{
		key = make_key(name);
		session = hash_search(sessions, &key, HASH_FIND, NULL);
		if (session == NULL || !session->restricted)
			check_unrestricted();
		return session;
	}
	key = session_key(name);
	session = hash_search(sessions, &key, HASH_FIND, NULL);
	if (session == NULL &&
		(strcmp(name, HXPY_DEFAULT_SESSION) == 0 || strcmp(name, hxpy_session) == 0))
	{
		SessionOptions options;

		hxpy_options_init(&options);
		return create_session(&key, &options, NULL);
	}
	if (session == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_DOES_NOT_EXIST),
				 errmsg("session \"%s\" is not open", name),
				 errhint("Open it with py_open('%s').", name)));
	return session;
}

/* Raise an error unless a session lives and can be forked. */
void
hxpy_session_check_forkable(const PySession *session)
{
	check_unrestricted();
	if (session->worker->lost != NULL)
		hxpy_state_raise_lost(session->worker, "", NULL);
	if (!session->container->shared)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("session \"%s\" has a container of its own", session->key.name),
				 errdetail("Only sessions that share a container can be forked."),
				 errhint("A superuser can set hxpy.share to role; sessions with a network never share.")));
	if (hxpy_session_is_busy(session))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("session \"%s\" is busy with another request", session->key.name),
				 errhint("It cannot be forked while its Python runs or its rows are read.")));
}

/* Fork an open session into a new one of another name, with its options and what has run in it. */
PySession *
hxpy_session_clone(const char *name, const char *new_name)
{
	PySession  *origin = hxpy_session_get(name);
	SessionKey	key = session_key(new_name);
	PySession  *session = hash_search(sessions, &key, HASH_FIND, NULL);
	MemoryContext old;
	ListCell   *cell;

	if (session != NULL && session->worker->lost == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("session \"%s\" is already open", new_name),
				 errhint("Close it with py_close('%s') first, or choose another name.", new_name)));
	hxpy_session_check_forkable(origin);
	if (session != NULL)
		destroy_session(session);
	session = create_session(&key, &origin->options, origin);
	session->initialized = origin->initialized;
	session->started = origin->started;
	old = MemoryContextSwitchTo(session->context);
	foreach(cell, origin->init_names)
		session->init_names = lappend(session->init_names, pstrdup(lfirst(cell)));
	MemoryContextSwitchTo(old);
	return session;
}

/* Open a session that was lost anew, with its options. */
static PySession *
reopen_session(PySession *session)
{
	SessionKey	key = session->key;
	SessionOptions options = session->options;

	options.image = pstrdup(options.image);
	options.network = pstrdup(options.network);
	options.log_level = pstrdup(options.log_level);
	destroy_session(session);
	return create_session(&key, &options, NULL);
}

/*
 * Set the options of a session that is opened at its first use.  In a security-restricted
 * operation what others have set must not choose where the owner's code runs; what a
 * function sets itself may.
 */
static void
set_options(SessionOptions *options, bool pins_image)
{
	hxpy_options_init(options);
	if (!InSecurityRestrictedOperation())
		return;
	options->image = pins_image ? hxpy_image : hxpy_guc_image();
	options->network = HXPY_NO_NETWORK;
}

/* Make the key of one of the sessions of use_restricted(). */
static SessionKey
restricted_key(int number)
{
	return make_key(psprintf("%srestricted %d", HXPY_OWN_PREFIX, number));
}

/* Return one of the sessions of use_restricted(), NULL when there is none of the number. */
static PySession *
find_restricted(int number)
{
	SessionKey	key = restricted_key(number);

	return hash_search(sessions, &key, HASH_FIND, NULL);
}

/*
 * Return the session of the current role's functions in a security-restricted operation.
 * It is opened there and ends with it, whatever sessions are open or hxpy.session says.
 */
static PySession *
use_restricted(bool pins_image)
{
	SessionOptions options;

	set_options(&options, pins_image);
	for (int number = 1;; number++)
	{
		PySession  *session = find_restricted(number);

		if (session != NULL && session->worker->lost != NULL)
		{
			destroy_session(session);
			session = NULL;
		}
		if (session == NULL)
		{
			SessionKey	key = restricted_key(number);

			return create_session(&key, &options, NULL);
		}
		if (strcmp(session->options.image, options.image) == 0)
			return session;
	}
}

/*
 * Return the name of the session of a call that names none.  In a security-restricted
 * operation it is that of the function that calls, whatever hxpy.session says.
 */
char *
hxpy_session_default_name(void)
{
	PySession  *session;

	if (!InSecurityRestrictedOperation())
		return pstrdup(hxpy_session);
	check_context();
	create_table();
	for (int number = 1; (session = find_restricted(number)) != NULL; number++)
	{
		/* It waits for SQL of its function, in which this call stands. */
		if (hxpy_session_is_busy(session))
			return pstrdup(session->key.name);
	}
	return pstrdup(use_restricted(false)->key.name);
}

/*
 * Return the session of a function of the language, opened at its first use, and anew when
 * it was lost: the call that has met that has failed.  If the function pins its image,
 * the open session's must be that.
 */
PySession *
hxpy_session_use(const char *name, bool pins_image)
{
	SessionKey	key;
	PySession  *session;
	SessionOptions options;

	check_context();
	create_table();
	if (InSecurityRestrictedOperation())
		return use_restricted(pins_image);
	key = session_key(name);
	session = hash_search(sessions, &key, HASH_FIND, NULL);
	if (session != NULL && session->worker->lost != NULL)
		session = reopen_session(session);
	if (session != NULL && !pins_image)
		return session;
	hxpy_options_init(&options);
	if (session == NULL)
		return create_session(&key, &options, NULL);
	options.image = hxpy_image;
	check_same_options(session, &options);
	return session;
}

/*
 * Return a session of the current role in which hxpy runs code of its own, opened on
 * first use.  One that is at work, because a query streams into it, is left alone.
 * Nothing in it lasts, so that one that has ended is replaced without a word.
 */
PySession *
hxpy_session_own(void)
{
	/* In a security-restricted operation not even those are used that are open. */
	const char *kind = InSecurityRestrictedOperation() ? "restricted codecs" : "codecs";

	check_context();
	create_table();
	for (int number = 1;; number++)
	{
		SessionKey	key = make_key(psprintf("%s%s %d", HXPY_OWN_PREFIX, kind, number));
		PySession  *session = hash_search(sessions, &key, HASH_FIND, NULL);
		SessionOptions options;

		if (session != NULL && hxpy_session_is_busy(session))
			continue;
		if (session != NULL && !hxpy_worker_has_ended(session->worker))
			return session;
		if (session != NULL)
			destroy_session(session);
		set_options(&options, false);
		return create_session(&key, &options, NULL);
	}
}

/* Return whether an exchange with a session is under way. */
bool
hxpy_session_is_busy(const PySession *session)
{
	return session->worker->current != NULL;
}

/* Return whether a session is one of hxpy_session_own(). */
bool
hxpy_session_is_own(const PySession *session)
{
	return strncmp(session->key.name, HXPY_OWN_PREFIX, strlen(HXPY_OWN_PREFIX)) == 0;
}

/* Return the open session of an id, NULL when it is closed. */
static PySession *
find_session(uint64 id)
{
	HASH_SEQ_STATUS status;
	PySession  *session;

	if (sessions == NULL)
		return NULL;
	hash_seq_init(&status, sessions);
	while ((session = hash_seq_search(&status)) != NULL)
	{
		if (session->id == id)
		{
			hash_seq_term(&status);
			return session;
		}
	}
	return NULL;
}

/* Refuse to close a session under a query that reads its rows. */
static void
check_not_busy(const PySession *session)
{
	if (hxpy_session_is_busy(session))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("session \"%s\" is busy with another request", session->key.name),
				 errhint("Close the query or cursor that reads from it first.")));
}

/* Close a session of the current role; false when there is none. */
bool
hxpy_session_close(const char *name)
{
	SessionKey	key;
	PySession  *session;

	check_unrestricted();
	key = session_key(name);
	if (sessions == NULL)
		return false;
	session = hash_search(sessions, &key, HASH_FIND, NULL);
	if (session == NULL)
		return false;
	check_not_busy(session);
	destroy_session(session);
	return true;
}

/*
 * Close a session after the call that it was opened for, whoever the current role is
 * by now, unless it is closed or in use again; does not ereport.
 */
void
hxpy_session_finish(uint64 id)
{
	PySession  *session = find_session(id);

	if (session != NULL && !hxpy_session_is_busy(session))
		destroy_session(session);
}

/*
 * Close the current role's sessions, and those that hxpy has for it; returns how many
 * the role has opened.
 */
int
hxpy_session_close_all(void)
{
	List	   *list = hxpy_session_list();
	ListCell   *cell;
	int			count = 0;

	check_unrestricted();
	foreach(cell, list)
		check_not_busy(lfirst(cell));
	foreach(cell, list)
	{
		count += !hxpy_session_is_own(lfirst(cell));
		destroy_session(lfirst(cell));
	}
	return count;
}

/* Close every role's sessions, whatever they do: nothing reads from them any more. */
static void
drop_sessions(void)
{
	HASH_SEQ_STATUS status;
	PySession  *session;

	if (sessions == NULL)
		return;
	hash_seq_init(&status, sessions);
	while ((session = hash_seq_search(&status)) != NULL)
		destroy_session(session);
}

/* Return the sessions of the current role. */
List *
hxpy_session_list(void)
{
	HASH_SEQ_STATUS status;
	PySession  *session;
	List	   *list = NIL;

	if (sessions == NULL)
		return NIL;
	hash_seq_init(&status, sessions);
	while ((session = hash_seq_search(&status)) != NULL)
	{
		if (session->key.role == GetUserId())
			list = lappend(list, session);
	}
	return list;
}

/* Make an exchange with a session, within its time limit; see hxpy_exchange_init(). */
void
hxpy_session_exchange(Exchange *exchange, PySession *session, uint8 type)
{
	hxpy_exchange_init(exchange, session->worker, type);
	if (session->options.timeout_ms >= 0)
	{
		exchange->clock.limit_ms = (long) session->options.timeout_ms;
		exchange->clock.limit_name = "the session's timeout (py_timeout)";
	}
	else
	{
		exchange->clock.limit_ms = hxpy_eval_timeout;
		exchange->clock.limit_name = "hxpy.eval_timeout";
	}
}

/* Close all sessions after DISCARD ALL, and those of a security-restricted operation after it. */
static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	bool		discards = IsA(pstmt->utilityStmt, DiscardStmt) &&
		((DiscardStmt *) pstmt->utilityStmt)->target == DISCARD_ALL;

	if (previous_utility_hook != NULL)
		previous_utility_hook(pstmt, queryString, readOnlyTree, context, params, queryEnv,
							  dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv,
								dest, qc);
	if (discards)
		drop_sessions();
	else if (!InSecurityRestrictedOperation())
		close_restricted();
}

/* Hook into utility commands. */
void
hxpy_session_init(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
