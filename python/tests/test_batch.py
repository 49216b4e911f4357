"""Calls of functions for many rows in one request."""

import itertools
import struct

import pytest

from hxpy._tables import wire
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.wire import Column, decode_batch, encode_batch
from hxpy._worker import batch
from hxpy._worker.batch import Batch
from hxpy._worker.functions import Functions
from hxpy._worker.session import Session
from hxpy.errors import ConversionError

SOURCES = {"f": "return a + b", "g": "return a * 2", "h": "return len(args) or None",
           "i": "return next(iter([a] if a < 3 else []))", "j": "a.append(0)\nreturn len(a)",
           "k": "kept = GD.setdefault('kept', [])\nkept.append(a)\nreturn kept",
           "l": "a += 1\nreturn a",
           "m": "kept = GD.setdefault('row', {'k': [0]})\nkept['k'][0] += a\nreturn kept",
           "n": "return len(a)",
           "o": "class Odd:\n def __index__(self): raise ValueError(a)\nreturn Odd() if a > 2 else a",
           "p": "return (kept := [a] if a < 3 else []) or kept.append(kept) or kept"}
PARAMETERS = {"f": "ab", "h": ""}
KEYS = {name: f"000040{number:02}" + "0" * 24 for number, name in enumerate(SOURCES)}


@pytest.fixture
def known():
    functions = Functions(Session())
    for name, source in SOURCES.items():
        functions.define(b"".join(encode_batch([
            text("columns" if name == "l" else "value"), text(KEYS[name]), text(name), text(source),
            encode_column(Column(wire.TEXT, "", "", 0), list(PARAMETERS.get(name, "a"))),
            encode_column(Column(wire.TEXT, "", "", 0), [])])))
    return functions


def text(value):
    return encode_column(Column(wire.TEXT, "", "", 1), [value])


def make(known, lines, columns, wants=(wire.INT32,), rows=None, start=0):
    """Make a request as make_typed does, with (tag, values) as columns, and tags."""
    return make_typed(known, lines,
                      [(Column(tag, "", "", 0), values) for tag, values in columns],
                      [Column(tag, "", "", 0) for tag in wants], rows, start)


def make_typed(known, lines, columns, wants, rows=None, start=0):
    """Make a request; lines begin with the name of a function or callable, columns are (Column, values)."""
    names = [line.split(" ", 1)[0] for line in lines]
    program = "\n".join(f"{int(name not in KEYS)} {line.split(' ', 1)[1]}"
                        for name, line in zip(names, lines))
    count = len(columns[0][1]) if rows is None else rows
    parts = [text(program), text(f"{start} {count}")]
    parts += [encode_column(want, []) for want in wants]
    parts.append(encode_column(Column(wire.TEXT, "", "", 0),
                               [KEYS.get(name, name) for name in names]))
    parts += [encode_column(column, values) for column, values in columns]
    return Batch(known, bytearray(b"".join(encode_batch(parts))))


def answer(request):
    """Return the columns of each part of the answer."""
    parts = []
    while not parts or not request.ended():
        parts.append([decode_column(column)
                      for column in decode_batch(b"".join(map(bytes, request.step())))])
    return parts


def test_rows(known):
    columns = [(wire.INT32, [1, 2, 3]), (wire.INT64, [10, 20, 30])]
    assert answer(make(known, ["f 0 0 -1 0 1"], columns)) == [[[11, 22, 33]]]
    assert answer(make(known, ["f 0 0 -1 0 1"], columns, rows=2, start=1)) == [[[22, 33]]]
    assert answer(make(known, ["h 0 0 -1"], [], rows=3)) == [[[None] * 3]]


def test_values_of_calls(known):
    columns = [(wire.INT32, [1, None, 3])]
    lines = ["g 1 1 -1 0", "g 1 -1 -1 -1", "f 1 0 -1 -2 0"]
    assert answer(make(known, lines, columns, [wire.INT32] * 3)) == [[[5, None, 15], [2, None, 6]]]


def make_groups(known, functions, groups, *kinds, want=wire.JSON):
    """Make a request of callables for groups: lists of rows, or None where there is none."""
    ends = list(itertools.accumulate(len(group or []) for group in groups))
    rows = [row for group in groups for row in group or []]
    columns = [encode_column(Column(tag, "", "", 0), [row[place] for row in rows])
               for place, tag in enumerate(kinds)]
    mask = bytes(group is None for group in groups)
    lists = [wire.column_head(Column(wire.ARRAY, "", "", 0), len(groups), mask if 1 in mask else None),
             struct.pack(f"<{len(ends) + 1}q", 0, *ends), wire.U64.pack(0),
             wire.column_head(Column(wire.RECORD, "", "", 0), len(rows), None),
             wire.U64.pack(len(columns)), *itertools.chain(*columns)]
    program = "\n".join(f"2 1 {number} -1 0" for number in range(len(functions)))
    parts = [text(program), text(f"0 {len(groups)}")]
    parts += [encode_column(Column(want, "", "", 0), [])] * len(functions)
    parts += [encode_column(Column(wire.TEXT, "", "", 0), functions), lists]
    return Batch(known, bytearray(b"".join(encode_batch(parts))))


def test_groups(known):
    groups = [[(1, "a"), (2, None)], None, [(3, "b")], [(None, "c"), (4, "d")]]
    functions = ["lambda x, y: [str(x.dtype), x.tolist()]", "lambda x, y: y.tolist()"]
    first, second = (sum(parts, []) for parts in zip(*answer(
        make_groups(known, functions, groups, wire.INT32, wire.TEXT))))
    assert second == [["a", None], None, ["b"], ["c", "d"]]
    nan = first[3][1].pop(0)
    assert first == [["int32", [1, 2]], None, ["int32", [3]], ["float64", [4]]] and nan != nan
    assert answer(make_groups(known, ["len"], [None], wire.INT32)) == [[[None]]]


@pytest.mark.parametrize("values, kinds", [
    ([1, 2, 3], "iii"), ([0.5, 1.5, 2.5], "fff"), ([1, 0.5, 2], "ifi"), ([10 ** 20, 1, None], "Oif")])
def test_numerics_of_groups(known, values, kinds):
    parts = answer(make_groups(known, ["lambda x: x.dtype.kind"], [[(value,)] for value in values],
                               wire.NUMERIC))
    assert "".join(kind for part, in parts for kind in part) == kinds


def test_values_of_groups_are_those_of_their_time(known):
    known.session.execute("kept = []\ndef keep(x):\n    kept.append(int(x[0]))\n    return kept")
    parts = answer(make_groups(known, ["keep"], [[(i,)] for i in range(9)], wire.INT32))
    assert [value for values, in parts for value in values] == [list(range(i + 1)) for i in range(9)]


def test_a_callable_for_columns_takes_a_group_as_any(known):
    known.session.execute("import hxpy\n@hxpy.batch\ndef count(x):\n    return len(x)")
    parts = answer(make_groups(known, ["count"], [[(1,), (2,)], [(3,)]], wire.INT32))
    assert [value for values, in parts for value in values] == [2, 1]


def test_an_error_ends_the_values_of_groups(known):
    groups = [[(i,)] for i in range(10)]
    for function, error in (("lambda x: 1 // int(5 - x[0])", ZeroDivisionError),
                            ("lambda x: object() if x[0] == 5 else 0", ConversionError)):
        request = make_groups(known, [function], groups, wire.INT32)
        assert sum(len(values) for values, in answer(request)) == 5
        assert isinstance(request.error, error) and request.told.startswith("array([5]")


def test_a_value_is_read_again_as_its_type(known):
    columns = [(wire.FLOAT64, [0.1])]
    lines = ["g 0 -1 -1 0", "g 0 0 -1 -1"]
    assert answer(make(known, lines, columns, [wire.FLOAT32, wire.FLOAT64])) == \
        [[[0.4000000059604645]]]


def test_values_between_calls_are_encoded_where_they_might_not_fit(known, monkeypatch):
    encoded = []
    for name in ("encode_column", "encode_fitting"):
        monkeypatch.setattr(batch, name, lambda want, values, encode=getattr(batch, name):
                            encoded.append(want.tag) or encode(want, values))
    lines = ["g 1 -1 -1 0", "g 1 0 -1 -1"]
    for tag, first, second in ((wire.FLOAT64, [0.5, None, 1.5], [2.0, None, 6.0]),
                               (wire.INT32, [1, None, 3], [4, None, 12])):
        encoded.clear()
        wants = [tag, tag]
        assert answer(make(known, lines, [(tag, first)], wants)) == [[second]]
        assert len(encoded) == (1 if tag == wire.FLOAT64 else 2)
    request = make(known, lines, [(wire.INT32, [1, 2 ** 30])], [wire.INT32] * 2)
    assert answer(request) == [[[4]]]
    assert (request.failed, request.told) == (0, "1073741824")


def test_a_function_for_columns_takes_values_of_one_for_rows(known):
    known.known[KEYS["h"]].kind = "columns"
    known.known[KEYS["h"]].call = lambda array: array + 0.25
    lines = ["g 1 -1 -1 0", "h 1 0 -1 -1"]
    columns = [(wire.FLOAT64, [0.5, None, 1.5])]
    assert answer(make(known, lines, columns, [wire.FLOAT64] * 2)) == [[[1.25, None, 3.25]]]


def test_conditions(known):
    columns = [(wire.INT32, [1, None, 3, 4]), (wire.BOOL, [True, True, False, True])]
    assert answer(make(known, ["g 1 0 1 0"], columns)) == [[[2, None, None, 8]]]
    assert answer(make(known, ["f 1 0 1 0 0"], columns)) == [[[2, None, None, 8]]]


@pytest.mark.parametrize("lines, values, rows, failed, told", [
    (["f 0 0 -1 0 1"], [1, 2, None, 4], 2, 0, "None, 1"),
    (["g 1 -1 -1 1", "f 0 0 -1 0 -1"], [1, None, 3], 1, 1, "None, 2"),
    (["f 0 0 2 0 1"], [None, 1, None, 4], 2, 0, "None, 1"),
    (["g 0 0 -1 0"], [1, 2 ** 30, 3], 1, 0, "1073741824"),
    (["f 0 1 -1 0 1", "g 0 0 -1 0"], [1, 2, 2 ** 30, None], 2, 1, "1073741824"),
])
def test_the_first_row_that_fails_ends_the_answer(known, lines, values, rows, failed, told):
    columns = [(wire.INT32, values), (wire.INT32, [1] * len(values)),
               (wire.BOOL, [False] + [True] * (len(values) - 1))]
    request = make(known, lines, columns, [wire.INT32] * len(lines))
    (part,) = answer(request)
    assert {len(column) for column in part} == {rows}
    assert (request.failed, request.told) == (failed, told)
    assert request.error is not None


def test_what_ends_an_iteration_is_an_error(known):
    request = make(known, ["i 0 0 -1 0"], [(wire.INT32, [1, 2, 3, 4])])
    assert answer(request) == [[[1, 2]]]
    assert isinstance(request.error, StopIteration)
    assert request.told == "3"


def test_any_error_of_a_result_is_one_of_its_row(known):
    request = make(known, ["o 0 0 -1 0"], [(wire.INT32, [1, 2, 3, 4])])
    assert answer(request) == [[[1, 2]]]
    assert (repr(request.error), request.told) == ("ValueError(3)", "3")
    request = make(known, ["p 0 0 -1 0"], [(wire.INT32, [3, 1])], [wire.JSON])
    assert answer(request) == [[[]]]
    assert "contains itself" in str(request.error)


def array_of(tag):
    column = Column(wire.ARRAY, "", "", 0)
    column.children = [Column(tag, "", "", 0)]
    return column


def test_a_call_does_not_see_what_another_one_has_changed(known):
    texts = (array_of(wire.TEXT), [["a"], ["b", "c"]])
    number = Column(wire.INT32, "", "", 0)
    lines = ["j 0 0 -1 0", "j 0 1 -1 0", "n 0 2 -1 0"]
    request = make_typed(known, lines, [texts], [number] * 3)
    assert answer(request) == [[[2, 3], [2, 3], [1, 2]]], request.error
    numbers = (Column(wire.FLOAT64, "", "", 0), [1.0, 2.0])
    lines = ["l 0 0 -1 0", "l 0 1 -1 0", "g 0 2 -1 0", "l 0 3 -1 -3", "l 0 4 -1 -3"]
    assert answer(make_typed(known, lines, [numbers], [numbers[0]] * 5)) == \
        [[[2, 3], [2, 3], [2, 4], [3, 5], [3, 5]]]


def test_a_result_does_not_change_after_its_row(known):
    numbers = (Column(wire.INT32, "", "", 0), [1, 2, 3])
    wants = [array_of(wire.INT32), Column(wire.JSON, "", "", 0)]
    parts = answer(make_typed(known, ["k 0 0 -1 0", "m 0 1 -1 0"], [numbers], wants))
    arrays, dicts = ([value for part in parts for value in part[column]] for column in (0, 1))
    assert [list(value) for value in arrays] == [[1], [1, 2], [1, 2, 3]]
    assert dicts == [{"k": [1]}, {"k": [3]}, {"k": [6]}]


def test_large_answers_end_early(known, monkeypatch):
    monkeypatch.setattr(batch, "ANSWER", 100_000)
    texts = ["x" * 1000] * 200
    parts = answer(make(known, ["g 0 0 -1 0"], [(wire.TEXT, texts)], [wire.TEXT]))
    assert [len(part[0]) for part in parts[:3]] == [1, 4, 16]
    assert parts[0][0] == ["x" * 2000]
    assert 0 < sum(len(part[0]) for part in parts) < 200


def test_callables(known):
    known.session.execute("""
        import hxpy
        seen = []
        def add(x, y):
            seen.append(x)
            return x + y
        @hxpy.batch
        def size(x): return x * 0 + len(x)
    """)
    columns = [(wire.INT32, [1, 2, None, 3]), (wire.BOOL, [True, True, False, True])]
    assert answer(make(known, ["add 0 0 1 0 0", "size 0 1 -1 -1", "size 0 2 1 0"], columns,
                       [wire.INT32] * 3)) == [[[2, 4, None, 6], [4, 4, None, 4], [3, 3, None, 3]]]
    assert known.session.namespace["seen"] == [1, 2, 3]


@pytest.mark.parametrize("source, message", [
    ("nosuch", "name 'nosuch' is not defined"), ("len.x", "has no attribute"),
    ("1", "is not callable"), ("(", "was never closed")])
def test_what_is_no_callable_fails_for_the_first_row_that_needs_it(known, source, message):
    columns = [(wire.INT32, [1, 2]), (wire.BOOL, [False, True]), (wire.BOOL, [False, False])]
    request = make(known, [f"{source} 0 0 1 0"], columns)
    assert answer(request) == [[[None]]]
    assert message in str(request.error)
    request = make(known, [f"{source} 0 0 2 0"], columns)
    assert answer(request) == [[[None, None]]] and request.error is None


def test_an_answer_tells_the_time_that_it_took(known):
    known.session.execute("import time")
    request = make(known, ["time.sleep 0 0 -1 0"], [(wire.FLOAT64, [0.02, 0.03])])
    _, took = wire.BATCH.unpack_from(b"".join(map(bytes, request.step())))
    assert 50_000 <= took < 5_000_000
