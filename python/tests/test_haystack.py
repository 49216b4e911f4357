"""hxpy.haystack: the scalar values and the time zones.  Grids: test_grid.py."""

import copy
import datetime as dt
import math
import pickle
import subprocess
import sys
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hxpy import hayson, v3, zinc
from hxpy.haystack import (NA, Coord, FloatNumber, IntNumber, Marker, Number, Ref, Remove, Symbol,
                           Uri, XStr, tz, tz_from_name, tz_name)

DATA = Path(__file__).resolve().parents[3] / "shared" / "haystack-data"
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

VALUES = [
    Marker(), NA(), Remove(), Ref("a-1"), Ref("p:demo:r:23a44701", "Main"), Symbol("hot-water"),
    Symbol("lib:ph"), Uri("http://x/ä?b"), Number(5, "kW"), Number(-1.5, "°F"), Number(3),
    Number(math.inf, "kW"), Coord(37.54, -77.44), Coord(-90, 180), XStr("Span", "today"),
]


def clones(value):
    yield copy.copy(value)
    yield copy.deepcopy([value])[0]
    for protocol in PROTOCOLS:
        yield pickle.loads(pickle.dumps(value, protocol))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_copy_and_pickle(value):
    for clone in clones(value):
        assert clone == value and type(clone) is type(value) and hash(clone) == hash(value)
        assert repr(clone) == repr(value)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_repr_makes_the_value_again(value):
    again = eval(repr(value), {**globals(), "inf": math.inf})
    assert again == value and type(again) is type(value)


@pytest.mark.parametrize("one", VALUES, ids=repr)
def test_values_differ_from_each_other(one):
    assert [other == one for other in VALUES].count(True) == 1
    assert [other != one for other in VALUES].count(False) == 1
    assert len(set(VALUES)) == len(VALUES)


@pytest.mark.parametrize("kind", [Marker, NA, Remove])
def test_singletons(kind):
    assert kind() is kind()
    assert all(clone is kind() for clone in clones(kind()))
    assert repr(kind()) == f"{kind.__name__}()"
    with pytest.raises(AttributeError):
        kind().x = 1


def test_singleton_texts():
    assert [str(Marker()), str(NA()), str(Remove())] == ["✓", "NA", "remove"]


# Ref, Symbol, Uri, XStr


def test_ref():
    ref = Ref("a-1", "Main")
    assert (ref.id(), ref.dis(), str(ref)) == ("a-1", "Main", "a-1")
    assert Ref("a-1").dis() is None
    assert ref == Ref("a-1") == Ref("a-1", "x") and len({ref, Ref("a-1")}) == 1
    assert ref != "a-1" and ref != Symbol("a-1")
    assert sorted([Ref("b"), Ref("a", "z")]) == [Ref("a"), Ref("b")]
    assert Ref("a") < Ref("b") <= Ref("b") and Ref("b") > Ref("a") >= Ref("a")
    with pytest.raises(TypeError):
        Ref("a") < "b"
    assert copy.copy(ref).dis() == "Main"


@pytest.mark.parametrize("kind", [Ref, Symbol])
@pytest.mark.parametrize("text", ["", "a b", "@a", "^a", "ä", "a\n", "a/b", 'a"'])
def test_illegal_ids(kind, text):
    with pytest.raises(ValueError):
        kind(text)


@pytest.mark.parametrize("kind", [Ref, Symbol, Uri])
def test_ids_must_be_str(kind):
    with pytest.raises(TypeError):
        kind(5)
    with pytest.raises(TypeError):
        Ref("a", 5)


def test_symbol():
    assert Symbol("site").id() == str(Symbol("site")) == "site"
    assert Symbol("a") < Symbol("b") and Symbol("b") >= Symbol("a")
    with pytest.raises(TypeError):
        Symbol("a") <= Ref("b")


def test_uri_is_a_str():
    uri = Uri("http://x/")
    assert isinstance(uri, str) and uri == "http://x/" and uri + "y" == "http://x/y"
    assert type(str(uri)) is str and repr(uri) == "Uri('http://x/')"


def test_xstr():
    value = XStr("Span", "today")
    assert (value.type, value.val) == ("Span", "today")
    assert value != XStr("Span", "yesterday") and value != XStr("Bin", "today")
    for bad in ("span", "", "S-p", "Sä"):
        with pytest.raises(ValueError):
            XStr(bad, "x")
    with pytest.raises(TypeError):
        XStr("Span", 5)


# Coord


@pytest.mark.parametrize("lat, lng, text", [
    (37.54, -77.44, "C(37.54,-77.44)"), (12, 0, "C(12.0,0.0)"),
    (-0.000001, 180, "C(-0.000001,180.0)"),
    (50.979603, 10.318789, "C(50.979603,10.318789)"), (-90, -180, "C(-90.0,-180.0)"),
])
def test_coord_text(lat, lng, text):
    coord = Coord(lat, lng)
    assert str(coord) == text and Coord.from_str(text) == coord
    assert (coord.lat, coord.lng) == (lat, lng)
    assert repr(coord) == text.replace("C(", "Coord(").replace(",", ", ")


def test_coord_keeps_micro_degrees():
    assert Coord(1.0000004, 2.0000006) == Coord(1, 2.000001)
    assert (Coord(1.5, -2).ulat, Coord(1.5, -2).ulng) == (1_500_000, -2_000_000)


@given(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))
def test_coord_is_exact_in_all_its_forms(ulat, ulng):
    coord = Coord.from_micro(ulat, ulng)
    assert (coord.ulat, coord.ulng) == (ulat, ulng)
    assert Coord(coord.lat, coord.lng) == coord == Coord.from_str(str(coord))


@pytest.mark.parametrize("lat, lng", [(90.000001, 0), (0, -180.000001), (math.nan, 0),
                                      (0, math.inf)])
def test_coord_out_of_range(lat, lng):
    with pytest.raises(ValueError):
        Coord(lat, lng)


def test_coord_of_the_wrong_types():
    for lat in ("1", True, None):
        with pytest.raises(TypeError):
            Coord(lat, 0)
    for text in ("1,2", "C(1)", "C(a,b)", "C(1..2,3)"):
        with pytest.raises(ValueError):
            Coord.from_str(text)


# Number


def unit_of(value):
    return getattr(value, "unit", "plain")


def test_number_is_a_real_number():
    whole, real = Number(5, "kW"), Number(5.5, "kW")
    assert type(whole) is IntNumber and isinstance(whole, (Number, int)) and isinstance(whole, int)
    assert type(real) is FloatNumber and isinstance(real, float) and isinstance(real, Number)
    assert (whole.val, whole.unit, real.val, real.unit) == (5, "kW", 5.5, "kW")
    assert type(whole.val) is int and type(real.val) is float
    assert [10, 20, 30, 40, 50, 60][whole] == 60 and math.sqrt(Number(16, "m")) == 4
    assert Number(5).unit is None and Number(5, "").unit is None
    assert Number(whole).unit == "kW" and Number(whole, "W").unit == "W"
    assert repr(IntNumber(5, "kW")) == "Number(5, 'kW')"


def test_number_texts():
    value = Number(5.25, "kW")
    assert (str(value), f"{value}", f"{value:.1f}", repr(value)) \
        == ("5.25kW", "5.25kW", "5.2", "Number(5.25, 'kW')")
    assert (str(Number(5)), repr(Number(5))) == ("5", "Number(5)")


def test_number_is_immutable():
    with pytest.raises(AttributeError):
        Number(5, "kW").unit = "W"


@pytest.mark.parametrize("value, unit", [
    (lambda x: -x, "kW"), (lambda x: +x, "kW"), (abs, "kW"), (round, "kW"), (math.floor, "kW"),
    (math.ceil, "kW"), (math.trunc, "kW"), (lambda x: x + x, "kW"), (lambda x: x - x, "kW"),
    (lambda x: x % x, "kW"), (lambda x: x * 2, "kW"), (lambda x: 2 * x, "kW"),
    (lambda x: x * Number(2), "kW"), (lambda x: x / 2, "kW"), (lambda x: x // 2, "kW"),
    (lambda x: x + 1, "plain"), (lambda x: 1 + x, "plain"), (lambda x: x - Number(1, "W"), "plain"),
    (lambda x: x * x, "plain"), (lambda x: x / x, "plain"), (lambda x: 2 / x, "plain"),
    (lambda x: x ** 2, "plain"), (lambda x: 2 ** x, "plain"), (lambda x: x % 2, "plain"),
    (lambda x: 2 // x, "plain"), (lambda x: divmod(x, 2)[0], "plain"), (float, "plain"),
    (lambda x: sum([x, x]), "plain"),
])
@pytest.mark.parametrize("number", [5, 5.5])
def test_arithmetic(value, unit, number):
    result = value(Number(number, "kW"))
    assert unit_of(result) == unit
    assert result == Number(value(number), unit if unit != "plain" else None)


@given(st.integers() | st.floats(allow_nan=False), st.integers(1, 10**6))
def test_arithmetic_has_the_values_of_plain_numbers(number, other):
    with_unit = Number(number, "m")
    assert (with_unit * other).val == number * other
    assert (with_unit + Number(other, "m")).val == number + other
    assert with_unit - other == number - other
    assert (-with_unit).val == -number and abs(with_unit).val == abs(number)
    assert (with_unit > other) == (number > other)


def test_arithmetic_with_other_types():
    with pytest.raises(TypeError):
        Number(5, "m") + "x"
    with pytest.raises(ZeroDivisionError):
        Number(5, "m") / 0
    assert Number(5, "m") * 2j == 10j
    assert type(Number(5) + 1) is int


def test_equality():
    assert Number(5, "kW") == Number(5.0, "kW") and hash(Number(5, "kW")) == hash(Number(5.0, "kW"))
    assert Number(5, "kW") != Number(5, "W") and Number(5, "kW") != Number(5) != Number(6)
    assert Number(5, "kW") != 5 and 5 != Number(5, "kW") and 5.0 != Number(5.0, "kW")
    assert Number(5) == 5 and 5.0 == Number(5) and hash(Number(5)) == hash(5)
    assert Number(5) != "5" and Number(5, "kW") != "5kW" and Number(5, "kW") is not None
    nan = Number(math.nan)
    assert nan == Number(math.nan) and not nan != Number(math.nan)
    assert hash(nan) == hash(Number(math.nan)) and nan != math.nan


def test_order():
    assert sorted([Number(3, "m"), Number(1, "m"), 2]) == [Number(1, "m"), 2, Number(3, "m")]
    assert Number(5, "m") > 4 and 4 <= Number(5, "m") and Number(5, "m") >= Number(5)
    assert max(Number(1.5, "m"), Number(2, "m")) == Number(2, "m")
    with pytest.raises(TypeError, match='"m" and "km"'):
        Number(5, "m") < Number(4, "km")


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "u1", "g"])
def test_arithmetic_with_numpy(dtype):
    numpy = pytest.importorskip("numpy")
    two = numpy.dtype(dtype).type(2)
    for value in 5, 5.5:
        number = Number(value, "kW")
        for result in number * two, two * number:
            assert repr(result) == repr(number * (2 if dtype in ("i8", "u1") else 2.0))
        assert repr(number / two) == repr(Number(value / 2, "kW"))
        assert (number // two).unit == "kW" and not isinstance(two / number, Number)
        for result in number + two, two + number, number - two, number ** two:
            assert not isinstance(result, Number)
        assert number != Number(2) * two and number > two and two < number
        assert not (number == numpy.dtype(dtype).type(5)) and two != Number(2, "kW")
        assert two == Number(2) == two
    # arrays take the value, as they take a plain number
    array = numpy.array([1, 2], dtype)
    for result in array * Number(5, "kW"), Number(5, "kW") * array:
        assert isinstance(result, numpy.ndarray) and result.tolist() == [5, 10]
    assert numpy.sqrt(Number(4, "kW")) == 2


def test_what_a_number_costs():
    import tracemalloc

    for value in 2**20, 0.5:
        tracemalloc.start()
        numbers = [Number(value + place, "kW") for place in range(1000)]
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size < 120 * len(numbers)


def test_a_nan_has_no_unit():
    with pytest.raises(ValueError):
        Number(math.nan, "kW")
    assert unit_of(Number(math.inf, "kW") - Number(math.inf, "kW")) == "plain"


def test_number_of_other_types():
    numpy = pytest.importorskip("numpy")
    assert repr(Number(numpy.int64(5), "m")) == "Number(5, 'm')"
    assert repr(Number(numpy.float32(0.5), "m")) == "Number(0.5, 'm')"
    assert repr(Number(numpy.float64(0.5), "m")) == "Number(0.5, 'm')"
    assert (Number(5, "m") * numpy.array([1, 2])).tolist() == [5, 10]
    assert repr(Number(Decimal("5.00"), "m")) == "Number(5, 'm')"
    assert repr(Number(Decimal("0.1"))) == "Number(0.1)"
    with pytest.raises(ValueError):
        Number(Decimal("0.1234567890123456789"))
    with pytest.raises(ValueError, match="signalling"):
        Number(Decimal("sNaN"))
    assert repr(Number(Decimal("Infinity"))) == "Number(inf)"
    numpy = pytest.importorskip("numpy")
    for value in Fraction(1, 3), Fraction(2), numpy.bool_(True), numpy.timedelta64(5, "s"), "5":
        with pytest.raises(TypeError, match="must be a number"):
            Number(value)
    for bad in (True, "5", None, b"5", 5j):
        with pytest.raises(TypeError):
            Number(bad)
    with pytest.raises(TypeError):
        Number(5, 5)


# Time zones


# Debian 13 has a tzdata without the old names; they must be understood nevertheless.
HERE = zoneinfo.available_timezones()


@pytest.mark.parametrize("name, key, canonical", [
    ("New_York", "America/New_York", "New_York"),
    ("America/New_York", "America/New_York", "New_York"),
    ("Buenos_Aires", "America/Argentina/Buenos_Aires", "Buenos_Aires"),
    ("America/Buenos_Aires", "America/Buenos_Aires", "Buenos_Aires"),
    ("Knox", "America/Indiana/Knox", "Knox"), ("GMT+5", "Etc/GMT+5", "GMT+5"),
    ("GMT-14", "Etc/GMT-14", "GMT-14"), ("GMT", "Etc/GMT", "GMT"),
    ("EST5EDT", "EST5EDT", "New_York"),
    ("US/Eastern", "US/Eastern", "New_York"), ("Calcutta", "Asia/Calcutta", "Kolkata"),
    ("Asia/Calcutta", "Asia/Calcutta", "Kolkata"), ("Montreal", "America/Montreal", "Toronto"),
    ("Alaska", "America/Anchorage", "Anchorage"), ("Japan", "Japan", "Tokyo"),
    ("Singapore", "Asia/Singapore", "Singapore"), ("Etc/Zulu", "Etc/Zulu", "UTC"),
    ("Port-au-Prince", "America/Port-au-Prince", "Port-au-Prince"),
])
def test_zones_by_name(name, key, canonical):
    zone = tz_from_name(name)
    assert zone == zoneinfo.ZoneInfo(key) if key in HERE else zone == tz_from_name(canonical)
    assert tz_name(zone) == canonical


def test_special_zones():
    assert tz_from_name("UTC") is dt.timezone.utc
    assert tz_from_name("Rel") is None
    assert tz_name(None) == tz_name(dt.datetime(2020, 1, 1)) == "Rel"
    moment = dt.datetime(2020, 1, 1, tzinfo=tz_from_name("GMT+5"))
    assert moment.utcoffset() == dt.timedelta(hours=-5)


@pytest.mark.parametrize("name", ["Eastern", "Central", "Mountain"])
def test_ambiguous_zones(name):
    with pytest.raises(ValueError, match="ambiguous"):
        tz_from_name(name)


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc/passwd", "/etc/passwd", "Factory", "a b",
                                  "localtime", "New_York\n", "America", "GMT+15", "America/Nowhere",
                                  "Nowhere/Calcutta"])
def test_unknown_zones(name):
    with pytest.raises(ValueError):
        tz_from_name(name)


@pytest.mark.parametrize("key, name", [
    ("America/New_York", "New_York"), ("US/Eastern", "New_York"), ("EST5EDT", "New_York"),
    ("Asia/Calcutta", "Kolkata"), ("America/Montreal", "Toronto"), ("UTC", "UTC"),
    ("Etc/UTC", "UTC"), ("Etc/Zulu", "UTC"), ("GMT", "GMT"), ("Etc/GMT-3", "GMT-3"),
    ("posix/Canada/Atlantic", "Halifax"),
    ("Canada/Central", "Winnipeg"), ("Brazil/West", "Manaus"), ("Australia/West", "Perth"),
])
def test_names_of_zoneinfo(key, name):
    try:
        zoneinfo.ZoneInfo(key)
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip(f"no zone {key} on this machine")
    assert tz_name(zoneinfo.ZoneInfo(key)) == name
    assert tz_name(dt.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo(key))) == name


@pytest.mark.parametrize("hours, name", [(0, "UTC"), (-5, "GMT+5"), (14, "GMT-14"),
                                         (-12, "GMT+12")])
def test_names_of_fixed_offsets(hours, name):
    zone = dt.timezone(dt.timedelta(hours=hours))
    assert tz_name(zone) == tz_name(dt.datetime(2020, 1, 1, tzinfo=zone)) == name
    moment = dt.datetime(2020, 1, 1, tzinfo=tz_from_name(name))
    assert moment.utcoffset() == dt.timedelta(hours=hours)


@pytest.mark.parametrize("minutes", [330, -210, 15 * 60, -13 * 60])
def test_offsets_without_a_name(minutes):
    with pytest.raises(ValueError, match="fixed offset [+-]"):
        tz_name(dt.timezone(dt.timedelta(minutes=minutes)))


def test_zones_without_a_name_are_written_in_utc():
    half = dt.datetime(2021, 1, 1, 2, 0, 0, 250000, dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert tz.format_datetime(half) == ("2020-12-31T20:30:00.25Z", "UTC")
    for codec in hayson, zinc, v3:
        assert codec.loads(codec.dumps([half])) == [half]


def test_names_of_pytz():
    pytz = pytest.importorskip("pytz")
    moment = pytz.timezone("America/New_York").localize(dt.datetime(2020, 7, 1))
    assert tz_name(moment) == tz_name(pytz.timezone("America/New_York")) == "New_York"
    assert tz_name(pytz.utc) == "UTC" and tz_name(pytz.FixedOffset(-300)) == "GMT+5"
    with pytest.raises(ValueError):
        tz_name(pytz.FixedOffset(330))


def test_names_of_dateutil():
    tzs = pytest.importorskip("dateutil.tz")
    assert tz_name(dt.datetime(2020, 7, 1, tzinfo=tzs.gettz("America/New_York"))) == "New_York"
    assert tz_name(tzs.tzutc()) == "UTC" and tz_name(tzs.tzoffset(None, -18000)) == "GMT+5"


def test_a_zone_with_a_name_of_its_own_goes_by_its_offset():
    class Zone(dt.tzinfo):
        key = "<+03>-03"

        def utcoffset(self, when):
            return dt.timedelta(hours=3) if when else None

    assert tz_name(dt.datetime(2020, 1, 1, tzinfo=Zone())) == "GMT-3"
    with pytest.raises(ValueError, match="no name"):
        tz_name(Zone())


def test_all_zones_of_this_machine_have_a_name_that_reads_back():
    for key in HERE - {"localtime", "Factory"}:
        name = tz_name(zoneinfo.ZoneInfo(key))
        assert "/" not in name and tz_name(tz_from_name(name)) == name


@pytest.mark.skipif(not DATA.exists(), reason="no reference data")
def test_zones_are_those_of_fantom():
    full = (DATA / "fantom-timezones.txt").read_text().split()
    simple = {name.rpartition("/")[2] for name in full}
    aliases = dict(line.split("=") for line in
                   (DATA / "timezone-aliases.props").read_text().splitlines() if "=" in line)
    for name in full:
        short = name.rpartition("/")[2]
        if short != "Rel":
            assert tz_name(tz_from_name(short)) == short == tz_name(tz_from_name(name))
    for alias, name in aliases.items():
        assert tz_name(tz_from_name(alias)) == name, alias
    for key in HERE - {"localtime", "Factory"}:
        assert tz_name(zoneinfo.ZoneInfo(key)) in simple, key


def test_common_zones_need_no_scan_of_all_zones():
    code = """
import zoneinfo
def scan(): raise SystemExit("scanned")
zoneinfo.available_timezones = scan
from hxpy.haystack import tz_from_name, tz_name
print(tz_name(tz_from_name("New_York")), tz_name(tz_from_name("UTC")), tz_from_name("GMT+5"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).parents[1])
    assert done.stdout.split() == ["New_York", "UTC", "Etc/GMT+5"], done.stderr


def test_zones_without_files_of_the_system(monkeypatch):
    """Where only the package tzdata has the zones, names are found by a scan."""
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: {"US/Eastern", "Europe/Oslo"})
    assert tz._full_name("Oslo") == "Europe/Oslo" and tz._full_name("Eastern") == "Eastern"


# Texts of date and time

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


@pytest.mark.parametrize("value, text", [
    (dt.datetime(2021, 3, 22, 13, 57, 0, 381000, NEW_YORK),
     "2021-03-22T13:57:00.381-04:00 New_York"),
    (dt.datetime(2021, 3, 22, 13, 57, tzinfo=dt.timezone.utc), "2021-03-22T13:57:00Z UTC"),
    (dt.datetime(2021, 1, 22, 1, 2, 3, 1, zoneinfo.ZoneInfo("Europe/London")),
     "2021-01-22T01:02:03.000001Z London"),
    (dt.datetime(2021, 3, 22, 13, 57), "2021-03-22T13:57:00Z Rel"),
    (dt.datetime(2021, 11, 7, 1, 30, tzinfo=NEW_YORK), "2021-11-07T01:30:00-04:00 New_York"),
    (dt.datetime(2021, 11, 7, 1, 30, tzinfo=NEW_YORK, fold=1),
     "2021-11-07T01:30:00-05:00 New_York"),
    (dt.datetime(1850, 1, 1, tzinfo=NEW_YORK), "1850-01-01T04:56:02Z New_York"),
    (dt.datetime(2021, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata")),
     "2021-01-01T00:00:00+05:30 Kolkata"),
    (dt.datetime(1, 1, 1, 0, 0, 10, 100000), "0001-01-01T00:00:10.1Z Rel"),
])
def test_datetime_texts(value, text):
    assert " ".join(tz.format_datetime(value)) == text
    for again in (tz.parse_datetime(text), tz.parse_datetime(*text.split())):
        assert again == value and again.fold == value.fold and again.tzinfo == value.tzinfo


@pytest.mark.parametrize("text, zone, expected", [
    ("2021-03-22T13:57:00Z", None, "2021-03-22T13:57:00+00:00 UTC"),
    ("2021-03-22T13:57:00-04:00", None, "2021-03-22T13:57:00-04:00 GMT+4"),
    ("2021-03-22T13:57:00+05:30", None, "2021-03-22T08:27:00+00:00 UTC"),
    ("2021-03-22T13:57:00+00:00", "UTC", "2021-03-22T13:57:00+00:00 UTC"),
    ("2021-03-22t13:57z", "UTC", "2021-03-22T13:57:00+00:00 UTC"),
    ("2021-03-22 13:57:00-0400", "New_York", "2021-03-22T13:57:00-04:00 New_York"),
    ("2021-03-22T13:57:00", "New_York", "2021-03-22T13:57:00-04:00 New_York"),
    ("2021-03-22T13:57:00Z", "New_York", "2021-03-22T09:57:00-04:00 New_York"),
    ("2021-03-22T13:57:00-07:00", "New_York", "2021-03-22T16:57:00-04:00 New_York"),
    ("2021-03-22T13:57:00.123456789Z", "UTC", "2021-03-22T13:57:00.123457+00:00 UTC"),
    ("2021-12-31T23:59:59.9999999Z", "UTC", "2022-01-01T00:00:00+00:00 UTC"),
    ("2021-03-22T13:57:00-04:00", "Rel", "2021-03-22T17:57:00 Rel"),
])
def test_lenient_datetimes(text, zone, expected):
    value = tz.parse_datetime(text, zone)
    assert f"{value.isoformat()} {tz_name(value)}" == expected


@pytest.mark.parametrize("text", [
    "", "2021-03-22", "2021-03-22T13:57:00", "2021-13-22T13:57:00Z", "2021-03-22T25:57:00Z",
    "20210322T135700Z", "2021-03-22T13:57:00Z Nowhere", "2021-03-22T13:57:00+99:00", "now",
    "9999-12-31T23:59:59-05:00 UTC", "9999-12-31T23:59:59.9999999Z", "٢٠٢١-03-22T13:57:00Z",
])
def test_bad_datetimes(text):
    with pytest.raises((ValueError, OverflowError)):
        tz.parse_datetime(text)


def test_dates_and_times():
    assert tz.parse_date("2021-03-22") == dt.date(2021, 3, 22)
    assert tz.parse_time("17:19:23.5") == dt.time(17, 19, 23, 500000)
    assert tz.parse_time("8:30") == dt.time(8, 30)
    assert tz.parse_time("23:59:59.9999999") == dt.time.max
    assert tz.format_time(dt.time(17, 19, 23, 500000)) == "17:19:23.5"
    assert tz.format_time(dt.time(17, 0)) == "17:00:00"
    with pytest.raises(ValueError):
        tz.format_time(dt.time(17, 0, tzinfo=dt.timezone.utc))
    for bad in ("2021-W01-1", "20210322", "2021-3-2", "2021-02-30"):
        with pytest.raises(ValueError):
            tz.parse_date(bad)
    for bad in ("24:00:00", "17", "17:60", "17:00Z", ""):
        with pytest.raises(ValueError):
            tz.parse_time(bad)


@given(st.datetimes(timezones=st.timezones() | st.just(dt.timezone.utc) | st.none(),
                    min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 1, 1)))
def test_datetimes_survive(value):
    if value.tzinfo and value.astimezone(dt.timezone.utc).astimezone(value.tzinfo) \
            .replace(tzinfo=None) != value.replace(tzinfo=None):
        return  # a local time that never was
    text, name = tz.format_datetime(value)
    again = tz.parse_datetime(text, name)
    assert again == value if value.tzinfo else (again, again.tzinfo) == (value, None)
    assert tz.format_datetime(again)[1] == name


@given(st.times())
def test_times_survive(value):
    value = value.replace(fold=0)
    assert tz.parse_time(tz.format_time(value)) == value


def test_import_needs_neither_numpy_nor_pandas():
    code = ("import sys, hxpy.haystack, hxpy.hayson; hxpy.hayson.dumps({'a': [1.5, 'x']});"
            "print([m for m in ('numpy', 'pandas', 'zoneinfo', 'decimal', 'uuid', 'dataclasses',"
            "'html', 'inspect') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "[]", done.stderr
