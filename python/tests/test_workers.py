"""Copies of the worker, which make calls beside each other, over the real sockets (docs/protocol.md)."""

import pytest
from test_worker import Server, pytestmark, rows  # noqa: F401

from hxpy._tables import wire
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.wire import Column, decode_batch, decode_texts, encode_batch
from hxpy._worker import protocol

CODE = """
import os, time
home = os.getpid()
def ours():
    if os.getpid() == home: time.sleep(0.06)
    return os.getpid() == home
def twice(df): ours(); return {"w": df.v * 2}
def total(df): ours(); return [(int(df.v.sum()),)]
def early(df):
    if not ours() and df.v[0] == 20: time.sleep(1)
    return {"w": df.v}
def fails(df):
    if not ours(): 1 / int(df.v[0] - 30)
    return {"w": df.v}
def writes(df):
    if not ours(): print("a" * 50000); os.write(1, b"by a descriptor\\n")
    return {"w": df.v}
"""


@pytest.fixture(scope="module")
def server():
    """Return a session as the engine runs it: NumPy's libraries have no threads."""
    made = Server("-e", "OPENBLAS_NUM_THREADS=1", "-e", "OMP_NUM_THREADS=1")
    yield made
    made.close()


def begin(server, function, how, cut="batches"):
    server.exec(CODE)
    columns = [encode_column(Column(wire.TEXT, name, "", 1), [text]) for name, text in
               (("expr", function), ("how", how), ("wanted", "1"), ("cut", cut))]
    columns += [encode_column(Column(wire.INT32, name, "", 0), []) for name in ("v", "w")]
    return server.send(protocol.APPLY, encode_batch(columns))


def feed(server, request, values, *more):
    server.data.send(protocol.BATCH, request, encode_batch(
        [encode_column(Column(wire.INT32, "v", "", 0), values), *more]))


def collect(server, request, count):
    values = []
    while (frame := server.data.receive())[0] == protocol.ROWS:
        values += decode_column(decode_batch(frame[2])[0])
    assert frame[0] == protocol.RESULT, decode_texts(frame[2])
    assert len(values) == count
    return values


def test_rows_come_in_order_or_not(server):
    for how, ordered in (("frame 3", True), ("frame 3 any", False)):
        request = begin(server, "early", how)
        for value in range(0, 100, 10):
            feed(server, request, [value, value + 1])
        server.data.send(protocol.END, request)
        values = collect(server, request, 20)
        assert sorted(values) == [value + one for value in range(0, 100, 10) for one in (0, 1)]
        assert (values == sorted(values)) is ordered
    assert server.eval("[p for p in os.listdir('/proc') if p.isdigit() and int(p) > home]") == []


def test_groups_that_go_on_in_other_batches(server):
    request = begin(server, "total", "frame 2", "groups 0")
    for values, starts in (([1, 1, 2], [0, 2]), ([2, 2, 3, 3], [2]), ([3], []), ([3, 4, 5, 5], [1, 2]),
                           ([6], [0]), ([6, 6], [])):
        feed(server, request, values,
             encode_column(Column(wire.INT32, "numbers", "", 0), []),
             encode_column(Column(wire.INT64, "starts", "", 0), starts),
             encode_column(Column(wire.INT32, "kept", "", 0), [-1] * len(starts)))
    server.data.send(protocol.END, request)
    assert collect(server, request, 6) == [2, 6, 12, 4, 10, 18]


def test_the_first_error_ends_all(server):
    request = begin(server, "fails", "frame 2")
    for value in range(0, 60, 10):
        feed(server, request, [value])
    server.data.send(protocol.END, request)
    assert [rows(server, request) for _ in range(3)] == [[0], [10], [20]]
    kind, _, payload = server.data.receive()
    error = decode_texts(payload)
    assert kind == protocol.ERROR and error["message"].startswith("ZeroDivisionError")
    assert error["context"].endswith("Batch: 4")
    assert server.eval("ours()") is True


@pytest.mark.parametrize("end", ["interrupt", "abort"])
def test_what_breaks_it_off_ends_the_copies(server, end):
    request = begin(server, "early", "frame 2")
    for value in range(0, 30, 10):
        feed(server, request, [value])
    assert rows(server, request) == [0]
    if end == "interrupt":
        server.interrupt(request)
    server.data.send(protocol.ABORT, request)
    while (frame := server.data.receive())[0] == protocol.ROWS:
        pass
    assert frame[0] == protocol.ERROR and decode_texts(frame[2])["message"].startswith("KeyboardInterrupt")
    assert server.eval("[p for p in os.listdir('/proc') if p.isdigit() and int(p) > home]") == []


def test_output_of_copies_is_whole(server):
    request = begin(server, "writes", "frame 3")
    for value in range(6):
        feed(server, request, [value])
    server.data.send(protocol.END, request)
    printed, values = [], []
    while (frame := server.data.receive())[0] != protocol.RESULT:
        if frame[0] == protocol.OUTPUT:
            printed.append(bytes(frame[2][1:]))
        else:
            values.append(decode_batch(frame[2])[0].count)
    assert printed == [b"a" * 50000] * 5 and sum(values) == 6
