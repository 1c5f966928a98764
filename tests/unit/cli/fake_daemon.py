"""A daemon and its client for the command line: they answer as a test says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from manim_daemon.errors import DaemonUnavailable, InvalidRequest
from manim_daemon.protocol import (
    Artifact,
    ArtifactKind,
    ErrorKind,
    Failure,
    Job,
    JobEvent,
    JobState,
    ProcessMemory,
    Request,
    StateChanged,
    Status,
    TracebackLine,
)
from manim_daemon.settings import Settings
from manim_kernel_ext.cli import main

JOB = "0123456789ab"
SCENE = "from manim import *\n\nclass Dots(Scene):\n    def construct(self):\n        self.wait()\n"
VIDEO = Artifact(
    "Dots", ArtifactKind.VIDEO, "Dots.mp4", "a" * 64, 7, "video/mp4", 854, 480, 15.0, 15, 1.0
)
SUBTITLES = Artifact("Dots", ArtifactKind.SUBCAPTIONS, "Dots.srt", "b" * 64, 3, "text/srt")
STILL = Artifact("Dots", ArtifactKind.IMAGE, "Dots.png", "c" * 64, 5, "image/png", 854, 480)
OTHER = Artifact(
    "Lines", ArtifactKind.VIDEO, "Lines.mp4", "d" * 64, 9, "video/mp4", 854, 480, 15.0, 30, 2.0
)
CRASH = Failure(
    ErrorKind.SCENE_ERROR,
    "division by zero",
    exception="ZeroDivisionError",
    traceback=(TracebackLine("scene.py", 5, "construct", "        1 / 0"),),
)
STATUS = Status(
    pid=4242,
    version="0.1.0",
    protocol=1,
    python="/opt/render/bin/python",
    manim_version="0.22.0",
    uptime_s=75.0,
    warm=True,
    zygotes=1,
    running=1,
    queued=2,
    slots=2,
    clients=3,
    memory=(ProcessMemory("daemon", 4242, 40 * 1024**2, 30 * 1024**2),),
    isolation={"rlimits": "active", "seccomp": "not built yet"},
    store_bytes=2 * 1024**2,
    store_files=3,
)
DONE = Job(JOB, JobState.SUCCEEDED, ("Dots",), "scene.py", 1.7e9, 1.25, False, None, (VIDEO,))
BROKEN = Job("ba9876543210", JobState.FAILED, (), "scene.py", 1.7e9, 0.5, False, CRASH)


class Daemon:
    """Stands in for `Client` and its `JobHandle`: answers as the test says."""

    def __init__(self) -> None:
        self.runs = True
        self.starts = True
        self.events_of_job: list[JobEvent | BaseException] = []
        self.status_now = STATUS
        self.known: tuple[Job, ...] = (DONE, BROKEN)
        self.requests: list[Request] = []
        self.cancelled: list[str] = []
        self.id = JOB

    def connect(self, settings: Settings | None = None, *, start: bool = True) -> Daemon:
        if not self.runs and not (start and self.starts):
            raise DaemonUnavailable("No daemon runs.", "Start one: `manim-kernel daemon start`.")
        return self

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, request: Request, files: Mapping[str, Path] | None = None) -> Daemon:
        self.requests.append(request)
        return self

    def events(self) -> Iterator[JobEvent]:
        for event in self.events_of_job:
            if isinstance(event, BaseException):
                raise event
            yield event

    def fetch(self, artifact: Artifact, destination: Path) -> Path:
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_bytes(b"." * artifact.bytes)
        return destination

    def is_warm(self) -> bool:
        return self.status_now.warm

    def status(self) -> Status:
        return self.status_now

    def jobs(self, limit: int = 20) -> tuple[Job, ...]:
        return self.known[:limit]

    def job(self, job: str) -> Job:
        for one in self.known:
            if one.id.startswith(job):
                return one
        raise InvalidRequest(f"No job begins with {job!r}.", "`manim-kernel jobs` lists the jobs.")

    def logs(self, job: str) -> str:
        return "hello from the scene\n"

    def cancel(self, job: str = JOB) -> None:
        self.cancelled.append(job)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def read(result: Result) -> dict[str, Any]:
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def replaced(**changes: Any) -> Status:
    return msgspec.structs.replace(STATUS, **changes)


def succeeds(*artifacts: Artifact) -> list[JobEvent | BaseException]:
    return [
        StateChanged(JobState.RUNNING),
        *artifacts,
        StateChanged(JobState.SUCCEEDED, elapsed_s=1.25),
    ]


def fails(failure: Failure, state: JobState = JobState.FAILED) -> list[JobEvent | BaseException]:
    return [StateChanged(JobState.RUNNING), failure, StateChanged(state, elapsed_s=0.5)]
