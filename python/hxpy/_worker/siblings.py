"""What parts a worker from its siblings, the sessions of its role in the same container.

All have one user id, so the kernel has to be told more: none can leave its process group,
which is how process 1 finds all that a session has started; none can see into another,
and where the kernel has Landlock(7), signal another or open its files.  What one process
after a fork must not have in common with another, as the state of random generators, is
made anew.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

__all__ = ["MOST_LAYERS", "directory", "forks_directory", "layers", "limit_memory", "part",
           "part_again", "prepare"]

MOST_LAYERS = 16    # of Landlock's rules and filters, in one process

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_PR_SET_NO_NEW_PRIVS = 38

# linux/filter.h, linux/seccomp.h
_LOAD = 0x20        # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15       # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35    # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06      # BPF_RET | BPF_K
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050001    # with EPERM
_NUMBER, _ARGUMENT = 0, 16      # offsets in struct seccomp_data

# Numbers of setsid, setpgid, kill.
_CALLS = {"x86_64": (112, 109, 62), "aarch64": (157, 154, 129)}

# linux/landlock.h; the numbers of the calls are those of all machines.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ABI_VERSION = 1            # flag of the first
_PATH_BENEATH = 1
_ACCESS = {1: 13, 2: 14, 3: 15, 4: 15}      # rights on files, by version; 16 from then on
_SCOPE = 3                  # abstract sockets and signals, from version 6 on

_FILES = 256        # NOFILE_LIMIT in src/engine/docker/sandbox.c

_Filter = struct.Struct("=HBBI")

_parted: list[str] = []     # directories of this session, and of those that it was forked from
_places: list[str] = []     # directories that all may use; the first looks, later ones cannot
_rules: list[tuple[int, int]] = []  # what make_rules has made ahead, for this process alone


def directory(name: str, origin: str = "") -> str:
    """Return the directory for temporary files of the session of a name.

    origin: that of the session that it is forked from, if any.
    """
    return f"{forks_directory(origin) if origin else '/tmp'}/{name}"


def forks_directory(own: str) -> str:
    """Return where sessions that are forked from that of a directory have theirs.

    What Landlock has taken from a process its forks cannot have, so a session may see into it.
    """
    return f"{own}.forks"


def layers() -> int:
    """Return how often this process and those that it comes from were parted."""
    return len(_parted)


def part_again(name: str) -> None:
    """Part this process, forked from a session's worker, from that, too."""
    part(directory(name, _parted[-1]))


def part(own: str) -> None:
    """Part this process, a worker that was just forked, from its siblings.

    own: its directory of temporary files, which is made.
    """
    if not _rules:
        prepare()
    os.mkdir(own, 0o700)
    os.mkdir(forks_directory(own), 0o700)
    _parted.append(own)
    os.chdir(own)
    os.environ["HOME"] = os.environ["TMPDIR"] = own
    if "tempfile" in sys.modules:
        vars(sys.modules["tempfile"])["tempdir"] = None     # to be found anew
    restrict_files(own, *_rules.pop())
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))    # as in a container of its own


def prepare() -> None:
    """Do ahead what needs no directory; once in each process that is to be parted."""
    reseed()
    keep_group()
    _rules.append(make_rules())


def reseed() -> None:
    """Seed the generators anew that do not do so themselves after a fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def limit_memory(size: int) -> None:
    """Let this process, and each that it starts, allocate so many bytes besides what it has."""
    with open("/proc/self/status") as file:
        has = next(int(line.split()[1]) for line in file if line.startswith("VmData:"))
    limit = has * 1024 + size
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]      # of the session that it is forked from
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def keep_group() -> None:
    """Refuse to leave the process group, and to signal another or all processes."""
    setsid, setpgid, kill = _CALLS[os.uname().machine]
    own_group = -os.getpid() & 0xFFFFFFFF
    code = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 6, 0, setsid),
        (_EQUAL, 5, 0, setpgid),
        (_EQUAL, 0, 3, kill),
        (_LOAD, 0, 0, _ARGUMENT),
        (_AT_LEAST, 0, 1, 0x80000000),      # a group, or all
        (_EQUAL, 0, 1, own_group),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    program = ctypes.create_string_buffer(b"".join(_Filter.pack(*line) for line in code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "prctl")


def restrict_files(own: str, rules: int, rights: int) -> None:
    """Leave of /tmp only `own` and what is forked from it, of /run nothing, of signals the same.

    rules, rights: of make_rules.  Does nothing where the kernel has no Landlock.
    """
    if rules < 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for place in own, forks_directory(own):
        allow(libc, rules, rights, place)
    if libc.syscall(_RESTRICT_SELF, rules, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(rules)


def make_rules() -> tuple[int, int]:
    """Return a set of rules that allows what all may use, -1 for none, and the rights it is about.

    Nothing is allowed here that the sandbox forbids.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _ABI_VERSION)
    if version < 1:
        return -1, 0
    rights = (1 << _ACCESS.get(version, 16)) - 1
    attributes = struct.pack("=QQQ", rights, 0, _SCOPE if version >= 6 else 0)
    # A kernel that is older takes no more than what it knows.
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    if not _places:
        # Files there, as /.dockerenv, are of no use; links lead to other places here.
        _places.extend(entry.path for entry in os.scandir("/")
                       if entry.name not in ("tmp", "run") and entry.is_dir(follow_symlinks=False))
    for place in _places:
        allow(libc, rules, rights, place)
    return rules, rights


def allow(libc: ctypes.CDLL, rules: int, rights: int, path: str) -> None:
    """Allow in a set of rules what is beneath a path."""
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if libc.syscall(_ADD_RULE, rules, _PATH_BENEATH,
                        struct.pack("=Qi", rights, opened), 0) != 0:
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
    finally:
        os.close(opened)
