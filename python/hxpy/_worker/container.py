"""Process 1 of the container: what it does depends on what it finds in /run/hxpy.

It ignores every signal but SIGCHLD, is not dumpable, and its end ends every
process of the container.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Callable

from . import endpoint, parent, process, worker
from .protocol import ConnectionClosed
from .supervisor import Supervisor, greet

__all__ = ["main"]


def main() -> None:
    """Start the worker and supervise it (`python3 -m hxpy`)."""
    process.ignore_signals()
    process.set_dumpable(False)
    try:
        if endpoint.is_shared():
            from . import shared    # only here, as tcp: others need not wait for it

            shared.run()
        else:
            supervise()
    except (ConnectionClosed, ConnectionError):
        pass
    # The end of process 1 ends every process of the container.
    os._exit(0)


def supervise() -> None:
    """Serve the session that has the container to itself."""
    page = mmap.mmap(-1, mmap.PAGESIZE)
    shared = memoryview(page).cast("Q")
    read_end, write_end = os.pipe()
    words_read, words_write = os.pipe()
    if endpoint.is_pooled():
        pool = endpoint.PoolPlace(endpoint.POOL_SOCKET)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            start_worker(shared, connect_from_pool, write_end, words_write, theirs.fileno())
        theirs.close()
        os.close(write_end)
        if not pool.wait(ours, read_end):
            return
        connection = greet(endpoint.connect())
        ours.close()        # lets the worker connect
        pool.leave()
    elif os.path.exists(endpoint.KEY_FILE):
        from . import tcp   # only here: it takes 5 ms

        control, data = tcp.accept(tcp.read_key())
        connection = greet(control)
        child = os.fork()
        if child == 0:
            start_worker(shared, process.kept_socket, write_end, words_write, data.fileno())
        data.close()
        os.close(write_end)
    else:
        # Before the worker is, so that the server knows it when the worker answers.
        connection = greet(endpoint.connect())
        child = os.fork()
        if child == 0:
            start_worker(shared, endpoint.connect, write_end, words_write)
        os.close(write_end)
    os.close(words_write)
    Supervisor(connection, shared, child, read_end, words_read).run(process.watch_children())


def connect_from_pool() -> socket.socket:
    """Import ahead of need, say so, and connect when the supervisor has done so.

    How the worker of a container in the pool comes by its connection.
    """
    failed = parent.import_ahead()
    with process.kept_socket() as supervisor:
        supervisor.sendall(failed)
        supervisor.recv(1)
    return endpoint.connect()


def start_worker(shared: memoryview, connect: Callable[[], socket.socket], output: int,
                 last_words: int, *keep: int) -> None:
    """Become the worker.  Does not return."""
    process.set_descriptors(output, last_words, *keep)
    process.set_dumpable(True)
    process.set_worker()
    worker.run(shared, connect, process.LAST_WORDS)
