"""The wire: constants, frames and the connection that carries them.

Source of every number: docs/protocol.md; src/codec/protocol.h mirrors this file and
`python/tests/test_protocol.py` compares the two.  A frame is a 16-byte header
(magic, version, type, request number, payload length; little-endian) and its
payload.  Nothing here knows what a payload means.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Sequence
from os import readv, write
from time import perf_counter_ns

from .._tables.wire import Buffer, ProtocolError

__all__ = ["Connection", "ConnectionClosed", "HEADER", "MAGIC", "VERSION"]

MAGIC = 0x7868  # the bytes "hx"
VERSION = 1
HEADER = struct.Struct("<HBBIQ")

# Frames of the server.
OPEN = 0x01
DEFINE = 0x02
EXEC = 0x03
EVAL = 0x04
GRID = 0x05
BATCH = 0x06
END = 0x07
ABORT = 0x08
EVAL_GRID = 0x09
APPLY = 0x0A
CALL = 0x0B
CODEC = 0x0C
FUNCTION = 0x0D
INVOKE = 0x0E
INVOKE_ROWS = 0x0F
INTERRUPT = 0x10
CHALLENGE = 0x11
SERVER_PROOF = 0x12
CALLS = 0x13
SAVE = 0x18
LOAD = 0x19
FORK = 0x1A
SHARE = 0x1B
ANSWER = 0x20   # the first of 16, to as many of ASK; the last is COLUMNS
COLUMNS = 0x2F  # an answer has rows: BATCH … follow, then it

# Frames of the container.
HELLO = 0x81
OUTPUT = 0x82
LOG = 0x83
RESULT = 0x84
ERROR = 0x85
DEAD = 0x86
ROWS = 0x87
PROGRESS = 0x88
PROOF = 0x89
MESSAGE = 0x8A
FULL = 0x8B
ASK = 0xA0      # the first of 16
QUERY = 0xA0
PREPARE = 0xA1
CURSOR = 0xA2
FETCH = 0xA3
CLOSE = 0xA4
SUBTRANSACTION = 0xA5
TRANSACTION = 0xA6
TABLE = 0xA9

# Connections by TCP.
TCP_PORT = 7868
ROLE_CONTROL = 1
ROLE_DATA = 2
KEY_SIZE = 32
NONCE_SIZE = 32
PROOF_SIZE = 32

# Characters of a function's key.
KEY_LENGTH = 32


class ConnectionClosed(Exception):
    """The other end has closed the connection."""


class Connection:
    """Frames over one blocking stream socket, with a buffer for small ones.

    `receive` blocks; `send` writes a frame whole.  By read and write, as the seccomp
    profile looks at the flags of recv and send, which takes time.
    """

    JOINED_BYTES = 65536    # up to so many are written by one call
    _MAX_PAUSE = 1023       # as in src/session/spin.c

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._descriptor = sock.fileno()
        self._buffer = bytearray(65536)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._spin = 0      # nanoseconds that `receive` looks before it sleeps
        self._pause = 0     # waits that sleep at once after one that has looked in vain
        self._left = 0      # of these, how many are to come
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def spin(self, nanoseconds: int) -> None:
        """Look for the next frame for so long before `receive` sleeps, where that helps.

        src/session/spin.c, which does the same, says why and how that is known.
        """
        self._spin = nanoseconds if len(os.sched_getaffinity(0)) > 1 else 0

    def _look(self) -> None:
        """Wait without sleeping, but not for long; less often when that is in vain."""
        if self._left:
            self._left -= 1
            return
        poll, end = self._poll.poll, perf_counter_ns() + self._spin
        while not poll(0):
            if perf_counter_ns() > end:
                self._left = self._pause = min(2 * self._pause + 1, self._MAX_PAUSE)
                return
        self._pause //= 2

    def fileno(self) -> int:
        """Return the socket's descriptor (for select and poll)."""
        return self.sock.fileno()

    def pending(self) -> bool:
        """Tell whether bytes of a next frame were read already."""
        return self._end > self._start

    def receive(self) -> tuple[int, int, bytearray]:
        """Return the next frame as (type, request, payload).

        Raises ConnectionClosed at the end of the stream and ProtocolError for
        a header that is none.  A payload is writable when it is large, so that
        arrays can share its memory.
        """
        if self._start == self._end:
            if self._spin:
                self._look()
            self._start, self._end = 0, self._read(self._view)
        while self._end - self._start < HEADER.size:
            self._fill()
        magic, version, kind, request, length = HEADER.unpack_from(self._buffer, self._start)
        if magic != MAGIC or version != VERSION:
            raise ProtocolError(f"not a frame of version {VERSION}")
        start = self._start + HEADER.size
        stop = start + length
        if stop <= self._end:       # all of it came at once
            self._start = stop
            return kind, request, self._buffer[start:stop]
        self._start = start
        if length <= len(self._buffer) - start:
            while self._end - self._start < length:
                self._fill()
            payload = self._buffer[self._start:self._start + length]
            self._start += length
        else:
            payload = bytearray(length)
            have = self._end - self._start
            view = memoryview(payload)
            view[:have] = self._view[self._start:self._end]
            self._start = self._end = 0
            while have < length:
                have += self._read(view[have:])
        return kind, request, payload

    def _fill(self) -> None:
        if self._start and self._start > len(self._buffer) // 2:
            rest = self._end - self._start
            self._view[:rest] = bytes(self._view[self._start:self._end])
            self._start, self._end = 0, rest
        self._end += self._read(self._view[self._end:])

    def _read(self, into: memoryview) -> int:
        count = readv(self._descriptor, (into,))
        if count == 0:
            raise ConnectionClosed
        return count

    def send(self, kind: int, request: int, parts: Sequence[Buffer] = ()) -> None:
        """Send one frame whose payload is the concatenation of `parts`."""
        length = sum(map(len, parts))
        header = HEADER.pack(MAGIC, VERSION, kind, request, length)
        if length <= self.JOINED_BYTES:
            self._write(b"".join((header, *parts)))
        else:
            for part in (header, *parts):
                self._write(part)

    def _write(self, data: Buffer) -> None:
        sent = write(self._descriptor, data)
        while sent < len(data):
            sent += write(self._descriptor, memoryview(data)[sent:])
