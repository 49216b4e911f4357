"""The supervisor: process 1 of the container.

It holds the control connection, owns the worker (its child) and ends
everything when that connection ends.  It ignores every signal but SIGCHLD, is
not dumpable, passes on what the worker's processes write to descriptors 1 and
2, forwards interrupts, and when the worker dies it lives on long enough to say
why.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from .._tables.wire import decode_texts, encode_texts
from . import endpoint, protocol, worker
from .page import ENDED, FORWARDING, HOLDING, PASSING, PRELOADING, PRINTED, RUNNING, TARGET
from .protocol import Connection, ConnectionClosed
from .session import PACKAGE

__all__ = ["main"]

_PR_SET_DUMPABLE = 4
_LONG_LINE = 65536      # bytes of an unfinished line that are not held back
_IDLE_OUTPUT = 32768    # bytes passed on while no request runs
_KEPT_DESCRIPTOR = 4    # of the socket that the worker gets from the supervisor, if any


def set_dumpable(dumpable: bool) -> None:
    """Forbid or allow ptrace of, and core dumps of, this process (prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def oom_kills() -> int:
    """Return how often the kernel has killed for memory in this container (cgroup v1 or v2)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


def user_lines(crash: str) -> str:
    """Return a crash's traceback without the frames of hxpy and of Python's start."""
    lines = [line for line in crash.splitlines()
             if not line.startswith((f'  File "{PACKAGE}', '  File "<frozen runpy>"'))]
    return "\n".join(lines).strip()


class Supervisor:
    """The control loop."""

    def __init__(self, connection: Connection, shared: memoryview, child: int,
                 output: int, last_words: int, wakeup: socket.socket) -> None:
        self.connection = connection
        self.shared = shared
        self.child = child
        self.output = output
        self.last_words = last_words
        self.wakeup = wakeup
        self.oom_before = oom_kills()
        self.line = b""         # output that was read, of a line that is not finished
        self.output_request = 0
        self.output_left = 0
        self.output_limit = 1 << 20
        self.idle_timeout = 0.0

    def run(self) -> None:
        """Serve until the server goes away, the worker dies or the session idles out."""
        poll = select.poll()
        for source in (self.connection.fileno(), self.output, self.wakeup.fileno()):
            poll.register(source, select.POLLIN)
        while True:
            left = self.idle_left()
            ready = dict(poll.poll(None if left is None else int(left * 1000) + 1))
            if self.output in ready and not self.forward():
                poll.unregister(self.output)
            if self.connection.fileno() in ready:
                self.command()
            if self.wakeup.fileno() in ready:
                self.wakeup.recv(4096)
                status = self.reap()
                if status is not None:
                    self.report(*self.explain(status))
                    return
            if self.idle_left() == 0.0:
                self.report("idle", f"{self.idle_timeout:g}")
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
        """Carry out the server's frames: options and interrupts."""
        while True:
            kind, request, payload = self.connection.receive()
            if kind == protocol.INTERRUPT:
                self.shared[TARGET] = request
                if self.shared[RUNNING] == request or self.shared[PRELOADING]:
                    try:
                        os.killpg(self.child, signal.SIGINT)
                    except ProcessLookupError:      # the user's code has left its group
                        os.kill(self.child, signal.SIGINT)
            elif kind == protocol.OPEN:
                options = decode_texts(payload)
                self.output_limit = int(options["output_limit"])
                self.idle_timeout = int(options["idle_timeout"]) / 1000
                self.shared[ENDED] = time.monotonic_ns()
            if not self.connection.pending():
                return

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
        request = self.shared[RUNNING]
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

    def reap(self) -> int | None:
        """Collect dead processes; return the worker's wait status when it is among them."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            if pid == self.child:
                found = status

    def explain(self, status: int) -> tuple[str, str]:
        """Return why the worker died as (reason, value): exit, memory or signal."""
        if os.WIFEXITED(status):
            return "exit", str(os.WEXITSTATUS(status))
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL and oom_kills() > self.oom_before:
            return "memory", ""
        try:
            return "signal", signal.Signals(number).name
        except ValueError:
            return "signal", str(number)

    def report(self, reason: str, value: str) -> None:
        """End all other processes and tell the server why the session is over."""
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
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


def main() -> None:
    """Start the worker and supervise it (`python3 -m hxpy`)."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    set_dumpable(False)
    page = mmap.mmap(-1, mmap.PAGESIZE)
    shared = memoryview(page).cast("Q")
    read_end, write_end = os.pipe()
    words_read, words_write = os.pipe()
    try:
        if endpoint.is_pooled():
            pool = endpoint.PoolPlace()
            ours, theirs = socket.socketpair()
            child = os.fork()
            if child == 0:
                start_worker(shared, connect_from_pool, write_end, words_write, theirs)
            theirs.close()
            os.close(write_end)
            if not pool.wait(ours, read_end):
                os._exit(0)
            connection = greet(endpoint.connect())
            ours.close()        # lets the worker connect
            pool.leave()
        elif os.path.exists(endpoint.KEY_FILE):
            from . import tcp   # only here: it takes 5 ms

            control, data = tcp.accept(tcp.read_key())
            connection = greet(control)
            child = os.fork()
            if child == 0:
                start_worker(shared, lambda: socket.socket(fileno=_KEPT_DESCRIPTOR),
                             write_end, words_write, data)
            data.close()
            os.close(write_end)
        else:
            # Before the worker is, so that the server knows it when the worker answers.
            connection = greet(endpoint.connect())
            child = os.fork()
            if child == 0:
                start_worker(shared, endpoint.connect, write_end, words_write)
            os.close(write_end)
        os.close(words_write)
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # The worker may have died before the handler stood.
        wake_write.send(b"\0")
        Supervisor(connection, shared, child, read_end, words_read, wake_read).run()
    except (ConnectionClosed, ConnectionError):
        pass
    # The end of process 1 ends every process of the container.
    os._exit(0)


def greet(control: socket.socket) -> Connection:
    """Say hello on the control connection."""
    connection = Connection(control)
    connection.send(protocol.HELLO, 0, encode_texts(role="supervisor"))
    return connection


def connect_from_pool() -> socket.socket:
    """Import ahead of need, say so, and connect when the supervisor has done so.

    How the worker of a container in the pool comes by its connection.
    """
    failed = []
    for module in map(str.strip, os.environ.pop("HXPY_IMPORTS", "").split(",")):
        try:
            if module:
                __import__(module)
        except Exception as error:
            failed.append(f"{module}: {type(error).__name__}: {error}")
    gc.collect()
    gc.freeze()     # no collection looks through the modules again
    with socket.socket(fileno=_KEPT_DESCRIPTOR) as supervisor:
        supervisor.sendall(("; ".join(failed) + "\n").encode("utf-8", "replace")[-2048:])
        supervisor.recv(1)
    return endpoint.connect()


def start_worker(shared: memoryview, connect: Callable[[], socket.socket], output: int,
                 last_words: int, keep: socket.socket | None = None) -> None:
    """Become the worker: its own process group, default signals, output into the pipe."""
    # Out of the way of the numbers that are given now.
    kept = -1 if keep is None else fcntl.fcntl(keep.fileno(), fcntl.F_DUPFD, 10)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(last_words, 3, inheritable=False)
    if kept >= 0:
        os.dup2(kept, _KEPT_DESCRIPTOR, inheritable=False)
    os.closerange(4 if kept < 0 else _KEPT_DESCRIPTOR + 1, 1024)
    os.setpgid(0, 0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            pass
    # As Python itself begins: an error instead of death.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if os.access("/io", os.W_OK):
        os.umask(0)         # the server and other sessions are other users
    set_dumpable(True)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    worker.run(shared, connect, 3)
