"""The processes of a container: their signals, their descriptors, who may look into them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket

__all__ = ["CHANNEL", "CONNECTION", "LAST_WORDS", "MESSAGE", "address_of", "adopt_orphans", "ignore_signals",
           "kept_channel", "kept_socket", "kill_others", "make_page", "map_page", "memory_limit",
           "oom_kills", "reap", "replace_descriptors", "set_descriptors", "set_dumpable", "set_worker",
           "unmap_page", "watch_children"]

LAST_WORDS = 3      # descriptor for what explains a death
CONNECTION = 4      # of the socket that a process gets from process 1, if any
CHANNEL = 5         # of the one over which it is told to fork, in a shared container
MESSAGE = 4096      # bytes of the longest message between processes of a container

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_WRITABLE = 0x200   # PyBUF_WRITE
_HIGH = 10          # out of the way of the descriptors that are given numbers
_NO_LIMIT = 1 << 60


def set_dumpable(dumpable: bool) -> None:
    """Forbid or allow ptrace of, and core dumps of, this process (prctl(2))."""
    _control(_PR_SET_DUMPABLE, int(dumpable))


def adopt_orphans() -> None:
    """Let this process be the parent of all that its descendants leave behind (prctl(2))."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)


def _control(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
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


def set_descriptors(output: int, last_words: int, *keep: int) -> None:
    """Give descriptors their places in a process that was just forked; close all others.

    output: becomes 1 and 2.  last_words: becomes LAST_WORDS.  keep: become CONNECTION, CHANNEL.
    """
    kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in keep]
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(last_words, LAST_WORDS, inheritable=False)
    for number, descriptor in enumerate(kept, CONNECTION):
        os.dup2(descriptor, number, inheritable=False)
    os.closerange(CONNECTION + len(kept), 1024)


def replace_descriptors(data: int, output: int, last_words: int, *channel: int) -> None:
    """Put others in the places of these, and leave all else as it is."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number, descriptor in enumerate((last_words, data, *channel), LAST_WORDS):
        os.dup2(descriptor, number, inheritable=False)


def make_page() -> int:
    """Make the file of a page that two processes will share, without a name; return it."""
    page = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.ftruncate(page, mmap.PAGESIZE)
    return page


def map_page(page: int = -1) -> memoryview:
    """Return the words of a page in a file, or of one that nobody shares.

    Not by the module mmap, which would keep a descriptor of its own.
    """
    kind = mmap.MAP_SHARED if page >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE, kind,
                        page, ctypes.c_long(0))
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    view = ctypes.pythonapi.PyMemoryView_FromMemory
    view.restype = ctypes.py_object
    bytes_of: memoryview = view(ctypes.c_void_p(address), ctypes.c_ssize_t(mmap.PAGESIZE), _WRITABLE)
    return bytes_of.cast("Q")


def address_of(page: memoryview) -> int:
    """Return where a page is mapped."""
    return ctypes.addressof(ctypes.c_char.from_buffer(page))


def unmap_page(page: memoryview) -> None:
    """Let go of a page."""
    address = address_of(page)
    page.release()
    ctypes.CDLL(None).munmap(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE))


def kept_socket() -> socket.socket:
    """Return the socket of CONNECTION."""
    return socket.socket(fileno=CONNECTION)


def kept_channel() -> socket.socket:
    """Return the socket of CHANNEL; it is not closed with what is returned."""
    return _Kept(fileno=CHANNEL)


class _Kept(socket.socket):
    """A socket whose descriptor outlives it."""

    def __del__(self) -> None:
        self.detach()


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
