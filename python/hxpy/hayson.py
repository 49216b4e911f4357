"""Hayson, the JSON encoding of Haystack 4: what a jsonb value holds in hxpy.

    loads(text) -> value        dumps(value) -> text        on files: load, dump
    loads_all(texts) -> values  dumps_all(values) -> texts  many at once, which costs less
    decode(tree) -> value       encode(value) -> tree of what json knows

The writer is strict, the reader lenient.  What the writer does beyond the
Haystack chapter "Json":

- None in a dict is written as null and read as None, though a Haystack dict
  has no nulls: a jsonb value must survive.  In a grid's rows it is left out.
- An int has any size, a Decimal must fit an int or a float without loss.
- bytes are XStr "Buf" in base64, and are read as bytes.
- A naive datetime has the zone "Rel" (no zone), and is read as naive.
- An aware datetime whose zone has no name in Haystack (a fixed offset of +05:30) is
  written in UTC: the instant stays.
- float32 has the digits that tell it from other float32s: 0.1, not 0.10000000149011612.
- A timedelta is a Number in "s", and is read as a Number.
- Numbers with a fraction are float64, as Haystack's are: further digits are rounded when
  read, and what exceeds the range is infinite.
- Microseconds are kept.  Nanoseconds (of pandas, numpy, other writers) are rounded to them.
- UUID is a str, an Enum its value; tuple, range, set (sorted if it can be) and
  array are lists; dataclass and namedtuple are dicts; a DataFrame is a grid.
- A dict with "cols" and "rows" says "_kind": "dict", so that it is not read as a grid.

Errors:

HaysonError (a ValueError)      a value or a document that is not allowed
HaysonTypeError (a TypeError)   a Python type that has no place in Hayson
Both have `path`, the way to the value ("$.a[3]"); HaysonError has `line` and
`column` (from 1) where the fault is in a text.
"""

from __future__ import annotations

import binascii
import contextlib
import datetime as dt
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set, ValuesView
from enum import Enum
from itertools import chain, compress
from typing import IO, Any

from ._codecs import check_xstr, is_clean, is_grid, read_xstr, unlimited
from .errors import way_out
from .haystack import tz
from .haystack._cells import array_to_list, bare, to_list
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

__all__ = ["HaysonError", "HaysonTypeError", "MAX_DEPTH", "decode", "dump", "dumps", "dumps_all",
           "encode", "load", "loads", "loads_all"]

# How deep lists, dicts and grids may be nested when written.
MAX_DEPTH = 200

# How deep values are, and how many of one depth, that are looked at together.
_FLAT_DEPTH = 16
_FLAT_ITEMS = 1 << 20

# How many digits before the point PostgreSQL's numeric holds, and so jsonb.
_NUMERIC_DIGITS = 131072


class _Located(Exception):
    """An error that knows the way to the value at fault."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = ""
        self.path = "$"
        self.line: int | None = None
        self.column: int | None = None

    def within(self, key: str | int) -> None:
        """Add the dict's key or the list's place that led to where the error was raised."""
        if isinstance(key, int):
            step = f"[{key}]"
        else:
            step = f".{key}" if key.isidentifier() else f"[{json.dumps(key)}]"
        self.path = "$" + step + self.path[1:]

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.message} at line {self.line} column {self.column}"
        return self.message if self.path == "$" else f"{self.message} at {self.path}"


class HaysonError(_Located, ValueError):
    """A value that Hayson cannot hold, or a document that is not Hayson."""


class HaysonTypeError(_Located, TypeError):
    """A Python type that Hayson has no form for."""


# For the codecs beside this one ----------------------------------------------


def normal(value: Any, format: str, known: Mapping[type, Any]) -> Any:
    """Return a value of a type that is not known as the value that Hayson makes of it."""
    if type(value) in known:
        return value
    try:
        return decode(encode(value))
    except HaysonTypeError as error:
        error.message = error.message.replace("Hayson", format)
        raise


def check_name(name: Any, format: str, error: type[HaysonError]) -> None:
    """Raise an error if something is no name of a tag or column."""
    if not isinstance(name, str):
        raise HaysonTypeError(f"a dict's key must be a str, not \"{type(name).__name__}\"")
    if not is_tag_name(name):
        raise error(f'{format} cannot hold the name "{name}": '
                    "a name has a small letter or _ first, then letters, digits and _")


# Writing -------------------------------------------------------------------

_Stack = list[int]  # the ids of the containers that are being written, outermost first
_Encoder = Callable[[Any, _Stack], Any]


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Return a value as Hayson.

    Raises HaysonTypeError for a type without a mapping; HaysonError for a dict
    with the key "_kind", for a str with NUL or a lone surrogate (jsonb holds
    neither), for nesting deeper than MAX_DEPTH or circular, for a number or a
    time zone that Haystack cannot hold.
    """
    kind = type(value)
    tree = value if kind in _ATOMS else _encode_root(value)
    try:
        if kind is int:
            return repr(value)
        text = _to_json(tree) if indent is None \
            else json.dumps(tree, ensure_ascii=False, indent=indent)
    except ValueError:  # more digits than Python converts on its own
        return unlimited(dumps, value)  # type: ignore[no-any-return]
    if not is_clean(text):
        _check_strings(tree)
    return text


def dumps_all(values: Iterable[Any]) -> list[str]:
    """Return many values as Hayson, each as dumps.  Raises as dumps for the first at fault.

    json writes them as one list, with a str of NUL between two: jsonb holds none, so that
    no value has another.
    """
    values = list(values)
    if _NUMBERS.issuperset(map(type, values)):
        with contextlib.suppress(ValueError):   # more digits than Python converts on its own
            texts = list(map(repr, values))
            if "n" not in "".join(texts):       # neither nan nor inf
                return texts
    if len(values) > 1:
        try:
            written = _write_all(values if _are_trees(values) else
                                 [value if type(value) in _ATOMS else _encode(value, [])
                                  for value in values])
            if written is not None:
                return written
        except (HaysonError, HaysonTypeError, ValueError, RecursionError):
            pass
    return [dumps(value) for value in values]


def dumps_plain(rows: list[Any]) -> list[str] | None:
    """Return dicts of what json knows, none of them with a None, as dumps_all; others as None."""
    if not rows or set(map(type, rows)) != {dict} or not _are_trees(rows):
        return None
    try:
        texts = _write_all(rows)
    except (ValueError, RecursionError):
        return None
    if texts is None or ":null" in ",".join(texts) \
            and None in chain.from_iterable(map(dict.values, rows)):
        return None
    return texts


def _write_all(trees: list[Any]) -> list[str] | None:
    """Return the JSON of many trees, None where jsonb does not hold that of each."""
    parts: list[Any] = ["\0"] * (2 * len(trees) - 1)
    parts[::2] = trees
    text = _to_json(parts)
    if text.count("\\u0000") != len(trees) - 1 or not (text.isascii() or text.encode()):
        return None
    return text[1:-1].split(',"\\u0000",')


def dump(value: Any, file: IO[str], *, indent: int | None = None) -> None:
    """Write a value as Hayson to a text file.  Raises as dumps."""
    file.write(dumps(value, indent=indent))


def encode(value: Any) -> Any:
    """Return a value as a tree of dict, list, str, int, float, bool and None.  Raises as dumps.

    Lists and dicts that need no change may be those of the value itself.
    """
    tree = _encode_root(value)
    _check_strings(tree)
    return tree


_to_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False,
                            separators=(",", ":")).encode


def _are_trees(values: list[Any]) -> bool:
    """Return whether values are trees of what json knows, just as their encoders give them.

    All that stands equally deep is looked at together, which costs a third of looking at one
    value after the other.  False may be a false alarm, as for what is deep, large or contains
    itself.  What json refuses or shows in its text is not looked at: NaN, NUL, surrogates.
    """
    for _ in range(_FLAT_DEPTH):
        types = list(map(type, values))
        kinds = set(types)
        if not kinds <= _TREES:
            return False
        if kinds.isdisjoint(_CONTAINERS):
            return True
        inner = values if kinds <= _CONTAINERS else \
            list(compress(values, map(_CONTAINERS.__contains__, types)))
        if sum(map(len, inner)) > _FLAT_ITEMS:
            return False
        dicts = inner if list not in kinds else [item for item in inner if type(item) is dict]
        lists = [] if dicts is inner else [item for item in inner if type(item) is list]
        keys = set().union(*dicts)
        if not _STR.issuperset(map(type, keys)) or "_kind" in keys or keys >= {"cols", "rows"}:
            return False
        values = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
    return False


def _encode_root(value: Any) -> Any:
    """Return the tree of a whole value."""
    try:
        return _encode(value, [])
    except RecursionError:
        raise HaysonError("the value is nested too deeply") from None


def _encode(value: Any, stack: _Stack) -> Any:
    """Return the tree of a value inside the containers of stack."""
    cls = type(value)
    encoder = _ENCODERS.get(cls) or _find_encoder(cls)
    if encoder is None:
        error = HaysonTypeError(f'cannot convert Python type "{_type_name(cls)}" to Hayson')
        error.hint = way_out(cls)
        raise error
    try:
        return encoder(value, stack)
    except (HaysonError, HaysonTypeError):
        raise
    except ValueError as failure:  # a time zone without a name and the like
        raise HaysonError(str(failure)) from None


def _type_name(cls: type) -> str:
    """Return a class's name as a user would write it."""
    return cls.__qualname__ if cls.__module__ in ("builtins", "__main__") \
        else f"{cls.__module__}.{cls.__qualname__}"


def _enter(value: Any, stack: _Stack) -> None:
    """Note that a container is being written."""
    if id(value) in stack:
        raise HaysonError("the value contains itself")
    if len(stack) >= MAX_DEPTH:
        raise HaysonError(f"the value is nested deeper than {MAX_DEPTH}")
    stack.append(id(value))


def _encode_atom(value: Any, stack: _Stack) -> Any:
    return value


def _encode_float(value: float, stack: _Stack) -> Any:
    return float(value) if math.isfinite(value) else {"_kind": "number", "val": _special(value)}


def _special(value: float) -> str:
    """Return Haystack's word for a NaN or an infinity."""
    return "NaN" if value != value else "INF" if value > 0 else "-INF"


def _encode_number(value: Number, stack: _Stack) -> Any:
    number = value.val
    if value.unit is None:
        return number if isinstance(number, int) else _encode_float(number, stack)
    if not math.isfinite(number):
        number = _special(number)
    return {"_kind": "number", "val": number, "unit": value.unit}


def _encode_decimal(value: Any, stack: _Stack) -> Any:
    if value.is_snan():
        raise HaysonError("a signalling NaN cannot be stored")
    if not value.is_finite():
        return _encode_float(math.nan if value.is_nan() else float(value), stack)
    if value.adjusted() > _NUMERIC_DIGITS:
        raise HaysonError("a Decimal this large cannot be stored")
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if not math.isfinite(number) or type(value)(repr(number)) != value:
        raise HaysonError(f"Decimal('{value}') has more digits than a JSON number of Haystack "
                          "holds; use float() or str()")
    return number


def _encode_list(value: Any, stack: _Stack) -> Any:
    kinds = set(map(type, value))
    if kinds <= _ATOMS or kinds == {float} and all(map(math.isfinite, value)):
        return value if type(value) is list else list(value)
    return _encode_items(value, value, stack)


def _encode_items(value: Any, items: Iterable[Any], stack: _Stack) -> list[Any]:
    """Return the trees of a container's items."""
    _enter(value, stack)
    tree: list[Any] = []
    try:
        for item in items:
            tree.append(_encode(item, stack))
    except (HaysonError, HaysonTypeError) as error:
        error.within(len(tree))
        raise
    stack.pop()
    return tree


def _encode_set(value: Set[Any], stack: _Stack) -> list[Any]:
    try:
        items = sorted(value)
    except TypeError:
        items = list(value)
    return _encode_items(value, items, stack)


def _encode_sequence(value: Iterable[Any], stack: _Stack) -> list[Any]:
    return _encode_items(value, value, stack)


def _encode_dict(value: Mapping[Any, Any], stack: _Stack) -> Any:
    if not _STR.issuperset(map(type, value)):
        for kind in set(map(type, value)):
            if not issubclass(kind, str):
                raise HaysonTypeError(f'a dict\'s key must be a str, not "{_type_name(kind)}"')
    if "_kind" in value:
        raise HaysonError('a dict with the key "_kind" would be read as another value')
    _enter(value, stack)
    tree: Any
    if type(value) is dict and _ATOMS.issuperset(map(type, value.values())):
        tree = value
    else:
        tree = {}
        key = ""
        try:
            for key, item in value.items():
                kind = type(item)
                tree[key] = item if kind in _ATOMS or kind is float and math.isfinite(item) \
                    else _encode(item, stack)
        except (HaysonError, HaysonTypeError) as error:
            error.within(key)
            raise
    stack.pop()
    if "cols" in tree and "rows" in tree:
        return {"_kind": "dict", **tree}
    return tree


def _encode_tuple(value: tuple[Any, ...], stack: _Stack) -> Any:
    """A namedtuple is a dict, another tuple a list."""
    names = getattr(value, "_fields", None)
    if names is None:
        return _encode_list(value, stack)
    return _encode_dict(dict(zip(names, value)), stack)


def _encode_dataclass(value: Any, stack: _Stack) -> Any:
    fields = sys.modules["dataclasses"].fields(value)
    _enter(value, stack)  # the dict that is written is new each time: the circle must be seen here
    tree = _encode_dict({field.name: getattr(value, field.name) for field in fields}, stack)
    stack.pop()
    return tree


def _encode_bytes(value: bytes | bytearray | memoryview, stack: _Stack) -> Any:
    text = binascii.b2a_base64(bytes(value), newline=False).decode()
    return {"_kind": "xstr", "type": "Buf", "val": text}


def _encode_datetime(value: dt.datetime, stack: _Stack) -> Any:
    text, zone = tz.format_datetime(value)
    return {"_kind": "dateTime", "val": text, "tz": zone}


def _encode_xstr(value: XStr, stack: _Stack) -> Any:
    check_xstr(value, HaysonError)
    return {"_kind": "xstr", "type": value.type, "val": value.val}


def _encode_timedelta(value: dt.timedelta, stack: _Stack) -> Any:
    seconds: int | float = value.days * 86400 + value.seconds
    if value.microseconds:
        seconds = value.total_seconds()
        if dt.timedelta(seconds=seconds) != value:
            raise HaysonError(f"{value!r} has more digits than a float of seconds holds")
    return {"_kind": "number", "val": seconds, "unit": "s"}


def _encode_ref(value: Ref, stack: _Stack) -> Any:
    tree = {"_kind": "ref", "val": value.id()}
    dis = value.dis()
    if dis is not None:
        tree["dis"] = dis
    return tree


def _encode_grid(value: Grid, stack: _Stack) -> Any:
    names = value.col_names()
    if "_kind" in names:
        raise HaysonError('a grid with the column "_kind" would be read as another value')
    _enter(value, stack)
    meta = {name: tag for name, tag in value.meta().items() if name != "ver"}
    with _At("meta"):
        meta = _encode_dict(meta, stack)
    cols = []
    for col in value.cols():
        with _At("cols", col.index(), "meta"):
            col_meta = _encode_dict(col.meta(), stack)
        cols.append({"name": col.name(), "meta": col_meta} if col_meta else {"name": col.name()})
    columns = [_encode_column(col.name(), value.cells(col), stack) for col in value.cols()]
    rows: list[dict[str, Any]] = [
        {name: cell for name, cell in zip(names, cells) if cell is not None}
        for cells in zip(*columns)]
    if "cols" in names and "rows" in names:
        rows = [{"_kind": "dict", **row} for row in rows]
    stack.pop()
    return {"_kind": "grid", "meta": {"ver": "3.0", **meta}, "cols": cols, "rows": rows}


def _encode_column(name: str, cells: list[Any], stack: _Stack) -> list[Any]:
    """Return the trees of a grid's column."""
    if set(map(type, cells)) <= _ATOMS:
        return cells
    tree: list[Any] = []
    try:
        for cell in cells:
            tree.append(cell if type(cell) in _ATOMS else _encode(cell, stack))
    except (HaysonError, HaysonTypeError) as error:
        error.within(name)
        error.within(len(tree))
        error.within("rows")
        raise
    return tree


class _At:
    """A context that adds its steps to the path of an error from inside."""

    def __init__(self, *steps: str | int) -> None:
        self.steps = steps

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, _Located):
            for step in reversed(self.steps):
                error.within(step)


# Writing what numpy and pandas have; only ever called with their values


def _encode_numpy(value: Any, stack: _Stack) -> Any:
    numpy = sys.modules["numpy"]
    cells: Any = array_to_list(numpy.asarray(value) if isinstance(value, numpy.generic) else value)
    return _encode(cells, stack)


def _encode_frame(value: Any, stack: _Stack) -> Any:
    return _encode_grid(Grid.from_dataframe(value), stack)


def _encode_series(value: Any, stack: _Stack) -> Any:
    return _encode_list(to_list(bare(value)), stack)


def _encode_timestamp(value: Any, stack: _Stack) -> Any:
    return _encode_datetime(_rounded(value, value.nanosecond).to_pydatetime(), stack)


def _encode_pandas_timedelta(value: Any, stack: _Stack) -> Any:
    return _encode_timedelta(_rounded(value, value.nanoseconds).to_pytimedelta(), stack)


def _rounded(value: Any, nanoseconds: int) -> Any:
    """Return a pandas time, rounded to the microsecond."""
    if not nanoseconds:
        return value
    off = 1000 - nanoseconds if nanoseconds >= 500 else -nanoseconds
    return value + sys.modules["pandas"].Timedelta(off, "ns")


def _encode_null(value: Any, stack: _Stack) -> None:
    return None


# Which encoder for which type

_ATOMS = frozenset((type(None), bool, int, str))
_NUMBERS = frozenset((int, float))
_STR = frozenset((str,))
_CONTAINERS = frozenset((dict, list))
_TREES = _ATOMS | _CONTAINERS | {float}

_ENCODERS: dict[type, _Encoder] = {
    type(None): _encode_atom,
    bool: _encode_atom,
    int: _encode_atom,
    str: _encode_atom,
    float: _encode_float,
    IntNumber: _encode_number,
    FloatNumber: _encode_number,
    list: _encode_list,
    tuple: _encode_tuple,
    range: _encode_sequence,
    set: _encode_set,
    frozenset: _encode_set,
    dict: _encode_dict,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
    memoryview: _encode_bytes,
    dt.date: lambda value, stack: {"_kind": "date", "val": value.isoformat()},
    dt.time: lambda value, stack: {"_kind": "time", "val": tz.format_time(value)},
    dt.datetime: _encode_datetime,
    dt.timedelta: _encode_timedelta,
    Marker: lambda value, stack: {"_kind": "marker"},
    NA: lambda value, stack: {"_kind": "na"},
    Remove: lambda value, stack: {"_kind": "remove"},
    Ref: _encode_ref,
    Symbol: lambda value, stack: {"_kind": "symbol", "val": value.id()},
    Uri: lambda value, stack: {"_kind": "uri", "val": str(value)},
    Coord: lambda value, stack: {"_kind": "coord", "lat": value.lat, "lng": value.lng},
    XStr: _encode_xstr,
    Grid: _encode_grid,
}

# Subclasses of what json takes as it is become that.
_BASES: dict[type, _Encoder] = {
    int: lambda value, stack: int.__int__(value),
    str: lambda value, stack: str.__str__(value),
}

# Types of modules that nobody needs to import for our sake.
_BY_NAME: dict[str, _Encoder] = {
    "decimal.Decimal": _encode_decimal,
    "uuid.UUID": lambda value, stack: str(value),
}

_ABSTRACT: tuple[tuple[Any, _Encoder], ...] = (
    (Mapping, _encode_dict),
    (Set, _encode_set),
    ((Sequence, ValuesView), _encode_sequence),
)


def _find_encoder(cls: type) -> _Encoder | None:
    """Return the encoder of a class that is not in the table, None if there is none."""
    encoder = _array_encoder(cls)
    if encoder is not None:
        if cls.__module__.partition(".")[0] in ("numpy", "pandas"):
            _ENCODERS[cls] = encoder  # a class of the library: it stays, and comes in masses
        return encoder
    if issubclass(cls, Enum):
        return lambda value, stack: _encode(value.value, stack)
    if hasattr(cls, "__dataclass_fields__"):
        return _encode_dataclass
    for base in cls.__mro__:
        encoder = _BASES.get(base) or _ENCODERS.get(base) \
            or _BY_NAME.get(f"{base.__module__}.{base.__qualname__}")
        if encoder is not None:
            return encoder
    return next((encoder for kinds, encoder in _ABSTRACT if issubclass(cls, kinds)), None)


def _array_encoder(cls: type) -> _Encoder | None:
    """Return the encoder of a class of numpy or pandas, or of one made from theirs."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, (numpy.generic, numpy.ndarray)):
        return _encode_numpy
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if issubclass(cls, pandas.DataFrame):
        return _encode_frame
    if issubclass(cls, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
        return _encode_series
    if issubclass(cls, (type(pandas.NaT), type(pandas.NA))):
        return _encode_null
    if issubclass(cls, pandas.Timestamp):
        return _encode_timestamp
    if issubclass(cls, pandas.Timedelta):
        return _encode_pandas_timedelta
    return None


# Strings


def _check_strings(tree: Any) -> None:
    """Raise HaysonError for the first str of a tree that jsonb cannot hold."""
    if isinstance(tree, str):
        if "\0" in tree:
            raise HaysonError("a str with a NUL character cannot be stored")
        try:
            tree.encode()
        except UnicodeEncodeError:
            raise HaysonError("a str with a lone surrogate cannot be stored") from None
    elif isinstance(tree, dict):
        for key, value in tree.items():
            _check_strings(key)
            with _At(key):
                _check_strings(value)
    elif isinstance(tree, (list, tuple)):
        for place, value in enumerate(tree):
            with _At(place):
                _check_strings(value)


# Reading -------------------------------------------------------------------


def loads(text: str | bytes | bytearray) -> Any:
    """Return the value of a Hayson text (or of UTF-8 bytes).

    Besides what the Haystack chapter allows it takes "_kind" in any case, "num"
    for "number", an object with "cols" and "rows" as a grid though it does not
    say so, columns as bare strings or with their meta beside the name, row keys
    that are no columns (they become columns), "@" and "^" in front of ids, and
    a dateTime without "tz" (see hxpy.haystack.tz.parse_datetime).  A document
    without "_kind" is plain JSON: a number is int or float.  Raises
    HaysonError with line and column for anything else.
    """
    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as error:
            raise HaysonError(f"not UTF-8: {error}") from None
    text = text.removeprefix("\ufeff")
    try:
        return (_from_plain_json if _is_plain(text) else _from_json)(text)
    except json.JSONDecodeError as error:
        failure = HaysonError(f"malformed JSON: {error.msg.removesuffix(' at')}")
        failure.line, failure.column = error.lineno, error.colno
        raise failure from None
    except RecursionError:
        raise HaysonError("the document is nested too deeply") from None
    except HaysonError as error:
        failure = error
    except ValueError:  # more digits than Python converts on its own
        return unlimited(loads, text)
    _locate(text, failure)
    raise failure


def loads_all(texts: Sequence[str]) -> list[Any]:
    """Return the values of many Hayson texts, each as loads does.  Raises as loads.

    Each text must be JSON by itself, as those of PostgreSQL's json and jsonb are: json reads
    them as one list.
    """
    if len(texts) > 1:
        text = ",".join(texts)
        try:
            values: list[Any] = (_from_plain_json if _is_plain(text) else _from_json)(f"[{text}]")
            if len(values) == len(texts):
                return values
        except (ValueError, RecursionError):
            pass
    return [loads(text) for text in texts]


def load(file: IO[str] | IO[bytes]) -> Any:
    """Return the value of a Hayson file.  Raises as loads."""
    return loads(file.read())


def _is_plain(text: str) -> bool:
    """Return whether a text has nothing that json does not read as it is."""
    return "_kind" not in text and '"rows"' not in text and "\\u" not in text


def decode(tree: Any) -> Any:
    """Return the value of a tree that json made of a Hayson text.  Raises HaysonError."""
    try:
        return _decode(tree)
    except RecursionError:
        raise HaysonError("the document is nested too deeply") from None


def _decode(tree: Any) -> Any:
    """Return the value of a tree."""
    if isinstance(tree, dict):
        result = {}
        for key, value in tree.items():
            with _At(key):
                result[key] = _decode(value)
        return _decode_object(result)
    if isinstance(tree, list):
        items = []
        for place, value in enumerate(tree):
            with _At(place):
                items.append(_decode(value))
        return items
    return tree


def _decode_object(tree: dict[str, Any]) -> Any:
    """Return the value of an object whose members are decoded."""
    if "_kind" in tree:
        kind = tree["_kind"]
    elif "rows" in tree and is_grid(tree):
        kind = "grid"
    else:
        return tree
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decoder is None:
        decoder = _DECODERS.get(kind.lower()) if isinstance(kind, str) else None
        if decoder is None:
            raise HaysonError(f"unknown _kind {kind!r}")
    try:
        return decoder(tree)
    except KeyError as error:
        raise HaysonError(f'{kind} without "{error.args[0]}"') from None
    except (TypeError, ValueError) as error:
        raise HaysonError(f"bad {kind}: {error}") from None


def _decode_grid(tree: dict[str, Any]) -> Grid:
    meta = dict(tree.get("meta") or {})
    meta.pop("ver", None)
    metas: dict[str, dict[str, Any]] = {}
    for col in tree.get("cols") or ():
        col = {"name": col} if isinstance(col, str) else dict(col)
        name = col.pop("name")
        if name in metas:
            raise ValueError(f'two columns "{name}"')
        metas[name] = {**(col.pop("meta", None) or {}), **col}
    rows = tree.get("rows") or []
    for row in rows:
        if not isinstance(row, dict):
            raise TypeError("a row must be an object")
        if not row.keys() <= metas.keys():
            for name in row:
                metas.setdefault(name, {})
    cols = [GridCol(place, *item) for place, item in enumerate(metas.items())]
    return Grid(meta, cols, [[row.get(name) for row in rows] for name in metas])


def _decode_number(tree: dict[str, Any]) -> Any:
    value, unit = tree["val"], tree.get("unit")
    if isinstance(value, str):  # "NaN", "INF", "-INF"
        value = float(value)
    elif type(value) is not int and type(value) is not float:
        raise TypeError(f"{value!r} is no number")
    return Number(value, unit) if unit else value


def _text(tree: dict[str, Any]) -> str:
    """Return the text of a value that has one."""
    text = tree["val"]
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no string")
    return text


def _decode_ref(tree: dict[str, Any]) -> Ref:
    return Ref(_text(tree).removeprefix("@"), tree.get("dis"))


def _decode_datetime(tree: dict[str, Any]) -> dt.datetime:
    return tz.parse_datetime(_text(tree), tree.get("tz"))


def _decode_xstr(tree: dict[str, Any]) -> XStr | bytes:
    return read_xstr(tree["type"], _text(tree))


def _decode_dict(tree: dict[str, Any]) -> dict[str, Any]:
    del tree["_kind"]
    return tree


_MARKER = Marker()

_DECODERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "marker": lambda tree: _MARKER,
    "na": lambda tree: NA(),
    "remove": lambda tree: Remove(),
    "number": _decode_number,
    "num": _decode_number,
    "ref": _decode_ref,
    "symbol": lambda tree: Symbol(_text(tree).removeprefix("^")),
    "uri": lambda tree: Uri(_text(tree)),
    "date": lambda tree: tz.parse_date(_text(tree)),
    "time": lambda tree: tz.parse_time(_text(tree)),
    "dateTime": _decode_datetime,
    "datetime": _decode_datetime,
    "coord": lambda tree: Coord(tree["lat"], tree["lng"]),
    "xstr": _decode_xstr,
    "dict": _decode_dict,
    "grid": _decode_grid,
}

_from_plain_json = json.JSONDecoder().decode
_from_json = json.JSONDecoder(object_hook=_decode_object).decode


# What tells where objects begin and end; strings are passed over.
_BRACES = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}]', re.DOTALL).finditer


def _locate(text: str, failure: HaysonError) -> None:
    """Tell an error the line and column of the object at fault: the last that was decoded."""
    closed = 0

    def count(tree: dict[str, Any]) -> Any:
        nonlocal closed
        closed += 1
        return _decode_object(tree)

    try:
        json.JSONDecoder(object_hook=count).decode(text)
    except HaysonError:
        pass
    except RecursionError:      # this far down is no room to count
        return
    opened = []
    for match in _BRACES(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}":
            start = opened.pop()
            closed -= 1
            if not closed:
                failure.line = text.count("\n", 0, start) + 1
                failure.column = start - text.rfind("\n", 0, start)
                return
