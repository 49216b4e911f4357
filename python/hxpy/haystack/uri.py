"""Haystack's Uri: a str of its own kind."""

from __future__ import annotations

__all__ = ["Uri"]


class Uri(str):
    """A URI.  It is a str, equal to the str of the same text, but keeps its kind in the codecs.

    Nothing is checked or escaped: Haystack allows any string.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Uri:
        if not isinstance(value, str):
            raise TypeError(f"a Uri must be a str, not {type(value).__name__}")
        return super().__new__(cls, value)

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"
