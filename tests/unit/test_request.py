from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Source, SourceItem, ValueItem, decode_request, encode
from manim_kernel_ext.options import parse_line
from manim_kernel_ext.request.sources import InvalidSource
from tests.unit.notebook import Cells, script

pytestmark = pytest.mark.timeout(60)

SCENE = "class A(Scene):\n    def construct(self):\n        self.play(Create(Circle()))\n"
TWO = SCENE + SCENE.replace("class A", "class B")


@pytest.fixture
def cells(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.chdir(tmp_path)
    return Cells(shell, tmp_path)


def refusal(cells: Cells, cell: str | None, line: str = "") -> str:
    with pytest.raises(InvalidRequest) as caught:
        cells.prepare(cell, line)
    return str(caught.value)


def test_a_cell_becomes_the_entry(cells: Cells) -> None:
    """The cell's text is sent as it is, with the lines that the user sees."""
    request, files = cells.prepare(SCENE, "-ql --fresh")
    assert request.entry == Source("cell.py", SCENE, "Cell In[5]", first_line=2)
    assert request.notebook
    assert request.fresh
    assert request.options.quality == "l"
    assert request.scenes == ()
    assert files == {}


def test_what_is_prepared_can_be_decoded(cells: Cells) -> None:
    """A full request passes the daemon's validation."""
    cells.run("K = [1]\ndef f(): return K")
    (cells.folder / "logo.png").touch()
    request, _ = cells.prepare(f"{SCENE}        f(), 'logo'\n", "-qm A -n 0,1 -c RED")
    assert decode_request(encode(request)) == request


def test_the_same_cell_gives_the_same_bytes(cells: Cells) -> None:
    """Running a cell again asks for the same, even after it has been remembered."""
    cells.run("import math\nK = {'b': 1, 'a': [2]}\ndef f(): return K, math.pi")
    (cells.folder / "b.png").touch()
    (cells.folder / "a.png").touch()
    cell = f"{SCENE}        f(), 'b.png', 'a.png'\nHELPER = K\n"
    first = encode(cells.prepare(cell)[0])
    cells.remember(cell)
    assert encode(cells.prepare(cell)[0]) == first


@pytest.mark.parametrize("cell", ["", "\n\n", "# only a comment\n"])
def test_an_empty_cell_says_what_to_write(cells: Cells, cell: str) -> None:
    """Nothing to render is an error with an example."""
    message = refusal(cells, cell)
    assert "The cell is empty." in message
    assert "construct" in message


@pytest.mark.parametrize("cell", ["x = 1", "def f(): pass", "class A: pass", "import math"])
def test_a_cell_without_a_scene_says_so(cells: Cells, cell: str) -> None:
    """Code that surely has no scene is refused before anything is sent."""
    assert "There is no scene in this cell." in refusal(cells, cell)


def test_two_scenes_and_no_name_are_listed(cells: Cells) -> None:
    """The names to choose from are in the error."""
    message = refusal(cells, TWO)
    assert "There are several scenes in this cell: A, B." in message
    assert "-a" in message


@pytest.mark.parametrize("line", ["A", "B A", "-a"])
def test_several_scenes_are_chosen_from(cells: Cells, line: str) -> None:
    """With names, or with -a, several scenes are no problem."""
    request, _ = cells.prepare(TWO, line)
    assert request.scenes == parse_line(line).scenes


def test_a_base_without_construct_is_no_second_scene(cells: Cells) -> None:
    """A base class beside its only scene leaves nothing to choose."""
    cells.prepare("class Base(Scene):\n    x = 1\nclass A(Base):\n    def construct(self): pass\n")


def test_an_unknown_scene_names_the_nearest(cells: Cells) -> None:
    """A mistyped scene is refused with what was probably meant."""
    assert "There is no scene named Intr in this cell." in refusal(
        cells, SCENE.replace("class A", "class Intro"), "Intr"
    )
    assert "Did you mean Intro?" in refusal(cells, SCENE.replace("class A", "class Intro"), "Intr")
    assert "Scenes there: A, B." in refusal(cells, TWO, "Quux")


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("from helpers import *", "Intro"),
        ("Intro = make_scene()", "Intro"),
        ("exec(code)", "Intro"),
        ("class Intro(Slide):\n    def construct(self): pass", ""),
        ("Intro = type('Intro', (Scene,), {})", ""),
    ],
)
def test_in_doubt_the_worker_decides(cells: Cells, cell: str, line: str) -> None:
    """What only running the code can tell is not refused here."""
    cells.prepare(cell, line)


def test_a_syntax_error_stops_before_anything_is_sent(cells: Cells) -> None:
    """The place is told as the user sees it."""
    with pytest.raises(InvalidSource) as caught:
        cells.prepare("x = 1\nself.play(\n")
    (line,) = caught.value.failure.traceback
    assert (line.filename, line.line) == ("Cell In[5]", 3)


def test_a_cell_that_uses_self_is_the_body_of_construct(cells: Cells) -> None:
    """Without a class the cell is the body, of a Scene or of the base that is named."""
    body = "c = Circle()\nself.play(Create(c))\nreturn\n"
    assert cells.prepare(body)[0].construct_base == "Scene"
    assert cells.prepare(body, "--base ThreeDScene")[0].construct_base == "ThreeDScene"
    assert cells.prepare("x = 1", "--base Scene")[0].construct_base == "Scene"
    assert cells.prepare(SCENE)[0].construct_base is None


def test_the_body_uses_names_of_the_notebook(cells: Cells) -> None:
    """Names in the body travel, self does not, and neither does what the body binds first."""
    cells.run("K = 1\nself = 2\nc = 3")
    request, _ = cells.prepare("c = Circle(K)\nself.add(c)")
    assert [item.name for item in request.namespace if isinstance(item, ValueItem)] == ["K"]
    assert len(request.namespace) == 1


def test_a_base_of_an_earlier_cell_may_be_named(cells: Cells) -> None:
    """The base class of a body may come from an earlier cell."""
    cells.remember("class Mine(Scene):\n    def hello(self): pass\n")
    request, _ = cells.prepare("self.hello()", "--base Mine")
    assert [item.names for item in request.namespace if isinstance(item, SourceItem)] == [("Mine",)]


def test_a_base_beside_a_class_is_refused(cells: Cells) -> None:
    """A cell with a scene class needs no base."""
    assert "--base is for a cell without" in refusal(cells, SCENE, "--base ThreeDScene")


def test_a_name_for_a_body_names_its_scene(cells: Cells) -> None:
    """A body has no name of its own, so the one that is given becomes it."""
    request, _ = cells.prepare("self.wait()", "Intro")
    assert (request.construct_base, request.scenes) == ("Scene", ("Intro",))


def test_a_body_is_one_scene(cells: Cells) -> None:
    """Several names for one body are refused."""
    assert "the body of one construct()" in refusal(cells, "self.wait()", "Intro Outro")


def test_a_line_renders_a_scene_of_an_earlier_cell(cells: Cells) -> None:
    """The scene's class and what it needs travel; the entry is empty."""
    cells.run("K = 1")
    cells.remember(f"C = K\n{SCENE.replace('Circle()', 'C')}")
    request, _ = cells.prepare(None, "A -ql")
    assert request.entry.text == ""
    assert request.scenes == ("A",)
    assert [item.names for item in request.namespace[1:] if isinstance(item, SourceItem)] == [
        ("C",),
        ("A",),
    ]


def test_a_line_without_a_name_lists_the_scenes(cells: Cells) -> None:
    """A line must name a scene; those that there are are told."""
    cells.remember(TWO)
    message = refusal(cells, None)
    assert "name one" in message
    assert "A, B" in message


def test_a_line_with_an_unknown_name_says_so(cells: Cells) -> None:
    """A scene that no cell defined is refused."""
    cells.remember(SCENE.replace("class A", "class Intro"))
    assert "Did you mean Intro?" in refusal(cells, None, "Intr")


def test_a_cell_may_build_on_a_scene_of_an_earlier_cell(cells: Cells) -> None:
    """A base scene from an earlier cell makes the cell's class a scene."""
    cells.remember("class Base(Scene):\n    def construct(self): self.hello()\n")
    request, _ = cells.prepare("class A(Base):\n    def hello(self): pass\n")
    assert len(request.namespace) == 1


def test_modules_assets_and_settings_come_along(cells: Cells) -> None:
    """Local modules, the files that cell and modules name, and manim.cfg are in the request."""
    script(cells.folder, "from manim import *\ndef icon(): return SVGMobject('icon')", "helpers.py")
    script(cells.folder, "[CLI]\nassets_dir = pics\ntex_template_file = my.tex\n", "manim.cfg")
    for name in ("pics/icon.svg", "logo.png", "my.tex", "unused.png"):
        script(cells.folder, name, name)
    cell = f"import helpers\n{SCENE}        ImageMobject('logo.png'), helpers.icon()\n"
    request, files = cells.prepare(cell)
    assert [source.path for source in request.modules] == ["helpers.py", "manim.cfg"]
    assert [asset.path for asset in request.assets] == ["logo.png", "my.tex", "pics/icon.svg"]
    digest = hashlib.sha256(b"logo.png").hexdigest()
    assert files[digest] == cells.folder.resolve() / "logo.png"


def test_files_named_in_earlier_cells_come_along(cells: Cells) -> None:
    """Functions and values of the notebook name files, too."""
    for name in ("a.png", "data/b.csv", "c.png", "d.svg"):
        script(cells.folder, "", name)
    cells.run(
        "from pathlib import Path\nDATA = Path('data')\nNAMES = ['c.png']\n"
        "def picture(): return ImageMobject('a.png')"
    )
    cells.remember("ICON = 'd.svg'\n" + SCENE)
    cell = f"{SCENE}        picture(), DATA / 'b.csv', NAMES, ICON\n"
    request, _ = cells.prepare(cell)
    assert [asset.path for asset in request.assets] == ["a.png", "c.png", "d.svg", "data/b.csv"]


def test_imports_of_earlier_cells_bring_local_modules(cells: Cells) -> None:
    """A module that only a function of an earlier cell imports comes along."""
    script(cells.folder, "import inner", "outer.py")
    script(cells.folder, "x = 1", "inner.py")
    cells.run("def helper():\n    import outer\n    return outer")
    request, _ = cells.prepare(f"{SCENE}        helper()\n")
    assert [source.path for source in request.modules] == ["inner.py", "outer.py"]


def test_a_module_called_cell_does_not_collide(cells: Cells) -> None:
    """The cell's own file takes another name when a module has it."""
    script(cells.folder, "x = 1", "cell.py")
    request, _ = cells.prepare(f"import cell\n{SCENE}")
    assert request.entry.path == "cell_1.py"
    assert [source.path for source in request.modules] == ["cell.py"]


def test_settings_and_templates_in_the_flags_come_along(cells: Cells) -> None:
    """Files that flags name arrive, wherever they lie, and the flags point to them there."""
    folder = cells.folder / "notebook"
    folder.mkdir()
    cells.folder, above = folder, cells.folder
    script(above, "[CLI]\nbackground_color = RED\n", "red.cfg")
    script(above, "[CLI]\nseed = 3\n", "manim.cfg")
    script(folder, "\\documentclass{article}", "tex/t.tex")
    request, _ = cells.prepare(SCENE, "-c ../red.cfg --tex_template tex/t.tex")
    assert request.options.config_file == "red.cfg"
    assert request.options.tex_template == "tex/t.tex"
    assert [source.path for source in request.modules] == ["red.cfg"]
    assert [asset.path for asset in request.assets] == ["tex/t.tex"]
    request, _ = cells.prepare(SCENE, "-c ../manim.cfg")
    assert request.options.config_file == "named-manim.cfg"


def test_missing_files_in_the_flags_are_refused(cells: Cells) -> None:
    """A flag that names a file which is not there says so."""
    assert "no settings file missing.cfg" in refusal(cells, SCENE, "-c missing.cfg")
    assert "missing.tex" in refusal(cells, SCENE, "--tex_template missing.tex")
    assert "missing.png" in refusal(cells, SCENE, "--asset missing.png")


def test_broken_settings_are_refused(cells: Cells) -> None:
    """A manim.cfg that cannot be parsed is named with its line."""
    script(cells.folder, "no section\n", "manim.cfg")
    message = refusal(cells, SCENE)
    assert "manim.cfg" in message
    assert "line: 1" in message


def test_limits_come_from_the_flags_or_the_settings(cells: Cells) -> None:
    """Flags win over what the settings say."""
    cells.settings = dataclasses.replace(cells.settings, timeout_s=11.0)
    assert cells.prepare(SCENE)[0].limits.wall_time_s == 11.0
    limits = cells.prepare(SCENE, "--timeout 7 --memory 1G")[0].limits
    assert (limits.wall_time_s, limits.memory_bytes) == (7.0, 1024**3)


@pytest.mark.parametrize(
    "line", ["-r 301,201", "-r 300,201 --format mp4", "-r 301,200 -i", "-r 301,201 --format mov"]
)
def test_odd_sizes_of_video_are_refused(cells: Cells, line: str) -> None:
    """Manim's encoder fails for these with an error nobody understands; here it is said."""
    message = refusal(cells, SCENE, line)
    assert "must be even" in message
    assert "-r 30" in message


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ("-r 301,201 -s", SCENE),
        ("-r 301,201 --format png-sequence", SCENE),
        ("-r 301,201 --format webm", SCENE),
        ("-r 301,201 -t --format mov", SCENE),
        ("-r 301,201 --pixel-format yuv444p", SCENE),
        ("-r 301,201", SCENE + "config.format = 'png'\n"),
        ("-r 301,201", "class A(Scene):\n    def construct(self):\n        self.add(Dot())\n"),
        ("-r 302,202", SCENE),
    ],
)
def test_odd_sizes_that_can_be_encoded_pass(cells: Cells, line: str, cell: str) -> None:
    """Stills, WebM and transparent video may have any size."""
    cells.prepare(cell, line)
