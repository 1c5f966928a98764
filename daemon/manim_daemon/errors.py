"""The errors a caller of this package meets. One root; every message says what to do next."""

from __future__ import annotations

from manim_daemon.protocol import ErrorKind, Failure

__all__ = [
    "DaemonUnavailable",
    "Incompatible",
    "InvalidRequest",
    "JobFailed",
    "ManimKernelError",
]


class ManimKernelError(Exception):
    """Root of every error raised here; `failure` holds kind, message, hint and traceback."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    def __str__(self) -> str:
        return "\n".join(part for part in (self.failure.message, self.failure.hint) if part)


class InvalidRequest(ManimKernelError):
    """The request cannot be carried out as it stands; nothing was rendered."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Failure(ErrorKind.INVALID_REQUEST, message, hint))


class DaemonUnavailable(ManimKernelError):
    """No daemon answers and none could be started."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Failure(ErrorKind.DAEMON_UNAVAILABLE, message, hint))


class Incompatible(ManimKernelError):
    """The daemon that runs speaks another version of the protocol."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Failure(ErrorKind.INCOMPATIBLE, message, hint))


class JobFailed(ManimKernelError):
    """A job ended without success; `failure` says why."""
