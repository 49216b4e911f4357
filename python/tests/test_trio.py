"""hxpy.trio: Trio written and read."""

import datetime as dt
import io
import math
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_zinc import DATA, NAMES, NEW_YORK, SCALARS, TEXT, UTC, grid_of, kinds, values

from hxpy import trio, zinc
from hxpy.hayson import HaysonError, HaysonTypeError
from hxpy.haystack import (NA, Coord, Grid, GridCol, Marker, Number, Ref, Remove, Symbol, Uri,
                           XStr)
from hxpy.trio import TrioError, dumps, loads

# What follows a tag's name
BOTH_WAYS = [
    (Marker(), ""), (True, ":T"), (False, ":F"), (NA(), ":NA"), (Remove(), ":R"),
    (5, ":5"), (-5.0, ":-5.0"), (1e300, ":1e+300"), (math.inf, ":INF"), (-math.inf, ":-INF"),
    (Number(3149.5, "ft²"), ":3149.5ft²"), (Number(-1, "$"), ":-1$"),
    ("Main Site", ":Main Site"), ("Straße 5", ":Straße 5"), ("ä", ":ä"), ("x-y_z", ":x-y_z"),
    ("", ':""'), ("5", ':"5"'), (" x", ':" x"'), ("x ", ':"x "'), ("a.b", ':"a.b"'), ("-", ':"-"'),
    ("a:b", ':"a:b"'), ("true", ':"true"'), ("truely", ":truely"), ("T", ':"T"'), ("M", ':"M"'),
    ("N", ':"N"'), ("R", ':"R"'), ("NaN", ':"NaN"'), ("T Rex", ':"T Rex"'), ("Trex", ":Trex"),
    ("Zinc", ':"Zinc"'), ("Trio", ':"Trio"'), ("😀 x", ":😀 x"), ("ä\u2028", ':"ä\u2028"'),
    ("\xa0x", ':"\xa0x"'), ("// x", ':"// x"'), ('"x"', r':"\"x\""'), ("a\tb", r':"a\tb"'),
    ("C(1,2)", ':"C(1,2)"'), ("2021-01-01", ':"2021-01-01"'),
    ("a\nb", ":\n  a\n  b"),
    ("if (x)\n  y: 5\n\n---\n// z", ":\n  if (x)\n    y: 5\n\n  ---\n  // z"),
    ("a\n\tb", ":\n  a\n  \tb"), ("a\n", r':"a\n"'), ("\na", r':"\na"'), (" a\nb", r':" a\nb"'),
    ("a \nb", r':"a \nb"'), ("a\r\nb", r':"a\r\nb"'), ("a\n\x01", r':"a\n\u0001"'),
    ("a\n\u3000\nb", ':"a\\n\u3000\\nb"'),
    (Uri("http://x/"), ":`http://x/`"), (Ref("a", "Main (x)"), ':@a "Main (x)"'), (Ref("a"), ":@a"),
    (Symbol("hot-water"), ":^hot-water"), (dt.date(2021, 3, 22), ":2021-03-22"),
    (dt.time(10, 0), ":10:00:00"), (dt.time(1, 2, 3, 4), ":01:02:03.000004"),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 0, NEW_YORK), ":2021-03-22T13:57:00-04:00 New_York"),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 0, UTC), ":2021-03-22T13:57:00Z"),
    (dt.datetime(2021, 3, 22, 13, 57), ":2021-03-22T13:57:00Z Rel"),
    (Coord(37.555385, -77.486903), ":C(37.555385,-77.486903)"),
    (XStr("Span", "today"), ':Span("today")'), (XStr("C", ""), ':C("")'), (b"\xff", ':Buf("/w==")'),
    ([], ":[]"), (["a", 1, None], ':["a",1,N]'), ({}, ":{}"), ({"a": None}, ":{a:N}"),
    ({"a": Marker(), "b": "x\ny"}, r':{a b:"x\ny"}'),
    (grid_of(["a", "b"], [1, None], [None, None], meta={"x": Marker()}),
     ':Zinc:\n  ver:"3.0" x\n  a,b\n  1,\n  ,'),
    (Grid(), ':Zinc:\n  ver:"3.0"\n  noCols'),
    ([grid_of(["a"], [None])], ':Zinc:\n  [<<\n  ver:"3.0"\n  a\n  N\n\n  >>]'),
    ({"g": grid_of(["a"])}, ':Zinc:\n  {g:<<\n  ver:"3.0"\n  a\n\n  >>}'),
]


@pytest.mark.parametrize("value, text", BOTH_WAYS, ids=[text for _, text in BOTH_WAYS])
def test_both_ways(value, text):
    assert dumps([{"x": value}]) == f"x{text}\n" == dumps({"x": value})
    for records in ([{"x": value}], [{"a": 1, "x": value, "b": Marker()}, {"x": value}]):
        again = loads(dumps(records))
        assert again == records and kinds(again) == kinds(records)
    assert loads(f"x{text}\n\n---\n\n---") == [{"x": value}]
    assert loads(f"x{text}".replace("\n", "\r\n")) == [{"x": value}]


def test_nan():
    value = loads(dumps({"x": math.nan}))[0]["x"]
    assert value != value and dumps([{"x": math.nan}]) == "x:NaN\n"


def test_records():
    records = [{"dis": "A", "id": Ref("a"), "site": Marker(), "n": None}, {"id": Ref("b")}]
    text = "dis:A\nid:@a\nsite\n---\nid:@b\n"
    assert dumps(records) == text
    del records[0]["n"]
    assert loads(text) == records == loads(text.encode()) == loads("\ufeff" + text)
    assert dumps(Grid.from_dicts(records)) == text == dumps(tuple(records))
    assert dumps([]) == "" and loads("") == [] == loads("// x\n---\n\n----\n")
    file = io.StringIO()
    trio.dump(records, file)
    assert trio.load(io.StringIO(file.getvalue())) == records
    assert trio.load(io.BytesIO(text.encode())) == records


@pytest.mark.parametrize("text, value", [
    ("x: M", Marker()), ("x :  5 ", 5), ("x:true", True), ("x:false", False), ("x:N", "N"),
    ("x", Marker()), ("  x  ", Marker()), ("x:Foo", "Foo"), ("x: foo: bar", "foo: bar"),
    ("x:12 rooms", "12 rooms"), ("x:804.552.2222", "804.552.2222"), ("x:3-4", "3-4"),
    ("x:5//6", "5//6"), ("x:-", "-"), ("x:2021-99-99", "2021-99-99"), ("x:1,5", "1,5"),
    ("x:5kW", Number(5, "kW")), ("x:8:30", dt.time(8, 30)), ("x:8:99", "8:99"), ("x:0xff", 255),
    ("x:2021-03-22T13:57:00Z UTC", dt.datetime(2021, 3, 22, 13, 57, tzinfo=UTC)),
    ("x:2021-03-22T13:57:00-04:00 America/New_York",
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=NEW_YORK)),
    ("x:2021-03-22T13:57:00-04:00",
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=zoneinfo.ZoneInfo("Etc/GMT+4"))),
    ("x:Main (old)", "Main (old)"), ("x:Foo(bar)", "Foo(bar)"), ("x:C( 1, 2 )", Coord(1, 2)),
    ("x:Bin(text/plain)", XStr("Bin", "text/plain")), ("x:don't $x", "don't $x"),
    ("x:Zinc", "Zinc"),
    ('x:"a" // c', "a"), ("x:[1,\"a\"]", [1, "a"]), ("x:{a b:2}", {"a": Marker(), "b": 2}),
    ("x:[\n  1,\n  // c\n  \"a\",\n  ]\ny", [1, "a"]), ("x:[\n  1,\n\n  2\n]\ny", [1, 2]),
    ("x:\n  a\n    b\n\n  c\n\n\ny", "a\n  b\n\nc"), ("x:\n\ta\n\t\tb\ny", "a\n\tb"), ("x:\ny", ""),
    ("x:\n  a\ny:\n  b", "a"), ("x:\n  a  \n  b", "a\nb"), ("x:\n\n  a", "\na"),
    ("x:\n  // c\n  --- z\ny", "// c\n--- z"),
    ("x:Zinc:\n\n   5kW\ny", Number(5, "kW")),
    ('x:Zinc:\n  ver:"2.0"\n  a,b\n  "x",1\n\ny', grid_of(["a", "b"], ["x", 1])),
    ("x:Trio:\n  a:5\n  b\n  c:\n    l1\n    l2\ny", {"a": 5, "b": Marker(), "c": "l1\nl2"}),
    ("x:Trio:\n  a:Trio:\n    b:[\n      1]\ny", {"a": {"b": [1]}}),
])
def test_lenient_reader(text, value):
    again = loads(text)[0]["x"]
    assert again == value and type(again) is type(value)
    assert loads(f"---\n// c\na:1\n{text}\n---\nb:2\n")[1] == {"b": 2}


@pytest.mark.parametrize("text, message", [
    ("a:1\nB:2", "'B' is no name of a tag at line 2 column 1"),
    ("a b", "'a b' is no name of a tag at line 1 column 1"), (" ?:1", "at line 1 column 2"),
    (":5", "'' is no name of a tag"), ("a\n\na:5", 'there are two tags "a" in a record at line 3'),
    ('a:\n  x\nb: "x', "a Str has no end at line 3 column 4"),
    (r'a:"\x"', "unknown escape \\x at line 1 column 3"), ("a: `x", "a Uri has no end"),
    ("a:@", "a Ref has no id at line 1 column 3"), ("a:{b:}", "expected a value, found '}'"),
    ("a:[1, x]", 'unknown word "x" at line 1 column 7'), ("a:@b c", "at line 1 column 6"),
    ("a:[\n  1,\n  x]", 'unknown word "x" at line 3 column 3'), ("a:[\nb", "at line 1 column 4"),
    ("a:[1", "expected ], found the end at line 1 column 5"),
    ("a:C(91,0)", "within ±90 degrees, not 91.0 at line 1 column 3"),
    ('a:Zinc:\n  ver:"3.0"\n  b,c\n  1,x\n', 'unknown word "x" at line 4 column 5'),
    ("a:Zinc:\nb", "expected a value"), ("a:Trio:\nb", "a Trio: block holds one record, not 0"),
    ("a:Trio:\n  b\n  -\n  c\n", "a Trio: block holds one record, not 2 at line 1 column 3"),
    ("a:Trio:\n  b:Trio:\n    c:1\n    C:2\n", "'C' is no name of a tag at line 4 column 5"),
    ("a:Trio:\n  b:\"x\n", "a Str has no end at line 2 column 5"),
])
def test_reader_errors(text, message):
    with pytest.raises(TrioError) as caught:
        loads(text)
    assert message in str(caught.value) and " at line " in str(caught.value)
    assert caught.value.line >= 1 and caught.value.column >= 1
    assert isinstance(caught.value, HaysonError)


def test_other_reader_errors():
    with pytest.raises(TrioError, match="not UTF-8"):
        loads(b"\xff")
    with pytest.raises(TrioError, match="nested too deeply"):
        loads("\n".join(" " * depth + "a:Trio:" for depth in range(2000)))
    with pytest.raises(TrioError, match="nested too deeply"):
        loads("a:" + "[" * 100_000)


@pytest.mark.parametrize("value, error, message", [
    (Grid({"x": 1}), TrioError, "Trio cannot hold the meta of a grid and its columns"),
    (Grid({}, [GridCol(0, "a", {"x": 1})], [[1]]), TrioError, "Trio cannot hold the meta"),
    ([{"a": 1}, {}], TrioError, "Trio cannot hold a record without tags at $[1]"),
    ({"a": None}, TrioError, "a record without tags"),
    (grid_of(["a"], [1], [None]), TrioError, "a record without tags at $[1]"),
    (5, TrioError, 'Trio holds records, not a value of type "int"'),
    ("x", TrioError, 'not a value of type "str"'),
    ([5], TrioError, 'a record is a dict, not a value of type "int" at $[0]'),
    ([{"my key": 1}], TrioError, 'Trio cannot hold the name "my key": '),
    ({1: 2}, HaysonTypeError, 'a dict\'s key must be a str, not "int"'),
    ([{"a": [1, {"B": 1}]}], TrioError, 'Zinc cannot hold the name "B": '),
    ([{"a": [1, Number(5, "e3")]}], TrioError, 'cannot hold the unit "e3" after 5 at $[0].a[1]'),
    ([{"a": {"x": 1j}}], HaysonTypeError, "at $[0].a.x"), ({"a": "\ud800"}, TrioError, "surrogate"),
])
def test_what_cannot_be_written(value, error, message):
    with pytest.raises(error) as caught:
        dumps(value)
    assert message in str(caught.value)


@pytest.mark.parametrize("value, expected", [
    (Decimal("0.5"), "0.5"), ((1, "x"), '[1,"x"]'), (dt.timedelta(minutes=5), "300s"),
    (type("S", (str,), {})("x"), "x"), (grid_of(["a"], [1]).first(), "{a:1}"),
])
def test_python_types(value, expected):
    assert dumps({"x": value}) == f"x:{expected}\n"


def test_rows():
    grid = grid_of(["a", "b"], [1, None], [2, Marker()])
    assert dumps(list(grid)) == "a:1\n---\na:2\nb\n" == dumps(grid)
    pandas = pytest.importorskip("pandas")
    assert dumps(pandas.DataFrame({"a": [1, 2], "b": [None, "x"]})) == "a:1\n---\na:2\nb:x\n"


RECORDS = st.dictionaries(NAMES, values(), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(RECORDS, max_size=3))
def test_records_survive(records):
    text = dumps(records)
    again = loads(text)
    assert again == records and kinds(again) == kinds(records) and dumps(again) == text
    text.encode()


@given(st.lists(st.text("ab T:-/\"\t\r\n\x0b\x85\xa0\u3000ä(,)'.5") | TEXT, min_size=1, max_size=3))
def test_strings_survive(texts):
    records = [{"a": text, "b": text} for text in texts]
    assert loads(dumps(records)) == records


@given(st.text("ab:[]{}\"`@^() \n-/5.TM,Zinc", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        records = loads(text)
    except TrioError as error:
        assert error.line is not None
    else:
        assert loads(dumps(records)) == records


@given(NAMES, SCALARS)
def test_zinc_reads_the_values(name, value):
    text = dumps({name: value})[len(name) + 1:-1]
    if text.startswith(('"', "[", "{", "`", "@")):
        assert zinc.loads(text) == value


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown():
    records = loads((DATA / "carytown.trio").read_bytes())
    grid = zinc.loads((DATA / "carytown.zinc").read_bytes())
    assert len(records) == 24 and records == grid.to_dicts() and loads(dumps(records)) == records
    assert records[0]["site"] == Marker() and records[0]["area"] == Number(3149.0, "ft²")
    assert [[ref.dis() for ref in record.values() if isinstance(ref, Ref)] for record in records] \
        == [[row[name].dis() for name in record if isinstance(row[name], Ref)]
            for record, row in zip(records, grid)]
