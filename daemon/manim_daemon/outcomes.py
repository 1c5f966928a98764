"""How a job may end other than by its scene: what is said of it, and what to do next."""

from __future__ import annotations

from manim_daemon.protocol import ErrorKind, Failure

__all__ = ["CANCELLED", "CLIENT_GONE", "LOST_TOO_OFTEN", "crash", "timeout"]

_SIGSEGV, _SIGXCPU, _SIGKILL = 128 + 11, 128 + 24, 128 + 9

CANCELLED = Failure(ErrorKind.CANCELLED, "The render was cancelled.")
CLIENT_GONE = Failure(
    ErrorKind.CANCELLED, "The render was cancelled because its notebook or terminal went away."
)
LOST_TOO_OFTEN = Failure(
    ErrorKind.WORKER_CRASHED,
    "The render process ended twice before this scene was done.",
    "See `manim-kernel daemon logs`; memory may be short.",
)


def timeout(seconds: float) -> Failure:
    """Return the failure of a job that took longer than it may."""
    return Failure(
        ErrorKind.TIMEOUT,
        f"The render took longer than {seconds:g} seconds and was stopped.",
        "Look for a loop that does not end, or allow more with --timeout SECONDS.",
    )


def crash(status: int) -> Failure:
    """Return the failure of a worker that ended with `status` and without a word."""
    if status == _SIGSEGV:
        what = "crashed with a segmentation fault (signal 11) in compiled code"
        hint = "A call into a compiled library went wrong; try the scene in smaller parts."
    elif status == _SIGKILL:
        what = "was killed (signal 9)"
        hint = "Most often the machine ran out of memory: use a lower quality or fewer objects."
    elif status == _SIGXCPU:
        what = "used up its CPU time (signal 24)"
        hint = "Look for a loop that does not end, or allow more with --timeout SECONDS."
    elif status > 128:
        what = f"was ended by signal {status - 128}"
        hint = "See what it printed: `manim-kernel jobs logs`."
    else:
        what = f"ended by itself with exit code {status}"
        hint = "Remove calls of os._exit() or quit(); a scene ends by returning from construct()."
    return Failure(ErrorKind.WORKER_CRASHED, f"The process that rendered the scene {what}.", hint)
