"""plpy: what functions in Python talk to the server with, as the module of PL/Python.

debug, log, info, notice, warning       messages of these levels
error, fatal                            raise Error, Fatal
quote_literal, quote_nullable, quote_ident      texts for SQL
execute, prepare, cursor                run queries
subtransaction                          what fails in it is undone as a whole
commit, rollback                        end the transaction of a procedure
spiexceptions, SPIError                 errors of SQL
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from . import spiexceptions
from .errors import OBJECT_FIELDS, Error, Fatal, SPIError

if TYPE_CHECKING:
    from ._worker.sql import Cursor, Plan, Rows, Sql, Subtransaction

__all__ = ["Error", "Fatal", "SPIError", "commit", "cursor", "debug", "error", "execute", "fatal",
           "info", "log", "notice", "prepare", "quote_ident", "quote_literal", "quote_nullable",
           "rollback", "spiexceptions", "subtransaction", "warning"]

# Set by the worker; None where there is no server to tell: level, fields.
_tell: Callable[[str, dict[str, str]], None] | None = None
_sql: Sql | None = None

_FIELDS = ("message", "detail", "hint", "sqlstate", *OBJECT_FIELDS)

# Words that are no plain names in SQL, of all versions from 15 to 18.
_KEYWORDS = frozenset("""
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default
    deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int
    integer intersect interval into is isnull join json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning
    right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
""".split())


def debug(*args: Any, **fields: Any) -> None:
    """Send a message of level DEBUG2."""
    _send("debug", args, fields)


def log(*args: Any, **fields: Any) -> None:
    """Send a message of level LOG, to the server's log."""
    _send("log", args, fields)


def info(*args: Any, **fields: Any) -> None:
    """Send a message of level INFO."""
    _send("info", args, fields)


def notice(*args: Any, **fields: Any) -> None:
    """Send a message of level NOTICE."""
    _send("notice", args, fields)


def warning(*args: Any, **fields: Any) -> None:
    """Send a message of level WARNING."""
    _send("warning", args, fields)


def error(*args: Any, **fields: Any) -> NoReturn:
    """Raise Error; not caught, it is the error of the statement, with these fields."""
    raise Error(**_texts(args, fields))


def fatal(*args: Any, **fields: Any) -> NoReturn:
    """Raise Fatal; not caught, it is an error of the statement, and not of the connection."""
    raise Fatal(**_texts(args, fields))


def _send(level: str, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
    texts = _texts(args, fields)
    if _tell is not None:
        _tell(level, texts)


def _texts(args: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a message: what is given by position is its text."""
    texts = {}
    if args:
        if "message" in fields:
            raise TypeError("argument 'message' given by name and position")
        texts["message"] = str(args[0] if len(args) == 1 else args)
    for name, value in fields.items():
        if name not in _FIELDS:
            raise TypeError(f"'{name}' is an invalid keyword argument for this function")
        if value is not None:
            texts[name] = str(value)
    if not re.fullmatch("[0-9A-Z]{5}", texts.get("sqlstate", "00000")):
        raise ValueError("invalid SQLSTATE code")
    return texts


def execute(query: str | Plan, *args: Any) -> Rows:
    """Run a query or a plan within the statement that has called Python; return its rows.

    execute(query, limit=0) or execute(plan, arguments=(), limit=0); limit: most rows, 0 for
    all.  Raises SPIError for the server's errors; what has failed is undone.
    """
    return _server().execute(query, *args)


def prepare(query: str, types: Any = ()) -> Plan:
    """Return a plan for a query with parameters $1, $2 … of these types (names in SQL)."""
    return _server().prepare(query, types)


def cursor(query: str | Plan, *args: Any) -> Cursor:
    """Return the rows of a query, or of a plan with its arguments, as they are asked for."""
    return _server().cursor(query, *args)


def subtransaction() -> Subtransaction:
    """Return a context manager: what is done in it holds as a whole, or not at all."""
    return _server().subtransaction()


def commit() -> None:
    """Commit the transaction, and begin the next; in procedures and DO."""
    _server().finish("commit")


def rollback() -> None:
    """Roll the transaction back, and begin the next; in procedures and DO."""
    _server().finish("rollback")


def _server() -> Sql:
    if _sql is None:
        raise RuntimeError("there is no server to ask")
    return _sql


def quote_literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    if not isinstance(text, str):
        raise TypeError(f"quote_literal() argument must be str, not {type(text).__name__}")
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), 2 * chr(92))}'" if "\\" in text else f"'{quoted}'"


def quote_nullable(text: str | None) -> str:
    """Return a text as a literal of SQL, None as NULL."""
    return "NULL" if text is None else quote_literal(text)


def quote_ident(name: str) -> str:
    """Return a text as a name in SQL, quoted where it has to be."""
    if not isinstance(name, str):
        raise TypeError(f"quote_ident() argument must be str, not {type(name).__name__}")
    if re.fullmatch("[a-z_][a-z0-9_]*", name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'
