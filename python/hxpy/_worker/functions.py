"""Functions of the language hxpy: compiled once, called by their keys.

The body of a function becomes that of a Python function, whose parameters are those of
SQL.  Each has globals of its own: SD, a dict for its own use; GD, the session's
namespace; and the module plpy.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import itertools
import linecache
import struct
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import plpy
from .._tables import wire
from .._tables.conversion import decode_column, encode_column, first_unfit
from .._tables.wire import Buffer, Column, decode_batch, decode_columns, encode_batch
from ..errors import ConversionError, HxpyError
from . import protocol
from .session import dedent

__all__ = ["Functions", "Table", "batches", "compile_function"]

# What a batch begins with whose first column is the text of a key.
_KEY_END = 8 + 16 + 8 + 8 + protocol.KEY_LENGTH
_OID_LENGTH = 8     # characters at a key's begin: all versions of a function have them
# Tag → (struct's code, 8 bytes; Python's type) of plain values.
_PLAIN = {
    wire.BOOL: ("?7x", bool), wire.INT16: ("h6x", int), wire.INT32: ("i4x", int),
    wire.INT64: ("q", int), wire.FLOAT32: ("f4x", float), wire.FLOAT64: ("d", float),
}
# Kinds of triggers → how many columns before the rows make TD.
_TRIGGERS = {"trigger": 8, "event_trigger": 2}
# A body that uses one of these may see the list of its arguments.
_LOOKS_AROUND = frozenset(("args", "dir", "eval", "exec", "locals", "vars"))


class Function:
    """A compiled function; `source` is the name of its source in tracebacks."""

    __slots__ = ("body", "count", "head", "kind", "lists", "source")

    def __init__(self, body: Callable[..., Any], count: int, lists: bool, kind: str,
                 source: str) -> None:
        self.body = body
        self.count = count          # of its arguments
        self.lists = lists          # it takes the list of these, too
        self.kind = kind
        self.source = source
        self.head = b""             # what its calls begin with, once there was one

    def __call__(self, *arguments: Any) -> Any:
        """Return what the body makes of the arguments."""
        value = self.body(*arguments, list(arguments)) if self.lists else self.body(*arguments)
        if value is not None and self.kind == "void":
            raise HxpyError("42804", "the function returns void, but did not return None")
        return value


class Call:
    """What calls of a function have in common: the bytes before the arguments, and their meaning.

    A row of arguments whose columns begin as they did the first time, without NULLs, is
    read the short way; so is a plain value written.
    """

    __slots__ = ("data", "function", "head", "kind", "pack", "readers", "shapes", "start", "wanted",
                 "wants")

    def __init__(self, function: Function, wants: list[Column], start: int, wanted: Buffer) -> None:
        self.function = function
        self.data: dict[str, Any] = {}      # of a trigger's TD, but for the rows
        if function.kind in _TRIGGERS:
            split = len(wants) - _TRIGGERS[function.kind]
            self.data = {column.name: decode_column(column)[0] for column in wants[split:]}
            wants = wants[:split]
        self.wants = wants
        self.shapes = [_shape(want) for want in wants]
        self.start = start          # of the arguments
        self.wanted = wanted        # the bytes between key and arguments
        self.readers: list[tuple[bytes, int, Callable[..., tuple[Any]] | None]] | None = None
        self.kind: type | None = None       # of values that are written the short way
        if len(wants) == 1 and wants[0].tag in _PLAIN:
            code, self.kind = _PLAIN[wants[0].tag]
            parts = encode_batch([encode_column(wants[0], [self.kind()])])
            self.head = b"".join(parts[:2])
            self.pack = struct.Struct(f"<{len(self.head)}s{code}").pack

    def learn(self, payload: Buffer, arguments: list[Column], ends: list[int]) -> None:
        """Learn the short way to read arguments, if there is one, from one row of them."""
        readers: list[tuple[bytes, int, Callable[..., tuple[Any]] | None]] = []
        start = self.start
        for column, end in zip(arguments, ends):
            size = 16 + (len(column.extra.encode()) + 7 & ~7)
            head = bytes(payload[start:start + size])
            if column.count != 1 or column.mask is not None or column.name:
                return
            if column.tag in _PLAIN:
                readers.append((head, size, struct.Struct("<" + _PLAIN[column.tag][0]).unpack_from))
            elif column.tag == wire.TEXT:
                readers.append((head, size, None))
            else:
                return
            start = end
        self.readers = readers

    def read(self, payload: Buffer) -> list[Any] | None:
        """Return the row of arguments, if it can be read the short way."""
        if self.readers is None:
            return None
        position = self.start
        values = []
        for head, size, unpack in self.readers:
            start = position + size
            if payload[position:start] != head:
                return None
            if unpack is None:
                stop = start + 8 + int.from_bytes(payload[start:start + 8], "little")
                values.append(str(payload[start + 8:stop], "utf-8"))
                position = stop + 7 & ~7
            else:
                values.append(unpack(payload, start)[0])
                position = start + 8
        return values

    def write(self, values: list[Any]) -> Sequence[Buffer]:
        """Return the payload of a RESULT with the function's values."""
        if self.kind is not None and len(values) == 1 and type(values[0]) is self.kind:
            try:
                return self.pack(self.head, values[0]),
            except (struct.error, OverflowError):
                pass        # out of range: the long way knows what to say
        if not self.wants:
            return encode_batch([])
        shape = self.shapes[0]
        if shape is not None:
            values = [shape(value) for value in values]
        return encode_batch([encode_column(self.wants[0], values)])


class Functions:
    """The functions that a session's worker knows."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.known: dict[str, Function] = {}        # by key
        self.versions: dict[str, str] = {}          # the oid in the key → the key
        self.calls: dict[bytes, Call] = {}          # by the first bytes of their payload
        self.passing = ""                           # the source of the latest DO

    def define(self, payload: Buffer) -> Sequence[Buffer]:
        """Compile a function, and know it by its key from now on; run the source of a DO."""
        linecache.cache.pop(self.passing, None)
        kind, key, name, source, parameters = (
            decode_column(column) for column in decode_batch(payload))
        function = self.compile(kind[0], name[0], source[0], parameters)
        if kind[0] == "do":
            self.passing = function.source      # until its traceback is told
            function()
        elif key[0]:
            self.forget(key[0][:_OID_LENGTH])
            self.versions[key[0][:_OID_LENGTH]] = key[0]
            self.known[key[0]] = function
        else:
            linecache.cache.pop(function.source, None)
        return encode_batch([])

    def compile(self, kind: str, name: str, source: str, parameters: list[str]) -> Function:
        """Return a function of a body, with new globals."""
        filename, number = f"<function {name}>", 1
        while filename in linecache.cache:
            number += 1
            filename = f"<function {name} {number}>"
        namespace = {"__builtins__": builtins, "__name__": "__main__", "plpy": plpy, "SD": {},
                     "GD": self.namespace}
        text = dedent(source)
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        if kind in _TRIGGERS:
            parameters = ["TD"]
        try:
            body, lists = compile_function(name, text, parameters, filename, namespace)
        except BaseException as error:
            linecache.cache.pop(filename, None)
            if isinstance(error, SyntaxError) and error.text is None and error.lineno:
                error.text = text.splitlines()[error.lineno - 1]
            raise
        return Function(body, 2 * (kind == "trigger") or len(parameters), lists, kind, filename)

    def forget(self, oid: str) -> None:
        """Forget the version of a function that is known."""
        function = self.known.pop(self.versions.pop(oid, ""), None)
        if function is not None:
            linecache.cache.pop(function.source, None)
            self.calls.pop(function.head, None)

    def invoke(self, payload: Buffer) -> Sequence[Buffer]:
        """Call a function for each row of its arguments, one if it has none."""
        call = self.calls.get(bytes(payload[:_KEY_END]))
        if call is None or payload[_KEY_END:call.start] != call.wanted:
            call = self.begin(payload)
        function = call.function
        row = call.read(payload)
        if row is not None and function.kind not in _TRIGGERS:
            return call.write([function(*row)])
        view, position = memoryview(payload), call.start
        arguments, ends = [], []
        for _ in range(function.count):
            (column,), position = decode_columns(view, position, 1)
            arguments.append(column)
            ends.append(position)
        if function.kind in _TRIGGERS:
            return self.fire(call, arguments)
        if call.readers is None:
            call.learn(payload, arguments, ends)
        rows = zip(*(decode_column(column) for column in arguments)) if arguments else [()]
        return call.write([function(*row) for row in rows])

    def fire(self, call: Call, rows: list[Column]) -> Sequence[Buffer]:
        """Call a trigger function, and tell what to do with the row."""
        data = dict(call.data)
        if data.get("args") is not None:
            data["args"] = list(data["args"])
        for column in rows:
            data[column.name] = decode_column(column)[0]
        original = dict(data.get("new") or {})
        answer = call.function(data)
        if not call.wants:
            return encode_batch([])
        if answer is not None and not isinstance(answer, str):
            raise _unexpected("Expected None or a string.")
        status = "OK" if answer is None else answer.upper()
        if status not in ("OK", "SKIP", "MODIFY"):
            raise _unexpected('Expected None, "OK", "SKIP", or "MODIFY".')
        results: list[Any] = [status, None, None]
        if status == "MODIFY" and len(call.wants) == 3:
            names = [child.name for child in call.wants[2].children]
            results[1:] = _modified(data, original, names)
            shape = call.shapes[2]
            results[2] = shape(results[2]) if shape is not None else results[2]
        return encode_batch([encode_column(want, [result])
                             for want, result in zip(call.wants, results)])

    def invoke_set(self, payload: Buffer) -> tuple[Any, bool, list[Column]]:
        """Call a function that returns a set: its value, whether of rows, the wanted columns."""
        key, mode, *rest = decode_batch(payload)
        function = self.known[decode_column(key)[0]]
        split = len(rest) - function.count
        value = function(*[decode_column(column)[0] for column in rest[split:]])
        return value, decode_column(mode)[0] == "row", rest[:split]

    def begin(self, payload: Buffer) -> Call:
        """Read the part of a payload that a function's calls have in common, and keep it."""
        view = memoryview(payload)
        count, _ = wire.BATCH.unpack_from(view, 0)
        (key,), position = decode_columns(view, wire.BATCH.size, 1)
        function = self.known[decode_column(key)[0]]
        wants, position = decode_columns(view, position, count - 1 - function.count)
        # The columns share the payload's memory, which is this request's alone; they have no values.
        call = Call(function, wants, position, bytes(payload[_KEY_END:position]))
        function.head = bytes(payload[:_KEY_END])
        self.calls[function.head] = call
        return call


# Compiling -------------------------------------------------------------------


def compile_function(name: str, source: str, parameters: Sequence[str], filename: str,
                     namespace: dict[str, Any]) -> tuple[types.FunctionType, bool]:
    """Return a function of a body, and whether it takes the list of its arguments, too."""
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    names = [parameter if parameter.isidentifier() and parameter != "args" else f" {i}"
             for i, parameter in enumerate(parameters)]
    lists = any(isinstance(node, ast.Name) and node.id in _LOOKS_AROUND for node in ast.walk(tree))
    if lists:
        names.append("args")
    statements = _Globals(names).visit(tree).body
    function = ast.FunctionDef(
        name=name, args=ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in names],
                                      kwonlyargs=[], kw_defaults=[], defaults=[]),
        body=statements or [ast.Pass()], decorator_list=[], type_params=[], lineno=1, col_offset=0)
    module = ast.fix_missing_locations(ast.Module([function], []))
    code = compile(module, filename, "exec", dont_inherit=True)
    body = next(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return types.FunctionType(body, namespace, name), lists


class _Globals(ast.NodeTransformer):
    """Lets a body say that a parameter is global, as one of PL/Python has to that sets it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.depth = 0

    def visit_Global(self, node: ast.Global) -> Any:
        """Leave parameters out; in a function within the body they are nonlocal."""
        own = [name for name in node.names if name in self.names]
        rest = [name for name in node.names if name not in self.names]
        if not own:
            return node
        statements: list[ast.stmt] = [ast.Global(rest)] if rest else []
        if self.depth:
            statements.append(ast.Nonlocal(own))
        return [ast.copy_location(statement, node) for statement in statements or [ast.Pass()]]

    def within(self, node: ast.AST) -> ast.AST:
        """Go into a function or a class."""
        self.depth += 1
        try:
            return self.generic_visit(node)
        finally:
            self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = within


# Triggers --------------------------------------------------------------------


def _unexpected(detail: str) -> HxpyError:
    return HxpyError("39P01", "unexpected return value from trigger procedure", detail)


def _modified(data: dict[str, Any], original: dict[str, Any],
              names: list[str]) -> tuple[bytes, dict[str, Any]]:
    """Return which columns of TD["new"] were set, and the row."""
    if "new" not in data:
        raise HxpyError("39P01", 'TD["new"] deleted, cannot modify row')
    new = data["new"]
    if not isinstance(new, dict):
        raise HxpyError("42804", 'TD["new"] is not a dictionary')
    for i, key in enumerate(new):
        if not isinstance(key, str):
            raise HxpyError("42804", f'TD["new"] dictionary key at ordinal position {i} '
                            "is not a string")
        if key not in names:
            raise HxpyError("42703", f'key "{key}" found in TD["new"] does not exist as a column '
                            "in the triggering row")
    # What can change within itself counts as set.
    was_set = bytes(name in new and (new[name] is not original[name] or not _is_constant(new[name]))
                    for name in names)
    return was_set, {name: new.get(name) if flag else None for name, flag in zip(names, was_set)}


def _is_constant(value: Any) -> bool:
    return value is None or isinstance(value, (
        bool, int, float, str, bytes, datetime.date, datetime.time, datetime.timedelta)) \
        or type(value).__name__ in ("Decimal", "UUID", "Ref", "Uri", "Symbol")


# Rows ------------------------------------------------------------------------


def _shape(want: Column) -> Callable[[Any], Any] | None:
    """Return what makes tuples of the rows in a value of a type; None if it has none."""
    if want.tag == wire.ARRAY:
        element = _shape(want.children[0])
        return None if element is None else lambda value: _elements(value, element)
    if want.tag != wire.RECORD:
        return None
    shapes = [_shape(child) for child in want.children]
    names = [child.name for child in want.children]
    return lambda value: _row(value, names, shapes, want)


def _elements(value: Any, shape: Callable[[Any], Any]) -> Any:
    """Return an array with rows as tuples; lists in it are its dimensions."""
    if not isinstance(value, (list, tuple)):
        return value
    return [_elements(item, shape) if isinstance(item, list) else shape(item) for item in value]


def _row(value: Any, names: list[str], shapes: list[Callable[[Any], Any] | None],
         want: Column) -> Any:
    """Return a row as a tuple: of a sequence, a mapping or an object with attributes."""
    if value is None:
        return None
    named = getattr(getattr(value, "dtype", None), "names", None)
    if named:
        value = {name: value[name].item() for name in named}
    if isinstance(value, (str, bytes)):
        raise HxpyError("42846", f"Python type \"{type(value).__name__}\" has no mapping to "
                        f"{want.sql_name()}", "", "Return a dict, a sequence or an object with "
                        "the fields as attributes.")
    fields = getattr(value, "_fields", ())      # of a namedtuple
    if fields and set(fields) == set(names):
        items = [getattr(value, name) for name in names]
    elif isinstance(value, Sequence) or hasattr(value, "tolist") and not hasattr(value, "keys"):
        items = list(value)
        if len(items) != len(names):
            raise HxpyError("42804", f"length of returned sequence, {len(items)}, did not match "
                            f"number of columns in row, {len(names)}")
    elif isinstance(value, Mapping) or hasattr(value, "keys"):
        items = []
        for name in names:
            if name not in value:
                raise HxpyError("42703", f'key "{name}" not found in mapping', "",
                                "To return null in a column, add the value None to the mapping "
                                "with the key named after the column.")
            items.append(value[name])
    else:
        items = []
        for name in names:
            try:
                items.append(getattr(value, name))
            except AttributeError:
                raise HxpyError("42703", f'attribute "{name}" does not exist in Python object', "",
                                "To return null in a column, let the returned object have an "
                                "attribute named after column with value None.") from None
    return tuple(item if shape is None else shape(item) for item, shape in zip(items, shapes))


# Sets ------------------------------------------------------------------------

_FIRST_ROWS = 16        # of a batch, then twice as many each time
_MOST_ROWS = 16384
_PATIENCE = 0.1         # seconds until what is there is sent


class Table(NamedTuple):
    """A part of a set that is a table as a whole, or an iterator of tables."""

    value: Any


def batches(value: Any, is_row: bool, want: list[Column]) -> Iterator[Table | Sequence[Buffer]]:
    """Yield the rows of what a function has returned: tables, or batches of encoded rows.

    is_row: an item is a row, else the value of the one column.
    """
    if _is_table(value, is_row):
        yield Table(value if is_row else _one_column(value, want[0]))
        return
    try:
        iterator = iter(value)
    except TypeError:
        raise HxpyError("42804", "returned object cannot be iterated", "A function that returns a "
                        "set must return an iterable object.") from None
    for first in iterator:
        items = itertools.chain((first,), iterator)
        if _is_table(first, is_row):
            yield Table(items if is_row else
                        (_one_column(item, want[0]) for item in items))
        else:
            yield from _row_batches(items, is_row, want)


def _is_table(value: Any, is_row: bool) -> bool:
    """Return whether a value is sent column by column: DataFrames, Grids and big arrays."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "numpy.ndarray":
        return bool(value.ndim == 2 or value.dtype.names) if is_row else value.ndim == 1
    return kind in ("pandas.DataFrame", "hxpy.Grid") if is_row else \
        kind in ("pandas.DataFrame", "pandas.Series")


def _one_column(value: Any, want: Column) -> Any:
    """Return the one column of a table under the wanted name."""
    import pandas

    if isinstance(value, pandas.DataFrame):
        if len(value.columns) != 1:
            raise HxpyError("42804", f"a DataFrame of {len(value.columns)} columns does not fit "
                            f"a set of {want.sql_name()}", "", "Return one column of it.")
        value = value.iloc[:, 0]
    return pandas.DataFrame({want.name: value}).reset_index(drop=True)


def _row_batches(items: Iterator[Any], is_row: bool,
                 want: list[Column]) -> Iterator[Sequence[Buffer]]:
    """Yield encoded batches of rows, not later than a moment after they have come."""
    shapes = [_shape(column) for column in want]
    names = [column.name for column in want]
    record = Column(wire.RECORD, "", "the row", 0)
    rows: list[Any] = []
    start, most, deadline = 0, _FIRST_ROWS, time.monotonic() + _PATIENCE
    for item in items:
        if is_row:
            rows.append(_row(item, names, shapes, record))
        else:
            rows.append(item if shapes[0] is None else shapes[0](item))
        if len(rows) >= most or time.monotonic() > deadline:
            yield _encode_rows(rows, is_row, want, start)
            start += len(rows)
            rows = []
            most, deadline = min(2 * most, _MOST_ROWS), time.monotonic() + _PATIENCE
    if rows:
        yield _encode_rows(rows, is_row, want, start)


def _encode_rows(rows: list[Any], is_row: bool, want: list[Column], start: int) -> Sequence[Buffer]:
    """Return rows as a batch; errors name the column and the row."""
    parts = []
    for i, column in enumerate(want):
        values = [None if row is None else row[i] for row in rows] if is_row else rows
        try:
            parts.append(encode_column(column, values))
        except ConversionError as error:
            index, found = first_unfit(column, values, error)
            found.detail = f'Column "{column.name}", row {start + index + 1}.'
            raise found from None
    return encode_batch(parts)
