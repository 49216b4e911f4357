"""JSON v3, the JSON encoding of Haystack 3, which older servers and shaystack speak.

    loads(text) -> value        dumps(value) -> text        on files: load, dump
    decode(tree) -> value       encode(value) -> tree of what json knows

Every scalar but Bool is a string with a letter before it: "n:72.1 °F", "m:",
"r:a-1 Main", "s:a:b".  A grid is {"meta", "cols", "rows"}, the columns' meta
beside their names.

What the writer does beyond the Haystack chapter "Json v3":

- A float keeps its point ("n:5.0"), so that it is read as a float.
- A dateTime has its zone always ("t:2021-03-22T13:57:00Z UTC"); a naive one has "Rel".
- bytes are "x:Buf:" and base64, and are read as bytes.  An XStr that would be
  read so is refused.
- None in a dict is null, and is read as None.  In a grid's rows it is left out.
- Other Python types become what hxpy.hayson makes of them.

What JSON v3 cannot hold is a V3Error: a dict that would be read as a grid, and
column meta called "name".

Errors: V3Error (a HaysonError, a ValueError) with `path`, and with `line` and
`column` (from 1) when read from a text; HaysonTypeError for a type without a mapping.
"""

from __future__ import annotations

import binascii
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any

from . import hayson
from ._codecs import check_surrogates, check_xstr, is_grid, read_xstr, unlimited
from .hayson import HaysonError, HaysonTypeError, normal
from .haystack import tz
from .haystack.coord import Coord
from .haystack.grid import Grid, GridCol
from .haystack.marker import Marker
from .haystack.na import NA
from .haystack.number import FloatNumber, IntNumber, Number
from .haystack.ref import Ref
from .haystack.remove import Remove
from .haystack.symbol import Symbol
from .haystack.uri import Uri
from .haystack.xstr import XStr

__all__ = ["V3Error", "decode", "dump", "dumps", "encode", "load", "loads"]


class V3Error(HaysonError):
    """A value that JSON v3 cannot hold, or a document that is not JSON v3."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.steps: list[str | int] = []

    def within(self, key: str | int) -> None:
        super().within(key)
        self.steps.insert(0, key)


# Writing -------------------------------------------------------------------

_Encoder = Callable[[Any, int], Any]


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON v3.

    Raises V3Error for what JSON v3 cannot hold, for a lone surrogate and for
    nesting deeper than hayson.MAX_DEPTH; HaysonTypeError for a type without a mapping.
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(encode(value), ensure_ascii=False, check_circular=False, indent=indent,
                      separators=separators)
    check_surrogates(text, V3Error)
    return text


def dump(value: Any, file: IO[str], *, indent: int | None = None) -> None:
    """Write a value as JSON v3 to a text file.  Raises as dumps."""
    file.write(dumps(value, indent=indent))


def encode(value: Any) -> Any:
    """Return a value as a tree of dict, list, str, bool and None.  Raises as dumps."""
    try:
        return _encode(value, 0)
    except RecursionError:
        raise V3Error("the value is nested too deeply") from None


def _encode(value: Any, depth: int) -> Any:
    """Return the tree of a value inside of as many containers as depth says."""
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        return _encode(normal(value, "JSON v3", _ENCODERS), depth)
    try:
        return encoder(value, depth)
    except (HaysonError, HaysonTypeError):
        raise
    except ValueError as error:  # a time zone without a name and the like
        raise V3Error(str(error)) from None


def _deeper(depth: int) -> int:
    if depth >= hayson.MAX_DEPTH:
        raise V3Error(f"the value is nested deeper than {hayson.MAX_DEPTH}, or contains itself")
    return depth + 1


def _number(value: float) -> str:
    """Return a plain number's text."""
    if isinstance(value, int):
        return hayson.dumps(value)  # of any size
    if math.isfinite(value):
        return float.__repr__(value)
    return "NaN" if value != value else "INF" if value > 0 else "-INF"


def _encode_number(value: Number, depth: int) -> str:
    unit = value.unit
    return f"n:{_number(value.val)}" if unit is None else f"n:{_number(value.val)} {unit}"


def _encode_str(value: str, depth: int = 0) -> str:
    return "s:" + value if ":" in value else value


def _encode_ref(value: Ref, depth: int) -> str:
    dis = value.dis()
    return f"r:{value.id()}" if dis is None else f"r:{value.id()} {dis}"


def _encode_xstr(value: XStr, depth: int) -> str:
    check_xstr(value, V3Error)
    return f"x:{value.type}:{value.val}"


def _encode_list(value: list[Any], depth: int) -> list[Any]:
    depth = _deeper(depth)
    tree: list[Any] = []
    try:
        for item in value:
            tree.append(_encode(item, depth))
    except (HaysonError, HaysonTypeError) as error:
        error.within(len(tree))
        raise
    return tree


def _encode_dict(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    depth = _deeper(depth)
    tree = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise HaysonTypeError(f"a dict's key must be a str, not \"{type(name).__name__}\"")
        try:
            tree[name] = _encode(item, depth)
        except (HaysonError, HaysonTypeError) as error:
            error.within(name)
            raise
    if is_grid(tree):
        raise V3Error('a dict with "cols" and "rows" would be read as a grid')
    return tree


def _encode_grid(grid: Grid, depth: int) -> dict[str, Any]:
    depth = _deeper(depth)
    with hayson._At("meta"):
        meta = _encode_dict({name: tag for name, tag in grid.meta().items() if name != "ver"},
                            depth)
    cols = []
    for col in grid.cols():
        with hayson._At("cols", col.index(), "meta"):
            tags = _encode_dict(col.meta(), depth)
            if "name" in tags:
                raise V3Error('JSON v3 cannot hold the tag "name" in a column\'s meta')
        cols.append({"name": col.name(), **tags})
    names = grid.col_names()
    columns = [_encode_column(col.name(), grid.cells(col), depth) for col in grid.cols()]
    rows = [{name: cell for name, cell in zip(names, cells) if cell is not None}
            for cells in zip(*columns)]
    if "cols" in names and "rows" in names and any(map(is_grid, rows)):
        raise V3Error('a row with "cols" and "rows" would be read as a grid')
    return {"meta": {"ver": "3.0", **meta}, "cols": cols, "rows": rows}


def _encode_column(name: str, cells: list[Any], depth: int) -> list[Any]:
    """Return the trees of a grid's column."""
    kinds = set(map(type, cells))
    if kinds == {float}:
        return [f"n:{_number(cell)}" for cell in cells]
    if kinds == {str}:
        return list(map(_encode_str, cells))
    tree: list[Any] = []
    try:
        for cell in cells:
            tree.append(None if cell is None else _encode(cell, depth))
    except (HaysonError, HaysonTypeError) as error:
        error.within(name)
        error.within(len(tree))
        error.within("rows")
        raise
    return tree


_ENCODERS: dict[type, _Encoder] = {
    type(None): lambda value, depth: None,
    bool: lambda value, depth: value,
    int: lambda value, depth: f"n:{_number(value)}",
    float: lambda value, depth: f"n:{_number(value)}",
    str: _encode_str,
    IntNumber: _encode_number,
    FloatNumber: _encode_number,
    list: _encode_list,
    dict: _encode_dict,
    Grid: _encode_grid,
    bytes: lambda value, depth: f"x:Buf:{binascii.b2a_base64(value, newline=False).decode()}",
    dt.date: lambda value, depth: f"d:{value.isoformat()}",
    dt.time: lambda value, depth: f"h:{tz.format_time(value)}",
    dt.datetime: lambda value, depth: "t:" + " ".join(tz.format_datetime(value)),
    Marker: lambda value, depth: "m:",
    NA: lambda value, depth: "z:",
    Remove: lambda value, depth: "-:",
    Ref: _encode_ref,
    Symbol: lambda value, depth: f"y:{value.id()}",
    Uri: lambda value, depth: f"u:{value}",
    Coord: lambda value, depth: f"c:{str(value)[2:-1]}",
    XStr: _encode_xstr,
}


# Reading -------------------------------------------------------------------


def loads(text: str | bytes | bytearray) -> Any:
    """Return the value of a JSON v3 text (or of UTF-8 bytes).

    Besides what the Haystack chapter allows it takes plain JSON numbers,
    "s:" before any Str, "ver" at the top of a grid or missing, columns as bare
    strings or with "meta", row keys that are no columns (they become columns),
    "@" and "^" before ids and a dateTime without zone.  Raises V3Error with
    line and column.
    """
    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as error:
            raise V3Error(f"not UTF-8: {error}") from None
    text = text.removeprefix("\ufeff")
    try:
        return decode(json.loads(text))
    except json.JSONDecodeError as error:
        failure = V3Error(f"malformed JSON: {error.msg.removesuffix(' at')}")
        pos = error.pos
    except RecursionError:
        raise V3Error("the document is nested too deeply") from None
    except V3Error as error:
        failure = error
        pos = _find(text, error.steps)
    except ValueError:  # more digits than Python converts on its own
        return unlimited(loads, text)
    failure.line = text.count("\n", 0, pos) + 1
    failure.column = pos - text.rfind("\n", 0, pos)
    raise failure from None


def load(file: IO[str] | IO[bytes]) -> Any:
    """Return the value of a JSON v3 file.  Raises as loads."""
    return loads(file.read())


def decode(tree: Any) -> Any:
    """Return the value of a tree that json made of a JSON v3 text.  Raises V3Error."""
    try:
        return _decode(tree, _Strings())
    except RecursionError:
        raise V3Error("the document is nested too deeply") from None


class _Strings(dict[str, Any]):
    """The values of the strings seen so far."""

    def __missing__(self, text: str) -> Any:
        match = _PLAIN_NUMBER(text)
        value = self[text] = float(match[1]) if match else _decode_str(text)
        return value


def _decode(tree: Any, strings: _Strings) -> Any:
    """Return the value of a tree."""
    if isinstance(tree, str):
        return strings[tree]
    if isinstance(tree, dict):
        if "rows" in tree and is_grid(tree):
            return _decode_grid(tree, strings)
        return _decode_dict(tree, strings)
    if isinstance(tree, list):
        items = []
        for place, item in enumerate(tree):
            with hayson._At(place):
                items.append(_decode(item, strings))
        return items
    return tree


def _decode_dict(tree: dict[str, Any], strings: _Strings) -> dict[str, Any]:
    result = {}
    for name, item in tree.items():
        with hayson._At(name):
            result[name] = _decode(item, strings)
    return result


def _decode_meta(tree: Any, strings: _Strings) -> dict[str, Any]:
    """Return the meta of a grid or column; None is none."""
    if not isinstance(tree, (dict, type(None))):
        raise V3Error("bad grid: its meta must be an object")
    return _decode_dict(tree or {}, strings)


def _decode_grid(tree: dict[str, Any], strings: _Strings) -> Grid:
    with hayson._At("meta"):
        meta = _decode_meta(tree.get("meta"), strings)
    meta.pop("ver", None)
    metas: dict[str, dict[str, Any]] = {}
    for place, col in enumerate(tree["cols"]):
        col = {"name": col} if isinstance(col, str) else dict(col)
        name = col.pop("name")
        with hayson._At("cols", place):
            if name in metas:
                raise V3Error(f'bad grid: two columns "{name}"')
            inner = col.pop("meta", None) if isinstance(col.get("meta"), dict) else None
            with hayson._At("meta"):
                inner = _decode_meta(inner, strings)
            metas[name] = {**inner, **_decode_dict(col, strings)}
    rows = tree["rows"]
    for row in rows:
        if not row.keys() <= metas.keys():
            for name in row:
                metas.setdefault(name, {})
    cols = [GridCol(place, *item) for place, item in enumerate(metas.items())]
    return Grid(meta, cols, [_decode_column(name, [row.get(name) for row in rows], strings)
                             for name in metas])


def _decode_column(name: str, cells: list[Any], strings: _Strings) -> list[Any]:
    """Return the values of a grid's column."""
    if set(map(type, cells)) == {str}:
        try:
            return list(map(strings.__getitem__, cells))
        except V3Error:
            pass  # the other way tells the place
    values = []
    for place, cell in enumerate(cells):
        try:
            values.append(None if cell is None else _decode(cell, strings))
        except V3Error as error:
            error.within(name)
            error.within(place)
            error.within("rows")
            raise
    return values


def _decode_str(text: str) -> Any:
    """Return the value of a JSON string."""
    if text[1:2] != ":":
        return text
    decoder = _DECODERS.get(text[0])
    if decoder is None:
        raise V3Error(f"unknown code {text[:2]!r}")
    try:
        return decoder(text[2:])
    except ValueError as error:
        raise V3Error(f"bad {_KINDS[text[0]]}: {error}") from None


def _single(value: Any) -> Callable[[str], Any]:
    """Return the decoder of a value that has no text."""
    def decode_single(text: str) -> Any:
        if text:
            raise ValueError(f"{text!r} after it")
        return value
    return decode_single


def _decode_number(text: str) -> Any:
    digits, _, unit = text.partition(" ")
    if digits in _SPECIAL:
        number: int | float = _SPECIAL[digits]
    elif _WHOLE(digits):
        try:
            number = int(digits)
        except ValueError:  # more digits than Python converts on its own
            number = unlimited(int, digits)
    elif _REAL(digits):
        number = float(digits)
    else:
        raise ValueError(f"{text!r} is no number")
    return Number(number, unit) if unit else number


def _decode_ref(text: str) -> Ref:
    name, space, dis = text.removeprefix("@").partition(" ")
    return Ref(name, dis if space else None)


def _decode_coord(text: str) -> Coord:
    return Coord.from_str(f"C({text})")


def _decode_xstr(text: str) -> XStr | bytes:
    name, _, value = text.partition(":")
    return read_xstr(name, value)


_SPECIAL = {"INF": math.inf, "-INF": -math.inf, "NaN": math.nan}
_PLAIN_NUMBER = re.compile(r"n:(-?[0-9]+\.[0-9]+)").fullmatch
_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
_REAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?").fullmatch

_DECODERS: dict[str, Callable[[str], Any]] = {
    "m": _single(Marker()), "-": _single(Remove()), "z": _single(NA()),
    "n": _decode_number, "r": _decode_ref, "s": str, "u": Uri, "c": _decode_coord,
    "y": lambda text: Symbol(text.removeprefix("^")),
    "d": tz.parse_date, "h": tz.parse_time, "t": tz.parse_datetime,
    "x": _decode_xstr, "b": lambda text: XStr("Bin", text),
}
_KINDS = {"m": "Marker", "-": "Remove", "z": "NA", "n": "Number", "r": "Ref", "s": "Str",
          "u": "Uri", "c": "Coord", "y": "Symbol", "d": "Date", "h": "Time", "t": "DateTime",
          "x": "XStr", "b": "Bin"}


# Where an error is

_SPACE = re.compile(r"[ \t\n\r,:]*").match
_from_json = json.JSONDecoder().raw_decode


def _find(text: str, steps: list[str | int]) -> int:
    """Return the place in a JSON text to which the steps lead."""
    pos = _space(text, 0)
    for step in steps:
        found = None
        if text[pos] == "[":
            pos = _space(text, pos + 1)
            for _ in range(step if isinstance(step, int) else 0):
                pos = _space(text, _from_json(text, pos)[1])
            found = pos
        elif text[pos] == "{":
            place = _space(text, pos + 1)
            while text[place] != "}":
                key, end = _from_json(text, place)
                place = _space(text, end)
                if key == step:
                    found = place  # the last one counts
                place = _space(text, _from_json(text, place)[1])
        if found is None:  # meta beside the column's name, and the like
            continue
        pos = found
    return pos


def _space(text: str, pos: int) -> int:
    """Return where white space, comma and colon end."""
    return _SPACE(text, pos).end()  # type: ignore[union-attr]
