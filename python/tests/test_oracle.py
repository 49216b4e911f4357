"""The codecs against an independent implementation: the npm package haystack-core.

test/oracle/install fetches it; without it, or without node, these tests are
skipped.  What haystack-core does wrong is left out below, fault by fault.
"""

import datetime as dt
import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_zinc import (DATA, FINITE, IDS, NAMES, UNITS, ZONES, UTC, grid_of, grids)

from hxpy import hayson, trio, v3, zinc
from hxpy.haystack import NA, Coord, Grid, Marker, Number, Ref, Remove, Symbol, Uri, XStr

ORACLE = Path(__file__).resolve().parent / "../../test/oracle"

pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not (ORACLE / "node_modules" / "haystack-core").exists(),
    reason="no node, or test/oracle/install has not run")


class Oracle:
    """A running oracle.mjs."""

    def __init__(self):
        self.process = subprocess.Popen(["node", "oracle.mjs"], cwd=ORACLE, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, f"{answer['error']}: {question}"
        return answer

    def read(self, codec, text):
        """Return the value that haystack-core reads."""
        return hayson.decode(self.ask(codec=codec, text=text)["hayson"])

    def write(self, codec, value):
        """Return the text that haystack-core writes."""
        return self.ask(codec=codec, hayson=hayson.encode(value))["text"]


@pytest.fixture(scope="module")
def oracle():
    process = Oracle()
    yield process
    process.process.stdin.close()
    process.process.wait(timeout=10)
    process.process.stdout.close()


# haystack-core's numbers are JavaScript's: whole ones are exact up to 2^53 only.
NUMBERS = st.integers(-2**53, 2**53) | FINITE | st.sampled_from([math.inf, -math.inf])
# NOTES.md: "names starting with _ rejected".  NAMES has none.
# NOTES.md: "C("") rejected": it reads every C(…) as a Coord.
TYPES = st.from_regex(r"[A-Z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("Buf", "C"))
ANY_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
# NOTES.md: "non-BMP characters cut in Zinc output".
BMP_TEXT = st.text(st.characters(max_codepoint=0xffff, blacklist_categories=["Cs"],
                                 blacklist_characters="\0"))
# Blocks of text in Trio it reads without empty lines and without any indent (not in NOTES.md).
LINES = st.lists(st.text("ab:-T 5/", min_size=1, max_size=6).map(str.strip).filter(bool),
                 min_size=1, max_size=3).map("\n".join)
# Uris it writes with their backslashes as they are, though it reads most of them as escapes
# (not in NOTES.md).
PLAIN_URI = BMP_TEXT.map(lambda text: text.replace("\\", "/"))


def scalars(text, uri, zones, units):
    return st.one_of(
        st.booleans(), NUMBERS, text, st.builds(Number, st.integers(-2**53, 2**53) | FINITE, units),
        st.sampled_from([Marker(), NA(), Remove()]),
        # An empty dis is none to it (not in NOTES.md; Haystack has no use for one).
        st.builds(Ref, IDS, text.filter(bool) | st.none()),
        st.builds(Symbol, IDS), st.builds(Uri, uri), st.binary(),
        st.dates(dt.date(1901, 1, 1), dt.date(2099, 12, 31)),
        st.times().map(lambda time: time.replace(fold=0)),
        st.datetimes(dt.datetime(1971, 1, 2), dt.datetime(2099, 12, 30), timezones=zones)
        .map(lambda moment: moment.astimezone(UTC).astimezone(moment.tzinfo)),
        st.builds(Coord, st.floats(-90, 90), st.floats(-180, 180)),
        st.builds(XStr, TYPES, text))


def values(scalar):
    meta = st.dictionaries(NAMES.filter(lambda name: name != "ver"), scalar, max_size=2)
    return st.recursive(
        scalar, lambda inner: st.lists(inner | st.none(), max_size=4) | grids(inner, meta)
        | st.dictionaries(NAMES, inner | st.none(), max_size=4), max_leaves=12)


READABLE = values(scalars(ANY_TEXT, ANY_TEXT, ZONES, UNITS))
# What it writes: a zone whose offset is zero it leaves out of Zinc, where the moment stays
# (not in NOTES.md): the moments are compared, in whatever zone.
WRITABLE = values(scalars(BMP_TEXT, PLAIN_URI, ZONES, UNITS))
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much,
                                       HealthCheck.function_scoped_fixture],
                deadline=None, max_examples=75)


def same(one, two, dis=True):
    """Tell whether two values are equal, the dis of Refs too; numbers as doubles."""
    if isinstance(one, Ref):
        return one == two and (not dis or one.dis() == two.dis())
    if isinstance(one, (int, float)) and not isinstance(one, bool):
        # JavaScript writes 2.420684799711667e+16 as 24206847997116670
        return isinstance(two, (int, float)) and type(two) is not bool \
            and getattr(one, "unit", None) == getattr(two, "unit", None) \
            and (float(one) == float(two) or one != one and two != two)
    if isinstance(one, list):
        return isinstance(two, list) and len(one) == len(two) \
            and all(same(mine, other, dis) for mine, other in zip(one, two))
    if isinstance(one, dict):
        return isinstance(two, dict) and one.keys() == two.keys() \
            and all(same(one[name], two[name], dis) for name in one)
    if isinstance(one, Grid):
        return isinstance(two, Grid) and same(one.meta(), two.meta(), dis) \
            and one.col_names() == two.col_names() and len(one) == len(two) \
            and all(same(col.meta(), other.meta(), dis)
                    and same(one.cells(col), two.cells(other), dis)
                    for col, other in zip(one.cols(), two.cols()))
    return one == two


def holds(value, test):
    """Tell whether a value or one inside of it passes a test."""
    if test(value):
        return True
    if isinstance(value, Grid):
        inner = [value.meta(), *(col.meta() for col in value.cols()),
                 *(value.cells(col) for col in value.cols())]
    else:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) \
            else ()
    return any(holds(item, test) for item in inner)


def has_null_row(value):
    """It writes a null row of a one-column grid as an empty line (not in NOTES.md)."""
    return isinstance(value, Grid) and len(value.cols()) == 1 and None in value.cells(0)


def holds_grid(value):
    """It takes a Zinc: block for a grid, and writes a grid in a list or dict over several lines
    without indent: neither list nor dict with a grid goes through its Trio (not in NOTES.md)."""
    return isinstance(value, (list, dict)) and holds(value, lambda item: isinstance(item, Grid))


def in_its_trio(value):
    return not holds_grid(value) and not holds(value, has_null_row)


def test_the_sources_are_pinned():
    package = json.loads((ORACLE / "package.json").read_text())
    lock = (ORACLE / "package-lock.json").read_text()
    assert package["dependencies"] == {"haystack-core": "3.0.13"}
    assert "resolved" not in lock and "://" not in lock


@slow
@given(READABLE)
def test_it_reads_our_hayson(oracle, value):
    assert same(oracle.read("hayson", hayson.dumps(value)), value)


@slow
@given(READABLE)
def test_we_read_its_hayson(oracle, value):
    assert same(hayson.loads(oracle.write("hayson", value)), value)


@slow
@given(READABLE)
def test_it_reads_our_zinc(oracle, value):
    assert same(oracle.read("zinc", zinc.dumps(value)), value)


@slow
@given(WRITABLE.filter(lambda value: not holds(value, has_null_row)))
def test_we_read_its_zinc(oracle, value):
    # It leaves out a Ref's dis inside of lists, dicts and grids (not in NOTES.md).
    assert same(zinc.loads(oracle.write("zinc", value)), value, dis=isinstance(value, Ref))


@slow
@given(READABLE)
def test_we_read_its_v3(oracle, value):
    """It has no reader of JSON v3."""
    assert same(v3.loads(oracle.write("v3", value)), value)


def records(value):
    return st.lists(st.dictionaries(NAMES, value, min_size=1, max_size=4), min_size=1, max_size=3)


@given(records(LINES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_reads_our_blocks(oracle, value):
    assert same(oracle.read("trio", trio.dumps(value)), value)


@slow
@given(records(READABLE.filter(lambda value: not holds_grid(value))))
def test_it_reads_our_trio(oracle, value):
    assert same(oracle.read("trio", trio.dumps(value)), value)


@slow
@given(records(WRITABLE.filter(in_its_trio)))
def test_we_read_its_trio(oracle, value):
    assert same(trio.loads(oracle.write("trio", value)), value, dis=False)


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_carytown(oracle):
    expected = zinc.loads((DATA / "carytown.zinc").read_bytes())
    text = (DATA / "carytown.zinc").read_text(encoding="utf-8")
    assert same(oracle.read("zinc", text), expected)
    assert same(oracle.read("trio", trio.dumps(expected)), expected.to_dicts())
    assert same(oracle.read("trio", (DATA / "carytown.trio").read_text(encoding="utf-8")),
                expected.to_dicts())
    assert same(oracle.read("hayson", hayson.dumps(expected)), expected)


def test_a_null_row(oracle):
    grid = grid_of(["a"], [None], [1])
    assert same(oracle.read("zinc", zinc.dumps(grid)), grid)
