"""Haystack's Symbol: the name of a definition, such as ^site or ^hot-water."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Symbol"]

_ID = re.compile(r"[A-Za-z0-9_:.~-]+").fullmatch


class Symbol:
    """A symbol, stored without "^": "site", "hot-water" (conjunct), "lib:ph" (key).

    Raises TypeError for what is not a str, ValueError for an id with
    characters outside of [A-Za-z0-9_:.~-].
    """

    __slots__ = ("_id",)

    def __init__(self, id: str) -> None:
        if not isinstance(id, str):
            raise TypeError(f"a Symbol's id must be a str, not {type(id).__name__}")
        if not _ID(id):
            raise ValueError(f"{id!r} is no Symbol: it may hold letters, digits and _:.~- only"
                             + (", and no ^ in front" if id.startswith("^") else ""))
        self._id = id

    def id(self) -> str:
        """Return the id, without "^"."""
        return self._id

    def __str__(self) -> str:
        return self._id

    def __repr__(self) -> str:
        return f"Symbol({self._id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbol):
            return NotImplemented
        return self._id == other._id

    def __lt__(self, other: Symbol) -> bool:
        return self._id < other._id if isinstance(other, Symbol) else NotImplemented

    def __le__(self, other: Symbol) -> bool:
        return self._id <= other._id if isinstance(other, Symbol) else NotImplemented

    def __gt__(self, other: Symbol) -> bool:
        return self._id > other._id if isinstance(other, Symbol) else NotImplemented

    def __ge__(self, other: Symbol) -> bool:
        return self._id >= other._id if isinstance(other, Symbol) else NotImplemented

    def __hash__(self) -> int:
        return hash((Symbol, self._id))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._id,)
