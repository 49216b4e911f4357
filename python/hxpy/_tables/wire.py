"""Columns on the wire: their tags and layout, and batches of them.

Source of every number: docs/protocol.md; src/codec/protocol.h mirrors it, beside
_worker/protocol.py.  Reading gives `Column` objects that share the frame's memory.
Nothing here knows Python's values but text: see conversion.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..errors import ConversionError

__all__ = ["Buffer", "Column", "ProtocolError", "column_head", "decode_batch", "decode_columns",
           "decode_texts", "encode_batch", "encode_texts", "first_text", "join_texts", "padded",
           "split_texts", "text_column"]

# Tags of columns.
NULL = 0
BOOL = 1
INT16 = 2
INT32 = 3
INT64 = 4
FLOAT32 = 5
FLOAT64 = 6
DATE = 7
TIME = 8
TIMESTAMP = 9
TIMESTAMPTZ = 10
INTERVAL = 11
UUID = 12
TEXT = 16
NUMERIC = 17
JSON = 18
OTHER = 19
REF = 20
URI = 21
SYMBOL = 22
PLAIN = 23
BYTEA = 24
ARRAY = 25
RECORD = 26

# Flags of columns.
HAS_NULLS = 0x01
HAS_TEXTS = 0x04

# Bytes of a null mask.
MASK_NULL = 1
MASK_TEXT = 2

# Limits.
MAX_DEPTH = 64

Buffer = bytes | bytearray | memoryview

_HEAD = struct.Struct("<BBHIQ")
BATCH = struct.Struct("<II")    # what a batch begins with: its number of columns, 0
U64 = struct.Struct("<Q")
_PADDING = (b"", b"\0" * 7, b"\0" * 6, b"\0" * 5, b"\0" * 4, b"\0" * 3, b"\0" * 2, b"\0")

# Tag → (struct and memoryview code, bytes a value) of fixed-width columns.
FIXED = {
    BOOL: ("B", 1), INT16: ("h", 2), INT32: ("i", 4), INT64: ("q", 8), FLOAT32: ("f", 4),
    FLOAT64: ("d", 8), DATE: ("i", 4), TIME: ("q", 8), TIMESTAMP: ("q", 8), TIMESTAMPTZ: ("q", 8),
    INTERVAL: ("q", 8),
}
# Tags whose arrays are native ndarrays, with numpy's name of the type.
INTEGERS = {INT16: "<i2", INT32: "<i4", INT64: "<i8"}
FLOATS = {FLOAT32: "<f4", FLOAT64: "<f8"}
NATIVE = {BOOL: "?", **INTEGERS, **FLOATS}
TEXTUAL = frozenset((TEXT, NUMERIC, JSON, OTHER, REF, URI, SYMBOL, PLAIN))

# What a message calls a tag.
_SQL_NAMES = {
    BOOL: "boolean", INT16: "smallint", INT32: "integer", INT64: "bigint", FLOAT32: "real",
    FLOAT64: "double precision", DATE: "date", TIME: "time", TIMESTAMP: "timestamp",
    TIMESTAMPTZ: "timestamp with time zone", INTERVAL: "interval", UUID: "uuid", TEXT: "text",
    NUMERIC: "numeric", JSON: "jsonb", REF: "hs_ref", URI: "hs_uri", SYMBOL: "hs_symbol",
    BYTEA: "bytea", PLAIN: "text",
}


class ProtocolError(Exception):
    """A frame or column that breaks docs/protocol.md."""


class Column:
    """N values of one type: tag, name, extra, count, null mask and buffers.

    `mask` is one byte a value (not 0 = NULL) or None; where it is MASK_TEXT, the next of
    `texts` stands for a value that Python cannot hold (hxpy.unsupported).  `data` is the bytes of the
    values; of arrays the offsets, with `dims` (ndim, sizes … of each value, or
    empty when all are flat); `children` are the elements or the fields.
    """

    __slots__ = ("tag", "name", "extra", "count", "mask", "data", "offsets", "dims", "children",
                 "texts")

    def __init__(self, tag: int, name: str, extra: str, count: int) -> None:
        self.tag = tag
        self.name = name
        self.extra = extra
        self.count = count
        self.mask: memoryview | None = None
        self.data: memoryview = memoryview(b"")
        self.offsets: memoryview = memoryview(b"")
        self.dims: memoryview = memoryview(b"")
        self.children: list[Column] = []
        self.texts: list[str] | None = None

    def sql_name(self) -> str:
        """Return what a message calls the column's type."""
        if self.tag == ARRAY and self.children:
            return self.children[0].sql_name() + "[]"
        return _SQL_NAMES.get(self.tag) or self.extra or "record"


# Reading -------------------------------------------------------------------


def decode_batch(payload: Buffer) -> list[Column]:
    """Return the columns of a batch; they share the payload's memory."""
    view = memoryview(payload)
    if len(view) < BATCH.size:
        raise ProtocolError("truncated batch")
    count, _ = BATCH.unpack_from(view, 0)
    columns, position = decode_columns(view, BATCH.size, count)
    if position != len(view):
        raise ProtocolError("trailing bytes in a batch")
    return columns


def decode_columns(view: memoryview, position: int, count: int) -> tuple[list[Column], int]:
    """Return a number of columns that begin at a position, and where they end."""
    columns = []
    for _ in range(count):
        column, position = _decode_column(view, position, 0)
        columns.append(column)
    return columns, position


def _take(view: memoryview, position: int, length: int) -> tuple[memoryview, int]:
    end = position + length
    if end > len(view):
        raise ProtocolError("truncated column")
    return view[position:end], (end + 7) & ~7


def _decode_column(view: memoryview, position: int, depth: int) -> tuple[Column, int]:
    head, position = _take(view, position, _HEAD.size)
    tag, flags, name_length, extra_length, count = _HEAD.unpack(head)
    label, position = _take(view, position, name_length + extra_length)
    text = str(label, "utf-8")
    if len(label) == len(text) or extra_length == 0:
        name, extra = text[:name_length], text[name_length:]
    else:
        name, extra = str(label[:name_length], "utf-8"), str(label[name_length:], "utf-8")
    column = Column(tag, name, extra, count)
    if flags & HAS_NULLS:
        column.mask, position = _take(view, position, count)
    if tag in FIXED:
        code, width = FIXED[tag]
        data, position = _take(view, position, count * width)
        column.data = data.cast(code)  # type: ignore[call-overload]
    elif tag in TEXTUAL:
        head, position = _take(view, position, 8)
        column.data, position = _take(view, position, U64.unpack(head)[0])
    elif tag == UUID:
        column.data, position = _take(view, position, count * 16)
    elif tag == BYTEA:
        offsets, position = _take(view, position, (count + 1) * 8)
        column.offsets = offsets.cast("q")
        column.data, position = _take(view, position, column.offsets[count])
    elif tag == ARRAY:
        if depth >= MAX_DEPTH:
            raise ProtocolError("columns nested too deeply")
        offsets, position = _take(view, position, (count + 1) * 8)
        column.offsets = offsets.cast("q")
        head, position = _take(view, position, 8)
        dims, position = _take(view, position, U64.unpack(head)[0] * 4)
        column.dims = dims.cast("i")
        child, position = _decode_column(view, position, depth + 1)
        column.children.append(child)
    elif tag == RECORD:
        if depth >= MAX_DEPTH:
            raise ProtocolError("columns nested too deeply")
        head, position = _take(view, position, 8)
        for _ in range(U64.unpack(head)[0]):
            child, position = _decode_column(view, position, depth + 1)
            column.children.append(child)
    elif tag != NULL:
        raise ProtocolError(f"unknown tag {tag}")
    if flags & HAS_TEXTS:
        texts, position = _decode_column(view, position, depth + 1)
        column.texts = split_texts(texts)
    return column, position


def split_texts(column: Column) -> list[str]:
    """Return the values of a column of texts; NULL as what its text is, mostly empty."""
    if column.count == 0:
        return []
    values = str(column.data, "utf-8").split("\0")
    if len(values) != column.count:
        raise ProtocolError("a text column holds another number of values")
    return values


def first_text(payload: Buffer) -> tuple[str, int]:
    """Return the one value of the text column that a batch begins with, and where that ends."""
    tag, flags, name_length, extra_length, count = _HEAD.unpack_from(payload, BATCH.size)
    if tag != TEXT or flags or count != 1:
        raise ProtocolError("a batch does not begin with a text")
    start = BATCH.size + _HEAD.size + (name_length + extra_length + 7 & ~7) + U64.size
    end = start + U64.unpack_from(payload, start - U64.size)[0]
    if end > len(payload):
        raise ProtocolError("truncated text")
    return str(payload[start:end], "utf-8"), end + 7 & ~7


def decode_texts(payload: Buffer) -> dict[str, str]:
    """Return a payload of named texts."""
    return {column.name: split_texts(column)[0] for column in decode_batch(payload)}


# Writing -------------------------------------------------------------------


def encode_batch(columns: Sequence[list[Buffer]]) -> list[Buffer]:
    """Return the payload, in parts, of a batch of encoded columns."""
    parts: list[Buffer] = [BATCH.pack(len(columns), 0)]
    for column in columns:
        parts += column
    return parts


def encode_texts(**texts: str) -> list[Buffer]:
    """Return the payload of named texts; what UTF-8 or a column cannot hold is replaced."""
    columns = []
    for name, text in texts.items():
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
        columns.append(text_column(Column(TEXT, name, "", 1), 1, None, data))
    return encode_batch(columns)


def column_head(want: Column, count: int, mask: bytes | None) -> bytes:
    """Return a column's header, name, extra and mask, padded."""
    name, extra = want.name.encode(), want.extra.encode()
    label = name + extra
    head = _HEAD.pack(want.tag, 0 if mask is None else HAS_NULLS, len(name), len(extra),
                      count) + label + _PADDING[len(label) % 8]
    if mask is not None:
        head += mask + _PADDING[len(mask) % 8]
    return head


def padded(data: Buffer) -> list[Buffer]:
    """Return bytes and what pads them."""
    return [data, _PADDING[len(data) % 8]]


def text_column(want: Column, count: int, mask: bytes | None, data: bytes) -> list[Buffer]:
    """Return a column of texts that join_texts has joined."""
    return [column_head(want, count, mask), U64.pack(len(data)), *padded(data)]


def join_texts(plain: Sequence[str], want: Column) -> bytes:
    """Return strings as one UTF-8 buffer with NUL between them."""
    text = "\0".join(plain)
    if text.count("\0") != max(len(plain) - 1, 0):
        raise ConversionError("22021", f"a str with a NUL character does not fit "
                              f"{want.sql_name()}", "Remove it: value.replace('\\0', '').")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConversionError("22021", "a str with a lone surrogate "
                              f"(U+{ord(text[error.start]):04X}) has no UTF-8 form",
                              "Encode it: value.encode('utf-8', 'replace').decode().") from None
