"""A table on its way through a callable (APPLY), and the rows that this makes of it."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._tables.conversion import decode_column
from .._tables.wire import Buffer, decode_batch, encode_batch
from . import forking, protocol
from .page import RUNNING
from .parts import Parts
from .stopwatch import Stopwatch
from .team import WORTH, Copy, Team

if TYPE_CHECKING:
    from .._tables.tables import Chunk
    from .worker import Worker

__all__ = ["Passing"]

_CHUNK_ROWS = 16384     # of a table on its way to the server
_RUN = 0.02             # seconds that the groups of a run shall take
_RUNS = 4               # of a batch, at most, for each copy
_GROUPS = struct.Struct("=II")  # of a batch: the first one, and that after the last


class Passing:
    """A table that streams through a callable, part by part.

    With workers, copies of the session make the calls once these have taken a while: each gets
    a batch, or a run of groups that start in one, and what is left of the last of them in others.
    """

    def __init__(self, worker: Worker, payload: Buffer) -> None:
        from .._tables import tables

        source, how, count, cut, *schema = decode_batch(payload)
        split = len(schema) - int(decode_column(count)[0])
        form, *workers = decode_column(how)[0].split(" ")
        self.worker = worker
        self.watch = Stopwatch()
        self.tables = tables
        self.want = schema[split:]
        self.function = worker.session.callable(decode_column(source)[0])
        self.parts = Parts(schema[:split], decode_column(cut)[0], form == "arrays",
                           lambda: worker.send(protocol.FULL, worker.shared[RUNNING]))
        self.joined = tables.Joined(
            self.send_chunk, lambda place: setattr(worker, "place", self.parts.told(place)))
        self.rows = 0       # that have come back
        self.calls = 0      # that the session itself has made
        self.spent = 0.0    # seconds in these
        self.workers = int(workers[0]) if workers else 1
        self.ordered = workers[1:] != ["any"]
        if self.workers > 1:
            forking.check_copies(worker)    # however few rows there are

    def run(self) -> None:
        """Pass the table."""
        for payload in self.worker.payloads(self.watch):
            batch = decode_batch(payload)
            if self.parts.kind == "batches" and self.is_worth():
                self.deal(payload, 0)
                return
            # Of a batch of groups, those that start in it but for the last one, if it has any.
            next_group = -1 if self.parts.open is not None else 0
            is_dealt = self.parts.has_groups(batch)
            began = time.monotonic()
            for arguments in self.parts.take(batch):
                self.rows += self.call(arguments)
                del arguments       # before the next part is gathered
                self.calls += 1
                next_group += 1
                now = time.monotonic()
                self.spent += now - began
                began = now
                if is_dealt and self.is_worth():
                    self.joined.flush()
                    self.deal(payload, next_group)
                    return
            self.joined.flush()
        self.make(self.parts.rest())

    def is_worth(self) -> bool:
        """Return whether copies of the session shall make the calls that are left."""
        return self.workers > 1 and self.spent >= WORTH

    def make(self, calls: Iterator[Sequence[Any]]) -> None:
        """Make calls with these arguments, and send what they return."""
        for arguments in calls:
            self.rows += self.call(arguments)
            del arguments       # before the next part is gathered
        self.joined.flush()

    def call(self, arguments: Sequence[Any]) -> int:
        """Send what the callable makes of a part of the table; return how many rows it has."""
        worker, parts = self.worker, self.parts
        try:
            result = self.function(*arguments)
            worker.sql.abandon()
            if result is None:
                return 0
            if parts.kind != "groups":
                return worker.send_rows(result, "table", self.want, self.watch, self.rows)
            names = [column.name for column in self.want]
            rows = 0
            for chunk in self.tables.chunks(result, _CHUNK_ROWS, names):
                worker.leave_if_forked()
                worker.sql.abandon()
                chunk.start += self.rows
                rows += chunk.count
                self.joined.add(chunk, parts.latest)
            return rows
        except Exception:
            self.joined.flush()
            worker.place = worker.place or parts.told(parts.latest)
            raise

    def send_chunk(self, chunk: Chunk) -> None:
        """Send a chunk of rows, by names or places as its columns tell."""
        mapping = self.tables.match(self.want, chunk.names, unnamed=chunk.unnamed)
        self.worker.send_part(self.tables.encode_chunk(self.want, chunk, mapping), self.watch)

    # With copies -----------------------------------------------------------

    def deal(self, payload: bytearray, first: int) -> None:
        """Have copies pass the rest of the table: a batch, from its group `first` on, and what follows."""
        self.watch.stop()       # the copies have their own
        team = Team(self.worker, self.workers, self.serve, self.take, self.ordered)
        try:
            owner = None    # of the group that is open
            for payload in itertools.chain([payload], team.payloads()):
                starts = self.parts.starts(decode_batch(payload))
                if owner is not None and (not starts or starts[0] > 0):
                    team.send(owner, protocol.BATCH, (payload,))
                if not starts:
                    continue
                if owner is not None:
                    team.send(owner, protocol.END)
                owner = self.deal_groups(team, payload, first, len(starts))
                first = 0
            if owner is not None:
                team.send(owner, protocol.END)
            team.finish()
        finally:
            team.close()

    def deal_groups(self, team: Team, payload: bytearray, first: int, end: int) -> Copy | None:
        """Deal out a batch's groups; return which copy has the last one, if more of that may come.

        One run at a time where each call is long, else so many that copies do not wait for each other.
        """
        runs = int((end - first) * self.spent / self.calls / _RUN)
        runs = max(1, min(runs, end - first, _RUNS * self.workers))
        for run in range(runs):
            start, stop = (first + (end - first) * place // runs for place in (run, run + 1))
            copy = team.begin()
            team.send(copy, protocol.APPLY, (_GROUPS.pack(start, stop),))
            team.send(copy, protocol.BATCH, (payload,))
            if self.parts.kind == "groups" and stop == end:
                return copy
            team.send(copy, protocol.END)
        return None

    def take(self, kind: int, number: int, payload: bytearray) -> None:
        """Pass on what a copy sends."""
        if kind == protocol.ROWS:
            self.worker.send(kind, self.worker.shared[RUNNING], (payload,))

    def serve(self) -> None:
        """Be a copy, which answers APPLY, the head of a run of batches."""
        self.worker.handlers = {protocol.APPLY: self.pass_run}

    def pass_run(self, payload: Buffer) -> Sequence[Buffer]:
        """Pass a run: these groups of the first batch, and what is left of the last of them."""
        start, stop = _GROUPS.unpack_from(payload)
        is_first = True
        self.rows = 0
        self.watch = Stopwatch()
        self.parts.begin()
        try:
            for batch in self.worker.batches(self.watch):
                self.make(self.parts.take_groups(batch, start, stop, is_first))
                is_first = False
            self.make(self.parts.rest())
        except Exception:
            if self.parts.kind == "batches":
                number = self.calls + self.worker.shared[RUNNING]
                self.worker.place = self.worker.place or f"Batch: {number}"
            raise
        return encode_batch([])
