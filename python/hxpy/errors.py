"""Errors that carry an SQLSTATE to the server.

HxpyError
    ConversionError     a value that has no place in the type asked for
"""

from __future__ import annotations

__all__ = ["ConversionError", "HxpyError"]


class HxpyError(Exception):
    """An error of hxpy itself: SQLSTATE, message and, if any, detail and hint.

    The server accepts an SQLSTATE only from its own list (src/error.c).
    """

    def __init__(self, sqlstate: str, message: str, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint


class ConversionError(HxpyError):
    """A Python value does not fit the SQL type; `path` leads to it from the outside in."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(sqlstate, message, "", hint)
        self.path: list[str] = []

    def within(self, step: str) -> ConversionError:
        """Add the step that led here ("[3]" or ".name") and return the error."""
        self.path.insert(0, step)
        self.detail = f"The value stands at {''.join(self.path)} of the result."
        return self
