"""The supervisor: what process 1 of the container does for a session.

It holds the control connection, forwards interrupts, passes on what the
worker's processes write to descriptors 1 and 2, and when the worker dies it
says why.  The end of its connection ends everything of the session.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator

from .._tables.wire import decode_texts, encode_texts
from . import process, protocol
from .page import ENDED, FORWARDING, HOLDING, PASSING, PRELOADING, PRINTED, PRINTING, RUNNING, TARGET
from .protocol import Connection
from .session import PACKAGE

__all__ = ["Supervisor", "explain", "greet"]

_LONG_LINE = 65536      # bytes of an unfinished line that are not held back
_IDLE_OUTPUT = 32768    # bytes passed on while no request runs


def greet(control: socket.socket) -> Connection:
    """Say hello on the control connection."""
    connection = Connection(control)
    connection.send(protocol.HELLO, 0, encode_texts(role="supervisor"))
    return connection


class Supervisor:
    """A session's control connection, the page `shared`, its worker and what that writes."""

    def __init__(self, connection: Connection, shared: memoryview, child: int,
                 output: int, last_words: int) -> None:
        self.connection = connection
        self.shared = shared
        self.child = child      # 0 as long as it is not known
        self.output = output
        self.last_words = last_words
        self.line = b""         # output that was read, of a line that is not finished
        self.output_request = 0
        self.output_left = 0
        self.output_limit = 1 << 20
        self.idle_timeout = 0.0

    def run(self, wakeup: socket.socket) -> None:
        """Serve until the server goes away, the worker dies or the session idles out.

        The session has the container to itself.  wakeup: is readable when a child has ended.
        """
        oom_before = process.oom_kills()
        poll = select.poll()
        for source in (self.connection.fileno(), self.output, wakeup.fileno()):
            poll.register(source, select.POLLIN)
        while True:
            left = self.idle_left()
            ready = dict(poll.poll(None if left is None else int(left * 1000) + 1))
            if self.output in ready and not self.forward():
                poll.unregister(self.output)
            if self.connection.fileno() in ready:
                self.command()
            if wakeup.fileno() in ready:
                wakeup.recv(4096)
                status = dict(process.reap()).get(self.child)
                if status is not None:
                    self.report(*explain(status, process.oom_kills() > oom_before),
                                process.kill_others)
                    return
            if self.idle_left() == 0.0:
                self.report("idle", f"{self.idle_timeout:g}", process.kill_others)
                return

    def idle_left(self) -> float | None:
        """Return the seconds until the session has been idle too long, None for never."""
        if not self.idle_timeout:
            return None
        if self.shared[RUNNING] or self.shared[PRELOADING]:
            return self.idle_timeout
        idle = time.monotonic_ns() - self.shared[ENDED]
        return max(0.0, self.idle_timeout - idle / 1e9)

    def command(self) -> None:
        """Carry out the server's frames."""
        for _ in self.commands():
            pass

    def commands(self) -> Iterator[tuple[int, bytearray]]:
        """Carry out the server's frames: options and interrupts; yield others."""
        while True:
            kind, request, payload = self.connection.receive()
            if kind == protocol.INTERRUPT:
                self.shared[TARGET] = request
                if self.shared[RUNNING] == request or self.shared[PRELOADING]:
                    self.interrupt()
            elif kind == protocol.OPEN:
                self.open(decode_texts(payload))
            else:
                yield kind, payload
            if not self.connection.pending():
                return

    def interrupt(self) -> None:
        """Interrupt what the worker does."""
        try:
            os.killpg(self.child, signal.SIGINT)
        except ProcessLookupError:      # the user's code has left its group
            os.kill(self.child, signal.SIGINT)

    def open(self, options: dict[str, str]) -> None:
        """Take the session's options."""
        self.output_limit = int(options["output_limit"])
        self.idle_timeout = int(options["idle_timeout"]) / 1000
        self.shared[ENDED] = time.monotonic_ns()

    def forward(self) -> bool:
        """Read output of the worker's processes and pass on the lines that are whole.

        The worker ends an unfinished one before it sends a result or output of its own.
        """
        self.shared[FORWARDING] = PASSING
        data = os.read(self.output, 65536)
        lines, end, self.line = (self.line + self.cap(data)).rpartition(b"\n")
        if not data or len(self.line) >= _LONG_LINE:
            lines, end, self.line = lines + end + self.line, b"", b""
        if lines or end:
            self.pass_on(lines)
        self.shared[FORWARDING] = HOLDING if self.line else 0
        return bool(data)

    def cap(self, data: bytes) -> bytes:
        """Return what of new output is within the limit of the request that runs."""
        request = self.shared[PRINTING]
        if request != self.output_request:
            self.output_request = request
            # Between requests nobody reads: what is left must fit into the socket.
            self.output_left = self.output_limit if request else \
                min(self.output_left, _IDLE_OUTPUT)
        if self.output_left <= 0:
            return b""
        self.output_left -= len(data)
        if self.output_left > 0:
            return data
        return data[:len(data) + self.output_left] + b"\n... (output cut at the limit)\n"

    def pass_on(self, lines: bytes) -> None:
        """Send lines of output.

        In the place of the request's number stands how many OUTPUT frames the worker
        has sent before, so that the server shows both kinds in their order.
        """
        self.connection.send(protocol.OUTPUT, self.shared[PRINTED] & 0xFFFFFFFF,
                             (b"\1", lines.rstrip(b"\n")))

    def report(self, reason: str, value: str, kill: Callable[[], None]) -> None:
        """End the session's processes and tell the server why it is over."""
        kill()
        os.set_blocking(self.output, False)
        try:
            while self.forward():
                pass
        except BlockingIOError:
            pass
        if self.line:
            self.pass_on(self.line)
        os.set_blocking(self.last_words, False)
        try:
            words = os.read(self.last_words, 65536).decode("utf-8", "replace")
        except BlockingIOError:
            words = ""
        self.connection.send(protocol.DEAD, 0, encode_texts(
            reason=reason, value=value, output=user_lines(words)))


def explain(status: int, memory: bool) -> tuple[str, str]:
    """Return why a worker died as (reason, value): exit, memory or signal.

    memory: whether the kernel has killed for memory meanwhile.
    """
    if os.WIFEXITED(status):
        return "exit", str(os.WEXITSTATUS(status))
    number = os.WTERMSIG(status)
    if number == signal.SIGKILL and memory:
        return "memory", ""
    try:
        return "signal", signal.Signals(number).name
    except ValueError:
        return "signal", str(number)


def user_lines(crash: str) -> str:
    """Return a crash's traceback without the frames of hxpy and of Python's start."""
    lines = [line for line in crash.splitlines()
             if not line.startswith((f'  File "{PACKAGE}', '  File "<frozen runpy>"'))]
    return "\n".join(lines).strip()
