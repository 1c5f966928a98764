"""How a client finds the daemon: a locked runtime folder and a connection file in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from manim_daemon.errors import DaemonUnavailable
from manim_daemon.settings import Settings

__all__ = [
    "Connection",
    "data_lock",
    "lock_holder",
    "prepare_runtime_dir",
    "read_connection",
    "remove_connection",
    "runtime_lock",
    "write_connection",
]

_MAX_SOCKET_PATH = 100


class Connection(msgspec.Struct, frozen=True):
    """What the connection file says. Keys are CURVE keys in Z85; the file is mode 0600."""

    protocol: int
    version: str
    pid: int
    address: str
    server_key: str
    client_public: str
    client_secret: str


def prepare_runtime_dir(settings: Settings) -> None:
    """Make the runtime folder, private to the user. Raises DaemonUnavailable when it cannot be."""
    folder = settings.runtime_dir
    if len(os.fsencode(settings.socket_path)) > _MAX_SOCKET_PATH:
        raise DaemonUnavailable(
            f"The path of the daemon's socket is too long: {settings.socket_path}",
            f"Set MANIM_KERNEL_RUNTIME_DIR to a folder with a path under {_MAX_SOCKET_PATH - 20} "
            "characters.",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise DaemonUnavailable(
            f"The daemon's runtime folder {folder} cannot be made: {error.strerror}.",
            "Set MANIM_KERNEL_RUNTIME_DIR to a folder that you may write to.",
        ) from error
    if status.st_uid != os.getuid():
        raise DaemonUnavailable(
            f"The daemon's runtime folder {folder} belongs to somebody else.",
            "Set MANIM_KERNEL_RUNTIME_DIR to a folder of your own.",
        )


@contextlib.contextmanager
def runtime_lock(settings: Settings) -> Iterator[bool]:
    """Hold the runtime folder's lock; yields False when another daemon holds it."""
    fd = os.open(_lock_file(settings), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            os.ftruncate(fd, 0)
            os.write(fd, str(os.getpid()).encode())
            yield True
    finally:
        os.close(fd)


@contextlib.contextmanager
def data_lock(settings: Settings) -> Iterator[None]:
    """Hold the folders of jobs and artifacts, which two daemons must not share.

    Raises DaemonUnavailable when another daemon, with another runtime folder, has them.
    """
    with contextlib.ExitStack() as held:
        for folder in {settings.state_dir, settings.cache_dir}:
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context((folder / "lock").open("wb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DaemonUnavailable(
                    f"Another daemon of yours uses {folder}, but has another runtime folder than "
                    f"{settings.runtime_dir}.",
                    "XDG_RUNTIME_DIR or MANIM_KERNEL_RUNTIME_DIR differs between your terminals: "
                    "set the same one, or stop the other daemon.",
                ) from None
        yield


def lock_holder(settings: Settings) -> int | None:
    """Return the process that holds the runtime folder's lock: the daemon, if there is one.

    A process id alone proves nothing: after a crash another process may have it.
    """
    try:
        fd = os.open(_lock_file(settings), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(fd, 20) or 0) or None
    else:
        return None
    finally:
        os.close(fd)


def _lock_file(settings: Settings) -> Path:
    return settings.runtime_dir / "lock"


def write_connection(settings: Settings, connection: Connection) -> None:
    """Publish the connection file atomically."""
    fd, name = tempfile.mkstemp(dir=settings.runtime_dir, prefix=".connection-")
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(connection)))
    Path(name).replace(settings.connection_file)


def read_connection(settings: Settings) -> Connection | None:
    """Return the connection file's content, or None when there is none that can be used."""
    try:
        data = settings.connection_file.read_bytes()
        return msgspec.json.decode(data, type=Connection)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def remove_connection(settings: Settings) -> None:
    """Remove connection file and socket."""
    settings.connection_file.unlink(missing_ok=True)
    settings.socket_path.unlink(missing_ok=True)
