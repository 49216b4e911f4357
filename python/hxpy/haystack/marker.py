"""Haystack's Marker: the value of a tag that is merely there."""

from __future__ import annotations

from ._singleton import Singleton

__all__ = ["Marker"]


class Marker(Singleton):
    """The marker; `Marker()` always is the one instance."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the check mark that Haxall prints."""
        return "✓"
