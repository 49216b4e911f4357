"""A container that several sessions share, over its real sockets.

The test is the launcher and the backends.  Needs Docker, as test_worker.py, which says how
to run it.
"""

import os
import select
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from hxpy._tables import wire
from hxpy._worker import protocol
from hxpy._worker.protocol import ConnectionClosed
from test_worker import IMAGE, SANDBOX, Died, Session, listen, pytestmark  # noqa: F401

SECCOMP = Path(__file__).resolve().parents[2] / "docker" / "seccomp.json"
MB = 1 << 20


class Refused(Exception):
    """What a worker says that cannot be forked."""


class Shared:
    """A server's end of a shared container: the launcher, and backends that come."""

    def __init__(self, memory="512m", imports="numpy", mounts=()):
        self.name = f"hxpytest_py_{uuid.uuid4().hex[:12]}"
        self.directory = tempfile.mkdtemp(prefix="hxpytest_py_")
        os.chmod(self.directory, 0o755)
        self.sessions = []
        self.slots = 0
        self.shares = 0
        listener = listen(self.directory, "shared")
        subprocess.run(
            ["docker", "run", "-d", "--name", self.name, *SANDBOX, "--memory", memory,
             "--memory-swap", memory, "--user", "200123:200123", "--pids-limit", "400",
             "--ulimit", "nofile=4096:4096", "--oom-score-adj", "500",
             "--security-opt", f"seccomp={SECCOMP}", "--security-opt", "no-new-privileges",
             "--env", f"HXPY_IMPORTS={imports}",
             "-v", f"{self.directory}:/run/hxpy:ro",
             *(word for mount in mounts for word in ("-v", mount)), IMAGE],
            check=True, capture_output=True)
        self.launcher = listener.accept()[0]
        self.launcher.settimeout(20)
        listener.close()
        self.failed = self.launcher.recv(4096)
        os.chmod(self.directory, 0o711)

    def open(self, memory=256 * MB, processes=64, prefix="session", **options):
        name = f"{prefix}-{uuid.uuid4().hex}"
        session = Session(listen(self.directory, name), memory=str(memory),
                          processes=str(processes), slot=str(self.slots), **options)
        session.name, session.slot = name, str(self.slots)
        self.slots += 1
        os.unlink(os.path.join(self.directory, name))
        self.sessions.append(session)
        return session

    def fork(self, origin, kind="session"):
        """Have a session's worker forked; return the new session, None for a parent."""
        name = f"fork-{uuid.uuid4().hex}"
        listener = listen(self.directory, name)
        parts = wire.encode_texts(name=name, kind=kind)
        origin.control.send(protocol.FORK, 0, parts)
        answer = origin.ask(protocol.FORK, parts)
        os.unlink(os.path.join(self.directory, name))
        if answer != [] or kind == "parent":
            listener.close()
            if answer != []:
                raise Refused(answer)
            return None
        forked = Session(listener, memory=str(256 * MB), processes="64", slot="99")
        forked.name = name
        self.sessions.append(forked)
        return forked

    def share(self, origin, number=None):
        """Make a session the parent of those that come with the prefix "heir"; return its number."""
        self.shares += 1
        number = number or self.shares
        self.fork(origin, "parent")
        origin.control.send(protocol.SHARE, 0, wire.encode_texts(number=str(number)))
        return number

    def running(self):
        return subprocess.run(["docker", "ps", "-q", "--filter", f"name={self.name}"],
                              capture_output=True, text=True).stdout.strip() != ""

    def wait_gone(self):
        end = time.monotonic() + 5
        while self.running():
            assert time.monotonic() < end, "the container lives on"
            time.sleep(0.05)

    def close(self):
        for session in self.sessions:
            session.hang_up()
        self.launcher.close()
        subprocess.run(["docker", "rm", "-f", self.name], capture_output=True)
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def container():
    one = Shared()
    yield one
    one.close()


@pytest.fixture
def pair(container):
    """Two new sessions of a container, of which the first must survive."""
    first, second = container.open(), container.open()
    yield first, second
    assert first.eval("1 + 1") == 2, "its sibling is of use afterwards"
    for session in first, second:
        container.sessions.remove(session)
        session.hang_up()


@pytest.fixture
def fresh():
    made = []

    def make(*args, **options):
        made.append(Shared(*args, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def death(session, code):
    with pytest.raises(Died) as info:
        session.exec(code)
    return info.value.args


def wait_until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_parent_has_imported(container, pair):
    assert container.failed == b"\n"
    assert pair[0].eval("'numpy' in __import__('sys').modules")


def test_failed_imports(fresh):
    assert fresh(imports="nothing_of_this_name, json").failed == \
        b"nothing_of_this_name: ModuleNotFoundError: No module named 'nothing_of_this_name'\n"


def test_variables_are_a_sessions_own(pair):
    pair[0].exec("x = 1")
    assert pair[1].eval("'x' in globals()") is False


def test_generators_differ(pair):
    for expression in ("random.random()", "numpy.random.rand()", "secrets.token_hex()",
                       "str(uuid.uuid4())", "numpy.random.default_rng().random()"):
        code = "import numpy, random, secrets, uuid"
        values = set()
        for session in pair:
            session.exec(code)
            values.add(session.eval(expression))
        assert len(values) == 2, expression


def test_directories(container, pair):
    """Each session has its own, which goes with it."""
    first, second = pair
    code = "import os, tempfile\nwhere = tempfile.mkdtemp()\nopen('here', 'w').write('x')"
    first.exec(code)
    second.exec(code)
    own = [session.eval("os.environ['TMPDIR']") for session in pair]
    assert own[0] != own[1] and own[0].startswith("/tmp/")
    for session, place in zip(pair, own):
        assert session.eval("where").startswith(place + "/")
        assert session.eval("os.getcwd()") == session.eval("os.environ['HOME']") == place
    third = container.open()
    third.exec("import os\nos.makedirs('a/' * 300)\nos.chmod('a', 0)")
    left = third.eval("os.getcwd()")
    third.hang_up()
    inside = ["docker", "exec", container.name, "test", "-e", left]
    wait_until(lambda: subprocess.run(inside).returncode == 1)


def test_output_is_its_own(pair):
    for number, session in enumerate(pair):
        session.exec(f"import os; os.system('echo {number}'); print('of', {number})")
    for number, session in enumerate(pair):
        session.take_control(wait=1)
        assert sorted(session.texts().split("\n")) == [str(number), f"of {number}"]


def test_interrupt_hits_one(pair):
    first, second = pair
    for session in pair:
        session.exec("import time")
    for session in pair:
        session.start("try:\n    print('on')\n    time.sleep(3)\nexcept KeyboardInterrupt:\n"
                      "    print('hit')")
    for session in pair:
        assert session.data.receive()[0] == protocol.OUTPUT
    second.interrupt()
    assert second.reply() == [] and second.texts() == "hit"
    assert first.reply() == [] and first.texts() == ""


@pytest.mark.parametrize("code, reason, value, output", [
    ("import sys; sys.exit(3)", "exit", "3", ""),
    ("raise SystemExit('the last words')", "exit", "1", "the last words"),
    ("import ctypes; ctypes.string_at(0)", "signal", "SIGSEGV", "Segmentation fault"),
    ("import os; os.kill(os.getpid(), 9)", "signal", "SIGKILL", ""),
    ("import os; os.killpg(0, 9)", "signal", "SIGKILL", ""),
])
def test_death_is_its_own(pair, code, reason, value, output):
    got = death(pair[1], code)
    assert got[:2] == (reason, value)
    assert output in got[2] if output else got[2] == ""


def test_idle_is_its_own(container, pair):
    idle = container.open(idle_timeout="700")
    with pytest.raises(Died) as info:
        idle.take_control(wait=5)
    assert info.value.args == ("idle", "0.7", "")


def processes(container):
    """Return how many processes the container has."""
    listed = subprocess.run(["docker", "top", container.name], capture_output=True, text=True)
    return len(listed.stdout.splitlines()) - 1


def settled_processes(container):
    """The same, once the one that is forked ahead is there, or is not to be."""
    count = -1
    while count != (count := processes(container)):
        time.sleep(0.2)
    return count


@pytest.mark.parametrize("code", ["pass", "while True:\n    pass", "sum(range(10**12))",
                                  "import os\nwhile True: os.system('sleep 100 & echo x')",
                                  "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"])
def test_end_of_control_ends_one(container, pair, code):
    before = settled_processes(container)
    third = container.open()
    third.start(code)
    time.sleep(0.2)
    third.hang_up()
    wait_until(lambda: processes(container) <= before)


def test_memory_of_one_process(pair):
    """There is an error for it, and the session lives."""
    error = pair[1].exec("x = []\nwhile True: x.append(bytearray(1 << 24))")
    assert error["message"].startswith("MemoryError")
    assert pair[1].exec("del x") == []


def test_memory_of_several_processes(fresh):
    """20 sessions, one of which takes what all may have, by processes that may each."""
    container = fresh()
    good = [container.open() for _ in range(19)]
    for number, session in enumerate(good):
        session.exec(f"x = bytearray(b'x') * {2 * MB}; n = {number}")
    bad = container.open()
    assert death(bad, "import os, time\n"
                      "for _ in range(20):\n"
                      "    if not os.fork():\n"
                      "        x = bytearray(b'x') * (100 << 20)\n"
                      "        time.sleep(100)\n"
                      "        os._exit(0)\n"
                      "time.sleep(20)")[0] == "memory"
    assert [session.eval("n") for session in good] == list(range(19))
    assert container.open().eval("1") == 1


def test_processes(container, pair):
    """One that starts too many ends; a fork bomb takes nobody else along."""
    assert death(pair[1], "import subprocess, time\n"
                          "all = [subprocess.Popen(['sleep', '100']) for _ in range(100)]\n"
                          "time.sleep(20)")[:2] == ("processes", "64")
    bomb = container.open()
    assert death(bomb, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
                 )[:2] == ("processes", "64")


ATTACKS = [
    # memory and processes
    "open(f'/proc/{sibling}/mem', 'rb')",
    "open(f'/proc/{sibling}/environ').read()",
    "open(f'/proc/{sibling}/maps').read()",
    "os.listdir(f'/proc/{sibling}/fd')",
    "open(f'/proc/{sibling}/fd/4')",
    "os.readlink(f'/proc/{sibling}/cwd')",
    "open(f'/proc/{sibling}/oom_score_adj', 'w')",
    "open('/proc/1/environ').read()",
    "os.kill(1, 0)",
    "os.kill(parent, 9)",
    "os.kill(sibling, 9)",
    "os.kill(sibling, signal.SIGSTOP)",
    "os.kill(sibling, 0)",
    "os.killpg(sibling, 9)",
    "os.kill(-1, 9)",
    "signal.pidfd_send_signal(os.pidfd_open(sibling), 9)",
    "os.setsid()",
    "os.setpgid(0, sibling)",
    "os.setpgid(0, 0)",
    "ptrace(sibling)",
    # files
    "os.listdir('/tmp')",
    "os.listdir(place)",
    "open(place + '/secret').read()",
    "open(place + '/new', 'w')",
    "os.rename(place + '/secret', 'mine')",
    "os.unlink(place + '/secret')",
    "open('/tmp/new', 'w')",
    # connections
    "os.listdir('/run/hxpy')",
    "watch()",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack(container, pair, attack):
    """What a session cannot do to its sibling."""
    victim, attacker = pair
    victim.exec("import os\nopen('secret', 'w').write('s')\nos.environ['SECRET'] = 's'")
    attacker.exec("import ctypes, os, signal\n"
                  "libc = ctypes.CDLL(None, use_errno=True)\n"
                  "def ptrace(pid):\n"
                  "    if libc.ptrace(16, pid, 0, 0): raise OSError(ctypes.get_errno(), 'ptrace')\n"
                  "def watch():\n"
                  "    if libc.inotify_add_watch(libc.inotify_init(), b'/run/hxpy', 0x80) < 0:\n"
                  "        raise OSError(ctypes.get_errno(), 'inotify')\n"
                  f"sibling = {victim.eval('os.getpid()')}\n"
                  f"parent = {victim.eval('os.getppid()')}\n"
                  f"place = {victim.eval('os.getcwd()')!r}")
    assert attacker.eval("sibling != os.getpid()")
    answer = attacker.exec(attack)
    assert answer != [] and answer["message"].startswith(("PermissionError", "ProcessLookupError")), answer
    assert victim.eval("open('secret').read()") == "s"


# Processes that are forked ahead of their sessions ------------------------------------

AGE = "float(open('/proc/uptime').read().split()[0]) - " \
      "int(open('/proc/self/stat').read().rpartition(')')[2].split()[19]) / 100"


def open_waiting(container, prefix="session"):
    """Open a session until it gets a process that was there before; return it."""
    for _ in range(20):
        time.sleep(0.5)
        before = time.monotonic()
        session = container.open(prefix=prefix)
        if session.eval(AGE) > time.monotonic() - before + 0.1:
            return session
        session.hang_up()
    raise AssertionError("none was forked ahead")


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize("prefix", ["session", "heir"])
def test_one_forked_ahead(container, prefix):
    """It is as any other session; each has its own seeds, directory and connections."""
    if prefix == "heir":
        container.share(container.open())
    usual = container.open(prefix=prefix)
    usual.exec("import os")
    usual = usual.eval("sorted(map(int, os.listdir('/proc/self/fd')))")
    pair = open_waiting(container, prefix), open_waiting(container, prefix)
    for code in ("__import__('random').random()", "__import__('numpy').random.rand()",
                 "__import__('os').getcwd()", "__import__('os').getpgid(0)"):
        assert len({session.eval(code) for session in pair}) == 2, code
    for number, session in enumerate(pair):
        session.exec(f"import os; os.system('echo {number}'); open('f', 'w').write('x')")
        assert session.eval("os.getpgid(0) == os.getpid()")
        assert session.eval("os.readlink('/proc/self/fd/4').startswith('socket:')")
        assert session.eval("sorted(map(int, os.listdir('/proc/self/fd')))") == usual
        session.take_control(wait=1)
        assert session.texts() == str(number)
        session.start("import time; time.sleep(9)")
        time.sleep(0.1)
        session.interrupt()
        assert "KeyboardInterrupt" in session.reply()["message"]
    one, two = pair
    one.exec(f"other = {two.eval('os.getpid()')}; place = {two.eval('os.getcwd()')!r}")
    for attack in ("os.kill(other, 0)", "os.setpgid(0, 0)", "os.setsid()", "open(place + '/f')",
                   "os.listdir('/run/hxpy')", "open(f'/proc/{other}/mem')"):
        assert one.exec(attack)["message"].startswith(("PermissionError", "ProcessLookupError")), attack
    assert death(one, "os._exit(3)")[:2] == ("exit", "3")
    assert two.eval("open('f').read()") == "x"


def test_one_forked_ahead_of_an_older_parent(container):
    """It is of no use when there is another parent, or none."""
    for number in 1, 2:
        origin = container.open()
        origin.exec(f"x = {number}")
        shared = container.share(origin)
        assert container.open(prefix="heir").eval("x") == number
        assert open_waiting(container, "heir").eval("x") == number
        time.sleep(0.5)
    container.launcher.send(b"unshare %d\n" % shared)
    assert container.launcher.recv(4096) == b"unshared %d\n" % shared
    with pytest.raises((Died, ConnectionClosed)):
        container.open(prefix="heir")
    assert container.launcher.recv(4096) == b"unshared %d\n" % shared
    assert open_waiting(container).eval("'x' in globals()") is False


def test_one_forked_ahead_that_is_killed(fresh):
    """Another one takes its place, also if it has ended a moment ago."""
    container = fresh()
    first = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", container.name],
                           capture_output=True, text=True, check=True).stdout.strip()
    parent, = children(first)
    wait_until(lambda: children(parent), 20)
    for _ in range(5):
        killed = children(parent)
        for child in killed:
            os.kill(int(child), 9)
        wait_until(lambda: not set(killed) & set(children(parent)))
        session = container.open()
        assert session.eval("1") == 1
        session.hang_up()
        time.sleep(0.3)
    open_waiting(container)


# Sessions that are forked from others -----------------------------------------------


@pytest.fixture
def origin(container):
    """A session that has made something; it must be of use afterwards."""
    session = container.open()
    session.exec("import os, random, secrets, sys\nimport numpy as np\n"
                 "x = [1, 2]\nbig = np.arange(1000)\nopen('secret', 'w').write('s')\n"
                 "def f(): return len(x)")
    yield session
    assert session.eval("(x, int(big.sum()), open('secret').read())") == [[1, 2], 499500, "s"]
    container.sessions.remove(session)
    session.hang_up()


@pytest.mark.parametrize("kind", ["clone", "heir"])
def test_fork(container, origin, kind):
    """It finds all variables, and what it does with them is its own."""
    if kind == "clone":
        one, two = container.fork(origin), container.fork(origin)
    else:
        container.share(origin)
        one, two = container.open(prefix="heir"), container.open(prefix="heir")
    one.exec("x.append(3); big[:] = 0; open('mine', 'w').write('m'); y = 1")
    assert one.eval("f()") == 3 and two.eval("f()") == 2 and two.eval("int(big.sum())") == 499500
    assert two.eval("'y' in globals()") is False
    for code in ("random.random()", "np.random.rand()", "secrets.token_hex()", "os.getcwd()",
                 "os.environ['TMPDIR']", "os.getpid()", "os.getpgid(0)"):
        assert len({session.eval(code) for session in (origin, one, two)}) == 3, code
    assert one.eval("os.getppid()") == origin.eval("os.getppid()")
    inherited = origin.eval("[os.readlink(f'/proc/self/fd/{n}') for n in (1, 3, 4, 5)]")
    assert not set(inherited) & set(one.eval(
        "[os.readlink(f'/proc/self/fd/{n}') for n in map(int, os.listdir('/proc/self/fd')[:-1])]"))
    assert len([line for line in one.eval("open('/proc/self/maps').read()").splitlines()
                if line.split()[1].startswith("rw-s")]) == 1, "the page of interrupts is its own"
    one.exec("print('of one')")
    assert one.texts() == "of one" and two.texts() == ""
    one.start("import time\ntime.sleep(9)")
    time.sleep(0.1)
    one.interrupt()
    assert "KeyboardInterrupt" in one.reply()["message"]
    assert death(two, "os._exit(3)")[:2] == ("exit", "3")
    assert one.eval("f()") == 3
    place = one.eval("os.getcwd()")
    one.hang_up()
    inside = ["docker", "exec", container.name, "test", "-e", place]
    wait_until(lambda: subprocess.run(inside).returncode == 1)


@pytest.mark.parametrize("kind", ["clone", "heir"])
@pytest.mark.parametrize("attack", [
    "os.kill(origin, 9)", "os.kill(origin, 0)", "os.kill(twin, 9)", "os.killpg(origin, 9)",
    "os.killpg(twin, 9)", "os.kill(-1, 9)", "os.setpgid(0, 0)", "os.setpgid(0, origin)",
    "os.listdir(place)", "open(place + '/secret').read()", "open(place + '/new', 'w')",
    "os.listdir(beside)", "os.listdir(os.path.dirname(os.getcwd()))", "os.unlink(beside + '/t')",
    "open(f'/proc/{origin}/mem', 'rb')", "os.listdir(f'/proc/{twin}/fd')", "os.listdir('/run/hxpy')",
    "os.lseek(2000, 0, 0)"])
def test_attack_of_a_fork(container, origin, kind, attack):
    """What one that has its origin's memory cannot do to that, and to another fork of it."""
    if kind == "heir":
        container.share(origin)
    one, two = (container.fork(origin) if kind == "clone" else container.open(prefix="heir")
                for _ in range(2))
    two.exec("open('t', 'w').write('t')")
    one.exec(f"origin = {origin.eval('os.getpid()')}; twin = {two.eval('os.getpid()')}\n"
             f"place = {origin.eval('os.getcwd()')!r}; beside = {two.eval('os.getcwd()')!r}")
    answer = one.exec(attack)
    assert answer != [] and answer["message"].startswith(
        ("PermissionError", "ProcessLookupError", "OSError: [Errno 9]")), answer
    assert two.eval("open('t').read()") == "t"
    for session in one, two:
        session.hang_up()


@pytest.mark.parametrize("code, undo, detail", [
    ("import threading, time\nend = threading.Event()\n"
     "t = threading.Thread(target=end.wait, name='waiter')\nt.start()", "end.set(); t.join()", "waiter"),
    ("import _thread, threading\nend = threading.Event()\n_thread.start_new_thread(end.wait, ())",
     "import time\nend.set(); time.sleep(0.1)", "threads"),
    ("import socket\na, b = socket.socketpair()", "a.close(); b.close()", "socket:"),
    ("a, b = os.pipe()", "os.close(a); os.close(b)", "pipe:"),
    ("a = open('log', 'w')", "a.close()", "/log"),
    ("import mmap\na = mmap.mmap(-1, 5000)", "a.close()", "8192 bytes of /dev/zero"),
])
def test_what_cannot_be_forked(container, origin, code, undo, detail):
    origin.exec(code)
    for kind in ("session", "parent"):
        with pytest.raises(Refused) as info:
            container.fork(origin, kind)
        error = info.value.args[0]
        assert error["sqlstate"] == "55000" and detail in error["detail"] and error["hint"]
    origin.exec(undo)
    container.fork(origin).hang_up()


def test_files_that_are_read(container, origin):
    """Each reads on where it is."""
    origin.exec("a = open('secret'); a.read(0); b = os.open('secret', os.O_RDONLY)")
    forked = container.fork(origin)
    assert forked.eval("(a.read(), os.read(b, 1).decode())") == ["s", "s"]
    assert origin.eval("(a.read(), os.read(b, 1).decode())") == ["s", "s"]
    forked.hang_up()


def test_an_origin_that_ends(container):
    """What was forked from it lives on, and what it has left goes after that."""
    origin = container.open()
    origin.exec("import os; x = 1")
    place = origin.eval("os.getcwd()")
    number = container.share(origin)
    clone = container.fork(origin)
    of_clone = container.fork(clone)
    origin.hang_up()
    clone.hang_up()
    heir = container.open(prefix="heir")
    assert heir.eval("x") == of_clone.eval("x") == 1
    for session in heir, of_clone:
        session.exec("open('file', 'w').write('x')")
        assert session.eval("open('file').read()") == "x"
        session.hang_up()
    container.launcher.send(b"unshare %d\n" % (number - 1))
    assert container.open(prefix="heir").eval("x") == 1
    container.launcher.send(b"unshare %d\n" % number)
    assert container.launcher.recv(4096) == b"unshared %d\n" % number
    with pytest.raises((Died, ConnectionClosed)):
        container.open(prefix="heir")
    inside = ["docker", "exec", container.name, "sh", "-c", f"test -e {place}.forks"]
    container.sessions[-1].hang_up()
    wait_until(lambda: subprocess.run(inside).returncode == 1)
    assert container.open().eval("1") == 1


def test_shares_out_of_order(fresh):
    """The highest number counts, and none that the server has given up meanwhile."""
    container = fresh()
    first, second = container.open(), container.open()
    first.exec("x = 1")
    second.exec("x = 2")
    container.share(second, 7)
    container.share(first, 6)
    assert container.open(prefix="heir").eval("x") == 2
    container.launcher.send(b"unsh")
    time.sleep(0.1)
    container.launcher.send(b"are 9\n")
    assert container.launcher.recv(4096) == b"unshared 7\n"
    container.share(first, 8)
    with pytest.raises((Died, ConnectionClosed)):
        container.open(prefix="heir")


def test_a_fork_without_the_first_parent(fresh):
    """It is refused, and nobody else notices."""
    container = fresh()
    first, second = container.open(), container.open()
    parent = first.eval("__import__('os').getppid()")
    subprocess.run(["docker", "exec", container.name, "sh", "-c", f"kill -9 {parent}"], check=True)
    with pytest.raises(Refused):
        container.fork(first)
    assert first.eval("1") == second.eval("1") == 1


def test_depth_of_forks(container):
    session = container.open()
    with pytest.raises(Refused, match="54000"):
        for _ in range(20):
            session = container.fork(session)
    assert session.eval("1") == 1


def test_measure(container, pair):
    """Memory is what a session has of its own."""
    first, second = pair
    second.exec("import numpy\nx = numpy.ones(4 << 20)\nwhile sum(range(10 ** 6)) < 0: pass")
    container.launcher.send(b"measure\n")
    taken = {}
    while not all(session.slot in taken for session in pair):
        for line in container.launcher.recv(65536).decode().splitlines():
            word, *numbers = line.split()
            if word == "session":
                taken[numbers[0]] = [int(number) for number in numbers[1:]]
    mine = [taken[session.slot] for session in pair]
    assert 20 * MB < mine[1][0] < 60 * MB and mine[0][0] < 10 * MB and mine[1][1] > 0


def test_abstract_sockets(pair):
    pair[0].exec("import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0mine')\ns.listen()")
    answer = pair[1].exec("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0mine')")
    assert answer["message"].startswith("PermissionError")


def test_a_server_that_does_not_read(pair):
    """Holds up nobody else."""
    first, second = pair
    second.start("import os\nos.write(1, b'x' * 1023 + b'\\n')\n"
                 "for _ in range(900): os.write(1, b'x' * 1023 + b'\\n')")
    time.sleep(0.5)
    for _ in range(3):
        first.start("import time\ntime.sleep(5)")
        time.sleep(0.1)
        first.interrupt()
        assert "KeyboardInterrupt" in first.reply()["message"]
    while not select.select([second.data], [], [], 0.05)[0]:
        second.take_control()
    assert second.reply() == []
    second.take_control(wait=1)
    assert len(second.texts()) > 800 * 1024     # the rest may come too late


def test_the_launchers_end(fresh):
    """The container lives as long as its sessions do."""
    container = fresh()
    session = container.open()
    container.launcher.close()
    time.sleep(0.3)
    assert session.eval("1") == 1
    session.hang_up()
    container.wait_gone()


def test_the_parents_end(fresh):
    """The launcher is told; the sessions live on."""
    container = fresh()
    session = container.open()
    parent = session.eval("__import__('os').getppid()")
    subprocess.run(["docker", "exec", container.name, "kill", "-9", str(parent)], check=True)
    assert container.launcher.recv(1) == b""
    assert session.eval("1") == 1
    assert death(session, "import os; os._exit(5)")[:2] == ("exit", "5")
    container.wait_gone()


def test_a_backend_that_is_gone(container, pair):
    """Whoever left its socket there holds up nobody."""
    for _ in range(3):
        listen(container.directory, f"session-{uuid.uuid4().hex}").close()
    full = listen(container.directory, f"session-{uuid.uuid4().hex}")
    assert container.open().eval("1") == 1
    full.close()


def test_fork_before_the_process_is_known(fresh, tmp_path):
    """A worker may be done with an instruction before its parent has said which process it is."""
    module = tmp_path / "hesitant.py"
    module.write_text("""
import os, time
setpgid = os.setpgid
def hesitate(pid, group):
    if pid:     # of the parent, for the worker that it has just forked
        time.sleep(0.5)
    setpgid(pid, group)
os.setpgid = hesitate
""")
    tmp_path.chmod(0o755)
    container = fresh(imports="hesitant",
                      mounts=[f"{module}:/usr/lib/python3/dist-packages/hesitant.py:ro"])
    assert container.failed == b"\n"
    session = container.open()
    container.share(session)
    assert container.open(prefix="heir").eval("1 + 1") == 2
    assert container.fork(container.open()).eval("1 + 1") == 2


@pytest.mark.parametrize("prefix", ["session", "heir"])
def test_many(container, prefix):
    """100 at once, each its own."""
    if prefix == "heir":
        container.share(container.open())
    names = [f"{prefix}-{uuid.uuid4().hex}" for _ in range(100)]
    listeners = [listen(container.directory, name) for name in names]
    sessions = [Session(listener, memory=str(64 * MB), processes="64", slot=str(number))
                for number, listener in enumerate(listeners)]
    for number, session in enumerate(sessions):
        session.exec(f"n = {number}")
    assert [session.eval("n") for session in sessions] == list(range(100))
    for session in sessions:
        session.hang_up()
