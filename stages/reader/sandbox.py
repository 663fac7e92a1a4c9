"""What the child gives up before it looks at a document. Linux only; nothing needs privilege.

`lock_in` must always work. `leave_network` and `hide_files` are done where the kernel allows them
(a container may forbid user namespaces, Landlock came with Linux 5.13): without them the limits
on memory and time still hold, and MuPDF and Pillow open nothing that a document names anyway,
because all kinds but PDF are handed to MuPDF as streams without a folder.

Numbers are from linux/prctl.h, linux/sched.h and linux/landlock.h.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

MIB = 1024 * 1024
OPEN_FILES = 64  # libraries load parts of themselves late; a document needs one or two
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_RULE_PATH_BENEATH = 1
ALL_FILE_ACCESS = (1 << 13) - 1  # the rights of Landlock's first version
READ_FILE = 1 << 2
READ_DIR = 1 << 3

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def lock_in(memory_mib: int, parent_pid: int) -> None:
    """Die with the parent; no more memory than that, no written files, no core, no new rights.

    RLIMIT_AS counts address space, of which the libraries themselves take about 250 MiB.
    """
    if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent_pid:
        sys.exit(1)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib * MIB, memory_mib * MIB))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    # Ctrl-C in the terminal reaches the whole group; the parent decides when a child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def leave_network() -> bool:
    """Move into an empty network namespace. Only before the first thread starts."""
    return int(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)) == 0


def hide_files(document: Path | None) -> bool:
    """See no files from now on but the document, if any, and Python's libraries, read-only."""
    rules = _Ruleset(ALL_FILE_ACCESS)
    ruleset = _libc.syscall(
        LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0
    )
    if ruleset < 0:
        return False
    try:
        if document is not None:
            _allow(ruleset, document, READ_FILE)
        for folder in {sys.prefix, sys.base_prefix, "/usr/lib", "/lib", "/lib64", "/proc/self"}:
            _allow(ruleset, Path(folder), READ_FILE | READ_DIR)
        return int(_libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def limit_processor(seconds: float) -> None:
    """Let the kernel end this process after so much more processor time.

    A backstop for a parent that is stopped or frozen: otherwise its clock comes first.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def rss_mib() -> int:
    """Memory of this process that is in use, in MiB."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // MIB


def _allow(ruleset: int, path: Path, access: int) -> None:
    if not path.exists():
        return
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(access, descriptor)
        _libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
