"""The parent of a shared container's workers: it has the imports done, and forks them.

Process 1 hands it descriptors; it never sees a control connection, so that nothing of a
session is in the memory that the next one inherits.  A worker may be forked ahead of its
session: then it gets ready, and waits for that.  Messages go over a socket that
keeps their bounds: `name` and descriptors to it (see `Parent.fork`), or `name pid` for a
process that a worker has forked (forking.py), which is its child, too; from it first
the line of what could not be imported, then `started name pid`, `refused name errno`,
`dead pid status`.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket

from . import process, siblings, worker

__all__ = ["DESCRIPTORS", "import_ahead", "start"]

DESCRIPTORS = 5     # that come with a session's name


def import_ahead() -> bytes:
    """Import what HXPY_IMPORTS names; return what could not be, a line."""
    failed = []
    for module in map(str.strip, os.environ.pop("HXPY_IMPORTS", "").split(",")):
        try:
            if module:
                __import__(module)
        except Exception as error:
            failed.append(f"{module}: {type(error).__name__}: {error}")
    gc.collect()
    gc.freeze()     # no collection looks through the modules again
    return ("; ".join(failed) + "\n").encode("utf-8", "replace")[-2048:]


def start(output: int, last_words: int, keep: int) -> None:
    """Become the parent, in a process that was just forked.  Does not return."""
    process.set_descriptors(output, last_words, keep)
    os.setpgid(0, 0)
    process.adopt_orphans()
    import traceback    # noqa: F401  # or each worker would

    with process.kept_socket() as first:
        first.send(import_ahead())
        Parent(first, process.watch_children()).serve()
    os._exit(0)


class Parent:
    """The loop of the parent: what process 1 wants, and children that have ended."""

    def __init__(self, first: socket.socket, wakeup: socket.socket) -> None:
        self.first = first
        self.wakeup = wakeup

    def serve(self) -> None:
        """Fork workers until process 1 goes away."""
        poll = select.poll()
        poll.register(self.first, select.POLLIN)
        poll.register(self.wakeup, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self.wakeup.fileno() in ready:
                self.wakeup.recv(4096)
                for pid, status in process.reap():
                    self.tell(f"dead {pid} {status}")
            if self.first.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(
                    self.first, process.MESSAGE, DESCRIPTORS)
                if not message:
                    return
                if descriptors:
                    self.fork(message.decode(), descriptors)
                else:
                    name, child = message.decode().split()
                    self.adopt(name, int(child))
                for descriptor in descriptors:
                    os.close(descriptor)

    def tell(self, text: str) -> None:
        """Send process 1 a message."""
        self.first.send(text.encode())

    def fork(self, name: str, descriptors: list[int]) -> None:
        """Fork a worker.

        descriptors: the data connection, the write ends of output and of last words, the
        file of the page that it shares with process 1, the channel; only that when the
        others will come over it, with the name of a session.
        """
        try:
            child = os.fork()
        except OSError as error:
            self.tell(f"refused {name} {error.errno}")
            return
        if child == 0:
            signal.set_wakeup_fd(-1)
            become_worker(name, descriptors)
        try:
            os.setpgid(child, child)    # so that process 1 can kill the group from now on
        except OSError:
            pass    # it has ended
        self.tell(f"started {name} {child}")

    def adopt(self, name: str, child: int) -> None:
        """Give a process that a worker has forked its own group."""
        try:
            if os.getpgid(child) == child:
                raise OSError(errno.EEXIST, "it has one")
            os.setpgid(child, child)
        except OSError as error:    # it has ended, or is no such process
            self.tell(f"refused {name} {error.errno}")
        else:
            self.tell(f"started {name} {child}")


def become_worker(name: str, descriptors: list[int]) -> None:
    """Become the worker of a session, at once or when that comes.  Does not return."""
    process.set_dumpable(True)      # or its place in the order of victims is not its to set
    process.set_worker()
    process.set_dumpable(False)
    if len(descriptors) == DESCRIPTORS:
        data, output, last_words, page, channel = descriptors
        shared = process.map_page(page)
        process.set_descriptors(output, last_words, data, channel)
    else:
        name, shared = wait_for_session(*descriptors)
    try:
        siblings.part(siblings.directory(name))
    except OSError as error:
        os.write(process.LAST_WORDS, f"hxpy: {error}\n".encode())
        os._exit(1)
    worker.run(shared, process.kept_socket, process.LAST_WORDS, ahead=())


def wait_for_session(channel: int) -> tuple[str, memoryview]:
    """Do what can be done ahead, and take a session; return its name and the page."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, process.CONNECTION, inheritable=False)
    os.dup2(channel, process.CHANNEL, inheritable=False)
    os.closerange(process.CHANNEL + 1, 1024)
    siblings.prepare()
    message, descriptors, _, _ = socket.recv_fds(
        process.kept_channel(), process.MESSAGE, DESCRIPTORS)
    if not message:     # there will be none
        os._exit(0)
    data, output, last_words, page = descriptors
    process.replace_descriptors(data, output, last_words)
    shared = process.map_page(page)
    for descriptor in descriptors:
        os.close(descriptor)
    return message.decode(), shared
