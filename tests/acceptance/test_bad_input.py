"""What goes wrong in a cell ends with its own clear error, and the next cell works."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance.daemon_home import Home
from tests.acceptance.kernels import Notebook

_PREPARATION = """
import threading
large = bytearray(100 * 1024 * 1024)
lock = threading.Lock()
handle = open("/dev/null")
"""


@dataclass(frozen=True)
class Bad:
    """A cell that fails with the exception `ename` and says each of `says`."""

    name: str
    line: str
    body: str
    ename: str
    says: tuple[str, ...]


_CASES = (
    Bad(
        "scene raises",
        "-ql",
        "class Broken(Scene):\n"
        "    def construct(self):\n"
        "        self.play(Create(Circle()), run_time=0.1)\n"
        "        1 / 0",
        "ZeroDivisionError",
        ("line 5, in construct", "----> 5         1 / 0", "division by zero"),
    ),
    Bad(
        "syntax error",
        "-ql",
        "class Broken(Scene):\n    def construct(self)\n        pass",
        "SyntaxError",
        ("line 3", "----> 3     def construct(self)\n" + " " * 31 + "^\n", "expected ':'"),
    ),
    Bad(
        "LaTeX failure",
        "-ql -s",
        r'self.add(MathTex(r"x^2 + \nosuchcommand"))',
        "LatexError",
        (r"x^2 + \nosuchcommand", "Undefined control sequence", "line 2, in construct"),
    ),
    Bad(
        "unknown name",
        "-ql -s",
        "self.add(circel)",
        "NameError",
        ("name 'circel' is not defined", "----> 2 self.add(circel)"),
    ),
    Bad(
        "unknown scene",
        "-ql Other",
        "class Only(Scene):\n    def construct(self):\n        self.wait()",
        "InvalidRequest",
        ("no scene named Other", "Scenes there: Only."),
    ),
    Bad(
        "two scenes and no name",
        "-ql",
        "class One(Scene):\n    def construct(self):\n        self.wait()\n"
        "class Two(Scene):\n    def construct(self):\n        self.wait()",
        "InvalidRequest",
        ("One, Two", "-a"),
    ),
    Bad("no scene", "-ql", "x = 1", "InvalidRequest", ("no scene in this cell",)),
    Bad("blank cell", "-ql", "# nothing", "InvalidRequest", ("cell",)),
    Bad(
        "unknown flag",
        "-ql --quailty l",
        "self.wait()",
        "InvalidRequest",
        ("No such option --quailty. Did you mean --quality?",),
    ),
    Bad("no frames", "--fps 0", "self.wait()", "InvalidRequest", ("--fps", "above 0")),
    Bad("odd size", "-r 101,99", "self.wait()", "InvalidRequest", ("must be even", "102,100")),
    Bad("huge size", "-r 99999,99999 -s", "self.wait()", "InvalidRequest", ("99999,99999",)),
    Bad("negative wait", "-ql", "self.wait(-1)", "ValueError", ("line 2, in construct", "-1")),
    Bad(
        "100 MB value",
        "-ql -s",
        "self.add(Circle(len(large)))",
        "InvalidRequest",
        ("large is too large", "104.9 MB", "MANIM_KERNEL_MAX_VALUE_BYTES"),
    ),
    Bad(
        "lock",
        "-ql -s",
        "with lock:\n    self.add(Circle())",
        "InvalidRequest",
        ("lock cannot be taken from the notebook", "Define lock inside the cell."),
    ),
    Bad(
        "open file",
        "-ql -s",
        "self.add(Text(handle.name))",
        "InvalidRequest",
        ("handle cannot be taken from the notebook", "open file"),
    ),
    Bad(
        "sys.exit",
        "-ql -s",
        "import sys\nself.add(Circle())\nsys.exit(3)",
        "SystemExit",
        ("The scene called sys.exit(3)", "----> 4 sys.exit(3)"),
    ),
    Bad(
        "os._exit",
        "-ql -s",
        "import os\nself.add(Circle())\nos._exit(3)",
        "WorkerCrashed",
        ("exit code 3", "os._exit()"),
    ),
    Bad(
        "segmentation fault",
        "-ql -s",
        "import ctypes\nself.add(Circle())\nctypes.string_at(0)",
        "WorkerCrashed",
        ("segmentation fault",),
    ),
    Bad(
        "input",
        "-ql -s",
        'self.add(Text(input("name? ")))',
        "EOFError",
        ("input() cannot be used", "line 2, in construct"),
    ),
    Bad(
        "endless loop",
        "-ql -s --timeout 2",
        "while True:\n    self.time",
        "Timeout",
        ("longer than 2 seconds", "--timeout"),
    ),
)


@pytest.fixture(scope="module")
def notebook(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """Yield a notebook with the extension loaded and values that cannot travel."""
    folder = tmp_path_factory.mktemp("bad")
    with Notebook(folder, sys.executable, home.environment) as notebook:
        notebook.run("%load_ext manim_kernel_ext")
        notebook.run(_PREPARATION)
        yield notebook


@pytest.mark.parametrize("bad", _CASES, ids=lambda bad: bad.name)
def test_an_error_says_what_is_wrong_and_the_next_cell_works(notebook: Notebook, bad: Bad) -> None:
    """The error has its own name, tells the cause, shows the user's own lines only."""
    cell = notebook.run(f"%%manim_render {bad.line}\n{bad.body}")
    assert cell.ename == bad.ename
    assert [text for text in bad.says if text not in cell.error] == []
    assert "site-packages" not in cell.error
    assert "manim_kernel_ext" not in cell.error
    assert "manim_daemon" not in cell.error
    assert cell.stream("stderr") == ""
    assert len(notebook.run("%%manim_render -ql -s\nself.add(Circle())").images) == 1


def test_an_empty_cell_is_refused(notebook: Notebook) -> None:
    """IPython itself says that the body is empty."""
    assert "the cell body is empty" in notebook.run("%%manim_render -ql").stream("stderr")


def test_a_scene_without_plays_is_shown_as_a_still(notebook: Notebook) -> None:
    """There is a picture, and a note that says why it is no video."""
    cell = notebook.run("%%manim_render -ql\nself.add(Circle())")
    assert len(cell.images) == 1
    assert "no plays" in cell.data("text/html")[0]


def test_nan_coordinates_give_a_warning(notebook: Notebook) -> None:
    """The picture is there, and what is said beside it names NaN."""
    cell = notebook.run('%%manim_render -ql -s\nself.add(Line(LEFT, [float("nan"), 0, 0]))')
    assert len(cell.images) == 1
    assert "NaN" in "".join([*cell.data("text/html"), cell.stream("stdout")])
