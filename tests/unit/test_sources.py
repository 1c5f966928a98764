from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import ErrorKind, Failure, Source
from manim_kernel_ext.request.scenes import SceneClasses, is_construct_body, scene_classes
from manim_kernel_ext.request.sources import (
    InvalidSource,
    Module,
    local_modules,
    parse,
    read_module,
)

pytestmark = pytest.mark.timeout(20)


def cell(text: str) -> Module:
    return parse(Source("cell.py", text, "Cell In[5]", first_line=2))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py".replace("/INIT", "/__init__")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def found(text: str, folder: Path) -> list[str]:
    return [module.source.path for module in local_modules([cell(text)], folder)]


def failure(text: str, *, as_body: bool = False) -> Failure:
    with pytest.raises(InvalidSource) as caught:
        parse(Source("cell.py", text, "Cell In[5]", first_line=2), lambda _: as_body)
    return caught.value.failure


def test_a_syntax_error_points_at_its_place() -> None:
    """Kind, message, the line that the user sees, and the place within it are told."""
    told = failure("a = 1\nself.play(Create(Circle())\nb = 2\n")
    assert told.kind is ErrorKind.SCENE_ERROR
    assert told.exception == "SyntaxError"
    assert told.message == "'(' was never closed"
    (line,) = told.traceback
    assert (line.filename, line.line) == ("Cell In[5]", 3)
    assert line.source == "self.play(Create(Circle())\n         ^"


def test_a_syntax_error_is_underlined_as_far_as_it_goes() -> None:
    """The caret line spans the offending part, below the same indentation."""
    told = failure("if True:\n\tf(a b)\n")
    assert told.traceback[0].source == "\tf(a b)\n\t  ^^^"


@pytest.mark.parametrize(
    ("text", "exception", "line"),
    [
        ("def f():\nreturn 1", "IndentationError", 3),
        ("if True:\n\tx = 1\n        y = 2", "TabError", 4),
        ("x = 1\nreturn x", "SyntaxError", 3),
        ("def f():\n  nonlocal x\n", "SyntaxError", 3),
        ("%matplotlib inline", "SyntaxError", 2),
        ("x = 'ä\ny = 2", "SyntaxError", 2),
    ],
)
def test_all_that_the_compiler_refuses_is_a_syntax_error(
    text: str, exception: str, line: int
) -> None:
    """Errors that only compiling shows are found here, too."""
    told = failure(text)
    assert (told.exception, told.traceback[0].line) == (exception, line)


def test_a_magic_inside_a_cell_says_where_it_belongs() -> None:
    """IPython's own syntax does not work below the magic."""
    assert "cell of their own" in failure("%time x = 1").hint
    assert "cell of their own" in failure("x = 1\n!ls").hint
    assert failure("x = (").hint == ""


def test_a_body_of_construct_may_return_and_import_stars() -> None:
    """The body of a function is compiled as such; star imports are taken out of it."""
    source = Source("cell.py", "from manim import *\nself.wait()\nreturn")
    assert parse(source, lambda _: True).tree.body
    assert failure("self.wait()\nyield = 1", as_body=True).traceback[0].line == 3


def test_a_text_that_cannot_be_parsed_is_refused() -> None:
    """Null bytes and bottomless nesting are refused, not passed on."""
    with pytest.raises((InvalidRequest, InvalidSource)):
        cell("x = '\0'")
    with pytest.raises((InvalidRequest, InvalidSource)):
        cell("(" * 100_000)


def test_warnings_of_the_compiler_are_not_shown_here() -> None:
    """Backslashes in a TeX string are the worker's business."""
    assert cell("x = '\\pi'").tree.body


@pytest.mark.parametrize(
    "text",
    [
        "import helpers",
        "import helpers as h",
        "from helpers import *",
        "from helpers import circle",
        "def f():\n    import helpers",
        "class A:\n    from helpers import circle",
        "import importlib\nimportlib.import_module('helpers')",
        "__import__('helpers')",
        "try:\n    import missing\nexcept ImportError:\n    import helpers",
    ],
)
def test_an_import_of_a_local_module_is_found(text: str, tmp_path: Path) -> None:
    """However a module beside the notebook is imported, it comes along."""
    write(tmp_path, helpers="circle = 1", other="x = 1")
    assert found(text, tmp_path) == ["helpers.py"]


def test_modules_are_found_transitively_and_in_cycles(tmp_path: Path) -> None:
    """What local modules import comes along, each once, sorted."""
    write(tmp_path, a="import b", b="def f():\n    import c", c="import a, os, numpy")
    assert found("import a", tmp_path) == ["a.py", "b.py", "c.py"]


def test_a_package_comes_with_its_parents(tmp_path: Path) -> None:
    """Importing a module in a package runs the packages' __init__, so these come along."""
    write(tmp_path, p__INIT="", p__q__INIT="from . import r", p__q__r="", p__q__s="", p__t="")
    assert found("import p.q.s", tmp_path) == [
        "p/__init__.py",
        "p/q/__init__.py",
        "p/q/r.py",
        "p/q/s.py",
    ]


def test_relative_imports_are_followed(tmp_path: Path) -> None:
    """One and more dots are understood from the place of the importing module."""
    write(
        tmp_path,
        p__INIT="",
        p__a="from .b import x\nfrom ..outside import y",
        p__b="from .sub import c",
        p__sub__INIT="",
        p__sub__c="from ..d import z",
        p__d="z = 1",
        outside="",
    )
    assert found("from p import a", tmp_path) == [
        "p/__init__.py",
        "p/a.py",
        "p/b.py",
        "p/d.py",
        "p/sub/__init__.py",
        "p/sub/c.py",
    ]


def test_a_folder_without_init_is_a_package_too(tmp_path: Path) -> None:
    """Namespace packages work as in Python."""
    write(tmp_path, p__a="x = 1")
    assert found("from p.a import x", tmp_path) == ["p/a.py"]


def test_submodules_named_in_all_come_with_a_star_import(tmp_path: Path) -> None:
    """`from p import *` imports what __all__ lists."""
    write(tmp_path, p__INIT="__all__ = ['a', 'value']\nvalue = 1", p__a="", p__b="")
    assert found("from p import *", tmp_path) == ["p/__init__.py", "p/a.py"]


def test_installed_modules_stay_where_they_are(tmp_path: Path) -> None:
    """Neither installed modules nor Manim itself are sent."""
    write(tmp_path, manim="raise RuntimeError")
    assert found("import numpy, manim, json.decoder", tmp_path) == []


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """A link to a file elsewhere does not give that file away."""
    base, outside = tmp_path / "base", tmp_path / "outside.py"
    base.mkdir()
    outside.write_text("secret = 1", encoding="utf-8")
    (base / "linked.py").symlink_to(outside)
    assert found("import linked", base) == []


def test_a_syntax_error_in_a_local_module_names_it(tmp_path: Path) -> None:
    """The file and its own line are told."""
    write(tmp_path, a="import b", b="x = 1\ny = (")
    with pytest.raises(InvalidSource) as caught:
        found("import a", tmp_path)
    (line,) = caught.value.failure.traceback
    assert (line.filename, line.line) == ("b.py", 2)


def test_a_changed_module_is_read_again(tmp_path: Path) -> None:
    """What was read once is not kept after the file has changed."""
    write(tmp_path, a="import b")
    assert found("import a", tmp_path) == ["a.py"]
    write(tmp_path, a="import b, c", b="", c="")
    assert found("import a", tmp_path) == ["a.py", "b.py", "c.py"]


def test_a_module_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not in the declared encoding are named."""
    (tmp_path / "a.py").write_bytes(b"x = '\xff\xfe'")
    with pytest.raises(InvalidRequest, match=r"a\.py cannot be read as text"):
        found("import a", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_module_is_named(tmp_path: Path) -> None:
    """A module without read permission is an error that names it."""
    write(tmp_path, a="")
    (tmp_path / "a.py").chmod(0)
    with pytest.raises(InvalidRequest, match=r"a\.py cannot be read"):
        found("import a", tmp_path)


def test_another_encoding_arrives_as_utf8(tmp_path: Path) -> None:
    """The declared encoding is understood, and the text says UTF-8 afterwards."""
    (tmp_path / "a.py").write_bytes("# -*- coding: latin-1 -*-\nx = 'ä'".encode("latin-1"))
    module = read_module(tmp_path / "a.py", "a.py")
    assert module.source.text == "# -*- coding: utf-8 -*-\nx = 'ä'"


def judged(text: str, *known: str) -> SceneClasses:
    return scene_classes(ast.parse(text), known)


@pytest.mark.parametrize(
    "base",
    ["Scene", "ThreeDScene", "MovingCameraScene", "ZoomedScene", "VectorScene", "manim.Scene"],
)
def test_a_class_with_one_of_manims_bases_is_a_scene(base: str) -> None:
    """All of Manim's scenes are recognised, with and without the module."""
    assert judged(f"class A({base}):\n def construct(self): pass").ready == ("A",)


def test_scenes_are_found_through_classes_of_the_cell() -> None:
    """A scene's subclass is a scene, and has its construct()."""
    text = "class A(Scene): pass\nclass B(A):\n def construct(self): pass\nclass C(B): pass"
    assert judged(text) == SceneClasses(("A", "B", "C"), ("B", "C"), False)


def test_a_base_from_elsewhere_counts_when_it_is_known() -> None:
    """A base scene of an earlier cell makes a scene; an unknown base leaves it open."""
    text = "class A(Base):\n def construct(self): pass"
    assert judged(text, "Base").ready == ("A",)
    assert judged(text) == SceneClasses((), (), True)


@pytest.mark.parametrize(
    "text",
    [
        "class A(Exception): pass",
        "class A: pass",
        "class MyScene: pass\nclass A(MyScene): pass",
        "x = 1",
    ],
)
def test_what_cannot_be_a_scene_is_none(text: str) -> None:
    """Plain classes are not scenes, whatever they are called."""
    assert judged(text) == SceneClasses((), (), False)


@pytest.mark.parametrize(
    "text",
    [
        "class A(make()): pass",
        "A = type('A', (Scene,), {})",
        "def f():\n class A(Scene): pass\n return A",
    ],
)
def test_what_may_be_a_scene_is_left_open(text: str) -> None:
    """Where only running the code would tell, nothing is claimed."""
    assert judged(text) == SceneClasses((), (), True)


@pytest.mark.parametrize(
    ("text", "is_body"),
    [
        ("self.play(Create(Circle()))", True),
        ("def upd(m): m.shift(self.x)\nc.add_updater(upd)", True),
        ("class Dot2(Dot): pass\nself.add(Dot2())", True),
        ("f = lambda: self.wait()", True),
        ("class A(Scene):\n def construct(self): self.wait()", False),
        ("class A(Scene): pass\nself.wait()", False),
        ("def f(self): self.wait()", False),
        ("x = 1", False),
    ],
)
def test_the_body_of_construct_is_recognised(text: str, is_body: bool) -> None:
    """A cell without a scene that uses a free self is the body of construct()."""
    assert is_construct_body(ast.parse(text)) is is_body
