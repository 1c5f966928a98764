"""Follow a job to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manim_daemon.errors import JobFailed
from manim_daemon.protocol import (
    Artifact,
    ErrorKind,
    Failure,
    JobEvent,
    JobState,
    Note,
    Progress,
    StateChanged,
)

if TYPE_CHECKING:
    from manim_daemon.client import Client

__all__ = ["JobHandle", "JobResult", "OnProgress", "result_of"]

OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class JobResult:
    """How a job ended well."""

    job: str
    cached: bool
    elapsed_s: float
    artifacts: tuple[Artifact, ...]
    timings_s: Mapping[str, float]
    notes: tuple[str, ...]


def result_of(job: str, events: Iterable[JobEvent], hear: Callable[[JobEvent], None]) -> JobResult:
    """Pass each event on to `hear`; return what they came to. Raises JobFailed."""
    artifacts: list[Artifact] = []
    notes: list[str] = []
    failure: Failure | None = None
    final = StateChanged(JobState.FAILED)
    for event in events:
        hear(event)
        match event:
            case Artifact():
                artifacts.append(event)
            case Note(message):
                notes.append(message)
            case Failure():
                failure = event
            case StateChanged():
                final = event
    if final.state is not JobState.SUCCEEDED:
        raise JobFailed(failure or _unexplained(final.state))
    return JobResult(
        job, final.cached, final.elapsed_s, tuple(artifacts), final.timings_s, tuple(notes)
    )


class JobHandle:
    """One job of the daemon's, seen from a client. Not thread-safe, like the client."""

    def __init__(self, client: Client, job: str) -> None:
        self.id = job
        self._client = client

    def events(self) -> Iterator[JobEvent]:
        """Yield the job's events in order, up to and including its final StateChanged.

        Connects again by itself when the daemon was restarted. A KeyboardInterrupt passes through;
        the job goes on until `cancel` is called or the client closes.
        Raises DaemonUnavailable.
        """
        seen = 0
        attached = self._client._attach(self.id, seen)
        while True:
            push = self._client._next_push(self.id)
            if push is None:
                attached = self._client._stay_attached(self.id, seen, attached)
                continue
            if push.seq:
                if push.seq > seen + 1:
                    # Something was lost on the way: have it sent again.
                    attached = self._client._attach(self.id, seen)
                if push.seq != seen + 1:
                    continue
                seen = push.seq
            yield push.event
            if isinstance(push.event, StateChanged) and push.event.state.is_final:
                return

    def result(self, on_progress: OnProgress | None = None) -> JobResult:
        """Wait for the end. Raises JobFailed when the job failed or was cancelled.

        `on_progress(current, total, message)` hears frames of the current play and its name.
        """

        def hear(event: JobEvent) -> None:
            if isinstance(event, Progress) and on_progress:
                on_progress(event.frame, event.frames, event.name)

        return result_of(self.id, self.events(), hear)

    def cancel(self) -> None:
        """Ask the daemon to end the job; the final event follows. Raises InvalidRequest."""
        self._client.cancel(self.id)


def _unexplained(state: JobState) -> Failure:
    if state is JobState.CANCELLED:
        return Failure(ErrorKind.CANCELLED, "The render was cancelled.")
    return Failure(
        ErrorKind.WORKER_CRASHED,
        "The job failed without a reason.",
        "The daemon's log may say more: `manim-kernel daemon logs`.",
    )
