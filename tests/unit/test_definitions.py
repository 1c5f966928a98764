from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.protocol import SourceItem
from tests.unit.notebook import Cells, names_of

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def cells(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.chdir(tmp_path)
    return Cells(shell, tmp_path)


def test_a_later_cell_uses_what_a_rendered_cell_defined(cells: Cells) -> None:
    """Classes, functions, constants and imports of such a cell travel, and nothing else."""
    cells.remember(
        "import math\ndef make_color(): return 1\nCOLOR = make_color()\nUNUSED = 1\n"
        "def area(r): return math.pi * r\nclass Base(Scene):\n    color = COLOR\n"
    )
    items = cells.collect("class A(Base):\n    x = area(1)").items
    assert names_of(items) == ["math", "make_color", "COLOR", "area", "Base"]
    assert [(i.label, i.first_line) for i in items if isinstance(i, SourceItem)] == [
        ("Cell In[9]", line) for line in (2, 3, 4, 6, 7)
    ]


@pytest.mark.parametrize(
    ("cell", "expression", "value"),
    [
        ("x = 1\nx = x + 1", "x", 2),
        ("x = 1\nx += 2", "x", 3),
        ("x = 1\ny = x\nx = 2", "(x, y)", (2, 1)),
        ("items = []\nitems.append(3)\nitems[0] += 1", "items", [4]),
        ("class A: pass\nA.x = 5", "A.x", 5),
        ("try:\n    import nope\nexcept ImportError:\n    nope = None", "nope", None),
        ("if True:\n    a = 1\nelse:\n    a = 2", "a", 1),
        ("for i in range(3):\n    last = i", "last", 2),
        ("a, (b, *c) = 1, (2, 3, 4)", "c", [3, 4]),
        ("a = 1; b = a + 1", "b", 2),
        ("def f(): return K\nK = 7", "f()", 7),
        ("from math import *", "floor(2.5)", 2),
        ("with open(__import__('os').devnull) as h:\n    text = h.read()", "text", ""),
        ("text = '''\n  indented\n'''", "text", "\n  indented\n"),
        ("ä = 'ü'; z = ä", "z", "ü"),
    ],
)
def test_statements_of_a_rendered_cell_work_elsewhere(
    cells: Cells, cell: str, expression: str, value: object
) -> None:
    """What a cell under the magic bound is the same in a later one."""
    cells.remember(cell)
    assert cells.value(expression) == value


def test_the_last_binding_counts_between_rendered_cells(cells: Cells) -> None:
    """A later cell hides a name of an earlier one, but what was built on it stays."""
    cells.remember("K = 1\nOLD = K")
    cells.remember("K = 2")
    assert cells.value("(K, OLD)") == (2, 1)


def test_the_last_binding_counts_between_kernel_and_cells(cells: Cells) -> None:
    """Whichever bound a name last, kernel or cell under the magic, is meant."""
    cells.run("K = 1")
    cells.remember("K = 2")
    assert cells.value("K") == 2
    cells.run("K = 3")
    assert cells.value("K") == 3
    cells.remember("K = 4")
    assert cells.value("K") == 4


def test_a_name_that_the_kernel_has_bound_anew_hides_only_itself(cells: Cells) -> None:
    """An earlier cell's other names keep what they had; the new value arrives last."""
    cells.remember("K = 1\nOLD = K")
    cells.run("K = 5")
    assert cells.value("(OLD, K)") == (1, 5)


def test_a_rendered_cell_builds_on_the_kernel_and_on_rendered_cells(cells: Cells) -> None:
    """Statements bring what they use, from wherever it is."""
    cells.run("import math\ndef helper(x): return math.floor(x)")
    cells.remember("START = helper(2.5)")
    cells.remember("NEXT = START + 1")
    assert cells.value("NEXT") == 3


def test_a_function_of_the_kernel_uses_names_of_a_rendered_cell(cells: Cells) -> None:
    """A function looks its names up when it is called, so rendered cells count for it."""
    cells.run("def helper(): return PALETTE[0]")
    cells.remember("PALETTE = [7]")
    assert cells.value("helper()") == 7


def test_a_cell_does_not_build_on_its_own_former_run(cells: Cells) -> None:
    """Running a cell again asks for the same as the first time."""
    cells.run("K = 1")
    cell = "K = K + 1\nif K: maybe = 1\nmaybe"
    first = cells.collect(cell)
    cells.remember(cell)
    second = cells.collect(cell)
    assert first.items == second.items
    assert names_of(second.items) == ["K"]


def test_a_star_import_of_a_rendered_cell_gives_unknown_names(cells: Cells) -> None:
    """When a name is found nowhere, star imports may give it; Manim's own is implied."""
    cells.remember("from manim import *\nfrom helpers import *")
    items = cells.collect("helper_circle()").items
    assert [i.text for i in items if isinstance(i, SourceItem)] == ["from helpers import *\n"]


def test_the_body_of_construct_defines_nothing(cells: Cells) -> None:
    """Names in a construct() are its own."""
    cells.remember("circle = 1\nself.add(circle)")
    assert cells.collect("circle").items == ()


def test_a_cell_that_does_not_parse_is_not_remembered(cells: Cells) -> None:
    """A broken cell changes nothing."""
    cells.remember("K = 1")
    cells.remember("K = (")
    assert cells.value("K") == 1
