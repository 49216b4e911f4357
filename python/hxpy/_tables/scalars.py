"""One Python value as what a column of the wire holds, by the column's tag.

Raises ConversionError for a value that does not fit.  numpy and pandas are known by the
names of their types only: who brings one of their values has imported them.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
import re
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import hayson
from ..errors import ConversionError, way_out
from . import transforms, wire
from .wire import Buffer, Column

__all__ = ["CONVERTERS", "EPOCH", "EPOCH_DAY", "EPOCH_UTC", "hayson_texts", "is_null", "no_mapping",
           "out_of_range", "time_zone"]

EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
EPOCH = dt.datetime(1970, 1, 1)
EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICROSECOND = dt.timedelta(microseconds=1)


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


_NULLABLE = frozenset(("NoneType", "NAType", "NaTType", "datetime64", "timedelta64"))


def is_null(value: Any) -> bool:
    """Return whether a value means NULL: None, pandas' NA and NaT, numpy's NaT."""
    if value is None:
        return True
    name = type(value).__name__
    return (name in ("NAType", "NaTType")
            or name in ("datetime64", "timedelta64") and bool(value != value))


def may_be_null(kinds: Iterable[type]) -> bool:
    """Return whether a value of one of these types may mean NULL."""
    return any(kind.__name__ in _NULLABLE for kind in kinds)


def no_mapping(value: Any, want: Column, hint: str = "") -> ConversionError:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else \
        f"{kind.__module__}.{kind.__qualname__}"
    return ConversionError("42846", f'Python type "{name}" has no mapping to {want.sql_name()}',
                           way_out(kind) or hint)


def out_of_range(value: Any, want: Column) -> ConversionError:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return ConversionError("22003", f"value {text} is out of range for {want.sql_name()}")


def _to_bool(value: Any, want: Column) -> bool:
    if want.extra == "truth":
        return bool(value)
    if type(value) is bool or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise no_mapping(value, want, "Use bool() in Python.")


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
            raise out_of_range(value, want) from None
        if whole == value:
            return whole
        raise ConversionError("22003", f"value {value!s} has a fraction, "
                              f"{want.sql_name()} has none", "Use round() in Python.")
    raise no_mapping(value, want)


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
            raise out_of_range(value, want) from None
        if number in (float("inf"), float("-inf")) and number != value:
            raise out_of_range(value, want)    # a Decimal or longdouble
        return number
    raise no_mapping(value, want)


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
            raise out_of_range(value, want)
        return "NaN" if "NaN" in text else text     # a Decimal's may have a sign and digits
    raise no_mapping(value, want)


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
    raise no_mapping(value, want, "Use str() in Python.")


def _to_plain(value: Any, want: Column) -> str:
    encode = transforms.ENCODERS.get(want.extra)
    if encode is not None:
        return encode(value)
    return repr(value) if isinstance(value, float) else str(value)


def _to_other(value: Any, want: Column) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) \
            or _is_numpy_int(value) or _is_floating(value):
        return _to_numeric(value, want)
    raise no_mapping(value, want, f"Give the text form of {want.sql_name()} as a str.")


def hayson_texts(values: Sequence[Any]) -> list[str]:
    """Return values as Hayson.  Raises ConversionError for the first that has none."""
    try:
        return hayson.dumps_all(values)
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
    raise no_mapping(value, want)


def _to_bytea(value: Any, want: Column) -> Buffer:
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, memoryview):
        return value.tobytes()
    raise no_mapping(value, want)


def _plain_datetime(value: Any, want: Column) -> dt.datetime:
    """Return a datetime, date, Timestamp or datetime64 as a datetime (µs, rounded)."""
    if isinstance(value, dt.datetime):
        plain = value
        if type(value) is not dt.datetime and hasattr(value, "to_pydatetime"):
            plain = value.to_pydatetime(warn=False)
        return plain + _MICROSECOND if getattr(value, "nanosecond", 0) >= 500 else plain
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
    raise no_mapping(value, want)


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
    return int(value.toordinal()) - EPOCH_DAY


def _to_time(value: Any, want: Column) -> int:
    if not isinstance(value, dt.time):
        raise no_mapping(value, want)
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
    plain = _plain_datetime(value, want)
    if plain.tzinfo is not None:
        plain = _in_zone(plain, want)
    return (plain - EPOCH) // _MICROSECOND


def _to_timestamptz(value: Any, want: Column) -> int:
    plain = _plain_datetime(value, want)
    if plain.tzinfo is None:
        plain = plain.replace(tzinfo=time_zone(want.extra))
    return (plain - EPOCH_UTC) // _MICROSECOND


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
    raise no_mapping(value, want)


# By tag; what they return is packed as the tag's fixed width, or joined as text or bytes.
CONVERTERS: dict[int, Callable[[Any, Column], Any]] = {
    wire.BOOL: _to_bool, wire.INT16: _to_int, wire.INT32: _to_int, wire.INT64: _to_int,
    wire.FLOAT32: _to_float, wire.FLOAT64: _to_float, wire.DATE: _to_date, wire.TIME: _to_time,
    wire.TIMESTAMP: _to_timestamp, wire.TIMESTAMPTZ: _to_timestamptz, wire.INTERVAL: _to_interval,
    wire.UUID: _to_uuid, wire.TEXT: _to_text, wire.NUMERIC: _to_numeric,
    wire.OTHER: _to_other, wire.REF: _to_text, wire.URI: _to_text, wire.SYMBOL: _to_text,
    wire.BYTEA: _to_bytea, wire.PLAIN: _to_plain,
}
