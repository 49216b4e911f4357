"""Columns: PostgreSQL values as typed buffers, and back.

One codec for everything (docs/protocol.md, docs/types.md): a single value is a
column of length 1, a wanted type is a column of length 0.  Decoding gives
`Column` objects that share the frame's memory; encoding turns Python values
into the buffers of a wanted column.  numpy is imported only when an array
needs it.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
import re
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import hayson, protocol
from .errors import ConversionError, way_out
from .protocol import Buffer, ProtocolError

__all__ = ["Column", "decode_batch", "decode_texts", "encode_batch", "encode_column",
           "encode_progress", "encode_texts", "first_unfit"]

_HEAD = struct.Struct("<BBHIQ")
_BATCH = struct.Struct("<II")
_U64 = struct.Struct("<Q")
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICROSECOND = dt.timedelta(microseconds=1)
_PADDING = (b"", b"\0" * 7, b"\0" * 6, b"\0" * 5, b"\0" * 4, b"\0" * 3, b"\0" * 2, b"\0")

# Tag → (struct and memoryview code, bytes a value) of fixed-width columns.
_FIXED = {
    protocol.BOOL: ("B", 1), protocol.INT16: ("h", 2), protocol.INT32: ("i", 4),
    protocol.INT64: ("q", 8), protocol.FLOAT32: ("f", 4), protocol.FLOAT64: ("d", 8),
    protocol.DATE: ("i", 4), protocol.TIME: ("q", 8), protocol.TIMESTAMP: ("q", 8),
    protocol.TIMESTAMPTZ: ("q", 8), protocol.INTERVAL: ("q", 8),
}
# Tags whose arrays are native ndarrays, with numpy's name of the type.
_NATIVE = {
    protocol.BOOL: "?", protocol.INT16: "<i2", protocol.INT32: "<i4", protocol.INT64: "<i8",
    protocol.FLOAT32: "<f4", protocol.FLOAT64: "<f8",
}
_TEXTUAL = frozenset((protocol.TEXT, protocol.NUMERIC, protocol.JSON, protocol.OTHER,
                      protocol.REF, protocol.URI, protocol.SYMBOL))

# What a message calls a tag.
_SQL_NAMES = {
    protocol.BOOL: "boolean", protocol.INT16: "smallint", protocol.INT32: "integer",
    protocol.INT64: "bigint", protocol.FLOAT32: "real", protocol.FLOAT64: "double precision",
    protocol.DATE: "date", protocol.TIME: "time", protocol.TIMESTAMP: "timestamp",
    protocol.TIMESTAMPTZ: "timestamp with time zone", protocol.INTERVAL: "interval",
    protocol.UUID: "uuid", protocol.TEXT: "text", protocol.NUMERIC: "numeric",
    protocol.JSON: "jsonb", protocol.REF: "hs_ref", protocol.URI: "hs_uri",
    protocol.SYMBOL: "hs_symbol", protocol.BYTEA: "bytea",
}


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

    def values(self) -> list[Any]:
        """Return the values as a list of Python objects, NULL as None."""
        values = _DECODERS[self.tag](self)
        if self.mask is not None:
            values = [None if null else value for value, null in zip(values, self.mask)]
        if self.texts is not None and self.mask is not None:
            texts = iter(self.texts)
            values = [next(texts) if byte == protocol.MASK_TEXT else value
                      for value, byte in zip(values, self.mask)]
        return values

    def numpy(self) -> Any:
        """Return a native column as a writable ndarray that shares the frame's memory.

        NULLs become NaN in a float column; an integer or boolean column with
        NULLs becomes an object array that holds None.
        """
        import numpy

        array = numpy.frombuffer(self.data, dtype=_NATIVE[self.tag])
        if self.mask is not None:
            null = numpy.frombuffer(self.mask, dtype="?")
            if null.any():
                if self.tag in (protocol.FLOAT32, protocol.FLOAT64):
                    array[null] = numpy.nan
                else:
                    array = array.astype(object)
                    array[null] = None
        return array

    def sql_name(self) -> str:
        """Return what a message calls the column's type."""
        if self.tag == protocol.ARRAY and self.children:
            return self.children[0].sql_name() + "[]"
        return _SQL_NAMES.get(self.tag) or self.extra or "record"


# Decoding ------------------------------------------------------------------


def decode_batch(payload: Buffer) -> list[Column]:
    """Return the columns of a batch; they share the payload's memory."""
    view = memoryview(payload)
    if len(view) < _BATCH.size:
        raise ProtocolError("truncated batch")
    count, _ = _BATCH.unpack_from(view, 0)
    columns = []
    position = _BATCH.size
    for _ in range(count):
        column, position = _decode_column(view, position, 0)
        columns.append(column)
    if position != len(view):
        raise ProtocolError("trailing bytes in a batch")
    return columns


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
    if flags & protocol.HAS_NULLS:
        column.mask, position = _take(view, position, count)
    if tag in _FIXED:
        code, width = _FIXED[tag]
        data, position = _take(view, position, count * width)
        column.data = data.cast(code)  # type: ignore[call-overload]
    elif tag in _TEXTUAL:
        head, position = _take(view, position, 8)
        column.data, position = _take(view, position, _U64.unpack(head)[0])
    elif tag == protocol.UUID:
        column.data, position = _take(view, position, count * 16)
    elif tag == protocol.BYTEA:
        offsets, position = _take(view, position, (count + 1) * 8)
        column.offsets = offsets.cast("q")
        column.data, position = _take(view, position, column.offsets[count])
    elif tag == protocol.ARRAY:
        if depth >= protocol.MAX_DEPTH:
            raise ProtocolError("columns nested too deeply")
        offsets, position = _take(view, position, (count + 1) * 8)
        column.offsets = offsets.cast("q")
        head, position = _take(view, position, 8)
        dims, position = _take(view, position, _U64.unpack(head)[0] * 4)
        column.dims = dims.cast("i")
        child, position = _decode_column(view, position, depth + 1)
        column.children.append(child)
    elif tag == protocol.RECORD:
        if depth >= protocol.MAX_DEPTH:
            raise ProtocolError("columns nested too deeply")
        head, position = _take(view, position, 8)
        for _ in range(_U64.unpack(head)[0]):
            child, position = _decode_column(view, position, depth + 1)
            column.children.append(child)
    elif tag != protocol.NULL:
        raise ProtocolError(f"unknown tag {tag}")
    if flags & protocol.HAS_TEXTS:
        texts, position = _decode_column(view, position, depth + 1)
        column.texts = texts.values()
    return column, position


def _decode_null(column: Column) -> list[Any]:
    return [None] * column.count


def _decode_plain(column: Column) -> list[Any]:
    return column.data.tolist()


def _decode_bool(column: Column) -> list[Any]:
    return [byte != 0 for byte in column.data]


def _decode_date(column: Column) -> list[Any]:
    return [dt.date.fromordinal(_EPOCH_DAY + day) for day in column.data]


def _decode_time(column: Column) -> list[Any]:
    return [(_EPOCH + dt.timedelta(microseconds=value)).time() for value in column.data]


def _decode_timestamp(column: Column) -> list[Any]:
    return [_EPOCH + dt.timedelta(microseconds=value) for value in column.data]


def _decode_timestamptz(column: Column) -> list[Any]:
    zone = time_zone(column.extra)
    try:
        return [(_EPOCH_UTC + dt.timedelta(microseconds=value)).astimezone(zone)
                for value in column.data]
    except OverflowError:
        raise ConversionError("22008", f"timestamp with time zone out of range for Python in the "
                              f'time zone "{column.extra}"',
                              "Pass the value as text, or NULL in its place.") from None


def _decode_interval(column: Column) -> list[Any]:
    return [dt.timedelta(microseconds=value) for value in column.data]


def _decode_uuid(column: Column) -> list[Any]:
    import uuid

    return [uuid.UUID(bytes=bytes(column.data[i * 16:i * 16 + 16])) for i in range(column.count)]


def _decode_text(column: Column) -> list[Any]:
    if column.count == 0:
        return []
    values = str(column.data, "utf-8").split("\0")
    if len(values) != column.count:
        raise ProtocolError("a text column holds another number of values")
    return values


def _decode_numeric(column: Column) -> list[Any]:
    values = _decode_text(column)
    if column.extra == "decimal":
        from decimal import Decimal

        return [Decimal(value) if value else None for value in values]
    return [_number(value) for value in values]


def _number(text: str) -> int | float | None:
    """Return a numeric's value: an int when its scale is 0, else a float."""
    if not text:
        return None
    if text.isdigit() or text[1:].isdigit() and text[0] == "-":
        try:
            return int(text)
        except ValueError:      # more digits than sys.get_int_max_str_digits()
            from decimal import Decimal

            return int(Decimal(text))
    return float(text)


def _decode_json(column: Column) -> list[Any]:
    try:
        return [hayson.loads(value) if value else None for value in _decode_text(column)]
    except hayson.HaysonError as error:
        raise ConversionError("22P02", f"invalid Hayson: {error}") from None


def _decode_ref(column: Column) -> list[Any]:
    from .haystack.ref import Ref

    return [Ref(value) if value else None for value in _decode_text(column)]


def _decode_uri(column: Column) -> list[Any]:
    from .haystack.uri import Uri

    return [Uri(value) for value in _decode_text(column)]


def _decode_symbol(column: Column) -> list[Any]:
    from .haystack.symbol import Symbol

    return [Symbol(value) if value else None for value in _decode_text(column)]


def _decode_bytea(column: Column) -> list[Any]:
    offsets = column.offsets
    return [bytes(column.data[offsets[i]:offsets[i + 1]]) for i in range(column.count)]


def _decode_array(column: Column) -> list[Any]:
    """Return each value as an ndarray (numbers, booleans) or as (nested) lists."""
    child = column.children[0]
    elements: Any
    if child.tag in _NATIVE:
        elements = child.numpy()
    elif child.tag == protocol.NUMERIC and child.extra != "decimal":
        elements = _numeric_array(child.values())
    else:
        elements = child.values()
    shapes = _shapes(column)
    values = []
    for i, shape in enumerate(shapes):
        value = elements[column.offsets[i]:column.offsets[i + 1]]
        if len(shape) != 1:
            value = _nest(value, shape) if isinstance(value, list) else value.reshape(shape)
        values.append(value)
    return values


def _shapes(column: Column) -> Iterator[tuple[int, ...]]:
    offsets, dims = column.offsets, column.dims
    position = 0
    for i in range(column.count):
        if len(dims) == 0:
            yield (offsets[i + 1] - offsets[i],)
        else:
            ndim = dims[position]
            yield tuple(dims[position + 1:position + 1 + ndim])
            position += 1 + ndim


def _nest(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    for size in reversed(shape[1:]):
        flat = [flat[i:i + size] for i in range(0, len(flat), size or 1)]
    return flat


def _numeric_array(values: list[Any]) -> Any:
    """Return numerics as int64, float64 or, with NULLs or big integers, as objects."""
    import numpy

    kinds = set(map(type, values))
    if kinds == {int} and all(-1 << 63 <= value < 1 << 63 for value in values):
        return numpy.array(values, dtype="<i8")
    if not kinds or float in kinds and all(type(value) is not int or abs(value) <= 1 << 53
                                           for value in values):
        return numpy.array(values, dtype="<f8")
    array = numpy.empty(len(values), dtype=object)
    array[:] = values
    return array


def _decode_record(column: Column) -> list[Any]:
    names = [child.name for child in column.children]
    if not names:
        return [{} for _ in range(column.count)]
    rows = zip(*(child.values() for child in column.children))
    return [dict(zip(names, row)) for row in rows]


_DECODERS: dict[int, Callable[[Column], list[Any]]] = {
    protocol.NULL: _decode_null, protocol.BOOL: _decode_bool, protocol.INT16: _decode_plain,
    protocol.INT32: _decode_plain, protocol.INT64: _decode_plain,
    protocol.FLOAT32: _decode_plain, protocol.FLOAT64: _decode_plain,
    protocol.DATE: _decode_date, protocol.TIME: _decode_time,
    protocol.TIMESTAMP: _decode_timestamp, protocol.TIMESTAMPTZ: _decode_timestamptz,
    protocol.INTERVAL: _decode_interval, protocol.UUID: _decode_uuid,
    protocol.TEXT: _decode_text, protocol.NUMERIC: _decode_numeric,
    protocol.JSON: _decode_json, protocol.OTHER: _decode_text, protocol.REF: _decode_ref,
    protocol.URI: _decode_uri, protocol.SYMBOL: _decode_symbol,
    protocol.BYTEA: _decode_bytea, protocol.ARRAY: _decode_array,
    protocol.RECORD: _decode_record,
}


@functools.lru_cache(maxsize=32)
def time_zone(name: str) -> dt.tzinfo:
    """Return the zone of PostgreSQL's setting TimeZone.

    Besides the names of tzdata that setting holds POSIX rules ("<+05>-05",
    "EST5EDT,M3.2.0,M11.1.0"); those are read as the footer of a TZif file
    (RFC 8536, section 3.3).
    """
    import zoneinfo

    if name in ("", "UTC", "Etc/UTC", "GMT"):
        return zoneinfo.ZoneInfo(name or "UTC")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    import io

    def block(version: bytes) -> bytes:
        counts = struct.pack(">6L", 0, 0, 0, 0, 1, 4)
        return b"TZif" + version + b"\0" * 15 + counts + struct.pack(">lBB", 0, 0, 0) + b"UTC\0"

    # PostgreSQL writes "<+05:30>-05:30"; Python's reader takes no colon between < and >.
    rule = re.sub("<[^>]*>", lambda match: match[0].replace(":", ""), name)
    data = block(b"2") + block(b"2") + b"\n" + rule.encode() + b"\n"
    try:
        return zoneinfo.ZoneInfo.from_file(io.BytesIO(data), key=name)
    except ValueError:
        raise ConversionError("22023", f'time zone "{name}" is unknown to Python',
                              "Set TimeZone to a name of the time zone database.") from None


# Encoding ------------------------------------------------------------------


def _missing(value: Any) -> bool:
    """Tell whether a value means NULL: None, pandas' NA and NaT, numpy's NaT."""
    if value is None:
        return True
    name = type(value).__name__
    return (name in ("NAType", "NaTType")
            or name in ("datetime64", "timedelta64") and bool(value != value))


def _no_mapping(value: Any, want: Column, hint: str = "") -> ConversionError:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else \
        f"{kind.__module__}.{kind.__qualname__}"
    return ConversionError("42846", f'Python type "{name}" has no mapping to {want.sql_name()}',
                           way_out(kind) or hint)


def _out_of_range(value: Any, want: Column) -> ConversionError:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return ConversionError("22003", f"value {text} is out of range for {want.sql_name()}")


def _to_bool(value: Any, want: Column) -> bool:
    if type(value) is bool or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise _no_mapping(value, want, "Use bool() in Python.")


def _to_int(value: Any, want: Column) -> int:
    if type(value) is int:
        return value
    if type(value).__name__ in ("bool", "bool_"):
        return int(value)
    try:
        return operator.index(value)
    except TypeError:
        pass
    if isinstance(value, float) or _is_floating(value):
        try:
            whole = int(value)
        except (ValueError, OverflowError):     # NaN, infinity
            raise _out_of_range(value, want) from None
        if whole == value:
            return whole
        raise ConversionError("22003", f"value {value!s} has a fraction, "
                              f"{want.sql_name()} has none", "Use round() in Python.")
    raise _no_mapping(value, want)


def _is_floating(value: Any) -> bool:
    """Tell whether a value is a Decimal or one of numpy's floats."""
    kind = type(value)
    return (kind.__module__ == "numpy" and kind.__name__.startswith(("float", "longdouble"))
            or kind.__module__ == "decimal" and kind.__name__ == "Decimal")


def _to_float(value: Any, want: Column) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (float, int)) or _is_floating(value) or _is_numpy_int(value):
        try:
            number = float(value)
        except (OverflowError, ValueError):     # a signalling NaN is a ValueError
            raise _out_of_range(value, want) from None
        if number in (float("inf"), float("-inf")) and number != value:
            raise _out_of_range(value, want)    # a Decimal or longdouble
        return number
    raise _no_mapping(value, want)


def _is_numpy_int(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and (
        kind.__name__.startswith(("int", "uint")) or kind.__name__ in ("bool", "bool_"))


def _to_numeric(value: Any, want: Column) -> str:
    if isinstance(value, int):
        return _int_text(int(value))
    if isinstance(value, float):
        return float.__repr__(value)
    if _is_numpy_int(value):
        return str(int(value))
    if _is_floating(value):
        text = str(value)
        if "sNaN" in text:
            raise _out_of_range(value, want)
        return "NaN" if "NaN" in text else text     # a Decimal's may have a sign and digits
    raise _no_mapping(value, want)


def _int_text(value: int) -> str:
    """Return an int's digits, also beyond Python's limit for str()."""
    limit = sys.get_int_max_str_digits()
    if limit and value.bit_length() > 3 * limit:
        from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context

        context = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
        return format(context.create_decimal(value), "f")
    return str(value)


def _to_text(value: Any, want: Column) -> str:
    if isinstance(value, str):
        return value
    kind = type(value)
    if kind.__module__ in ("hxpy.haystack.ref", "hxpy.haystack.symbol"):
        return str(value.id())
    raise _no_mapping(value, want, "Use str() in Python.")


def _to_other(value: Any, want: Column) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) \
            or _is_numpy_int(value) or _is_floating(value):
        return _to_numeric(value, want)
    raise _no_mapping(value, want, f"Give the text form of {want.sql_name()} as a str.")


def _to_json(value: Any, want: Column) -> str:
    try:
        return hayson.dumps(value)
    except hayson.HaysonTypeError as error:
        raise ConversionError("42846", str(error), error.hint) from None
    except (ValueError, RecursionError) as error:
        raise ConversionError("22023", str(error)) from None


def _to_uuid(value: Any, want: Column) -> bytes:
    import uuid

    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, str):
        try:
            return uuid.UUID(value).bytes
        except ValueError:
            raise ConversionError("22P02", f"{value[:60]!r} is no uuid") from None
    raise _no_mapping(value, want)


def _to_bytea(value: Any, want: Column) -> Buffer:
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, memoryview):
        return value.tobytes()
    raise _no_mapping(value, want)


def _plain_datetime(value: Any, want: Column) -> dt.datetime:
    """Return a datetime, date, Timestamp or datetime64 as a datetime (µs, rounded)."""
    if isinstance(value, dt.datetime):
        nanosecond = getattr(value, "nanosecond", 0)
        if type(value) is not dt.datetime and hasattr(value, "to_pydatetime"):
            value = value.to_pydatetime(warn=False)
        return value + _MICROSECOND if nanosecond >= 500 else value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    if type(value).__name__ == "datetime64":
        nanoseconds = value.astype("M8[ns]") if value.dtype.str[4:-1] == "ns" else None
        whole = value.astype("M8[us]")
        plain = whole.item()
        if not isinstance(plain, dt.datetime) or _has_wrapped(value, whole):
            raise _datetime_range(value, want)
        if nanoseconds is not None and int(nanoseconds.astype("i8")) % 1000 >= 500:
            plain += _MICROSECOND
        return plain
    raise _no_mapping(value, want)


def _has_wrapped(value: Any, microseconds: Any) -> bool:
    """Tell whether numpy's conversion to microseconds has overflowed, which it does in silence."""
    return value.dtype.str[4:-1][-2:] not in ("ns", "ps", "fs", "as") \
        and bool(microseconds.astype(value.dtype) != value)


def _datetime_range(value: Any, want: Column) -> ConversionError:
    return ConversionError("22008", f"value {value!s} is out of range for {want.sql_name()}")


def _to_date(value: Any, want: Column) -> int:
    if type(value) is not dt.date:
        value = _plain_datetime(value, want)
        if value.tzinfo is not None:
            value = _in_zone(value, want)
        if value.time() != dt.time():
            raise ConversionError("22007", f"value {value!s} has a time of day, date has none",
                                  "Use .date() in Python.")
    return int(value.toordinal()) - _EPOCH_DAY


def _to_time(value: Any, want: Column) -> int:
    if not isinstance(value, dt.time):
        raise _no_mapping(value, want)
    if value.tzinfo is not None:
        raise ConversionError("22007", f"value {value!s} has a time zone, time has none",
                              "Use .replace(tzinfo=None) in Python.")
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000000 + value.microsecond


def _in_zone(value: dt.datetime, want: Column) -> dt.datetime:
    """Return an aware datetime as the naive one of the session's TimeZone."""
    try:
        return value.astimezone(time_zone(want.extra)).replace(tzinfo=None)
    except OverflowError:
        raise _datetime_range(value, want) from None


def _to_timestamp(value: Any, want: Column) -> int:
    value = _plain_datetime(value, want)
    if value.tzinfo is not None:
        value = _in_zone(value, want)
    return (value - _EPOCH) // _MICROSECOND


def _to_timestamptz(value: Any, want: Column) -> int:
    value = _plain_datetime(value, want)
    if value.tzinfo is None:
        value = value.replace(tzinfo=time_zone(want.extra))
    return (value - _EPOCH_UTC) // _MICROSECOND


def _to_interval(value: Any, want: Column) -> int:
    if isinstance(value, dt.timedelta):
        # Not // nor to_pytimedelta(): pandas' have nanoseconds and round by themselves.
        microseconds = (value.days * 86400 + value.seconds) * 1000000 + value.microseconds
        return microseconds + (getattr(value, "nanoseconds", 0) >= 500)
    if type(value).__name__ == "timedelta64":
        unit = value.dtype.str[4:-1]
        if unit.endswith(("Y", "M")) or not unit:
            raise ConversionError("22023", f"a timedelta64 of unit {unit or 'generic'!r} "
                                  "has no fixed length")
        if unit == "ns":
            return (int(value.astype("i8")) + 500) // 1000
        whole = value.astype("m8[us]")
        if _has_wrapped(value, whole):
            raise _datetime_range(value, want)
        return int(whole.astype("i8"))
    raise _no_mapping(value, want)


_CONVERTERS: dict[int, Callable[[Any, Column], Any]] = {
    protocol.BOOL: _to_bool, protocol.INT16: _to_int, protocol.INT32: _to_int,
    protocol.INT64: _to_int, protocol.FLOAT32: _to_float, protocol.FLOAT64: _to_float,
    protocol.DATE: _to_date, protocol.TIME: _to_time, protocol.TIMESTAMP: _to_timestamp,
    protocol.TIMESTAMPTZ: _to_timestamptz, protocol.INTERVAL: _to_interval,
    protocol.UUID: _to_uuid, protocol.TEXT: _to_text, protocol.NUMERIC: _to_numeric,
    protocol.JSON: _to_json, protocol.OTHER: _to_other, protocol.REF: _to_text,
    protocol.URI: _to_text, protocol.SYMBOL: _to_text, protocol.BYTEA: _to_bytea,
}


def encode_batch(columns: Sequence[list[Buffer]]) -> list[Buffer]:
    """Return the payload, in parts, of a batch of encoded columns."""
    parts: list[Buffer] = [_BATCH.pack(len(columns), 0)]
    for column in columns:
        parts += column
    return parts


def encode_texts(**texts: str) -> list[Buffer]:
    """Return the payload of named texts; what UTF-8 or a column cannot hold is replaced."""
    columns = []
    for name, text in texts.items():
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")
        columns.append(_textual(Column(protocol.TEXT, name, "", 1), None, data))
    return encode_batch(columns)


def encode_progress(done: float, total: float | None, message: str | None) -> list[Buffer]:
    """Return the payload of a PROGRESS frame."""
    text = None if message is None else \
        message.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return encode_batch([
        encode_column(Column(protocol.FLOAT64, "done", "", 1), [done]),
        encode_column(Column(protocol.FLOAT64, "total", "", 1), [total]),
        encode_column(Column(protocol.TEXT, "message", "", 1), [text])])


def decode_texts(payload: Buffer) -> dict[str, str]:
    """Return a payload of named texts."""
    return {column.name: column.values()[0] for column in decode_batch(payload)}


def encode_column(want: Column, values: Sequence[Any]) -> list[Buffer]:
    """Return `values` in parts, as a column of the type and name of `want`.

    Raises ConversionError for a value that does not fit.
    """
    mask = None
    if want.tag == protocol.NULL:
        return [_head(want, len(values), None)]
    for value in values:
        if _missing(value):
            mask = bytes(_missing(value) for value in values)
            break
    if want.tag == protocol.ARRAY:
        return _encode_array(want, values, mask)
    if want.tag == protocol.RECORD:
        return _encode_record(want, values, mask)
    converter = _CONVERTERS[want.tag]
    blank: Any = b"" if want.tag == protocol.BYTEA else b"\0" * 16 if want.tag == protocol.UUID \
        else "" if want.tag in _TEXTUAL else 0
    if mask is None:
        plain = [converter(value, want) for value in values]
    else:
        plain = [blank if null else converter(value, want) for value, null in zip(values, mask)]
    if want.tag in _TEXTUAL:
        return _textual(want, mask, _join(plain, want), len(values))
    if want.tag == protocol.UUID:
        return [_head(want, len(values), mask), *_body(b"".join(plain))]
    if want.tag == protocol.BYTEA:
        offsets = [0]
        for value in plain:
            offsets.append(offsets[-1] + len(value))
        data = plain[0] if len(plain) == 1 else b"".join(plain)
        return [_head(want, len(values), mask), struct.pack(f"<{len(offsets)}q", *offsets),
                *_body(data)]
    return [_head(want, len(values), mask), *_body(_pack(want, plain))]


def _pack(want: Column, plain: list[Any]) -> bytes:
    code = f"<{len(plain)}{_FIXED[want.tag][0]}"
    try:
        return struct.pack(code, *plain)
    except (struct.error, OverflowError):
        for value in plain:
            try:
                struct.pack("<" + _FIXED[want.tag][0], value)
            except (struct.error, OverflowError):
                raise _out_of_range(value, want) from None
        raise


def _join(plain: list[str], want: Column) -> bytes:
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


def _head(want: Column, count: int, mask: bytes | None) -> bytes:
    """Return a column's header, name, extra and mask, padded."""
    name, extra = want.name.encode(), want.extra.encode()
    label = name + extra
    head = _HEAD.pack(want.tag, 0 if mask is None else protocol.HAS_NULLS, len(name),
                      len(extra), count) + label + _PADDING[len(label) % 8]
    if mask is not None:
        head += mask + _PADDING[len(mask) % 8]
    return head


def _body(data: Buffer) -> list[Buffer]:
    return [data, _PADDING[len(data) % 8]]


def _textual(want: Column, mask: bytes | None, data: bytes, count: int = 1) -> list[Buffer]:
    return [_head(want, count, mask), _U64.pack(len(data)), *_body(data)]


def _encode_array(want: Column, values: Sequence[Any], mask: bytes | None) -> list[Buffer]:
    """Encode arrays: offsets, dims and one child column of all elements."""
    child = want.children[0]
    offsets = [0]
    dims: list[int] = []
    flats: list[Any] = []
    flat_only = True
    for value in values:
        if _missing(value):
            shape: tuple[int, ...] = (0,)
        else:
            flat, shape = _flatten(value, want)
            flats.append(flat)
        size = 1
        for length in shape:
            size *= length
        flat_only = flat_only and len(shape) == 1
        dims += (len(shape), *shape)
        offsets.append(offsets[-1] + size)
    if flat_only:
        dims = []
    parts = [_head(want, len(values), mask), struct.pack(f"<{len(offsets)}q", *offsets),
             _U64.pack(len(dims)), *_body(struct.pack(f"<{len(dims)}i", *dims))]
    return parts + _encode_elements(child, flats)


def _encode_elements(child: Column, flats: list[Any]) -> list[Buffer]:
    """Encode the elements of arrays, each a 1-D ndarray or a list, as one column."""
    if len(flats) == 1 and not isinstance(flats[0], list) \
            and flats[0].dtype.str == _NATIVE.get(child.tag):
        return [_head(child, len(flats[0]), None),
                *_body(memoryview(flats[0] if flats[0].flags.c_contiguous
                                  else flats[0].copy()).cast("B"))]
    if flats and all(not isinstance(flat, list) and flat.dtype == flats[0].dtype
                     for flat in flats):
        import numpy

        from . import arrays

        array = flats[0] if len(flats) == 1 else numpy.concatenate(flats)
        null = numpy.isnat(array) if array.dtype.kind in "Mm" else numpy.zeros(0, "?")
        try:
            with numpy.errstate(all="ignore"):
                return arrays.encode(child, array, null if null.any() else None)
        except (ConversionError, *arrays.UNFIT):
            pass
    elements: list[Any] = []
    for flat in flats:
        elements += flat if isinstance(flat, list) else _listed(flat)
    try:
        return encode_column(child, elements)
    except ConversionError as error:
        index, found = first_unfit(child, elements, error)
        raise found.within(f"[{index}]") from None


def first_unfit(want: Column, values: Sequence[Any],
                error: ConversionError) -> tuple[int, ConversionError]:
    """Return the place of the first value that does not fit, and its error.

    error: what encoding all values has raised.
    """
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            encode_column(want, values[low:middle])
            low = middle
        except ConversionError:
            high = middle
    try:
        encode_column(want, values[low:high])
    except ConversionError as found:
        return low, found
    return low, error


def _flatten(value: Any, want: Column) -> tuple[Any, tuple[int, ...]]:
    """Return an array-like as (1-D ndarray of native type or list, shape)."""
    if isinstance(value, (list, tuple, range, deque)):
        return _flatten_list(list(value), want)
    if type(value).__module__ == "array" or isinstance(value, memoryview):
        return _flatten_list(value.tolist(), want)
    module = type(value).__module__.partition(".")[0]
    if module == "pandas" and hasattr(value, "to_numpy") and getattr(value, "ndim", 0) == 1:
        import numpy

        missing = numpy.asarray(value.isna())
        if missing.any() and value.dtype.kind not in "Mm":      # those have NaT
            value = numpy.array(value, dtype=object)
            value[missing] = None
        else:
            value = value.to_numpy()
        module = "numpy"
    if module == "numpy" and hasattr(value, "ravel") and hasattr(value, "tolist"):
        if type(value).__name__ == "matrix":
            value = value.A     # a matrix would stay two-dimensional
        if value.ndim == 0:
            raise _no_mapping(value, want, "A 0-dimensional array is no array in SQL: "
                              "use .item().")
        if value.ndim > 6:
            raise ConversionError("54000", f"an array of {value.ndim} dimensions does not fit: "
                                  "PostgreSQL has at most 6")
        if value.dtype.kind in "Mm" and hasattr(value, "mask"):
            value = value.filled(value.dtype.type("NaT"))
        if value.dtype.kind in "biufMm" and not hasattr(value, "mask"):
            return value.ravel(), value.shape
        return value.ravel().tolist(), value.shape
    raise _no_mapping(value, want)


def _flatten_list(value: list[Any], want: Column) -> tuple[list[Any], tuple[int, ...]]:
    """Flatten nested lists of equal lengths; arrays inside count as lists."""
    shape = [len(value)]
    while value and all(_is_nested(item) for item in value):
        if want.children[0].tag == protocol.RECORD and _is_row(value):
            break
        items = [_listed(item) for item in value]
        length = len(items[0])
        if any(len(item) != length for item in items):
            raise ConversionError("2202E", "nested lists of different lengths are no array",
                                  "Make them equally long, or return jsonb.")
        shape.append(length)
        if len(shape) > 6:
            raise ConversionError("54000", "lists nested deeper than 6 levels are no array",
                                  "Return jsonb.")
        value = [element for item in items for element in item]
    return value, tuple(shape)


def _listed(item: Any) -> list[Any]:
    if not hasattr(item, "tolist") or getattr(item.dtype, "kind", "") in "Mm":
        return list(item)       # tolist() makes ints of nanoseconds
    return item.tolist()        # type: ignore[no-any-return]


def _is_nested(item: Any) -> bool:
    return isinstance(item, (list, tuple, deque)) or (
        type(item).__module__.partition(".")[0] in ("numpy", "pandas")
        and getattr(item, "ndim", 0) > 0 and hasattr(item, "tolist"))


def _is_row(items: list[Any]) -> bool:
    return all(isinstance(item, tuple) for item in items)


def _encode_record(want: Column, values: Sequence[Any], mask: bytes | None) -> list[Buffer]:
    """Encode rows: dict, Mapping, dataclass, namedtuple by name; tuple and list by position."""
    names = [child.name for child in want.children]
    rows = [None if _missing(value) else _fields(value, names, want) for value in values]
    parts: list[Buffer] = [_head(want, len(values), mask), _U64.pack(len(names))]
    for i, child in enumerate(want.children):
        try:
            parts += encode_column(child, [None if row is None else row[i] for row in rows])
        except ConversionError as error:
            raise error.within(f".{child.name}") from None
    return parts


def _fields(value: Any, names: list[str], want: Column) -> Sequence[Any]:
    """Return a row's values in the order of `names`."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = dict(zip(value._fields, value))
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        if value.keys() == set(names):
            return [value[name] for name in names]
        missing = [name for name in names if name not in value]
        unknown = [str(key) for key in value if key not in names]
        what = f'has no key "{missing[0]}"' if missing else \
            f'has the key "{unknown[0]}", which {want.sql_name()} lacks'
        raise ConversionError("42703", f"the dict {what}",
                              "Set the key to None to return NULL." if missing else
                              f"The fields are {', '.join(names)}.")
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise ConversionError("42804", f"a row of {len(value)} values does not fit "
                                  f"{want.sql_name()} of {len(names)} fields")
        return value
    raise _no_mapping(value, want)
