/*
 * connect.c
 *	  Connections to workers that start.
 *
 * Whatever is waited for, the sandbox's end is noticed at once, and the limit, cancel
 * and terminate are obeyed.
 *
 * In a network the worker listens, some time after its container was started, and a port
 * that is published answers before that: so the server connects again and again, in small
 * steps.  Then both ends prove the session's key (docs/protocol.md) before any other frame.
 *
 * A peer that is gone without a word is noticed by keepalive probes, which need a
 * connection that is idle: the control connection always is.  TCP_USER_TIMEOUT would end
 * connections whose other end only takes its time to read.
 */
#include "postgres.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/hmac.h"
#include "common/sha2.h"
#include "storage/fd.h"

#include "hxpy.h"
#include "codec/wire.h"
#include "launch/connect.h"
#include "launch/directory.h"

#define RETRY_MS			10
#define NO_ADDRESS_WAIT_MS	2000	/* for the end of a container without one */

/* a peer that is gone is noticed after IDLE + COUNT * INTERVAL seconds */
#define KEEPALIVE_IDLE		20
#define KEEPALIVE_INTERVAL	10
#define KEEPALIVE_COUNT		3

/* What both ends prove the key over: a challenge is the first part of it. */
typedef struct Transcript
{
	uint8		role;
	uint8		server_nonce[HXPY_NONCE_SIZE];
	uint8		container_nonce[HXPY_NONCE_SIZE];
} Transcript;

#define CHALLENGE_SIZE		offsetof(Transcript, container_nonce)

/* What the container answers a challenge with. */
typedef struct Answer
{
	char		header[HXPY_HEADER_SIZE];
	uint8		nonce[HXPY_NONCE_SIZE];
	uint8		proof[HXPY_PROOF_SIZE];
} Answer;

StaticAssertDecl(HXPY_PROOF_SIZE == PG_SHA256_DIGEST_LENGTH, "a proof is HMAC-SHA256");

/* ---------- waiting ---------- */

/* Raise an error when the sandbox has ended. */
static void
check_end(const Startup *startup)
{
	const char *words;

	if (startup->start == NULL || !hxpy_engine->has_ended(startup->start))
		return;
	words = hxpy_engine->last_words(startup->start);
	ereport(ERROR,
			(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
			 errmsg("the container of image \"%s\" ended before Python could connect",
					startup->image),
			 words[0] ? errdetail("%s", words) : 0,
			 errhint("The image must be one of hxpy's (docker/build), with /usr/bin/python3 and the package hxpy.")));
}

/*
 * Wait until a socket (or none), where there was nothing a moment ago, is readable or
 * the engine says something, at most for step_ms unless that is -1; false when the limit
 * is over.  Raises an error when the sandbox has ended.
 */
bool
hxpy_connect_wait(const Startup *startup, pgsocket socket, long step_ms)
{
	long		left = (long) (startup->begun + startup->limit_ms - hxpy_wait_now());

	if (left <= 0)
		return false;
	check_end(startup);
	(void) hxpy_engine->wait(socket, step_ms < 0 ? left : Min(left, step_ms),
							 startup->start != NULL ? HXPY_WAIT_ENGINE : HXPY_WAIT_POOL);
	return true;
}

/* ---------- networks ---------- */

/* Raise an error about somebody who does not have the session's key. */
static void
raise_impostor(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION),
			 errmsg("who answers at the container's address does not have the session's key"),
			 errdetail_internal("%s", detail),
			 errhint("Check who else is in the network of the session; see docs/security.md.")));
}

/* Raise the error of a container that cannot be reached. */
static void
raise_unreachable(const TcpPeer *peer, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("could not connect to Python in its network"),
			 errdetail("Connecting to \"%s\", port %d: %s.",
					   peer->address ? peer->address : "", peer->port, reason),
			 errhint("The server must reach the addresses of the session's network; when the engine is on another machine, set hxpy.publish_address. The limit is hxpy.open_timeout.")));
}

/* Compute one end's proof. */
static void
make_proof(const TcpPeer *peer, const char *who, const Transcript *transcript, uint8 *proof)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	bool		done;

	done = hmac != NULL &&
		pg_hmac_init(hmac, peer->key, HXPY_KEY_SIZE) == 0 &&
		pg_hmac_update(hmac, (const uint8 *) who, strlen(who)) == 0 &&
		pg_hmac_update(hmac, (const uint8 *) transcript, sizeof(*transcript)) == 0 &&
		pg_hmac_final(hmac, proof, HXPY_PROOF_SIZE) == 0;
	pg_hmac_free(hmac);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a proof of the session's key")));
}

/* Send a frame of the handshake; false when the connection has broken off. */
static bool
send_frame(pgsocket socket, uint8 type, const void *payload, size_t length)
{
	char		frame[HXPY_HEADER_SIZE + sizeof(Transcript)];

	hxpy_wire_header(frame, type, 0, length);
	memcpy(frame + HXPY_HEADER_SIZE, payload, length);
	/* It fits into any new socket's buffer. */
	return send(socket, frame, HXPY_HEADER_SIZE + length, MSG_NOSIGNAL) ==
		(ssize_t) (HXPY_HEADER_SIZE + length);
}

/*
 * Read the answer to a challenge, and not a byte more; false when the connection
 * has broken off, or time is over.
 */
static bool
read_answer(const Startup *startup, pgsocket socket, Answer *answer)
{
	size_t		have = 0;

	while (have < sizeof(Answer))
	{
		ssize_t		count = recv(socket, (char *) answer + have, sizeof(Answer) - have, 0);

		if (count > 0)
			have += count;
		else if (count == 0)
			errno = ECONNRESET;
		else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		{
			if (!hxpy_connect_wait(startup, socket, -1))
			{
				errno = ETIMEDOUT;
				return false;
			}
			continue;
		}
		if (count <= 0)
			return false;
	}
	return true;
}

/*
 * Prove the key to the other end, and have it proved; false, with errno, when the
 * connection broke off before.
 */
static bool
shake_hands(const Startup *startup, const TcpPeer *peer, pgsocket socket, uint8 role)
{
	Transcript	transcript = {.role = role};
	uint8		proof[HXPY_PROOF_SIZE];
	char		header[HXPY_HEADER_SIZE];
	Answer		answer;

	if (!pg_strong_random(transcript.server_nonce, HXPY_NONCE_SIZE))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	if (!send_frame(socket, HXPY_FRAME_CHALLENGE, &transcript, CHALLENGE_SIZE) ||
		!read_answer(startup, socket, &answer))
		return false;
	hxpy_wire_header(header, HXPY_FRAME_PROOF, 0, sizeof(Answer) - HXPY_HEADER_SIZE);
	if (memcmp(answer.header, header, HXPY_HEADER_SIZE) != 0)
		raise_impostor("The answer is no proof.");
	memcpy(transcript.container_nonce, answer.nonce, HXPY_NONCE_SIZE);
	make_proof(peer, "container", &transcript, proof);
	if (timingsafe_bcmp(proof, answer.proof, HXPY_PROOF_SIZE) != 0)
		raise_impostor("The proof is wrong.");
	make_proof(peer, "server", &transcript, proof);
	return send_frame(socket, HXPY_FRAME_SERVER_PROOF, proof, HXPY_PROOF_SIZE);
}

/* Wait until a connection is made; false, with errno, when it failed. */
static bool
finish_connect(const Startup *startup, pgsocket socket)
{
	struct pollfd waiting = {.fd = socket,.events = POLLOUT};
	int			error = 0;
	socklen_t	length = sizeof(error);

	while (poll(&waiting, 1, 0) <= 0)
	{
		if (!hxpy_connect_wait(startup, PGINVALID_SOCKET, 1))
		{
			errno = ETIMEDOUT;
			return false;
		}
	}
	if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		return false;
	errno = error;
	return error == 0;
}

/* Return whether an attempt that failed may succeed once the container listens. */
static bool
is_passing(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET || error == ECONNABORTED ||
		error == EPIPE || error == EHOSTUNREACH || error == ETIMEDOUT || error == EINTR;
}

/* Send small frames at once, and notice a peer that is gone. */
static void
tune_socket(pgsocket socket)
{
	static const struct
	{
		int			level;
		int			option;
		int			value;
	}			options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT}
	};

	for (int i = 0; i < lengthof(options); i++)
	{
		if (setsockopt(socket, options[i].level, options[i].option, &options[i].value,
					   sizeof(int)) != 0)
			ereport(ERROR,
					(errcode_for_socket_access(),
					 errmsg("could not set up the connection to Python: %m")));
	}
}

/* Find the address to connect to; palloc'd. */
static struct sockaddr *
parse_address(const TcpPeer *peer, socklen_t *length)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM
	};
	struct addrinfo *found;
	struct sockaddr *address;
	int			error = getaddrinfo(peer->address, psprintf("%d", peer->port), &hints, &found);

	if (error != 0)
		raise_unreachable(peer, gai_strerror(error));
	*length = found->ai_addrlen;
	address = palloc(found->ai_addrlen);
	memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return address;
}

/*
 * Connect to a container, once it listens, and have the key proved both ways.  The socket
 * is non-blocking, counted with AcquireExternalFD, and the caller's even on errors.
 */
void
hxpy_connect_network(const Startup *startup, const TcpPeer *peer, uint8 role, pgsocket *used)
{
	socklen_t	length;
	struct sockaddr *address;

	if (peer->address == NULL)
	{
		(void) hxpy_connect_wait(startup, PGINVALID_SOCKET, NO_ADDRESS_WAIT_MS);
		raise_unreachable(peer, "the engine names no address of the container");
	}
	address = parse_address(peer, &length);
	for (;;)
	{
		int			error;

		if (!AcquireExternalFD())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("too many open files for another session")));
		*used = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (*used == PGINVALID_SOCKET)
			ReleaseExternalFD();
		else if ((connect(*used, address, length) == 0 ||
				  (errno == EINPROGRESS && finish_connect(startup, *used))) &&
				 shake_hands(startup, peer, *used, role))
		{
			tune_socket(*used);
			return;
		}
		error = errno;
		if (!is_passing(error) || !hxpy_connect_wait(startup, PGINVALID_SOCKET, RETRY_MS))
			raise_unreachable(peer, strerror(error));
		hxpy_directory_close_socket(used);
	}
}
