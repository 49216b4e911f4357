"""What several codecs share."""

from __future__ import annotations

import binascii
import sys
from collections.abc import Callable
from typing import Any

from .haystack.xstr import XStr

__all__ = ["check_surrogates", "check_xstr", "is_clean", "is_grid", "read_xstr", "to_text",
           "unlimited"]


def unlimited(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function without Python's limit of an integer's digits; jsonb has its own.

    To be called while the ValueError of that limit is handled.
    """
    limit = sys.get_int_max_str_digits()
    if not limit:  # it was another ValueError
        raise
    sys.set_int_max_str_digits(0)
    try:
        return function(*args)
    finally:
        sys.set_int_max_str_digits(limit)


def to_text(text: str | bytes | bytearray, error: type[ValueError]) -> str:
    """Return a document as a str with newlines `\\n`."""
    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as failure:
            raise error(f"not UTF-8: {failure}") from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff")


def check_surrogates(text: str, error: type[ValueError]) -> None:
    """Raise an error if a text cannot be UTF-8."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise error("a str with a lone surrogate cannot be written") from None


def is_clean(text: str) -> bool:
    """Return whether a JSON text is free of NUL and lone surrogates; False may be a false alarm."""
    if "\\u0000" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_xstr(type: str, value: str) -> XStr | bytes:
    """Return an XStr, or the bytes of `Buf` in base64: Haxall's are no base64."""
    if type == "Buf":
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            pass
    return XStr(type, value)


def check_xstr(value: XStr, error: type[ValueError]) -> None:
    """Raise an error if an XStr would be read as bytes."""
    if value.type == "Buf" and isinstance(read_xstr("Buf", value.val), bytes):
        raise error('an XStr of type "Buf" in base64 would be read as bytes')


def is_grid(tree: dict[str, Any]) -> bool:
    """Return whether an object that does not say so is a grid."""
    cols, rows = tree.get("cols"), tree.get("rows")
    return isinstance(cols, list) and isinstance(rows, list) \
        and all(isinstance(row, dict) for row in rows) \
        and all(isinstance(col, str)
                or isinstance(col, dict) and isinstance(col.get("name"), str) for col in cols)
