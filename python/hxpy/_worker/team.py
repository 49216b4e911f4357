"""Copies of a session, which work beside each other for the length of a call.

The session's worker forks itself into some copies, deals pieces of work out to whichever is
free, and passes on what they send.  So the server sees one worker, whose frames come in the
order of the pieces unless that does not matter.  A copy finds what the session had when the call
began, copy-on-write; nothing of what it changes is left.  It has a connection to the worker in
the place of that to the server, and answers requests on it as any worker does: ROWS, then
RESULT or ERROR.  The number of a request is that of the piece.

Copies are processes of the session: they count against its limits, and end with it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._tables.wire import Buffer
from ..errors import HxpyError
from . import forking, process, protocol
from .protocol import HEADER, Connection, ConnectionClosed
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["Copy", "CopyError", "Team", "WORTH"]

WORTH = 0.05        # seconds of work after which forks are worth their time

_AHEAD = 4          # pieces for each copy that are under way, or wait for earlier ones
_HELD = 32 << 20    # bytes that wait for earlier pieces, after which only these are heard


class CopyError(Exception):
    """The ERROR of a copy: the frame's payload."""

    def __init__(self, payload: Buffer) -> None:
        super().__init__()
        self.payload = payload


class Copy:
    """A copy: its process, and the session's end of its connection.  piece: that it has, or 0."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.connection = Connection(sock)
        self.piece = 0


class _Piece:
    """A piece of work: frames that wait for earlier pieces to end, and whether it has ended."""

    def __init__(self) -> None:
        self.frames: deque[tuple[int, bytearray]] = deque()
        self.ended = False


class Team:
    """Copies of a worker, and the pieces of work that they have.

    serve: is called in each copy, and says how it answers.  take: is given the type, the
    piece's number and the payload of each ROWS and RESULT, in the order of the pieces if `ordered`.
    """

    def __init__(self, worker: Worker, count: int, serve: Callable[[], None],
                 take: Callable[[int, int, bytearray], None], ordered: bool = True) -> None:
        self.worker = worker
        self.take = take
        self.ordered = ordered
        self.copies: list[Copy] = []
        self.pieces: dict[int, _Piece] = {}     # under way; the first one comes next
        self.latest = 0     # piece
        self.held = 0       # bytes that wait
        self.kills = process.oom_kills()
        try:
            worker.unbroken(self.fork, count, serve)
        except BaseException:
            self.close()
            raise

    def fork(self, count: int, serve: Callable[[], None]) -> None:
        """Make the copies."""
        files = forking.check_copies(self.worker)
        for _ in range(count):
            ours, theirs = socket.socketpair()
            with theirs:
                others = [*(copy.connection.sock for copy in self.copies), ours]
                pid = forking.fork_copy(self.worker, files, theirs, others, serve)
            self.copies.append(Copy(pid, ours))

    # Work ------------------------------------------------------------------

    def begin(self) -> Copy:
        """Wait for a copy that is free, and have it begin the next piece, which is `latest`."""
        while True:
            free = [copy for copy in self.copies if not copy.piece]
            if free and len(self.pieces) < _AHEAD * len(self.copies) and self.held < _HELD:
                break
            self.hear()
        self.latest += 1
        self.pieces[self.latest] = _Piece()
        free[0].piece = self.latest
        return free[0]

    def send(self, copy: Copy, kind: int, parts: Sequence[Buffer] = ()) -> None:
        """Send a copy a frame; what others, and it, send meanwhile is taken."""
        length = sum(map(len, parts))
        header = HEADER.pack(protocol.MAGIC, protocol.VERSION, kind, copy.piece, length)
        for part in (header, *parts):
            rest = memoryview(part).cast("B")
            while rest:
                try:
                    sent = copy.connection.sock.send(rest, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                except BlockingIOError:
                    self.hear(writing=copy)
                except ConnectionError:
                    raise self.failure(copy) from None
                else:
                    rest = rest[sent:]

    def payloads(self) -> Iterator[bytearray]:
        """Yield the payloads of the batches of the request's stream; hear the copies meanwhile."""
        payloads = self.worker.payloads(Stopwatch())
        while True:
            while not (self.worker.has_frame() or self.hear(reading=self.worker.connection.fileno())):
                pass
            payload = next(payloads, None)
            if payload is None:
                return
            yield payload

    def finish(self) -> None:
        """Wait until all pieces have ended."""
        while self.pieces:
            self.hear()

    def drop(self) -> None:
        """Forget the pieces that are under way: what copies still send about them is skipped."""
        self.pieces.clear()
        self.held = 0

    # What copies send ------------------------------------------------------

    def hear(self, reading: int = -1, writing: Copy | None = None) -> bool:
        """Take what copies send, once there is something; return whether `reading` has something.

        Also returns once `writing` can be sent something.  A copy whose frames wait for
        others is not heard when these are too many.
        """
        poll = select.poll()
        if reading >= 0:
            poll.register(reading, select.POLLIN)
        for copy in self.copies:
            events = select.POLLIN if self.is_heard(copy) else 0
            if copy is writing:
                events |= select.POLLOUT
            if events:
                poll.register(copy.connection.fileno(), events)
        ready = dict(poll.poll())
        for copy in self.copies:
            if ready.get(copy.connection.fileno(), 0) & ~select.POLLOUT:
                self.read(copy)
                while copy.connection.pending():
                    self.read(copy)
        return reading in ready

    def is_heard(self, copy: Copy) -> bool:
        """Return whether a copy's frames are taken now."""
        return (self.held < _HELD or copy.piece not in self.pieces or
                copy.piece == next(iter(self.pieces)))

    def read(self, copy: Copy) -> None:
        """Take a frame of a copy."""
        try:
            kind, number, payload = copy.connection.receive()
        except (ConnectionClosed, ConnectionError):
            raise self.failure(copy) from None
        if kind not in (protocol.ROWS, protocol.RESULT, protocol.ERROR):
            self.worker.pass_on(kind, payload)
            return
        if kind != protocol.ROWS:
            copy.piece = 0
        piece = self.pieces.get(number)
        if piece is None:
            return
        piece.frames.append((kind, payload))
        piece.ended = kind != protocol.ROWS
        self.held += len(payload)
        if not self.ordered:
            self.hand_on(number)
        while self.pieces and self.hand_on(next(iter(self.pieces))):
            pass

    def hand_on(self, number: int) -> bool:
        """Hand on the frames of a piece; return whether it has ended."""
        piece = self.pieces[number]
        while piece.frames:
            kind, payload = piece.frames.popleft()
            self.held -= len(payload)
            if kind == protocol.ERROR:
                raise CopyError(payload)
            self.take(kind, number, payload)
        if piece.ended:
            del self.pieces[number]
        return piece.ended

    # The end ---------------------------------------------------------------

    def failure(self, copy: Copy) -> HxpyError:
        """Return the error of a copy that has closed its connection."""
        status = self.end(copy)
        self.copies.remove(copy)
        if os.WIFEXITED(status):
            return HxpyError("38000", "a copy of the session has ended with exit status "
                             f"{os.WEXITSTATUS(status)}")
        if os.WTERMSIG(status) == signal.SIGKILL and process.oom_kills() > self.kills:
            return HxpyError("53000", "a copy of the session was killed: it took more memory than "
                             "is left", "",
                             "Use fewer workers, smaller batches or groups, or raise hxpy.memory.")
        return HxpyError("38000", f"a copy of the session was killed by {_name(os.WTERMSIG(status))}")

    def end(self, copy: Copy) -> int:
        """Kill a copy, unless it has ended; return its wait status."""
        copy.connection.sock.close()
        try:
            os.kill(copy.pid, signal.SIGKILL)
            return os.waitpid(copy.pid, 0)[1]
        except (ProcessLookupError, ChildProcessError):     # the user's code waits for any child
            return 0

    def close(self) -> None:
        """End the copies."""
        masked, self.worker.masked = self.worker.masked, True
        for copy in self.copies:
            self.end(copy)
        self.copies = []
        self.drop()
        self.worker.masked = masked


def _name(number: int) -> str:
    """Return the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
