"""How many plays a scene will have, as far as its text tells: a wrong number is worse than none."""

from __future__ import annotations

import ast
import textwrap

import pytest

from manim_daemon.worker.plays import count_plays

pytestmark = pytest.mark.timeout(30)


def _count(construct: str, *, methods: str = "") -> int | None:
    body = textwrap.indent(textwrap.dedent(construct).strip() or "pass", " " * 8)
    others = textwrap.indent(textwrap.dedent(methods), " " * 4)
    text = f"class Demo(Scene):\n    def construct(self):\n{body}\n{others}"
    return count_plays(ast.parse(text), "Demo")


@pytest.mark.parametrize(
    ("construct", "plays"),
    [
        ("", 0),
        ("self.play(Create(Square()))", 1),
        ("self.play(a)\nself.wait()\nself.pause(2)\nself.wait_until(done)", 4),
        ("self.add(a)\nself.play(b)\nself.remove(a)", 1),
        ("with title:\n    self.play(a)", 1),
        ("for i in range(3):\n    self.play(a)\n    self.wait()", 6),
        ("for i in range(1, 10, 4):\n    self.play(a)", 3),
        ("for c in [RED, BLUE]:\n    for d in (UP, DOWN):\n        self.play(a)", 4),
        ("for i in range(2):\n    self.play(a)\nelse:\n    self.wait()", 3),
        ("for dot in dots:\n    self.add(dot)\nself.play(a)", 1),
        ("if long:\n    self.add(a)\nself.play(b)", 1),
        ("dots = [Dot(p) for p in points]\nself.play(a)", 1),
        ("a.add_updater(lambda m, dt: m.rotate(dt))\nself.wait()", 1),
        ("self.play(self.camera.frame.animate.shift(UP))", 1),
    ],
)
def test_plays_that_the_text_tells_are_counted(construct: str, plays: int) -> None:
    """Straight code, loops over literals and ranges, and what cannot play, have a known number."""
    assert _count(construct) == plays


@pytest.mark.parametrize(
    "construct",
    [
        "for dot in dots:\n    self.play(a)",
        "for i in range(n):\n    self.play(a)",
        "for dot in [first, *others]:\n    self.play(a)",
        "for i in range(1, 2, 0):\n    self.play(a)",
        "for i in range():\n    self.play(a)",
        "for i in range(10**30):\n    self.play(a)",
        f"for i in range({10**30}):\n    self.play(a)",
        "while True:\n    self.play(a)",
        "if long:\n    self.play(a)",
        "x = self.play(a) if long else None",
        "self.play(a)\nif done:\n    return\nself.play(b)",
        "for i in range(3):\n    self.play(a)\n    if i:\n        break",
        "try:\n    self.play(a)\nexcept ValueError:\n    pass",
        "[self.play(a) for a in all_of_them]",
        "def act():\n    self.play(a)\nact()",
        "act = lambda: self.play(a)\nact()",
        "intro(self)",
        "intro(scene=self)",
        "scene = self\nscene.play(a)",
        "play = self.play\nplay(a)",
        "run_all(self.play)",
        "super().construct()",
        "self.interactive_embed()",
        "self.intro()",
    ],
)
def test_where_only_running_tells_the_number_is_not_known(construct: str) -> None:
    """Branches, loops over values, unknown helpers and other names for the scene."""
    assert _count(construct) is None


def test_scene_under_another_name_is_unknown() -> None:
    """Where the first parameter is not called self, nothing is counted."""
    text = "class Demo(Scene):\n    def construct(scene):\n        scene.play(a)\n"
    assert count_plays(ast.parse(text), "Demo") is None


def test_plays_of_the_scenes_own_methods_count() -> None:
    """A helper method of the same class is followed, each time it is called."""
    methods = "def intro(self):\n    self.play(a)\n    self.wait()\n"
    assert _count("self.intro()\nself.intro()", methods=methods) == 4


@pytest.mark.parametrize(
    "methods",
    [
        "def again(self):\n    self.again()\n",
        "def again(self):\n    self.play(a)\n    return\n",
        "def setup(self):\n    self.play(a)\ndef again(self):\n    pass\n",
        "def tear_down(self):\n    self.play(a)\ndef again(self):\n    pass\n",
    ],
)
def test_methods_that_only_running_tells_make_the_number_unknown(methods: str) -> None:
    """Recursion, early returns, and plays outside construct()."""
    assert _count("self.again()", methods=methods) is None


def test_body_of_construct_is_counted_as_it_stands() -> None:
    """A cell without a class is the body itself."""
    assert count_plays(ast.parse("self.play(a)\nself.wait()"), None) == 2


def test_scene_that_the_text_does_not_define_is_unknown() -> None:
    """It may come from another cell, or inherit its construct()."""
    assert count_plays(ast.parse("x = 1"), "Demo") is None
    assert count_plays(ast.parse("class Demo(Base):\n    x = 1"), "Demo") is None


def test_last_definition_of_a_scene_counts() -> None:
    """As in Python, a later class of the same name replaces the earlier one."""
    text = "class Demo(Scene):\n    def construct(self):\n        self.play(a)\n"
    assert count_plays(ast.parse(text + text.replace("(a)", "(a), self.wait()")), "Demo") == 2


def test_methods_of_the_text_are_overridden_by_what_the_scene_defines() -> None:
    """A method named like a play of Manim's is the scene's own."""
    methods = "def wait(self):\n    pass\n"
    assert _count("self.wait()\nself.play(a)", methods=methods) == 1
