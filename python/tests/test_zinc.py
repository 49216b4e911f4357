"""hxpy.zinc: Zinc written and read."""

import datetime as dt
import io
import math
import subprocess
import sys
import time
import zoneinfo
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hxpy import zinc
from hxpy.hayson import HaysonError, HaysonTypeError
from hxpy.haystack import (NA, Coord, Grid, GridBuilder, GridCol, Marker, Number, Ref, Remove,
                           Symbol, Uri, XStr)
from hxpy.zinc import ZincError, dumps, dumps_scalar, loads, loads_scalar

DATA = Path(__file__).resolve().parent / "../../../shared/haystack-data/carytown"
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
UTC = dt.timezone.utc


def grid_of(cols, *rows, meta=None):
    builder = GridBuilder().set_meta(meta or {}).add_col_names(cols)
    for row in rows:
        builder.add_row(row)
    return builder.to_grid()


def kinds(value):
    """Return a value's shape with the types of all its parts, which == does not look at."""
    if isinstance(value, Grid):
        return [kinds(value.meta())] + [[col.name(), kinds(col.meta()), kinds(value.cells(col))]
                                        for col in value.cols()]
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    return (type(value), getattr(value, "unit", None), getattr(value, "tzinfo", None),
            value.dis() if isinstance(value, Ref) else None)


# Values: both ways, and the form in the text

BOTH_WAYS = [
    (None, "N"), (True, "T"), (False, "F"), (Marker(), "M"), (NA(), "NA"), (Remove(), "R"),
    (2, "2"), (-1, "-1"), (0.5, "0.5"), (5.0, "5.0"), (-0.0, "-0.0"), (1.5e-7, "1.5e-07"),
    (1e300, "1e+300"), (2**53 + 1, "9007199254740993"), (math.inf, "INF"), (-math.inf, "-INF"),
    (Number(72.1, "°F"), "72.1°F"), (Number(-5, "kWh/ft²"), "-5kWh/ft²"), (Number(5, "$"), "5$"),
    (Number(5, "%"), "5%"), (Number(5, "_custom"), "5_custom"), (Number(5, "eV"), "5eV"),
    (Number(1e300, "kW"), "1e+300kW"), (Number(5, "E"), "5E"), (Number(5, "m3"), "5m3"),
    ("", '""'), ("x", '"x"'), ("ä😀", '"ä😀"'), ('\n\r\f\t"\\$', r'"\n\r\f\t\"\\\$"'),
    ("\x01\x00\b\x1f\x7f", '"\\u0001\\u0000\\u0008\\u001f\x7f"'), ("a,b\u2028`", '"a,b\u2028`"'),
    (Uri("http://x/a?b=c#d"), "`http://x/a?b=c#d`"), (Uri("a b$"), "`a b$`"), (Uri(""), "``"),
    (Uri("a`b"), r"`a\u0060b`"), (Uri("a\nb"), r"`a\u000ab`"), (Uri(r"a\:b\\c"), r"`a\:b\\c`"),
    (Uri("C:\\temp\\"), r"`C:\u005ctemp\u005c`"), (Uri("\\u0041"), r"`\u005cu0041`"),
    (Uri("\\\\\\"), r"`\\\u005c`"), (Uri("😀"), "`😀`"),
    (Ref("a-1:b.c~d_E"), "@a-1:b.c~d_E"), (Ref("a", 'x "y"'), r'@a "x \"y\""'),
    (Ref("a", ""), '@a ""'),
    (Symbol("hot-water"), "^hot-water"), (Symbol("lib:ph"), "^lib:ph"),
    (dt.date(2020, 7, 17), "2020-07-17"), (dt.date(1, 1, 1), "0001-01-01"),
    (dt.time(14, 30), "14:30:00"), (dt.time(14, 30, 0, 500000), "14:30:00.5"),
    (dt.datetime(2020, 7, 17, 16, 55, 42, 977000, NEW_YORK),
     "2020-07-17T16:55:42.977-04:00 New_York"),
    (dt.datetime(2020, 7, 17, 16, 55, 42, 1, UTC), "2020-07-17T16:55:42.000001Z"),
    (dt.datetime(2020, 1, 17, 16, 55, tzinfo=zoneinfo.ZoneInfo("Europe/London")),
     "2020-01-17T16:55:00Z London"),
    (dt.datetime(2020, 1, 17, 16, 55, tzinfo=zoneinfo.ZoneInfo("Etc/GMT+5")),
     "2020-01-17T16:55:00-05:00 GMT+5"),
    (dt.datetime(2020, 1, 17, 16, 55), "2020-01-17T16:55:00Z Rel"),
    (Coord(37.54, -77.44), "C(37.54,-77.44)"), (Coord(12, 0), "C(12.0,0.0)"),
    (Coord(0.000001, -0.000001), "C(0.000001,-0.000001)"),
    (XStr("Span", "today"), 'Span("today")'), (XStr("C", ""), 'C("")'),
    (XStr("Foo_1", 'a(")'), r'Foo_1("a(\")")'), (b"\x00\xff", 'Buf("AP8=")'), (b"", 'Buf("")'),
    ([], "[]"), ([1, None, "a,b", [Marker()]], '[1,N,"a,b",[M]]'), ({}, "{}"),
    ({"dis": "x", "m": Marker(), "n": None, "d": {"_a": [1]}}, '{dis:"x" m n:N d:{_a:[1]}}'),
    (grid_of(["a", "b"], [1, None], meta={"x": Marker(), "y": [1]}),
     '<<\nver:"3.0" x y:[1]\na,b\n1,\n\n>>'),
    ([grid_of(["a"], [None], [Grid()])],
     '[<<\nver:"3.0"\na\nN\n<<\nver:"3.0"\nnoCols\n\n>>\n\n>>]'),
]


@pytest.mark.parametrize("value, text", BOTH_WAYS, ids=[text for _, text in BOTH_WAYS])
def test_both_ways(value, text):
    assert dumps_scalar(value) == text
    for again in (loads(text), loads_scalar(f" {text}\t"), loads(f"[{text}]")[0],
                  loads(f'ver:"3.0"\na,b\n{text},\n')[0, "a"],
                  loads(f'ver:"3.0" m:{text} n:{text}\na n:{text} m:{text}\n').meta()["m"],
                  loads(f"/* x */ {{a:{text}, b c:{text}}} // y")["a"]):
        assert again == value and kinds(again) == kinds(value)


def test_nan():
    value = loads("NaN")
    assert value != value and dumps(math.nan) == "NaN" == dumps(Number(math.nan))
    assert dumps(grid_of(["a"], [math.nan], [0.5])) == 'ver:"3.0"\na\nNaN\n0.5\n\n'


def test_grid():
    text = ('ver:"3.0" id:@a hisStart:2012-10-01T00:00:00-04:00 New_York marker\n'
            'ts,val dis:"Value" unit:"kW" x\n'
            '2012-10-01T00:15:00-04:00 New_York,72.1°F\n,\n\n')
    start = dt.datetime(2012, 10, 1, tzinfo=NEW_YORK)
    grid = Grid({"id": Ref("a"), "hisStart": start, "marker": Marker()},
                [GridCol(0, "ts"), GridCol(1, "val", {"dis": "Value", "unit": "kW",
                                                      "x": Marker()})],
                [[start + dt.timedelta(minutes=15), None], [Number(72.1, "°F"), None]])
    assert loads(text) == grid and dumps(grid) == text
    assert loads(text.replace("\n", "\r\n")) == grid == loads(text.replace("\n", "\r"))
    assert loads(text.encode()) == grid == loads("\ufeff" + text) == loads(text.rstrip("\n"))
    assert loads(text.replace("3.0", "2.0")) == grid
    assert dumps({"ver": 1}) == "{ver:1}"
    assert dumps(Grid({"ver": "2.0"})) == 'ver:"3.0"\nnoCols\n\n' and loads(dumps(Grid())) == Grid()
    assert loads('ver:"3.0"\nnoCols x\n') == Grid({}, [GridCol(0, "noCols", {"x": Marker()})], [[]])
    file = io.StringIO()
    zinc.dump(grid, file)
    assert zinc.load(io.StringIO(file.getvalue())) == grid == zinc.load(
        io.BytesIO(file.getvalue().encode()))


# What others write


@pytest.mark.parametrize("text, value", [
    ("8:30", dt.time(8, 30)), ("0xFF", 255), ("0x_f", Number(0, "x_f")), ("1_000.5_0", 1000.5),
    ("5_000kW", Number(5000, "kW")), ("1E-7", 1e-7), ("1.5E10kW", Number(1.5e10, "kW")),
    ("007", 7), ("100$/ft²", Number(100, "$/ft²")), ("5é", Number(5, "é")),
    (r'"\b\'\`\u00e4\u{1F600}\uD83D\uDE00\u{1}"', "\b'`ä😀😀\x01"),
    ('"""a "b"\n\\"\\u0041, c"""', 'a "b"\n"A, c'), ('""""""', ""), ('"""a"""', "a"),
    (r"`a\`b\n\t\$\u0041\u{42}\uD83D\uDE00\:\/\?\#\[\]\@\&\=\;\\`",
     Uri("a`b\n\t$AB😀\\:\\/\\?\\#\\[\\]\\@\\&\\=\\;\\\\")),
    ('@a"x"', Ref("a", "x")), ('@a \t "x"', Ref("a", "x")), ("C( 1 , -2 )", Coord(1, -2)),
    ('Span ( "x" )', XStr("Span", "x")), ("Bin(text/plain)", XStr("Bin", "text/plain")),
    ('Bin("text/plain")', XStr("Bin", "text/plain")), ('Buf("A")', XStr("Buf", "A")),
    ("2020-07-17T16:55:42.123456789Z", dt.datetime(2020, 7, 17, 16, 55, 42, 123457, UTC)),
    ("2020-07-17T16:55:42+00:00 UTC", dt.datetime(2020, 7, 17, 16, 55, 42, 0, UTC)),
    ("2020-07-17T16:55Z UTC", dt.datetime(2020, 7, 17, 16, 55, tzinfo=UTC)),
    ("2020-07-17T16:55:42-04:00 America/New_York",
     dt.datetime(2020, 7, 17, 16, 55, 42, tzinfo=NEW_YORK)),
    ("2020-07-17T16:55:42-07:00 New_York",
     dt.datetime(2020, 7, 17, 19, 55, 42, tzinfo=NEW_YORK)),
    ("2020-07-17T16:55:42-04:00",
     dt.datetime(2020, 7, 17, 16, 55, 42, tzinfo=zoneinfo.ZoneInfo("Etc/GMT+4"))),
    ("[]", []), ("[ 1 , 2 , ]", [1, 2]), ("[\n1,\n// x\n2\n]", [1, 2]),
    ("{a:1,b,c:2,}", {"a": 1, "b": Marker(), "c": 2}),
    ("{ a : 1\n b }", {"a": 1, "b": Marker()}), ("/* a /* b */ c */5//d", 5), ("\n\n5\n\n", 5),
    ('ver : "2.0"\na\nBin(text/plain; x)\n', grid_of(["a"], [XStr("Bin", "text/plain; x")])),
    ('// x\nver:"3.0" /* y */ m // z\na /* */ ,\tb\xa0dis:"B" //\n 1\t,\xa02 // c\n// d\n,\n',
     Grid({"m": Marker()}, [GridCol(0, "a"), GridCol(1, "b", {"dis": "B"})],
          [[1, None], [2, None]])),
    ('ver:"3.0"\na\n1\n  \n\n\n', grid_of(["a"], [1])),
    ('ver:"3.0"\na\n' + "// x\n" * 3000 + "1\n /* x */ // y", grid_of(["a"], [1])),
    ('ver:"3.0"\na,b\n"x, y","http://z" \n`http://x/[1]`,@a "b,c"\nC(1,2),Foo("a,(")\n',
     grid_of(["a", "b"], ["x, y", "http://z"], [Uri("http://x/[1]"), Ref("a")],
             [Coord(1, 2), XStr("Foo", "a,(")])),
    ('ver:"3.0"\na,b\n"""x\n,y""",[1,\n2]\n"""a""","""b"""\n',
     grid_of(["a", "b"], ["x\n,y", [1, 2]], ["a", "b"])),
    ('ver:"3.0"\na,b\n<<ver:"3.0"\nc\n1>>,{x:"a,b"}\n<<\nver:"3.0"\nc,d\n,\n\n\n>>,\n3,4',
     grid_of(["a", "b"], [grid_of(["c"], [1]), {"x": "a,b"}],
             [grid_of(["c", "d"], [None, None]), None], [3, 4])),
    ('ver:"3.0"\nempty\n\n', grid_of(["empty"])),
])
def test_lenient_reader(text, value):
    again = loads(text)
    assert again == value and type(again) is type(value)


def test_a_large_number():
    digits = "1" + "0" * 5000
    assert dumps(loads(digits)) == digits and loads(digits + "kW").unit == "kW"


@pytest.mark.parametrize("text, message", [
    ("", "expected a value, found the end at line 1 column 1"),
    ("// x", "expected a value, found the end at line 1 column 5"),
    ("true", 'unknown word "true" at line 1 column 1'),
    ("\n  foo", 'unknown word "foo" at line 2 column 3'),
    ("1 2", "unexpected text after the end of the value at line 1 column 3"),
    ("+5", "expected a value, found '+5' at line 1 column 1"),
    ("5-", "expected a value, found '5-' at line 1 column 1"), ("1.2.3", "line 1 column 1"),
    ("1e5e5-", "at line 1 column 1"), ("--5", "expected a value"), ("-", "expected a value"),
    ('"abc', "a Str has no end at line 1 column 1"), ('"a\nb"', "a Str has no end"),
    ('"""abc"', "a Str has no end"), ('"a\\"', "a Str has no end"),
    ("`abc", "a Uri has no end at line 1 column 1"), ("`a\\`", "a Uri has no end"),
    (r'["a", "\x"]', "unknown escape \\x at line 1 column 7"),
    (r'"\u12"', "unknown escape \\u"), (r'"\u{110000}"', "at line 1 column 1"),
    (r"`\C`", "unknown escape \\C"), (r'@a "\x"', "unknown escape \\x"),
    (r'Foo("\x")', "unknown escape \\x at line 1 column 5"),
    ("@", "a Ref has no id at line 1 column 1"), ("^ä", "a Symbol has no id"),
    ("2020-02-30", "day is out of range"), ("2020-2-3", "'2020-2-3' is no date"),
    ("25:00", "at line 1 column 1"), ("1:2:3", "is no time"), ("12:00x", "expected a value"),
    ("2020-07-17T16:55:42Z Nowhere", '"Nowhere" is unknown at line 1 column 1'),
    ("2020-07-17T16:55:42", "neither an offset nor a time zone at line 1 column 1"),
    ("C(91,0)", "a Coord's lat must be within ±90 degrees, not 91.0 at line 1 column 1"),
    ("C(1)", "expected a comma, found ')' at line 1 column 4"),
    ("C(1,2", "expected ), found the end at line 1 column 6"), ("C(x,1)", "expected a number"),
    ("foo(1)", "expected a Str, found '1)' at line 1 column 5"),
    ('foo("x")', "'foo' is no XStr type"), ("Foo(x)", "expected a Str"),
    ("Bin(x", "expected a Str"),
    ("[1 2]", "expected ], found '2]' at line 1 column 4"), ("[1,", "found the end at line 1"),
    ("{A:1}", '"A" is no name of a tag at line 1 column 2'), ("{_:1}", '"_" is no name of a tag'),
    ("{a:1 a:2}", 'there are two tags "a" at line 1 column 6'), ("{a:}", "found '}'"),
    ("{a", "expected }, found the end at line 1 column 3"), ("/* x", "a comment has no end"),
    ("<<1>>", "expected ver:\"3.0\", found '1>>' at line 1 column 3"),
    ('<<\nver:"3.0"\na\n1\n', "expected >>, found the end at line 5 column 1"),
    ("ver", "expected ver:\"3.0\""), ("ver:3", "expected ver"),
    ('ver:"4.0"\na\n', 'version "4.0" is unknown at line 1 column 1'),
    ('ver:"3.0"', "expected a column's name, found the end at line 1 column 10"),
    ('ver:"3.0", a\nb\n', "expected a tag of the grid or the line's end, found ', a'"),
    ('ver:"3.0"\n\n', "expected a column's name, found the end of the line at line 2 column 1"),
    ('ver:"3.0"\nA\n', '"A" is no name of a column at line 2 column 1'),
    ('ver:"3.0"\na,b,a\n', 'there are two columns "a" at line 2 column 5'),
    ('ver:"3.0"\na b:\n', "expected a value, found the end of the line at line 2 column 5"),
    ('ver:"3.0"\na,b\n1\n', "a row has 1 cells for 2 columns at line 3 column 2"),
    ('ver:"3.0"\na,b\n1,2\n1,2,3\n', "a row has more cells than the 2 columns at line 4 column 4"),
    ('ver:"3.0"\na,b\n1,"x\n', "a Str has no end at line 3 column 3"),
    ('ver:"3.0"\na,b\n1,2\n3,x\n', 'unknown word "x" at line 4 column 3'),
    ('ver:"3.0"\na,b\n1,"\\x"\n', "unknown escape \\x at line 3 column 3"),
    ('ver:"3.0"\na,b\n1,2 3\n', "expected a comma or the line's end, found '3' at line 3 column 5"),
    ('ver:"3.0"\na\n1\n\n2\n', "unexpected text after the end of the grid at line 5 column 1"),
    ('ver:"3.0"\na\n1\n>>\n', "unexpected text after the end of the grid at line 4 column 1"),
    ('ver:"3.0"\r\na,b\r\n1,2\r\n3,x\r\n', 'unknown word "x" at line 4 column 3'),
    ('ver:"3.0"\na,b\n1,[\n<<\nver:"3.0"\nc\nx\n>>]\n', 'unknown word "x" at line 7 column 1'),
    ('ver:"3.0"\na\n5NaN-\n', "at line 3 column 1"),
])
def test_reader_errors(text, message):
    with pytest.raises(ZincError) as caught:
        loads(text)
    assert message in str(caught.value) and " at line " in str(caught.value)
    assert caught.value.line >= 1 and caught.value.column >= 1
    assert isinstance(caught.value, HaysonError) and isinstance(caught.value, ValueError)


def test_other_reader_errors():
    with pytest.raises(ZincError, match="not UTF-8"):
        loads(b"\xff")
    for text in ("[" * 100_000, "{a:" * 100_000, '<<\nver:"3.0"\na\n' * 5000):
        with pytest.raises(ZincError, match="nested too deeply"):
            loads(text)
    with pytest.raises(ZincError, match="line 1 column 1"):
        loads_scalar('ver:"3.0"\na\n')


# What cannot be written


class Socket:
    pass


@pytest.mark.parametrize("value, error, message", [
    ({"my key": 1}, ZincError, 'Zinc cannot hold the name "my key": '),
    ([{"a": {"B": 1}}], ZincError, '$[0].a'),
    (Grid({}, [GridCol(0, "A")], [[1]]), ZincError, 'Zinc cannot hold the name "A"'),
    (Grid({"X": 1}), ZincError, 'at $.meta'),
    (grid_of(["noCols"]), ZincError, "would be read as one without columns"),
    (Number(5, "e3"), ZincError, 'Zinc cannot hold the unit "e3" after 5'),
    (Number(0, "xff"), ZincError, 'Zinc cannot hold the unit "xff" after 0'),
    ([Number(5, "my unit")], ZincError, 'Zinc cannot hold the unit "my unit" after 5 at $[0]'),
    (Number(5, "-a"), ZincError, "cannot hold the unit"), (Number(5, "_1"), ZincError, "the unit"),
    (Number(math.inf, "kW"), ZincError, 'Zinc cannot hold an infinity with a unit ("kW")'),
    ([XStr("Buf", "AP8=")], ZincError, "would be read as bytes at $[0]"),
    (["\ud800"], ZincError, "a str with a lone surrogate cannot be written"),
    (Uri("\ud800"), ZincError, "a str with a lone surrogate"),
    ({1: 2}, HaysonTypeError, 'a dict\'s key must be a str, not "int"'),
    ([Socket()], HaysonTypeError, 'cannot convert Python type "test_zinc.Socket" to Zinc at $[0]'),
    (grid_of(["a", "b"], [1, 2], [1, {"x": 1j}]), HaysonTypeError, "at $.rows[1].b.x"),
    (grid_of(["a"], [dt.time(1, tzinfo=UTC)]), ZincError,
     "Haystack's Time has no time zone at $.rows[0].a"),
    (Grid({}, [GridCol(0, "a", {"x": 1j})], [[]]), HaysonTypeError, "at $.cols[0].meta.x"),
    ({"t": dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(minutes=30)))}, ZincError,
     "lies outside of the years 1 to 9999 in UTC"),
])
def test_what_cannot_be_written(value, error, message):
    with pytest.raises(error) as caught:
        dumps(value)
    assert message in str(caught.value)


def test_depth():
    deep = Marker()
    for place in range(zinc.MAX_DEPTH):
        deep = [deep] if place % 2 else grid_of(["a", "b"], [deep, 1])
    assert loads(dumps([deep][0])) == deep
    circle = []
    circle.append({"a": circle})
    for value in ([[deep]], circle):
        with pytest.raises(ZincError, match="nested deeper than 100, or contains itself"):
            dumps(value)


# Python's other types


@pytest.mark.parametrize("value, expected", [
    (Decimal("0.5"), "0.5"), ((1, "x"), '[1,"x"]'), (dt.timedelta(minutes=5), "300s"),
    (range(2), "[0,1]"), (bytearray(b"a"), 'Buf("YQ==")'), (type("S", (str,), {})("x"), '"x"'),
    (grid_of(["a"], [1]).first(), "{a:1}"),
])
def test_python_types(value, expected):
    assert dumps(value) == expected and dumps({"a": [value]}) == "{a:[%s]}" % expected
    assert dumps(grid_of(["a"], [value])) == f'ver:"3.0"\na\n{expected}\n\n'


def test_dataframe():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"val": [1.5, None], "Zone Temp": [1, 2]})
    frame.attrs = {"dis": "x", "cols": {"val": {"unit": "kW"}}}
    text = 'ver:"3.0" dis:"x"\nval unit:"kW",zoneTemp sqlName:"Zone Temp"\n1.5,1\n,2\n\n'
    assert dumps(frame) == text and dumps([frame]) == f"[<<\n{text}>>]"
    assert loads(text)["zoneTemp"] == [1, 2]
    assert dumps(pandas.Series([1.5, None])) == "[1.5,N]"
    assert dumps(grid_of(["a"], [pandas.NA], [pandas.NaT])) == 'ver:"3.0"\na\nN\nN\n\n'


def test_nothing_heavy_is_imported():
    code = ("import sys; from hxpy import csv, trio, v3, zinc; "
            "assert not {'numpy', 'pandas', 'zoneinfo'} & set(sys.modules)")
    root = Path(zinc.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


# Property: whatever goes in comes out

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
IDS = st.from_regex(r"[A-Za-z0-9_:.~-]+", fullmatch=True)
NAMES = st.from_regex(r"[a-z][A-Za-z0-9_]{0,8}", fullmatch=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
UNITS = st.sampled_from(["°F", "kW", "%", "$", "_x", "ft²", "kWh/ft²", "e", "E", "eV", "m3",
                         "µg/m³"])
ZONES = st.sampled_from([UTC, *map(zoneinfo.ZoneInfo, (
    "America/New_York", "Europe/London", "Asia/Kolkata", "Etc/GMT+5", "Pacific/Auckland"))])
SCALARS = st.one_of(
    st.booleans(), st.integers(), FINITE, st.sampled_from([math.inf, -math.inf]), TEXT,
    st.binary(), st.builds(Number, st.integers() | FINITE, UNITS),
    st.sampled_from([Marker(), NA(), Remove()]), st.builds(Ref, IDS, TEXT | st.none()),
    st.builds(Symbol, IDS), st.builds(Uri, TEXT), st.dates(),
    st.times().map(lambda time: time.replace(fold=0)), st.datetimes(),
    st.datetimes(min_value=dt.datetime(1901, 1, 2), max_value=dt.datetime(2099, 12, 30),
                 timezones=ZONES).map(lambda t: t.astimezone(UTC).astimezone(t.tzinfo)),
    st.builds(Coord, st.floats(-90, 90), st.floats(-180, 180)),
    st.builds(XStr, st.from_regex(r"[A-Z][A-Za-z0-9_]*", fullmatch=True)
              .filter(lambda name: name != "Buf"), TEXT))
META = st.dictionaries(NAMES.filter(lambda name: name != "ver"), SCALARS, max_size=2)


def grids(cells, meta=META):
    return st.builds(
        lambda meta, cols, rows: Grid(
            meta, [GridCol(i, name, cols[name]) for i, name in enumerate(cols)],
            [[row[i] for row in rows] for i in range(len(cols))]),
        meta, st.dictionaries(NAMES, meta, min_size=1, max_size=3),
        st.lists(st.lists(cells | st.none(), min_size=3, max_size=3), max_size=3))


def values(scalars=SCALARS):
    return st.recursive(
        scalars, lambda inner: st.lists(inner | st.none(), max_size=4) | grids(inner)
        | st.dictionaries(NAMES, inner | st.none(), max_size=4), max_leaves=12)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(values())
def test_values_survive(value):
    for write in (dumps, dumps_scalar):
        text = write(value)
        again = loads(text)
        assert again == value and kinds(again) == kinds(value)
        assert write(again) == text
        text.encode()


@given(st.integers() | FINITE, st.text())
def test_units_survive_or_are_refused(number, unit):
    try:
        text = dumps(Number(number, unit))
    except ZincError:
        return
    assert loads(text) == Number(number, unit)
    assert loads(f'ver:"3.0"\na,b\n{text},{text}\n')["b"] == [Number(number, unit)]


@given(st.text("\\`:/?un0041{}\n$ä", max_size=12))
def test_uris_survive(text):
    assert loads(dumps(Uri(text))) == text


@settings(deadline=None)
@given(st.text('ver:"3.0"\na,b1 -[]{}<>()\\`@^/*TCN', max_size=40)
       | st.text('1a,"\\`\n<>[]{}N@^ C()/*', max_size=40).map('ver:"3.0"\na,b\n'.__add__))
def test_any_text_is_read_or_refused(text):
    try:
        value = loads(text)
    except ZincError as error:
        assert error.line is not None
    else:
        text = dumps(value)
        assert dumps(loads(text)) == text  # NaN is not equal to itself


# Real data, speed


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown():
    with open(DATA / "carytown.zinc", encoding="utf-8") as file:
        grid = zinc.load(file)
    assert grid.size() == 24 and grid.meta() == {} and loads(dumps(grid)) == grid
    site = next(row for row in grid if row.has("site"))
    assert site["area"] == Number(3149.0, "ft²") and site["id"].dis() == "Carytown"
    assert site["geoCoord"] == Coord(37.555385, -77.486903)


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown_histories():
    paths = sorted((DATA / "his").glob("*.zinc"))
    assert len(paths) == 19
    for path in paths:
        grid = loads(path.read_bytes())
        assert grid.col_names() == ["ts", "val"] and grid.size() > 0
        assert grid.meta()["hisStart"] == dt.datetime(2020, 6, 1, tzinfo=UTC)
        assert all(isinstance(ts, dt.datetime) for ts in grid["ts"]) and loads(dumps(grid)) == grid


def big_grid(rows, cols):
    """Return a grid of all that a building's points bring."""
    start = dt.datetime(2021, 1, 1, tzinfo=NEW_YORK)
    makers = [
        lambda i: i * 0.37, lambda i: Number(round(i * 0.1, 1), "°F"), lambda i: f"Text {i}, x",
        lambda i: Marker() if i % 2 else None, lambda i: Ref(f"p:r:{i}", f"Point {i}"),
        lambda i: start + dt.timedelta(minutes=15 * i)]
    return Grid({}, [GridCol(i, f"v{i}") for i in range(cols)],
                [[makers[i % len(makers)](j) for j in range(rows)] for i in range(cols)])


def test_a_large_grid_is_read_soon():
    """2,000 × 100 cells take 0.2 s on an idle machine; the limit leaves room for a busy one."""
    text = dumps(big_grid(2000, 100))
    start = time.process_time()
    grid = loads(text)
    assert time.process_time() - start < 1 and grid.size() == 2000
