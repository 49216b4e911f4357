"""hxpy.csv: CSV written, and read for what it tells."""

import csv as standard
import datetime as dt
import io
import math

import pytest
from hypothesis import given, strategies as st
from test_zinc import DATA, NEW_YORK, TEXT, UTC, grid_of, grids

from hxpy import csv, zinc
from hxpy.csv import CsvError, dumps, loads
from hxpy.hayson import HaysonError, HaysonTypeError
from hxpy.haystack import (NA, Coord, Grid, GridCol, Marker, Number, Ref, Remove, Symbol, Uri,
                           XStr)

CELLS = [
    (None, '""'), ("", '""'), (Marker(), "✓"), (True, "true"), (False, "false"), (NA(), "NA"),
    (Remove(), "remove"), (5, "5"), (5.0, "5.0"), (math.nan, "NaN"), (-math.inf, "-INF"),
    (Number(72.1, "°F"), "72.1°F"), (Number(5, "my, unit"), '"5my, unit"'),
    ("x", "x"), ("a, b", '"a, b"'), ('say "x"', '"say ""x"""'), ("a\nb", '"a\nb"'), (" x", '" x"'),
    ("x ", '"x "'), ("a b", "a b"), ("a\r", '"a\r"'), (Uri("http://x/"), "http://x/"),
    (Ref("a"), "@a"), (Ref("a", "Main, x"), '"@a Main, x"'), (Symbol("site"), "site"),
    (dt.date(2021, 3, 22), "2021-03-22"), (dt.time(13, 57), "13:57:00"),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 0, NEW_YORK), "2021-03-22T13:57:00-04:00 New_York"),
    (dt.datetime(2021, 3, 22, 13, 57, 0, 0, UTC), "2021-03-22T13:57:00Z UTC"),
    (Coord(37.5, -77.4), '"C(37.5,-77.4)"'), (XStr("Span", "today"), '"Span(""today"")"'),
    (b"\xff", '"Buf(""/w=="")"'), ([1, "a"], '"[1,""a""]"'), ({"a": Marker()}, "{a}"),
    (grid_of(["a"], [1]), '"<<\nver:""3.0""\na\n1\n\n>>"'), ((1,), "[1]"),
]


@pytest.mark.parametrize("value, text", CELLS, ids=[text for _, text in CELLS])
def test_cells(value, text):
    assert dumps(grid_of(["a"], [value])) == f"a\n{text}\n"
    assert dumps(grid_of(["a", "b"], [value, 1], [2, value])) == f"a,b\n{text},1\n2,{text}\n"


def test_grids():
    grid = Grid({"dis": "lost"}, [GridCol(0, "a", {"dis": "A, b"}), GridCol(1, "b", {"unit": "x"})],
                [[1, None], ["x", "y"]])
    assert dumps(grid) == '"A, b",b\n1,x\n"",y\n' and dumps(grid, dis=False) == 'a,b\n1,x\n"",y\n'
    assert dumps([{"a": 1}, {"b": 2}]) == 'a,b\n1,""\n"",2\n'
    pandas = pytest.importorskip("pandas")
    assert dumps(pandas.DataFrame({"a": [1.5, None]})) == 'a\n1.5\n""\n'


@pytest.mark.parametrize("value, error, message", [
    (5, CsvError, 'CSV holds a grid, not a value of type "int"'), ([5], CsvError, "not a value of"),
    (grid_of(["a"], [1], ["\ud800"]), CsvError, "a str with a lone surrogate cannot be written"),
    (grid_of(["a"], [1], [1j]), HaysonTypeError,
     'cannot convert Python type "complex" to CSV at $.rows[1].a'),
    (grid_of(["a"], [dt.time(1, tzinfo=UTC)]), CsvError,
     "Haystack's Time has no time zone at $.rows[0].a"),
])
def test_what_cannot_be_written(value, error, message):
    with pytest.raises(error) as caught:
        dumps(value)
    assert message in str(caught.value)


def test_read():
    grid = loads('dis,Zone Temp\n\n"say ""x"", y",72.1°F\r\n"",\n✓,5\' 6" x')
    assert grid["dis"] == ['say "x", y', None, "✓"] and grid.col_names() == ["dis", "zoneTemp"]
    assert grid["zoneTemp"] == ["72.1°F", None, "5' 6\" x"]
    assert grid.col("zoneTemp").meta() == {"sqlName": "Zone Temp"}
    file = io.StringIO()
    csv.dump(grid, file)
    again = csv.load(io.BytesIO(b"\xef\xbb\xbf" + file.getvalue().encode()))
    assert again.to_dicts() == grid.to_dicts() and again.col_names() == ["dis", "zoneTemp"]


@pytest.mark.parametrize("text, value", [
    ("✓", Marker()), ("true", True), ("@a Main x", Ref("a", "Main x")), ("@ a", "@ a"), ("5", 5),
    ("72.1°F", Number(72.1, "°F")), ("804.552.2222", "804.552.2222"), ("10:00:00", dt.time(10)),
    ("2021-03-22", dt.date(2021, 3, 22)), ("2021-99-22", "2021-99-22"), ("3504 W St", "3504 W St"),
    ("2021-03-22T13:57:00Z UTC", dt.datetime(2021, 3, 22, 13, 57, tzinfo=UTC)), ("M", "M"),
    ('"C(37.5,-77.4)"', Coord(37.5, -77.4)), ('"Span(""today"")"', XStr("Span", "today")),
    ("C(1)", "C(1)"), ("NA", NA()), ("x", "x"), ("[1]", "[1]"), ('"Buf(""/w=="")"', b"\xff"),
])
def test_guess(text, value):
    again = loads(f"a,b\n{text},1\n", guess=True)[0, "a"]
    assert again == value and type(again) is type(value)
    if isinstance(value, Ref):
        assert again.dis() == value.dis()


@pytest.mark.parametrize("text, message", [
    ("", "a CSV document begins with the columns' names at line 1 column 1"),
    ('a,b\n1,"x\ny', "a quote has no end at line 2 column 3"),
    ('a,b\n1,"x"y', "a quote within a cell at line 2 column 3"),
    ('a,b\n"x\ny",1\n1', "a row has 1 cells for 2 columns at line 4 column 1"),
    ("a,a\n", 'there are two columns "a" at line 1 column 1'),
])
def test_reader_errors(text, message):
    with pytest.raises(CsvError) as caught:
        loads(text)
    assert str(caught.value) == message and isinstance(caught.value, HaysonError)


def test_bytes_that_are_no_text():
    with pytest.raises(CsvError, match="not UTF-8"):
        loads(b"\xff")


@given(grids(TEXT.map(lambda text: text.replace("\r", ""))))
def test_the_standard_reader_reads_it(grid):
    rows = list(standard.reader(io.StringIO(dumps(grid, dis=False), newline=""), strict=True))
    assert rows == [grid.col_names()] + [[cell or "" for cell in row.cells()] for row in grid]
    again = loads(dumps(grid, dis=False))
    assert [again.cells(name) for name in again.col_names()] \
        == [[cell or None for cell in grid.cells(name)] for name in grid.col_names()]


@given(st.text('a,"\n ', max_size=20))
def test_any_text_is_read_or_refused(text):
    for guess in (True, False):
        try:
            grid = loads("x,y\n" + text, guess=guess)
        except CsvError as error:
            assert error.line is not None
        else:
            assert loads(dumps(grid), guess=guess) == grid


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown():
    text = (DATA / "carytown.csv").read_bytes()
    expected = zinc.loads((DATA / "carytown.zinc").read_bytes())
    grid = loads(text, guess=True)
    assert grid.size() == 24 and grid.to_dicts() == expected.to_dicts()
    assert loads(text) == loads(dumps(expected)) and loads(dumps(expected), guess=True) == grid
