"""Looking at a session's values: what py_show, py_vars, py_help and py_complete answer.

Texts are made of ASCII where they are not the values' own, since not all encodings have more.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

from ..haystack.grid import Grid
from .session import Session

__all__ = ["FUNCTIONS", "ROWS", "describe", "fit"]

ROWS = 20           # of a table that are shown unless more are asked for
_EDGES = 3          # values of an array shown at both ends of what is cut
_PANDAS_WIDTH = 80  # pandas' own options
_PANDAS_COLUMNS = (0, 20)   # in the place of a terminal, and without
_WIDE = 1000        # columns of an array that is still shown as a table
_CONTAINERS = (dict, list, tuple, set, frozenset)


# Values as text ------------------------------------------------------------


def describe(value: Any, rows: int | None, width: int) -> str:
    """Return a value as text, of about `width` columns.

    Tables (DataFrames, Series, Grids, arrays of two dimensions) have a line of dtypes; what
    is wider is folded.  rows: how many rows of a table or entries of a dict, list, tuple or
    set are shown, None for all; then the last line counts them.  Other values have their
    repr, a str itself.
    """
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    with _options(rows, width):
        if isinstance(value, str):
            return value
        if isinstance(value, Grid):
            frame = value.to_dataframe()
            units = [col.meta().get("unit") for col in value.cols()]
            return _table(frame, [f"{dtype} {unit}" if unit else str(dtype)
                                  for dtype, unit in zip(frame.dtypes, units)], rows, width)
        if pandas is not None and isinstance(value, pandas.Series):
            value = value.to_frame("" if value.name is None else value.name)
        if pandas is not None and isinstance(value, pandas.DataFrame):
            return _table(value, list(map(str, value.dtypes)), rows, width)
        if numpy is not None and isinstance(value, numpy.ndarray):
            return _array(value, rows, width)
        if type(value) in _CONTAINERS:
            return _entries(value, rows, width)
        return repr(value)


@contextmanager
def _options(rows: int | None, width: int) -> Iterator[None]:
    """Have pandas and numpy, where they are imported, show what is inside of values likewise."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    with ExitStack() as stack:
        if pandas is not None and hasattr(pandas, "option_context"):
            stack.enter_context(pandas.option_context(
                "display.width", width, "display.max_columns", None, "display.max_rows", rows,
                "display.unicode.east_asian_width", True, "display.multi_sparse", False))
        if numpy is not None and hasattr(numpy, "printoptions"):
            stack.enter_context(numpy.printoptions(
                linewidth=width, edgeitems=_EDGES,
                threshold=sys.maxsize if rows is None else 10 * rows))
        yield


def fit(width: int, before: int) -> int:
    """Have pandas, where it is imported, print tables of this width, and fold wider ones.

    Unless the user has chosen a width: one that is neither pandas' own nor that of `before`.
    Return the width that pandas was told, or `before`.
    """
    pandas = sys.modules.get("pandas")
    if width == before or pandas is None or not hasattr(pandas, "set_option"):
        return before
    if pandas.get_option("display.width") in (_PANDAS_WIDTH, before):
        pandas.set_option("display.width", width)
    if pandas.get_option("display.max_columns") in _PANDAS_COLUMNS:
        pandas.set_option("display.max_columns", None)
    return width


def _table(frame: Any, dtypes: list[str] | None, rows: int | None, width: int,
           counts: str = "") -> str:
    """Return a DataFrame as text, its dtypes below the names, folded to the width.

    counts: the last line, in the place of one that counts rows and columns where rows are cut.
    """
    import pandas

    names = [", ".join(map(str, label)) if isinstance(label, tuple) else str(label)
             for label in frame.columns]
    is_cut = rows is not None and len(frame) > rows
    if is_cut or not len(frame):
        counts = counts or f"[{len(frame)} rows x {len(names)} columns]"
    if len(frame):
        shown = frame.copy(deep=False)
        shown.columns = pandas.Index(names) if dtypes is None else \
            pandas.MultiIndex.from_arrays([names, dtypes])
        text = shown.to_string(max_rows=rows, line_width=width, max_colwidth=max(width // 2, 10))
    elif names:
        text = pandas.DataFrame({"column": names, "dtype": dtypes}).to_string(index=False)
    else:
        text = "no columns"
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return f"{text}\n\n{counts}" if counts else text


def _array(array: Any, rows: int | None, width: int) -> str:
    """Return an ndarray as text: as a table if it has two dimensions or fields."""
    import pandas

    counts = f"[{array.dtype} array of {' x '.join(map(str, array.shape))}]"
    if array.ndim == 1 and array.dtype.names is not None:
        return describe(pandas.DataFrame(array), rows, width)
    if array.ndim == 2 and 0 < array.shape[1] <= _WIDE and array.size:
        return _table(pandas.DataFrame(array), None, rows, width, counts)
    is_cut = rows is not None and array.size > 10 * rows
    return f"{array!r}\n\n{counts}" if is_cut else repr(array)


def _entries(value: Any, rows: int | None, width: int) -> str:
    """Return a dict, list, tuple or set as text, an entry a line where one does not do."""
    import pprint

    count = len(value)
    if rows is None or count <= rows:
        return pprint.pformat(value, width=width, compact=True, sort_dicts=False)
    shown = type(value)(islice(value.items() if isinstance(value, dict) else value, rows))
    text = pprint.pformat(shown, width=width, compact=True, sort_dicts=False)
    return f"{text}\n\n[{rows} of {count} entries]"


def show(session: Session, expr: str, rows: str, width: str) -> list[str]:
    """Return an expression's value as lines.  rows: a number, "" for all."""
    text = describe(session.evaluate(expr), int(rows) if rows else None, int(width))
    return _safe(text).split("\n")


def _safe(text: str) -> str:
    """Return a text that SQL can hold."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


# Variables -----------------------------------------------------------------


def variables(session: Session) -> dict[str, list[Any]]:
    """Return name, type, shape and memory of the session's variables, as columns by name.

    Without modules and names as __name__.
    """
    names = sorted(name for name, value in session.namespace.items()
                   if not (name.startswith("__") and name.endswith("__"))
                   and not isinstance(value, types.ModuleType))
    values = [session.namespace[name] for name in names]
    return {"name": names, "type": [type(value).__qualname__ for value in values],
            "shape": list(map(_shape, values)), "memory": list(map(_memory, values))}


def _shape(value: Any) -> str | None:
    """Return a value's shape, or its length as one; None where it has neither."""
    if isinstance(value, Grid):
        return str((len(value), len(value.cols())))
    if isinstance(value, (str, type)):
        return None
    try:
        shape = getattr(value, "shape", None)
        return str(tuple(map(int, shape))) if isinstance(shape, tuple) else str((len(value),))
    except Exception:       # of the user's class, or there is no length
        return None


def _memory(value: Any) -> int | None:
    """Return the bytes that a value takes: of containers without what they hold."""
    try:
        if isinstance(value, Grid):
            return sum(_memory(value[name]) or 0 for name in value.col_names())
        usage = getattr(value, "memory_usage", None)
        if usage is not None and not isinstance(value, type):
            usage = usage(deep=True)
            return int(usage.sum() if hasattr(usage, "sum") else usage)
        size = getattr(value, "nbytes", None)
        return int(size) if isinstance(size, int) else sys.getsizeof(value)
    except Exception:       # of the user's class
        return None


# Help ----------------------------------------------------------------------


def explain(session: Session, expr: str, full: str) -> list[str]:
    """Return what a value's documentation says, as lines: signature and first paragraph.

    full: not "" for all that Python's help() shows.
    """
    import pydoc

    value = session.evaluate(expr)
    if full:
        text = pydoc.render_doc(value, "%s", renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    else:
        text = "\n\n".join(_summary(value, expr))
    return _safe(text).split("\n")


def _summary(value: Any, expr: str) -> tuple[str, str]:
    """Return how a value is called, or what it is, and the first paragraph about it."""
    parts = re.split(r"\n\s*\n", inspect.getdoc(value) or "No documentation.")
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if isinstance(value, types.ModuleType):
        return f"module {name}", parts[0]
    if not callable(value) or not name:
        return f"{expr.strip()}: {type(value).__qualname__}", parts[0]
    if len(parts) > 1 and parts[0].startswith(f"{name}("):      # as numpy's do
        return parts[0], parts[1]
    try:
        return f"{name}{inspect.signature(value)}", parts[0]
    except (TypeError, ValueError):     # in C, without one
        return f"{name}(...)", parts[0]


# Completion ----------------------------------------------------------------


def complete(session: Session, prefix: str) -> list[str]:
    """Return how a name, an attribute or a key of a table or dict can go on.

    Only the end of `prefix` counts: `f(np.lin` is completed as `np.lin` is.
    """
    key = re.search(r"([\w.]+)\[(?P<quote>[\"'])([^\"']*)$", prefix)
    if key is not None:
        base, quote, begun = key.group(1), key.group("quote"), key.group(3)
        value = _resolve(session, base)
        keys = value.col_names() if isinstance(value, Grid) else \
            value.keys() if hasattr(value, "keys") else ()
        return [f"{base}[{quote}{name}{quote}]" for name in keys
                if isinstance(name, str) and name.startswith(begun)]
    match = re.search(r"[\w.]*$", prefix)
    base, dot, begun = (match.group() if match else "").rpartition(".")
    names: Iterable[str]
    if dot:
        value = _resolve(session, base)
        names = () if value is None else dir(value)
    else:
        names = [*session.namespace, *dir(builtins), *keyword.kwlist]
    return sorted({f"{base}{dot}{name}" for name in names if name.startswith(begun)
                   and (begun.startswith("_") or not name.startswith("_"))})


def _resolve(session: Session, path: str) -> Any:
    """Return what a dotted name stands for, None for nothing."""
    first, *rest = path.split(".")
    value = session.namespace.get(first, getattr(builtins, first, None))
    for name in rest:
        try:
            value = getattr(value, name)
        except Exception:       # a property of the user's may raise any
            return None
    return value


# By the names that the server calls them.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "show": show, "vars": variables, "help": explain, "complete": complete}
