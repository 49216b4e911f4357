"""The wire: constants of both sides, and Connection."""

import json
import re
import socket
import struct
import threading
from pathlib import Path

import pytest

from hxpy._tables import conversion, wire
from hxpy._tables.wire import ProtocolError
from hxpy._worker import protocol
from hxpy._worker.protocol import Connection, ConnectionClosed

TOP = Path(__file__).resolve().parents[2]
HEADER = TOP / "src" / "codec" / "protocol.h"
GOLDEN = TOP / "test" / "golden" / "golden.json"

needs_header = pytest.mark.skipif(not HEADER.exists(), reason="src/codec/protocol.h is not here")
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="test/golden is not here")
FRAMES = json.loads(GOLDEN.read_text())["frames"] if GOLDEN.exists() else []


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    for end in (left, right):
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):     # a timeout of Python's: not blocking
            end.setsockopt(socket.SOL_SOCKET, option, struct.pack("qq", 20, 0))
    yield left, right
    left.close()
    right.close()


def frame(kind, request, payload=b""):
    return protocol.HEADER.pack(protocol.MAGIC, protocol.VERSION, kind, request,
                                len(payload)) + payload


@needs_header
def test_constants_are_those_of_the_header():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    defined = {name: eval(value) for name, value in
               re.findall(r"^#define\s+HXPY_(\w+)[ \t]+(\S.*?)\s*$", text, flags=re.M)}
    assert defined.pop("PROTOCOL_MAGIC") == protocol.MAGIC
    assert defined.pop("PROTOCOL_VERSION") == protocol.VERSION
    assert defined.pop("HEADER_SIZE") == protocol.HEADER.size
    assert defined.pop("MAX_DEPTH") == wire.MAX_DEPTH
    here = {name: value for name, value in {**vars(wire), **vars(protocol)}.items()
            if name.isupper() and isinstance(value, int)}
    for name, value in defined.items():
        plain = re.sub("^(FRAME|TAG|FLAG)_", "", name)
        if plain != name:
            assert here.pop(plain) == value, name
        elif plain in here:
            assert here.pop(plain) == value, name
    assert set(here) <= {"MAGIC", "VERSION", "MAX_DEPTH"}, "not in src/codec/protocol.h"


def test_every_tag_has_a_decoder():
    tags = {value for name, value in vars(wire).items() if name.isupper()
            and isinstance(value, int) and name in _tag_names()}
    assert tags == set(conversion._DECODERS)


def _tag_names():
    source = Path(wire.__file__).read_text()
    return re.findall(r"^(\w+) = \d+$", source.split("# Tags of columns.")[1]
                      .split("# Flags of columns.")[0], flags=re.M)


@needs_golden
@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case["name"])
def test_golden_frames(case, pair):
    left, right = pair
    data = bytes.fromhex(case["frame"])
    left.sendall(data)
    kind, request, payload = Connection(right).receive()
    assert (kind, request) == (getattr(protocol, case["type"]), case["request"])
    assert (kind >= 0x80) == (case["sender"] == "container")
    if "texts" in case:
        assert wire.decode_texts(payload) == case["texts"]
        parts = wire.encode_texts(**case["texts"])
    elif "payload" in case:
        parts = [case["payload"].encode("latin-1")]
    else:
        assert wire.decode_batch(payload)
        parts = [payload]
    Connection(right).send(kind, request, parts)
    assert left.recv(len(data) + 1) == data


@pytest.mark.parametrize("size", [0, 1, 17, 65535, 65536 - 16, 65536, 65537, 200000, 3 << 20])
def test_sizes(pair, size):
    left, right = pair
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    sender = threading.Thread(target=lambda: [Connection(left).send(7, n, [payload[:9], payload[9:]])
                                              for n in range(1, 4)])
    sender.start()
    receiver = Connection(right)
    for n in range(1, 4):
        kind, request, got = receiver.receive()
        assert (kind, request) == (7, n)
        assert got == payload
        assert isinstance(got, bytearray), "arrays share it and are writable"
    sender.join()
    assert not receiver.pending()


def test_split_at_every_byte(pair):
    left, right = pair
    data = frame(1, 5, b"hello") + frame(2, 6) + frame(3, 7, b"x" * 40)
    receiver = Connection(right)
    for cut in range(1, len(data)):
        got = []
        left.sendall(data[:cut])
        timer = threading.Timer(0.002, left.sendall, (data[cut:],))
        timer.start()
        for _ in range(3):
            kind, request, payload = receiver.receive()
            got.append((kind, request, bytes(payload)))
        timer.join()
        assert got == [(1, 5, b"hello"), (2, 6, b""), (3, 7, b"x" * 40)]


def test_many_small_frames_run_over_the_buffer_end(pair):
    left, right = pair
    payloads = [bytes([n % 251]) * (n * 7 % 5003) for n in range(400)]
    sender = threading.Thread(target=lambda: [left.sendall(frame(1, n, data))
                                              for n, data in enumerate(payloads)])
    sender.start()
    receiver = Connection(right)
    for n, data in enumerate(payloads):
        assert receiver.receive() == (1, n, data)
    sender.join()


def test_pending(pair):
    left, right = pair
    left.sendall(frame(1, 1) + frame(1, 2))
    receiver = Connection(right)
    receiver.receive()
    assert receiver.pending()
    receiver.receive()
    assert not receiver.pending()


@pytest.mark.parametrize("sent", [b"", b"h", frame(1, 1, b"abc")[:-1], frame(1, 1)[:15],
                                  frame(1, 1, b"x" * 100000)[:-1]])
def test_closed(pair, sent):
    left, right = pair
    sender = threading.Thread(target=lambda: (left.sendall(sent), left.shutdown(socket.SHUT_WR)))
    sender.start()
    with pytest.raises(ConnectionClosed):
        Connection(right).receive()
    sender.join()


@pytest.mark.parametrize("place, value", [(0, 0), (1, 0), (2, 0), (2, 2), (2, 255)])
def test_bad_header(pair, place, value):
    left, right = pair
    data = bytearray(frame(1, 1))
    data[place] = value
    left.sendall(data)
    with pytest.raises(ProtocolError, match="not a frame of version 1"):
        Connection(right).receive()


def test_send_to_the_gone(pair):
    left, right = pair
    right.close()
    with pytest.raises(ConnectionError):
        for _ in range(3):
            Connection(left).send(1, 1, [b"x" * 100000])


class Look:
    """A poll object that finds what it is told to find, and knows in which rounds it was asked."""

    def __init__(self):
        self.found, self.round, self.asked = [], 0, set()

    def poll(self, milliseconds):
        assert milliseconds == 0
        self.asked.add(self.round)
        return self.found


def rounds(pair, count, found):
    """Receive so many frames that are there; return in which rounds it was looked for them."""
    left, right = pair
    receiver = Connection(right)
    receiver.spin(1000)
    receiver._poll = look = Look()
    for look.round in range(count):
        look.found = [1] if found(look.round) else []
        left.sendall(frame(1, look.round))
        assert receiver.receive() == (1, look.round, b"")
    return look.asked


@pytest.fixture
def two_cpus(monkeypatch):
    monkeypatch.setattr(protocol.os, "sched_getaffinity", lambda pid: {0, 1})


def test_looks_in_vain_become_rare(pair, two_cpus):
    assert rounds(pair, 4000, lambda n: False) == {2 ** n - 2 for n in range(1, 11)} | {2046, 3070}


def test_looks_that_find_something_go_on(pair, two_cpus):
    assert rounds(pair, 100, lambda n: True) == set(range(100))
    # What 14 finds halves the pause: 15 leaves out 7 again, as 6 did.
    assert rounds(pair, 40, lambda n: n not in (0, 2, 6, 15)) == \
        {0, 2, 6, 14, 15, *range(23, 40)}


def test_no_looks_with_one_cpu(pair, monkeypatch):
    monkeypatch.setattr(protocol.os, "sched_getaffinity", lambda pid: {0})
    assert rounds(pair, 10, lambda n: True) == set()


def test_the_end_is_found_by_looking(pair, two_cpus):
    left, right = pair
    left.close()
    receiver = Connection(right)
    receiver.spin(10 ** 10)
    with pytest.raises(ConnectionClosed):
        receiver.receive()
