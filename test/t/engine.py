"""Fake Docker engines for the TAP tests, on Unix sockets.

    engine.py fake DIRECTORY            one socket a behaviour, named like it
    engine.py proxy SOCKET ENGINE RULE  a proxy to the real engine, or with two TCP
                                        ports to a registry; RULE is
        strip:KEY    leaves KEY out of HostConfig of a create body
        set:KEY=JSON replaces it
        dead:WORD    is gone from the first request whose line matches WORD
        slow:WORD=S  holds the answer to such a request back for S seconds
        late:WORD=S  passes such a request on only after S seconds
        drip:S       waits S seconds after each 64 kB of answers
"""

import json
import os
import re
import socket
import sys
import threading
import time

PING = b"HTTP/1.1 200 OK\r\nApi-Version: %s\r\nContent-Length: 2\r\n\r\nOK"


def answer(status, body, length=None):
    """Return an answer of JSON."""
    return (b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(body) if length is None else length, body))


def pull(*lines, end=True):
    """Return the answer to a pull: a stream of lines, whole or not."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunks + (b"0\r\n\r\n" if end else b""))


PULLING = b'{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}\r\n'

# name: (answer to a ping, answer to anything else, close afterwards); None: never
FAKES = {
    "hang": (None, None, False),
    "hanglater": (PING % b"1.41", None, False),
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n", b"", True),
    "half": (PING % b"1.41", answer(200, b'{"Id":"abc', 100), True),
    "halfhead": (PING % b"1.41", b"HTTP/1.1 200 OK\r\nContent-Le", True),
    "empty": (PING % b"1.41", b"", True),
    "notjson": (PING % b"1.41", answer(200, b"<html>"), True),
    "wrongjson": (PING % b"1.41", answer(200, b'"text"'), False),
    "full": (PING % b"1.41",
             answer(500, b'{"message":"write /var/lib/docker/x: no space left on device"}'), False),
    "broken": (PING % b"1.41", answer(500, b'{"message":"boom\\u001b[31m"}'), False),
    "forbidden": (PING % b"1.41", answer(403, b"<html>forbidden by proxy</html>"), False),
    "old": (PING % b"1.40", answer(200, b"{}"), False),
    "noversion": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", b"", False),
    "unready": (answer(503, b'{"message":"starting"}'), b"", False),
    "redirect": (PING % b"1.41", b"HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/\r\n"
                 b"Content-Length: 0\r\n\r\n", False),
    "pullhang": (PING % b"1.41", pull(PULLING, end=False), False),
    "pullcut": (PING % b"1.41", pull(PULLING, end=False), True),
    "pullerror": (PING % b"1.41", pull(
        PULLING, b'{"errorDetail":{"message":"disk \\u001b[31m"},"er', b'ror":"disk \\u001b[31m"}\r\n'), False),
    "pullgarbage": (PING % b"1.41", pull(PULLING, b"<html>\r\n"), False),
    "pulllong": (PING % b"1.41", pull(PULLING, b'{"status":"' + b"x" * 100000 + b'"}\r\n'), False),
    "pulllist": (PING % b"1.41", pull(b"[1]\r\n"), False),
}


def read_request(connection, buffer):
    """Return (head, body, rest) of the next request, None at the end."""
    while b"\r\n\r\n" not in buffer:
        data = connection.recv(65536)
        if not data:
            return None
        buffer += data
    head, _, buffer = buffer.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(buffer) < length:
        buffer += connection.recv(65536)
    return head, buffer[:length], buffer[length:]


def serve_fake(connection, name):
    """Answer one connection as the behaviour says."""
    ping, other, close = FAKES[name]
    buffer = b""
    while (request := read_request(connection, buffer)) is not None:
        head, _, buffer = request
        is_ping = b"/_ping" in head.split(b"\r\n")[0]
        data = ping if is_ping else other
        if data is None:
            time.sleep(3600)
        connection.sendall(data)
        if name == "garbage" or (close and not is_ping):
            return


def copy(source, target, pause=0.0):
    """Pass on what comes until the end."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
            time.sleep(pause)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def change_body(rule, argument, body):
    """Return a create call's body as the rule makes it."""
    config = json.loads(body)
    if rule == "strip":
        config["HostConfig"].pop(argument)
    elif rule == "set":
        key, _, value = argument.partition("=")
        config["HostConfig"][key] = json.loads(value)
    return json.dumps(config).encode()


def serve_proxy(connection, engine, rule, argument):
    """Pass one connection on, request by request."""
    upstream = socket.socket(socket.AF_INET if engine.isdigit() else socket.AF_UNIX)
    upstream.connect(("127.0.0.1", int(engine)) if engine.isdigit() else engine)
    word, _, seconds = argument.partition("=")
    buffer = b""
    answers = threading.Thread(target=copy, daemon=True, args=(
        upstream, connection, float(argument) if rule == "drip" else 0.0))
    while (request := read_request(connection, buffer)) is not None:
        head, body, buffer = request
        line = head.split(b"\r\n")[0]
        if rule == "dead" and re.search(word.encode(), line):
            os._exit(0)
        if rule in ("strip", "set") and b"/containers/create" in line:
            body = change_body(rule, argument, body)
            head = b"\r\n".join(x for x in head.split(b"\r\n")
                                if not x.lower().startswith(b"content-length:"))
            head += b"\r\nContent-Length: %d" % len(body)
        if rule == "late" and re.search(word.encode(), line):
            time.sleep(float(seconds))
        upstream.sendall(head + b"\r\n\r\n" + body)
        if rule == "slow" and re.search(word.encode(), line):
            time.sleep(float(seconds))
        if not answers.ident:
            answers.start()
    # The engine ends what it has begun, though the client is gone.
    if answers.ident:
        answers.join(1)
    upstream.close()


def listen(path, serve, *arguments):
    """Serve every connection to a new socket in a thread of its own."""
    def run(connection):
        try:
            serve(connection, *arguments)
        except OSError:
            pass
        finally:
            connection.close()

    listener = socket.socket(socket.AF_INET if path.isdigit() else socket.AF_UNIX)
    listener.bind(("127.0.0.1", int(path)) if path.isdigit() else path + ".new")
    listener.listen(128)
    if not path.isdigit():
        os.rename(path + ".new", path)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()


def main():
    """Run what the arguments name until killed."""
    if sys.argv[1] == "fake":
        for name in FAKES:
            threading.Thread(target=listen, daemon=True, args=(
                f"{sys.argv[2]}/{name}", serve_fake, name)).start()
        open(f"{sys.argv[2]}/.ready", "w").close()
        time.sleep(10**6)
    else:
        rule, _, argument = sys.argv[4].partition(":")
        listen(sys.argv[2], serve_proxy, sys.argv[3], rule, argument)


main()
