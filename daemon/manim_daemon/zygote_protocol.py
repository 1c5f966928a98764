"""What the supervisor and a zygote say to each other, one message per packet of a unix socket."""

from __future__ import annotations

import msgspec
from msgspec import Struct

__all__ = [
    "MAX_PACKET",
    "Exited",
    "FromZygote",
    "Kill",
    "Ready",
    "Spawn",
    "Spawned",
    "ToZygote",
    "decode_from_zygote",
    "decode_to_zygote",
]

MAX_PACKET = 64 * 1024
"""The largest packet in bytes; a worker's events obey it too."""


class _Packet(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Spawn(_Packet, frozen=True, tag="spawn"):
    """Fork a worker for the request in `folder`.

    Two descriptors come along: the worker's end of the event socket and the writing end of its
    log.
    """

    job: str
    folder: str
    tex_cache: str
    memory_bytes: int
    output_bytes: int
    cpu_time_s: int


class Kill(_Packet, frozen=True, tag="kill"):
    """End the job's whole process tree."""

    job: str


class Ready(_Packet, frozen=True, tag="ready"):
    """The zygote is warm."""

    manim_version: str
    warm_up_s: float


class Spawned(_Packet, frozen=True, tag="spawned"):
    """The job's worker runs; `pid` is the root of its process tree."""

    job: str
    pid: int


class Exited(_Packet, frozen=True, tag="exited"):
    """The job's process tree is gone. `status`: exit code, or 128 + signal number."""

    job: str
    status: int


ToZygote = Spawn | Kill
FromZygote = Ready | Spawned | Exited

_to_zygote: msgspec.msgpack.Decoder[ToZygote] = msgspec.msgpack.Decoder(ToZygote)
_from_zygote: msgspec.msgpack.Decoder[FromZygote] = msgspec.msgpack.Decoder(FromZygote)

decode_to_zygote = _to_zygote.decode
decode_from_zygote = _from_zygote.decode
