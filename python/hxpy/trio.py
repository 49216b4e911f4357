"""Trio, Haystack's text format for records that people write.

    loads(text) -> list of dicts        dumps(records) -> text      on files: load, dump

A record is a dict; records are separated by `---`.  Trio has no grid: dumps
takes a Grid (or DataFrame) for its rows, and refuses one that has meta, which
Trio cannot hold; `dumps(grid.to_dicts())` drops it knowingly.

What the writer does beyond the Haystack chapter "Trio":

- Tags keep their order.  A tag that is None is left out: in Haystack a null
  tag is no tag.  Inside of lists and dicts null stays.
- Bool is T or F, which all readers know; a Str is bare only if no reader takes it for
  something else; a Str of several lines is an indented block if that keeps it
  whole, else a Zinc literal.
- Grids, and lists and dicts that hold some, are indented `Zinc:` blocks.
- Values are otherwise those of hxpy.zinc, with its rules and limits.

What Trio cannot hold is a TrioError: a record without tags, and what Zinc cannot hold.

Errors: TrioError (a HaysonError, a ValueError) with `line` and `column` (from 1)
when read, `path` when written; HaysonTypeError for a type without a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any

from . import zinc
from ._codecs import check_surrogates, to_text
from .hayson import HaysonError, HaysonTypeError, check_name, normal
from .haystack import tz
from .haystack.grid import Grid
from .haystack.marker import Marker
from .haystack.na import NA
from .haystack.names import is_tag_name
from .haystack.remove import Remove

__all__ = ["TrioError", "dump", "dumps", "load", "loads"]


class TrioError(HaysonError):
    """A value that Trio cannot hold, or a document that is not Trio."""


# Writing -------------------------------------------------------------------


def dumps(records: Any) -> str:
    """Return records as Trio: dicts, one dict, or the rows of a Grid without meta.

    Raises TrioError for what Trio cannot hold, HaysonTypeError for a type
    without a mapping.
    """
    try:
        text = "---\n".join(_records(records))
    except RecursionError:
        raise TrioError("the value is nested too deeply") from None
    check_surrogates(text, TrioError)
    return text


def dump(records: Any, file: IO[str]) -> None:
    """Write records as Trio to a text file.  Raises as dumps."""
    file.write(dumps(records))


def _records(records: Any) -> list[str]:
    """Return each record's text."""
    if not isinstance(records, (Grid, Mapping, list)):
        records = normal(records, "Trio", {})
    if isinstance(records, Grid):
        if records.meta().keys() - {"ver"} or any(col.meta() for col in records.cols()):
            raise TrioError("Trio cannot hold the meta of a grid and its columns; "
                            "give the grid's to_dicts()")
        records = records.to_dicts()
    elif isinstance(records, Mapping):
        return [_record(records)]
    elif not isinstance(records, list):
        raise TrioError(f'Trio holds records, not a value of type "{type(records).__name__}"')
    texts: list[str] = []
    try:
        for record in records:
            texts.append(_record(record))
    except (HaysonError, HaysonTypeError) as error:
        error.within(len(texts))
        raise
    return texts


def _record(record: Any) -> str:
    """Return a record's lines."""
    if not isinstance(record, Mapping):
        record = normal(record, "Trio", {dict: None})
    if not isinstance(record, Mapping):
        raise TrioError(f'a record is a dict, not a value of type "{type(record).__name__}"')
    lines = []
    for name, value in record.items():
        check_name(name, "Trio", TrioError)
        try:
            text = _value(normal(value, "Trio", zinc.ENCODERS))
        except zinc.ZincError as error:
            failure = TrioError(error.message)
            failure.path = error.path
            failure.within(name)
            raise failure from None
        except (HaysonError, HaysonTypeError) as error:
            error.within(name)
            raise
        if text is not None:
            lines.append(name + text + "\n")
    if not lines:
        raise TrioError("Trio cannot hold a record without tags")
    return "".join(lines)


def _value(value: Any) -> str | None:
    """Return what follows a tag's name; None for no tag at all."""
    if value is None:
        return None
    if isinstance(value, Marker):
        return ""
    if type(value) is str:
        return _str(value)
    if isinstance(value, Grid):
        return _block("Zinc:", zinc.dumps(value).removesuffix("\n\n"))
    text = zinc.dumps_scalar(value)
    return _block("Zinc:", text) if "\n" in text else f":{text}"


def _str(value: str) -> str:
    """Return a Str bare, as a block or as a literal."""
    if _BARE(value) and not _TAKEN(value) and value.isprintable():
        return f":{value}"
    if _BLOCK(value) and not _NOT_IN_BLOCK(value):
        return _block("", value)
    return f":{zinc.write_str(value)}"


def _block(kind: str, text: str) -> str:
    """Return an indented block."""
    lines = [f"  {line}" if line else "" for line in text.split("\n")]
    return "\n".join([f":{kind}", *lines])


# A Str that needs no quotes: a letter first, then letters, digits, blanks, - and _.  The blank
# is not last.  Above 160 there are letters for the most part, but isprintable decides.
_NO_WORD = r"\x21-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xa0"
_BARE = re.compile(rf"[^\x00-\x20{_NO_WORD}0-9_-](?:[^\x00-\x1f{_NO_WORD}]*"
                   rf"[^\x00-\x20{_NO_WORD}])?").fullmatch
# What some reader takes for another value; haystack-core does so by the first word.
_TAKEN = re.compile(r"(?:T|F|N|M|R|NA|NaN|INF|Zinc|Trio)(?![A-Za-z0-9_])|(?:true|false)\Z").match
# A Str of several lines whose first and last are not blank, with one that is not indented.
_BLOCK = re.compile(r"(?=\S)(?:[^\n]*\n)+[^\n]*(?<=\S)").fullmatch
# What a block does not keep: white space at a line's end, control characters but the tab.
_NOT_IN_BLOCK = re.compile(r"[^\S\n](?:\n|\Z)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]").search


# Reading -------------------------------------------------------------------


def loads(text: str | bytes | bytearray) -> list[dict[str, Any]]:
    """Return the records of a Trio text (or of UTF-8 bytes).

    Values are read as Haxall reads them; a bare value that is no literal is a
    Str.  Beyond Haxall, `name:M` is a Marker, as shaystack writes it, what ends
    with `)` but is no Coord or XStr is a Str, a tag's name may be indented, and
    empty lines at the end of a block do not belong to it.  Raises TrioError
    with line and column.
    """
    try:
        return _Reader(to_text(text, TrioError).split("\n")).records()
    except RecursionError:
        raise TrioError("the document is nested too deeply") from None


def load(file: IO[str] | IO[bytes]) -> list[dict[str, Any]]:
    """Return the records of a Trio file.  Raises as loads."""
    return loads(file.read())


class _Reader:
    """Reads lines; line and column say where the first one stands in the document."""

    def __init__(self, lines: list[str], line: int = 0, column: int = 0) -> None:
        self.lines = lines
        self.place = 0
        self.line = line
        self.column = column

    def error(self, message: str, place: int, column: int) -> TrioError:
        """Return the error of a place and a column in the reader's lines, both from 0."""
        failure = TrioError(message)
        failure.line = self.line + place + 1
        failure.column = self.column + column + 1
        return failure

    def records(self) -> list[dict[str, Any]]:
        """Return all records."""
        records: list[dict[str, Any]] = []
        record: dict[str, Any] = {}
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if line.startswith("-"):
                if record:
                    records.append(record)
                    record = {}
            elif (stripped := line.strip()) and not stripped.startswith("//"):
                self.tag(line, record)
                continue
            self.place += 1
        if record:
            records.append(record)
        return records

    def tag(self, line: str, record: dict[str, Any]) -> None:
        """Read the tag that begins on a line, and go to the line after it."""
        place = self.place
        self.place += 1
        name, colon, rest = line.partition(":")
        indent = len(name) - len(name.lstrip())
        name = name.strip()
        if not is_tag_name(name):
            raise self.error(f"{name!r} is no name of a tag", place, indent)
        if name in record:
            raise self.error(f'there are two tags "{name}" in a record', place, indent)
        text = rest.strip()
        column = line.index(":") + 1 + len(rest) - len(rest.lstrip()) if colon else 0
        if not colon:
            record[name] = Marker()
        elif not text:
            record[name] = "\n".join(self.block()[0])
        else:
            record[name] = self.value(text, place, column)

    def block(self) -> tuple[list[str], int]:
        """Return the indented lines that follow, without their common indent, and that indent."""
        start = self.place
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if line and not line[0].isspace():
                break
            self.place += 1
        lines = [line.rstrip() for line in self.lines[start:self.place]]
        while lines and not lines[-1]:
            lines.pop()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
        return [line[indent:] for line in lines], indent

    def value(self, text: str, place: int, column: int) -> Any:
        """Return the value of a tag's text, which stands at a place and a column."""
        first = text[0]
        if first in '"`@^{[' and text != "[":
            return self.zinc(text, place, column)
        if first in "-0123456789":
            return _number_or_str(text)
        if text in _WORDS:
            return _WORDS[text]
        if text == "[":
            return self.items(column)
        if text in ("Zinc:", "Trio:"):
            start = self.place
            lines, indent = self.block()
            if text == "Zinc:":
                return self.zinc("\n".join(lines), start, indent)
            records = _Reader(lines, self.line + start, self.column + indent).records()
            if len(records) != 1:
                raise self.error(f"a Trio: block holds one record, not {len(records)}", place,
                                 column)
            return records[0]
        if _CALL(text):
            return self.zinc(text, place, column)
        return text

    def items(self, column: int) -> Any:
        """Return the list whose `[` is read, of one item or more a line."""
        start = self.place - 1
        lines, indent = self.block()
        lines = ["" if line.lstrip().startswith("//") else line for line in lines]
        if self.place < len(self.lines) and self.lines[self.place].rstrip() == "]":
            lines += [""] * (self.place - start - 1 - len(lines)) + ["]"]
            self.place += 1
        return self.zinc("\n".join(["[", *lines]), start, indent, column)

    def zinc(self, text: str, place: int, column: int, first: int | None = None) -> Any:
        """Return the value of a Zinc text; its first line may begin at another column."""
        try:
            return zinc.loads(text)
        except zinc.ZincError as error:
            line = (error.line or 1) - 1
            if not line and first is not None:
                column = first
            raise self.error(error.message, place + line,
                             column + (error.column or 1) - 1) from None


def _number_or_str(text: str) -> Any:
    """Return the Number, Date, Time or DateTime of a text, or else the text."""
    try:
        if _LITERAL(text):
            return zinc.loads_scalar(text)
        if _DATETIME(text):
            return tz.parse_datetime(text)
    except ValueError:
        pass
    return text


_WORDS = {"true": True, "false": False, "T": True, "F": False, "NA": NA(), "R": Remove(),
          "NaN": float("nan"), "INF": float("inf"), "M": Marker()}
_CALL = re.compile(r'(?:C\(\s*["0-9-]|[A-Z][A-Za-z0-9_]*\(\s*"|Bin\().*\)', re.DOTALL).fullmatch
_LITERAL = re.compile(r"(?!.*/[/*])[^\s,\"]+(?: [A-Z][A-Za-z0-9_+/-]*)?").fullmatch
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ].*").fullmatch
