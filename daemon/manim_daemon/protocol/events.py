"""What a job says while it runs, and how it ends."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta, field

from manim_daemon.protocol.base import Count, Message, Name, Sha256, Text

__all__ = [
    "Artifact",
    "ArtifactKind",
    "ErrorKind",
    "Failure",
    "Finished",
    "JobEvent",
    "JobState",
    "Log",
    "Note",
    "Output",
    "Progress",
    "SceneStarted",
    "StateChanged",
    "TracebackLine",
    "WorkerEvent",
]


class JobState(enum.StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen to the job."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class ErrorKind(enum.StrEnum):
    """Why a job or a command did not succeed."""

    INVALID_REQUEST = "invalid_request"
    SCENE_ERROR = "scene_error"
    LATEX_ERROR = "latex_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_TOO_LARGE = "output_too_large"
    WORKER_CRASHED = "worker_crashed"
    CANCELLED = "cancelled"
    DAEMON_UNAVAILABLE = "daemon_unavailable"
    INCOMPATIBLE = "incompatible"


class ArtifactKind(enum.StrEnum):
    """What a finished file is to the person who asked for it."""

    VIDEO = "video"
    IMAGE = "image"
    GIF = "gif"
    IMAGE_SEQUENCE = "image_sequence"
    SUBCAPTIONS = "subcaptions"
    SECTION = "section"
    SECTION_INDEX = "section_index"


class TracebackLine(Message, frozen=True):
    """One line of the user's own code on the way to an exception."""

    filename: Name
    line: int
    function: Name
    source: Text


class Failure(Message, frozen=True, tag="failure"):
    """Why a job failed or a command was refused: what happened, and what to do next (`hint`)."""

    kind: ErrorKind
    message: Text
    hint: Text = ""
    exception: Name = ""
    traceback: Annotated[tuple[TracebackLine, ...], Meta(max_length=1000)] = ()


class SceneStarted(Message, frozen=True, tag="scene"):
    """A scene begins: number `index` of `scenes_total`; `plays_total` is None when not known."""

    scene: Name
    index: Count
    scenes_total: Count
    plays_total: Count | None = None


class Progress(Message, frozen=True, tag="progress"):
    """Frame `frame` of `frames` of play `play` (from 1) is drawn. May be dropped under load."""

    scene: Name
    play: Count
    plays_total: Count | None
    name: Name
    frame: Count
    frames: Count
    fps: float
    eta_s: float | None = None


class Note(Message, frozen=True, tag="note"):
    """Something the user should know although the job goes on."""

    message: Text


class Output(Message, frozen=True, tag="output"):
    """A finished file in the job's output folder, as the worker reports it.

    `path` is relative to the output folder; sizes in pixels, `duration_s` in seconds.
    """

    scene: Name
    kind: ArtifactKind
    path: Name
    media_type: Name
    width: Count = 0
    height: Count = 0
    fps: float = 0.0
    frames: Count = 0
    duration_s: float = 0.0
    has_audio: bool = False


class Finished(Message, frozen=True, tag="finished"):
    """The worker is done; `timings_s` says where the seconds went."""

    timings_s: dict[Name, float] = field(default_factory=dict)


WorkerEvent = SceneStarted | Progress | Note | Output | Failure | Finished


class Artifact(Message, frozen=True, tag="artifact"):
    """A finished file in the daemon's store. Fields as in `Output`; `name` is its file name."""

    scene: Name
    kind: ArtifactKind
    name: Name
    sha256: Sha256
    bytes: Count
    media_type: Name
    width: Count = 0
    height: Count = 0
    fps: float = 0.0
    frames: Count = 0
    duration_s: float = 0.0
    has_audio: bool = False


class Log(Message, frozen=True, tag="log"):
    """Text the scene or Manim wrote to standard output or error."""

    text: Text


class StateChanged(Message, frozen=True, tag="state"):
    """The job's state; when final, `elapsed_s` is the time since it was accepted."""

    state: JobState
    cached: bool = False
    elapsed_s: float = 0.0
    timings_s: dict[Name, float] = field(default_factory=dict)


JobEvent = StateChanged | SceneStarted | Progress | Note | Log | Artifact | Failure
