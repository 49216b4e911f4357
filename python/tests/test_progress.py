"""hxpy.progress: what is refused, what is sent, and how often."""

import math
import threading
from fractions import Fraction

import numpy as np
import pytest

import hxpy
from hxpy._tables import wire
from hxpy._tables.conversion import decode_column
from hxpy._worker import output, page, protocol
from hxpy._worker.channel import Channel


class FakeWorker:
    """Takes the frames of a request that runs, or of none."""

    is_forked = Channel.is_forked

    def __init__(self):
        self.shared = [1] * 5
        self.here = [1]
        self.frames = []

    def send(self, kind, request, parts):
        assert kind == protocol.PROGRESS
        payload = b"".join(bytes(part) for part in parts)
        self.frames.append((request, *(decode_column(column)[0] for column in wire.decode_batch(payload))))


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def fake(monkeypatch):
    fake = FakeWorker()
    fake.clock = Clock()
    monkeypatch.setattr(output, "time", fake.clock)
    monkeypatch.setattr(hxpy, "_report", output.Progress(fake))
    return fake


def test_nothing_happens_outside_of_a_worker():
    assert hxpy._report is None
    assert hxpy.progress(1, 2, "x") is None


@pytest.mark.parametrize("arguments", [
    ("1",), (None,), (1j,), ([1],), (1, "2"), (1, [2]), (1, 2, 3), (1, 2, b"x"), (np.arange(2),)])
def test_types(arguments):
    with pytest.raises(TypeError, match="must be"):
        hxpy.progress(*arguments)


@pytest.mark.parametrize("arguments", [
    (math.nan,), (math.inf,), (-1,), (-0.5, 1), (1, math.nan), (1, math.inf), (1, -1), (10 ** 400,)])
def test_values(arguments):
    with pytest.raises(ValueError, match="must be finite and not negative"):
        hxpy.progress(*arguments)
    with pytest.raises(TypeError):
        hxpy.progress()


@pytest.mark.parametrize("done, total, message", [
    (0, None, None), (1, 0, ""), (1.5, 3, "größe"), (np.float32(0.5), np.int64(7), None),
    (True, Fraction(1, 2), "x")])
def test_what_is_sent(fake, done, total, message):
    hxpy.progress(done, total, message)
    assert fake.frames == [(1, float(done), None if total is None else float(total), message)]


def test_texts_that_utf8_or_a_column_cannot_hold(fake):
    hxpy.progress(1, message="a\0b\ud800" + "x" * 1000)
    assert fake.frames == [(1, 1.0, None, "a\ufffdb?" + "x" * 196)]


def test_first_and_last_and_some_between(fake):
    for i in range(1001):
        fake.clock.now += 0.001
        hxpy.progress(i, 1000)
    sent = [frame[1] for frame in fake.frames]
    assert sent[0] == 0 and sent[-1] == 1000
    assert 10 <= len(sent) <= 12
    for _ in range(50):
        hxpy.progress(1001, 1000)
    assert len(fake.frames) == len(sent), "it is done once"
    hxpy.progress(1, 1000)
    hxpy.progress(1000, 1000)
    assert len(fake.frames) == len(sent) + 1, "until it begins anew"


def test_each_request_has_a_first_one(fake):
    hxpy.progress(1)
    hxpy.progress(2)
    fake.shared[page.RUNNING] = 2
    hxpy.progress(3)
    assert [frame[:2] for frame in fake.frames] == [(1, 1.0), (2, 3.0)]


def test_silence_without_a_request_and_in_other_processes(fake):
    fake.shared[page.RUNNING] = 0
    hxpy.progress(1)
    fake.shared[page.RUNNING] = 1
    fake.here = [0]
    hxpy.progress(1)
    assert fake.frames == []


def test_threads(fake):
    thread = threading.Thread(target=hxpy.progress, args=(5, 5))
    thread.start()
    thread.join()
    assert fake.frames == [(1, 5.0, 5.0, None)]
