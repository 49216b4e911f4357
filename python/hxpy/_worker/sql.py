"""SQL that the user's Python runs while a statement has called it.

The worker asks (frame QUERY), the server runs the query within that statement and
answers; docs/protocol.md, "How requests nest".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from .._tables.conversion import decode_column, encode_column
from .._tables.wire import TEXT, Buffer, Column, decode_batch, decode_texts, encode_batch, encode_texts
from ..errors import HxpyError, SPIError, SQLError
from ..spiexceptions import of_state
from . import protocol
from .session import PACKAGE

if TYPE_CHECKING:
    import pandas

__all__ = ["Kept", "Rows", "Sql"]


class Asker(Protocol):
    """What asks the server: the worker."""

    def ask(self, kind: int, parts: Sequence[Buffer] = ()) -> tuple[Buffer, list[Buffer]]:
        """Return the answer's payload, and those of COLUMNS and batches."""


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
    """Runs queries of the user's code."""

    def __init__(self, worker: Asker) -> None:
        self.worker = worker
        self.kept: dict[str, Kept] = {}
        self.numbers = itertools.count(1)

    def frame(self, query: str, *params: Any) -> pandas.DataFrame:
        """Return a query's rows as a DataFrame; see hxpy.sql."""
        import pandas

        from .._tables.reader import TableReader
        _, _, schema, batches = self.run(query, params)
        if schema is None:
            return pandas.DataFrame()
        reader = TableReader(schema[1:])
        while batches:
            reader.add(decode_batch(batches.pop(0)))
        return reader.frame()

    def rows(self, query: str, limit: int) -> Rows:
        """Return a query's rows; see plpy.execute."""
        status, processed, schema, batches = self.run(query, (), limit)
        return Rows(status, processed, schema, map(decode_batch, batches))

    def run(self, query: str, params: Sequence[Any],
            limit: int = 0) -> tuple[int, int, list[Column] | None, list[Buffer]]:
        """Run a query; return SPI's code, the number of rows, columns or None, batches.

        The first of the columns is a text that tells the OIDs and modifiers of the others.
        """
        if not isinstance(query, str):
            raise TypeError(f"a query must be str, not {type(query).__name__}")
        texts = [encode_column(Column(TEXT, name, "", 1), [text])
                 for name, text in (("query", query), ("limit", str(limit)))]
        answer, rows = self.worker.ask(protocol.QUERY, encode_batch(texts + _params(params)))
        fields = _checked(answer)
        schema = decode_batch(rows.pop(0)) if rows else None
        return int(fields["status"]), int(fields["processed"]), schema, rows

    def write(self, value: Any, name: str, if_exists: str) -> int:
        """Write a table value into a table, and return how many rows; see hxpy.to_table."""
        number = str(next(self.numbers))
        kept = self.kept[number] = Kept(value)
        try:
            answer, _ = self.worker.ask(protocol.TABLE, encode_texts(
                kept=number, name=name, if_exists=if_exists))
        finally:
            del self.kept[number]
        try:
            if kept.error is not None:
                raise kept.error.with_traceback(kept.trace)
        finally:
            del kept        # the error holds this frame
        return int(_checked(answer)["processed"])


def _checked(answer: Buffer) -> dict[str, str]:
    """Return the texts of an answer; raise the error that it tells."""
    fields = decode_texts(answer)
    if "sqlstate" in fields:
        raise of_state(fields["sqlstate"])(**fields)
    return fields


def _params(params: Sequence[Any]) -> list[list[Buffer]]:
    """Return parameters as columns of the types that a table made of them would have."""
    if not params:
        return []
    from .._tables.infer import infer_value
    return [encode_column(infer_value(value), [value]) for value in params]


class Rows(Sequence[Any]):
    """The result of plpy.execute: a sequence of dicts, with what else PL/Python tells."""

    def __init__(self, status: int, processed: int, schema: list[Column] | None,
                 batches: Iterator[list[Column]]) -> None:
        self._status = status
        self._processed = processed
        self._types: list[str] = []
        self._names: list[str] | None = None
        self._rows: list[dict[str, Any]] = []
        if schema is None:
            return
        self._types = decode_column(schema[0])[0].split(",")
        self._names = [column.name for column in schema[1:]]
        for batch in batches:
            for row in zip(*map(decode_column, batch)):
                self._rows.append(dict(zip(self._names, row)))

    def nrows(self) -> int:
        """Return the number of rows that the query gave or changed."""
        return self._processed

    def status(self) -> int:
        """Return the code of SPI_execute."""
        return self._status

    def colnames(self) -> list[str]:
        """Return the columns' names."""
        if self._names is None:
            raise SPIError("command did not produce a result set")
        return list(self._names)

    def coltypes(self) -> list[int]:
        """Return the columns' types as OIDs."""
        self.colnames()
        return [int(pair.partition(":")[0]) for pair in self._types if pair]

    def coltypmods(self) -> list[int]:
        """Return the columns' type modifiers, -1 for none."""
        self.colnames()
        return [int(pair.partition(":")[2]) for pair in self._types if pair]

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __setitem__(self, index: Any, row: Any) -> None:
        self._rows[index] = row

    def __len__(self) -> int:
        return len(self._rows)

    def __str__(self) -> str:
        return f"<Rows status={self._status} nrows={self._processed} rows={self._rows}>"
