"""Python's tables as a stream of chunks, whatever form they have.

    chunks(value, rows, soon)   DataFrame, Grid, arrays, dicts, rows, generators → Chunks
    match(want, names)          which of a chunk's columns is which wanted one

encode turns a chunk into the buffers of a batch, infer tells the types of a new table.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from array import array as Array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from typing import Any

import numpy
import pandas

from ..errors import ConversionError, way_out
from ..haystack._cells import bare, label_text, to_list
from ..haystack.grid import Grid
from .pace import blocks
from .wire import Column

__all__ = ["Chunk", "chunks", "is_held", "match"]

# Rows that can be looked at twice; the columns of other iterables are those of the first rows.
_IN_MEMORY = (list, tuple, deque, Set, ValuesView)


@dataclasses.dataclass(slots=True)
class Chunk:
    """Rows of a table, by columns.

    names: unique.  cells: for each a list, an ndarray whose first axis are the
    rows, or an array of pandas, all of length `count`; or what makes these.  nan_is_null:
    for each whether a NaN is NULL: it is in what pandas made (DataFrame, Series, Index) and
    in arrays of a Grid; elsewhere a NaN is a value.  start: rows of the stream before.
    unnamed: places of the columns that are levels of an index without a name.  hint: what
    an error of its values says besides.  dicts: the rows, where they came as dicts.
    """

    names: list[str]
    cells: list[Any] | Callable[[], list[Any]]
    nan_is_null: list[bool]
    count: int
    start: int = 0
    unnamed: tuple[int, ...] = ()
    hint: str = ""
    dicts: list[Any] | None = None

    @property
    def columns(self) -> list[Any]:
        """The columns; made of rows when they are first asked for."""
        if callable(self.cells):
            self.cells = self.cells()
        return self.cells


class _Level(str):
    """The name given to a level of an index that has none."""


def chunks(value: Any, rows: int, soon: Sequence[str] | None = None) -> Iterator[Chunk]:
    """Yield a table as chunks of at most `rows` rows, without copying columns.

    soon: the names of the wanted columns, none if all are, when rows of an iterator are to be
    given out soon after they have come.

    A table is one of these:
        DataFrame       its columns; before them its index, unless that only counts the rows:
                        levels without a name are index, or level_0 … as pandas' to_sql has it
        Series, Index   one column, c0 if it has no name; the index as a DataFrame's
        Grid            its columns under their SQL names
        ndarray         structured: its fields; 1-D: c0; 2-D: v0, v1 …
        dict            of columns; scalars are repeated, only scalars are one row
        list, tuple …   of rows or of scalars (one column c0)
        any iterable    of rows or scalars, or of DataFrames, Grids, structured or 2-D
                        arrays, dicts of only Series and arrays; taken as it comes
    A row is a dict (or GridRow), dataclass, namedtuple, tuple, list, deque, 1-D ndarray
    or Series (its name is the index).  Rows that are dicts or Series may lack keys (NULL);
    the columns are the keys of all rows, of the first chunk's in an iterator; with `soon` they
    are the wanted ones if the first rows have these keys, and each chunk's if all are wanted.
    Labels are str(label), those of a MultiIndex joined by "_", 0, 1 … are v0, v1 …  A
    table of no rows is one chunk of count 0, an iterable without items none.

    Raises ConversionError: 42846 for what is no table, 42701 for a name that comes
    twice, 42804 for columns or rows of different lengths or kinds.
    """
    table = _whole(value, 0)
    if table is not None:
        yield from _sliced(table, rows, 0)
        return
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable) \
            or way_out(type(value)):
        raise ConversionError("42846", f'Python type "{_type_name(value)}" is no table',
                              way_out(type(value)) or "Return a DataFrame, a Grid, an array, "
                              "a dict of columns, or rows.")
    iterator = iter(value)
    for first in iterator:
        items = itertools.chain((first,), iterator)
        if _whole_item(first, 0) is None:
            known = value if isinstance(value, _IN_MEMORY) else None
            yield from _row_chunks(items, rows, known, None if known is not None else soon)
        else:
            yield from _table_chunks(items, rows)


def is_held(value: Any) -> bool:
    """Return whether a table is in memory, so that all of it can be looked at before it is sent."""
    return isinstance(value, _IN_MEMORY) or _whole(value, 0) is not None


def _type_name(value: Any) -> str:
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return name.removeprefix("builtins.")


def _mismatch(message: str, row: int | None = None) -> ConversionError:
    error = ConversionError("42804", message)
    if row is not None:
        error.detail = f"Row {row + 1}."
    return error


def _sliced(table: Chunk, rows: int, start: int) -> Iterator[Chunk]:
    """Yield a table in slices."""
    for low in range(0, max(table.count, 1), rows):
        high = min(low + rows, table.count)
        yield Chunk(table.names, [column[low:high] for column in table.columns],
                    table.nan_is_null, high - low, start + low, table.unnamed)


def _table_chunks(items: Iterable[Any], rows: int) -> Iterator[Chunk]:
    """Yield the chunks of a stream of tables."""
    start = 0
    for item in items:
        table = _whole_item(item, start)
        if table is None:
            raise _mismatch(f'a stream of tables holds a "{_type_name(item)}"', start)
        yield from _sliced(table, rows, start)
        start += table.count


# Whole tables --------------------------------------------------------------


def _whole(value: Any, start: int) -> Chunk | None:
    """Return a value that is a table of columns as one chunk, others as None.

    start: rows of the stream before.
    """
    if isinstance(value, pandas.DataFrame):
        return _frame(value, start)
    if isinstance(value, (pandas.Series, pandas.api.extensions.ExtensionArray)):
        series = pandas.Series(value, copy=False)
        return _frame(series.to_frame("c0" if series.name is None else series.name), start)
    if isinstance(value, pandas.Index):
        names = [f"c{place}" if name is None else name for place, name in enumerate(value.names)]
        return _frame(value.to_frame(index=False, name=names if len(names) > 1 else names[0]), 0)
    if isinstance(value, Grid):
        names = []
        for col in value.cols():
            name = col.meta().get("sqlName", col.name())
            names.append(col.name() if name in names else name)
        cells = [value[name] for name in value.col_names()]
        return _chunk(names, cells, [not isinstance(column, list) for column in cells])
    if isinstance(value, numpy.ndarray):
        return _array(value.A if isinstance(value, numpy.matrix) else value)
    if isinstance(value, Mapping):
        return _mapping(value)
    return None


def _whole_item(item: Any, start: int) -> Chunk | None:
    """Return an item of a stream that is a table, not a row, as one chunk."""
    if isinstance(item, pandas.Series) \
            or isinstance(item, numpy.ndarray) and item.ndim < 2 and item.dtype.names is None:
        return None
    if isinstance(item, Mapping) and not (item and all(
            isinstance(column, (pandas.Series, pandas.api.extensions.ExtensionArray))
            or isinstance(column, numpy.ndarray) and column.ndim > 0 for column in item.values())):
        return None
    return _whole(item, start)


def _chunk(labels: Sequence[Any], cells: list[Any], nan_is_null: list[bool],
           count: int = 0) -> Chunk:
    """Return columns as a chunk, whose names must be unique and lengths equal."""
    names = _names(labels)
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ConversionError("42701", f'column "{twice}" comes twice in the table',
                              "Rename one of them.")
    for name in names:
        if "\0" in name or not name.isascii() and name.encode(errors="ignore").decode() != name:
            raise ConversionError("22021", f"the column name {name!r} has a NUL or a lone "
                                  "surrogate, which text in SQL has not", "Rename the column.")
    lengths = {len(column) for column in cells}
    if len(lengths) > 1:
        error = _mismatch("the columns of the table have different lengths")
        error.detail = ", ".join(f"{name}: {len(column)}" for name, column in zip(names, cells))
        raise error
    unnamed = tuple(place for place, label in enumerate(labels) if isinstance(label, _Level))
    return Chunk(names, cells, nan_is_null, lengths.pop() if lengths else count, 0, unnamed)


def _names(labels: Sequence[Any]) -> list[str]:
    """Return the names of columns; those that only count the columns are a matrix's."""
    own = [label for label in labels if not isinstance(label, _Level)]
    if set(map(type, own)) == {int} and own == list(range(len(own))):
        return [str(label) if isinstance(label, _Level) else f"v{label}" for label in labels]
    return [label_text(label) for label in labels]


def _frame(frame: pandas.DataFrame, start: int) -> Chunk:
    """Return a DataFrame as a chunk; an index that counts the rows, or goes on to, is left out."""
    index = frame.index
    labels: list[Any] = []
    cells: list[Any] = []
    counts = isinstance(index, pandas.RangeIndex) and index.name is None and index.step == 1 \
        and index.start in (0, start)
    for level, name in enumerate([] if counts else index.names):
        if name is None:
            name = _Level("index" if index.nlevels == 1 and "index" not in frame.columns
                          else f"level_{level}")
        labels.append(name)
        cells.append(bare(index.get_level_values(level)))
    for label, series in frame.items():
        labels.append(label)
        cells.append(bare(series))
    return _chunk(labels, cells, [True] * len(cells), len(frame))


def _array(array: Any) -> Chunk:
    if array.dtype.names is not None and array.ndim == 1:
        names = list(array.dtype.names)
        cells = [array[name] for name in names]
    elif array.ndim == 1:
        names, cells = ["c0"], [array]
    elif array.ndim == 2:
        names = [f"v{place}" for place in range(array.shape[1])]
        cells = [array[:, place] for place in range(array.shape[1])]
    else:
        raise ConversionError("42846", f"an ndarray of {array.ndim} dimensions is no table",
                              "Reshape it to rows and columns.")
    return _chunk(names, cells, [False] * len(cells), len(array))


def _mapping(value: Mapping[Any, Any]) -> Chunk:
    cells = []
    nan_is_null = []
    scalars = []
    for place, column in enumerate(value.values()):
        nan_is_null.append(isinstance(column, (pandas.Series, pandas.Index,
                                               pandas.api.extensions.ExtensionArray)))
        if isinstance(column, (range, Array, memoryview, tuple)) \
                and not hasattr(column, "_fields"):
            column = list(column)
        elif isinstance(column, numpy.ndarray) and column.ndim == 0:
            column = column[()]
        elif nan_is_null[-1]:
            column = bare(column)
        if not isinstance(column, (list, numpy.ndarray)) and not nan_is_null[-1]:
            scalars.append(place)
        cells.append(column)
    if scalars:
        sized = [len(column) for place, column in enumerate(cells) if place not in scalars]
        for place in scalars:
            cells[place] = [cells[place]] * (sized[0] if sized else 1)
    return _chunk(list(value), cells, nan_is_null)


# Rows ----------------------------------------------------------------------


def _row_chunks(items: Iterator[Any], rows: int, known: Iterable[Any] | None,
                soon: Sequence[str] | None) -> Iterator[Chunk]:
    """Yield the chunks of a stream of rows; all are of the kind of the first chunk's.

    known: all the rows, if they are in memory.  soon: see chunks.
    """
    start = 0
    kind = None
    labels: list[Any] = []
    certain = False
    stream = blocks(items, rows) if soon is not None else \
        iter(lambda: list(itertools.islice(items, rows)), [])
    for block in stream:
        if start == 0 and soon is not None:
            certain = _are_certain(block, soon)
            if not certain:
                block += itertools.islice(items, rows - len(block))
        kinds = {_row_kind(cls) for cls in set(map(type, block))}
        if kinds <= {"none", "scalar"}:
            kinds = {"scalar"}
        if kind is None:    # that of the first row; a None may stand among scalars
            kind = "scalar" if kinds == {"scalar"} else \
                next(found for found in map(_row_kind, map(type, block)) if found != "none")
        if kinds != {kind}:
            strange, row = next((row, place) for place, row in enumerate(block)
                                if _row_kind(type(row)) != kind)
            raise _mismatch(f'a stream of rows ("{kind}") holds a "{_type_name(strange)}"',
                            start + row)
        if kind == "dict" and certain:
            labels = list(soon or _row_labels(kind, block, block))
        else:
            labels = labels or _row_labels(kind, block, block if known is None else known)
        is_sure = kind == "dict" and (certain or known is not None)     # no key is missing
        cells = [] if is_sure else _ROWS[kind](block, labels, start)
        chunk = _chunk(labels, cells, [False] * len(labels), len(block))
        if is_sure:
            chunk.cells = functools.partial(_from_dicts, block, labels, start, certain)
            chunk.dicts = block
        chunk.start = start
        yield chunk
        start += len(block)


def _are_certain(block: list[Any], soon: Sequence[str]) -> bool:
    """Return whether the first rows tell which columns come: dicts if they have the wanted keys."""
    kinds = {_row_kind(cls) for cls in set(map(type, block))}
    return "series" not in kinds and (
        "dict" not in kinds or set(soon) <= set(_row_labels("dict", block, block)))


def _row_kind(cls: type) -> str:
    """Return what kind of row a class is."""
    for types, kind in ((Mapping, "dict"), ((tuple, list, deque), "sequence"),
                        (numpy.ndarray, "array"), (numpy.void, "record"),
                        (pandas.Series, "series")):
        if issubclass(cls, types):
            return kind
    if dataclasses.is_dataclass(cls) and not cls.__module__.startswith("hxpy."):
        return "dataclass"
    return "none" if cls.__name__ == "NoneType" else "scalar"


def _row_labels(kind: str, block: list[Any], known: Iterable[Any]) -> list[Any]:
    """Return the columns of rows; known: those that can be looked at, the first chunk or all."""
    first = block[0]
    if kind == "dict":
        # One look at each class, not at each row.
        mappings = {cls for cls in set(map(type, known)) if issubclass(cls, Mapping)}
        return list(dict.fromkeys(itertools.chain.from_iterable(
            row for row in known if type(row) in mappings)))
    if kind == "series":
        return _series_labels([row for row in known if isinstance(row, pandas.Series)])
    if kind == "dataclass":
        return [field.name for field in dataclasses.fields(first)]
    if kind == "record":
        return list(first.dtype.names or ())
    if kind == "scalar":
        return ["c0"]
    if kind == "array" and first.ndim != 1:
        raise _mismatch(f"an array of {first.ndim} dimensions is no row", 0)
    letter = "v" if kind == "array" else "c"
    return list(getattr(first, "_fields", None)
                or (f"{letter}{place}" for place in range(len(first))))


def _series_labels(rows: list[Any]) -> list[Any]:
    """Return the columns of rows that are Series, with their names as index if these tell more
    than the rows' numbers."""
    labels: dict[Any, None] = {}
    for row in rows:
        if not row.index.is_unique:
            raise ConversionError("42701", "a Series with two values of one label is no row",
                                  "Rename one of them.")
        labels.update(dict.fromkeys(row.index))
    names = [row.name for row in rows]
    if set(map(type, names)) == {type(None)} \
            or set(map(type, names)) == {int} and names == list(range(len(rows))):
        return list(labels)
    return [_Level("level_0" if "index" in labels else "index"), *labels]


def _from_scalars(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    return [block]


def _from_sequences(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    width = len(labels)
    if set(map(len, block)) != {width}:
        row = next(place for place, row in enumerate(block) if len(row) != width)
        raise _mismatch(f"a row of {len(block[row])} values in a table of {width} columns",
                        start + row)
    return list(map(list, zip(*block)))


def _from_arrays(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    if {array.shape for array in block} != {(len(labels),)}:
        row = next(place for place, row in enumerate(block) if row.shape != (len(labels),))
        raise _mismatch(f"a row of {block[row].size} values in a table of {len(labels)} columns",
                        start + row)
    return list(numpy.stack(block).T)


def _from_dicts(block: list[Any], labels: list[Any], start: int,
                may_differ: bool = False) -> list[Any]:
    if len(labels) > 1 and sum(map(len, block)) == len(block) * len(labels):
        try:
            return list(map(list, zip(*map(operator.itemgetter(*labels), block))))
        except KeyError:
            pass
    known = set(labels)
    for place, row in enumerate(block):
        if not may_differ and not known.issuperset(row):
            unknown = next(label for label in row if label not in known)
            error = _mismatch(f'a row has the key "{unknown}", which no row of the first chunk has',
                              start + place)
            error.hint = "The columns of an iterator are the keys of its first rows: give the " \
                         "first row all keys, or return a list, whose rows are all looked at."
            raise error
    return [[row.get(label) for row in block] for label in labels]


def _from_series(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    rows = [dict(zip(row.index, to_list(bare(row)))) for row in block]
    if labels and isinstance(labels[0], _Level):
        for row, series in zip(rows, block):
            row[labels[0]] = series.name
    return _from_dicts(rows, labels, start)


def _from_dataclasses(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    first = type(block[0])
    for place, row in enumerate(block):
        if type(row) is not first:
            raise _mismatch(f'a stream of "{first.__qualname__}" holds a "{_type_name(row)}"',
                            start + place)
    return [list(map(operator.attrgetter(label), block)) for label in labels]


def _from_records(block: list[Any], labels: list[Any], start: int) -> list[Any]:
    return [[row[label] for row in block] for label in labels]


_ROWS: dict[str, Callable[[list[Any], list[Any], int], list[Any]]] = {
    "scalar": _from_scalars, "sequence": _from_sequences, "array": _from_arrays,
    "dict": _from_dicts, "dataclass": _from_dataclasses, "record": _from_records,
    "series": _from_series}


# Columns ---------------------------------------------------------------


def match(want: Sequence[Column], names: Sequence[str], by_name_only: bool = False,
          unnamed: Sequence[int] = ()) -> list[int]:
    """Return for each wanted column the place of its chunk column.

    By name when all wanted names are there, else by position when there are as many,
    without the levels of an index that have no name (`unnamed`) or with them.
    by_name_only: every chunk name must be a wanted one, but for those levels; wanted
    columns that the chunk lacks get -1.  Raises ConversionError 42804 that lists both.
    """
    own = [place for place in range(len(names)) if place not in unnamed]
    places = {name: place for place, name in enumerate(names)}
    wanted = [column.name for column in want]
    if by_name_only:
        unknown = [names[place] for place in own if names[place] not in wanted]
        if not unknown:
            return [places.get(name, -1) for name in wanted]
        error = _mismatch(f'the target has no column "{unknown[0]}"')
    elif places.keys() >= set(wanted):
        return [places[name] for name in wanted]
    elif len(wanted) == len(own):
        return own
    elif len(wanted) == len(names):
        return list(range(len(names)))
    else:
        error = _mismatch(f"the table has {len(names)} columns where {len(wanted)} are wanted")
    error.detail = f"Wanted are {', '.join(wanted) or 'none'}; " \
                   f"the table has {', '.join(names) or 'none'}."
    raise error
