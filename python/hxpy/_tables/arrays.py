"""Whole arrays as the buffers of columns, by operations of numpy.

What an array cannot be by its dtype alone raises Unfit (or another of UNFIT): then
conversion.encode_column takes the values one by one, and its error tells why.  pandas is
imported only where times change their zone.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy

from . import wire
from .scalars import time_zone
from .wire import Buffer, Column

__all__ = ["TAGS", "UNFIT", "Unfit", "encode", "textual"]

_TIMESTAMPS = (wire.TIMESTAMP, wire.TIMESTAMPTZ)
# Tags that arrays can become.
TAGS = frozenset((*wire.NATIVE, *_TIMESTAMPS, wire.INTERVAL, wire.DATE, wire.TEXT, wire.NUMERIC))


class Unfit(Exception):
    """An array that cannot become a column as a whole."""


# What the functions here raise for such an array.
UNFIT = (Unfit, ArithmeticError, TypeError, ValueError)


def encode(want: Column, array: Any, null: Any = None, aware: bool = False) -> list[Buffer]:
    """Return a 1-D ndarray as a column.

    null: where it is NULL, as booleans; None for nowhere.  aware: datetime64 is in UTC,
    not a wall clock's time.
    """
    tag = want.tag
    if tag in wire.INTEGERS:
        return _fixed(want, _integers(array, null, wire.INTEGERS[tag]), null)
    if tag in wire.FLOATS:
        return _fixed(want, _floats(array, null, wire.FLOATS[tag]), null)
    if tag == wire.BOOL:
        return _fixed(want, _typed(array, null, bool, "?", "b"), null)
    if tag in _TIMESTAMPS or tag == wire.INTERVAL:
        micros = _microseconds(_kind(array, "m")) if tag == wire.INTERVAL \
            else _timestamps(want, array, null, aware)
        return _fixed(want, micros if null is None else numpy.where(null, 0, micros), null)
    if tag == wire.DATE:
        return _fixed(want, _dates(array, null), null)
    if tag == wire.NUMERIC:
        return textual(want, _numerics(array, null), null)
    if tag != wire.TEXT:
        raise Unfit
    array = _kind(array, "OU")
    if null is not None:
        array = array.astype(object)
        array[null] = ""
    return textual(want, array.tolist(), null)


def textual(want: Column, texts: list[str], null: Any) -> list[Buffer]:
    """Return a column of texts."""
    return wire.text_column(want, len(texts), _mask(null), wire.join_texts(texts, want))


def _mask(null: Any) -> bytes | None:
    return None if null is None else null.tobytes()


def _fixed(want: Column, array: Any, null: Any) -> list[Buffer]:
    """Return a fixed-width column of an array of its dtype."""
    array = numpy.ascontiguousarray(array)
    return [wire.column_head(want, len(array), _mask(null)),
            *wire.padded(memoryview(array.view("u1")))]


def _kind(array: Any, kinds: str) -> Any:
    if array.dtype.kind not in kinds:
        raise Unfit
    return array


def _typed(array: Any, null: Any, types: Any, dtype: str, kinds: str) -> Any:
    """Return an array of numpy's kinds, or of objects that all are of these types."""
    if array.dtype.kind in kinds:
        return array
    if array.dtype.kind != "O":
        raise Unfit
    if null is not None:
        array = numpy.where(null, numpy.zeros(1, dtype=dtype)[0], array)
    found = set(map(type, array if null is None else array[~null]))
    if not all(issubclass(kind, types) for kind in found):
        raise Unfit
    if bool in found and types is not bool:
        raise Unfit
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
            raise Unfit
    elif int(array.min()) < limits.min or int(array.max()) > limits.max:
        raise Unfit
    return array.astype(target)


def _floats(array: Any, null: Any, dtype: str) -> Any:
    """Return numbers as a float dtype; raises when one becomes infinite."""
    array = _typed(array, null, (float, int, numpy.floating, numpy.integer), "<f8", "biuf")
    target = numpy.dtype(dtype)
    if array.dtype == target or array.dtype.kind != "f" or array.dtype.itemsize < target.itemsize:
        return array.astype(target, copy=False)
    narrow = array.astype(target)
    if (numpy.isinf(narrow) & ~numpy.isinf(array)).any():
        raise Unfit
    return narrow


def _microseconds(array: Any) -> Any:
    """Return datetime64 or timedelta64 as int64 in microseconds, rounded half up."""
    kind = array.dtype.kind
    unit, step = numpy.datetime_data(array.dtype)
    if step != 1 or unit in ("generic", "ps", "fs", "as") or kind == "m" and unit in "YM":
        raise Unfit
    if unit == "us":
        return array.astype(f"<{kind}8[us]", copy=False).view("<i8")
    if unit == "ns":
        values = array.astype(f"<{kind}8[ns]", copy=False).view("<i8")
        micros = values // 1000
        micros += values - micros * 1000 >= 500
        return micros
    converted = array.astype(f"<{kind}8[us]")
    if not ((converted.astype(array.dtype) == array) | numpy.isnat(array)).all():
        raise Unfit    # beyond the range of microseconds
    return converted.view("<i8")


def _timestamps(want: Column, array: Any, null: Any, aware: bool) -> Any:
    """Return datetimes as microseconds: of UTC, or of the wall clock for timestamp."""
    if array.dtype.kind == "O":
        return _microseconds(_naive_datetimes(want, array, null))
    micros = _microseconds(_kind(array, "M"))
    if aware == (want.tag == wire.TIMESTAMPTZ):
        return micros
    if want.extra in ("", "UTC", "Etc/UTC", "GMT"):
        return micros
    import pandas

    index = pandas.DatetimeIndex(micros.view("M8[us]"))
    zone = time_zone(want.extra)
    if aware:
        index = index.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    else:   # a time that comes twice or never goes the values' way
        nulls = index.isna().sum()
        index = index.tz_localize(zone, ambiguous="NaT", nonexistent="NaT") \
            .tz_convert("UTC").tz_localize(None)
        if index.isna().sum() != nulls:
            raise Unfit
    return _microseconds(index.to_numpy())


def _naive_datetimes(want: Column, array: Any, null: Any) -> Any:
    """Return plain naive datetimes as datetime64; zones go the values' way."""
    values = array if null is None else array[~null]
    if want.tag != wire.TIMESTAMP or set(map(type, values)) != {dt.datetime} \
            or any(value.tzinfo is not None for value in values):
        raise Unfit
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
            raise Unfit
    else:
        values = _kind(array, "O") if null is None else _kind(array, "O")[~null]
        if set(map(type, values)) != {dt.date}:
            raise Unfit
        days = numpy.zeros(len(array), dtype="M8[D]")
        days[slice(None) if null is None else ~null] = values.astype("M8[D]")
    number = days.view("i8")
    if null is not None:
        number = numpy.where(null, 0, number)
    if len(number) and (number.min() < -(1 << 31) or number.max() >= 1 << 31):
        raise Unfit
    return number.astype("<i4")


def _numerics(array: Any, null: Any) -> list[str]:
    """Return int64, float64 and their like as numeric's texts."""
    if array.dtype.kind not in "iu" and array.dtype != numpy.dtype("f8"):
        raise Unfit
    texts = list(map(repr, array.tolist()))
    if null is not None:
        texts = ["" if missing else text for text, missing in zip(texts, null)]
    return texts
