"""hxpy._tables: batches of columns to tables, and tables to batches."""

import collections
import dataclasses
import datetime as dt
import gc
import math
import time
import uuid
from decimal import Decimal

import pytest

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")

from hxpy._tables import wire  # noqa: E402
from hxpy._tables.conversion import decode_column, encode_column  # noqa: E402
from hxpy._tables.pace import blocks  # noqa: E402
from hxpy._tables.scalars import time_zone  # noqa: E402
from hxpy._tables.tables import (TableReader, chunks, encode_chunk, encode_rows, infer,  # noqa: E402
                                 inferred, match)
from hxpy._tables.wire import Column, ProtocolError  # noqa: E402
from hxpy.errors import ConversionError  # noqa: E402
from hxpy.haystack import Grid, GridBuilder, Marker, Number, Ref, Symbol, Uri  # noqa: E402

OLD = pandas.__version__ < "2"
UNIT = "ns" if OLD else "us"
BERLIN = time_zone("Europe/Berlin")


def want(tag, name="x", extra="", *children):
    column = Column(tag, name, extra, 0)
    column.children.extend(children)
    return column


def batch(*pairs):
    """Encode (wanted column, values) and decode that as what came over the wire."""
    payload = b"".join(wire.encode_batch([encode_column(*pair) for pair in pairs]))
    return wire.decode_batch(bytearray(payload))


def read(wanted, *parts, meta=None):
    """Return a reader that took a column in parts."""
    reader = TableReader([wanted], meta)
    for part in parts:
        reader.add(batch((wanted, part)))
    return reader


def same(one, two):
    return one == two and type(one) is type(two) or one != one and two != two


# In ------------------------------------------------------------------------

MOMENT = dt.datetime(2020, 7, 1, 12, 30, 15, 123456)
ID = uuid.UUID(int=77)
# tag, extra, dtype, dtype with NULLs, values
CASES = [
    (wire.BOOL, "", "bool", "boolean", [True, False, True]),
    (wire.INT16, "", "int16", "Int16", [1, -32768, 32767]),
    (wire.INT32, "", "int32", "Int32", [1, -2**31, 2**31 - 1]),
    (wire.INT64, "", "int64", "Int64", [1, -2**63, 2**63 - 1]),
    (wire.FLOAT32, "", "float32", "float32", [1.5, -math.inf, 0.25]),
    (wire.FLOAT64, "", "float64", "float64", [1.5, math.inf, 1e300]),
    (wire.DATE, "", "object", "object", [dt.date(1, 1, 1), dt.date(9999, 12, 31), MOMENT.date()]),
    (wire.TIME, "", "object", "object", [dt.time(1, 2, 3, 4), dt.time(), dt.time(23, 59)]),
    (wire.TIMESTAMP, "", f"datetime64[{UNIT}]", f"datetime64[{UNIT}]",
     [MOMENT, MOMENT.replace(year=1900), MOMENT.replace(year=2200)]),
    (wire.TIMESTAMPTZ, "Europe/Berlin", f"datetime64[{UNIT}, Europe/Berlin]",
     f"datetime64[{UNIT}, Europe/Berlin]",
     [MOMENT.replace(tzinfo=BERLIN), MOMENT.replace(1970, 1, 1, tzinfo=BERLIN),
      MOMENT.replace(tzinfo=dt.timezone.utc)]),
    (wire.INTERVAL, "", f"timedelta64[{UNIT}]", f"timedelta64[{UNIT}]",
     [dt.timedelta(1, 2, 3), dt.timedelta(-5), dt.timedelta(0)]),
    (wire.UUID, "", "object", "object", [ID, uuid.UUID(int=0), ID]),
    (wire.TEXT, "", "object", "object", ["a", "", "häuser€😀"]),
    (wire.OTHER, "inet", "object", "object", ["127.0.0.1", "::1", "10.0.0.0/8"]),
    (wire.NUMERIC, "", "int64", "Int64", [1, -5, 2**62]),
    (wire.NUMERIC, "", "float64", "float64", [1.5, math.inf, -0.25]),
    (wire.NUMERIC, "", "float64", "float64", [1.5, 2, -7]),
    (wire.NUMERIC, "", "object", "object", [2**70, 1, -2**64]),
    (wire.NUMERIC, "", "object", "object", [2**53 + 1, 1.5, 3]),
    (wire.NUMERIC, "decimal", "object", "object", [Decimal("1.10"), Decimal(7), Decimal("1e-9")]),
    (wire.JSON, "", "object", "object", [{"a": Marker()}, [1, "b"], Number(3.5, "kW")]),
    (wire.REF, "hs_ref", "object", "object", [Ref("a"), Ref("b"), Ref("a")]),
    (wire.URI, "hs_uri", "object", "object", [Uri("http://x/"), Uri("y"), Uri("z")]),
    (wire.SYMBOL, "hs_symbol", "object", "object", [Symbol("a"), Symbol("b"), Symbol("c")]),
    (wire.BYTEA, "", "object", "object", [b"\0\1", b"", b"abc"]),
]


@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize("tag, extra, dtype, nullable, values", CASES)
def test_dtypes_and_values(tag, extra, dtype, nullable, values, parts):
    wanted = want(tag, "x", extra)
    for cells, expected in (values, dtype), ([None, *values, None], nullable):
        frame = read(wanted, *[cells] * parts).frame()
        assert str(frame["x"].dtype) == expected
        assert len(frame) == len(cells) * parts and frame.index.tolist() == list(range(len(frame)))
        for cell, value in zip(frame["x"], cells * parts):
            assert pandas.isna(cell) if value is None else cell == value, (cell, value)
            assert value is not None or dtype != "object" or cell is None \
                or frame["x"].dtype == "float64"
        grid = read(wanted, *[cells] * parts).grid()
        assert [row["x"] for row in grid] == cells * parts
        column = grid["x"]
        assert getattr(column, "_data", getattr(column, "_ndarray", column)).flags.writeable
        again = match([wanted], ["x"])
        out = [encode_chunk([wanted], chunk, again) for chunk in chunks(grid, 1000)]
        back = wire.decode_batch(b"".join(out[0]))[0]
        back.extra = extra
        assert decode_column(back) == cells * parts


def test_nulls_only_in_some_batches():
    for tag, dtype in (wire.INT64, "Int64"), (wire.BOOL, "boolean"):
        series = read(want(tag), [1 == 1], [None, False], [True]).frame()["x"]
        assert series.dtype == dtype and series.isna().tolist() == [False, True, False, False]
    series = read(want(wire.NUMERIC), [1], [None], [2]).frame()["x"]
    assert series.dtype == "Int64" and series.sum() == 3
    series = read(want(wire.NUMERIC), [1], [None, 1.5], [math.nan]).frame()["x"]
    assert series.dtype == "float64" and series.isna().tolist() == [False, True, False, True]
    series = read(want(wire.NUMERIC), [2**60], [1.5]).frame()["x"]
    assert series.tolist() == [2**60, 1.5]
    series = read(want(wire.NUMERIC), [-2**63], [-2**63]).frame()["x"]
    assert series.dtype == "int64"
    series = read(want(wire.NUMERIC), [-2**63], [1.5]).frame()["x"]
    assert series.dtype == object and series.tolist() == [-2**63, 1.5]
    assert read(want(wire.NUMERIC), [None]).frame()["x"].dtype == "float64"


@pytest.mark.parametrize("tag", [case[0] for case in CASES])
def test_no_rows(tag):
    assert len(read(want(tag)).frame()) == 0 == len(read(want(tag), []).frame())
    assert read(want(tag)).grid().col_names() == ["x"]


def test_arrays_and_records():
    floats = want(wire.ARRAY, "a", "", want(wire.FLOAT64))
    pair = want(wire.RECORD, "r", "", want(wire.INT32, "i"), want(wire.TEXT, "t"))
    reader = TableReader([floats, pair])
    reader.add(batch((floats, [[1.5, 2], None]), (pair, [{"i": 1, "t": "x"}, None])))
    reader.add(batch((floats, [[[1.0], [2.0]]]), (pair, [{"i": None, "t": None}])))
    frame = reader.frame()
    assert frame["a"][0].tolist() == [1.5, 2] and frame["a"][1] is None
    assert frame["a"][2].shape == (2, 1) and frame["a"][0].flags.writeable
    assert frame["r"].tolist() == [{"i": 1, "t": "x"}, None, {"i": None, "t": None}]


def test_memory_is_shared():
    wanted = [want(wire.INT64, "i"), want(wire.FLOAT64, "f"), want(wire.INT64, "n"),
              want(wire.TIMESTAMPTZ, "t", "Europe/Berlin"), want(wire.BOOL, "b")]
    rows = [[1, 2], [1.5, None], [1, None], [MOMENT.replace(tzinfo=BERLIN), None], [True, False]]
    reader = TableReader(wanted)
    frame_memory = batch(*zip(wanted, rows))
    reader.add(frame_memory)
    grid = reader.grid()
    assert numpy.shares_memory(grid["i"], numpy.frombuffer(frame_memory[0].data, "i8"))
    frame = grid.to_dataframe()
    assert numpy.shares_memory(grid["i"], frame["i"].to_numpy())
    assert numpy.shares_memory(grid["f"], frame["f"].to_numpy())
    assert numpy.shares_memory(grid["b"], frame["b"].to_numpy())
    assert numpy.shares_memory(grid["t"].asi8, frame["t"].array.asi8)
    assert numpy.shares_memory(grid["n"]._data, frame["n"].array._data)


def test_memory_that_cannot_be_written_is_copied():
    payload = b"".join(wire.encode_batch([encode_column(want(wire.FLOAT64), [1.0, None])]))
    reader = TableReader([want(wire.FLOAT64)])
    reader.add(wire.decode_batch(payload))
    frame = reader.frame()
    frame.iloc[0, 0] = 7.0
    assert math.isnan(frame["x"][1])


def test_meta_and_names():
    wanted = [want(wire.INT32, "My Total"), want(wire.INT32, "a"), want(wire.INT32, "a")]
    meta = {"dis": "T", "cols": {"My Total": {"unit": "kW"}}}
    for _ in range(2):
        reader = TableReader(wanted, meta)
        reader.add(batch(*[(column, [1]) for column in wanted]))
        grid = reader.grid()
        assert grid.meta() == {"dis": "T"} and len(set(grid.col_names())) == 3
        assert grid.cols()[0].meta() == {"unit": "kW", "sqlName": "My Total"}
        assert grid.to_dataframe().attrs["dis"] == "T"
        assert next(chunks(grid, 5)).names == ["My Total", "a", "a_2"]
    reader.add(batch(*[(column, [1]) for column in wanted]))
    frame = reader.frame()
    assert frame.columns.tolist() == ["My Total", "a", "a_2"]
    assert frame.attrs == {"dis": "T", "cols": {"My Total": {"unit": "kW"}}}


def test_clear_and_use_again():
    reader = read(want(wire.TEXT), ["a"], ["b"])
    reader.clear()
    reader.add(batch((want(wire.TEXT), ["c"])))
    assert reader.frame()["x"].tolist() == ["c"]
    assert reader.frame()["x"].tolist() == []
    gc.disable()
    try:
        reader.add(batch((want(wire.TEXT), ["c"])))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_arrays():
    wanted = [want(wire.INT64, "i"), want(wire.INT64, "n"), want(wire.INT64, "big"),
              want(wire.BOOL, "b"), want(wire.TIMESTAMPTZ, "t", "Europe/Berlin")]
    reader = TableReader(wanted)
    moment = MOMENT.replace(tzinfo=BERLIN)
    reader.add(batch(*zip(wanted, [[1, 2], [1, None], [2**60, None], [True, None],
                                   [moment, None]])))
    arrays = reader.plain(reader.columns())
    assert [array.dtype.kind for array in arrays] == list("ifOOM")
    assert all(type(array) is numpy.ndarray for array in arrays)
    assert arrays[4][0].astype("M8[us]").item() == moment.astimezone(
        dt.timezone.utc).replace(tzinfo=None)
    assert arrays[2].tolist() == [2**60, None]


def test_matrix():
    def matrix(wanted, *batches):
        reader = TableReader(wanted, {}, True)
        for rows in batches:
            reader.add(batch(*zip(wanted, zip(*rows))))
        return reader.matrix()

    ints = [want(wire.INT32, "a"), want(wire.INT32, "b")]
    array = matrix(ints, [(1, 2)], [(3, 4), (5, 6)])
    assert array.dtype == "i4" and array.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert array.flags.c_contiguous and array.flags.writeable
    array = matrix(ints, [(1, 2)], [(3, None)], [(5, 6)])
    assert array.dtype == "f8" and str(array.tolist()) == "[[1.0, 2.0], [3.0, nan], [5.0, 6.0]]"
    mixed = [want(wire.INT64, "a"), want(wire.NUMERIC, "b"), want(wire.FLOAT32, "c")]
    array = matrix(mixed, [(1, 2.5, None), (2, None, 4.0)])
    assert array.dtype == "f8" and str(array.tolist()) == "[[1.0, 2.5, nan], [2.0, nan, 4.0]]"
    assert matrix([want(wire.FLOAT32)], [(1.5,), (None,)]).dtype == "f4"
    assert matrix(ints).shape == (0, 2) and matrix([want(wire.NUMERIC)]).dtype == "f8"
    rows = [(float(i), float(-i)) for i in range(100000)]
    floats = [want(wire.FLOAT64, "a"), want(wire.FLOAT64, "b")]
    array = matrix(floats, rows[:50000], rows[50000:])
    assert numpy.array_equal(array, numpy.array(rows)) and array.flags.c_contiguous
    with pytest.raises(ConversionError, match='column "b" of type text') as caught:
        TableReader([want(wire.INT32, "a"), want(wire.TEXT, "b")], {}, True)
    assert caught.value.sqlstate == "42804"


def test_wrong_batches():
    reader = TableReader([want(wire.INT32), want(wire.TEXT)])
    with pytest.raises(ProtocolError):
        reader.add(batch((want(wire.INT32), [1])))
    with pytest.raises(ProtocolError):
        reader.add(batch((want(wire.INT32), [1]), (want(wire.TEXT), ["a", "b"])))


# Out -----------------------------------------------------------------------


def table(value, rows=1000):
    """Return a table's names and rows after chunks and inferred types: what SQL would see."""
    names, result = None, []
    wanted, stream = inferred(value, chunks(value, rows))
    for chunk in stream:
        assert chunk.count <= rows and chunk.start == len(result)
        names = names or chunk.names
        mapping = match(wanted, chunk.names, unnamed=chunk.unnamed)
        payload = b"".join(encode_chunk(wanted, chunk, mapping))
        decoded = [decode_column(column) for column in wire.decode_batch(payload)]
        result += map(tuple, zip(*decoded))
    return names, result


@dataclasses.dataclass
class Point:
    x: int
    y: str


Pair = collections.namedtuple("Pair", "x y")
ROWS = [(1, "a"), (2, "b"), (3, "c")]
FRAME = pandas.DataFrame(ROWS, columns=["x", "y"])


@pytest.mark.parametrize("value", [
    FRAME, FRAME.set_index("x"), FRAME.set_index(["x", "y"]), FRAME.set_index("x")["y"],
    Grid.from_dataframe(FRAME), GridBuilder().add_col_names("xy").add_row(ROWS[0])
    .add_row(ROWS[1]).add_row(ROWS[2]).to_grid(),
    numpy.array(ROWS, dtype=[("x", "i8"), ("y", "U3")]),
    {"x": [1, 2, 3], "y": ["a", "b", "c"]}, {"x": range(1, 4), "y": numpy.array(["a", "b", "c"])},
    {"x": FRAME["x"], "y": ("a", "b", "c")},
    [dict(x=x, y=y) for x, y in ROWS], [Point(*row) for row in ROWS], [Pair(*row) for row in ROWS],
    Grid.from_dataframe(FRAME).rows(), list(numpy.array(ROWS, dtype=[("x", "i8"), ("y", "U3")])),
    [FRAME[:2], FRAME[2:]], [Grid.from_dataframe(FRAME)],
    [{"x": numpy.array([1, 2, 3]), "y": FRAME["y"]}],
])
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_forms_of_tables(value, rows):
    assert table(value, rows) == (["x", "y"], ROWS)
    if isinstance(value, list):
        assert table(iter(value), rows) == (["x", "y"], ROWS)
        assert table((row for row in value), rows) == (["x", "y"], ROWS)


def test_forms_without_names():
    assert table(ROWS) == (["c0", "c1"], ROWS) == table(list(map(list, ROWS)))
    assert table([1, None, 3]) == (["c0"], [(1,), (None,), (3,)])
    assert table(range(3), 2) == (["c0"], [(0,), (1,), (2,)])
    assert table(numpy.arange(3)) == (["c0"], [(0,), (1,), (2,)])
    matrix = numpy.arange(4).reshape(2, 2)
    frame = pandas.DataFrame(matrix)
    for value in (matrix, iter(matrix), list(matrix), [matrix], frame, frame[[0, 1]],
                  [row for _, row in frame.iterrows()], Grid.from_matrix(matrix),
                  Grid.from_dataframe(frame)):
        assert table(value) == (["v0", "v1"], [(0, 1), (2, 3)])
    assert Grid.from_dataframe(frame).col_names() == ["v0", "v1"]
    assert table(frame[[1, 0]])[0] == ["1", "0"]
    assert table(pandas.Series(["a"])) == (["c0"], [("a",)])
    assert table(pandas.array([1, None], dtype="Int64")) == (["c0"], [(1,), (None,)])
    assert table(pandas.Index([1, 2], name="k")) == (["k"], [(1,), (2,)])
    assert table({"a": 1, "b": "x"}) == (["a", "b"], [(1, "x")])
    assert table({"a": [1, 2], "b": "x"}) == (["a", "b"], [(1, "x"), (2, "x")])
    assert table({"a", }) == (["c0"], [("a",)])
    assert table([]) == (None, []) and table(FRAME[:0]) == (["x", "y"], [])
    assert next(chunks(pandas.DataFrame(index=range(3)), 10)).count == 3


def test_labels():
    frame = pandas.DataFrame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "b"),
                                                                              ("c", "")]))
    assert table(frame)[0] == ["a_b", "c"] == table(Grid.from_dataframe(frame))[0]
    assert table(pandas.DataFrame([[1, 2]], columns=[1, 2]))[0] == ["1", "2"]
    assert table(pandas.DataFrame([[1, 2]], columns=[0, "a"]))[0] == ["0", "a"]
    for twice in (pandas.DataFrame([[1, 2]], columns=["a", "a"]), {1: [1], "1": [2]},
                  FRAME.rename_axis("x")):
        with pytest.raises(ConversionError, match="comes twice") as caught:
            table(twice)
        assert caught.value.sqlstate == "42701"


def test_rows_that_lack_keys():
    rows = [{"a": 1}, {"b": "x"}]
    assert table(rows) == (["a", "b"], [(1, None), (None, "x")])
    assert table([{"a": 1, "b": 2}, {"b": 3}], 1)[1] == [(1, 2), (None, 3)]
    for size in 1, 2:
        assert table(rows, size) == (["a", "b"], [(1, None), (None, "x")])
        assert table(dict(enumerate(rows)).values(), size)[0] == ["a", "b"]
    with pytest.raises(ConversionError, match='key "b"') as caught:
        table(iter(rows), 1)
    assert caught.value.sqlstate == "42804" and caught.value.detail == "Row 2."
    assert "iterator" in caught.value.hint


@pytest.mark.parametrize("late, tag", [
    (0.5, wire.FLOAT64), (2**70, wire.NUMERIC), ("x", wire.JSON), (None, wire.INT64)])
def test_types_are_those_of_all_rows_in_memory(late, tag):
    values = [1, 2, late]
    for value in (values, [(value,) for value in values], [{"c0": value} for value in values],
                  {"c0": values}, pandas.DataFrame({"c0": values}, dtype=object), set(values),
                  [{"c0": pandas.Series(values[:2])}, {"c0": numpy.array([late], object)}]):
        wanted, stream = inferred(value, chunks(value, 1))
        assert [column.tag for column in wanted] == [tag]
        assert [chunk.count for chunk in stream] == [1, 1, 1]
        assert sorted(table(value, 1)[1], key=str) == sorted(((v,) for v in values), key=str)
    rows = ({"c0": value} for value in values)
    wanted, stream = inferred(rows, chunks(rows, 2))
    first, second = stream
    assert wanted[0].tag == wire.INT64
    encode_chunk(wanted, first, [0])
    if late is not None:
        with pytest.raises(ConversionError) as caught:
            encode_chunk(wanted, second, [0])
        assert caught.value.detail == 'Column "c0", row 3.'
        assert "first 2 rows" in caught.value.hint


STATES = FRAME.describe()
LEVELS = pandas.DataFrame({"z": [1, 2]}, index=pandas.MultiIndex.from_tuples(
    [("a", 1), ("b", 2)], names=["k", None]))


@pytest.mark.parametrize("value, names, first, unnamed", [
    (STATES, ["index", "x"], ("count", 3.0), (0,)), (STATES["x"], ["index", "x"], ("count", 3.0), (0,)),
    (FRAME[["x"]].corr(), ["index", "x"], ("x", 1.0), (0,)), (FRAME.mean(numeric_only=True),
                                                              ["index", "c0"], ("x", 2.0), (0,)),
    (LEVELS, ["k", "level_1", "z"], ("a", 1, 1), (1,)),
    (LEVELS.rename_axis([None, None]), ["level_0", "level_1", "z"], ("a", 1, 1), (0, 1)),
    (STATES.rename(columns={"x": "index"}), ["level_0", "index"], ("count", 3.0), (0,)),
    (FRAME[FRAME.x > 1], ["index", "x", "y"], (1, 2, "b"), (0,)),
    (FRAME[1:], ["index", "x", "y"], (1, 2, "b"), (0,)), (FRAME[:2], ["x", "y"], (1, "a"), ()),
    (FRAME.rename_axis("k"), ["k", "x", "y"], (0, 1, "a"), ()),
    ([row for _, row in STATES.iterrows()], ["index", "x"], ("count", 3.0), (0,)),
])
def test_an_index_without_a_name_is_kept(value, names, first, unnamed):
    got, rows = table(value)
    assert got == names and rows[0] == first
    chunk = next(chunks(value, 100))
    assert chunk.unnamed == unnamed
    row = decode_column(wire.decode_batch(b"".join(encode_rows(chunk)))[0])[0]
    assert list(row) == names


def test_an_index_without_a_name_does_not_hide_columns():
    late = FRAME[FRAME.x > 1]
    a, b, k = (want(wire.INT64, name) for name in ("a", "b", "index"))
    x, y = want(wire.INT64, "x"), want(wire.TEXT, "y")
    chunk = next(chunks(late, 10))

    def places(*wanted, by_name_only=False):
        return match(wanted, chunk.names, by_name_only, chunk.unnamed)

    assert places(y, x) == [2, 1] and places(a, b) == [1, 2] and places(a, b, k) == [0, 1, 2]
    assert places(k, x) == [0, 1] and places(x) == [1]
    assert places(x, y, by_name_only=True) == [1, 2]
    assert places(x, k, y, by_name_only=True) == [1, 0, 2]
    with pytest.raises(ConversionError, match="3 columns where 1"):
        places(a)
    with pytest.raises(ConversionError, match='no column "y"'):
        places(x, by_name_only=True)
    # frames that go on with the count of the stream have no index
    parts = (FRAME[place:place + 1] for place in range(3))
    assert table(parts) == (["x", "y"], ROWS)


def test_rows_that_are_series():
    rows = [row for _, row in FRAME.iterrows()]
    for value in rows, iter(rows), tuple(rows), (row for _, row in FRAME.iterrows()):
        assert table(value, 2) == (["x", "y"], ROWS)
    ragged = [pandas.Series({"a": 1.5, "b": math.nan}), pandas.Series({"c": "x"})]
    assert table(ragged, 1) == (["a", "b", "c"], [(1.5, None, None), (None, None, "x")])
    with pytest.raises(ConversionError, match='key "c"'):
        table(iter(ragged), 1)
    with pytest.raises(ConversionError, match="one label") as caught:
        table([pandas.Series([1, 2], index=["a", "a"])])
    assert caught.value.sqlstate == "42701"


@pytest.mark.parametrize("value, message", [
    ([(1, 2), (1,)], "a row of 1 values in a table of 2 columns"),
    ([(1, 2), {"a": 1}], "holds a \"dict\""), ([(1, 2), None], "NoneType"),
    ([None, {"a": 1}], "NoneType"),
    ([FRAME, 5], "int"), ({"a": [1], "b": [1, 2]}, "different lengths"),
    ([Point(1, "a"), dataclasses.make_dataclass("Other", ["x"])(1)], "Other"),
    ([numpy.zeros(2), numpy.zeros(3)], "a row of 3 values"),
])
def test_tables_that_do_not_fit(value, message):
    with pytest.raises(ConversionError, match=message) as caught:
        table(iter(value) if isinstance(value, list) else value, 100)
    assert caught.value.sqlstate == "42804" and caught.value.detail


@pytest.mark.parametrize("value", [5, "text", b"bytes", None, object(), 1.5, numpy.zeros((1, 1,
                                                                                          1))])
def test_what_is_no_table(value):
    with pytest.raises(ConversionError, match="no table") as caught:
        table(value)
    assert caught.value.sqlstate == "42846"


@pytest.mark.parametrize("value, hint", [
    (pandas.Period("2024-01", "M"), "start_time"), (pandas.Interval(1, 2), "left and right"),
    (pandas.Series(pandas.period_range("2024", periods=2, freq="M")), "start_time"),
    ({"x": pandas.interval_range(0, 2)}, "left and right"),
    ([{"x": pandas.Period("2024-01", "M")}], "start_time")])
def test_the_hint_names_the_way_out(value, hint):
    for function in table, lambda value: [encode_rows(chunk) for chunk in chunks(value, 9)]:
        with pytest.raises(ConversionError) as caught:
            function(value)
        assert caught.value.sqlstate == "42846" and hint in caught.value.hint


def test_sparse_and_other_arrays():
    sparse = pytest.importorskip("scipy.sparse")
    numbers = want(wire.ARRAY)
    numbers.children.append(want(wire.FLOAT64))
    for value in sparse.eye(2, format="csr"), sparse.coo_array(numpy.eye(2)):
        for function in table, lambda value: encode_column(numbers, [value]), \
                lambda value: encode_column(want(wire.JSON), [value]):
            with pytest.raises(ConversionError) as caught:
                function(value)
            assert caught.value.sqlstate == "42846" and "toarray" in caught.value.hint
    matrix = numpy.matrix([[1.5, 2], [3, 4]])
    assert table(matrix) == (["v0", "v1"], [(1.5, 2.0), (3.0, 4.0)])
    for value in matrix, collections.deque([collections.deque([1.5, 2]), [3, 4]]):
        column = encode_column(numbers, [value])
        batch = wire.decode_batch(b"".join(wire.encode_batch([column])))
        assert decode_column(batch[0])[0].tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert table(collections.deque([collections.deque([1, "a"]), (2, "b")]), 1) \
        == (["c0", "c1"], [(1, "a"), (2, "b")])
    assert table({"x": [collections.deque([1, 2])]})[0] == ["x"]
    assert infer(next(chunks({"x": [collections.deque([1])]}, 9)))[0].tag == wire.ARRAY


@pytest.mark.parametrize("name", ["a\ud800", "\udcff", "a\0b"])
def test_names_that_are_no_text(name):
    for value in {name: [1]}, pandas.DataFrame({name: [1]}), [{name: 1}]:
        for function in table, lambda value: list(chunks(value, 9)):
            with pytest.raises(ConversionError, match="column name") as caught:
                function(value)
            assert caught.value.sqlstate == "22021" and caught.value.hint
    assert table({"größe \U0001f600": [1]})[0] == ["größe \U0001f600"]


def test_streams_are_lazy():
    taken = []

    def rows():
        for i in range(100):
            taken.append(i)
            yield {"i": i}

    stream = chunks(rows(), 10)
    assert next(stream).count == 10 and len(taken) == 10
    stream.close()

    def frames():
        for i in range(100):
            taken.append(i)
            yield FRAME

    taken.clear()
    stream = chunks(frames(), 10)
    assert [next(stream).start for _ in range(2)] == [0, 3] and len(taken) == 2


def test_rows_come_soon():
    """Of an iterator whose columns are certain, few rows are taken first, then more."""
    taken = []

    def rows(row, count=100_000):
        for i in range(count):
            taken.append(i)
            yield row(i)

    for row, soon in ((lambda i: (i, 1), ["a", "b"]), (lambda i: i, ["a"]), (Decimal, ["a"]),
                      (lambda i: {"a": i, "b": 1}, ["b"]), (lambda i: {"a": i}, []),
                      (lambda i: [i, "x"], []), (lambda i: Point(i, 1), ["x", "y"])):
        taken.clear()
        stream = chunks(rows(row), 1000, soon)
        assert [next(stream).count for _ in range(8)] == [16, 32, 64, 128, 256, 512, 1000, 1000]
        assert len(taken) == 3008
    assert [chunk.count for chunk in chunks(rows(lambda i: i, 40), 1000, ["a"])] == [16, 24]
    # What cannot be known yet, a new table's types, and rows that are there.
    for value, soon in ((rows(lambda i: {"a": i}), ["a", "b"]), (rows(lambda i: (i,)), None),
                        (rows(lambda i: pandas.Series([i])), ["v0"]), ([(1,)] * 5000, ["a"])):
        assert next(chunks(value, 1000, soon)).count == 1000


def test_keys_of_rows_that_come_soon():
    """Late keys: those that are wanted count, others are left out, unless the first rows lack one."""
    late = [{"a": 1, "b": 2}] * 20 + [{"b": 3}, {"a": 4, "c": 5}, {"a": 6, "b": 7, "c": 8}]
    taken = list(chunks(iter(late), 1000, ["b", "a"]))
    assert [chunk.names for chunk in taken] == [["b", "a"]] * 2
    assert taken[1].columns[0][4:] == [3, None, 7] and taken[1].columns[1][4:] == [None, 4, 6]
    taken = list(chunks(iter(late), 1000, []))
    assert [chunk.names for chunk in taken] == [["a", "b"], ["a", "b", "c"]]
    (whole,) = chunks(iter([{"a": 1}] * 20 + [{"b": 2}]), 1000, ["a", "b"])
    assert whole.names == ["a", "b"] and whole.columns[1][20] == 2


def test_slow_rows_are_not_held_up():
    """What has come goes out in a moment, also when rows become slow."""
    def rows(fast, seconds):
        for i in range(fast):
            yield i
        for i in range(4):
            time.sleep(seconds)
            yield i

    assert [len(block) for block in blocks(rows(0, 0.11), 1000)] == [1] * 4
    assert [len(block) for block in blocks(rows(16 + 32 + 5, 0.11), 1000)][:2] == [16, 32]
    assert max(len(block) for block in blocks(rows(5000, 0.11), 1000)) == 1000
    assert list(blocks(iter([]), 1000)) == []


def test_match():
    a, b = want(wire.INT32, "a"), want(wire.INT32, "b")
    assert match([a, b], ["b", "c", "a"]) == [2, 0] and match([a, b], ["x", "y"]) == [0, 1]
    assert match([a, b], ["b"], True) == [-1, 0]
    for names, by_name in (["a"], False), (["a", "z"], True), (["x", "y", "z"], False):
        with pytest.raises(ConversionError) as caught:
            match([a, b], names, by_name)
        assert caught.value.sqlstate == "42804"
        assert "a, b" in caught.value.detail and ", ".join(names) in caught.value.detail


def test_nan_is_null_in_what_pandas_made():
    assert table(pandas.Series([1.5, math.nan]))[1] == [(1.5,), (None,)]
    assert table({"a": pandas.Series(["x", math.nan, None])})[1] == [("x",), (None,), (None,)]
    grid = Grid.from_dataframe(pandas.DataFrame({"a": [math.nan]}))
    assert table(grid)[1] == [(None,)]
    for value in numpy.array([math.nan]), [math.nan], {"a": [math.nan]}:
        assert math.isnan(table(value)[1][0][0])
    assert table(numpy.array(["2020-01-01", "NaT"], "M8[D]"))[1][1] == (None,)


def frame_of(values, dtype):
    return pandas.DataFrame({"x": pandas.array(values, dtype=dtype)})


@pytest.mark.parametrize("value, tag, expected", [
    (frame_of([1, None], "Int8"), wire.INT16, [1, None]),
    (frame_of([1, None], "UInt32"), wire.INT64, [1, None]),
    (frame_of([1.5, None], "Float64"), wire.FLOAT64, [1.5, None]),
    (frame_of([True, None], "boolean"), wire.BOOL, [True, None]),
    (frame_of(["a", None], "string"), wire.TEXT, ["a", None]),
    (frame_of(["a", None, "b", "a"], "category"), wire.TEXT, ["a", None, "b", "a"]),
    (frame_of([3, None, 4], "category"), wire.INT64, [3, None, 4]),
    (frame_of([None], "category"), wire.TEXT, [None]),
    (frame_of([MOMENT, None], "datetime64[ns]"), wire.TIMESTAMP, [MOMENT, None]),
    (frame_of([MOMENT], "category"), wire.TIMESTAMP, [MOMENT]),
    (frame_of([dt.timedelta(1), None], "timedelta64[ns]"), wire.INTERVAL,
     [dt.timedelta(1), None]),
    (frame_of([0, 1], "Sparse[int64]"), wire.INT64, [0, 1]),
    (numpy.array([1, 2], ">i4"), wire.INT32, [1, 2]),
    (numpy.array([1.5], "f2"), wire.FLOAT32, [1.5]),
    (numpy.array([2**64 - 1], "u8"), wire.NUMERIC, [2**64 - 1]),
    (numpy.array([b"ab"]), wire.BYTEA, [b"ab"]),
    (numpy.array(["2020-01-01T12"], "M8[h]"), wire.TIMESTAMP, [dt.datetime(2020, 1, 1, 12)]),
    (numpy.array([90], "m8[s]"), wire.INTERVAL, [dt.timedelta(seconds=90)]),
    (numpy.ma.array([1, 2], mask=[False, True]), wire.INT64, [1, None]),
    ([1, 2**70], wire.NUMERIC, [1, 2**70]), ([1, 2.5], wire.FLOAT64, [1.0, 2.5]),
    ([-2**63, 2**63 - 1], wire.INT64, [-2**63, 2**63 - 1]),
    ([2**63], wire.NUMERIC, [2**63]), ([-2**63 - 1], wire.NUMERIC, [-2**63 - 1]),
    ([2**60 + 1, 0.5], wire.NUMERIC, [2**60 + 1, 0.5]),
    ([2**70, 0.5], wire.NUMERIC, [2**70, 0.5]),
    ([2**53 - 1, 0.5, -2**53], wire.FLOAT64, [2.0**53 - 1, 0.5, -2.0**53]),
    ([Decimal("1.5"), 0.25], wire.NUMERIC, [1.5, 0.25]),
    ([pandas.Timestamp(MOMENT), None], wire.TIMESTAMP, [MOMENT, None]),
    ([(pandas.Timestamp(MOMENT),), (pandas.NaT,)], wire.TIMESTAMP, [MOMENT, None]),
    ([pandas.Timestamp(MOMENT, tz="Europe/Berlin")], wire.TIMESTAMPTZ,
     [MOMENT.replace(tzinfo=BERLIN)]),
    ([{"x": pandas.Timedelta("1 h")}], wire.INTERVAL, [dt.timedelta(hours=1)]),
    (frame_of([pandas.Timestamp(MOMENT), pandas.NaT], object), wire.TIMESTAMP,
     [MOMENT, None]),
    ([Decimal("1.5"), 1], wire.NUMERIC, [1.5, 1]), ([True, None], wire.BOOL, [True, None]),
    ([dt.date(2020, 1, 1), None], wire.DATE, [dt.date(2020, 1, 1), None]),
    ([dt.time(1)], wire.TIME, [dt.time(1)]),
    ([MOMENT, None], wire.TIMESTAMP, [MOMENT, None]),
    ([MOMENT.replace(tzinfo=BERLIN)], wire.TIMESTAMPTZ, [MOMENT.replace(tzinfo=BERLIN)]),
    ([ID], wire.UUID, [ID]), ([b"a"], wire.BYTEA, [b"a"]),
    ([Ref("a")], wire.REF, [Ref("a")]),
    ([Uri("a")], wire.URI, [Uri("a")]), ([Symbol("a")], wire.SYMBOL, [Symbol("a")]),
    ([None, None], wire.TEXT, [None, None]), ([1, "a"], wire.JSON, [1, "a"]),
    ({"x": [{"a": 1}]}, wire.JSON, [{"a": 1}]), ({"x": [["a"]]}, wire.JSON, [["a"]]),
    ([Number(1, "kW")], wire.JSON, [Number(1, "kW")]), ([Marker()], wire.JSON, [Marker()]),
    ([MOMENT, MOMENT.date()], wire.JSON, [MOMENT, MOMENT.date()]),
])
def test_inferred_types(value, tag, expected):
    chunk = next(chunks(value, 100))
    assert [column.tag for column in infer(chunk)] == [tag]
    assert [row[0] for row in table(value)[1]] == expected


def test_inferred_arrays():
    for cells, element in (
            ([[1, 2], None], wire.INT64), ([[1, 2.5]], wire.FLOAT64),
            ([[2**60 + 1], [0.5]], wire.NUMERIC), ([[2**70]], wire.NUMERIC),
            ([numpy.array([2**60 + 1]), numpy.array([0.5])], wire.NUMERIC),
            ([numpy.array([1.5])], wire.FLOAT64), ([[[1], [2]]], wire.INT64),
            ([[True]], wire.BOOL), ([numpy.zeros(1, "i4"), [1]], wire.INT64)):
        column = infer(next(chunks({"x": cells}, 10)))[0]
        assert (column.tag, column.children[0].tag) == (wire.ARRAY, element)
    rows = table({"x": [[1, 2], None]})[1]
    assert rows[0][0].tolist() == [1, 2] and rows[1] == (None,)
    for cells in [[]], [[1], ["a"]], [[[1], 2]], [[1, None, "x"]]:
        assert infer(next(chunks({"x": cells}, 10)))[0].tag == wire.JSON


def encode(tag, value, extra="", rows=1000):
    wanted = want(tag, "x", extra)
    parts = []
    for chunk in chunks(value, rows):
        payload = b"".join(encode_chunk([wanted], chunk, [0]))
        column = wire.decode_batch(payload)[0]
        column.extra = extra
        parts += decode_column(column)
    return parts


def test_times():
    moments = ["2020-01-01T00:00:00.000000500", "1969-12-31T23:59:59.999999499", "NaT"]
    array = numpy.array(moments, "M8[ns]")
    expected = [dt.datetime(2020, 1, 1, 0, 0, 0, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
                None]
    for value in array, pandas.Series(array), [pandas.Timestamp(moment) for moment in moments]:
        assert encode(wire.TIMESTAMP, value) == expected
    assert encode(wire.INTERVAL, numpy.array([500, 499, -501], "m8[ns]")) == [
        dt.timedelta(microseconds=1), dt.timedelta(0), dt.timedelta(microseconds=-1)]
    naive = [dt.datetime(2020, 7, 1, 12), dt.datetime(2020, 10, 25, 2, 30),
             dt.datetime(2020, 3, 29, 2, 30)]
    aware = [moment.replace(tzinfo=BERLIN) for moment in naive]
    for value in naive, numpy.array(naive, "M8[us]"), pandas.Series(naive), \
            pandas.Series(naive[:1] * 3):
        result = encode(wire.TIMESTAMPTZ, value, "Europe/Berlin")
        utc = [moment.astimezone(dt.timezone.utc) for moment in result]
        right = aware[:1] * 3 if len(set(utc)) == 1 else aware
        assert utc == [moment.astimezone(dt.timezone.utc) for moment in right]
    series = pandas.Series(pandas.to_datetime(naive[:1] * 2).tz_localize("America/New_York"))
    series[1] = pandas.NaT
    assert encode(wire.TIMESTAMP, series, "Europe/Berlin") == [dt.datetime(2020, 7, 1, 18), None]
    assert encode(wire.TIMESTAMPTZ, series, "UTC")[0] == series[0]
    assert encode(wire.DATE, pandas.Series(pandas.to_datetime(["2020-01-01", None]))) == [
        dt.date(2020, 1, 1), None]


@pytest.mark.parametrize("tag, value, state, row", [
    (wire.INT16, numpy.array([1, 40000]), "22003", 2),
    (wire.INT16, pandas.DataFrame({"x": [1, 40000]}), "22003", 2),
    (wire.INT16, pandas.Series([None, 40000], dtype="Int64"), "22003", 2),
    (wire.INT64, numpy.array([1, 2**63], "u8"), "22003", 2),
    (wire.INT64, numpy.array([1, 2.0**63]), "22003", 2),
    (wire.INT32, numpy.array([1, 2**31]), "22003", 2),
    (wire.INT32, [1, 2, 2.5], "22003", 3), (wire.INT32, numpy.array([1, 2.5]), "22003", 2),
    (wire.INT32, numpy.array([1, math.nan]), "22003", 2), (wire.INT32, [2**80], "22003", 1),
    (wire.FLOAT32, numpy.array([1, 1e300]), "22003", 2), (wire.INT32, ["a"], "42846", 1),
    (wire.FLOAT32, [1.5, 1e300], "22003", 2), (wire.FLOAT64, [1.0, "a"], "42846", 2),
    (wire.TEXT, ["a", None, 5], "42846", 3), (wire.TEXT, ["a", "b\0"], "22021", 2),
    (wire.TEXT, pandas.Series(["a", 5]), "42846", 2), (wire.TEXT, ["\ud800"], "22021", 1),
    (wire.TEXT, numpy.array([1]), "42846", 1), (wire.BOOL, [True, 1], "42846", 2),
    (wire.BOOL, numpy.array([1]), "42846", 1), (wire.JSON, [1, object()], "42846", 2),
    (wire.DATE, numpy.array(["2020-01-01T01"], "M8[h]"), "22007", 1),
    (wire.TIMESTAMP, [MOMENT, "x"], "42846", 2), (wire.TIMESTAMP, [5], "42846", 1),
    (wire.TIMESTAMP, numpy.array([1 << 62], "M8[s]"), "22008", 1),
    (wire.INTERVAL, numpy.array([1], "m8[M]"), "22023", 1), (wire.UUID, ["x"], "22P02", 1),
    (wire.NUMERIC, [1, "a"], "42846", 2), (wire.FLOAT64, numpy.array([1j]), "42846", 1),
])
def test_errors_name_column_and_row(tag, value, state, row):
    with pytest.raises(ConversionError) as caught:
        encode(tag, value)
    name = next(chunks(value, 10)).names[0]
    assert (caught.value.sqlstate, caught.value.detail) == (state, f'Column "{name}", row {row}.')


def test_rows_count_over_the_stream():
    with pytest.raises(ConversionError) as caught:
        encode(wire.INT16, ({"v": i} for i in range(32700, 40000)), rows=10)
    assert caught.value.detail == 'Column "v", row 69.'
    floats = want(wire.ARRAY, "x", "", want(wire.FLOAT64))
    with pytest.raises(ConversionError) as caught:
        encode_chunk([floats], next(chunks({"x": [[1.0], [2.0, "a"]]}, 10)), [0])
    assert caught.value.detail == 'Column "x", row 2, at [1].'


@pytest.mark.parametrize("tag, value, expected", [
    (wire.FLOAT64, [1, 2**60, True], [1.0, float(2**60), 1.0]),
    (wire.FLOAT64, numpy.array([1, 2]), [1.0, 2.0]), (wire.INT16, [True], [1]),
    (wire.INT32, numpy.array([1.0, 2.0]), [1, 2]),
    (wire.INT32, pandas.Series([1, None]), [1, None]),
    (wire.INT64, numpy.array([2**62], "u8"), [2**62]),
    (wire.INT64, [numpy.int8(5), None], [5, None]),
    (wire.NUMERIC, numpy.array([1.5, math.nan]), [1.5, math.nan]),
    (wire.NUMERIC, pandas.Series([1.5, None]), [1.5, None]),
    (wire.NUMERIC, numpy.array([0.1], "f4"), [0.1]), (wire.TEXT, numpy.array(["ä"]), ["ä"]),
    (wire.JSON, pandas.Series([1.5, None]), [1.5, None]), (wire.TEXT, [None], [None]),
    (wire.JSON, numpy.array([1, 2]), [1, 2]), (wire.BYTEA, [b"a", None], [b"a", None]),
    (wire.INT64, [], []), (wire.TEXT, FRAME["y"][:0], []),
    (wire.BOOL, FRAME["x"][:0] > 1, []),
    (wire.TIMESTAMP, numpy.zeros(0, "M8[s]"), []), (wire.INT16, numpy.zeros(0, "i8"), []),
])
def test_values_of_other_types(tag, value, expected):
    assert all(map(same, encode(tag, value), expected)) and len(encode(tag, value)) == len(expected)


def test_unused_columns_are_left_out():
    wanted = [want(wire.INT32, "a"), want(wire.INT32, "b")]
    chunk = next(chunks({"b": [1]}, 10))
    decoded = wire.decode_batch(b"".join(encode_chunk(wanted, chunk, match(wanted, ["b"], True))))
    assert [column.name for column in decoded] == ["b"]


def test_buffers_share_the_frames_memory():
    array = numpy.arange(1000)
    parts = encode_chunk([want(wire.INT64)], next(chunks(array, 10000)), [0])
    assert any(isinstance(part, memoryview) and numpy.shares_memory(numpy.frombuffer(part, "i8"),
                                                                    array)
               for part in parts)


def rows_of(value):
    result = []
    for chunk in chunks(value, 2):
        result += decode_column(wire.decode_batch(b"".join(encode_rows(chunk)))[0])
    return result


def test_rows_as_hayson():
    assert rows_of(FRAME) == [{"x": x, "y": y} for x, y in ROWS]
    value = {"i": [1, None, 3], "s": ['"', "ä\\", None], "f": [0.5, None, math.inf], "b": [True,
                                                                                           False,
                                                                                           None],
             "r": [Ref("a"), None, Marker()], "l": [[1, None], {"a": None}, None]}
    assert rows_of(value) == [{name: column[i] for name,
                               column in value.items() if column[i] is not None}
                              for i in range(3)]
    assert rows_of(pandas.DataFrame({"x": [1.5, math.nan], "t": pandas.to_datetime(
        [MOMENT, None])})) == [{"x": 1.5, "t": MOMENT}, {}]
    assert rows_of({"cols": [1], "rows": [2]}) == [{"cols": 1, "rows": 2}]
    assert rows_of({"a": [10**5000]})[0]["a"] == 10**5000
    assert rows_of(pandas.DataFrame(index=range(3))) == [{}] * 3 and rows_of([]) == []
    assert rows_of({"a": [pandas.NA, pandas.NaT, 1]}) == [{}, {}, {"a": 1}]


def test_dicts_as_hayson():
    plain = [{"a": 1, "b": {"c": ["ä", None]}}, {"b": 0.5}, {}]
    for rows in (plain, [*plain, {"a": None, "d": Ref("x")}], [*plain, {"a": 10**5000}],
                 [*plain, {"cols": 1, "rows": 2}], [*plain, collections.OrderedDict(a=2)],
                 [*plain, {1: 2}]):
        wanted = [{str(name): cell for name, cell in row.items() if cell is not None}
                  for row in rows]
        assert rows_of(rows) == wanted
        assert [row for chunk in chunks(iter(rows), 2, []) for row in decode_column(
            wire.decode_batch(b"".join(encode_rows(chunk)))[0])] == wanted
    with pytest.raises(ConversionError, match='the key "d"'):
        rows_of(iter([*plain, {"d": 1}]))


@pytest.mark.parametrize("value, state", [(object(), "42846"), ("\0", "22023"),
                                          ("\ud800", "22023")])
def test_errors_of_rows(value, state):
    with pytest.raises(ConversionError) as caught:
        rows_of({"a": ["x", "y", value]})
    assert (caught.value.sqlstate, caught.value.detail) == (state, 'Column "a", row 3.')
