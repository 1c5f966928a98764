"""What clients tell the daemon."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from manim_daemon.protocol.base import Blob, Count, JobId, Message, Name, Sha256
from manim_daemon.protocol.request import Request

__all__ = [
    "PROTOCOL_VERSION",
    "Attach",
    "Call",
    "CallHeader",
    "Cancel",
    "Command",
    "Fetch",
    "GetJob",
    "GetLogs",
    "GetStatus",
    "Goodbye",
    "Hello",
    "ListJobs",
    "Put",
    "Shutdown",
    "Submit",
]


PROTOCOL_VERSION = 1


class Hello(Message, frozen=True, tag="hello"):
    """Ask whether the daemon answers, and whether it is warm."""


class Goodbye(Message, frozen=True, tag="goodbye"):
    """Say that the client goes: its jobs end at once. There is no reply."""


class Submit(Message, frozen=True, tag="submit"):
    """Accept `request` as a job. The same `key` again means the same job."""

    request: Request
    key: Annotated[str, Meta(min_length=8, max_length=128)]


class Attach(Message, frozen=True, tag="attach"):
    """Send the job's events numbered above `after`, and those to come."""

    job: JobId
    after: Annotated[int, Meta(ge=0)] = 0


class Cancel(Message, frozen=True, tag="cancel"):
    """End the job and everything it started."""

    job: JobId


class Put(Message, frozen=True, tag="put"):
    """A piece of an asset's content, in order; `last` completes it."""

    sha256: Sha256
    offset: Count
    data: Blob
    last: bool


class Fetch(Message, frozen=True, tag="fetch"):
    """Ask for up to `length` bytes of a stored artifact from `offset`."""

    sha256: Sha256
    offset: Count
    length: Annotated[int, Meta(ge=1, le=16 * 1024 * 1024)]


class GetStatus(Message, frozen=True, tag="status"):
    """Ask how the daemon is."""


class ListJobs(Message, frozen=True, tag="list_jobs"):
    """Ask for the newest `limit` jobs, newest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 20


class GetJob(Message, frozen=True, tag="get_job"):
    """Ask for one job; `job` may be the unambiguous beginning of an id."""

    job: Name


class GetLogs(Message, frozen=True, tag="get_logs"):
    """Ask for what a job printed."""

    job: Name


class Shutdown(Message, frozen=True, tag="shutdown"):
    """Stop the daemon; running jobs are cancelled."""


Command = (
    Hello
    | Goodbye
    | Submit
    | Attach
    | Cancel
    | Put
    | Fetch
    | GetStatus
    | ListJobs
    | GetJob
    | GetLogs
    | Shutdown
)


class Call(Message, frozen=True):
    """A command, the number its reply will carry, and the protocol the client speaks."""

    id: Count
    command: Command
    version: int = PROTOCOL_VERSION


class CallHeader(Struct, frozen=True):
    """What every version of `Call` says, for answering one that cannot be read."""

    id: Count
    version: int
