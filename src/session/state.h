/*
 * state.h
 *	  An exchange: what it consists of, and where it stands.
 *
 * An exchange has a head (the instruction's type, texts, wanted columns, columns at
 * hand), a source of further rows, a sink of the answer's rows, a clock and a
 * guard.
 */
#ifndef HXPY_STATE_H
#define HXPY_STATE_H

#include "nodes/pg_list.h"
#include "utils/resowner.h"

#include "codec/column.h"
#include "session/clock.h"
#include "session/progress.h"
#include "session/worker.h"

#define HXPY_MAX_TEXTS	8
#define HXPY_MAX_ASKS	16

typedef struct Exchange Exchange;
typedef struct OpenSubxact OpenSubxact;

/* Where an exchange stands.  hxpy_state_set() knows which may follow which. */
typedef enum ExchangeState
{
	EXCHANGE_NEW,				/* nothing was sent; its session may be closed */
	EXCHANGE_FEEDING,			/* more frames may follow: neither END nor ABORT was sent */
	EXCHANGE_REJECTED,			/* so, but the answer has begun to come: ABORT must follow */
	EXCHANGE_WAITING,			/* no more frames will follow */
	EXCHANGE_ANSWERED,			/* so, and the answer's last frame has begun to come */
	EXCHANGE_SUSPENDED,			/* Python waits for what it has asked; others run inside */
	EXCHANGE_ENDED,				/* the answer was read; the session is free */
	EXCHANGE_BROKEN				/* broken off; the session is free or lost */
} ExchangeState;

/* Rows that follow the head. */
typedef struct ExchangeSource
{
	/*
	 * Call hxpy_exchange_begin(), and hxpy_exchange_feed() for all rows if `whole`;
	 * else rows may be left for step().  Returns whether some are.
	 */
	bool		(*open) (struct ExchangeSource *source, Exchange *exchange, bool whole);
	/* Feed about a batch; returns whether rows are left. */
	bool		(*step) (struct ExchangeSource *source, Exchange *exchange);
} ExchangeSource;

/* Takes the answer's rows, in one of two ways. */
typedef struct ExchangeSink
{
	/* Take a batch, which is valid until the return. */
	void		(*take) (struct ExchangeSink *sink, const char *payload, size_t length);
	/* Read the rows to their end by hxpy_exchange_next(). */
	void		(*pull) (struct ExchangeSink *sink, Exchange *exchange);
} ExchangeSink;

/* A text of the head, in the server's encoding. */
typedef struct ExchangeText
{
	const char *name;
	const char *value;
} ExchangeText;

/* What exchanges have cost, as EXPLAIN shows it. */
typedef struct ExchangeCosts
{
	uint64		messages;
	uint64		rows;			/* in them */
	uint64		groups;			/* of rows, which Python was told */
	uint64		sorted;			/* rows of groups that Python did not keep */
	uint64		sent;			/* bytes */
	uint64		received;
	instr_time	time;			/* that was waited for Python */
	uint64		worked;			/* µs, by Python's own account */
} ExchangeCosts;

/* Columns that heads begin with, written once for many exchanges. */
typedef struct HeadPrefix
{
	int			ncolumns;
	ByteBuffer	bytes;
} HeadPrefix;

struct Exchange
{
	/* head, source and sink: set by the maker */
	uint8		type;			/* of the instruction: HXPY_FRAME_... */
	const char *shown;			/* what others are shown of it; the first text unless set */
	ExchangeText texts[HXPY_MAX_TEXTS];
	int			ntexts;
	List	   *wants;			/* Columns without values: names and types of the answer's */
	const HeadPrefix *prefix;	/* has texts and wants already, or NULL */
	List	   *columns;		/* at hand */
	bool		read_only;		/* what SQL Python asks for changes nothing */
	bool		isolated;		/* nor can it name transition tables of who calls */
	bool		nonatomic;		/* Python may end the transaction */
	bool		grouped;		/* its rows come in groups, of which Python may keep some */
	List	   *transforms;		/* base types that plpy has as dicts and lists */
	bool		keeps_error;	/* an ERROR ends it as a RESULT does, with `failed` */
	ExchangeSource *source;		/* NULL for none */
	ExchangeSink *sink;			/* NULL when no rows may come */
	RowProgress *rows;			/* counts its rows, and perhaps others'; NULL when none does */
	ExchangeClock clock;
	/* For who steps: reads the rest, since the session is needed, or leaves it busy. */
	void		(*spool) (void *arg);
	void	   *spool_arg;

	/* the answer's frame that was read last, valid until the next one */
	const char *payload;
	size_t		length;
	bool		failed;			/* it is an ERROR that is kept */

	ExchangeState state;
	ExchangeState resumed;		/* the state after EXCHANGE_SUSPENDED */
	Exchange   *outer;			/* that is suspended while this one runs, or NULL */
	int			depth;			/* how many are */
	WorkerConn *conn;			/* NULL when its session was closed before it began */
	dlist_node	node;			/* in conn->exchanges, from run or open to its end */
	MemoryContext context;		/* of the head, and of batches that wait */
	GatherList	head;
	uint32		request;		/* its number */
	size_t		printed_left;	/* bytes of what Python prints; 0: it was cut */
	size_t		written_left;	/* of what its subprocesses write */
	size_t		logged_left;	/* of LOG frames */
	instr_time	began;
	ExchangeCosts costs;		/* of its rows; the clock has the time */
	bool		is_full;		/* the worker wants to keep no more rows */

	/* of what Python has asked */
	MemoryContext ask_context;	/* of the latest one and its answer, or NULL */
	GatherList	answer;
	ErrorData  *failure;		/* the latest error of that, or NULL */
	uint32		failures;		/* how many there were: its number */
	OpenSubxact *subxacts;		/* that Python has opened, the innermost first */
	/* is called when it was run without an error, or NULL */
	void		(*at_end) (struct Exchange *exchange);

	/* of one that is stepped */
	bool		resting;		/* between two steps: spool() may be called */
	bool		has_more;		/* the source has rows left */
	List	   *waiting;		/* batches that came while it was fed */
	size_t		waiting_bytes;	/* in them */
	char	   *taken;			/* batch of these that was read last, or NULL */
	ResourceOwner owner;		/* NULL when it is gone */
	dlist_node	guard_node;		/* in `guarded` as long as `context` is there */
	MemoryContextCallback callback;
};

#define HXPY_IS_FEEDING(exchange) \
	((exchange)->state == EXCHANGE_FEEDING || (exchange)->state == EXCHANGE_REJECTED)
#define HXPY_IS_ASK(type)	((type) >= HXPY_FRAME_ASK && (type) < HXPY_FRAME_ASK + HXPY_MAX_ASKS)
#define HXPY_IS_UNDER_WAY(exchange) \
	((exchange)->state > EXCHANGE_NEW && (exchange)->state < EXCHANGE_ENDED)

extern void hxpy_state_set(Exchange *exchange, ExchangeState state);
extern void hxpy_state_note(Exchange *exchange, const Frame *frame);
extern void hxpy_state_finish(Exchange *exchange, ExchangeState state);
extern void hxpy_state_lose(Exchange *exchange, const char *reason);
pg_noreturn extern void hxpy_state_raise_lost(const WorkerConn *conn, const char *detail,
											  const char *hint);
pg_noreturn extern void hxpy_state_raise_loss(Exchange *exchange, const char *reason);
pg_noreturn extern void hxpy_state_raise_protocol(Exchange *exchange, const char *detail);

#endif							/* HXPY_STATE_H */
