"""Axes of charts that are made of characters; what they look like sql/y_charts.sql shows."""

import math

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pandas")

from hxpy import _chart  # noqa: E402
from hxpy.errors import HxpyError  # noqa: E402

DAY = 86400


@pytest.mark.parametrize("length", [0.004, 0.5, 7, 59, 3600, 7 * 3600, 3 * DAY, 40 * DAY, 200 * DAY,
                                    400 * DAY, 30 * 365 * DAY, 250 * 365 * DAY])
@pytest.mark.parametrize("low", [0.0, 1767225600.0, 1767225600.123, -1e9])
def test_ticks_of_time(low, length):
    ticks, texts = _chart.time_ticks(low, low + length, 6)
    assert 2 <= len(ticks) == len(texts) <= 14
    assert ticks == sorted(ticks)
    assert all(low - 1e-6 <= tick <= low + length + 1e-6 for tick in ticks)
    assert len(set(texts)) >= len(texts) - 1 or length < 7 * DAY     # hours of several days


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 7), (1e-9, 5e-9), (1e12, 1e12 + 5), (-1e300, 1e300),
                                       (0.1, 0.3)])
def test_ticks_of_numbers(low, high):
    ticks, step = _chart.ticks(low, high, 5)
    texts = _chart.number_texts(ticks, step)
    assert 2 <= len(ticks) <= 12 and len(set(texts)) == len(texts)
    assert [float(text) for text in texts] == pytest.approx(ticks, abs=step / 10)


def test_width_of_texts():
    assert _chart.columns("a会é") == 4
    assert _chart.pad("会议室", 5) == "会.. "
    assert _chart.cut("one\ntwo\x1b[1m", 20) == "one two [1m"


@pytest.mark.parametrize("value", [range(3), {"a": 1, "b": None}, [True, False], [[1, 2], [3, 4]]])
@pytest.mark.parametrize("kind", [None, *_chart.KINDS])
@pytest.mark.parametrize("blocks", [True, False])
def test_every_kind_fits(value, kind, blocks):
    lines = _chart.chart(value, kind, 40, 8, blocks)
    assert lines and max(map(_chart.columns, lines)) <= 40
    assert blocks or "".join(lines).isascii()


def test_what_cannot_be_drawn():
    for value, state in (([], "22023"), ([math.nan], "22023"), ("text", "42846"), ([1e308, -1e308], "22003")):
        with pytest.raises(HxpyError) as caught:
            _chart.chart(value, None, None, None, True)
        assert caught.value.sqlstate == state
