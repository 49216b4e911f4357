"""The table in docs/haystack-codecs.md: what each codec makes of each type.

    python3 tests/test_codec_table.py --write      writes it anew
"""

import datetime as dt
import json
import math
import sys
import zoneinfo
from pathlib import Path

import pytest

from hxpy import brio, csv, hayson, trio, v3, zinc
from hxpy.haystack import (NA, Coord, Grid, GridBuilder, GridCol, Marker, Number, Ref, Remove,
                           Symbol, Uri, XStr)

DOC = Path(__file__).resolve().parent / "../../docs/haystack-codecs.md"
BEGIN, END = "<!-- table: python/tests/test_codec_table.py --write -->\n", "<!-- end of table -->\n"

UTC = dt.timezone.utc
GRID = GridBuilder().add_col_names(["a", "b"]).add_row([1, None]).to_grid()

# What it is, a value
TYPES = [
    ("null, in a list", [None]), ("null, as a dict's tag", {"a": None, "b": 1}),
    ("null, as a cell", GRID), ("Marker", Marker()), ("NA", NA()), ("Remove", Remove()),
    ("Bool", True), ("Number, int", 5), ("Number, int beyond 2^53", 2**53 + 1),
    ("Number, float", 5.0), ("Number with unit", Number(72.1, "°F")), ("NaN", math.nan),
    ("INF", math.inf), ("INF with unit", Number(math.inf, "kW")),
    ("Number, unit with a space", Number(5, "my unit")), ("Str", 'a "b": ä😀'), ("Str, empty", ""),
    ("Str of several lines", "if x\n  y"), ("Str with NUL", "a\0"),
    ("Str with a lone surrogate", "\ud800"), ("Uri", Uri("http://x/?a#b")),
    ("Uri with backslash", Uri(r"a\:b\c")), ("Ref", Ref("a")), ("Ref with dis", Ref("a", "Main")),
    ("Symbol", Symbol("lib:ph")), ("Date", dt.date(2021, 3, 22)),
    ("Time", dt.time(13, 57, 0, 123456)),
    ("DateTime", dt.datetime(2021, 3, 22, 13, 57, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"))),
    ("DateTime, the hour that comes twice", dt.datetime(
        2021, 11, 7, 1, 30, tzinfo=zoneinfo.ZoneInfo("America/New_York"), fold=1)),
    ("DateTime in UTC", dt.datetime(2021, 3, 22, 13, 57, 0, 123456, UTC)),
    ("DateTime without zone (Rel)", dt.datetime(2021, 3, 22, 13, 57)),
    ("Coord", Coord(37.5, -77.123456)), ("XStr", XStr("Span", "today")),
    ("Buf (bytes)", b"\x00\xff"),
    ("XStr of type Buf", XStr("Buf", "AP8=")),
    ("List", [1, "x", [Marker()]]), ("Dict", {"a": 1, "b": {"c": Marker()}}), ("Dict, empty", {}),
    ("Dict with other names than tags'", {"My key": 1}),
    ("Dict with cols and rows", {"cols": [], "rows": []}), ("Grid", GRID),
    ("Grid with meta", Grid({"dis": "x"}, [GridCol(0, "a", {"unit": "kW"})], [[1]])),
    ("Grid without columns", Grid()), ("Grid in a list", [GRID]),
    ("timedelta", dt.timedelta(minutes=5)), ("tuple", (1, 2)),
]

# Each codec's way to write and read: a Trio value is a tag's, a CSV value a cell's
CODECS = {
    "Hayson": (hayson.dumps, hayson.loads), "JSON v3": (v3.dumps, v3.loads),
    "Zinc": (zinc.dumps, zinc.loads),
    "Trio": (lambda value: trio.dumps({"x": value}), lambda text: trio.loads(text)[0]["x"]),
    "CSV, guessing": (lambda value: csv.dumps(Grid({}, [GridCol(0, "x")], [[value]])),
                      lambda text: csv.loads(text, guess=True)[0, "x"]),
    "Brio": (brio.dumps, brio.loads),
}


def alike(one, two):
    """Tell whether two values are the same in type, unit, zone and dis too."""
    if type(one) is not type(two):
        return False
    if isinstance(one, list):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(alike(one[name], two[name]) for name in one)
    if isinstance(one, Grid):
        return one == two and alike(one.to_dicts(), two.to_dicts())
    if isinstance(one, dt.datetime):
        return one == two and one.tzinfo == two.tzinfo and one.fold == two.fold
    if isinstance(one, Ref):
        return one == two and one.dis() == two.dis()
    return one == two or one != one and two != two


def outcome(value, write, read):
    """Return what becomes of a value, as the table has it."""
    try:
        text = write(value)
    except ValueError:
        return "error"
    again = read(text)
    if alike(again, value):
        return "same"
    if isinstance(again, dict) and again.keys() < value.keys():
        return "left out"
    if isinstance(again, list):
        return "list"
    if isinstance(again, str):
        return "*Str*"
    return "*null*" if again is None else f"`{again!r}`"


def table():
    """Return the table's lines."""
    lines = [f"| | {' | '.join(CODECS)} |", "|---|" + "---|" * len(CODECS)]
    for name, value in TYPES:
        cells = [outcome(value, *codec) for codec in CODECS.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_table_says_what_happens():
    if not DOC.exists():
        pytest.skip("no docs here")
    before, _, rest = DOC.read_text(encoding="utf-8").partition(BEGIN)
    assert before and rest.partition(END)[0] == table()


@pytest.mark.parametrize("codec", ["Hayson", "JSON v3", "Zinc", "Trio", "Brio"])
@pytest.mark.parametrize("name, value", TYPES, ids=[name for name, _ in TYPES])
def test_nothing_is_lost_in_silence(name, value, codec):
    """A value comes back the same, or an error says why not; Python's own types become others."""
    expected = {"timedelta": ["`Number(300, 's')`"], "tuple": ["list"]}.get(name, ["same", "error"])
    if (name, codec) == ("null, as a dict's tag", "Brio"):
        expected.append("left out")
    if (name, codec) == ("XStr of type Buf", "Hayson"):
        expected.append(repr(b"\x00\xff").join("``"))  # which is what this Hayson means
    assert outcome(value, *CODECS[codec]) in expected


def called_at(depth, function, *args):
    return function(*args) if not depth else called_at(depth - 1, function, *args)


def nested(value, depth):
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [0, 500, 700, 800, 850, 900])
def test_a_value_too_deep_for_the_stack_is_an_error_of_ours(depth):
    value = nested("x", 90)
    faulty = nested({"_kind": "x"}, 199)
    calls = [(write, value) for write, _ in CODECS.values()]
    calls += [(read, write(value)) for write, read in CODECS.values()]
    calls += [(hayson.encode, value), (v3.encode, value), (hayson.decode, faulty),
              (hayson.loads, json.dumps(faulty)), (v3.loads, json.dumps(nested("q:", 199))),
              (hayson.decode, nested("x", 20_000)), (v3.decode, nested("x", 20_000))]
    for function, argument in calls:
        try:
            called_at(depth, function, argument)
        except hayson.HaysonError:
            pass


@pytest.mark.parametrize("depth", [100, 300, 500, 800])
def test_a_deep_fault_has_its_place(depth):
    text = '["{", {},\n' * depth + ' {"_kind": "x}\\""}' + "]" * depth
    try:
        json.loads(text)
    except RecursionError:
        pytest.skip("deeper than json reads")
    with pytest.raises(hayson.HaysonError, match="unknown _kind") as caught:
        hayson.loads(text)
    assert (caught.value.line, caught.value.column) == (depth + 1, 2)


if __name__ == "__main__" and "--write" in sys.argv:
    head, _, tail = DOC.read_text(encoding="utf-8").partition(BEGIN)
    DOC.write_text(head + BEGIN + table() + END + tail.partition(END)[2], encoding="utf-8")
