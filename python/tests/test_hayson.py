"""hxpy.hayson: Hayson written and read."""

import collections
import dataclasses
import datetime as dt
import enum
import io
import json
import math
import sys
import uuid
import zoneinfo
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hxpy import hayson
from hxpy.hayson import HaysonError, HaysonTypeError, dumps, loads
from hxpy.haystack import (NA, Coord, Grid, GridBuilder, GridCol, Marker, Number, Ref, Remove,
                           Symbol, Uri, XStr)

DATA = Path(__file__).resolve().parents[3] / "shared" / "haystack-data"
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def grid_of(cols, *rows, meta=None):
    builder = GridBuilder().set_meta(meta or {}).add_col_names(cols)
    for row in rows:
        builder.add_row(row)
    return builder.to_grid()


# Haystack's types: both ways, and the form on the wire

BOTH_WAYS = [
    (None, "null"), (True, "true"), (False, "false"), (2, "2"), (-1, "-1"), (0.5, "0.5"),
    (2**53 + 1, "9007199254740993"), (10**30, "1" + "0" * 30), (1e300, "1e+300"), ("x", '"x"'),
    ("ä😀\n\"\\", '"ä😀\\n\\"\\\\"'), ("\x01", '"\\u0001"'), ("\\u0000", '"\\\\u0000"'),
    (math.inf, '{"_kind":"number","val":"INF"}'), (-math.inf, '{"_kind":"number","val":"-INF"}'),
    (Number(45, "°F"), '{"_kind":"number","val":45,"unit":"°F"}'),
    (Number(-1.5, "kW"), '{"_kind":"number","val":-1.5,"unit":"kW"}'),
    (Number(math.inf, "kW"), '{"_kind":"number","val":"INF","unit":"kW"}'),
    (Marker(), '{"_kind":"marker"}'), (NA(), '{"_kind":"na"}'), (Remove(), '{"_kind":"remove"}'),
    (Ref("a-1"), '{"_kind":"ref","val":"a-1"}'),
    (Ref("a-1", "Main"), '{"_kind":"ref","val":"a-1","dis":"Main"}'),
    (Symbol("hot-water"), '{"_kind":"symbol","val":"hot-water"}'),
    (Uri("http://x/"), '{"_kind":"uri","val":"http://x/"}'),
    (dt.date(2021, 3, 22), '{"_kind":"date","val":"2021-03-22"}'),
    (dt.time(17, 19, 23, 500000), '{"_kind":"time","val":"17:19:23.5"}'),
    (dt.time(17, 19, 23, 1), '{"_kind":"time","val":"17:19:23.000001"}'),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 381000, NEW_YORK),
     '{"_kind":"dateTime","val":"2021-03-22T13:57:00.381-04:00","tz":"New_York"}'),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 1, dt.timezone.utc),
     '{"_kind":"dateTime","val":"2021-03-22T13:57:00.000001Z","tz":"UTC"}'),
    (dt.datetime(2021, 3, 22, 13, 57),
     '{"_kind":"dateTime","val":"2021-03-22T13:57:00Z","tz":"Rel"}'),
    (Coord(12, -77.44), '{"_kind":"coord","lat":12.0,"lng":-77.44}'),
    (XStr("Span", "today"), '{"_kind":"xstr","type":"Span","val":"today"}'),
    (b"\x00\xff", '{"_kind":"xstr","type":"Buf","val":"AP8="}'),
    (b"", '{"_kind":"xstr","type":"Buf","val":""}'),
    ([1, "x", None, [True, Marker()]], '[1,"x",null,[true,{"_kind":"marker"}]]'),
    ({"a": 1, "b": None, "my key": {"c": 0.5}}, '{"a":1,"b":null,"my key":{"c":0.5}}'),
    ([], "[]"), ({}, "{}"), ({"cols": [], "rows": []}, '{"_kind":"dict","cols":[],"rows":[]}'),
    (grid_of(["dis", "equip"], ["RTU-1", Marker()], [None, None], meta={"foo": Marker()}),
     '{"_kind":"grid","meta":{"ver":"3.0","foo":{"_kind":"marker"}},'
     '"cols":[{"name":"dis"},{"name":"equip"}],'
     '"rows":[{"dis":"RTU-1","equip":{"_kind":"marker"}},{}]}'),
    (Grid(), '{"_kind":"grid","meta":{"ver":"3.0"},"cols":[],"rows":[]}'),
    (Grid({}, [GridCol(0, "cols", {"x": 1}), GridCol(1, "rows")], [[[1]], [[]]]),
     '{"_kind":"grid","meta":{"ver":"3.0"},"cols":[{"name":"cols","meta":{"x":1}},{"name":"rows"}],'
     '"rows":[{"_kind":"dict","cols":[1],"rows":[]}]}'),
]


@pytest.mark.parametrize("value, text", BOTH_WAYS, ids=[text for _, text in BOTH_WAYS])
def test_both_ways(value, text):
    assert dumps(value) == text
    again = loads(text)
    assert again == value and type(again) is type(value)
    assert hayson.decode(json.loads(text)) == value
    assert hayson.encode(value) == json.loads(text)
    assert json.loads(dumps(value, indent=2)) == json.loads(text)
    if isinstance(value, Ref):
        assert again.dis() == value.dis()
    if isinstance(value, dt.datetime):
        assert again.tzinfo == value.tzinfo


def test_nan():
    assert dumps(math.nan) == '{"_kind":"number","val":"NaN"}' == dumps(Number(math.nan))
    assert dumps([math.nan, 1.5]) == '[{"_kind":"number","val":"NaN"},1.5]'
    value = loads('{"_kind":"number","val":"NaN"}')
    assert type(value) is float and value != value


def test_files():
    file = io.StringIO()
    hayson.dump([Marker(), 1], file)
    file.seek(0)
    assert hayson.load(file) == [Marker(), 1]
    assert hayson.load(io.BytesIO(b"\xef\xbb\xbf[1]")) == [1]


def test_numbers_of_any_size():
    """Beyond the digits that Python converts on its own."""
    big = 10**5000 + 1
    limit = sys.get_int_max_str_digits()
    assert loads(dumps(big)) == big and loads(dumps({"a": [big]})) == {"a": [big]}
    assert sys.get_int_max_str_digits() == limit


# Python's types: what they become


class Color(enum.Enum):
    RED = "red"
    REF = Ref("a")


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: object


@dataclasses.dataclass
class Room:
    name: str
    area: object = None


class MyStr(str):
    pass


class MyList(list):
    pass


class MyFloat(float):
    pass


class Day(dt.date):
    pass


@pytest.mark.parametrize("value, expected", [
    (Decimal("5"), "5"), (Decimal("5.00"), "5"), (Decimal("0.1"), "0.1"), (Decimal("1E+3"), "1000"),
    (Decimal("-0.5"), "-0.5"), (Decimal(10**40), str(10**40)), (Decimal("1.50"), "1.5"),
    (Decimal("NaN"), '{"_kind":"number","val":"NaN"}'), (Decimal("1e20"), "1" + "0" * 20),
    (Decimal("-Infinity"), '{"_kind":"number","val":"-INF"}'),
    (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
    (Color.RED, '"red"'), (Color.REF, '{"_kind":"ref","val":"a"}'), (Level.HIGH, "3"),
    ((1, "x"), '[1,"x"]'), (range(3), "[0,1,2]"), ({3, 1, 2}, "[1,2,3]"), (frozenset("a"), '["a"]'),
    (Point(1, Marker()), '{"x":1,"y":{"_kind":"marker"}}'),
    (Room("x", (1,)), '{"name":"x","area":[1]}'),
    (MyStr("x"), '"x"'), (MyList([1]), "[1]"), (MyFloat(0.5), "0.5"),
    (Day(2021, 1, 2), '{"_kind":"date","val":"2021-01-02"}'),
    (collections.OrderedDict(a=1), '{"a":1}'), (collections.deque([1]), "[1]"),
    (collections.UserDict(a=Marker()), '{"a":{"_kind":"marker"}}'),
    (MappingProxyType({"a": 1}), '{"a":1}'), ({"a": 1}.keys(), '["a"]'), ({"a": 1}.values(), "[1]"),
    ({MyStr("a"): 1}, '{"a":1}'), (bytearray(b"a"), '{"_kind":"xstr","type":"Buf","val":"YQ=="}'),
    (memoryview(b"a"), '{"_kind":"xstr","type":"Buf","val":"YQ=="}'),
    (dt.timedelta(minutes=5), '{"_kind":"number","val":300,"unit":"s"}'),
    (dt.timedelta(days=-1, microseconds=1), '{"_kind":"number","val":-86399.999999,"unit":"s"}'),
    (Number(5), "5"), (Number(0.5), "0.5"),
    ([Number(1, "m")] * 2,
     '[{"_kind":"number","val":1,"unit":"m"},{"_kind":"number","val":1,"unit":"m"}]'),
    (grid_of(["a"], [1]).first(), '{"a":1}'),
    ([1, True, None, "x"], '[1,true,null,"x"]'), ([0.5, -0.0], "[0.5,-0.0]"),
])
def test_python_types(value, expected):
    assert dumps(value) == expected
    assert json.dumps(hayson.encode(value), separators=(",", ":")) == expected
    assert dumps({"a": [value]}) == '{"a":[%s]}' % expected


def test_sets_that_have_no_order():
    assert sorted(loads(dumps({"x", 1})), key=str) == [1, "x"]


def test_a_timedelta_is_read_as_a_number():
    assert loads(dumps(dt.timedelta(seconds=1.5))) == Number(1.5, "s")


def test_atoms_in_the_tree_are_plain():
    assert [type(item) for item in hayson.encode([MyStr("x"), Level.HIGH, MyFloat(1), Number(1)])] \
        == [str, int, float, int]


def test_encode_does_not_change_the_value():
    value = {"a": [1, 2], "b": {"c": Marker()}}
    tree = hayson.encode(value)
    assert value == {"a": [1, 2], "b": {"c": Marker()}} and tree is not value


# What cannot be written


class Socket:
    pass


class Kinds(enum.Enum):
    BAD = Socket()


@pytest.mark.parametrize("value, message", [
    (Socket(), 'cannot convert Python type "test_hayson.Socket" to Hayson'),
    ({"a": [1, 2, 3, Socket()]},
     'cannot convert Python type "test_hayson.Socket" to Hayson at $.a[3]'),
    ({"my key": (Socket(),)},
     'cannot convert Python type "test_hayson.Socket" to Hayson at $["my key"][0]'),
    (1j, 'cannot convert Python type "complex" to Hayson'),
    ([object], 'cannot convert Python type "type" to Hayson at $[0]'),
    ([iter([])], 'cannot convert Python type "list_iterator" to Hayson at $[0]'),
    (Room("x", 1j), 'cannot convert Python type "complex" to Hayson at $.area'),
    (Kinds.BAD, 'cannot convert Python type "test_hayson.Socket" to Hayson'),
    ({1: 2}, 'a dict\'s key must be a str, not "int"'),
    ([{None: 2}], 'a dict\'s key must be a str, not "NoneType" at $[0]'),
    (grid_of(["a", "b"], [1, 2], [1, 1j]),
     'cannot convert Python type "complex" to Hayson at $.rows[1].b'),
    (grid_of(["a"], meta={"x": 1j}), 'cannot convert Python type "complex" to Hayson at $.meta.x'),
    (Grid({}, [GridCol(0, "a", {"x": 1j})], [[]]),
     'cannot convert Python type "complex" to Hayson at $.cols[0].meta.x'),
])
def test_types_without_a_mapping(value, message):
    for function in (dumps, hayson.encode):
        with pytest.raises(HaysonTypeError) as caught:
            function(value)
        assert str(caught.value) == message and isinstance(caught.value, TypeError)


@pytest.mark.parametrize("value, message", [
    ("a\0b", "a str with a NUL character cannot be stored"),
    ({"a": ["x", "\\u0000 \0"]}, "a str with a NUL character cannot be stored at $.a[1]"),
    ({"a\0": 1}, "a str with a NUL character cannot be stored"),
    (["\ud800"], "a str with a lone surrogate cannot be stored at $[0]"),
    ({"a": Uri("\ud800")}, "a str with a lone surrogate cannot be stored at $.a.val"),
    ([{"_kind": "marker"}], 'a dict with the key "_kind" would be read as another value at $[0]'),
    ({"a": {"_kind": "dict"}}, 'a dict with the key "_kind" would be read as another value at $.a'),
    (Grid({}, [GridCol(0, "_kind")], [[1]]),
     'a grid with the column "_kind" would be read as another value'),
    ([Decimal("0.12345678901234567890")],
     "Decimal('0.12345678901234567890') has more digits than a JSON number of Haystack holds; "
     "use float() or str() at $[0]"),
    (Decimal("1e-400"),
     "Decimal('1E-400') has more digits than a JSON number of Haystack holds; "
     "use float() or str()"),
    (Decimal("1e999999"), "a Decimal this large cannot be stored"),
    ([dt.time(1, tzinfo=dt.timezone.utc)], "Haystack's Time has no time zone at $[0]"),
    (dt.timedelta(days=999999999, microseconds=1),
     "datetime.timedelta(days=999999999, microseconds=1) has more digits than a float of seconds "
     "holds"),
    ({"t": dt.datetime(9999, 12, 31, 1, tzinfo=dt.timezone(dt.timedelta(hours=-23, minutes=-30)))},
     "9999-12-31 01:00:00-23:30 lies outside of the years 1 to 9999 in UTC at $.t"),
    ([Decimal("sNaN")], "a signalling NaN cannot be stored at $[0]"),
])
def test_values_that_cannot_be_written(value, message):
    for function in (dumps, hayson.encode):
        with pytest.raises(HaysonError) as caught:
            function(value)
        assert str(caught.value) == message and isinstance(caught.value, ValueError)


def test_circles_and_depth():
    circle = [1]
    circle.append({"a": circle})
    room = Room("x")
    room.area = [room]
    grid = Grid({"x": []}, [], [])
    grid.meta()["x"].append(grid)
    for value, path in ((circle, "$[1].a"), (room, "$.area[0]"), (grid, "$.meta.x[0]")):
        with pytest.raises(HaysonError) as caught:
            dumps(value)
        assert str(caught.value) == f"the value contains itself at {path}"
    shared = [1, {"x": Marker()}]
    assert loads(dumps([shared, shared])) == [shared, shared]
    deep = Marker()
    for _ in range(hayson.MAX_DEPTH):
        deep = [deep]
    assert loads(dumps(deep)) == deep
    with pytest.raises(HaysonError, match=f"nested deeper than {hayson.MAX_DEPTH}"):
        dumps([deep])
    plain = []
    for _ in range(100_000):
        plain = [plain]
    with pytest.raises(HaysonError, match="nested"):
        dumps(plain)
    with pytest.raises(HaysonError, match="nested"):
        loads("[" * 200_000 + "]" * 200_000)


# Reading what others write


@pytest.mark.parametrize("text, value", [
    ('{"_kind":"number","val":123.45}', 123.45),
    ('{"_kind":"Num","val":5,"unit":"m"}', Number(5, "m")),
    ('{"_kind":"NUMBER","val":5,"unit":""}', 5), ('{"_kind":"number","val":1,"unit":null}', 1),
    ('{"_kind":"Marker"}', Marker()), ('{"_kind":"Ref","val":"@a","dis":null}', Ref("a")),
    ('{"_kind":"symbol","val":"^site"}', Symbol("site")),
    ('{"_kind":"dict","a":null,"b":1}', {"a": None, "b": 1}), ('{"_kind":"dict"}', {}),
    ('{"_kind":"coord","lat":12,"lng":13}', Coord(12, 13)),
    ('{"_kind":"time","val":"8:30"}', dt.time(8, 30)),
    ('{"_kind":"time","val":"08:30:00.123456789"}', dt.time(8, 30, 0, 123457)),
    ('{"_kind":"DateTime","val":"2021-03-22T13:57:00+00:00","tz":"UTC"}',
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=dt.timezone.utc)),
    ('{"_kind":"dateTime","val":"2021-03-22T13:57:00Z"}',
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=dt.timezone.utc)),
    ('{"_kind":"dateTime","val":"2021-03-22T13:57:00-04:00"}',
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=zoneinfo.ZoneInfo("Etc/GMT+4"))),
    ('{"_kind":"dateTime","val":"2021-03-22T13:57:00-07:00","tz":"America/New_York"}',
     dt.datetime(2021, 3, 22, 16, 57, tzinfo=NEW_YORK)),
    ('{"_kind":"Grid","meta":{"ver":"2.0"}}', Grid()),
    ('{"_kind":"grid"}', Grid()),
    ('{"ver":"3.0","meta":{},"cols":[{"name":"a"}],"rows":[{"a":1}]}', grid_of(["a"], [1])),
    ('{"cols":["a","b"],"rows":[{"a":1},{"b":2}]}', grid_of(["a", "b"], [1, None], [None, 2])),
    ('{"_kind":"grid","cols":[{"name":"a","dis":"A","meta":{"unit":"m"}}],"rows":[]}',
     Grid({}, [GridCol(0, "a", {"dis": "A", "unit": "m"})], [[]])),
    ('{"_kind":"grid","cols":[{"name":"a"}],"rows":[{"b":2},{"a":1,"c":null}]}',
     grid_of(["a", "b", "c"], [None, 2, None], [1, None, None])),
    ('{"_kind":"grid","cols":[{"name":"a"}],"rows":[{"_kind":"dict","a":1}]}', grid_of(["a"], [1])),
    ('{"_kind":"grid","cols":[{"name":"a"}],"rows":[{"a":{"_kind":"grid"}}]}',
     grid_of(["a"], [Grid()])),
    ('{"cols":[1],"rows":[]}', {"cols": [1], "rows": []}),
    ('{"cols":["a"],"rows":[1]}', {"cols": ["a"], "rows": [1]}),
    ('{"cols":{},"rows":[]}', {"cols": {}, "rows": []}), ('{"rows":[]}', {"rows": []}),
    ('{"\\u005fkind":"marker"}', Marker()), ('{"\\u0072ows":[],"cols":[]}', Grid()),
    ('"\\u00e4\\ud83d\\ude00"', "ä😀"), ('\ufeff 1 ', 1), (b'{"a":"\xc3\xa4"}', {"a": "ä"}),
    ('{"Foo Bar":1}', {"Foo Bar": 1}), ("1.50", 1.5), ("-0.0", 0.0), ("1E2", 100.0),
    ('{"_kind":"xstr","type":"Bin","val":"text/plain"}', XStr("Bin", "text/plain")),
])
def test_lenient_reader(text, value):
    again = loads(text)
    assert again == value and type(again) is type(value)
    if isinstance(text, str) and "\ufeff" not in text:
        assert hayson.decode(json.loads(text)) == value


@pytest.mark.parametrize("text, message", [
    ("", "malformed JSON: Expecting value at line 1 column 1"),
    ('{"a":\n  tru}', "malformed JSON: Expecting value at line 2 column 3"),
    ("[1,]", "at line 1 column"), ("1 2", "malformed JSON: Extra data at line 1 column 3"),
    ('"\x01"', "malformed JSON: Invalid control character at line 1 column 2"),
    ('[1,\n {"_kind":"foo"}]', "unknown _kind 'foo' at line 2 column 2"),
    ('{"a":{"_kind":5}}', "unknown _kind 5 at line 1 column 6"),
    ('{"_kind":null}', "unknown _kind None at line 1 column 1"),
    ('{"_kind":["x"]}', "unknown _kind ['x'] at line 1 column 1"),
    ('{"_kind":"ref"}', 'ref without "val" at line 1 column 1'),
    ('{"_kind":"ref","val":"a b"}', "bad ref: 'a b' is no Ref id"),
    ('{"_kind":"ref","val":5}', "bad ref: "), ('{"_kind":"uri","val":null}', "bad uri: "),
    ('{"_kind":"number","val":true}', "bad number: True is no number at line 1 column 1"),
    ('{"_kind":"number","val":"x"}', "bad number: "),
    ('{"_kind":"number","val":[]}', "bad number"),
    ('{"_kind":"number","val":"NaN","unit":"m"}', "bad number: a NaN has no unit"),
    ('{"_kind":"date","val":"2021-02-30"}', "bad date: "),
    ('{"_kind":"date","val":1}', "bad date: "),
    ('{"_kind":"time","val":"25:00"}', "bad time: "),
    ('{"_kind":"dateTime","val":"2021-03-22"}', "bad dateTime: '2021-03-22' is no date and time"),
    ('{"_kind":"dateTime","val":"2021-03-22T13:57:00Z","tz":"Nowhere"}', '"Nowhere" is unknown'),
    ('{"_kind":"coord","lat":91,"lng":0}', "bad coord: "),
    ('{"_kind":"coord","lat":1}', 'coord without "lng"'),
    ('{"_kind":"xstr","type":"span","val":""}', "bad xstr: "),
    ('{"_kind":"grid","rows":[5]}', "bad grid: a row must be an object"),
    ('{"_kind":"grid","cols":[{}]}', 'grid without "name"'),
    ('{"_kind":"grid","cols":[5]}', "bad grid"),
    ('{"_kind":"grid","cols":["a","a"]}', 'bad grid: two columns "a"'),
    ('{"cols":["a","a"],"rows":[]}', 'bad grid: two columns "a"'),
    ('{"cols":[{"name":"a","meta":5}],"rows":[]}', "bad grid: "),
    ('{"_kind":"grid","cols":5}', "bad grid"), ('{"_kind":"grid","meta":[1]}', "bad grid: "),
])
def test_reader_errors(text, message):
    with pytest.raises(HaysonError) as caught:
        loads(text)
    assert message in str(caught.value) and " at line " in str(caught.value)
    assert caught.value.line >= 1 and caught.value.column >= 1


def test_reader_errors_without_a_text():
    with pytest.raises(HaysonError) as caught:
        hayson.decode({"a": [1, {"_kind": "date", "val": "x"}]})
    assert str(caught.value) == "bad date: 'x' is no date: expected YYYY-MM-DD at $.a[1]"
    with pytest.raises(HaysonError, match="not UTF-8"):
        loads(b"\xff")


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown():
    with open(DATA / "carytown" / "carytown.hayson.json", encoding="utf-8") as file:
        grid = hayson.load(file)
    assert isinstance(grid, Grid) and grid.size() == 24 and grid.meta() == {}
    site = next(row for row in grid if row.has("site"))
    assert site["area"] == Number(3149.0, "ft²")
    assert site["geoCoord"] == Coord(37.555385, -77.486903)
    assert site["occupiedStart"] == dt.time(10) and site["yearBuilt"] == 1996
    assert site["weatherRef"].dis() == "Richmond, VA"
    assert loads(dumps(grid)) == grid


# Property: whatever goes in comes out

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
IDS = st.from_regex(r"[A-Za-z0-9_:.~-]+", fullmatch=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), FINITE, st.just(math.inf), TEXT, st.binary(),
    st.builds(Number, st.integers() | FINITE, TEXT | st.none()).filter(lambda x: x.unit),
    st.sampled_from([Marker(), NA(), Remove()]), st.builds(Ref, IDS, TEXT | st.none()),
    st.builds(Symbol, IDS), st.builds(Uri, TEXT), st.dates(),
    st.times().map(lambda time: time.replace(fold=0)), st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone.utc)),
    st.builds(Coord, st.floats(-90, 90), st.floats(-180, 180)),
    st.builds(XStr, st.from_regex(r"[A-Z][A-Za-z0-9_]*", fullmatch=True)
              .filter(lambda x: x != "Buf"), TEXT),
)
NAMES = st.from_regex(r"[a-z][A-Za-z0-9_]{0,8}", fullmatch=True)
META = st.dictionaries(NAMES.filter(lambda name: name != "ver"), SCALARS, max_size=2)


def grids(cells):
    return st.builds(
        lambda meta, cols, rows: Grid(
            meta, [GridCol(i, name, cols[name]) for i, name in enumerate(cols)],
            [[row[i] for row in rows] for i in range(len(cols))]),
        META, st.dictionaries(NAMES, META, min_size=1, max_size=3),
        st.lists(st.lists(cells, min_size=3, max_size=3), max_size=3))


VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | grids(inner)
    | st.dictionaries(TEXT.filter(lambda key: key != "_kind"), inner, max_size=4), max_leaves=12)


def kinds(value):
    """Return a value's shape with the types of all its parts, which == does not look at."""
    if isinstance(value, Grid):
        return [kinds(value.meta())] + [[kinds(col.meta()), kinds(value.cells(col))]
                                        for col in value.cols()]
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    dis = value.dis() if isinstance(value, Ref) else None
    return type(value), getattr(value, "unit", None), dis


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(VALUES)
def test_values_survive(value):
    text = dumps(value)
    again = loads(text)
    assert again == value and kinds(again) == kinds(value)
    assert hayson.decode(hayson.encode(value)) == value
    assert dumps(again) == text
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    text.encode()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_many_at_once_are_as_one_by_one(values):
    texts = hayson.dumps_all(values)
    assert texts == [dumps(value) for value in values]
    again = hayson.loads_all(texts)
    assert again == values and list(map(kinds, again)) == list(map(kinds, values))


@pytest.mark.parametrize("value", [
    '\\u0000', ',"\\u0000",', ["\\", '","', ","], "\\\\u0000", {'",': '"'}, "\u2028",
    "\U0001f600", [10 ** 5000],
    math.nan, [[-math.inf]], {"a": {"b": 1.5, "c": math.inf}}, {"cols": 1, "rows": 2}, (1, "a"),
    collections.OrderedDict(a=1), enum.Enum("Color", "RED").RED, {"a": (1, {"b": Number(2, "kW")})},
])
def test_many_with_a_strange_one(value):
    texts = hayson.dumps_all([1, value, "x", {"a": value}])
    assert texts == ["1", dumps(value), '"x"', dumps({"a": value})]
    assert dumps(hayson.loads_all(texts)[2:]) == dumps(["x", loads(texts[3])])


def test_many_numbers():
    for values in ([1.5, -0.0, 1e300, 3, -2], [1.5, math.nan], [1, math.inf], [10 ** 5000, 1], []):
        assert hayson.dumps_all(values) == list(map(dumps, values))


@pytest.mark.parametrize("value", [
    "\0", ["a", "\0"], "\ud800", {"_kind": 1}, {1: 2}, {"a": {None: 1}}, object(), {"a": [object()]},
])
def test_many_with_one_that_cannot_be_written(value):
    with pytest.raises((HaysonError, HaysonTypeError)) as one:
        dumps(value)
    with pytest.raises(type(one.value)) as many:
        hayson.dumps_all([1, value, {2: 1}])
    assert str(many.value) == str(one.value)


def nested(depth, inner):
    for _ in range(depth):
        inner = {"a": [inner]}
    return inner


@pytest.mark.parametrize("row", [
    {}, {"a": 1, "b": 1.5, "c": "x", "d": True, "e": [1, [2, {"f": "ä"}]], "g": {"h": [], "i": {}}},
    {"a": [None, {"b": None}]}, {"a": ":null"}, {"cols": 1}, {"": {"a b": -0.0}},
])
def test_plain_dicts_are_written_as_they_are(row):
    assert hayson.dumps_plain([row, {"z": 0}]) == [dumps(row), '{"z":0}']


ROUND: list = []
ROUND += [ROUND, ROUND]


@pytest.mark.parametrize("value", [
    None, Marker(), Number(2, "kW"), Ref("a"), (1, 2), {1}, b"x", math.nan, "\0", "\ud800", [10 ** 5000],
    object(), {1: 2}, {"_kind": 1}, {"cols": 1, "rows": 2}, collections.OrderedDict(a=1),
    enum.IntEnum("Color", "RED").RED, type("Text", (str,), {})("x"), ROUND, nested(150, 1),
])
def test_dicts_that_are_not_plain(value):
    for row in {"a": value}, {"a": {"b": [value]}}:
        if value is not None or row["a"] is None:
            assert hayson.dumps_plain([{"z": 0}, row]) is None
    assert hayson.dumps_plain([{"z": 0}, value]) is None


def test_depth_counts_where_all_is_looked_at_together():
    for value in nested(150, 1), ROUND:
        with pytest.raises(HaysonError):
            hayson.dumps_all([value, value])
    assert hayson.dumps_all([nested(40, 1)] * 2) == [dumps(nested(40, 1))] * 2
    assert hayson.dumps_plain([]) is None


def test_many_texts():
    assert hayson.loads_all([]) == hayson.dumps_all([]) == []
    assert hayson.loads_all(["1", '{"_kind": "marker"}', '{"a": "_kind"}', '{"rows": [], "cols": []}',
                             '{"_k\\u0069nd": "na"}']) == [1, Marker(), {"a": "_kind"}, Grid(), NA()]
    for texts in (["1", '{"_kind": "no"}'], ["1", "{"], ["", "1"], ["1,2", "[3"]):
        with pytest.raises(HaysonError):
            hayson.loads_all(texts)


@given(TEXT | st.text())
def test_strings_are_written_or_refused(value):
    try:
        text = dumps([value])
    except HaysonError:
        assert "\0" in value or any("\ud800" <= char <= "\udfff" for char in value)
    else:
        assert loads(text) == [value] and "\0" not in value


# numpy and pandas


@pytest.fixture
def numpy():
    return pytest.importorskip("numpy")


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.mark.parametrize("make, value", [
    (lambda np: np.float32(0.5), 0.5), (lambda np: np.float64(0.1), 0.1),
    (lambda np: np.float32(0.1), 0.1), (lambda np: np.longdouble(0.5), 0.5),
    (lambda np: np.array([0.1, 1e-45, 3.4028235e38, 16777216, -np.inf], "f4"),
     [0.1, 1e-45, 3.4028235e38, 16777216.0, -math.inf]),
    (lambda np: {"a": np.array([[0.1]], "f2")}, {"a": [[0.1]]}),
    (lambda np: np.array([(0.1, 1)], [("a", "f4"), ("b", "i4")]), [{"a": 0.1, "b": 1}]),
    (lambda np: np.int8(-5), -5), (lambda np: np.uint64(2**64 - 1), 2**64 - 1),
    (lambda np: np.bool_(True), True), (lambda np: np.str_("x"), "x"),
    (lambda np: np.bytes_(b"x"), b"x"),
    (lambda np: np.datetime64("2021-03-22"), dt.date(2021, 3, 22)),
    (lambda np: np.datetime64("2021-03-22T13:57:00.5"),
     dt.datetime(2021, 3, 22, 13, 57, 0, 500000)),
    (lambda np: np.datetime64("2021-03-22T13:57:00.123456501", "ns"),
     dt.datetime(2021, 3, 22, 13, 57, 0, 123457)),
    (lambda np: np.datetime64("NaT"), None), (lambda np: np.timedelta64("NaT", "s"), None),
    (lambda np: np.timedelta64(1500, "ms"), Number(1.5, "s")),
    (lambda np: np.timedelta64(2, "h"), Number(7200, "s")),
    (lambda np: np.array(5), 5), (lambda np: np.array([], "f8"), []),
    (lambda np: np.array([1.5, np.inf]), [1.5, math.inf]),
    (lambda np: np.arange(24, dtype=">i4").reshape(2, 3, 4),
     [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
      [[12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22, 23]]]),
    (lambda np: np.array([True, False]), [True, False]), (lambda np: np.array(["x"]), ["x"]),
    (lambda np: np.array([Marker(), None, 2**70], object), [Marker(), None, 2**70]),
    (lambda np: np.array(["2021-03-22", "NaT"], "M8[D]"), [dt.date(2021, 3, 22), None]),
    (lambda np: np.array([("x", 1.5)], [("a", "U1"), ("b", "f8")]), [{"a": "x", "b": 1.5}]),
    (lambda np: np.array([("x", 1.5)], [("a", "U1"), ("b", "f8")])[0], {"a": "x", "b": 1.5}),
    (lambda np: np.ma.masked_array([1, 2], [False, True]), [1, None]),
    (lambda np: {"a": [np.float32(0.5), (np.int64(1),)]}, {"a": [0.5, [1]]}),
])
def test_numpy(numpy, make, value):
    again = loads(dumps(make(numpy)))
    assert again == value and kinds(again) == kinds(value)


def test_nan_of_an_array_is_a_value(numpy):
    assert dumps(numpy.array([math.nan, 1])) == '[{"_kind":"number","val":"NaN"},1.0]'
    assert dumps(numpy.float32("nan")) == '{"_kind":"number","val":"NaN"}'


@pytest.mark.parametrize("make, error", [
    (lambda np: np.complex128(1j), HaysonTypeError), (lambda np: np.array([1j]), HaysonTypeError),
    (lambda np: np.array([object()]), HaysonTypeError),
    (lambda np: np.timedelta64(1, "M"), HaysonError), (lambda np: np.timedelta64(1), HaysonError),
    (lambda np: np.datetime64("50000-01-01T00:00"), HaysonError),
    (lambda np: np.array(["50000-01-01"], "M8[D]"), HaysonError),
    (lambda np: np.longdouble(1) / 3, HaysonError),
])
def test_numpy_without_a_mapping(numpy, make, error):
    with pytest.raises(error):
        dumps(make(numpy))


@pytest.mark.parametrize("make, value", [
    (lambda pd: pd.NA, None), (lambda pd: pd.NaT, None), (lambda pd: pd.Series([1, 2]), [1, 2]),
    (lambda pd: pd.Series([1.5, None]), [1.5, None]), (lambda pd: pd.Index(["x", "y"]), ["x", "y"]),
    (lambda pd: pd.Series([1, None], dtype="Int64"), [1, None]),
    (lambda pd: pd.array([True, None], dtype="boolean"), [True, None]),
    (lambda pd: pd.Categorical(["x", None]), ["x", None]),
    (lambda pd: pd.Series(["x", None, float("nan")], dtype=object), ["x", None, None]),
    (lambda pd: pd.Timestamp("2021-03-22T13:57", tz="America/New_York"),
     dt.datetime(2021, 3, 22, 13, 57, tzinfo=NEW_YORK)),
    (lambda pd: pd.Timestamp("2021-03-22T13:57:00.123456501"),
     dt.datetime(2021, 3, 22, 13, 57, 0, 123457)),
    (lambda pd: pd.Timestamp("2021-03-22T13:57:00.999999500"),
     dt.datetime(2021, 3, 22, 13, 57, 1)),
    (lambda pd: pd.Timedelta(minutes=5), Number(300, "s")),
    (lambda pd: pd.Timedelta(1_500_000_400, "ns"), Number(1.5, "s")),
    (lambda pd: pd.Series(pd.to_datetime(["2021-03-22T13:57", None]))
     .dt.tz_localize("Asia/Kolkata"),
     [dt.datetime(2021, 3, 22, 13, 57, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata")), None]),
    (lambda pd: [pd.Timestamp("2021-11-07T05:30", tz="UTC").tz_convert("America/New_York")],
     [dt.datetime(2021, 11, 7, 1, 30, tzinfo=NEW_YORK)]),
    (lambda pd: [pd.Timestamp("2021-11-07T06:30", tz="UTC").tz_convert("America/New_York")],
     [dt.datetime(2021, 11, 7, 1, 30, tzinfo=NEW_YORK, fold=1)]),
])
def test_pandas(pandas, make, value):
    again = loads(dumps(make(pandas)))
    assert again == value and kinds(again) == kinds(value)
    assert loads(dumps([again])) == [again]


@pytest.mark.parametrize("make", [
    lambda pd: pd.Interval(0, 1), lambda pd: pd.Period("2021-01"), lambda pd: pd.Series([1j]),
    lambda pd: pd.DataFrame({"a": [pd.Interval(0, 1)]}), lambda pd: pd.Series([1]).rolling(1),
])
def test_pandas_without_a_mapping(pandas, make):
    with pytest.raises(HaysonTypeError):
        dumps(make(pandas))


def test_dataframe(pandas):
    frame = pandas.DataFrame({"ok": [True, False], "val": [1.5, None], "Zone Temp": [1, 2],
                              "ts": pandas.to_datetime(["2021-01-01", None]).tz_localize("UTC")})
    frame.attrs = {"dis": "x", "cols": {"val": {"unit": "kW"}}}
    assert json.loads(dumps(frame)) == {
        "_kind": "grid", "meta": {"ver": "3.0", "dis": "x"},
        "cols": [{"name": "ok"}, {"name": "val", "meta": {"unit": "kW"}},
                 {"name": "zoneTemp", "meta": {"sqlName": "Zone Temp"}}, {"name": "ts"}],
        "rows": [{"ok": True, "val": 1.5, "zoneTemp": 1, "ts": {
            "_kind": "dateTime", "val": "2021-01-01T00:00:00Z", "tz": "UTC"}},
            {"ok": False, "zoneTemp": 2}]}
    again = loads(dumps(frame)).to_dataframe()
    assert [str(dtype)[:8] for dtype in again.dtypes] == ["bool", "float64", "int64", "datetime"]
    assert again.attrs["cols"]["val"] == {"unit": "kW"}


def test_dataframe_with_an_index(pandas):
    frame = pandas.DataFrame({"v": [1, 2]}, index=pandas.Index(["a", "b"], name="id"))
    again = loads(dumps({"frame": frame}))["frame"].to_dataframe()
    assert again.index.tolist() == ["a", "b"] and again.index.name == "id"
    with pytest.raises(HaysonTypeError) as caught:
        dumps({"f": pandas.DataFrame({"v": [1, {1}, 2j]})})
    assert caught.value.path == "$.f.rows[2].v"


def test_a_grid_of_arrays(numpy):
    grid = Grid({}, [GridCol(0, "a"), GridCol(1, "b")],
                [numpy.array([1.5, math.nan, math.inf]), numpy.array(["x", "y", "z"])])
    again = loads(dumps(grid))
    assert again == grid and again["a"] == [1.5, None, math.inf]


def test_pytz_zones_are_written():
    pytz = pytest.importorskip("pytz")
    moment = pytz.timezone("Europe/Berlin").localize(dt.datetime(2021, 7, 1))
    again = loads(dumps(moment))
    assert again == moment and again.tzinfo == zoneinfo.ZoneInfo("Europe/Berlin")


def test_an_xstr_of_type_buf():
    """Bytes in base64 are bytes; what is none stays an XStr, as Haxall writes it."""
    assert hayson.loads('{"_kind":"xstr","type":"Buf","val":"AP8="}') == b"\x00\xff"
    useless = hayson.loads('{"_kind":"xstr","type":"Buf","val":"AP8=!!"}')
    assert useless == XStr("Buf", "AP8=!!") and hayson.loads(hayson.dumps(useless)) == useless
    with pytest.raises(hayson.HaysonError, match="would be read as bytes"):
        hayson.dumps(XStr("Buf", "AP8="))
