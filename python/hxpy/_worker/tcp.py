"""Sessions with a network: the server connects by TCP, and both ends prove the session's key.

The engine has put the key into a file that only root can change.  It says to
each end that the other one belongs to this session, and no more: code in the
session can read it, and what follows on the connections is not encrypted.

Nothing of the session runs before the server has proved the key on both of its
connections; then nobody listens any more.  A connection that does not is closed
after a few seconds, and holds up no other one meanwhile.
"""

from __future__ import annotations

import hmac
import os
import select
import socket
import time

from .._tables.wire import ProtocolError
from . import endpoint, protocol
from .protocol import HEADER, MAGIC, VERSION, ConnectionClosed

__all__ = ["accept", "read_key"]

_FIRST_SECONDS = 30         # until the server has proved itself for the first time
_HANDSHAKE_SECONDS = 5      # of one connection
_MAX_HANDSHAKES = 32        # at a time; one more and the oldest is closed

# A server that is gone without a word is noticed after 20 + 3 × 10 s.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


def read_key(path: str = endpoint.KEY_FILE) -> bytes:
    """Return the session's key."""
    with open(path, "rb") as file:
        key = file.read()
    if len(key) != protocol.KEY_SIZE:
        raise ProtocolError(f"a key has {protocol.KEY_SIZE} bytes")
    return key


def listen(port: int = protocol.TCP_PORT) -> socket.socket:
    """Return a socket that listens on all addresses of the container."""
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(("", port), family=socket.AF_INET6, backlog=16,
                                        dualstack_ipv6=True)
    else:
        listener = socket.create_server(("", port), backlog=16)
    listener.setblocking(False)
    return listener


class Handshake:
    """A connection whose other end has not proved the key yet.

    The server sends CHALLENGE (what the connection is for, and a nonce), gets
    PROOF (a nonce, and proof of the key over both), and sends its own proof.
    Not a byte beyond that is read.
    """

    def __init__(self, sock: socket.socket, key: bytes) -> None:
        self.sock = sock
        self.key = key
        self.until = time.monotonic() + _HANDSHAKE_SECONDS
        self.role = 0
        self._expected = protocol.CHALLENGE, 1 + protocol.NONCE_SIZE
        self._received = b""
        self._proof = b""

    def advance(self) -> bool:
        """Take what has come; True when the other end has proved the key.

        Raises OSError, ConnectionClosed or ProtocolError when it will not.
        """
        kind, length = self._expected
        data = self.sock.recv(HEADER.size + length - len(self._received))
        if not data:
            raise ConnectionClosed
        self._received += data
        if len(self._received) < HEADER.size + length:
            return False
        header = HEADER.unpack_from(self._received)
        if header != (MAGIC, VERSION, kind, 0, length):
            raise ProtocolError("another frame than that of the handshake")
        payload = self._received[HEADER.size:]
        self._received = b""
        if kind == protocol.SERVER_PROOF:
            if not hmac.compare_digest(payload, self._proof):
                raise ProtocolError("wrong proof")
            return True
        self._answer(payload)
        self._expected = protocol.SERVER_PROOF, protocol.PROOF_SIZE
        return False

    def _answer(self, challenge: bytes) -> None:
        """Prove the key, and keep what the server must say."""
        self.role = challenge[0]
        if self.role not in (protocol.ROLE_CONTROL, protocol.ROLE_DATA):
            raise ProtocolError("unknown role")
        nonce = os.urandom(protocol.NONCE_SIZE)
        both = challenge + nonce
        self._proof = hmac.digest(self.key, b"server" + both, "sha256")
        payload = nonce + hmac.digest(self.key, b"container" + both, "sha256")
        frame = HEADER.pack(MAGIC, VERSION, protocol.PROOF, 0, len(payload)) + payload
        if self.sock.send(frame) != len(frame):
            raise ProtocolError("no room for a proof")


class Acceptor:
    """Takes the session's two connections out of all that come."""

    def __init__(self, listener: socket.socket, key: bytes) -> None:
        self.listener = listener
        self.key = key
        self.handshakes: dict[int, Handshake] = {}      # by descriptor, the oldest first
        self.proved: dict[int, socket.socket] = {}      # by role
        self.poll = select.poll()
        self.poll.register(listener, select.POLLIN)

    def run(self) -> None:
        """Wait until both connections are there.

        Raises TimeoutError when the server does not come, and ConnectionClosed
        when it goes away again.
        """
        end = time.monotonic() + _FIRST_SECONDS
        while len(self.proved) < 2:
            now = time.monotonic()
            if now >= end and not self.proved:
                raise TimeoutError("no server has proved the session's key")
            for handshake in [h for h in self.handshakes.values() if h.until <= now]:
                self.drop(handshake)
            next_end = min((h.until for h in self.handshakes.values()), default=now + 1)
            for number, _ in self.poll.poll(int((min(next_end, now + 1) - now) * 1000) + 1):
                if number == self.listener.fileno():
                    self.take()
                elif number in self.handshakes:
                    self.advance(self.handshakes[number])
                elif any(number == sock.fileno() for sock in self.proved.values()):
                    raise ConnectionClosed

    def take(self) -> None:
        """Take one more connection."""
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        if len(self.handshakes) >= _MAX_HANDSHAKES:
            self.drop(next(iter(self.handshakes.values())))
        self.handshakes[sock.fileno()] = Handshake(sock, self.key)
        self.poll.register(sock, select.POLLIN)

    def advance(self, handshake: Handshake) -> None:
        """Go on with a connection, or close it."""
        try:
            if not handshake.advance():
                return
            if handshake.role in self.proved:
                raise ProtocolError("a second connection of one role")
        except BlockingIOError:
            return
        except (OSError, ConnectionClosed, ProtocolError):
            self.drop(handshake)
            return
        del self.handshakes[handshake.sock.fileno()]
        # Only its end counts: its first frame may overtake the other one's proof.
        self.poll.modify(handshake.sock, select.POLLRDHUP)
        self.proved[handshake.role] = tune(handshake.sock)

    def drop(self, handshake: Handshake) -> None:
        """Close a connection."""
        del self.handshakes[handshake.sock.fileno()]
        self.poll.unregister(handshake.sock)
        handshake.sock.close()


def tune(sock: socket.socket) -> socket.socket:
    """Send small frames at once, and notice a server that is gone."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def accept(key: bytes, port: int = protocol.TCP_PORT) -> tuple[socket.socket, socket.socket]:
    """Return the control and the data connection of the server that has the key."""
    with listen(port) as listener:
        acceptor = Acceptor(listener, key)
        acceptor.run()
    for handshake in acceptor.handshakes.values():
        handshake.sock.close()
    control, data = (acceptor.proved[role] for role in (protocol.ROLE_CONTROL, protocol.ROLE_DATA))
    control.setblocking(True)
    data.setblocking(True)
    return control, data
