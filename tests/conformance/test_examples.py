"""The examples in docstrings are taken as the documentation of Manim would take them."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.examples import examples_in, manim_folder

_MODULE = '''
class Shape:
    r"""A shape.

    Prose about the ``.. manim::`` directive is no example.

    .. manim:: Plain
        :ref_classes: Shape

        class Plain(Scene):
            def construct(self):
                self.add(Tex(r"\\alpha"))

    Text after it.

        .. manim:: Still
            :save_last_frame:
            :quality: high

            class Still(Scene):
                pass

    .. manim:: Moving
        :save_as_gif:

        >>> class Moving(Scene):
        ...     def construct(self):
        ...         self.wait()
        'what the prompt printed'
    """
'''


def test_options_code_and_prompts_are_understood(tmp_path: Path) -> None:
    """Options become flags, code loses its indentation, doctest output is dropped."""
    (tmp_path / "shape.py").write_text(_MODULE)
    plain, still, moving = examples_in(tmp_path)
    assert plain.name == "shape.py:7 Plain"
    assert plain.flags == ("-ql",)
    assert plain.code.splitlines()[2:] == [
        "class Plain(Scene):",
        "    def construct(self):",
        '        self.add(Tex(r"\\alpha"))',
    ]
    assert (still.scene, still.flags) == ("Still", ("-qh", "-s"))
    assert (moving.scene, moving.flags) == ("Moving", ("-ql", "--format", "gif"))
    assert moving.code.splitlines()[2:] == [
        "class Moving(Scene):",
        "    def construct(self):",
        "        self.wait()",
    ]


def test_what_is_drawn_at_random_on_import_is_the_same_each_time(tmp_path: Path) -> None:
    """An example that does something before its scene is made gets its generators seeded."""
    block = "x = random.random()\n\n    class Dice(Scene):\n        pass"
    (tmp_path / "dice.py").write_text(f'"""Text.\n\n.. manim:: Dice\n\n    {block}\n"""\n')
    (dice,) = examples_in(tmp_path)
    lines = dice.code.splitlines()
    assert lines.index("random.seed(0)") < lines.index("x = random.random()")


def test_every_example_of_the_installed_manim_is_python_that_defines_its_scene() -> None:
    """Nothing is lost or cut off: each example compiles and holds the class it names."""
    examples = list(examples_in(manim_folder()))
    directives = sum(
        line.lstrip().startswith(".. manim:: ") and not line.rstrip().endswith(">")
        for path in manim_folder().rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
    )
    assert len(examples) == directives > 300
    for example in examples:
        compile(example.code, example.name, "exec")
        assert f"class {example.scene}(" in example.code
