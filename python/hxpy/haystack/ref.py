"""Haystack's Ref: the identifier of an entity."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Ref"]

# haystack.md section 1: what Fantom's Ref.isIdChar lets through.
_ID = re.compile(r"[A-Za-z0-9_:.~-]+").fullmatch


class Ref:
    """A reference: an id (stored without "@") and, if any, a display string.

    Two Refs are equal, hash alike and order by their ids only; the display
    string does not count.  id() and dis() are methods, as in hxPy.

    Raises TypeError for what is not a str, ValueError for an id with
    characters outside of [A-Za-z0-9_:.~-].
    """

    __slots__ = ("_id", "_dis")

    def __init__(self, id: str, dis: str | None = None) -> None:
        if not isinstance(id, str):
            raise TypeError(f"a Ref's id must be a str, not {type(id).__name__}")
        if not _ID(id):
            raise ValueError(f"{id!r} is no Ref id: it may hold letters, digits and _:.~- only"
                             + (", and no @ in front" if id.startswith("@") else ""))
        if dis is not None and not isinstance(dis, str):
            raise TypeError(f"a Ref's dis must be a str or None, not {type(dis).__name__}")
        self._id = id
        self._dis = dis

    @classmethod
    def make_handle(cls, handle: int) -> Ref:
        """Return the Ref whose id is a handle of Haxall's, 64 bits: "1deb31b8-7508b187"."""
        return cls(f"{handle >> 32 & 0xffff_ffff:08x}-{handle & 0xffff_ffff:08x}")

    def id(self) -> str:
        """Return the id, without "@"."""
        return self._id

    def dis(self) -> str | None:
        """Return the display string, or None."""
        return self._dis

    def __str__(self) -> str:
        return self._id

    def __repr__(self) -> str:
        return f"Ref({self._id!r})" if self._dis is None else f"Ref({self._id!r}, {self._dis!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self._id == other._id

    def __lt__(self, other: Ref) -> bool:
        return self._id < other._id if isinstance(other, Ref) else NotImplemented

    def __le__(self, other: Ref) -> bool:
        return self._id <= other._id if isinstance(other, Ref) else NotImplemented

    def __gt__(self, other: Ref) -> bool:
        return self._id > other._id if isinstance(other, Ref) else NotImplemented

    def __ge__(self, other: Ref) -> bool:
        return self._id >= other._id if isinstance(other, Ref) else NotImplemented

    def __hash__(self) -> int:
        return hash((Ref, self._id))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._id, self._dis)
