"""Haystack's XStr: a typed string for kinds that Haystack itself does not know."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["XStr"]

_TYPE = re.compile(r"[A-Z][A-Za-z0-9_]*").fullmatch


class XStr:
    """A type name ([A-Z][A-Za-z0-9_]*) and a text: XStr("Span", "today").

    Raises TypeError for what is not a str, ValueError for an illegal type name.
    """

    __slots__ = ("_type", "_val")

    def __init__(self, type: str, val: str) -> None:
        if not isinstance(type, str) or not isinstance(val, str):
            raise TypeError("an XStr takes two str: its type and its value")
        if not _TYPE(type):
            raise ValueError(f"{type!r} is no XStr type: a capital letter, then letters, digits, _")
        self._type = type
        self._val = val

    @property
    def type(self) -> str:
        """The name of the type."""
        return self._type

    @property
    def val(self) -> str:
        """The text."""
        return self._val

    def __repr__(self) -> str:
        return f"XStr({self._type!r}, {self._val!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, XStr):
            return NotImplemented
        return self._type == other._type and self._val == other._val

    def __hash__(self) -> int:
        return hash((XStr, self._type, self._val))

    def __reduce__(self) -> tuple[Any, ...]:
        return XStr, (self._type, self._val)
