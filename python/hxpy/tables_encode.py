"""A chunk of a table as the buffers of a batch: whole arrays where the dtype allows.

The arrays' way and the values' way (columns.encode_column) agree; what the arrays'
way does not know or does not accept goes the values' way, whose error tells why.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring  # type: ignore[attr-defined]
from typing import Any

import numpy
import pandas

from . import columns, hayson, protocol
from .columns import Column
from .errors import ConversionError
from .haystack._cells import array_to_list, bare, to_list
from .protocol import Buffer
from .tables_out import Chunk

__all__ = ["encode_chunk", "encode_rows"]

_INTEGERS = {protocol.INT16: "<i2", protocol.INT32: "<i4", protocol.INT64: "<i8"}
_FLOATS = {protocol.FLOAT32: "<f4", protocol.FLOAT64: "<f8"}
_TIMESTAMPS = (protocol.TIMESTAMP, protocol.TIMESTAMPTZ)
# Tags that the arrays' way knows.
_ARRAY_TAGS = frozenset((*_INTEGERS, *_FLOATS, *_TIMESTAMPS, protocol.BOOL, protocol.INTERVAL,
                         protocol.DATE, protocol.TEXT, protocol.NUMERIC))
# dtypes of lists whose values have one type.
_LIST_TYPES = {int: "<i8", float: "<f8", bool: "?"}


class _Unfit(Exception):
    """Values that the arrays' way cannot take."""


def encode_chunk(want: Sequence[Column], chunk: Chunk, mapping: Sequence[int]) -> list[Buffer]:
    """Return the payload, in parts, of a batch of the wanted columns.

    mapping: as match returns it; wanted columns with -1 are left out.  The parts share
    the arrays' memory: send them before these change.  Raises ConversionError whose
    detail names the column and the row, counted from 1 over the whole stream.
    """
    return columns.encode_batch([
        _encode(column, chunk, place) for column, place in zip(want, mapping) if place >= 0])


def _encode(want: Column, chunk: Chunk, place: int) -> list[Buffer]:
    """Return one column of a chunk as a wanted column."""
    cells = chunk.columns[place]
    nan_is_null = chunk.nan_is_null[place]
    try:
        with numpy.errstate(all="ignore"):
            return _encode_array(want, cells, nan_is_null)
    except (_Unfit, ConversionError, ArithmeticError, TypeError, ValueError):
        pass
    values = _values(cells, nan_is_null)
    try:
        return columns.encode_column(want, values)
    except ConversionError as error:
        raise _locate(error, want, values, chunk, chunk.names[place]) from None


def _locate(error: ConversionError, want: Column, values: list[Any], chunk: Chunk,
            name: str) -> ConversionError:
    """Return the error of the first value that has one, with its column and row."""
    for row, value in enumerate(values):
        try:
            columns.encode_column(want, [value])
        except ConversionError as found:
            path = f", at {''.join(found.path)}" if found.path else ""
            found.detail = f'Column "{name}", row {chunk.start + row + 1}{path}.'
            return found
    return error


def _values(cells: Any, nan_is_null: bool) -> list[Any]:
    """Return a column as Python's, numpy's and pandas' own objects, NULL as None."""
    if isinstance(cells, list):
        return cells
    if isinstance(cells, numpy.ndarray) and (
            cells.dtype.kind == "V" or isinstance(cells, numpy.ma.MaskedArray)):
        return list(cells.tolist())
    values = list(cells)
    if nan_is_null:
        return [None if null else value for value, null in zip(values, pandas.isna(cells))]
    return values


def _encode_array(want: Column, cells: Any, nan_is_null: bool) -> list[Buffer]:
    """Return a column by operations on whole arrays; raises when that cannot be."""
    tag = want.tag
    if tag not in _ARRAY_TAGS:
        raise _Unfit
    listed = isinstance(cells, list)
    if tag == protocol.TEXT and (listed or cells.dtype == object):
        try:    # a join tells by itself whether all are str
            return _textual(want, cells if listed else cells.tolist(), None)
        except (TypeError, AttributeError):
            pass
    if listed:
        kinds = set(map(type, cells))
        dtype = _LIST_TYPES.get(kinds.pop(), object) if len(kinds) == 1 else object
        cells = numpy.fromiter(cells, dtype=dtype, count=len(cells))
    array, null = _plain(cells, nan_is_null)
    if array.ndim != 1:
        raise _Unfit
    if tag in _INTEGERS:
        return _fixed(want, _integers(array, null, _INTEGERS[tag]), null)
    if tag in _FLOATS:
        return _fixed(want, _floats(array, null, _FLOATS[tag]), null)
    if tag == protocol.BOOL:
        return _fixed(want, _typed(array, null, bool, "?", "b"), null)
    if tag in _TIMESTAMPS or tag == protocol.INTERVAL:
        micros = _microseconds(_kind(array, "m")) if tag == protocol.INTERVAL \
            else _timestamps(want, cells, array, null)
        return _fixed(want, micros if null is None else numpy.where(null, 0, micros), null)
    if tag == protocol.DATE:
        return _fixed(want, _dates(array, null), null)
    if tag == protocol.NUMERIC:
        return _textual(want, _numerics(array, null), null)
    array = _kind(array, "OU")
    if null is not None:
        array = array.astype(object)
        array[null] = ""
    return _textual(want, array.tolist(), null)


def _kind(array: Any, kinds: str) -> Any:
    if array.dtype.kind not in kinds:
        raise _Unfit
    return array


def _plain(cells: Any, nan_is_null: bool) -> tuple[Any, Any]:
    """Return a column as an ndarray and where it is NULL (None: nowhere)."""
    if isinstance(cells, numpy.ma.MaskedArray):
        array, null = cells.data, numpy.ma.getmaskarray(cells)
    elif isinstance(cells, numpy.ndarray):
        array = cells
        if cells.dtype.kind in "Mm" or cells.dtype.kind == "f" and nan_is_null:
            null = numpy.isnat(cells) if cells.dtype.kind in "Mm" else numpy.isnan(cells)
        elif cells.dtype.kind == "O":
            null = _object_nulls(cells, nan_is_null)
        else:
            return array, None
    elif isinstance(cells, pandas.Categorical):
        null = cells.codes < 0
        categories, _ = _plain(bare(cells.categories), False)
        if len(categories) == 0:
            raise _Unfit
        array = categories.take(cells.codes, mode="clip")
    elif isinstance(cells.dtype, pandas.DatetimeTZDtype):
        array = _utc(cells)
        null = numpy.isnat(array)
    else:
        null = numpy.asarray(cells.isna())
        dtype = getattr(cells.dtype, "numpy_dtype", None)
        if dtype is not None and dtype.kind in "biuf":
            array = cells.to_numpy(dtype, na_value=dtype.type(0))
        else:
            array = numpy.asarray(cells, dtype=object)
    return array, null if null.any() else None


def _object_nulls(array: Any, nan_is_null: bool) -> Any:
    """Return where an array of objects is NULL."""
    null = pandas.isna(array)
    if not nan_is_null:
        for place in numpy.flatnonzero(null):
            null[place] = columns._missing(array[place])
    return null


def _utc(array: Any) -> Any:
    """Return pandas' array of aware datetimes as datetime64 in UTC, uncopied."""
    return array.asi8.view(f"M8[{getattr(array, 'unit', 'ns')}]")


# Building columns ----------------------------------------------------------


def _head(want: Column, count: int, null: Any) -> bytes:
    return columns._head(want, count, None if null is None else null.tobytes())


def _fixed(want: Column, array: Any, null: Any) -> list[Buffer]:
    """Return a fixed-width column of an array of its dtype."""
    array = numpy.ascontiguousarray(array)
    return [_head(want, len(array), null), *columns._body(memoryview(array.view("u1")))]


def _textual(want: Column, texts: list[str], null: Any) -> list[Buffer]:
    data = columns._join(texts, want)
    return [_head(want, len(texts), null), columns._U64.pack(len(data)), *columns._body(data)]


def _typed(array: Any, null: Any, types: Any, dtype: str, kinds: str) -> Any:
    """Return an array of numpy's kinds, or of objects that all are of these types."""
    if array.dtype.kind in kinds:
        return array
    if array.dtype.kind != "O":
        raise _Unfit
    if null is not None:
        array = numpy.where(null, numpy.zeros(1, dtype=dtype)[0], array)
    found = set(map(type, array if null is None else array[~null]))
    if not all(issubclass(kind, types) for kind in found):
        raise _Unfit
    if bool in found and types is not bool:
        raise _Unfit
    return numpy.array(array.tolist(), dtype=dtype)


def _integers(array: Any, null: Any, dtype: str) -> Any:
    """Return numbers as an integer dtype; raises when one does not fit."""
    array = _typed(array, null, (int, numpy.integer), "<i8", "biuf")
    target = numpy.dtype(dtype)
    if array.dtype == target or len(array) == 0 or array.dtype.kind == "b":
        return array.astype(target, copy=False)
    if null is not None:
        array = numpy.where(null, array.dtype.type(0), array)
    limits = numpy.iinfo(target)
    if array.dtype.kind == "f":
        if not ((array == numpy.floor(array)) & (array >= float(limits.min))
                & (array < float(limits.max // 2 + 1) * 2)).all():
            raise _Unfit
    elif int(array.min()) < limits.min or int(array.max()) > limits.max:
        raise _Unfit
    return array.astype(target)


def _floats(array: Any, null: Any, dtype: str) -> Any:
    """Return numbers as a float dtype; raises when one becomes infinite."""
    array = _typed(array, null, (float, int, numpy.floating, numpy.integer), "<f8", "biuf")
    target = numpy.dtype(dtype)
    if array.dtype == target or array.dtype.kind != "f" or array.dtype.itemsize < target.itemsize:
        return array.astype(target, copy=False)
    narrow = array.astype(target)
    if (numpy.isinf(narrow) & ~numpy.isinf(array)).any():
        raise _Unfit
    return narrow


def _microseconds(array: Any) -> Any:
    """Return datetime64 or timedelta64 as int64 in microseconds, rounded half up."""
    kind = array.dtype.kind
    unit, step = numpy.datetime_data(array.dtype)
    if step != 1 or unit in ("generic", "ps", "fs", "as") or kind == "m" and unit in "YM":
        raise _Unfit
    if unit == "us":
        return array.astype(f"<{kind}8[us]", copy=False).view("<i8")
    if unit == "ns":
        values = array.astype(f"<{kind}8[ns]", copy=False).view("<i8")
        micros = values // 1000
        micros += values - micros * 1000 >= 500
        return micros
    converted = array.astype(f"<{kind}8[us]")
    if not ((converted.astype(array.dtype) == array) | numpy.isnat(array)).all():
        raise _Unfit    # beyond the range of microseconds
    return converted.view("<i8")


def _timestamps(want: Column, cells: Any, array: Any, null: Any) -> Any:
    """Return datetimes as microseconds: of UTC, or of the wall clock for timestamp."""
    if array.dtype.kind == "O":
        return _microseconds(_naive_datetimes(want, array, null))
    micros = _microseconds(_kind(array, "M"))
    dtype = cells.categories.dtype if isinstance(cells, pandas.Categorical) else cells.dtype
    aware = isinstance(dtype, pandas.DatetimeTZDtype)
    if aware == (want.tag == protocol.TIMESTAMPTZ):
        return micros
    if want.extra in ("", "UTC", "Etc/UTC", "GMT"):
        return micros
    index = pandas.DatetimeIndex(micros.view("M8[us]"))
    zone = columns.time_zone(want.extra)
    if aware:
        index = index.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    else:   # a time that comes twice or never goes the values' way
        nulls = index.isna().sum()
        index = index.tz_localize(zone, ambiguous="NaT", nonexistent="NaT") \
            .tz_convert("UTC").tz_localize(None)
        if index.isna().sum() != nulls:
            raise _Unfit
    return _microseconds(index.to_numpy())


def _naive_datetimes(want: Column, array: Any, null: Any) -> Any:
    """Return plain naive datetimes as datetime64; zones go the values' way."""
    values = array if null is None else array[~null]
    if want.tag != protocol.TIMESTAMP or set(map(type, values)) != {dt.datetime} \
            or any(value.tzinfo is not None for value in values):
        raise _Unfit
    if null is None:
        return array.astype("M8[us]")
    result = numpy.zeros(len(array), dtype="M8[us]")
    result[~null] = values.astype("M8[us]")
    return result


def _dates(array: Any, null: Any) -> Any:
    """Return dates, or datetimes at midnight, as days."""
    if array.dtype.kind == "M":
        days = array.astype("M8[D]")
        if not ((days == array) | numpy.isnat(array)).all():
            raise _Unfit
    else:
        values = _kind(array, "O") if null is None else _kind(array, "O")[~null]
        if set(map(type, values)) != {dt.date}:
            raise _Unfit
        days = numpy.zeros(len(array), dtype="M8[D]")
        days[slice(None) if null is None else ~null] = values.astype("M8[D]")
    number = days.view("i8")
    if null is not None:
        number = numpy.where(null, 0, number)
    if len(number) and (number.min() < -(1 << 31) or number.max() >= 1 << 31):
        raise _Unfit
    return number.astype("<i4")


def _numerics(array: Any, null: Any) -> list[str]:
    """Return int64, float64 and their like as numeric's texts."""
    if array.dtype.kind not in "iu" and array.dtype != numpy.dtype("f8"):
        raise _Unfit
    texts = list(map(repr, array.tolist()))
    if null is not None:
        texts = ["" if missing else text for text, missing in zip(texts, null)]
    return texts


# Rows as Hayson ------------------------------------------------------------


def encode_rows(chunk: Chunk) -> list[Buffer]:
    """Return the payload of a batch of one jsonb column "row": each row a Hayson dict.

    Cells that are NULL are left out, as in the rows of a Haystack grid.  Raises
    ConversionError whose detail names the column and the row.
    """
    cells = [_row_cells(chunk, place) for place in range(len(chunk.names))]
    if "_kind" in chunk.names or {"cols", "rows"} <= set(chunk.names):
        texts = []      # names with a meaning of their own
        for row, values in enumerate(zip(*cells)):
            record = {name: value for name, value in zip(chunk.names, values) if value is not None}
            texts.append(_hayson(record, chunk, row))
    else:
        parts = [_members(values, chunk, place) for place, values in enumerate(cells)]
        rows = zip(*parts) if parts else iter([()] * chunk.count)
        texts = ["{" + ",".join(filter(None, row)) + "}" for row in rows]
    want = Column(protocol.JSON, "row", "", 0)
    return columns.encode_batch([_textual(want, texts, None)])


def _row_cells(chunk: Chunk, place: int) -> list[Any]:
    """Return a column as Python objects, NULL as None."""
    cells = chunk.columns[place]
    try:
        if chunk.nan_is_null[place]:
            return to_list(cells)
        values: list[Any] = cells if isinstance(cells, list) else array_to_list(cells)
    except ValueError as error:
        failure = ConversionError("22023", str(error))
        failure.detail = f'Column "{chunk.names[place]}".'
        raise failure from None
    if any(kind.__name__ in ("NAType", "NaTType", "datetime64", "timedelta64")
           for kind in set(map(type, values))):
        return [None if columns._missing(value) else value for value in values]
    return values


def _members(values: list[Any], chunk: Chunk, place: int) -> list[str]:
    """Return a column's cells as members of JSON objects, "" for None."""
    key = encode_basestring(chunk.names[place]) + ":"
    write = _writer(values)
    if write is None:
        return ["" if value is None else key + _hayson(value, chunk, row, place)
                for row, value in enumerate(values)]
    return ["" if value is None else key + write(value) for value in values]


def _writer(values: list[Any]) -> Callable[[Any], str] | None:
    """Return what writes plain values of one type as JSON; None for others."""
    kinds = set(map(type, values)) - {type(None)}
    present: Iterator[Any] = filter(None, values)
    if kinds == {bool}:
        return _bool_text
    if kinds == {float} and all(map(math.isfinite, present)):
        return repr
    if kinds == {int} and max(map(int.bit_length, present), default=0) < 1024:
        return repr
    if kinds == {str}:
        text = "".join(present)
        if "\0" not in text and hayson._is_clean(text):
            return encode_basestring  # type: ignore[no-any-return]
    return None


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


def _hayson(value: Any, chunk: Chunk, row: int, place: int | None = None) -> str:
    """Return a value as Hayson; an error names the column, if known, and the row."""
    try:
        return hayson.dumps(value)
    except (hayson.HaysonTypeError, ValueError, RecursionError) as error:
        failure = ConversionError("42846" if isinstance(error, TypeError) else "22023", str(error))
        column = "Row" if place is None else f'Column "{chunk.names[place]}", row'
        failure.detail = f"{column} {chunk.start + row + 1}."
        raise failure from None
