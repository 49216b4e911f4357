"""SQL that the user's Python runs while a statement has called it.

The worker asks (frame QUERY), the server runs the query within that statement and
answers; docs/protocol.md, "How requests nest".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .._tables.conversion import decode_column, encode_column
from .._tables.wire import TEXT, Buffer, Column, decode_batch, encode_batch
from ..errors import SQLError
from . import protocol

if TYPE_CHECKING:
    import pandas

__all__ = ["Sql"]


class Asker(Protocol):
    """What asks the server: the worker."""

    def ask(self, kind: int, parts: Sequence[Buffer] = ()) -> tuple[Buffer, list[Buffer]]:
        """Return the answer's payload, and those of COLUMNS and batches."""


class Sql:
    """Runs queries of the user's code."""

    def __init__(self, worker: Asker) -> None:
        self.worker = worker

    def frame(self, query: str, *params: Any) -> pandas.DataFrame:
        """Return a query's rows as a DataFrame; see hxpy.sql."""
        import pandas

        from .._tables.reader import TableReader
        schema, batches = self.run(query, params)
        if schema is None:
            return pandas.DataFrame()
        reader = TableReader(schema[1:])
        while batches:
            reader.add(decode_batch(batches.pop(0)))
        return reader.frame()

    def run(self, query: str, params: Sequence[Any]) -> tuple[list[Column] | None, list[Buffer]]:
        """Run a query; return its columns, if it has any, and batches.

        The first of the columns is a text that tells the OIDs and modifiers of the others.
        """
        if not isinstance(query, str):
            raise TypeError(f"a query must be str, not {type(query).__name__}")
        texts = [encode_column(Column(TEXT, name, "", 1), [text])
                 for name, text in (("query", query), ("limit", "0"))]
        answer, rows = self.worker.ask(protocol.QUERY, encode_batch(texts + _params(params)))
        fields = {column.name: decode_column(column)[0] for column in decode_batch(answer)}
        if "sqlstate" in fields:
            raise SQLError(**fields)
        schema = decode_batch(rows.pop(0)) if rows else None
        return schema, rows


def _params(params: Sequence[Any]) -> list[list[Buffer]]:
    """Return parameters as columns of the types that a table made of them would have."""
    if not params:
        return []
    from .._tables.infer import infer_value
    return [encode_column(infer_value(value), [value]) for value in params]
