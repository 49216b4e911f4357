"""Tables of the server as Python's: batches of columns → Grid, DataFrame, ndarrays.

A `TableReader` takes one batch after the other and does all work at once, while
the server scans the next: texts become objects, fixed-width values move to
arrays that grow.  A table of one batch shares the frame's memory; from the second
batch on every value is copied once and no frame is kept (only arrays in columns
keep theirs).  dtypes: see `TableReader`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy
import pandas

from ..errors import ConversionError
from ..haystack.grid import Grid, GridBuilder
from . import wire
from .conversion import decode_column
from .scalars import time_zone
from .wire import Column, ProtocolError

__all__ = ["TableReader"]

_EXACT = 1 << 53            # whole numbers up to here are exact in a float
# How a full array grows, by the bytes it has.
_GROWTH = ((1 << 20, 16), (1 << 26, 4), (1 << 30, 2), (1 << 63, 1.25))
_OBJECT_GROWTH = 1.5
_ORDER_BYTES = 18           # of a numeric while they are ordered: in two arrays and two masks
_OBJECT_BYTES = 32          # that it takes as an object
_BLOCK_BYTES = 1 << 18      # of a matrix that are filled column by column: a core's cache
_OLD_PANDAS = int(pandas.__version__.partition(".")[0]) < 2     # has nanoseconds only

_TIMES = {
    wire.TIMESTAMP: "<M8[us]", wire.TIMESTAMPTZ: "<M8[us]", wire.INTERVAL: "<m8[us]",
}
_NUMBERS = {**wire.INTEGERS, **wire.FLOATS}


class _Growing:
    """An array that grows at its end.  Its first part is shared, not copied."""

    __slots__ = ("array", "size")

    def __init__(self) -> None:
        self.array: Any = None
        self.size = 0

    def append(self, values: Any) -> Any:
        """Add an array and return the place where its values stand now, until the next call."""
        if self.array is None:
            usable = values.flags.writeable and values.flags.aligned
            self.array = values if usable else values.copy()
            self.size = len(values)
            return self.array
        start, end = self.size, self.size + len(values)
        self.reserve(end)
        place = self.array[start:end]
        place[...] = values
        self.size = end
        return place

    def reserve(self, end: int) -> None:
        """Make room for `end` values.

        What is not used yet costs no memory, and so room is ample.  Arrays of
        objects would be filled with None; they grow by less, moved by the kernel.
        """
        old = self.array
        if end <= len(old):
            return
        if old.dtype.hasobject and old.flags.owndata and old.base is None:
            old.resize(int(end * _OBJECT_GROWTH), refcheck=False)
            return
        factor = next(factor for limit, factor in _GROWTH if old.nbytes <= limit)
        self.array = numpy.empty((int(end * factor), *old.shape[1:]), dtype=old.dtype)
        self.array[:self.size] = old[:self.size]

    def keep(self, values: Any, start: int) -> None:
        """Begin anew with what an array that was taken has from there on."""
        if start < len(values):
            self.append(values[start:].copy())

    def seen(self, dtype: Any) -> Any:
        """Return the array, of this dtype when it holds nothing, until the next values are added."""
        return numpy.empty(0, dtype=dtype) if self.array is None else self.array[:self.size]

    def order(self, places: Any) -> None:
        """Put the values in the order of these places."""
        if self.array is not None:
            self.array = self.array[:self.size].take(places)

    def order_bytes(self) -> int:
        """Return how many bytes order() takes besides."""
        return 0 if self.array is None else self.size * int(self.array.itemsize)

    def take(self, dtype: Any, shape: tuple[int, ...] = ()) -> Any:
        """Return the array, of this dtype when it holds nothing, and forget it."""
        array, self.array = self.array, None
        if array is None:
            array = numpy.empty((0, *shape), dtype=dtype)
        elif len(array) != self.size:
            array.resize((self.size, *array.shape[1:]), refcheck=False)
        self.size = 0
        return array


def _nulls(column: Column) -> Any:
    """Return where a column is NULL as a boolean array, or None when it never is."""
    if column.mask is None:
        return None
    null = numpy.frombuffer(column.mask, dtype="?")
    if column.texts is not None:
        null = numpy.frombuffer(column.mask, dtype="u1") != 0
    return null if null.any() else None


# One class a kind of column ------------------------------------------------


class _Fixed:
    """A column of fixed width: integers, floats, booleans, timestamps, intervals."""

    def __init__(self, want: Column) -> None:
        self.want = want
        self.values = _Growing()
        self.null: _Growing | None = None
        self.dtype = {**wire.NATIVE, **_TIMES}[want.tag]

    def add(self, column: Column) -> None:
        """Take a batch's column."""
        before = self.values.size
        place = self.values.append(numpy.frombuffer(column.data, dtype=self.dtype))
        null = _nulls(column)
        if self.dtype[1:2] in ("f", "M", "m"):
            if null is not None:
                place[null] = "NaT" if self.dtype[1] in "Mm" else numpy.nan
        elif null is not None or self.null is not None:
            if self.null is None:
                self.null = _Growing()
                self.null.append(numpy.zeros(before, dtype="?"))
            self.null.append(numpy.zeros(column.count, dtype="?") if null is None else null)

    def take(self) -> Any:
        """Return the column's array and forget it."""
        null = None if self.null is None else self.null.take("?")
        self.null = None
        return self.array(self.values.take(self.dtype), null)

    def cut(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows, from the first on, and keep those after them."""
        null = None if self.null is None else self.null.take("?")
        self.null = None
        values = self.values.take(self.dtype)
        rest = slice(bounds[-1].stop, None)
        self.values.keep(values, rest.start)
        if null is not None and null[rest].any():
            self.null = _Growing()
            self.null.append(null[rest].copy())
        return self.arrays(values, null, bounds)

    def rows(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows, which must not be given out if more are added."""
        null = None if self.null is None else self.null.seen("?")
        return self.arrays(self.values.seen(self.dtype), null, bounds)

    def arrays(self, values: Any, null: Any, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows."""
        if null is None:
            whole = self.array(values, None)
            return list(map(whole.__getitem__, bounds))
        return [self.array(values[rows], null[rows] if null[rows].any() else None)
                for rows in bounds]

    def even(self) -> Any:
        """Return one array whose slices are those of rows(); None if their dtypes may differ."""
        return self.rows([slice(None)])[0] if self.null is None else None

    def order(self, places: Any) -> None:
        """Put the rows in the order of these places."""
        self.values.order(places)
        if self.null is not None:
            self.null.order(places)

    def order_bytes(self) -> int:
        """Return how many bytes order() takes besides."""
        return self.values.order_bytes() + (0 if self.null is None else self.null.order_bytes())

    def part(self, rows: slice) -> _Fixed:
        """Return a copy of some rows."""
        part = _Fixed(self.want)
        part.values.append(self.values.seen(self.dtype)[rows].copy())
        null = None if self.null is None else self.null.seen("?")[rows]
        if null is not None and null.any():
            part.null = _Growing()
            part.null.append(null.copy())
        return part

    def extend(self, other: _Fixed) -> None:
        """Add the rows of another column of this type."""
        before = self.values.size
        if self.null is not None or other.null is not None:
            if self.null is None:
                self.null = _Growing()
                self.null.append(numpy.zeros(before, dtype="?"))
            self.null.append(numpy.zeros(other.values.size, dtype="?") if other.null is None
                             else other.null.seen("?"))
        self.values.append(other.values.seen(self.dtype))

    def array(self, values: Any, null: Any) -> Any:
        """Return values, and where they are NULL, as the column's array."""
        if null is not None:
            cls = pandas.arrays.BooleanArray if self.dtype == "?" else pandas.arrays.IntegerArray
            return cls(values, null)
        if self.want.tag == wire.TIMESTAMPTZ:
            zone = time_zone(self.want.extra)
            if _OLD_PANDAS:
                return pandas.DatetimeIndex(values, tz="UTC").tz_convert(zone).array
            return pandas.array(values.view("i8"), dtype=pandas.DatetimeTZDtype("us", zone),
                                copy=False)
        return values

    def objects(self) -> _Objects:
        """Return the column, of times, as one of Python objects, which may hold texts, too."""
        values = self.values.take(self.dtype)
        null = numpy.isnat(values)
        values[null] = 0
        column = Column(self.want.tag, self.want.name, self.want.extra, len(values))
        column.mask = memoryview(null.view("u1"))
        column.data = memoryview(values.view("i8"))
        return _Objects(self.want, decode_column(column))


class _Objects:
    """A column of Python objects, None for NULL."""

    def __init__(self, want: Column, values: Sequence[Any] = ()) -> None:
        self.want = want
        self.values = _Growing()
        if values:
            self.values.append(_object_array(list(values)))

    def add(self, column: Column) -> None:
        """Take a batch's column."""
        column.extra = self.want.extra
        self.values.append(_object_array(decode_column(column)))

    def take(self) -> Any:
        """Return the column's array and forget it."""
        return self.values.take(object)

    def cut(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows, from the first on, and keep those after them."""
        values = self.values.take(object)
        self.values.keep(values, bounds[-1].stop)
        return [values[rows] for rows in bounds]

    def rows(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows, which must not be given out if more are added."""
        values = self.values.seen(object)
        return [values[rows] for rows in bounds]

    def even(self) -> Any:
        """Return one array whose slices are those of rows()."""
        return self.values.seen(object)

    def order(self, places: Any) -> None:
        """Put the rows in the order of these places."""
        self.values.order(places)

    def order_bytes(self) -> int:
        """Return how many bytes order() takes besides."""
        return self.values.order_bytes()

    def part(self, rows: slice) -> _Objects:
        """Return a copy of some rows."""
        part = _Objects(self.want)
        part.values.append(self.values.seen(object)[rows].copy())
        return part

    def extend(self, other: _Objects) -> None:
        """Add the rows of another column of objects."""
        self.values.append(other.values.seen(object))


def _object_array(values: list[Any]) -> Any:
    """Return a list as a 1-D array of its objects."""
    return numpy.fromiter(values, dtype=object, count=len(values))


class _Texts(_Objects):
    """A column of str."""

    def add(self, column: Column) -> None:
        """Take a batch's column."""
        place = self.values.append(_object_array(wire.split_texts(column)))
        null = _nulls(column)
        if null is not None:
            place[null] = None


class _Dates(_Objects):
    """A column of datetime.date."""

    def add(self, column: Column) -> None:
        """Take a batch's column."""
        days = numpy.frombuffer(column.data, dtype="<i4").astype("M8[D]")
        place = self.values.append(days.astype(object))
        null = _nulls(column)
        if null is not None:
            place[null] = None
        if column.texts is not None and column.mask is not None:
            place[numpy.frombuffer(column.mask, dtype="u1") == wire.MASK_TEXT] = column.texts


class _Numerics:
    """A column of numeric, each batch in the narrowest dtype until the end tells which it is.

    Batches that may have ints among their floats are kept as lists, or in order as an array of
    objects, until it is known which rows make a table.
    """

    def __init__(self, want: Column) -> None:
        self.want = want
        self.parts: list[tuple[Any, Any]] = []      # values and where they are NULL
        # Rows of the batches that were added, by dtype, None of lists.
        self.rows_of: dict[Any, int] = {}

    def add(self, column: Column) -> None:
        """Take a batch's column."""
        null = _nulls(column)
        values = self.decoded(column, null)
        kind = None if isinstance(values, list) else values.dtype
        self.rows_of[kind] = self.rows_of.get(kind, 0) + column.count
        self.parts.append((values, null))

    def decoded(self, column: Column, null: Any) -> Any:
        """Return the values of a batch's column, which are NULL there, as an array or a list."""
        if column.count == 0 or null is not None and null.all():
            return numpy.zeros(column.count, dtype="i8")
        texts = wire.split_texts(column)
        if null is not None:
            texts = [text or "0" for text in texts]
        data = bytes(column.data)
        kind: Any = float
        if b"." not in data and b"n" not in data and b"N" not in data:
            kind = int      # neither a fraction nor NaN nor Infinity
        elif data.count(b".") != column.count or null is not None:
            kind = None     # perhaps ints among the floats
        if kind is not None:
            try:
                return numpy.fromiter(map(kind, texts), dtype=kind, count=len(texts))
            except OverflowError:
                pass
        return decode_column(column)

    def take(self) -> Any:
        """Return the column's array and forget it: int64, Int64, float64 or objects."""
        parts = [(_number_array(values), null) for values, null in self.parts]
        self.parts = []
        kinds = {values.dtype.kind for values, null in parts if null is None or not null.all()}
        exact = all(values.dtype.kind != "i" or -_EXACT <= values.min(initial=0)
                    and values.max(initial=0) <= _EXACT for values, _ in parts)
        if kinds == {"i"}:
            values = numpy.concatenate([values for values, _ in parts])
            if all(null is None or not null.any() for _, null in parts):
                return values
            return pandas.arrays.IntegerArray(values, numpy.concatenate(
                [numpy.zeros(len(values), dtype="?") if null is None else null
                 for values, null in parts]))
        dtype: Any = object if "O" in kinds or not exact else "f8"
        result = numpy.empty(sum(len(values) for values, _ in parts), dtype=dtype)
        position = 0
        for values, null in parts:
            place = result[position:position + len(values)]
            place[...] = values
            if null is not None:
                place[null] = None if dtype is object else numpy.nan
            position += len(values)
        return result

    def cut(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows, from the first on, and keep those after them."""
        parts = self.parts = [part for part in self.parts if len(part[0]) > 0]
        whole = _as_one(parts)
        if whole is not None:
            rest = whole[bounds[-1].stop:]
            self.parts = [(rest.copy(), None)] if len(rest) > 0 else []
            return list(map(whole.__getitem__, bounds))
        tables = []
        for rows in bounds:
            self.parts = list(_rows_of(parts, rows.start, rows.stop))
            tables.append(self.take())
        self.parts = list(_rows_of(parts, bounds[-1].stop))
        return tables

    def rows(self, bounds: Sequence[slice]) -> list[Any]:
        """Return an array for each of these rows."""
        return [self.part(rows).take() for rows in bounds]

    def even(self) -> Any:
        """Return one array whose slices are those of rows(); None if their dtypes may differ."""
        if len(self.parts) != 1:
            return None
        (values, null), = self.parts
        return values if null is None and isinstance(values, numpy.ndarray) \
            and values.dtype != object else None

    def order(self, places: Any) -> None:
        """Put the rows in the order of these places."""
        null = None
        if any(part is not None and part.any() for _, part in self.parts):
            null = numpy.concatenate([numpy.zeros(len(values), dtype="?") if part is None else part
                                      for values, part in self.parts]).take(places)
        kinds = {None if isinstance(values, list) else values.dtype for values, _ in self.parts}
        if len(kinds) == 1 and None not in kinds:
            ordered: Any = numpy.concatenate([values for values, _ in self.parts]).take(places)
        else:
            ordered = numpy.empty(len(places), dtype=object)
            position = 0
            for values, _ in self.parts:
                ordered[position:position + len(values)] = values
                position += len(values)
            ordered = ordered.take(places)
            if null is not None:
                ordered[null] = None
        self.parts = [(ordered, null)]

    def order_bytes(self) -> int:
        """Return how many bytes order() takes besides."""
        needed = sum(self.rows_of.values()) * _ORDER_BYTES
        if len(self.rows_of) < 2:
            return needed
        return needed + _OBJECT_BYTES * sum(
            rows for kind, rows in self.rows_of.items() if kind is not None)

    def part(self, rows: slice) -> _Numerics:
        """Return some rows."""
        part = _Numerics(self.want)
        part.parts = list(_rows_of(self.parts, rows.start, rows.stop))
        return part

    def extend(self, other: _Numerics) -> None:
        """Add the rows of another column."""
        self.parts += other.parts


def _as_one(parts: Sequence[tuple[Any, Any]]) -> Any:
    """Return parts as one array if any rows of them have its dtype alone, too; else None."""
    arrays = [values for values, null in parts if null is None and not isinstance(values, list)]
    if not arrays or len(arrays) < len(parts) or len({array.dtype.kind for array in arrays}) > 1 \
            or arrays[0].dtype.kind not in "if":
        return None
    return arrays[0] if len(arrays) == 1 else numpy.concatenate(arrays)


def _rows_of(parts: Sequence[tuple[Any, Any]], start: int,
             end: float = float("inf")) -> Iterator[tuple[Any, Any]]:
    """Yield what parts of values have of some of their rows."""
    position = 0
    for values, null in parts:
        low, high = max(start - position, 0), min(end - position, len(values))
        position += len(values)
        if low < high:
            rows = slice(low, int(high))
            yield values[rows], None if null is None else null[rows]


def _number_array(values: Any) -> Any:
    """Return the numbers of a part as an array; of objects, among which None stands for NULL."""
    if not isinstance(values, list):
        if values.dtype != object:
            return values
        values = values.tolist()
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {int}:
        try:
            return numpy.fromiter((value or 0 for value in values), dtype="i8", count=len(values))
        except OverflowError:
            return _object_array(values)
    return _mixed_array(values)


def _mixed_array(values: list[Any]) -> Any:
    """Return ints, floats and None as float64, or as objects when that would lose digits."""
    if any(type(value) is int and not -_EXACT <= value <= _EXACT for value in values):
        return _object_array(values)
    return numpy.array(values, dtype="f8")


_KINDS: dict[int, Any] = {
    **dict.fromkeys((*wire.NATIVE, *_TIMES), _Fixed),
    wire.DATE: _Dates, wire.TEXT: _Texts, wire.OTHER: _Texts,
}


def _collector(want: Column) -> Any:
    if want.tag == wire.NUMERIC and want.extra != "decimal":
        return _Numerics(want)
    return _KINDS.get(want.tag, _Objects)(want)


class _Matrix:
    """Batches of numbers as a 2-D array, filled in blocks that stay in the core's cache."""

    def __init__(self, schema: Sequence[Column]) -> None:
        for want in schema:
            if want.tag not in _NUMBERS and want.tag != wire.NUMERIC:
                error = ConversionError(
                    "42804", f'column "{want.name}" of type {want.sql_name()} has no place in '
                    "a matrix", "Leave it out, or cast it to a numeric type.")
                error.detail = "A matrix has integer, floating-point and numeric columns."
                raise error
        tags = {want.tag for want in schema}
        self.dtype = numpy.dtype(_NUMBERS.get(tags.pop(), "f8") if len(tags) == 1 else "f8")
        self.width = len(schema)
        self.values = _Growing()

    def add(self, batch: Sequence[Column]) -> None:
        """Take a batch."""
        arrays = [_numbers(column) for column in batch]
        if self.dtype.kind == "i" and any(array.dtype.kind == "f" for array in arrays):
            self.dtype = numpy.dtype("f8")      # of NULLs
            if self.values.array is not None:
                self.values.array = self.values.array.astype("f8")
        start = self.values.size
        count = batch[0].count if batch else 0
        if self.values.array is None:
            self.values.array = numpy.empty((count, self.width), dtype=self.dtype)
        self.values.reserve(start + count)
        self.values.size += count
        matrix = self.values.array
        step = max(64, _BLOCK_BYTES // max(self.width * self.dtype.itemsize, 1))
        for low in range(0, count, step):
            high = min(low + step, count)
            block = matrix[start + low:start + high]
            for place, array in enumerate(arrays):
                block[:, place] = array[low:high]

    def take(self) -> Any:
        """Return the matrix and forget it."""
        return self.values.take(self.dtype, (self.width,))


def _numbers(column: Column) -> Any:
    """Return a column of numbers as an array; NULL as NaN of a float dtype."""
    null = _nulls(column)
    if column.tag == wire.NUMERIC:
        texts = wire.split_texts(column)
        if null is not None:
            texts = [text or "nan" for text in texts]
        return numpy.fromiter(map(float, texts), dtype="f8", count=len(texts))
    values = numpy.frombuffer(column.data, dtype=_NUMBERS[column.tag])
    if null is not None:
        values = values.astype("f8") if column.tag in wire.INTEGERS else values.copy()
        values[null] = numpy.nan
    return values


class TableReader:
    """Batches of columns as a table.

    schema: the columns, with count 0.  meta: the table's meta; meta["cols"], if any,
    is a dict from columns' names to theirs.  With matrix=True only matrix() may be
    asked for, else anything else; asking takes the table out and leaves the reader
    as new.

    SQL type → column, without NULLs / with NULLs:
        int2, int4, int8        int16, int32, int64 / Int16, Int32, Int64
        boolean                 bool / boolean
        float4, float8          float32, float64 / NaN
        timestamp, timestamptz  datetime64[us], datetime64[us, TimeZone] / NaT
        interval                timedelta64[us] / NaT
        numeric                 int64 / Int64 when all have scale 0 and fit, else float64 / NaN;
                                object where a float would lose a whole number's digits
        everything else         object / None
    Where hxpy.unsupported = text has put the text of a value that Python cannot hold,
    the column is of dtype object: date, datetime, timedelta, str or None.
    All of them are writable.  pandas before 2.0 holds datetimes in nanoseconds, and
    raises for those outside of the years 1678 to 2261.
    """

    def __init__(self, schema: Sequence[Column], meta: Mapping[str, Any] | None = None,
                 matrix: bool = False) -> None:
        self.schema = list(schema)
        self.meta = dict(meta or {})
        cols = self.meta.pop("cols", None)
        self.column_meta: dict[str, Any] = cols if isinstance(cols, dict) else {}
        self._names = _unique([want.name for want in self.schema])
        self._matrix = _Matrix(self.schema) if matrix else None
        self._collectors = [] if matrix else [_collector(want) for want in self.schema]
        self.rows = 0       # that wait to be taken

    def add(self, batch: Sequence[Column]) -> None:
        """Take a batch: the schema's columns in their order, all of one length.

        Raises ProtocolError when it is none, and what decoding Hayson raises.
        """
        if [column.tag for column in batch] != [want.tag for want in self.schema] \
                or len({column.count for column in batch}) > 1:
            raise ProtocolError("a batch that does not match its table")
        self.rows += batch[0].count if batch else 0
        enabled = gc.isenabled()
        gc.disable()    # a million new dicts are no garbage
        try:
            if self._matrix is not None:
                self._matrix.add(batch)
            else:
                for place, column in enumerate(batch):
                    collector = self._collectors[place]
                    if column.texts is not None and isinstance(collector, _Fixed):
                        collector = self._collectors[place] = collector.objects()
                    collector.add(column)
        finally:
            if enabled:
                gc.enable()

    def clear(self) -> None:
        """Forget the batches, to start a new table of the same columns."""
        self.__init__(self.schema, {**self.meta, "cols": self.column_meta},  # type: ignore[misc]
                      self._matrix is not None)

    def grid(self) -> Grid:
        """Return a Grid of these arrays.

        Names that Haystack does not allow, or that come twice, are made legal as
        GridBuilder.add_col does: the SQL name is in the column's meta "sqlName".
        """
        builder = GridBuilder().set_meta(self.meta)
        for want in self.schema:
            builder._add(want.name, self.column_meta.get(want.name) or {})
        builder._columns = self._take()
        return builder.to_grid()

    def frame(self, columns: list[Any] | None = None) -> pandas.DataFrame:
        """Return a DataFrame of these arrays, or of those that columns() or cut() has taken.

        Columns have their SQL names (a name that comes twice gets _2, _3 …); attrs
        is the meta, attrs["cols"] the columns' by name.
        """
        frame = pandas.DataFrame(dict(zip(self._names, columns or self._take())), copy=False)
        metas = {name: self.column_meta[want.name]
                 for name, want in zip(self._names, self.schema) if want.name in self.column_meta}
        frame.attrs = {**self.meta, "cols": metas} if metas else dict(self.meta)
        return frame

    def plain(self, columns: Sequence[Any]) -> list[Any]:
        """Return columns that columns() or cut() has taken as ndarrays.

        timestamptz is datetime64[us] in UTC; integers with NULLs are float64 with
        NaN where that is exact, else objects with None; booleans with NULLs are objects.
        """
        return list(map(_plain_array, columns))

    def columns(self) -> list[Any]:
        """Return the columns: ndarrays, or arrays of pandas where integers or booleans are NULL."""
        return self._take()

    def cut(self, ends: Sequence[int]) -> Iterator[list[Any]]:
        """Yield the columns of each table that ends before these rows; later rows stay.

        Each has the dtypes that it would have alone.
        """
        bounds = list(map(slice, [0, *ends], ends))
        self.rows -= ends[-1]
        return map(list, zip(*[collector.cut(bounds) for collector in self._collectors]))

    def groups(self, ends: Sequence[int]) -> list[list[Any]]:
        """Return of each column the ndarrays, as plain() has them, of the tables of cut()."""
        bounds = list(map(slice, [0, *ends], ends))
        self.rows -= ends[-1]
        return [list(map(_plain_array, collector.cut(bounds))) for collector in self._collectors]

    def order(self, places: Any) -> None:
        """Put the rows in the order of these places; no more are added."""
        for collector in self._collectors:
            collector.order(places)

    def order_bytes(self) -> int:
        """Return about how many bytes order() takes besides."""
        return sum(collector.order_bytes() for collector in self._collectors)

    def parts(self, bounds: Sequence[slice]) -> Iterator[list[Any]]:
        """Yield the columns of some rows as often as asked; they share memory.

        Each has the dtypes that it would have alone.
        """
        return map(list, zip(*[collector.rows(bounds) for collector in self._collectors]))

    def frames(self, bounds: Sequence[slice]) -> Iterator[pandas.DataFrame]:
        """Yield DataFrames of what parts() yields."""
        even = [collector.even() for collector in self._collectors]
        if not even or any(column is None for column in even):
            yield from map(self.frame, self.parts(bounds))
            return
        frame = self.frame(even)    # to cut it is much faster than to make others
        for rows in bounds:
            part = frame.iloc[rows].copy(deep=False)
            part.index = pandas.RangeIndex(rows.stop - rows.start)
            yield part

    def borrow(self, other: TableReader, rows: slice) -> None:
        """Add a copy of rows of another reader with these columns."""
        self.rows += rows.stop - rows.start
        for place, source in enumerate(other._collectors):
            part = source.part(rows)
            mine = self._collectors[place]
            if isinstance(part, _Fixed) and not isinstance(mine, _Fixed):
                part = part.objects()
            elif isinstance(mine, _Fixed) and not isinstance(part, _Fixed):
                mine = self._collectors[place] = mine.objects()
            mine.extend(part)

    def matrix(self) -> numpy.ndarray[Any, Any]:
        """Return a C-contiguous ndarray of shape (rows, columns); NULL is NaN.

        The dtype is the columns' own when all have the same integer or float type
        and, of integers, no NULL; else float64.
        """
        if self._matrix is None:
            raise TypeError("the reader was not made for a matrix")
        array: numpy.ndarray[Any, Any] = self._matrix.take()
        return array

    def _take(self) -> list[Any]:
        if self._matrix is not None:
            raise TypeError("the reader was made for a matrix")
        self.rows = 0
        return [collector.take() for collector in self._collectors]


def _unique(names: list[str]) -> list[str]:
    """Return names without repetition: the second "a" becomes "a_2"."""
    unique: dict[str, None] = {}
    for name in names:
        other, count = name, 1
        while other in unique:
            count += 1
            other = f"{name}_{count}"
        unique[other] = None
    return list(unique)


def _plain_array(column: Any) -> Any:
    """Return a column as an ndarray."""
    if type(column) is numpy.ndarray:
        return column
    if isinstance(column, pandas.arrays.IntegerArray):
        exact = numpy.abs(column.to_numpy("f8", na_value=0)).max(initial=0) <= _EXACT
        return column.to_numpy("f8", na_value=numpy.nan) if exact \
            else column.to_numpy(object, na_value=None)
    if isinstance(column, pandas.arrays.BooleanArray):
        return column.to_numpy(object, na_value=None)
    return column.asi8.view("M8[ns]" if _OLD_PANDAS else "M8[us]")
