/*
 * state.c
 *	  Where an exchange stands, and its session's loss.
 *
 * Nothing here raises an error but for hxpy_state_raise_...().
 */
#include "postgres.h"

#include "hxpy.h"
#include "session/output.h"
#include "session/state.h"

/* Go to another state. */
void
hxpy_state_set(Exchange *exchange, ExchangeState state)
{
#ifdef USE_ASSERT_CHECKING
	static const uint16 followers[] = {
		[EXCHANGE_NEW] = 1 << EXCHANGE_FEEDING | 1 << EXCHANGE_WAITING | 1 << EXCHANGE_BROKEN,
		[EXCHANGE_FEEDING] = 1 << EXCHANGE_REJECTED | 1 << EXCHANGE_WAITING |
			1 << EXCHANGE_SUSPENDED | 1 << EXCHANGE_BROKEN,
		[EXCHANGE_REJECTED] = 1 << EXCHANGE_ANSWERED | 1 << EXCHANGE_BROKEN,
		[EXCHANGE_WAITING] = 1 << EXCHANGE_ANSWERED | 1 << EXCHANGE_SUSPENDED |
			1 << EXCHANGE_BROKEN,
		[EXCHANGE_ANSWERED] = 1 << EXCHANGE_ENDED | 1 << EXCHANGE_BROKEN,
		[EXCHANGE_SUSPENDED] = 1 << EXCHANGE_FEEDING | 1 << EXCHANGE_WAITING |
			1 << EXCHANGE_BROKEN,
		/* What was done with its rows has failed, or nobody reads on. */
		[EXCHANGE_ENDED] = 1 << EXCHANGE_BROKEN,
		[EXCHANGE_BROKEN] = 1 << EXCHANGE_BROKEN
	};
#endif

	Assert((followers[exchange->state] & 1 << state) != 0);
	exchange->state = state;
}

/*
 * Note that the answer's last frame has begun to come, or that Python asks.  A frame
 * that must not come now changes nothing.
 */
void
hxpy_state_note(Exchange *exchange, const Frame *frame)
{
	bool		feeding = exchange->state == EXCHANGE_FEEDING;

	if (frame->request != exchange->request ||
		(!feeding && exchange->state != EXCHANGE_WAITING))
		return;
	if (HXPY_IS_ASK(frame->type))
	{
		exchange->resumed = exchange->state;
		hxpy_state_set(exchange, EXCHANGE_SUSPENDED);
	}
	else if (frame->type == HXPY_FRAME_RESULT || frame->type == HXPY_FRAME_ERROR)
		hxpy_state_set(exchange, feeding ? EXCHANGE_REJECTED : EXCHANGE_ANSWERED);
}

/* Leave the connection, in a last state. */
void
hxpy_state_finish(Exchange *exchange, ExchangeState state)
{
	WorkerConn *conn = exchange->conn;
	instr_time	now;

	if (conn != NULL)
		dlist_delete(&exchange->node);
	if (HXPY_IS_UNDER_WAY(exchange))
	{
		Assert(conn->current == exchange);
		conn->current = exchange->outer;
		conn->last_used = GetCurrentTimestamp();
		/* The time of an inner one is part of the outer's. */
		if (exchange->outer == NULL)
		{
			INSTR_TIME_SET_CURRENT(now);
			INSTR_TIME_SUBTRACT(now, exchange->began);
			hxpy_registry_set_state(conn->slot, SLOT_IDLE);
			hxpy_registry_add(conn->slot, COUNT_MICROSECONDS, INSTR_TIME_GET_MICROSEC(now));
		}
	}
	exchange->conn = NULL;
	hxpy_state_set(exchange, state);
}

/*
 * Give the session up, and all that is under way on it.  Does not ereport; the reason,
 * ASCII and short, must live as long.
 */
void
hxpy_state_lose(Exchange *exchange, const char *reason)
{
	WorkerConn *conn = exchange->conn;

	conn->lost = reason;
	hxpy_worker_close(conn);
	while (conn->current != NULL)
		hxpy_state_finish(conn->current, EXCHANGE_BROKEN);
	hxpy_registry_set_lost(conn->slot, reason);
}

/* Raise the error of a session that is lost. */
void
hxpy_state_raise_lost(const WorkerConn *conn, const char *detail, const char *hint)
{
	hxpy_output_show();
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("session \"%s\" was lost: %s", conn->session, conn->lost),
			 detail[0] ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) :
			 errhint("Its variables are gone. Close it with py_close('%s'), or open it anew with py_open('%s').",
					 conn->session, conn->session)));
}

/* Give the session up and raise the error. */
void
hxpy_state_raise_loss(Exchange *exchange, const char *reason)
{
	WorkerConn *conn = exchange->conn;

	hxpy_state_lose(exchange, reason);
	hxpy_state_raise_lost(conn, "", NULL);
}

/* Raise an error about a worker that breaks the protocol; the session is over. */
void
hxpy_state_raise_protocol(Exchange *exchange, const char *detail)
{
	WorkerConn *conn = exchange->conn;

	hxpy_state_lose(exchange, "the worker broke the protocol");
	hxpy_output_show();
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("invalid frame from the Python worker"),
			 errdetail_internal("%s", detail),
			 errhint("The session \"%s\" is lost; open it anew with py_open.", conn->session)));
}
