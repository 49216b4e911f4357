"""hxpy.haystack.grid: grids, their builder, and DataFrames."""

import copy
import datetime as dt
import math
import pickle
import zoneinfo

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hxpy.haystack import NA, Grid, GridBuilder, GridCol, Marker, Number, Ref
from hxpy.haystack.names import is_tag_name, to_tag_name

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")


def small():
    return GridBuilder().set_meta({"dis": "Sites"}).add_col("id").add_col("area", {"unit": "m²"}) \
        .add_row([Ref("a", "A"), 10.5]).add_row([Ref("b"), None]).to_grid()


# hxPy's methods


def test_grid_has_hxpys_methods():
    grid = small()
    assert grid.meta() == {"dis": "Sites"} and grid.col_names() == ["id", "area"]
    assert grid.cols() == [GridCol(0, "id"), GridCol(1, "area", {"unit": "m²"})]
    col = grid.col("area")
    assert (col.index(), col.name(), col.meta()) == (1, "area", {"unit": "m²"})
    assert grid.col("x", False) is None
    with pytest.raises(NameError, match='"x"'):
        grid.col("x")
    assert grid.has("id") and not grid.has("x")
    assert grid.size() == 2 and not grid.is_empty()
    assert grid.first().cells() == [Ref("a"), 10.5] and grid.first().grid() is grid
    assert grid.get(1).val(grid.col("area")) is None
    assert grid.val(0, 1) == 10.5 and grid.val(1, 0) == Ref("b")
    assert [row.cells() for row in grid.rows()] == [[Ref("a"), 10.5], [Ref("b"), None]]


def test_hxpys_own_example():
    grid = GridBuilder().add_col_names(["a", "b", "c"]).add_row([1, 2, 3]).to_grid()
    frame = grid.to_dataframe()
    assert frame.columns.tolist() == ["a", "b", "c"] and frame.values.tolist() == [[1, 2, 3]]
    again = Grid.from_dataframe(frame)
    assert again.col_names() == ["a", "b", "c"] and again.rows()[0].cells() == [1, 2, 3]
    assert again == grid


def test_empty_grid():
    grid = Grid.empty_grid()
    assert grid.is_empty() and grid.size() == 0 and grid.cols() == [] == grid.rows() == list(grid)
    assert grid.first() is None and grid == Grid() and bool(grid)
    assert grid.to_dataframe().shape == (0, 0) and grid.to_dicts() == []
    with pytest.raises(IndexError):
        grid.get(0)


# What hxPy lacks


def test_items_and_iteration():
    grid = small()
    assert grid["area"] == [10.5, None] and grid[0]["id"] == Ref("a") and grid[-1] == grid.get(1)
    assert grid[0, "area"] == grid[0, 1] == grid[0, grid.col("area")] == 10.5
    assert [row["id"].id() for row in grid] == ["a", "b"] and len(grid) == 2
    assert grid[1:].to_dicts() == [{"id": Ref("b")}] and grid[1:].meta() == grid.meta()
    assert "id" in grid and "x" not in grid
    for bad in (2, -3):
        with pytest.raises(IndexError):
            grid[bad]
    with pytest.raises(KeyError):
        grid["x"]
    with pytest.raises(NameError):
        grid[0, "x"]


def test_rows_are_mappings():
    row = small().get(1)
    assert dict(row) == {"id": Ref("b"), "area": None} and row.to_dict() == {"id": Ref("b")}
    assert list(row) == ["id", "area"] and len(row) == 2 and row.get("x", 5) == 5
    assert row.has("id") and not row.has("area") and not row.has("x")
    assert row.val("id") == row.val(0) == Ref("b") and row == {"id": Ref("b"), "area": None}
    assert repr(row) == "GridRow({'id': Ref('b'), 'area': None})"
    with pytest.raises(KeyError):
        row["x"]
    with pytest.raises(NameError):
        row.val("x")


def test_equality_and_hash():
    assert small() == small() and hash(small()) == hash(small()) and len({small(), small()}) == 1
    assert small() != small()[:1] and small() != "x" and small() != Grid()
    assert small() != GridBuilder().add_col_names(["id", "area"]).to_grid()
    one = Grid({}, [GridCol(0, "a")], [[math.nan, 1]])
    assert one == Grid({}, [GridCol(0, "a")], [[math.nan, 1]])
    assert one != Grid({}, [GridCol(0, "a")], [[math.nan, 2]])
    assert one != Grid({}, [GridCol(0, "a", {"x": 1})], [[math.nan, 1]])
    assert hash(GridCol(0, "a", {"x": []})) == hash(GridCol(0, "a"))
    assert Grid({}, [GridCol(0, "a")], [numpy.array([1, 2])]) \
        == Grid({}, [GridCol(0, "a")], [[1, 2]])


def test_repr():
    assert repr(small()) == "<Grid of 2 rows, columns id, area>"
    assert repr(Grid()) == "<Grid of 0 rows, columns none>"
    assert repr(GridCol(0, "a", {"x": 1})) == "GridCol(0, 'a', {'x': 1})"


def test_html():
    grid = Grid({}, [GridCol(0, "a", {"dis": "<A>"}), GridCol(1, "b")],
                [["<b>", None], [Number(5, "°F"), Marker()]])
    html = grid._repr_html_()
    assert html == ("<table><thead><tr><th>&lt;A&gt;</th><th>b</th></tr></thead><tbody>"
                    "<tr><td>&lt;b&gt;</td><td>5°F</td></tr><tr><td></td><td>✓</td></tr>"
                    "</tbody></table>")
    long = Grid({}, [GridCol(0, "a")], [numpy.arange(1000)])._repr_html_()
    assert long.count("<tr>") == 61 and "1000 rows" in long


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    grid = Grid({"x": Marker()}, [GridCol(0, "a"), GridCol(1, "b")],
                [numpy.arange(3), [Number(1, "m"), None, Ref("x")]])
    again = pickle.loads(pickle.dumps(grid, protocol))
    assert again == grid and isinstance(again["a"], numpy.ndarray) and again["b"][0].unit == "m"
    assert pickle.loads(pickle.dumps(grid.first(), protocol)) == grid.first()
    assert copy.deepcopy(grid) == grid == copy.copy(grid)


def test_dicts():
    dicts = [{"id": Ref("a"), "site": Marker()}, {"id": Ref("b"), "area": 5}, {}]
    grid = Grid.from_dicts(dicts, {"dis": "x"})
    assert grid.col_names() == ["id", "site", "area"] and grid.meta() == {"dis": "x"}
    assert grid.to_dicts() == dicts and grid["area"] == [None, 5, None]
    assert Grid.from_dicts([]) == Grid()
    assert Grid.from_dicts(iter([{"My Col": 1}])).to_dicts() == [{"myCol": 1}]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers() | st.text())))
def test_dicts_survive(dicts):
    if any(dicts):
        assert Grid.from_dicts(dicts).to_dicts() == dicts


def test_parts_must_fit():
    for cols, columns in ([[GridCol(0, "a")], []], [[GridCol(0, "a"), GridCol(1, "a")], [[], []]],
                          [[GridCol(1, "a")], [[]]],
                          [[GridCol(0, "a"), GridCol(1, "b")], [[1], [1, 2]]]):
        with pytest.raises(ValueError):
            Grid({}, cols, columns)
    with pytest.raises(TypeError):
        GridCol(0, 5)


# Builder and names


@pytest.mark.parametrize("name, legal", [
    ("temp", "temp"), ("Temp", "temp"), ("my col", "myCol"), ("Zone  Temp sp", "zoneTempSp"),
    ("ID", "id"), ("ID Number", "idNumber"), ("2nd", "v2nd"), ("a.b-c/d", "a_b_c_d"),
    ("a.", "a"), ("?column?", "column"), ("%", "v"), ("°F", "f"), ("point_id", "point_id"),
    ("_x", "_x"), ("_", "v_"), ("", "v"), ("größe", "gre"), (" a ", "a"), ("sum(x)", "sumx"),
])
def test_names_made_legal(name, legal):
    assert to_tag_name(name) == legal and is_tag_name(legal)


@given(st.text())
def test_every_name_becomes_legal(name):
    assert is_tag_name(to_tag_name(name))


def test_builder_keeps_the_original_name():
    grid = GridBuilder().add_col("My Col", {"unit": "m"}).add_col("my col").add_col("myCol") \
        .set_col_meta("my col", {"x": 1}).add_row({"My Col": 1, "myCol_2": 2}).to_grid()
    assert [(col.name(), col.meta()) for col in grid.cols()] == [
        ("myCol", {"unit": "m", "sqlName": "My Col"}), ("myCol_2", {"x": 1, "sqlName": "my col"}),
        ("myCol_3", {"sqlName": "myCol"})]
    assert grid.get(0).cells() == [1, 2, None]


def test_builder_refuses():
    builder = GridBuilder().add_col_names(["a", "b"])
    for call in (lambda: builder.add_col("a"), lambda: builder.add_row([1]),
                 lambda: builder.add_row({"c": 1}), lambda: builder.set_col_meta("c", {})):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        builder.add_col(5)
    with pytest.raises(ValueError, match="after rows"):
        builder.add_row([1, 2]).add_col("c")


def test_builder_goes_on_after_to_grid():
    builder = GridBuilder().add_col("a").add_row([1])
    one = builder.to_grid()
    two = builder.add_row([2]).to_grid()
    assert one["a"] == [1] and two["a"] == [1, 2]


# DataFrames


def test_arrays_are_not_copied():
    real, whole = numpy.arange(1000.0), numpy.arange(1000, dtype="i4")
    ints = pandas.array([1, None] * 500, dtype="Int64")
    grid = Grid({}, [GridCol(0, "a"), GridCol(1, "b"), GridCol(2, "c")],
                [real, whole, pandas.Series(ints)])
    frame = grid.to_dataframe()
    assert numpy.shares_memory(frame["a"].to_numpy(), real)
    assert numpy.shares_memory(frame["b"].to_numpy(), whole)
    assert frame.dtypes.astype(str).tolist() == ["float64", "int32", "Int64"]
    again = Grid.from_dataframe(frame)
    assert numpy.shares_memory(again["a"], real) and numpy.shares_memory(again["b"], whole)


def test_cells_of_arrays_are_pythons():
    zone = "America/New_York"
    columns = [
        numpy.array([1.5, math.nan]), numpy.array([1, 2], "i2"), numpy.array([True, False]),
        pandas.array([1, None], dtype="Int64"), pandas.array([True, None], dtype="boolean"),
        pandas.Series(["x", None], dtype="string"), pandas.Series(["x", None], dtype="category"),
        pandas.Series(["x", math.nan], dtype=object),
        numpy.array(["2021-03-22T13:57:00.5", "NaT"], "M8[ns]"),
        pandas.Series(["2021-03-22T13:57", None], dtype="M8[ns]").dt.tz_localize(zone),
        numpy.array([1500, "NaT"], "m8[ms]"), (7, None),
    ]
    grid = Grid({}, [GridCol(i, f"c{i}") for i in range(len(columns))], columns)
    first, second = (row.cells() for row in grid)
    assert first == [1.5, 1, True, 1, True, "x", "x", "x",
                     dt.datetime(2021, 3, 22, 13, 57, 0, 500000),
                     pandas.Timestamp("2021-03-22T13:57", tz=zone), dt.timedelta(seconds=1.5), 7]
    assert second == [None, 2, False] + [None] * 9
    assert {type(cell) for cell in first[:5]} == {float, int, bool}
    assert grid.get(0).cells() == first and grid.get(1).cells() == second
    assert [grid.cells(col)[0] for col in grid.cols()] == first


def frame_of(*cells):
    return Grid({}, [GridCol(0, "a")], [list(cells)]).to_dataframe()


@pytest.mark.parametrize("cells, dtype", [
    ([1, 2], "int64"), ([1, None], "Int64"), ([2**53 + 1, None], "Int64"), ([2**63, 1], "object"),
    ([2**63, None], "object"), ([1.5, None], "float64"), ([1.5, 2], "float64"),
    ([1.5, 2**53 + 1], "object"), ([True, False], "bool"), ([True, None], "boolean"),
    ([True, 1], "object"), (["x", None], "object"), ([None, None], "object"), ([], "object"),
    ([Marker(), None], "object"), ([dt.date(2021, 1, 1)], "object"), ([[1, 2], [3]], "object"),
    ([dt.timedelta.max, None], "object"), ([1, "x"], "object"),
    ([dt.datetime(2021, 1, 1), dt.datetime(2021, 1, 1, tzinfo=dt.timezone.utc)], "object"),
])
def test_dtypes_of_lists_lose_nothing(cells, dtype):
    frame = frame_of(*cells)
    assert str(frame["a"].dtype) == dtype
    assert Grid.from_dataframe(frame).cells("a") == cells


@pytest.mark.parametrize("cells, dtype", [
    ([dt.datetime(2021, 1, 1), None], "datetime64[us]"), ([dt.timedelta(1), None], "timedelta64[us]"),
    ([dt.datetime(2021, 1, 1, tzinfo=dt.timezone.utc)] * 2, "datetime64[us, UTC]"),
    ([dt.datetime(1, 1, 1), None, dt.datetime.max], "datetime64[us]"),
    ([dt.datetime(2300, 1, 1, tzinfo=NEW_YORK)], "datetime64[us, America/New_York]"),
    ([dt.datetime(2021, 11, 7, 1, 30, tzinfo=NEW_YORK, fold=fold) for fold in (1, 0)],
     "datetime64[us, America/New_York]"),
    ([dt.timedelta(days=10**6, microseconds=1)], "timedelta64[us]"),
])
def test_times_have_the_unit_that_a_querys_have(cells, dtype):
    frame = frame_of(*cells)
    if hasattr(pandas.DatetimeIndex, "unit"):   # pandas 2
        assert frame["a"].dtype == dtype
    assert Grid.from_dataframe(frame).cells("a") == cells


@pytest.mark.parametrize("cells, dtypes", [
    ([1.5, NA(), 2.0], ("float64", "Float64")), ([1.5, NA(), None], ("float64", "Float64")),
    ([1, NA(), 2], ("Int64", "Int64")), ([True, NA(), None], ("boolean", "boolean")),
    ([Number(1.5, "kW"), NA()], ("float64", "Float64")), ([NA(), NA()], ("float64", "Float64")),
    ([NA(), None], ("float64", "Float64")), ([dt.timedelta(1), NA()], ("timedelta64[us]",) * 2),
    ([dt.datetime(2021, 1, 1), NA()], ("datetime64[us]",) * 2),
])
def test_na_among_numbers_and_times(cells, dtypes):
    grid = Grid({}, [GridCol(0, "a")], [cells])
    assert grid.to_dataframe(na="nan")["a"].dtype == grid.to_dataframe()["a"].dtype
    for na, dtype in zip(("nan", "na"), dtypes):
        frame = grid.to_dataframe(na=na)
        assert frame["a"].dtype == dtype
        missing = [cell is None or cell == NA() for cell in cells]
        assert frame["a"].isna().tolist() == missing
        assert Grid.from_dataframe(frame).cells("a") == [
            None if hole else cell.val if isinstance(cell, Number) else cell
            for cell, hole in zip(cells, missing)]
    frame = grid.to_dataframe(na="object")
    assert frame["a"].dtype == object and frame["a"].tolist() == cells
    assert cells[1] is NA() or cells[0] is NA()     # the grid is as it was


def test_a_history_with_na_can_be_resampled():
    start = dt.datetime(2021, 3, 22, tzinfo=NEW_YORK)
    grid = Grid({}, [GridCol(0, "ts"), GridCol(1, "val")], [
        [start + dt.timedelta(minutes=15 * i) for i in range(8)],
        [Number(float(i), "kW") if i != 2 else NA() for i in range(8)]])
    for na in ("nan", "na"):
        frame = grid.to_dataframe(na=na)
        assert frame.attrs["cols"]["val"] == {"unit": "kW"}
        assert frame.set_index("ts")["val"].resample("1h").mean().tolist() == [4 / 3, 5.5]


@pytest.mark.parametrize("cells", [["x", NA(), None], [NA(), Marker()], [1, "x", NA()],
                                   [Number(1, "kW"), Number(1, "W"), NA()]])
def test_na_among_other_values_stays(cells):
    for na in ("nan", "na", "object"):
        frame = Grid({}, [GridCol(0, "a")], [cells]).to_dataframe(na=na)
        assert frame["a"].dtype == object and frame["a"].tolist() == cells


def test_na_is_one_of_three():
    with pytest.raises(ValueError, match="na must be .* not 'x'"):
        Grid().to_dataframe(na="x")


def test_a_nan_does_not_take_the_unit_away():
    frame = frame_of(Number(1.5, "kW"), math.nan, Number(2, "kW"))
    assert frame["a"].dtype == "float64" and frame.attrs == {"cols": {"a": {"unit": "kW"}}}
    assert frame_of(math.nan, None)["a"].dtype == "float64"


@pytest.mark.parametrize("cell, other", [
    (numpy.array([1, 2]), numpy.array([1, 3])), (numpy.array([1, 2]), numpy.array([1, 2, 3])),
    (numpy.array([[1.5, math.nan]]), numpy.array([1.5, math.nan])),
    ([numpy.array([1, 2])], [numpy.array([2, 2])]), ((1, numpy.ones(2)), [1, numpy.ones(2)]),
    ({"a": numpy.array([1])}, {"a": numpy.array([2])}), ({"a": [numpy.ones(2)]}, {"b": 1}),
    (numpy.array(5), numpy.array(6)), (pandas.Series([1, 2]), pandas.Series([1, 3])),
    (pandas.DataFrame({"a": [1, 2]}), pandas.DataFrame({"b": [1, 2]})), (pandas.NA, 1),
    (pandas.NaT, pandas.NA), (numpy.array(["x", None]), "x"), (math.nan, None),
    (numpy.datetime64("2021-01-01"), numpy.datetime64("2021-01-02")),
])
def test_grids_with_arrays_can_be_compared(cell, other):
    def grid(value):
        return Grid({"m": value}, [GridCol(0, "a", {"x": value})], [[value, 1]])

    def rows(value):
        return Grid({}, [GridCol(0, "a")], [[value, 1]])

    again = copy.deepcopy(cell)
    for make in (grid, rows, lambda value: rows(value).first(), lambda value: grid(value).cols()[0]):
        assert make(cell) == make(again) and not make(cell) != make(again)
        assert make(cell) != make(other) and make(other) != make(cell)


def test_an_array_equals_the_list_of_its_values():
    rows = [[1.5, math.nan], [2.0, 3.0]]
    assert Grid({}, [GridCol(0, "a")], [rows]) == Grid({}, [GridCol(0, "a")], [numpy.array(rows)]) \
        == Grid({}, [GridCol(0, "a")], [list(numpy.array(rows))])
    row = Grid({}, [GridCol(0, "a")], [rows]).first()
    assert row == {"a": [1.5, math.nan]} and {"a": [1.5, math.nan]} == row and row != 5


def test_units_go_to_the_columns_meta():
    frame = frame_of(Number(1.5, "kW"), None, Number(2, "kW"))
    assert frame["a"].dtype == "float64" and frame.attrs == {"cols": {"a": {"unit": "kW"}}}
    assert frame["a"].sum() == 3.5
    assert Grid.from_dataframe(frame).col("a").meta() == {"unit": "kW"}


@pytest.mark.parametrize("cells", [
    [Number(1, "kW"), Number(2, "W")], [Number(1, "kW"), 2], [Number(math.inf, "m"), Marker()],
])
def test_mixed_units_stay_with_the_cells(cells):
    frame = frame_of(*cells)
    assert frame["a"].dtype == object and frame["a"].tolist() == cells
    assert frame["a"][0].unit == cells[0].unit and "cols" not in frame.attrs


def test_a_unit_other_than_the_metas_stays_with_the_cells():
    grid = Grid({}, [GridCol(0, "a", {"unit": "W"})], [[Number(1, "kW")]])
    frame = grid.to_dataframe()
    assert frame["a"][0].unit == "kW" and frame.attrs == {"cols": {"a": {"unit": "W"}}}


def test_meta_survives_a_dataframe():
    frame = small().to_dataframe()
    assert frame.attrs == {"dis": "Sites", "cols": {"area": {"unit": "m²"}}}
    assert Grid.from_dataframe(frame) == small()


@pytest.mark.parametrize("index", [
    pandas.Index([5, 7]), pandas.Index(["x", "y"], name="id"), pandas.RangeIndex(1, 3),
    pandas.RangeIndex(2, name="n"), pandas.date_range("2021-01-01", periods=2, name="ts"),
    pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", None]),
], ids=repr)
def test_the_index_survives(index):
    frame = pandas.DataFrame({"v": [1.5, 2.5]}, index=index)
    grid = Grid.from_dataframe(frame)
    assert grid.size() == 2 and len(grid.cols()) == index.nlevels + 1
    again = grid.to_dataframe()
    assert list(again.index) == list(index) and list(again.index.names) == list(index.names)
    assert again["v"].tolist() == [1.5, 2.5] and again.attrs == {}


def test_labels_of_any_kind():
    frame = pandas.DataFrame([[1, 2, 3, 4]], columns=["Temp °F", 0, "a", "a"])
    grid = Grid.from_dataframe(frame)
    assert grid.col_names() == ["tempF", "v0", "a", "a_2"]
    assert grid.cols()[0].meta() == {"sqlName": "Temp °F"} and grid.first().cells() == [1, 2, 3, 4]
    frame.columns = pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", 1), ("b", 2)])
    assert Grid.from_dataframe(frame).col_names() == ["a_x", "a_y", "b_1", "b_2"]


def test_bool_columns_stay_bool():
    frame = pandas.DataFrame({"a": [True, False]})
    grid = Grid.from_dataframe(frame)
    assert [type(cell) for cell in grid.cells("a")] == [bool, bool]
    assert grid.to_dataframe()["a"].dtype == bool


def test_builder_adds_rows_to_a_dataframe():
    builder = GridBuilder.from_dataframe(pandas.DataFrame({"a": [1, 2]}))
    assert builder.add_row([3]).to_grid()["a"] == [1, 2, 3]


# Matrices


def grid_of(**columns):
    return Grid({}, [GridCol(place, name) for place, name in enumerate(columns)], columns.values())


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i2", "u1"])
def test_a_matrix_survives(dtype):
    matrix = numpy.arange(12, dtype=dtype).reshape(4, 3)
    grid = Grid.from_matrix(matrix, meta={"dis": "Loads"})
    assert grid.col_names() == ["v0", "v1", "v2"] and grid.meta() == {"dis": "Loads"}
    assert grid.val(1, "v2") == 5 and numpy.shares_memory(grid["v1"], matrix)
    back = grid.to_matrix()
    assert back.dtype == matrix.dtype and (back == matrix).all()
    assert not numpy.shares_memory(back, matrix) and back.flags.c_contiguous


def test_a_matrix_of_other_columns():
    grid = grid_of(a=[Number(1, "kW"), None, Number(2.5, "kW")], b=[1, 2, NA()],
                   c=pandas.array([1, None, 3], dtype="Int64"), d=numpy.array([1, 2, 3], "i4"))
    back = grid.to_matrix()
    assert back.dtype == "f8"
    assert numpy.array_equal(back, [[1, 1, 1, 1], [math.nan, 2, math.nan, 2],
                                    [2.5, math.nan, 3, 3]], equal_nan=True)
    assert grid_of(a=[1, 2], b=[3, 4]).to_matrix().dtype == "i8"
    assert grid_of(a=[2**60], b=[2**60 + 1]).to_matrix().tolist() == [[2**60, 2**60 + 1]]
    assert Grid().to_matrix().shape == (0, 0) and grid_of(a=[], b=[]).to_matrix().shape == (0, 2)
    assert Grid.from_matrix([[1.5, math.nan]], ["x", "y"]).to_dicts() == [{"x": 1.5}]


@pytest.mark.parametrize("columns", [
    {"a": ["x"]}, {"a": [True]}, {"a": [Marker()]}, {"a": numpy.array([True])},
    {"a": numpy.array(["2021-03-22"], "M8[D]")}, {"a": [Number(1, "kW"), Number(2, "W")]},
    {"a": [Number(1, "kW"), 2]}, {"a": [2**63]}, {"a": [2**60], "b": [0.5]}, {"a": [2**60, None]},
    {"a": [2**60, 0.5]}, {"a": numpy.array([2**60]), "b": numpy.array([0.5])}])
def test_what_is_no_matrix(columns):
    with pytest.raises((TypeError, ValueError), match='column "a"'):
        grid_of(**columns).to_matrix()


@pytest.mark.parametrize("matrix", [[1, 2], [[[1]]], [["a"]], [[True]], [[1 + 2j]], 5])
def test_a_grid_is_made_of_matrices_only(matrix):
    with pytest.raises((TypeError, ValueError), match="a matrix has"):
        Grid.from_matrix(matrix)
