"""A kernel that has Manim, as a process of its own; see test_kernel_manim.py."""

from __future__ import annotations

from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from manim_daemon.protocol import SourceItem, ValueItem
from manim_kernel_ext.request import kernel_manim
from tests.unit.notebook import Cells, execute

SCENE = "class A({}):\n    def construct(self): {}"


def main() -> None:
    """Run cells that use Manim, and look at what travels."""
    config = Config()
    config.HistoryManager.enabled = False
    cells = Cells(InteractiveShell.instance(config=config), Path())
    assert kernel_manim.settings() == {}
    cells.run(
        "from manim import *\nfrom manim import Circle as Round, RED as R\nimport manim as mn"
    )
    check_names(cells)
    check_settings(cells)
    check_tex_template(cells)
    print("done")


def check_names(cells: Cells) -> None:
    """Names that the star import gives stay; others travel."""
    assert cells.collect("class A(Scene): x = RED, UP, PI, Circle, config, np").items == ()
    texts = [item.text for item in cells.collect("Round, mn").items if isinstance(item, SourceItem)]
    assert texts == [
        "from manim.mobject.geometry.arc import Circle as Round\n",
        "import manim as mn\n",
    ]
    assert cells.value("R == mn.RED")
    cells.run("class Base(MovingCameraScene):\n    def hello(self): return RED\nL = Line(UP, DOWN)")
    (item,) = cells.collect("Base").items
    assert isinstance(item, SourceItem)
    assert item.text.startswith("class Base(MovingCameraScene)")
    assert isinstance(cells.collect("L").items[0], ValueItem)
    request, _ = cells.prepare(SCENE.format("Base", "self.hello()"))
    assert request.namespace == (item,)
    request, _ = cells.prepare(None, "Base")
    assert request.namespace == (item,)


def check_settings(cells: Cells) -> None:
    """What changes the picture travels; paths, logs and the notebook's output do not."""
    assert kernel_manim.settings() == {}
    cells.run(
        "config.background_color = WHITE\n"
        "config.frame_width = 20\n"
        "config.quality = 'low_quality'\n"
        "config.media_width = '75%'\n"
        "config.media_dir = 'somewhere'\n"
        "config.verbosity = 'ERROR'\n"
        "config.upto_animation_number = 3\n"
        "config.transparent = True\n"
        "config.assets_dir = 'pics'\n"
    )
    assert kernel_manim.settings() == {
        "assets_dir": "pics",
        "background_color": "#FFFFFF",
        "background_opacity": 0.0,
        "frame_rate": 15,
        "frame_width": 20,
        "pixel_height": 480,
        "pixel_width": 854,
        "upto_animation_number": 3,
    }


def check_tex_template(cells: Cells) -> None:
    """A template that was set travels by value, and is set again."""
    assert kernel_manim.tex_template() is None
    cells.run("config.tex_template = TexTemplate(preamble='x')")
    request, _ = cells.prepare(SCENE.format("Scene", "pass"))
    cells.run("config.tex_template = TexTemplate()")
    execute(request.namespace)
    assert cells.names["config"].tex_template.preamble == "x"


if __name__ == "__main__":
    main()
