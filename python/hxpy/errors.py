"""Errors that carry an SQLSTATE to the server.

HxpyError
    ConversionError     a value that has no place in the type asked for
SQLError                an error of a query that Python has run
    SPIError            so, by its condition: plpy.spiexceptions
Error, Fatal            errors that plpy.error and plpy.fatal raise
"""

from __future__ import annotations

from typing import Any

__all__ = ["OBJECT_FIELDS", "ConversionError", "Error", "Fatal", "HxpyError", "SPIError",
           "SQLError", "way_out"]

# The names of an object that an error or a message is about, in the order of the frames.
OBJECT_FIELDS = ("schema_name", "table_name", "column_name", "datatype_name", "constraint_name")

# What a value of a type without a mapping can be turned into, by the type's package and name.
_WAYS_OUT = {
    ("builtins", "type"): "It is a type, not a value: use its __name__ or its str().",
    ("builtins", "function"): "It is a function: call it, with ().",
    ("builtins", "method"): "It is a method: call it, with ().",
    ("builtins", "builtin_function_or_method"): "It is a function: call it, with ().",
    ("pandas", "Period"): "Use its start_time, or its str(); of a column .dt.start_time or "
                          ".astype(str).",
    ("pandas", "Interval"): "Use its left and right, or its str(); of a column .astype(str).",
}


class HxpyError(Exception):
    """An error of hxpy itself: SQLSTATE, message and, if any, detail and hint.

    The server accepts an SQLSTATE only from its own list (src/session/error.c).
    """

    def __init__(self, sqlstate: str, message: str, detail: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint


def way_out(kind: type) -> str:
    """Return the HINT for a type without a mapping; "" if there is none."""
    if kind.__module__.startswith("scipy.sparse"):
        return "Make it dense: use its toarray()."
    if kind.__module__ == "numpy.dtypes":
        return "It is a dtype, not a value: use its str()."
    return _WAYS_OUT.get((kind.__module__.partition(".")[0], kind.__qualname__), "")


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


class SQLError(Exception):
    """An error of a query that Python has run, with the server's fields; "" for none.

    position: of the error in the query, from 1, 0 for none.  Not caught, it leaves the
    call as the error of the query.
    """

    def __init__(self, *, sqlstate: str, message: str, detail: str = "", hint: str = "",
                 context: str = "", query: str = "", position: str = "0", schema_name: str = "",
                 table_name: str = "", column_name: str = "", datatype_name: str = "",
                 constraint_name: str = "", number: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.context = context
        self.query = query
        self.position = int(position)
        self.schema_name = schema_name
        self.table_name = table_name
        self.column_name = column_name
        self.datatype_name = datatype_name
        self.constraint_name = constraint_name
        self._number = number   # by which the server knows it again


class SPIError(SQLError):
    """An error of SQL by its condition; one that the user raises may have any arguments."""

    sqlstate = "38000"

    def __init__(self, *args: Any, **fields: str) -> None:
        fields.setdefault("sqlstate", type(self).sqlstate)
        fields.setdefault("message", str(args[0]) if args else "")
        super().__init__(**fields)
        self.args = args or (self.message,)

    @property
    def spidata(self) -> tuple[int | str | None, ...]:
        """PL/Python's fields: SQLSTATE as the server's number, detail, hint, query, position, and
        the names of schema, table, column, data type and constraint."""
        number = sum((ord(character) - ord("0") & 63) << 6 * place
                     for place, character in enumerate(self.sqlstate))
        return (number, self.detail or None, self.hint or None, self.query or None, self.position,
                self.schema_name or None, self.table_name or None, self.column_name or None,
                self.datatype_name or None, self.constraint_name or None)


class Error(Exception):
    """An error of the user's with fields of its own; those without a value are None."""

    def __init__(self, *args: Any, message: str | None = None, detail: str | None = None,
                 hint: str | None = None, sqlstate: str | None = None,
                 schema_name: str | None = None, table_name: str | None = None,
                 column_name: str | None = None, datatype_name: str | None = None,
                 constraint_name: str | None = None) -> None:
        super().__init__(*(args or (() if message is None else (message,))))
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate
        self.schema_name = schema_name
        self.table_name = table_name
        self.column_name = column_name
        self.datatype_name = datatype_name
        self.constraint_name = constraint_name


class Fatal(Error):
    """An error that plpy.fatal has raised."""


# What messages call them.
SPIError.__module__ = Error.__module__ = Fatal.__module__ = "plpy"
