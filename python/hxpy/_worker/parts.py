"""What a callable gets of a query's rows: batches, groups, or all of them.

Batches come as the server cuts them.  In groups further columns of each batch tell which group
a row belongs to, or where groups start.  The server chooses: rows that have the number of their
group come in any order, and are kept until all have come.  Then, or in their place, come groups
one after the other: each is what was kept of it, and rows of the stream.

What is gathered of a group may take half of the memory that is free: the callable needs some,
too.  What is kept of all groups may take a quarter, and to put it together another quarter; then
the server is told to send no more.
"""

from __future__ import annotations

import itertools
import os
import reprlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._tables.conversion import decode_column
from .._tables.wire import Column
from ..errors import HxpyError
from . import process

if TYPE_CHECKING:
    from .._tables.reader import TableReader

__all__ = ["Parts"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_NUMBER_BYTES = 16      # of a row while rows are put together: its number, twice, and its place


class _Kept:
    """Rows of groups in any order, each with its group's number from 0 on, until all have come."""

    def __init__(self, reader: TableReader) -> None:
        self.reader = reader
        self.numbers: list[Any] = []    # of the rows, an array a batch
        self.ends: list[int] = []       # of each group's rows, once they are put together

    def add(self, batch: list[Column], numbers: Column) -> None:
        """Take a batch, and the numbers of its rows' groups."""
        import numpy

        # A copy, as a view would keep the whole frame.
        self.numbers.append(numpy.frombuffer(numbers.data, dtype="<i4").copy())
        self.reader.add(batch)

    def needed(self) -> int:
        """Return about how many bytes more it takes to put the rows together."""
        return self.reader.rows * _NUMBER_BYTES + self.reader.order_bytes()

    def put_together(self) -> None:
        """Have the rows of each group stand together, in the order in which they came."""
        import numpy

        if not self.numbers:
            return
        numbers = numpy.concatenate(self.numbers)
        self.numbers = []
        counts = numpy.bincount(numbers)
        if len(counts) <= 1 << 16:
            numbers = numbers.astype("u2")      # numpy sorts these by radix
        self.ends = list(map(int, numpy.cumsum(counts)))
        self.reader.order(numpy.argsort(numbers, kind="stable"))

    def rows(self, number: int) -> slice:
        """Return where the rows of a group stand."""
        return slice(self.ends[number - 1] if number > 0 else 0, self.ends[number])


class Parts:
    """A stream of batches, as the arguments of one call after the other.

    cut: `batches`, `whole`, or `groups` and the places of the columns that make these.
    arrays: the arguments are ndarrays, one a column; else a DataFrame.  full: is called when no
    more rows of groups should come before the groups themselves.
    """

    def __init__(self, schema: Sequence[Column], cut: str, arrays: bool,
                 full: Callable[[], None]) -> None:
        from .._tables.reader import TableReader

        self.schema = schema
        self.reader = TableReader(schema)
        self.arrays = arrays
        self.kind, *places = cut.split(" ")
        self.keys = [int(place) for place in places]
        self.kept = _Kept(TableReader(schema))
        self.open: int | None = None    # number of the group that has started, -1 if it has none
        self.latest: Callable[[], list[Any]] = list     # what makes the latest group yielded
        self.full: Callable[[], None] | None = full
        self.limit = process.memory_limit()
        self.before = _memory_used()    # when what is gathered was begun

    def take(self, batch: list[Column]) -> Iterator[Sequence[Any]]:
        """Take a batch, and yield the arguments of the calls that can be made now.

        Raises HxpyError (53400) when what is gathered of a group, or whole, becomes too large.
        """
        if self.kind == "groups":
            numbers, starts, kept = batch[-3:]
            del batch[-3:]
            if numbers.count > 0:
                self.keep(batch, numbers)
            else:
                yield from self.go_on(batch, decode_column(starts), decode_column(kept))
            return
        self.reader.add(batch)
        if self.kind == "batches":
            yield self.arguments(self.reader.columns())
        else:
            self.check_memory()

    def has_groups(self, batch: list[Column]) -> bool:
        """Return whether groups stand together in a batch, and some start in it."""
        return self.kind == "groups" and batch[-2].count > 0

    def starts(self, batch: list[Column]) -> list[int]:
        """Return the rows of a batch where a group starts; one that is no group's is taken for one."""
        return decode_column(batch[-2]) if self.kind == "groups" else [0]

    def begin(self) -> None:
        """Forget what was gathered."""
        self.open = None
        self.reader = type(self.reader)(self.schema)
        self.before = _memory_used()

    def take_groups(self, batch: list[Column], start: int, stop: int, is_first: bool
                    ) -> Iterator[Sequence[Any]]:
        """Take some of the groups that start in a batch; of one after the first the rest of the last.

        Yield what ends, as `take`.
        """
        if self.kind != "groups":
            yield from self.take(batch)
            return
        if not is_first:
            start, stop = 0, 0
        _, starts, kept = batch[-3:]
        del batch[-3:]
        # What starts after them ends the last one.
        yield from self.go_on(batch, decode_column(starts)[start:stop + 1],
                              decode_column(kept)[start:stop + 1])
        if stop < starts.count:
            self.begin()

    def keep(self, batch: list[Column], numbers: Column) -> None:
        """Keep rows of any groups."""
        self.kept.add(batch, numbers)
        if self.full is None:
            return
        kept = _memory_used() - self.before
        if max(kept, self.kept.needed()) > (self.limit - self.before) // 4:
            self.full()
            self.full = None

    def go_on(self, batch: list[Column], starts: list[int], kept: list[int]
              ) -> Iterator[Sequence[Any]]:
        """Take a batch of groups that stand together; yield what the groups that end are."""
        self.kept.put_together()
        if self.open is not None and self.open >= 0 and starts[:1] != [0]:
            # Its rows go on: from now on all of them are gathered.
            self.reader = self.merged(self.open, slice(0, self.reader.rows))
            self.open = -1
        gathered = self.reader.rows
        self.reader.add(batch)
        if not starts:
            self.check_memory()
            return
        ended = [self.open, *kept[:-1]]
        self.open = kept[-1]
        yield from self.groups(ended, [gathered + start for start in starts])
        self.before = _memory_used()

    def groups(self, numbers: Sequence[int | None], ends: Sequence[int]) -> Iterator[Sequence[Any]]:
        """Yield groups: rows that are kept by these numbers, then gathered ones before these ends.

        None is no group, which has no rows.
        """
        bounds = [slice(*pair) for pair in zip([0, *ends], ends)]
        merged = {place: self.merged(number, rows)
                  for place, (number, rows) in enumerate(zip(numbers, bounds))
                  if number is not None and number >= 0 and rows.start < rows.stop}
        whole = self.kept_arguments([number for place, number in enumerate(numbers)
                                     if number is not None and number >= 0 and place not in merged])
        gathered = self.reader.cut(ends) if ends[-1] > 0 else itertools.repeat([])
        for place, (number, columns) in enumerate(zip(numbers, gathered)):
            if number is None:
                continue
            if place in merged:
                columns = merged.pop(place).columns()
            elif number >= 0:
                self.latest = partial(self.kept_row, number)
                yield next(whole)
                continue
            # What is told of a group must not keep all of it.
            self.latest = partial(list, [columns[key][:1].copy() for key in self.keys])
            yield self.arguments(columns)

    def merged(self, number: int, rows: slice) -> TableReader:
        """Return a reader of what is kept of a group, and gathered rows."""
        reader = type(self.reader)(self.schema)
        reader.borrow(self.kept.reader, self.kept.rows(number))
        reader.borrow(self.reader, rows)
        return reader

    def kept_arguments(self, numbers: Sequence[int]) -> Iterator[Sequence[Any]]:
        """Yield the arguments of calls for groups that were kept whole."""
        bounds = list(map(self.kept.rows, numbers))
        if self.arrays:
            return map(self.reader.plain, self.kept.reader.parts(bounds))
        return ([frame] for frame in self.kept.reader.frames(bounds))

    def kept_row(self, number: int) -> list[Any]:
        """Return what makes a group, of the first row that is kept of it."""
        return self.first(self.kept.reader, self.kept.rows(number).start)

    def first(self, reader: TableReader, row: int = 0) -> list[Any]:
        """Return what makes a group, of a row of it: columns of one value."""
        columns = next(reader.parts([slice(row, row + 1)]))
        return [columns[key] for key in self.keys]

    def rest(self) -> Iterator[Sequence[Any]]:
        """Yield the arguments of the last call, at the end of the stream."""
        if self.open is not None:
            yield from self.groups([self.open], [self.reader.rows])
        elif self.reader.rows > 0:
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
        name = "the table"
        if self.keys:
            name = f"the group {self.name(self.first(self.reader))}"
        raise HxpyError(
            "53400", f"{name} is too large for the session's memory",
            f"{self.reader.rows} rows of it take {used >> 20} MB, more than half of the "
            f"{2 * room >> 20} MB that were free.",
            "Raise hxpy.memory, leave columns out, or make groups smaller."
            if self.keys else "Raise hxpy.memory, leave columns out, or use batches or groups.")

    def name(self, columns: Sequence[Any]) -> str:
        """Return what makes a group in words."""
        return ", ".join(f"{self.schema[key].name} = {_text_of(column[0])}"
                         for key, column in zip(self.keys, columns))

    def told(self, group: Callable[[], list[Any]]) -> str:
        """Return a group, which was the latest one, in words, "" where there are no groups."""
        return f"Group: {self.name(group())}" if self.keys else ""


def _text_of(key: Any) -> str:
    """Return a value of a column's array in words, short."""
    import pandas

    if key is None or key is pandas.NA or key is pandas.NaT:
        return "NULL"
    if hasattr(key, "dtype"):
        key = key.item()
    if key is None:
        return "NULL"       # of a time
    return reprlib.repr(key) if isinstance(key, (str, bytes, list, dict)) else str(key)


def _memory_used() -> int:
    """Return how many bytes of memory this process has of its own."""
    with open("/proc/self/statm") as file:
        _, resident, shared, *_ = file.read().split()
    return (int(resident) - int(shared)) * _PAGE
