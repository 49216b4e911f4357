"""A column as an array, and back: what functions of columns take and give."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import numpy
import pandas

from ..errors import ConversionError, HxpyError
from .chunks import Chunk
from .encode import encode_chunk
from .reader import TableReader
from .wire import BATCH, Buffer, Column

__all__ = ["array", "encode", "groups"]


def array(column: Column) -> Any:
    """Return a column as an array.

    Numbers and booleans are an ndarray, or pandas' nullable array where one is NULL; times
    have NaT then.  All else is an ndarray of objects.
    """
    reader = TableReader([column])
    reader.add([column])
    values = reader.columns()[0]
    if column.mask is not None and isinstance(values, numpy.ndarray) and values.dtype.kind == "f":
        # NULL is not the NaN that stands in its place.
        null = numpy.frombuffer(column.mask, dtype="?")
        return pandas.arrays.FloatingArray(values, null) if null.any() else values
    return values


def groups(columns: Sequence[Column], ends: Sequence[int]) -> list[list[Any]]:
    """Return for each column an ndarray a group; these end before the rows `ends`."""
    reader = TableReader(columns)
    reader.add(columns)
    return reader.groups(ends)


def encode(want: Column, value: Any, count: int) -> list[Buffer]:
    """Return a list, array or Series as a column of so many values."""
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Sized) or \
            getattr(value, "ndim", 1) != 1:
        raise HxpyError("42804", f"a function of columns returned "
                        f"{type(value).__name__}, not a column", "",
                        "Return an array, a Series or a list, with a value for each row.")
    if len(value) != count:
        raise HxpyError("22023", f"the function returned {len(value)} values for {count} rows")
    value = getattr(value, "array", value)      # of a Series
    if isinstance(value, tuple):
        value = list(value)
    chunk = Chunk([want.name], [value], [type(value).__module__.startswith("pandas.")], count)
    try:
        head, *parts = encode_chunk([want], chunk, [0])
    except ConversionError as error:
        error.detail = ""
        raise
    assert len(head) == BATCH.size
    return parts
