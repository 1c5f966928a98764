"""A client without a daemon: it plays back events and hands out given files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from manim_daemon.client import Client, JobHandle
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import (
    Artifact,
    ArtifactKind,
    Job,
    JobEvent,
    JobState,
    Request,
    StateChanged,
)

__all__ = ["FakeClient", "FakeHandle", "artifact", "succeeded"]

JOB = "0123456789ab"
_MEDIA_TYPES = {
    ".gif": "image/gif",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".srt": "application/x-subrip",
    ".webm": "video/webm",
    ".zip": "application/zip",
}


def artifact(
    name: str,
    content: bytes = b"content",
    *,
    scene: str = "Demo",
    kind: ArtifactKind = ArtifactKind.VIDEO,
    has_audio: bool = False,
) -> Artifact:
    """Return an artifact of 3 s at 15 frames per second, 854 by 480 pixels."""
    moving = kind is ArtifactKind.VIDEO
    return Artifact(
        scene=scene,
        kind=kind,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        media_type=_MEDIA_TYPES[Path(name).suffix],
        width=854,
        height=480,
        fps=15.0 if moving else 0.0,
        frames=45 if moving else 1,
        duration_s=3.0 if moving else 0.0,
        has_audio=has_audio,
    )


def succeeded(*, cached: bool = False) -> StateChanged:
    """Return the last event of a job that ended well."""
    return StateChanged(JobState.SUCCEEDED, cached=cached, elapsed_s=1.5, timings_s={"render": 1.2})


class FakeHandle(JobHandle):
    """Plays back events; an exception among them is raised in its place."""

    def __init__(self, events: Sequence[JobEvent | BaseException]) -> None:
        self.id = JOB
        self.cancelled = False
        self._events = events

    def events(self) -> Iterator[JobEvent]:
        for event in self._events:
            if isinstance(event, BaseException):
                raise event
            yield event

    def cancel(self) -> None:
        self.cancelled = True


class FakeClient(Client):
    """Every job has the events given; files have the contents given."""

    def __init__(
        self,
        events: Sequence[JobEvent | BaseException] = (),
        contents: Sequence[bytes] = (b"content",),
        *,
        jobs: tuple[Job, ...] = (),
        warm: bool = True,
    ) -> None:
        self.handle = FakeHandle(events)
        self.requests: list[Request] = []
        self.cancelled: list[str] = []
        self.closed = False
        self._contents = {hashlib.sha256(content).hexdigest(): content for content in contents}
        self._jobs = jobs
        self._warm = warm

    def close(self) -> None:
        self.closed = True

    def submit(self, request: Request, files: Mapping[str, Path] | None = None) -> JobHandle:
        self.requests.append(request)
        return self.handle

    def fetch(self, artifact: Artifact, destination: Path) -> Path:
        destination.write_bytes(self._contents[artifact.sha256])
        return destination

    def is_warm(self) -> bool:
        return self._warm

    def jobs(self, limit: int = 20) -> tuple[Job, ...]:
        return self._jobs[:limit]

    def job(self, job: str) -> Job:
        found = [one for one in self._jobs if one.id.startswith(job)]
        if len(found) != 1:
            raise InvalidRequest(f"No single job has an id that begins with {job}.")
        return found[0]

    def cancel(self, job: str) -> None:
        self.cancelled.append(self.job(job).id)
