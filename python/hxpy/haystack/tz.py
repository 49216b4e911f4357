"""Haystack's date, time and time zone rules.

DateTime is an aware datetime.datetime, Date a datetime.date, Time a
datetime.time.  Haystack names a zone by the last segment of its tzdata name:
"New_York" for "America/New_York", "GMT+5" for "Etc/GMT+5" (five hours *behind*
UTC).  "Rel" means no zone: a naive datetime.

Nothing is looked up before it is asked for, and nothing twice.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
import re
from typing import Any

__all__ = ["format_datetime", "format_time", "parse_date", "parse_datetime", "parse_time",
           "tz_from_name", "tz_name"]

# Where simple names are looked for.  The areas of tzdata that only hold other names for zones
# (US, Canada, Brazil, ...) are left out: their segments (Eastern, West) are not unique.
_AREAS = ("America/Argentina", "America/Indiana", "America/Kentucky", "America/North_Dakota",
          "America", "Europe", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian",
          "Antarctica", "Arctic", "Etc")

# Haystack's name, then the segments that tzdata has made other names for it: the links of tzdata's
# file "backward" and the zones that zone1970.tab leaves out.  Last segments where these are
# unique, else full names.
_ALIASES = """
Abidjan: Accra Bamako Banjul Conakry Dakar Freetown Iceland Lome Nouakchott Ouagadougou
    Reykjavik St_Helena Timbuktu
Adak: Atka US/Aleutian
Adelaide: South
Anchorage: US/Alaska
Ashgabat: Ashkhabad
Athens: EET
Auckland: McMurdo NZ South_Pole
Bangkok: Christmas Phnom_Penh Vientiane
Belgrade: Ljubljana Podgorica Sarajevo Skopje Zagreb
Berlin: Copenhagen Jan_Mayen Longyearbyen Oslo Stockholm
Brisbane: Queensland
Broken_Hill: Yancowinna
Brussels: Amsterdam CET Luxembourg MET
Cairo: Egypt
Catamarca: ComodRivadavia
Chatham: NZ-CHAT
Chicago: CST6CDT US/Central
Chisinau: Tiraspol
Cordoba: Rosario
Darwin: North
Denver: MST7MDT Navajo Shiprock US/Mountain
Detroit: US/Michigan
Dhaka: Dacca
Dubai: Mahe Muscat Reunion
Dublin: Eire
Easter: Chile/EasterIsland
Edmonton: Canada/Mountain Yellowknife
Faroe: Faeroe
GMT: GMT+0 GMT-0 GMT0 Greenwich
Guadalcanal: Pohnpei Ponape
Guam: Saipan
Halifax: Canada/Atlantic
Havana: Cuba
Helsinki: Mariehamn
Ho_Chi_Minh: Saigon
Hobart: Currie Tasmania
Hong_Kong: Hongkong
Honolulu: HST Johnston US/Hawaii
Indianapolis: Fort_Wayne US/East-Indiana
Iqaluit: Pangnirtung
Istanbul: Turkey
Jerusalem: Israel Tel_Aviv
Johannesburg: Maseru Mbabane
Kanton: Enderbury
Kathmandu: Katmandu
Knox: Knox_IN US/Indiana-Starke
Kolkata: Calcutta
Kuching: Brunei
Kyiv: Kiev Uzhgorod Zaporozhye
Lagos: Bangui Brazzaville Douala Kinshasa Libreville Luanda Malabo Niamey Porto-Novo
Lisbon: Portugal WET
London: Belfast GB GB-Eire Guernsey Isle_of_Man Jersey
Lord_Howe: LHI
Los_Angeles: PST8PDT US/Pacific
Macau: Macao
Makassar: Ujung_Pandang
Maldives: Kerguelen
Manaus: Brazil/West
Maputo: Blantyre Bujumbura Gaborone Harare Kigali Lubumbashi Lusaka
Mazatlan: Mexico/BajaSur
Melbourne: Victoria
Mexico_City: Mexico/General
Moscow: W-SU
Nairobi: Addis_Ababa Antananarivo Asmara Asmera Comoro Dar_es_Salaam Djibouti Kampala Mayotte
    Mogadishu
New_York: EST5EDT US/Eastern
Noronha: Brazil/DeNoronha
Nuuk: Godthab
Pago_Pago: Midway Samoa US/Samoa
Panama: Atikokan Cayman Coral_Harbour EST
Paris: Monaco
Perth: Australia/West
Phoenix: Creston MST US/Arizona
Port_Moresby: Chuuk DumontDUrville Truk Yap
Prague: Bratislava
Puerto_Rico: Anguilla Antigua Aruba Blanc-Sablon Curacao Dominica Grenada Guadeloupe Kralendijk
    Lower_Princes Marigot Montserrat Port_of_Spain St_Barthelemy St_Kitts St_Lucia St_Thomas
    St_Vincent Tortola Virgin
Qatar: Bahrain
Regina: Canada/Saskatchewan
Rio_Branco: Brazil/Acre Porto_Acre
Riyadh: Aden Kuwait Syowa
Rome: San_Marino Vatican
Santiago: Chile/Continental
Sao_Paulo: Brazil/East
Seoul: ROK
Shanghai: Chongqing Chungking Harbin PRC
Singapore: Kuala_Lumpur
St_Johns: Canada/Newfoundland
Sydney: ACT Canberra NSW
Taipei: ROC
Tarawa: Funafuti Majuro Wake Wallis
Tehran: Iran
Thimphu: Thimbu
Tijuana: Ensenada Mexico/BajaNorte Santa_Isabel
Tokyo: Japan
Toronto: Canada/Eastern Montreal Nassau Nipigon Thunder_Bay
Tripoli: Libya
UTC: UCT Universal Zulu
Ulaanbaatar: Choibalsan Ulan_Bator
Urumqi: Kashgar
Vancouver: Canada/Pacific
Warsaw: Poland
Whitehorse: Canada/Yukon
Winnipeg: Canada/Central Rainy_River
Yangon: Cocos Rangoon
Zurich: Busingen Vaduz
"""

# Files among tzdata's zones that name no place.
_NO_ZONES = frozenset(("Factory", "localtime", "posixrules"))

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*").fullmatch
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_TIME = re.compile(r"(\d{1,2}:\d\d)(:\d\d)?(?:\.(\d+))?", re.ASCII).fullmatch
_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:\.(\d+))?"
    r"([Zz]|[+-]\d\d:?\d\d(?::\d\d)?)?(?: +(\S+))?", re.ASCII).fullmatch
_HOUR = dt.timedelta(hours=1)
_MINUTE = dt.timedelta(minutes=1)
_MICROSECOND = dt.timedelta(microseconds=1)


# Names -> zones ------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def tz_from_name(name: str) -> dt.tzinfo | None:
    """Return the zone that a Haystack name means; None for "Rel", Haystack's "no zone".

    Simple names ("New_York"), full names ("America/New_York") and the other
    names that tzdata keeps ("EST5EDT", "US/Eastern", "Calcutta") are taken, as
    Fantom does; the last also where the machine's tzdata has left them out, as
    Debian's does.  Raises ValueError for any other.
    """
    import zoneinfo

    if name == "UTC":
        return dt.timezone.utc
    if name in ("Rel", "Etc/Rel"):
        return None
    if not _NAME(name) or name in _NO_ZONES:
        raise ValueError(f'"{name}" is no time zone name')
    try:
        return zoneinfo.ZoneInfo(name if "/" in name else _full_name(name))
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        pass
    area, _, segment = name.rpartition("/")
    aliases = _aliases()
    other = aliases.get(name)
    if other is None and area in _AREAS:
        other = aliases.get(segment, segment)
    if other is not None:
        return tz_from_name(other)
    others = {canonical for alias, canonical in aliases.items() if alias.endswith("/" + name)}
    if len(others) == 1:
        return tz_from_name(others.pop())
    if others:
        raise ValueError(f'time zone "{name}" is ambiguous: {" or ".join(sorted(others))}')
    raise ValueError(f'time zone "{name}" is unknown')


def _full_name(name: str) -> str:
    """Return the tzdata name whose last segment is name, or name itself if there is none."""
    import zoneinfo

    for area in _AREAS:
        for folder in zoneinfo.TZPATH:
            if os.path.isfile(f"{folder}/{area}/{name}"):
                return f"{area}/{name}"
    # No zone files of the system: the package tzdata may hold them, at the price of a scan.
    names = zoneinfo.available_timezones()
    return next((f"{area}/{name}" for area in _AREAS if f"{area}/{name}" in names), name)


@functools.lru_cache(maxsize=None)
def _aliases() -> dict[str, str]:
    """Return a dict from other names to Haystack's."""
    aliases = {}
    for line in _ALIASES.strip().replace("\n    ", " ").splitlines():
        canonical, names = line.split(": ")
        aliases.update(dict.fromkeys(names.split(), canonical))
    return aliases


# Zones -> names ------------------------------------------------------------


def tz_name(value: dt.datetime | dt.tzinfo | None) -> str:
    """Return Haystack's name of a datetime's zone, or of a zone.

    zoneinfo, pytz and dateutil zones are named by what they were made from,
    UTC is "UTC", a fixed offset of whole hours "GMT+5" (behind UTC: the sign
    is that of Etc/GMT+5) and no zone "Rel".  Raises ValueError for a zone
    without a name that is not a whole number of hours off UTC, since Haystack
    has no name for it.
    """
    if isinstance(value, dt.datetime):
        zone, when = value.tzinfo, value
    else:
        zone, when = value, None
    if zone is None:
        return "Rel"
    if zone is dt.timezone.utc:
        return "UTC"
    key = _key(zone)
    name = _haystack_name(key) if key else None
    return name or _offset_name(zone, when)


def _key(zone: Any) -> str | None:
    """Return the tzdata name that a zone was made from, if it tells."""
    key = getattr(zone, "key", None) or getattr(zone, "zone", None)  # zoneinfo, pytz
    if key is None and type(zone).__module__.startswith("dateutil."):
        # tzfile('/usr/share/zoneinfo/America/New_York') or tzfile('America/New_York')
        match = re.fullmatch(r"tzfile\('(?:.*/zoneinfo/)?(.*)'\)", repr(zone))
        key = match and match[1]
    return key if isinstance(key, str) else None


@functools.lru_cache(maxsize=1024)
def _haystack_name(key: str) -> str | None:
    """Return Haystack's name for a tzdata name, None where it has none."""
    key = key.removeprefix("posix/").removeprefix("right/")  # tzdata's copies of all zones
    segment = key.rpartition("/")[2]
    aliases = _aliases()
    name = aliases.get(key) or aliases.get(segment) or segment
    try:
        return name if tz_from_name(name) is not None else None
    except ValueError:
        return None


def _offset_name(zone: dt.tzinfo, when: dt.datetime | None) -> str:
    """Return "GMT±h" for a zone that is whole hours off UTC (at a moment, if it is not fixed)."""
    offset = zone.utcoffset(when)
    if offset is None:
        raise ValueError(f"Haystack has no name for the time zone {zone!r}; "
                         "use a zoneinfo.ZoneInfo")
    hours, rest = divmod(offset, _HOUR)
    if rest or not -12 <= hours <= 14:
        raise ValueError(f"Haystack has no time zone for the fixed offset {_offset_text(offset)}: "
                         "it names whole hours only, and places; use a zoneinfo.ZoneInfo")
    if not hours:
        return "UTC"
    return f"GMT{-hours:+}"


# Text ----------------------------------------------------------------------


def format_datetime(value: dt.datetime) -> tuple[str, str]:
    """Return a datetime as ISO 8601 text and Haystack's name of its zone.

    The fraction of a second has as many digits as it needs; an offset of zero
    is "Z".  Haystack's offsets have no seconds: where a zone had some (local
    mean time) the text is in UTC, which leaves the instant as it is.  So it is
    with the zone "UTC" where Haystack has no name for the zone (a fixed offset of
    +05:30).  A naive datetime is text in "Z" with the zone "Rel".  Raises
    ValueError for a zone that tells no offset.
    """
    if value.tzinfo is dt.timezone.utc:
        return _local_text(value) + "Z", "UTC"
    offset = value.utcoffset()
    try:
        name = tz_name(value)
    except ValueError:
        if offset is None:
            raise
        value, name, offset = _in_utc(value), "UTC", None
    if offset is not None and offset % _MINUTE:
        value, offset = _in_utc(value), None
    return _local_text(value) + (_offset_text(offset) if offset else "Z"), name


def _local_text(value: dt.datetime) -> str:
    """Return a datetime as ISO 8601 text without an offset."""
    text = value.isoformat()[:26 if value.microsecond else 19]
    return text.rstrip("0") if value.microsecond else text


def _in_utc(value: dt.datetime) -> dt.datetime:
    """Return an aware datetime in UTC.  Raises ValueError beyond Python's years."""
    try:
        return value.astimezone(dt.timezone.utc)
    except OverflowError:
        raise ValueError(f"{value} lies outside of the years 1 to 9999 in UTC") from None


@functools.lru_cache(maxsize=256)
def _offset_text(offset: dt.timedelta) -> str:
    """Return an offset from UTC as "+05:30"."""
    minutes = abs(offset) // _MINUTE
    return f"{'-' if offset < dt.timedelta() else '+'}{minutes // 60:02}:{minutes % 60:02}"


def format_time(value: dt.time) -> str:
    """Return a time as ISO 8601 text.  Raises ValueError if it has a zone: Haystack's has none."""
    if value.tzinfo is not None:
        raise ValueError("Haystack's Time has no time zone")
    text = value.isoformat()
    return text.rstrip("0") if value.microsecond else text


def parse_date(text: str) -> dt.date:
    """Return the date of "2021-03-22".  Raises ValueError."""
    if not _DATE(text):
        raise ValueError(f"{text!r} is no date: expected YYYY-MM-DD")
    return dt.date.fromisoformat(text)


def parse_time(text: str) -> dt.time:
    """Return the time of "17:19:23.5"; "8:30" will do.  Raises ValueError.

    More than six digits of a fraction are rounded to the microsecond, but
    never to the next day.
    """
    match = _TIME(text)
    if not match:
        raise ValueError(f"{text!r} is no time: expected hh:mm:ss")
    time = dt.time.fromisoformat(match[1].rjust(5, "0") + (match[2] or ""))
    return time.replace(microsecond=min(_microseconds(match[3]), 999_999))


def parse_datetime(text: str, tz: str | None = None) -> dt.datetime:
    """Return the datetime of "2021-03-22T13:57:00.381-04:00" in the zone tz.

    A name of the zone may also follow the text after a space.  Where offset
    and zone disagree the offset fixes the instant (haystack.md section 1); a
    text without offset is local time.  Without a zone, "Z" is UTC, an offset of
    whole hours "GMT±h", and any other offset becomes UTC.  Zone "Rel" gives a
    naive datetime.  More than six digits of a fraction are rounded to the
    microsecond.  Raises ValueError.
    """
    instant = _iso_instant(text)
    if instant is None:
        match = _DATETIME(text)
        if not match:
            raise ValueError(f"{text!r} is no date and time: expected YYYY-MM-DDThh:mm:ssZ")
        date, minutes, seconds, fraction, offset, named = match.groups()
        value = dt.datetime.fromisoformat(f"{date}T{minutes}{seconds or ''}")
        value += _microseconds(fraction) * _MICROSECOND
        tz = tz or named
        if offset is None:
            if not tz:
                raise ValueError(f"{text!r} has neither an offset nor a time zone")
            return value.replace(tzinfo=tz_from_name(tz))
        instant = value.replace(tzinfo=_parse_offset(offset))
    if tz:
        zone = tz_from_name(tz)
    else:
        zone = _zone_of_offset(instant.utcoffset() or dt.timedelta())
    if zone is instant.tzinfo:
        return instant
    try:
        moved = instant.astimezone(zone or dt.timezone.utc)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range in the time zone {tz}") from None
    return moved if zone is not None else moved.replace(tzinfo=None)


def _iso_instant(text: str) -> dt.datetime | None:
    """Return the aware datetime of a text in the form that Python writes, or with "Z" for
    "+00:00"; None for other forms, of which Python reads more than Haystack has."""
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    form = text[:-1] + "+00:00" if text.endswith("Z") else text
    return instant if instant.tzinfo is not None and instant.isoformat() == form else None


def _microseconds(fraction: str | None) -> int:
    """Return a fraction's digits as microseconds, rounded; 1,000,000 is possible."""
    if not fraction:
        return 0
    if len(fraction) <= 6:
        return int(fraction.ljust(6, "0"))
    return round(int(fraction[:18].ljust(18, "0")) / 10**12)


def _parse_offset(text: str) -> dt.tzinfo:
    """Return the zone of "Z", "+05:30", "-0400" or "-04:56:02"."""
    if text in "Zz":
        return dt.timezone.utc
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]),
                          seconds=int(digits[4:] or 0))
    return dt.timezone(-offset if text[0] == "-" else offset)


def _zone_of_offset(offset: dt.timedelta) -> dt.tzinfo:
    """Return the zone for a datetime that tells its offset only."""
    hours, rest = divmod(offset, _HOUR)
    if not hours or rest or not -12 <= hours <= 14:
        return dt.timezone.utc
    return tz_from_name(f"GMT{-hours:+}") or dt.timezone.utc
