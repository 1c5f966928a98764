"""The root of a job's process tree: runs none of the user's code, outlives it, leaves nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import NoReturn

from manim_daemon.worker import sandbox
from manim_daemon.zygote_protocol import Spawn

__all__ = ["exit_status", "run"]

_LOOK_AGAIN_S = 0.01
_SIGNALS = {signal.SIGTERM, signal.SIGCHLD}


def run(spawn: Spawn, events: int, log: int) -> NoReturn:
    """Run the director in a child and end, with its status, once the whole tree is gone."""
    signal.set_wakeup_fd(-1)
    os.setsid()
    sandbox.adopt_orphans()
    sandbox.die_with_parent(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    director = os.fork()
    if director == 0:
        _become_director(spawn, events, log)
    sandbox.close_descriptors(set())
    os._exit(_wait(director))


def exit_status(wait_status: int) -> int:
    """Return the exit code of a wait status, or 128 + signal number."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def _become_director(spawn: Spawn, events: int, log: int) -> NoReturn:
    try:
        sandbox.die_with_parent(signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for signum in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT):
            signal.signal(signum, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sandbox.close_descriptors({0, 1, 2, events})
        from manim_daemon.worker.director import direct

        direct(spawn, events)
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Not sys.exit: what the scene registered with atexit must not run on.
    os._exit(status)


def _wait(director: int) -> int:
    status = 1
    ending = False
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == director:
            status = exit_status(wait_status)
            ending = True
        elif pid == 0 and ending:
            # A process whose parent has just died is for a moment nobody's child: look again.
            sandbox.kill_descendants(os.getpid())
            signal.sigtimedwait(_SIGNALS, _LOOK_AGAIN_S)
        elif pid == 0 and signal.sigwait(_SIGNALS) == signal.SIGTERM:
            ending = True
