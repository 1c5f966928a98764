"""Start and stop the user's daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from manim_daemon.errors import DaemonUnavailable, Incompatible
from manim_daemon.protocol import PROTOCOL_VERSION, ErrorKind, Failure
from manim_daemon.runfile import (
    Connection,
    lock_holder,
    prepare_runtime_dir,
    read_connection,
    remove_connection,
)
from manim_daemon.settings import Settings

__all__ = [
    "ALREADY_RUNNING",
    "EXIT_CANNOT_START",
    "Report",
    "await_end",
    "find",
    "is_alive",
    "require_manim",
    "start",
    "stop",
]

EXIT_CANNOT_START = 3
"""The daemon's exit status when it could not start; what happened is in its report."""

ALREADY_RUNNING = Failure(
    ErrorKind.DAEMON_UNAVAILABLE,
    "Another daemon of yours runs already.",
    "See `manim-kernel daemon status`.",
)
SUPPORTED_MANIM = (0, 22)
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 10.0
_INSTALL_HINT = (
    "Install it there: pip install 'manim-kernel-ext[render]' — or name the Python that has it: "
    "`manim-kernel daemon start --python PATH`."
)


class Report:
    """How a starting daemon tells who launched it that it is reachable, or why it is not."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def started(self) -> None:
        """Say that the daemon is reachable."""
        self._say(None)

    def failed(self, failure: Failure) -> None:
        """Say why it is not."""
        self._say(failure)

    def _say(self, failure: Failure | None) -> None:
        if self._fd is not None:
            with os.fdopen(self._fd, "wb") as file:
                file.write(msgspec.msgpack.encode(failure))
            self._fd = None


def require_manim() -> None:
    """Raise DaemonUnavailable unless this Python has a supported Manim."""
    try:
        version = metadata.version("manim")
    except metadata.PackageNotFoundError as error:
        raise DaemonUnavailable(
            f"Manim is not installed in {sys.executable}.", _INSTALL_HINT
        ) from error
    if tuple(map(int, re.findall(r"\d+", version)[:2])) != SUPPORTED_MANIM:
        wanted = ".".join(map(str, SUPPORTED_MANIM))
        raise DaemonUnavailable(
            f"Manim {version} is installed in {sys.executable}; {wanted} is supported.",
            f"Install it there: pip install 'manim~={wanted}.0'.",
        )


def find(settings: Settings, *, may_start: bool) -> Connection:
    """Return how to reach the daemon; start one when none runs and `may_start` is true.

    Raises DaemonUnavailable, Incompatible.
    """
    connection = read_connection(settings) if is_alive(settings) else None
    if connection is None:
        if not may_start:
            raise DaemonUnavailable("No daemon runs.", "Start one: `manim-kernel daemon start`.")
        start(settings)
        connection = read_connection(settings)
    if connection is None:
        raise DaemonUnavailable(
            "The daemon stopped right after its start.", f"See {settings.log_file}."
        )
    if connection.protocol != PROTOCOL_VERSION:
        raise Incompatible(
            f"The daemon that runs is version {connection.version} and speaks another protocol.",
            "Restart it: `manim-kernel daemon restart` or `%manim_daemon restart`.",
        )
    return connection


def start(settings: Settings, python: str | None = None) -> None:
    """Start the daemon under `python`; return once it accepts connections.

    Does nothing when one runs. Raises DaemonUnavailable.
    """
    prepare_runtime_dir(settings)
    with _start_lock(settings):
        _await_settled(settings)
        if not is_alive(settings):
            _start(settings, python or settings.python or sys.executable)


def _await_settled(settings: Settings) -> None:
    """Let a daemon that is about to stop, or one started by other means, get there."""
    if not _within(_STOP_TIMEOUT_S, lambda: is_alive(settings) or lock_holder(settings) is None):
        raise DaemonUnavailable(
            f"A daemon of yours runs (process {lock_holder(settings)}) but cannot be reached: "
            f"{settings.connection_file} is missing or broken.",
            "Stop it, and the next render starts another: `manim-kernel daemon stop`.",
        )


def _start(settings: Settings, interpreter: str) -> None:
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with _ready_pipe() as (reading, writing):
        try:
            with settings.log_file.open("ab") as log:
                process = subprocess.Popen(
                    [interpreter, "-m", "manim_daemon.server", "--ready-fd", str(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(writing,),
                    env=_environment(settings),
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            raise DaemonUnavailable(
                f"The daemon's Python {interpreter} cannot be run: {error.strerror}.",
                "Name another: `manim-kernel daemon start --python PATH`.",
            ) from error
        finally:
            os.close(writing)
        # Whoever starts a process has to wait for its end, which may be hours away.
        threading.Thread(target=process.wait, daemon=True).start()
        _await_report(reading, settings)


def stop(settings: Settings) -> bool:
    """Stop the daemon and wait until it is gone; return whether one ran."""
    pid = lock_holder(settings)
    if pid is None:
        return False
    _signal(pid, signal.SIGTERM)
    if not await_end(settings, pid):
        _signal(pid, signal.SIGKILL)
        await_end(settings, pid)
        remove_connection(settings)
    return True


def await_end(settings: Settings, pid: int) -> bool:
    """Wait until the daemon `pid`, which is stopping, is gone; return whether it is."""
    return _within(_STOP_TIMEOUT_S, lambda: lock_holder(settings) != pid)


def is_alive(settings: Settings) -> bool:
    """Return whether the daemon that the connection file names runs."""
    connection = read_connection(settings)
    return connection is not None and connection.pid == lock_holder(settings)


def _signal(pid: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def _start_lock(settings: Settings) -> Iterator[None]:
    """Let one process start the daemon while others wait for it to be there."""
    with (settings.runtime_dir / "start.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _ready_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)


def _environment(settings: Settings) -> dict[str, str]:
    """The daemon's own environment: not the kernel's Python path, but the same folders."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "MPLBACKEND"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    folders = ("runtime_dir", "state_dir", "cache_dir")
    named = {f"MANIM_KERNEL_{name.upper()}": str(getattr(settings, name)) for name in folders}
    return {**kept, **named}


def _await_report(reading: int, settings: Settings) -> None:
    ready, _, _ = select.select([reading], [], [], _START_TIMEOUT_S)
    data = os.read(reading, 65536) if ready else b""
    if not data:
        # The pipe ends with the process.
        state = "ended" if ready else "does not answer"
        raise DaemonUnavailable(
            f"The daemon {state}. Its last words: {_last_words(settings.log_file)}",
            f"The whole log: {settings.log_file}",
        )
    failure = msgspec.msgpack.decode(data, type=Failure | None)
    if failure == ALREADY_RUNNING:
        _await_settled(settings)
    elif failure:
        raise DaemonUnavailable(failure.message, failure.hint)


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "none"
