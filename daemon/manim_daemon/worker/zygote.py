"""The warm process: imports Manim once, then only forks.

Started by the supervisor with a clean environment as ``python -m manim_daemon.worker.zygote FD``.
It stays single-threaded, so that forking is safe, and never runs a user's code.
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time

import msgspec

from manim_daemon.worker import guard, sandbox
from manim_daemon.worker.warmth import warm_up
from manim_daemon.zygote_protocol import (
    MAX_PACKET,
    Exited,
    FromZygote,
    Kill,
    Ready,
    Spawn,
    Spawned,
    decode_to_zygote,
)

__all__ = ["main"]

_KILL_GRACE_S = 2.0


class Zygote:
    """Forks a guard per job and tells the supervisor when its tree is gone."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._job_by_pid: dict[int, str] = {}
        self._kill_deadlines: dict[int, float] = {}
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Fork and reap until the supervisor goes away; then end every tree."""
        while True:
            timeout = 0.1 if self._kill_deadlines else None
            waiting = [self._control.fileno(), self._wake_read]
            readable, _, _ = select.select(waiting, [], [], timeout)
            if self._wake_read in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            self._reap()
            self._kill_overdue()
            if waiting[0] in readable and not self._receive():
                return

    def _receive(self) -> bool:
        data, fds = _receive_with_fds(self._control)
        if not data:
            return False
        message = decode_to_zygote(data)
        if isinstance(message, Spawn):
            self._spawn(message, fds)
        elif isinstance(message, Kill):
            self._kill(message.job)
        return True

    def _spawn(self, spawn: Spawn, fds: list[int]) -> None:
        events, log = fds
        pid = os.fork()
        if pid == 0:
            guard.run(spawn, events, log)
        os.close(events)
        os.close(log)
        self._job_by_pid[pid] = spawn.job
        self._send(Spawned(spawn.job, pid))

    def _kill(self, job: str) -> None:
        for pid, owner in self._job_by_pid.items():
            if owner == job:
                os.kill(pid, signal.SIGTERM)
                self._kill_deadlines[pid] = time.monotonic() + _KILL_GRACE_S

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, deadline in list(self._kill_deadlines.items()):
            if now > deadline:
                sandbox.kill_descendants(pid)
                os.kill(pid, signal.SIGKILL)
                del self._kill_deadlines[pid]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._kill_deadlines.pop(pid, None)
            job = self._job_by_pid.pop(pid, None)
            self._end_orphans()
            if job:
                self._send(Exited(job, guard.exit_status(status)))

    def _end_orphans(self) -> None:
        """End what is left of a job whose guard was killed: the zygote has inherited it."""
        for pid in sandbox.children(os.getpid()):
            if pid not in self._job_by_pid:
                sandbox.kill_descendants(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _send(self, message: FromZygote) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(msgspec.msgpack.encode(message))


def _receive_with_fds(control: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    data, ancillary, _, _ = control.recvmsg(MAX_PACKET, socket.CMSG_SPACE(2 * fds.itemsize))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload)
    return data, list(fds)


def main() -> None:
    """Warm up, say so, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    sandbox.die_with_parent(signal.SIGTERM)
    sandbox.adopt_orphans()
    started = time.monotonic()
    manim_version = warm_up()
    gc.collect()
    gc.freeze()
    zygote = Zygote(control)
    control.send(msgspec.msgpack.encode(Ready(manim_version, time.monotonic() - started)))
    zygote.serve()


if __name__ == "__main__":
    main()
