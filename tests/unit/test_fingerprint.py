"""When a stored result may be shown again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manim_daemon.fingerprint import cache_key, environment_fingerprint
from manim_daemon.protocol import (
    Asset,
    Limits,
    RenderOptions,
    Request,
    Source,
    SourceItem,
    ValueItem,
)

pytestmark = pytest.mark.timeout(30)

_REQUEST = Request(
    entry=Source("cell.py", "self.wait()", "Cell In[5]", 2),
    scenes=("Demo",),
    notebook=True,
    construct_base="Scene",
    modules=(Source("helpers.py", "x = 1"),),
    namespace=(SourceItem("y = 2", "Cell In[3]", 1, ("y",)), ValueItem("z", b"\x80\x04N.")),
    assets=(Asset("logo.png", "a" * 64, 3),),
    options=RenderOptions(quality="l", video_encoder_options={"crf": "18", "preset": "fast"}),
    config={"tex_template": "x", "frame_rate": 30},
)
_BY_NAME = "import tests.unit.test_fingerprint as t; print(t.cache_key(t._REQUEST, 'f'))"


def _replaced(**changes: object) -> Request:
    return msgspec.structs.replace(_REQUEST, **changes)


@pytest.mark.parametrize(
    "other",
    [
        _replaced(entry=Source("cell.py", "self.wait(2)", "Cell In[5]", 2)),
        _replaced(entry=Source("other.py", "self.wait()", "Cell In[5]", 2)),
        _replaced(scenes=()),
        _replaced(notebook=False),
        _replaced(construct_base="ThreeDScene"),
        _replaced(modules=(Source("helpers.py", "x = 2"),)),
        _replaced(namespace=(SourceItem("y = 3", "Cell In[3]", 1, ("y",)), _REQUEST.namespace[1])),
        _replaced(namespace=(_REQUEST.namespace[0], ValueItem("z", b"\x80\x04K\x01."))),
        _replaced(namespace=_REQUEST.namespace[::-1]),
        _replaced(assets=(Asset("logo.png", "b" * 64, 3),)),
        _replaced(assets=(Asset("other.png", "a" * 64, 3),)),
        _replaced(options=RenderOptions(quality="m")),
        _replaced(config={"tex_template": "x"}),
    ],
)
def test_whatever_can_change_the_bytes_changes_the_key(other: Request) -> None:
    """Sources, names, files, options and configuration are all part of the key."""
    assert cache_key(other, "f") != cache_key(_REQUEST, "f")


@pytest.mark.parametrize(
    "same",
    [
        _replaced(fresh=True),
        _replaced(limits=Limits(wall_time_s=1, memory_bytes=2**30)),
        _replaced(entry=Source("cell.py", "self.wait()", "Cell In[6]", 1)),
        _replaced(namespace=(SourceItem("y = 2", "Cell In[4]", 7, ("y",)), _REQUEST.namespace[1])),
        _replaced(modules=(Source("helpers.py", "x = 1", "lib/helpers.py"),)),
    ],
)
def test_what_cannot_change_the_bytes_leaves_the_key(same: Request) -> None:
    """A cell that is run again has a new number, and is still the same scene."""
    assert cache_key(same, "f") == cache_key(_REQUEST, "f")


def test_another_environment_is_another_key() -> None:
    """A result of other versions or fonts is not shown again."""
    assert cache_key(_REQUEST, "f") != cache_key(_REQUEST, "g")


@pytest.mark.parametrize("seed", ["0", "1"])
def test_key_is_the_same_in_every_process(seed: str) -> None:
    """No hash of Python's own, and no order of a set, goes into it."""
    found = subprocess.run(
        [sys.executable, "-c", _BY_NAME],
        env=os.environ | {"PYTHONHASHSEED": seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == cache_key(_REQUEST, "f")


def test_fingerprint_stays_while_nothing_changes() -> None:
    """Asked twice, the environment is the same."""
    assert environment_fingerprint() == environment_fingerprint()


def _add_font(home: Path) -> None:
    (home / ".fonts/serif/New.ttf").write_bytes(b"font")


def _change_settings(home: Path) -> None:
    (home / ".config/manim/manim.cfg").write_text("[CLI]\nquality = low_quality\n")


def _install_latex(home: Path) -> None:
    latex = home / "bin/latex"
    latex.write_text("#!/bin/sh\n")
    latex.chmod(0o755)


@pytest.mark.parametrize("change", [_add_font, _change_settings, _install_latex])
def test_fingerprint_tells_a_changed_environment(
    change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new font, other settings of Manim's, and a new LaTeX are noticed."""
    for folder in (".fonts/serif", ".config/manim", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    before = environment_fingerprint()
    os.utime(tmp_path / ".fonts/serif", (0, 0))
    assert environment_fingerprint() != before
    before = environment_fingerprint()
    change(tmp_path)
    assert environment_fingerprint() != before


def test_fingerprint_tells_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another library first on the path, and its upgrade, are other environments."""
    seen = {environment_fingerprint()}
    monkeypatch.syspath_prepend(tmp_path)
    for version in ("98.0", "99.0"):
        for old in tmp_path.iterdir():
            shutil.rmtree(old)
        info = tmp_path / f"manim-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: manim\nVersion: {version}\n")
        seen.add(environment_fingerprint())
    assert len(seen) == 3
