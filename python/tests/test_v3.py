"""hxpy.v3: JSON v3 written and read."""

import datetime as dt
import io
import json
import math
import time
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_zinc import (DATA, FINITE, NEW_YORK, TEXT, UTC, big_grid, grid_of, grids, kinds, values)

from hxpy import hayson, v3, zinc
from hxpy.hayson import HaysonError, HaysonTypeError
from hxpy.haystack import (NA, Coord, Grid, GridCol, Marker, Number, Ref, Remove, Symbol, Uri,
                           XStr)
from hxpy.v3 import V3Error, dumps, loads

BOTH_WAYS = [
    (None, "null"), (True, "true"), (False, "false"), (Marker(), '"m:"'), (NA(), '"z:"'),
    (Remove(), '"-:"'), (5, '"n:5"'), (5.0, '"n:5.0"'), (45.5, '"n:45.5"'), (1e300, '"n:1e+300"'),
    (math.inf, '"n:INF"'), (-math.inf, '"n:-INF"'), (Number(73.2, "°F"), '"n:73.2 °F"'),
    (Number(math.inf, "kW"), '"n:INF kW"'), (Number(5, "my unit"), '"n:5 my unit"'),
    (2**70, f'"n:{2**70}"'),
    ("", '""'), ("x", '"x"'), ("a:b", '"s:a:b"'), ("m:", '"s:m:"'), (":", '"s::"'), ("m", '"m"'),
    ("ä😀\n\0", '"ä😀\\n\\u0000"'), ("s:x", '"s:s:x"'),
    (Uri("http://x/"), '"u:http://x/"'), (Uri(""), '"u:"'), (Ref("a-1"), '"r:a-1"'),
    (Ref("a-1", "dis with spaces"), '"r:a-1 dis with spaces"'), (Ref("a", ""), '"r:a "'),
    (Ref("a", " x "), '"r:a  x "'), (Ref("p:a"), '"r:p:a"'), (Symbol("lib:ph"), '"y:lib:ph"'),
    (dt.date(2014, 1, 3), '"d:2014-01-03"'), (dt.time(8, 30), '"h:08:30:00"'),
    (dt.time(8, 30, 0, 5), '"h:08:30:00.000005"'),
    (dt.datetime(2015, 6, 8, 15, 47, 41, tzinfo=NEW_YORK),
     '"t:2015-06-08T15:47:41-04:00 New_York"'),
    (dt.datetime(2015, 6, 8, 15, 47, 41, 500000, UTC), '"t:2015-06-08T15:47:41.5Z UTC"'),
    (dt.datetime(2015, 6, 8, 15, 47, 41), '"t:2015-06-08T15:47:41Z Rel"'),
    (Coord(12, -77.44), '"c:12.0,-77.44"'), (XStr("Span", "a:b"), '"x:Span:a:b"'),
    (XStr("Bin", ""), '"x:Bin:"'), (b"\x00\xff", '"x:Buf:AP8="'),
    ([1, None, "a:b", [Marker()]], '["n:1",null,"s:a:b",["m:"]]'), ([], "[]"), ({}, "{}"),
    ({"a": 1, "b": None, "my key": {"c": True}}, '{"a":"n:1","b":null,"my key":{"c":true}}'),
    ({"cols": 1, "rows": []}, '{"cols":"n:1","rows":[]}'),
    (Grid({"x": Marker()}, [GridCol(0, "a", {"dis": "A", "meta": "y"}), GridCol(1, "b")],
          [[1, None], [[None], "x:y"]]),
     '{"meta":{"ver":"3.0","x":"m:"},"cols":[{"name":"a","dis":"A","meta":"y"},{"name":"b"}],'
     '"rows":[{"a":"n:1","b":[null]},{"b":"s:x:y"}]}'),
    (Grid(), '{"meta":{"ver":"3.0"},"cols":[],"rows":[]}'),
    ([grid_of(["a"], [Grid()])],
     '[{"meta":{"ver":"3.0"},"cols":[{"name":"a"}],'
     '"rows":[{"a":{"meta":{"ver":"3.0"},"cols":[],"rows":[]}}]}]'),
]


@pytest.mark.parametrize("value, text", BOTH_WAYS, ids=[text for _, text in BOTH_WAYS])
def test_both_ways(value, text):
    assert dumps(value) == text and json.loads(dumps(value, indent=2)) == json.loads(text)
    again = loads(text)
    assert again == value and kinds(again) == kinds(value)
    assert v3.decode(v3.encode(value)) == value
    cells = grid_of(["a"], [value], [5])
    assert loads(dumps(cells)) == cells and loads(dumps({"x": [value]})) == {"x": [value]}


def test_nan():
    value = loads('"n:NaN"')
    assert value != value and dumps(math.nan) == '"n:NaN"' and dumps([0.5, math.nan])


def test_files():
    file = io.StringIO()
    v3.dump([Marker(), 1], file)
    file.seek(0)
    assert v3.load(file) == [Marker(), 1] == v3.load(io.BytesIO(b'\xef\xbb\xbf["m:",1]'))


@pytest.mark.parametrize("text, value", [
    ("5", 5), ("5.5", 5.5), ('"s:Carytown"', "Carytown"), ('"s:"', ""), ('"n:1996.000000"', 1996.0),
    ('"n:3149.000000 ft²"', Number(3149.0, "ft²")), ('"n:5e3 kW"', Number(5000.0, "kW")),
    ('"r:@a"', Ref("a")), ('"y:^a"', Symbol("a")), ('"b:text/plain"', XStr("Bin", "text/plain")),
    ('"t:2015-06-08T15:47:41Z"', dt.datetime(2015, 6, 8, 15, 47, 41, tzinfo=UTC)),
    ('"t:2015-06-08T15:47:41-04:00"',
     dt.datetime(2015, 6, 8, 15, 47, 41, tzinfo=zoneinfo.ZoneInfo("Etc/GMT+4"))),
    ('"x:Buf:A"', XStr("Buf", "A")),
    ('"h:8:30"', dt.time(8, 30)), ('"c:37.5, -77"', Coord(37.5, -77)), ('"m"', "m"),
    ('{"ver":"3.0","cols":["a"],"rows":[{"a":"n:1","b":"m:"}]}',
     grid_of(["a", "b"], [1, Marker()])),
    ('{"meta":null,"cols":[{"name":"a","meta":{"x":"n:1"},"y":"m:"}],"rows":[]}',
     Grid({}, [GridCol(0, "a", {"x": 1, "y": Marker()})], [[]])),
    ('{"cols":1,"rows":[]}', {"cols": 1, "rows": []}),
    ('{"meta":{"ver":"2.0"},"cols":[{"name":"a"}],"rows":[{"a":null},{}]}',
     grid_of(["a"], [None], [None])),
])
def test_lenient_reader(text, value):
    again = loads(text)
    assert again == value and type(again) is type(value)


def test_numbers_of_any_size():
    big = 10**5000 + 1
    assert loads(dumps([big])) == [big] == loads(f"[{'1' + '0' * 4999 + '1'}]")


@pytest.mark.parametrize("text, message", [
    ("", "malformed JSON: Expecting value at line 1 column 1"),
    ('{"a":\n  tru}', "malformed JSON: Expecting value at line 2 column 3"),
    ('"q:x"', "unknown code 'q:' at line 1 column 1"),
    ('{"a": [1,\n "n:x"]}', "bad Number: 'x' is no number at line 2 column 2"),
    ('{"b":{"x":1,"\\u0061":"d:2021-02-30"}}',
     "bad Date: day is out of range for month at line 1 column 22"),
    ('{"a":"n:1","a":"n:x"}', "bad Number: 'x' is no number at line 1 column 16"),
    ('["m:x"]', "bad Marker: 'x' after it at line 1 column 2"),
    ('"n:NaN kW"', "bad Number: a NaN has no unit"), ('"n:"', "bad Number: '' is no number"),
    ('"n:1_0"', "is no number"), ('"r:"', "bad Ref"), ('"r:a/b x"', "bad Ref"),
    ('"h:25:00"', "bad Time"), ('"t:2015-06-08"', "bad DateTime"), ('"c:91,0"', "bad Coord"),
    ('"c:1"', "bad Coord"), ('"x:foo:"', "bad XStr"),
    ('"y:"', "bad Symbol"),
    ('{"meta":{"a":["n:1",\n"n:x"]},"cols":[],"rows":[]}', "at line 2 column 1"),
    ('{"cols":[{"name":"a","x":"n:y"}],"rows":[]}',
     "bad Number: 'y' is no number at line 1 column 26"),
    ('{"cols":["a",{"name":"b","meta":{"x":"n:y"}}],"rows":[]}', "at line 1 column 38"),
    ('{"cols":["a"],"rows":[{"a":"n:1"},\n {"a":"n:x"}]}', "at line 2 column 7"),
    ('{"cols":["a"],"rows":[{"a":"n:1"},\n {"a":["x", {"b":"n:x"}]}]}', "at line 2 column 18"),
    ('{"cols":["a","a"],"rows":[]}', 'bad grid: two columns "a" at line 1 column 14'),
    ('{"meta":5,"cols":["a"],"rows":[]}',
     "bad grid: its meta must be an object at line 1 column 9"),
])
def test_reader_errors(text, message):
    with pytest.raises(V3Error) as caught:
        loads(text)
    assert message in str(caught.value) and " at line " in str(caught.value)
    assert caught.value.line >= 1 and caught.value.column >= 1
    assert isinstance(caught.value, HaysonError)


def test_other_reader_errors():
    with pytest.raises(V3Error, match=r"at \$.a\[1\]"):
        v3.decode({"a": [1, "n:x"]})
    with pytest.raises(V3Error, match="not UTF-8"):
        loads(b"\xff")
    with pytest.raises(V3Error, match="nested too deeply"):
        loads("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize("value, error, message", [
    ([{"cols": [], "rows": []}], V3Error,
     'a dict with "cols" and "rows" would be read as a grid at $[0]'),
    (grid_of(["cols", "rows"], [["x"], [{}]]), V3Error, "would be read as a grid"),
    (Grid({}, [GridCol(0, "a", {"name": 1})], [[]]), V3Error,
     'JSON v3 cannot hold the tag "name" in a column\'s meta at $.cols[0].meta'),
    ([XStr("Buf", "")], V3Error, "would be read as bytes at $[0]"),
    ("\ud800", V3Error, "a str with a lone surrogate cannot be written"),
    ({1: 2}, HaysonTypeError, 'a dict\'s key must be a str, not "int"'),
    ([1, 1j], HaysonTypeError, 'cannot convert Python type "complex" to JSON v3 at $[1]'),
    (grid_of(["a"], [{"x": 1j}]), HaysonTypeError, "at $.rows[0].a.x"),
    ([dt.time(1, tzinfo=UTC)], V3Error, "Haystack's Time has no time zone at $[0]"),
])
def test_what_cannot_be_written(value, error, message):
    with pytest.raises(error) as caught:
        dumps(value)
    assert message in str(caught.value)


def test_depth():
    deep = Marker()
    for _ in range(hayson.MAX_DEPTH):
        deep = [deep]
    assert loads(dumps(deep)) == deep
    circle = []
    circle.append(circle)
    for value in ([deep], circle):
        with pytest.raises(V3Error, match="nested deeper than 200, or contains itself"):
            dumps(value)


@pytest.mark.parametrize("value, expected", [
    (Decimal("0.5"), '"n:0.5"'), ((1, "x:y"), '["n:1","s:x:y"]'),
    (dt.timedelta(minutes=5), '"n:300 s"'), (grid_of(["a"], [1]).first(), '{"a":"n:1"}'),
])
def test_python_types(value, expected):
    assert dumps(value) == expected and dumps({"a": [value]}) == '{"a":[%s]}' % expected


def test_dataframe():
    pandas = pytest.importorskip("pandas")
    grid = loads(dumps(pandas.DataFrame({"val": [1.5, None], "ok": [True, False]})))
    assert grid == grid_of(["val", "ok"], [1.5, True], [None, False])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values())
def test_values_survive(value):
    text = dumps(value)
    again = loads(text)
    assert again == value and kinds(again) == kinds(value) and dumps(again) == text
    text.encode()


@given(st.text(), st.integers() | FINITE)
def test_strings_and_units_survive_or_are_refused(text, number):
    value = [text, Uri(text), XStr("X", text), Ref("a", text), Number(number, text)]
    try:
        again = loads(dumps(value))
    except V3Error:
        assert any("\ud800" <= char <= "\udfff" for char in text)
    else:
        assert again == value and again[3].dis() == text


@settings(deadline=None)
@given(st.recursive(st.builds(str.__add__, st.sampled_from(
    ["", *(f"{code}:" for code in "m-znrsudhtcyxbq")]), TEXT) | st.none() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["meta", "cols", "rows", "name", "a", ""]), inner), max_leaves=8))
def test_any_tree_is_read_or_refused(tree):
    try:
        loads(json.dumps(tree))
    except V3Error as error:
        assert error.line is not None


@given(grids(TEXT))
def test_grids_of_zinc_are_those_of_v3(grid):
    assert loads(dumps(zinc.loads(zinc.dumps(grid)))) == grid


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown():
    grid = loads((DATA / "carytown.json").read_bytes())
    assert isinstance(grid, Grid) and grid.size() == 24 and loads(dumps(grid)) == grid
    expected = zinc.loads((DATA / "carytown.zinc").read_bytes())
    assert grid.to_dicts() == expected.to_dicts()
    for mine, other in zip(grid, expected):
        assert {name: ref.dis() for name, ref in mine.items() if isinstance(ref, Ref)} \
            == {name: ref.dis() for name, ref in other.items() if isinstance(ref, Ref)}


def test_a_large_grid_is_read_soon():
    """2,000 × 100 cells take 0.2 s on an idle machine; the limit leaves room for a busy one."""
    text = dumps(big_grid(2000, 100))
    start = time.process_time()
    grid = loads(text)
    assert time.process_time() - start < 1 and grid.size() == 2000
