"""How a client finds the daemon, and how a daemon knows that it is the only one."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from manim_daemon import launch
from manim_daemon.errors import DaemonUnavailable
from manim_daemon.launch import is_alive
from manim_daemon.runfile import (
    Connection,
    data_lock,
    lock_holder,
    prepare_runtime_dir,
    read_connection,
    remove_connection,
    runtime_lock,
    write_connection,
)
from manim_daemon.settings import Settings

pytestmark = pytest.mark.timeout(30)

_CONNECTION = Connection(1, "0.1.0", os.getpid(), "ipc://x", "server", "public", "secret")


@pytest.fixture
def settings(daemon_home: Path) -> Settings:
    settings = Settings.load()
    prepare_runtime_dir(settings)
    return settings


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_connection_is_read_as_it_was_written(settings: Settings) -> None:
    """What the daemon publishes, its clients find."""
    write_connection(settings, _CONNECTION)
    assert read_connection(settings) == _CONNECTION


def test_secrets_are_the_users_own(settings: Settings) -> None:
    """Nobody else may read the keys, whatever the umask."""
    before = os.umask(0)
    try:
        write_connection(settings, _CONNECTION)
    finally:
        os.umask(before)
    assert _mode(settings.runtime_dir) == 0o700
    assert _mode(settings.connection_file) == 0o600


def test_new_connection_replaces_the_old_one(settings: Settings) -> None:
    """No half-written file is ever to be seen, and no other is left."""
    write_connection(settings, _CONNECTION)
    newer = msgspec.structs.replace(_CONNECTION, pid=1)
    write_connection(settings, newer)
    assert read_connection(settings) == newer
    assert [path.name for path in settings.runtime_dir.iterdir()] == ["connection.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"garbage \xff\xfe", b"[]", b'{"pid": 1}', b'{"pid": "one"}', b"\x00" * 100],
)
def test_broken_connection_file_is_as_good_as_none(settings: Settings, content: bytes) -> None:
    """Whatever is in it, reading it is no error."""
    settings.connection_file.write_bytes(content)
    assert read_connection(settings) is None
    assert not is_alive(settings)


def test_removing_the_connection_twice_is_harmless(settings: Settings) -> None:
    """File and socket go; that they were gone already does not matter."""
    write_connection(settings, _CONNECTION)
    settings.socket_path.touch()
    remove_connection(settings)
    remove_connection(settings)
    assert not settings.connection_file.exists()
    assert not settings.socket_path.exists()


def test_runtime_folder_is_made_private(settings: Settings) -> None:
    """A folder that others could read is closed to them."""
    settings.runtime_dir.chmod(0o755)
    prepare_runtime_dir(settings)
    assert _mode(settings.runtime_dir) == 0o700


def test_path_too_long_for_a_socket_says_what_to_set(settings: Settings) -> None:
    """The error comes before anything is made, and names the variable."""
    folder = settings.runtime_dir / ("x" * 100)
    with pytest.raises(DaemonUnavailable, match="too long") as caught:
        prepare_runtime_dir(dataclasses.replace(settings, runtime_dir=folder))
    assert "MANIM_KERNEL_RUNTIME_DIR" in caught.value.failure.hint
    assert not folder.exists()


def test_runtime_folder_that_cannot_be_made_says_what_to_set(settings: Settings) -> None:
    """A file in its place is one clear error."""
    (settings.runtime_dir / "file").touch()
    folder = settings.runtime_dir / "file" / "run"
    with pytest.raises(DaemonUnavailable, match="cannot be made") as caught:
        prepare_runtime_dir(dataclasses.replace(settings, runtime_dir=folder))
    assert "MANIM_KERNEL_RUNTIME_DIR" in caught.value.failure.hint


def test_runtime_folder_of_somebody_else_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are not put where another user could read them."""
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(DaemonUnavailable, match="belongs to somebody else"):
        prepare_runtime_dir(settings)


def test_lock_is_held_by_one(settings: Settings) -> None:
    """A second daemon learns that there is one, and the lock is free once that is gone."""
    with runtime_lock(settings) as first, runtime_lock(settings) as second:
        assert (first, second) == (True, False)
    with runtime_lock(settings) as again:
        assert again


def test_holder_of_the_lock_is_known_while_it_lives(settings: Settings) -> None:
    """A process that was killed holds nothing, whatever it wrote."""
    assert lock_holder(settings) is None
    code = (
        "from manim_daemon.runfile import runtime_lock\n"
        "from manim_daemon.settings import Settings\n"
        "with runtime_lock(Settings.load()): print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert lock_holder(settings) == holder.pid
        holder.kill()
        holder.wait()
        assert lock_holder(settings) is None


def test_process_that_merely_has_the_daemons_number_is_no_daemon(settings: Settings) -> None:
    """After a crash the connection file may name anybody; nobody is taken for the daemon."""
    write_connection(settings, _CONNECTION)
    assert not is_alive(settings)


def test_stop_ends_nobody_but_the_daemon(settings: Settings) -> None:
    """A stale connection file names another process by now: it is left alone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        write_connection(settings, msgspec.structs.replace(_CONNECTION, pid=bystander.pid))
        assert launch.stop(settings) is False
        assert bystander.poll() is None
        bystander.kill()


def test_daemon_that_cannot_be_reached_is_one_clear_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock, but nobody can find it: the error says how to go on."""
    monkeypatch.setattr(launch, "_STOP_TIMEOUT_S", 0.1)
    with runtime_lock(settings), pytest.raises(DaemonUnavailable) as caught:
        launch.start(settings)
    assert f"process {os.getpid()}" in caught.value.failure.message
    assert "daemon stop" in caught.value.failure.hint


def test_manim_that_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the interpreter, and the line that installs Manim there."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(DaemonUnavailable, match="not installed") as caught:
        launch.require_manim()
    assert sys.executable in caught.value.failure.message
    assert "pip install 'manim-kernel-ext[render]'" in caught.value.failure.hint
    assert "--python PATH" in caught.value.failure.hint


@pytest.mark.parametrize("version", ["0.19.0", "0.23.0", "1.0", "0.23rc1"])
def test_manim_of_another_version_is_named(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which version is there, which is supported, and how to get it."""
    monkeypatch.setattr(metadata, "version", lambda name: version)
    with pytest.raises(DaemonUnavailable, match=r"0\.22 is supported") as caught:
        launch.require_manim()
    assert f"Manim {version} " in caught.value.failure.message
    assert "pip install 'manim~=0.22.0'" in caught.value.failure.hint


@pytest.mark.parametrize("version", ["0.22.0", "0.22.1", "0.22.0.post1", "0.22rc1"])
def test_manim_of_the_supported_version_is_taken(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every release of the series will do."""
    monkeypatch.setattr(metadata, "version", lambda name: version)
    launch.require_manim()


def test_two_daemons_never_share_jobs_and_artifacts(settings: Settings, tmp_path: Path) -> None:
    """A daemon with another runtime folder but the same data is refused, and told why."""
    elsewhere = dataclasses.replace(settings, runtime_dir=tmp_path)
    with data_lock(settings):
        taken = pytest.raises(DaemonUnavailable, match="another runtime folder")
        with taken as caught, data_lock(elsewhere):
            pass
        assert "XDG_RUNTIME_DIR" in str(caught.value)
    with data_lock(elsewhere):
        pass
