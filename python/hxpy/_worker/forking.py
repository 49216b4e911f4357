"""Forks a worker that is at work into another process, with all that it has in memory.

What comes of it is another session's worker, or a parent that forks further ones (py_clone,
py_share).  These only in containers that sessions share: the new process is a child of the
container's parent, which gives it a process group of its own, so that it ends neither with
the worker nor when that is interrupted.  Or it is a copy that works for the session (team.py),
in any container: a child of the worker, in its group.

A fork has in common with its origin what the kernel does not copy.  So there must be no
such thing: no other thread, which would not be there; no connection; no file that can be
written, no memory that is mapped to be shared.  Files that are only read are opened anew.
"""

from __future__ import annotations

import faulthandler
import fcntl
import gc
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NoReturn

from ..errors import HxpyError
from . import process, siblings
from .process import MESSAGE

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["SESSION", "check_copies", "fork", "fork_copy"]

SESSION = "session"     # kinds of what is forked; the other one is "parent"

_TOLD = 5               # descriptors or threads that an error names
_POLL = 0.0001          # seconds
_STATELESS = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)}     # null, zero, full, random, urandom


def fork(worker: Worker, name: str, kind: str) -> None:
    """Fork the worker; return when process 1 says that the new process is on its way.

    name: of the fork, as process 1 knows it.
    """
    channel = process.kept_channel()
    descriptors = _take(channel, name)
    try:
        keep = {0, 1, 2, process.LAST_WORDS, process.CONNECTION, process.CHANNEL, worker.pipe,
                *descriptors}
        _check_layers()
        files = check(keep, worker.shared)
        if kind != SESSION:
            gc.collect()        # once, so that forks need not
        worker.masked = True    # or an interrupt would reach both
        try:
            forked = _detach()
        except OSError as error:
            raise HxpyError("53000", f"the session cannot be forked: {error.strerror}") from None
        if forked:
            _become(worker, name, kind, descriptors, files)
    finally:
        worker.masked = False
        for descriptor in descriptors:
            os.close(descriptor)
    words = _hear(channel, name)
    if words != "done":
        raise HxpyError("53000", f"the session cannot be forked: {words}")


def _take(channel: socket.socket, name: str) -> list[int]:
    """Return the descriptors that process 1 has sent for a fork; those of others are of no use."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE, 8)
        if not message:
            raise HxpyError("55000", "the session cannot be forked: process 1 does not answer")
        if message.decode() == name:
            return descriptors
        for descriptor in descriptors:
            os.close(descriptor)


def _hear(channel: socket.socket, name: str) -> str:
    """Return what process 1 says has become of a fork."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE, 8)
        for descriptor in descriptors:
            os.close(descriptor)
        about, _, words = message.decode().partition(" ")
        if about == name or not message:
            return words


# Copies that work for the session -------------------------------------------------


def check_copies(worker: Worker) -> list[int]:
    """Raise an error if the worker cannot have copies; return the descriptors to open anew."""
    keep = {0, 1, 2, process.LAST_WORDS, worker.pipe, worker.connection.fileno()}
    if siblings.layers():
        keep.add(process.CHANNEL)       # in a shared container
    return check(keep, worker.shared)


def fork_copy(worker: Worker, files: list[int], connection: socket.socket,
              others: Sequence[socket.socket], serve: Callable[[], None]) -> int:
    """Fork the worker, in which interrupts wait, into a copy; return its process id.

    files: the descriptors to open anew.  connection: which the copy has in the place of that to
    the server.  others: those that it must not have.  serve: is called in it.
    """
    try:
        pid = os.fork()
    except OSError as error:
        raise HxpyError("53000", f"the session cannot be forked: {error.strerror}", "",
                        "Use fewer workers, or raise hxpy.pids_limit.") from None
    if pid:
        return pid
    try:
        _become_copy(worker, files, connection, others, serve)
    finally:
        os._exit(1)     # whatever it was: what has called this runs in the session


def _become_copy(worker: Worker, files: list[int], connection: socket.socket,
                 others: Sequence[socket.socket], serve: Callable[[], None]) -> NoReturn:
    """Be a copy.  Interrupts do not mean it: the session ends it."""
    gc.freeze()
    os.dup2(connection.fileno(), worker.connection.fileno(), inheritable=False)
    for other in (connection, *others):
        other.close()
    _open_anew(files)
    worker.rebind(process.map_page())
    siblings.reseed()
    faulthandler.enable(2, all_threads=False)
    worker.become_copy()
    serve()
    worker.loop()


# What may not be there ------------------------------------------------------------


def check(own: Collection[int], page: memoryview) -> list[int]:
    """Raise an error if the process cannot be forked; return the descriptors to open anew.

    own: descriptors that do not count.  page: memory that does not.
    """
    files, foreign = _sort_descriptors(own)
    reasons = (("threads", _other_threads(), "Let them end: join threads, shut executors and pools down."),
               ("open connections or files", foreign, "Close them."),
               ("memory that other processes can change", _shared_memory(page),
                "Copy what it holds, and close the mapping."))
    for what, found, hint in reasons:
        if found:
            told = ", ".join(found[:_TOLD]) + (", …" if len(found) > _TOLD else "")
            raise HxpyError("55000", f"the session cannot be forked: it has {what}",
                            f"These are {told}. They cannot be in two sessions.", hint)
    return files


def _check_layers() -> None:
    """Raise an error if no further session can be parted from this one."""
    if siblings.layers() >= siblings.MOST_LAYERS:
        raise HxpyError("54000", "the session cannot be forked",
                        "It was forked from a session, that from another, and so on: the "
                        f"kernel allows {siblings.MOST_LAYERS - 1} times.",
                        "Fork the first one again, or open a new session.")


def _other_threads() -> list[str]:
    """Return the names of the threads besides this one."""
    count = len(os.listdir("/proc/self/task")) - 1
    names = [thread.name for thread in threading.enumerate()
             if thread is not threading.current_thread()]
    return (names + ["threads of a library"])[:count] if count else []


def _sort_descriptors(own: Collection[int]) -> tuple[list[int], list[str]]:
    """Return the descriptors of files that are only read, and descriptions of all others."""
    files: list[int] = []
    foreign: list[str] = []
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        if number in own:
            continue
        try:
            about = os.fstat(number)
            flags = fcntl.fcntl(number, fcntl.F_GETFL)
        except OSError:     # the list's own
            continue
        kind = stat.S_IFMT(about.st_mode)
        if kind == stat.S_IFCHR and _device(about.st_rdev) in _STATELESS:
            continue
        if kind in (stat.S_IFREG, stat.S_IFDIR) and flags & os.O_ACCMODE == os.O_RDONLY:
            files.append(number)
        else:
            foreign.append(os.readlink(f"/proc/self/fd/{number}"))
    return files, foreign


def _device(number: int) -> tuple[int, int]:
    return os.major(number), os.minor(number)


def _shared_memory(page: memoryview) -> list[str]:
    """Return descriptions of memory that can be written and is mapped to be shared."""
    own = process.address_of(page)
    found = []
    with open("/proc/self/maps") as file:
        for line in file:
            place, rights, _, _, _, *name = line.split(maxsplit=5)
            start, end = (int(number, 16) for number in place.split("-"))
            if rights[1] == "w" and rights[3] == "s" and start != own:
                found.append(f"{end - start} bytes of {''.join(name).strip() or 'memory'}")
    return found


# The fork -------------------------------------------------------------------------


def _detach() -> bool:
    """Fork; return whether this is the new process: not a child of this one's, but its sibling."""
    middle = os.fork()
    if middle == 0:
        own = os.getpid()
        try:
            child = os.fork()
        except OSError as error:
            os._exit(error.errno or 1)
        if child:
            os._exit(0)
        while os.getppid() == own:
            time.sleep(_POLL)
        return True
    code = os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1])
    if code:
        raise OSError(abs(code), os.strerror(abs(code)))
    return False


def _become(worker: Worker, name: str, kind: str, descriptors: list[int], files: list[int]
            ) -> NoReturn:
    """Be what the worker was forked for."""
    gc.freeze()     # nothing that both have is looked through again
    if kind == SESSION:
        _become_worker(worker, name, descriptors, files)
    channel, = descriptors
    null = os.open(os.devnull, os.O_RDWR)
    process.replace_descriptors(null, null, null, channel)
    os.dup2(null, worker.pipe)
    os.close(null)
    os.close(channel)
    _open_anew(files)
    worker.rebind(process.map_page())
    _announce(process.CHANNEL)
    channel_socket = process.kept_channel()
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel_socket, MESSAGE, 8)
        if not message:
            os._exit(0)
        if not descriptors:     # what has become of a fork: process 1 acts on it itself
            continue
        try:
            if _detach():
                _become_worker(worker, message.decode(), descriptors, files)
        except OSError:
            pass        # process 1 sees that the descriptors are closed
        for descriptor in descriptors:
            os.close(descriptor)


def _become_worker(worker: Worker, name: str, descriptors: list[int], files: list[int]) -> NoReturn:
    """Be a session's worker, which finds all that the worker has.

    descriptors: as parent.Parent.fork has them.
    """
    *given, channel = descriptors
    _announce(channel)
    if not given:
        name, given = _hear_session(channel)
    data, output, last_words, page = given
    process.replace_descriptors(data, output, last_words, channel)
    os.dup2(1, worker.pipe)
    shared = process.map_page(page)
    for descriptor in (*given, channel):
        os.close(descriptor)
    _open_anew(files)
    worker.rebind(shared)
    try:
        siblings.part_again(name)
    except OSError as error:
        os.write(process.LAST_WORDS, f"hxpy: {error}\n".encode())
        os._exit(1)
    worker.live()


def _announce(channel: int) -> None:
    """Tell process 1, which sees who that is, and wait until the process has its own group."""
    sock = socket.socket(fileno=channel)
    try:
        sock.send(b"here")
        goes = sock.recv(MESSAGE) == b"go"
    except OSError:
        goes = False
    if not goes:    # nobody wants it any more
        os._exit(0)
    sock.detach()


def _hear_session(channel: int) -> tuple[str, list[int]]:
    """Wait for the session that this process was forked ahead for; return its name and descriptors."""
    siblings.prepare()
    sock = socket.socket(fileno=channel)
    while True:
        message, descriptors, _, _ = socket.recv_fds(sock, MESSAGE, 8)
        if not message:     # nobody has come
            os._exit(0)
        if descriptors:
            sock.detach()
            return message.decode(), descriptors


def _open_anew(files: list[int]) -> None:
    """Open files again at their descriptors: with one opening the position would be common."""
    for number in files:
        try:
            where = os.lseek(number, 0, os.SEEK_CUR)
            again = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(again, where, os.SEEK_SET)
        except OSError as error:
            print(f"hxpy: {error}", file=sys.__stderr__)
            os.close(number)
            continue
        os.dup2(again, number, os.get_inheritable(number))
        os.close(again)
