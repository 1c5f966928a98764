"""The daemon at its door: who may speak, what is understood, what it says of itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import msgspec
import psutil
import pytest
import zmq

from manim_daemon.client import Client
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import (
    PROTOCOL_VERSION,
    Attach,
    Call,
    Done,
    ErrorKind,
    Hello,
    JobState,
    Push,
    Put,
    Refused,
    Request,
    Source,
    StateChanged,
    Submit,
    Welcome,
    encode,
)
from manim_daemon.runfile import (
    Connection,
    lock_holder,
    read_connection,
)
from manim_daemon.settings import Settings
from tests.rendering import SWIFT, cell
from tests.wire import Wire

pytestmark = pytest.mark.timeout(60)


def _connection(settings: Settings) -> Connection:
    connection = read_connection(settings)
    assert connection is not None
    return connection


@pytest.fixture
def wire(warm_daemon: Settings) -> Iterator[Wire]:
    """A bare client with the right keys."""
    with Wire(_connection(warm_daemon)) as wire:
        yield wire


# What it says of itself.


def test_status_tells_how_the_daemon_is(client: Client, warm_daemon: Settings) -> None:
    """Process, versions, jobs, memory of each process, isolation and store."""
    client.submit(cell(SWIFT)).result()
    status = client.status()
    assert status.pid == lock_holder(warm_daemon)
    assert status.protocol == PROTOCOL_VERSION
    assert status.python == sys.executable
    assert status.manim_version is not None
    assert status.manim_version.startswith("0.22.")
    assert status.warm
    assert (status.zygotes, status.slots) == (1, 2)
    assert (status.running, status.queued) == (0, 0)
    assert status.clients >= 1
    assert status.uptime_s > 0
    assert status.store_files > 0
    assert status.store_bytes > 0
    assert status.last_error == ""
    assert status.isolation["resource limits"] == "active"


def test_memory_of_the_warm_zygote_is_told(client: Client) -> None:
    """Each process is named, with its resident and its proportional memory."""
    memory = {process.name: process for process in client.status().memory}
    assert memory.keys() >= {"daemon", "zygote"}
    for process in memory.values():
        assert 0 < process.pss <= process.rss
    assert memory["zygote"].rss > 50 * 1024**2
    zygote = psutil.Process(memory["zygote"].pid)
    assert zygote.ppid() == memory["daemon"].pid
    assert zygote.num_threads() == 1


def test_greeting_tells_whether_it_is_warm(wire: Wire) -> None:
    """The first answer a client gets says it already."""
    assert wire.ask(Hello()) == Welcome(warm=True)


# Who may speak.


def _with_other_keys(connection: Connection) -> Connection:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    return msgspec.structs.replace(connection, client_public=public, client_secret=secret)


def _with_other_server(connection: Connection) -> Connection:
    return msgspec.structs.replace(connection, server_key=zmq.curve_keypair()[0].decode())


@pytest.mark.parametrize("change", [_with_other_keys, _with_other_server, None])
def test_who_lacks_the_keys_gets_no_answer(
    client: Client,
    warm_daemon: Settings,
    change: Callable[[Connection], Connection] | None,
) -> None:
    """A stranger's words are not even read, and honest clients are served meanwhile."""
    connection = _connection(warm_daemon)
    stranger = Wire(change(connection)) if change else Wire(connection, secret=False)
    with stranger:
        stranger.send(encode(Call(1, Hello())))
        assert client.submit(cell(SWIFT)).result().artifacts
        assert stranger.receive(within_s=0.3) is None


def test_call_of_another_version_is_refused_with_the_way_out(wire: Wire) -> None:
    """A client that was upgraded, or not, is told to restart the daemon."""
    future = {"id": 1, "version": 999, "command": {"type": "teleport", "to": "x"}, "new": True}
    for data in (encode(Call(1, Hello(), version=999)), msgspec.msgpack.encode(future)):
        wire.send(data)
        refused = wire.answer()
        assert isinstance(refused, Refused)
        assert refused.failure.kind is ErrorKind.INCOMPATIBLE
        assert (
            f"speaks protocol {PROTOCOL_VERSION}, this client speaks 999" in refused.failure.message
        )
        assert "daemon restart" in refused.failure.hint


def test_message_that_cannot_be_read_is_answered_when_it_has_a_number(wire: Wire) -> None:
    """The answer names the field; what has no number is passed over, and the daemon goes on."""
    for frames in ((b"\xc1",), (b"",), (b"a", b"b"), (b"a", b"b", b"c"), (encode(Hello()),)):
        wire.send(*frames)
    wire.send(msgspec.msgpack.encode({"id": 5, "version": PROTOCOL_VERSION, "command": {}}))
    refused = wire.answer()
    assert isinstance(refused, Refused)
    assert refused.failure.kind is ErrorKind.INVALID_REQUEST
    assert "command" in refused.failure.message
    assert isinstance(wire.ask(Hello()), Welcome)


def test_request_out_of_bounds_is_refused(client: Client) -> None:
    """No job comes of a text that is too long or a number that cannot be."""
    before = client.jobs(1)
    for request in (
        Request(Source("cell.py", "x" * (4 * 1024**2 + 1))),
        cell(SWIFT, config={"frame_rate": float("nan")}),
    ):
        with pytest.raises(InvalidRequest, match="cannot be read"):
            client.submit(request)
    assert client.jobs(1) == before


def test_same_key_is_the_same_job(wire: Wire) -> None:
    """A request that is sent again, because its answer was lost, is not rendered twice."""
    submit = Submit(cell(SWIFT), "k" * 32)
    assert wire.ask(submit) == wire.ask(submit)


def test_unknown_job_is_refused(wire: Wire) -> None:
    """Nobody waits for events that never come."""
    refused = wire.ask(Attach("0" * 12))
    assert isinstance(refused, Refused)
    assert "No job begins with" in refused.failure.message


def test_file_that_comes_in_disorder_is_refused_and_may_be_sent_again(wire: Wire) -> None:
    """A piece out of place ends the upload; the next one starts from the beginning."""
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    assert wire.ask(Put(sha256, 0, b"f", last=False)) == Done()
    refused = wire.ask(Put(sha256, 2, b"o", last=True))
    assert isinstance(refused, Refused)
    assert "Send it again" in refused.failure.hint
    assert wire.ask(Put(sha256, 0, b"foo", last=True)) == Done()


def test_events_resume_after_any_number(client: Client, wire: Wire) -> None:
    """Whoever has heard N events asks for those above N, and gets each once, in order."""
    job = client.submit(cell(SWIFT, fresh=True))
    job.result()
    assert wire.ask(Attach(job.id)) == Done()
    story: list[Push] = []
    while not story or not _is_end(story[-1].event):
        story.append(wire.next_push())
    assert [push.seq for push in story] == list(range(1, len(story) + 1))
    for heard in (1, len(story) - 1):
        assert wire.ask(Attach(job.id, heard)) == Done()
        assert [wire.next_push() for _ in story[heard:]] == story[heard:]


def _is_end(event: object) -> bool:
    return isinstance(event, StateChanged) and event.state is JobState.SUCCEEDED
