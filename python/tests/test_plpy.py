"""plpy: messages, errors and texts for SQL."""

import pytest

from hxpy import plpy


@pytest.fixture
def told(monkeypatch):
    messages = []
    monkeypatch.setattr(plpy, "_tell", lambda level, fields: messages.append((level, fields)))
    return messages


def test_messages(told):
    for level in ("debug", "log", "info", "notice", "warning"):
        assert getattr(plpy, level)("x") is None
    plpy.notice("a", 1, None)
    plpy.notice(message=5, detail="d", hint=None, sqlstate="ABC01")
    assert told == [*((level, {"message": "x"}) for level in ("debug", "log", "info", "notice",
                                                              "warning")),
                    ("notice", {"message": "('a', 1, None)"}),
                    ("notice", {"message": "5", "detail": "d", "sqlstate": "ABC01"})]


def test_arguments_that_are_wrong(told):
    with pytest.raises(TypeError, match="by name and position"):
        plpy.notice("a", message="b")
    with pytest.raises(TypeError, match="'color' is an invalid"):
        plpy.error("a", color="b")
    for state in ("x", "abc01", "ABC012", "ABC\n1"):
        with pytest.raises(ValueError, match="SQLSTATE"):
            plpy.notice("a", sqlstate=state)
    assert told == []


def test_without_a_server():
    plpy.notice("nobody hears this")


def test_errors():
    with pytest.raises(plpy.Error, match="^x$") as info:
        plpy.error("x", detail="d", table_name="t")
    error = info.value
    assert (error.detail, error.table_name, error.hint, error.sqlstate) == ("d", "t", None, None)
    with pytest.raises(plpy.Fatal):
        plpy.fatal("x")
    assert plpy.Error("a", "b").args == ("a", "b") and plpy.Error().args == ()


def test_spiexceptions():
    conditions = plpy.spiexceptions
    assert "UniqueViolation" in dir(conditions) and len(dir(conditions)) > 200
    error = conditions.UniqueViolation("x")
    assert isinstance(error, plpy.SPIError) and (error.sqlstate, str(error)) == ("23505", "x")
    assert conditions.UniqueViolation is conditions.UniqueViolation
    assert conditions.of_state("23505") is conditions.UniqueViolation
    assert conditions.of_state("QQQQQ") is plpy.SPIError
    with pytest.raises(AttributeError):
        conditions.NoSuchThing
    assert plpy.SPIError("y").sqlstate == "38000" and str(plpy.SPIError()) == ""


def test_quoting():
    assert plpy.quote_literal("it's") == "'it''s'"
    assert plpy.quote_literal("a\\'b") == "E'a\\\\''b'"
    assert plpy.quote_nullable(None) == "NULL" and plpy.quote_nullable("") == "''"
    for name in ("a", "_a1", "value"):
        assert plpy.quote_ident(name) == name
    for name in ("select", "A", "1a", "a b", "", 'x"y', "größe"):
        assert plpy.quote_ident(name) == '"' + name.replace('"', '""') + '"'
    for function in (plpy.quote_literal, plpy.quote_ident):
        with pytest.raises(TypeError):
            function(5)
