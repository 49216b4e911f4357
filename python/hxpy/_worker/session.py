"""A session: the user's namespace, and running code in it."""

from __future__ import annotations

import ast
import builtins
import keyword
import linecache
import sys
import textwrap
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Error, HxpyError, SQLError

__all__ = ["PACKAGE", "Session", "dedent", "describe_exception"]

PACKAGE = __file__.rpartition("/_worker/")[0] + "/"     # what starts its files' names

# What runs the user's code, or asks for it: no part of tracebacks.
_MACHINERY = tuple(PACKAGE + name for name in ("__init__.py", "plpy.py", "_worker/"))
_CACHED_SOURCES = 256       # compiled sources kept
_CACHED_LENGTH = 65536      # longer sources are compiled each time
_KNOWN_SOURCES = 1024       # sources whose lines tracebacks show
_TRACEBACK_LENGTH = 8192    # characters
_GROUP_MEMBERS = 15         # of an ExceptionGroup that are shown, as Python does
_GROUP_DEPTH = 10


class Session:
    """A named Python namespace, seen by the user's code as module `__main__`."""

    def __init__(self) -> None:
        self.module = types.ModuleType("__main__")
        self.namespace = self.module.__dict__
        self.namespace["__builtins__"] = builtins
        sys.modules["__main__"] = self.module
        self._compiled: OrderedDict[tuple[str, str], types.CodeType] = OrderedDict()
        self._sources = 0
        self._filenames: deque[str] = deque()

    def define(self, name: str, value: Any) -> None:
        """Set a variable; a name that Python would not take is an error (42602)."""
        self.check_name(name)
        self.namespace[name] = value

    def check_name(self, name: str) -> None:
        """Raise an error (42602) for a name that Python would not take."""
        if not name.isidentifier() or keyword.iskeyword(name):
            raise HxpyError("42602", f'invalid Python variable name "{name}"', "",
                            "A name has letters, digits and _, no digit in front, "
                            "and is no keyword of Python.")

    def undefine(self, name: str) -> Any:
        """Forget a variable, if it is there, and return its value."""
        return self.namespace.pop(name, None)

    def execute(self, source: str) -> None:
        """Run statements; whatever they raise passes through."""
        exec(self.compile(source, "exec"), self.namespace)

    def run(self, source: str) -> Any:
        """Run statements; return the last one's value if it is an expression, else None.

        A semicolon after it leaves that out, as in notebooks.
        """
        code = self.compile(source, "exec")
        text = dedent(source)
        tree: Any = compile(text, code.co_filename, "exec", int(ast.PyCF_ONLY_AST), True)
        last = tree.body.pop() if tree.body else None
        if not isinstance(last, ast.Expr) or _has_semicolon(text, last):
            exec(code, self.namespace)
            return None
        exec(compile(tree, code.co_filename, "exec", dont_inherit=True), self.namespace)
        return eval(compile(ast.Expression(last.value), code.co_filename, "eval",
                            dont_inherit=True), self.namespace)

    def evaluate(self, source: str) -> Any:
        """Return an expression's value; whatever it raises passes through."""
        return eval(self.compile(source, "eval"), self.namespace)

    def callable(self, source: str) -> Callable[..., Any]:
        """Return the callable that an expression gives (42809: it is none)."""
        try:
            value = self.evaluate(source)
        except NameError as error:
            if source.strip() != error.name:
                raise
            raise HxpyError("42883", f"NameError: {error}", "",
                            "Define it first, with py_exec in the same session.") from None
        if not callable(value):
            raise HxpyError("42809", f"Python type \"{type(value).__name__}\" is not callable")
        function: Callable[..., Any] = value
        return function

    def compile(self, source: str, mode: str, keep: bool = True) -> types.CodeType:
        """Compile a source once, under a file name of its own for tracebacks.

        keep: keep the code; otherwise the caller does.
        """
        code = self._compiled.get((mode, source)) if keep else None
        if code is not None:
            return code
        text = source.strip() if mode == "eval" else dedent(source)
        self._sources += 1
        filename = f"<py_{mode} {self._sources}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        self._filenames.append(filename)
        if len(self._filenames) > _KNOWN_SOURCES:
            linecache.cache.pop(self._filenames.popleft(), None)
        code = compile(text, filename, mode, dont_inherit=True)
        if keep and len(source) <= _CACHED_LENGTH:
            self._compiled[mode, source] = code
            if len(self._compiled) > _CACHED_SOURCES:
                self._compiled.popitem(last=False)
        return code


def _has_semicolon(text: str, statement: ast.stmt) -> bool:
    """Return whether a semicolon follows a statement."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = lines[(statement.end_lineno or 1) - 1]
    return line.encode()[statement.end_col_offset:].lstrip().startswith(b";")


def dedent(source: str) -> str:
    """Remove the common indentation when the first line of code is indented."""
    for line in source.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return textwrap.dedent(source) if line[0] in " \t" else source
    return source


def describe_exception(error: BaseException) -> tuple[str, str]:
    """Return (message, traceback) of a user's exception.

    The message is "Type: text".  The traceback holds the frames of the user's
    code and what it called, not hxpy's own, with source lines; causes and
    contexts come before it as in Python's own print, the members of an
    ExceptionGroup after it.
    """
    import traceback

    try:
        message = "".join(traceback.format_exception_only(type(error), error)).rstrip("\n")
        location = ""
        if isinstance(error, SyntaxError):
            location = message.rpartition("\n")[0]
            message = f"{type(error).__name__}: {error.msg}"
        chain = list(_chain(error))
        parts = []
        for link, connection in chain:
            frames = _user_frames(link)
            text = "".join(traceback.format_list(traceback.StackSummary.extract(frames)))
            if link is not error:
                only = "".join(traceback.format_exception_only(type(link), link))
                parts.append(f"Python traceback (most recent call last):\n{text}{only}\n"
                             f"{connection}\n")
            else:
                body = text + location
                if body.strip():
                    parts.append(f"Python traceback (most recent call last):\n{body}")
        parts.extend(_members(error, ""))
        context = "\n".join(part.rstrip("\n") for part in parts)
    except Exception as failure:    # a __str__ of the user's that fails
        return f"{type(error).__name__}: <{type(failure).__name__} in its text>", ""
    if len(context) > _TRACEBACK_LENGTH:
        half = _TRACEBACK_LENGTH // 2
        context = context[:half] + "\n  ...\n" + context[-half:]
    if len(message) > _TRACEBACK_LENGTH:
        message = message[:_TRACEBACK_LENGTH] + "..."
    return message, context


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield causes and contexts, the first one first, each with the sentence that follows it."""
    links: list[tuple[BaseException, str]] = [(error, "")]
    seen = {id(error)}
    while len(links) < 16:
        last = links[-1][0]
        if last.__cause__ is not None:
            link, text = last.__cause__, "The above exception was the direct cause of:"
        elif last.__context__ is not None and not last.__suppress_context__:
            link, text = last.__context__, "During its handling, another exception occurred:"
        else:
            break
        if id(link) in seen:
            break
        seen.add(id(link))
        links.append((link, text))
    return reversed(links)


def _members(error: BaseException, place: str) -> Iterator[str]:
    """Yield the text of each member of an ExceptionGroup, and of the groups among them."""
    import traceback

    if not isinstance(error, BaseExceptionGroup):
        return
    for number, member in enumerate(error.exceptions, 1):
        if number > _GROUP_MEMBERS or place.count(".") >= _GROUP_DEPTH:
            yield f"Exceptions {place}{number} to {place}{len(error.exceptions)} are left out."
            return
        frames = "".join(traceback.format_list(
            traceback.StackSummary.extract(_user_frames(member))))
        only = "".join(traceback.format_exception_only(type(member), member))
        yield f"Exception {place}{number} of the group:\n{frames}{only}"
        yield from _members(member, f"{place}{number}.")


def _user_frames(error: BaseException) -> Iterator[tuple[types.FrameType, int]]:
    """Yield the traceback's frames but for those of hxpy that lead to the user's code.

    Of a query's error nor those that have raised it, and none of what asks for SQL.
    """
    import traceback

    inside = False
    for frame, line in traceback.walk_tb(error.__traceback__):
        own = frame.f_code.co_filename.startswith(PACKAGE)
        inside = inside or not own
        if inside and not (own and (isinstance(error, (Error, SQLError)) or
                                    frame.f_code.co_filename.startswith(_MACHINERY))):
            yield frame, line
