"""CSV, for spreadsheets: a Grid's cells as Haxall's CsvWriter writes them.

    dumps(grid) -> text         loads(text) -> Grid         on files: dump, load

CSV is a way out, not a way to keep values: grid and column meta are not written,
kinds are told by their look, and null and "" are the same.  The rules:

    header      each column's meta "dis" or its name (only names: dis=False)
    null, ""    ""                      Marker      ✓
    Bool        true, false             NA, Remove  NA, remove
    Number      72.1°F, 5, INF          Ref         @id dis
    Str, Uri    as they are             Symbol      site, without ^
    Date, Time  2021-03-22, 13:57:00    DateTime    2021-03-22T13:57:00-04:00 New_York
    Coord       C(37.5,-77.4)           XStr, Buf   Type("value"), as in Zinc
    List, Dict, Grid    as in Zinc

A float keeps its point (5.0), which Haxall's does not.  A cell is quoted if it
holds a comma, quote or line end, or white space at an end; lines end with `\\n`.

loads gives cells of Str, and None for empty ones, as Haxall's ioReadCsv does;
with guess=True it takes each cell for what its look says, see loads.

Errors: CsvError (a HaysonError, a ValueError), with `line` and `column` when read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import IO, Any

from . import zinc
from ._codecs import check_surrogates, to_text
from .hayson import HaysonError, HaysonTypeError, normal
from .haystack import tz
from .haystack.coord import Coord
from .haystack.grid import Grid, GridBuilder
from .haystack.marker import Marker
from .haystack.na import NA
from .haystack.number import FloatNumber, IntNumber
from .haystack.ref import Ref
from .haystack.remove import Remove
from .haystack.symbol import Symbol
from .haystack.uri import Uri

__all__ = ["CsvError", "dump", "dumps", "load", "loads"]

_CHECK = "\u2713"


class CsvError(HaysonError):
    """A value that is no grid, or a document that is not CSV."""


# Writing -------------------------------------------------------------------


def dumps(grid: Any, *, dis: bool = True) -> str:
    """Return a Grid, a DataFrame or a list of dicts as CSV.

    dis: head the columns with their meta "dis", where they have it, as Haxall
    does; if False, with their names.  Raises CsvError for anything else, and for a lone surrogate;
    HaysonTypeError for a cell's type without a mapping.
    """
    if isinstance(grid, list) and all(isinstance(row, dict) for row in grid):
        grid = Grid.from_dicts(grid)
    grid = normal(grid, "CSV", {Grid: None})
    if not isinstance(grid, Grid):
        raise CsvError(f"CSV holds a grid, not a value of type \"{type(grid).__name__}\"")
    heads = [col.meta().get("dis", col.name()) if dis else col.name() for col in grid.cols()]
    columns = [_column(col.name(), grid.cells(col)) for col in grid.cols()]
    lines = [",".join(map(_quoted, map(_cell, heads))), *map(",".join, zip(*columns))]
    text = "\n".join(lines) + "\n"
    check_surrogates(text, CsvError)
    return text


def dump(grid: Any, file: IO[str], *, dis: bool = True) -> None:
    """Write a grid as CSV to a text file, opened with newline="".  Raises as dumps."""
    file.write(dumps(grid, dis=dis))


def _column(name: str, cells: list[Any]) -> list[str]:
    """Return a column's cells."""
    texts: list[str] = []
    try:
        for cell in cells:
            texts.append(_quoted(_cell(cell)))
    except HaysonTypeError as error:
        failure: HaysonError | HaysonTypeError = error
    except HaysonError as error:
        failure = CsvError(error.message)
        failure.path = error.path
    except ValueError as error:
        failure = CsvError(str(error))
    else:
        return texts
    failure.within(name)
    failure.within(len(texts))
    failure.within("rows")
    raise failure


def _quoted(text: str) -> str:
    """Return a cell's text, in quotes if it needs them."""
    if not text or _SPECIAL(text):
        return '"%s"' % text.replace('"', '""')
    return text


def _cell(value: Any) -> str:
    """Return a value's text."""
    writer = _WRITERS.get(type(value))
    if writer is not None:
        return writer(value)
    if type(value) in zinc.ENCODERS:
        return zinc.dumps_scalar(value)
    return _cell(normal(value, "CSV", zinc.ENCODERS))


def _ref(value: Ref) -> str:
    return f"@{value.id()}" if value.dis() is None else f"@{value.id()} {value.dis()}"


_SPECIAL = re.compile(r'[,"\n\r]|\A\s|\s\Z').search

_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "",
    bool: lambda value: "true" if value else "false",
    str: str,
    Uri: str,
    IntNumber: lambda value: f"{zinc.dumps_scalar(value.val)}{value.unit or ''}",
    FloatNumber: lambda value: f"{zinc.dumps_scalar(value.val)}{value.unit or ''}",
    Ref: _ref,
    Symbol: str,
    Marker: lambda value: _CHECK,
    NA: lambda value: "NA",
    Remove: lambda value: "remove",
    dt.datetime: lambda value: " ".join(tz.format_datetime(value)),
}


# Reading -------------------------------------------------------------------


def loads(text: str | bytes | bytearray, *, guess: bool = False) -> Grid:
    """Return the grid of a CSV text (or of UTF-8 bytes) whose first line names the columns.

    Names that Haystack does not allow are made legal, see GridBuilder.add_col.
    An empty cell is None.  guess: ✓ is a Marker, `@id dis` a Ref, true and
    false Bool; what looks like a Number, Date, Time, DateTime, Coord or XStr
    of Zinc is that; other cells are Str, as all are without guess.  A Str such
    as "23221" comes back as a Number: CSV has no kinds.  Raises CsvError with
    line and column.
    """
    text = to_text(text, CsvError)
    rows = _rows(text)
    if not rows:
        raise _error(text, 0, "a CSV document begins with the columns' names")
    builder = GridBuilder()
    heads, start = rows[0]
    for name in heads:
        try:
            builder.add_col(name)
        except ValueError as error:
            raise _error(text, start, str(error)) from None
    cells = _Guesses() if guess else _Strings()
    for row, start in rows[1:]:
        if len(row) != len(heads):
            raise _error(text, start, f"a row has {len(row)} cells for {len(heads)} columns")
        builder.add_row([cells[cell] for cell in row])
    return builder.to_grid()


def load(file: IO[str] | IO[bytes], *, guess: bool = False) -> Grid:
    """Return the grid of a CSV file.  Raises as loads."""
    return loads(file.read(), guess=guess)


def _error(text: str, pos: int, message: str) -> CsvError:
    failure = CsvError(message)
    failure.line = text.count("\n", 0, pos) + 1
    failure.column = pos - text.rfind("\n", 0, pos)
    return failure


def _rows(text: str) -> list[tuple[list[str], int]]:
    """Return each row's cells and its place; empty lines are left out."""
    rows: list[tuple[list[str], int]] = []
    pos = 0
    while pos < len(text):
        if text[pos] == "\n":
            pos += 1
            continue
        start, row = pos, []
        while True:
            match = _CELL(text, pos)
            if not match:
                what = "a quote has no end" if text[pos] == '"' and not _CLOSED(text, pos) \
                    else "a quote within a cell"
                raise _error(text, pos, what)
            quoted, plain, end = match.groups()
            row.append(plain if quoted is None else quoted.replace('""', '"'))
            pos = match.end()
            if end != ",":
                break
        rows.append((row, start))
    return rows


class _Strings(dict[str, Any]):
    """Cells as they are."""

    def __missing__(self, cell: str) -> Any:
        return cell or None


class _Guesses(dict[str, Any]):
    """Cells as what they look like."""

    def __missing__(self, cell: str) -> Any:
        value = self[cell] = _guess(cell)
        return value


def _guess(cell: str) -> Any:
    if cell in _KNOWN:
        return _KNOWN[cell]
    try:
        if cell.startswith("@"):
            name, space, dis = cell[1:].partition(" ")
            return Ref(name, dis if space else None)
        if _COORD(cell):
            return Coord.from_str(cell)
        if _ZINC(cell):
            return zinc.loads_scalar(cell)
    except ValueError:
        pass
    return cell


_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|(?!")([^,\n]*))(,|\n|\Z)').match
_CLOSED = re.compile(r'"[^"]*(?:""[^"]*)*"').match
_KNOWN = {"": None, "true": True, "false": False, _CHECK: Marker(), "NA": NA(),
          "INF": float("inf"), "-INF": float("-inf"), "NaN": float("nan"), "remove": Remove()}
_COORD = re.compile(r"C\([0-9.,\s-]+\)").fullmatch
_ZINC = re.compile(r'-?[0-9].*|[A-Z]\w*\(".*"\)', re.ASCII).fullmatch
