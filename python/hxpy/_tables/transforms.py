"""Types that travel as dicts and lists in functions with a TRANSFORM for them.

They cross as their text forms, in PLAIN columns; `extra` is the key in the tables below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..errors import ConversionError

__all__ = ["DECODERS", "ENCODERS"]

_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _from_jsonb(text: str) -> Any:
    """Return a jsonb's value, numbers as Decimal."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal) if text else None


def _to_jsonb(value: Any) -> str:
    """Return the JSON of dicts, lists, strings and numbers."""
    if value is None:
        return "null"
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps('' if key is None else str(key), ensure_ascii=False)}: "
                 f"{_to_jsonb(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return "[" + ", ".join(map(_to_jsonb, value)) + "]"
    if hasattr(value, "__float__") and hasattr(value, "__add__"):
        number = Decimal(str(value))
        if not number.is_finite():
            raise ConversionError("22003", "cannot convert "
                                  f"{'NaN' if number.is_nan() else 'infinity'} to jsonb")
        return str(number)
    raise ConversionError("0A000", f'Python type "{type(value)}" cannot be transformed '
                          "to jsonb", "Return dicts, lists, str, numbers, booleans and None.")


def _from_hstore(text: str) -> dict[str, str | None]:
    """Return a hstore's pairs."""
    return {_ESCAPED.sub(r"\1", key): None if value is None else _ESCAPED.sub(r"\1", value)
            for key, value in (match.group(1, 2) for match in _PAIR.finditer(text))}


def _to_hstore(value: Any) -> str:
    if not isinstance(value, Mapping):
        raise ConversionError("42809", f'Python type "{type(value).__name__}" is no mapping, as '
                              "hstore needs", "Return a dict.")
    return ", ".join(f"{_quote(str(key))}=>{'NULL' if item is None else _quote(str(item))}"
                     for key, item in value.items())


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _from_ltree(text: str) -> list[str]:
    """Return an ltree's labels."""
    return text.split(".") if text else []


def _to_ltree(value: Any) -> str:
    """Return an ltree of its labels, or of its text."""
    return ".".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


DECODERS: dict[str, Callable[[str], Any]] = {
    "int": lambda text: int(text or 0), "jsonb": _from_jsonb, "hstore": _from_hstore,
    "ltree": _from_ltree,
}
ENCODERS: dict[str, Callable[[Any], str]] = {
    "jsonb": _to_jsonb, "hstore": _to_hstore, "ltree": _to_ltree,
}
