"""What the image of 080_hostile.pl runs in the place of the package hxpy.

Supervisor and worker in one process: it makes both connections, greets, and then
executes the text of every request (py_eval('h', 'poke(24, "B", 99); good()')) with
the functions below, which write what they are told to the server.  A request that
the text has left without an answer gets one when an interrupt comes, unless the
text says `deaf()`.  Calls of functions do what an earlier text has set as `plan`.

What is to go wrong before there is a text is chosen by the session's memory (which
connections are made) and by output_limit in the OPEN frame (what is said first).
"""

import os
import random
import select
import socket
import struct
import time

HELLO, OUTPUT, LOG, RESULT, ERROR, DEAD, ROWS, PROGRESS, PROOF, MESSAGE, FULL = range(0x81, 0x8C)
(OPEN, DEFINE, EXEC, EVAL, GRID, BATCH, END, ABORT, EVAL_GRID, APPLY, CALL, CODEC, FUNCTION, INVOKE,
 INVOKE_ROWS, INTERRUPT) = range(1, 17)
CALLS = 0x13
SAVE, LOAD = 0x18, 0x19
ANSWER, COLUMNS = 0x20, 0x2F
QUERY, PREPARE, CURSOR, FETCH, CLOSE, SUBTRANSACTION, TRANSACTION = range(0xA0, 0xA7)
TABLE = 0xA9
NULL, BOOL, INT16, INT32, INT64, FLOAT32, FLOAT64, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, UUID = range(13)
TEXT, NUMERIC, JSON, OTHER, REF, URI, SYMBOL, PLAIN = range(16, 24)
BYTEA, ARRAY, RECORD = 24, 25, 26
FORMATS = {BOOL: "B", INT16: "h", INT32: "i", INT64: "q", FLOAT32: "f", FLOAT64: "d", DATE: "i", TIME: "q",
           TIMESTAMP: "q", TIMESTAMPTZ: "q", INTERVAL: "q", UUID: "16s"}


# ---- writing

def pad(content):
    return content + bytes(-len(content) % 8)


def column(tag, body, count=1, name=b"", extra=b"", nulls=None, flags=None):
    """Return a column whose buffers are given."""
    if flags is None:
        flags = nulls is not None
    return (struct.pack("<BBHIQ", tag, flags, len(name), len(extra), count) + pad(name + extra)
            + pad(nulls or b"") + body)


def fixed(tag, *values, **options):
    """Return a column of numbers."""
    body = b"".join(struct.pack("<" + FORMATS[tag], value) for value in values)
    return column(tag, pad(body), len(values), **options)


def text(*values, tag=TEXT, **options):
    """Return a column of texts (bytes)."""
    body = b"\0".join(values)
    return column(tag, struct.pack("<Q", len(body)) + pad(body), len(values), **options)


def blob(*values):
    """Return a column of bytea."""
    ends = [0]
    for value in values:
        ends.append(ends[-1] + len(value))
    return column(BYTEA, struct.pack(f"<{len(ends)}q", *ends) + pad(b"".join(values)), len(values))


def arrays(child, ends, dims=(), **options):
    """Return a column of arrays: their elements, offsets and dimensions."""
    body = struct.pack(f"<{len(ends)}q", *ends) + struct.pack("<Q", len(dims)) + pad(struct.pack(f"<{len(dims)}i", *dims))
    return column(ARRAY, body + child, len(ends) - 1, **options)


def record(*fields, count=1, number=None, **options):
    """Return a column of records."""
    number = len(fields) if number is None else number
    return column(RECORD, struct.pack("<Q", number) + b"".join(fields), count, **options)


def batch(*columns, count=None):
    """Return a batch."""
    return struct.pack("<II", len(columns) if count is None else count, 0) + b"".join(columns)


def texts(*values):
    """Return a batch of texts."""
    return batch(*(text(value) for value in values))


def frame(kind, payload=b"", number=None, length=None, version=1, magic=0x7868):
    """Return a frame, of the request under way unless a number is given."""
    return struct.pack("<HBBIQ", magic, version, kind, request if number is None else number,
                       len(payload) if length is None else length) + payload


def answer(content, number=None):
    """Send the answer to the request under way, after which no interrupt needs one."""
    global answered
    answered = request if number is None else answered
    say(content)


def say(content):
    """Send bytes on the data connection."""
    data.sendall(content)


def tell(content):
    """Send bytes on the control connection."""
    control.sendall(content)


def rows(*columns, **options):
    """Send rows."""
    say(frame(ROWS, batch(*columns), **options))


def progress(*columns, **options):
    """Send progress."""
    say(frame(PROGRESS, batch(*columns), **options))


def result(*columns, **options):
    """Send a result of these columns."""
    answer(frame(RESULT, batch(*columns), **options), **options)


def error(*fields, **options):
    """Send an error."""
    answer(frame(ERROR, texts(*fields), **options), **options)


def ask(query, *columns, what=QUERY, limit=b"0", form=b"table", **options):
    """Ask for a query."""
    say(frame(what, batch(text(form), text(query), text(limit), *columns), **options))


def ask_table(name, if_exists, *more, kept=b"1", **options):
    """Ask to have a value written into a table."""
    say(frame(TABLE, texts(kept, name, if_exists, *more), **options))


def serve(inner="good()"):
    """Read until what has been asked for has come; do a text for each request before that."""
    global request, kind
    mine = request, kind
    while True:
        kind, request, _ = receive(data)
        what, number = kind, request
        if number != mine[0]:
            exec(inner, globals())
        request, kind = mine
        if number == request and what not in (BATCH, COLUMNS):
            return what == ANSWER


def nest(count, query, end="good()"):
    """Ask for a query, and in each request that it makes again, so many times in all; end each."""
    asked = 0

    def further():
        nonlocal asked
        while asked < count:
            asked += 1
            ask(query)
            globals()["further"] = further
            if not serve("further()"):
                return
        exec(end, globals())
    further()


def forge(seed):
    """Ask for this and that, mostly rightly, as chance has it; then send the right answer.

    What is wrong mostly costs the session, and the next attempt a container.
    """
    chance = random.Random(seed)
    for _ in range(chance.choice((2, 3, 5, 8))):
        number = chance.choice((request,) * 26 + (0, request - 1, request + 1, chance.getrandbits(32)))
        way = chance.randrange(16)
        if way < 10:
            ask(chance.choice(FORGED), number=number & 0xFFFFFFFF)
        elif way == 10:
            ask_table(chance.choice((b"secret", b"own", b"fresh", b"pg_catalog.pg_authid", b"\xff", b"")),
                      chance.choice((b"fail", b"append", b"replace", b"x")), number=number & 0xFFFFFFFF)
        elif way == 11:
            ask(chance.choice(FORGED), what=0xA0 + chance.randrange(16), form=chance.choice((b"table", b"rows", b"plan", b"begin", b"1")))
        elif way == 12:
            say(frame(chance.choice((QUERY, PREPARE, CURSOR, FETCH, CLOSE, SUBTRANSACTION, TRANSACTION, TABLE)), chance.randbytes(chance.choice((0, 3, 24, 99)))))
        elif way == 13:
            good()
        elif way == 14:
            ask(b"SELECT py_eval('h', 'forge(%d)')" % chance.getrandbits(30))
        else:
            rows()
        if chance.randrange(4):
            deadline = time.monotonic() + 0.05
            while select.select([data], [], [], max(0, deadline - time.monotonic()))[0]:
                what, other, _ = receive(data)
                if other == request and what not in (BATCH, COLUMNS):
                    break
                if other != request and chance.randrange(2):
                    say(frame(RESULT, batch(text(b"1", tag=JSON)), other))
    good()


# What the role must not do, and what it may.
FORGED = (
    b"SELECT * FROM secret", b"INSERT INTO secret VALUES ('forged')", b"COPY own FROM PROGRAM 'echo forged'",
    b"COPY own TO '/tmp/forged'", b"CREATE ROLE forged SUPERUSER", b"ALTER ROLE lowly SUPERUSER", b"RESET ROLE",
    b"SET SESSION AUTHORIZATION postgres", b"SET ROLE postgres; SELECT * FROM secret", b"SET hxpy.superuser_sql = on",
    b"RESET ROLE; INSERT INTO secret VALUES ('forged')", b"SELECT set_config('role', 'none', false)",
    b"DO $$ BEGIN RESET ROLE; EXECUTE 'CREATE ROLE forged' ; END $$", b"DISCARD ALL", b"SELECT py_close_all()",
    b"SELECT pg_read_file('/etc/passwd')", b"SELECT lo_import('/etc/passwd')", b"SELECT 1", b"SELECT py_close('h')",
    b"INSERT INTO own VALUES (1)", b"SELECT sum(a) FROM own", b"SELECT py_eval('g', '1')", b"SELECT 1/0", b"COMMIT",
    b"SELECT repeat('x', 1000) FROM generate_series(1, 1000)", b"SELEC", b"LISTEN x", b"CREATE TEMP TABLE IF NOT EXISTS t (a int)",
    b"SELECT * FROM py_eval_grid('h', 'rows()') AS t(a int)", b"ROLLBACK", b"SET LOCAL ROLE hxpy_user")


def heard():
    """Read what has been asked for; return whether it has come."""
    return tried(None) is not None


def tried(what, *columns):
    """Ask for something of SQL, unless that was done, and read the answer; None if it is none."""
    if what is not None:
        say(frame(what, batch(*columns)))
    came = BATCH
    while came in (BATCH, COLUMNS):
        came, number, payload = receive(data)
    return payload if ANSWER <= came < COLUMNS and number == request else None


def refused(what, *columns, state=b""):
    """Ask for something of SQL; return whether the answer is an error (of this SQLSTATE)."""
    payload = tried(what, *columns)
    return b"sqlstate" in payload and state in payload


def told(payload):
    """Return the text that is an answer's first column."""
    name, extra = struct.unpack_from("<HI", payload, 10)
    start = 24 + (name + extra + 7) // 8 * 8
    length, = struct.unpack_from("<Q", payload, start)
    return payload[start + 8:start + 8 + length]


def sure(truth):
    """Answer rightly only if something is so."""
    if truth:
        good()
    else:
        error(b"38000", b"it is not so", b"", b"", b"")


def reply():
    """Return the right answer, as recorded from the real worker."""
    if kind == EVAL_GRID:
        payload = batch(fixed(INT32, 1, 2, name=b"a"), text(b"x", b"y\xc3\xa4", name=b"b", nulls=b"\0\1"),
                        arrays(fixed(FLOAT64, 1.5, 2.5, 3.5), (0, 1, 3), (1, 1, 1, 2), name=b"c"),
                        record(fixed(INT64, 5, 6, name=b"f"), blob(b"\0", b"12345"), count=2, name=b"d"))
        return frame(ROWS, payload) + frame(RESULT, batch())
    if kind == SAVE:
        return frame(ROWS, batch(blob(b"12345", b"678"))) + frame(RESULT, batch())
    if kind in (EVAL, CALL):
        return frame(RESULT, batch(text(b"42", tag=JSON)))
    return frame(RESULT, batch())


def good():
    """Send the right answer."""
    answer(reply())


def cut(position):
    """Send the right answer up to a byte."""
    say(reply()[:position])


def poke(position, form, value):
    """Send the right answer with a field changed."""
    content = bytearray(reply())
    struct.pack_into("<" + form, content, position, value)
    answer(content)


def fuzz(seed):
    """Send the right answer with random bytes of its payloads changed, moved, left out or put in."""
    chance = random.Random(seed)
    content, position = reply(), 0
    while position < len(content):
        what, length = content[position + 3], struct.unpack_from("<Q", content, position + 8)[0]
        payload = bytearray(content[position + 16:position + 16 + length])
        position += 16 + length
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            at, to = (chance.randrange(len(payload) + 1) for _ in range(2))
            way = chance.randrange(7)
            if way < 3:
                payload[at:at + 1] = bytes([chance.choice((0, 1, 2, 7, 0x7f, 0x80, 0xff, chance.randrange(256)))])
            elif way == 3:
                size = chance.choice((2, 4, 8))
                payload[at // size * size:at // size * size + size] = chance.choice(
                    (0, 1, 2, 1000, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1)).to_bytes(size, "little")
            elif way == 4:
                payload[at:at] = payload[to:to + 24]
            elif way == 5:
                del payload[at:at + chance.choice((1, 8, 16))]
            else:
                payload[at:at + 8], payload[to:to + 8] = payload[to:to + 8], payload[at:at + 8]
        answer(frame(what, bytes(payload)))


def drip(content, seconds=0.05):
    """Send bytes one by one."""
    for i in range(len(content)):
        say(content[i:i + 1])
        time.sleep(seconds)


def flood(write, content, seconds):
    """Send the same again and again; 0 seconds: until the server goes away."""
    end = time.monotonic() + seconds
    while not seconds or time.monotonic() < end:
        write(content * 100)


def deaf():
    """Let no interrupt be answered."""
    global obedient
    obedient = False


def close(which=None):
    """Close one of the connections, or both."""
    for one in (which,) if which else (data, control):
        one.shutdown(socket.SHUT_RDWR)
    if which is None:
        os._exit(0)


def stay():
    """Outlive the connections."""
    while True:
        time.sleep(1)


# ---- reading

def exactly(one, length):
    """Read bytes."""
    content = bytearray()
    while len(content) < length:
        part = one.recv(min(length - len(content), 1 << 20))
        if not part:
            os._exit(0)
        content += part
    return bytes(content)


def receive(one):
    """Read a frame: type, request, payload."""
    magic, version, what, number, length = struct.unpack("<HBBIQ", exactly(one, 16))
    assert magic == 0x7868 and version == 1
    payload = exactly(one, length)
    if b"the secret" in payload:
        error(b"38000", b"LEAKED")
    return what, number, payload


def drain():
    """Read the rest of a request's stream."""
    global streaming
    while streaming:
        streaming = receive(data)[0] == BATCH


def interrupted(seconds=60):
    """Wait for an interrupt of the request under way."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([control], [], [], max(0, end - time.monotonic()))[0]:
            what, number, _ = receive(control)
            if what == INTERRUPT and number == request:
                return True
    return False


def first_text(payload):
    """Return the text that is a request's first column, or the name of what is defined."""
    name, extra = struct.unpack_from("<HI", payload, 10)
    if kind == DEFINE:
        return payload[24:24 + name].decode()
    start = 24 + (name + extra + 7) // 8 * 8
    if payload[9] & 1:
        start += 8
    length, = struct.unpack_from("<Q", payload, start)
    return payload[start + 8:start + 8 + length].decode()


def row_count(payload):
    """Return how many rows a request for calls is about: its second text, after their first."""
    position = 8
    for _ in range(2):
        position += 16 + (sum(struct.unpack_from("<HI", payload, position + 2)) + 7) // 8 * 8
        length, = struct.unpack_from("<Q", payload, position)
        told = payload[position + 8:position + 8 + length]
        position += 8 + (length + 7) // 8 * 8
    return int(told.split()[1])


# ---- serving

def memory_mb():
    """Return the container's memory limit."""
    for path in "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max":
        if os.path.exists(path):
            return int(open(path).read()) >> 20


def connect():
    one = socket.socket(socket.AF_UNIX)
    one.connect("/run/hxpy/sock")
    return one


request, kind, streaming, obedient, answered = 0, 0, False, True, 0
plan = "result()"
count = 0       # of rows, in a request for calls
choice = memory_mb()
if choice == 129:       # nobody connects
    stay()
control = connect()
if choice == 130:       # the worker does not
    stay()
if choice == 131:       # the worker's connection is closed at once
    connect().close()
    stay()
if choice == 132:       # more connections than there should be
    others = [connect() for _ in range(2)]
data = others[0] if choice == 132 else connect()
kind, request, options = receive(data)
choice = int(first_text(options)) // 1024
from_supervisor = frame(HELLO, texts(b"supervisor"), 0)
from_worker = frame(HELLO, texts(b"worker", b"3.13"), 0)
GREETINGS = {
    2001: (b"", b""),
    2002: (from_supervisor, b""),
    2003: (b"", from_worker),
    2004: (from_supervisor * 2, from_worker),
    2005: (from_supervisor, from_worker * 2),
    2006: (from_worker, from_supervisor),
    2007: (os.urandom(999), from_worker),
    2008: (from_supervisor, os.urandom(999)),
    2009: (from_supervisor, frame(HELLO, b"", 0)),
    2010: (from_supervisor, frame(HELLO, texts(b"worker\xff"), 0)),
    2011: (from_supervisor, frame(HELLO, batch(count=1664), 0)),
    2012: (from_supervisor, frame(HELLO, b"", 0, length=1 << 40)),
    2013: (frame(HELLO, b"", 0, length=1 << 40), from_worker),
    2014: (from_supervisor, from_worker + frame(ROWS, batch())),
    2015: (from_supervisor, from_worker + frame(DEAD, texts(b"exit", b"0", b""), 0)),
    2016: (frame(DEAD, texts(b"exit", b"0", b""), 0), from_worker),
    2017: (from_supervisor, from_worker + frame(ERROR, texts(b"57P01", b"no", b"", b"", b""))),
    2018: (from_supervisor, from_worker + frame(RESULT, b"rubbish")),
    2019: (b"GET / HTTP/1.1\r\nHost: docker\r\n\r\n", b"GET / HTTP/1.1\r\nHost: docker\r\n\r\n"),
}
for_control, for_data = GREETINGS.get(choice, (from_supervisor, from_worker))
tell(for_control)
say(for_data)
if choice == 2020:
    close(control)
elif choice == 2021:
    close(data)
elif choice == 2022:
    stay()
elif choice == 2023:
    close()
else:
    result()

while True:
    ready = select.select([data, control], [], [])[0]
    if control in ready:
        what, number, _ = receive(control)
        if what == INTERRUPT and number == request and obedient and answered != request:
            error(b"38000", b"KeyboardInterrupt", b"", b"", b"")
        continue
    what, number, payload = receive(data)
    if ANSWER <= what <= COLUMNS:       # to what a forged type of frame has asked for
        continue
    if streaming:
        streaming = what == BATCH
        continue
    kind, request, obedient = what, number, True
    streaming = kind in (GRID, APPLY, LOAD)
    count = row_count(payload) if kind == CALLS else 0
    try:
        exec("result()" if kind == FUNCTION else plan if kind in (INVOKE, INVOKE_ROWS, CALLS) else first_text(payload))
    except OSError:
        os._exit(0)
