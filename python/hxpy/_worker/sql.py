"""SQL that the user's Python runs while a statement has called it.

The worker asks (frames QUERY to TRANSACTION), the server does it within that statement
and answers; docs/protocol.md, "How requests nest".
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from .._tables import wire
from .._tables.conversion import decode_column, encode_column
from .._tables.single import RowReader, ValueWriter
from .._tables.wire import Buffer, Column, decode_batch, encode_batch
from ..errors import Error, HxpyError, SPIError, SQLError
from ..spiexceptions import of_state
from . import protocol
from .functions import shape_of
from .session import PACKAGE

if TYPE_CHECKING:
    import pandas

__all__ = ["Cursor", "Frames", "Kept", "Plan", "Rows", "Sql", "Subtransaction"]

_FRAME_ROWS = 100_000       # of a DataFrame of sql_batches, unless it is told
_KEPT_LENGTH = 4096         # bytes of descriptions of columns that are kept
_TWO = wire.BATCH.pack(2, 0)
_OK_FETCH = 3               # SPI's code
_NOTHING: Any = object()    # an argument that was not given

# Is given the payload of the columns of an answer's rows, and then that of each batch.  The
# first of the columns is a text that tells the OIDs and modifiers of the others.
Take = Callable[[bytearray], None]


class Asker(Protocol):
    """What asks the server: the worker."""

    def ask(self, kind: int, parts: Sequence[Buffer] = (), take: Take | None = None) -> bytearray:
        """Return the answer's payload; give `take` those of COLUMNS and batches as they come."""


class Kept:
    """A value that the server is asked to write into a table, and what went wrong with it."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.error: Exception | None = None
        self.trace: TracebackType | None = None

    def fail(self, error: Exception) -> None:
        """Remember an error of the user's code; the server tells others with their fields."""
        if isinstance(error, (HxpyError, SQLError)):
            return
        self.error, self.trace = error, error.__traceback__
        while self.trace and self.trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
            self.trace = self.trace.tb_next


class Sql:
    """Asks for what the user's code wants of the server."""

    def __init__(self, worker: Asker) -> None:
        self.worker = worker
        self.session = object()     # another one in a session that is forked from this one
        self.depth = 0          # subtransactions that the request that runs has open
        self.epoch = 0          # another one whenever cursors may have ended
        self.done = RowReader(2)        # of status and processed
        self.kept: dict[str, Kept] = {}
        self.numbers = itertools.count(1)       # of these
        # What Python has dropped, and the server is still to be told of.
        self.dropped_plans: list[int] = []
        self.dropped_cursors: list[int] = []

    def rebind(self) -> None:
        """Be another session's: what is open at the server is the old one's."""
        self.session = object()
        self.depth = 0
        self.epoch += 1
        self.kept = {}
        self.dropped_plans = []
        self.dropped_cursors = []

    def check_session(self, session: object, what: str) -> None:
        """Raise an error unless a plan or cursor belongs to this session."""
        if session is not self.session:
            raise ValueError(f"the {what} belongs to the session that this one was forked from; "
                             "make it anew")

    def ask(self, kind: int, columns: Sequence[list[Buffer]]) -> list[Column]:
        """Ask for something; return the answer's columns, or raise the error that it is."""
        self.forget()
        return self.check(self.worker.ask(kind, encode_batch(columns)))

    def check(self, payload: Buffer) -> list[Column]:
        """Return an answer's columns, or raise the error that it is."""
        answer = decode_batch(payload)
        if answer and answer[0].name == "sqlstate":
            self.epoch += 1
            fields = {column.name: decode_column(column)[0] for column in answer}
            raise of_state(fields["sqlstate"])(**fields)
        return answer

    def ask_rows(self, kind: int, columns: Sequence[list[Buffer]], take: Take | None = None
                 ) -> tuple[int, int]:
        """Ask for rows; return SPI's code and their number."""
        self.forget()
        payload = self.worker.ask(kind, encode_batch(columns), take)
        if payload[:wire.BATCH.size] != _TWO:
            self.check(payload)
        status, processed = self.done.read(payload, wire.BATCH.size) or ("", "")
        return int(status), int(processed)

    # Queries ---------------------------------------------------------------

    def frame(self, query: str, *params: Any) -> pandas.DataFrame:
        """Return a query's rows as a DataFrame; see hxpy.sql."""
        import pandas

        collector = _Collector()
        self.ask_rows(protocol.QUERY, _texts(form="table", query=_checked(query), limit="0")
                      + _params(params), collector.take)
        return pandas.DataFrame() if collector.reader is None else collector.reader.frame()

    def execute(self, query: Any, *args: Any) -> Rows:
        """Run a query or a plan; see plpy.execute."""
        if isinstance(query, Plan) and len(args) <= 2 and isinstance((*args, 0, 0)[1], int):
            return query.execute(*args)
        if isinstance(query, str) and len(args) <= 1 and isinstance((*args, 0)[0], int):
            return self.rows("rows", query, (*args, 0)[0], [])
        raise Error("plpy.execute expected a query or a plan")

    def rows(self, form: str, query: str, limit: int, params: list[list[Buffer]]) -> Rows:
        """Return the rows of a query, or of the plan of a number."""
        rows = Rows()
        rows._status, rows._processed = self.ask_rows(
            protocol.QUERY, _texts(form=form, query=query, limit=str(limit)) + params, rows._take)
        return rows

    def prepare(self, query: str, types: Any = ()) -> Plan:
        """Return a plan of a query; see plpy.prepare."""
        if not _is_sequence(types):
            raise TypeError("second argument of plpy.prepare must be a sequence")
        for i, name in enumerate(types):
            if not isinstance(name, str):
                raise SPIError(f"plpy.prepare: type name at ordinal position {i} is not a string")
        number, *wants = self.ask(protocol.PREPARE, [
            *_texts(query=_checked(query)), *(_text("type", name) for name in types)])
        return Plan(self, int(decode_column(number)[0]), wants)

    def write(self, value: Any, name: str, if_exists: str) -> int:
        """Write a table value into a table, and return how many rows; see hxpy.to_table."""
        number = str(next(self.numbers))
        kept = self.kept[number] = Kept(value)
        try:
            answer = self.worker.ask(protocol.TABLE, encode_batch(
                _texts(kept=number, name=name, if_exists=if_exists)))
        finally:
            del self.kept[number]
        try:
            if kept.error is not None:
                self.epoch += 1
                raise kept.error.with_traceback(kept.trace)
        finally:
            del kept        # the error holds this frame
        return int(decode_column(self.check(answer)[0])[0])

    # Cursors ---------------------------------------------------------------

    def cursor(self, query: Any, *args: Any) -> Cursor:
        """Open a cursor for a query or a plan; see plpy.cursor."""
        if isinstance(query, str) and not args:
            return Cursor(self, *self.open("rows", query, []))
        if isinstance(query, Plan) and len(args) <= 1:
            return query.cursor(*args)
        raise Error("plpy.cursor expected a query or a plan")

    def frames(self, query: str, params: Sequence[Any], rows: int | None) -> Frames:
        """Open a cursor for a query, to be read as DataFrames; see hxpy.sql_batches."""
        if rows is not None and (not isinstance(rows, int) or rows < 1):
            raise ValueError(f"rows must be a whole number from 1 on, not {rows!r}")
        number, _ = self.open("table", _checked(query), _params(params))
        return Frames(self, number, rows or _FRAME_ROWS)

    def open(self, form: str, query: str, params: list[list[Buffer]]) -> tuple[int, bool]:
        """Open a cursor; return its number, and whether its rows may be read ahead."""
        number, ahead = self.ask(protocol.CURSOR, _texts(form=form, query=query) + params)
        return int(decode_column(number)[0]), bool(decode_column(ahead)[0])

    def fetch(self, cursor: int, count: str, take: Take | None = None) -> int:
        """Fetch rows of a cursor; return how many, -1 where it is gone."""
        status, processed = self.ask_rows(protocol.FETCH, _texts(cursor=str(cursor), count=count),
                                          take)
        return processed if status >= 0 else -1

    def close(self, plans: Sequence[int], cursors: Sequence[int]) -> int:
        """Drop plans and close cursors; return how many of these were open."""
        return self.ask_rows(protocol.CLOSE, [
            encode_column(Column(wire.INT64, name, "", 0), numbers)
            for name, numbers in (("plans", plans), ("cursors", cursors))])[1]

    def forget(self) -> None:
        """Tell the server what Python has dropped."""
        if self.dropped_plans or self.dropped_cursors:
            plans, self.dropped_plans = self.dropped_plans, []
            cursors, self.dropped_cursors = self.dropped_cursors, []
            try:
                self.close(plans, cursors)
            except BaseException:
                self.dropped_plans += plans
                self.dropped_cursors += cursors
                raise

    # Transactions ----------------------------------------------------------

    def subtransaction(self) -> Subtransaction:
        """Return a subtransaction, which has not begun yet."""
        return Subtransaction(self)

    def nest(self, what: str) -> None:
        """Begin a subtransaction, or end the innermost one."""
        self.ask(protocol.SUBTRANSACTION, _texts(what=what))
        self.depth += 1 if what == "begin" else -1
        if what == "rollback":
            self.epoch += 1

    def abandon(self) -> None:
        """Abort the subtransactions that are open: rows are given out only outside of them."""
        if self.depth:
            self.depth = 0
            self.epoch += 1
            self.ask(protocol.SUBTRANSACTION, _texts(what="abandon"))

    def outside(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield items; the subtransactions that are open when one comes are aborted."""
        for item in items:
            self.abandon()
            yield item

    def finish(self, what: str) -> None:
        """Commit the transaction or roll it back, and begin the next."""
        self.epoch += 1
        self.ask(protocol.TRANSACTION, _texts(what=what))


def _checked(query: str) -> str:
    if not isinstance(query, str):
        raise TypeError(f"a query must be str, not {type(query).__name__}")
    return query


def _text(name: str, text: str) -> list[Buffer]:
    return _writer(name).write(text)


@functools.lru_cache(64)
def _writer(name: str) -> ValueWriter:
    """Return what writes texts of a name."""
    return ValueWriter(Column(wire.TEXT, name, "", 0))


def _texts(**texts: str) -> list[list[Buffer]]:
    """Return columns of texts."""
    return [_text(name, text) for name, text in texts.items()]


def _params(params: Sequence[Any]) -> list[list[Buffer]]:
    """Return parameters as columns of the types that a table made of them would have."""
    if not params:
        return []
    from .._tables.infer import infer_value
    return [encode_column(infer_value(value), [value]) for value in params]


def _is_sequence(value: Any) -> bool:
    """Return whether a value is a sequence as PL/Python sees it."""
    return hasattr(type(value), "__getitem__") and not isinstance(value, dict)


class _Collector:
    """Takes rows as a table; `reader` is None as long as there are no columns."""

    def __init__(self) -> None:
        self.reader: Any = None

    def take(self, payload: bytearray) -> None:
        """Take the columns, then one batch after the other."""
        columns = decode_batch(payload)
        if self.reader is None:
            from .._tables.reader import TableReader
            self.reader = TableReader(columns[1:])
        else:
            self.reader.add(columns)


class _Columns:
    """The columns of rows: OIDs and modifiers, names, and what reads single rows."""

    def __init__(self, payload: bytes) -> None:
        types, *columns = decode_batch(payload)
        self.types = decode_column(types)[0].split(",")
        self.names = [column.name for column in columns]
        self.reader = RowReader(len(columns))


_known_columns = functools.lru_cache(256)(_Columns)


class Rows(Sequence[Any]):
    """The result of plpy.execute: a sequence of dicts, with what else PL/Python tells."""

    def __init__(self) -> None:
        self._status = 0
        self._processed = 0
        self._columns: _Columns | None = None
        self._rows: list[dict[str, Any]] = []

    def _take(self, payload: bytearray) -> None:
        """Take the columns, then one batch after the other."""
        if self._columns is None:
            make = _known_columns if len(payload) <= _KEPT_LENGTH else _Columns
            self._columns = make(bytes(payload))
            return
        names = self._columns.names
        row = self._columns.reader.read(payload, wire.BATCH.size)
        if row:
            self._rows.append(dict(zip(names, row)))
        else:
            self._rows += [dict(zip(names, row))
                           for row in zip(*map(decode_column, decode_batch(payload)))]

    def _with(self, rows: list[dict[str, Any]]) -> Rows:
        """Return other rows of these columns, as those of a cursor."""
        other = Rows()
        other._status, other._processed = _OK_FETCH, len(rows)
        other._columns, other._rows = self._columns, rows
        return other

    def nrows(self) -> int:
        """Return the number of rows that the query gave or changed."""
        return self._processed

    def status(self) -> int:
        """Return the code of SPI_execute."""
        return self._status

    def colnames(self) -> list[str]:
        """Return the columns' names."""
        return list(self._described().names)

    def coltypes(self) -> list[int]:
        """Return the columns' types as OIDs."""
        return [int(pair.partition(":")[0]) for pair in self._described().types if pair]

    def coltypmods(self) -> list[int]:
        """Return the columns' type modifiers, -1 for none."""
        return [int(pair.partition(":")[2]) for pair in self._described().types if pair]

    def _described(self) -> _Columns:
        """Return the columns, or raise an error where there are none."""
        if self._columns is None:
            raise Error("command did not produce a result set")
        return self._columns

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __setitem__(self, index: Any, row: Any) -> None:
        self._rows[index] = row

    def __len__(self) -> int:
        return len(self._rows)

    def __str__(self) -> str:
        return f"<Rows status={self._status} nrows={self._processed} rows={self._rows}>"


class Plan:
    """A prepared query; see plpy.prepare."""

    def __init__(self, sql: Sql, number: int, wants: list[Column]) -> None:
        self._sql = sql
        self._session = sql.session
        self._number = number
        self._wants = [(want, shape_of(want)) for want in wants]    # the parameters' types

    def __del__(self) -> None:
        if self._session is self._sql.session:
            self._sql.dropped_plans.append(self._number)

    def execute(self, args: Any = _NOTHING, limit: int = 0) -> Rows:
        """Run the plan; see plpy.execute."""
        params = self._encode(args, "execute")
        return self._sql.rows("plan", str(self._number), limit, params)

    def cursor(self, args: Any = _NOTHING) -> Cursor:
        """Open a cursor for the plan; see plpy.cursor."""
        params = self._encode(args, "cursor")
        return Cursor(self._sql, *self._sql.open("plan", str(self._number), params))

    def status(self) -> bool:
        """Return True."""
        return True

    def _encode(self, args: Any, function: str) -> list[list[Buffer]]:
        """Return arguments as columns."""
        self._sql.check_session(self._session, "plan")
        values: Sequence[Any] = () if args is _NOTHING else args
        if not _is_sequence(values) or isinstance(values, str):
            raise TypeError(f"plpy.{function} takes a sequence as its second argument")
        count, expected = len(values), len(self._wants)
        if count != expected:
            raise TypeError(f"Expected sequence of {expected} argument{'s' * (expected != 1)}, "
                            f"got {count}: {'<NULL>' if args is _NOTHING else args}")
        return [encode_column(want, [value if shape is None else shape(value)])
                for (want, shape), value in zip(self._wants, values)]


class _Portal:
    """A cursor that is open at the server."""

    def __init__(self, sql: Sql, number: int) -> None:
        self._sql = sql
        self._session = sql.session
        self._number = number
        self._closed = False

    def __del__(self) -> None:
        if not self._closed and self._session is self._sql.session:
            self._sql.dropped_cursors.append(self._number)

    def _fetch(self, count: str, take: Take | None = None) -> int:
        """Fetch rows; return how many."""
        self._sql.check_session(self._session, "cursor")
        fetched = self._sql.fetch(self._number, count, take)
        if fetched < 0:
            raise ValueError("iterating a cursor in an aborted subtransaction")
        return fetched

    def close(self) -> None:
        """Close the cursor."""
        if not self._closed:
            self._sql.check_session(self._session, "cursor")
            if not self._sql.close((), (self._number,)):
                raise ValueError("closing a cursor in an aborted subtransaction")
            self._closed = True


class Cursor(_Portal):
    """The rows of a query, as dicts, as they are needed; see plpy.cursor."""

    def __init__(self, sql: Sql, number: int, ahead: bool) -> None:
        super().__init__(sql, number)
        self._count = "batch" if ahead else "1"     # of rows that iterating fetches at a time
        self._last = Rows()                         # that were fetched
        self._ahead: deque[dict[str, Any]] = deque()    # of these, those not given out
        self._epoch = 0                             # when they were

    def __iter__(self) -> Cursor:
        return self

    def __next__(self) -> dict[str, Any]:
        if self._closed:
            raise ValueError("iterating a closed cursor")
        if not self._ahead:
            self._read(self._count)
            if not self._ahead:
                raise StopIteration
        self._check()
        return self._ahead.popleft()

    def fetch(self, count: int) -> Rows:
        """Return the next rows, at most so many."""
        if not isinstance(count, int):
            raise TypeError(f"'{type(count).__name__}' object cannot be interpreted as an integer")
        if self._closed:
            raise ValueError("fetch from a closed cursor")
        if self._ahead:
            self._check()
            if count < 1:
                raise ValueError("a cursor over which was iterated only fetches forward")
        rows = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        if len(rows) < max(count, 1):
            self._read(str(count - len(rows)))
            rows += self._ahead
            self._ahead.clear()
        return self._last._with(rows)

    def _read(self, count: str) -> None:
        """Fetch rows from the server."""
        self._last = Rows()
        self._fetch(count, self._last._take)
        self._ahead.extend(self._last._rows)
        self._last._rows.clear()
        self._epoch = self._sql.epoch

    def _check(self) -> None:
        """Raise an error if the cursor is gone: its rows that are here are no more valid."""
        if self._epoch != self._sql.epoch:
            self._fetch("none")
            self._epoch = self._sql.epoch


class Frames(_Portal):
    """The rows of a query as DataFrames, as they are needed; see hxpy.sql_batches."""

    def __init__(self, sql: Sql, number: int, count: int) -> None:
        super().__init__(sql, number)
        self._count = count
        self._ended = False
        self._first = True

    def __iter__(self) -> Frames:
        return self

    def __next__(self) -> pandas.DataFrame:
        if self._ended:
            raise StopIteration
        if self._closed:
            raise ValueError("iterating a closed cursor")
        collector = _Collector()
        fetched = self._fetch(str(self._count), collector.take)
        if fetched < self._count:
            self._ended = self._closed = True
            self._sql.dropped_cursors.append(self._number)
        if not fetched and not self._first:
            raise StopIteration
        self._first = False
        frame: pandas.DataFrame = collector.reader.frame()
        return frame


class Subtransaction:
    """A subtransaction, begun and ended as a context manager; see plpy.subtransaction."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._started = False
        self._exited = False

    def enter(self) -> Subtransaction:
        """Begin it."""
        if self._started:
            raise ValueError("this subtransaction has already been entered")
        self._started = True
        self._sql.nest("begin")
        return self

    def exit(self, kind: type[BaseException] | None, value: BaseException | None,
             traceback: TracebackType | None) -> None:
        """Commit it, or roll it back if there is an exception."""
        if not self._started:
            raise ValueError("this subtransaction has not been entered")
        if self._exited:
            raise ValueError("this subtransaction has already been exited")
        if not self._sql.depth:
            raise ValueError("there is no subtransaction to exit from")
        self._exited = True
        self._sql.nest("commit" if kind is None else "rollback")

    __enter__ = enter
    __exit__ = exit
