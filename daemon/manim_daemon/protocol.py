"""What clients, the daemon and workers say to each other, and how it is decoded.

Every message is a frozen struct in msgpack. Each direction has one closed, tagged
union, decoded and validated once, at the edge. This module imports nothing else of the project.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "PROTOCOL_VERSION",
    "Accepted",
    "Artifact",
    "ArtifactKind",
    "Asset",
    "Attach",
    "Call",
    "CallHeader",
    "Cancel",
    "Chunk",
    "Command",
    "ConfigValue",
    "Done",
    "ErrorKind",
    "Failure",
    "Fetch",
    "Finished",
    "FromDaemon",
    "GetJob",
    "GetLogs",
    "GetStatus",
    "Hello",
    "Job",
    "JobEvent",
    "JobState",
    "Jobs",
    "Limits",
    "ListJobs",
    "Log",
    "Logs",
    "NamespaceItem",
    "NeedAssets",
    "Note",
    "Output",
    "Ping",
    "ProcessMemory",
    "Progress",
    "ProtocolError",
    "Push",
    "Put",
    "Refused",
    "RenderOptions",
    "Reply",
    "Request",
    "Result",
    "SceneStarted",
    "Shutdown",
    "Source",
    "SourceItem",
    "StateChanged",
    "Status",
    "Submit",
    "TracebackLine",
    "ValueItem",
    "WorkerEvent",
    "decode_call",
    "decode_call_header",
    "decode_from_daemon",
    "decode_request",
    "decode_worker_event",
    "encode",
]

PROTOCOL_VERSION = 1

MAX_TEXT = 4 * 1024 * 1024
MAX_BLOB = 256 * 1024 * 1024
MAX_ITEMS = 10_000

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Name = Annotated[str, Meta(max_length=1024)]
Blob = Annotated[bytes, Meta(max_length=MAX_BLOB)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
JobId = Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
Count = Annotated[int, Meta(ge=0)]
PixelCount = Annotated[int, Meta(ge=1, le=65536)]
ConfigValue = str | int | float | bool | None


class ProtocolError(ValueError):
    """A message could not be decoded; the text says which part is wrong."""


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


class _Message(Struct, frozen=True, forbid_unknown_fields=True):
    pass


# --- a request -------------------------------------------------------------------------


class Source(_Message, frozen=True):
    """One text file of the user's.

    `path` is relative to the job's folder, with forward slashes. `label` is how tracebacks
    name the file (``Cell In[5]``); empty means `path`. `first_line` is the line number that the
    user's editor shows for the first line of `text` (2 for the body of a ``%%`` cell).
    """

    path: Name
    text: Text
    label: Name = ""
    first_line: Annotated[int, Meta(ge=1)] = 1


class SourceItem(_Message, frozen=True, tag="source"):
    """Statements to execute in the scene's module before the entry source; they define `names`."""

    text: Text
    label: Name
    first_line: Annotated[int, Meta(ge=1)] = 1
    names: tuple[Name, ...] = ()


class ValueItem(_Message, frozen=True, tag="value"):
    """A value by cloudpickle, bound to `name`. Only the worker unpickles it.

    Inside the pickle a persistent id is the name of something that an earlier item defines.
    """

    name: Name
    pickle: Blob


NamespaceItem = SourceItem | ValueItem


class Asset(_Message, frozen=True):
    """A file the scene names: where it goes in the job's folder, and its content by hash."""

    path: Name
    sha256: Sha256
    size: Count


class RenderOptions(_Message, frozen=True):
    """Manim's render flags under Manim's own long names; None leaves Manim's configuration alone.

    `resolution` is (width, height) in pixels, `frame_rate` in frames per second,
    `from_animation_number` is (first,) or (first, last), counted from 0.
    """

    quality: Annotated[str, Meta(pattern="^[lmhpk]$")] | None = None
    resolution: tuple[PixelCount, PixelCount] | None = None
    frame_rate: Annotated[float, Meta(gt=0, le=1000)] | None = None
    format: (
        Annotated[str, Meta(pattern="^(auto|none|png|png-sequence|gif|mp4|webm|mov)$")] | None
    ) = None
    save_last_frame: bool | None = None
    write_all: bool | None = None
    from_animation_number: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=2)] | None = (
        None
    )
    transparent: bool | None = None
    background_color: Name | None = None
    seed: int | None = None
    renderer: Annotated[str, Meta(pattern="^(cairo|opengl)$")] | None = None
    disable_caching: bool | None = None
    verbosity: Annotated[str, Meta(pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")] | None = None
    save_sections: bool | None = None
    output_file: Name | None = None
    zero_pad: Annotated[int, Meta(ge=0, le=9)] | None = None
    tex_template: Name | None = None
    config_file: Name | None = None
    video_codec: Name | None = None
    pixel_format: Name | None = None
    video_encoder_options: dict[Name, Name] | None = None


class Limits(_Message, frozen=True):
    """What one job may use; the daemon's owner sets the ceilings. Times in seconds."""

    wall_time_s: Annotated[float, Meta(gt=0, le=86400)] = 300.0
    memory_bytes: Annotated[int, Meta(ge=64 * 1024**2)] = 8 * 1024**3
    output_bytes: Annotated[int, Meta(ge=1)] = 2 * 1024**3
    log_bytes: Annotated[int, Meta(ge=1)] = 1024**2


class Request(_Message, frozen=True):
    """What a client asks: render `scenes` of `entry` under `options`.

    `scenes` empty means: the only scene there is, or all with ``write_all``. When
    `construct_base` is set, `entry` is the body of ``construct()`` of one scene with that base.
    With `notebook` the entry is a cell: ``from manim import *`` is implied, and the flags win over
    what the cell sets on Manim's ``config``, as under ``%%manim``; in a script the script wins.
    `config` holds values the notebook set on Manim's ``config``.
    """

    entry: Source
    scenes: Annotated[tuple[Name, ...], Meta(max_length=MAX_ITEMS)] = ()
    notebook: bool = False
    construct_base: Name | None = None
    modules: Annotated[tuple[Source, ...], Meta(max_length=MAX_ITEMS)] = ()
    namespace: Annotated[tuple[NamespaceItem, ...], Meta(max_length=MAX_ITEMS)] = ()
    assets: Annotated[tuple[Asset, ...], Meta(max_length=MAX_ITEMS)] = ()
    options: RenderOptions = RenderOptions()
    config: dict[Name, ConfigValue] = {}
    limits: Limits = Limits()
    fresh: bool = False


# --- events ----------------------------------------------------------------------------


class TracebackLine(_Message, frozen=True):
    """One line of the user's own code on the way to an exception."""

    filename: Name
    line: int
    function: Name
    source: Text


class Failure(_Message, frozen=True, tag="failure"):
    """Why a job failed or a command was refused: what happened, and what to do next (`hint`)."""

    kind: ErrorKind
    message: Text
    hint: Text = ""
    exception: Name = ""
    traceback: Annotated[tuple[TracebackLine, ...], Meta(max_length=1000)] = ()


class SceneStarted(_Message, frozen=True, tag="scene"):
    """A scene begins: number `index` of `scenes_total`; `plays_total` is None when not known."""

    scene: Name
    index: Count
    scenes_total: Count
    plays_total: Count | None = None


class Progress(_Message, frozen=True, tag="progress"):
    """Frame `frame` of `frames` of play `play` (from 1) is drawn. May be dropped under load."""

    scene: Name
    play: Count
    plays_total: Count | None
    name: Name
    frame: Count
    frames: Count
    fps: float
    eta_s: float | None = None


class Note(_Message, frozen=True, tag="note"):
    """Something the user should know although the job goes on."""

    message: Text


class Output(_Message, frozen=True, tag="output"):
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


class Finished(_Message, frozen=True, tag="finished"):
    """The worker is done; `timings_s` says where the seconds went."""

    timings_s: dict[Name, float] = {}


WorkerEvent = SceneStarted | Progress | Note | Output | Failure | Finished


class Artifact(_Message, frozen=True, tag="artifact"):
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


class Log(_Message, frozen=True, tag="log"):
    """Text the scene or Manim wrote to standard output or error."""

    text: Text


class StateChanged(_Message, frozen=True, tag="state"):
    """The job's state; when final, `elapsed_s` is the time since it was accepted."""

    state: JobState
    cached: bool = False
    elapsed_s: float = 0.0
    timings_s: dict[Name, float] = {}


JobEvent = StateChanged | SceneStarted | Progress | Note | Log | Artifact | Failure


# --- client to daemon ------------------------------------------------------------------


class Hello(_Message, frozen=True, tag="hello"):
    """Ask whether the daemon answers at all."""


class Submit(_Message, frozen=True, tag="submit"):
    """Accept `request` as a job. The same `key` again means the same job."""

    request: Request
    key: Annotated[str, Meta(min_length=8, max_length=128)]


class Attach(_Message, frozen=True, tag="attach"):
    """Send the job's events numbered above `after`, and those to come."""

    job: JobId
    after: Annotated[int, Meta(ge=0)] = 0


class Cancel(_Message, frozen=True, tag="cancel"):
    """End the job and everything it started."""

    job: JobId


class Put(_Message, frozen=True, tag="put"):
    """A piece of an asset's content, in order; `last` completes it."""

    sha256: Sha256
    offset: Count
    data: Blob
    last: bool


class Fetch(_Message, frozen=True, tag="fetch"):
    """Ask for up to `length` bytes of a stored artifact from `offset`."""

    sha256: Sha256
    offset: Count
    length: Annotated[int, Meta(ge=1, le=16 * 1024 * 1024)]


class GetStatus(_Message, frozen=True, tag="status"):
    """Ask how the daemon is."""


class ListJobs(_Message, frozen=True, tag="list_jobs"):
    """Ask for the newest `limit` jobs, newest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 20


class GetJob(_Message, frozen=True, tag="get_job"):
    """Ask for one job; `job` may be the unambiguous beginning of an id."""

    job: Name


class GetLogs(_Message, frozen=True, tag="get_logs"):
    """Ask for what a job printed."""

    job: Name


class Shutdown(_Message, frozen=True, tag="shutdown"):
    """Stop the daemon; running jobs are cancelled."""


Command = (
    Hello
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


class Call(_Message, frozen=True):
    """A command, the number its reply will carry, and the protocol the client speaks."""

    id: Count
    command: Command
    version: int = PROTOCOL_VERSION


class CallHeader(Struct, frozen=True):
    """What every version of `Call` says, for answering one that cannot be read."""

    id: Count
    version: int


# --- daemon to client ------------------------------------------------------------------


class Accepted(_Message, frozen=True, tag="accepted"):
    """The job is committed to the job log."""

    job: JobId


class NeedAssets(_Message, frozen=True, tag="need_assets"):
    """Put these assets, then submit again."""

    sha256: tuple[Sha256, ...]


class Chunk(_Message, frozen=True, tag="chunk"):
    """Bytes of an artifact; `total` is the size of the whole."""

    data: Blob
    total: Count


class Job(_Message, frozen=True, tag="job"):
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


class Jobs(_Message, frozen=True, tag="jobs"):
    """Jobs, newest first."""

    jobs: tuple[Job, ...]


class Logs(_Message, frozen=True, tag="logs"):
    """What a job printed."""

    text: Text


class ProcessMemory(_Message, frozen=True):
    """Memory of one process in bytes: resident, and its proportional share."""

    name: Name
    pid: int
    rss: Count
    pss: Count


class Status(_Message, frozen=True, tag="status_reply"):
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


class Done(_Message, frozen=True, tag="done"):
    """The command was carried out; there is nothing to return."""


class Refused(_Message, frozen=True, tag="refused"):
    """The command was not carried out, and why."""

    failure: Failure


Result = Accepted | NeedAssets | Chunk | Job | Jobs | Logs | Status | Done | Refused


class Reply(_Message, frozen=True, tag="reply"):
    """The answer to the call with the same `id`."""

    id: Count
    result: Result


class Push(_Message, frozen=True, tag="push"):
    """Event number `seq` of a job; 0 for progress, which is not numbered and may be dropped."""

    job: JobId
    seq: Count
    event: JobEvent


class Ping(_Message, frozen=True, tag="ping"):
    """Nothing to say; the daemon learns whether the client is still there. Clients ignore it."""


FromDaemon = Reply | Push | Ping


# --- encoding --------------------------------------------------------------------------

_T = TypeVar("_T")
_encoder = msgspec.msgpack.Encoder()


def encode(message: Struct) -> bytes:
    """Return `message` in msgpack."""
    return _encoder.encode(message)


def _decode_with(decoder: msgspec.msgpack.Decoder[_T]) -> Callable[[bytes], _T]:
    def decode(data: bytes) -> _T:
        try:
            message = decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise ProtocolError(str(error)) from error
        _reject_non_finite(message)
        return message

    return decode


def _reject_non_finite(value: object) -> None:
    """msgpack carries NaN and infinities; nothing here means anything by them."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError("Expected a finite number")
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            _reject_non_finite(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            _reject_non_finite(item)
    elif isinstance(value, dict):
        for item in value.values():
            _reject_non_finite(item)


decode_call = _decode_with(msgspec.msgpack.Decoder(Call))
decode_call_header = _decode_with(msgspec.msgpack.Decoder(CallHeader))
decode_request = _decode_with(msgspec.msgpack.Decoder(Request))
decode_from_daemon: Callable[[bytes], FromDaemon] = _decode_with(
    msgspec.msgpack.Decoder(FromDaemon)
)
decode_worker_event: Callable[[bytes], WorkerEvent] = _decode_with(
    msgspec.msgpack.Decoder(WorkerEvent)
)
