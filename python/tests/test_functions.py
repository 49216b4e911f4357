"""Functions of the language: what a body may be, and calls of several rows and kinds."""

import linecache

import pytest

from hxpy._tables import wire
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.wire import Column, decode_batch, encode_batch
from hxpy._worker.functions import Functions, Table, batches
from hxpy._worker.session import Session
from hxpy.errors import HxpyError

VERSIONS = ("00004001" + "0" * 24, "00004001" + "1" * 24)


@pytest.fixture
def functions():
    return Functions(Session())


def text_column(name, *texts):
    return encode_column(Column(wire.TEXT, name, "", len(texts)), texts)


def define(functions, source, parameters=(), kind="value", key=VERSIONS[0], name="f", dropped=()):
    payload = encode_batch([
        text_column("kind", kind), text_column("key", key), text_column("name", name),
        text_column("source", source), text_column("parameters", *parameters),
        text_column("dropped", *dropped)])
    assert functions.define(b"".join(map(bytes, payload)))


def instruct(functions, common, arguments):
    """Send INVOKE with the columns that calls have in common, and others; return the result's."""
    begin = b"".join(b"".join(map(bytes, column)) for column in common)
    payload = wire.BATCH.pack(len(common) + len(arguments), wire.BATCH.size + len(begin)) + begin
    payload += b"".join(b"".join(map(bytes, column)) for column in arguments)
    return decode_batch(b"".join(map(bytes, functions.invoke(bytearray(payload)))))


def invoke(functions, *arguments, want=wire.INT64, key=VERSIONS[0], name="key"):
    """Call by columns given as (tag, values); return the values of the result."""
    common = [text_column(name, key)]
    if want is not None:
        wanted = want if isinstance(want, Column) else Column(want, "", "", 0)
        common.append(encode_column(wanted, []))
    result = instruct(functions, common, [
        encode_column(Column(tag, "", "", 0), values) for tag, values in arguments])
    return [decode_column(column) for column in result]


def call(functions, source, *arguments, want=wire.INT64):
    """Call a callable as invoke() does."""
    return invoke(functions, *arguments, want=want, key=source, name="func")


def test_callables_are_looked_up_each_time(functions):
    functions.session.execute("def f(x): return x + 1")
    assert call(functions, "f", (wire.INT32, [1])) == [[2]]
    functions.session.execute("def f(x): return x + 10")
    assert call(functions, "f", (wire.INT32, [1])) == [[11]]
    assert call(functions, "lambda *x: len(x)") == [[0]]
    functions.session.execute("del f")
    with pytest.raises(HxpyError, match="name 'f' is not defined") as error:
        call(functions, "f", (wire.INT32, [1]))
    assert error.value.sqlstate == "42883" and "py_exec" in error.value.hint
    with pytest.raises(NameError):
        call(functions, "(lambda: nosuch)()")
    with pytest.raises(HxpyError, match='"int" is not callable'):
        call(functions, "1")


def test_a_callable_may_take_columns(functions):
    functions.session.execute("""
        import hxpy, numpy
        @hxpy.batch
        def f(x, y): return [f"{type(x).__name__} {len(x)} {x[0] + y[0]}"]
        hypot = hxpy.batch(numpy.hypot)
        class Odd:
            def __getattr__(self, name): return 1
            def __call__(self, x): return x
        odd = Odd()
    """)
    one, two = (wire.INT32, [1]), (wire.INT32, [2])
    assert call(functions, "f", one, two, want=wire.TEXT) == [["ndarray 1 3"]]
    assert call(functions, "hypot", two, (wire.INT32, [0]), want=wire.FLOAT64) == [[2.0]]
    assert call(functions, "odd", (wire.INT32, [1])) == [[1]]
    with pytest.raises(HxpyError, match="returned 2 values for 1 rows"):
        call(functions, "hxpy.batch(lambda x: [1, 2])", (wire.INT32, [1]))


def test_short_and_long_ways_agree(functions):
    define(functions, "return (a, b, c, d)[args[4]]", ["a", "b", "c", "d", ""])
    for _ in range(2):      # the second call goes the short way
        for i, (want, value) in enumerate(((wire.INT16, -3), (wire.FLOAT64, 2.5),
                                           (wire.BOOL, True), (wire.TEXT, "größe"))):
            assert invoke(functions, (wire.INT16, [-3]), (wire.FLOAT64, [2.5]),
                          (wire.BOOL, [True]), (wire.TEXT, ["größe"]),
                          (wire.INT32, [i]), want=want) == [[value]]


def test_nulls_and_rows(functions):
    define(functions, "return None if a is None else a * 2", ["a"])
    assert invoke(functions, (wire.INT64, [1])) == [[2]]
    assert invoke(functions, (wire.INT64, [None])) == [[None]]
    assert invoke(functions, (wire.INT64, [1, None, 3])) == [[2, None, 6]]
    assert invoke(functions, (wire.INT64, [4])) == [[8]]
    assert invoke(functions, (wire.INT64, [])) == [[]]


def test_out_of_range_by_the_short_way(functions):
    define(functions, "return 1 << 40")
    with pytest.raises(HxpyError, match="out of range for integer") as info:
        invoke(functions, want=wire.INT32)
    assert info.value.sqlstate == "22003"
    define(functions, "return 1e300", key=VERSIONS[1])
    with pytest.raises(HxpyError):
        invoke(functions, want=wire.FLOAT32, key=VERSIONS[1])


def test_void(functions):
    define(functions, "return x", ["x"], kind="void")
    assert invoke(functions, (wire.INT64, [None]), want=None) == []
    with pytest.raises(HxpyError, match="did not return None"):
        invoke(functions, (wire.INT64, [1]), want=None)


def test_a_new_version_takes_the_place_of_the_old(functions):
    lines = len(linecache.cache)
    define(functions, "SD['n'] = SD.get('n', 0) + 1; return SD['n']")
    assert [invoke(functions) for _ in range(2)] == [[[1]], [[2]]]
    define(functions, "return SD.get('n', 0)", key=VERSIONS[1])
    assert invoke(functions, key=VERSIONS[1]) == [[0]]
    assert list(functions.known) == [VERSIONS[1]] and len(functions.calls) == 1
    assert len(linecache.cache) == lines + 1
    with pytest.raises(KeyError):
        invoke(functions)


def test_dropped_functions_leave_nothing(functions):
    lines = len(linecache.cache)
    define(functions, "return 1")
    invoke(functions)
    with pytest.raises(SyntaxError):
        define(functions, "return (", key="00004002" + "0" * 24, dropped=["00004001", "00005000"])
    assert not functions.known and not functions.calls and len(linecache.cache) == lines


def test_calls_of_many_kinds_are_bounded(functions):
    define(functions, "return a", ["a"])
    for i in range(1000):
        assert invoke(functions, (wire.INT64, [i]), want=Column(wire.OTHER, "", f"type {i}", 0)) == [[str(i)]]
    assert len(functions.calls) <= 256


def test_globals_of_pl_python(functions):
    define(functions, """\
global a, other
a += 1
other = 5
def inner():
    global a
    a += 10
    class Deep:
        global a
        a += 100
inner()
return a""", ["a"])
    assert invoke(functions, (wire.INT64, [1])) == [[112]]


@pytest.mark.parametrize("name", ["class", "my arg", "args", "größe"])
def test_odd_names_of_parameters(functions, name):
    define(functions, "return args[0] + len(args)", [name])
    assert invoke(functions, (wire.INT64, [1])) == [[2]]


def test_errors_name_the_line(functions):
    with pytest.raises(SyntaxError) as info:
        define(functions, "\nx = 1\nif x\n", name="wrong")
    assert info.value.lineno == 3 and info.value.filename == "<function wrong>"
    with pytest.raises(SyntaxError) as info:
        define(functions, "x = 1\nnonlocal y", name="wrong")
    assert info.value.text == "nonlocal y"
    assert "<function wrong>" not in linecache.cache


def test_do_runs_once_and_leaves_nothing(functions):
    define(functions, "GD['x'] = 1\nreturn\nGD['x'] = 2", kind="do", key="")
    assert functions.session.namespace["x"] == 1 and not functions.known
    define(functions, "GD['x'] = 3", key="")
    assert functions.session.namespace["x"] == 1 and not functions.known


def record(*names):
    want = Column(wire.RECORD, "", "point", 0)
    want.children = [Column(wire.INT64, name, "", 0) for name in names]
    return want


class Holder:
    x, y = 1, 2


@pytest.mark.parametrize("source", [
    "{'x': 1, 'y': 2, 'z': 3}", "(1, 2)", "[1, 2]", "GD['Holder']", "range(1, 3)",
    "__import__('collections').namedtuple('N', 'y x')(2, 1)",
    "__import__('pandas').Series({'y': 2, 'x': 1})", "__import__('numpy').array([1, 2])",
    "__import__('numpy').array([(2, 1)], dtype=[('y', 'i8'), ('x', 'i8')])[0]"])
def test_rows(functions, source):
    functions.session.namespace["Holder"] = Holder
    define(functions, f"return {source}")
    assert invoke(functions, want=record("x", "y")) == [[{"x": 1, "y": 2}]]
    many = Column(wire.ARRAY, "", "", 0)
    many.children = [record("x", "y")]
    define(functions, f"return [{source}, None] if type({source}) is not list else [({source}), None]",
           key=VERSIONS[1])
    if not source.startswith("["):
        assert invoke(functions, want=many, key=VERSIONS[1]) == [[[{"x": 1, "y": 2}, None]]]


@pytest.mark.parametrize("source, state, message", [
    ("(1, 2, 3)", "42804", "length of returned sequence"), ("{'x': 1}", "42703", 'key "y" not'),
    ("5", "42703", 'attribute "x"'), ("'(1,2)'", "42846", "no mapping")])
def test_rows_that_do_not_fit(functions, source, state, message):
    define(functions, f"return {source}")
    with pytest.raises(HxpyError, match=message) as info:
        invoke(functions, want=record("x", "y"))
    assert info.value.sqlstate == state


def rows_of(source, is_row, *wants):
    """Return the rows of batches of a set; a table as it is."""
    rows = []
    for part in batches(eval(source), is_row, list(wants)):
        if isinstance(part, Table):
            rows.append(part.value)
        else:
            values = [decode_column(column) for column in
                      decode_batch(b"".join(map(bytes, part)))]
            rows += zip(*values)
    return rows


def test_sets():
    a, b = (Column(wire.INT64, name, "", 0) for name in "ab")
    assert rows_of("(i for i in range(100))", False, a) == [(i,) for i in range(100)]
    assert rows_of("[(1, 2), None, {'b': 3, 'a': 4}]", True, a, b) == [(1, 2), (None, None), (4, 3)]
    assert rows_of("[]", True, a, b) == []
    with pytest.raises(HxpyError, match="cannot be iterated"):
        rows_of("5", False, a)
    with pytest.raises(HxpyError, match="no mapping") as info:
        rows_of("[1] * 20 + ['x']", False, a)
    assert info.value.detail == 'Column "a", row 21.'


def test_sets_that_are_tables():
    a = Column(wire.INT64, "a", "", 0)
    for source in ("[1, 2]", "__import__('numpy').arange(1, 3)",
                   "__import__('pandas').Series([1, 2], index=[5, 6])",
                   "__import__('pandas').DataFrame({'x': [1, 2]})"):
        values = rows_of(source, False, a)
        frame = values[0]
        assert values == [(1,), (2,)] if source.startswith("[") else \
            list(frame.columns) == ["a"] and frame["a"].tolist() == [1, 2]
    with pytest.raises(HxpyError, match="2 columns"):
        rows_of("__import__('pandas').DataFrame({'x': [1], 'y': [2]})", False, a)


def fire(functions, wants, **data):
    """Call a trigger function with texts and rows of TD; return what the answer tells."""
    names = ("name", "relid", "table_name", "table_schema", "when", "level", "event")
    common = [text_column("key", VERSIONS[0]), *(text_column(name, data.get(name, "x")) for name in names),
              encode_column(Column(wire.TEXT, "args", "", 0), [None])]
    rows = [encode_column(Column(wire.INT64, key, "", 0), [value])
            for name in ("new", "old") for key, value in data.get(name, {}).items()]
    result = instruct(functions, common + [encode_column(Column(wire.INT64, name, "", 0), [])
                                           for name in wants], rows)
    return [(column.name, decode_column(column)[0]) for column in result]


@pytest.mark.parametrize("source, status, columns", [
    ("pass", "OK", []), ("return 'skip'", "SKIP", []), ("return 'MODIFY'", "MODIFY", []),
    ("TD['new']['b'] = 5; return 'MODIFY'", "MODIFY", [("b", 5)]),
    ("TD['new'] = {'a': TD['old']['a']}; return 'MODIFY'", "MODIFY", [("a", 3)]),
    ("TD['new'] = {'b': 1, 'a': 2}; return 'MODIFY'", "MODIFY", [("a", 2), ("b", 1)]),
    ("TD['new']['a'] = None; return 'MODIFY'", "MODIFY", [("a", None)])])
def test_triggers(functions, source, status, columns):
    define(functions, source, kind="trigger")
    for new in ({"a": 1, "b": 2}, {"a": 1, "b": None}) * 2:     # by the long way, and the short one
        assert fire(functions, "ab", level="ROW", event="UPDATE", new=new,
                    old={"a": 3, "b": 4}) == [("", status), *columns]
    if "old" not in source:
        answer = fire(functions, "ab", level="ROW", event="INSERT", new={"a": 3, "b": 4})
        assert answer == [("", status), *columns]


def test_rows_of_a_trigger(functions):
    define(functions, "GD['rows'] = TD['new'], TD['old']", kind="trigger")
    row, other = {"a": 1, "b": None}, {"a": None, "b": 2}
    for event, rows in (("INSERT", {"new": row}), ("UPDATE", {"new": row, "old": other}),
                        ("DELETE", {"old": other}), ("UPDATE", {"new": other, "old": row})):
        fire(functions, "ab" if "new" in rows else "", level="ROW", event=event, **rows)
        assert functions.session.namespace["rows"] == (rows.get("new"), rows.get("old"))
    assert len(functions.calls) == 3


def test_trigger_of_a_statement(functions):
    define(functions, "GD['td'] = TD", kind="trigger")
    assert fire(functions, "", level="STATEMENT", event="TRUNCATE") == [("", "OK")]
    data = functions.session.namespace["td"]
    assert data["event"] == "TRUNCATE" and data["new"] is None
    assert fire(functions, "", level="ROW", event="DELETE", old={"a": 1, "b": 2}) == [("", "OK")]
    assert functions.session.namespace["td"]["old"] == {"a": 1, "b": 2}
