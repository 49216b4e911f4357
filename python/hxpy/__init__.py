"""hxpy: Python sessions for PostgreSQL, on the container's side."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import SQLError

if TYPE_CHECKING:
    import pandas

    from ._worker.sql import Sql

__all__ = ["SQLError", "batch", "progress", "sql", "sql_batches", "to_table"]

_F = TypeVar("_F", bound=Callable[..., Any])

# Set by the worker; None where there is no server to tell or to ask.
_report: Callable[[float, float | None, str | None], None] | None = None
_sql: Sql | None = None
_evaluate: Callable[[str], Any] | None = None   # an expression in the session


def sql(query: str, *params: Any) -> pandas.DataFrame:
    """Run a query within the statement that has called Python; return its rows.

    params: values for $1, $2 …; None is NULL.  The columns have the dtypes that
    py_define_grid gives.  Several statements may stand in the query; the rows are the
    last one's.  A query that fails is undone.

    Raises SQLError for the server's errors, RuntimeError outside of a call and in other
    threads than the main one.
    """
    return _server().frame(query, *params)


def sql_batches(query: str, *params: Any, rows: int | None = None) -> Iterator[pandas.DataFrame]:
    """Run a query as sql() does, and return an iterator of DataFrames: as many rows as there are.

    rows: of each DataFrame but the last, 100,000 unless it is given.  The query runs on as
    they are asked for, so that neither side holds more than one of them.  A query without
    rows gives one empty DataFrame.  The dtypes are those of each DataFrame's own values.

    What this returns also has close().  It ends with the transaction, and when a
    subtransaction in which it was made is aborted; then it raises ValueError.
    """
    return _server().frames(query, params, rows)


def _server() -> Sql:
    if _sql is None:
        raise RuntimeError("there is no server to ask")
    return _sql


def to_table(value: Any, name: str, if_exists: str = "fail") -> int:
    """Write a table value into a table of the database; return the number of rows.

    value: a DataFrame, a Grid, arrays, rows, an iterator of rows or of DataFrames …: what
    py_eval_into takes.  name: as in SQL, with a schema and quoted where needed.  if_exists:
    "fail", "append" (by the columns' names) or "replace".  A new table's column types are
    those that py_eval_into gives.  When anything fails, nothing is written.

    Raises SQLError for the server's errors and for values that do not fit (`detail` names
    column and row), whatever an iterator raises, and RuntimeError as sql() does.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {type(name).__name__}")
    if if_exists not in ("fail", "append", "replace"):
        raise ValueError(f"if_exists must be 'fail', 'append' or 'replace', not {if_exists!r}")
    return _server().write(value, name, if_exists)


def batch(function: _F) -> _F:
    """Mark a callable as one that takes columns: a decorator for what py_call calls.

    Its arguments are arrays of equal length, as those of a function in LANGUAGE hxpy_batch,
    and it returns an array, a Series or a list with a value for each row.  How many rows it
    is given must not matter.  What cannot be marked itself, as a function of numpy, is wrapped.
    """
    try:
        function._hxpy_batch = True     # type: ignore[attr-defined]
    except AttributeError:
        return batch(functools.partial(function))   # type: ignore[return-value]
    return function


def _is_batch(function: Any) -> bool:
    """Return whether a callable is marked by batch()."""
    return getattr(function, "_hxpy_batch", None) is True


def progress(done: float, total: float | None = None, message: str | None = None) -> None:
    """Tell the server how far a request has come: `done` of `total`, of any unit.

    The server shows it in hxpy_stat_sessions, and as a message if hxpy.progress says
    so.  Calls are cheap: of those that follow each other within 0.1 s only the first
    one and the one that reaches the total are sent.  Works in any thread; does nothing
    while no request runs, in other processes, and outside of a session.

    Raises TypeError for what is no real number or no text, and ValueError for numbers
    that are negative or not finite.
    """
    done = _checked(done, "done")
    total = None if total is None else _checked(total, "total")
    if message is not None and not isinstance(message, str):
        raise TypeError(f"message must be str, not {type(message).__name__}")
    if _report is not None:
        _report(done, total, message)


def _checked(number: float, name: str) -> float:
    """Return a number as float, if it can count anything."""
    if not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, not {type(number).__name__}")
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and not negative")
    return value
