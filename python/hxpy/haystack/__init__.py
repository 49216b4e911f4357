"""Project Haystack's values, under the module and class names of Haxall's hxPy.

Null is None, Bool bool, Str str, a Number without unit int or float, Date, Time
and DateTime those of datetime, Dict dict, List list, Buf bytes.
"""

from .coord import Coord
from .grid import Grid, GridBuilder, GridCol, GridRow
from .marker import Marker
from .na import NA
from .number import FloatNumber, IntNumber, Number
from .ref import Ref
from .remove import Remove
from .symbol import Symbol
from .tz import tz_from_name, tz_name
from .uri import Uri
from .xstr import XStr

__all__ = ["Coord", "FloatNumber", "Grid", "GridBuilder", "GridCol", "GridRow", "IntNumber",
           "Marker", "NA", "Number", "Ref", "Remove", "Symbol", "Uri", "XStr", "tz_from_name",
           "tz_name"]
