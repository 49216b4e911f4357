"""The processes of a container: their signals, their descriptors, who may look into them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket

__all__ = ["CONNECTION", "LAST_WORDS", "ignore_signals", "kept_socket", "kill_others", "make_page",
           "map_page", "memory_limit", "oom_kills", "reap", "set_descriptors", "set_dumpable",
           "set_worker", "watch_children"]

LAST_WORDS = 3      # descriptor for what explains a death
CONNECTION = 4      # of the socket that a process gets from process 1, if any

_PR_SET_DUMPABLE = 4
_HIGH = 10          # out of the way of the descriptors that are given numbers
_NO_LIMIT = 1 << 60


def set_dumpable(dumpable: bool) -> None:
    """Forbid or allow ptrace of, and core dumps of, this process (prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def ignore_signals() -> None:
    """Ignore every signal but SIGCHLD."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def watch_children() -> socket.socket:
    """Return a socket that is readable when a child has ended, and once at the beginning."""
    read_end, write_end = socket.socketpair()
    read_end.setblocking(False)
    write_end.setblocking(False)
    signal.set_wakeup_fd(write_end.detach())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    # A child may have died before the handler stood.
    signal.raise_signal(signal.SIGCHLD)
    return read_end


def reap() -> list[tuple[int, int]]:
    """Collect the children that have ended; return their ids and wait statuses."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def kill_others() -> None:
    """Kill every process of the container but this one, process 1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def oom_kills() -> int:
    """Return how often the kernel has killed for memory in this container (cgroup v1 or v2)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


def memory_limit() -> int:
    """Return the container's limit of memory in bytes (cgroup v1 or v2), 2**60 for none."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                text = file.read().strip()
        except OSError:
            continue
        return min(int(text), _NO_LIMIT) if text.isdigit() else _NO_LIMIT
    return _NO_LIMIT


def set_descriptors(output: int, last_words: int, keep: int = -1) -> None:
    """Give descriptors their places in a process that was just forked; close all others.

    output: becomes 1 and 2.  last_words: becomes LAST_WORDS.  keep: becomes CONNECTION.
    """
    kept = -1 if keep < 0 else fcntl.fcntl(keep, fcntl.F_DUPFD, _HIGH)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(last_words, LAST_WORDS, inheritable=False)
    if kept >= 0:
        os.dup2(kept, CONNECTION, inheritable=False)
    os.closerange(CONNECTION if kept < 0 else CONNECTION + 1, 1024)


def make_page() -> int:
    """Make the file of a page that two processes will share, without a name; return it."""
    page = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.ftruncate(page, mmap.PAGESIZE)
    return page


def map_page(page: int) -> memoryview:
    """Return the words of a page in a file."""
    return memoryview(mmap.mmap(page, mmap.PAGESIZE)).cast("Q")


def kept_socket() -> socket.socket:
    """Return the socket of CONNECTION."""
    return socket.socket(fileno=CONNECTION)


def set_worker() -> None:
    """Prepare to be a worker: its own process group, default signals, the first to be killed."""
    os.setpgid(0, 0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            pass
    # As Python itself begins: an error instead of death.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if os.access("/io", os.W_OK):
        os.umask(0)         # the server and other sessions are other users
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
