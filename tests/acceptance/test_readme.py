"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.daemon_home import Home
from tests.acceptance.kernels import Notebook

_README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", _README, re.DOTALL | re.MULTILINE)
_PYTHON = [text for language, text in _BLOCKS if language == "python"]
_CELLS = [text for text in _PYTHON if text.startswith("%")]
_SCRIPTS = [text for text in _PYTHON if not text.startswith("%")]
_COMMANDS = [
    line
    for language, text in _BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line.startswith("manim-kernel")
]
_SCENE = """from manim import *


class Intro(Scene):
    def construct(self):
        self.play(Create(Circle()), run_time=0.2)
"""


def test_the_cells_of_the_readme_render(home: Home, tmp_path: Path) -> None:
    """Each cell that renders ends with a video and without an error."""
    with Notebook(tmp_path, sys.executable, home.environment) as notebook:
        cells = [notebook.run(text) for text in _CELLS]
    assert [cell.error for cell in cells] == [""] * len(_CELLS)
    assert [len(cell.videos) for cell in cells] == [0, 1, 1]


@pytest.mark.parametrize("script", _SCRIPTS)
def test_the_library_example_of_the_readme_runs(home: Home, tmp_path: Path, script: str) -> None:
    """It prints the progress and leaves the video that it names."""
    (tmp_path / "scene.py").write_text(_SCENE, encoding="utf-8")
    done = _run([sys.executable, "-c", script], tmp_path, home)
    assert "Create(Circle)" in done
    assert (tmp_path / "scene.mp4").stat().st_size > 0


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_commands_of_the_readme_work(home: Home, tmp_path: Path, command: str) -> None:
    """The video lies where the command says."""
    (tmp_path / "lesson.py").write_text(_SCENE, encoding="utf-8")
    program, *arguments = shlex.split(command)
    _run([str(Path(sys.executable).with_name(program)), *arguments], tmp_path, home)
    assert (tmp_path / "intro.mp4").stat().st_size > 0


def _run(command: list[str], folder: Path, home: Home) -> str:
    environment = {**os.environ, **home.environment}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
