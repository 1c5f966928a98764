"""Messages to bytes and back: decoded and validated once, at the edge."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from manim_daemon.protocol.commands import Call, CallHeader
from manim_daemon.protocol.events import WorkerEvent
from manim_daemon.protocol.replies import FromDaemon
from manim_daemon.protocol.request import Request

__all__ = [
    "ProtocolError",
    "decode_call",
    "decode_call_header",
    "decode_from_daemon",
    "decode_request",
    "decode_worker_event",
    "encode",
]


class ProtocolError(ValueError):
    """A message could not be decoded; the text says which part is wrong."""


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
