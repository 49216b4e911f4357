"""Haystack's Remove: the value that takes a tag away in a diff (`None` in Haxall 4)."""

from __future__ import annotations

from ._singleton import Singleton

__all__ = ["Remove"]


class Remove(Singleton):
    """The removal of a tag; `Remove()` always is the one instance."""

    __slots__ = ()

    def __str__(self) -> str:
        return "remove"
