"""Where things lie, and what the owner of the daemon may choose."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from manim_daemon.errors import InvalidRequest
from manim_daemon.settings import Settings

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything, and no settings but the test's own."""
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(f"MANIM_KERNEL_{field.name.upper()}", raising=False)
    monkeypatch.setenv("MANIM_KERNEL_HOME", str(tmp_path))
    return tmp_path


def _write(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text, encoding="utf-8")


def test_home_holds_everything(home: Path) -> None:
    """One variable moves sockets, jobs, cache and settings to one folder."""
    settings = Settings.load()
    for path in (
        settings.connection_file,
        settings.socket_path,
        settings.log_file,
        settings.cache_dir,
    ):
        assert path.is_relative_to(home)


@pytest.mark.usefixtures("home")
def test_runtime_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is below the session's runtime folder where there is one, else named after the user."""
    monkeypatch.delenv("MANIM_KERNEL_HOME")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert Settings().runtime_dir.parent == tmp_path
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Settings().runtime_dir.name.startswith("manim-kernel-")


def test_file_sets_and_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``config.toml`` changes a default; a variable of the same name changes it again."""
    _write(home, 'slots = 3\nidle_timeout_s = 60\npython = "/opt/python"\n')
    monkeypatch.setenv("MANIM_KERNEL_SLOTS", "5")
    settings = Settings.load()
    assert (settings.slots, settings.idle_timeout_s, settings.python) == (5, 60.0, "/opt/python")


@pytest.mark.usefixtures("home")
def test_folders_may_be_set_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single folder can be put elsewhere."""
    monkeypatch.setenv("MANIM_KERNEL_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert Settings.load().cache_dir == tmp_path / "elsewhere"


def test_unknown_setting_is_named_with_the_known_ones(home: Path) -> None:
    """A misspelt name is not passed over."""
    _write(home, "slot = 3\n")
    with pytest.raises(InvalidRequest, match=r"unknown settings: slot\.") as caught:
        Settings.load()
    assert "slots" in caught.value.failure.hint


def test_file_that_is_no_toml_is_named(home: Path) -> None:
    """The error says which file cannot be read, and why."""
    _write(home, "slots = = 3\n")
    with pytest.raises(InvalidRequest, match=r"config\.toml cannot be read"):
        Settings.load()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLOTS", "many"),
        ("SLOTS", "0"),
        ("SLOTS", "-1"),
        ("IDLE_TIMEOUT_S", "soon"),
        ("IDLE_TIMEOUT_S", "nan"),
        ("CLIENT_GRACE_S", "-1"),
        ("STORE_BYTES", "-1"),
    ],
)
def test_bad_value_is_named_with_the_default(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the setting, its value and a value that would do."""
    monkeypatch.setenv(f"MANIM_KERNEL_{name}", value)
    with pytest.raises(InvalidRequest, match=name.lower()) as caught:
        Settings.load()
    assert value in caught.value.failure.message
    assert "default" in caught.value.failure.hint


@pytest.mark.usefixtures("home")
def test_idle_timeout_may_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero means never, not at once."""
    monkeypatch.setenv("MANIM_KERNEL_IDLE_TIMEOUT_S", "0")
    assert Settings.load().idle_timeout_s == 0
