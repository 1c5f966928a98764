"""The reference is Manim as a shell would run it, and it tells when Manim fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.reference import Reference, render_in_new_process
from tests.conformance.renderings import compare_renderings

_SCENE = """
from manim import *


class Walk(Scene):
    def construct(self):
        self.play(FadeIn(Text("walk")), run_time=0.3)
        self.play(Create(Square(side_length={side})), run_time={run_time})
"""
_FLAGS = ("-r", "320,180", "--fps", "10")


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    """Manim, imported once."""
    with Reference() as reference:
        yield reference


def _write(folder: Path, side: float = 2, run_time: float = 0.3) -> Path:
    folder.mkdir()
    (folder / "walk.py").write_text(_SCENE.format(side=side, run_time=run_time))
    return folder


def test_a_fork_renders_what_a_new_process_renders(reference: Reference, tmp_path: Path) -> None:
    """Rendering in a fork of a process that has imported Manim changes nothing."""
    cwd = _write(tmp_path / "source")
    forked = reference.render("walk.py", ("Walk",), _FLAGS, cwd, tmp_path / "forked")
    started = render_in_new_process("walk.py", ("Walk",), _FLAGS, cwd, tmp_path / "started")
    assert list(forked.files) == ["Walk/video"]
    assert compare_renderings(started, forked) == []


def test_a_scene_that_differs_a_little_is_told_apart(reference: Reference, tmp_path: Path) -> None:
    """A square of another size is found from the frame on where it shows."""
    one = _write(tmp_path / "one")
    other = _write(tmp_path / "other", side=2.05)
    first = reference.render("walk.py", ("Walk",), _FLAGS, one, tmp_path / "m1")
    second = reference.render("walk.py", ("Walk",), _FLAGS, other, tmp_path / "m2")
    (line,) = compare_renderings(first, second, tmp_path / "kept")
    assert "first differing frame 4" in line
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        "Walk-4-manim.png",
        "Walk-4-ours.png",
    }


def test_a_scene_that_lasts_longer_is_told_apart(reference: Reference, tmp_path: Path) -> None:
    """A play of four frames instead of three is found by the count."""
    one = _write(tmp_path / "one")
    other = _write(tmp_path / "other", run_time=0.4)
    first = reference.render("walk.py", ("Walk",), _FLAGS, one, tmp_path / "m1")
    second = reference.render("walk.py", ("Walk",), _FLAGS, other, tmp_path / "m2")
    (line,) = compare_renderings(first, second)
    assert "7 frames, Manim has 6" in line


def test_a_failure_of_manim_gives_its_reason(reference: Reference, tmp_path: Path) -> None:
    """What Manim says last is the reason, and the next render works."""
    cwd = _write(tmp_path / "source")
    (cwd / "walk.py").write_text("from manim import *\nraise ValueError('no walk today')\n")
    failed = reference.render("walk.py", ("Walk",), _FLAGS, cwd, tmp_path / "media")
    assert "no walk today" in failed.failure
    _write(tmp_path / "other")
    other = reference.render("walk.py", ("Walk",), _FLAGS, tmp_path / "other", tmp_path / "m2")
    assert not other.failure
