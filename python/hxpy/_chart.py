"""Charts made of characters: lines, scatters, bars, histograms and spark lines.

A value becomes Data (one x, several series), which a function of the kind draws as lines of
text.  With `blocks` lines and dots are braille and bars are block elements; without only ASCII
draws.  Names and labels are the user's in either case.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .errors import HxpyError
from .haystack import Grid, Number

__all__ = ["KINDS", "chart"]

Floats = npt.NDArray[np.floating[Any]]

WIDTH = 78          # psql shows a blank before it and one after it
PANEL_LINES = 14    # of lines and scatters
BAR_LINES = 40      # at most
PANELS = 6          # series that are drawn, at most
_WIDTHS, _HEIGHTS = (20, 1000), (3, 1000)
_EPOCH = datetime(1970, 1, 1)
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
            86400, 172800, 604800)      # between two ticks
_DAY = 86400


@dataclass
class Data:
    """What is drawn: series (name, values) over x, with NaN for what is missing."""

    x: Floats
    series: list[tuple[str, Floats]]
    is_time: bool = False       # x is seconds since 1970 of the wall's clock
    zone: str = ""
    labels: list[str] | None = None     # in the place of x


@dataclass
class Style:
    """How much room there is, and which characters."""

    width: int
    height: int | None
    blocks: bool

    def pick(self, block: str, ascii_only: str) -> str:
        """Return the one or the other."""
        return block if self.blocks else ascii_only


def chart(value: Any, kind: str | None, width: int | None, height: int | None,
          blocks: bool) -> list[str]:
    """Return the lines of a value's chart; kind: of KINDS, or None for what suits the value.

    Raises HxpyError: 42846 for what has no numbers to draw, 22023 for arguments and for a value
    without any number, 22003 for numbers that are too far apart.
    """
    if kind is not None and kind not in KINDS:
        raise HxpyError("22023", f'unknown kind of charts: "{kind}"', "",
                        f"Available kinds: {', '.join(KINDS)}.")
    for name, number, (least, most) in (("width", width, _WIDTHS), ("height", height, _HEIGHTS)):
        if number is not None and not least <= number <= most:
            raise HxpyError("22023", f"{name} must be between {least} and {most}, not {number}")
    data = to_data(value, kind)
    count = sum(len(values) for _, values in data.series)
    finite = sum(int(np.isfinite(values).sum()) for _, values in data.series)
    if not finite or not np.isfinite(data.x).any():
        raise HxpyError("22023", "there is nothing to draw: the value has no finite numbers")
    style = Style(width or WIDTH, height, blocks)
    left_out, data.series = data.series[PANELS:], data.series[:PANELS]
    result = KINDS[kind or ("bar" if data.labels is not None else "line")](data, style)
    if left_out:
        result.append(f"not drawn: {', '.join(name for name, _ in left_out)}")
    if finite < count:
        result.append(f"{count - finite} of {count} values are missing or not finite")
    return [cut(line.rstrip(), style.width) for line in result]


# Values ---------------------------------------------------------------------------------


def to_data(value: Any, kind: str | None) -> Data:
    """Return what is to be drawn of a value."""
    import pandas

    units: dict[str, str] = {}
    if isinstance(value, Grid):
        units = {column.name(): str(column.meta()["unit"]) for column in value.cols()
                 if column.meta().get("unit")}
        value = value.to_dataframe()
    frame = to_frame(value, pandas)
    if isinstance(frame.columns, pandas.MultiIndex):
        frame.columns = [" ".join(map(str, names)) for names in frame.columns]
    if not len(frame):
        raise HxpyError("22023", "there is nothing to draw: the value has no rows")
    data = Data(np.arange(len(frame), dtype=float), [])
    has_x = take_index(data, frame.index, pandas)
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        times = None if has_x else to_times(column, pandas)
        if times is not None:
            data.x, data.zone = times
            data.is_time = has_x = True
            continue
        numbers = to_numbers(column)
        if numbers is not None:
            text = "" if name == 0 and len(frame.columns) == 1 else str(name)
            data.series.append((f"{text} ({units[text]})" if text in units else text, numbers))
        elif not has_x and kind in (None, "bar"):
            data.labels = [str(cell) for cell in column]
            has_x = True
    if kind == "scatter" and not has_x and len(data.series) > 1:
        data.x = data.series.pop(0)[1]
    if not data.series:
        raise HxpyError("42846", f'cannot draw Python type "{type(value).__qualname__}": it has no '
                                 "column of numbers")
    if data.labels is None or kind in ("line", "scatter", "spark"):
        order = np.argsort(data.x, kind="stable")
        data.x = data.x[order]
        data.series = [(name, values[order]) for name, values in data.series]
    return data


def to_frame(value: Any, pandas: Any) -> Any:
    """Return a value as a DataFrame of its own."""
    if isinstance(value, pandas.DataFrame):
        return value.copy(deep=False)
    if isinstance(value, pandas.Series):
        return value.to_frame(0 if value.name is None else value.name)
    if isinstance(value, pandas.Index):
        return pandas.Series(value).to_frame(0)
    if isinstance(value, Mapping):
        if all(isinstance(member, (Real, Decimal, type(None))) for member in value.values()):
            return pandas.Series(dict(value), dtype=object).to_frame(0)
        return pandas.DataFrame({name: pandas.Series(members) for name, members in value.items()})
    if isinstance(value, np.ndarray) and value.ndim in (1, 2):
        return pandas.DataFrame(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and \
            not isinstance(value, np.ndarray):
        return pandas.DataFrame(list(value))
    raise HxpyError("42846", f'cannot draw Python type "{type(value).__qualname__}"', "",
                    "Give a DataFrame, a Series, a Grid, an array, a list of numbers or a dict of "
                    "numbers.")


def take_index(data: Data, index: Any, pandas: Any) -> bool:
    """Take x or labels from a frame's index; False when it only counts the rows."""
    if isinstance(index, pandas.RangeIndex):
        return False
    if isinstance(index, pandas.PeriodIndex):
        index = index.to_timestamp()
    times = to_times(pandas.Series(index), pandas)
    numbers = None if times is not None else to_numbers(pandas.Series(index))
    if times is not None:
        data.x, data.zone = times
        data.is_time = True
    elif numbers is not None:
        data.x = numbers
    else:
        data.labels = [" ".join(map(str, label)) if isinstance(label, tuple) else str(label)
                       for label in index]
    return True


def to_times(column: Any, pandas: Any) -> tuple[Floats, str] | None:
    """Return a column's times as seconds of the wall's clock and its zone; None for no times."""
    if column.dtype.kind != "M":
        if column.dtype != object or pandas.api.types.infer_dtype(column, skipna=True) not in (
                "datetime", "datetime64", "date"):
            return None
        column = pandas.to_datetime(column, errors="coerce")
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        column = column.dt.tz_localize(None)
    values = column.to_numpy("datetime64[us]")
    seconds = values.astype(np.int64) / 1e6
    seconds[np.isnat(values)] = math.nan
    return seconds, "" if zone is None else str(zone)


def to_numbers(column: Any) -> Floats | None:
    """Return a column's numbers, NaN for what is missing; None when it has others."""
    kind = column.dtype.kind
    if kind in "biuf":
        result: Floats = column.to_numpy(dtype=float, na_value=math.nan)
        return result
    if kind == "m":
        result = column.dt.total_seconds().to_numpy(dtype=float)
        return result
    if kind != "O" or str(column.dtype) != "object":
        return None
    numbers = [to_number(cell) for cell in column]
    if None in numbers or column.isna().all() and len(column):
        return None
    return np.array(numbers, dtype=float)


def to_number(cell: Any) -> float | None:
    """Return a cell's number, NaN when it is missing; None when it is something else."""
    if isinstance(cell, Number):
        cell = cell.val
    if isinstance(cell, (Real, Decimal)):
        try:
            return float(cell)
        except OverflowError:
            return math.inf
    return math.nan if cell is None or type(cell).__name__ in ("NAType", "NaTType", "NA") else None


# Axes -----------------------------------------------------------------------------------


def nice(step: float) -> float:
    """Return the next 1, 2 or 5 × 10^n."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def bounds(values: Sequence[Floats]) -> tuple[float, float]:
    """Return the least and the greatest finite value, made different."""
    finite = [part[np.isfinite(part)] for part in values]
    low = float(min(part.min() for part in finite if part.size))
    high = float(max(part.max() for part in finite if part.size))
    if not math.isfinite((high - low) * 2):
        raise HxpyError("22003", "the numbers are too far apart to be drawn",
                        f"They reach from {low:g} to {high:g}.")
    if high - low <= max(abs(low), abs(high)) * 1e-12:
        margin = abs(low) / 10 or 0.5
        low, high = low - margin, high + margin
    return low, high


def ticks(low: float, high: float, count: int, least: float = 0) -> tuple[list[float], float]:
    """Return nice numbers from low to high, about so many, and the step between them."""
    step = max(nice((high - low) / max(count, 1)), least)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)], step


def number_texts(numbers: Sequence[float], step: float) -> list[str]:
    """Return the texts of ticks, with as many decimals as their step needs."""
    most = max(abs(number) for number in numbers)
    if most >= 1e7 or step < 1e-5:
        digits = max(1, math.ceil(math.log10(max(most, step) / step)) + 1)
        return [f"{number:.{min(digits, 15)}g}" for number in numbers]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{number + 0.0:.{decimals}f}" for number in numbers]


def time_ticks(low: float, high: float, count: int) -> tuple[list[float], list[str]]:
    """Return nice moments from low to high, about so many, and their texts."""
    length = (high - low) / max(count, 1)
    if length < 1:
        moments, step = ticks(low, high, count)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return moments, [f"{moment(tick):%H:%M}:{tick % 60:0{3 + digits if digits else 2}.{digits}f}"
                         for tick in moments]
    step = next((step for step in _SECONDS if step >= length), 0)
    if step:
        # weeks begin on Monday, and 1970 did on Thursday
        offset = 4 * _DAY if step == 7 * _DAY else 0
        first = math.ceil((low - offset) / step)
        moments = [number * step + offset for number in
                   range(first, math.floor((high - offset) / step) + 1)]
        return moments, [f"{moment(tick):%m-%d}" if step >= _DAY or tick % _DAY == 0 else
                         f"{moment(tick):%H:%M:%S}" if step < 60 else f"{moment(tick):%H:%M}"
                         for tick in moments]
    months = length / (30.44 * _DAY)
    every = next((number for number in (1, 2, 3, 6) if number >= months), 0) or \
        12 * math.ceil(nice(months / 12))
    start, end = moment(low), moment(high)
    places = range(start.year * 12 + start.month - 1, end.year * 12 + end.month)
    days = [datetime(place // 12, place % 12 + 1, 1) for place in places
            if place % every == 0 and place >= 12]
    days = [day for day in days if low <= seconds(day) <= high]
    return [seconds(day) for day in days], [f"{day:%Y}" if every >= 12 else f"{day:%Y-%m}"
                                            for day in days]


def floats(values: npt.NDArray[Any]) -> list[float]:
    """Return an array's numbers as Python's."""
    return cast("list[float]", values.tolist())


def moment(second: float) -> datetime:
    """Return seconds since 1970 as a date and time."""
    return _EPOCH + timedelta(seconds=second)


def seconds(day: datetime) -> float:
    """Return a date and time as seconds since 1970."""
    return (day - _EPOCH).total_seconds()


# Text -----------------------------------------------------------------------------------


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(character) else
               2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def cut(text: str, width: int) -> str:
    """Return a text without line ends, of at most so many columns."""
    text = "".join(character if character.isprintable() else " " for character in text)
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 2:
        text = text[:-1]
    return text + ".."


def pad(text: str, width: int) -> str:
    """Return a text filled up to so many columns on its right, or cut to them."""
    text = cut(text, width)
    return text + " " * (width - columns(text))


def value_text(value: float) -> str:
    """Return a value as it stands beside a bar."""
    return f"{value:.6g}" if math.isfinite(value) else "-"


# Lines and scatters ---------------------------------------------------------------------

# The bits of a braille character's dots, line by line.
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class Canvas:
    """Dots in a box of characters: eight in each by braille, else one."""

    def __init__(self, width: int, height: int, blocks: bool) -> None:
        self.wide, self.high = (2, 4) if blocks else (1, 1)
        self.dots = np.zeros((height * self.high, width * self.wide), dtype=bool)

    def places(self, values: Floats, low: float, high: float, size: int) -> Floats:
        """Return where values stand among so many dots; NaN stays."""
        return (values - low) / (high - low) * (size - 1)

    def scatter(self, x: Floats, y: Floats) -> None:
        """Set dots at places."""
        self.dots[self.dots.shape[0] - 1 - np.rint(y).astype(int), np.rint(x).astype(int)] = True

    def segment(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw from one place to another."""
        count = int(max(abs(x1 - x0), abs(y1 - y0))) + 2
        self.scatter(np.linspace(x0, x1, count), np.linspace(y0, y1, count))

    def line(self, x: Floats, y: Floats) -> None:
        """Join places in their order, x upwards; NaN leaves a gap.

        What shares a column is one stroke from its least to its greatest, so that the number of
        places does not matter.
        """
        there = np.isfinite(x) & np.isfinite(y)
        gaps = np.cumsum(~there)[there]
        x, y = x[there], y[there]
        column = np.rint(x).astype(int)
        starts = np.flatnonzero(np.r_[True, (np.diff(column) != 0) | (np.diff(gaps) != 0)])
        ends = np.r_[starts[1:], len(x)] - 1
        for at, low, high in zip(floats(column[starts]), floats(np.minimum.reduceat(y, starts)),
                                 floats(np.maximum.reduceat(y, starts))):
            self.segment(at, low, at, high)
        for end, start in zip(ends[:-1], starts[1:]):
            if gaps[end] == gaps[start]:
                self.segment(x[end], y[end], x[start], y[start])

    def lines(self) -> list[str]:
        """Return the box, a text a line."""
        if self.wide == 1:
            return ["".join("*" if dot else " " for dot in line) for line in self.dots]
        height, width = self.dots.shape
        cells = self.dots.reshape(height // 4, 4, width // 2, 2)
        codes = np.einsum("hiwj,ij->hw", cells.astype(int), _BRAILLE)
        return ["".join(chr(0x2800 + code) if code else " " for code in line)
                for line in codes.tolist()]


def draw_lines(data: Data, style: Style) -> list[str]:
    """Draw each series as a line in a panel of its own, over one axis."""
    return panels(data, style, Canvas.line)


def draw_scatter(data: Data, style: Style) -> list[str]:
    """Draw each series as dots in a panel of its own, over one axis."""
    def dots(canvas: Canvas, x: Floats, y: Floats) -> None:
        there = np.isfinite(x) & np.isfinite(y)
        canvas.scatter(x[there], y[there])

    return panels(data, style, dots)


def panels(data: Data, style: Style, draw: Callable[[Canvas, Floats, Floats], None]) -> list[str]:
    """Return the panels of all series, one under the other, and the axis below."""
    series = [(name, values) for name, values in data.series if np.isfinite(values).any()]
    most = PANEL_LINES if len(series) == 1 else max(PANEL_LINES // 2, 4)
    height = most if style.height is None else max(
        3, (style.height - 2 - bool(data.zone)) // len(series) - 1)
    left, right = bounds([data.x])
    axes = []
    for _, values in series:
        low, high = bounds([values])
        step = ticks(low, high, max(2, height // 3))[1]
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        axes.append((low, high, *ticks(low, high, round((high - low) / step))))
    texts = [number_texts(marks, step) for _, _, marks, step in axes]
    margin = max(len(text) for part in texts for text in part)
    width = max(style.width - margin - 2, 8)
    result = []
    for (name, values), (low, high, marks, _), labels in zip(series, axes, texts):
        canvas = Canvas(width, height, style.blocks)
        dots = canvas.dots.shape
        draw(canvas, canvas.places(data.x, left, right, dots[1]),
             canvas.places(values, low, high, dots[0]))
        at = {height - 1 - round((mark - low) / (high - low) * (height - 1)): label
              for mark, label in zip(marks, labels)}
        if name:
            result.append(" " * (margin + 2) + cut(name, width))
        for number, line in enumerate(canvas.lines()):
            label = at.get(number)
            axis = style.pick("│", "|") if label is None else style.pick("┤", "+")
            result.append(f"{label or '':>{margin}} {axis}{line}")
    return result + x_axis(data, style, margin, width, left, right)


def x_axis(data: Data, style: Style, margin: int, width: int, left: float,
           right: float) -> list[str]:
    """Return the axis below panels, with its labels, and the range where that is of time."""
    count = max(2, width // 12)
    if data.is_time:
        marks, texts = time_ticks(left, right, count)
    else:
        finite = data.x[np.isfinite(data.x)]
        marks, step = ticks(left, right, count, float((finite == np.rint(finite)).all()))
        texts = number_texts(marks, step) if marks else []
    axis = [style.pick("─", "-")] * width
    labels = [" "] * (margin + 2 + width)
    for mark, text in zip(marks, texts):
        place = round((mark - left) / (right - left) * (width - 1))
        axis[place] = style.pick("┬", "+")
        start = min(max(0, margin + 2 + place - len(text) // 2), len(labels) - len(text))
        if all(cell == " " for cell in labels[max(0, start - 1):start + len(text) + 1]):
            labels[start:start + len(text)] = text
    result = [" " * (margin + 1) + style.pick("└", "+") + "".join(axis), "".join(labels)]
    if data.is_time:
        result.append(" " * (margin + 2) + time_range(left, right, data.zone))
    return result


def time_range(left: float, right: float, zone: str) -> str:
    """Return from when to when an axis reaches."""
    form = time_form(np.array([left, right]))
    return f"{moment(left):{form}} .. {moment(right):{form}} {zone}"


def time_form(times: Floats) -> str:
    """Return the format that tells such times apart."""
    for length, form in ((_DAY, ""), (60, " %H:%M"), (1, " %H:%M:%S")):
        if not (times % length).any():
            return "%Y-%m-%d" + form
    return "%Y-%m-%d %H:%M:%S" + (".%f" if np.ptp(times) < 1 else "")


# Bars -----------------------------------------------------------------------------------


def draw_bars(data: Data, style: Style) -> list[str]:
    """Draw a bar a row, each series in a panel of its own."""
    labels = data.labels
    if labels is None and data.is_time:
        finite = np.isfinite(data.x)
        form = time_form(data.x[finite])
        labels = [f"{moment(x):{form}}" if there else "-"
                  for x, there in zip(floats(data.x), floats(finite))]
    elif labels is None:
        labels = [value_text(x) for x in floats(data.x)]
    result = []
    for name, values in data.series:
        if name:
            result.append(name)
        result += bars(labels, values, style, (style.height or BAR_LINES) // len(data.series))
    return result


def bars(labels: Sequence[str], values: Floats, style: Style, most: int) -> list[str]:
    """Return a bar for each value, from 0 on, with its label before it and its text after it."""
    shown = len(values) if len(values) <= most else max(most - 1, 1)
    left_out = len(values) - shown
    numbers = [value if math.isfinite(value) else math.nan for value in floats(values[:shown])]
    finite = [number for number in numbers if math.isfinite(number)]
    low, high = min(0.0, *finite, 0.0), max(0.0, *finite, 0.0)
    if not math.isfinite(high - low):
        raise HxpyError("22003", "the numbers are too far apart to be drawn",
                        f"They reach from {low:g} to {high:g}.")
    texts = [value_text(number) for number in numbers]
    first = min(max(columns(label) for label in labels[:shown]), style.width // 2)
    last = max(map(len, texts))
    width = max(style.width - first - last - 3, 8)
    scale = width / (high - low or 1.0)
    zero = round(-low * scale)
    result = []
    for label, number, text in zip(labels, numbers, texts):
        bar = bar_text(number, scale, zero, width, style)
        result.append(f"{pad(label, first)} {style.pick('│', '|')}{bar} {text:>{last}}")
    if left_out:
        result.append(f"{left_out} more are not drawn")
    return result


def bar_text(number: float, scale: float, zero: int, width: int, style: Style) -> str:
    """Return a bar within its room, from the column `zero` on to the left or to the right."""
    if not math.isfinite(number):
        return " " * width
    if number < 0:
        length = min(round(-number * scale), zero)
        return " " * (zero - length) + style.pick("█", "#") * length + " " * (width - zero)
    if not style.blocks:
        return " " * zero + pad("#" * min(round(number * scale), width - zero), width - zero)
    whole, eighths = divmod(min(round(number * scale * 8), (width - zero) * 8), 8)
    return " " * zero + pad("█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip(), width - zero)


def draw_histogram(data: Data, style: Style) -> list[str]:
    """Count each series' values in bins of nice widths."""
    result = []
    most = (style.height or BAR_LINES) // len(data.series)
    for name, values in data.series:
        finite = values[np.isfinite(values)]
        if not finite.size:
            continue
        low, high = bounds([finite])
        wanted = min(max(4, int(math.sqrt(finite.size))), 16, max(most - 1, 1))
        step = nice((high - low) / wanted)
        if (finite == np.rint(finite)).all():
            step = max(step, 1.0)
        first, last = math.floor(low / step), math.floor(high / step) + 1
        edges = np.arange(first, last + 1) * step
        counts = np.histogram(finite, edges)[0].astype(float)
        marks = number_texts(floats(edges), step)
        wide = max(map(len, marks))
        if name:
            result.append(name)
        result += bars([f"{start:>{wide}} .. {end:>{wide}}" for start, end in zip(marks, marks[1:])],
                       counts, style, max(most, len(counts)))
    return result


# Spark lines ----------------------------------------------------------------------------


def draw_sparks(data: Data, style: Style) -> list[str]:
    """Draw each series in one line, with its least, greatest and latest value."""
    levels = style.pick("▁▂▃▄▅▆▇█", "_.-=+*%#")
    left, right = bounds([data.x])
    texts = [" ".join(f"{what} {value_text(value)}" for what, value in
                      (("min", np.min(finite)), ("max", np.max(finite)), ("last", finite[-1])))
             if (finite := values[np.isfinite(values)]).size else "-" for _, values in data.series]
    first = min(max(columns(name) for name, _ in data.series), style.width // 4)
    width = max(style.width - first - max(map(len, texts)) - 2, 8)
    result = []
    for (name, values), text in zip(data.series, texts):
        line = pad(spark(data.x, values, left, right, width, levels), width)
        result.append(f"{pad(name, first)} {line} {text}" if first else f"{line} {text}")
    if data.is_time:
        result.append((" " * (first + 1) if first else "") + time_range(left, right, data.zone))
    return result


def spark(x: Floats, values: Floats, left: float, right: float, width: int, levels: str) -> str:
    """Return a spark line: the mean of what falls in each column, blanks for nothing."""
    there = np.isfinite(x) & np.isfinite(values)
    if not there.any():
        return ""
    width = min(width, max(len(x), 1))
    column = np.minimum(((x[there] - left) / (right - left) * width).astype(int), width - 1)
    counts = np.bincount(column, minlength=width)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(column, values[there], width) / counts
    low, high = bounds([means])
    flat = np.nanmin(means) == np.nanmax(means)
    return "".join(" " if not math.isfinite(mean) else
                   levels[3 if flat else min(int((mean - low) / (high - low) * 8), 7)]
                   for mean in floats(means))


KINDS: dict[str, Callable[[Data, Style], list[str]]] = {
    "line": draw_lines, "scatter": draw_scatter, "bar": draw_bars, "hist": draw_histogram,
    "spark": draw_sparks,
}
