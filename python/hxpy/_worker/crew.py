"""Copies of the session that make calls of functions for many rows (CALLS).

They stay from one request to the next, as a query sends many: until the session is asked for
anything else, another query begins, or nothing has come for a second.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._tables.conversion import decode_column
from .._tables.wire import BATCH, Buffer, decode_columns
from . import protocol
from .batch import ANSWER, Batch
from .page import RUNNING
from .team import WORTH, Team

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["Crew"]

_IDLE = 1.0                     # seconds
_ROWS = struct.Struct("=QQ")    # of a piece: the first one, and how many


class Crew:
    """The copies, if there are any, and what they answer a request.

    spent: seconds of work on requests of the query that runs, by the session itself.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.team: Team | None = None
        self.spent = 0.0
        self.asked: dict[int, int] = {}     # rows of each piece that have not come
        self.last = 0                       # piece
        self.sent = 0                       # bytes
        self.result: bytearray | None = None

    def answer(self, payload: Buffer) -> Sequence[Buffer] | None:
        """Have copies answer a request, and return its last rows; None if the session shall."""
        (_, rows), _ = decode_columns(memoryview(payload), BATCH.size, 2)     # not the arguments
        start, count, *workers = map(int, decode_column(rows)[0].split(" "))
        if not workers:
            self.leave()
            return None
        number, is_first = workers
        if is_first:
            self.leave()
        if self.team is None and (self.spent < WORTH or count < 2):
            return None
        try:
            if self.team is None:
                self.team = Team(self.worker, number, self.serve, self.take)
            return (self.deal(self.team, payload, start, count),)
        except BaseException:
            self.leave()
            raise

    def deal(self, team: Team, payload: Buffer, start: int, count: int) -> bytearray:
        """Deal rows out to copies, a piece each; return the last rows of their answer."""
        pieces = min(len(team.copies), count)
        self.asked.clear()
        self.last = team.latest + pieces
        self.sent = 0
        self.result = None
        for piece in range(pieces):
            first, end = (count * place // pieces for place in (piece, piece + 1))
            copy = team.begin()
            self.asked[team.latest] = end - first
            team.send(copy, protocol.CALLS, (_ROWS.pack(start + first, end - first), payload))
        while self.result is None:
            team.hear()
        team.drop()
        return self.result

    def take(self, kind: int, number: int, payload: bytearray) -> None:
        """Pass rows of a piece on, or keep the last ones: of all, or where an answer has to end."""
        if self.result is not None:
            return
        (column,), _ = decode_columns(memoryview(payload), BATCH.size, 1)
        self.asked[number] -= column.count
        self.sent += len(payload)
        if kind == protocol.RESULT and (
                number == self.last or self.asked[number] > 0 or self.sent >= ANSWER):
            self.result = payload
        else:
            self.worker.send(protocol.ROWS, self.worker.shared[RUNNING], (payload,))

    def serve(self) -> None:
        """Be a copy, which answers CALLS about rows that are told before its payload."""
        self.team = None
        self.worker.handlers = {protocol.CALLS: self.call_piece}

    def call_piece(self, payload: bytearray) -> Sequence[Buffer]:
        """Make the calls for a piece."""
        rows = _ROWS.unpack_from(payload)
        return self.worker.call_batch(
            Batch(self.worker.functions, memoryview(payload)[_ROWS.size:], (rows[0], rows[1])))

    def wait(self) -> None:
        """Wait for the next request as long as copies are kept for it, then let them go."""
        if self.team is None or self.worker.connection.pending():
            return
        if not select.select([self.worker.connection.fileno()], [], [], _IDLE)[0]:
            self.leave()

    def leave(self) -> None:
        """End the copies: what comes next is not about the query that they are for."""
        self.spent = 0.0
        if self.team is not None:
            team, self.team = self.team, None
            team.close()
