"""What the daemon answers, and what it tells unasked."""

from __future__ import annotations

from manim_daemon.protocol.base import Blob, Count, JobId, Message, Name, Sha256, Text
from manim_daemon.protocol.events import Artifact, Failure, JobEvent, JobState

__all__ = [
    "Accepted",
    "Chunk",
    "Done",
    "FromDaemon",
    "Job",
    "Jobs",
    "Logs",
    "NeedAssets",
    "Ping",
    "ProcessMemory",
    "Push",
    "Refused",
    "Reply",
    "Result",
    "Status",
    "Welcome",
]


class Welcome(Message, frozen=True, tag="welcome"):
    """The daemon answers; `warm` when a worker can start at once."""

    warm: bool


class Accepted(Message, frozen=True, tag="accepted"):
    """The job is committed to the job log."""

    job: JobId


class NeedAssets(Message, frozen=True, tag="need_assets"):
    """Put these assets, then submit again."""

    sha256: tuple[Sha256, ...]


class Chunk(Message, frozen=True, tag="chunk"):
    """Bytes of an artifact; `total` is the size of the whole."""

    data: Blob
    total: Count


class Job(Message, frozen=True, tag="job"):
    """One line of the job log. Times are seconds since the epoch."""

    id: JobId
    state: JobState
    scenes: tuple[Name, ...]
    label: Name
    created_at: float
    elapsed_s: float
    cached: bool
    error: Failure | None = None
    artifacts: tuple[Artifact, ...] = ()
    notes: tuple[Text, ...] = ()


class Jobs(Message, frozen=True, tag="jobs"):
    """Jobs, newest first."""

    jobs: tuple[Job, ...]


class Logs(Message, frozen=True, tag="logs"):
    """What a job printed."""

    text: Text


class ProcessMemory(Message, frozen=True):
    """Memory of one process in bytes: resident, and its proportional share."""

    name: Name
    pid: int
    rss: Count
    pss: Count


class Status(Message, frozen=True, tag="status_reply"):
    """How the daemon is. `isolation` says for each layer "active" or why it is missing."""

    pid: int
    version: Name
    protocol: int
    python: Name
    manim_version: Name | None
    uptime_s: float
    warm: bool
    zygotes: Count
    running: Count
    queued: Count
    slots: Count
    clients: Count
    memory: tuple[ProcessMemory, ...]
    isolation: dict[Name, Name]
    store_bytes: Count
    store_files: Count
    last_error: Text = ""


class Done(Message, frozen=True, tag="done"):
    """The command was carried out; there is nothing to return."""


class Refused(Message, frozen=True, tag="refused"):
    """The command was not carried out, and why."""

    failure: Failure


Result = Welcome | Accepted | NeedAssets | Chunk | Job | Jobs | Logs | Status | Done | Refused


class Reply(Message, frozen=True, tag="reply"):
    """The answer to the call with the same `id`."""

    id: Count
    result: Result


class Push(Message, frozen=True, tag="push"):
    """Event number `seq` of a job; 0 for progress, which is not numbered and may be dropped."""

    job: JobId
    seq: Count
    event: JobEvent


class Ping(Message, frozen=True, tag="ping"):
    """Nothing to say; the daemon learns whether the client is still there. Clients ignore it."""


FromDaemon = Reply | Push | Ping
