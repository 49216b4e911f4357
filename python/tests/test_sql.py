"""SQL from Python: plans, cursors and subtransactions, with an answer to each ask at hand."""

import gc

import pytest

from hxpy import plpy
from hxpy._tables import wire
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.wire import Column, decode_batch, encode_batch, encode_texts
from hxpy._worker import protocol
from hxpy._worker.sql import Sql


class Server:
    """Answers what is asked, and notes it as (type, values of the columns)."""

    def __init__(self):
        self.asked = []
        self.left = list(range(1, 6))       # rows of every cursor
        self.gone = set()
        self.number = 0

    def ask(self, kind, parts=(), take=None):
        columns = decode_batch(bytearray(b"".join(map(bytes, parts))))
        values = [decode_column(column) for column in columns]
        self.asked.append((kind, *(value[0] if column.tag == wire.TEXT else value
                                   for column, value in zip(columns, values))))
        if kind in (protocol.PREPARE, protocol.CURSOR):
            self.number += 1
        if kind == protocol.PREPARE:
            wants = [encode_column(Column(wire.INT32, "", "", 0), []) for _ in columns[1:]]
            text = encode_column(Column(wire.TEXT, "plan", "", 1), [str(self.number)])
            return join(encode_batch([text, *wants]))
        if kind == protocol.CURSOR:
            return join(encode_texts(cursor=str(self.number), ahead="1"))
        if kind == protocol.FETCH:
            return self.fetch(int(values[0][0]), values[1][0], take or list)
        if kind == protocol.CLOSE:
            return join(encode_texts(status="0", processed=str(len(values[1]))))
        if kind == protocol.QUERY and values[1][0] == "fail":
            names = ("message", "detail", "hint", "context", "query", "position")
            return join(encode_texts(sqlstate="22012", **dict.fromkeys(names, "0"), number="1"))
        return join(encode_texts(status="5", processed="0"))

    def fetch(self, number, count, take):
        if number in self.gone:
            return join(encode_texts(status="-6", processed="0"))
        count = {"batch": 3, "none": 0}.get(count) if count in ("batch", "none") else int(count)
        rows, self.left = self.left[:count], self.left[count:]
        types = encode_column(Column(wire.TEXT, "types", "", 1), ["23:-1"])
        want = Column(wire.INT32, "i", "", 0)
        take(join(encode_batch([types, encode_column(want, [])])))
        take(join(encode_batch([encode_column(want, rows)])))
        return join(encode_texts(status="3", processed=str(len(rows))))


def join(parts):
    return bytearray(b"".join(map(bytes, parts)))


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def sql(server):
    return Sql(server)


def kinds(server):
    return [asked[0] for asked in server.asked]


def test_plan(sql, server):
    plan = sql.prepare("SELECT $1", ["int"])
    assert plan.status() is True
    plan.execute([5], 2)
    sql.execute(plan, (6,))
    assert server.asked == [(protocol.PREPARE, "SELECT $1", "int"),
                            (protocol.QUERY, "plan", "1", "2", [5]),
                            (protocol.QUERY, "plan", "1", "0", [6])]


def test_wrong_arguments(sql):
    plan = sql.prepare("SELECT $1", ["int"])
    for args, message in (((), "Expected sequence of 1 argument, got 0: <NULL>"),
                          (([1, 2],), r"Expected sequence of 1 argument, got 2: \[1, 2\]"),
                          (("1",), "plpy.execute takes a sequence as its second argument"),
                          (({1: 2},), "plpy.execute takes a sequence"), ((5,), "takes a sequence")):
        with pytest.raises(TypeError, match=message):
            plan.execute(*args)
    with pytest.raises(TypeError, match="plpy.cursor takes a sequence as its second argument"):
        plan.cursor("x")
    for args in ((5,), ("SELECT 1", "x"), ("SELECT 1", 0, 0), (plan, [1], "x"), (plan, [1], 1, 1)):
        with pytest.raises(plpy.Error, match="plpy.execute expected a query or a plan"):
            sql.execute(*args)
    for args in ((5,), ("SELECT 1", []), (plan, [1], 1)):
        with pytest.raises(plpy.Error, match="plpy.cursor expected a query or a plan"):
            sql.cursor(*args)
    with pytest.raises(TypeError, match="must be a sequence"):
        sql.prepare("SELECT 1", 5)
    with pytest.raises(plpy.SPIError, match="type name at ordinal position 1 is not a string"):
        sql.prepare("SELECT 1", ["int", 5])


def test_the_server_is_told_what_was_dropped(sql, server):
    plan, cursor = sql.prepare("a"), sql.cursor("b")
    del plan, cursor
    gc.collect()
    sql.execute("c")
    assert server.asked[2:] == [(protocol.CLOSE, [1], [2]), (protocol.QUERY, "rows", "c", "0")]
    sql.forget()
    assert len(server.asked) == 4


def test_cursor(sql, server):
    cursor = sql.cursor("q")
    assert next(cursor) == {"i": 1}
    rows = cursor.fetch(3)
    assert [row["i"] for row in rows] == [2, 3, 4]
    assert (rows.nrows(), rows.status(), rows.colnames(), rows.coltypes()) == (3, 3, ["i"], [23])
    assert [row["i"] for row in cursor] == [5] and len(cursor.fetch(2)) == 0
    cursor.close()
    cursor.close()
    with pytest.raises(ValueError, match="iterating a closed cursor"):
        next(cursor)
    with pytest.raises(ValueError, match="fetch from a closed cursor"):
        cursor.fetch(1)
    fetched = [asked[2] for asked in server.asked if asked[0] == protocol.FETCH]
    assert fetched == ["batch", "1", "batch", "batch", "2"]


def test_rows_that_are_ahead_end_with_their_cursor(sql, server):
    cursor = sql.cursor("q")
    next(cursor)
    server.gone.add(1)
    assert next(cursor) == {"i": 2}, "nothing has happened that could end it"
    sql.epoch += 1
    for call in (lambda: next(cursor), lambda: cursor.fetch(1)):
        with pytest.raises(ValueError, match="iterating a cursor in an aborted subtransaction"):
            call()


def test_an_error_may_have_ended_a_cursor(sql, server):
    cursor = sql.cursor("q")
    next(cursor)
    with pytest.raises(plpy.spiexceptions.DivisionByZero):
        sql.execute("fail")
    next(cursor)
    assert server.asked[-1] == (protocol.FETCH, "1", "none")
    next(cursor)
    assert kinds(server).count(protocol.FETCH) == 2, "once"


def test_subtransactions(sql, server):
    with sql.subtransaction() as outer:
        assert sql.depth == 1
        with pytest.raises(KeyError):
            with sql.subtransaction():
                assert sql.depth == 2
                raise KeyError
    assert sql.depth == 0
    assert [asked[1] for asked in server.asked] == ["begin", "begin", "rollback", "commit"]
    with pytest.raises(ValueError, match="has already been exited"):
        outer.exit(None, None, None)
    with pytest.raises(ValueError, match="has already been entered"):
        outer.enter()
    with pytest.raises(ValueError, match="has not been entered"):
        sql.subtransaction().exit(None, None, None)


def test_what_is_open_is_aborted_when_a_row_is_given(sql, server):
    def rows():
        yield 1
        with pytest.raises(ValueError, match="there is no subtransaction to exit from"):
            with sql.subtransaction():
                yield 2
    assert list(sql.outside(rows())) == [1, 2]
    assert [asked[1] for asked in server.asked] == ["begin", "abandon"]
