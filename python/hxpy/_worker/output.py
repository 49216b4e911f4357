"""What Python prints, logs and tells of its progress, on its way to the server."""

from __future__ import annotations

import io
import logging
import os
import re
import time
from collections.abc import Sequence

from .._tables import wire
from .._tables.conversion import encode_column
from .._tables.wire import Buffer, Column
from ..errors import OBJECT_FIELDS
from . import protocol
from .channel import Channel
from .page import RUNNING

__all__ = ["LogHandler", "Messages", "Output", "Progress"]

_MESSAGE_LENGTH = 200   # characters of a progress' message


_COUNTS = re.compile(r"(\d+)\s*/\s*(\d+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


class Output(io.TextIOBase):
    """sys.stdout or sys.stderr: what ends with a line's end goes to the server at once.

    A line that writes over itself by carriage returns, as progress bars do, is told as
    progress until it ends.
    """

    def __init__(self, channel: Channel, stream: int) -> None:
        self.channel = channel
        self.stream = stream
        self.rest = ""
        self.report = Progress(channel)

    encoding = "utf-8"
    errors = "backslashreplace"

    @property
    def name(self) -> str:
        """Return the stream's conventional name."""
        return "<stdout>" if self.stream == 1 else "<stderr>"

    def fileno(self) -> int:
        """Return the descriptor that subprocesses inherit; its output travels too."""
        return self.stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False."""
        return False

    def write(self, text: str) -> int:
        """Send what has come once it ends with a line's end, so that a print is one message."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.rest += text
        if self.rest.endswith("\n"):
            rest, self.rest = self.rest, ""
            self.emit(rest[:-1])
        elif "\r" in self.rest:
            self.overwrite()
        elif len(self.rest) > 65536:
            self.finish()
        return len(text)

    def flush(self) -> None:
        """Send what is left of an unfinished line, unless it is a progress bar's."""
        if not self.rest.startswith("\r"):
            self.finish()

    def finish(self) -> None:
        """Send what is left of an unfinished line, as no more of it comes."""
        if self.rest:
            rest, self.rest = self.rest, ""
            self.emit(rest)

    def overwrite(self) -> None:
        """Keep of an unfinished line what a terminal would show, and tell the progress in it."""
        before, newline, rest = self.rest.rpartition("\n")
        shown = _shown(rest)
        self.rest = f"\r{shown}\r" if rest.endswith("\r") else f"\r{shown}"
        if newline:
            self.emit(before)
        counts, percent = _COUNTS.search(shown), _PERCENT.search(shown)
        if counts is not None:
            self.report(float(counts[1]), float(counts[2]), shown)
        elif percent is not None:
            self.report(float(percent[1]), 100.0, shown)

    def emit(self, text: str) -> None:
        """Send text, or cut it where the request's limit is reached."""
        channel = self.channel
        if "\r" in text:
            text = "\n".join(map(_shown, text.split("\n")))
        if channel.is_forked():
            os.write(self.stream, (text + "\n").encode("utf-8", self.errors))
            return
        self.pass_on(text.encode("utf-8", self.errors))

    def pass_on(self, data: bytes) -> None:
        """Send bytes of output, as far as the request's limit lets them."""
        channel = self.channel
        if channel.output_left <= 0:
            return
        channel.output_left -= len(data) + 1
        if channel.output_left <= 0:
            data = data[:max(0, len(data) + channel.output_left)]
            data = data.decode("utf-8", "ignore").encode() + b"\n... (output cut at the limit)"
        channel.drain_output(0.02)
        channel.send(protocol.OUTPUT, channel.shared[RUNNING], (bytes((self.stream,)), data))


def _shown(line: str) -> str:
    """Return what a terminal shows of a line with carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]


class LogHandler(logging.Handler):
    """Sends records of Python's logging to the server log."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self.channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record: level (Python's number) and text; a forked process writes it."""
        text = self.format(record).encode("utf-8", "backslashreplace")[:8192]
        if self.channel.is_forked():
            os.write(2, text + b"\n")
            return
        level = min(max(record.levelno, 0), 255)
        self.channel.send(protocol.LOG, self.channel.shared[RUNNING], (bytes((level,)), text))


class Progress:
    """Sends what hxpy.progress tells, but not too often."""

    _INTERVAL = 0.1     # seconds between two frames of a request

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.request = 0        # the latest one that has told
        self.next = 0.0         # when it may tell again
        self.complete = False   # it has told that its total is reached

    def expect(self, rows: int) -> None:
        """Say how many rows the request will send, which the server counts."""
        self.channel.send(protocol.PROGRESS, self.channel.shared[RUNNING],
                          _progress(None, rows, None))

    def __call__(self, done: float, total: float | None, message: str | None) -> None:
        """Send a PROGRESS frame if it is time, or the first or the last one of a request."""
        request = self.channel.shared[RUNNING]
        if not request or self.channel.is_forked():
            return
        complete = total is not None and done >= total
        now = time.monotonic()
        if request == self.request and now < self.next and (self.complete or not complete):
            self.complete = self.complete and complete
            return
        self.request, self.next, self.complete = request, now + self._INTERVAL, complete
        text = None if message is None else message[:_MESSAGE_LENGTH]
        self.channel.send(protocol.PROGRESS, request, _progress(done, total, text))


def _progress(done: float | None, total: float | None, message: str | None) -> list[Buffer]:
    """Return the payload of a PROGRESS frame."""
    text = None if message is None else \
        message.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return wire.encode_batch([
        encode_column(Column(wire.FLOAT64, "done", "", 1), [done]),
        encode_column(Column(wire.FLOAT64, "total", "", 1), [total]),
        encode_column(Column(wire.TEXT, "message", "", 1), [text])])


class Messages:
    """Sends the messages of plpy.notice and the like."""

    _FIELDS = ("sqlstate", "message", "detail", "hint", *OBJECT_FIELDS)

    def __init__(self, channel: Channel, streams: Sequence[Output]) -> None:
        self.channel = channel
        self.streams = streams

    def __call__(self, level: str, fields: dict[str, str]) -> None:
        """Send a MESSAGE frame; a forked process writes it."""
        channel = self.channel
        if channel.is_forked():
            os.write(2, f"{fields.get('message', '')}\n".encode("utf-8", "backslashreplace"))
            return
        request = channel.shared[RUNNING]
        if not request:
            return
        for stream in self.streams:
            stream.flush()
        channel.drain_output(0.02)
        channel.send(protocol.MESSAGE, request, wire.encode_texts(
            level=level, **{name: fields.get(name, "") for name in self._FIELDS}))
