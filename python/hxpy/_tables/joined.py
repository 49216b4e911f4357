"""Small tables that travel as one: what a callable makes of each of many groups.

To encode and to send a table of a few rows costs as much as one of some hundred.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy

from .chunks import Chunk

__all__ = ["Joined"]

_SECONDS = 0.02     # since tables were sent, after which the next one does not wait
_MOST = 4096        # rows that are joined
_LARGE = 256        # rows of a table that travels by itself
# Values that cannot change while they wait.
_FIXED = (type(None), bool, int, float, str, numpy.generic)


class Joined:
    """Tables on their way, each a chunk, which wait for others of the same form.

    send: encodes and sends a chunk.  fail: is called before an error of a table is raised, with
    what was given with it.
    """

    def __init__(self, send: Callable[[Chunk], None], fail: Callable[[Any], None]) -> None:
        self.send = send
        self.fail = fail
        self.waiting: list[tuple[Chunk, Any]] = []
        self.count = 0              # rows of these
        self.form: Any = None       # and what they have in common
        self.sent = 0.0             # when

    def add(self, chunk: Chunk, place: Any) -> None:
        """Send a chunk now or soon; its columns may change afterwards."""
        form = _form(chunk)
        if form is None or form != self.form or self.count + chunk.count > _MOST:
            self.flush()
        self.form = form
        if form is not None:
            columns = [column.copy() for column in chunk.columns]
            chunk = Chunk(chunk.names, columns, chunk.nan_is_null, chunk.count, chunk.start,
                          chunk.unnamed, chunk.hint)
        self.waiting.append((chunk, place))
        self.count += chunk.count
        if form is None or time.monotonic() - self.sent > _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what waits.  Raises the error of the first table that has one, after those before."""
        waiting, self.waiting = self.waiting, []
        self.count = 0
        self.sent = time.monotonic()
        if len(waiting) > 1:
            try:
                self.send(_join([chunk for chunk, _ in waiting]))
                return
            except Exception:
                pass        # one by one tells whose it is
        for chunk, place in waiting:
            try:
                self.send(chunk)
            except Exception:
                self.fail(place)
                raise


def _form(chunk: Chunk) -> Any:
    """Return what is equal of chunks that can be joined; None of one that cannot be."""
    if chunk.count > _LARGE:
        return None
    forms: list[Any] = []
    for column in chunk.columns:
        if isinstance(column, list) and all(isinstance(value, _FIXED) for value in column):
            forms.append(list)
        elif type(column) is numpy.ndarray and column.dtype.kind in "biufMm" and column.ndim == 1:
            forms.append(column.dtype)
        else:
            return None
    return forms, chunk.names, chunk.nan_is_null, chunk.unnamed, chunk.hint


def _join(chunks: list[Chunk]) -> Chunk:
    """Return chunks of one form as one."""
    first = chunks[0]
    columns: list[Any] = []
    for parts in zip(*(chunk.columns for chunk in chunks)):
        if isinstance(parts[0], list):
            columns.append([value for part in parts for value in part])
        else:
            columns.append(numpy.concatenate(parts))
    return Chunk(first.names, columns, first.nan_is_null, sum(chunk.count for chunk in chunks),
                 first.start, first.unnamed, first.hint)
