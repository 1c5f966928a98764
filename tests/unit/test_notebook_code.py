from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.protocol import ValueItem
from tests.unit.notebook import Cells, execute, names_of, source_of

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def cells(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.chdir(tmp_path)
    return Cells(shell, tmp_path)


def test_a_function_travels_as_source_with_what_it_uses(cells: Cells) -> None:
    """Functions bring the functions, constants and imports they use."""
    cells.run("import math\nSCALE = 2")
    cells.run(
        "def inner(x):\n    return math.floor(x) * SCALE\n\ndef outer(x):\n    return inner(x) + 1"
    )
    items = cells.collect("outer(3.7)").items
    assert set(names_of(items)) == {"math", "SCALE", "inner", "outer"}
    assert cells.value("outer(3.7)") == 7


def test_the_lines_of_a_function_are_those_of_its_cell(cells: Cells) -> None:
    """Label and first line let a traceback point into the notebook."""
    cells.run("a = 1")
    cells.run("x = 1\n\n@staticmethod\ndef skip(): pass\n\ndef f():\n    return 1 / 0\n")
    number = cells.shell.execution_count - 1
    item = source_of(cells.collect("f()").items, "f")
    assert (item.label, item.first_line) == (f"Cell In[{number}]", 6)
    assert item.text == "def f():\n    return 1 / 0\n"


@pytest.mark.parametrize(
    ("setup", "expression", "value"),
    [
        ("def f(): return g()\ndef g(n=0): return f if n else 5", "f()", 5),
        (
            "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n and even(n - 1)",
            "even(4)",
            True,
        ),
        ("A = 3\ndef f(x=A): return x", "f()", 3),
        ("def deco(f): return lambda: f() + 1\n@deco\ndef g(): return 1", "g()", 2),
        (
            "from functools import wraps\n"
            "def deco(f):\n @wraps(f)\n def w(): return f() + K\n return w\n"
            "K = 5\n@deco\ndef g(): return 1",
            "g()",
            6,
        ),
        ("from functools import lru_cache\n@lru_cache\ndef f(n): return n", "f(3)", 3),
        ("def f(): return 1\nold = f\ndef f(): return 2", "(old(), f())", (1, 2)),
        ("def f(): return 1\nalias = f", "alias()", 1),
        ("if True:\n    def f():\n        return '''a\nb'''", "f()", "a\nb"),
        ("K = 2\nf = lambda x: x * K", "f(3)", 6),
        ("def make(n):\n def inner(): return n\n return inner\nf = make(4)", "f()", 4),
        (
            "def make():\n def fact(n): return n and n * fact(n - 1) or 1\n return fact\n"
            "f = make()",
            "f(4)",
            24,
        ),
        (
            "from functools import partial\ndef add(a, b): return a + b\nf = partial(add, 2)",
            "f(3)",
            5,
        ),
        ("def gen():\n yield from (1, 2)", "list(gen())", [1, 2]),
        ("async def f(): return 1", "f.__name__", "f"),
        ("def f(*, k=1): return k\ndef g(): return f(k=2)", "g()", 2),
        ("total = 0\ndef f():\n global total\n total = total + 1\n return total", "f()", 1),
        ("x = [lambda: K]\nK = 9", "x[0]()", 9),
    ],
)
def test_functions_work_as_in_the_notebook(
    cells: Cells, setup: str, expression: str, value: object
) -> None:
    """Recursion, decorators, closures, lambdas and the like give the same result."""
    cells.run(setup)
    assert cells.value(expression) == value


@pytest.mark.parametrize(
    ("setup", "expression", "value"),
    [
        ("class A:\n def f(self): return 1", "A().f()", 1),
        ("class A: x = 1", "A.x", 1),
        ("class A: x = 1\nclass B(A): y = A.x + 1", "B.y", 2),
        ("K = 3\nclass A:\n def f(self, k=K): return k", "A().f()", 3),
        ("class A: x = 1\na = A(); a.y = 2", "(a.x, a.y, type(a) is A)", (1, 2, True)),
        (
            "from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\np = P(3)",
            "p == P(3)",
            True,
        ),
        ("from enum import Enum\nclass E(Enum):\n A = 1\ne = E.A", "e is E.A", True),
        (
            "from collections import namedtuple\nP = namedtuple('P', 'x')\np = P(1)",
            "p == P(1)",
            True,
        ),
        ("class A:\n def f(self): return helper()\ndef helper(): return 8", "A().f()", 8),
        (
            "class A:\n @classmethod\n def f(cls): return cls\n @property\n def p(self): return 1",
            "A.f() is A",
            True,
        ),
        (
            "def tag(c):\n c.tag = suffix(); return c\n"
            "def suffix(): return 't'\n@tag\nclass A: pass",
            "A.tag",
            "t",
        ),
        (
            "class A:\n def f(self): return 1\na = A()\nclass A:\n def f(self): return 2",
            "(a.f(), A().f())",
            (1, 2),
        ),
        ("class A: x = 1\nB = A", "B.x", 1),
        ("A = type('A', (), {'x': 5})", "A.x", 5),
        ("def make():\n class Inner: x = 6\n return Inner\nI = make()", "I.x", 6),
        ("class A:\n def me(self): return A\na = A()", "a.me() is A", True),
        ("class Node:\n def __init__(self): self.next = self\nn = Node()", "n.next is n", True),
    ],
)
def test_classes_work_as_in_the_notebook(
    cells: Cells, setup: str, expression: str, value: object
) -> None:
    """Classes, their instances, and what is made of them give the same result."""
    cells.run(setup)
    assert cells.value(expression) == value


def test_a_class_without_methods_comes_from_the_latest_cell(cells: Cells) -> None:
    """Nothing in such a class says where it was written; the last cell that did counts."""
    cells.run("class A: x = 1")
    cells.run("class A: x = 2")
    assert cells.value("A.x") == 2


def test_a_decorator_that_needs_a_class_finds_it_before_it_runs(cells: Cells) -> None:
    """What runs at once gets all that it will use, whichever is asked for first."""
    cells.run(
        "registry = []\n"
        "def register(c):\n    registry.append(Entry(c)); return c\n"
        "class Entry:\n    def __init__(self, c): self.c = c\n"
        "@register\nclass A: pass\n"
        "def use(): return A, register"
    )
    items = cells.collect("use()").items
    order = names_of(items)
    assert order.index("A") > max(order.index("register"), order.index("Entry"))
    cells.value("use()")


def test_a_function_and_a_class_that_need_each_other_are_ordered(cells: Cells) -> None:
    """A class decorated by a function that mentions the class comes after the function."""
    cells.run("def deco(c):\n    return c\n\n@deco\nclass A:\n    pass")
    cells.run("def deco(c):\n    return c if c.__name__ == 'A' else A")
    for cell in ("deco, A", "A, deco"):
        order = names_of(cells.collect(cell).items)
        assert order.index("deco") < order.index("A")
        cells.value(f"({cell})")


def test_functions_by_value_see_the_names_of_the_scene(cells: Cells) -> None:
    """A lambda of a kernel without Manim uses Manim's names where the scene runs."""
    cells.run(
        "f = lambda: Circle\ndef make():\n    n = 1\n    return lambda: (n, Circle)\ng = make()"
    )
    items = cells.collect("f, g").items
    names = execute(items, "result = f(), g()", Circle="manim's")
    assert names["result"] == ("manim's", (1, "manim's"))


def test_functions_by_value_hold_no_path_of_this_machine(cells: Cells) -> None:
    """The name of the kernel's temporary file would make every request a different one."""
    cells.run("def make():\n    n = 1\n    return lambda: [lambda: n]\nf = make()")
    (item,) = [i for i in cells.collect("f").items if isinstance(i, ValueItem)]
    assert b"ipython" not in item.pickle.lower()
    assert b"/tmp" not in item.pickle


def test_postponed_annotations_stay_postponed(cells: Cells) -> None:
    """A function of a cell with the future import does not look up its annotations."""
    cells.run("from __future__ import annotations\ndef f(x: Missing) -> int:\n    return x")
    item = source_of(cells.collect("f(1)").items, "f")
    assert cells.value("f(1)") == 1
    assert item.first_line == 1


def test_a_function_of_a_cell_with_a_magic_still_travels(cells: Cells) -> None:
    """A cell under %%time leaves no source to be found; its functions go by value."""
    cells.run("%%time\nK = 4\ndef f(): return g() + K\ndef g(): return 1")
    assert cells.value("f()") == 5
