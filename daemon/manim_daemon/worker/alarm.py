"""Notice the time limit inside the scene, where it can still be said which line was running."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Never

from manim_daemon import outcomes
from manim_daemon.worker.failures import Described

__all__ = ["set_alarm"]


class _TimeIsUp(Described):
    """No Exception: what a scene does to survive its own errors does not keep it alive."""


def set_alarm(seconds: float) -> None:
    """Raise the timeout's failure in the main thread, wherever it is, after `seconds`.

    Code that does not return to Python for longer is ended by the daemon, without a place.
    """

    def ring(_: int, __: FrameType | None) -> Never:
        raise _TimeIsUp(outcomes.timeout(seconds))

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
