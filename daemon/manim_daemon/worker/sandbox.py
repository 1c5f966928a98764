"""What stands between a scene's code and the machine.

A worker is a forked process tree with resource limits, its own folder, a clean environment and no
inherited descriptors; it is killed as a whole. `layers` says which protections hold.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

__all__ = [
    "adopt_orphans",
    "children",
    "close_descriptors",
    "die_with_parent",
    "enter",
    "kill_descendants",
    "layers",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36

_MAX_OPEN_FILES = 1024
_MAX_PROCESSES = 4096


def layers() -> dict[str, str]:
    """Return each layer's name with "active" or the reason why it is missing."""
    linux = "active" if sys.platform == "linux" else "missing: needs Linux"
    return {
        "process tree killed as a whole": linux,
        "resource limits": "active",
        "own folder": "active",
        "clean environment": "active",
        "closed descriptors": "active",
        "no new privileges": linux,
        "namespaces": "missing: not built yet",
        "landlock": "missing: not built yet",
        "seccomp": "missing: not built yet",
        "cgroup": "missing: not built yet",
    }


def enter(folder: Path, memory_bytes: int, output_bytes: int, cpu_time_s: int) -> None:
    """Put the calling process, which is to run a scene, behind every layer there is.

    `folder` becomes HOME, TMPDIR and the working directory's parent. Sizes in bytes.
    """
    _no_new_privileges()
    _limit(resource.RLIMIT_DATA, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, output_bytes)
    _limit(resource.RLIMIT_CPU, cpu_time_s)
    _limit(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, _MAX_PROCESSES)
    _limit(resource.RLIMIT_CORE, 0)
    # Exceeding the file size must be an error the scene can report, not a silent death.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.umask(0o077)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=str(folder), TMPDIR=str(temporary))


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def close_descriptors(keep: set[int]) -> None:
    """Close every open descriptor but `keep`."""
    start = 0
    for fd in (*sorted(keep), os.sysconf("SC_OPEN_MAX")):
        # CPython 3.11 takes an empty range for "everything".
        if start < fd:
            os.closerange(start, fd)
        start = fd + 1


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def die_with_parent(signum: signal.Signals) -> None:
    """Have the kernel send `signum` to this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signum)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _no_new_privileges() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def kill_descendants(pid: int) -> bool:
    """Send SIGKILL to every descendant of `pid`; return whether there were any."""
    found = False
    for child in children(pid):
        found = True
        # Stopped first, so that it cannot fork while its own children are listed.
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            if signum == signal.SIGKILL:
                kill_descendants(child)
            try:
                os.kill(child, signum)
            except ProcessLookupError:
                break
    return found


def children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    if sys.platform != "linux":
        import psutil

        return [child.pid for child in psutil.Process(pid).children()]
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found
