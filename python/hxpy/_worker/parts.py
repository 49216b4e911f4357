"""What a callable gets of a query's rows: batches, groups, or all of them.

Batches come as the server cuts them.  In groups a further column of each batch, `ends`, has
for each group that ends how many of the batch's rows come before that: so groups may share
a batch, or have several.  What is gathered may take half of the memory that is free: the
callable needs some, too.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

from .._tables.conversion import decode_column
from .._tables.wire import Column
from ..errors import HxpyError
from . import process

__all__ = ["Parts"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Parts:
    """A stream of batches, as the arguments of one call after the other.

    cut: `batches`, `whole`, or `groups` and the places of the columns that make these.
    arrays: the arguments are ndarrays, one a column; else a DataFrame.
    """

    def __init__(self, schema: Sequence[Column], cut: str, arrays: bool) -> None:
        from .._tables.reader import TableReader

        self.reader = TableReader(schema)
        self.arrays = arrays
        self.kind, *places = cut.split(" ")
        self.keys = [int(place) for place in places]
        self.names = [want.name for want in schema]
        self.limit = process.memory_limit()
        self.before = _memory_used()    # when what is gathered was begun

    def take(self, batch: list[Column]) -> Iterator[Sequence[Any]]:
        """Take a batch, and yield the arguments of the calls that can be made now.

        Raises HxpyError (53400) when what is gathered becomes too large.
        """
        ends = decode_column(batch.pop()) if self.kind == "groups" else []
        gathered = self.reader.rows
        self.reader.add(batch)
        if self.kind == "batches":
            yield self.arguments(self.reader.columns())
        elif ends:
            for columns in self.reader.cut([gathered + end for end in ends]):
                yield self.arguments(columns)
            self.before = _memory_used()
        else:
            self.check_memory()

    def rest(self) -> Iterator[Sequence[Any]]:
        """Yield the arguments of the last call, at the end of the stream."""
        if self.reader.rows > 0:
            yield self.arguments(self.reader.columns())

    def arguments(self, columns: list[Any]) -> Sequence[Any]:
        """Return columns as a call's arguments."""
        return self.reader.plain(columns) if self.arrays else [self.reader.frame(columns)]

    def check_memory(self) -> None:
        """Raise an error when what is gathered takes too much."""
        used = _memory_used() - self.before
        room = (self.limit - self.before) // 2
        if used <= room:
            return
        raise HxpyError(
            "53400", f"{self.name()} is too large for the session's memory",
            f"{self.reader.rows} rows of it take {used >> 20} MB, more than half of the "
            f"{2 * room >> 20} MB that were free.",
            "Raise hxpy.memory, leave columns out, or make groups smaller."
            if self.keys else "Raise hxpy.memory, leave columns out, or use batches or groups.")

    def name(self) -> str:
        """Return what is gathered in words."""
        if not self.keys:
            return "the table"
        return "the group " + ", ".join(
            f"{self.names[place]} = {_text_of(key)}"
            for place, key in zip(self.keys, self.reader.first(self.keys)))


def _text_of(key: Any) -> str:
    """Return a value in words, short."""
    if key is None:
        return "NULL"
    return reprlib.repr(key) if isinstance(key, (str, bytes, list, dict)) else str(key)


def _memory_used() -> int:
    """Return how many bytes of memory this process has of its own."""
    with open("/proc/self/statm") as file:
        _, resident, shared, *_ = file.read().split()
    return (int(resident) - int(shared)) * _PAGE
