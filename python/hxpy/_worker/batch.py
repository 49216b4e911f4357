"""Calls of functions for many rows, and of some with the values of others, in one request.

A request (CALLS) has a line for each call, which columns a call takes, which functions or
callables they are of, and rows of these columns.  Calls are made one after the other, each
for all rows of a slice.  A row for which one fails ends the answer: what comes before it is
sent, then the error.
"""

from __future__ import annotations

import functools
import reprlib
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from typing import Any, NoReturn

from .._tables import wire
from .._tables.conversion import EXACT, decode_column, encode_column, encode_fitting
from .._tables.wire import Buffer, Column, decode_batch, decode_columns, encode_batch
from .functions import Function, Functions, shape_of
from .stopwatch import Stopwatch

__all__ = ["ANSWER", "Batch"]

# What a call is of; of groups it is of a callable, too.
_FUNCTION, _CALLABLE, _GROUPS = range(3)
ANSWER = 16 << 20      # bytes of results after which an answer ends, with rows left
_CONTAINERS = frozenset((wire.ARRAY, wire.RECORD, wire.JSON))
_CHANGEABLE: frozenset[type] = frozenset((list, dict))
_ATOMS = frozenset((type(None), bool, int, float, str))
_GROWTH = 4             # of slices whose results may be of any size; the first is one row
# Tags of which every value that has the very type fits.
_ALWAYS_FIT = (wire.BOOL, wire.FLOAT64)
_NONE: frozenset[type] = frozenset()
# Tags whose values Python makes of the column's bytes on its own, one when it is needed.
_NUMBERS = frozenset((*wire.INTEGERS, *wire.FLOATS))


class Call:
    """One call of a request."""

    __slots__ = ("function", "guard", "is_input", "kind", "returned", "shape", "sources", "strict",
                 "want")

    def __init__(self, kind: int, function: Function, strict: int, returned: int, guard: int,
                 sources: list[int], want: Column) -> None:
        self.kind = kind                    # what it is of
        self.function = function
        self.strict = bool(strict)          # not called where an argument is None
        self.returned = returned            # which column of the answer, -1 for none
        self.guard = guard                  # column that says for which rows, -1 for all
        self.sources = sources              # columns; -1 minus a call's number
        self.want = want
        self.shape = shape_of(want)
        self.is_input = False               # of another call

    def form(self) -> Callable[[Any], Any] | None:
        """Return what takes a value before the next call is made, None for nothing."""
        return _as_it_is_now if self.shape is None and self.want.tag in _CONTAINERS else self.shape

    def changes(self, column: Column) -> bool:
        """Return whether the function may change a column's values where they are."""
        return self.function.kind == "columns" or column.tag in _CONTAINERS


class Values:
    """A column, or what a call has given: as it is sent, as a list, as an array.

    Made of one of these, or of a list and what is wanted of it; the others follow when
    they are needed.
    """

    __slots__ = ("column", "count", "encoded", "values", "vector", "want")

    def __init__(self, want: Column, count: int, encoded: list[Buffer] | None = None) -> None:
        self.want = want
        self.count = count
        self.encoded = encoded
        self.column: Column | None = None
        self.values: list[Any] | None = None    # as a function for rows takes them
        self.vector: Any = None     # as a function for columns takes them

    def parts(self) -> list[Buffer]:
        """Return the column as it is sent, in parts."""
        if self.encoded is None:
            self.encoded = encode_column(self.want, self.list())
        return self.encoded

    def wire(self) -> Column:
        """Return the column as it is read."""
        if self.column is None:
            (self.column,), _ = decode_columns(memoryview(b"".join(self.parts())), 0, 1)
        return self.column

    def has_null(self) -> bool:
        """Return whether a value may be NULL."""
        if self.column is None and self.values is not None:
            return None in self.values
        return self.wire().mask is not None

    def list(self) -> list[Any]:
        """Return the values as a list."""
        if self.values is None:
            self.values = decode_column(self.wire())
        return self.values

    def each(self) -> Sequence[Any]:
        """Return the values to go through: numbers of a column come without a list of them.

        They live as long as their call only, which costs a fifth less.
        """
        if self.values is None and self.want.tag in _NUMBERS and self.wire().mask is None:
            return self.wire().data
        return self.list()

    def array(self) -> Any:
        """Return the values as an array; a call's are another one each time."""
        if self.vector is not None:
            return self.vector
        from .._tables import vectors

        vector = vectors.array(self.wire())
        if self.encoded is None:
            self.vector = vector
        return vector


def received(column: Column) -> Values:
    """Return a column of the request."""
    values = Values(column, column.count)
    values.column = column
    return values


class Batch:
    """A request that is being answered.

    rows: the first one and how many, unless the request tells.  error: what a row has failed
    with; the answer's rows come before it.  failed, told: the number of the call, and its
    arguments.
    """

    def __init__(self, functions: Functions, payload: Buffer,
                 rows: tuple[int, int] | None = None) -> None:
        self.watch = Stopwatch()
        program, told, *columns = decode_batch(payload)
        lines = decode_column(program)[0].split("\n")
        start, count = rows or decode_column(told)[0].split(" ")[:2]
        names, *sent = columns[len(lines):]
        self.calls: list[Call] = []
        for line, name, want in zip(lines, decode_column(names), columns):
            kind, strict, returned, guard, *sources = map(int, line.split(" "))
            function = _callable(functions, name) if kind != _FUNCTION else functions.known[name]
            if kind == _GROUPS:
                function.kind = "value"     # a group is one call, also of what takes columns
            self.calls.append(Call(kind, function, strict, returned, guard, sources, want))
        self.columns = [received(column) for column in sent]
        self.next = int(start)              # row
        self.end = self.next + int(count)
        self.error: BaseException | None = None
        self.failed = -1
        self.told = ""
        self.sent = 0                       # bytes
        for call in self.calls:
            for source in call.sources:
                if source < 0:
                    self.calls[-1 - source].is_input = True
        self.separate(payload)
        self.spread()
        bounded = all(call.want.tag in wire.FIXED or call.function.kind == "columns"
                      for call in self.calls if call.returned >= 0)
        self.most = self.end if bounded else 1

    def separate(self, payload: Buffer) -> None:
        """Give each argument that a function may change values of its own, if others use them."""
        uses = Counter(source for call in self.calls for source in (call.guard, *call.sources))
        for call in self.calls:
            for place, source in enumerate(call.sources):
                if source < 0 or uses[source] == 1:
                    continue
                column = self.columns[source].column
                if column is not None and call.changes(column):
                    uses[source] -= 1
                    call.sources[place] = len(self.columns)
                    column = decode_batch(bytearray(payload))[3 + len(self.calls) + source]
                    self.columns.append(received(column))

    def spread(self) -> None:
        """Give each call for groups a column an argument, in the place of one of lists of rows."""
        for call in self.calls:
            if call.kind != _GROUPS:
                continue
            groups = self.columns[call.sources.pop()].wire()
            for arrays in _arrays(groups):
                values = received(groups)   # which says whether there are NULLs
                values.values = arrays if groups.mask is None else \
                    [None if null else array for array, null in zip(arrays, groups.mask)]
                call.sources.append(len(self.columns))
                self.columns.append(values)

    def ended(self) -> bool:
        """Return whether nothing is left to be done in this answer."""
        return self.error is not None or self.next >= self.end or self.sent >= ANSWER

    def step(self) -> Sequence[Buffer]:
        """Make the calls for the next rows; return a batch of the values that are to come back.

        It says how long this has taken.
        """
        self.watch.go()
        count = min(self.most, self.end - self.next)
        results: list[Values] = []
        for number, call in enumerate(self.calls):
            made, error = self.make(call, results, count)
            if error is not None:
                count, self.error, self.failed = made.count, error, number
            results.append(made)
        answer: list[list[Buffer]] = [[] for call in self.calls if call.returned >= 0]
        for call, made in zip(self.calls, results):
            if call.returned >= 0:
                answer[call.returned] = made.parts() if made.count == count else \
                    encode_column(call.want, made.list()[:count])
        batch = encode_batch(answer)
        size = sum(map(len, batch))
        self.next += count
        self.sent += size
        self.most = max(1, min(_GROWTH * self.most, ANSWER * count // size))
        return self.watch.stamped(batch)

    def make(self, call: Call, results: list[Values],
             count: int) -> tuple[Values, BaseException | None]:
        """Make a call for a number of rows; return what it gives.

        With an error there are fewer values: it is that of the row after them.
        """
        chosen = self.choose(call, results, count)
        places = None if chosen is None else list(compress(range(count), chosen))
        if call.function.kind == "columns":
            return self.make_whole(call, results, count, places)
        parts = [self.part(source, results) for source in call.sources]
        inputs = [(part.each() if places is None else part.list())[self.rows(source, count)]
                  for part, source in zip(parts, call.sources)]
        if places is None:
            values, error = _run(call, inputs, count)
        else:
            found, error = _run(call, [[values[place] for place in places]
                                       for values in inputs], len(places))
            values = _scatter(found, places, count)
            if error is not None:
                del values[places[len(found)]:]
        # Another call takes the very values where sending them would change nothing.
        same = call.is_input and call.want.tag != wire.FLOAT32 and \
            set(map(type, values)) <= EXACT.get(call.want.tag, _NONE)
        made = Values(call.want, len(values))
        if not same or call.returned >= 0 or call.want.tag not in _ALWAYS_FIT:
            made.encoded, unfit = encode_fitting(call.want, values)
            if unfit is not None:
                made.count, error = len(values), unfit
        if same:
            made.values = values
        if error is not None:
            self.told = ", ".join(reprlib.repr(column[len(values)]) for column in inputs)
        return made, error

    def make_whole(self, call: Call, results: list[Values], count: int,
                   places: list[int] | None) -> tuple[Values, BaseException | None]:
        """Make a call of a function that takes columns."""
        from .._tables import vectors

        arrays = [self.part(source, results).array()[self.rows(source, count)]
                  for source in call.sources]
        number = count if places is None else len(places)
        if places is not None:
            arrays = [array[places] for array in arrays]
        if number == 0:
            return Values(call.want, count, encode_column(call.want, [None] * count)), None
        try:
            parts = list(map(bytes, vectors.encode(call.want, call.function.call(*arrays), number)))
        except Exception as error:
            self.told = f"{number} rows"
            return Values(call.want, 0, encode_column(call.want, [])), error
        made = Values(call.want, number, parts)
        if places is None:
            return made, None
        return Values(call.want, count, encode_column(
            call.want, _scatter(made.list(), places, count))), None

    def choose(self, call: Call, results: list[Values], count: int) -> list[Any] | None:
        """Return for which rows a call is made, None for all."""
        chosen: list[Any] | None = None
        if call.guard >= 0:
            chosen = self.columns[call.guard].list()[self.rows(call.guard, count)]
        for source in call.sources if call.strict else ():
            part = self.part(source, results)
            if part.has_null():
                values = part.list()[self.rows(source, count)]
                chosen = [old and value is not None
                          for old, value in zip(chosen or repeat(True), values)]
        return chosen

    def part(self, source: int, results: list[Values]) -> Values:
        """Return the values that an argument is taken from."""
        return self.columns[source] if source >= 0 else results[-1 - source]

    def rows(self, source: int, count: int) -> slice:
        """Return which of them are about the next rows."""
        return slice(self.next, self.next + count) if source >= 0 else slice(0, count)


def _arrays(groups: Column) -> list[list[Any]]:
    """Return for each column of a column of lists of rows an ndarray a list."""
    from .._tables import vectors

    assert groups.offsets is not None
    return vectors.groups(groups.children[0].children, groups.offsets[1:].tolist())


def _callable(functions: Functions, source: str) -> Function:
    """Return a callable; where there is none, what raises that for the first row."""
    try:
        return functions.callable(source)
    except Exception as error:
        return Function(functools.partial(_fail, error), 0, False, "value", "")


def _fail(error: Exception, *arguments: Any) -> NoReturn:
    raise error


def _run(call: Call, inputs: Sequence[Sequence[Any]],
         count: int) -> tuple[list[Any], BaseException | None]:
    """Return what a call makes of rows, and what the row after the last one has raised."""
    values: list[Any] = []
    body, form = call.function.call, call.form()
    made = map(body, *inputs) if inputs else (body() for _ in range(count))
    try:
        values.extend(made if form is None else map(form, made))
    except Exception as error:
        return values, error
    # What ends an iteration has been taken for its end.
    return values, None if len(values) == count else StopIteration()


def _as_it_is_now(value: Any) -> Any:
    """Return a copy of lists, dicts and arrays: the function may change them for another row."""
    if type(value) in _ATOMS:
        return value
    try:
        return _copy(value)
    except RecursionError:      # what it is converted to says why
        return value


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return value.copy() if _CHANGEABLE.isdisjoint(map(type, value)) else \
            list(map(_copy, value))
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value.copy() if type(value).__module__ == "numpy" else value


def _scatter(found: list[Any], places: list[int], count: int) -> list[Any]:
    """Return values at their places among others that are None."""
    values: list[Any] = [None] * count
    for place, value in zip(places, found):
        values[place] = value
    return values
