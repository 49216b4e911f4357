"""Imports that an interrupt meets: which of them end first, and what the others leave.

Python takes the module that an exception breaks off out of sys.modules, but not the
modules under it that are complete.  The next import meets these without their parent,
and fails.  So they are forgotten, too.  That does not do for what can be loaded only
once in a process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import _bootstrap, machinery
from types import FrameType

__all__ = ["broken_off", "forget", "must_end"]

# numpy's core refuses to be loaded again; hxpy's modules know each other's classes.
_ONCE = ("hxpy", "numpy")
_MACHINERY = "<frozen importlib._bootstrap"     # both parts of it
_LOAD = _bootstrap._load_unlocked.__code__      # type: ignore[attr-defined]


def _loads(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the calls under way that load a module, the innermost first."""
    while frame is not None:
        if frame.f_code is _LOAD:
            yield frame
        frame = frame.f_back


def must_end(frame: FrameType) -> bool:
    """Tell whether what runs in a frame is part of an import that must not be broken off.

    That is a module that can be loaded only once, C code that sets itself up, and
    Python's own bookkeeping.
    """
    if frame.f_code.co_filename.startswith(_MACHINERY):
        return True
    for load in _loads(frame):
        spec = load.f_locals["spec"]
        if (spec.name.partition(".")[0] in _ONCE
                or isinstance(spec.loader, machinery.ExtensionFileLoader)):
            return True
    return False


def broken_off(frame: FrameType) -> list[str]:
    """Return the names of the modules whose import an exception in a frame breaks off."""
    return [load.f_locals["spec"].name for load in _loads(frame)]


def forget(names: list[str]) -> None:
    """Forget what is complete under modules that were broken off, so that they load anew."""
    roots = tuple(name + "." for name in names if name not in sys.modules)
    for name in list(sys.modules):      # other threads import, too
        if name.startswith(roots):
            sys.modules.pop(name, None)
