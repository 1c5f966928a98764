"""`manim-kernel daemon`, without starting one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from manim_daemon import launch
from manim_daemon.settings import Settings
from tests.unit.cli.fake_daemon import (
    STATUS,
    Daemon,
    read,
    replaced,
    run,
)

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def launches(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The interpreters that daemons were started with."""
    started: list[str | None] = []

    def start(settings: Settings, python: str | None = None) -> None:
        started.append(python)
        daemon.runs = True

    def stop(settings: Settings) -> bool:
        ran, daemon.runs = daemon.runs, False
        return ran

    monkeypatch.setattr(launch, "start", start)
    monkeypatch.setattr(launch, "stop", stop)
    return started


def test_start_starts_a_daemon(daemon: Daemon, launches: list[str | None]) -> None:
    """`daemon start` starts a daemon where none runs."""
    daemon.runs = False
    result = run("daemon", "start")
    assert result.exit_code == 0
    assert launches == [None]


def test_start_leaves_a_running_daemon_alone(daemon: Daemon, launches: list[str | None]) -> None:
    """`daemon start` says that a daemon runs already, and exits with 0."""
    result = run("daemon", "start")
    assert result.exit_code == 0
    assert launches == []
    assert "already" in result.stdout
    assert "4242" in result.stdout


def test_start_with_another_interpreter_than_the_running_one_is_refused(
    daemon: Daemon, launches: list[str | None]
) -> None:
    """A running daemon does not change its interpreter silently."""
    result = run("daemon", "start", "--python", sys.executable)
    assert result.exit_code == 2
    assert f"restart --python {sys.executable}" in result.stderr
    assert launches == []


def test_start_knows_an_interpreter_by_another_name(
    daemon: Daemon, launches: list[str | None]
) -> None:
    """`python3` of the environment whose `python` runs the daemon is no other interpreter."""
    daemon.status_now = replaced(python=str(Path(sys.executable).with_name("python-of-the-daemon")))
    result = run("daemon", "start", "--python", sys.executable)
    assert result.exit_code == 0
    assert "already" in result.stdout


def test_start_wait_returns_once_the_daemon_is_warm(
    daemon: Daemon, launches: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--wait` asks until Manim is loaded, and says which."""
    daemon.runs = False
    answers = iter([replaced(warm=False), replaced(warm=False), STATUS])
    monkeypatch.setattr(daemon, "status", lambda: next(answers))
    result = run("daemon", "start", "--wait")
    assert result.exit_code == 0
    assert "warm" in result.stdout
    assert "0.22.0" in result.stdout
    assert list(answers) == []


def test_start_wait_ends_when_manim_cannot_be_loaded(
    daemon: Daemon, launches: list[str | None]
) -> None:
    """`--wait` exits with 3 and the daemon's error when the zygote does not start."""
    daemon.runs = False
    daemon.status_now = replaced(warm=False, zygotes=0, last_error="libcairo is missing")
    result = run("daemon", "start", "--wait")
    assert result.exit_code == 3
    assert "libcairo is missing" in result.stderr


def test_restart_stops_and_starts_with_the_given_interpreter(
    daemon: Daemon, launches: list[str | None]
) -> None:
    """`daemon restart --python` starts the new daemon under that interpreter, links unresolved."""
    link = Path("python-link")
    link.symlink_to(sys.executable)
    result = run("daemon", "restart", "--python", "./python-link")
    assert result.exit_code == 0
    assert launches == [str(link.absolute())]


def test_an_interpreter_that_cannot_be_executed_is_a_usage_error(
    daemon: Daemon, launches: list[str | None]
) -> None:
    """A wrong `--python` exits with 2 before the running daemon is stopped."""
    result = run("daemon", "restart", "--python", "scene.py")
    assert result.exit_code == 2
    assert "scene.py" in result.stderr
    assert daemon.runs


def test_stop_is_content_when_nothing_runs(daemon: Daemon, launches: list[str | None]) -> None:
    """`daemon stop` exits with 0 whether a daemon ran or not."""
    first, second = run("daemon", "stop"), run("daemon", "stop")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "stopped" in first.stdout
    assert "No daemon" in second.stdout


def test_status_json_has_the_documented_fields(daemon: Daemon) -> None:
    """`daemon status --json` has pid, version, uptime, jobs, memory, isolation and store size."""
    answer = read(run("daemon", "status", "--json"))
    expected = {
        "pid": 4242,
        "version": "0.1.0",
        "uptime_s": 75.0,
        "zygotes": 1,
        "running": 1,
        "queued": 2,
        "memory": [
            {"name": "daemon", "pid": 4242, "rss": 40 * 1024**2, "pss": 30 * 1024**2},
        ],
        "isolation": {"rlimits": "active", "seccomp": "not built yet"},
        "store_bytes": 2 * 1024**2,
    }
    assert expected.items() <= answer.items()


def test_status_as_text_shows_memory_and_isolation(daemon: Daemon) -> None:
    """`daemon status` is a readable summary."""
    text = run("daemon", "status").stdout
    for part in ("4242", "1 min 15 s", "warm", "1 running, 2 queued", "40.0", "30.0", "seccomp"):
        assert part in text


def test_status_without_a_daemon_exits_with_3(daemon: Daemon) -> None:
    """`daemon status` starts nothing; without a daemon it says so and exits with 3."""
    daemon.runs = False
    result = run("daemon", "status")
    assert result.exit_code == 3
    assert "No daemon runs" in result.stderr
    assert read(run("daemon", "status", "--json"))["error"]["kind"] == "daemon_unavailable"


def test_daemon_logs_prints_the_last_lines() -> None:
    """`daemon logs -n 2` prints the last two lines of the daemon's log."""
    log = Settings.load().log_file
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\nthree\n")
    assert run("daemon", "logs", "-n", "2").stdout == "two\nthree\n"


def test_daemon_logs_without_a_log_says_so() -> None:
    """Without a log there is an error and what to do, not a traceback."""
    result = run("daemon", "logs")
    assert result.exit_code == 2
    assert "daemon start" in result.stderr


def test_run_becomes_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """`daemon run` replaces itself with the daemon, so that signals reach it."""
    executed: list[tuple[str, list[str]]] = []
    monkeypatch.setattr("os.execv", lambda path, words: executed.append((path, words)))
    run("daemon", "run", "--python", sys.executable)
    assert executed == [(sys.executable, [sys.executable, "-m", "manim_daemon.server"])]
