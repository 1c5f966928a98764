"""The daemon itself: who may speak, how it starts, how it stops, what it says of itself."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from manim_daemon import launch
from manim_daemon.client import Client
from manim_daemon.errors import DaemonUnavailable, Incompatible, InvalidRequest
from manim_daemon.protocol import (
    PROTOCOL_VERSION,
    Attach,
    Call,
    Done,
    ErrorKind,
    GetStatus,
    Hello,
    JobState,
    Push,
    Put,
    Refused,
    Request,
    Shutdown,
    Source,
    StateChanged,
    Submit,
    Welcome,
    encode,
)
from manim_daemon.runfile import (
    Connection,
    lock_holder,
    prepare_runtime_dir,
    read_connection,
    write_connection,
)
from manim_daemon.settings import Settings
from tests.rendering import SWIFT, cell, eventually
from tests.wire import Wire

pytestmark = pytest.mark.timeout(60)

_CONNECT = "from manim_daemon.client import Client; print(Client.connect().status().pid)"


def _connection(settings: Settings) -> Connection:
    connection = read_connection(settings)
    assert connection is not None
    return connection


@pytest.fixture
def wire(warm_daemon: Settings) -> Iterator[Wire]:
    """A bare client with the right keys."""
    with Wire(_connection(warm_daemon)) as wire:
        yield wire


@pytest.fixture
def settings(daemon_home: Path) -> Settings:
    """Settings of a daemon of the test's own, which does not run yet."""
    settings = Settings.load()
    prepare_runtime_dir(settings)
    return settings


def _pid(settings: Settings) -> int:
    with Client.connect(settings) as client:
        return client.status().pid


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


# How it starts.


def test_only_the_user_may_enter(settings: Settings) -> None:
    """Folder, socket and connection file are closed to others."""
    launch.start(settings)
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (settings.runtime_dir, settings.socket_path, settings.connection_file)
    ]
    assert modes == [0o700, 0o600, 0o600]


def test_daemons_started_at_once_are_one(settings: Settings) -> None:
    """Whoever starts first wins, and every client is served by that one."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _CONNECT], stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(3)
        ]
        pids = {client.communicate()[0].strip() for client in clients}
    assert pids == {str(lock_holder(settings))}


def test_second_daemon_in_the_foreground_says_that_there_is_one(settings: Settings) -> None:
    """It ends with its own exit status and leaves the first one alone."""
    pid = _pid(settings)
    second = subprocess.run(
        [sys.executable, "-m", "manim_daemon.server"], capture_output=True, text=True, check=False
    )
    assert second.returncode == launch.EXIT_CANNOT_START
    assert "Another daemon of yours runs already" in second.stderr
    assert _pid(settings) == pid


def test_killed_daemon_is_replaced(settings: Settings) -> None:
    """What it left behind, connection file and socket, is no hindrance."""
    pid = _pid(settings)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: lock_holder(settings) is None, "the daemon is gone")
    assert settings.connection_file.exists()
    assert settings.socket_path.exists()
    assert _pid(settings) != pid


def _garbage(settings: Settings) -> None:
    settings.connection_file.write_bytes(b"\xff{ not json")


def _names_a_stranger(settings: Settings) -> None:
    stranger = Connection(PROTOCOL_VERSION, "0", os.getpid(), "ipc://x", "a", "b", "c")
    write_connection(settings, stranger)


def _old_protocol(settings: Settings) -> None:
    write_connection(settings, Connection(999, "9", 999_999, "ipc://x", "a", "b", "c"))


def _file_in_place_of_the_socket(settings: Settings) -> None:
    settings.socket_path.write_text("no socket")


@pytest.mark.parametrize(
    "leave", [_garbage, _names_a_stranger, _old_protocol, _file_in_place_of_the_socket]
)
def test_leftovers_do_not_hinder_a_start(
    settings: Settings, leave: Callable[[Settings], None]
) -> None:
    """Where no daemon runs, whatever lies in the runtime folder is replaced."""
    leave(settings)
    assert _pid(settings) == lock_holder(settings)


def test_daemon_of_another_version_is_told_apart(settings: Settings) -> None:
    """The client does not try to speak to it; stopping it works, and then all is well."""
    pid = _pid(settings)
    ours = _connection(settings)
    write_connection(settings, msgspec.structs.replace(ours, protocol=999, version="9.9"))
    with pytest.raises(Incompatible, match=r"version 9\.9") as caught:
        Client.connect(settings)
    assert "daemon restart" in caught.value.failure.hint
    assert launch.stop(settings)
    assert _pid(settings) != pid


def test_daemon_whose_connection_file_was_broken_can_be_stopped(settings: Settings) -> None:
    """It cannot be reached any more, but it is known and can be replaced."""
    pid = _pid(settings)
    _garbage(settings)
    assert launch.stop(settings)
    assert _pid(settings) != pid


def test_nothing_is_started_when_that_is_not_wanted(settings: Settings) -> None:
    """The error says how to start one."""
    with pytest.raises(DaemonUnavailable, match="No daemon runs") as caught:
        Client.connect(settings, start=False)
    assert "daemon start" in caught.value.failure.hint
    assert lock_holder(settings) is None


def test_python_that_cannot_be_run_is_named(settings: Settings) -> None:
    """The error says which one, and how to name another."""
    with pytest.raises(
        DaemonUnavailable, match=r"/no/python cannot be run: No such file"
    ) as caught:
        launch.start(settings, "/no/python")
    assert "--python PATH" in caught.value.failure.hint


def test_python_without_the_daemon_shows_its_last_words(settings: Settings, tmp_path: Path) -> None:
    """What that Python said is in the error, and the log is named."""
    venv.create(tmp_path / "bare", symlinks=True)
    with pytest.raises(DaemonUnavailable, match="The daemon ended") as caught:
        launch.start(settings, str(tmp_path / "bare" / "bin" / "python"))
    assert "No module named" in caught.value.failure.message
    assert str(settings.log_file) in caught.value.failure.hint


def test_python_without_manim_says_how_to_install_it(settings: Settings, tmp_path: Path) -> None:
    """The daemon's own refusal reaches whoever started it."""
    bare = tmp_path / "bare"
    venv.create(bare, symlinks=True)
    (packages,) = bare.glob("lib/python*/site-packages")
    everything_but_manim = tmp_path / "packages"
    everything_but_manim.mkdir()
    for path in Path(zmq.__file__).parents[1].iterdir():
        if not path.name.startswith("manim"):
            (everything_but_manim / path.name).symlink_to(path)
    ours = Path(launch.__file__).parents[1]
    (packages / "path.pth").write_text(f"{everything_but_manim}\n{ours}\n")
    with pytest.raises(DaemonUnavailable, match="Manim is not installed in") as caught:
        launch.start(settings, str(bare / "bin" / "python"))
    assert str(bare) in caught.value.failure.message
    assert "manim-kernel-ext[render]" in caught.value.failure.hint


def test_bad_setting_is_told_to_whoever_starts_the_daemon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon does not start with it, and the error names it."""
    monkeypatch.setenv("MANIM_KERNEL_SLOTS", "0")
    with pytest.raises(DaemonUnavailable, match="slots"):
        launch.start(settings)
    monkeypatch.delenv("MANIM_KERNEL_SLOTS")


# How it stops.


def test_idle_daemon_stops_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without clients and jobs it is gone after its time, and leaves nothing in the way."""
    monkeypatch.setenv("MANIM_KERNEL_IDLE_TIMEOUT_S", "0.3")
    launch.start(settings)
    eventually(lambda: lock_holder(settings) is None, "the daemon is gone")
    assert not settings.connection_file.exists()
    assert not settings.socket_path.exists()
    assert "idle for 0.3 s" in settings.log_file.read_text()


def test_daemon_with_a_client_does_not_stop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that says nothing counts as well."""
    monkeypatch.setenv("MANIM_KERNEL_IDLE_TIMEOUT_S", "0.3")
    with Client.connect(settings), pytest.raises(AssertionError):
        eventually(lambda: lock_holder(settings) is None, "gone", within_s=1)


def test_daemon_is_gone_once_shutdown_returns(settings: Settings) -> None:
    """Its zygote and its files are too, and a new one can be started at once."""
    with Client.connect(settings) as client:
        pid = client.status().pid
        children = psutil.Process(pid).children(recursive=True)
        client.shutdown()
        assert lock_holder(settings) is None
        assert not settings.connection_file.exists()
        _, alive = psutil.wait_procs(children, timeout=2)
        assert not alive
        with pytest.raises(DaemonUnavailable, match="has stopped"):
            client.status()
    assert _pid(settings) != pid


def test_daemon_can_be_started_while_another_stops(settings: Settings) -> None:
    """Whoever comes in between waits for the old one to go, and gets the new one."""
    pid = _pid(settings)
    with Wire(_connection(settings)) as wire:
        assert wire.ask(Shutdown()) == Done()
    assert _pid(settings) != pid


def test_stopping_where_nothing_runs_says_so(settings: Settings) -> None:
    """There is nothing to stop, and that is no error."""
    assert launch.stop(settings) is False
    launch.start(settings)
    assert launch.stop(settings) is True
    assert launch.stop(settings) is False


def test_client_of_a_replaced_daemon_is_told_at_once(settings: Settings) -> None:
    """It does not wait for an answer that cannot come."""
    with Client.connect(settings) as client:
        os.kill(client.status().pid, signal.SIGKILL)
        eventually(lambda: lock_holder(settings) is None, "the daemon is gone")
        _pid(settings)
        with pytest.raises(DaemonUnavailable, match="has stopped"):
            client.status()


def test_unknown_command_line_ends_with_usage() -> None:
    """The server's own command line is checked before anything starts."""
    done = subprocess.run(
        [sys.executable, "-m", "manim_daemon.server", "--port", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_status_is_answered_while_the_zygote_warms_up(settings: Settings) -> None:
    """The daemon is reachable before Manim is loaded."""
    launch.start(settings)
    with Wire(_connection(settings)) as wire:
        assert wire.ask(Hello()) == Welcome(warm=False)
        assert not isinstance(wire.ask(GetStatus()), Refused)
