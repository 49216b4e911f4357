"""The real supervisor and worker, over their real sockets, in a real container.

The test is the server: it listens in a directory that is mounted read-only into
a container of the image hxpy (HXPY_TEST_IMAGE), as the backend does.  Needs
Docker; skipped without it, so inside the test image too:

    cd python && /usr/bin/python3 -m pytest tests/test_worker.py

The package of this tree is mounted over that of the image.
"""

import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest

import hxpy
from hxpy._tables import wire
from hxpy._tables.conversion import decode_column, encode_column
from hxpy._tables.wire import Column, encode_batch
from hxpy._worker import protocol
from hxpy._worker.protocol import Connection, ConnectionClosed

PACKAGE = Path(hxpy.__file__).resolve().parent
GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden" / "golden.json"
IMAGE = os.environ.get("HXPY_TEST_IMAGE", "hxpy:1.0")


def has_docker():
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not has_docker(), reason=f"no Docker, or no image {IMAGE}")

OPTIONS = {"output_limit": "1048576", "idle_timeout": "0", "log_level": "warning",
           "spin": "50"}


def limit_waits(sock):
    """Let no read or write wait for more than 20 s; the socket stays a blocking one."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("qq", 20, 0))


class Died(Exception):
    """The supervisor's DEAD frame: reason, value, output."""


# How a container of a session is run; the engine does more.
SANDBOX = ["--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
           "-v", f"{PACKAGE}:/usr/lib/python3/dist-packages/hxpy:ro"]


def listen(directory, name):
    """Listen on a socket that is in its place when it listens, for everybody."""
    path = os.path.join(directory, name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    os.chmod(path + ".new", 0o666)
    listener.listen(2)
    listener.settimeout(20)
    os.rename(path + ".new", path)
    return listener


class Session:
    """A server's end of one session, whose container connects to a listener."""

    def __init__(self, listener, **options):
        self.request = 0
        self.output = []        # (source, request, stream, text) in order of arrival
        self.logs = []
        self.progress = []      # (request, done, total, message)
        ends = {}
        for _ in range(2):
            sock = listener.accept()[0]
            limit_waits(sock)
            connection = Connection(sock)
            kind, request, payload = connection.receive()
            assert (kind, request) == (protocol.HELLO, 0)
            ends[wire.decode_texts(payload)["role"]] = connection
        listener.close()
        self.control, self.data = ends["supervisor"], ends["worker"]
        options = {**OPTIONS, **options}
        parts = wire.encode_texts(**{name: value for name, value in options.items()
                                     if value is not None})     # to both
        self.control.send(protocol.OPEN, 1, parts)
        self.opened = self.ask(protocol.OPEN, parts)
        assert self.opened == [] or None in options.values()

    def hang_up(self):
        """Close both connections."""
        self.control.sock.close()
        self.data.sock.close()

    def send(self, kind, parts):
        self.request += 1
        self.data.send(kind, self.request, parts)
        return self.request

    def interrupt(self, request=None):
        self.control.send(protocol.INTERRUPT, self.request if request is None else request)

    def take_control(self, wait=0.0):
        """Handle what the supervisor has sent."""
        while True:
            if not self.control.pending():
                if not select.select([self.control], [], [], wait)[0]:
                    return
            kind, request, payload = self.control.receive()
            if kind == protocol.DEAD:
                raise Died(*wire.decode_texts(payload).values())
            assert kind == protocol.OUTPUT
            self.output.append(("control", request, payload[0], bytes(payload[1:]).decode()))

    def reply(self):
        """Return the columns of the reply; the texts of an ERROR frame as a dict."""
        try:
            while True:
                kind, request, payload = self.data.receive()
                if kind in (protocol.OUTPUT, protocol.LOG):
                    self.take_control()
                if kind == protocol.OUTPUT:
                    self.output.append(("data", request, payload[0], bytes(payload[1:]).decode()))
                elif kind == protocol.PROGRESS:
                    assert request in (self.request, self.request - 1)
                    self.progress.append((request, *(decode_column(column)[0] for column
                                                     in wire.decode_batch(payload))))
                elif kind == protocol.LOG:
                    self.logs.append((payload[0], bytes(payload[1:]).decode()))
                else:
                    assert request == self.request, "a stale reply"
                    self.take_control()
                    if kind == protocol.ERROR:
                        return wire.decode_texts(payload)
                    assert kind == protocol.RESULT
                    return wire.decode_batch(payload)
        except (ConnectionClosed, ConnectionError):
            self.take_control(wait=5)
            raise

    def ask(self, kind, parts):
        self.send(kind, parts)
        return self.reply()

    def exec(self, code):
        return self.ask(protocol.EXEC, wire.encode_texts(code=code))

    def start(self, code):
        return self.send(protocol.EXEC, wire.encode_texts(code=code))

    def eval(self, expr, tag=wire.JSON, *children):
        want = Column(tag, "", "", 0)
        want.children = list(children)
        text = encode_column(Column(wire.TEXT, "expr", "", 0), [expr])
        reply = self.ask(protocol.EVAL, encode_batch([text, encode_column(want, [])]))
        return reply if isinstance(reply, dict) else decode_column(reply[0])[0]

    def texts(self):
        """Return all output as one text and forget it."""
        text = "\n".join(piece[3] for piece in self.output)
        self.output.clear()
        return text


class Server(Session):
    """The same of a session with a container of its own."""

    def __init__(self, *docker_options, **options):
        self.name = f"hxpytest_py_{uuid.uuid4().hex[:12]}"
        self.directory = tempfile.mkdtemp(prefix="hxpytest_py_")
        os.chmod(self.directory, 0o755)
        listener = listen(self.directory, "sock")
        subprocess.run(
            ["docker", "run", "-d", "--name", self.name, *SANDBOX, "--memory", "256m",
             "--memory-swap", "256m", "--user", "200123:200123",
             "-v", f"{self.directory}:/run/hxpy:ro", *docker_options, IMAGE],
            check=True, capture_output=True)
        super().__init__(listener, **options)

    def close(self):
        """Hang up and remove what is left."""
        self.hang_up()
        subprocess.run(["docker", "rm", "-f", self.name], capture_output=True)
        shutil.rmtree(self.directory)

    def running(self):
        return subprocess.run(["docker", "ps", "-q", "--filter", f"name={self.name}"],
                              capture_output=True, text=True).stdout.strip() != ""

    def wait_gone(self, seconds=5):
        end = time.monotonic() + seconds
        while self.running():
            assert time.monotonic() < end, "the container lives on"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def shared():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(shared):
    """The module's session, with nothing in flight."""
    shared.output.clear()
    yield shared
    assert shared.eval("1 + 1") == 2, "the session is of use afterwards"


@pytest.fixture
def fresh():
    servers = []

    def make(*args, **options):
        servers.append(Server(*args, **options))
        return servers[-1]
    yield make
    for one in servers:
        one.close()


def death(server, code):
    with pytest.raises(Died) as info:
        server.exec(code)
    server.wait_gone()
    return info.value.args


def test_define_exec_eval(server):
    want = Column(wire.INT32, "a", "", 0)
    assert server.ask(protocol.DEFINE, encode_batch(
        [encode_column(want, [100])])) == []
    assert server.exec("def mult(x, y): return x * y") == []
    assert server.eval("mult(a, 2)", wire.INT32) == 200
    assert server.eval("{'k': [1, None]}") == {"k": [1, None]}
    assert server.eval("[[1, 2], [3, 4]]", wire.ARRAY,
                       Column(wire.INT32, "", "", 0)).tolist() == [[1, 2], [3, 4]]


def test_errors_leave_the_session(server):
    server.exec("kept = 5")
    error = server.exec("1/0")
    assert error["sqlstate"] == "38000"
    assert error["message"] == "ZeroDivisionError: division by zero"
    assert "<module>\n    1/0" in error["context"]
    assert "hxpy" not in error["context"]
    assert server.eval("object()")["sqlstate"] == "42846"
    assert server.eval("2**31", wire.INT32)["sqlstate"] == "22003"
    assert server.exec("raise KeyboardInterrupt")["message"].startswith("KeyboardInterrupt")
    assert server.eval("kept") == 5


def test_exception_with_broken_text(server):
    error = server.exec("class E(Exception):\n    def __str__(self): 1/0\nraise E")
    assert error["sqlstate"] == "38000"


def test_output_order(server):
    """As a server sees it that reads at once: the two ways have no common order but time's."""
    server.exec("import os, subprocess, sys, time\n"
                "print('one'); time.sleep(0.1)\n"
                "subprocess.run(['echo', 'two'])\n"
                "print('three', file=sys.stderr); time.sleep(0.1)\n"
                "os.write(1, b'four\\n')\n"
                "print('five', end='')")
    assert [(where, text) for where, _, _, text in server.output] == [
        ("data", "one"), ("control", "two"), ("data", "three"), ("control", "four"),
        ("data", "five")]
    assert {request for where, request, _, _ in server.output if where == "data"} == \
        {server.request}
    # The supervisor says how many of Python's went before.
    assert [number for where, number, _, _ in server.output if where == "control"] == [1, 2]
    assert [stream for where, _, stream, _ in server.output if where == "data"] == [1, 2, 1]


def test_lines_of_processes(server):
    """Lines come whole, and what has no end comes before what follows."""
    code = """
        import os, subprocess, time
        for piece in 'one\\nha', 'l', 'f\\n', 'rest':
            os.write(1, piece.encode()); time.sleep(0.05)
        print('printed')
        subprocess.run(['sh', '-c', 'printf a; sleep 0.05; printf b >&2; sleep 0.05; echo c; printf end'])"""
    for _ in range(2):
        assert server.exec(code) == []
        assert [(where, text) for where, _, _, text in server.output] == [
            ("control", "one"), ("control", "half"), ("control", "rest"), ("data", "printed"),
            ("control", "abc"), ("control", "end")]
        server.output.clear()


@pytest.mark.parametrize("code", ["os.system('echo b')", "os.system('printf b')"])
def test_output_while_the_supervisor_stands_still(fresh, code):
    """As on a busy machine, where it gets no processor for a while."""
    server = fresh()
    server.exec("import os")
    pid = int(subprocess.run(["docker", "inspect", "--format", "{{.State.Pid}}", server.name],
                             check=True, capture_output=True, text=True).stdout)
    os.kill(pid, signal.SIGSTOP)
    server.start(code)
    time.sleep(1.5)
    os.kill(pid, signal.SIGCONT)
    assert server.reply() == []
    assert server.texts().split() == ["b"]


def test_output_before_an_error(server):
    error = server.exec("print('before', end='')\n1/0")
    assert error["sqlstate"] == "38000"
    assert server.texts() == "before"


def test_log(server):
    server.exec("import logging\nlogging.warning('careful')\nlogging.info('not this')")
    assert server.logs[-1] == (30, "WARNING:root:careful")


@pytest.mark.parametrize("option", ["output_limit", "log_level", "spin"])
def test_server_that_is_too_old(fresh, option):
    error = fresh(**{option: None}).opened
    assert error["sqlstate"] == "55000"
    assert error["detail"] == f'The server does not tell "{option}".'
    assert "docker/build" in error["hint"] and not error["context"]


@pytest.mark.parametrize("code, limit", [
    ("for i in range(1000): print('x' * 99)", 10000),
    ("print('ü' * 100000)", 10000),
    ("import os; os.system('head -c 300000 /dev/zero | tr \"\\\\0\" x')", 10000),
])
def test_output_cap(fresh, code, limit):
    server = fresh(output_limit=str(limit))
    for _ in range(2):
        assert server.exec(code) == []
        text = server.texts()
        assert text.count("... (output cut at the limit)") == 1
        assert limit - 200 < len(text.encode()) < limit + 1000
    server.exec("print('again')")
    assert server.texts() == "again"


def test_forked_process_that_comes_back(server):
    code = """
        import os, sys
        print('begun', end='')
        pid = os.fork()
        if not pid:
            print('child', end='')
        elif os.waitpid(pid, 0)[1]:
            raise AssertionError"""
    assert server.exec(code) == []
    assert sorted(text for _, _, _, text in server.output) == ["begun", "child"]
    server.output.clear()
    code = "pid = os.fork()\nif not pid: 1/0\nstatus = os.waitpid(pid, 0)[1] >> 8"
    assert server.exec(code) == []
    text = server.texts()
    assert text.startswith("Python traceback") and text.endswith("ZeroDivisionError: division by zero")
    assert server.eval("status") == 1
    server.start("pid = os.fork()\nimport time\ntime.sleep(60)")
    time.sleep(0.2)
    server.interrupt()
    assert server.reply()["message"].startswith("KeyboardInterrupt")
    code = "import ctypes\npid = ctypes.CDLL(None).fork()\nos.waitpid(pid, 0) if pid else 0"
    assert server.exec(code) == []


def test_interrupt_keeps_state(server):
    server.exec("n = 0")
    server.start("while True:\n    n += 1")
    time.sleep(0.2)
    begin = time.monotonic()
    server.interrupt()
    error = server.reply()
    assert time.monotonic() - begin < 0.5
    assert error["message"].startswith("KeyboardInterrupt")
    assert server.eval("n > 0") is True


@pytest.mark.parametrize("code", ["import time; time.sleep(60)",
                                  "import subprocess; subprocess.run(['sleep', '60'])",
                                  "while True: print('x')",
                                  "import threading; threading.Event().wait()"])
def test_interrupt_of_waits(server, code):
    server.start(code)
    time.sleep(0.3)
    server.interrupt()
    assert "KeyboardInterrupt" in server.reply()["message"]


def test_interrupt_of_a_finished_request(server):
    """1,000 times: an interrupt that means request n comes while n + 1 runs."""
    server.exec("import time")
    for _ in range(1000):
        server.start("pass")
        assert server.reply() == []
        finished = server.request
        server.start("x = [i * i for i in range(2000)]")
        server.interrupt(finished)
        assert server.reply() == [], "a stale interrupt has hit the next request"


def test_interrupt_races_with_the_end(server):
    """1,000 times: the interrupt comes about when its request ends; the next is never hit."""
    hits = 0
    for n in range(1000):
        server.start("pass" if n % 2 else "sum(range(3000))")
        server.interrupt()
        hits += server.reply() != []
        server.start("y = 1")
        assert server.reply() == [], "the next request was hit"
    print(f"{hits} of 1000 were hit in time")


def test_interrupt_before_the_request(server):
    server.interrupt(server.request + 1)
    time.sleep(0.1)
    assert server.exec("z = 1")["message"].startswith("KeyboardInterrupt")
    assert server.exec("z = 2") == []


@pytest.mark.parametrize("early", [True, False])
def test_a_table_that_fails_leaves_no_old_value(server, early):
    """Also when its query fails before the worker has come to the request."""
    assert server.exec("x = 1") == []
    if early:
        server.interrupt(server.request + 1)
        time.sleep(0.1)
    server.send(protocol.GRID, wire.encode_texts(name="x", kind="grid", meta="null"))
    server.data.send(protocol.ABORT, server.request)
    assert "KeyboardInterrupt" in server.reply()["message"]
    assert server.eval("'x' in globals()") is False


def test_sigint_ignored_by_the_user(server):
    server.exec("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    server.start("while True:\n    pass")
    time.sleep(0.2)
    server.interrupt()
    assert "KeyboardInterrupt" in server.reply()["message"], "each request starts anew"
    server.start("signal.signal(signal.SIGINT, signal.SIG_IGN)\nimport time\ntime.sleep(1)")
    time.sleep(0.3)
    server.interrupt()
    assert server.reply() == [], "ignored within its own request; the server's grace decides"


def test_stdout_replaced(server):
    server.exec("import sys, io\nold = sys.stdout\nsys.stdout = io.StringIO()\nprint('hidden')")
    assert server.texts() == ""
    assert server.eval("sys.stdout.getvalue()") == "hidden\n"
    server.exec("sys.stdout = None; print('nowhere')")
    server.exec("sys.stdout = old; print('seen')")
    assert server.texts() == "seen"
    server.exec("import contextlib\nwith contextlib.redirect_stdout(io.StringIO()): print('no')")
    server.exec("sys.stdout.close()")
    server.exec("print('still')")
    server.texts()


def test_descriptor_one_replaced(server):
    assert server.exec("import os\nsaved = os.dup(1)\nos.dup2(os.open('/dev/null', 1), 1)\n"
                       "os.system('echo lost')") == []
    assert server.exec("os.system('echo lost')\nprint('seen')") == []
    assert server.texts() == "seen"
    assert server.exec("os.close(1)") == []
    assert server.exec("os.dup2(saved, 1)\nos.system('echo back')") == []
    assert server.texts() == "back"


def test_printing_threads(server):
    server.exec("import threading, time\nstop = False\n"
                "def chat():\n    while not stop: print('chat'); time.sleep(0.0005)\n"
                "threads = [threading.Thread(target=chat) for _ in range(4)]\n"
                "for t in threads: t.start()")
    for n in range(200):
        assert server.eval(str(n)) == n
    time.sleep(0.2)
    server.exec("stop = True\nfor t in threads: t.join()")
    assert {piece[3] for piece in server.output} == {"chat"}


def test_fork_and_multiprocessing(server):
    server.exec("import os\npid = os.fork()\nif pid == 0:\n    print('child')\n    os._exit(0)\n"
                "os.waitpid(pid, 0)")
    assert "child" in server.texts()
    assert server.eval("__import__('multiprocessing').get_context('fork').Pool(2)"
                       ".map(abs, [-1, -2])") == [1, 2]


def test_large_values(server):
    server.exec("big = bytes(range(256)) * 40000")
    assert server.eval("big", wire.BYTEA) == bytes(range(256)) * 40000
    data = "größe" * 500000
    server.ask(protocol.DEFINE, wire.encode_texts(text=data))
    assert server.eval("text", wire.TEXT) == data


@pytest.mark.parametrize("code, reason, value, output", [
    ("exit()", "exit", "0", ""),
    ("import sys; sys.exit(3)", "exit", "3", ""),
    ("raise SystemExit('the last words')", "exit", "1", "the last words"),
    ("import os; os._exit(7)", "exit", "7", ""),
    ("import ctypes; ctypes.string_at(0)", "signal", "SIGSEGV", "Segmentation fault"),
    ("import os; os.kill(os.getpid(), 9)", "signal", "SIGKILL", ""),
    ("import os; os.abort()", "signal", "SIGABRT", "Aborted"),
    ("x = []\nwhile True: x.append(bytearray(1 << 24))", "memory", "", ""),
])
def test_death(fresh, code, reason, value, output):
    got = death(fresh(), code)
    assert got[:2] == (reason, value)
    assert output in got[2] if output else got[2] == ""
    assert "/hxpy/" not in got[2], "no frames of hxpy"


def test_output_before_death(fresh):
    server = fresh()
    death(server, "import os; os.system('echo words'); print('more'); os._exit(1)")
    assert set(server.texts().split("\n")) == {"words", "more"}
    server = fresh()
    death(server, "import os; os.system('printf words'); os._exit(1)")
    assert server.texts() == "words"


def test_supervisor_survives_signals(server):
    server.exec("import os, signal\n"
                "for n in range(1, 65):\n"
                "    try: os.kill(1, n)\n"
                "    except OSError: pass")
    assert server.eval("open('/proc/1/comm').read()").startswith("python")


def test_idle(fresh):
    server = fresh(idle_timeout="700")
    for _ in range(3):
        time.sleep(0.4)
        assert server.exec("pass") == []
    with pytest.raises(Died) as info:
        server.take_control(wait=5)
    assert info.value.args == ("idle", "0.7", "")
    server.wait_gone()


def test_not_idle_while_running(fresh):
    """Also not in the moment after a long request whose end the supervisor sees first."""
    server = fresh(idle_timeout="300")
    for _ in range(5):
        assert server.exec("import os, time; time.sleep(0.6); os.system('echo end')") == []


@pytest.mark.parametrize("code", [None, "while True:\n    pass", "sum(range(10**12))",
                                  "import os\nwhile True: os.system('echo x')"])
def test_end_of_control_ends_everything(fresh, code):
    server = fresh()
    if code:
        server.start(code)
        time.sleep(0.2)
    server.control.sock.close()
    server.wait_gone()


def test_end_of_data_ends_the_session(fresh):
    server = fresh()
    server.data.sock.close()
    with pytest.raises(Died) as info:
        server.take_control(wait=5)
    assert info.value.args[:2] == ("exit", "70")
    server.wait_gone()


@pytest.mark.parametrize("data", [b"x" * 16, b"hx\2\3" + b"\0" * 12, b"hx\1\x7f\1" + b"\0" * 11])
def test_bad_frame_ends_the_session(fresh, data):
    server = fresh()
    server.data.sock.sendall(data)
    with pytest.raises(Died) as info:
        server.take_control(wait=5)
    assert info.value.args[:2] == ("exit", "70")
    assert info.value.args[2].startswith("hxpy: ")


def test_progress(server):
    server.progress.clear()
    assert server.exec("import hxpy\nfor i in range(1001): hxpy.progress(i, 1000)") == []
    assert server.progress[0][1:] == (0, 1000, None)
    assert server.progress[-1][1:] == (1000, 1000, None)
    assert {request for request, *_ in server.progress} == {server.request}
    server.progress.clear()
    code = """
        import threading
        t = threading.Thread(target=hxpy.progress, args=(3,), kwargs={"message": "from a thread"})
        t.start(); t.join()"""
    assert server.exec(code) == []
    assert server.progress == [(server.request, 3, None, "from a thread")]
    server.progress.clear()
    code = """
        import os
        pid = os.fork()
        if not pid:
            hxpy.progress(1, 1); os._exit(0)
        os.waitpid(pid, 0)"""
    assert server.exec(code) == []
    assert server.progress == []
    message = server.exec("hxpy.progress('x')")["message"]
    assert message == "TypeError: done must be a number, not str"
    message = server.exec("hxpy.progress(float('nan'))")["message"]
    assert message == "ValueError: done must be finite and not negative"


# Requests within a request -------------------------------------------------


ASKING = """
import hxpy
def ask(data):
    return bytes(hxpy._report.channel.ask(0xA0, [data])).decode()
"""


@pytest.fixture
def asker(server):
    """The session with a function `ask`; nothing of a test is left in flight."""
    server.exec(ASKING)
    return server


def asked(server, request):
    """Take what a request asks."""
    kind, number, payload = server.data.receive()
    assert (kind, number) == (protocol.ASK, request)
    return bytes(payload).decode()


def answer(server, request, text):
    server.data.send(protocol.ANSWER, request, [text.encode()])


def result(server, request):
    """Take the reply to a request that has another number than the latest."""
    latest, server.request = server.request, request
    reply = server.reply()
    server.request = latest
    return reply


@pytest.mark.skipif(not GOLDEN.exists(), reason="test/golden is not here")
def test_golden_nesting(fresh):
    server = fresh()
    for frame in json.loads(GOLDEN.read_text())["frames"]:
        if not frame["name"].startswith("nesting "):
            continue
        data = bytes.fromhex(frame["frame"])
        if frame["sender"] == "server":
            server.data.sock.sendall(data)
        else:
            assert server.data.sock.recv(len(data) + 1) == data, frame["name"]
    server.request = 9
    assert server.eval("[seven, eight, nine]") == ["seven", "eight", 9]


def test_nested_requests(asker):
    outer = asker.start("print('before')\ntext = ask(b'one')\nprint(text)")
    assert asker.data.receive()[:2] == (protocol.OUTPUT, outer)
    assert asked(asker, outer) == "one"
    assert asker.exec("inner = 1") == []
    assert asker.exec("1/0")["message"] == "ZeroDivisionError: division by zero"
    assert asker.eval("inner + 1") == 2
    answer(asker, outer, "größe")
    assert result(asker, outer) == []
    assert asker.output[-1][1:] == (outer, 1, "größe")
    assert asker.eval("text") == "größe"


def test_interrupts_of_nested_requests(asker):
    outer = asker.start("caught = ask(b'')")
    asked(asker, outer)
    inner = asker.start("while True:\n    pass")
    time.sleep(0.1)
    asker.interrupt(inner)
    assert asker.reply()["message"].startswith("KeyboardInterrupt")
    answer(asker, outer, "yes")
    assert result(asker, outer) == []
    assert asker.eval("caught") == "yes"
    # One for the outer request waits until the inner one has ended, and the wait.
    outer = asker.start("caught = ask(b'')")
    asked(asker, outer)
    asker.start("import time\ntime.sleep(0.3)")
    asker.interrupt(outer)
    assert asker.reply() == []
    asker.interrupt(outer)
    answer(asker, outer, "too late")
    assert result(asker, outer)["message"].startswith("KeyboardInterrupt")
    assert asker.eval("caught") == "yes"


def test_interrupt_of_a_request_that_waits(asker):
    outer = asker.start("ask(b'')")
    asked(asker, outer)
    asker.interrupt()
    time.sleep(0.1)
    assert asker.eval("1 + 1") == 2
    answer(asker, outer, "")
    assert result(asker, outer)["message"].startswith("KeyboardInterrupt")


def test_abort_ends_the_wait(asker):
    outer = asker.start("while True:\n    try:\n        text = ask(b'')\n        break\n"
                        "    except KeyboardInterrupt:\n        pass")
    for _ in range(3):
        asked(asker, outer)
        asker.data.send(protocol.ABORT, outer)
    asked(asker, outer)
    answer(asker, outer, "at last")
    assert asker.reply() == []
    outer = asker.start("ask(b'')")
    asked(asker, outer)
    asker.data.send(protocol.ABORT, outer)
    assert asker.reply()["message"].startswith("KeyboardInterrupt")
    assert asker.eval("text") == "at last"


def apply(server, function, ends, *frames):
    """Start an APPLY of one int4 column; frames: its batches, as values."""
    columns = [encode_column(Column(wire.TEXT, name, "", 1), [text]) for name, text in
               (("expr", function), ("how", "frames"), ("wanted", "1"), ("cut", "batches"))]
    columns += [encode_column(Column(wire.INT32, name, "", 0), []) for name in ("v", "w")]
    request = server.send(protocol.APPLY, encode_batch(columns))
    for values in frames:
        server.data.send(protocol.BATCH, request, encode_batch(
            [encode_column(Column(wire.INT32, "v", "", 0), values)]))
    for kind in ends:
        server.data.send(kind, request)
    return request


def rows(server, request):
    kind, number, payload = server.data.receive()
    assert (kind, number) == (protocol.ROWS, request)
    return decode_column(wire.decode_batch(payload)[0])


def test_groups_of_a_stream(server):
    columns = [encode_column(Column(wire.TEXT, name, "", 1), [text]) for name, text in
               (("expr", "lambda df: [(int(df.v.sum()),)]"), ("how", "frames"), ("wanted", "1"),
                ("cut", "groups 0"))]
    columns += [encode_column(Column(wire.INT32, name, "", 0), []) for name in ("v", "w")]
    request = server.send(protocol.APPLY, encode_batch(columns))
    for values, starts in (([1, 1, 2], [0, 2]), ([2, 2, 3, 3], [2]), ([4], [0]), ([4, 4], [])):
        server.data.send(protocol.BATCH, request, encode_batch(
            [encode_column(Column(wire.INT32, "v", "", 0), values),
             encode_column(Column(wire.INT32, "numbers", "", 0), []),
             encode_column(Column(wire.INT64, "starts", "", 0), starts),
             encode_column(Column(wire.INT32, "kept", "", 0), [-1] * len(starts))]))
    server.data.send(protocol.END, request)
    sums = []
    while len(sums) < 4:
        sums += rows(server, request)
    assert sums == [2, 6, 6, 12]
    assert server.data.receive()[0] == protocol.RESULT


def test_a_group_of_a_call(server):
    def call(function):
        return server.send(protocol.CALL, encode_batch([
            encode_column(Column(wire.TEXT, "func", "", 1), [function]),
            encode_column(Column(wire.JSON, "as", "", 0), []),
            encode_column(Column(wire.INT32, "a0", "", 0), [1, 2, None]),
            encode_column(Column(wire.TEXT, "a1", "", 0), ["a", None, "b"])]))

    call("lambda x, y: [str(x.dtype), x[:2].sum(), y.tolist()]")
    kind, _, payload = server.data.receive()
    assert kind == protocol.RESULT
    assert decode_column(wire.decode_batch(payload)[0]) == [["float64", 3, ["a", None, "b"]]]
    call("lambda x, y: x[5]")
    assert server.data.receive()[0] == protocol.ERROR


def test_a_stream_may_come_before_the_answer(asker):
    asker.exec("def each(frame):\n    return frame.assign(v=frame.v * int(ask(b'factor')))")
    request = apply(asker, "each", [protocol.END], [1, 2], [3], [4])
    for factor, expected in (10, [10, 20]), (100, [300]), (1000, [4000]):
        assert asked(asker, request) == "factor"
        inner = apply(asker, "lambda frame: frame", [protocol.END], [7], [8])
        assert rows(asker, inner) == [7] and rows(asker, inner) == [8]
        assert asker.reply() == []
        answer(asker, request, str(factor))
        assert rows(asker, request) == expected
    assert result(asker, request) == []


def test_rows_of_an_answer(asker):
    """Also while the asking request's own batches are on their way."""
    asker.exec("def each(frame):\n    rows = []\n    hxpy._report.channel.ask(0xA0, (), rows.append)\n"
               "    return frame.assign(v=[len(row) for row in rows])")
    request = apply(asker, "each", [protocol.END], [1, 2, 3], [4])
    for payloads in [b"columns", b"", b"1234"], [b"x"]:
        asked(asker, request)
        asker.data.send(protocol.COLUMNS, request, [payloads[0]])
        for payload in payloads[1:]:
            asker.data.send(protocol.BATCH, request, [payload])
        answer(asker, request, "")
        assert rows(asker, request) == list(map(len, payloads))
    assert asker.reply() == []


def test_an_error_in_taking_rows_comes_after_the_answer(asker):
    asker.exec("def take(row):\n    taken.append(len(row))\n    1 / (2 - len(taken))")
    request = asker.start("taken = []\ntry:\n    hxpy._report.channel.ask(0xA0, (), take)\n"
                          "except ZeroDivisionError:\n    taken.append('failed')")
    asked(asker, request)
    for kind, payload in ((protocol.COLUMNS, b"c"), (protocol.BATCH, b"12"), (protocol.BATCH, b"123")):
        asker.data.send(kind, request, [payload])
    assert asker.eval("taken") == [1, 2]
    answer(asker, request, "")
    assert result(asker, request) == []
    assert asker.eval("taken") == [1, 2, "failed"]


@pytest.mark.parametrize("caught", [False, True])
def test_abort_of_a_stream_and_of_a_wait(asker, caught):
    asker.exec("def each(frame):\n    try:\n        ask(b'')\n    except KeyboardInterrupt:\n"
               f"        if {not caught}: raise\n    return frame.assign(w=frame.v)[['w']]")
    request = apply(asker, "each", [protocol.ABORT], [1], [2])
    for _ in range(2 if caught else 1):
        asked(asker, request)
        asker.data.send(protocol.ABORT, request)
        if caught:
            rows(asker, request)
    assert asker.reply()["message"].startswith("KeyboardInterrupt")
    assert asker.eval("1") == 1


def test_rest_of_a_nested_stream(asker):
    outer = asker.start("ask(b'')")
    asked(asker, outer)
    apply(asker, "nothing", [protocol.END], [1], [2])
    assert asker.reply()["message"].startswith("NameError")
    assert asker.eval("5") == 5
    answer(asker, outer, "")
    assert result(asker, outer) == []


def table_asked(server, request):
    """Take what hxpy.to_table asks; return the number of the value."""
    kind, number, payload = server.data.receive()
    assert (kind, number) == (protocol.TABLE, request)
    texts = wire.decode_texts(payload)
    assert texts == {"kept": texts["kept"], "name": "s.t", "if_exists": "append"}
    return texts["kept"]


def table_answered(server, request, **texts):
    server.data.send(protocol.TABLE - 0x80, request, wire.encode_texts(**texts))


def test_values_that_tables_are_made_of(server):
    outer = server.start("import hxpy\ncount = hxpy.to_table(({'v': i} for i in (4, 5)), 's.t', 'append')")
    number = table_asked(server, outer)
    inner = server.send(protocol.EVAL_GRID, wire.encode_texts(kept=number, mode="create"))
    assert rows(server, inner) == [] and rows(server, inner) == [4, 5]
    assert server.reply() == []
    table_answered(server, outer, processed="2")
    assert result(server, outer) == []
    assert server.eval("[count, len(hxpy._sql.kept)]") == [2, 0]


def test_errors_of_such_values(server):
    """The user's are the user's own; others are as the server tells."""
    server.exec("import hxpy\ndef write(value):\n    try:\n"
                "        return hxpy.to_table(value, 's.t', 'append')\n"
                "    except Exception as error:\n        caught = error\n"
                "        return type(error).__name__, str(error), isinstance(error.__cause__, KeyError)\n"
                "def broken():\n    yield {'v': 1}\n    raise LookupError('x') from KeyError('y')\n")
    for value, failed, expected in (
            ("broken()", {"message": "LookupError: x"}, ["LookupError", "x", True]),
            ("5", {"sqlstate": "42846"}, ["CannotCoerce", "told", False])):
        outer = server.start(f"caught = write({value})")
        server.send(protocol.EVAL_GRID, wire.encode_texts(kept=table_asked(server, outer),
                                                          mode="create"))
        reply = server.reply()
        assert failed.items() <= reply.items()
        table_answered(server, outer, sqlstate=reply["sqlstate"], message="told")
        assert result(server, outer) == []
        assert server.eval("caught") == expected


def test_interrupt_of_such_a_value(server):
    """What the value makes of the interrupt is not the error."""
    outer = server.start("import hxpy, os, time\ndef slow():\n    try:\n"
                         "        os.write(1, b'begun\\n')\n        while True:\n"
                         "            time.sleep(0.01)\n            yield {'v': 1}\n"
                         "    finally:\n        1 / 0\nhxpy.to_table(slow(), 's.t', 'append')")
    server.send(protocol.EVAL_GRID, wire.encode_texts(kept=table_asked(server, outer), mode="create"))
    while not server.output:
        assert select.select([server.control], [], [], 30)[0]
        server.take_control()
    server.interrupt()
    assert server.reply()["message"] == "ZeroDivisionError: division by zero"
    table_answered(server, outer, sqlstate="23514", message="a row")
    assert result(server, outer)["message"].endswith("a row")


def test_who_may_not_ask(asker):
    asker.exec("""
import os, threading
def refused():
    try:
        ask(b'')
    except RuntimeError as error:
        told.append(str(error))
told = []
thread = threading.Thread(target=refused)
thread.start()
thread.join()
read, write = os.pipe()
pid = os.fork()
if not pid:
    refused()
    os.write(write, told[-1].encode())
    os._exit(0)
os.waitpid(pid, 0)
told.append(os.read(read, 1000).decode())
""")
    assert asker.eval("told") == ["only the main thread can ask the server, while a request runs"] * 2


def test_no_room_to_ask(asker):
    """What asks where calls are nested deeply fails as a whole or not at all."""
    outer = asker.start("def deep():\n    try:\n        deep()\n    except RecursionError:\n"
                        "        ask(b'')\ndeep()")
    count = 0
    while True:
        kind, number, payload = asker.data.receive()
        assert number == outer
        if kind != protocol.ASK:
            assert kind == protocol.RESULT
            break
        assert "recursion" in asker.exec("def f(): f()\nf()")["message"]
        answer(asker, outer, "")
        count += 1
    assert count


@pytest.mark.parametrize("kind", [protocol.ANSWER + 1, protocol.BATCH, protocol.END, protocol.EVAL])
def test_another_answer_ends_the_session(fresh, kind):
    server = fresh()
    server.exec(ASKING)
    outer = server.start("while True:\n    try: ask(b'')\n    except BaseException: pass")
    asked(server, outer)
    server.data.send(kind, outer)
    with pytest.raises(Died) as info:
        server.take_control(wait=5)
    assert info.value.args[:2] == ("exit", "70")
    assert info.value.args[2].startswith("hxpy: unexpected frame")
