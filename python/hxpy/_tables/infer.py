"""The SQL types that Python's tables would have, by dtypes and by all values.

    infer(chunk, …)         the columns of a new table of these chunks
    inferred(value, stream) the same of a stream of chunks
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pandas

from ..errors import ConversionError
from ..haystack._cells import bare
from ..haystack.number import Number
from ..haystack.ref import Ref
from ..haystack.symbol import Symbol
from ..haystack.uri import Uri
from . import wire
from .chunks import Chunk, is_held, match
from .conversion import flatten
from .scalars import is_null
from .wire import Column

__all__ = ["infer", "infer_value", "inferred"]

# dtype → tag, by numpy's kind and size.
_DTYPES = {
    "b1": wire.BOOL, "i1": wire.INT16, "i2": wire.INT16, "i4": wire.INT32,
    "i8": wire.INT64, "u1": wire.INT16, "u2": wire.INT32, "u4": wire.INT64,
    "u8": wire.NUMERIC, "f2": wire.FLOAT32, "f4": wire.FLOAT32,
    "f8": wire.FLOAT64, "f16": wire.FLOAT64,
}
_KINDS = {"M": wire.TIMESTAMP, "m": wire.INTERVAL, "U": wire.TEXT,
          "S": wire.BYTEA}
# Python type → tag; subclasses that mean something else come before their base.
_TYPES: tuple[tuple[Any, int], ...] = (
    ((bool, numpy.bool_), wire.BOOL), ((int, numpy.integer), wire.INT64),
    ((float, numpy.floating), wire.FLOAT64), (str, wire.TEXT),
    ((bytes, bytearray, memoryview), wire.BYTEA), (Decimal, wire.NUMERIC),
    ((dt.datetime, numpy.datetime64), wire.TIMESTAMP), (dt.date, wire.DATE),
    (dt.time, wire.TIME), ((dt.timedelta, numpy.timedelta64), wire.INTERVAL),
    (UUID, wire.UUID), (Ref, wire.REF), (Symbol, wire.SYMBOL),
    ((list, tuple, deque, numpy.ndarray, pandas.Series), wire.ARRAY),
)
_NUMBERS = frozenset((wire.INT16, wire.INT32, wire.INT64, wire.FLOAT32,
                      wire.FLOAT64, wire.NUMERIC))
_EXACT = 1 << 53    # whole numbers up to here are exact in a float


def inferred(value: Any, stream: Iterator[Chunk]) -> tuple[list[Column], Iterator[Chunk]]:
    """Return the types of a stream of a value's chunks, see infer, and the stream again.

    The types are those of all chunks of a value that is in memory; an iterator's are the
    first chunk's, and errors of later ones say so.  No chunk gives no columns.
    """
    if is_held(value):
        known = list(stream)
        return infer(*known), iter(known)
    for first in stream:
        return infer(first), _guessed(first, stream)
    return [], stream


def _guessed(first: Chunk, stream: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield chunks whose types are those of the first one."""
    yield first
    for chunk in stream:
        chunk.hint = f"The types of an iterator's columns are those of its first {first.count} " \
                     "rows: return a list, whose rows are all looked at, or append to a table."
        yield chunk


def infer(*seen: Chunk) -> list[Column]:
    """Return columns without rows of the types that a new table of these chunks would have.

    dtypes as pandas.to_sql has them; objects by all values of the chunks: one kind of
    value its type, int and float together double precision if that holds the ints
    (to 2**53), else numeric, ints beyond bigint numeric, lists and arrays of numbers an
    array, anything else jsonb, only NULLs text.
    """
    names = seen[0].names if seen else []
    guesses = [_Guess() for _ in names]
    wanted = [Column(wire.NULL, name, "", 0) for name in names]
    for chunk in seen:
        places = match(wanted, chunk.names, unnamed=chunk.unnamed)
        for guess, place in zip(guesses, places):
            guess.add(chunk.columns[place], chunk.nan_is_null[place])
    return [guess.column(name) for guess, name in zip(guesses, names)]


def infer_value(value: Any) -> Column:
    """Return a column without rows of the type that a single value has, as infer() guesses it."""
    guess = _Guess()
    guess.add([value], False)
    return guess.column("")


class _Guess:
    """The type of a column by the values seen so far."""

    def __init__(self) -> None:
        self.tags: set[int] = set()
        self.low = self.high = 0        # of the whole numbers
        self.aware: set[bool] = set()   # whether the datetimes have a zone
        self.elements: _Guess | None = None
        self.deep = False               # an ndarray of more than one dimension is there

    def column(self, name: str) -> Column:
        """Return a column without rows of the type guessed."""
        tag = self.tag()
        element = 0
        if tag == wire.ARRAY and self.elements is not None:
            element = self.elements.tag()
            if element not in _NUMBERS and element != wire.BOOL and not self.deep:
                tag = wire.JSON
        want = Column(tag, name, "", 0)
        if tag == wire.ARRAY:
            want.children.append(Column(element, "", "", 0))
        return want

    def tag(self) -> int:
        """Return the tag of all values together."""
        tags = self.tags
        if tags and tags <= _NUMBERS:
            fraction = tags & {wire.FLOAT32, wire.FLOAT64}
            limit = _EXACT if fraction else 1 << 63
            if wire.NUMERIC in tags or self.low < -limit or self.high >= limit:
                return wire.NUMERIC
            return wire.FLOAT64 if fraction and len(tags) > 1 else max(tags)
        if len(tags) != 1:
            return wire.JSON if tags else wire.TEXT
        if tags == {wire.TIMESTAMP} and True in self.aware:
            return wire.JSON if False in self.aware else wire.TIMESTAMPTZ
        return min(tags)

    def add(self, cells: Any, nan_is_null: bool) -> None:
        """Look at a column's cells."""
        if isinstance(cells, pandas.Categorical):
            cells = bare(cells.categories)
            if len(cells) == 0:
                return
        dtype = getattr(cells, "dtype", None)
        tag = None if dtype is None else _dtype_tag(dtype)
        if isinstance(cells, numpy.ndarray) and cells.ndim > 1:
            self.tags.add(wire.ARRAY)
            self.deep = True
            self.inner().add(cells.ravel(), False)
        elif tag is None:
            self.add_objects(cells if isinstance(cells, list) else list(cells), nan_is_null)
        elif tag in (wire.TIMESTAMP, wire.TIMESTAMPTZ):
            self.tags.add(wire.TIMESTAMP)
            self.aware.add(tag == wire.TIMESTAMPTZ)
        else:
            self.tags.add(tag)
            if tag == wire.INT64:
                present = cells if type(cells) is numpy.ndarray else cells[~pandas.isna(cells)]
                if len(present):
                    self.add_range(int(present.min()), int(present.max()))

    def add_objects(self, values: list[Any], nan_is_null: bool) -> None:
        """Look at Python objects."""
        kinds = set(map(type, values))
        if any(kind.__name__ in _NULLABLE or nan_is_null and issubclass(kind, float)
               for kind in kinds):
            values = [value for value in values if not is_null(value)
                      and not (nan_is_null and isinstance(value, float) and value != value)]
            kinds = set(map(type, values))
        tags = {kind: _type_tag(kind) for kind in kinds}
        self.tags.update(tags.values())
        for tag, look in ((wire.INT64, self.add_integers), (wire.ARRAY, self.add_arrays),
                          (wire.TIMESTAMP, self.add_datetimes)):
            found = {kind for kind in kinds if tags[kind] == tag}
            if found:
                look(values if found == kinds else [value for value in values
                                                    if type(value) in found])

    def add_integers(self, values: list[Any]) -> None:
        """Note the range of whole numbers."""
        self.add_range(int(min(values)), int(max(values)))

    def add_range(self, low: int, high: int) -> None:
        """Note the lowest and highest of whole numbers."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    def add_datetimes(self, values: list[Any]) -> None:
        """Note whether datetimes have zones."""
        self.aware.update(getattr(value, "tzinfo", None) is not None for value in values)

    def add_arrays(self, values: list[Any]) -> None:
        """Look at the elements of lists and arrays; what is no array in SQL is jsonb."""
        probe = Column(wire.ARRAY, "", "", 0)
        probe.children.append(Column(wire.JSON, "", "", 0))
        lists: list[Any] = []
        for value in values:
            try:
                flat, _ = flatten(value, probe)
            except ConversionError:
                self.tags.add(wire.JSON)
                return
            if hasattr(value, "_fields"):
                self.tags.add(wire.JSON)
            elif isinstance(flat, list):
                lists += flat
            else:
                self.inner().add(flat, False)
        self.inner().add_objects(lists, False)

    def inner(self) -> _Guess:
        """Return the guess of the arrays' elements."""
        if self.elements is None:
            self.elements = _Guess()
        return self.elements


# Names of types that have NULLs among their values.
_NULLABLE = frozenset(("NoneType", "NAType", "NaTType", "datetime64", "timedelta64"))


def _dtype_tag(dtype: Any) -> int | None:
    """Return the tag of a dtype of numpy or pandas; None for objects."""
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return wire.TIMESTAMPTZ
    if isinstance(dtype, pandas.StringDtype):
        return wire.TEXT
    dtype = getattr(dtype, "numpy_dtype", dtype)    # of Int64 and its like
    if not isinstance(dtype, numpy.dtype):
        return None
    return _KINDS.get(dtype.kind) or _DTYPES.get(f"{dtype.kind}{dtype.itemsize}")


def _type_tag(kind: type) -> int:
    if kind is Uri:
        return wire.URI
    if issubclass(kind, Number):    # its unit must not get lost
        return wire.JSON
    return next((tag for types, tag in _TYPES if issubclass(kind, types)), wire.JSON)
