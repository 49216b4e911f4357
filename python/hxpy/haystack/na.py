"""Haystack's NA: a value that exists but is not available."""

from __future__ import annotations

from ._singleton import Singleton

__all__ = ["NA"]


class NA(Singleton):
    """Not available; `NA()` always is the one instance.  Not the same as None."""

    __slots__ = ()

    def __str__(self) -> str:
        return "NA"
