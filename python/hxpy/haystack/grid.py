"""Haystack's Grid: a table with meta data, kept by columns.

A Grid holds one sequence a column: a list, a numpy array, a pandas array.
Rows are made when they are asked for.  What comes as an array stays that
array, shared and uncopied, on the way in and out of a DataFrame: who changes
the one changes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

from ._cells import bare, frame_column, label_text, same, to_list
from .marker import Marker
from .na import NA
from .names import is_tag_name, to_tag_name
from .number import Number

__all__ = ["Grid", "GridBuilder", "GridCol", "GridRow"]

# Column meta that keeps an illegal name, as Haxall's hxSql has it (haystack.md section 1).
_ORIGINAL = "sqlName"
# Column meta of a DataFrame's index: the level's name, or Marker if it has none.
_INDEX = "pandasIndex"
# Whole numbers up to here are exact in a float64.
_EXACT = 2**53
# How many rows a notebook gets to see.
_HTML_ROWS = 60


class GridCol:
    """A column's place (from 0), name and meta."""

    __slots__ = ("_index", "_name", "_meta")

    def __init__(self, index: int, name: str, meta: Mapping[str, Any] | None = None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a column's name must be a str, not {type(name).__name__}")
        self._index = index
        self._name = name
        self._meta = dict(meta or {})

    def index(self) -> int:
        """Return the column's place, from 0."""
        return self._index

    def name(self) -> str:
        """Return the column's name."""
        return self._name

    def meta(self) -> dict[str, Any]:
        """Return the column's meta; treat it as read-only."""
        return self._meta

    def __repr__(self) -> str:
        return f"GridCol({self._index}, {self._name!r}, {self._meta!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GridCol):
            return NotImplemented
        return self._index == other._index and self._name == other._name \
            and same(self._meta, other._meta)

    def __hash__(self) -> int:
        return hash((GridCol, self._index, self._name))

    def __reduce__(self) -> tuple[Any, ...]:
        return GridCol, (self._index, self._name, self._meta)


class GridRow(Mapping[str, Any]):
    """A row: a Mapping from every column's name to the cell, None where there is none."""

    __slots__ = ("_grid", "_cells")

    def __init__(self, grid: Grid, cells: list[Any]) -> None:
        self._grid = grid
        self._cells = cells

    def cells(self) -> list[Any]:
        """Return the cells in the columns' order."""
        return self._cells

    def grid(self) -> Grid:
        """Return the row's grid."""
        return self._grid

    def val(self, col: GridCol | str | int) -> Any:
        """Return the cell of a column.  Raises NameError if there is no such column."""
        return self._cells[self._grid._place(col)]

    def has(self, name: str) -> bool:
        """Tell whether the row has a value, not None, in the column."""
        return self.get(name) is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as Haystack's Dict: without the cells that are None."""
        return {name: cell for name, cell in self.items() if cell is not None}

    def __getitem__(self, name: str) -> Any:
        try:
            return self._cells[self._grid._places[name]]
        except KeyError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._grid._places)

    def __len__(self) -> int:
        return len(self._cells)

    def __eq__(self, other: object) -> bool:
        """A row equals every Mapping of the same names and cells."""
        return same(self, other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        return f"GridRow({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return GridRow, (self._grid, self._cells)


class Grid:
    """A table of meta, columns and rows.

    meta: a dict.  cols: GridCols whose indexes count from 0.  columns: for each
    of these a sequence of cells, all of one length; None is a missing cell, and
    in arrays of numpy and pandas so are NaN, NaT and pandas.NA.  Raises
    ValueError if these do not fit together.

    hxPy's form is taken, too: Grid(meta, cols, cols_by_name, rows), the rows as
    GridRows or lists of cells.

    grid["temp"] is a column's sequence, grid[0] a row, grid[2:5] a Grid of these
    rows, grid[0, "temp"] a cell; iteration gives rows, len() their number.  Two
    grids are equal if their meta, columns and cells are.
    """

    __slots__ = ("_meta", "_cols", "_columns", "_places", "_size")

    def __init__(self, meta: Mapping[str, Any] | None = None, cols: Iterable[GridCol] = (),
                 columns: Iterable[Sequence[Any]] | Mapping[str, GridCol] | None = (),
                 rows: Iterable[GridRow | Sequence[Any]] | None = None) -> None:
        self._meta = dict(meta or {})
        self._cols = list(cols or ())
        if rows is not None or columns is None or isinstance(columns, Mapping):
            columns = _columns_of_rows(rows or (), len(self._cols))
        self._columns = [bare(column) for column in columns]
        self._places = {col.name(): place for place, col in enumerate(self._cols)}
        self._size = len(self._columns[0]) if self._columns else 0
        if len(self._places) != len(self._cols):
            raise ValueError("two columns of a grid have the same name")
        if len(self._columns) != len(self._cols):
            raise ValueError(f"{len(self._cols)} columns, but {len(self._columns)} sequences")
        for place, (col, column) in enumerate(zip(self._cols, self._columns)):
            if col.index() != place:
                raise ValueError(f'column "{col.name()}" has index {col.index()}, not {place}')
            if len(column) != self._size:
                raise ValueError(f'column "{col.name()}" has {len(column)} cells, not {self._size}')

    # Making

    @staticmethod
    def empty_grid() -> Grid:
        """Return a grid without columns and rows."""
        return Grid()

    @staticmethod
    def from_dataframe(frame: Any) -> Grid:
        """Return a pandas DataFrame as a grid, its columns uncopied.

        Column labels that are no legal names are made legal, see
        GridBuilder.add_col; the columns 0, 1 … are v0, v1 ….  An index other than
        0, 1, 2 … becomes leading columns with the meta "pandasIndex".  frame.attrs
        becomes the grid's meta, frame.attrs["cols"][name] the columns'.
        """
        return GridBuilder.from_dataframe(frame).to_grid()

    @staticmethod
    def from_dicts(rows: Iterable[Mapping[str, Any]],
                   meta: Mapping[str, Any] | None = None) -> Grid:
        """Return dicts as a grid; the columns come in the order in which they appear."""
        rows = list(rows)
        names: dict[str, None] = {}
        for row in rows:
            names.update(dict.fromkeys(row))
        builder = GridBuilder().set_meta(meta or {}).add_col_names(names)
        builder._columns = [[row.get(name) for row in rows] for name in names]
        return builder.to_grid()

    @staticmethod
    def from_matrix(matrix: Any, names: Iterable[str] | None = None,
                    meta: Mapping[str, Any] | None = None) -> Grid:
        """Return a 2-D array of numbers as a grid, as Haxall's MatrixGrid.

        The columns are v0, v1 … unless names are given; they share the array's
        memory.  A NaN is a missing cell.  Raises ValueError if there are not two
        dimensions, TypeError if the cells are not int or float.
        """
        import numpy

        matrix = numpy.asarray(matrix)
        if matrix.ndim != 2:
            raise ValueError(f"a matrix has 2 dimensions, not {matrix.ndim}")
        if matrix.dtype.kind not in "iuf":
            raise TypeError(f"a matrix has int or float cells, not {matrix.dtype}")
        if names is None:
            names = (f"v{place}" for place in range(matrix.shape[1]))
        builder = GridBuilder().set_meta(meta or {}).add_col_names(names)
        builder._columns = list(matrix.T)
        return builder.to_grid()

    # hxPy's methods

    def meta(self) -> dict[str, Any]:
        """Return the grid's meta, without "ver"; treat it as read-only."""
        return self._meta

    def cols(self) -> list[GridCol]:
        """Return the columns."""
        return list(self._cols)

    def col_names(self) -> list[str]:
        """Return the columns' names."""
        return list(self._places)

    def col(self, name: str, checked: bool = True) -> GridCol | None:
        """Return a column; if there is none raise NameError, or return None if not checked."""
        place = self._places.get(name)
        if place is not None:
            return self._cols[place]
        if checked:
            raise NameError(f'the grid has no column "{name}"')
        return None

    def has(self, name: str) -> bool:
        """Tell whether there is a column of that name."""
        return name in self._places

    def is_empty(self) -> bool:
        """Tell whether there are no rows."""
        return self._size == 0

    def size(self) -> int:
        """Return the number of rows."""
        return self._size

    def rows(self) -> list[GridRow]:
        """Return all rows, made anew each time."""
        return list(self)

    def first(self) -> GridRow | None:
        """Return the first row, None if there is none."""
        return self.get(0) if self._size else None

    def get(self, index: int) -> GridRow:
        """Return a row.  Raises IndexError."""
        place = self._row_place(index)
        return GridRow(self, [to_list(column[place:place + 1])[0] for column in self._columns])

    def val(self, row: int, col: GridCol | str | int) -> Any:
        """Return the cell of a row and a column, given by place or name."""
        place = self._row_place(row)
        return to_list(self._columns[self._place(col)][place:place + 1])[0]

    def to_dataframe(self, na: Literal["nan", "na", "object"] = "nan") -> Any:
        """Return the grid as a pandas DataFrame.

        Arrays are shared, not copied.  Lists get the narrowest dtype that loses
        nothing (nullable Int64 and boolean where cells are missing, object for
        what numpy does not know), times the unit that a query's have, microseconds.

        na tells what Haystack's NA becomes among numbers, booleans and times, and
        in a column with nothing else: "nan" a missing cell, as None does (NaN
        among floats); "na" pandas.NA, floats being Float64; "object" leaves NA,
        and the column is one of objects.  Among other values NA stays NA.

        Numbers of one unit become numbers, with the
        unit in the column's meta; of several units, objects.  attrs is the
        grid's meta, attrs["cols"] the columns' by name.  A name that was made legal
        is the original one again ("sqlName"); columns with the meta "pandasIndex"
        become the index again.
        """
        import pandas

        if na not in ("nan", "na", "object"):
            raise ValueError(f'na must be "nan", "na" or "object", not {na!r}')
        data, metas, levels = {}, {}, {}
        for col, column in zip(self._cols, self._columns):
            meta = col.meta()
            values, unit = frame_column(column, na)
            if unit is not None and meta.get("unit", unit) != unit:
                values, unit = pandas.Series(column, dtype=object), None
            meta = dict(meta) if unit is None else {**meta, "unit": unit}
            name = col.name()
            if meta.get(_ORIGINAL, name) not in data:
                name = meta.pop(_ORIGINAL, name)
            data[name] = values
            if _INDEX in meta:
                level = meta.pop(_INDEX)
                levels[name] = None if isinstance(level, Marker) else level
            if meta:
                metas[name] = meta
        frame = pandas.DataFrame(data, copy=False)
        if levels:
            frame = frame.set_index(list(levels))
            frame.index.names = list(levels.values())
        frame.attrs = {**self._meta, "cols": metas} if metas else dict(self._meta)
        return frame

    # Beyond hxPy

    def to_matrix(self) -> Any:
        """Return the grid's numbers as a new 2-D array of shape (rows, columns).

        A missing cell and NA are NaN.  The dtype is the columns' own when all have the
        same, else float64.  Numbers lose their unit, but must have one unit a
        column.  Raises TypeError for cells that are no numbers, ValueError for
        units that differ and for whole numbers beyond 2**53 that would become float.
        """
        import numpy

        names = self.col_names()
        columns = [_numbers(column, name) for column, name in zip(self._columns, names)]
        if len({column.dtype for column in columns}) > 1:
            columns = [_floats(column, name) for column, name in zip(columns, names)]
        return numpy.stack(columns, axis=1) if columns else numpy.empty((self._size, 0))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as Haystack's Dicts: without the cells that are None."""
        return [row.to_dict() for row in self]

    def cells(self, col: GridCol | str | int) -> list[Any]:
        """Return a column's cells as Python objects."""
        return to_list(self._columns[self._place(col)])

    def _row_place(self, index: int) -> int:
        """Return a row's place from the start.  Raises IndexError."""
        if not -self._size <= index < self._size:
            raise IndexError(f"row {index} of a grid with {self._size}")
        return index % self._size

    def _place(self, col: GridCol | str | int) -> int:
        """Return a column's place."""
        if isinstance(col, GridCol):
            col = col.name()
        if isinstance(col, str):
            found = self.col(col)
            return found.index() if found is not None else -1
        return col

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        """A grid is true, with rows or without: it is a value, not a container only."""
        return True

    def __iter__(self) -> Iterator[GridRow]:
        for cells in zip(*map(to_list, self._columns)):
            yield GridRow(self, list(cells))

    def __contains__(self, name: object) -> bool:
        return name in self._places

    @overload
    def __getitem__(self, key: int) -> GridRow: ...

    @overload
    def __getitem__(self, key: slice) -> Grid: ...

    @overload
    def __getitem__(self, key: str | tuple[int, GridCol | str | int]) -> Any: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._columns[self._places[key]]
        if isinstance(key, tuple):
            return self.val(*key)
        if isinstance(key, slice):
            return Grid(self._meta, self._cols, [column[key] for column in self._columns])
        return self.get(key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return same(self._meta, other._meta) and self._cols == other._cols \
            and self._size == other._size \
            and all(map(same, map(to_list, self._columns), map(to_list, other._columns)))

    def __hash__(self) -> int:
        return hash((Grid, tuple(self._places), self._size))

    def __repr__(self) -> str:
        rows = "1 row" if self._size == 1 else f"{self._size} rows"
        return f"<Grid of {rows}, columns {', '.join(self._places) or 'none'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Grid, (self._meta, self._cols, self._columns)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the first rows as a table."""
        from html import escape

        def line(tag: str, texts: Iterable[Any]) -> str:
            cells = "".join(f"<{tag}>{escape(str(text))}</{tag}>" for text in texts)
            return f"<tr>{cells}</tr>"

        head = line("th", (col.meta().get("dis", col.name()) for col in self._cols))
        body = "".join(line("td", ("" if cell is None else cell for cell in row.cells()))
                       for row in self[:_HTML_ROWS])
        more = f"<p>{self._size} rows</p>" if self._size > _HTML_ROWS else ""
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{more}"


class GridBuilder:
    """Builds a Grid: first the columns, then the rows.  Methods return the builder, to chain."""

    def __init__(self) -> None:
        self._meta: dict[str, Any] = {}
        self._names: dict[str, str] = {}  # the names given -> the columns' own
        self._metas: dict[str, dict[str, Any]] = {}
        self._columns: list[Any] = []
        self._own = False  # whether the columns are lists of the builder

    @staticmethod
    def from_dataframe(frame: Any) -> GridBuilder:
        """Return a builder filled from a pandas DataFrame, see Grid.from_dataframe."""
        import pandas

        builder = GridBuilder()
        builder._meta = {name: tag for name, tag in frame.attrs.items() if name != "cols"}
        metas = frame.attrs.get("cols")
        metas = metas if isinstance(metas, dict) else {}
        index = frame.index
        if not isinstance(index, pandas.RangeIndex) or index.name is not None \
                or (index.start, index.step) != (0, 1):
            for level, name in enumerate(index.names):
                tag = Marker() if name is None else label_text(name)
                meta = metas.get(label_text(name), {}) if name is not None else {}
                builder._add("index" if name is None else label_text(name), {**meta, _INDEX: tag})
                builder._columns.append(bare(index.get_level_values(level)))
        matrix = frame.columns.dtype.kind in "iu" \
            and list(frame.columns) == list(range(frame.shape[1]))
        for place, label in enumerate(frame.columns):
            name = f"v{label}" if matrix else label_text(label)
            builder._add(name, metas.get(name) or metas.get(to_tag_name(name)) or {})
            builder._columns.append(bare(frame.iloc[:, place]))
        return builder

    @staticmethod
    def is_tagname(name: str) -> bool:
        """Tell whether a column may have this name as it is, see hxpy.haystack.names."""
        return is_tag_name(name)

    def set_meta(self, meta: Mapping[str, Any]) -> GridBuilder:
        """Set the grid's meta, in place of what it was."""
        self._meta = dict(meta)
        return self

    def add_col(self, name: str, meta: Mapping[str, Any] | None = None) -> GridBuilder:
        """Add a column.

        A name that Haystack does not allow is made legal (hxpy.haystack.names)
        and unique, and kept in the column's meta as "sqlName".  Raises ValueError
        if there is a column of that name, or if there are rows already.
        """
        if not isinstance(name, str):
            raise TypeError(f"a column's name must be a str, not {type(name).__name__}")
        if self._columns:
            raise ValueError("cannot add columns after rows")
        if name in self._names:
            raise ValueError(f'there are two columns "{name}"')
        self._add(name, meta or {})
        return self

    def add_col_names(self, names: Iterable[str]) -> GridBuilder:
        """Add columns without meta."""
        for name in names:
            self.add_col(name)
        return self

    def set_col_meta(self, name: str, meta: Mapping[str, Any]) -> GridBuilder:
        """Set the meta of a column, given by its name or the name it was added with."""
        own = self._names.get(name, name)
        if own not in self._metas:
            raise ValueError(f'there is no column "{name}"')
        old = self._metas[own]
        self._metas[own] = {**meta, **{tag: old[tag] for tag in (_ORIGINAL, _INDEX) if tag in old}}
        return self

    def add_row(self, cells: Sequence[Any] | Mapping[str, Any]) -> GridBuilder:
        """Add a row: as many cells as there are columns, or a dict from columns' names to cells."""
        if isinstance(cells, Mapping):
            unknown = [name for name in cells
                       if name not in self._names and name not in self._metas]
            if unknown:
                raise ValueError(f'there is no column "{unknown[0]}"')
            row = {self._names.get(name, name): cell for name, cell in cells.items()}
            cells = [row.get(name) for name in self._metas]
        if len(cells) != len(self._metas):
            raise ValueError(f"a row of {len(cells)} cells for {len(self._metas)} columns")
        if not self._own:
            self._columns = [list(to_list(column)) for column in self._columns] \
                or [[] for _ in self._metas]
            self._own = True
        for column, cell in zip(self._columns, cells):
            column.append(cell)
        return self

    def to_grid(self) -> Grid:
        """Return the grid; the builder may go on."""
        cols = [GridCol(place, *item) for place, item in enumerate(self._metas.items())]
        columns = [list(column) for column in self._columns] if self._own else self._columns
        return Grid(self._meta, cols, columns or [[] for _ in cols])

    def _add(self, name: str, meta: Mapping[str, Any]) -> None:
        """Add a column under its name made legal and unique."""
        legal = unique = to_tag_name(name)
        count = 1
        while unique in self._metas:
            count += 1
            unique = f"{legal}_{count}"
        self._names.setdefault(name, unique)
        self._metas[unique] = dict(meta) if unique == name else {**meta, _ORIGINAL: name}


def _columns_of_rows(rows: Iterable[GridRow | Sequence[Any]], width: int) -> list[list[Any]]:
    """Return the cells of rows by columns."""
    columns: list[list[Any]] = [[] for _ in range(width)]
    for row in rows:
        cells = row.cells() if isinstance(row, GridRow) else row
        if len(cells) != width:
            raise ValueError(f"a row of {len(cells)} cells for {width} columns")
        for column, cell in zip(columns, cells):
            column.append(cell)
    return columns


def _numbers(column: Any, name: str) -> Any:
    """Return a column of numbers as an ndarray of int or float, see Grid.to_matrix."""
    import numpy

    if isinstance(column, numpy.ndarray) and column.dtype.kind in "iuf":
        return column
    cells = [None if isinstance(cell, NA) else cell for cell in to_list(column)]
    present = [cell for cell in cells if cell is not None]
    for cell in present:
        if isinstance(cell, bool) or not isinstance(cell, (int, float)):
            raise TypeError(f'column "{name}" holds {cell!r}, which is no number')
    units = {cell.unit if isinstance(cell, Number) else None for cell in present if cell == cell}
    if len(units) > 1:
        raise ValueError(f'column "{name}" has numbers of several units: '
                         + ", ".join(sorted(str(unit) for unit in units)))
    if any(isinstance(cell, float) for cell in present) or not present:
        dtype: Any = float
    else:
        dtype = object      # whole numbers, until they are known to fit
    plain = [cell.val if isinstance(cell, Number) else cell for cell in present]
    values = numpy.array(plain, dtype)
    if dtype is object:
        try:
            values = values.astype("int64")
        except OverflowError:
            raise ValueError(f'column "{name}" has a number beyond the range of int64') from None
    elif any(isinstance(cell, int) and abs(cell) > _EXACT for cell in present):
        raise ValueError(f'column "{name}" has a whole number that a float does not hold')
    if len(present) == len(cells):
        return values
    result = numpy.full(len(cells), numpy.nan)
    result[[cell is not None for cell in cells]] = _floats(values, name)
    return result


def _floats(column: Any, name: str) -> Any:
    """Return an ndarray of numbers as float64."""
    if column.dtype.kind != "f" and ((column > _EXACT) | (column < -_EXACT)).any():
        raise ValueError(f'column "{name}" has a whole number that a float does not hold')
    return column.astype("float64", copy=False)
