"""Columns of one value each: read and written by templates of their bytes.

The calls of a function have the same columns: only the values differ, and NULLs.  What
begins like a column before is read by that one's template, and numbers, booleans, texts and
Hayson are written so.  All else goes the way of all columns (conversion).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .. import hayson
from . import wire
from .conversion import decode_column, encode_column
from .wire import Buffer, Column, column_head, decode_columns

__all__ = ["RowReader", "ValueWriter"]

# Tag → (struct's code of a value and its padding, Python's type).
_NUMBERS = {
    wire.BOOL: ("<?7x", bool), wire.INT16: ("<h6x", int), wire.INT32: ("<i4x", int),
    wire.INT64: ("<q", int), wire.FLOAT32: ("<f4x", float), wire.FLOAT64: ("<d", float),
}
# Tags whose values are the texts themselves.
_TEXTS = (wire.TEXT, wire.OTHER, wire.PLAIN)
# Types whose values are never NULL where Hayson is wanted.
_HAYSON = frozenset((bool, int, float, str, list, dict))
_NULL_MASK = bytes((wire.MASK_NULL,))
_LENGTH = wire.U64.unpack_from
_WORD = 8       # bytes of a number with its padding, and of a text's length

# What a column begins with, a NULL one, and what reads a number; None for texts.
_Template = tuple[bytes, bytes, Callable[[Buffer, int], tuple[Any, ...]] | None]
_UNKNOWN: _Template = (b"\xff", b"\xff", None)     # no column begins so


def _template(column: Column) -> _Template:
    """Return the template of columns like this one; _UNKNOWN if there is none."""
    unpack = None
    if column.tag in _NUMBERS:
        unpack = struct.Struct(_NUMBERS[column.tag][0]).unpack_from
    elif column.tag not in _TEXTS or column.tag == wire.PLAIN and column.extra:
        return _UNKNOWN
    return column_head(column, 1, None), column_head(column, 1, _NULL_MASK), unpack


class RowReader:
    """Reads rows of `count` columns of one value each."""

    def __init__(self, count: int) -> None:
        self.templates = [_UNKNOWN] * count
        self.names = [""] * count       # of the latest columns that no template has read

    def read(self, data: bytes | bytearray, position: int) -> list[Any] | None:
        """Return the values of the columns from a position on; None if they are not one each."""
        values: list[Any] = []
        for head, null, unpack in self.templates:
            if data.startswith(head, position):
                position += len(head)
                if unpack is not None:
                    values.append(unpack(data, position)[0])
                    position += _WORD
                else:
                    start = position + _WORD
                    stop = start + _LENGTH(data, position)[0]
                    values.append(str(data[start:stop], "utf-8"))
                    position = stop + 7 & ~7
            elif data.startswith(null, position):
                values.append(None)
                position += len(null) + _WORD
            else:
                (column,), position = decode_columns(memoryview(data), position, 1)
                if column.count != 1:
                    return None
                self.names[len(values)] = column.name
                self.templates[len(values)] = _template(column)
                values += decode_column(column)
        return values


class ValueWriter:
    """Writes columns of one value, of a wanted type; `prefix` stands before each."""

    def __init__(self, want: Column, prefix: bytes = b"") -> None:
        self.want = want
        self.prefix = prefix
        self.head = prefix + column_head(want, 1, None)
        self.null = b""         # a NULL, where all of it is known
        self.kind: type | None      # of what is written by the template
        code, self.kind = _NUMBERS.get(want.tag, ("", str if want.tag == wire.TEXT else None))
        self.pack = struct.Struct(code).pack if code else None
        self.direct = _HAYSON if want.tag == wire.JSON else frozenset()
        if self.kind is not None:
            self.null = prefix + column_head(want, 1, _NULL_MASK) + bytes(_WORD)

    def write(self, value: Any) -> list[Buffer]:
        """Return the column, in parts."""
        try:
            if type(value) is self.kind:
                if self.pack is not None:
                    return [self.head + self.pack(value)]
                data = value.encode()
                if b"\0" not in data:
                    return [self.head, wire.U64.pack(len(data)), *wire.padded(data)]
            elif value is None and self.null:
                return [self.null]
            elif type(value) in self.direct:
                data = hayson.dumps(value).encode()     # without NUL characters
                return [self.head, wire.U64.pack(len(data)), *wire.padded(data)]
        except (struct.error, ValueError, TypeError, OverflowError, RecursionError):
            pass        # the long way knows what to say
        return [self.prefix, *encode_column(self.want, [value])]
