"""What a callable of py_apply gets: groups that share batches, and have several."""

import datetime
import random

import numpy
import pandas
import pytest

from hxpy._tables import wire
from hxpy._tables.conversion import encode_column
from hxpy._tables.wire import Column, decode_batch, encode_batch
from hxpy._worker import parts
from hxpy._worker.parts import Parts
from hxpy.errors import HxpyError

SCHEMA = [Column(wire.INT32, "k", "", 0), Column(wire.FLOAT64, "f", "", 0),
          Column(wire.BOOL, "b", "", 0), Column(wire.TEXT, "t", "", 0),
          Column(wire.NUMERIC, "n", "", 0), Column(wire.TIMESTAMPTZ, "z", "Europe/Berlin", 0),
          Column(wire.DATE, "d", "", 0), Column(wire.NUMERIC, "e", "decimal", 0)]
ENDS = Column(wire.INT64, "ends", "", 0)
NOON = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)


def batch(rows, ends=None):
    """Return rows as a batch comes from the server."""
    columns = list(zip(*rows)) or [()] * len(SCHEMA)
    encoded = [encode_column(want, list(column)) for want, column in zip(SCHEMA, columns)]
    if ends is not None:
        encoded.append(encode_column(ENDS, ends))
    return decode_batch(bytearray(b"".join(encode_batch(encoded))))


def make_row(random_, key):
    """Return a row whose other values may be NULL, and ints or floats, by the key's will."""
    null = key % 3 == 0 and random_.random() < 0.5
    number = random_.choice([1, 2, 10 ** 20 if key % 5 == 0 else 3, 0.5 if key % 2 else 4])
    values = [random_.random(), random_.random() < 0.5, random_.choice(["", "ä", "x" * 9]), number,
              NOON + datetime.timedelta(seconds=key), NOON.date(), 7]
    return (key, *(None if null and random_.random() < 0.5 else value for value in values))


def alone(rows, arrays):
    """Return what a table of these rows alone is."""
    return list(Parts(SCHEMA, "batches", arrays).take(batch(rows)))[0]


def assert_same(one, other, arrays):
    if not arrays:
        pandas.testing.assert_frame_equal(one[0], other[0], check_index_type="exact")
        return
    for left, right in zip(one, other, strict=True):
        assert left.dtype == right.dtype
        pandas.testing.assert_series_equal(pandas.Series(left), pandas.Series(right))


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_group_is_what_it_is_alone(seed, arrays):
    random_ = random.Random(seed)
    groups = [[make_row(random_, key) for _ in range(random_.choice([1, 1, 2, 5, 30]))]
              for key in range(40)]
    rows = [row for group in groups for row in group]
    ends = numpy.cumsum([len(group) for group in groups])[:-1].tolist()
    gathered = Parts(SCHEMA, "groups 0", arrays)
    calls = []
    start = 0
    while start < len(rows):
        stop = min(start + random_.choice([1, 3, 17, 60]), len(rows))
        # An end is known when the row after it comes.
        calls += gathered.take(batch(rows[start:stop],
                                     [end - start for end in ends if start <= end < stop]))
        start = stop
    calls += gathered.rest()
    assert len(calls) == len(groups)
    for call, group in zip(calls, groups):
        assert_same(call, alone(group, arrays), arrays)


def test_whole():
    rows = [make_row(random.Random(1), key) for key in range(50)]
    gathered = Parts(SCHEMA, "whole", False)
    assert not [*gathered.take(batch(rows[:20])), *gathered.take(batch(rows[20:]))]
    (call,) = gathered.rest()
    assert_same(call, alone(rows, False), False)
    assert not list(gathered.rest())


def test_groups_do_not_share_memory():
    gathered = Parts(SCHEMA, "groups 0", False)
    rows = [(key // 2, 1.0, True, "x", 1, NOON, NOON.date(), 1) for key in range(6)]
    first, second = gathered.take(batch(rows, [2, 4]))
    first[0].loc[:, "f"] = 5.0
    assert second[0].f.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("keys, name", [
    ("0", "the group k = 4"), ("3 4", "the group t = 'x', n = 1"),
    ("1 2", "the group f = nan, b = NULL"),
    ("5", "the group z = 2024-02-29 12:00:00"), ("6", "the group d = 2024-02-29")])
def test_a_group_that_is_too_large_is_named(monkeypatch, keys, name):
    used = iter([0, 60 << 20])
    monkeypatch.setattr(parts.process, "memory_limit", lambda: 100 << 20)
    monkeypatch.setattr(parts, "_memory_used", lambda: next(used))
    gathered = Parts(SCHEMA, f"groups {keys}", False)
    with pytest.raises(HxpyError) as raised:
        list(gathered.take(batch([(4, None, None, "x", 1, NOON, NOON.date(), 1)] * 3, [])))
    assert raised.value.sqlstate == "53400"
    assert raised.value.message.startswith(name)
    assert raised.value.message.endswith(" is too large for the session's memory")
    assert raised.value.detail == "3 rows of it take 60 MB, more than half of the 100 MB that were free."


def test_memory_is_measured():
    before = parts._memory_used()
    block = numpy.ones(1 << 23)
    assert parts._memory_used() - before > 0.9 * block.nbytes
    assert parts.process.memory_limit() > 0
