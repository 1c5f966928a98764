"""What may be said on the wire, and that nothing else is understood."""

from __future__ import annotations

import contextlib
import math
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from manim_daemon import protocol
from manim_daemon.protocol import (
    PROTOCOL_VERSION,
    Artifact,
    ArtifactKind,
    Asset,
    Attach,
    Call,
    Command,
    ErrorKind,
    Failure,
    Fetch,
    Finished,
    FromDaemon,
    GetStatus,
    Hello,
    JobState,
    Limits,
    Note,
    Progress,
    ProtocolError,
    Push,
    Put,
    Refused,
    RenderOptions,
    Reply,
    Request,
    Result,
    Source,
    SourceItem,
    StateChanged,
    Submit,
    TracebackLine,
    ValueItem,
    WorkerEvent,
    decode_call,
    decode_call_header,
    decode_from_daemon,
    decode_request,
    decode_worker_event,
    encode,
)

pytestmark = pytest.mark.timeout(60)

_JOB = "0123456789ab"
_REQUEST = Request(
    entry=Source("cell.py", "self.wait()", "Cell In[5]", 2),
    scenes=("Demo",),
    notebook=True,
    construct_base="Scene",
    modules=(Source("helpers.py", "x = 1"),),
    namespace=(SourceItem("y = 2", "Cell In[3]", 1, ("y",)), ValueItem("z", b"\x80\x04N.")),
    assets=(Asset("logo.png", "a" * 64, 3),),
    options=RenderOptions(quality="l", resolution=(64, 36), from_animation_number=(1, 2)),
    config={"frame_rate": 30, "tex": "x", "ratio": 0.5, "flag": True, "nothing": None},
    limits=Limits(wall_time_s=1.5),
    fresh=True,
)
_SUBMIT = Call(7, Submit(_REQUEST, "k" * 16))
_ARTIFACT = Artifact("Demo", ArtifactKind.VIDEO, "Demo.mp4", "b" * 64, 7, "video/mp4", 64, 36, 15.0)
_FAILURE = Failure(
    ErrorKind.SCENE_ERROR, "no", "do", "NameError", (TracebackLine("f", 1, "g", "h"),)
)


def _changed(message: Struct, *path: str, **changes: Any) -> bytes:
    """Return `message` with keys changed or added in the map that `path` leads to."""
    plain = msgspec.msgpack.decode(encode(message))
    place = plain
    for name in path:
        place = place[name]
    place.update(changes)
    return msgspec.msgpack.encode(plain)


def test_call_survives_the_wire() -> None:
    """Every field of a full request arrives as it was sent."""
    assert decode_call(encode(_SUBMIT)) == _SUBMIT
    assert decode_request(encode(_REQUEST)) == _REQUEST


@pytest.mark.parametrize(
    "message",
    [
        Reply(1, Refused(_FAILURE)),
        Push(_JOB, 3, StateChanged(JobState.SUCCEEDED, True, 1.5, {"render": 1.0})),
        Push(_JOB, 0, Progress("Demo", 1, None, "Create", 3, 15, 30.0)),
        Push(_JOB, 4, _ARTIFACT),
        protocol.Ping(),
    ],
)
def test_what_the_daemon_says_survives_the_wire(message: FromDaemon) -> None:
    """Replies, events and pings arrive as they were sent."""
    assert decode_from_daemon(encode(message)) == message


@pytest.mark.parametrize("event", [_FAILURE, Finished({"load": 0.1}), Note("so")])
def test_what_a_worker_says_survives_the_wire(event: WorkerEvent) -> None:
    """A worker's events arrive as they were sent."""
    assert decode_worker_event(encode(event)) == event


@pytest.mark.parametrize("union", [Command, Result, WorkerEvent, protocol.JobEvent])
def test_every_member_of_a_union_has_its_own_tag(union: Any) -> None:
    """No message can be taken for another."""
    tags = [member.__struct_config__.tag for member in get_args(union)]
    assert None not in tags
    assert len(set(tags)) == len(tags)


def test_every_name_that_is_exported_exists() -> None:
    """The package offers what it lists."""
    for name in protocol.__all__:
        assert hasattr(protocol, name)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x93\x01\x02\x03",
        encode(_SUBMIT)[:-1],
        encode(_SUBMIT) + b"\x00",
        _changed(_SUBMIT, "command", type="explode"),
        _changed(_SUBMIT, "command", type="accepted"),
        _changed(_SUBMIT, extra=1),
        _changed(_SUBMIT, "command", extra=1),
        _changed(_SUBMIT, "command", "request", extra=1),
        _changed(_SUBMIT, "command", "request", "options", quality="x"),
        _changed(_SUBMIT, "command", "request", "options", resolution=(0, 36)),
        _changed(_SUBMIT, "command", "request", "options", resolution=(64, 36, 1)),
        _changed(_SUBMIT, "command", "request", "options", frame_rate=0),
        _changed(_SUBMIT, "command", "request", "options", frame_rate=math.nan),
        _changed(_SUBMIT, "command", "request", "options", frame_rate=math.inf),
        _changed(_SUBMIT, "command", "request", "options", from_animation_number=()),
        _changed(_SUBMIT, "command", "request", "limits", wall_time_s=0),
        _changed(_SUBMIT, "command", "request", "limits", wall_time_s=math.nan),
        _changed(_SUBMIT, "command", "request", "limits", memory_bytes=1),
        _changed(_SUBMIT, "command", "request", "config", ratio=math.nan),
        _changed(_SUBMIT, "command", "request", "config", ratio=-math.inf),
        _changed(_SUBMIT, "command", "request", "config", ratio=[1]),
        _changed(_SUBMIT, "command", "request", "entry", first_line=0),
        _changed(_SUBMIT, "command", "request", "entry", path="x" * 1025),
        _changed(_SUBMIT, "command", "request", "entry", text="x" * (4 * 1024**2 + 1)),
        _changed(_SUBMIT, "command", "request", scenes=("Demo",) * 10_001),
        _changed(_SUBMIT, "command", key="short"),
        _changed(Call(1, Attach(_JOB)), "command", job="../../etc"),
        _changed(Call(1, Attach(_JOB)), "command", after=-1),
        _changed(Call(1, Fetch("a" * 64, 0, 1)), "command", length=0),
        _changed(Call(1, Fetch("a" * 64, 0, 1)), "command", length=16 * 1024**2 + 1),
        _changed(Call(1, Fetch("a" * 64, 0, 1)), "command", sha256="A" * 64),
        _changed(Call(1, Put("a" * 64, 0, b"", True)), "command", offset=-1),
        _changed(Call(1, Put("a" * 64, 0, b"", True)), "command", last="yes"),
        _changed(Call(1, Hello()), id=-1),
    ],
)
def test_what_does_not_belong_is_an_error(data: bytes) -> None:
    """Unknown kinds and fields, wrong types, numbers out of bounds and broken bytes."""
    with pytest.raises(ProtocolError):
        decode_call(data)


def test_error_names_the_field() -> None:
    """Whoever sent the message learns which part is wrong."""
    data = _changed(_SUBMIT, "command", "request", "options", frame_rate=0)
    with pytest.raises(ProtocolError, match=r"request\.options\.frame_rate"):
        decode_call(data)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused_from_workers_too(number: float) -> None:
    """NaN and infinities are refused wherever they hide."""
    for event in (
        Progress("Demo", 1, None, "", 1, 2, number),
        Progress("Demo", 1, None, "", 1, 2, 1.0, number),
        Finished({"render": number}),
    ):
        with pytest.raises(ProtocolError, match="finite"):
            decode_worker_event(encode(event))


def test_call_of_another_version_tells_its_number_and_version() -> None:
    """A call that cannot be read can still be answered."""
    data = msgspec.msgpack.encode(
        {"id": 5, "version": PROTOCOL_VERSION + 1, "command": {"type": "teleport"}, "new": 1}
    )
    with pytest.raises(ProtocolError):
        decode_call(data)
    header = decode_call_header(data)
    assert (header.id, header.version) == (5, PROTOCOL_VERSION + 1)


def test_call_names_the_version_that_it_speaks() -> None:
    """Whoever builds a call need not think of it."""
    assert decode_call_header(encode(Call(1, GetStatus()))).version == PROTOCOL_VERSION


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_broken_call_is_an_error_or_a_call(data: st.DataObject) -> None:
    """Whatever bytes arrive, decoding ends with a call or with ProtocolError and nothing else."""
    call = data.draw(
        st.sampled_from([_SUBMIT, Call(1, Put("a" * 64, 0, b"xy", True)), Call(2, Attach(_JOB))])
    )
    raw = bytearray(encode(call))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(start + 8, len(raw))))
        raw[start:end] = data.draw(st.binary(max_size=8))
    for decode in (decode_call, decode_call_header, decode_from_daemon, decode_worker_event):
        with contextlib.suppress(ProtocolError):
            decode(bytes(raw))


def test_deep_nesting_is_an_error() -> None:
    """A message that is nothing but depth is refused, not followed."""
    with pytest.raises(ProtocolError):
        decode_call(b"\x91" * 100_000)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_noise_is_an_error(data: bytes) -> None:
    """Random bytes are no call."""
    with pytest.raises(ProtocolError):
        decode_call(data)
