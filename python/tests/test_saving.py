"""Values that last: their form, what travels in it, and what is no such thing."""

import json
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest

from hxpy._worker import saving
from hxpy.errors import HxpyError


def save(value):
    return b"".join(saving.pieces(value))


def load(data, step=None):
    loader = saving.Loader()
    step = step or len(data) or 1
    for start in range(0, len(data), step):
        loader.add(memoryview(data)[start:start + step])
    loader.finish()
    return loader.value()


@pytest.fixture
def session():
    """Run code as a session does, in a module `__main__` of its own."""
    module = types.ModuleType("__main__")
    main, sys.modules["__main__"] = sys.modules["__main__"], module
    yield lambda code: (exec(code, module.__dict__), module)[1]
    sys.modules["__main__"] = main


@pytest.mark.parametrize("value", [None, 0, "größe", b"\0" * 100, [], {"a": [1, (2.5, None)]},
                                   "x" * 2_000_000, list(range(300_000)), b"\n" * (1 << 19)])
def test_values(value):
    assert load(save(value)) == value


@pytest.mark.parametrize("step", [1, 7, 100, 4096])
def test_bytes_may_be_cut_anywhere(step):
    data = save({"a": "x" * 3000})
    assert load(data, step) == {"a": "x" * 3000}


def test_large_arrays_stand_outside_and_are_writable():
    array = np.random.default_rng(0).normal(size=(300, 1000))
    values = [array, array.T, array[:, ::2], np.arange(10)]
    data = save(values)
    made = json.loads(data[20:20 + int.from_bytes(data[8:12], "little")])
    assert made["lengths"][1:] == [array.nbytes] * 2    # what has gaps goes into the pickle
    for got, want in zip(load(data), values):
        assert (got == want).all()
        assert got.flags.writeable


def test_pieces_fit_in_the_smallest_frame():
    value = [np.random.default_rng(0).bytes(3_000_000), np.zeros(1_000_000)]
    assert max(map(len, saving.pieces(value))) < 1_000_000


def test_packed_where_that_is_smaller():
    noise = np.random.default_rng(0).bytes(1_000_000)
    assert len(save("x" * 1_000_000)) < 20_000
    assert 1_000_000 < len(save(noise)) < 1_000_400
    assert load(save(noise + bytes(1_000_000))) == noise + bytes(1_000_000)


def test_what_the_session_defines_travels(session):
    module = session("""
factor = 3
import math
def scaled(x): return factor * math.sqrt(x)
class Model:
    kind = 'm'
    def __init__(self, w): self.w = w
    def predict(self, x): return scaled(x) + self.w
model = Model(1)
count = (lambda n: lambda: n)(5)
""")
    data = save([module.model, module.scaled, module.count])
    # another session has none of it
    fresh = session("")
    fresh.__dict__.clear()
    code = "\n".join(["import sys", f"sys.path.insert(0, {sys.path[0]!r})",
                      "from hxpy._worker.saving import Loader",
                      "l = Loader(); l.add(sys.stdin.buffer.read()); l.finish()",
                      "m, f, c = l.value()", "print(m.predict(4), m.kind, f(9), c())"])
    out = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert out.stdout.decode() == "7.0 m 9.0 5\n"


def test_what_cannot_be_pickled_says_so():
    with pytest.raises(TypeError, match="generator"):
        save(i for i in range(3))


def test_versions():
    from sklearn.linear_model import LinearRegression
    loader = saving.Loader()
    loader.add(save(LinearRegression().fit([[1], [2]], [1, 2])))
    import sklearn
    assert loader._made["versions"] == {"numpy": np.__version__, "sklearn": sklearn.__version__}
    assert loader.differences() == ("", "")


def test_a_module_that_code_uses_counts(session):
    module = session("import scipy.stats as st\ndef f(x): return st.norm.cdf(x)")
    loader = saving.Loader()
    loader.add(save(module.f))
    assert "scipy" in loader._made["versions"]


def test_other_versions_are_named(monkeypatch):
    monkeypatch.setattr(saving, "_versions", lambda modules: {"numpy": "0.1", "nosuch": "2"})
    monkeypatch.setattr(saving.platform, "python_version", lambda: "3.9.1")
    loader = saving.Loader()
    loader.add(save(1))
    monkeypatch.setattr(saving.platform, "python_version", lambda: "3.9.7")
    assert loader.differences() == ("numpy 0.1, nosuch 2", f"numpy {np.__version__}, no nosuch")
    monkeypatch.setattr(saving.platform, "python_version", lambda: "3.10.7")
    assert loader.differences() == ("Python 3.9, numpy 0.1, nosuch 2",
                                    f"Python 3.10, numpy {np.__version__}, no nosuch")


def refused(data, message):
    with pytest.raises(HxpyError, match=message) as caught:
        load(data)
    assert caught.value.sqlstate == "22P03"


@pytest.mark.parametrize("data", [b"x", b"\x89PNG\r\n\x1a\n", b"\x80\x05K\x01.", b"\x89hxpY\r\n\x01"])
def test_foreign_bytes(data):
    refused(data, "no saved Python value")


def test_another_form():
    data = save(1)
    refused(data[:7] + b"\x02" + data[8:], "a form that this image does not know")


def test_every_cut_is_damage():
    data = save({"a": list(range(10))})
    for length in range(len(data)):
        refused(data[:length], "damaged")
    refused(data + b"\0", "damaged")
    refused(data + data[8:], "damaged")


def test_every_flipped_byte_is_damage():
    data = bytearray(save({"a": "b" * 200}))
    for place in range(8, len(data)):
        data[place] ^= 0x40
        refused(bytes(data), "damaged")
        data[place] ^= 0x40


def test_descriptions_that_make_no_sense():
    for made in b"[]", b"{}", b"5", b"{", b'{"lengths": 5}', b'{"lengths": [-1]}', b'{"lengths": []}', \
            b'{"lengths": [1e99]}', b'{"lengths": [123456789123456789123456789]}':
        refused(save(1)[:8] + saving._block(made) + saving._block(b"K"), "damaged")


def test_a_packed_block_that_holds_more_than_it_says():
    bomb = zlib.compress(bytes(1000))
    head = saving._HEAD.pack(100, len(bomb), zlib.crc32(bomb))
    refused(save(1)[:8] + saving._block(b'{"lengths": [100]}') + head + bomb, "damaged")


def test_without_cloudpickle_joblib_has_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert saving._pickler().__module__ == "joblib.externals.cloudpickle.cloudpickle"
    monkeypatch.setitem(sys.modules, "joblib.externals.cloudpickle", None)
    with pytest.raises(HxpyError, match="no cloudpickle"):
        save(1)
