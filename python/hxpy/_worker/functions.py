"""Functions of the language hxpy: compiled once, called by their keys; and callables.

The body of a function becomes that of a Python function, whose parameters are those of
SQL.  Each has globals of its own: SD, a dict for its own use; GD, the session's
namespace; and the module plpy.  A callable is what an expression gives in the session.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import linecache
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import hxpy

from .. import plpy
from .._tables import wire
from .._tables.conversion import decode_column, encode_column, first_unfit
from .._tables.pace import blocks
from .._tables.single import RowReader, ValueWriter
from .._tables.wire import Buffer, Column, decode_batch, decode_columns, encode_batch
from ..errors import ConversionError, HxpyError
from .session import Session, dedent

__all__ = ["Function", "Functions", "Table", "batches", "call_with_columns", "compile_function",
           "shape_of"]

_OID_LENGTH = 8     # characters at a key's begin: all versions of a function have them
_MOST_CALLS = 256   # whose common parts are kept
# Kinds of triggers → how many columns after the key make TD.
_TRIGGERS = {"trigger": 8, "event_trigger": 2}
# Keys of TD → the events that have such a row.
_ROWS = {"new": ("INSERT", "UPDATE"), "old": ("UPDATE", "DELETE")}
# What RESULT tells of a trigger's row: that payload, or its first column.
_OK, _SKIP = ([b"".join(encode_batch([encode_column(Column(wire.TEXT, "", "", 1), [status])]))]
              for status in ("OK", "SKIP"))
_MODIFY: list[Buffer] = [b"".join(encode_column(Column(wire.TEXT, "", "", 1), ["MODIFY"]))]
_UNSET: Any = object()      # what a column has whose value is not known to be the same
# A body that uses one of these may see the list of its arguments.
_LOOKS_AROUND = frozenset(("args", "dir", "eval", "exec", "locals", "vars"))


class Function:
    """A compiled function; `source` is the name of its source in tracebacks."""

    __slots__ = ("call", "count", "kind", "source")

    def __init__(self, body: Callable[..., Any], count: int, lists: bool, kind: str,
                 source: str) -> None:
        self.call = body if not lists and kind != "void" else _complete(body, lists, kind)
        self.count = count          # of its arguments
        self.kind = kind
        self.source = source


def _complete(body: Callable[..., Any], lists: bool, kind: str) -> Callable[..., Any]:
    """Return a function of a body that takes the list of its arguments, too, or is void."""
    def call(*arguments: Any) -> Any:
        value = body(*arguments, list(arguments)) if lists else body(*arguments)
        if value is not None and kind == "void":
            raise HxpyError("42804", "the function returns void, but did not return None")
        return value
    return call


class Call:
    """What calls of a function have in common: the columns before the arguments.

    find: returns it; function: so, if that is always the same one.
    """

    def __init__(self, function: Function | None, find: Callable[[], Function],
                 columns: list[Column], count: int) -> None:
        self.function = function
        self.find = find
        self.reader = RowReader(count)
        self.want = columns[1] if len(columns) > 1 else None
        self.shape = None if self.want is None else shape_of(self.want)
        self.writer = None if self.want is None else \
            ValueWriter(self.want, wire.BATCH.pack(1, 0))

    def answer(self, payload: bytes | bytearray, position: int) -> Sequence[Buffer]:
        """Call the function for each row of the arguments; return a RESULT's payload."""
        function = self.function or self.find()
        if function.kind == "columns" and self.want is not None:
            columns, _ = decode_columns(memoryview(payload), position, len(self.reader.names))
            return encode_batch([call_with_columns(function, self.want, columns, 1)])
        row = self.reader.read(payload, position)
        if row is not None:
            return self.write([function.call(*row)])
        arguments, _ = decode_columns(memoryview(payload), position, len(self.reader.names))
        return self.write([function.call(*row) for row in zip(*map(decode_column, arguments))])

    def write(self, values: list[Any]) -> Sequence[Buffer]:
        """Return the payload of a RESULT with the function's values."""
        if self.want is None or self.writer is None:
            return encode_batch([])
        if self.shape is not None:
            values = [self.shape(value) for value in values]
        if len(values) == 1:
            return self.writer.write(values[0])
        return encode_batch([encode_column(self.want, values)])


class TriggerCall:
    """What calls of a trigger function by one trigger have in common, for one event."""

    def __init__(self, function: Function, columns: list[Column], count: int) -> None:
        self.function = function
        self.call = function.call
        split = 1 + _TRIGGERS[function.kind]
        self.data = {column.name: decode_column(column)[0] for column in columns[1:split]}
        self.writers = [_field_writer(want) for want in columns[split:]]
        self.changing = [place for place, want in enumerate(columns[split:])
                         if not _is_constant(want)]
        self.reader = RowReader(count)
        self.rows: list[str] = []       # that there are: new, old
        if function.kind == "trigger":
            self.data.update(dict.fromkeys(_ROWS))
        if self.data.get("level") == "ROW":
            self.rows += [name for name, events in _ROWS.items() if self.data["event"] in events]
        self.width = count // max(len(self.rows), 1)
        self.names: list[str] = []      # of a row's columns, from the first call on
        self.args: list[Any] | None = self.data.get("args")

    def answer(self, payload: bytes | bytearray, position: int) -> Sequence[Buffer]:
        """Call the function; return a RESULT's payload, which tells what to do with the row."""
        values = self.reader.read(payload, position) or []
        names = self.names = self.names or self.reader.names[:self.width]
        data = self.data.copy()
        for name in self.rows:
            data[name] = dict(zip(names, values if name == self.rows[0] else values[self.width:]))
        if self.args:
            data["args"] = self.args.copy()
        answer = self.call(data)
        if answer is None or self.function.kind == "event_trigger":
            return _OK
        if not isinstance(answer, str):
            raise _unexpected("Expected None or a string.")
        status = answer.upper()
        if status == "MODIFY":
            return self.modified(data, values) if self.writers else _OK
        if status not in ("OK", "SKIP"):
            raise _unexpected('Expected None, "OK", "SKIP", or "MODIFY".')
        return _OK if status == "OK" else _SKIP

    def modified(self, data: dict[str, Any], values: list[Any]) -> list[Buffer]:
        """Return a RESULT's payload, with the columns of TD["new"] that are no longer `values`."""
        new = data.get("new")
        if type(new) is not dict:
            new = _new_row(data)
        for place in self.changing:     # what can change within itself counts as set
            if values[place] is not None:
                values[place] = _UNSET
        items = new.values() if list(new) == self.names else _in_order(new, self.names, values)
        columns = [_MODIFY]
        try:
            for name, item, value, write in zip(self.names, items, values, self.writers):
                if item is not value:
                    columns.append(write(item))
        except ConversionError as error:
            raise error.within(f".{name}") from None
        return encode_batch(columns)


class Functions:
    """The functions that a session's worker knows."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.known: dict[str, Function] = {}        # by key
        self.versions: dict[str, str] = {}          # the oid in the key → the key
        self.calls: dict[bytes, Call | TriggerCall] = {}    # by what their payloads begin with
        self.passing = ""                           # the source of the latest DO

    def define(self, payload: Buffer) -> Sequence[Buffer]:
        """Compile a function, and know it by its key from now on; run the source of a DO."""
        linecache.cache.pop(self.passing, None)
        kind, key, name, source, parameters, dropped = (
            decode_column(column) for column in decode_batch(payload))
        for oid in dropped:
            self.forget(oid)
        function = self.compile(kind[0], name[0], source[0], parameters)
        if kind[0] == "do":
            self.passing = function.source      # until its traceback is told
            function.call()
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
                     "GD": self.session.namespace}
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
        return Function(body, len(parameters), lists, kind, filename)

    def forget(self, oid: str) -> None:
        """Forget the version of a function that is known."""
        function = self.known.pop(self.versions.pop(oid, ""), None)
        if function is not None:
            linecache.cache.pop(function.source, None)
            self.calls = {head: call for head, call in self.calls.items()
                          if call.function is not function}

    def callable(self, source: str) -> Function:
        """Return the callable that an expression gives; one of hxpy.batch takes columns."""
        body = self.session.callable(source)
        return Function(body, 0, False, "columns" if hxpy._is_batch(body) else "value", "")

    def invoke(self, payload: bytes | bytearray) -> Sequence[Buffer]:
        """Call a function for each row of its arguments, one if it has none."""
        head = bytes(payload[:wire.BATCH.unpack_from(payload)[1]])
        call = self.calls.get(head)
        if call is None:
            call = self.begin(head)
        return call.answer(payload, len(head))

    def invoke_set(self, payload: Buffer) -> tuple[Any, bool, list[Column]]:
        """Call a function that returns a set: its value, whether of rows, the wanted columns."""
        key, mode, *rest = decode_batch(payload)
        function = self.known[decode_column(key)[0]]
        split = len(rest) - function.count
        value = function.call(*[decode_column(column)[0] for column in rest[split:]])
        return value, decode_column(mode)[0] == "row", rest[:split]

    def begin(self, head: bytes) -> Call | TriggerCall:
        """Read what the payloads of some calls begin with, and keep it.

        The first column is the key of a function, or, by the name func, an expression.
        """
        count, position = wire.BATCH.unpack_from(head)[0], wire.BATCH.size
        columns: list[Column] = []
        while position < len(head):
            (column,), position = decode_columns(memoryview(head), position, 1)
            columns.append(column)
        name, count = decode_column(columns[0])[0], count - len(columns)
        call: Call | TriggerCall
        if columns[0].name == "func":
            call = Call(None, lambda: self.callable(name), columns, count)
        elif self.known[name].kind in _TRIGGERS:
            call = TriggerCall(self.known[name], columns, count)
        else:
            call = Call(self.known[name], lambda: self.known[name], columns, count)
        if len(self.calls) >= _MOST_CALLS:
            self.calls.clear()
        self.calls[head] = call
        return call


def call_with_columns(function: Function, want: Column, arguments: Sequence[Column],
                      count: int) -> list[Buffer]:
    """Call a function that takes columns; return its column of so many values."""
    from .._tables import vectors

    return vectors.encode(want, function.call(*map(vectors.array, arguments)), count)


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


def _new_row(data: dict[str, Any]) -> dict[str, Any]:
    """Return TD["new"]."""
    if "new" not in data:
        raise HxpyError("39P01", 'TD["new"] deleted, cannot modify row')
    new = data["new"]
    if not isinstance(new, dict):
        raise HxpyError("42804", 'TD["new"] is not a dictionary')
    return new


def _in_order(new: dict[Any, Any], names: list[str], values: list[Any]) -> list[Any]:
    """Return the items of TD["new"] in the order of the columns; `values` for those it lacks."""
    for place, key in enumerate(new):
        if not isinstance(key, str):
            raise HxpyError("42804", f'TD["new"] dictionary key at ordinal position {place} '
                            "is not a string")
        if key not in names:
            raise HxpyError("42703", f'key "{key}" found in TD["new"] does not exist as a column '
                            "in the triggering row")
    return [new.get(name, value) for name, value in zip(names, values)]


def _is_constant(want: Column) -> bool:
    """Return whether values of a type cannot change within themselves."""
    return want.tag not in (wire.JSON, wire.ARRAY, wire.RECORD) and \
        not (want.tag == wire.PLAIN and want.extra)


def _field_writer(want: Column) -> Callable[[Any], list[Buffer]]:
    """Return what writes a column of one value of a row."""
    write, shape = ValueWriter(want).write, shape_of(want)
    return write if shape is None else lambda value: write(shape(value))


# Rows ------------------------------------------------------------------------


def shape_of(want: Column) -> Callable[[Any], Any] | None:
    """Return what makes tuples of the rows in a value of a type; None if it has none."""
    if want.tag == wire.ARRAY:
        element = shape_of(want.children[0])
        return None if element is None else lambda value: _elements(value, element)
    if want.tag != wire.RECORD:
        return None
    shapes = [shape_of(child) for child in want.children]
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

_MOST_ROWS = 16384      # of a batch


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
    shapes = [shape_of(column) for column in want]
    names = [column.name for column in want]
    record = Column(wire.RECORD, "", "the row", 0)
    rows = (_row(item, names, shapes, record) for item in items) if is_row else \
        items if shapes[0] is None else map(shapes[0], items)
    start = 0
    for block in blocks(rows, _MOST_ROWS):
        yield _encode_rows(block, is_row, want, start)
        start += len(block)


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
