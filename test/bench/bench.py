"""What script/bench runs: hxpy beside its peers, in turns, on the same data.

Wants libpq's environment (PGHOST …) of a server of its own with a superuser,
HXPY_IMAGE and HXPY_SECCOMP, in HXPY_BARE_HOST the directory of the socket of a like
server that has no hxpy, in HXPY_SMALL_HOST that of one with hxpy and small buffers.  A
case is a function that makes its data and returns measurements; a measurement has
contestants, of which "hxpy" is ours.
Each round runs every contestant once; the first round warms up and does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import gc
import io
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
SESSION = "s"
OURS = "hxpy"
MB = 1 << 20

# About as many bytes as py_eval('s', '1') sends: a frame's header and its columns.
PING_BYTES = 80
ECHO = """
import socket
sock = socket.socket(socket.AF_UNIX)
sock.connect("/run/ping/sock")
while True:
    data = sock.recv(65536)
    if not data:
        break
    sock.sendall(data)
"""
IMPORTS = "import numpy, pandas"


# ---- measurements -----------------------------------------------------------


@dataclasses.dataclass
class Contestant:
    """One way to do a job.

    run is timed, or returns the seconds that it measured itself (own_time); before
    and after are not timed.
    """

    name: str
    run: Callable[[], Any]
    before: Callable[[], Any] | None = None
    after: Callable[[], Any] | None = None
    note: str = ""
    own_time: bool = False


@dataclasses.dataclass
class Target:
    """Ours takes at most `ratio` of a peer's time or at most `seconds`; 0 for no such limit."""

    peer: str
    ratio: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        limits = []
        if self.ratio:
            limits.append("≤ " + ratio_text(self.ratio))
        if self.seconds:
            limits.append("≤ " + time_text(self.seconds))
        return " or ".join(limits)

    def is_met(self, ours: float, peer: float) -> bool:
        """Tell whether the medians meet it."""
        return ours <= self.ratio * peer or ours <= self.seconds


@dataclasses.dataclass
class Measurement:
    """A job, its contestants in the order of a round, and what ours must reach."""

    title: str
    contestants: list[Contestant]
    targets: Sequence[Target] = ()
    rounds: int | None = None       # fewer than asked for
    warm_up: bool = True


@dataclasses.dataclass
class Row:
    """A line of the result."""

    case: str
    title: str
    contestant: str
    times: list[float]
    ratio: float | None = None      # ours divided by this contestant's
    target: str = ""
    verdict: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """Return the median time in seconds."""
        return statistics.median(self.times)


def time_text(seconds: float) -> str:
    """Return a time with three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        value = seconds * factor
        if value >= 1 or unit == "µs":
            break
    decimals = max(0, 2 - int(math.floor(math.log10(value)))) if value > 0 else 0
    return f"{value:.{decimals}f} {unit}"


def ratio_text(ratio: float) -> str:
    """Return a ratio as a factor, or as a fraction where that is easier to read."""
    if ratio >= 0.3:
        return f"{ratio:.2f} ×"
    return f"1/{1 / ratio:.3g}"


def run_once(contestant: Contestant) -> float:
    """Run a contestant and return its seconds."""
    if contestant.before:
        contestant.before()
    gc.collect()
    start = time.perf_counter()
    result = contestant.run()
    seconds = time.perf_counter() - start
    if contestant.after:
        contestant.after()
    return result if contestant.own_time else seconds


def measure(case: str, job: Measurement, rounds: int, judge: bool) -> list[Row]:
    """Run all rounds of a job and return its rows."""
    rounds = min(rounds, job.rounds or rounds)
    times: dict[str, list[float]] = {c.name: [] for c in job.contestants}
    for number in range(0 if job.warm_up else 1, rounds + 1):
        for contestant in job.contestants:
            say(f"{case}: {job.title}: {contestant.name}, "
                + (f"round {number} of {rounds}" if number else "warm-up"))
            seconds = run_once(contestant)
            if number:
                times[contestant.name].append(seconds)
    ours = statistics.median(times[OURS])
    rows = []
    for contestant in sorted(job.contestants, key=lambda c: c.name != OURS):
        row = Row(case, job.title, contestant.name, times[contestant.name], note=contestant.note)
        if contestant.name != OURS:
            row.ratio = ours / row.median
            for target in job.targets:
                if target.peer == contestant.name:
                    row.target = str(target)
                    met = target.is_met(ours, row.median)
                    row.verdict = ("met" if met else "missed") if judge else "not judged"
        rows.append(row)
    return rows


def say(text: str) -> None:
    """Show progress, on one line where that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)


# ---- the server -------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


class Server:
    """A connection, in autocommit mode."""

    def __init__(self, where: str = "") -> None:
        import psycopg2

        self.connection = psycopg2.connect(where)
        self.connection.autocommit = True
        self.pid = self.connection.get_backend_pid()

    def run(self, sql: str, *arguments: Any) -> Any:
        """Run SQL and return the first row's only value, its tuple, or None."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            if cursor.description is None:
                return None
            row = cursor.fetchone()
        del self.connection.notices[:]
        return row[0] if row and len(row) == 1 else row

    def python(self, code: str) -> None:
        """Run Python statements in the session."""
        self.run("SELECT py_exec(%s, %s)", SESSION, code)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


class Memory:
    """Peak of a backend's memory within a with-block, in bytes.

    private: anonymous memory, what the backend allocates, sampled every 2 ms, beyond
    what it had.  resident: VmHWM, the kernel's exact peak of all resident memory, with
    the pages of shared_buffers that the backend has touched.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.stop = threading.Event()
        self.start = self.peak = self.private = self.resident = 0

    def status(self) -> dict[str, int]:
        """Return the fields of the process's status that are sizes, in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            return {name: int(size) * 1024
                    for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", file.read(), re.M)}

    def sample(self) -> None:
        """Watch until told to stop."""
        while not self.stop.wait(0.002):
            self.peak = max(self.peak, self.status()["RssAnon"])

    def __enter__(self) -> Memory:
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")     # VmHWM starts anew
        self.start = self.peak = self.status()["RssAnon"]
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop.set()
        self.thread.join()
        status = self.status()
        self.private = max(self.peak, status["RssAnon"]) - self.start
        self.resident = status["VmHWM"]


class Bench:
    """What cases share: sizes, connections, data."""

    def __init__(self, options: argparse.Namespace, where: str = "") -> None:
        self.options = options
        self.where = where
        self.quick = options.quick
        self.rounds = options.rounds
        self.resources = contextlib.ExitStack()
        self._servers: dict[str, Server] = {}

    def rows(self, count: int) -> int:
        """Return how many rows to use for so many."""
        return count // 100 if self.quick else count

    def server(self, name: str) -> Server:
        """Return a contestant's own connection."""
        if name not in self._servers:
            self._servers[name] = Server(self.where)
        return self._servers[name]

    @property
    def hxpy(self) -> Server:
        """Return the connection with the open session, warm."""
        if "hxpy" not in self._servers:
            self.open_session(self.server("hxpy"))
        return self._servers["hxpy"]

    @property
    def plain(self) -> Server:
        """Return the connection for SQL and COPY."""
        return self.server("plain")

    @property
    def plpython(self) -> Server:
        """Return the connection for PL/Python."""
        return self.server("plpython")

    def open_session(self, server: Server) -> None:
        """Open the session and import what its cases use."""
        server.run("SELECT py_open(%s)", SESSION)
        server.python(IMPORTS)

    def forget(self, *names: str) -> Callable[[], None]:
        """Return what drops variables of the session, so that no round frees another's."""
        return lambda: self.hxpy.python(" = ".join((*names, "None")))

    def table(self, name: str, select: str, frozen: bool = True) -> None:
        """Make a table, frozen and in the server's cache unless that is not wanted; nothing when
        it is there."""
        if self.plain.run("SELECT to_regclass(%s)", name):
            return
        say(f"makes table {name}")
        self.plain.run("SELECT setseed(0.5)")
        self.plain.run(f"CREATE TABLE {name} AS {select}")
        if not frozen:
            return
        self.plain.run(f"VACUUM (FREEZE, ANALYZE) {name}")
        self.plain.run("SELECT pg_prewarm(%s)", name)

    # contestants that several cases have

    def copy_out(self, query: str) -> Contestant:
        """COPY to nowhere: what it costs PostgreSQL alone to read and encode the rows."""
        return Contestant(
            "COPY binary", lambda: self.plain.run(f"COPY ({query}) TO '/dev/null' (FORMAT binary)"))

    def define_grid(self, query: str) -> Contestant:
        """Ours, to a DataFrame."""
        def run() -> None:
            self.hxpy.run("SELECT py_define_grid(%s, 'g', %s)", SESSION, query)
            self.hxpy.python("df = g.to_dataframe()")
        return Contestant(OURS, run, before=self.forget("g", "df"))

    def plpython_frame(self, query: str) -> Contestant:
        """PL/Python, to a DataFrame."""
        return Contestant("PL/Python", lambda: self.plpython.run("SELECT plpy_frame(%s)", query))

    def read_sql(self, query: str) -> Contestant:
        """pandas in a client."""
        import pandas

        def run() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")     # it would rather have SQLAlchemy
                pandas.read_sql(query, self.server("client").connection)
        return Contestant("psycopg2 + pandas", run)

    def expect(self, expression: str, wanted: Any) -> None:
        """Raise an error unless a Python expression in the session has a value."""
        value = self.hxpy.run("SELECT py_eval(%s, %s)", SESSION, expression)
        if value != wanted:
            raise RuntimeError(f"{expression} is {value!r}, not {wanted!r}")

    def close(self) -> None:
        """End the connections."""
        for server in self._servers.values():
            server.close()

    def prepare(self) -> None:
        """Make what all cases need in the database."""
        self.plain.run("""
            CREATE EXTENSION hxpy;
            CREATE EXTENSION plpython3u;
            CREATE EXTENSION pg_prewarm;

            -- A column at a time; timestamptz stays the text that it is here.
            CREATE FUNCTION plpy_frame(query text) RETURNS int8 LANGUAGE plpython3u AS $$
                import pandas
                rows = plpy.execute(query)
                df = pandas.DataFrame({name: [row[name] for row in rows] for name in rows.colnames()})
                return len(df)
            $$;
            CREATE FUNCTION plpy_do(code text) RETURNS void LANGUAGE plpython3u AS $$
                exec(code, {"GD": GD, "plpy": plpy})
            $$;""")


# ---- cases ------------------------------------------------------------------

CASES: dict[str, Callable[[Bench], Iterator[Measurement | Row]]] = {}
ABOUT: dict[str, str] = {}


def case(name: str, about: str) -> Callable[[Any], Any]:
    """Name the case that follows."""
    def enter(function: Any) -> Any:
        CASES[name] = function
        ABOUT[name] = about
        return function
    return enter


def sandbox_options() -> list[str]:
    """Return the options of `docker run` for the limits of a session's container."""
    return ["--network", "none", "--cpus", "1", "--memory", "1g", "--memory-swap", "1g",
            "--pids-limit", "64", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--security-opt", f"seccomp={os.environ['HXPY_SECCOMP']}", "--read-only",
            "--tmpfs", "/tmp", "--user", "199999:199999", "--label", "hxpy.bench=1",
            "--entrypoint", "/usr/bin/python3"]


@contextlib.contextmanager
def pinger() -> Iterator[Callable[[int], tuple[float, float]]]:
    """Give what sends COUNT pings into a container: median and mean of a round trip."""
    directory = tempfile.mkdtemp(prefix="hxpy-bench.")
    client = container = None
    try:
        os.chmod(directory, 0o755)
        subprocess.run(["cc", "-O2", "-o", f"{directory}/ping", f"{HERE}/ping.c"], check=True)
        os.mkdir(f"{directory}/socket", 0o755)
        os.chmod(f"{directory}/socket", 0o755)
        client = subprocess.Popen(
            [f"{directory}/ping", f"{directory}/socket/sock", str(PING_BYTES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert client.stdin and client.stdout
        client.stdout.readline()        # it listens
        container = subprocess.run(
            ["docker", "run", "-d", "--rm", *sandbox_options(),
             "--mount", f"type=bind,src={directory}/socket,dst=/run/ping,readonly",
             os.environ["HXPY_IMAGE"], "-I", "-c", ECHO],
            check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        if client.stdout.readline() != "ready\n":
            raise RuntimeError("the container did not connect")

        requests, answers = client.stdin, client.stdout

        def ping(count: int) -> tuple[float, float]:
            print(count, file=requests, flush=True)
            median, mean = answers.readline().split()
            return float(median) / 1e9, float(mean) / 1e9
        yield ping
    finally:
        if container:
            subprocess.run(["docker", "kill", container], check=False, stdout=subprocess.DEVNULL)
        if client:
            client.kill()
            client.wait()
        shutil.rmtree(directory)


@case("warm", "a round trip into an open session")
def warm(bench: Bench) -> Iterator[Measurement | Row]:
    count = 500 if bench.quick else 10_000
    ping = bench.resources.enter_context(pinger())
    bench.plain.run("""
        -- each call by itself; the clock's resolution is 1 µs
        CREATE FUNCTION warm_calls(count int) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE
            start timestamptz;
            times interval[] := '{}';
        BEGIN
            FOR i IN 1..count LOOP
                start := clock_timestamp();
                PERFORM py_eval('s', '1');
                times[i] := clock_timestamp() - start;
            END LOOP;
            RETURN (SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY t))
                    FROM unnest(times) t);
        END $$;
        CREATE FUNCTION warm_loop(count int) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE
            start timestamptz := clock_timestamp();
        BEGIN
            FOR i IN 1..count LOOP
                PERFORM py_eval('s', '1');
            END LOOP;
            RETURN extract(epoch FROM clock_timestamp() - start) / count;
        END $$;
        CREATE FUNCTION warm_query(count int) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE
            start timestamptz := clock_timestamp();
        BEGIN
            PERFORM count(py_eval('s', '1')) FROM generate_series(1, count);
            RETURN extract(epoch FROM clock_timestamp() - start) / count;
        END $$;
        CREATE FUNCTION warm_different(count int) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE
            start timestamptz := clock_timestamp();
        BEGIN
            PERFORM count(py_eval('s', format('abs(%s)', i + random())))
                FROM generate_series(1, count) i;
            RETURN extract(epoch FROM clock_timestamp() - start) / count;
        END $$;""")
    time.sleep(1)       # the worker imports ahead while it is idle

    def server(function: str) -> Callable[[], float]:
        return lambda: bench.hxpy.run(f"SELECT {function}(%s)", count)

    note = f"C client, {PING_BYTES} bytes, Python echo in a container"
    yield Measurement("py_eval('s','1'), single calls in plpgsql, their median", [
        Contestant("bare ping", lambda: ping(count)[0], note=note, own_time=True),
        Contestant(OURS, server("warm_calls"), own_time=True)], [Target("bare ping", 1.6)])
    yield Measurement("py_eval('s','1'), loop in plpgsql, mean", [
        Contestant("bare ping", lambda: ping(count)[1], note=note, own_time=True),
        Contestant(OURS, server("warm_loop"), own_time=True)], [Target("bare ping", 1.6)])
    yield Measurement("count(py_eval('s','1')) FROM generate_series, mean", [
        Contestant("bare ping", lambda: ping(count)[1], note=note, own_time=True),
        Contestant(OURS, server("warm_query"), own_time=True)], [Target("bare ping", 1.6)])
    yield Measurement("py_eval of another expression for each row, mean", [
        Contestant("bare ping", lambda: ping(count)[1], note=note, own_time=True),
        Contestant(OURS, server("warm_different"), own_time=True)],
        [Target("bare ping", seconds=40e-6)])


@case("cold", "a session's start")
def cold(bench: Bench) -> Iterator[Measurement | Row]:
    def docker(code: str, *options: str) -> None:
        subprocess.run(["docker", "run", "--rm", *options, os.environ["HXPY_IMAGE"], "-c", code],
                       check=True)

    def shut() -> None:
        server.run("SELECT py_close('cold')")

    def open_session() -> None:
        server.run("SELECT py_open('cold')")

    def open_import() -> None:
        open_session()
        server.run("SELECT py_exec('cold', %s)", IMPORTS)

    server = bench.server("cold")
    plain = ["--network", "none", "--entrypoint", "/usr/bin/python3"]
    peers = [
        Contestant("docker run, import", lambda: docker(IMPORTS, *plain),
                   note="docker run --rm --network none … python3 -c 'import numpy, pandas'"),
        Contestant("docker run, limits, import", lambda: docker(IMPORTS, *sandbox_options()),
                   note="the same with a session's limits"),
        Contestant("docker run, pass", lambda: docker("pass", *plain)),
    ]
    for title, run in (("py_open", open_session), (f"py_open, then {IMPORTS}", open_import)):
        ours = Contestant(OURS, run, after=shut, note="without py_close; no pool")
        yield Measurement(title, [peers[0], ours, *peers[1:]], [Target(peers[0].name, 1.3)])


@case("pool", "a session's start out of the pool")
def pool(bench: Bench) -> Iterator[Measurement | Row]:
    def size(count: int) -> None:
        server.run(f"ALTER SYSTEM SET hxpy.pool_size = {count}")
        server.run("SELECT pg_reload_conf()")

    def fill() -> None:
        deadline = time.monotonic() + 60
        while not server.run("SELECT ready = 2 AND starting = 0 FROM hxpy_stat_pool"):
            if time.monotonic() > deadline:
                raise RuntimeError("the pool does not fill")
            time.sleep(0.05)
        time.sleep(0.3)     # the last session's container is being removed

    def shut() -> None:
        server.run("SELECT py_close('pool')")

    def open_warm() -> None:
        server.run("SELECT py_open('pool')")

    def open_cold() -> None:
        server.run("SELECT py_open('pool', memory => '4095MB')")

    def importing(run: Callable[[], None]) -> Callable[[], None]:
        def both() -> None:
            run()
            server.run("SELECT py_exec('pool', %s)", IMPORTS)
        return both

    server = bench.server("pool")
    size(2)
    try:
        for title, wrap, target in (
                ("py_open", lambda run: run, [Target("no pool", seconds=0.005)]),
                (f"py_open, then {IMPORTS}", importing, [])):
            yield Measurement(title, [
                Contestant(OURS, wrap(open_warm), before=fill, after=shut,
                           note="two containers in the pool, ready"),
                Contestant("no pool", wrap(open_cold), before=fill, after=shut,
                           note="options that no container of the pool has")], target,
                rounds=20)
    finally:
        size(0)


MODEL_BYTES = 500 * MB
GROUPING = """
import numpy, pandas
frame = pandas.DataFrame({'k': numpy.arange(1000) % 7, 'v': numpy.arange(1000.0)})
frame.groupby('k').v.sum()"""


def container_memory(container: str) -> int:
    """Return what a container takes, in bytes, without file cache that could go."""
    text = subprocess.run(
        ["docker", "exec", container, "sh", "-c",
         "cd /sys/fs/cgroup; cat memory.current memory/memory.usage_in_bytes 2>/dev/null; "
         "cat memory.stat memory/memory.stat 2>/dev/null | grep -E '^(total_)?inactive_file '"],
        check=False, stdout=subprocess.PIPE, text=True).stdout.split()
    return int(text[0]) - int(text[-1])


@case("shared", "sessions that share a container, and a model")
def shared(bench: Bench) -> Iterator[Measurement | Row]:
    def settings(share: str) -> list[str]:
        return [f"SET hxpy.share = {share}", "SET hxpy.max_sessions = 64",
                "SET hxpy.sessions_per_container = 300", "SET hxpy.role_memory = '8GB'"]

    def connect(share: str = "role") -> Server:
        server = Server()
        for setting in settings(share):
            server.run(setting)
        servers.append(server)
        return server

    def shut() -> None:
        while servers:
            servers.pop().connection.close()

    def container(server: Server) -> str:
        return server.run("SELECT container FROM hxpy_stat_sessions "
                          "WHERE pid = pg_backend_pid() LIMIT 1")

    def one_more(share: str) -> float:
        """Return the bytes that one more session takes after its work, of 10."""
        server = connect(share)
        server.run("SELECT py_exec(py_open('s0'), %s)", GROUPING)
        before = container_memory(container(server))
        if share == "off":
            return before
        for number in range(1, 11):
            server.run(f"SELECT py_exec(py_open('s{number}'), %s)", GROUPING)
        return (container_memory(container(server)) - before) / 10

    def at_once(statement: str) -> float:
        """Return the seconds until 100 new connections have run a statement."""
        def run() -> None:
            server = Server("options='-c hxpy.share=role -c hxpy.sessions_per_container=300 "
                                "-c hxpy.role_memory=8GB'")
            servers.append(server)
            server.run(statement)
        threads = [threading.Thread(target=run) for _ in range(100)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start

    def score() -> float:
        server = connect()
        start = time.perf_counter()
        server.run("SELECT py_eval(py_open('s'), 'float(model[:1000] @ model[1000:2000])')")
        return time.perf_counter() - start

    def load(share: str) -> float:
        """The same in a session that makes the model itself."""
        server = connect(share)
        start = time.perf_counter()
        server.run("SELECT py_exec(py_open('s'), %s)", model)
        server.run("SELECT py_eval('s', 'float(model[:1000] @ model[1000:2000])')")
        return time.perf_counter() - start

    servers: list[Server] = []
    size = MODEL_BYTES // 100 if bench.quick else MODEL_BYTES
    model = f"import numpy; model = numpy.ones({size // 8})"
    for share, name, limit in (("role", OURS, 8 * MB), ("off", "a container each", 0)):
        taken = one_more(share)
        shut()
        yield Row("shared", "one more session after a groupby: memory", name, [0.0],
                  note=f"{taken / MB:.1f} MB", target=f"≤ {limit // MB} MB" if limit else "",
                  verdict="" if not limit else "met" if taken <= limit else "missed")

    for _ in range(4):
        keeper = connect()
        for number in range(5 if bench.quick else 50):
            keeper.run(f"SELECT py_open('n{number}')")
    server = connect()
    yield Measurement("py_open, 200 sessions open", [
        Contestant(OURS, lambda: server.run("SELECT py_open('s')"),
                   after=lambda: server.run("SELECT py_close('s')"))], rounds=20)
    shut()
    time.sleep(2)
    keeper = connect()
    keeper.run("SELECT py_open('keeper')")
    keep = servers.pop()
    yield Measurement("100 connections at once", [
        Contestant(OURS, lambda: at_once("SELECT py_open('s')"), after=shut, own_time=True),
        Contestant("SELECT 1", lambda: at_once("SELECT 1"), after=shut, own_time=True)])
    keep.connection.close()

    keeper = connect()
    keeper.run("SELECT py_exec(py_open('m', memory => '2GB'), %s)", model)
    keeper.run("SELECT py_share('m')")
    keep = servers.pop()
    yield Measurement(f"first score of a new connection, {size // MB} MB of model", [
        Contestant(OURS, score, after=shut, own_time=True),
        Contestant("a model each", lambda: load("off"), after=shut, own_time=True)], rounds=10)
    for _ in range(50):
        connect().run("SELECT py_eval(py_open('s'), 'float(model.sum())')")
    taken = container_memory(container(keep))
    yield Row("shared", f"{size // MB} MB of model in 50 sessions: memory", OURS, [0.0],
              note=f"{taken / MB:.0f} MB", target="≤ 1331 MB",
              verdict="met" if taken <= 1331 * MB else "missed")
    keep.run("SELECT py_unshare()")
    shut()
    keep.connection.close()


WIDE = "id, v, ts, label, ok"


def wide_table(bench: Bench, label: str, frozen: bool = True) -> str:
    """Make a table of five columns; returns its name."""
    name = f"wide_{label}"
    text = {"distinct": "'item ' || i", "thousand": "'site ' || i % 1000"}[label]
    bench.table(name, f"""
        SELECT i::int8 AS id, random() AS v,
               '2024-01-01 00:00Z'::timestamptz + i * interval '1 second' AS ts,
               {text} AS label, i % 3 = 0 AS ok
        FROM generate_series(1, {bench.rows(1_000_000)}) i""", frozen)
    return name


@case("a", "1M × (int8, float8, timestamptz, text, bool) in")
def wide_in(bench: Bench) -> Iterator[Measurement | Row]:
    for label, title in (("distinct", "all texts different"), ("thousand", "1000 different texts")):
        query = f"SELECT {WIDE} FROM {wide_table(bench, label)}"
        yield Measurement(
            f"1M × 5 to a DataFrame, {title}",
            [bench.copy_out(query), bench.define_grid(query), bench.plpython_frame(query),
             bench.read_sql(query)],
            [Target("COPY binary", 0.45), Target("PL/Python", 1 / 12)])
        bench.expect("[len(df), int(df.id.sum()), df.label.nunique(), int(df.ok.sum())]",
                     list(bench.plain.run("SELECT count(*), sum(id)::int8, count(DISTINCT label),"
                                          f" count(*) FILTER (WHERE ok) FROM wide_{label}")))
        bench.forget("g", "df")()
    # The table is larger than a quarter of shared_buffers.
    small = Bench(bench.options, "host=" + os.environ["HXPY_SMALL_HOST"])
    small.prepare()
    query = f"SELECT {WIDE} FROM {wide_table(small, 'thousand', frozen=False)}"
    yield Measurement(
        "the same, shared_buffers = 128MB, a table as it was filled",
        [small.copy_out(query), small.define_grid(query), small.plpython_frame(query)],
        [Target("COPY binary", 0.45), Target("PL/Python", 1 / 12)])
    small.close()


def numbers_table(bench: Bench, rows: int) -> str:
    """Make a table of (int8, float8); returns its name."""
    name = f"numbers_{rows}"
    bench.table(name, f"SELECT i::int8 AS id, random() AS v FROM generate_series(1, {rows}) i")
    return name


@case("b", "1M × (int8, float8) in")
def numbers_in(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    query = f"SELECT id, v FROM {numbers_table(bench, rows)}"
    yield Measurement(
        "1M × 2 numbers to a DataFrame",
        [bench.copy_out(query), bench.define_grid(query), bench.plpython_frame(query),
         bench.read_sql(query)],
        [Target("COPY binary", 0.40)])
    bench.expect("[len(df), int(df.id.sum())]", [rows, rows * (rows + 1) // 2])
    bench.forget("g", "df")()


@case("c", "10M × (int8, float8) in")
def many_numbers_in(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(10_000_000)
    query = f"SELECT id, v FROM {numbers_table(bench, rows)}"
    # The other peers would take gigabytes and minutes; case b has them.
    yield Measurement(
        "10M × 2 numbers to a DataFrame", [bench.copy_out(query), bench.define_grid(query)])
    bench.expect("[len(df), int(df.id.sum())]", [rows, rows * (rows + 1) // 2])
    bench.forget("g", "df")()


@case("d", "float8[1,000,000] each way")
def array_both(bench: Bench) -> Iterator[Measurement | Row]:
    count = bench.rows(1_000_000)
    bench.plain.run(f"""
        CREATE TABLE list AS SELECT array_agg(random()) AS a FROM generate_series(1, {count});
        CREATE FUNCTION plpy_array_in(a float8[]) RETURNS int8 LANGUAGE plpython3u AS $$
            import numpy
            return len(numpy.array(a))
        $$;
        CREATE FUNCTION plpy_array_out() RETURNS float8[] LANGUAGE plpython3u AS
            $$ return GD["array"] $$;
        CREATE FUNCTION plpy_list_out() RETURNS float8[] LANGUAGE plpython3u AS
            $$ return GD["array"].tolist() $$;""")
    yield Measurement("float8[1M] to an ndarray", [
        Contestant("PL/Python", lambda: bench.plpython.run("SELECT plpy_array_in(a) FROM list")),
        Contestant(OURS, lambda: bench.hxpy.run("SELECT py_define('s', 'a', a) FROM list"),
                   before=bench.forget("a")),
    ], [Target("PL/Python", seconds=0.030)])
    bench.expect("[a.shape[0], str(a.dtype)]", [count, "float64"])
    bench.plpython.run(f'SELECT plpy_do($$import numpy; GD["array"] = numpy.random.rand({count})$$)')
    yield Measurement("ndarray of 1M to float8[]", [
        Contestant("PL/Python", lambda: bench.plpython.run("SELECT cardinality(plpy_list_out())"),
                   note="array.tolist()"),
        Contestant(OURS, lambda: bench.hxpy.run(
            "SELECT cardinality(py_eval('s', 'a', NULL::float8[]))")),
        Contestant("PL/Python, ndarray", lambda: bench.plpython.run(
            "SELECT cardinality(plpy_array_out())"), note="the array itself"),
    ], [Target("PL/Python", 1 / 8, 0.030)])
    bench.forget("a")()
    bench.plpython.run('SELECT plpy_do($$del GD["array"]$$)')


@case("e", "1M × 16 float8 to a matrix")
def matrix_in(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    columns = ", ".join(f"random() AS x{i}" for i in range(16))
    bench.table("matrix", f"SELECT {columns} FROM generate_series(1, {rows}) i")
    bench.plain.run("""
        CREATE FUNCTION plpy_matrix(query text) RETURNS int8 LANGUAGE plpython3u AS $$
            import numpy
            rows = plpy.execute(query)
            matrix = numpy.array([list(row.values()) for row in rows])
            return matrix.shape[0] * matrix.shape[1]
        $$;""")
    query = "SELECT * FROM matrix"
    yield Measurement("1M × 16 float8 to a 2-D ndarray", [
        bench.copy_out(query),
        Contestant(OURS, lambda: bench.hxpy.run("SELECT py_define_matrix('s', 'm', %s)", query),
                   before=bench.forget("m")),
        Contestant("PL/Python", lambda: bench.plpython.run("SELECT plpy_matrix(%s)", query)),
    ])
    bench.expect("[*m.shape, str(m.dtype)]", [rows, 16, "float64"])
    bench.forget("m")()


FRAME = """
import numpy, pandas
random = numpy.random.default_rng(1)
df = pandas.DataFrame({{"id": numpy.arange(1, {rows} + 1), "v": random.random({rows}),
                       "label": ["item " + str(i) for i in range({rows})]}})
"""


@case("f", "1M × (int8, float8, text) out as rows")
def rows_out(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    bench.plain.run("""
        CREATE TYPE three AS (id int8, v float8, label text);
        CREATE FUNCTION plpy_rows() RETURNS SETOF three LANGUAGE plpython3u AS $$
            return GD["df"].itertuples(index=False, name=None)
        $$;""")
    code = FRAME.format(rows=rows)
    bench.hxpy.python(code)
    bench.plpython.run("SELECT plpy_do(%s)", code + 'GD["df"] = df\n')
    # Counted in the server, so that no time of a client is in it.
    yield Measurement("a DataFrame of 1M × 3 to rows, counted in the server", [
        Contestant("PL/Python", lambda: bench.plpython.run("SELECT count(*) FROM plpy_rows()")),
        Contestant(OURS, lambda: bench.hxpy.run(
            "SELECT count(*) FROM py_eval_grid('s', 'df') AS t(id int8, v float8, label text)")),
    ], [Target("PL/Python", 1 / 5)])
    got = bench.hxpy.run("SELECT count(*), sum(id)::int8, max(length(label)) FROM"
                         " py_eval_grid('s', 'df') AS t(id int8, v float8, label text)")
    if got != (rows, rows * (rows + 1) // 2, len(f"item {rows - 1}")):
        raise RuntimeError(f"py_eval_grid has given {got}")
    bench.forget("df")()
    bench.plpython.run('SELECT plpy_do($$del GD["df"]$$)')


@case("g", "1M × 5 out into a new table")
def table_out(bench: Bench) -> Iterator[Measurement | Row]:
    import pandas

    name = wide_table(bench, "distinct")
    path = bench.plain.run("SHOW data_directory") + "/bench.copy"
    columns = "id int8, v float8, ts timestamptz, label text, ok bool"
    bench.plain.run(f"COPY {name} TO %s (FORMAT binary)", path)
    bench.hxpy.run("SELECT py_define_grid('s', 'g', %s)", f"SELECT {WIDE} FROM {name}")
    bench.hxpy.python("import hxpy; df = g.to_dataframe(); g = None")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pandas.read_sql(f"SELECT {WIDE} FROM {name}", bench.server("client").connection)

    def clean() -> None:
        bench.plain.run("DROP TABLE IF EXISTS out_hxpy, out_copy, out_client")
        bench.plain.run("CHECKPOINT")

    def copy_stdin() -> None:
        text = io.StringIO()
        frame.to_csv(text, index=False, header=False)
        text.seek(0)
        server = bench.server("client")
        server.run(f"CREATE TABLE out_client ({columns})")
        with server.connection.cursor() as cursor:
            cursor.copy_expert("COPY out_client FROM STDIN (FORMAT csv)", text)

    # Each makes its table in the transaction that fills it.
    yield Measurement("a DataFrame of 1M × 5 to a new table", [
        Contestant("COPY binary", lambda: bench.plain.run(
            f"CREATE TABLE out_copy ({columns});"
            "COPY out_copy FROM %s (FORMAT binary)", path), before=clean, note="from a file"),
        Contestant(OURS, lambda: bench.hxpy.run("SELECT py_eval_into('s', 'df', 'out_hxpy')"),
                   before=clean),
        Contestant("hxpy.to_table", lambda: bench.hxpy.python("hxpy.to_table(df, 'out_hxpy')"),
                   before=clean),
        Contestant("psycopg2 + pandas", copy_stdin, before=clean,
                   note="to_csv, then COPY FROM STDIN"),
    ], [Target("COPY binary", 1.0)])
    clean()
    bench.hxpy.run("SELECT py_eval_into('s', 'df', 'out_hxpy')")
    if bench.plain.run("SELECT count(*) FROM (TABLE out_hxpy EXCEPT ALL "
                       f"SELECT {WIDE} FROM {name}) t"):
        raise RuntimeError("what py_eval_into has written differs from where it came from")
    clean()
    bench.forget("df")()


SCORE = """
import numpy, pandas
weights = numpy.array([0.5, -1.25, 2.0, 0.125])
names = ["x1", "x2", "x3", "x4"]
def score(df):
    return pandas.DataFrame({"id": df["id"], "y": df[names].to_numpy() @ weights + 3.0})
def score_arrays(id, x1, x2, x3, x4):
    return {"id": id, "y": 0.5 * x1 - 1.25 * x2 + 2.0 * x3 + 0.125 * x4 + 3.0}
def score_row(x1, x2, x3, x4):
    return 0.5 * x1 - 1.25 * x2 + 2.0 * x3 + 0.125 * x4 + 3.0
"""


@case("h", "score 1M rows with a linear model")
def score(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    some = bench.rows(20_000)
    query = "SELECT id, x1, x2, x3, x4 FROM points"
    bench.table("points", "SELECT i::int8 AS id, random() AS x1, random() AS x2, random() AS x3,"
                f" random() AS x4 FROM generate_series(1, {rows}) i")
    bench.plain.run("""
        CREATE FUNCTION plpy_score(x1 float8, x2 float8, x3 float8, x4 float8) RETURNS float8
        LANGUAGE plpython3u AS
            $$ return 0.5 * x1 - 1.25 * x2 + 2.0 * x3 + 0.125 * x4 + 3.0 $$;""")
    bench.hxpy.python(SCORE)

    def apply(function: str, arrays: bool) -> Callable[[], None]:
        return lambda: bench.hxpy.run(
            "SELECT count(*), sum(y) FROM py_apply('s', %s, %s, %s) AS t(id int8, y float8)",
            function, query, arrays)

    def one_by_one() -> float:
        start = time.perf_counter()
        bench.hxpy.run(f"""
            SELECT count(*), sum(py_eval('s', format('score_row(%s, %s, %s, %s)',
                                                     x1, x2, x3, x4), NULL::float8))
            FROM (SELECT * FROM points LIMIT {some}) p""")
        return (time.perf_counter() - start) * rows / some

    yield Measurement("4 features of 1M rows, py_apply with a DataFrame", [
        Contestant("PL/Python, a call a row", lambda: bench.plpython.run(
            "SELECT count(*), sum(plpy_score(x1, x2, x3, x4)) FROM points")),
        Contestant(OURS, apply("score", False), note="a DataFrame a batch"),
        Contestant("py_apply, arrays", apply("score_arrays", True), note="arrays => true"),
        Contestant("py_eval, a call a row", one_by_one,
                   note=f"scaled from {some} rows; an expression of its own each",
                   own_time=True),
    ], [Target("PL/Python, a call a row", 1 / 4)])
    ours = bench.hxpy.run("SELECT count(*), round(sum(y)::numeric, 3) FROM "
                          "py_apply('s', 'score', %s) AS t(id int8, y float8)", query)
    wanted = bench.plain.run("SELECT count(*), round(sum(0.5 * x1 - 1.25 * x2 + 2.0 * x3 + "
                             "0.125 * x4 + 3.0)::numeric, 3) FROM points")
    if ours != wanted:
        raise RuntimeError(f"py_apply has given {ours}, not {wanted}")


GROUPS = """
    def summary(df):
        return {"k": df.k[:1], "n": [len(df)], "y": [df.x1.mean()]}
"""


@case("groups", "groups of 1M rows: py_apply, py_agg")
def groups(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    bench.table("grouped", "SELECT (i * 7919::int8 % 1000)::int AS k, (i * 7919::int8 % "
                f"{rows // 10})::int AS small, random() AS x1, random() AS x2 "
                f"FROM generate_series(1, {rows}) i")
    bench.hxpy.python(GROUPS)
    bench.plain.run("""
        CREATE FUNCTION plpy_total(x float8[]) RETURNS float8 LANGUAGE plpython3u AS
            $$ return sum(x) $$;""")

    def apply(query: str, by: str | None) -> Callable[[], None]:
        return lambda: bench.hxpy.run(
            "SELECT count(*), sum(n) FROM py_apply('s', 'summary', %s, by => %s) "
            "AS t(k int, n int, y float8)", query, by)

    plain = "SELECT k, x1, x2 FROM grouped"
    yield Measurement("1,000 groups of 1M rows, py_apply", [
        Contestant("in batches", apply(plain, None), note="parts of groups"),
        Contestant("in batches, sorted", apply(f"{plain} ORDER BY k", None),
                   note="the same of a query with ORDER BY"),
        Contestant(OURS, apply(plain, "k"), note="by => 'k'"),
    ], [Target("in batches", 1.3), Target("in batches, sorted", 1.3)])
    total = "SELECT count(a), sum(a) FROM (SELECT {} AS a FROM grouped GROUP BY small OFFSET 0) q"
    yield Measurement("100,000 groups of 10, py_agg", [
        Contestant("PL/Python", lambda: bench.plpython.run(
            total.format("plpy_total(array_agg(x1))")), note="array_agg"),
        Contestant("sum()", lambda: bench.plain.run(total.format("sum(x1)")),
                   note="no Python: what grouping alone takes"),
        Contestant(OURS, lambda: bench.hxpy.run(
            total.format("py_agg('s', 'lambda x: float(x.sum())', x1)::float8"))),
    ], [Target("PL/Python", 1 / 3)])


@case("i", "100k dicts each way, in Hayson and plain")
def hayson_both(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(100_000)
    bench.table("dicts", f"""
        SELECT jsonb_build_object(
            'id', jsonb_build_object('_kind', 'ref', 'val', 'p:demo:r:' || i, 'dis', 'Point ' || i),
            'dis', 'Point ' || i,
            'point', '{{"_kind": "marker"}}'::jsonb,
            'kind', 'Number',
            'unit', '°F',
            'curVal', jsonb_build_object('_kind', 'number', 'val', 60 + i % 300 / 10.0, 'unit', '°F'),
            'hisEnd', jsonb_build_object('_kind', 'dateTime', 'val', '2024-05-01T12:00:00Z'),
            'order', i, 'enabled', i % 2 = 0) AS d
        FROM generate_series(1, {rows}) i""")
    bench.table("plain_dicts", f"""
        SELECT jsonb_build_object(
            'id', jsonb_build_object('val', 'p:demo:r:' || i, 'dis', 'Point ' || i),
            'dis', 'Point ' || i,
            'point', true,
            'kind', 'Number',
            'unit', '°F',
            'curVal', jsonb_build_object('val', 60 + i % 300 / 10.0, 'unit', '°F'),
            'hisEnd', '2024-05-01T12:00:00Z',
            'order', i, 'enabled', i % 2 = 0) AS d
        FROM generate_series(1, {rows}) i""")
    bench.plain.run("""
        CREATE FUNCTION plpy_dicts_in("table" text) RETURNS int8 LANGUAGE plpython3u AS $$
            import json
            loads = json.loads
            GD["dicts"] = [loads(row["d"]) for row in plpy.execute("SELECT d FROM " + table)]
            return len(GD["dicts"])
        $$;
        CREATE FUNCTION plpy_dicts_out() RETURNS SETOF jsonb LANGUAGE plpython3u AS $$
            import json
            return map(json.dumps, GD["dicts"])
        $$;""")

    def read(table: str) -> None:
        bench.hxpy.run("SELECT py_define_grid('s', 'g', %s)", f"SELECT d FROM {table}")
        bench.hxpy.python("df = g.to_dataframe()")

    for table, kind, limit, ours, theirs in (
            ("dicts", "Hayson dicts", 1.0, "Haystack objects", "plain dicts, _kind and all"),
            ("plain_dicts", "dicts without _kind", 0.8, "", "")):
        yield Measurement(f"100k {kind} (jsonb, 9 tags) in", [
            Contestant("PL/Python + json", lambda table=table: bench.plpython.run(  # type: ignore[misc]
                "SELECT plpy_dicts_in(%s)", table), note=theirs),
            Contestant(OURS, lambda table=table: read(table),  # type: ignore[misc]
                       before=bench.forget("g", "df"), note=ours)],
            [Target("PL/Python + json", limit)])
        bench.hxpy.python("dicts = list(df.d); g = df = None")
        bench.expect("[len(dicts), type(dicts[0]['curVal']).__name__]",
                     [rows, "FloatNumber" if limit == 1.0 else "dict"])
        yield Measurement(f"100k {kind} out, counted in the server", [
            Contestant("PL/Python + json", lambda: bench.plpython.run(
                "SELECT count(*) FROM plpy_dicts_out()"), note=theirs),
            Contestant(OURS, lambda: bench.hxpy.run(
                "SELECT count(*) FROM py_eval_rows('s', 'dicts')"), note=ours)],
            [Target("PL/Python + json", limit)])
        bench.forget("dicts")()
        bench.plpython.run('SELECT plpy_do($$del GD["dicts"]$$)')


@case("k", "a Haystack grid of 2,000 × 100 through the codecs")
def codecs(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(2000)
    bench.hxpy.python(f"""
import json
from hxpy import hayson, v3, zinc
from hxpy.haystack import GridBuilder, Marker, Number, Ref
builder = GridBuilder().add_col_names([f'c{{i}}' for i in range(100)])
for i in range({rows}):
    builder.add_row([Ref(f'p:{{i}}', 'Point'), Marker(), f'text {{i}}', Number(i / 7, 'kW')] * 10
                    + [i / 3 + j for j in range(60)])
grid = builder.to_grid()
texts = {{'hayson': hayson.dumps(grid), 'v3': v3.dumps(grid), 'zinc': zinc.dumps(grid)}}
""")
    for codec, limit in (("zinc", 1.0), ("hayson", 0.5), ("v3", 0.0)):
        read = f"out = {codec}.loads(texts['{codec}'])"
        yield Measurement(f"2,000 × 100 grid, {codec}.loads in a session", [
            Contestant("json.loads", lambda: bench.hxpy.python("out = json.loads(texts['hayson'])"),
                       before=bench.forget("out"), note="the grid's Hayson, as plain dicts"),
            Contestant(OURS, lambda read=read: bench.hxpy.python(read),  # type: ignore[misc]
                       before=bench.forget("out"), note="Haystack objects")],
            [Target("json.loads", seconds=limit)] if limit else ())
        bench.expect(f"[out.size(), len(out.cols())] if '{codec}' else 0", [rows, 100])
    bench.forget("grid", "texts", "builder", "out")()


@case("j", "growth: 1k to 10M × (int8, float8) in")
def growth(bench: Bench) -> Iterator[Measurement | Row]:
    seconds: dict[int, float] = {}
    private: dict[int, int] = {}
    for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        rows = max(bench.rows(size), 10)
        table = numbers_table(bench, rows)
        query = f"SELECT id, v FROM {table}"
        job = Measurement(f"{size:,} × 2 numbers to a DataFrame", [bench.define_grid(query)])
        row, = measure("j", job, bench.rounds, False)
        seconds[size] = row.median
        # Memory in a backend of its own, not timed, and without LLVM's, which large
        # plans of any statement load.
        server = Server()
        server.run("SET jit = off")
        bench.open_session(server)
        server.run("SELECT py_define_grid('s', 'g', %s)", query + " LIMIT 10")
        with Memory(server.pid) as memory:
            server.run("SELECT py_define_grid('s', 'g', %s)", query)
        server.close()
        private[size] = memory.private
        row.note = (f"{row.median / rows * 1e9:.0f} ns a row; the backend's memory grows by "
                    f"{memory.private / MB:.1f} MB")
        if size == 10_000_000:
            row.target = "linear: ≤ 12 × that of 1M; memory ≤ that of 100k + 1 MB"
            met = (seconds[size] <= 12 * seconds[1_000_000]
                   and private[size] <= private[100_000] + MB)
            row.verdict = "not judged" if bench.quick else "met" if met else "missed"
        yield row
    bench.forget("g", "df")()


LANGUAGES = {"hxpy": "hxpy", "plpy": "plpython3u"}      # prefix of its functions → language


@case("calls", "one call of a function, of a trigger, of plpy.execute")
def calls(bench: Bench) -> Iterator[Measurement | Row]:
    count = 200 if bench.quick else 10_000
    loop = """
        CREATE FUNCTION loop_{name}(count int) RETURNS float8 LANGUAGE plpgsql AS $$
        DECLARE
            start timestamptz := clock_timestamp();
            x int8;
        BEGIN
            FOR i IN 1..count LOOP
                x := {call};
            END LOOP;
            RETURN extract(epoch FROM clock_timestamp() - start) / count;
        END $$;"""
    bench.plain.run(loop.format(name="eval", call="py_eval('s', '1', NULL::int8)"))
    for prefix, language in LANGUAGES.items():
        bench.plain.run(loop.format(name=prefix, call=f"{prefix}_same(i)") + f"""
            CREATE FUNCTION {prefix}_same(i int8) RETURNS int8 LANGUAGE {language} AS
                $$ return i $$;
            CREATE FUNCTION {prefix}_leave() RETURNS trigger LANGUAGE {language} AS
                $$ return None $$;
            CREATE FUNCTION {prefix}_modify() RETURNS trigger LANGUAGE {language} AS $$
                TD["new"]["v"] = 0.5
                return "MODIFY"
            $$;
            CREATE FUNCTION {prefix}_select(count int) RETURNS float8 LANGUAGE {language} AS $$
                import time
                start = time.perf_counter()
                for i in range(count):
                    plpy.execute("SELECT 1")
                return (time.perf_counter() - start) / count
            $$;""")
    bench.hxpy.run("SET hxpy.session = 's'")
    typed = Contestant("py_eval, typed", lambda: bench.hxpy.run("SELECT loop_eval(%s)", count),
                       own_time=True)

    def functions(call: str) -> list[Contestant]:
        return [typed] + [Contestant(
            name, lambda server=server, prefix=prefix: server.run(  # type: ignore[misc]
                f"SELECT {call.format(prefix)}(%s)", count), own_time=True)
            for name, server, prefix in ((OURS, bench.hxpy, "hxpy"),
                                         ("PL/Python", bench.plpython, "plpy"))]

    def inserts(trigger: str, when: str) -> list[Contestant]:
        """A table of its own for each language, so that one row is one call."""
        contestants = [typed]
        for name, server, prefix in ((OURS, bench.hxpy, "hxpy"), ("PL/Python", bench.plpython, "plpy")):
            table = f"{prefix}_{when}_{trigger}".lower()
            bench.plain.run(f"""
                CREATE TABLE {table} (id int8, v float8, label text);
                CREATE TRIGGER t {when} INSERT ON {table} FOR EACH ROW
                    EXECUTE FUNCTION {prefix}_{trigger}();""")
            contestants.append(Contestant(
                name, lambda server=server, table=table: insert(server, table),  # type: ignore[misc]
                after=lambda table=table: bench.plain.run(f"TRUNCATE {table}"),  # type: ignore[misc]
                own_time=True))
        return contestants

    def insert(server: Server, table: str) -> float:
        start = time.perf_counter()
        server.run(f"INSERT INTO {table} SELECT i, 0.25, 'item ' || i"
                   " FROM generate_series(1, %s) i", count)
        return (time.perf_counter() - start) / count

    like_eval = [Target("py_eval, typed", 1.15)]
    yield Measurement("x := f(i) in a loop in plpgsql, mean", functions("loop_{}"), like_eval)
    yield Measurement("INSERT, a row with a BEFORE trigger that returns None",
                      inserts("leave", "BEFORE"), like_eval)
    yield Measurement("INSERT, a row with an AFTER trigger", inserts("leave", "AFTER"), like_eval)
    yield Measurement("INSERT, a row with a BEFORE trigger that MODIFYs",
                      inserts("modify", "BEFORE"), like_eval)
    insert(bench.hxpy, "hxpy_before_modify")
    if bench.plain.run("SELECT count(*) FROM hxpy_before_modify WHERE v = 0.5") != count:
        raise RuntimeError("the trigger has not modified all rows")
    yield Measurement("plpy.execute('SELECT 1'), mean of many in a call", functions("{}_select"),
                      [Target("py_eval, typed", 2.0)])


WORKERS = """
def heavy(x1):
    made = []
    for value in x1.tolist():
        for _ in range(20):
            value = (value * 1.7 + 0.3) % 1.0
        made.append(value)
    return {"y": made}
"""


@case("workers", "1M rows through Python that is the work itself, by one process and two")
def workers(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    bench.table("worked", f"SELECT random() AS x1 FROM generate_series(1, {rows}) i")
    bench.plain.run("""
        CREATE FUNCTION hxpy_heavy(value float8) RETURNS float8 IMMUTABLE LANGUAGE hxpy AS $$
          for _ in range(20):
              value = (value * 1.7 + 0.3) % 1.0
          return value $$""")
    name = "workers"
    bench.hxpy.run("SET hxpy.max_cpus = 2")
    bench.hxpy.run("SELECT py_open(%s, cpus => 2)", name)
    bench.hxpy.run("SELECT py_exec(%s, %s)", name, WORKERS)
    bench.hxpy.run("SET hxpy.session = 'workers'")

    def apply(number: int) -> list[Any]:
        return bench.hxpy.run("SELECT count(*), sum(y) FROM py_apply(%s, 'heavy', 'SELECT x1 FROM worked',"
                              " arrays => true, workers => %s) AS t(y float8)", name, number)

    def call(number: int) -> list[Any]:
        bench.hxpy.run("SET hxpy.workers = %s", number)
        return bench.hxpy.run("SELECT count(y), sum(y) FROM (SELECT hxpy_heavy(x1) AS y FROM worked"
                              " OFFSET 0) q")

    for title, run in (("py_apply, 20 operations a row", apply), ("a function in batches, the same", call)):
        yield Measurement(title, [
            Contestant("1 worker", lambda run=run: run(1)),     # type: ignore[misc]
            Contestant(OURS, lambda run=run: run(2), note="2 workers"),     # type: ignore[misc]
        ], [Target("1 worker", 1 / 1.6)])
        if run(1) != run(2):
            raise RuntimeError("two workers give something else than one")
    bench.hxpy.run("RESET hxpy.workers")
    bench.hxpy.run("RESET hxpy.max_cpus")
    bench.hxpy.run("SET hxpy.session = 's'")
    bench.hxpy.run("SELECT py_close(%s)", name)


@case("query", "1M calls of a function that stands in a query")
def query_calls(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    bench.table("pairs", "SELECT i::int8 AS id, random() AS x, random() AS y, 'item ' || i AS label"
                f" FROM generate_series(1, {rows}) i")
    for prefix, language in LANGUAGES.items():
        bench.plain.run(f"""
            CREATE FUNCTION {prefix}_f(a float8, b float8) RETURNS float8 IMMUTABLE
                LANGUAGE {language} AS $$ return 2.0 * a + b $$;
            CREATE FUNCTION {prefix}_g(a float8) RETURNS float8 IMMUTABLE
                LANGUAGE {language} AS $$ return a + 1.0 $$;
            CREATE FUNCTION {prefix}_text(a text) RETURNS text IMMUTABLE
                LANGUAGE {language} AS $$ return a.upper() $$;
            CREATE TABLE {prefix}_updated (LIKE pairs);""")
    bench.plain.run("CREATE FUNCTION hxpy_whole(a float8, b float8) RETURNS float8 IMMUTABLE"
                    " LANGUAGE hxpy_batch AS $$ return 2.0 * a + b $$")
    bench.hxpy.run("SET hxpy.session = 's'")

    def refill(prefix: str) -> Callable[[], None]:
        def both() -> None:
            bench.plain.run(f"TRUNCATE {prefix}_updated; INSERT INTO {prefix}_updated"
                            f" SELECT * FROM pairs LIMIT {bench.rows(100_000)}")
            bench.plain.run(f"VACUUM ANALYZE {prefix}_updated")
        return both

    # All results are made, counted in the server.
    column = "SELECT count(v) FROM (SELECT {} AS v FROM pairs OFFSET 0) q"
    jobs = [
        ("f(x, y) in a SELECT list", column.format("{0}_f(x, y)"), 1 / 5),
        ("f(x, y) of hxpy_batch", column.format("{1}(x, y)"), 1 / 8),
        ("WHERE f(x, y) > 1", "SELECT count(*) FROM pairs WHERE {0}_f(x, y) > 1.0", 1 / 8),
        ("f(g(x), g(y))", column.format("{0}_f({0}_g(x), {0}_g(y))"), 1 / 8),
        ("text in and out", column.format("{0}_text(label)"), 1 / 2),
        ("sum(f(x, y))", "SELECT sum({0}_f(x, y)) FROM pairs", 1 / 5),
        ("ORDER BY f(x, y) LIMIT 10", "SELECT id FROM pairs ORDER BY {0}_f(x, y) LIMIT 10", 1 / 4),
        ("UPDATE of 100k", "UPDATE {0}_updated SET x = {0}_f(x, y)", 1 / 1.3),
    ]
    for title, sql, ratio in jobs:
        contestants = []
        for name, server, prefix, whole in (("PL/Python", bench.plpython, "plpy", "plpy_f"),
                                            (OURS, bench.hxpy, "hxpy", "hxpy_whole")):
            text = sql.format(prefix, whole)
            contestants.append(Contestant(
                name, lambda server=server, text=text: server.run(text),  # type: ignore[misc]
                before=refill(prefix) if "UPDATE" in title else None))
        yield Measurement(title, contestants, [Target("PL/Python", ratio)])
    for sql in ("SELECT sum({0}_f({0}_g(x), {0}_g(y))), max({0}_text(label)) FROM pairs",
                "SELECT sum(x) FROM {0}_updated"):
        ours, theirs = bench.hxpy.run(sql.format("hxpy")), bench.plpython.run(sql.format("plpy"))
        if ours != theirs:
            raise RuntimeError(f"{sql} gives {ours}, not {theirs}")


@case("memory", "10M rows through a batched function, in flat memory")
def flat_memory(bench: Bench) -> Iterator[Measurement | Row]:
    bench.plain.run("CREATE OR REPLACE FUNCTION memory_f(a float8, b float8) RETURNS float8 IMMUTABLE"
                    " LANGUAGE hxpy_batch AS $$ return 2.0 * a + b $$")
    sizes = (1_000_000, 10_000_000)
    tables = [numbers_table(bench, max(bench.rows(size), 1000)) for size in sizes]
    query = "SELECT count(y) FROM (SELECT memory_f(id, v) AS y FROM {} OFFSET 0) q"
    # With JIT a plan has LLVM's code, by its expressions, not by its rows: the same here,
    # since both queries are compiled with all that there is.
    for title, settings in (
            ("without JIT", ("jit = off",)),
            ("with JIT", ("jit = on", "jit_above_cost = 0", "jit_inline_above_cost = 0",
                          "jit_optimize_above_cost = 0"))):
        private, seconds = [], []
        for table in tables:
            server = Server()
            for setting in (*settings, "max_parallel_workers_per_gather = 0", "hxpy.session = 's'"):
                server.run(f"SET {setting}")
            bench.open_session(server)
            with Memory(server.pid) as memory:
                start = time.perf_counter()
                count = server.run(query.format(table))
                seconds.append(time.perf_counter() - start)
            server.close()
            if count != int(table.partition("_")[2]):
                raise RuntimeError(f"the function was called {count} times for {table}")
            private.append(memory.private)
        yield Row("memory", f"10M × f(x, y) of hxpy_batch, {title}", OURS, [seconds[1]],
                  target="memory ≤ that of 1M + 1 MB",
                  verdict=("not judged" if bench.quick else
                           "met" if private[1] <= private[0] + MB else "missed"),
                  note=f"the backend's memory grows by {private[1] / MB:.1f} MB, by "
                       f"{private[0] / MB:.1f} MB for 1M")


@case("hook", "what queries without functions of the languages cost when hxpy is preloaded")
def hook(bench: Bench) -> Iterator[Measurement | Row]:
    count = 200 if bench.quick else 20_000
    servers = {"without hxpy": Server("host=" + os.environ["HXPY_BARE_HOST"]),
               OURS: bench.server("hook")}
    for server in servers.values():
        server.run("CREATE TABLE hook AS SELECT i AS id, i % 10 AS k FROM generate_series(1, 100) i")
        server.run("CREATE FUNCTION hook_add(a int, b int) RETURNS int IMMUTABLE LANGUAGE plpgsql"
                   " AS 'BEGIN RETURN a + b; END'")
        server.run("PREPARE one AS SELECT 1")

    def repeat(server: Server, sql: str) -> float:
        """Return the backend's CPU time for one of them, from many in one message."""
        text = ";".join([sql] * 100)
        start = cpu_seconds(server.pid)
        for _ in range(count // 100):
            server.run(text)
        return (cpu_seconds(server.pid) - start) / count

    # Within 3 % is as good as the same.
    for title, sql in (("SELECT 1", "SELECT 1"), ("SELECT 1, prepared", "EXECUTE one"),
                       ("a join of tables, grouped",
                        "SELECT a.k, count(*) FROM hook a JOIN hook b USING (id) GROUP BY a.k"),
                       ("a call of a function in PL/pgSQL",
                        "SELECT hook_add(id, k) FROM hook WHERE id = 1")):
        yield Measurement(f"{title}, the backend's CPU time", [
            Contestant(name, lambda server=server, sql=sql: repeat(server, sql),  # type: ignore[misc]
                       own_time=True) for name, server in servers.items()],
            [Target("without hxpy", 1.03)])


@case("sql", "1M × (int8, float8, timestamptz, text, bool) in by hxpy.sql")
def sql_in(bench: Bench) -> Iterator[Measurement | Row]:
    query = f"SELECT {WIDE} FROM {wide_table(bench, 'distinct')}"
    grid = bench.define_grid(query)
    grid.name = "py_define_grid"
    yield Measurement("1M × 5 to a DataFrame by a query of Python's", [
        grid,
        Contestant(OURS, lambda: bench.hxpy.python(f"import hxpy; df = hxpy.sql('{query}')"),
                   before=bench.forget("g", "df")),
        bench.plpython_frame(query)],
        [Target("py_define_grid", 1.15), Target("PL/Python", 1 / 10)])
    bench.expect("[len(df), int(df.id.sum()), df.label.nunique(), int(df.ok.sum())]",
                 list(bench.plain.run("SELECT count(*), sum(id)::int8, count(DISTINCT label),"
                                      " count(*) FILTER (WHERE ok) FROM wide_distinct")))
    bench.forget("g", "df")()


@case("cursor", "10M rows through plpy.cursor, in flat memory")
def cursor_in(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(10_000_000)
    table = numbers_table(bench, rows)
    title = "10M rows of plpy.cursor, one by one"
    for prefix, language in LANGUAGES.items():
        bench.plain.run(f"""
            CREATE FUNCTION {prefix}_cursor(query text) RETURNS int8 LANGUAGE {language} AS $$
                return sum(row["id"] for row in plpy.cursor(query))
            $$;""")
    times = {}
    for name, prefix in (("PL/Python", "plpy"), (OURS, "hxpy")):
        say(f"cursor: {name}")
        server = Server()
        server.run("SET jit = off")
        if prefix == "hxpy":
            bench.open_session(server)
            server.run("SET hxpy.session = 's'")
        server.run(f"SELECT {prefix}_cursor('SELECT id FROM {table} LIMIT 100000')")
        peak = "SELECT py_eval('s', '__import__(\"resource\").getrusage(0).ru_maxrss', NULL::int8)"
        before = server.run(peak) if prefix == "hxpy" else 0
        with Memory(server.pid) as memory:
            start = time.perf_counter()
            total = server.run(f"SELECT {prefix}_cursor('SELECT id FROM {table}')")
            times[name] = time.perf_counter() - start
        if total != rows * (rows + 1) // 2:
            raise RuntimeError(f"the sum is {total}")
        growth = server.run(peak) - before if prefix == "hxpy" else 0
        server.close()
    # Ours came last.
    flat = memory.private <= 2 * MB and growth * 1024 <= 8 * MB
    yield Row("cursor", title, OURS, [times[OURS]],
              target="backend ≤ 2 MB, Python ≤ 8 MB more than for 100k",
              verdict="not judged" if bench.quick else "met" if flat else "missed",
              note=f"{times[OURS] / rows * 1e9:.0f} ns a row; the backend's memory grows by "
                   f"{memory.private / MB:.1f} MB, Python's by {growth / 1024:.1f} MB")
    yield Row("cursor", title, "PL/Python", [times["PL/Python"]],
              ratio=times[OURS] / times["PL/Python"])


@case("sets", "1M × (int8, float8, text) out of a function that returns a set")
def set_out(bench: Bench) -> Iterator[Measurement | Row]:
    rows = bench.rows(1_000_000)
    for prefix, language, value in (
            ("hxpy", "hxpy", 'GD["df"]'),
            ("plpy", "plpython3u", 'GD["df"].itertuples(index=False, name=None)')):
        bench.plain.run(f"CREATE FUNCTION {prefix}_set() RETURNS TABLE (id int8, v float8, label text)"
                        f" LANGUAGE {language} AS $$ return {value} $$")
    code = FRAME.format(rows=rows)
    bench.hxpy.python(code)
    bench.hxpy.run("SET hxpy.session = 's'")
    bench.plpython.run("SELECT plpy_do(%s)", code + 'GD["df"] = df\n')
    yield Measurement("a DataFrame of 1M × 3 as a set, counted in the server", [
        Contestant("PL/Python", lambda: bench.plpython.run("SELECT count(*) FROM plpy_set()"),
                   note="from itertuples"),
        Contestant(OURS, lambda: bench.hxpy.run("SELECT count(*) FROM hxpy_set()"),
                   note="the DataFrame itself"),
        Contestant("py_eval_grid", lambda: bench.hxpy.run(
            "SELECT count(*) FROM py_eval_grid('s', 'df') AS t(id int8, v float8, label text)"),
            note="the DataFrame itself"),
    ], [Target("PL/Python", 1 / 15)])
    got = bench.hxpy.run("SELECT count(*), sum(id)::int8, max(length(label)) FROM hxpy_set()")
    if got != (rows, rows * (rows + 1) // 2, len(f"item {rows - 1}")):
        raise RuntimeError(f"the function has given {got}")
    bench.forget("df")()
    bench.plpython.run('SELECT plpy_do($$del GD["df"]$$)')


BIG_ROW = 512 + 8       # bytes of text and float8
CHUNKS = """
import numpy, pandas
seen = [0, 0]
def counter(df):
    seen[0] += len(df)
    seen[1] += int(df["t"].str.len().sum()) + 8 * len(df)
    return {"n": [len(df)]}
def chunks(rows, size=20_000):
    tail = "x" * 503
    for start in range(0, rows, size):
        count = min(size, rows - start)
        yield pandas.DataFrame({
            "t": ["%09d%s" % (i, tail) for i in range(start, start + count)],
            "v": numpy.arange(start, start + count, dtype=float)})
"""


@case("big", "3 GB of text and float8 in and out (only with --big)")
def big(bench: Bench) -> Iterator[Measurement | Row]:
    rows = (3 << 30) // BIG_ROW // (100 if bench.quick else 1) + 1
    # A set-returning function in the list of columns streams: no table is needed.
    query = (f"SELECT lpad(i::text, 512, 'x') AS t, i::float8 AS v "
             f"FROM (SELECT generate_series(1, {rows}) AS i) s")
    jobs = [
        ("3 GB in, py_apply to a counter",
         "SELECT sum(n) FROM py_apply('s', 'counter', %s) AS t(n int8)", (query,)),
        ("3 GB out, py_eval_grid of a generator to rows",
         "SELECT count(*) FROM py_eval_grid('s', %s) AS t(t text, v float8)", (f"chunks({rows})",)),
        ("3 GB out, py_eval_into a new table",
         "SELECT py_eval_into('s', %s, 'out_big', 'replace')", (f"chunks({rows})",)),
    ]
    start = time.perf_counter()
    bench.plain.run(f"COPY ({query}) TO '/dev/null' (FORMAT binary)")
    copy = Row("big", jobs[0][0], "COPY binary", [time.perf_counter() - start],
               note="of the same query, to /dev/null")
    for title, sql, arguments in jobs:
        say(f"big: {title}")
        server = Server()
        bench.open_session(server)
        server.python(CHUNKS)
        with Memory(server.pid) as memory:
            start = time.perf_counter()
            count = server.run(sql, *arguments)
            seconds = time.perf_counter() - start
        if count != rows:
            raise RuntimeError(f"{title}: {count} rows instead of {rows}")
        if "in," in title and server.run("SELECT py_eval('s', 'seen')") != [rows, rows * BIG_ROW]:
            raise RuntimeError("Python has seen something else")
        server.close()
        bench.plain.run("DROP TABLE IF EXISTS out_big")
        yield Row("big", title, OURS, [seconds], target="backend ≤ 200 MB resident",
                  verdict=("not judged" if bench.quick else
                           "met" if memory.resident <= 200 * MB else "missed"),
                  note=f"{rows * BIG_ROW / seconds / 1e6:.0f} MB/s; the backend at most "
                       f"{memory.resident / MB:.0f} MB resident with shared memory, "
                       f"{memory.private / MB:.1f} MB of its own more than before")
        if title == copy.title:
            copy.ratio = seconds / copy.median
            yield copy


# ---- results ----------------------------------------------------------------


def output(*command: str) -> str:
    """Return a command's output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def facts(bench: Bench, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Return what the figures depend on."""
    import numpy
    import pandas
    import psycopg2

    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.findall(r"^MemTotal:\s*(\d+)", file.read(), re.M)[0]) / (1 << 20)
    image = output("docker", "run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/python3",
                   os.environ["HXPY_IMAGE"], "-c",
                   "import platform, numpy, pandas; print('Python', platform.python_version() + ',"
                   " numpy', numpy.__version__ + ', pandas', pandas.__version__)")

    def settings(*names: str) -> str:
        return ", ".join(f"{name} = {bench.hxpy.run('SHOW ' + name)}" for name in names)

    size = "a hundredth of the rows, so the figures say little" if options.quick else "full"
    return [
        ("Date", dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("Machine", f"{models[0] if models else platform.machine()}, {len(os.sched_getaffinity(0))} "
                    f"cores, {memory:.0f} GB, Linux {platform.release().partition('-')[0]}; "
                    f"load {os.getloadavg()[0]:.1f} at the start"),
        ("Server", bench.plain.run("SHOW server_version").partition(" ")[0] + ", " + settings(
            "shared_buffers", "max_wal_size", "fsync", "wal_level", "work_mem",
            "max_parallel_workers_per_gather", "max_parallel_workers", "jit", "TimeZone")),
        ("Docker", output("docker", "version", "--format", "{{.Server.Version}}")),
        ("In sessions", f"{image}; " + settings("hxpy.cpus", "hxpy.memory", "hxpy.batch_size",
                                                "hxpy.numeric")),
        ("Raised limits", settings("hxpy.max_memory", "hxpy.eval_timeout")),
        ("PL/Python and client", f"Python {platform.python_version()}, numpy {numpy.__version__}, "
                                 f"pandas {pandas.__version__}, psycopg2 "
                                 f"{psycopg2.__version__.partition(' ')[0]}"),
        ("Run", f"rounds: {options.rounds}, contestants in turns, medians; size: {size}"),
    ]


HEAD = ("case", "what", "contestant", "median", "range", "hxpy takes", "target", "")


def cells(row: Row, first: bool) -> tuple[str, ...]:
    """Return a row's cells as text."""
    spread = ""
    if len(row.times) > 1:
        spread = f"{time_text(min(row.times))} – {time_text(max(row.times))}"
    return (row.case if first else "", row.title if first else "", row.contestant,
            time_text(row.median), spread, "" if row.ratio is None else ratio_text(row.ratio),
            row.target, row.verdict)


def table_text(rows: Sequence[Row], start: int) -> str:
    """Return the table's rows from `start` for a terminal."""
    lines = []
    for index, row in enumerate(rows[start:], start):
        first = index == 0 or rows[index - 1].title != row.title
        if first:
            lines.append(f"\n{row.case}: {row.title}")
        _, _, name, median, spread, ratio, target, verdict = cells(row, first)
        line = f"  {name:<27}{median:>9}  {spread:<21}"
        if ratio:
            line += f"  hxpy takes {ratio:<8}"
        if target:
            line += f"  {target} {verdict.upper() if verdict == 'missed' else verdict}"
        lines.append(line.rstrip())
        if row.note:
            lines.append(f"      ({row.note})")
    return "\n".join(lines)


def table_markdown(rows: Sequence[Row], about: Sequence[tuple[str, str]]) -> str:
    """Return the facts and the table for a document."""
    lines = [f"- {name}: {text}" for name, text in about]
    lines += ["", "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    notes: list[str] = []
    for index, row in enumerate(rows):
        first = index == 0 or rows[index - 1].title != row.title
        values = list(cells(row, first))
        if row.contestant == OURS:
            values[2] = f"**{OURS}**"
        if row.note:
            if row.note not in notes:
                notes.append(row.note)
            values[2] += f" ({notes.index(row.note) + 1})"
        lines.append("| " + " | ".join(value.replace("|", "\\|") for value in values) + " |")
    lines.append("")
    lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(lines).rstrip() + "\n"


def write_tsv(path: str, rows: Sequence[Row], about: Sequence[tuple[str, str]]) -> None:
    """Write the figures, in seconds; lines of facts begin with '#'."""
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.6g}"

    with open(path, "w", encoding="utf-8") as file:
        for name, text in about:
            print(f"# {name}: {text}", file=file)
        print("case", "what", "contestant", "rounds", "median_s", "min_s", "max_s", "hxpy_ratio",
              "target", "verdict", "note", sep="\t", file=file)
        for row in rows:
            print(row.case, row.title, row.contestant, len(row.times), number(row.median),
                  number(min(row.times)), number(max(row.times)), number(row.ratio), row.target,
                  row.verdict, row.note, sep="\t", file=file)


def save(path: str, text: str) -> None:
    """Write the table between the marks of a document."""
    with open(path, encoding="utf-8") as file:
        document = file.read()
    before, mark, rest = document.partition("<!-- bench -->\n")
    _, end, after = rest.partition("<!-- /bench -->")
    if not mark or not end:
        raise SystemExit(f"bench: {path} has no place for the table")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + mark + text + end + after)


def run_cases(bench: Bench, names: Sequence[str], rounds: int) -> tuple[list[Row], list[str]]:
    """Run cases; returns rows, and what went wrong."""
    rows: list[Row] = []
    failures: list[str] = []
    for name in names:
        try:
            for job in CASES[name](bench):
                new = ([job] if isinstance(job, Row)
                       else measure(name, job, rounds, not bench.quick))
                rows += new
                say("")
                print(table_text(rows, len(rows) - len(new)), flush=True)
        except Exception as error:
            text = f"case {name} failed: {type(error).__name__}: {str(error).strip()}"
            failures.append(text)
            say("")
            print(f"\n{text}", flush=True)
    return rows, failures


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--cases")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tsv")
    parser.add_argument("--save")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    chosen = options.cases.split(",") if options.cases else [name for name in CASES if name != "big"]
    if options.big and "big" not in chosen:
        chosen.append("big")
    for name in chosen:
        if name not in CASES:
            parser.error(f"no case \"{name}\"; there are {', '.join(CASES)}")
    if options.save and options.quick:
        parser.error("a quick run is not worth saving")
    options.chosen = chosen
    return options


def stop(*_: Any) -> None:
    """End in order, with all clean-up."""
    raise SystemExit(143)


def main() -> int:
    """Run what the command line asks for; returns the exit status."""
    options = parse_arguments()
    if options.list:
        for name, about in ABOUT.items():
            print(f"{name:<6}{about}")
        return 0
    signal.signal(signal.SIGTERM, stop)
    bench = Bench(options)
    with bench.resources:
        bench.prepare()
        known = facts(bench, options)
        for name, text in known:
            print(f"{name}: {text}")
        sys.stdout.flush()
        rows, failures = run_cases(bench, options.chosen, options.rounds)
    say("")
    if options.tsv:
        write_tsv(options.tsv, rows, known)
    if options.save and not failures:
        save(options.save, table_markdown(rows, known))
    judged = [row for row in rows if row.verdict in ("met", "missed")]
    if judged:
        print(f"\n{sum(row.verdict == 'met' for row in judged)} of {len(judged)} targets met")
    if failures:
        print(f"{len(failures)} cases failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
