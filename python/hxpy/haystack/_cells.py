"""Sequences of cells: lists, numpy arrays, pandas arrays, and the way between them.

Neither numpy nor pandas is imported here unless the caller asks for a
DataFrame: who brings an array has imported it.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .na import NA
from .number import Number

__all__ = ["array_to_list", "bare", "frame_column", "is_missing", "label_text", "same",
           "to_list"]

_INT64_MAX = 2**63 - 1
_EXACT = 2**53  # whole numbers up to here are exact in a float


def bare(column: Any) -> Any:
    """Return a pandas Series or Index as the array it wraps, uncopied; others as they are."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(column, (pandas.Series, pandas.Index)):
        return column
    numpy = sys.modules["numpy"]
    return column.to_numpy() if isinstance(column.dtype, numpy.dtype) else column.array


def label_text(label: Any) -> str:
    """Return a DataFrame's column label as a name; a MultiIndex' levels are joined by "_"."""
    return "_".join(filter(None, map(str, label))) if isinstance(label, tuple) else str(label)


def is_missing(value: Any) -> bool:
    """Tell whether pandas would take an object for missing: None, NaN, pandas.NA, NaT."""
    return value is None or isinstance(value, float) and value != value \
        or type(value).__name__ in ("NAType", "NaTType")


def to_list(column: Any) -> list[Any]:
    """Return a column's cells as Python objects, missing ones as None.

    In arrays of numpy and pandas a NaN is a missing cell, as pandas has it; in
    a list it is a value.  A list is returned itself.
    """
    if isinstance(column, list):
        return column
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(column, numpy.ndarray):
        cells = array_to_list(column)
        kind = column.dtype.kind
        if kind == "O" or kind == "f" and numpy.isnan(column).any():
            cells = [None if is_missing(cell) else cell for cell in cells]
        return cells
    if hasattr(column, "isna"):
        dtype = getattr(column.dtype, "numpy_dtype", None)      # of Int64, Float32 and their like
        if dtype is not None and dtype.kind in "biuf":
            cells = array_to_list(column.to_numpy(dtype, na_value=dtype.type(0)))
        else:
            cells = [cell.item() if type(cell).__module__ == "numpy" else cell for cell in column]
        return [None if missing else cell for cell, missing in zip(cells, column.isna())]
    return list(column)


def array_to_list(array: Any) -> list[Any]:
    """Return a numpy array as (nested) lists of Python objects; a 0-d array as one object.

    datetime64 becomes date (unit: day and coarser) or naive datetime,
    timedelta64 timedelta, both rounded to microseconds, NaT None; a structured
    array becomes dicts.  A float32 becomes the float of its own digits: 0.1, not
    0.10000000149011612.  Raises ValueError for what Python's types cannot hold.
    """
    kind = array.dtype.kind
    if kind in "Mm":
        return _times(array)
    if kind == "f" and array.dtype.itemsize < 8:
        array = array.astype(str).astype("float64")     # the text is the shortest that is exact
    elif kind == "f" and array.dtype.itemsize > 8:
        narrow = array.astype("float64")
        if not ((narrow == array) | (array != array)).all():
            raise ValueError(f"{array.dtype} values have more digits than a float holds")
        array = narrow
    if array.dtype.names is not None:
        fields = [array_to_list(array[name]) for name in array.dtype.names]
        records: list[Any] = _records(array.dtype.names, fields, array.ndim)
        return records
    cells: list[Any] = array.tolist()
    return cells


def _records(names: Sequence[str], fields: Sequence[Any], depth: int) -> Any:
    """Return parallel (nested) lists as (nested) lists of dicts."""
    if depth == 0:
        return dict(zip(names, fields))
    return [_records(names, values, depth - 1) for values in zip(*fields)]


def _times(array: Any) -> list[Any]:
    """Return an array of datetime64 or timedelta64 as (nested) lists."""
    import numpy

    kind = array.dtype.kind
    unit, _ = numpy.datetime_data(array.dtype)
    if kind == "m" and unit in ("Y", "M"):
        raise ValueError("a timedelta64 in months or years has no fixed length")
    if kind == "m" and unit == "generic":
        raise ValueError("a timedelta64 without a unit has no length")
    if kind == "M" and unit in ("Y", "M", "W", "D"):
        array = array.astype("M8[D]")
    else:
        if unit in ("ps", "fs", "as"):
            array, unit = array.astype(f"{kind}8[ns]"), "ns"
        if unit == "ns":
            array = array + numpy.timedelta64(500, "ns")
        array = array.astype(f"{kind}8[us]")
    cells: list[Any] = array.tolist()
    if _holds_int(cells):
        raise ValueError(f"a value of {array.dtype} lies outside of Python's years 1 to 9999")
    return cells


def _holds_int(cells: Any) -> bool:
    """Tell whether numpy gave up on a time and returned a bare integer."""
    if isinstance(cells, list):
        return any(map(_holds_int, cells)) if cells and isinstance(cells[0], list) \
            else int in set(map(type, cells))
    return type(cells) is int


# Comparing -----------------------------------------------------------------


def same(one: Any, two: Any) -> bool:
    """Tell whether two values are equal, with what is in them; NaN equals NaN.

    An array equals the list, or the array, of the same values.
    """
    if one is two:
        return True
    kinds = {type(one), type(two)}
    if kinds <= _PLAIN:
        return bool(one == two or (one != one and two != two))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if any(hasattr(kind, "__array__") for kind in kinds):
        one, two = _unpacked(one), _unpacked(two)
    if isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)):
        return isinstance(one, list) == isinstance(two, list) and len(one) == len(two) \
            and all(map(same, one, two))
    if is_missing(one) and is_missing(two):
        return type(one) is type(two) or isinstance(one, float) and isinstance(two, float)
    equal = one == two
    return equal is True or type(equal).__name__ in ("bool", "bool_") and bool(equal)


# Types whose == is a bool.
_PLAIN = frozenset((type(None), bool, int, float, str, bytes))


def _unpacked(value: Any) -> Any:
    """Return an array as lists, a DataFrame's labels and columns too; other values as they are."""
    if not hasattr(type(value), "__array__"):
        return value
    if hasattr(value, "columns"):
        return [list(value.columns)] + [to_list(bare(value.iloc[:, place]))
                                        for place in range(len(value.columns))]
    value = bare(value)
    if hasattr(value, "tolist") and type(value).__module__ == "numpy":
        return array_to_list(sys.modules["numpy"].asarray(value))
    return to_list(value)


# To a DataFrame ------------------------------------------------------------


def frame_column(column: Sequence[Any], na: str) -> tuple[Any, str | None]:
    """Return what a DataFrame's column is made of, and the unit that all its numbers share.

    Arrays pass as they are.  Lists get the narrowest dtype that loses nothing:
    boolean, int64, Int64 and boolean with missing cells, float64, datetime64
    with one zone, timedelta64, else object.  In a float64 column a missing cell
    becomes NaN.  na as in Grid.to_dataframe.
    """
    import pandas

    if not isinstance(column, (list, tuple)):
        return column, None
    kinds = set(map(type, column))
    if NA in kinds and na != "object":
        return _without_na(column, na)
    holes = type(None) in kinds
    kinds.discard(type(None))
    if kinds == {bool}:
        return pandas.array(column, dtype="boolean" if holes else "bool"), None
    if kinds and all(issubclass(kind, (int, float)) and kind is not bool for kind in kinds):
        return _number_column(column, holes)
    if kinds and kinds <= {dt.datetime, dt.timedelta} and len(kinds) == 1:
        return _time_column(column), None
    return pandas.Series(column, dtype=object), None


def _without_na(column: Sequence[Any], na: str) -> tuple[Any, str | None]:
    """Return a column in which NA is a missing cell; as objects if these have no dtype anyway."""
    import pandas

    cells = [None if type(cell) is NA else cell for cell in column]
    values, unit = frame_column(cells, na)
    if cells.count(None) == len(cells):
        values = pandas.Series(cells, dtype="float64")
    if values.dtype == object:
        return pandas.Series(column, dtype=object), None
    return values.astype("Float64") if na == "na" and values.dtype == "float64" else values, unit


def _number_column(column: Sequence[Any], holes: bool) -> tuple[Any, str | None]:
    """Return a column of numbers and their common unit; as objects if the units differ."""
    import pandas

    present = [cell for cell in column if cell is not None]
    units = {cell.unit if isinstance(cell, Number) else None
             for cell in present if cell == cell} or {None}     # a NaN has no unit
    whole = all(isinstance(cell, int) for cell in present)
    limit = _INT64_MAX if whole else _EXACT
    if len(units) > 1 or any(isinstance(cell, int) and abs(cell) > limit for cell in present):
        return pandas.Series(column, dtype=object), None
    values = [cell.val if isinstance(cell, Number) else cell for cell in column]
    dtype = ("Int64" if holes else "int64") if whole else "float64"
    return pandas.Series(values, dtype=dtype), units.pop()


def _time_column(column: Sequence[Any]) -> Any:
    """Return a column of datetimes or timedeltas; as objects if one dtype cannot hold them."""
    import numpy
    import pandas

    unit = "us" if hasattr(pandas.DatetimeIndex, "unit") else "ns"     # as a query's times have
    present = [cell for cell in column if cell is not None]
    zone = getattr(present[0], "tzinfo", None)
    try:
        if isinstance(present[0], dt.timedelta):
            longest = dt.timedelta(microseconds=_INT64_MAX // (1 if unit == "us" else 1000))
            if max(map(abs, present)) <= longest:   # numpy does not notice
                return pandas.Series(numpy.array(column, f"m8[{unit}]"))
        elif all(cell.tzinfo is zone for cell in present):
            return pandas.Series(column, dtype=f"M8[{unit}]" if zone is None
                                 else pandas.DatetimeTZDtype(unit, zone))
    except (ValueError, OverflowError):     # the dtype is too small
        pass
    return pandas.Series(column, dtype=object)
