"""Connections by TCP: the proof of the key, and others that knock at the port."""

import hmac
import os
import socket
import threading
import time

import pytest

from hxpy._tables.wire import ProtocolError
from hxpy._worker import protocol, tcp
from hxpy._worker.protocol import HEADER, MAGIC, VERSION, ConnectionClosed

KEY = bytes(range(32))


def frame(kind, payload):
    return HEADER.pack(MAGIC, VERSION, kind, 0, len(payload)) + payload


def read(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionClosed
        data += piece
    return data


def connect(port):
    for _ in range(200):
        try:
            sock = socket.create_connection(("127.0.0.1", port), 5)
        except ConnectionRefusedError:
            time.sleep(0.01)
            continue
        sock.settimeout(10)
        return sock
    raise TimeoutError


def challenge(sock, role, nonce):
    """Return the container's nonce once it has proved the key."""
    sock.sendall(frame(protocol.CHALLENGE, bytes([role]) + nonce))
    header = HEADER.unpack(read(sock, HEADER.size))
    assert header == (MAGIC, VERSION, protocol.PROOF, 0, 64)
    payload = read(sock, 64)
    assert payload[32:] == hmac.digest(KEY, b"container" + bytes([role]) + nonce + payload[:32], "sha256")
    return payload[:32]


def prove(port, role, key=KEY, more=b""):
    """Do what the server does."""
    sock = connect(port)
    nonce = os.urandom(32)
    theirs = challenge(sock, role, nonce)
    proof = hmac.digest(key, b"server" + bytes([role]) + nonce + theirs, "sha256")
    sock.sendall(frame(protocol.SERVER_PROOF, proof) + more)
    return sock


class Listening:
    """accept() in a thread; `result` is what came of it."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.result = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.result = tcp.accept(KEY, self.port)
        except Exception as error:
            self.result = error

    def wait(self):
        self.thread.join(20)
        return self.result


def is_closed(sock):
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True


def test_both_connections_and_no_listener_after_them():
    container = Listening()
    data = prove(container.port, protocol.ROLE_DATA)
    control = prove(container.port, protocol.ROLE_CONTROL)
    theirs = container.wait()
    for ours, other in zip((control, data), theirs, strict=True):
        ours.sendall(b"x")
        assert other.recv(9) == b"x"
        assert other.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert other.getblocking()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", container.port), 5)


def test_what_follows_the_proof_is_not_read():
    container = Listening()
    control = prove(container.port, protocol.ROLE_CONTROL)
    data = prove(container.port, protocol.ROLE_DATA, more=b"first frame")
    assert read(container.wait()[1], 11) == b"first frame"
    control.close()
    data.close()


@pytest.mark.parametrize("knock", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100),
    bytes(200),
    os.urandom(200),
    frame(protocol.OPEN, bytes(100)),
    frame(protocol.SERVER_PROOF, bytes(33)),
    frame(protocol.CHALLENGE, bytes([3]) + bytes(32)),
    frame(protocol.CHALLENGE, bytes([0]) + bytes(32)),
    frame(protocol.CHALLENGE, bytes(1000000)),
    frame(protocol.CHALLENGE, bytes([1]) + bytes(32)) + frame(protocol.SERVER_PROOF, bytes(32)),
    frame(protocol.CHALLENGE, bytes([1]) + bytes(32)) + frame(protocol.CHALLENGE, bytes([1]) + bytes(32)),
])
def test_strangers_are_closed_and_hold_up_nobody(knock):
    container = Listening()
    silent = connect(container.port)
    stranger = connect(container.port)
    try:
        stranger.sendall(knock)
    except (BrokenPipeError, ConnectionResetError):
        pass
    control = prove(container.port, protocol.ROLE_CONTROL)
    data = prove(container.port, protocol.ROLE_DATA)
    assert isinstance(container.wait(), tuple)
    if knock.startswith(frame(protocol.CHALLENGE, b"")[:4]) and knock[HEADER.size] == 1:
        read(stranger, 80)
    assert is_closed(stranger)
    assert is_closed(silent)
    control.close()
    data.close()


def test_the_wrong_key():
    container = Listening()
    assert is_closed(prove(container.port, protocol.ROLE_CONTROL, key=bytes(32)))
    # What was said to another one, and what the container itself says, are no proof.
    sock = connect(container.port)
    nonce = os.urandom(32)
    sock.sendall(frame(protocol.CHALLENGE, bytes([1]) + nonce))
    answer = read(sock, HEADER.size + 64)
    sock.sendall(frame(protocol.SERVER_PROOF, answer[-32:]))
    assert is_closed(sock)
    other = connect(container.port)
    other.sendall(frame(protocol.CHALLENGE, bytes([1]) + nonce))
    assert read(other, HEADER.size + 64) != answer
    control = prove(container.port, protocol.ROLE_CONTROL)
    data = prove(container.port, protocol.ROLE_DATA)
    assert isinstance(container.wait(), tuple)
    control.close()
    data.close()


def test_the_same_role_twice():
    container = Listening()
    control = prove(container.port, protocol.ROLE_CONTROL)
    assert is_closed(prove(container.port, protocol.ROLE_CONTROL))
    data = prove(container.port, protocol.ROLE_DATA)
    assert isinstance(container.wait(), tuple)
    control.close()
    data.close()


def test_many_that_say_nothing():
    container = Listening()
    silent = [connect(container.port) for _ in range(100)]
    control = prove(container.port, protocol.ROLE_CONTROL)
    data = prove(container.port, protocol.ROLE_DATA)
    assert isinstance(container.wait(), tuple)
    assert all(is_closed(sock) for sock in silent)
    control.close()
    data.close()


def test_time_is_limited(monkeypatch):
    monkeypatch.setattr(tcp, "_HANDSHAKE_SECONDS", 0.2)
    monkeypatch.setattr(tcp, "_FIRST_SECONDS", 0.6)
    container = Listening()
    silent = connect(container.port)
    start = time.monotonic()
    assert is_closed(silent)
    assert time.monotonic() - start < 5
    assert isinstance(container.wait(), TimeoutError)


@pytest.mark.parametrize("last", [b"", b"last words"])
def test_the_server_goes_away_again(last):
    container = Listening()
    control = prove(container.port, protocol.ROLE_CONTROL, more=last)
    control.close()
    assert isinstance(container.wait(), ConnectionClosed)


def test_the_first_frame_may_come_before_the_other_proof():
    container = Listening()
    control = prove(container.port, protocol.ROLE_CONTROL, more=b"early")
    time.sleep(0.1)
    data = prove(container.port, protocol.ROLE_DATA)
    assert read(container.wait()[0], 5) == b"early"
    control.close()
    data.close()


def test_the_key_file(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    assert tcp.read_key(str(path)) == KEY
    path.write_bytes(KEY[1:])
    with pytest.raises(ProtocolError):
        tcp.read_key(str(path))
