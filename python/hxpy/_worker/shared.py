"""Process 1 of a container that several sessions of one role share.

It serves all of them in one loop: for each a control connection, a process group, a pipe
of output.  Their workers are forked by the parent (parent.py).  A session ends with its
control connection, with its worker, when it idles out, or takes more memory or processes
than it may.  The container ends when the launcher's connection has ended and no session
is left.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable

from .._tables.wire import ProtocolError
from . import endpoint, parent, process, siblings
from .protocol import ConnectionClosed
from .supervisor import Supervisor, explain, greet

__all__ = ["run"]

_TICK = 0.5         # seconds between looks at what the sessions take
_CROWDED = 0.7      # of the container's memory: from then on each session's is looked at
_BUFFER = 212992    # bytes of a control connection: one frame of output never waits in it
_PAGE = os.sysconf("SC_PAGE_SIZE")

# Files of cgroup v2, or v1.
_MEMORY = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
_TASKS = ("/sys/fs/cgroup/pids.current", "/sys/fs/cgroup/pids/pids.current")


def run() -> None:
    """Start the parent and serve sessions."""
    output, output_end = os.pipe()
    words, words_end = os.pipe()
    place = endpoint.PoolPlace(endpoint.SHARED_SOCKET)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        parent.start(output_end, words_end, theirs.fileno())
    theirs.close()
    os.close(output_end)
    os.close(words_end)
    Shared(place, ours, child, output).serve()


class Sibling(Supervisor):
    """One of the sessions: its name, and what it may take."""

    def __init__(self, name: str, control: socket.socket, output: int, last_words: int,
                 page: int) -> None:
        super().__init__(greet(control), process.map_page(page), 0, output, last_words)
        self.name = name
        self.memory = 0             # bytes; 0 until the server has said so
        self.processes = 0          # and threads
        self.waits = False          # for the server to read: its output is left in the pipe
        self.over = False

    def open(self, options: dict[str, str]) -> None:
        """Take the session's options."""
        super().open(options)
        self.memory = int(options["memory"])
        self.processes = int(options["processes"])

    def interrupt(self) -> None:
        """Interrupt what the worker does; one that is not known yet has only begun."""
        if self.child:
            os.killpg(self.child, signal.SIGINT)

    def kill(self) -> None:
        """Kill the session's processes; none can leave the group."""
        if self.child:
            try:
                os.killpg(self.child, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def can_tell(self) -> bool:
        """Return whether the server has read most of what it was told."""
        poll = select.poll()
        poll.register(self.connection, select.POLLOUT)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close what process 1 has of the session."""
        self.over = True
        self.connection.sock.close()
        os.close(self.output)
        os.close(self.last_words)


class Shared:
    """The sessions of a container, and the loop."""

    def __init__(self, place: endpoint.PoolPlace, first: socket.socket, parent_id: int,
                 output: int) -> None:
        self.place = place
        self.first = first              # the parent's socket
        self.parent_id = parent_id
        self.output = output            # of the parent
        self.wakeup = process.watch_children()
        self.takes_more = True
        self.ready = False              # the parent has done its imports
        self.by_name: dict[str, Sibling] = {}       # until their worker is known
        self.by_child: dict[int, Sibling] = {}      # until it has ended, also when they are over
        self.oom_kills = process.oom_kills()        # that are explained
        self.poll = select.poll()
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.watch(place.launcher.fileno(), self.hear_launcher)
        self.watch(first.fileno(), self.hear_parent)
        self.watch(output, self.pass_output)
        self.watch(self.wakeup.fileno(), self.collect)
        self.poll.register(place.watch, select.POLLIN)

    def watch(self, descriptor: int, handler: Callable[[int], None]) -> None:
        """Have a function called when there is something to read."""
        self.handlers[descriptor] = handler
        self.poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        """End that."""
        if self.handlers.pop(descriptor, None) is not None:
            try:
                self.poll.unregister(descriptor)
            except KeyError:
                pass    # of a session that waits

    def sessions(self) -> list[Sibling]:
        """Return the sessions that are not over."""
        known = [*self.by_name.values(), *self.by_child.values()]
        return [session for session in known if not session.over]

    def serve(self) -> None:
        """Serve until there is nobody to serve."""
        while self.takes_more or self.sessions():
            ready = dict(self.poll.poll(_TICK * 1000 if self.sessions() else None))
            for descriptor, events in ready.items():
                if descriptor in self.handlers:
                    self.handlers[descriptor](events)
            # Last: a new session's descriptors may have the numbers of one that has ended.
            if self.place.watch in ready:
                for name in self.place.names():
                    self.admit(name)
            self.look()
        os.set_blocking(self.output, False)
        try:
            self.pass_output(0)
        except BlockingIOError:
            pass

    # The launcher and the parent ---------------------------------------------

    def refuse_more(self) -> None:
        """Take no further sessions; the launcher sees that its connection has ended."""
        if self.takes_more:
            self.takes_more = False
            self.unwatch(self.place.launcher.fileno())
            self.place.leave()

    def hear_launcher(self, events: int) -> None:
        """Notice that the launcher wants no more sessions here, or is gone."""
        if not self.place.launcher.recv(4096):
            self.refuse_more()

    def hear_parent(self, events: int) -> None:
        """Take a message of the parent; without it there are no further sessions."""
        message = self.first.recv(parent.MESSAGE)
        if not message:
            self.unwatch(self.first.fileno())
            self.refuse_more()
        elif not self.ready:
            self.ready = True
            self.place.launcher.sendall(message)
        else:
            kind, *words = message.decode().split()
            if kind == "started":
                self.note_worker(words[0], int(words[1]))
            elif kind == "refused":
                session = self.by_name.pop(words[0])
                if not session.over:
                    self.end(session, "exit", os.strerror(int(words[1])))
            else:
                self.note_death(int(words[0]), int(words[1]))

    def pass_output(self, events: int) -> None:
        """Pass the parent's output on to this process's own (docker logs)."""
        text = os.read(self.output, 65536)
        os.write(2, text)
        if not text:
            self.unwatch(self.output)

    def collect(self, events: int) -> None:
        """Collect children: the parent, helpers, and whoever has lost the own parent."""
        self.wakeup.recv(4096)
        for pid, status in process.reap():
            self.note_death(pid, status)

    # Sessions ------------------------------------------------------------------

    def admit(self, name: str) -> None:
        """Connect to a session's socket, and have a worker forked for it."""
        path = f"{endpoint.DIRECTORY}/{name}"
        connected: list[socket.socket] = []
        try:
            for _ in range(2):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connected.append(sock)
                sock.setblocking(False)
                sock.connect(path)
                sock.setblocking(True)
        except OSError:     # the server has given up
            for sock in connected:
                sock.close()
            return
        control, data = connected
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        output, output_end = os.pipe()
        words, words_end = os.pipe()
        page = process.make_page()
        session = Sibling(name, control, output, words, page)
        self.by_name[name] = session
        self.watch(control.fileno(), lambda events: self.serve_control(session, events))
        self.watch(output, lambda events: self.serve_output(session))
        try:
            socket.send_fds(self.first, [name.encode()],
                            [data.fileno(), output_end, words_end, page])
        except OSError:     # there is no parent any more
            del self.by_name[name]
            self.leave(session)
        data.close()
        for descriptor in (output_end, words_end, page):
            os.close(descriptor)

    def note_worker(self, name: str, child: int) -> None:
        """Know a session's worker from now on."""
        session = self.by_name.pop(name)
        session.child = child
        self.by_child[child] = session
        if session.over:
            session.kill()

    def note_death(self, pid: int, status: int) -> None:
        """Notice that a process has ended; of a worker tell the server why."""
        session = self.by_child.pop(pid, None)
        if session is None:
            return
        if not session.over:
            killed = process.oom_kills() > self.oom_kills and os.WIFSIGNALED(status)
            self.oom_kills += killed
            self.end(session, *explain(status, killed))
        session.kill()      # what is left of the group
        remove(siblings.directory(session.name))

    def serve_control(self, session: Sibling, events: int) -> None:
        """Carry out what a session's server wants."""
        if session.waits and events & select.POLLOUT:
            session.waits = False
            self.poll.modify(session.connection, select.POLLIN)
            self.poll.register(session.output, select.POLLIN)
        if events & ~select.POLLOUT:
            self.guard(session, session.command)

    def serve_output(self, session: Sibling) -> None:
        """Pass a session's output on, unless its server does not read: nobody waits for it."""
        if session.can_tell():
            self.guard(session, lambda: self.forward(session))
        else:
            session.waits = True
            self.poll.unregister(session.output)
            self.poll.modify(session.connection, select.POLLIN | select.POLLOUT)

    def forward(self, session: Sibling) -> None:
        """Pass on what of a session's output is there, until its end."""
        if not session.forward():
            self.unwatch(session.output)

    def guard(self, session: Sibling, step: Callable[[], object]) -> None:
        """Take a step for a session, which is over when its connection is, or is of no use."""
        try:
            step()
        except (ConnectionClosed, OSError, ProtocolError, LookupError, ValueError):
            self.leave(session)

    def end(self, session: Sibling, reason: str, value: str) -> None:
        """End a session and tell its server why, if that reads."""
        os.set_blocking(session.connection.fileno(), False)
        self.guard(session, lambda: session.report(reason, value, session.kill))
        self.leave(session)

    def leave(self, session: Sibling) -> None:
        """End a session whose server knows."""
        if session.over:
            return
        self.unwatch(session.connection.fileno())
        self.unwatch(session.output)
        session.close()
        session.kill()

    # Limits ----------------------------------------------------------------------

    def look(self) -> None:
        """End the sessions that have been idle too long, or take more than they may."""
        for session in self.sessions():
            if session.idle_left() == 0.0:
                self.end(session, "idle", f"{session.idle_timeout:g}")
        open_ones = [session for session in self.sessions() if session.child and session.memory]
        if not open_ones or not self.is_crowded(open_ones):
            return
        taken = measure_groups()
        own = taken.get(self.parent_id, (0, 0))[1]      # which all have in common with it
        for session in open_ones:
            tasks, memory = taken.get(session.child, (0, 0))
            if tasks > session.processes:
                self.end(session, "processes", str(session.processes))
            elif memory - own > session.memory:
                self.end(session, "memory", "")

    def is_crowded(self, open_ones: list[Sibling]) -> bool:
        """Return whether one of the sessions may take too much: a look that costs little."""
        least = min(session.processes for session in open_ones)
        return (read_number(_TASKS) > least + len(open_ones) or
                read_number(_MEMORY) > process.memory_limit() * _CROWDED)


def read_number(paths: tuple[str, ...]) -> int:
    """Return the number in the first file that is there and holds one; else 0."""
    for path in paths:
        try:
            with open(path) as file:
                return int(file.read())
        except (OSError, ValueError):
            continue
    return 0


def measure_groups() -> dict[int, tuple[int, int]]:
    """Return how many tasks and bytes of memory the process groups of the container have."""
    groups: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:     # it has ended
            continue
        group, tasks, pages = int(fields[2]), int(fields[17]), int(fields[21])
        before = groups.get(group, (0, 0))
        groups[group] = (before[0] + tasks, before[1] + pages * _PAGE)
    return groups


def remove(directory: str) -> None:
    """Begin to remove a session's directory, however deep it is and whoever may not enter it."""
    try:
        os.rmdir(directory)
        return      # most are empty, and helpers cost more than the session's start
    except OSError:
        pass
    try:
        os.posix_spawn("/bin/sh", ["sh", "-c", 'chmod -R u+rwx "$0"; rm -rf "$0"', directory], {})
    except OSError:
        pass
