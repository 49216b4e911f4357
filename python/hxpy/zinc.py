"""Zinc, Haystack's own text format, versions 2.0 and 3.0.

    loads(text) -> value        dumps(value) -> text        on files: load, dump
    loads_scalar(text), dumps_scalar(value)     a value that stands inside a document

A document is a Grid (`ver:"3.0" …`) or, as Haxall reads it too, a single value
(`72.1°F`).  dumps writes a Grid as a document, dumps_scalar as it stands in a
cell (`<<…>>`); everything else is the same in both.

What the writer does beyond the Haystack chapter "Zinc":

- A float keeps its point (`5.0`), so that it is read as a float.
- Control characters are `\\u0001`; in a Uri so are the back quote and a backslash
  that begins no URI escape, which is the form that all readers understand.
- bytes are XStr `Buf("…")` in base64, and are read as bytes.  An XStr that
  would be read so is refused.
- A naive datetime has the zone "Rel" (no zone), and is read as naive.
- None in a dict is `N`, and is read as None.
- A grid without columns has the column `noCols`, and is read as one without columns.
- Other Python types become what hxpy.hayson makes of them.

What Zinc cannot hold is a ZincError: names that are no tag names, units that
could not be told from the number (`5` + `e3`), an infinity with a unit, lone surrogates.

Errors: ZincError (a HaysonError, a ValueError) with `line` and `column` (from 1)
when read, `path` when written; HaysonTypeError for a type without a mapping.
"""

from __future__ import annotations

import binascii
import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn

from . import hayson
from ._codecs import check_surrogates, check_xstr, read_xstr, to_text, unlimited
from .hayson import HaysonError, HaysonTypeError, check_name, normal
from .haystack import tz
from .haystack.coord import Coord
from .haystack.grid import Grid, GridCol
from .haystack.marker import Marker
from .haystack.na import NA
from .haystack.names import is_tag_name
from .haystack.number import FloatNumber, IntNumber, Number
from .haystack.ref import Ref
from .haystack.remove import Remove
from .haystack.symbol import Symbol
from .haystack.uri import Uri
from .haystack.xstr import XStr

__all__ = ["MAX_DEPTH", "ZincError", "dump", "dumps", "dumps_scalar", "load", "loads",
           "loads_scalar"]

# How deep lists, dicts and grids may be nested when written: what can be read again.
MAX_DEPTH = 100

# The column of a grid without columns, as Haxall writes it.
_NO_COLS = "noCols"

# What a unit's characters are not, but for the digits: they are letters, % _ / $ and what is above
# 128, save no-break space, which is white space.  (Classes of what is wanted compile slowly.)
_NO_UNIT = r"\x00-\x23\x26-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x80\xa0"
_SLASH = "/(?![/*])"  # that begins no comment
_NUMBER_PATTERN = (
    r"(?:0x(?P<hex>[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)"
    r"|(?P<whole>-?\d+(?:_\d+)*)(?P<rest>(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?)"
    rf"(?P<unit>(?:[^0-9{_NO_UNIT}]|{_SLASH})(?:[^{_NO_UNIT}]|{_SLASH})*)?)")


class ZincError(HaysonError):
    """A value that Zinc cannot hold, or a document that is not Zinc."""


# Writing -------------------------------------------------------------------

_Encoder = Callable[[Any, int], str]


def dumps(value: Any) -> str:
    """Return a value as Zinc; a Grid (or DataFrame) as a document that ends with an empty line.

    Raises ZincError for what Zinc cannot hold and for nesting deeper than
    MAX_DEPTH, HaysonTypeError for a type without a mapping.
    """
    grid = value if isinstance(value, Grid) else normal(value, "Zinc", ENCODERS)
    return _checked(_grid if isinstance(grid, Grid) else _write, grid)


def dumps_scalar(value: Any) -> str:
    """Return a value as it stands in a cell, a grid as `<<…>>`.  Raises as dumps."""
    return _checked(_write, value)


def _checked(write: Callable[[Any, int], str], value: Any) -> str:
    """Return what a function writes, which must fit the stack and UTF-8."""
    try:
        text = write(value, 0)
    except RecursionError:
        raise ZincError("the value is nested too deeply") from None
    check_surrogates(text, ZincError)
    return text


def dump(value: Any, file: IO[str]) -> None:
    """Write a value as Zinc to a text file.  Raises as dumps."""
    file.write(dumps(value))


def _write(value: Any, depth: int) -> str:
    """Return a value inside of as many containers as depth says."""
    encoder = ENCODERS.get(type(value))
    if encoder is None:
        return _write(normal(value, "Zinc", ENCODERS), depth)
    try:
        return encoder(value, depth)
    except (HaysonError, HaysonTypeError):
        raise
    except ValueError as error:  # a time zone without a name and the like
        raise ZincError(str(error)) from None


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ZincError(f"the value is nested deeper than {MAX_DEPTH}, or contains itself")
    return depth + 1


def _write_float(value: float, depth: int = 0) -> str:
    if value - value == 0:
        return float.__repr__(value)
    return "NaN" if value != value else "INF" if value > 0 else "-INF"


def _write_number(value: Number, depth: int) -> str:
    number, unit = value.val, value.unit
    text = repr(number) if isinstance(number, int) else _write_float(number)
    if unit is None:
        return text
    if not math.isfinite(number):
        raise ZincError(f'Zinc cannot hold an infinity with a unit ("{unit}")')
    match = _NUMBER(text + unit)
    if not match or match["unit"] != unit:
        raise ZincError(f'Zinc cannot hold the unit "{unit}" after {text}')
    return text + unit


def write_str(value: str, depth: int = 0) -> str:
    if _STR_SPECIAL(value):
        value = value.translate(_STR_ESCAPES)
    return f'"{value}"'


def _write_uri(value: Uri, depth: int) -> str:
    text = str(value)
    if _URI_SPECIAL_SEARCH(text):
        text = _URI_SPECIAL.sub(lambda match: match[0] if match[0][1:]
                                else f"\\u{ord(match[0]):04x}", text)
    return f"`{text}`"


def _write_ref(value: Ref, depth: int) -> str:
    dis = value.dis()
    return f"@{value.id()}" if dis is None else f"@{value.id()} {write_str(dis)}"


def _write_xstr(value: XStr, depth: int) -> str:
    check_xstr(value, ZincError)
    return f"{value.type}({write_str(value.val)})"


def _write_datetime(value: dt.datetime, depth: int) -> str:
    text, zone = tz.format_datetime(value)
    return text if zone == "UTC" else f"{text} {zone}"


def _write_list(value: list[Any], depth: int) -> str:
    depth = _deeper(depth)
    parts: list[str] = []
    try:
        for item in value:
            parts.append(_write(item, depth))
    except (HaysonError, HaysonTypeError) as error:
        error.within(len(parts))
        raise
    return f"[{','.join(parts)}]"


def _write_dict(value: Mapping[str, Any], depth: int) -> str:
    return "{%s}" % " ".join(_tags(value, _deeper(depth)))


def _tags(tags: Mapping[str, Any], depth: int) -> list[str]:
    """Return a dict's tags, each as `name` or `name:value`."""
    parts = []
    for name, value in tags.items():
        check_name(name, "Zinc", ZincError)
        try:
            parts.append(name if type(value) is Marker else f"{name}:{_write(value, depth)}")
        except (HaysonError, HaysonTypeError) as error:
            error.within(name)
            raise
    return parts


def _write_nested(value: Grid, depth: int) -> str:
    return f"<<\n{_grid(value, _deeper(depth))}>>"


def _grid(grid: Grid, depth: int) -> str:
    """Return a grid as a document."""
    cols = grid.cols()
    if [col.name() for col in cols] == [_NO_COLS] and not len(grid) and not cols[0].meta():
        raise ZincError(f'a grid with no more than the column "{_NO_COLS}" would be read as one '
                        "without columns")
    with hayson._At("meta"):
        meta = _tags({name: tag for name, tag in grid.meta().items() if name != "ver"}, depth)
    heads = []
    for col in cols:
        check_name(col.name(), "Zinc", ZincError)
        with hayson._At("cols", col.index(), "meta"):
            heads.append(" ".join([col.name(), *_tags(col.meta(), depth)]))
    null = "N" if len(cols) == 1 else ""
    columns = [_column(col.name(), grid.cells(col), null, depth) for col in cols]
    lines = [" ".join(['ver:"3.0"', *meta]), ",".join(heads) if heads else _NO_COLS,
             *map(",".join, zip(*columns))]
    return "\n".join(lines) + "\n\n"


def _column(name: str, cells: list[Any], null: str, depth: int) -> list[str]:
    """Return a column's cells."""
    kinds = set(map(type, cells))
    if kinds == {float}:
        return list(map(_write_float, cells))
    if kinds == {str}:
        return list(map(write_str, cells))
    texts: list[str] = []
    get = ENCODERS.get
    try:
        for cell in cells:
            encoder = get(type(cell))
            texts.append(null if cell is None
                         else encoder(cell, depth) if encoder else _write(cell, depth))
    except (HaysonError, HaysonTypeError) as error:
        failure = error
    except ValueError as error:
        failure = ZincError(str(error))
    else:
        return [text or null for text in texts]  # pandas.NA and the like
    failure.within(name)
    failure.within(len(texts))
    failure.within("rows")
    raise failure


_STR_SPECIAL = re.compile(r'[\x00-\x1f"\\$]').search
_STR_ESCAPES: dict[int, str] = {
    **{code: f"\\u{code:04x}" for code in range(32)},
    10: "\\n", 13: "\\r", 12: "\\f", 9: "\\t", 34: '\\"', 92: "\\\\", 36: "\\$"}

# A URI's own escapes, which stay; what must be escaped.
_URI_SPECIAL = re.compile(r"\\[:/?#\[\]@\\&=;]|[\x00-\x1f`\\]")
_URI_SPECIAL_SEARCH = _URI_SPECIAL.search

ENCODERS: dict[type, _Encoder] = {
    type(None): lambda value, depth: "N",
    bool: lambda value, depth: "T" if value else "F",
    int: lambda value, depth: hayson.dumps(value),  # of any size
    float: _write_float,
    str: write_str,
    IntNumber: _write_number,
    FloatNumber: _write_number,
    list: _write_list,
    dict: _write_dict,
    Grid: _write_nested,
    bytes: lambda value, depth: f'Buf("{binascii.b2a_base64(value, newline=False).decode()}")',
    dt.date: lambda value, depth: str(value),
    dt.time: lambda value, depth: tz.format_time(value),
    dt.datetime: _write_datetime,
    Marker: lambda value, depth: "M",
    NA: lambda value, depth: "NA",
    Remove: lambda value, depth: "R",
    Ref: _write_ref,
    Symbol: lambda value, depth: f"^{value.id()}",
    Uri: _write_uri,
    Coord: lambda value, depth: str(value),
    XStr: _write_xstr,
}


# Reading -------------------------------------------------------------------


def loads(text: str | bytes | bytearray) -> Any:
    """Return the value of a Zinc document (or of UTF-8 bytes): a Grid or a single value.

    Besides what the Haystack chapter allows it takes what Haxall takes: white
    space and comments between tokens, `\\r\\n` and `\\r`, `8:30`, hexadecimal
    numbers, full time zone names, a dateTime without zone (hxpy.haystack.tz),
    XStr `Bin(text/plain)` without quotes as in Zinc 2.0, escapes `\\u0041` and
    `\\u{41}`, XStr `Buf` that is no base64.  Raises ZincError with line and column.
    """
    return _read(text, True)


def loads_scalar(text: str | bytes | bytearray) -> Any:
    """Return a single value as it stands in a cell, a grid as `<<…>>`.  Raises as loads."""
    return _read(text, False)


def load(file: IO[str] | IO[bytes]) -> Any:
    """Return the value of a Zinc file.  Raises as loads."""
    return loads(file.read())


def read_number(match: re.Match[str]) -> Any:
    """Return the value of a match of the pattern of numbers."""
    digits, whole, rest, unit = match.group("hex", "whole", "rest", "unit")
    if digits is not None:
        return int(digits, 16)
    if rest:
        number: int | float = float(whole + rest)
    else:
        try:
            number = int(whole)
        except ValueError:  # more digits than Python converts on its own
            number = unlimited(int, whole)
    return Number(number, unit) if unit else number


def unescape(text: str) -> str:
    """Return a string literal's content; KeyError or ValueError for an unknown escape."""
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(_unescape_one, text)
    if _SURROGATE(text):  # \ud83d\ude00 is one character
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    return text


def _unescape_one(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED[match[3]]


def _unescape_uri(text: str) -> str:
    """Return a Uri literal's content: URI's own escapes stay."""
    if "\\" not in text:
        return text
    return "".join(part if part[1:] and part[1] in ":/?#[]@\\&=;" else unescape(part)
                   for part in _URI_PARTS(text))


class _Cells(dict[str, Any]):
    """The values of the cells seen so far, by their text."""

    def __missing__(self, raw: str) -> Any:
        if _REAL(raw):
            value: Any = float(raw)
        elif match := _NUMBER(raw):
            value = read_number(match)
        elif raw[0] == '"' and raw.find('"', 1) == len(raw) - 1 and "\\" not in raw:
            value = raw[1:-1]
        else:
            value = _Reader(raw, self).only_value()
        if len(self) < _CACHE_LIMIT:
            self[raw] = value
        return value


_CACHE_LIMIT = 1_000_000


def _read(text: str | bytes | bytearray, document: bool) -> Any:
    text = to_text(text, ZincError)
    reader = _Reader(text, _Cells(_WORDS, **{"": None}))
    try:
        if not document:
            return reader.only_value()
        reader.skip_lines()
        start = reader.pos
        if text.startswith("ver", start):
            value: Any = reader.grid(False)
        else:
            value = reader.value()
        reader.skip_lines()
        if reader.pos < len(text):
            reader.fail("unexpected text after the end of the "
                        + ("grid" if isinstance(value, Grid) else "value"))
    except RecursionError:
        raise ZincError("the document is nested too deeply") from None
    return value


class _Reader:
    """Reads a text from pos on."""

    def __init__(self, text: str, cells: _Cells) -> None:
        self.text = text
        self.pos = 0
        self.cells = cells

    def fail(self, message: str, pos: int | None = None) -> NoReturn:
        """Raise ZincError with the line and column of pos."""
        if pos is None:
            pos = self.pos
        failure = ZincError(message)
        failure.line = self.text.count("\n", 0, pos) + 1
        failure.column = pos - self.text.rfind("\n", 0, pos)
        raise failure from None

    def here(self) -> str:
        """Return what stands at pos, for an error."""
        found = self.text[self.pos:self.pos + 20].partition("\n")
        return repr(found[0]) if found[0] else "the end of the line" if found[1] else "the end"

    # Between tokens

    def skip(self) -> None:
        """Skip white space and comments within the line."""
        text = self.text
        while True:
            self.pos = _SPACE(text, self.pos).end()  # type: ignore[union-attr]
            if text.startswith("//", self.pos):
                end = text.find("\n", self.pos)
                self.pos = len(text) if end < 0 else end
            elif text.startswith("/*", self.pos):
                self.skip_comment()
            else:
                return

    def skip_comment(self) -> None:
        """Skip a comment that may hold others."""
        start, depth = self.pos, 0
        for match in _COMMENT(self.text, self.pos):
            depth += 1 if match[0] == "/*" else -1
            if not depth:
                self.pos = match.end()
                return
        self.fail("a comment has no end", start)

    def skip_lines(self) -> None:
        """Skip white space, comments and line ends."""
        self.skip()
        while self.text.startswith("\n", self.pos):
            self.pos += 1
            self.skip()

    def take(self, token: str) -> bool:
        """Skip a token if it comes next."""
        self.skip()
        if not self.text.startswith(token, self.pos):
            return False
        self.pos += len(token)
        return True

    def expect(self, token: str) -> None:
        if not self.take(token):
            self.fail(f"expected {_TOKEN_NAMES.get(token, token)}, found {self.here()}")

    # Values

    def only_value(self) -> Any:
        """Return the value that is all of the text."""
        try:
            value = self.value()
        except RecursionError:
            self.fail("the document is nested too deeply")
        self.skip()
        if self.pos < len(self.text):
            self.fail(f"expected the end of the value, found {self.here()}")
        return value

    def value(self) -> Any:
        """Return the next value."""
        self.skip()
        start = self.pos
        match = _TOKEN(self.text, start)
        if not match:
            return self.other_value()
        kind = match.lastgroup
        self.pos = match.end()
        if kind == "word":
            return self.word(match["word"], start)
        try:
            return _SCALARS[kind or "number"](match)
        except KeyError as error:
            self.fail(f"unknown escape \\{error.args[0]}", start)
        except ValueError as error:
            self.fail(str(error), start)

    def other_value(self) -> Any:
        """Return a value that begins with a sign, or say what is wrong."""
        start, text = self.pos, self.text
        sign = text[start:start + 1]
        if sign == "[":
            return self.items()
        if sign == "{":
            self.pos += 1
            tags = self.tags("}")
            self.expect("}")
            return tags
        if text.startswith("<<", start):
            self.pos += 2
            self.skip_lines()
            grid = self.grid(True)
            self.skip_lines()
            self.expect(">>")
            return grid
        if sign and sign in '"`':
            self.fail("a Str has no end" if sign == '"' else "a Uri has no end", start)
        if sign == "@":
            self.fail("a Ref has no id")
        if sign == "^":
            self.fail("a Symbol has no id")
        self.fail(f"expected a value, found {self.here()}")

    def word(self, word: str, start: int) -> Any:
        """Return the value of a keyword, Coord or XStr."""
        if self.take("("):
            return self.call(word, start)
        try:
            return _WORDS[word]
        except KeyError:
            self.fail(f'unknown word "{word}"', start)

    def call(self, word: str, start: int) -> Any:
        """Return the Coord or XStr of which `Type(` is read."""
        self.skip()
        inner = self.pos
        match = _LITERAL(self.text, inner)
        try:
            if match:
                self.pos = match.end()
                value = _read_str(match)
                self.expect(")")
                return read_xstr(word, value)
            if word == "Bin":  # of Zinc 2.0
                match = _MIME(self.text, inner)
                if match:
                    self.pos = match.end()
                    return XStr(word, match[1].strip())
            if word == "C":
                return Coord(self.degrees(","), self.degrees(")"))
        except KeyError as error:
            self.fail(f"unknown escape \\{error.args[0]}", inner)
        except (ZincError, RecursionError):
            raise
        except ValueError as error:
            self.fail(str(error), start)
        self.fail(f"expected a Str, found {self.here()}")

    def degrees(self, end: str) -> float:
        """Return a Coord's number and skip the sign after it."""
        self.skip()
        match = _DEGREES(self.text, self.pos)
        if not match:
            self.fail(f"expected a number, found {self.here()}")
        self.pos = match.end()
        self.expect(end)
        return float(match[0])

    def items(self) -> list[Any]:
        """Return a list; a comma may stand before its end, line ends anywhere."""
        self.pos += 1
        items: list[Any] = []
        while True:
            self.skip_lines()
            if self.take("]"):
                return items
            items.append(self.value())
            self.skip_lines()
            if not self.take(","):
                self.expect("]")
                return items

    def tags(self, end: str) -> dict[str, Any]:
        """Return tags; up to `}` with commas and line ends in between, else to the line's end."""
        tags: dict[str, Any] = {}
        skip = self.skip_lines if end else self.skip
        skip()
        while (match := _NAME(self.text, self.pos)):
            name, start = match[0], self.pos
            if not is_tag_name(name):
                self.fail(f'"{name}" is no name of a tag')
            if name in tags:
                self.fail(f'there are two tags "{name}"', start)
            self.pos = match.end()
            if self.take(":"):
                tags[name] = self.value()
            else:
                tags[name] = Marker()
            skip()
            if end and self.take(","):
                skip()
        return tags

    # Grids

    def grid(self, nested: bool) -> Grid:
        """Return the grid that begins with `ver:`."""
        self.skip()
        match = _VER(self.text, self.pos)
        if not match:
            self.fail(f'expected ver:"3.0", found {self.here()}')
        if match[1] not in ("2.0", "3.0"):
            self.fail(f'version "{match[1]}" is unknown')
        self.pos = match.end()
        meta = self.tags("")
        self.line_end("a tag of the grid")
        names: dict[str, dict[str, Any]] = {}
        while True:
            self.skip()
            match = _NAME(self.text, self.pos)
            if not match:
                self.fail(f"expected a column's name, found {self.here()}")
            name = match[0]
            if not is_tag_name(name):
                self.fail(f'"{name}" is no name of a column')
            if name in names:
                self.fail(f'there are two columns "{name}"')
            self.pos = match.end()
            names[name] = self.tags("")
            if not self.take(","):
                break
        self.line_end("a tag of the column or a comma")
        rows = self.rows(len(names))
        if not rows and names == {_NO_COLS: {}}:
            return Grid(meta)
        cols = [GridCol(place, *item) for place, item in enumerate(names.items())]
        return Grid(meta, cols, list(map(list, zip(*rows))) if rows else [[] for _ in cols])

    def line_end(self, other: str) -> None:
        self.skip()
        if self.pos < len(self.text) and not self.take("\n"):
            self.fail(f"expected {other} or the line's end, found {self.here()}")

    def rows(self, width: int) -> list[list[Any]]:
        """Return the cells of all rows, up to an empty line, `>>` or the end."""
        text, cell = self.text, self.cells.__getitem__
        rows: list[list[Any]] = []
        size = len(text)
        while self.pos < size:
            end = text.find("\n", self.pos)
            line = text[self.pos:end if end >= 0 else size]
            raws = _split(line)
            if raws is not None and len(raws) == width and (width > 1 or raws[0]):
                try:
                    rows.append(list(map(cell, raws)))
                    self.pos = end + 1 if end >= 0 else size
                    continue
                except (ValueError, LookupError):
                    pass  # the other way tells the place
            row = self.row(width)
            if row is None:
                break
            rows.append(row)
        return rows

    def row(self, width: int) -> list[Any] | None:
        """Return a row's cells, one by one; None where the grid ends."""
        text = self.text
        while True:
            start = self.pos
            self.skip()
            if not text.startswith("\n", self.pos) or "/" not in text[start:self.pos]:
                break
            self.pos += 1  # after a line of comment
        if self.pos >= len(text) or text.startswith(("\n", ">>"), self.pos):
            return None
        cells: list[Any] = []
        while True:
            self.skip()
            cells.append(None if text[self.pos:self.pos + 1] in ("", ",", "\n")
                         else self.value())
            if self.take(","):
                if len(cells) == width:
                    self.fail(f"a row has more cells than the {width} columns", self.pos - 1)
                continue
            if text.startswith("\n", self.pos) or self.pos >= len(text) \
                    or text.startswith(">>", self.pos):
                break
            self.fail(f"expected a comma or the line's end, found {self.here()}")
        if len(cells) < width:
            self.fail(f"a row has {len(cells)} cells for {width} columns")
        if self.pos < len(text) and text[self.pos] == "\n":
            self.pos += 1
        return cells


def _split(line: str) -> list[str] | None:
    """Return the texts of a row's cells; None if they need to be read one by one."""
    if not _SPECIAL(line):
        return line.split(",")
    if '"""' in line:
        return None
    raws: list[str] = _RAW_CELLS("," + line)
    return raws if sum(map(len, raws)) + len(raws) == len(line) + 1 else None


def _read_str(match: re.Match[str]) -> str:
    """Return a Str, in single or triple quotes."""
    long: str | None = match["long"]
    return unescape(match["str"] if long is None else long)


def _read_ref(match: re.Match[str]) -> Ref:
    dis = match["dis"]
    return Ref(match["ref"], None if dis is None else unescape(dis))


def _read_datetime(match: re.Match[str]) -> dt.datetime:
    return tz.parse_datetime(match["dateTime"], match["zone"])


# By the last group of _TOKEN that matched.  No group of a number is the last one if it is empty.
_SCALARS: dict[str, Callable[[re.Match[str]], Any]] = {
    "number": read_number, "hex": read_number, "whole": read_number, "rest": read_number,
    "unit": read_number,
    "long": _read_str, "str": _read_str,
    "uri": lambda match: Uri(_unescape_uri(match["uri"])),
    "ref": _read_ref, "dis": _read_ref,
    "symbol": lambda match: Symbol(match["symbol"]),
    "dateTime": _read_datetime, "zone": _read_datetime,
    "date": lambda match: tz.parse_date(match["date"]),
    "time": lambda match: tz.parse_time(match["time"]),
    "negative": lambda match: -math.inf,
}

_WORDS = {"N": None, "M": Marker(), "R": Remove(), "NA": NA(), "T": True, "F": False,
          "INF": math.inf, "NaN": math.nan}

_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "b": "\b", '"': '"', "\\": "\\",
            "$": "$", "'": "'", "`": "`"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|(.?))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]").search
_URI_PARTS = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\u\{[0-9a-fA-F]+\}|\\.?|[^\\]+",
                        re.DOTALL).findall

# No possessive quantifiers: those of Python 3.11 match too much after an alternative.
_STR_BODY = r'[^"\\\n]*(?:\\.[^"\\\n]*)*'
_URI_BODY = r"[^`\\\n]*(?:\\.[^`\\\n]*)*"
_STR_PATTERN = (r'(?:"""(?P<long>(?:[^"\\]|\\.|"(?!""))*)"""'
                rf'|(?!""")"(?P<str>{_STR_BODY})")')
_NUMBER = re.compile(_NUMBER_PATTERN, re.ASCII).fullmatch
_REAL = re.compile(r"-?[0-9]+\.[0-9]+").fullmatch
_LITERAL = re.compile(_STR_PATTERN, re.DOTALL).match
_TOKEN = re.compile(
    _STR_PATTERN
    + rf"|`(?P<uri>{_URI_BODY})`"
    + rf'|@(?P<ref>[A-Za-z0-9_:.~-]+)(?:[ \t\xa0]*(?!""")"(?P<dis>{_STR_BODY})")?'
    + r"|\^(?P<symbol>[A-Za-z0-9_:.~-]+)"
    + r"|(?P<dateTime>\d{4}-\d\d-\d\dT\d\d?:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|z|[+-]\d\d:?\d\d)?)"
      r"(?: (?P<zone>[A-Z][A-Za-z0-9_+/-]*))?"
    + r"|(?P<date>\d+-\d+-\d+)(?![\w:.+-])|(?P<time>\d+:\d[\d:.]*)(?![\w:+-])"
    + r"|(?P<negative>-INF)\b"
    + rf"|{_NUMBER_PATTERN}(?![:.+-]|[^{_NO_UNIT}])"
    + r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)", re.ASCII | re.DOTALL).match
_SPACE = re.compile(r"[ \t\xa0]*").match
_COMMENT = re.compile(r"/\*|\*/").finditer
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").match
_VER = re.compile(r'ver[ \t\xa0]*:[ \t\xa0]*"([^"\n]*)"').match
_MIME = re.compile(r"([^)\n]*)\)").match
_DEGREES = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII).match
_TOKEN_NAMES = {",": "a comma", "\n": "the line's end"}

# A row that cannot be cut at its commas: literals, calls, containers, comments.
_SPECIAL = re.compile(r'["`(\[{<>]|/[/*]').search
_RAW_CELLS = re.compile(
    r',((?:[^,"`()\[\]{}<>/]+|/(?![/*])'
    rf'|"{_STR_BODY}"|`{_URI_BODY}`|\((?:[^()"`\[\]{{}}<>]|"{_STR_BODY}")*\))*)').findall
