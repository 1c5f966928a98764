"""How the daemon starts and stops, whatever lies in its way."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from manim_daemon import launch
from manim_daemon.client import Client
from manim_daemon.errors import DaemonUnavailable, Incompatible
from manim_daemon.protocol import (
    PROTOCOL_VERSION,
    Done,
    GetStatus,
    Hello,
    Refused,
    Shutdown,
    Welcome,
)
from manim_daemon.runfile import (
    Connection,
    lock_holder,
    prepare_runtime_dir,
    read_connection,
    write_connection,
)
from manim_daemon.settings import Settings
from tests.rendering import eventually
from tests.wire import Wire

pytestmark = pytest.mark.timeout(60)

_CONNECT = "from manim_daemon.client import Client; print(Client.connect().status().pid)"


def _connection(settings: Settings) -> Connection:
    connection = read_connection(settings)
    assert connection is not None
    return connection


@pytest.fixture
def settings(daemon_home: Path) -> Settings:
    """Settings of a daemon of the test's own, which does not run yet."""
    settings = Settings.load()
    prepare_runtime_dir(settings)
    return settings


def _pid(settings: Settings) -> int:
    with Client.connect(settings) as client:
        return client.status().pid


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


def _nothing(settings: Settings) -> None:
    settings.connection_file.unlink()


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


@pytest.mark.parametrize("leave", [_names_a_stranger, _nothing])
def test_daemon_that_nobody_can_find_stops_itself(
    settings: Settings, leave: Callable[[Settings], None]
) -> None:
    """When its connection file is gone or another's, it ends, and leaves that file alone."""
    launch.start(settings)
    leave(settings)
    left = settings.connection_file.exists()
    eventually(lambda: lock_holder(settings) is None, "the daemon is gone")
    assert settings.connection_file.exists() == left


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
