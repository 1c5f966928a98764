from __future__ import annotations

import ast
import builtins
import symtable
import sys
import warnings
from pathlib import Path

import pytest

from manim_kernel_ext.request.names import Names, names_in

pytestmark = pytest.mark.timeout(60)


def names(text: str) -> Names:
    return names_in(ast.parse(text).body)


@pytest.mark.parametrize(
    ("text", "now", "later"),
    [
        ("a = b", {"b"}, set()),
        ("a = a + 1", {"a"}, set()),
        ("a = 1; b = a", set(), set()),
        ("a += 1", {"a"}, set()),
        ("a: T = b", {"T", "b"}, set()),
        ("a.b = c", {"a", "c"}, set()),
        ("a[i] = c", {"a", "i", "c"}, set()),
        ("del a", {"a"}, set()),
        ("a = 1\ndel a\nb = a", {"a"}, set()),
        ("f'{a}{b:{c}}'", {"a", "b", "c"}, set()),
        ("(a := b)\nc = a", {"b"}, set()),
        ("def f(x=a): return x + b", {"a"}, {"b"}),
        ("def f(x: T) -> U: pass", {"T", "U"}, set()),
        ("@deco\ndef f(): pass", {"deco"}, set()),
        ("def f(): return g()\ndef g(): return f()", set(), set()),
        ("def f(*args, k=d, **kw): return args, kw, k", {"d"}, set()),
        ("def f():\n x = 1\n def g(): return x + y\n return g", set(), {"y"}),
        ("def f():\n global x\n x = x + 1", set(), {"x"}),
        ("def f():\n x = 1\n def g():\n  nonlocal x\n  x = y", set(), {"y"}),
        ("def f():\n import a.b\n return a", set(), set()),
        ("def f():\n try: pass\n except E as e: return e", set(), {"E"}),
        ("def f():\n for i in r: pass\n return i", set(), {"r"}),
        ("def f():\n with o as h: return h", set(), {"o"}),
        ("async def f():\n async for i in r: pass\n return await i", set(), {"r"}),
        ("f = lambda x, y=d: x + z", {"d"}, {"z"}),
        ("class A(B, metaclass=M): x = y", {"B", "M", "y"}, set()),
        ("class A:\n x = 1\n y = x\n def f(self): return x", set(), {"x"}),
        ("class A:\n color = color", {"color"}, set()),
        ("class A:\n def f(self): return A, __class__", set(), {"__class__"}),
        ("@deco(a)\nclass A: pass", {"deco", "a"}, set()),
        ("[x for x in r if x > m]", {"r", "m"}, set()),
        ("[x for x in x]", {"x"}, set()),
        ("[y for x in r if (y := f(x))]\nz = y", {"r", "f"}, set()),
        ("{k: v for k, v in d.items()}", {"d"}, set()),
        ("class A:\n r = [1]\n s = [i for i in r]", set(), set()),
        ("class A:\n n = 1\n s = [n for i in (1,)]", {"n"}, set()),
        ("for i in range(3): x = i\ny = x", {"range"}, set()),
        ("if c: a = 1\nb = a", {"c", "a"}, set()),
        ("if c: a = 1\nelse: a = 2\nb = a", {"c"}, set()),
        ("try: import a\nexcept ImportError: a = None\nb = a", {"ImportError"}, set()),
        ("try: a = f()\nexcept E: pass\nb = a", {"f", "E", "a"}, set()),
        ("with open(p) as h: t = h.read()\nu = t", {"open", "p"}, set()),
        ("import a.b.c\na.b", set(), set()),
        ("from a import b as c\nc", set(), set()),
        (
            "match v:\n case [x, *y] if x > m: z = x, y\n case {'k': w, **r}: pass",
            {"v", "m"},
            set(),
        ),
        ("match v:\n case P(x=q) as whole: whole, q", {"v", "P"}, set()),
    ],
)
def test_needed_names_are_found(text: str, now: set[str], later: set[str]) -> None:
    """A name is needed now when running the text looks it up, later when a function does."""
    found = names(text)
    assert set(found.now) == now
    assert set(found.later) == later


def test_annotations_are_not_needed_when_they_stay_text() -> None:
    """With postponed annotations a missing type harms nobody."""
    text = "from __future__ import annotations\ndef f(x: T): pass\nclass A:\n a: U\nb: V = 1"
    assert names(text).now == set()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in 3.12")
def test_type_parameters_are_local() -> None:
    """Type parameters are not looked for in the notebook."""
    found = names("def f[T: B](x: T) -> T: return T\nclass A[U](G[U]): x: U\ntype Z = Y")
    assert found.free == {"B", "G", "Y"}


def test_bound_and_changed_names_are_told() -> None:
    """What a text binds and what it changes are different things."""
    found = names("a = 1\nfor b in c: d.e = b\nf.append(2)\ng[0] = 1\nfrom h import *\nx = i.j()")
    assert found.bound == {"a", "b", "*", "x"}
    assert found.changed == {"d", "f", "g"}


def test_dotted_names_are_told() -> None:
    """Attributes of names are noted with all their parts."""
    assert {"scipy.stats", "scipy.stats.norm"} <= names("scipy.stats.norm.pdf(0)").dotted


def _globals_of(text: str) -> set[str]:
    found: set[str] = set()

    def visit(table: symtable.SymbolTable, top: bool) -> None:
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (top or symbol.is_global()):
                found.add(symbol.get_name())
        for child in table.get_children():
            visit(child, False)

    visit(symtable.symtable(text, "text", "exec"), True)
    return found


@pytest.mark.parametrize(
    "module",
    ["argparse", "contextlib", "dataclasses", "enum", "functools", "inspect", "typing"],
)
def test_real_modules_agree_with_the_compiler(module: str) -> None:
    """In whole modules of the standard library the compiler finds the same global names."""
    path = Path(sys.modules.setdefault(module, __import__(module)).__file__ or "")
    text = path.read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, expected = names(text), _globals_of(text)
    assert found.free - expected - set(dir(builtins)) - {"__class__"} == set()
    assert expected - found.free - found.bound - set(dir(builtins)) - {"__class__"} == set()
