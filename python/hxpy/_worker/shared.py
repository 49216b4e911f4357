"""Process 1 of a container that several sessions of one role share.

It serves all of them in one loop: for each a control connection, a process group, a pipe
of output.  Their workers are forked by the parent (parent.py), by another session's worker,
or by a parent that such a worker was forked into (forking.py).  A session ends with its
control connection, with its worker, when it idles out, or takes more memory or processes
than it may.  The container ends when the launcher's connection has ended and no session
is left.
"""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from .._tables.wire import ProtocolError, decode_texts, encode_texts
from . import endpoint, forking, parent, process, protocol, siblings
from .protocol import Connection, ConnectionClosed
from .supervisor import Supervisor, explain, greet

__all__ = ["run"]

_TICK = 0.5         # seconds between looks at what the sessions take
_ORDER_TICK = 0.005     # seconds until a full socket is tried again
_SPARE_WAIT = 0.03      # seconds after a session has come until a worker for the next is forked
_CROWDED = 0.7      # of the container's memory: from then on each session's is looked at
_BUFFER = 212992    # bytes of a control connection: one frame of output never waits in it
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_CREDENTIALS = struct.Struct("3i")      # of who has sent a message: process, user, group
_UNREAD = 65536     # bytes for a launcher that does not read; what is more is left out

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


class Forked:
    """A process that is forked from the parent, a worker or a worker's fork, and its group."""

    def __init__(self, name: str, channel: socket.socket, origin: Forked | None) -> None:
        self.name = name
        self.channel = channel          # to it
        self.origin = origin            # what it is forked from, None for the first parent
        self.child = 0                  # 0 as long as it is not known
        self.comes = origin is None     # who forks it is believed to tell which one it is
        self.over = False
        self.dead = False
        self.forks = 0                  # of it, that are not dead
        self.base = 0                   # bytes that it had in common with its origin
        self.directory: str = origin.directory if origin else "/tmp"
        if origin is not None:
            origin.forks += 1

    def is_coming(self) -> bool:
        """Return whether it is not known yet which process it is."""
        return not self.child and not self.over

    def kill(self) -> None:
        """Kill its processes; none can leave the group."""
        if self.child:
            try:
                os.killpg(self.child, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def tell(self, words: str) -> None:
        """Send it a message, unless it does not read."""
        try:
            self.channel.send(words.encode(), socket.MSG_DONTWAIT)
        except OSError:
            pass

    def close(self) -> None:
        """Close what process 1 has of it."""
        self.over = True
        self.channel.close()


class Sibling(Forked, Supervisor):
    """One of the sessions, and what it may take."""

    def __init__(self, name: str, channel: socket.socket, origin: Forked | None,
                 control: Connection, output: int, last_words: int, page: int) -> None:
        Supervisor.__init__(self, control, process.map_page(page), 0, output, last_words)
        Forked.__init__(self, name, channel, origin)
        self.directory = siblings.directory(name, origin.directory if origin else "")
        self.memory = 0             # bytes; 0 until the server has said so
        self.processes = 0          # and threads
        self.slot = ""              # the server's number for it
        self.waits = False          # for the server to read: its output is left in the pipe
        self.made: Forked | None = None     # a parent, until the server says that it counts

    def take(self, spare: Forked) -> None:
        """Have the process that was forked ahead for whoever comes."""
        self.child, self.base, self.comes = spare.child, spare.base, True
        if self.origin is not None:
            self.origin.forks -= 1      # it is not one more

    def open(self, options: dict[str, str]) -> None:
        """Take the session's options."""
        super().open(options)
        self.memory = int(options["memory"])
        self.processes = int(options["processes"])
        self.slot = str(int(options["slot"]))

    def interrupt(self) -> None:
        """Interrupt what the worker does; one that is not known yet has only begun."""
        if self.child:
            os.killpg(self.child, signal.SIGINT)

    def can_tell(self) -> bool:
        """Return whether the server has read most of what it was told."""
        poll = select.poll()
        poll.register(self.connection, select.POLLOUT)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close what process 1 has of the session."""
        super().close()
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
        self.by_name: dict[str, Forked] = {}        # until their process is known
        self.by_child: dict[int, Forked] = {}       # until it has ended, also when they are over
        self.heir: Forked | None = None     # the parent that py_share has made, if any
        self.heir_number = 0                # the server's for it, or for the last one
        self.unshared = 0                   # the highest that the server wants no more
        self.unheard = b""                  # of the launcher's line
        self.unread = b""                   # for the launcher
        self.orders: list[tuple[Forked, list[int]]] = []    # to fork a process with descriptors
        # Of the first parent (None) and the heir: a process that waits for a session.
        self.spares: dict[Forked | None, Forked] = {}
        self.spare_number = 0
        self.spare_at: float | None = None      # when those that are missing are forked
        self.look_at = 0.0      # when it is seen next who takes too much
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
        return [one for one in self.living() if isinstance(one, Sibling)]

    def living(self) -> list[Forked]:
        """Return the sessions and parents that are not over."""
        return [one for one in (*self.by_name.values(), *self.by_child.values()) if not one.over]

    def serve(self) -> None:
        """Serve until there is nobody to serve."""
        while self.takes_more or self.sessions():
            tick = self.tick()
            ready = dict(self.poll.poll(None if tick is None else tick * 1000))
            for descriptor, events in ready.items():
                if descriptor in self.handlers:
                    self.handlers[descriptor](events)
            # Last: a new session's descriptors may have the numbers of one that has ended.
            if self.place.watch in ready:
                for name in self.place.names():
                    self.admit_named(name)
            self.send_orders()
            if self.spare_at is not None and self.spare_at <= time.monotonic():
                self.order_spares()
            if self.look_at <= time.monotonic():
                self.look_at = time.monotonic() + _TICK
                self.look()
        os.set_blocking(self.output, False)
        try:
            self.pass_output(0)
        except BlockingIOError:
            pass

    def tick(self) -> float | None:
        """Return the seconds until something is due, if nothing comes before."""
        now = time.monotonic()
        due = [now + _ORDER_TICK] if self.orders else []
        if self.spare_at is not None:
            due.append(self.spare_at)
        if self.sessions():
            due.append(self.look_at)
        return max(0.0, min(due) - now) if due else None

    # The launcher and the parent ---------------------------------------------

    def refuse_more(self) -> None:
        """Take no further sessions; the launcher sees that its connection has ended."""
        if self.takes_more:
            self.takes_more = False
            for spare in list(self.spares.values()):
                self.leave(spare)
            self.unwatch(self.place.launcher.fileno())
            self.place.leave()

    def hear_launcher(self, events: int) -> None:
        """Do what the launcher wants; it wants no more sessions here when it is gone."""
        read = self.place.launcher.recv(4096)
        if not read:
            self.refuse_more()
        *lines, self.unheard = (self.unheard + read).split(b"\n")
        for line in lines:
            word, _, number = line.decode().partition(" ")
            if word == "measure":
                self.measure()
            elif word == "unshare":
                self.unshared = max(self.unshared, int(number))
                if self.heir_number <= self.unshared:
                    self.replace_heir(None, self.heir_number)

    def hear_parent(self, events: int) -> None:
        """Take a message of the parent; without it there are no further sessions."""
        message = self.first.recv(process.MESSAGE)
        if not message:
            self.unwatch(self.first.fileno())
            self.refuse_more()
            for wanted in list(self.by_name.values()):
                self.note_refusal(wanted, "the process that forks it has ended")
        elif not self.ready:
            self.ready = True
            self.spare_at = time.monotonic()
            self.place.launcher.sendall(message)
            self.place.launcher.setblocking(False)
        else:
            kind, *words = message.decode().split()
            if kind == "started":
                self.note_start(words[0], int(words[1]))
            elif kind == "refused":
                self.note_refusal(self.by_name[words[0]], os.strerror(int(words[1])))
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

    def admit_named(self, name: str) -> None:
        """Have a worker for the session whose socket has come."""
        if not name.startswith(endpoint.HEIR_PREFIX):
            self.admit(name, None)
        elif self.heir is not None:
            self.admit(name, self.heir)
        else:
            self.tell_launcher(f"unshared {self.heir_number}\n")
            refuse(name)

    def admit(self, name: str, origin: Forked | None) -> None:
        """Connect to a session's socket, and have a worker forked for it, or take one that waits."""
        connected = connect(name)
        if connected is None:
            return
        control, data = connected
        output, output_end = os.pipe()
        words, words_end = os.pipe()
        page = process.make_page()
        given = [data.detach(), output_end, words_end, page]
        # First: it can begin meanwhile.
        spare = self.take_spare(origin, name, given)
        channel, channel_end = (spare.channel, None) if spare is not None else make_channel()
        session = Sibling(name, channel, origin, control, output, words, page)
        self.watch(session.connection.fileno(),
                   lambda events: self.serve_control(session, events))
        self.watch(session.output, lambda events: self.serve_output(session))
        if channel_end is not None:
            self.by_name[name] = session
            self.order(session, [*given, channel_end.detach()])
        elif spare is not None:
            session.take(spare)
            self.by_child[session.child] = session
            for descriptor in given:
                os.close(descriptor)

    def take_spare(self, origin: Forked | None, name: str, given: list[int]) -> Forked | None:
        """Give descriptors to the process that waits for a session; None if there is none to reach."""
        self.spare_at = time.monotonic() + _SPARE_WAIT      # who is just coming comes first
        spare = self.spares.get(origin)
        if spare is None or not spare.child:
            return None
        try:
            send_descriptors(spare.channel, name, given)
        except OSError:     # it has ended
            return None
        del self.spares[origin]
        return spare

    def order_spares(self) -> None:
        """Have processes forked for sessions that are to come."""
        self.spare_at = None
        for origin in (None, self.heir) if self.heir is not None else (None,):
            if origin in self.spares or not self.takes_more:
                continue
            self.spare_number += 1
            channel, channel_end = make_channel()
            spare = Forked(f"spare-{self.spare_number}", channel, origin)
            self.spares[origin] = self.by_name[spare.name] = spare
            self.order(spare, [channel_end.detach()])

    def order(self, wanted: Forked, descriptors: list[int]) -> None:
        """Have a process forked from its origin, with these descriptors."""
        if wanted.origin is not None:       # it is not believed what its fork is
            self.watch(wanted.channel.fileno(), lambda events: self.hear_fork(wanted))
        self.orders.append((wanted, descriptors))
        self.send_orders()

    def send_orders(self) -> None:
        """Hand out the orders, as far as who shall fork is known and has room for them.

        A worker may have answered its server before its parent has said which process it is,
        and a fork is known by its origin's.  A few orders fill a socket, and a hundred
        sessions may come at once.  One that never reads keeps an order until the server gives
        the session up.
        """
        self.orders = [order for order in self.orders if not self.send_order(*order)]

    def send_order(self, wanted: Forked, descriptors: list[int]) -> bool:
        """Hand out an order, unless it must wait; return whether it is done with."""
        if not wanted.over:
            if wanted.origin is not None and wanted.origin.is_coming():
                return False
            forker = self.first if wanted.origin is None else wanted.origin.channel
            try:
                send_descriptors(forker, wanted.name, descriptors)
            except BlockingIOError:
                return False
            except OSError:     # it is not there any more
                self.forget(wanted)
        if wanted.over:
            self.forget(wanted)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def hear_fork(self, wanted: Forked) -> None:
        """Notice which process a worker has forked, and have the parent give it a group.

        Who has sent the message says the kernel.  It is one of the worker's, by its group.
        """
        self.unwatch(wanted.channel.fileno())
        assert wanted.origin is not None
        message, ancillary, _, _ = wanted.channel.recvmsg(
            process.MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        child = _CREDENTIALS.unpack(ancillary[0][2])[0] if message and ancillary else 0
        if child and child not in self.by_child and read_group(child) == wanted.origin.child:
            wanted.comes = True
            try:
                self.first.send(f"{wanted.name} {child}".encode())
            except OSError as error:
                self.note_refusal(wanted, str(error))
        else:
            self.note_refusal(wanted, "the process has ended")

    def note_start(self, name: str, child: int) -> None:
        """Know a session's or parent's process from now on."""
        started = self.by_name[name]
        if child in self.by_child:      # it has said so for two
            self.note_refusal(started, "the process is another session's")
            return
        del self.by_name[name]
        started.child = child
        self.by_child[child] = started
        if started.over:
            started.kill()
        elif started.origin is not None:
            started.base = read_memory(started.origin.child)
            started.tell("go")
            started.origin.tell(f"{name} done")

    def note_refusal(self, wanted: Forked, reason: str) -> None:
        """Know that there will be no such process."""
        if wanted.origin is not None:
            wanted.origin.tell(f"{wanted.name} {reason}")
        if isinstance(wanted, Sibling) and not wanted.over:
            self.end(wanted, "exit", reason)
        self.forget(wanted)

    def forget(self, wanted: Forked) -> None:
        """Know nothing of a session or parent that has no process any more, or never had one."""
        self.by_name.pop(wanted.name, None)
        self.leave(wanted)
        self.bury(wanted)

    def note_death(self, pid: int, status: int) -> None:
        """Notice that a process has ended; of a worker tell the server why."""
        ended = self.by_child.pop(pid, None)
        if ended is None:
            return
        if not ended.over:
            killed = process.oom_kills() > self.oom_kills and os.WIFSIGNALED(status)
            self.oom_kills += killed
            if isinstance(ended, Sibling):
                self.end(ended, *explain(status, killed))
        ended.kill()        # what is left of the group
        if ended is self.heir:
            self.replace_heir(None, self.heir_number)
        self.forget(ended)

    def bury(self, ended: Forked) -> None:
        """Remove the directories of what has ended, that of its forks after the last of them."""
        if ended.dead:
            return
        ended.dead = True
        if isinstance(ended, Sibling):
            remove(ended.directory)
        one: Forked | None = ended
        while one is not None and one.dead and not one.forks:
            if isinstance(one, Sibling):
                remove(siblings.forks_directory(one.directory))
            one = one.origin
            if one is not None:
                one.forks -= 1

    # Sessions that are forked, and become parents ----------------------------------

    def fork(self, session: Sibling, name: str, kind: str) -> None:
        """Have a session's worker forked, as its server wants."""
        if kind == forking.SESSION:
            self.admit(name, session)
            return
        channel, channel_end = make_channel()
        if session.made is not None:
            self.leave(session.made)
        session.made = self.by_name[name] = Forked(name, channel, session)
        self.order(session.made, [channel_end.detach()])

    def share(self, session: Sibling, number: int) -> None:
        """Let the parent that a session has made be the one of those that come."""
        made, session.made = session.made, None
        if made is None or made.over:
            return
        if number > max(self.heir_number, self.unshared):
            self.replace_heir(made, number)
        else:       # what the server has said meanwhile has come before
            self.leave(made)

    def replace_heir(self, heir: Forked | None, number: int) -> None:
        """End the parent of the sessions that come, but not these; another may take its place."""
        before, self.heir = self.heir, heir
        self.spare_at = time.monotonic() + _SPARE_WAIT
        if before is not None:
            if heir is None:
                self.tell_launcher(f"unshared {self.heir_number}\n")
            self.leave(before)
        self.heir_number = number

    # What the launcher asks for ------------------------------------------------------

    def measure(self) -> None:
        """Tell the launcher what memory and CPU time each session has taken."""
        taken = measure_groups()
        own = taken.get(self.parent_id, Taken()).memory
        for session in self.sessions():
            if session.child and session.slot:
                group = taken.get(session.child, Taken())
                memory = max(0, group.memory - max(own, session.base))
                self.tell_launcher(f"session {session.slot} {memory} {group.time}\n")
        self.tell_launcher("")

    def tell_launcher(self, line: str) -> None:
        """Send the launcher a line; if it does not read, later or never."""
        if len(self.unread) < _UNREAD:
            self.unread += line.encode()
        try:
            self.unread = self.unread[self.place.launcher.send(self.unread):]
        except OSError:
            pass

    def serve_control(self, session: Sibling, events: int) -> None:
        """Carry out what a session's server wants."""
        if session.waits and events & select.POLLOUT:
            session.waits = False
            self.poll.modify(session.connection, select.POLLIN)
            self.poll.register(session.output, select.POLLIN)
        if events & ~select.POLLOUT:
            self.guard(session, lambda: self.command(session))

    def command(self, session: Sibling) -> None:
        """Carry out the frames of a session's server."""
        for kind, payload in session.commands():
            if kind == protocol.FORK:
                self.fork(session, **decode_texts(payload))
            elif kind == protocol.SHARE:
                self.share(session, int(decode_texts(payload)["number"]))

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

    def leave(self, ended: Forked) -> None:
        """End a session whose server knows, or a parent."""
        if ended.over:
            return
        self.unwatch(ended.channel.fileno())
        if self.spares.get(ended.origin) is ended:
            del self.spares[ended.origin]
        if ended in self.spares:
            self.leave(self.spares[ended])
        if isinstance(ended, Sibling):
            self.unwatch(ended.connection.fileno())
            self.unwatch(ended.output)
            if ended.made is not None:
                self.leave(ended.made)
        ended.close()
        ended.kill()
        if not ended.comes:
            self.forget(ended)

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
        own = taken.get(self.parent_id, Taken()).memory     # which all have in common with it
        for session in open_ones:
            group = taken.get(session.child, Taken())
            if group.tasks > session.processes:
                self.end(session, "processes", str(session.processes))
            elif group.memory - max(own, session.base) > session.memory:
                self.end(session, "memory", "")

    def is_crowded(self, open_ones: list[Sibling]) -> bool:
        """Return whether one of the sessions may take too much: a look that costs little."""
        least = min(session.processes for session in open_ones)
        others = 1 + len(self.by_child)    # process 1, the first parent, all but one worker
        return (read_number(_TASKS) > least + others or
                read_number(_MEMORY) > process.memory_limit() * _CROWDED)


def connect(name: str) -> tuple[Connection, socket.socket] | None:
    """Connect to a session's socket, and greet; return the connections for control and data.

    None when the server has given up.
    """
    connected: list[socket.socket] = []
    try:
        for _ in range(2):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connected.append(sock)
            sock.setblocking(False)
            sock.connect(f"{endpoint.DIRECTORY}/{name}")
            sock.setblocking(True)
        control, data = connected
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        return greet(control), data
    except OSError:
        for sock in connected:
            sock.close()
        return None


def refuse(name: str) -> None:
    """Tell a session that there is no parent any more that it could be forked from."""
    connected = connect(name)
    if connected is not None:
        control, data = connected
        with control.sock, data:
            try:
                control.send(protocol.DEAD, 0, encode_texts(reason="parent", value="", output=""))
            except OSError:
                pass    # it has given up


def read_number(paths: tuple[str, ...]) -> int:
    """Return the number in the first file that is there and holds one; else 0."""
    for path in paths:
        try:
            with open(path) as file:
                return int(file.read())
        except (OSError, ValueError):
            continue
    return 0


@dataclass
class Taken:
    """What a process group has taken."""

    tasks: int = 0
    memory: int = 0     # bytes
    time: int = 0       # microseconds of CPU, with that of children that were waited for


def read_process(pid: int | str) -> list[int]:
    """Return the numbers of /proc/PID/stat from the parent's id on; none when it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return [int(field) for field in file.read().rpartition(")")[2].split()[1:22]]
    except OSError:
        return []


def read_group(pid: int) -> int:
    """Return the process group of a process, 0 when it has ended."""
    fields = read_process(pid)
    return fields[1] if fields else 0


def read_memory(pid: int) -> int:
    """Return the bytes of memory of a process, 0 when it has ended."""
    fields = read_process(pid)
    return fields[20] * _PAGE if fields else 0


def measure_groups() -> dict[int, Taken]:
    """Return what the process groups of the container have taken."""
    groups: dict[int, Taken] = {}
    for name in os.listdir("/proc"):
        fields = read_process(name) if name.isdigit() else []
        if not fields:
            continue
        group = groups.setdefault(fields[1], Taken())
        group.tasks += fields[16]
        group.memory += fields[20] * _PAGE
        group.time += sum(fields[10:14]) * 1000000 // _TICKS
    return groups


def send_descriptors(forker: socket.socket, name: str, descriptors: list[int]) -> None:
    """Send a name and descriptors, or raise BlockingIOError when there is no room.

    socket.send_fds() passes no flags on.
    """
    forker.sendmsg([name.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", descriptors))], socket.MSG_DONTWAIT)


def make_channel() -> tuple[socket.socket, socket.socket]:
    """Return a channel to a worker; the first end learns which process has sent a message."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


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
