"""What the daemon keeps of a job in memory while it runs and for a while after."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from manim_daemon.protocol import (
    Artifact,
    Job,
    JobEvent,
    Log,
    Note,
    Output,
    Request,
    StateChanged,
)

__all__ = ["History", "artifact_of", "events_of"]


@dataclass
class History:
    """A job's request until it ends, and all it has said but progress, which passes by unkept.

    `accepted_at` is monotonic, in seconds.
    """

    request: Request | None
    cache_key: str
    accepted_at: float
    events: list[JobEvent] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)
    ended: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user was told beside the result."""
        return tuple(event.message for event in self.events if isinstance(event, Note))

    @property
    def log(self) -> str:
        """What the job printed."""
        return "".join(event.text for event in self.events if isinstance(event, Log))


def artifact_of(output: Output, sha256: str, size: int) -> Artifact:
    """Return `output` as it lies in the store, `size` bytes long."""
    described = msgspec.structs.asdict(output)
    path = described.pop("path")
    return Artifact(name=Path(path).name, sha256=sha256, bytes=size, **described)


def events_of(job: Job) -> list[JobEvent]:
    """Return the events with which a job of the job log ended."""
    end = StateChanged(job.state, cached=job.cached, elapsed_s=job.elapsed_s)
    error = [job.error] if job.error else []
    return [*map(Note, job.notes), *job.artifacts, *error, end]
