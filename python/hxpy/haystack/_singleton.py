"""Base of Haystack's three values that have one instance each."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

__all__ = ["Singleton"]

_Self = TypeVar("_Self", bound="Singleton")


class Singleton:
    """A class with one instance, which copies and pickles keep."""

    __slots__ = ()

    _instance: ClassVar[Singleton | None] = None

    def __new__(cls: type[_Self]) -> _Self:
        instance = cls.__dict__.get("_instance")
        if instance is None:
            instance = cls._instance = super().__new__(cls)
        return instance

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def __copy__(self: _Self) -> _Self:
        return self

    def __deepcopy__(self: _Self, memo: dict[int, Any]) -> _Self:
        return self
