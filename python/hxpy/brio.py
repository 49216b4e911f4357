"""Brio, the binary encoding of Haxall: what its hxPy and its database of entities use.

    loads(data) -> value        dumps(value) -> bytes       on files: load, dump
    NativeBrioReader, NativeBrioWriter      under the names and with the habits of hxPy

A value is one byte that tells its kind, and what that kind needs; numbers are
big-endian.  A text is the code of a table that writer and reader share, or -1
and the characters.  Nothing here writes codes; readers take the table as
`consts`, since each version of Haxall has its own.

What the writer does beyond what the format demands:

- A float stays a float; an int beyond 32 bits becomes one, and must be exact.
- A Time has milliseconds, a DateTime nanoseconds of the years 1707 to 2292.
- A tag that is None is left out, as is an empty dis of a Ref: Brio has neither.
- A character beyond U+FFFF is written as Haxall does, as the two of UTF-16.
- A naive datetime has the zone "Rel" (no zone), and is read as naive.
- An array of numbers of one or two dimensions is a matrix, as hxPy has it: a
  dict of "ndarray", "r", "c" and "bytes", which is read as an array of float64.
- Other Python types become what hxpy.hayson makes of them.

Errors: BrioError (a HaysonError, a ValueError) with `offset`, the byte at which
reading stopped, or with `path` when written; HaysonTypeError for a type without a mapping.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import IO, Any

from . import hayson
from .hayson import HaysonError, HaysonTypeError, normal
from .haystack import tz
from .haystack.coord import Coord
from .haystack.grid import Grid, GridCol
from .haystack.marker import Marker
from .haystack.na import NA
from .haystack.number import FloatNumber, IntNumber, Number
from .haystack.ref import Ref
from .haystack.remove import Remove
from .haystack.symbol import Symbol
from .haystack.uri import Uri
from .haystack.xstr import XStr

__all__ = ["BrioError", "NativeBrioReader", "NativeBrioWriter", "dump", "dumps", "load", "loads"]

# The byte that tells a value's kind.
_NULL, _MARKER, _NA, _REMOVE, _FALSE, _TRUE = range(6)
_INT16, _INT32, _FLOAT64, _STR = range(6, 10)
_REF_STR, _REF_HANDLE, _URI = range(10, 13)
_DATE, _TIME, _DATETIME_SECONDS, _DATETIME_NANOS = range(13, 17)
_COORD, _XSTR, _BUF = range(17, 20)
_DICT_EMPTY, _DICT, _LIST_EMPTY, _LIST, _GRID, _SYMBOL = range(20, 26)
_DATETIME_FLOAT = 0x20  # nanoseconds as a float, from JavaScript

_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
_SECOND = dt.timedelta(seconds=1)
_MICROSECOND = dt.timedelta(microseconds=1)
# Whole numbers up to here are exact in a float.
_EXACT = 2**53
# From pandas' epoch to Haystack's, in nanoseconds.
_SINCE_1970 = 946_684_800 * 10**9
_DAY_MILLIS = 86_400_000

# A Ref's id that is a handle: 64 bits of which the first is 0.
_HANDLE = re.compile(r"[0-7][0-9a-f]{7}-[0-9a-f]{8}").fullmatch
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]").search
_CONTINUATION = bytes(range(0x80, 0xc0))  # of a character of UTF-8


class BrioError(HaysonError):
    """A value that Brio cannot hold, or data that are not Brio."""

    offset: int | None = None

    def __str__(self) -> str:
        return super().__str__() if self.offset is None else f"{self.message} at byte {self.offset}"


# Writing -------------------------------------------------------------------

_Encoder = Callable[["NativeBrioWriter", Any, int], bytes]


def dumps(value: Any) -> bytes:
    """Return a value as Brio.

    Raises BrioError for what Brio cannot hold, for a lone surrogate and for nesting
    deeper than hayson.MAX_DEPTH; HaysonTypeError for a type without a mapping.
    """
    with io.BytesIO() as file:
        dump(value, file)
        return file.getvalue()


def dump(value: Any, file: IO[bytes]) -> None:
    """Write a value as Brio to a binary file.  Raises as dumps."""
    writer = NativeBrioWriter(file)
    writer.strict = True
    writer.write_val(value)


class NativeBrioWriter:
    """Writes values to a binary file, as hxPy's class of this name.

    With `strict`, which dumps sets, what Brio cannot hold is an error.  Without
    it, as in hxPy, a value of an unknown type becomes its str(), a Time loses
    what is less than a millisecond, and a whole number what a float has no room for.
    """

    strict = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @staticmethod
    def to_bytes(val: Any) -> bytes:
        """Return a value as Brio, as write_val writes it."""
        with io.BytesIO() as file:
            NativeBrioWriter(file).write_val(val)
            return file.getvalue()

    @staticmethod
    def to_varint_bytes(val: int) -> bytes:
        """Return a whole number in 1, 2, 4 or 9 bytes; a negative one as -1."""
        if val < 0:
            return b"\xff"
        if val < 1 << 7:
            return val.to_bytes(1, "big")
        if val < 1 << 14:
            return (val | 0x8000).to_bytes(2, "big")
        if val < 1 << 29:
            return (val | 0xc000_0000).to_bytes(4, "big")
        return b"\xe0" + val.to_bytes(8, "big")

    def write_val(self, val: Any) -> NativeBrioWriter:
        """Write a value, whole or not at all, and return the writer.  Raises as dumps."""
        try:
            data = self._encode(val, 0)
        except RecursionError:
            raise BrioError("the value is nested too deeply") from None
        self._file.write(data)
        return self

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _encode(self, value: Any, depth: int) -> bytes:
        """Return a value inside of as many containers as depth says."""
        encoder = _ENCODERS.get(type(value)) or _array_encoder(type(value))
        try:
            if encoder is None:
                return self._encode_other(value, depth)
            return encoder(self, value, depth)
        except (HaysonError, HaysonTypeError):
            raise
        except UnicodeEncodeError:
            raise BrioError("a str with a lone surrogate cannot be written") from None
        except (ValueError, OverflowError) as error:  # a time zone without a name and the like
            raise BrioError(str(error)) from None

    def _encode_other(self, value: Any, depth: int) -> bytes:
        """Return a value of a type that Brio has no kind for."""
        try:
            value = normal(value, "Brio", _ENCODERS)
        except HaysonTypeError:
            if self.strict:
                raise
            value = str(value)
        return self._encode(value, depth)


def _text(text: str) -> bytes:
    """Return a text that is no code."""
    return b"\xff" + _chars(text)


def _chars(text: str) -> bytes:
    """Return a text's length in UTF-16's units, and its characters in UTF-8."""
    data = text.encode()
    if not text.isascii() and _BEYOND_16_BITS.search(text):
        text = _BEYOND_16_BITS.sub(_surrogates, text)
        data = text.encode("utf-8", "surrogatepass")
    return NativeBrioWriter.to_varint_bytes(len(text)) + data


def _surrogates(match: re.Match[str]) -> str:
    """Return a character beyond U+FFFF as the two of UTF-16."""
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return chr(0xd800 + high) + chr(0xdc00 + low)


def _encode_int(writer: NativeBrioWriter, value: int, depth: int, unit: bytes = b"\xff\x00") \
        -> bytes:
    if -0x7fff <= value <= 0x7fff:
        return struct.pack(">Bh", _INT16, value) + unit
    if -0x8000_0000 <= value <= 0x7fff_ffff:
        return struct.pack(">Bi", _INT32, value) + unit
    number = float(value)
    if writer.strict and number != value:
        raise BrioError(f"Brio cannot hold the whole number {value}: a float has fewer digits")
    return struct.pack(">Bd", _FLOAT64, number) + unit


def _encode_float(writer: NativeBrioWriter, value: float, depth: int) -> bytes:
    return struct.pack(">BdBB", _FLOAT64, value, 0xff, 0)


def _encode_number(writer: NativeBrioWriter, value: Number, depth: int) -> bytes:
    number, unit = value.val, _text(value.unit or "")
    if isinstance(number, int):
        return _encode_int(writer, number, depth, unit)
    return struct.pack(">Bd", _FLOAT64, number) + unit


def _encode_ref(writer: NativeBrioWriter, value: Ref, depth: int) -> bytes:
    ref = value.id()
    if _HANDLE(ref):
        head = bytes([_REF_HANDLE]) + bytes.fromhex(ref.replace("-", ""))
    else:
        head = bytes([_REF_STR]) + _text(ref)
    return head + _chars(value.dis() or "")


def _encode_date(writer: NativeBrioWriter, value: dt.date, depth: int) -> bytes:
    return struct.pack(">BHBB", _DATE, value.year, value.month, value.day)


def _encode_time(writer: NativeBrioWriter, value: dt.time, depth: int) -> bytes:
    if value.tzinfo is not None:
        raise BrioError("Haystack's Time has no time zone")
    if writer.strict and value.microsecond % 1000:
        raise BrioError(f"Brio cannot hold the time {value}: it has milliseconds")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return struct.pack(">BI", _TIME, seconds * 1000 + value.microsecond // 1000)


def _encode_datetime(writer: NativeBrioWriter, value: dt.datetime, depth: int) -> bytes:
    zone = tz.tz_name(value)
    if value.utcoffset() is None:
        value = value.replace(tzinfo=dt.timezone.utc)
    return _moment((value - _EPOCH) // _MICROSECOND * 1000, zone)


def _encode_timestamp(writer: NativeBrioWriter, value: Any, depth: int) -> bytes:
    """pandas' datetime has nanoseconds, as Brio's."""
    return _moment(value.value - _SINCE_1970, tz.tz_name(value))


def _moment(nanos: int, zone: str) -> bytes:
    """Return the DateTime of nanoseconds since 2000 in UTC."""
    seconds, rest = divmod(nanos, 10**9)
    if not rest and -0x8000_0000 <= seconds <= 0x7fff_ffff:
        return struct.pack(">Bi", _DATETIME_SECONDS, seconds) + _text(zone)
    if not -1 << 63 <= nanos < 1 << 63:
        raise BrioError("Brio has dates and times of the years 1707 to 2292 only")
    return struct.pack(">Bq", _DATETIME_NANOS, nanos) + _text(zone)


def _encode_coord(writer: NativeBrioWriter, value: Coord, depth: int) -> bytes:
    return struct.pack(">BII", _COORD, value.ulat + 90_000_000, value.ulng + 180_000_000)


def _encode_xstr(writer: NativeBrioWriter, value: XStr, depth: int) -> bytes:
    return bytes([_XSTR]) + _text(value.type) + _text(value.val)


def _encode_bytes(writer: NativeBrioWriter, value: bytes, depth: int) -> bytes:
    return bytes([_BUF]) + writer.to_varint_bytes(len(value)) + value


def _deeper(depth: int) -> int:
    if depth >= hayson.MAX_DEPTH:
        raise BrioError(f"the value is nested deeper than {hayson.MAX_DEPTH}, or contains itself")
    return depth + 1


def _encode_list(writer: NativeBrioWriter, value: list[Any], depth: int) -> bytes:
    if not value:
        return bytes([_LIST_EMPTY])
    depth = _deeper(depth)
    parts: list[bytes] = []
    try:
        for item in value:
            parts.append(writer._encode(item, depth))
    except (HaysonError, HaysonTypeError) as error:
        error.within(len(parts))
        raise
    return b"%c[%b%b]" % (_LIST, writer.to_varint_bytes(len(parts)), b"".join(parts))


def _encode_dict(writer: NativeBrioWriter, value: Mapping[str, Any], depth: int) -> bytes:
    depth = _deeper(depth)
    parts = []
    for name, item in value.items():
        if not isinstance(name, str):
            raise HaysonTypeError(f'a dict\'s key must be a str, not "{type(name).__name__}"')
        if item is None:
            continue
        try:
            parts.append(_text(name) + writer._encode(item, depth))
        except (HaysonError, HaysonTypeError) as error:
            error.within(name)
            raise
    if not parts:
        return bytes([_DICT_EMPTY])
    return b"%c{%b%b}" % (_DICT, writer.to_varint_bytes(len(parts)), b"".join(parts))


def _encode_grid(writer: NativeBrioWriter, grid: Grid, depth: int) -> bytes:
    depth = _deeper(depth)
    with hayson._At("meta"):
        meta = {name: tag for name, tag in grid.meta().items() if name != "ver"}
        parts = [_encode_dict(writer, meta, depth)]
    for col in grid.cols():
        with hayson._At("cols", col.index(), "meta"):
            parts += [_text(col.name()), _encode_dict(writer, col.meta(), depth)]
    columns = [_encode_column(writer, col.name(), grid.cells(col), depth) for col in grid.cols()]
    size = writer.to_varint_bytes(len(columns)) + writer.to_varint_bytes(grid.size())
    return b"%c<%b%b>" % (_GRID, size, b"".join(chain(parts, chain.from_iterable(zip(*columns)))))


def _encode_column(writer: NativeBrioWriter, name: str, cells: list[Any], depth: int) \
        -> list[bytes]:
    """Return the cells of a grid's column, one by one."""
    parts: list[bytes] = []
    try:
        for cell in cells:
            parts.append(writer._encode(cell, depth))
    except (HaysonError, HaysonTypeError) as error:
        error.within(name)
        error.within(len(parts))
        error.within("rows")
        raise
    return parts


def _encode_frame(writer: NativeBrioWriter, value: Any, depth: int) -> bytes:
    return _encode_grid(writer, Grid.from_dataframe(value), depth)


def _encode_array(writer: NativeBrioWriter, value: Any, depth: int) -> bytes:
    if value.dtype.kind not in "iuf" or value.ndim not in (1, 2):
        return writer._encode(hayson.decode(hayson.encode(value)), depth)
    matrix = value[:, None] if value.ndim == 1 else value
    data = matrix.astype(">f8")
    exact = (data == matrix) | (matrix != matrix) if value.dtype.kind == "f" \
        else (matrix >= -_EXACT) & (matrix <= _EXACT)
    if writer.strict and not exact.all():
        raise BrioError(f"an array of {value.dtype} has numbers that a float64 does not hold")
    return _encode_dict(writer, {"ndarray": Marker(), "r": data.shape[0], "c": data.shape[1],
                                 "bytes": data.tobytes()}, depth)


def _single(kind: int) -> _Encoder:
    """Return the encoder of a value that is its kind and no more."""
    data = bytes([kind])
    return lambda writer, value, depth: data


_ENCODERS: dict[type, _Encoder] = {
    type(None): _single(_NULL),
    Marker: _single(_MARKER),
    NA: _single(_NA),
    Remove: _single(_REMOVE),
    bool: lambda writer, value, depth: bytes([_TRUE if value else _FALSE]),
    int: _encode_int,
    float: _encode_float,
    IntNumber: _encode_number,
    FloatNumber: _encode_number,
    str: lambda writer, value, depth: bytes([_STR]) + _text(value),
    Uri: lambda writer, value, depth: bytes([_URI]) + _text(value),
    Symbol: lambda writer, value, depth: bytes([_SYMBOL]) + _text(value.id()),
    Ref: _encode_ref,
    dt.date: _encode_date,
    dt.time: _encode_time,
    dt.datetime: _encode_datetime,
    Coord: _encode_coord,
    XStr: _encode_xstr,
    bytes: _encode_bytes,
    list: _encode_list,
    dict: _encode_dict,
    Grid: _encode_grid,
}


def _array_encoder(cls: type) -> _Encoder | None:
    """Return the encoder of a class of numpy or pandas that is written as it is."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and issubclass(cls, numpy.ndarray):
        return _encode_array
    if pandas is not None and issubclass(cls, pandas.DataFrame):
        return _encode_frame
    if pandas is not None and issubclass(cls, pandas.Timestamp):
        return _encode_timestamp
    return None


# Reading -------------------------------------------------------------------


def loads(data: bytes | bytearray | memoryview, *, consts: Sequence[str] = ()) -> Any:
    """Return the value of Brio data, which must end with it.

    consts is the table of texts by their codes, if the writer had one; the code
    0 is always the empty text.  Raises BrioError.
    """
    reader = NativeBrioReader(data, units=True, consts=consts)
    value = reader.read_val()
    if reader.avail():
        raise reader._error(f"{reader.avail()} more bytes after the value")
    return value


def load(file: IO[bytes], *, consts: Sequence[str] = ()) -> Any:
    """Return the value of a Brio file.  Raises as loads."""
    return loads(file.read(), consts=consts)


class NativeBrioReader:
    """Reads values from bytes, one after the other, as hxPy's class of this name.

    As in hxPy a Number loses its unit, unless `units` says to keep it.  consts as in loads.
    """

    def __init__(self, data: bytes | bytearray | memoryview, *, units: bool = False,
                 consts: Sequence[str] = ()) -> None:
        self._data = bytes(data)
        self._units = units
        self._consts = consts
        self._pos = 0
        self._depth = 0
        self._names: dict[str, str] = {}  # each name once in memory

    def avail(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self._pos

    def read_dict(self) -> dict[str, Any]:
        """Return the next value, which must be a dict.  Raises BrioError."""
        value = self.read_val()
        if not isinstance(value, dict):
            raise self._error(f"a dict was expected, not {type(value).__name__}")
        return value

    def read_val(self) -> Any:
        """Return the next value.  Raises BrioError for whatever is not Brio."""
        self._depth = 0
        try:
            return self._value()
        except BrioError as error:
            failure = error
        except (IndexError, struct.error):
            failure = self._error("the data end within a value")
        except RecursionError:
            failure = self._error("the data are nested too deeply")
        except (ValueError, OverflowError) as error:  # of the values' own classes
            failure = self._error(str(error))
        raise failure from None

    def _error(self, message: str) -> BrioError:
        """Return the error at the byte that is next."""
        error = BrioError(message)
        error.offset = self._pos
        return error

    def _value(self) -> Any:
        decoder = _DECODERS.get(self._data[self._pos])
        if decoder is None:
            raise self._error(f"no value begins with 0x{self._data[self._pos]:02x}")
        self._pos += 1
        return decoder(self)

    def _unpack(self, form: struct.Struct) -> Any:
        """Return the number, or several, of that form."""
        found = form.unpack_from(self._data, self._pos)
        self._pos += form.size
        return found if len(found) > 1 else found[0]

    def _expect(self, byte: bytes) -> None:
        """Pass the byte that must be next."""
        if self._data[self._pos] != byte[0]:
            raise self._error(f"{byte.decode()} was expected")
        self._pos += 1

    def _enter(self) -> None:
        """Note that a container is being read."""
        self._depth += 1
        if self._depth > hayson.MAX_DEPTH:
            raise self._error(f"the data are nested deeper than {hayson.MAX_DEPTH}")

    def _decode_varint(self) -> int:
        first = self._data[self._pos]
        if first < 0x80:
            self._pos += 1
            return first
        if first < 0xc0:
            number: int = self._unpack(_U2)
            return number & 0x3fff
        if first < 0xe0:
            number = self._unpack(_U4)
            return number & 0x1fff_ffff
        self._pos += 1
        if first == 0xff:
            return -1
        number = self._unpack(_I8)
        return number

    def _count(self, least: int = 1) -> int:
        """Return how many items follow, of which each takes `least` bytes or more."""
        count = self._decode_varint()
        if not 0 <= count * least <= self.avail():
            raise self._error(f"{count} items do not fit in the {self.avail()} bytes that follow")
        return count

    def _text(self) -> str:
        code = self._decode_varint()
        if code < 0:
            return self._chars()
        if code and code >= len(self._consts):
            raise self._error(f"the text with the code {code} is in a table that is not here")
        return self._consts[code] if code else ""

    def _name(self) -> str:
        text = self._text()
        return self._names.setdefault(text, text)

    def _chars(self) -> str:
        """Return a text by its length in characters and them in UTF-8."""
        size = self._count()
        end = self._pos + size
        data = self._data[self._pos:end]
        if data.isascii():
            self._pos = end
            return data.decode()
        missing = size - len(data.translate(None, _CONTINUATION))
        while missing:      # as many characters as bytes of others were counted
            data = self._data[end:end + missing]
            if len(data) < missing:
                raise self._error("the data end within a text")
            end += missing
            missing -= len(data.translate(None, _CONTINUATION))
        while self._data[end:end + 1] in _CONTINUATIONS:
            end += 1
        data = self._data[self._pos:end].replace(b"\xc0\x80", b"\0")  # Java's NUL
        try:
            text = data.decode("utf-8", "surrogatepass")
            if _SURROGATE(text):
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._error("a text is not UTF-8") from None
        self._pos = end
        return text

    def _number(self, form: struct.Struct) -> Any:
        value, unit = self._unpack(form), self._text()
        return Number(value, unit) if unit and self._units else value

    def _ref(self, name: str) -> Ref:
        return Ref(name, self._chars() or None)

    def _time(self) -> dt.time:
        millis = self._unpack(_U4)
        if millis >= _DAY_MILLIS:
            raise self._error(f"{millis} ms are more than a day")
        return (_EPOCH + dt.timedelta(milliseconds=millis)).time()

    def _datetime(self, micros: int) -> dt.datetime:
        """Return the datetime that is so long after 2000, in the zone whose name follows."""
        zone = tz.tz_from_name(self._text())
        moment = _EPOCH + micros * _MICROSECOND
        return moment.astimezone(zone) if zone is not None else moment.replace(tzinfo=None)

    def _coord(self) -> Coord:
        return Coord.unpack(self._unpack(_I8))

    def _bytes(self) -> bytes:
        size = self._count()
        self._pos += size
        return self._data[self._pos - size:self._pos]

    def _list(self) -> list[Any]:
        self._enter()
        self._expect(b"[")
        items = [self._value() for _ in range(self._count())]
        self._expect(b"]")
        self._depth -= 1
        return items

    def _dict(self) -> Any:
        self._enter()
        self._expect(b"{")
        tags: dict[str, Any] = {}
        for _ in range(self._count(2)):
            name = self._name()
            if name in tags:
                raise self._error(f'two tags "{name}"')
            tags[name] = self._value()
        self._expect(b"}")
        self._depth -= 1
        return _matrix(tags) if "ndarray" in tags else tags

    def _tags(self) -> dict[str, Any]:
        """Return the meta of a grid or column."""
        tags = self._value()
        if not isinstance(tags, dict):
            raise self._error("the meta of a grid is no dict")
        return tags

    def _grid(self) -> Grid:
        self._enter()
        self._expect(b"<")
        width, height = self._count(2), self._decode_varint()
        if not 0 <= width * height <= self.avail():
            raise self._error(f"{height} rows do not fit in the {self.avail()} bytes that follow")
        meta = self._tags()
        meta.pop("ver", None)
        cols = [GridCol(place, self._name(), self._tags()) for place in range(width)]
        cells = [self._value() for _ in range(width * height)]
        self._expect(b">")
        self._depth -= 1
        return Grid(meta, cols, [cells[place::width] for place in range(width)])


def _matrix(tags: dict[str, Any]) -> Any:
    """Return the array that a dict stands for, or the dict if it stands for none."""
    rows, cols, data = (tags.get(name) for name in ("r", "c", "bytes"))
    if len(tags) != 4 or type(tags["ndarray"]) is not Marker or type(rows) is not int \
            or type(cols) is not int or type(data) is not bytes \
            or rows < 0 or cols < 0 or rows * cols * 8 != len(data):
        return tags
    import numpy

    return numpy.frombuffer(data, ">f8").reshape(rows, cols).astype("f8")


_I2, _I4, _I8 = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">q")
_U2, _U4, _F8, _U2U1U1 = map(struct.Struct, (">H", ">I", ">d", ">HBB"))
_CONTINUATIONS = frozenset(_CONTINUATION[place:place + 1] for place in range(len(_CONTINUATION)))

_DECODERS: dict[int, Callable[[NativeBrioReader], Any]] = {
    _NULL: lambda reader: None,
    _MARKER: lambda reader: Marker(),
    _NA: lambda reader: NA(),
    _REMOVE: lambda reader: Remove(),
    _FALSE: lambda reader: False,
    _TRUE: lambda reader: True,
    _INT16: lambda reader: reader._number(_I2),
    _INT32: lambda reader: reader._number(_I4),
    _FLOAT64: lambda reader: reader._number(_F8),
    _STR: lambda reader: reader._text(),
    _REF_STR: lambda reader: reader._ref(reader._text()),
    _REF_HANDLE: lambda reader: reader._ref(Ref.make_handle(reader._unpack(_I8)).id()),
    _URI: lambda reader: Uri(reader._text()),
    _DATE: lambda reader: dt.date(*reader._unpack(_U2U1U1)),
    _TIME: lambda reader: reader._time(),
    _DATETIME_SECONDS: lambda reader: reader._datetime(reader._unpack(_I4) * 1_000_000),
    _DATETIME_NANOS: lambda reader: reader._datetime((reader._unpack(_I8) + 500) // 1000),
    _DATETIME_FLOAT: lambda reader: reader._datetime(round(reader._unpack(_F8) / 1000)),
    _COORD: lambda reader: reader._coord(),
    _XSTR: lambda reader: XStr(reader._name(), reader._text()),
    _BUF: lambda reader: reader._bytes(),
    _DICT_EMPTY: lambda reader: {},
    _DICT: lambda reader: reader._dict(),
    _LIST_EMPTY: lambda reader: [],
    _LIST: lambda reader: reader._list(),
    _GRID: lambda reader: reader._grid(),
    _SYMBOL: lambda reader: Symbol(reader._text()),
}
