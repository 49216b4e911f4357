"""The namespace, running code in it, and the texts of exceptions."""

import pickle
import sys

import pytest

from hxpy._worker import session as module
from hxpy.errors import HxpyError
from hxpy._worker.session import Session, describe_exception


@pytest.fixture
def session():
    main = sys.modules["__main__"]
    yield Session()
    sys.modules["__main__"] = main


def failure(session, source, run="execute"):
    """Return the message and the traceback of code that must fail."""
    try:
        getattr(session, run)(source)
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next   # not this function's own frame
        return describe_exception(error)
    raise AssertionError("no exception")


def test_namespace(session):
    session.define("a", 100)
    session.define("b", 2)
    session.execute("def mult(x, y): return x * y")
    assert session.evaluate("mult(a, b)") == 200
    session.execute("global c; c = [a for _ in range(b)]\nclass C:\n    d = c")
    assert session.evaluate("C.d") == [100, 100]
    assert session.evaluate("__name__") == "__main__"
    assert session.evaluate("(lambda: a)()") == 100
    with pytest.raises(NameError):
        session.evaluate("nothing")


def test_sessions_do_not_share(session):
    other = Session()
    session.define("a", 1)
    with pytest.raises(NameError):
        other.evaluate("a")


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", "class", "None", "a-b", "ä b"])
def test_bad_names(session, name):
    with pytest.raises(HxpyError) as info:
        session.define(name, 1)
    assert info.value.sqlstate == "42602"


@pytest.mark.parametrize("name", ["a", "_", "größe", "match", "_1"])
def test_good_names(session, name):
    session.define(name, 5)
    assert session.evaluate(name) == 5


@pytest.mark.parametrize("source", [
    "x = 1\nif x:\n    x = 2",
    "    x = 1\n    if x:\n        x = 2\n",
    "\n\n    x = 1\n    x += 1\n    ",
    "\tx = 2",
    "# a comment\nx = 2",
    "    # a comment\n    x = 2",
    "x = 1\r\nx = 2\r\n",
])
def test_dedent(session, source):
    session.execute(source)
    assert session.evaluate(" \n x \n ") == 2


def test_future_of_hxpy_is_not_inherited(session):
    session.execute("def f(x: int): pass")
    assert session.evaluate("f.__annotations__") == {"x": int}


def test_traceback_shows_source_and_no_own_frames(session):
    session.execute("def f(x):\n    return 1 / x")
    message, context = failure(session, "f(0)", "evaluate")
    assert message == "ZeroDivisionError: division by zero"
    assert context.startswith("Python traceback (most recent call last):\n")
    assert 'File "<py_exec 1>", line 2, in f\n    return 1 / x' in context
    assert 'File "<py_eval 2>", line 1, in <module>\n    f(0)' in context
    assert "session.py" not in context


def test_chained(session):
    message, context = failure(session, "try:\n    1/0\nexcept ZeroDivisionError as e:\n"
                                        "    raise ValueError('new') from e")
    assert message == "ValueError: new"
    assert "ZeroDivisionError: division by zero" in context
    assert "The above exception was the direct cause of:" in context
    assert context.index("ZeroDivisionError") < context.index("direct cause")
    _, context = failure(session, "try:\n    1/0\nexcept ZeroDivisionError:\n    {}['k']")
    assert "During its handling, another exception occurred:" in context
    message, context = failure(session, "try:\n    1/0\nexcept ZeroDivisionError:\n"
                                        "    raise ValueError('new') from None")
    assert "ZeroDivisionError" not in context


def test_circle_and_length_of_causes(session):
    message, _ = failure(session, "e = ValueError('a'); f = KeyError('b')\n"
                                  "e.__cause__ = f; f.__cause__ = e\nraise e")
    assert message == "ValueError: a"
    message, context = failure(session, "def f(n):\n    try:\n        if n: f(n - 1)\n"
                                        "        1/0\n    except Exception:\n"
                                        "        raise ValueError(n)\nf(50)")
    assert message == "ValueError: 50"
    assert len(context) <= module._TRACEBACK_LENGTH + 20


@pytest.mark.parametrize("run, source, text", [
    ("execute", "x = (1,", "'(' was never closed"),
    ("execute", "if True:\nx = 1", "expected an indented block after 'if' statement on line 1"),
    ("evaluate", "1 +", "invalid syntax"),
    ("evaluate", "x = 1", "invalid syntax"),
    ("evaluate", "", "invalid syntax"),
])
def test_syntax_errors(session, run, source, text):
    message, context = failure(session, source, run)
    kind = message.partition(":")[0]
    assert kind in ("SyntaxError", "IndentationError")
    assert text in message
    assert "\n" not in message
    if source:
        assert f'File "<py_{run[:4]} 1>"' in context
        assert source.splitlines()[-1].strip() in context


def test_recursion(session):
    message, context = failure(session, "def f(): return f()\nf()")
    assert message.startswith("RecursionError: maximum recursion depth exceeded")
    assert "Previous line repeated" in context
    assert len(context) < 2000


def test_long_texts_are_cut(session):
    message, _ = failure(session, "raise ValueError('x' * 10**6)")
    assert len(message) <= module._TRACEBACK_LENGTH + 10
    _, context = failure(session, "def f(n):\n    if n: g(n)\n    raise ValueError('" + "y" * 90
                         + "')\ndef g(n): f(n - 1)\nf(200)")
    assert len(context) <= module._TRACEBACK_LENGTH + 20


@pytest.mark.parametrize("body", ["raise RuntimeError('no')", "return 5", "1/0", "return None"])
def test_broken_text_of_an_exception(session, body):
    message, _ = failure(session, f"class E(Exception):\n    def __str__(self): {body}\nraise E()")
    assert message.startswith(("__main__.E", "E"))


def test_system_exit_and_interrupt_pass_through(session):
    for kind in (SystemExit, KeyboardInterrupt, GeneratorExit):
        with pytest.raises(kind):
            session.execute(f"raise {kind.__name__}")


def test_compiled_once(session, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "compile", lambda *a, **k: calls.append(a) or compile(*a, **k),
                        raising=False)
    for _ in range(3):
        session.evaluate("1 + 1")
        session.execute("1 + 1")
    assert len(calls) == 2
    for n in range(module._CACHED_SOURCES):
        session.evaluate(str(n))
    assert len(session._compiled) == module._CACHED_SOURCES
    calls.clear()
    session.evaluate("1 + 1")
    assert len(calls) == 1, "the oldest was dropped"
    long = "1" + " " * module._CACHED_LENGTH
    calls.clear()
    session.evaluate(long)
    session.evaluate(long)
    assert len(calls) == 2, "long sources are not kept"


def test_compiled_for_who_keeps_it(session):
    code = session.compile("1 + 1", "eval", False)
    assert session.compile("1 + 1", "eval", False) is not code and not session._compiled
    assert "".join(module.linecache.getlines(code.co_filename)) == "1 + 1", "for tracebacks"


def test_same_source_runs_anew(session):
    for n in range(3):
        session.execute("n = globals().get('n', -1) + 1")
        assert session.evaluate("n") == n


def test_pickle_of_a_class_of_main(session):
    session.execute("class C:\n    def __init__(self): self.x = 5")
    value = session.evaluate("C()")
    assert pickle.loads(pickle.dumps(value)).x == 5
    assert type(value).__module__ == "__main__"


def test_inspect_finds_sources(session):
    session.execute("import inspect\ndef f():\n    return 'the source'")
    assert "the source" in session.evaluate("inspect.getsource(f)")


def test_members_of_exception_groups(session):
    message, context = failure(session, """
        def check(value):
            raise ValueError(f"bad {value}")
        errors = []
        for value in 1, 2:
            try:
                check(value)
            except ValueError as error:
                errors.append(error)
        raise ExceptionGroup("two", [errors[0], ExceptionGroup("inner", [errors[1], OSError("no")])])
    """)
    assert message == "ExceptionGroup: two (2 sub-exceptions)"
    first, second = context.index("Exception 1 of the group:"), context.index("Exception 2 of")
    assert first < context.index("ValueError: bad 1") < second < context.index("inner (2 sub")
    assert context.index("Exception 2.1 of the group:") < context.index("ValueError: bad 2")
    assert context.index("Exception 2.2 of the group:") < context.index("OSError: no")
    assert context.count('raise ValueError(f"bad {value}")') == 2 and "hxpy/session.py" not in context
    _, context = failure(session, "raise ExceptionGroup('many', [ValueError(i) for i in range(99)])")
    assert "ValueError: 14" in context and "ValueError: 15" not in context
    assert "Exceptions 16 to 99 are left out." in context
