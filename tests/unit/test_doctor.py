"""What the doctor says about machines in good and bad health."""

from __future__ import annotations

import os
import sys
import venv
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manim_daemon.client import Client
from manim_daemon.errors import DaemonUnavailable
from manim_daemon.protocol import Status
from manim_daemon.settings import Settings
from manim_kernel_ext.doctor import Check, State, examine

pytestmark = pytest.mark.timeout(60)

REAL_PATH = os.environ["PATH"]

STATUS = Status(
    pid=4242,
    version="0.1.0",
    protocol=1,
    python=sys.executable,
    manim_version="0.22.0",
    uptime_s=3.0,
    warm=True,
    zygotes=1,
    running=0,
    queued=0,
    slots=2,
    clients=1,
    memory=(),
    isolation={"rlimits": "active", "seccomp": "not built yet"},
    store_bytes=0,
    store_files=0,
)


class Daemon:
    """Stands in for `Client`: a daemon with `status`, or none."""

    status_now: Status | None = None

    @classmethod
    def connect(cls, settings: Settings | None = None, *, start: bool = True) -> Daemon:
        assert not start, "the doctor starts no daemon"
        if cls.status_now is None:
            raise DaemonUnavailable("No daemon is running.", "manim-kernel daemon start")
        return cls()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def status(self) -> Status:
        assert self.status_now is not None
        return self.status_now


@pytest.fixture(autouse=True)
def daemon(monkeypatch: pytest.MonkeyPatch) -> type[Daemon]:
    monkeypatch.setattr(Client, "connect", Daemon.connect)
    monkeypatch.setattr(Daemon, "status_now", None)
    return Daemon


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where programs are looked for; LaTeX, which takes its time, is not in it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


@pytest.fixture
def settings(tmp_path: Path, empty_python: Path) -> Settings:
    return Settings(
        runtime_dir=tmp_path, state_dir=tmp_path, cache_dir=tmp_path, python=str(empty_python)
    )


def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in examine(settings)}


def make_python(folder: Path, *, manim: str | None = None, body: str = "") -> str:
    """Return an interpreter that has our package and, in version `manim`, a Manim with `body`."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "manim_daemon.py").touch()
    if manim is not None:
        (packages / "manim.py").write_text(body, encoding="utf-8")
        info = packages / f"manim-{manim}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: manim\nVersion: {manim}\n")
    return str(folder / "bin" / "python")


def test_a_complete_installation_is_ok(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, Manim, fonts and LaTeX of a complete installation are ok."""
    monkeypatch.setenv("PATH", REAL_PATH)
    found = checks(replace(settings, python=""))
    states = {name: found[name].state for name in ("Python", "Manim", "Fonts", "LaTeX")}
    assert set(states.values()) == {State.OK}, found
    assert found["Manim"].detail.startswith("0.22.")


def test_an_interpreter_without_the_daemon_fails(settings: Settings) -> None:
    """An interpreter without this package is a failure that says what to install where."""
    manim = checks(settings)["Manim"]
    assert manim.state is State.FAIL
    assert manim.action == f"{settings.python} -m pip install 'manim-kernel-ext[render]'"


def test_an_interpreter_without_manim_fails(settings: Settings, tmp_path: Path) -> None:
    """An interpreter without Manim is a failure: install it there or name another interpreter."""
    python = make_python(tmp_path / "env")
    manim = checks(replace(settings, python=python))["Manim"]
    assert manim.state is State.FAIL
    assert "not installed" in manim.detail
    assert f"{python} -m pip install" in manim.action
    assert "--python" in manim.action


def test_an_unsupported_manim_fails(settings: Settings, tmp_path: Path) -> None:
    """Another version of Manim than 0.22 is a failure that names both versions."""
    python = make_python(tmp_path / "env", manim="0.19.1")
    manim = checks(replace(settings, python=python))["Manim"]
    assert manim.state is State.FAIL
    assert "0.19.1" in manim.detail
    assert "0.22" in manim.detail


def test_a_manim_that_cannot_be_imported_fails_with_its_error(
    settings: Settings, tmp_path: Path
) -> None:
    """A Manim whose import raises is a failure that shows the exception."""
    body = "raise ImportError('libcairo.so.2 is missing')"
    python = make_python(tmp_path / "env", manim="0.22.0", body=body)
    manim = checks(replace(settings, python=python))["Manim"]
    assert manim.state is State.FAIL
    assert "libcairo.so.2 is missing" in manim.detail


def test_an_interpreter_that_does_not_exist_fails(settings: Settings, tmp_path: Path) -> None:
    """A wrong path to the interpreter is a failure that names it."""
    manim = checks(replace(settings, python=str(tmp_path / "nowhere")))["Manim"]
    assert manim.state is State.FAIL
    assert str(tmp_path / "nowhere") in manim.detail


def test_missing_latex_is_a_warning_with_the_packages(settings: Settings) -> None:
    """Without LaTeX the doctor warns, names the packages and the way without LaTeX."""
    latex = checks(settings)["LaTeX"]
    assert latex.state is State.WARN
    assert "latex and dvisvgm" in latex.detail
    assert "apt-get install" in latex.action
    assert "Typst" in latex.action


def test_an_incomplete_latex_is_a_warning_with_its_complaint(
    settings: Settings, tools: Path
) -> None:
    """A LaTeX that lacks a package is a warning that shows LaTeX's complaint."""
    complaint = "! LaTeX Error: File standalone.cls not found."
    for tool in ("latex", "dvisvgm"):
        script = tools / tool
        script.write_text(f"#!/bin/sh\necho '{complaint}' > formula.log\nexit 1\n")
        script.chmod(0o755)
    latex = checks(settings)["LaTeX"]
    assert latex.state is State.WARN
    assert complaint in latex.detail


def test_no_daemon_is_a_warning_that_says_how_to_start_one(settings: Settings) -> None:
    """Without a daemon the doctor warns and names the command that starts one."""
    found = checks(settings)
    assert found["Daemon"].state is State.WARN
    assert "manim-kernel daemon start" in found["Daemon"].action
    assert found["Isolation"].state is State.WARN


def test_a_warm_daemon_is_ok_and_its_layers_are_listed(
    settings: Settings, daemon: type[Daemon]
) -> None:
    """A warm daemon is ok; each isolation layer is ok or a warning with the reason."""
    daemon.status_now = STATUS
    found = checks(settings)
    assert found["Daemon"].state is State.OK
    assert found["Isolation: rlimits"].state is State.OK
    assert found["Isolation: seccomp"].state is State.WARN
    assert found["Isolation: seccomp"].detail == "not built yet"


def test_manim_is_looked_for_in_the_interpreter_of_the_running_daemon(
    settings: Settings, daemon: type[Daemon], empty_python: Path
) -> None:
    """The running daemon's interpreter is examined, not the one in the settings."""
    daemon.status_now = msgspec.structs.replace(STATUS, python=str(empty_python))
    found = checks(replace(settings, python=""))
    assert str(empty_python) in found["Manim"].detail
    assert found["Python that renders"].state is State.OK


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"warm": False}, State.WARN, "still loading"),
        ({"warm": False, "last_error": "No module named manim"}, State.FAIL, "No module named"),
    ],
)
def test_a_daemon_that_is_not_warm_says_why(
    settings: Settings, daemon: type[Daemon], change: dict[str, Any], state: State, words: str
) -> None:
    """A daemon that loads Manim is a warning; one that cannot load it is a failure."""
    daemon.status_now = msgspec.structs.replace(STATUS, **change)
    check = checks(settings)["Daemon"]
    assert check.state is state
    assert words in check.detail


@pytest.mark.parametrize(
    ("version", "state"), [("7.4.0", State.OK), ("6.29.5", State.OK), ("5.5.6", State.WARN)]
)
def test_front_end_packages_are_compared_with_tested_versions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, version: str, state: State
) -> None:
    """A front-end package of a tested major version is ok, another is a warning."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: version)
    assert checks(settings)["ipykernel"].state is state
