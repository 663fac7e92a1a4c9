"""Ties a process to its supervisor: when that dies, however it dies, so does this one."""

import ctypes
import os
import signal

SUPERVISOR_PID = "QUIRE_SUPERVISOR_PID"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_supervisor() -> None:
    """Have the kernel kill this process when the supervisor ends; nothing without a supervisor.

    Called first thing in a role, before anything is imported or started. The supervisor may have
    died before the call: then its pid is no longer our parent's, and we leave at once. A handler
    in `preexec_fn` would close that gap too, but it forks unsafely beside threads.
    """
    supervisor = os.environ.pop(SUPERVISOR_PID, "")  # popped: a grandchild has another parent
    if not supervisor:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != int(supervisor):
        os.kill(os.getpid(), signal.SIGKILL)
