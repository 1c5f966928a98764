from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path, PurePosixPath

import pytest
from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import SourceItem
from tests.unit.notebook import Cells, names_of, source_of

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def cells(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.chdir(tmp_path)
    return Cells(shell, tmp_path)


@pytest.mark.parametrize(
    "expression",
    [
        "42",
        "'text'",
        "None",
        "[1, {'a': (2, 3)}, {4}]",
        "__import__('fractions').Fraction(1, 3)",
        "__import__('datetime').date(2024, 2, 29)",
        "__import__('collections').OrderedDict(a=1)",
        "range(3)",
        "1j",
    ],
)
def test_a_value_travels(cells: Cells, expression: str) -> None:
    """Ordinary values are the same where the scene runs."""
    cells.run(f"value = {expression}")
    assert cells.value("value") == cells.names["value"]


def test_a_numpy_array_travels(cells: Cells) -> None:
    """Arrays keep their shape, type and content; the random generator its state."""
    cells.run(
        "import numpy as np\ndata = np.arange(6.0).reshape(2, 3)\nrng = np.random.default_rng(3)"
    )
    assert cells.value("data.tolist() + [str(data.dtype)]") == [[0, 1, 2], [3, 4, 5], "float64"]
    assert cells.value("int(rng.integers(10**6))") == cells.names["rng"].integers(10**6)


def test_a_data_frame_travels(cells: Cells) -> None:
    """Data frames arrive whole."""
    pytest.importorskip("pandas")
    cells.run("import pandas as pd\nframe = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})")
    assert cells.value("frame.to_dict('list')") == {"a": [1, 2], "b": ["x", "y"]}


def test_only_what_the_cell_uses_travels(cells: Cells) -> None:
    """Names that are not used, or that the cell binds itself, stay."""
    cells.run("used = 1; unused = 2; own = 3; shadowed = 4")
    cell = "own = used\nclass A:\n    def f(self, shadowed): return shadowed + own"
    assert names_of(cells.collect(cell).items) == ["used"]


def test_a_name_that_nobody_defines_does_not_travel(cells: Cells) -> None:
    """Names of Manim are missing in a kernel without it; the worker has them."""
    assert cells.collect("Circle().set_color(RED)\nprint(len('a'))").items == ()


def test_a_name_that_hides_a_builtin_travels(cells: Cells) -> None:
    """What the notebook calls `max` is meant, not Python's."""
    cells.run("max = 7")
    assert cells.value("max") == 7


def test_names_of_the_module_itself_stay(cells: Cells) -> None:
    """The scene's module has a name and a file of its own."""
    assert cells.collect("if __name__ == '__main__': print(__file__, __doc__)").items == ()


def test_what_ipython_puts_into_the_namespace_stays(cells: Cells) -> None:
    """IPython's own open, exit and get_ipython are left to the worker's Python."""
    assert cells.collect("open('x'); exit(); get_ipython()").items == ()


def test_one_object_under_two_names_stays_one(cells: Cells) -> None:
    """Names of one list name one list again; a list that holds it holds the same."""
    cells.run("a = [1]\nb = a\nholder = {'a': a}")
    assert cells.value("(a is b, holder['a'] is a)") == (True, True)


def test_paths_below_the_notebook_travel_relative_to_it(cells: Cells) -> None:
    """The scene finds the notebook's folder elsewhere, so absolute paths into it are rewritten."""
    (cells.folder / "logo.png").touch()
    cells.run(
        "from pathlib import Path\nhere = Path.cwd()\nlogo = here / 'logo.png'\n"
        "nested = [logo]\ntext = str(logo)\nelsewhere = Path('/usr/share')"
    )
    paths = cells.value("(here, logo, nested[0], text, elsewhere)")
    assert [str(path) for path in paths] == [".", "logo.png", "logo.png", "logo.png", "/usr/share"]
    assert isinstance(paths[1], PurePosixPath)


@pytest.mark.parametrize(
    ("setup", "kind"),
    [
        ("import threading; thing = threading.Lock()", "_thread.lock"),
        ("thing = open('a.txt', 'w+')", "TextIOWrapper"),
        ("thing = open('a.txt', 'wb')", "BufferedWriter"),
        ("thing = (i for i in range(3))", "generator"),
        ("import socket; thing = socket.socket()", "socket"),
        ("import threading; thing = {'deep': [threading.Lock()]}", "lock"),
        ("class Bad:\n    def __reduce__(self): raise RuntimeError('no')\nthing = Bad()", "Bad"),
        ("import sqlite3; thing = sqlite3.connect(':memory:')", "Connection"),
    ],
)
def test_a_value_that_cannot_travel_is_named(cells: Cells, setup: str, kind: str) -> None:
    """The error names the variable, says what it is, and what to do."""
    (cells.folder / "a.txt").write_text("content", encoding="utf-8")
    cells.run(setup)
    try:
        with pytest.raises(InvalidRequest) as caught:
            cells.collect("thing")
    finally:
        getattr(cells.names["thing"], "close", lambda: None)()
    message = str(caught.value)
    assert message.startswith("thing cannot be taken from the notebook")
    assert kind in message
    assert "Define thing inside the cell." in message


@pytest.mark.parametrize(
    ("setup", "size"),
    [
        ("thing = bytes(3_000_000)", "3.0 MB"),
        ("thing = 'x' * 3_000_000", "3.0 MB"),
        ("import numpy as np; thing = np.zeros(1_000_000)", "8.0 MB"),
        ("thing = [bytes(1_000_000) for _ in range(5)]", "5.0 MB"),
        ("thing = {'a': bytes(40_000_000)}", "more than 40.0 MB"),
    ],
)
def test_a_value_that_is_too_large_is_named_with_its_size(
    cells: Cells, setup: str, size: str
) -> None:
    """The error names variable, size, limit and the setting that raises it."""
    cells.run(setup)
    with pytest.raises(InvalidRequest) as caught:
        cells.collect("thing", limit=2_000_000)
    message = str(caught.value)
    assert message.startswith("thing is too large")
    assert size in message
    assert "2.0 MB are allowed" in message
    assert "MANIM_KERNEL_MAX_VALUE_BYTES" in message


def test_a_large_array_is_refused_without_copying_it(cells: Cells) -> None:
    """100 MB are refused by looking at their size."""
    cells.run("import numpy as np; thing = np.ones(100_000_000, dtype=np.uint8)")
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match=r"100\.0 MB"):
            cells.collect("thing", limit=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("setup", "expression", "text"),
    [
        ("import math", "math.pi", "import math\n"),
        ("import numpy as np", "np.pi", "import numpy as np\n"),
        ("import os.path as p", "p.sep", "import posixpath as p\n"),
        ("import xml.dom as d", "d.Node", "import xml.dom as d\n"),
        ("from math import sin", "sin(1)", "from math import sin\n"),
        ("from math import sin as s", "s(1)", "from math import sin as s\n"),
        ("from fractions import Fraction as F", "F(1, 3)", "from fractions import Fraction as F\n"),
        ("from random import randint", "randint(1, 1)", "from random import randint\n"),
        (
            "import ast; f = ast.NodeVisitor.visit",
            "f",
            "from ast import NodeVisitor as f\nf = f.visit\n",
        ),
    ],
)
def test_what_was_imported_is_imported_again(
    cells: Cells, setup: str, expression: str, text: str
) -> None:
    """Modules, functions and classes travel as import statements."""
    cells.run(setup)
    (item,) = cells.collect(expression).items
    assert isinstance(item, SourceItem)
    assert item.text == text
    cells.value(expression)


def test_submodules_that_are_used_are_imported_too(cells: Cells) -> None:
    """`import xml.dom.minidom` binds xml, whose submodules must be there as well."""
    cells.run("import xml.dom.minidom\nimport xml as x\ndef f(): return x.dom.minidom.parseString")
    item = source_of(cells.collect("xml.dom.minidom.parse\nf()").items, "xml")
    assert item.text == "import xml.dom\nimport xml.dom.minidom\nimport xml\n"
    assert "import xml.dom.minidom" in source_of(cells.collect("f()").items, "x").text


def test_local_modules_are_named_for_whoever_gathers_them(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value whose class comes from a local module says which module it needs."""
    (cells.folder / "shapes.py").write_text("class Box:\n    size = 3\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(cells.folder))
    cells.run("import shapes\nfrom shapes import Box\nbox = Box()")
    monkeypatch.setitem(sys.modules, "shapes", sys.modules.pop("shapes"))
    needed = cells.collect("box, Box, shapes")
    assert needed.modules == ("shapes",)
    cells.names["holder"] = {"module": cells.names["shapes"]}
    assert "shapes" in cells.collect("holder").modules
    assert "from shapes import Box\n" in [i.text for i in needed.items if isinstance(i, SourceItem)]


def test_the_same_notebook_gives_the_same_bytes(cells: Cells) -> None:
    """Asking again gives equal items, byte for byte."""
    cells.run(
        "import numpy as np\nclass P:\n    def __init__(self): self.x = {'a': np.ones(3)}\n"
        "ps = [P(), P()]\nf = lambda: ps"
    )
    assert cells.collect("f, ps").items == cells.collect("f, ps").items
