"""Haystack's Coord: a place on the earth."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["Coord"]

_TEXT = re.compile(r"C\(\s*(-?[0-9.]+)\s*,\s*(-?[0-9.]+)\s*\)").fullmatch


class Coord:
    """Latitude and longitude in degrees, WGS 84, kept as whole micro-degrees.

    Degrees are rounded to the nearest micro-degree (about 0.1 m), which is
    Haystack's resolution.  Raises ValueError outside of ±90 and ±180 degrees.
    """

    __slots__ = ("_ulat", "_ulng")

    def __init__(self, lat: float, lng: float) -> None:
        self._ulat = _micro("lat", lat, 90)
        self._ulng = _micro("lng", lng, 180)

    @classmethod
    def from_micro(cls, ulat: int, ulng: int) -> Coord:
        """Return the Coord of whole micro-degrees."""
        return cls(ulat / 1_000_000, ulng / 1_000_000)

    _makeu = from_micro  # hxPy's name

    @classmethod
    def unpack(cls, bits: int) -> Coord:
        """Return the Coord of 64 bits, as Brio has it: micro-degrees from the south pole and
        from the 180th meridian, 32 bits each."""
        return cls.from_micro((bits >> 32 & 0xffff_ffff) - 90_000_000,
                              (bits & 0xffff_ffff) - 180_000_000)

    @classmethod
    def from_str(cls, text: str) -> Coord:
        """Return the Coord of a text such as "C(37.54,-77.44)"; ValueError if it is none."""
        match = _TEXT(text)
        if not match:
            raise ValueError(f"{text!r} is no coordinate: expected C(lat,lng)")
        return cls(float(match[1]), float(match[2]))

    @property
    def lat(self) -> float:
        """Latitude in degrees, north positive."""
        return self._ulat / 1_000_000

    @property
    def lng(self) -> float:
        """Longitude in degrees, east positive."""
        return self._ulng / 1_000_000

    @property
    def ulat(self) -> int:
        """Latitude in micro-degrees."""
        return self._ulat

    @property
    def ulng(self) -> int:
        """Longitude in micro-degrees."""
        return self._ulng

    def __str__(self) -> str:
        return f"C({_degrees(self._ulat)},{_degrees(self._ulng)})"

    def __repr__(self) -> str:
        return f"Coord({_degrees(self._ulat)}, {_degrees(self._ulng)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coord):
            return NotImplemented
        return self._ulat == other._ulat and self._ulng == other._ulng

    def __hash__(self) -> int:
        return hash((Coord, self._ulat, self._ulng))

    def __reduce__(self) -> tuple[Any, ...]:
        return Coord.from_micro, (self._ulat, self._ulng)


def _micro(name: str, degrees: float, limit: int) -> int:
    """Return degrees as whole micro-degrees within ±limit degrees."""
    if isinstance(degrees, (bool, str, bytes)):
        raise TypeError(f"a Coord's {name} must be a number, not {type(degrees).__name__}")
    value = float(degrees)
    if not math.isfinite(value) or abs(micro := round(value * 1_000_000)) > limit * 1_000_000:
        raise ValueError(f"a Coord's {name} must be within ±{limit} degrees, not {degrees}")
    return micro


def _degrees(micro: int) -> str:
    """Return micro-degrees as degrees, exactly, with at least one decimal as Haxall writes."""
    whole, fraction = divmod(abs(micro), 1_000_000)
    return f"{'-' if micro < 0 else ''}{whole}.{f'{fraction:06}'.rstrip('0') or '0'}"
