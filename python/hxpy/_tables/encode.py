"""A chunk of a table as the buffers of a batch: whole arrays where the dtype allows.

The arrays' way and the values' way (conversion.encode_column) agree; what the arrays'
way does not know or does not accept goes the values' way, whose error tells why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy
import pandas

from .. import hayson
from .._codecs import is_clean
from ..errors import ConversionError
from ..haystack._cells import array_to_list, bare, to_list
from . import arrays, wire
from .chunks import Chunk
from .conversion import encode_column, first_unfit
from .scalars import is_null
from .wire import Buffer, Column

__all__ = ["encode_chunk", "encode_rows"]

# dtypes of lists whose values have one type.
_LIST_TYPES = {int: "<i8", float: "<f8", bool: "?"}


def encode_chunk(want: Sequence[Column], chunk: Chunk, mapping: Sequence[int]) -> list[Buffer]:
    """Return the payload, in parts, of a batch of the wanted columns.

    mapping: as match returns it; wanted columns with -1 are left out.  The parts share
    the arrays' memory: send them before these change.  Raises ConversionError whose
    detail names the column and the row, counted from 1 over the whole stream.
    """
    return wire.encode_batch([
        _encode(column, chunk, place) for column, place in zip(want, mapping) if place >= 0])


def _encode(want: Column, chunk: Chunk, place: int) -> list[Buffer]:
    """Return one column of a chunk as a wanted column."""
    cells = chunk.columns[place]
    nan_is_null = chunk.nan_is_null[place]
    try:
        with numpy.errstate(all="ignore"):
            return _encode_array(want, cells, nan_is_null)
    except (ConversionError, *arrays.UNFIT):
        pass
    values = _values(cells, nan_is_null)
    try:
        return encode_column(want, values)
    except ConversionError as error:
        raise _locate(error, want, values, chunk, chunk.names[place]) from None


def _locate(error: ConversionError, want: Column, values: list[Any], chunk: Chunk,
            name: str) -> ConversionError:
    """Return the error of the first value that has one, with its column and row."""
    row, error = first_unfit(want, values, error)
    path = f", at {''.join(error.path)}" if error.path else ""
    error.detail = f'Column "{name}", row {chunk.start + row + 1}{path}.'
    error.hint = chunk.hint or error.hint
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
    if want.tag not in arrays.TAGS:
        raise arrays.Unfit
    listed = isinstance(cells, list)
    if want.tag == wire.TEXT and (listed or cells.dtype == object):
        try:    # a join tells by itself whether all are str
            return arrays.textual(want, cells if listed else cells.tolist(), None)
        except (TypeError, AttributeError):
            pass
    if listed:
        kinds = set(map(type, cells))
        dtype = _LIST_TYPES.get(kinds.pop(), object) if len(kinds) == 1 else object
        cells = numpy.fromiter(cells, dtype=dtype, count=len(cells))
    array, null = _plain(cells, nan_is_null)
    if array.ndim != 1:
        raise arrays.Unfit
    dtype = cells.categories.dtype if isinstance(cells, pandas.Categorical) else cells.dtype
    return arrays.encode(want, array, null, isinstance(dtype, pandas.DatetimeTZDtype))


def _plain(cells: Any, nan_is_null: bool) -> tuple[Any, Any]:
    """Return a column as an ndarray and where it is NULL (None: nowhere)."""
    if isinstance(cells, numpy.ma.MaskedArray):
        array, null = cells.data, numpy.ma.getmaskarray(cells)  # type: ignore[no-untyped-call]
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
            raise arrays.Unfit
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
            null[place] = is_null(array[place])
    return null


def _utc(array: Any) -> Any:
    """Return pandas' array of aware datetimes as datetime64 in UTC, uncopied."""
    return array.asi8.view(f"M8[{getattr(array, 'unit', 'ns')}]")


# Rows as Hayson ------------------------------------------------------------


def encode_rows(chunk: Chunk) -> list[Buffer]:
    """Return the payload of a batch of one jsonb column "row": each row a Hayson dict.

    Cells that are NULL are left out, as in the rows of a Haystack grid.  Raises
    ConversionError whose detail names the column and the row.
    """
    want = Column(wire.JSON, "row", "", 0)
    plain = None if chunk.dicts is None else hayson.dumps_plain(chunk.dicts)
    if plain is not None:
        return wire.encode_batch([arrays.textual(want, plain, None)])
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
    return wire.encode_batch([arrays.textual(want, texts, None)])


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
        return [None if is_null(value) else value for value in values]
    return values


def _members(values: list[Any], chunk: Chunk, place: int) -> list[str]:
    """Return a column's cells as members of JSON objects, "" for None."""
    key = encode_basestring(chunk.names[place]) + ":"
    write = _writer(values)
    if write is not None:
        return ["" if value is None else key + write(value) for value in values]
    try:
        texts = iter(hayson.dumps_all(value for value in values if value is not None))
        return ["" if value is None else key + next(texts) for value in values]
    except (hayson.HaysonTypeError, ValueError, RecursionError):
        return ["" if value is None else key + _hayson(value, chunk, row, place)
                for row, value in enumerate(values)]


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
        if "\0" not in text and is_clean(text):
            return encode_basestring
    return None


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


def _hayson(value: Any, chunk: Chunk, row: int, place: int | None = None) -> str:
    """Return a value as Hayson; an error names the column, if known, and the row."""
    try:
        return hayson.dumps(value)
    except (hayson.HaysonTypeError, ValueError, RecursionError) as error:
        failure = ConversionError("42846" if isinstance(error, TypeError) else "22023", str(error),
                                  getattr(error, "hint", ""))
        column = "Row" if place is None else f'Column "{chunk.names[place]}", row'
        failure.detail = f"{column} {chunk.start + row + 1}."
        raise failure from None
