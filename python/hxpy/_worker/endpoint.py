"""Where the server is: the sockets in /run/hxpy, which the container sees read-only.

A session's own container finds the session's socket there and connects at
once.  A container of the pool finds the launcher's socket instead: it holds a
connection to it, gets ready, says so in a line of text, and waits for a
session's socket to appear (inotify(7): no polling, about a millisecond).  The
end of the launcher's connection ends a container that no session has taken.

A container for several sessions does as much at first, but keeps the launcher's
connection, and each session's socket has a name of its own.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct

__all__ = ["DIRECTORY", "HEIR_PREFIX", "KEY_FILE", "POOL_SOCKET", "SHARED_SOCKET", "PoolPlace", "connect",
           "is_pooled", "is_shared"]

DIRECTORY = "/run/hxpy"
SESSION_SOCKET = DIRECTORY + "/sock"    # src/launch/directory.h
POOL_SOCKET = DIRECTORY + "/pool"
SHARED_SOCKET = DIRECTORY + "/shared"   # the launcher's, in a container for several sessions
FORK_PREFIX = "session-"                # of the sockets of these
HEIR_PREFIX = "heir-"                   # the same, forked from the parent that py_share has made
KEY_FILE = DIRECTORY + "/key"           # only in sessions with a network: tcp.py

_EVENT = struct.Struct("=iIII")     # inotify(7); a name follows, the last field is its length
_IN_MOVED_TO = 0x80
_IN_CLOEXEC = 0o2000000


def connect(path: str = SESSION_SOCKET) -> socket.socket:
    """Connect to a socket of the server's, which listens already."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    return sock


def is_pooled() -> bool:
    """Tell whether this container belongs to the pool."""
    return not os.path.exists(SESSION_SOCKET) and os.path.exists(POOL_SOCKET)


def is_shared() -> bool:
    """Tell whether this container is for several sessions."""
    return os.path.exists(SHARED_SOCKET)


class PoolPlace:
    """A container's place in the pool: the connection to the launcher, and the watch."""

    def __init__(self, path: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.launcher = connect(path)
        self.watch = libc.inotify_init1(_IN_CLOEXEC)
        # The server puts a socket that listens in its place by rename(2).
        if self.watch < 0 or libc.inotify_add_watch(
                self.watch, DIRECTORY.encode(), _IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def wait(self, worker: socket.socket, output: int) -> bool:
        """Wait for a session; False when there will be none.

        Passes on the line that `worker` sends when it is ready, and what it writes
        to `output` to this process's own standard error (docker logs).  Ends when
        the launcher goes away or the worker dies.
        """
        poll = select.poll()
        for source in (self.launcher.fileno(), self.watch, worker.fileno(), output):
            poll.register(source, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll()}
            # First: a session's socket may be there although the launcher is gone.
            if os.path.exists(SESSION_SOCKET):
                return True
            if self.launcher.fileno() in ready and not self.launcher.recv(4096):
                return False
            if output in ready:
                text = os.read(output, 65536)
                os.write(2, text)
                if not text:
                    poll.unregister(output)
            if worker.fileno() in ready:
                line = worker.recv(4096)
                if not line:
                    return False
                self.launcher.sendall(line)
            if self.watch in ready:
                os.read(self.watch, 4096)

    def names(self) -> list[str]:
        """Return the names of the sockets that have come since, of several sessions."""
        found = []
        data = os.read(self.watch, 65536)
        while data:
            length = _EVENT.unpack_from(data)[3]
            name = data[_EVENT.size:_EVENT.size + length].rstrip(b"\0").decode()
            if name.startswith((FORK_PREFIX, HEIR_PREFIX)):
                found.append(name)
            data = data[_EVENT.size + length:]
        return found

    def leave(self) -> None:
        """Leave the pool.  The watch stays: to close it takes the kernel 10 to 20 ms."""
        self.launcher.close()
