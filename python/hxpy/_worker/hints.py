"""What to do next: the HINT of a Python error at which people stumble."""

from __future__ import annotations

import errno
import linecache
import os

__all__ = ["next_step"]

_IO = "/io"


def next_step(error: BaseException, image: str) -> str:
    """Return the HINT of a user's exception, "" for none.  image: the session's."""
    if isinstance(error, SyntaxError):
        return _of_statement(error)
    if isinstance(error, ModuleNotFoundError):
        name = f'The image "{image}"' if image else "The session's image"
        return (f"{name} does not have it; py_packages() lists what it has. Make an image of it that has "
                "the package, too, and open the session with py_open(image => ...).")
    return _of_file(error) if isinstance(error, OSError) else ""


def _of_statement(error: SyntaxError) -> str:
    """Return the HINT for a statement in the place of an expression."""
    name = error.filename or ""
    source = "".join(linecache.getlines(name))
    if not name.startswith("<py_eval ") or not source.strip():
        return ""
    try:
        compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return ""
    return "It is a statement, not an expression: run it with py_exec."


def _of_file(error: OSError) -> str:
    """Return the HINT for a file that cannot be had, or can grow no more."""
    if error.errno in (errno.ENOSPC, errno.EFBIG):
        return ("Remove files that are not needed, such as what is left of one that could not be "
                "written whole. hxpy.tmp_size limits /tmp and the largest file; what lies in /tmp "
                "counts as the session's memory.")
    path = error.filename
    if not isinstance(path, str) or path != _IO and not path.startswith(f"{_IO}/"):
        return ""
    if not os.path.ismount(_IO):
        return "The server gives sessions no files in /io: hxpy.io_directory is not set."
    if error.errno == errno.EROFS:
        return "Python may only read in /io while hxpy.io_mode is read-only; SQL writes by py_io_write."
    return ""
