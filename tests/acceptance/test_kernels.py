"""A kernel of another environment, without Manim and with ipykernel 6, and a daemon that has it."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.daemon_home import Home
from tests.acceptance.kernels import Cell, Notebook, decoded, execute, printed

_ROOT = Path(__file__).parents[2]
_QUICKSTART = _ROOT / "notebooks" / "quickstart.ipynb"
_BEHIND = """%%manim_render -ql --background
class Behind(Scene):
    def construct(self):
        self.play(Create(Circle()), run_time=2)
"""


@pytest.fixture(scope="module")
def light() -> str:
    """Return the Python of the environment that has a kernel and no Manim."""
    path = os.environ.get("MANIM_KERNEL_LIGHT_PYTHON", str(_ROOT / ".venv-light/bin/python"))
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} does not exist: `make install` makes it.")
    return path


@pytest.fixture(scope="module")
def notebook(
    light: str, home: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """Yield a notebook on the light kernel, with the extension loaded."""
    with Notebook(tmp_path_factory.mktemp("light"), light, home.environment) as notebook:
        notebook.run("%load_ext manim_kernel_ext")
        yield notebook


def test_the_kernel_has_no_manim(notebook: Notebook) -> None:
    """The kernel is ipykernel 6 and can import neither Manim nor NumPy."""
    cell = notebook.run("""
from importlib.metadata import version
from importlib.util import find_spec
print(version("ipykernel").split(".")[0], find_spec("manim"), find_spec("numpy"))
""")
    assert cell.stream("stdout") == "6 None None\n"


def test_the_quickstart_runs_without_manim_in_the_kernel(
    light: str, home: Home, tmp_path: Path
) -> None:
    """Every cell of the quickstart gives its video or image, rendered by the daemon's Python."""
    executed = execute(Path(shutil.copy(_QUICKSTART, tmp_path)), light, home.environment)
    cells = [Cell(one) for one in executed.cells if one.source.startswith("%%manim_render")]
    assert [len(cell.outputs) for cell in cells] == [1] * len(cells)
    assert [len(cell.videos) + len(cell.images) for cell in cells] == [1] * len(cells)


def test_existing_notebooks_run_unchanged_without_manim(notebook: Notebook) -> None:
    """After takeover, importing Manim does no harm and what is set on config reaches the scene."""
    cells = [
        notebook.run("%manim_takeover"),
        notebook.run("from manim import *\nconfig.background_color = '#ff0000'"),
        notebook.run("%%manim -ql -s -r 64,36 Red\nclass Red(Scene):\n    pass"),
        notebook.run("%manim_takeover off"),
    ]
    assert [cell.error for cell in cells] == [""] * 4
    with Image.open(io.BytesIO(cells[2].images[0])) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert notebook.run("import manim").ename == "ModuleNotFoundError"


def test_a_background_render_shows_its_result_in_its_own_cell(notebook: Notebook) -> None:
    """--background returns before the render is over; the video replaces the note in that cell."""
    cell = notebook.run(_BEHIND)
    assert cell.videos == []
    assert notebook.run("1 + 1").data("text/plain") == ["2"]
    assert notebook.run("%manim_wait").stream("stdout") == "1 background render done.\n"
    assert len(cell.outputs) == 1
    assert decoded(cell.videos[0]).frames == 30


@pytest.mark.parametrize("kernel", ["ipykernel 6", "ipykernel 7"])
def test_what_a_background_render_prints_stays_with_its_cell(
    kernel: str, light: str, home: Home, tmp_path: Path
) -> None:
    """Text of the scene belongs to the cell that started it, although another one runs by then."""
    python = light if kernel == "ipykernel 6" else sys.executable
    cells = (
        "import ipykernel\nprint('ipykernel', ipykernel.version_info[0])",
        "%load_ext manim_kernel_ext",
        _BEHIND + f"        print('printed under {kernel}')\n",
        "%manim_wait",
    )
    texts = printed(cells, python, tmp_path, home.environment)
    waited = "1 background render done.\n"
    assert texts == [f"{kernel}\n", "", f"printed under {kernel}\n", waited]
