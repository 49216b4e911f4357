"""What the image of 120_network.pl runs in the place of the package hxpy.

It listens as a supervisor in a network does, and answers the server's challenges
in a way that the session's memory limit chooses.
"""

import hmac
import os
import socket
import struct
import time

CHALLENGE, SERVER_PROOF, PROOF = 0x11, 0x12, 0x89
PORT = 7868


def memory_mb():
    """Return the container's memory limit."""
    for path in "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max":
        if os.path.exists(path):
            return int(open(path).read()) >> 20


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def frame(kind, payload):
    return struct.pack("<HBBIQ", 0x7868, 1, kind, 0, len(payload)) + payload


def answer(challenge, key, who=b"container"):
    nonce = os.urandom(32)
    return frame(PROOF, nonce + hmac.digest(key, who + challenge + nonce, "sha256"))


def handle(sock, count):
    """Answer the connection of this number."""
    global control_answer
    challenge = receive(sock, 49)[16:]
    right = choice >= 110 and (choice != 114 or count == 1)
    if choice == 100:       # another key
        sock.sendall(answer(challenge, os.urandom(32)))
    elif choice == 101:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 100)
    elif choice == 102:     # the challenge itself
        sock.sendall(frame(CHALLENGE, challenge) + bytes(80))
    elif choice == 103:     # a proof of another length
        sock.sendall(frame(PROOF, bytes(63)) + bytes(80))
    elif choice == 104:     # the server's proof in the place of the container's
        sock.sendall(answer(challenge, KEY, b"server"))
    elif choice == 105:     # over other nonces
        sock.sendall(answer(challenge[:1] + bytes(32), KEY))
    elif choice == 106:     # for the other connection
        sock.sendall(answer(bytes([3 - challenge[0]]) + challenge[1:], KEY))
    elif choice == 107:     # closed half-way
        sock.sendall(answer(challenge, KEY)[:40])
        sock.close()
    elif choice == 108:     # nothing more comes
        sock.sendall(answer(challenge, KEY)[:40])
    elif choice == 109:     # nothing comes
        pass
    elif choice == 113 and count == 2:      # what was said before
        sock.sendall(control_answer)
    elif right:
        control_answer = answer(challenge, KEY)
        sock.sendall(control_answer)
        receive(sock, 48)
    else:
        sock.sendall(answer(challenge, bytes(32)))
    if choice == 111:       # the container ends after the first proof
        os._exit(5)
    if choice == 112 and count == 2:        # it ends after both
        os._exit(6)


choice = memory_mb()
KEY = open("/run/hxpy/key", "rb").read()
control_answer = b""
if choice == 115:           # nobody listens
    time.sleep(600)
listener = socket.create_server(("", PORT))
kept = []
while True:
    kept.append(listener.accept()[0])
    try:
        handle(kept[-1], len(kept))
    except OSError:
        pass
