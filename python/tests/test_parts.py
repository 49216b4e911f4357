"""What a callable of py_apply gets: groups that share batches, and have several."""

import datetime
import random
import tracemalloc

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
GROUPS = [Column(wire.INT32, "numbers", "", 0), Column(wire.INT64, "starts", "", 0),
          Column(wire.INT32, "kept", "", 0)]
NOON = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)


def frame(rows, starts=None, kept=None, numbers=()):
    """Return rows as the bytes of a batch from the server, of groups with one of the latter."""
    columns = list(zip(*rows)) or [()] * len(SCHEMA)
    encoded = [encode_column(want, list(column)) for want, column in zip(SCHEMA, columns)]
    if starts is not None or numbers:
        starts = starts or []
        kept = [-1] * len(starts) if kept is None else kept
        encoded += [encode_column(want, list(values))
                    for want, values in zip(GROUPS, (numbers, starts, kept))]
    return bytearray(b"".join(encode_batch(encoded)))


def batch(*args, **kwargs):
    """Return what frame() makes, decoded."""
    return decode_batch(frame(*args, **kwargs))


def make_row(random_, key):
    """Return a row whose other values may be NULL, and ints or floats, by the key's will."""
    null = key % 3 == 0 and random_.random() < 0.5
    number = random_.choice([1, 2, 10 ** 20 if key % 5 == 0 else 3, 0.5 if key % 2 else 4])
    values = [random_.random(), random_.random() < 0.5, random_.choice(["", "ä", "x" * 9]), number,
              NOON + datetime.timedelta(seconds=key), NOON.date(), 7]
    return (key, *(None if null and random_.random() < 0.5 else value for value in values))


def make(cut, arrays=False):
    """Return parts whose memory has no end."""
    return Parts(SCHEMA, cut, arrays, lambda: None)


def alone(rows, arrays):
    """Return what a table of these rows alone is."""
    return list(make("batches", arrays).take(batch(rows)))[0]


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
    starts = [0, *numpy.cumsum([len(group) for group in groups])[:-1].tolist()]
    gathered = make("groups 0", arrays)
    calls = []
    start = 0
    while start < len(rows):
        stop = min(start + random_.choice([1, 3, 17, 60]), len(rows))
        calls += gathered.take(batch(rows[start:stop], [place - start for place in starts
                                                        if start <= place < stop]))
        start = stop
    calls += gathered.rest()
    assert len(calls) == len(groups)
    for call, group in zip(calls, groups):
        assert_same(call, alone(group, arrays), arrays)


@pytest.mark.parametrize("arrays", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_rows_in_any_order_are_kept(seed, arrays):
    """Also when some of a group's rows, or a whole group, come afterwards."""
    random_ = random.Random(seed)
    groups = [[make_row(random_, key) for _ in range(random_.choice([1, 1, 2, 5, 30]))]
              for key in range(40)]
    late = [random_.choice([0, 0, len(group), random_.randrange(len(group))])
            if seed % 3 else 0 for group in groups]
    known = [key for key in range(40) if late[key] < len(groups[key])]
    random_.shuffle(known)      # a group's number tells nothing of its place
    early = [(known.index(key), row) for key, group in enumerate(groups)
             for row in group[:len(group) - late[key]]]
    random_.shuffle(early)
    groups = [[row for number, row in early if key in known and number == known.index(key)]
              + group[len(group) - late[key]:] for key, group in enumerate(groups)]
    gathered = make("groups 0", arrays)
    calls = []
    while early:
        part, early = early[:17], early[17:]
        calls += gathered.take(batch([row for _, row in part],
                                     numbers=[number for number, _ in part]))
    assert not calls
    rows, starts, kept = [], [], []
    for key, group in enumerate(groups):
        starts.append(len(rows))
        kept.append(known.index(key) if key in known else -1)
        rows += group[len(group) - late[key]:]
        if random_.random() < 0.3:
            calls += gathered.take(batch(rows, starts, kept))
            rows, starts, kept = [], [], []
    calls += gathered.take(batch(rows, starts, kept))
    calls += gathered.rest()
    assert len(calls) == len(groups)
    for call, group in zip(calls, groups):
        assert_same(call, alone(group, arrays), arrays)


def test_a_group_is_told():
    gathered = make("groups 0 3")
    rows = [(key, 1.0, True, None, 1, NOON, NOON.date(), 1) for key in (5, 6, 5)]
    assert not list(gathered.take(batch(rows, numbers=[0, 1, 0])))
    told = [gathered.told(gathered.latest) for _ in
            gathered.take(batch(rows[:1], [0, 0, 1], [1, 0, -1]))]
    assert told == ["Group: k = 6, t = NULL", "Group: k = 5, t = NULL"]


def test_it_is_told_when_enough_is_kept(monkeypatch):
    used = iter([0, 24 << 20, 26 << 20, 30 << 20])
    monkeypatch.setattr(parts.process, "memory_limit", lambda: 100 << 20)
    monkeypatch.setattr(parts, "_memory_used", lambda: next(used))
    calls = []
    gathered = Parts(SCHEMA, "groups 0", False, lambda: calls.append(1))
    for expected in ([], [1], [1]):
        assert not list(gathered.take(batch([make_row(random.Random(1), 1)], numbers=[0])))
        assert calls == expected


def test_no_frame_is_kept_after_the_first():
    gathered = make("groups 0")
    frames = [frame([make_row(random.Random(1), 1)] * 9, numbers=[0] * 9) for _ in range(3)]
    for payload in frames:
        assert not list(gathered.take(decode_batch(payload)))
    for payload in frames[1:]:
        payload += b"x"     # a BufferError where something holds it


@pytest.mark.parametrize("seed", range(4))
def test_what_it_takes_to_put_rows_together_is_counted(seed):
    """Numbers that are ints in one batch, and floats and NULLs in another, become objects."""
    random_ = random.Random(seed)
    gathered = make("groups 0")
    rows = [make_row(random_, 2) for _ in range(5000)]
    for start in range(20):
        numbers = [random_.choice([start, 10 ** 9 + start]) if start % (seed + 1) == 0
                   else random_.choice([start, 0.5, None]) for _ in rows]
        part = [(*row[:4], number, *row[5:]) for row, number in zip(rows, numbers)]
        assert not list(gathered.take(batch(part, numbers=[start % 7] * len(part))))
    needed = gathered.kept.needed()
    tracemalloc.start()
    gathered.kept.put_together()
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert needed / 3 < taken < needed


def test_it_is_told_when_putting_together_takes_too_much(monkeypatch):
    used = iter([0, 1 << 20, 2 << 20])
    monkeypatch.setattr(parts.process, "memory_limit", lambda: 100 << 20)
    monkeypatch.setattr(parts, "_memory_used", lambda: next(used))
    calls = []
    gathered = Parts(SCHEMA, "groups 0", False, lambda: calls.append(1))
    monkeypatch.setattr(gathered.kept, "needed", lambda: 25 << 20)
    list(gathered.take(batch([make_row(random.Random(1), 1)], numbers=[0])))
    assert not calls
    monkeypatch.setattr(gathered.kept, "needed", lambda: 26 << 20)
    list(gathered.take(batch([make_row(random.Random(1), 1)], numbers=[0])))
    assert calls == [1]


def test_whole():
    rows = [make_row(random.Random(1), key) for key in range(50)]
    gathered = make("whole")
    assert not [*gathered.take(batch(rows[:20])), *gathered.take(batch(rows[20:]))]
    (call,) = gathered.rest()
    assert_same(call, alone(rows, False), False)
    assert not list(gathered.rest())


@pytest.mark.parametrize("kept", [False, True])
def test_groups_do_not_share_memory(kept):
    gathered = make("groups 0")
    rows = [(key // 2, 1.0, True, "x", 1, NOON, NOON.date(), 1) for key in range(6)]
    if kept:
        assert not list(gathered.take(batch(rows, numbers=[0, 0, 1, 1, 2, 2])))
        first, second = gathered.take(batch([], [0, 0, 0], [0, 1, 2]))
    else:
        first, second = list(gathered.take(batch(rows, [0, 2, 4])))
    first[0].loc[:, "f"] = 5.0
    assert second[0].f.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("keys, name", [
    ("0", "the group k = 4"), ("3 4", "the group t = 'x', n = 1"),
    ("1 2", "the group f = nan, b = NULL"),
    ("5", "the group z = 2024-02-29 13:00:00+01:00"), ("6", "the group d = 2024-02-29")])
def test_a_group_that_is_too_large_is_named(monkeypatch, keys, name):
    used = iter([0, 60 << 20])
    monkeypatch.setattr(parts.process, "memory_limit", lambda: 100 << 20)
    monkeypatch.setattr(parts, "_memory_used", lambda: next(used))
    gathered = make(f"groups {keys}")
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
