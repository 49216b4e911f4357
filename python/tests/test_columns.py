"""Columns: golden batches, the table of types both ways, every error."""

import array
import collections
import dataclasses
import datetime as dt
import decimal
import json
import math
import struct
import uuid
import zoneinfo
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hxpy._tables import conversion, scalars, wire as P
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.scalars import time_zone
from hxpy._tables.single import ValueWriter
from hxpy._tables.wire import Column, ProtocolError, decode_batch, encode_batch
from hxpy.errors import ConversionError
from hxpy.haystack.marker import Marker
from hxpy.haystack.ref import Ref
from hxpy.haystack.symbol import Symbol
from hxpy.haystack.uri import Uri

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden" / "golden.json"
CASES = json.loads(GOLDEN.read_text())["columns"] if GOLDEN.exists() else []
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UTC = dt.timezone.utc


def want(tag, *children, extra="", name="v"):
    column = Column(tag, name, extra, 0)
    column.children = list(children)
    return column


def array_of(tag, extra=""):
    return want(P.ARRAY, want(tag, extra=extra))


def record(**fields):
    children = []
    for name, column in fields.items():
        column.name = name
        children.append(column)
    return want(P.RECORD, *children, extra="pair")


def encoded(column, values):
    return bytearray(b"".join(bytes(part) for part in encode_batch(
        [encode_column(column, values)])))


def trip(column, *values):
    """Send values and read them again."""
    back = decode_batch(encoded(column, values))[0]
    assert (back.tag, back.name, back.extra, back.count) == (
        column.tag, column.name, column.extra, len(values))
    return decode_column(back)


def plain(value):
    """Return a value with ndarrays as lists."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def refused(column, value):
    with pytest.raises(ConversionError) as info:
        encode_column(column, [value])
    return info.value.sqlstate, info.value.message


# Golden ----------------------------------------------------------------------

golden = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


@pytest.mark.skipif(not CASES, reason="test/golden is not here")
def test_golden_is_here():
    tags = {decode_batch(bytes.fromhex(case["batch"]))[0].tag for case in CASES}
    # The server makes PLAIN for functions alone: see test_plain.
    assert tags == set(conversion._DECODERS) - {P.NULL, P.PLAIN}


@pytest.mark.parametrize("extra, text, value", [
    ("jsonb", '{"a": [1, 2.50, "x", null, true, {}], "": 12345678901234567890}',
     {"a": [decimal.Decimal("1"), decimal.Decimal("2.50"), "x", None, True, {}],
      "": decimal.Decimal("12345678901234567890")}),
    ("jsonb", '"größe"', "größe"),
    ("jsonb", "[]", []),
    ("hstore", r'"a"=>"1", "b \"c\" \\"=>"x=>y, \"z\"", "n"=>NULL, ""=>""',
     {"a": "1", 'b "c" \\': 'x=>y, "z"', "n": None, "": ""}),
    ("hstore", "", {}),
    ("ltree", "Top.Science.x", ["Top", "Science", "x"]),
    ("ltree", "", []),
])
def test_transforms(extra, text, value):
    column = Column(P.PLAIN, "a", extra, 0)
    texts = [encode_column(Column(P.PLAIN, "a", "", 0), [text, None])]
    sent = bytearray(b"".join(map(bytes, encode_batch(texts))))
    (got,) = decode_batch(sent)
    got.extra = extra
    assert decode_column(got) == [value, None]
    again = encode_batch([encode_column(column, [value, None])])
    (back,) = decode_batch(bytearray(b"".join(map(bytes, again))))
    back.extra = ""
    assert decode_column(back) == [text, None]


@pytest.mark.parametrize("extra, value, sqlstate", [
    ("jsonb", float("nan"), "22003"), ("jsonb", [float("inf")], "22003"), ("jsonb", object(), "0A000"),
    ("jsonb", {"a": b"x"}, "0A000"), ("hstore", [1], "42809"), ("hstore", "a", "42809"),
])
def test_no_transform(extra, value, sqlstate):
    with pytest.raises(ConversionError) as error:
        encode_column(Column(P.PLAIN, "a", extra, 0), [value])
    assert error.value.sqlstate == sqlstate


def test_plain():
    cells = [None, "1", "-20", "größe"]
    other = b"".join(map(bytes, encode_batch([encode_column(Column(P.OTHER, "a", "", 0), cells)])))
    plain = b"".join(map(bytes, encode_batch([encode_column(Column(P.PLAIN, "a", "", 0), cells)])))
    assert plain == other[:8] + bytes([P.PLAIN]) + other[9:]
    assert decode_column(decode_batch(bytearray(plain))[0]) == cells
    whole = [encode_column(Column(P.PLAIN, "a", "int", 0), [None, 1, -20])]
    column = decode_batch(bytearray(b"".join(map(bytes, encode_batch(whole)))))[0]
    assert decode_column(column) == [None, 1, -20]


@golden
def test_golden_decode(case):
    assert repr(decode_column(decode_batch(bytearray.fromhex(case["batch"]))[0])) == case["python"]


@golden
def test_golden_encode(case):
    if "want" not in case:
        pytest.skip("nothing of this type comes back")
    values = decode_column(decode_batch(bytearray.fromhex(case["batch"]))[0])
    column = decode_batch(bytes.fromhex(case["want"]))[0]
    assert encoded(column, values).hex() == case["back"]


@golden
def test_golden_cut(case):
    data = bytearray.fromhex(case["batch"])
    for length in range(len(data)):
        with pytest.raises((ProtocolError, ValueError)):
            for column in decode_batch(data[:length]):
                decode_column(column)
    with pytest.raises(ProtocolError, match="trailing bytes"):
        decode_batch(data + b"\0" * 8)


# The table of types, both ways -------------------------------------------------

I4 = want(P.INT32)
ROWS = [
    (want(P.BOOL), [True, False]),
    (want(P.INT16), [0, -32768, 32767]),
    (want(P.INT32), [0, -2**31, 2**31 - 1]),
    (want(P.INT64), [0, -2**63, 2**63 - 1]),
    (want(P.FLOAT32), [0.0, 1.5, math.inf]),
    (want(P.FLOAT64), [0.1, -1e308, -math.inf]),
    (want(P.NUMERIC), [0, -5, 10**40, 1.5, 10**5000]),
    (want(P.NUMERIC, extra="decimal"), [decimal.Decimal("1.10"), decimal.Decimal(3)]),
    (want(P.TEXT), ["", "a", "größe 𝄞", "a\nb"]),
    (want(P.UUID), [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
    (want(P.BYTEA), [b"", b"\0\xff", b"abc"]),
    (want(P.DATE), [dt.date.min, dt.date(1970, 1, 1), dt.date.max]),
    (want(P.TIME), [dt.time.min, dt.time.max, dt.time(12, 0, 0, 1)]),
    (want(P.TIMESTAMP), [dt.datetime.min, dt.datetime(2024, 2, 29, 1, 2, 3, 4), dt.datetime.max]),
    (want(P.TIMESTAMPTZ, extra="Europe/Berlin"),
     [dt.datetime(2024, 7, 1, 14, tzinfo=BERLIN),
      dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
      dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1)]),
    (want(P.INTERVAL), [dt.timedelta(0), dt.timedelta(days=-1, microseconds=1),
                        dt.timedelta(days=10**6)]),
    (want(P.JSON), [{"a": [1, None, True, 1.5]}, "text", [], Marker()]),
    (want(P.OTHER, extra="inet"), ["10.0.0.1"]),
    (want(P.REF), [Ref("p:demo:r:1"), Ref("a")]),
    (want(P.URI), [Uri("http://x/ü"), Uri("")]),
    (want(P.SYMBOL), [Symbol("site")]),
    (array_of(P.INT32), [[1, 2, 3], [], [[1, 2], [3, 4]]]),
    (array_of(P.FLOAT64), [[0.5], [[[1.0]]]]),
    (array_of(P.BOOL), [[True, False]]),
    (array_of(P.NUMERIC), [[1, 2], [10**30]]),
    (array_of(P.TEXT), [["a", ""], [], [["a", "b"], ["c", "d"]]]),
    (array_of(P.BYTEA), [[b"", b"a"]]),
    (array_of(P.TIMESTAMP), [[dt.datetime(2024, 1, 1)]]),
    (record(x=want(P.INT32), y=want(P.TEXT)), [{"x": 1, "y": "a"}, {"x": None, "y": None}]),
    (record(a=array_of(P.INT32)), [{"a": None}]),
    (want(P.ARRAY, record(x=want(P.INT32))), [[{"x": 1}, None], []]),
]


@pytest.mark.parametrize("column, values", ROWS, ids=lambda item: getattr(item, "tag", ""))
def test_table(column, values):
    assert [plain(value) for value in trip(column, *values)] == values
    for value in values:
        assert [plain(got) for got in trip(column, value)] == [value]


@pytest.mark.parametrize("column, values", ROWS, ids=lambda item: getattr(item, "tag", ""))
@pytest.mark.parametrize("null", [None, pd.NA, pd.NaT, np.datetime64("NaT"), np.timedelta64("NaT")],
                         ids=lambda null: type(null).__name__)
def test_table_null(column, values, null):
    mixed = [null, *values, null]
    assert [plain(value) for value in trip(column, *mixed)] == [None, *values, None]
    assert trip(column, null) == [None]
    assert trip(column) == []


@pytest.mark.parametrize("tag, values", [
    (P.INT32, [[1, 2], [3, None], [], [[4], [5]]]), (P.BOOL, [[True], [None, False]]),
    (P.FLOAT64, [[1.0], [None, 2.0]]),
    (P.NUMERIC, [[1, 2], [1.5, 2], [None, 3], [None, 1.5], [], [10**30]]),
])
def test_an_array_does_not_depend_on_those_of_other_rows(tag, values):
    alone = [trip(array_of(tag), value)[0] for value in values]
    beside = trip(array_of(tag), *values)
    assert [value.dtype for value in beside] == [value.dtype for value in alone]
    assert list(map(repr, beside)) == list(map(repr, alone))


def test_nan():
    assert math.isnan(trip(want(P.FLOAT64), math.nan)[0])
    assert math.isnan(trip(want(P.NUMERIC), math.nan)[0])
    assert trip(want(P.JSON), math.nan)[0] != 0


def test_several_columns_share_a_batch():
    parts = encode_batch([encode_column(want(P.INT16, name="a"), [1, None]),
                          encode_column(want(P.TEXT, name="größe"), ["x"])])
    a, b = decode_batch(b"".join(parts))
    assert (a.name, decode_column(a), b.name, decode_column(b)) == ("a", [1, None], "größe", ["x"])


@pytest.mark.parametrize("name", ["", "a", "é", "éé", "ééé", "日本語", "ééééééé"])
@pytest.mark.parametrize("extra", ["", "UTC", "decimal", "ab", "größe", "ü"])
def test_names_and_extras_of_all_lengths(name, extra):
    back = decode_batch(encoded(want(P.INT32, name=name, extra=extra), [1]))[0]
    assert (back.name, back.extra) == (name, extra)


# What else comes back -----------------------------------------------------------

OTHERS = [
    (want(P.BOOL), np.bool_(True), True),
    *[(want(P.INT64), kind(7), 7) for kind in (
        np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
        np.intc, np.longlong, np.float16, np.float32, np.float64, np.longdouble)],
    (want(P.INT32), True, 1), (want(P.INT32), np.bool_(True), 1),
    (want(P.INT32), 5.0, 5), (want(P.INT32), decimal.Decimal("5.00"), 5),
    (want(P.INT64), decimal.Decimal(2**62 + 1), 2**62 + 1),
    *[(want(P.FLOAT64), kind(1), 1.0) for kind in (
        int, bool, np.int8, np.uint64, np.bool_, np.float16, np.float32, np.longdouble,
        decimal.Decimal)],
    (want(P.NUMERIC), np.int64(5), 5), (want(P.NUMERIC), np.float32(0.5), 0.5),
    (want(P.NUMERIC), np.longdouble(0.5), 0.5),
    (want(P.NUMERIC, extra="decimal"), np.float32(0.1), decimal.Decimal("0.1")),
    (want(P.NUMERIC), decimal.Decimal("1E+5"), 1e5),
    (want(P.NUMERIC), True, 1),
    (want(P.TEXT), np.str_("x"), "x"), (want(P.TEXT), Ref("a"), "a"),
    (want(P.TEXT), Symbol("s"), "s"), (want(P.TEXT), Uri("u"), "u"),
    (want(P.REF), "a", Ref("a")),
    (want(P.BYTEA), bytearray(b"x"), b"x"), (want(P.BYTEA), memoryview(b"xyz")[::2], b"xz"),
    (want(P.BYTEA), np.bytes_(b"x"), b"x"),
    (want(P.UUID), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    (want(P.OTHER, extra="money"), 5, "5"), (want(P.OTHER, extra="money"), np.float64(1.5), "1.5"),
    (want(P.DATE), dt.datetime(2024, 1, 2), dt.date(2024, 1, 2)),
    (want(P.DATE), pd.Timestamp("2024-01-02"), dt.date(2024, 1, 2)),
    (want(P.DATE), np.datetime64("2024-01-02"), dt.date(2024, 1, 2)),
    (want(P.TIMESTAMP), dt.date(2024, 1, 2), dt.datetime(2024, 1, 2)),
    (want(P.TIMESTAMP, extra="Europe/Berlin"), dt.datetime(2024, 7, 1, 12, tzinfo=UTC),
     dt.datetime(2024, 7, 1, 14)),
    (want(P.TIMESTAMPTZ, extra="Europe/Berlin"), dt.datetime(2024, 7, 1, 14),
     dt.datetime(2024, 7, 1, 12, tzinfo=UTC)),
    (want(P.TIMESTAMPTZ, extra="UTC"), pd.Timestamp("2024-07-01 14:00", tz="Europe/Berlin"),
     dt.datetime(2024, 7, 1, 12, tzinfo=UTC)),
    # nanoseconds are rounded
    (want(P.TIMESTAMP), pd.Timestamp("2024-01-01 00:00:00.123456499"),
     dt.datetime(2024, 1, 1, 0, 0, 0, 123456)),
    (want(P.TIMESTAMP), pd.Timestamp("2024-01-01 00:00:00.999999500"),
     dt.datetime(2024, 1, 1, 0, 0, 1)),
    (want(P.TIMESTAMP), np.datetime64("2024-01-01T00:00:00.123456789"),
     dt.datetime(2024, 1, 1, 0, 0, 0, 123457)),
    (want(P.TIMESTAMP), np.datetime64(-501, "ns"), dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    (want(P.TIMESTAMP), np.datetime64(-499, "ns"), dt.datetime(1970, 1, 1)),
    *[(want(P.TIMESTAMP), np.datetime64("2024", unit), dt.datetime(2024, 1, 1))
      for unit in ("Y", "M", "D", "h", "m", "s", "ms", "us", "ns")],
    (want(P.INTERVAL), pd.Timedelta(1499, "ns"), dt.timedelta(microseconds=1)),
    (want(P.INTERVAL), pd.Timedelta(1501, "ns"), dt.timedelta(microseconds=2)),
    (want(P.INTERVAL), pd.Timedelta(-400, "ns"), dt.timedelta(0)),
    (want(P.INTERVAL), pd.Timedelta(-600, "ns"), dt.timedelta(microseconds=-1)),
    (want(P.INTERVAL), pd.Timedelta(-1, "D"), dt.timedelta(-1)),
    (want(P.INTERVAL), np.timedelta64(1501, "ns"), dt.timedelta(microseconds=2)),
    *[(want(P.INTERVAL), np.timedelta64(1, unit), dt.timedelta(**{name: 1}))
      for unit, name in (("W", "weeks"), ("D", "days"), ("h", "hours"), ("m", "minutes"),
                         ("s", "seconds"), ("ms", "milliseconds"), ("us", "microseconds"))],
]


@pytest.mark.parametrize("column, value, result", OTHERS, ids=repr)
def test_other_values(column, value, result):
    assert trip(column, value) == [result]


# Errors ----------------------------------------------------------------------

Point = collections.namedtuple("Point", "x y")


class Odd:
    pass


ERRORS = [
    (want(P.BOOL), 1, "42846", 'Python type "int" has no mapping to boolean'),
    (want(P.INT32), "1", "42846", 'Python type "str" has no mapping to integer'),
    (want(P.INT32), Odd(), "42846", f'Python type "{__name__}.Odd" has no mapping to integer'),
    (want(P.INT16), 32768, "22003", "value 32768 is out of range for smallint"),
    (want(P.INT32), -2**31 - 1, "22003", "value -2147483649 is out of range for integer"),
    (want(P.INT64), 2**63, "22003", "value 9223372036854775808 is out of range for bigint"),
    (want(P.INT64), math.nan, "22003", "value nan is out of range for bigint"),
    (want(P.INT64), 1.5, "22003", "value 1.5 has a fraction, bigint has none"),
    (want(P.INT64), decimal.Decimal("9007199254740993.5"), "22003",
     "value 9007199254740993.5 has a fraction, bigint has none"),
    (want(P.NUMERIC), decimal.Decimal("sNaN1"), "22003",
     "value Decimal('sNaN1') is out of range for numeric"),
    (want(P.INT64), decimal.Decimal("sNaN"), "22003",
     "value Decimal('sNaN') is out of range for bigint"),
    (want(P.FLOAT32), 1e300, "22003", "value 1e+300 is out of range for real"),
    (want(P.FLOAT64), 10**400, "22003", None),
    (want(P.FLOAT64), decimal.Decimal("1E400"), "22003",
     "value Decimal('1E+400') is out of range for double precision"),
    (want(P.FLOAT64), "1", "42846", 'Python type "str" has no mapping to double precision'),
    (want(P.FLOAT64), 1j, "42846", 'Python type "complex" has no mapping to double precision'),
    (want(P.NUMERIC), "1", "42846", 'Python type "str" has no mapping to numeric'),
    (want(P.TEXT), 1, "42846", 'Python type "int" has no mapping to text'),
    (want(P.TEXT), b"x", "42846", 'Python type "bytes" has no mapping to text'),
    (want(P.TEXT), "a\0b", "22021", "a str with a NUL character does not fit text"),
    (want(P.TEXT), "\ud800", "22021", "a str with a lone surrogate (U+D800) has no UTF-8 form"),
    (want(P.BYTEA), "x", "42846", 'Python type "str" has no mapping to bytea'),
    (want(P.UUID), "x", "22P02", "'x' is no uuid"),
    (want(P.UUID), 5, "42846", 'Python type "int" has no mapping to uuid'),
    (want(P.DATE), "2024-01-01", "42846", 'Python type "str" has no mapping to date'),
    (want(P.DATE), dt.datetime(2024, 1, 1, 1), "22007",
     "value 2024-01-01 01:00:00 has a time of day, date has none"),
    (want(P.TIME), dt.datetime(2024, 1, 1), "42846",
     'Python type "datetime.datetime" has no mapping to time'),
    (want(P.TIME), dt.time(1, tzinfo=UTC), "22007",
     "value 01:00:00+00:00 has a time zone, time has none"),
    (want(P.TIMESTAMP), 5, "42846", 'Python type "int" has no mapping to timestamp'),
    (want(P.TIMESTAMP), np.datetime64("20000-01-01"), "22008",
     "value 20000-01-01 is out of range for timestamp"),
    (want(P.TIMESTAMP), np.datetime64(2**45, "s"), "22008", None),
    (want(P.TIMESTAMP, extra="Asia/Tokyo"), dt.datetime(9999, 12, 31, 23, tzinfo=UTC), "22008",
     "value 9999-12-31 23:00:00+00:00 is out of range for timestamp"),
    (want(P.TIMESTAMPTZ, extra="No/Where"), dt.datetime(2024, 1, 1), "22023",
     'time zone "No/Where" is unknown to Python'),
    (want(P.INTERVAL), 5, "42846", 'Python type "int" has no mapping to interval'),
    (want(P.INTERVAL), np.timedelta64(1, "M"), "22023",
     "a timedelta64 of unit 'M' has no fixed length"),
    (want(P.INTERVAL), np.timedelta64(1), "22023",
     "a timedelta64 of unit 'generic' has no fixed length"),
    (want(P.INTERVAL), np.timedelta64(10**15, "D"), "22008", None),
    (want(P.INTERVAL), dt.timedelta.max, "22003", None),
    (want(P.JSON), Odd(), "42846", None),
    (want(P.JSON), "\0", "22023", None),
    (want(P.OTHER, extra="inet"), b"", "42846", 'Python type "bytes" has no mapping to inet'),
    (want(P.OTHER, extra="money"), True, "42846", 'Python type "bool" has no mapping to money'),
    (array_of(P.INT32), 5, "42846", 'Python type "int" has no mapping to integer[]'),
    (array_of(P.TEXT), "abc", "42846", 'Python type "str" has no mapping to text[]'),
    (array_of(P.INT32), {1}, "42846", 'Python type "set" has no mapping to integer[]'),
    (array_of(P.INT32), np.array(5), "42846", 'Python type "numpy.ndarray" has no mapping to integer[]'),
    (array_of(P.INT32), [[1, 2], [3]], "2202E", "nested lists of different lengths are no array"),
    (array_of(P.INT32), [[[[[[[1]]]]]]], "54000", "lists nested deeper than 6 levels are no array"),
    (array_of(P.INT32), np.zeros((1,) * 7), "54000",
     "an array of 7 dimensions does not fit: PostgreSQL has at most 6"),
    (array_of(P.INT32), [[1], 2], "42846", 'Python type "list" has no mapping to integer'),
    (array_of(P.INT32), pd.DataFrame({"a": [1]}), "42846", None),
    (record(x=I4), 5, "42846", 'Python type "int" has no mapping to pair'),
    (record(x=want(P.INT32), y=want(P.INT32)), {"x": 1}, "42703", 'the dict has no key "y"'),
    (record(x=want(P.INT32)), {"x": 1, "z": 2}, "42703",
     'the dict has the key "z", which pair lacks'),
    (record(x=want(P.INT32)), (1, 2), "42804", "a row of 2 values does not fit pair of 1 fields"),
]


@pytest.mark.parametrize("column, value, sqlstate, message", ERRORS, ids=lambda item: str(item)[:40])
def test_errors(column, value, sqlstate, message):
    got = refused(column, value)
    assert got[0] == sqlstate
    assert message is None or got[1] == message


@pytest.mark.parametrize("column, value, path", [
    (array_of(P.INT32), [1, "x"], "[1]"),
    (array_of(P.INT32), [[1, 2], [3, 2**40]], "[3]"),
    (array_of(P.INT32), np.array([1, 2, 2**40]), "[2]"),
    (array_of(P.INT16), np.array([1.0, 1.5]), "[1]"),
    (array_of(P.TEXT), np.array([1, 2]), "[0]"),
    (record(x=want(P.INT32)), {"x": "a"}, ".x"),
    (record(a=array_of(P.INT32)), {"a": [1, "x"]}, ".a[1]"),
    (want(P.ARRAY, record(x=want(P.INT32))), [{"x": 1}, {"x": "a"}], "[1].x"),
])
def test_path_of_an_error(column, value, path):
    with pytest.raises(ConversionError) as info:
        encode_column(column, [value])
    assert info.value.detail == f"The value stands at {path} of the result."


# Arrays -----------------------------------------------------------------------

LISTS = [[1, 2, 3], (1, 2, 3), range(1, 4), array.array("h", [1, 2, 3]),
         memoryview(array.array("q", [1, 2, 3])), np.ma.array([1, 2, 3]),
         pd.Series([1, 2, 3]), pd.Index([1, 2, 3]), pd.array([1, 2, 3], dtype="Int64"),
         pd.Series([1, 2, 3], dtype="Int16"), pd.Series([1.0, 2, 3]),
         pd.Series([1, 2, 3], dtype=object), pd.Series([1, 2, 3], dtype="category"),
         np.arange(10)[1:4], np.arange(1, 7)[::2] // 2 + np.array([1, 1, 1]),
         np.array([3, 2, 1])[::-1], np.array([1, 2, 3], dtype=object)]
DTYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g",
          ">i2", ">i4", ">i8", ">u4", ">f4", ">f8"]


@pytest.mark.parametrize("tag", [P.INT16, P.INT32, P.INT64, P.FLOAT32, P.FLOAT64, P.NUMERIC])
@pytest.mark.parametrize("value", LISTS + [np.array([1, 2, 3], dtype=d) for d in DTYPES], ids=lambda
                         value: f"{type(value).__name__} {getattr(value, 'dtype', '')}")
def test_array_likes(tag, value):
    got = trip(array_of(tag), value)[0]
    assert got.tolist() == [1, 2, 3]
    assert got.flags.writeable
    if tag in P.NATIVE:
        assert got.dtype == np.dtype(P.NATIVE[tag])


@pytest.mark.parametrize("value, result", [
    (np.array([True, False]), [True, False]), ([True, None], [True, None]),
    (pd.Series([True, None], dtype="boolean"), [True, None]),
    (pd.Series([True, False]), [True, False]), (np.zeros(0, "?"), []), ([np.bool_(True)], [True])])
def test_bool_arrays(value, result):
    assert trip(array_of(P.BOOL), value)[0].tolist() == result


@pytest.mark.parametrize("value", [
    [1, None], [1, pd.NA], pd.Series([1, None], dtype="Int64"), pd.array([1, None], dtype="Int32"),
    pd.Index([1, None], dtype=object), np.ma.array([1, 5], mask=[False, True]),
    np.array([1, None]), pd.Series([1, pd.NA], dtype=object), pd.Series([1.0, math.nan]),
    pd.Series([1, None], dtype="category")])
def test_arrays_with_nulls(value):
    assert trip(array_of(P.INT32), value)[0].tolist() == [1, None]
    got = trip(array_of(P.FLOAT64), value)[0]
    assert got[0] == 1 and math.isnan(got[1])


def test_nan_of_an_ndarray_stays():
    data = encoded(array_of(P.FLOAT64), [np.array([math.nan])])
    assert not decode_batch(data)[0].children[0].mask


@pytest.mark.parametrize("value", [[], (), range(0), np.array([]), np.zeros((0, 3), "i4"),
                                   np.zeros((2, 0)), [[], []], pd.Series([], dtype="Int64"),
                                   array.array("i"), np.array([], dtype=object)])
def test_empty_arrays(value):
    for tag in (P.INT32, P.FLOAT64, P.BOOL, P.NUMERIC, P.TEXT):
        got = trip(array_of(tag), value, None, value)
        assert np.size(got[0]) == 0 and got[1] is None


@pytest.mark.parametrize("value, result", [
    (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
    (np.asfortranarray(np.arange(6).reshape(2, 3)), [[0, 1, 2], [3, 4, 5]]),
    (np.arange(12).reshape(3, 4)[::2, 1::2], [[1, 3], [9, 11]]),
    (np.arange(6).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
    ([[1, None], [3, 4]], [[1, None], [3, 4]]),
    ([np.array([1, 2]), [3, 4]], [[1, 2], [3, 4]]),
    ([np.ma.array([1, 2], mask=[0, 1]), (3, 4)], [[1, None], [3, 4]]),
    ([pd.Series([1, 2]), pd.Series([3, 4])], [[1, 2], [3, 4]]),
    (np.arange(64).reshape((2,) * 6), np.arange(64).reshape((2,) * 6).tolist()),
])
def test_nested_arrays(value, result):
    assert trip(array_of(P.INT32), value)[0].tolist() == result


def test_arrays_of_times():
    times = np.array(["2024-01-01", "NaT"], dtype="M8[ns]")
    first = dt.datetime(2024, 1, 1)
    for value in (times, pd.Series(times), pd.Index(times), list(times)):
        assert trip(array_of(P.TIMESTAMP), value) == [[first, None]]
    assert trip(array_of(P.TIMESTAMP), [times, times]) == [[[first, None]] * 2]
    assert trip(array_of(P.DATE), times) == [[dt.date(2024, 1, 1), None]]
    zoned = pd.Series(times[:1]).dt.tz_localize("UTC")
    assert trip(array_of(P.TIMESTAMPTZ, "UTC"), zoned) == [[first.replace(tzinfo=UTC)]]
    lengths = np.array([1, "NaT"], dtype="m8[s]")
    assert trip(array_of(P.INTERVAL), lengths) == [[dt.timedelta(seconds=1), None]]


def test_whole_arrays_are_not_encoded_value_by_value(monkeypatch):
    def one_by_one(value, column):
        raise AssertionError("a value was encoded on its own")

    for tag in scalars.CONVERTERS:
        monkeypatch.setitem(scalars.CONVERTERS, tag, one_by_one)
    times = np.array(["1969-12-31T23:59:59.999999500", "NaT", "2024-01-01"], dtype="M8[ns]")
    moments = [dt.datetime(1970, 1, 1), None, dt.datetime(2024, 1, 1)]
    for value in times, np.ma.array(times, mask=[0, 1, 0]), pd.Series(times), pd.Index(times):
        assert trip(array_of(P.TIMESTAMP), value) == [moments]
    assert trip(array_of(P.TIMESTAMP), times, times[1:]) == [moments, moments[1:]]
    assert trip(array_of(P.TIMESTAMPTZ, "Europe/Berlin"), times[2:]) \
        == [[dt.datetime(2024, 1, 1, tzinfo=BERLIN)]]
    assert trip(array_of(P.INTERVAL), np.array([1, "NaT"], "m8[s]")) == [[dt.timedelta(0, 1), None]]
    assert trip(array_of(P.DATE), times[1:]) == [[None, dt.date(2024, 1, 1)]]
    for value in [1.5, math.inf], [2**62, 1], [[1.5], [2.5]]:
        assert trip(array_of(P.NUMERIC), np.array(value))[0].tolist() == value
    assert trip(array_of(P.FLOAT64), np.array([1]), np.array([2]))[1].tolist() == [2.0]


@pytest.mark.parametrize("tag, value, place", [
    (P.DATE, np.array(["2024-01-01", "2024-01-01T12"], "M8[h]"), "[1]"),
    (P.INT16, np.array([1, 2, 40000, 5, 50000]), "[2]"), (P.INT32, [1, 2, "x"], "[2]"),
    (P.FLOAT32, np.array([[1, 2], [3, 1e300]]), "[3]"), (P.NUMERIC, [1, 2, 3, {}, 4], "[3]"),
    (P.INT32, np.array([math.nan, 1]), "[0]"),
    (P.TIMESTAMP, np.array([0, 10**15], "M8[h]"), "[1]")])
def test_errors_of_arrays_name_the_element(tag, value, place):
    with pytest.raises(ConversionError) as caught:
        encoded(array_of(tag), [value])
    assert caught.value.path == [place]


def test_arrays_of_texts():
    for value in (np.array(["a", "b"]), pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype="string"),
                  pd.Categorical(["a", "b"]), np.array(["a", "b"], dtype=object)):
        assert trip(array_of(P.TEXT), value) == [["a", "b"]]
    assert trip(array_of(P.TEXT), pd.Series(["a", None, math.nan])) == [["a", None, None]]
    assert trip(array_of(P.TEXT), pd.Categorical(["a", None])) == [["a", None]]


def test_decoded_arrays_share_the_frame():
    data = encoded(array_of(P.INT32), [[1, 2, 3]])
    got = decode_column(decode_batch(data)[0])[0]
    got[0] = 7
    assert decode_column(decode_batch(data)[0])[0].tolist() == [7, 2, 3]


# Records ----------------------------------------------------------------------

@dataclasses.dataclass
class Pair:
    x: int
    y: int


@pytest.mark.parametrize("value", [
    {"x": 1, "y": 2}, {"y": 2, "x": 1}, Point(1, 2), Pair(1, 2), (1, 2), [1, 2],
    collections.OrderedDict(y=2, x=1), collections.ChainMap({"x": 1}, {"y": 2})])
def test_rows(value):
    column = record(x=want(P.INT32), y=want(P.INT32))
    assert trip(column, value) == [{"x": 1, "y": 2}]
    assert trip(want(P.ARRAY, record(x=want(P.INT32), y=want(P.INT32))), [value, None]) == [
        [{"x": 1, "y": 2}, None]]


# Time zones -------------------------------------------------------------------

@pytest.mark.parametrize("name, january, july", [
    ("UTC", 0, 0), ("GMT", 0, 0), ("", 0, 0), ("Europe/Berlin", 1, 2), ("Asia/Kolkata", 5.5, 5.5),
    ("<+05>-05", 5, 5), ("<-03>+03", -3, -3), ("<+05:30>-05:30", 5.5, 5.5),
    ("<-03:30>+03:30", -3.5, -3.5), ("FOO+2", -2, -2), ("EST5EDT,M3.2.0,M11.1.0", -5, -4),
    ("<A-1>-1<B-2>,M3.5.0,M10.5.0/3", 1, 2), ("NZST-12NZDT,M9.5.0,M4.1.0/3", 13, 12)])
def test_time_zones(name, january, july):
    zone = time_zone(name)
    for month, hours in ((1, january), (7, july)):
        assert dt.datetime(2024, month, 1, tzinfo=zone).utcoffset() == dt.timedelta(hours=hours)
    value = dt.datetime(2024, 7, 1, 12, tzinfo=UTC)
    assert trip(want(P.TIMESTAMPTZ, extra=name), value) == [value]


@pytest.mark.parametrize("name", ["No/Where", "America", "/etc/passwd", "../x", "5", "a b"])
def test_unknown_time_zones(name):
    with pytest.raises(ConversionError) as info:
        time_zone(name)
    assert info.value.sqlstate == "22023"


def test_moment_outside_of_pythons_years():
    data = encoded(want(P.TIMESTAMPTZ, extra="America/New_York"), [dt.datetime(1, 1, 1, tzinfo=UTC)])
    with pytest.raises(ConversionError) as info:
        decode_column(decode_batch(data)[0])
    assert info.value.sqlstate == "22008"


# Ill-formed ---------------------------------------------------------------------

@pytest.mark.parametrize("data, message", [
    (b"", "truncated batch"), (b"\1\0\0\0\0\0\0\0", "truncated column"),
    (b"\1\0\0\0\0\0\0\0" + bytes([99]) + b"\0" * 15, "unknown tag 99"),
    (b"\0" * 16, "trailing bytes in a batch"),
    (b"\1\0\0\0\0\0\0\0" + (bytes([26]) + b"\0" * 7 + b"\1" + b"\0" * 7 + b"\1" + b"\0" * 7) * 70,
     "columns nested too deeply"),
])
def test_ill_formed(data, message):
    with pytest.raises(ProtocolError, match=message):
        decode_batch(data)


def test_first_text():
    text, other = Column(P.TEXT, "expr", "", 1), Column(P.INT64, "", "", 1)
    for value in ("", "x", "1 + 1", "é" * 4, "12345678"):
        payload = b"".join(encode_batch([encode_column(text, [value]), encode_column(other, [5])]))
        found, end = P.first_text(bytearray(payload))
        assert found == value
        (rest,), position = P.decode_columns(memoryview(payload), end, 1)
        assert decode_column(rest) == [5] and position == len(payload)
        for length in range(40):
            with pytest.raises((ProtocolError, struct.error)):
                P.first_text(payload[:min(length, end - 1)])
    for column, values in ((other, [5]), (text, [None]), (text, ["a", "b"])):
        with pytest.raises(ProtocolError):
            P.first_text(b"".join(encode_batch([encode_column(column, values)])))


@pytest.mark.parametrize("value", [
    1, -5, 10 ** 30, True, 1.5, float("nan"), float("inf"), "", "é\n\"", "1234567", None, [], [1, None],
    {}, {"a": [1.0]}, (1, 2), decimal.Decimal("1.5"), "nul\0", "\ud800", {1: 2}, {"_kind": "x"}, object()])
@pytest.mark.parametrize("tag", [P.JSON, P.TEXT, P.INT64, P.FLOAT64, P.BOOL])
def test_a_single_value_is_written_as_in_a_column(tag, value):
    want = Column(tag, "", "", 0)
    try:
        expected = b"".join(encode_column(want, [value]))
    except ConversionError as error:
        with pytest.raises(ConversionError) as raised:
            ValueWriter(want).write(value)
        assert (raised.value.sqlstate, raised.value.message) == (error.sqlstate, error.message)
    else:
        assert b"".join(ValueWriter(want).write(value)) == expected
