"""Cells of a notebook on a real kernel, rendered by a real daemon: what works."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from tests.acceptance.daemon_home import Home, wait_until
from tests.acceptance.kernels import (
    WIDGET,
    Cell,
    Notebook,
    decoded,
    execute,
    read_notebook,
    videos_in,
    write_notebook,
)

_ROOT = Path(__file__).parents[2]
_QUICKSTART = _ROOT / "notebooks" / "quickstart.ipynb"
_FRAMES = {
    "square-to-circle": 60,
    "geometric-series": 96,
    "fourier": 57,
    "body-of-construct": 59,
    "ripple": 24,
}
"""Frames of each video of the quickstart, as `manim render` counts them."""


@pytest.fixture(scope="module")
def quickstart(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the quickstart notebook, executed and saved."""
    folder = tmp_path_factory.mktemp("quickstart")
    path = shutil.copy(_QUICKSTART, folder)
    executed = execute(Path(path), sys.executable, home.environment)
    return write_notebook(executed, folder / "executed.ipynb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the notebook."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def notebook(home: Home, folder: Path) -> Iterator[Notebook]:
    """Yield a notebook with the extension loaded."""
    with Notebook(folder, sys.executable, home.environment) as notebook:
        notebook.run("%load_ext manim_kernel_ext")
        yield notebook


def test_the_quickstart_is_kept_without_outputs() -> None:
    """The notebook in the repository is valid and holds neither outputs nor execution counts."""
    nb = read_notebook(_QUICKSTART)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert (nb.nbformat, nb.nbformat_minor) == (4, 5)
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert {cell.execution_count for cell in code} == {None}


def test_each_cell_of_the_quickstart_leaves_its_result_only(quickstart: Path) -> None:
    """A rendered cell holds one output: its video or image, and no widget; nothing is red."""
    cells = _rendered(read_notebook(quickstart))
    assert len(cells) == len(_FRAMES) + 1
    for node in cells.values():
        cell = Cell(node)
        assert len(cell.outputs) == 1
        assert len(cell.videos) + len(cell.images) == 1
        assert cell.data(WIDGET) == []


def test_the_videos_of_the_quickstart_are_whole(quickstart: Path) -> None:
    """Each video has the frames and the duration that Manim gives the scene, in 480p15."""
    cells = _rendered(read_notebook(quickstart))
    videos = {name: decoded(Cell(cells[name]).videos[0]) for name in _FRAMES}
    assert {name: video.frames for name, video in videos.items()} == _FRAMES
    for video in videos.values():
        assert (video.width, video.height, video.fps) == (854, 480, 15)
        assert video.duration == pytest.approx(video.frames / 15, abs=0.02)


def test_an_export_of_the_saved_quickstart_still_plays(quickstart: Path) -> None:
    """The HTML made from the saved notebook holds the same videos and the image."""
    nb = read_notebook(quickstart)
    page, _ = HTMLExporter().from_notebook_node(nb)  # type: ignore[no-untyped-call]
    cells = [Cell(node) for node in _rendered(nb).values()]
    assert videos_in(page) == [video for cell in cells for video in cell.videos]
    images = [data for cell in cells for data in cell.data("image/png")]
    assert [page.count(data.strip()) for data in images] == [1]


def test_loading_the_extension_starts_the_daemon(empty_home: Home, tmp_path: Path) -> None:
    """Soon after %load_ext a daemon runs that nobody else started."""
    with Notebook(tmp_path, sys.executable, empty_home.environment) as notebook:
        assert notebook.run("%load_ext manim_kernel_ext").error == ""
        wait_until(lambda: empty_home.is_alive, "the daemon runs")


def test_names_of_earlier_cells_work_in_a_scene(notebook: Notebook) -> None:
    """Functions, base scenes, constants, NumPy arrays and imports of earlier cells can be used."""
    notebook.run("""
import math
import numpy as np
from fractions import Fraction

HALF = Fraction(1, 2)
corners = np.array([[-1.0, -1, 0], [1, -1, 0], [0, math.sqrt(2), 0]])

def spread(points, factor):
    return points * factor
""")
    notebook.run("""
class Named:
    title = "base"

    def shown(self):
        return self.title
""")
    cell = notebook.run("""
%%manim_render -ql
class Triangle(Scene):
    def construct(self):
        shape = Polygon(*spread(corners, float(HALF) * math.sqrt(4)))
        print(Named().shown(), shape.get_vertices()[1].tolist())
        self.play(Create(shape), run_time=0.2)
""")
    assert cell.error == ""
    assert cell.stream("stdout") == "base [1.0, -1.0, 0.0]\n"
    assert decoded(cell.videos[0]).frames == 3


def test_modules_and_files_beside_the_notebook_reach_the_scene(
    notebook: Notebook, folder: Path
) -> None:
    """A scene imports a module of the notebook's folder and opens an image that lies there."""
    (folder / "helpers.py").write_text("SIDE = 2\n", encoding="utf-8")
    image = notebook.run("%%manim_render -ql -s -r 64,36\nself.add(Circle())").images[0]
    (folder / "circle.png").write_bytes(image)
    cell = notebook.run("""
%%manim_render -ql -s
import helpers
picture = ImageMobject("circle.png").set(height=helpers.SIDE)
print(picture.pixel_array.shape, picture.height)
self.add(picture)
""")
    assert cell.error == ""
    assert cell.stream("stdout") == "(36, 64, 4) 2.0\n"


def test_a_line_renders_a_scene_of_an_earlier_cell(notebook: Notebook) -> None:
    """%manim_render Scene shows the scene, also in another quality than its cell asked for."""
    notebook.run("%%manim_render -ql -s Earlier\n" + _scene("Earlier"))
    cell = notebook.run("%manim_render -r 320,180 --fps 10 Earlier")
    video = decoded(cell.videos[0])
    assert (video.frames, video.width, video.height) == (4, 320, 180)


def test_several_scenes_are_shown_one_below_the_other(notebook: Notebook) -> None:
    """-a shows each scene of the cell; the results are in _manim_all, the last one in _manim."""
    cell = notebook.run("%%manim_render -ql -a\n" + _scene("First") + _scene("Second", seconds=0.8))
    assert [decoded(video).frames for video in cell.videos] == [6, 12]
    last = notebook.run("[one.scene for one in _manim_all], _manim.scene, _manim.frames")
    assert last.data("text/plain") == ["(['First', 'Second'], 'Second', 12)"]


def test_the_result_is_at_hand(notebook: Notebook, folder: Path) -> None:
    """_manim says where the file is, how long it lasts and whether it came from the cache."""
    source = "%%manim_render -ql --save kept/copy.mp4\n" + _scene("Kept")
    video = notebook.run(source).videos[0]
    notebook.run(source)
    cell = notebook.run("print(_manim.scene, _manim.duration, _manim.frames, _manim.cached)")
    assert cell.stream("stdout") == "Kept 0.4 6 True\n"
    assert (folder / "kept" / "copy.mp4").read_bytes() == video


def test_a_linked_video_lies_beside_the_notebook(notebook: Notebook, folder: Path) -> None:
    """--link writes the video under media/, and the output refers to it by a relative path."""
    page = notebook.run("%%manim_render -ql --link\n" + _scene("Linked")).data("text/html")[0]
    (path,) = (folder / "media").rglob("Linked-*.mp4")
    assert f'src="{path.relative_to(folder)}"' in page
    assert decoded(path.read_bytes()).frames == 6


def test_takeover_runs_existing_notebooks(home: Home, tmp_path: Path) -> None:
    """After %manim_takeover, %%manim renders here, even after Manim was imported; off undoes it."""
    manim_cell = "%%manim -ql -v WARNING Demo\n" + _scene("Demo")
    with Notebook(tmp_path, sys.executable, home.environment) as notebook:
        notebook.run("%load_ext manim_kernel_ext")
        notebook.run("%manim_takeover")
        assert decoded(notebook.run(manim_cell).videos[0]).frames == 6
        notebook.run('from manim import *\nconfig.background_color = "#ff0000"')
        notebook.run(manim_cell.replace("-ql", "-ql -s"))
        red = notebook.run("from PIL import Image\nImage.open(_manim.path).getpixel((2, 2))[:3]")
        assert red.data("text/plain") == ["(255, 0, 0)"]
        notebook.run("%manim_takeover off")
        assert "media/jupyter" in notebook.run(manim_cell).data("text/html")[-1]


def test_a_background_render_shows_its_result_in_its_own_cell(notebook: Notebook) -> None:
    """--background returns before the render is over; the video replaces the note in that cell."""
    cell = notebook.run("%%manim_render -ql --background\n" + _scene("Behind", seconds=2))
    assert cell.videos == []
    assert notebook.run("1 + 1").data("text/plain") == ["2"]
    assert notebook.run("%manim_wait").stream("stdout") == "1 background render done.\n"
    assert len(cell.outputs) == 1
    assert decoded(cell.videos[0]).frames == 30


def test_a_background_render_can_be_cancelled(notebook: Notebook) -> None:
    """%manim_jobs shows the job, %manim_cancel ends it, %manim_wait says so; the cell works on."""
    cell = notebook.run("%%manim_render -ql --background\n" + _scene("Endless", seconds=600))
    wait_until(
        lambda: "running" in notebook.run("%manim_jobs").data("text/plain")[0], "the job runs"
    )
    assert "is cancelled" in notebook.run("%manim_cancel").stream("stdout")
    assert "The render was cancelled." in notebook.run("%manim_wait").error
    assert "The render was cancelled." in cell.data("text/plain")[0]
    _assert_works(notebook)


def test_the_daemon_tells_how_it_is(notebook: Notebook) -> None:
    """%manim_daemon status prints its process, its version and the Manim it renders with."""
    text = notebook.run("%manim_daemon status").stream("stdout")
    assert "Manim 0.22" in text
    assert sys.executable in text


def test_an_interrupt_ends_the_render_at_once(notebook: Notebook, home: Home) -> None:
    """Interrupting the kernel ends the cell within two seconds, and no process stays behind."""
    idle = home.processes()
    interrupter = _Interrupter(notebook, home, idle)
    interrupter.start()
    cell = notebook.run("%%manim_render -ql\n" + _scene("Long", seconds=600))
    ended = time.monotonic()
    interrupter.join()
    assert cell.ename == "KeyboardInterrupt"
    assert ended - interrupter.interrupted_at < 2
    wait_until(lambda: not home.processes() - idle, "the worker is gone", timeout_s=2)
    _assert_works(notebook)


class _Interrupter(threading.Thread):
    """Interrupts the kernel as soon as a worker renders frames."""

    def __init__(self, notebook: Notebook, home: Home, idle: set[int]) -> None:
        super().__init__()
        self.interrupted_at = 0.0
        self._notebook = notebook
        self._home = home
        self._idle = idle

    def run(self) -> None:
        wait_until(lambda: bool(self._home.processes() - self._idle), "a worker renders")
        self.interrupted_at = time.monotonic()
        self._notebook.interrupt()


def _assert_works(notebook: Notebook) -> None:
    cell = notebook.run("%%manim_render -ql -s\nself.add(Circle())")
    assert cell.error == ""
    assert len(cell.images) == 1


def _scene(name: str, seconds: float = 0.4) -> str:
    return f"""
class {name}(Scene):
    def construct(self):
        self.play(Create(Circle()), run_time={seconds})
"""


def _rendered(nb: NotebookNode) -> dict[str, NotebookNode]:
    """Return the cells that render, by their ids."""
    return {cell.id: cell for cell in nb.cells if cell.source.startswith("%%manim_render")}
