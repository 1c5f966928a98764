"""What all commands share, and the doctor's report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from manim_daemon.client import Client
from manim_daemon.errors import Incompatible
from manim_kernel_ext.cli import main
from manim_kernel_ext.doctor import Check, State
from tests.unit.cli.fake_daemon import (
    Daemon,
    read,
    run,
)

pytestmark = pytest.mark.timeout(30)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    """`--help` of every command shows an example that names the command itself."""
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert " ".join(("  manim-kernel", *path)) in result.output


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    """The command line starts without Manim, ZeroMQ, rich, IPython or the notebook's modules."""
    heavy = ("manim", "zmq", "rich", "IPython", "ipywidgets", "cloudpickle", "numpy", "asyncio")
    code = f"import manim_kernel_ext.cli, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_flag_is_a_usage_error_that_names_the_nearest() -> None:
    """A flag that does not exist exits with 2 and the nearest one's name."""
    result = run("render", "scene.py", "--formet", "gif")
    assert result.exit_code == 2
    assert "--format" in result.stderr


def test_an_unreadable_settings_file_is_a_usage_error(folder: Path) -> None:
    """A settings file that is not TOML exits with 2 and names the file."""
    (folder / "home").mkdir()
    (folder / "home" / "config.toml").write_text("slots = = 3")
    result = run("daemon", "status")
    assert result.exit_code == 2
    assert "config.toml" in result.stderr


def test_a_daemon_of_another_version_exits_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that speaks another protocol exits with 3 and the way out."""

    def connect(*_: object, **__: object) -> Daemon:
        raise Incompatible("The daemon is version 9.", "manim-kernel daemon restart")

    monkeypatch.setattr(Client, "connect", connect)
    result = run("jobs", "list", "--json")
    assert result.exit_code == 3
    assert read(result)["error"]["kind"] == "incompatible"
    assert "restart" in read(result)["error"]["message"]


@pytest.fixture
def diagnose(monkeypatch: pytest.MonkeyPatch) -> Callable[[State], None]:
    def diagnose(state: State) -> None:
        checks = [Check("Python", State.OK, "3.12"), Check("Manim", state, "none", "install it")]
        monkeypatch.setattr("manim_kernel_ext.doctor.examine", lambda _: iter(checks))

    return diagnose


@pytest.mark.parametrize(("state", "code"), [(State.OK, 0), (State.WARN, 0), (State.FAIL, 1)])
def test_doctor_exits_with_1_when_nothing_can_be_rendered(
    diagnose: Callable[[State], None], state: State, code: int
) -> None:
    """`doctor` prints each check with what to do, and fails only when a check fails."""
    diagnose(state)
    result = run("doctor")
    assert result.exit_code == code
    assert f"{state:<4}  Manim: none" in result.stdout
    assert "-> install it" in result.stdout


def test_doctor_json_lists_the_checks(diagnose: Callable[[State], None]) -> None:
    """`doctor --json` is one object with the verdict and every check."""
    diagnose(State.FAIL)
    answer = read(run("doctor", "--json"))
    assert answer["ok"] is False
    assert answer["checks"][1] == {
        "name": "Manim",
        "state": "fail",
        "detail": "none",
        "action": "install it",
    }
