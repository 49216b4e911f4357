"""Columns of the wire ↔ lists of Python values, arrays and rows among them.

One codec for everything (docs/protocol.md, docs/types.md): a single value is a column of
length 1, a wanted type is a column of length 0.  numpy is imported only when an array
needs it.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .. import hayson
from ..errors import ConversionError
from ..haystack.ref import Ref
from ..haystack.symbol import Symbol
from ..haystack.uri import Uri
from . import scalars, transforms, wire
from .scalars import is_null, no_mapping
from .wire import Buffer, Column

__all__ = ["EXACT", "decode_column", "encode_column", "encode_fitting", "first_unfit", "flatten"]

Unfit = TypeVar("Unfit", bound=Exception)


# Decoding ------------------------------------------------------------------


def decode_column(column: Column) -> list[Any]:
    """Return a column's values as a list of Python objects, NULL as None."""
    values = _DECODERS[column.tag](column)
    if column.mask is not None:
        values = [None if null else value for value, null in zip(values, column.mask)]
    if column.texts is not None and column.mask is not None:
        texts = iter(column.texts)
        values = [next(texts) if byte == wire.MASK_TEXT else value
                  for value, byte in zip(values, column.mask)]
    return values


def _decode_null(column: Column) -> list[Any]:
    return [None] * column.count


def _decode_plain(column: Column) -> list[Any]:
    return column.data.tolist()


def _decode_bool(column: Column) -> list[Any]:
    return column.data.cast("?").tolist()


def _decode_date(column: Column) -> list[Any]:
    return [dt.date.fromordinal(scalars.EPOCH_DAY + day) for day in column.data]


def _decode_time(column: Column) -> list[Any]:
    return [(scalars.EPOCH + dt.timedelta(microseconds=value)).time() for value in column.data]


def _decode_timestamp(column: Column) -> list[Any]:
    return [scalars.EPOCH + dt.timedelta(microseconds=value) for value in column.data]


def _decode_timestamptz(column: Column) -> list[Any]:
    zone = scalars.time_zone(column.extra)
    try:
        return [(scalars.EPOCH_UTC + dt.timedelta(microseconds=value)).astimezone(zone)
                for value in column.data]
    except OverflowError:
        raise ConversionError("22008", f"timestamp with time zone out of range for Python in the "
                              f'time zone "{column.extra}"',
                              "Pass the value as text, or NULL in its place.") from None


def _decode_interval(column: Column) -> list[Any]:
    return [dt.timedelta(microseconds=value) for value in column.data]


def _decode_uuid(column: Column) -> list[Any]:
    import uuid

    return [uuid.UUID(bytes=bytes(column.data[i * 16:i * 16 + 16])) for i in range(column.count)]


def _decode_numeric(column: Column) -> list[Any]:
    values = wire.split_texts(column)
    if column.extra == "decimal":
        from decimal import Decimal

        return [Decimal(value) if value else None for value in values]
    return [_number(value) for value in values]


def _number(text: str) -> int | float | None:
    """Return a numeric's value: an int when its scale is 0, else a float."""
    if not text:
        return None
    if text.isdigit() or text[1:].isdigit() and text[0] == "-":
        try:
            return int(text)
        except ValueError:      # more digits than sys.get_int_max_str_digits()
            from decimal import Decimal

            return int(Decimal(text))
    return float(text)


def _decode_json(column: Column) -> list[Any]:
    texts = wire.split_texts(column)
    if column.mask is not None:
        texts = [text or "null" for text in texts]
    try:
        return hayson.loads_all(texts)
    except hayson.HaysonError as error:
        raise ConversionError("22P02", f"invalid Hayson: {error}") from None


def _decode_ref(column: Column) -> list[Any]:
    return [Ref(value) if value else None for value in wire.split_texts(column)]


def _decode_uri(column: Column) -> list[Any]:
    return [Uri(value) for value in wire.split_texts(column)]


def _decode_symbol(column: Column) -> list[Any]:
    return [Symbol(value) if value else None for value in wire.split_texts(column)]


def _decode_plain_text(column: Column) -> list[Any]:
    values = wire.split_texts(column)
    decode = transforms.DECODERS.get(column.extra)
    return values if decode is None else [decode(value) for value in values]


def _decode_bytea(column: Column) -> list[Any]:
    offsets = column.offsets
    return [bytes(column.data[offsets[i]:offsets[i + 1]]) for i in range(column.count)]


def _decode_array(column: Column) -> list[Any]:
    """Return each value as an ndarray (numbers, booleans) or as (nested) lists.

    The dtype of each is that of its own elements.
    """
    child = column.children[0]
    part: Callable[[slice], Any]
    if column.extra != "list" and child.tag in wire.NATIVE:
        part = _native_arrays(child)
    elif column.extra != "list" and child.tag == wire.NUMERIC and child.extra != "decimal":
        part = _numeric_arrays(decode_column(child))
    else:
        part = decode_column(child).__getitem__
    shapes = _shapes(column)
    values = []
    for i, shape in enumerate(shapes):
        value = part(slice(column.offsets[i], column.offsets[i + 1]))
        if len(shape) != 1:
            value = _nest(value, shape) if isinstance(value, list) else value.reshape(shape)
        values.append(value)
    return values


def _native_arrays(column: Column) -> Callable[[slice], Any]:
    """Return what gives parts of a native column as writable ndarrays that share the frame's memory.

    NULLs become NaN in a float column; a part of an integer or boolean column with
    NULLs becomes an object array that holds None.
    """
    import numpy

    array = numpy.frombuffer(column.data, dtype=wire.NATIVE[column.tag])
    if column.mask is None:
        return array.__getitem__
    null = numpy.frombuffer(column.mask, dtype="?")
    if column.tag in (wire.FLOAT32, wire.FLOAT64):
        array[null] = numpy.nan
        return array.__getitem__
    objects = array.astype(object)
    objects[null] = None
    return lambda part: (objects if null[part].any() else array)[part]


def _shapes(column: Column) -> Iterator[tuple[int, ...]]:
    offsets, dims = column.offsets, column.dims
    position = 0
    for i in range(column.count):
        if len(dims) == 0:
            yield (offsets[i + 1] - offsets[i],)
        else:
            ndim = dims[position]
            yield tuple(dims[position + 1:position + 1 + ndim])
            position += 1 + ndim


def _nest(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    for size in reversed(shape[1:]):
        flat = [flat[i:i + size] for i in range(0, len(flat), size or 1)]
    return flat


def _numeric_arrays(values: list[Any]) -> Callable[[slice], Any]:
    """Return what gives parts of numerics as ndarrays."""
    if values and set(map(type, values)) == {float}:
        return _numeric_array(values).__getitem__   # type: ignore[no-any-return]
    return lambda part: _numeric_array(values[part])


def _numeric_array(values: list[Any]) -> Any:
    """Return numerics as int64, float64 or, with NULLs or big integers, as objects."""
    import numpy

    kinds = set(map(type, values))
    if kinds == {int} and all(-1 << 63 <= value < 1 << 63 for value in values):
        return numpy.array(values, dtype="<i8")
    if not kinds or float in kinds and all(type(value) is not int or abs(value) <= 1 << 53
                                           for value in values):
        return numpy.array(values, dtype="<f8")
    array = numpy.empty(len(values), dtype=object)
    array[:] = values
    return array


def _decode_record(column: Column) -> list[Any]:
    names = [child.name for child in column.children]
    if not names:
        return [{} for _ in range(column.count)]
    rows = zip(*(decode_column(child) for child in column.children))
    return [dict(zip(names, row)) for row in rows]


_DECODERS: dict[int, Callable[[Column], list[Any]]] = {
    wire.NULL: _decode_null, wire.BOOL: _decode_bool, wire.INT16: _decode_plain,
    wire.INT32: _decode_plain, wire.INT64: _decode_plain, wire.FLOAT32: _decode_plain,
    wire.FLOAT64: _decode_plain, wire.DATE: _decode_date, wire.TIME: _decode_time,
    wire.TIMESTAMP: _decode_timestamp, wire.TIMESTAMPTZ: _decode_timestamptz,
    wire.INTERVAL: _decode_interval, wire.UUID: _decode_uuid, wire.TEXT: wire.split_texts,
    wire.NUMERIC: _decode_numeric, wire.JSON: _decode_json, wire.OTHER: wire.split_texts,
    wire.REF: _decode_ref, wire.URI: _decode_uri, wire.SYMBOL: _decode_symbol,
    wire.PLAIN: _decode_plain_text,
    wire.BYTEA: _decode_bytea, wire.ARRAY: _decode_array, wire.RECORD: _decode_record,
}


# Encoding ------------------------------------------------------------------

# Tag → types of values that a column holds as they are.
EXACT: dict[int, frozenset[type]] = {
    wire.BOOL: frozenset((bool, type(None))), wire.TEXT: frozenset((str, type(None))),
    **{tag: frozenset((int, type(None))) for tag in wire.INTEGERS},
    **{tag: frozenset((float, type(None))) for tag in wire.FLOATS},
}


def encode_column(want: Column, values: Sequence[Any]) -> list[Buffer]:
    """Return `values` in parts, as a column of the type and name of `want`.

    Raises ConversionError for a value that does not fit.
    """
    mask = None
    if want.tag == wire.NULL:
        return [wire.column_head(want, len(values), None)]
    kinds = set(map(type, values))
    exact = kinds <= EXACT.get(want.tag, frozenset())
    if scalars.may_be_null(kinds):
        for value in values:
            if is_null(value):
                mask = bytes(is_null(value) for value in values)
                break
    if want.tag == wire.ARRAY:
        return _encode_array(want, values, mask)
    if want.tag == wire.RECORD:
        return _encode_record(want, values, mask)
    if want.tag == wire.JSON:
        texts = _encode_json(values, mask)
        return wire.text_column(want, len(values), mask, wire.join_texts(texts, want))
    converter = scalars.CONVERTERS[want.tag]
    blank: Any = b"" if want.tag == wire.BYTEA else b"\0" * 16 if want.tag == wire.UUID \
        else "" if want.tag in wire.TEXTUAL else 0
    plain: Sequence[Any]
    if exact and mask is None:
        plain = values
    elif mask is None:
        plain = [converter(value, want) for value in values]
    else:
        plain = [blank if null else converter(value, want) for value, null in zip(values, mask)]
    if want.tag in wire.TEXTUAL:
        return wire.text_column(want, len(values), mask, wire.join_texts(plain, want))
    if want.tag == wire.UUID:
        return [wire.column_head(want, len(values), mask), *wire.padded(b"".join(plain))]
    if want.tag == wire.BYTEA:
        offsets = [0]
        for value in plain:
            offsets.append(offsets[-1] + len(value))
        data = plain[0] if len(plain) == 1 else b"".join(plain)
        return [wire.column_head(want, len(values), mask),
                struct.pack(f"<{len(offsets)}q", *offsets), *wire.padded(data)]
    return [wire.column_head(want, len(values), mask), *wire.padded(_pack(want, plain))]


def _encode_json(values: Sequence[Any], mask: bytes | None) -> list[str]:
    """Return the Hayson of values, "" for NULL."""
    if mask is not None:
        texts = iter(scalars.hayson_texts([v for v, null in zip(values, mask) if not null]))
        return ["" if null else next(texts) for null in mask]
    return scalars.hayson_texts(values)


def _pack(want: Column, plain: Sequence[Any]) -> bytes:
    code = f"<{len(plain)}{wire.FIXED[want.tag][0]}"
    try:
        return struct.pack(code, *plain)
    except (struct.error, OverflowError):
        for value in plain:
            try:
                struct.pack("<" + wire.FIXED[want.tag][0], value)
            except (struct.error, OverflowError):
                raise scalars.out_of_range(value, want) from None
        raise


def _encode_array(want: Column, values: Sequence[Any], mask: bytes | None) -> list[Buffer]:
    """Encode arrays: offsets, dims and one child column of all elements."""
    child = want.children[0]
    offsets = [0]
    dims: list[int] = []
    flats: list[Any] = []
    flat_only = True
    for value in values:
        if is_null(value):
            shape: tuple[int, ...] = (0,)
        else:
            flat, shape = flatten(value, want)
            flats.append(flat)
        size = 1
        for length in shape:
            size *= length
        flat_only = flat_only and len(shape) == 1
        dims += (len(shape), *shape)
        offsets.append(offsets[-1] + size)
    if flat_only:
        dims = []
    parts = [wire.column_head(want, len(values), mask),
             struct.pack(f"<{len(offsets)}q", *offsets), wire.U64.pack(len(dims)),
             *wire.padded(struct.pack(f"<{len(dims)}i", *dims))]
    return parts + _encode_elements(child, flats)


def _encode_elements(child: Column, flats: list[Any]) -> list[Buffer]:
    """Encode the elements of arrays, each a 1-D ndarray or a list, as one column."""
    if len(flats) == 1 and not isinstance(flats[0], list) \
            and flats[0].dtype.str == wire.NATIVE.get(child.tag):
        array = flats[0] if flats[0].flags.c_contiguous else flats[0].copy()
        return [wire.column_head(child, len(array), None),
                *wire.padded(memoryview(array).cast("B"))]
    if flats and all(not isinstance(flat, list) and flat.dtype == flats[0].dtype
                     for flat in flats):
        import numpy

        from . import arrays

        array = flats[0] if len(flats) == 1 else numpy.concatenate(flats)
        null = numpy.isnat(array) if array.dtype.kind in "Mm" else numpy.zeros(0, "?")
        try:
            with numpy.errstate(all="ignore"):
                return arrays.encode(child, array, null if null.any() else None)
        except (ConversionError, *arrays.UNFIT):
            pass
    elements: list[Any] = []
    for flat in flats:
        elements += flat if isinstance(flat, list) else _listed(flat)
    try:
        return encode_column(child, elements)
    except ConversionError as error:
        index, found = first_unfit(child, elements, error)
        raise found.within(f"[{index}]") from None


def first_unfit(want: Column, values: Sequence[Any], error: Unfit) -> tuple[int, Unfit]:
    """Return the place of the first value that does not fit, and its error.

    error: what encoding all values has raised.
    """
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            encode_column(want, values[low:middle])
            low = middle
        except type(error):
            high = middle
    try:
        encode_column(want, values[low:high])
    except type(error) as found:
        return low, found
    return low, error


def encode_fitting(want: Column, values: list[Any]) -> tuple[list[Buffer], Exception | None]:
    """Return the values before the first that does not fit as a column, and its error.

    The others are removed from the list.  The error is any, also of an object of the user's.
    """
    try:
        return encode_column(want, values), None
    except Exception as error:
        unfit = error
    # Not within the handler: what is raised there would have this error as its context.
    place, found = first_unfit(want, values, unfit)
    del values[place:]
    return encode_column(want, values), found


def flatten(value: Any, want: Column) -> tuple[Any, tuple[int, ...]]:
    """Return an array-like as (1-D ndarray of native type or list, shape)."""
    if isinstance(value, (list, tuple, range, deque)):
        return _flatten_list(list(value), want)
    if type(value).__module__ == "array" or isinstance(value, memoryview):
        return _flatten_list(value.tolist(), want)
    module = type(value).__module__.partition(".")[0]
    if module == "pandas" and hasattr(value, "to_numpy") and getattr(value, "ndim", 0) == 1:
        import numpy

        missing = numpy.asarray(value.isna())
        if missing.any() and value.dtype.kind not in "Mm":      # those have NaT
            value = numpy.array(value, dtype=object)
            value[missing] = None
        else:
            value = value.to_numpy()
        module = "numpy"
    if module == "numpy" and hasattr(value, "ravel") and hasattr(value, "tolist"):
        if type(value).__name__ == "matrix":
            value = value.A     # a matrix would stay two-dimensional
        if value.ndim == 0:
            raise no_mapping(value, want, "A 0-dimensional array is no array in SQL: use .item().")
        if value.ndim > 6:
            raise ConversionError("54000", f"an array of {value.ndim} dimensions does not fit: "
                                  "PostgreSQL has at most 6")
        if value.dtype.kind in "Mm" and hasattr(value, "mask"):
            value = value.filled(value.dtype.type("NaT"))
        if value.dtype.kind in "biufMm" and not hasattr(value, "mask"):
            return value.ravel(), value.shape
        return value.ravel().tolist(), value.shape
    raise no_mapping(value, want)


def _flatten_list(value: list[Any], want: Column) -> tuple[list[Any], tuple[int, ...]]:
    """Flatten nested lists of equal lengths; arrays inside count as lists."""
    shape = [len(value)]
    while value and all(_is_nested(item) for item in value):
        if want.children[0].tag == wire.RECORD and _is_row(value):
            break
        items = [_listed(item) for item in value]
        length = len(items[0])
        if any(len(item) != length for item in items):
            raise ConversionError("2202E", "nested lists of different lengths are no array",
                                  "Make them equally long, or return jsonb.")
        shape.append(length)
        if len(shape) > 6:
            raise ConversionError("54000", "lists nested deeper than 6 levels are no array",
                                  "Return jsonb.")
        value = [element for item in items for element in item]
    return value, tuple(shape)


def _listed(item: Any) -> list[Any]:
    if not hasattr(item, "tolist") or getattr(item.dtype, "kind", "") in "Mm":
        return list(item)       # tolist() makes ints of nanoseconds
    return item.tolist()        # type: ignore[no-any-return]


def _is_nested(item: Any) -> bool:
    return isinstance(item, (list, tuple, deque)) or (
        type(item).__module__.partition(".")[0] in ("numpy", "pandas")
        and getattr(item, "ndim", 0) > 0 and hasattr(item, "tolist"))


def _is_row(items: list[Any]) -> bool:
    return all(isinstance(item, tuple) for item in items)


def _encode_record(want: Column, values: Sequence[Any], mask: bytes | None) -> list[Buffer]:
    """Encode rows: dict, Mapping, dataclass, namedtuple by name; tuple and list by position."""
    names = [child.name for child in want.children]
    rows = [None if is_null(value) else _fields(value, names, want) for value in values]
    parts: list[Buffer] = [wire.column_head(want, len(values), mask), wire.U64.pack(len(names))]
    for i, child in enumerate(want.children):
        try:
            parts += encode_column(child, [None if row is None else row[i] for row in rows])
        except ConversionError as error:
            raise error.within(f".{child.name}") from None
    return parts


def _fields(value: Any, names: list[str], want: Column) -> Sequence[Any]:
    """Return a row's values in the order of `names`."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        value = dict(zip(value._fields, value))
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        if value.keys() == set(names):
            return [value[name] for name in names]
        missing = [name for name in names if name not in value]
        unknown = [str(key) for key in value if key not in names]
        what = f'has no key "{missing[0]}"' if missing else \
            f'has the key "{unknown[0]}", which {want.sql_name()} lacks'
        raise ConversionError("42703", f"the dict {what}",
                              "Set the key to None to return NULL." if missing else
                              f"The fields are {', '.join(names)}.")
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise ConversionError("42804", f"a row of {len(value)} values does not fit "
                                  f"{want.sql_name()} of {len(names)} fields")
        return value
    raise no_mapping(value, want)
