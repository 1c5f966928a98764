"""Who owns the name ``%%manim``."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.magic import Magics, line_cell_magic, magics_class

from manim_kernel_ext.takeover import Takeover


@magics_class
class Manims(Magics):
    """Stands for the magic that importing Manim registers."""

    @line_cell_magic
    def manim(self, line: str, cell: str | None = None) -> str:
        return "Manim's"


def ours(line: str, cell: str | None = None) -> str:
    return "ours"


@pytest.fixture
def takeover(shell: Any) -> Takeover:
    return Takeover(shell, ours)


def meaning(shell: Any) -> set[Any]:
    return {shell.run_line_magic("manim", "Demo"), shell.run_cell_magic("manim", "Demo", "pass")}


def test_the_name_is_ours_after_takeover(shell: Any, takeover: Takeover) -> None:
    """Both the line and the cell magic are taken over."""
    takeover.start()
    assert meaning(shell) == {"ours"}


def test_a_later_import_of_manim_does_not_take_it_back(shell: Any, takeover: Takeover) -> None:
    """Manim registers its magic when it is imported; the next cell still means ours."""
    takeover.start()
    shell.user_ns["register"] = lambda: shell.register_magics(Manims)
    shell.run_cell("register()", silent=True)
    shell.run_cell("meaning = get_ipython().run_cell_magic('manim', '', 'pass')", silent=True)
    assert shell.user_ns["meaning"] == "ours"


@pytest.mark.parametrize("manim_comes", ["before", "after"])
def test_stopping_gives_the_name_back(shell: Any, takeover: Takeover, manim_comes: str) -> None:
    """After stopping, the name means what Manim registered, before or after the takeover."""
    if manim_comes == "before":
        shell.register_magics(Manims)
    takeover.start()
    if manim_comes == "after":
        shell.register_magics(Manims)
        shell.run_cell("pass", silent=True)
    takeover.stop()
    assert meaning(shell) == {"Manim's"}


def test_stopping_removes_the_name_when_nobody_had_it(shell: Any, takeover: Takeover) -> None:
    """Where there was no such magic, there is none again, in later cells too."""
    takeover.start()
    takeover.stop()
    shell.run_cell("pass", silent=True)
    assert shell.find_magic("manim") is None
    assert shell.find_cell_magic("manim") is None


def test_starting_and_stopping_twice_is_harmless(shell: Any, takeover: Takeover) -> None:
    """A second start or stop changes nothing."""
    shell.register_magics(Manims)
    takeover.start()
    takeover.start()
    assert meaning(shell) == {"ours"}
    takeover.stop()
    takeover.stop()
    assert meaning(shell) == {"Manim's"}
