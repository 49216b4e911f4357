"""The worker's end of the data connection: frames, interrupts, and output before them."""

from __future__ import annotations

import array
import fcntl
import mmap
import os
import signal
import sys
import termios
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from .._tables.wire import Buffer
from . import imports, process, protocol
from .page import FORWARDING, HOLDING, PRELOADING, PRINTED, RUNNING, TARGET
from .protocol import Connection

__all__ = ["Channel"]

_WIPE_ON_FORK = 18      # Linux' MADV_WIPEONFORK, which the module mmap does not name
_REMINDER = 0.005       # seconds until an interrupt that met an import tries again


class Channel:
    """A connection on which no interrupt breaks off a frame, with the page `shared`.

    output_left: bytes that the request may still print, of output_limit.
    """

    def __init__(self, connection: Connection, shared: memoryview) -> None:
        self.connection = connection
        self.shared = shared
        self.lock = threading.Lock()    # the user's threads print too
        self.main_thread = threading.get_ident()
        self.here = mmap.mmap(-1, 1, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.here.madvise(_WIPE_ON_FORK)
        self.here[0] = 1                # 0 in processes that it forks, however that is done
        self.pipe = os.dup(1)           # the user's code may put something else in its place
        self.left = array.array("i", [0])   # bytes in it, as last asked
        self.masked = False
        self.postponed = False
        self.broken_off: list[str] = []     # modules whose import an interrupt has ended
        self.output_left = 0
        self.output_limit = 1 << 20

    def rebind(self, shared: memoryview) -> None:
        """Serve another session in a process that was forked from this one's worker.

        Its descriptors have been put in the places of this one's.  The page of this one goes.
        """
        process.unmap_page(self.shared)
        self.shared = shared
        self.connection = Connection(self.connection.sock)
        self.lock = threading.Lock()
        self.here[0] = 1
        self.masked = self.postponed = False
        self.broken_off = []
        self.pushed = 0.0

    def is_forked(self) -> bool:
        """Return whether this is not the worker but a process that it has forked."""
        return not self.here[0]

    def on_interrupt(self, signum: int, frame: Any) -> None:
        """Raise KeyboardInterrupt if the interrupt means the request that runs."""
        running = self.shared[RUNNING]
        if running and self.shared[TARGET] == running and self.masked:
            self.postponed = True
        elif running and self.shared[TARGET] == running or self.shared[PRELOADING]:
            self.interrupt(frame)

    def interrupt(self, frame: FrameType) -> None:
        """Raise KeyboardInterrupt, unless an import has to end first: then soon."""
        if not imports.must_end(frame):
            self.broken_off += imports.broken_off(frame)
            raise KeyboardInterrupt
        try:
            start_new_thread(self.remind, ())
        except RuntimeError:
            pass    # no more threads: the server's second interrupt comes in a moment

    def remind(self) -> None:
        """Interrupt again in a moment."""
        time.sleep(_REMINDER)
        signal.pthread_kill(self.main_thread, signal.SIGINT)

    def forget(self) -> None:
        """Forget what interrupts have broken off, so that it can be imported again."""
        if self.broken_off:
            imports.forget(self.broken_off)
            self.broken_off.clear()

    def send(self, kind: int, request: int, parts: Sequence[Buffer] = ()) -> None:
        """Send a frame whole: an interrupt meanwhile is raised after it."""
        if threading.get_ident() != self.main_thread:
            self.transmit(kind, request, parts)
            return
        self.unbroken(self.transmit, kind, request, parts)

    def unbroken(self, transmit: Callable[..., None], *arguments: Any) -> None:
        """Send in the main thread: an interrupt meanwhile is raised after it."""
        self.masked = True
        try:
            transmit(*arguments)
        finally:
            self.masked = False
        if self.postponed:
            self.postponed = False
            if self.shared[RUNNING]:
                self.interrupt(sys._getframe())

    def transmit(self, kind: int, request: int, parts: Sequence[Buffer]) -> None:
        """Send a frame while no other thread does, and count output."""
        with self.lock:
            if kind == protocol.OUTPUT:
                self.shared[PRINTED] += 1
            self.connection.send(kind, request, parts)

    def drain_output(self, seconds: float, standstill: float = 0.0) -> bool:
        """Wait until the supervisor has passed on what was written to descriptors 1 and 2.

        So that such output arrives before what is sent next.  The pipe is nearly
        always empty, which takes one system call; a process that writes all the
        time is not waited for longer than `seconds`, nor a supervisor that gets no processor,
        so that nothing changes, longer than `standstill` more.  An unfinished line ends here.
        Return whether it has waited.
        """
        left = self.left    # one for all threads, since all ask the same
        deadline = 0.0
        still: tuple[int, int] | None = None    # what there is as long as nothing has changed
        ended = False
        while True:
            fcntl.ioctl(self.pipe, termios.FIONREAD, left, True)
            if not left[0] and not self.shared[FORWARDING]:
                return deadline > 0
            if not left[0] and not ended and self.shared[FORWARDING] == HOLDING:
                os.write(self.pipe, b"\n")
                ended = True
                deadline, still = time.monotonic() + seconds, (1, HOLDING)
                continue
            now = time.monotonic()
            state = left[0], self.shared[FORWARDING]
            if not deadline:
                deadline, still = now + seconds, state
            elif still and state != still:
                deadline, still = now + seconds, None
            if now > deadline + (standstill if still else 0.0):
                return True
            time.sleep(0.0002)
