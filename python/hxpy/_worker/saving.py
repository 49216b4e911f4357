"""Values that last: written as bytes that any later session reads (docs/models.md).

The form: a magic and the number of the form, then blocks.  A block is a head (how many
bytes it holds, how many follow, their CRC-32) and these bytes, packed by zlib where that
is smaller.  The first block is JSON: `python` and `versions` of the libraries that made
the value, and `lengths`: of its pickle, then of the large arrays that stand outside of it
(PEP 574).  All these follow, each in blocks of its own.

So neither end needs memory for more than the pickle and one block beside the value.
"""

from __future__ import annotations

import importlib
import io
import json
import pickle
import platform
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from .._tables.wire import Buffer
from ..errors import HxpyError

__all__ = ["Loader", "pieces"]

_MAGIC = b"\x89hxpy\r\n"
_FORM = b"\x01"
_HEAD = struct.Struct("<III")
_BLOCK = 1 << 19        # bytes; a piece goes in one frame, which the smallest hxpy.max_frame_size allows
_SAMPLE = 1 << 15       # of a block: what does not shrink by a tenth in it is left as it is
_LARGE = 1 << 16        # of an array that stands outside of the pickle
_LEVEL = 1              # of zlib: the others take many times as long for a tenth less


# Writing -------------------------------------------------------------------


def pieces(value: Any) -> Iterator[bytes]:
    """Yield the bytes of a value, in pieces of at most about half a megabyte.

    Whatever its pickling raises passes through; 0A000 where the image cannot pickle the
    session's own functions and classes.
    """
    stream = io.BytesIO()
    arrays: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        """Keep a large array for later; return whether it goes into the pickle instead."""
        raw = buffer.raw()
        if raw.nbytes >= _LARGE:
            arrays.append(raw)
        return raw.nbytes < _LARGE

    modules = _dump(value, stream, keep)
    parts = [stream.getbuffer(), *arrays]
    made = {"python": platform.python_version(), "versions": _versions(modules),
            "lengths": [part.nbytes for part in parts]}
    yield _MAGIC + _FORM + _block(json.dumps(made).encode())
    for part in parts:
        for start in range(0, part.nbytes, _BLOCK):
            yield _block(part[start:start + _BLOCK])


def _dump(value: Any, stream: io.BytesIO,
          keep: Callable[[pickle.PickleBuffer], bool]) -> set[str]:
    """Pickle a value; return the names of the modules that its parts come from."""
    modules: set[str] = set()

    class Pickler(_pickler()):      # type: ignore[misc]
        def reducer_override(self, part: Any) -> Any:
            if isinstance(part, ModuleType):
                modules.add(part.__name__)
            else:
                named = isinstance(part, (type, FunctionType, BuiltinFunctionType))
                modules.add(str((part if named else type(part)).__module__))
            return super().reducer_override(part)

    Pickler(stream, protocol=5, buffer_callback=keep).dump(value)
    return modules


def _pickler() -> Any:
    """Return cloudpickle's Pickler: functions and classes of `__main__` go as what they are."""
    try:
        from cloudpickle import Pickler
    except ImportError:
        try:
            from joblib.externals.cloudpickle import Pickler
        except ImportError:
            raise HxpyError("0A000", "the session's image has no cloudpickle", "",
                            "Install python3-cloudpickle in the image.") from None
    return Pickler


def _versions(modules: set[str]) -> dict[str, str]:
    """Return the versions of the libraries that modules belong to, as far as they tell."""
    libraries = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    versions = {name: getattr(sys.modules.get(name), "__version__", None) for name in libraries}
    return {name: text for name, text in sorted(versions.items()) if isinstance(text, str)}


def _block(data: Buffer) -> bytes:
    """Return a block of bytes, packed where that is smaller."""
    sample = data[:_SAMPLE]
    stored: Buffer = data
    if len(zlib.compress(sample, _LEVEL)) < 0.9 * len(sample):
        stored = min(zlib.compress(data, _LEVEL), data, key=len)
    return b"".join((_HEAD.pack(len(data), len(stored), zlib.crc32(stored)), stored))


# Reading -------------------------------------------------------------------


class Loader:
    """Takes a saved value's bytes as they come, cut anywhere, and gives the value at the end.

    What is no saved value, or is damaged, raises HxpyError (22P03).
    """

    def __init__(self) -> None:
        self._rest = bytearray()    # of what has come: no whole block yet
        self._begun = False
        self._made: dict[str, Any] = {}
        self._parts: list[bytearray] = []   # the pickle and its arrays
        self._part = 0              # which of them is being filled
        self._filled = 0            # bytes in it

    def add(self, data: Buffer) -> None:
        """Take the next bytes."""
        self._rest += data
        if not self._begun and not self._begin():
            return
        position = 0
        while len(self._rest) - position >= _HEAD.size:
            length, stored, check = _HEAD.unpack_from(self._rest, position)
            if not 0 < stored <= length or length > _BLOCK and self._parts:
                raise _damaged()
            start = position + _HEAD.size
            if len(self._rest) - start < stored:
                break
            position = start + stored
            self._take(_unpack(self._rest[start:position], length, check))
        del self._rest[:position]

    def _begin(self) -> bool:
        """Read the magic and the form; return whether they are there whole."""
        size = len(_MAGIC) + len(_FORM)
        if not self._rest.startswith(_MAGIC[:len(self._rest)]):
            raise HxpyError("22P03", "the data is no saved Python value", "",
                            "Give what py_save or py_save_lo has returned.")
        if len(self._rest) < size:
            return False
        if self._rest[len(_MAGIC):size] != _FORM:
            raise HxpyError("22P03", "the saved Python value has a form that this image does not know",
                            "", "Load it in a session of the image that has saved it.")
        del self._rest[:size]
        self._begun = True
        return True

    def _take(self, block: bytes) -> None:
        """Put a block where it belongs: the first one tells what follows."""
        if not self._parts:
            try:
                self._made = json.loads(block)
                self._parts = [bytearray(length) for length in self._made["lengths"]]
            except (ValueError, TypeError, KeyError, OverflowError):
                raise _damaged() from None
            return
        end = self._filled + len(block)
        if self._part == len(self._parts) or end > len(self._parts[self._part]):
            raise _damaged()
        self._parts[self._part][self._filled:end] = block
        self._filled = end
        if end == len(self._parts[self._part]):
            self._part += 1
            self._filled = 0

    def finish(self) -> None:
        """Make sure that the value is whole."""
        if self._rest or not self._parts or self._part < len(self._parts):
            raise _damaged()

    def differences(self) -> tuple[str, str]:
        """Return what the value was made with that is another here, and what is here; or "", "".

        Python counts without its third number, in which nothing changes that is pickled.
        """
        here = {"Python": _minor(platform.python_version())}
        made = {"Python": _minor(self._made["python"])}
        for name, version in self._made["versions"].items():
            made[name] = version
            here[name] = _version_here(name)
        others = [name for name in made if made[name] != here[name]]
        return (", ".join(f"{name} {made[name]}" for name in others),
                ", ".join(f"{name} {here[name]}" if here[name] else f"no {name}" for name in others))

    def value(self) -> Any:
        """Return the value; whatever its reading raises passes through."""
        pickled, *arrays = self._parts
        return pickle.loads(pickled, buffers=arrays)


def _unpack(stored: Buffer, length: int, check: int) -> bytes:
    """Return the bytes that a block holds."""
    if zlib.crc32(stored) != check:
        raise _damaged()
    if len(stored) == length:
        return bytes(stored)
    try:
        data = zlib.decompress(stored)
    except zlib.error:
        raise _damaged() from None
    if len(data) != length:
        raise _damaged()
    return data


def _damaged() -> HxpyError:
    """Return the error of bytes that are not those that were saved."""
    return HxpyError("22P03", "the saved Python value is damaged",
                     "It is cut off, or its bytes are not those that were saved.")


def _minor(version: str) -> str:
    """Return a version of Python without its third number."""
    return ".".join(version.split(".")[:2])


def _version_here(name: str) -> str:
    """Return the version of a library, "" where there is none."""
    try:
        return str(getattr(importlib.import_module(name), "__version__", ""))
    except Exception:
        return ""       # reading the value will say why
