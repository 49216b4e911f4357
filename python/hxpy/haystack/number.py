"""Haystack's Number: an int or a float that may have a unit.

The rules:

- `Number(5, "kW")` is an IntNumber, a real int; `Number(5.5, "kW")` is a
  FloatNumber, a real float.  `.val` is the plain int or float, `.unit` the
  unit's symbol or None.
- Equality: two Numbers are equal if values and units are; NaN equals NaN
  (Haystack chapter, Number).  A Number equals a plain number only if it has no
  unit; a NaN equals no plain number.
- Order is by value.  Two different units cannot be ordered: TypeError.
- Arithmetic keeps the unit where it is beyond doubt, and gives plain numbers
  everywhere else:
    -x, +x, abs(x), round(x), floor, ceil, trunc     keep it
    x + y, x - y, x % y      keep it if both have the same
    x * 2, 2 * x, x / 2, x // 2, where 2 is plain    keep it
  So `2 / x`, `x * y`, `x / y`, `x ** 2`, `x + 1` and sum([x, y]), which begins
  with the plain 0, are plain.  numpy's scalars are plain numbers, on either side;
  numpy's and pandas' arrays take a Number for its value.
- A NaN has no unit (ValueError), also as a result.
- One case is Python's own and cannot be changed: a plain float on the left of an
  IntNumber does not ask it, so `2.0 * Number(5, "kW")` is 10.0 and
  `5.0 == Number(5, "kW")` is true.  Turned round both keep the rules.
- Units are kept as they are and not looked up: Haystack's database of units is open.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["FloatNumber", "IntNumber", "Number"]


class Number:
    """A number with a unit.  `Number(value, unit=None)` makes an IntNumber or a FloatNumber.

    value: int, float, Number, a number of numpy, or a Decimal that a float (or
    int) holds exactly.  unit: a symbol such as "kW" or "°F"; None or "" for none.
    Raises TypeError for other values (bool and Fraction too) and ValueError for a
    NaN with unit.  A Number does not change, and has no attributes besides.
    """

    __slots__ = ()
    # Between numpy's scalars (-1000000), which leave the operator to Number, and its arrays (0).
    __array_priority__ = -1.0
    _unit: str | None

    def __new__(cls, value: Any, unit: str | None = None) -> Any:
        if unit is None and isinstance(value, Number):
            unit = value.unit
        if unit is not None and not isinstance(unit, str):
            raise TypeError(f"a unit must be a str or None, not {type(unit).__name__}")
        kind = type(value)
        return _make(value if kind is float or kind is int else _plain(value), unit or None)

    @property
    def unit(self) -> str | None:
        """The unit's symbol, or None."""
        return self._unit

    @property
    def val(self) -> Any:
        """The plain int or float."""
        raise NotImplementedError

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f'a Number does not change: cannot set "{name}"')

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Number):
            mine, others = self.val, other.val
            same: bool = mine == others or (mine != mine and others != others)
            return same and self._unit == other._unit
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        return self._unit is None and bool(self.val == operand[0])

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        value = self.val
        if value != value:
            return hash((Number, "NaN"))
        return hash(value) if self._unit is None else hash((value, self._unit))

    def __repr__(self) -> str:
        return f"Number({self.val!r})" if self._unit is None \
            else f"Number({self.val!r}, {self._unit!r})"

    def __str__(self) -> str:
        return f"{self.val}{self._unit or ''}"

    def __format__(self, spec: str) -> str:
        """Format the value; without a format, value and unit."""
        return format(self.val, spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Number, (self.val, self._unit)

    def __copy__(self) -> Number:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Number:
        return self


class IntNumber(Number, int):
    """A Number that is an int.

    Python gives a subclass of int no slots: the Numbers of one unit share one __dict__.
    """

    def __new__(cls, value: Any, unit: str | None = None) -> Any:
        """Return Number(value, unit), whatever its class turns out to be."""
        return Number(value, unit)

    @property
    def val(self) -> int:
        return int.__int__(self)


class FloatNumber(Number, float):
    """A Number that is a float."""

    __slots__ = ("_unit",)

    def __new__(cls, value: Any, unit: str | None = None) -> Any:
        """Return Number(value, unit), whatever its class turns out to be."""
        return Number(value, unit)

    @property
    def val(self) -> float:
        return float.__float__(self)


def _plain(value: Any) -> int | float:
    """Return a value as a plain int or float, without loss."""
    if isinstance(value, Number):
        number: int | float = value.val
        return number
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return float(value)
    kind = type(value)
    if kind.__module__ == "decimal" and kind.__name__ == "Decimal":
        return _from_decimal(value)
    if kind.__module__ == "numpy" and kind.__name__.startswith(("float", "longdouble")):
        return float(value)
    if kind.__name__ not in ("bool", "bool_") and hasattr(value, "__index__"):
        return operator.index(value)
    raise TypeError(f"a Number must be a number, not {kind.__name__}")


def _from_decimal(value: Any) -> int | float:
    """Return a Decimal as an int or a float, which must hold it exactly."""
    if value.is_snan():
        raise ValueError("a signalling NaN is no number")
    if value.is_finite() and value == value.to_integral_value():
        return int(value)
    result = float(value)
    if value.is_finite() and type(value)(repr(result)) != value:
        raise ValueError(f"{value!r} has more digits than a float holds")
    return result


def _make(value: int | float, unit: str | None) -> Any:
    """Return the Number of a plain int or float."""
    number: Any
    if isinstance(value, int):
        number = int.__new__(IntNumber, value)
        object.__setattr__(number, "__dict__", _shared_dict(unit))
        return number
    if unit is not None and math.isnan(value):
        raise ValueError("a NaN has no unit")
    number = float.__new__(FloatNumber, value)
    _set_unit(number, unit)
    return number


# As object.__setattr__(number, "_unit", unit), without a look-up.
_set_unit = FloatNumber.__dict__["_unit"].__set__


@functools.lru_cache(maxsize=1024)
def _shared_dict(unit: str | None) -> dict[str, str | None]:
    """Return the __dict__ of all IntNumbers of a unit."""
    return {"_unit": unit}


# Operators -----------------------------------------------------------------


def _operand(value: Any) -> tuple[int | float, str | None] | None:
    """Return an operand's plain value and unit; None for what is no number."""
    if isinstance(value, Number):
        return value.val, value.unit
    if isinstance(value, (int, float)):
        return value, None
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and value.dtype.kind in "biuf":
        return float(value) if value.dtype.kind == "f" else int(value), None
    return None


def _with_unit(value: Any, unit: str | None) -> Any:
    """Return a result with the unit it keeps, as a plain number where it keeps none."""
    if unit is None or not isinstance(value, (int, float)) or value != value:
        return value
    return _make(value, unit)


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Number, *args: Any) -> Any:
        return _with_unit(function(self.val, *args), self.unit)
    return method


def _binary(function: Callable[[Any, Any], Any], rule: Callable[[Any, Any], str | None],
            swap: bool = False) -> Callable[[Number, Any], Any]:
    """Return an operator's method; rule tells the unit of left and right that stays."""
    def method(self: Number, other: Any) -> Any:
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        value, unit = operand
        if swap:
            return _with_unit(function(value, self.val), rule(unit, self.unit))
        return _with_unit(function(self.val, value), rule(self.unit, unit))
    return method


def _same(left: str | None, right: str | None) -> str | None:
    return left if left == right else None


def _scaled(left: str | None, right: str | None) -> str | None:
    return left or right if left is None or right is None else None


def _divided(left: str | None, right: str | None) -> str | None:
    return left if right is None else None


def _never(left: str | None, right: str | None) -> str | None:
    return None


def _comparison(function: Callable[[Any, Any], bool]) -> Callable[[Number, Any], bool]:
    def method(self: Number, other: Any) -> bool:
        operand = _operand(other)
        if operand is None:
            return NotImplemented   # type: ignore[no-any-return]
        value, unit = operand
        if self.unit is not None and unit is not None and self.unit != unit:
            raise TypeError(f'cannot order the units "{self.unit}" and "{unit}"')
        return function(self.val, value)
    return method


def _install() -> None:
    """Give Number its operators."""
    unary: dict[str, Callable[..., Any]] = {
        "neg": operator.neg, "pos": operator.pos, "abs": operator.abs, "round": round,
        "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc}
    binary = {"add": (operator.add, _same), "sub": (operator.sub, _same),
              "mod": (operator.mod, _same), "mul": (operator.mul, _scaled),
              "truediv": (operator.truediv, _divided), "floordiv": (operator.floordiv, _divided),
              "pow": (operator.pow, _never), "divmod": (divmod, _never)}
    for name, function in unary.items():
        setattr(Number, f"__{name}__", _unary(function))
    for name, (operation, rule) in binary.items():
        setattr(Number, f"__{name}__", _binary(operation, rule))
        setattr(Number, f"__r{name}__", _binary(operation, rule, swap=True))
    for name in ("lt", "le", "gt", "ge"):
        setattr(Number, f"__{name}__", _comparison(getattr(operator, name)))


_install()
