"""What a person sees in JupyterLab, in a real browser.

Screenshots of the run are left in ``test-output``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.acceptance.browser import JupyterLab, NotebookPage, chromium, open_chromium
from tests.acceptance.daemon_home import Home, wait_until
from tests.acceptance.kernels import WIDGET, Cell, read_notebook, write_notebook

_SCREENSHOTS = Path(__file__).parents[2] / "test-output"
_SCENE = """
class Shapes(Scene):
    def construct(self):
        # A part of the time is slept, so that every machine needs a few seconds.
        shape = Square(color=BLUE).add_updater(lambda _: time.sleep(0.02))
        for other in (Circle(color=PINK), Triangle(color=GREEN), Star(color=YELLOW)):
            self.play(Transform(shape, other.scale(2)), run_time=2)
"""
_CELLS = (
    "%load_ext manim_kernel_ext\nimport time",
    f"%%manim_render -ql\n{_SCENE}",
    f"%%manim_render -ql --fresh --background\n{_SCENE}        print('from behind')\n",
    "1 + 1",
)
_DURATION_S = 6.0


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the notebook."""
    cells = [new_code_cell(source) for source in _CELLS]  # type: ignore[no-untyped-call]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb = new_notebook(cells=cells, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call]
    return write_notebook(nb, tmp_path_factory.mktemp("lab") / "shapes.ipynb")


@pytest.fixture(scope="module")
def notebook(
    home: Home, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NotebookPage]:
    """Yield the notebook, open in JupyterLab, with its first cell run."""
    folder = tmp_path_factory.mktemp("jupyter")
    with (
        JupyterLab(saved.parent, folder, home.environment) as server,
        open_chromium(_chromium(), folder / "profile") as browser,
    ):
        page = NotebookPage(browser.pages[0], server.url(saved.name))
        page.run(0)
        page.wait_for_end(0)
        yield page


def _chromium() -> str:
    path = chromium()
    if path is not None:
        return path
    text = "Chromium is not installed: `make install` does it, or apt-get install chromium."
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


def test_a_cell_shows_its_progress_then_its_video_for_good(
    notebook: NotebookPage, saved: Path
) -> None:
    """A bar moves while the scene renders; its video plays, also after saving and reloading."""
    notebook.watch_progress()
    notebook.run(1)
    wait_until(lambda: any(width > 30 for width, _ in notebook.progress_seen()), "the bar moves")
    _screenshot(notebook, "running")
    _assert_video(notebook)
    _screenshot(notebook, "done")

    widths = [width for width, _ in notebook.progress_seen()]
    assert widths == sorted(widths)
    assert len(set(widths)) >= 5
    assert any("Shapes" in text and "frame" in text for _, text in notebook.progress_seen())

    notebook.save()
    cell = Cell(read_notebook(saved).cells[1])
    assert len(cell.outputs) == len(cell.videos) == 1
    assert cell.data(WIDGET) == []

    notebook.reload()
    _assert_video(notebook)
    _screenshot(notebook, "reloaded")


def test_other_cells_run_while_one_renders_behind_them(notebook: NotebookPage) -> None:
    """The bar of a background render moves on after a later cell is done, and ends as a video."""
    notebook.watch_progress()
    notebook.run(2)
    notebook.run(3)
    notebook.wait_for_end(3)
    before = len(notebook.progress_seen())
    assert notebook.cell(2).locator("video").count() == 0
    wait_until(lambda: len(notebook.progress_seen()) > before + 3, "the bar moves on")
    assert notebook.wait_for_video(2)["duration"] == pytest.approx(_DURATION_S, abs=0.1)
    assert "from behind" in "".join(notebook.outputs(2).all_inner_texts())
    assert notebook.outputs(3).all_inner_texts() == ["2"]


def _assert_video(notebook: NotebookPage) -> None:
    """The only output of the cell is a video that plays; nothing is red."""
    state = notebook.wait_for_video(1)
    assert state["readyState"] >= 2
    assert state["duration"] == pytest.approx(_DURATION_S, abs=0.1)
    assert (state["width"], state["height"]) == (854, 480)
    assert notebook.plays(1)
    assert notebook.outputs(1).count() == 1
    assert notebook.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0


def _screenshot(notebook: NotebookPage, name: str) -> None:
    _SCREENSHOTS.mkdir(exist_ok=True)
    notebook.page.screenshot(path=_SCREENSHOTS / f"jupyterlab-{name}.png")
