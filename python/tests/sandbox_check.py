"""What code in a session must not be able to do, and what it must.

To be run inside a container: docker/check-sandbox pipes this file into one that
is made as sessions are, and the SQL tests send the same file into a session and
evaluate run().  Needs nothing of hxpy.  Every attack is bounded and harms
nothing where it succeeds: calls that would change the machine get arguments that
the kernel refuses later than it refuses the right to make the call.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial

# System calls by machine: x86_64, aarch64 (None: there is no such call).
SYSCALLS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "chroot": (161, 51),
    "clone": (56, 220), "clone3": (435, 435), "delete_module": (176, 106), "execveat": (322, 281),
    "fanotify_init": (300, 262), "finit_module": (313, 273), "fsopen": (430, 430),
    "io_setup": (206, 0), "io_uring_setup": (425, 425), "ioperm": (173, None), "iopl": (172, None),
    "kcmp": (312, 272), "kexec_load": (246, 104), "keyctl": (250, 219), "memfd_create": (319, 279),
    "mknodat": (259, 33), "modify_ldt": (154, None), "mount": (165, 40), "move_mount": (429, 429),
    "mq_open": (240, 180), "msgget": (68, 186), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241),
    "personality": (135, 92), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434),
    "pivot_root": (155, 41), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "ptrace": (101, 117), "quotactl": (179, 60), "reboot": (169, 142), "request_key": (249, 218),
    "sched_setscheduler": (144, 119), "semget": (64, 190), "setdomainname": (171, 162),
    "setgid": (106, 144), "setgroups": (116, 159), "sethostname": (170, 161), "setns": (308, 268),
    "setuid": (105, 146), "shmget": (29, 194), "swapon": (167, 224), "syslog": (103, 116),
    "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "vmsplice": (278, 75),
}

CLONE_NEW = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
             "pid": 0x20000000, "net": 0x40000000}

X86 = platform.machine() == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)


class Checks:
    """The results, in order."""

    def __init__(self) -> None:
        self.results: list[tuple[str, bool]] = []

    def add(self, name: str, expected: bool) -> None:
        self.results.append((name, bool(expected)))

    def try_(self, name: str, check: Callable[[], object]) -> None:
        """Something that must work, and give a true value."""
        try:
            self.add(name, bool(check()))
        except Exception as e:  # which, is what one wants to know
            print(f"{name}: {type(e).__name__}: {e}", file=sys.stderr)
            self.add(name, False)

    def refused(self, name: str, attack: Callable[[], object], *errors: int) -> None:
        """Something that must fail with an OSError (of these kinds)."""
        try:
            result = attack()
        except OSError as e:
            expected = not errors or e.errno in errors
            if not expected:
                print(f"{name}: {e}", file=sys.stderr)
        else:
            print(f"{name}: gave {result!r}", file=sys.stderr)
            expected = False
        self.add(name, expected)


def syscall(name: str, *args: object) -> int:
    """Makes the call; raises OSError when it fails."""
    number = SYSCALLS[name][0 if X86 else 1]
    if number is None:
        raise OSError(errno.EPERM, "no such call on this machine")
    ctypes.set_errno(0)
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    result: int = libc.syscall(ctypes.c_long(number), *values)
    if result == -1:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return result


def fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads; the children make no use of them
        return os.fork()


def in_child(body: Callable[[], int]) -> int:
    """Runs body in a child process; gives its exit code, or minus the signal that ended it."""
    pid = fork()
    if pid == 0:
        code = 99
        try:
            code = body()
        except OSError as e:
            code = e.errno or 99
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def status() -> dict[str, list[str]]:
    with open("/proc/self/status") as f:
        return {key: value.split() for key, _, value in (line.partition(":") for line in f)}


def mounts() -> dict[str, tuple[str, list[str]]]:
    with open("/proc/self/mounts") as f:
        return {m[1]: (m[2], m[3].split(",")) for m in map(str.split, f)}


def read(path: str, size: int = 4096) -> bytes:
    with open(path, "rb", buffering=0) as f:
        return f.read(size)


# ---- what a process of a session is -------------------------------------------


def identity(c: Checks) -> None:
    s = status()
    c.add("uid is not root, and of the range", len(set(s["Uid"])) == 1 and int(s["Uid"][0]) >= 200000)
    c.add("gid is not root's, and of the range", len(set(s["Gid"])) == 1 and int(s["Gid"][0]) >= 200000)
    c.add("no further groups", not set(s["Groups"]) - {s["Gid"][0]})
    for which in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
        c.add(f"{which} is empty", int(s[which][0], 16) == 0)
    c.add("NoNewPrivs is 1", s["NoNewPrivs"] == ["1"])
    c.add("Seccomp is 2", s["Seccomp"] == ["2"])
    c.add("core dumps are off", resource.getrlimit(resource.RLIMIT_CORE) == (0, 0))
    c.add("open files are limited", 0 < resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 4096)
    c.add("locked memory is limited", 0 <= resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] <= 1 << 20)
    c.add("no set-uid program", not set_uid_programs("/usr"))


def set_uid_programs(top: str) -> list[str]:
    found = []
    for folder, _, names in os.walk(top):
        for name in names:
            with contextlib.suppress(OSError):
                s = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(s.st_mode) and s.st_mode & (stat.S_ISUID | stat.S_ISGID):
                    found.append(name)
    return found


# ---- system calls --------------------------------------------------------------


def calls(c: Checks) -> None:
    eperm = errno.EPERM
    path = ctypes.c_char_p(b"/tmp")
    word = ctypes.create_string_buffer(4096)
    vec = struct.pack("PN", ctypes.addressof(word), 8)

    def refused(name: str, *args: object, label: str = "", expect: int = eperm) -> None:
        if SYSCALLS[name][0 if X86 else 1] is not None:
            c.refused(label or name, lambda: syscall(name, *args), expect)

    refused("io_uring_setup", 1, word)
    refused("io_setup", 1, word)
    refused("mount", ctypes.c_char_p(b"none"), path, ctypes.c_char_p(b"tmpfs"), 0, None)
    refused("umount2", path, 0)
    refused("pivot_root", path, path)
    refused("move_mount", -1, path, -1, path, 0)
    refused("fsopen", ctypes.c_char_p(b"tmpfs"), 0)
    refused("open_tree", -100, path, 1)
    refused("chroot", ctypes.c_char_p(b"/"))
    for kind, flag in CLONE_NEW.items():
        refused("unshare", flag, label=f"unshare {kind}")
        c.refused(f"clone with a new {kind} namespace", partial(clone, flag), eperm)
    refused("clone3", None, 0, expect=errno.ENOSYS)
    refused("setns", -1, 0)
    refused("bpf", 0, word, 64)
    refused("perf_event_open", word, 0, -1, -1, 0)
    refused("userfaultfd", 0)
    refused("keyctl", 0, -3, 0)
    refused("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"x"), word, 1, -3)
    refused("request_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"x"), None, 0)
    refused("kexec_load", 0, 0, None, 0)
    refused("finit_module", -1, word, 0)
    refused("delete_module", ctypes.c_char_p(b"no such module"), 0)
    refused("reboot", 0, 0, 0, None)
    refused("swapon", ctypes.c_char_p(b"/nowhere"), 0)
    refused("sethostname", word, 1 << 20)
    refused("setdomainname", word, 1 << 20)
    refused("adjtimex", None)
    refused("syslog", 10, None, 0)
    refused("quotactl", -1, None, 0, None)
    refused("iopl", 0)
    refused("ioperm", 0, 1, 0)
    refused("modify_ldt", 0, word, 0)
    # in a child: a process that says it is traced would stop at its next signal
    c.add("ptrace", in_child(lambda: syscall("ptrace", 0, 0, None, None)) == eperm)
    refused("process_vm_readv", os.getpid(), vec, 1, vec, 1, 0)
    refused("process_vm_writev", os.getpid(), vec, 1, vec, 1, 0)
    refused("kcmp", os.getpid(), os.getpid(), 0, 0, 1)
    refused("pidfd_open", os.getpid(), 0)
    refused("pidfd_getfd", -1, 0, 0)
    refused("name_to_handle_at", -100, path, word, word, 0)
    refused("open_by_handle_at", -1, word, 0)
    refused("fanotify_init", 0, 0)
    refused("vmsplice", -1, vec, 1, 0)
    refused("memfd_create", ctypes.c_char_p(b"x"), 0)
    refused("execveat", -1, ctypes.c_char_p(b""), None, None, 0x1000)
    refused("mq_open", ctypes.c_char_p(b"x"), 0o102, 0o600, None)
    refused("msgget", 0, 0o600)
    refused("semget", 0, 1, 0o600)
    refused("shmget", 0, 4096, 0o600)
    refused("personality", 0x0040000, label="personality without address randomisation")
    refused("setuid", 0)
    refused("setgid", 0)
    refused("setgroups", 0, None)
    refused("sched_setscheduler", 0, 1, struct.pack("i", 1), label="real-time scheduling")
    node = ctypes.c_char_p(b"/tmp/hxpy-dev")
    refused("mknodat", -100, node, 0o60600, os.makedev(8, 0), label="mknod of a disk")
    refused("mknodat", -100, node, 0o20600, os.makedev(1, 1), label="mknod of /dev/mem")
    # With the values that are set, so that nothing changes where it is allowed.
    nofile = resource.RLIMIT_NOFILE
    c.refused("limits of process 1", lambda: resource.prlimit(1, nofile, resource.prlimit(1, nofile)), eperm)
    c.refused("CPUs of process 1", lambda: os.sched_setaffinity(1, os.sched_getaffinity(1)), eperm)
    for kind, who in (os.PRIO_PROCESS, 1), (os.PRIO_PGRP, os.getpgid(1)), (os.PRIO_USER, 0):
        c.refused(f"priority of process 1 by {kind}",
                  partial(os.setpriority, kind, who, os.getpriority(os.PRIO_PROCESS, 1)), eperm)
    c.refused("nice below 0", lambda: os.nice(-1), errno.EPERM, errno.EACCES)
    if X86:
        # -SIGSYS: killed by seccomp; SIGSEGV: the kernel has no such ABI
        c.add("no system calls of x32", in_child(x32_getpid) == -signal.SIGSYS)
        c.add("no system calls of i386", in_child(i386_getpid) in (-signal.SIGSYS, -signal.SIGSEGV))


def clone(flag: int) -> int:
    pid = syscall("clone", flag | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def x32_getpid() -> int:
    """getpid() of the x32 ABI; gives 0 when that works."""
    return 0 if libc.syscall(ctypes.c_long(0x40000000 + 39)) > 0 else 1


def i386_getpid() -> int:
    """getpid() by int 0x80; gives 0 when that works."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return 0 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0 else 1


# ---- network -------------------------------------------------------------------


def network(c: Checks) -> None:
    def opens(make: Callable[[int, int], object], kind: int) -> list[int]:
        found = []
        for family in range(64):
            if family == socket.AF_UNIX:
                continue
            try:
                make(family, kind)
            except OSError as e:
                if e.errno == errno.EPERM:
                    continue
            found.append(family)
        return found

    for kind, label in (1, "stream"), (2, "datagram"), (3, "raw"), (5, "seqpacket"):
        c.add(f"no {label} socket but AF_UNIX", not opens(socket.socket, kind))
    c.add("no socketpair but AF_UNIX", not opens(socket.socketpair, 1))
    a, b = socket.socketpair()
    with a, b:
        c.refused("no urgent data: send", lambda: a.send(b"x", socket.MSG_OOB), errno.EPERM)
        c.refused("no urgent data: sendmsg", lambda: a.sendmsg([b"x"], [], socket.MSG_OOB), errno.EPERM)
        c.refused("no urgent data: recv", lambda: b.recv(1, socket.MSG_OOB), errno.EPERM)
        c.refused("no urgent data: recvmsg", lambda: b.recvmsg(1, 0, socket.MSG_OOB), errno.EPERM)
    c.refused("a name is not resolved", lambda: socket.getaddrinfo("localhost.localdomain", 80))
    with open("/proc/net/dev") as f:
        interfaces = {line.split(":")[0].strip() for line in f if ":" in line}
        c.add("no network interface but lo", interfaces <= {"lo"})
    with open("/proc/net/route") as f:
        c.add("no route", len(f.read().splitlines()) <= 1)
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
                 "/run/podman/podman.sock"):
        c.add(f"no {path}", not os.path.lexists(path))


# ---- files ---------------------------------------------------------------------


def files(c: Checks) -> None:
    m = mounts()
    c.add("root is mounted read-only", "ro" in m["/"][1])
    writable = {path for path in m if os.path.isdir(path) and os.access(path, os.W_OK)}
    c.add("nothing is writable but /tmp, /dev/shm, /dev/mqueue",
          writable <= {"/tmp", "/dev/shm", "/dev/mqueue"})
    c.refused("no message queue by way of /dev/mqueue",
              lambda: os.open("/dev/mqueue/x", os.O_CREAT | os.O_RDWR, 0o600))
    for path in "/", "/usr", "/etc", "/run", "/var/tmp", "/usr/lib/python3/dist-packages/hxpy", "/home":
        c.refused(f"no file in {path}", partial(open, path + "/hxpy-x", "w"),
                  errno.EROFS, errno.EACCES, errno.ENOENT)
    c.refused("no append to /etc/passwd", lambda: open("/etc/passwd", "a"), errno.EROFS, errno.EACCES)
    for path in "/tmp", "/dev/shm":
        c.add(f"{path} is a tmpfs, nosuid, nodev, noexec",
              path in m and m[path][0] == "tmpfs" and {"nosuid", "nodev", "noexec"} <= set(m[path][1]))
        c.refused(f"no program runs from {path}", partial(run_copy, path), errno.EACCES)
    c.add("no library is loaded from /tmp", in_child(load_copy) == 1)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    c.add("the size of a file is limited", not unlimited and in_child(grow) == errno.EFBIG)
    for path in "/tmp", "/dev/shm":
        c.add(f"{path} has a size, and is full then", fill(path))
    c.add("/tmp has a number of files, and is full then", inodes("/tmp"))
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware",
                 "/dev/mem", "/dev/kmsg"):
        c.add(f"{path} shows nothing", shows_nothing(path))
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
                 "/sys/kernel/uevent_helper"):
        c.add(f"{path} cannot be written", not os.access(path, os.W_OK))
    c.add("no block device in /dev",
          not any(stat.S_ISBLK(os.lstat("/dev/" + name).st_mode) for name in os.listdir("/dev")))
    c.add("/sys is read-only", "ro" in m["/sys"][1] and
          all("ro" in o or not os.access(p, os.W_OK) for p, (_, o) in m.items() if p.startswith("/sys/")))
    if os.path.isdir("/run/hxpy"):
        name = "/run/hxpy/x"
        there = "/run/hxpy/" + (os.listdir("/run/hxpy") or ["x"])[0]
        refuses = errno.EROFS, errno.EACCES
        c.refused("the socket directory refuses create", lambda: open(name, "w"), *refuses)
        c.refused("the socket directory refuses symlink", lambda: os.symlink("/etc/passwd", name), *refuses)
        c.refused("the socket directory refuses unlink", lambda: os.unlink(there), *refuses)
    if os.getpid() != 1:
        c.refused("the environment of process 1 is hidden", lambda: read("/proc/1/environ"))
        c.refused("the files of process 1 are hidden", lambda: os.listdir("/proc/1/fd"))
        c.refused("the memory of process 1 is hidden", lambda: open("/proc/1/mem", "rb"))


def run_copy(path: str) -> int:
    name = shutil.copy("/bin/true", path + "/hxpy-true")
    try:
        os.chmod(name, 0o755)
        return subprocess.call([name])
    finally:
        os.unlink(name)


def load_copy() -> int:
    """Gives 1 when the loader refuses."""
    import _ctypes
    name = shutil.copy(_ctypes.__file__, "/tmp/hxpy-x.so")
    try:
        ctypes.CDLL(name)
        return 0
    except OSError:
        return 1
    finally:
        os.unlink(name)


def grow() -> int:
    """Makes a file longer than may be; in a child, since a signal comes with it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with tempfile.TemporaryFile(dir="/tmp") as f:
        os.ftruncate(f.fileno(), resource.getrlimit(resource.RLIMIT_FSIZE)[1] + 1)
    return 0


def fill(path: str) -> bool:
    s = os.statvfs(path)
    size = s.f_blocks * s.f_frsize
    if not 0 < size <= 256 << 20:
        print(f"{path}: {size} bytes", file=sys.stderr)
        return False
    block = bytes(1 << 20)
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(8):
                f = stack.enter_context(tempfile.TemporaryFile(dir=path, buffering=0))
                with contextlib.suppress(OverflowError):
                    for _ in range((size >> 20) + 1):
                        try:
                            f.write(block)
                        except OSError as e:
                            if e.errno == errno.EFBIG:
                                break  # the limit of one file; on to the next
                            raise
        except OSError as e:
            return e.errno == errno.ENOSPC
    return False


def inodes(path: str) -> bool:
    top = tempfile.mkdtemp(dir=path)
    try:
        for n in range(20000):
            os.close(os.open(f"{top}/{n}", os.O_CREAT | os.O_WRONLY))
        return False
    except OSError as e:
        return e.errno == errno.ENOSPC
    finally:
        shutil.rmtree(top)


def shows_nothing(path: str) -> bool:
    try:
        return not (os.listdir(path) if os.path.isdir(path) else read(path))
    except OSError:
        return True


# ---- limits --------------------------------------------------------------------


def limits(c: Checks, most: int = 1024) -> None:
    """Children that only wait, until one more is refused (at most so many)."""
    children = []
    r, w = os.pipe()
    refused = False
    try:
        for _ in range(most):
            pid = fork()
            if pid == 0:
                os.close(w)
                os.read(r, 1)
                os._exit(0)
            children.append(pid)
    except OSError as e:
        refused = e.errno == errno.EAGAIN
    finally:
        os.close(w)
        os.close(r)
        for pid in children:
            os.waitpid(pid, 0)
    c.add("the number of processes is limited", refused)
    c.add("memory is limited", limit("memory/memory.limit_in_bytes", "memory.max") <
          os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def limit(*names: str) -> float:
    """A limit of the control group, by its name in version 1 and in version 2."""
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            return int(read("/sys/fs/cgroup/" + name))
    return float("inf")


# ---- what must work ---------------------------------------------------------------


def works(c: Checks) -> None:
    c.try_("works: a file in /tmp", lambda: tempfile.TemporaryFile().write(b"x"))
    c.try_("works: threads", threads)
    c.try_("works: own limits, CPUs, priority", own_limits)
    c.try_("works: subprocess", processes)
    c.try_("works: multiprocessing pool", pool)
    c.try_("works: shared memory", shared_memory)
    c.try_("works: asyncio", event_loop)
    c.try_("works: AF_UNIX sockets", unix_sockets)
    c.try_("works: named pipe", named_pipe)
    c.try_("works: sqlite3", sqlite)
    c.try_("works: time zones", zones)
    c.try_("works: hashes and random numbers", hashes)
    c.try_("works: ctypes callback", callback)
    c.try_("works: numpy SVD", svd)
    c.try_("works: pandas groupby", groupby)
    c.try_("works: scipy", optimise)
    c.try_("works: scikit-learn fit", fit)
    c.try_("works: numexpr", expression)
    c.try_("works: matplotlib PNG", png)


def processes() -> bool:
    p = subprocess.run(["sh", "-c", "echo $((6 * 7)) | cat"], capture_output=True, check=True, timeout=20)
    return p.stdout == b"42\n"


def own_limits() -> bool:
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    before = os.nice(0)
    return in_child(lambda: os.nice(1) - before) == 1


def threads() -> bool:
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as ex:
        return list(ex.map(abs, range(-50, 0))) == list(range(50, 0, -1))


def pool() -> bool:
    import math
    import multiprocessing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with multiprocessing.get_context("fork").Pool(2) as p:
            return p.map_async(math.sqrt, [4.0, 9.0]).get(30) == [2.0, 3.0]


def shared_memory() -> bool:
    from multiprocessing.shared_memory import SharedMemory
    s = SharedMemory(create=True, size=65536)
    try:
        s.buf[:3] = b"abc"
        other = SharedMemory(s.name)
        same = bytes(other.buf[:3]) == b"abc"
        other.close()
        return same
    finally:
        s.close()
        s.unlink()


def event_loop() -> bool:
    """In a thread, where no loop of the caller's can be running."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def main() -> bytes:
        p = await asyncio.create_subprocess_exec("echo", "hello", stdout=subprocess.PIPE)
        out, _ = await asyncio.wait_for(p.communicate(), 20)
        return out

    with ThreadPoolExecutor(1) as ex:
        return ex.submit(asyncio.run, main()).result() == b"hello\n"


def unix_sockets() -> bool:
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as server, \
            socket.socket(socket.AF_UNIX) as client:
        server.bind(d + "/s")
        server.listen()
        client.connect(d + "/s")
        peer, _ = server.accept()
        with peer:
            client.sendall(b"x")
            return peer.recv(1) == b"x"


def named_pipe() -> bool:
    with tempfile.TemporaryDirectory() as d:
        os.mkfifo(d + "/p")
        return stat.S_ISFIFO(os.stat(d + "/p").st_mode)


def sqlite() -> bool:
    import sqlite3
    with tempfile.TemporaryDirectory() as d:
        db = sqlite3.connect(d + "/x.db")
        with db:
            db.execute("PRAGMA journal_mode = wal")
            db.execute("CREATE TABLE t AS VALUES (1), (2), (39)")
        (total,) = db.execute("SELECT sum(column1) FROM t").fetchone()
        db.close()
    return bool(total == 42)


def zones() -> bool:
    from datetime import datetime
    from zoneinfo import ZoneInfo
    offset = datetime(2024, 7, 1, tzinfo=ZoneInfo("America/New_York")).utcoffset()
    return offset is not None and offset.total_seconds() == -4 * 3600


def hashes() -> bool:
    import hashlib
    import secrets
    return (len(hashlib.sha256(secrets.token_bytes(8)).digest()) == 32
            and len(hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1)) == 64)


def callback() -> bool:
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = (ctypes.c_int * 3)(3, 1, 2)
    libc.qsort(values, ctypes.c_size_t(3), ctypes.c_size_t(4), kind(lambda a, b: a[0] - b[0]))
    return list(values) == [1, 2, 3]


def svd() -> bool:
    import numpy
    a = numpy.random.default_rng(1).normal(size=(300, 200))
    u, s, v = numpy.linalg.svd(a, full_matrices=False)
    return bool(numpy.allclose((u * s) @ v, a))


def groupby() -> bool:
    import pandas
    frame = pandas.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 41]})
    return bool(frame.groupby("k").v.sum()["a"] == 42)


def optimise() -> bool:
    import scipy.optimize
    return bool(abs(scipy.optimize.brentq(lambda x: x * x - 2, 0, 2) - 2 ** 0.5) < 1e-9)


def fit() -> bool:
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import RandomForestRegressor
    x, y = load_diabetes(return_X_y=True)
    return bool(RandomForestRegressor(10, random_state=1).fit(x, y).score(x, y) > 0.7)


def expression() -> bool:
    import numexpr
    import numpy
    a = numpy.arange(100000.0)
    return bool(numexpr.evaluate("2 * a + 1")[-1] == 199999.0) and bool(a[1] == 1)


def png() -> bool:
    import io

    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    out = io.BytesIO()
    figure = pyplot.figure()
    figure.gca().plot([1, 3, 2])
    figure.savefig(out, format="png")
    pyplot.close(figure)
    return out.getvalue().startswith(b"\x89PNG\r\n")


def run() -> list[tuple[str, bool]]:
    """All checks: (name, is it as expected?)."""
    c = Checks()
    for group in identity, calls, network, files, limits, works:
        try:
            group(c)
        except Exception as e:
            print(f"{group.__name__}: {type(e).__name__}: {e}", file=sys.stderr)
            c.add(f"{group.__name__}: ran to its end", False)
    return c.results


def main() -> int:
    results = run()
    for name, expected in results:
        print(f"{name}: {'expected' if expected else 'UNEXPECTED'}")
    bad = sum(not expected for _, expected in results)
    print(f"{len(results) - bad} expected, {bad} UNEXPECTED")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
