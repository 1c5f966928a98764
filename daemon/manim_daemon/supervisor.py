"""Start, use and replace the zygote, and listen to its workers."""

from __future__ import annotations

import array
import asyncio
import codecs
import contextlib
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from manim_daemon.protocol import (
    ErrorKind,
    Failure,
    ProtocolError,
    WorkerEvent,
    decode_worker_event,
)
from manim_daemon.zygote_protocol import (
    MAX_PACKET,
    Exited,
    Kill,
    Ready,
    Spawn,
    ToZygote,
    decode_from_zygote,
)

__all__ = ["Listener", "Supervisor"]

_STOP_GRACE_S = 3.0
_KEPT_ENVIRONMENT = ("PATH", "HOME", "TZ", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "TEXMFHOME")


class Listener(Protocol):
    """Who hears from the zygote and its workers."""

    def zygote_ready(self, manim_version: str) -> None:
        """The zygote is warm."""

    def zygote_lost(self) -> None:
        """The zygote ended unasked."""

    def worker_event(self, job: str, event: WorkerEvent) -> None:
        """A worker said something."""

    def worker_log(self, job: str, text: str) -> None:
        """A worker printed something."""

    def worker_exited(self, job: str, status: int) -> None:
        """A worker's process tree is gone, and all it said was heard."""


@dataclass
class _Worker:
    events: socket.socket
    log_fd: int
    log_bytes_left: int
    log_decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )


class Supervisor:
    """Owns the zygote process and one event socket and one log pipe per worker."""

    def __init__(self, listener: Listener, tex_cache: Path, log: Callable[[str], None]) -> None:
        self._listener = listener
        self._tex_cache = tex_cache
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._workers: dict[str, _Worker] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def pid(self) -> int | None:
        """The zygote's process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start a zygote; `Listener.zygote_ready` follows when it is warm."""
        self._tex_cache.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "manim_daemon.worker.zygote",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                env=_clean_environment(),
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        self._loop.add_reader(ours, self._hear_zygote)
        self._watcher = asyncio.create_task(self._watch(self._process))

    async def stop(self) -> None:
        """End the zygote and every worker, and wait until they are gone."""
        if self._watcher:
            self._watcher.cancel()
        process, self._process = self._process, None
        self._close_control()
        if process and process.returncode is None:
            # Closing the control socket tells the zygote to go; its guards follow it.
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_GRACE_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        for job in list(self._workers):
            self._close_worker(job)

    def spawn(self, spawn: Spawn, log_bytes: int) -> None:
        """Have the zygote fork a worker; `log_bytes` bounds what is kept of its output."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log_read, log_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(log_read, False)
        ours.setblocking(False)
        self._workers[spawn.job] = _Worker(ours, log_read, log_bytes)
        self._loop.add_reader(ours, self._hear_worker, spawn.job)
        self._loop.add_reader(log_read, self._hear_log, spawn.job)
        with theirs:
            self._tell(spawn, [theirs.fileno(), log_write])
        os.close(log_write)

    def kill(self, job: str) -> None:
        """Have the zygote end the job's tree; `Listener.worker_exited` follows."""
        self._tell(Kill(job))

    def _tell(self, message: ToZygote, fds: list[int] | None = None) -> None:
        if self._control is None:
            return
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds or []))
        # A zygote that cannot take the message is gone; _watch tells the listener.
        with contextlib.suppress(OSError):
            self._control.sendmsg([msgspec.msgpack.encode(message)], [rights] if fds else [])

    def _hear_zygote(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._close_control()
            return
        message = decode_from_zygote(data)
        if isinstance(message, Ready):
            self._listener.zygote_ready(message.manim_version)
        elif isinstance(message, Exited):
            self._worker_exited(message.job, message.status)

    def _worker_exited(self, job: str, status: int) -> None:
        # Its last words may still lie in the socket and the pipe.
        while self._hear_worker(job):
            pass
        while self._hear_log(job):
            pass
        self._close_worker(job)
        self._listener.worker_exited(job, status)

    def _hear_worker(self, job: str) -> bool:
        worker = self._workers[job]
        try:
            data = worker.events.recv(MAX_PACKET)
        except (BlockingIOError, ConnectionResetError):
            return False
        if not data:
            self._loop.remove_reader(worker.events)
            return False
        try:
            event: WorkerEvent = decode_worker_event(data)
        except ProtocolError as error:
            self._log(f"job {job}: its worker sent nonsense: {error}")
            event = Failure(
                ErrorKind.WORKER_CRASHED,
                "The process that rendered the scene sent a message that cannot be read.",
                "Run it again; if it repeats, please report it.",
            )
        self._listener.worker_event(job, event)
        return True

    def _hear_log(self, job: str) -> bool:
        worker = self._workers[job]
        try:
            data = os.read(worker.log_fd, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(worker.log_fd)
            return False
        kept = data[: worker.log_bytes_left]
        worker.log_bytes_left -= len(kept)
        text = worker.log_decoder.decode(kept)
        if kept and not worker.log_bytes_left:
            text += "\n[the rest of the output was left out: it reached its limit]\n"
        if text:
            self._listener.worker_log(job, text)
        return True

    def _close_worker(self, job: str) -> None:
        worker = self._workers.pop(job)
        self._loop.remove_reader(worker.events)
        self._loop.remove_reader(worker.log_fd)
        worker.events.close()
        os.close(worker.log_fd)

    def _close_control(self) -> None:
        if self._control is not None:
            self._loop.remove_reader(self._control)
            self._control.close()
            self._control = None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        self._log(f"the zygote ended with status {status}")
        self._process = None
        self._close_control()
        for job in list(self._workers):
            self._close_worker(job)
        self._listener.zygote_lost()


def _clean_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # One thread per worker: the cores are shared out by job, and threads do not survive a fork.
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}
