"""Who looks at the output, and what that changes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from manim_kernel_ext.options import parse_line
from manim_kernel_ext.show.frontend import Frontend, Kind, cell_settings, detect, kernel_settings
from manim_kernel_ext.show.progress import QuietView, TerminalView, WidgetView
from manim_kernel_ext.show.showing import delivery_for, view_for
from tests.unit.conftest import Outputs


def shell_in_kernel(allow_stdin: bool, **names: object) -> Any:
    parent = {"content": {"allow_stdin": allow_stdin}}
    kernel = SimpleNamespace(get_parent=lambda channel: parent)
    return SimpleNamespace(kernel=kernel, user_ns=names, starting_dir="/work")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_kernel_that_may_ask_for_input_has_a_person_in_front_of_it() -> None:
    """Notebooks let cells ask for input; programs that execute notebooks do not."""
    assert detect(shell_in_kernel(True)).kind is Kind.NOTEBOOK
    assert detect(shell_in_kernel(False)).kind is Kind.EXECUTOR


def test_without_a_kernel_it_depends_on_the_terminal(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell without a kernel is in a terminal, or writes into a file or a pipe."""
    assert detect(shell).kind is Kind.PLAIN
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert detect(shell).kind is Kind.TERMINAL


def test_links_start_where_the_kernel_started() -> None:
    """The notebook's folder is where the kernel started, or what VS Code says."""
    assert detect(shell_in_kernel(True)).folder == Path("/work")
    vscode = shell_in_kernel(True, __vsc_ipynb_file__="/elsewhere/a.ipynb")
    assert detect(vscode).folder == Path("/elsewhere")


def test_what_a_cell_sets_for_the_notebook_is_read_from_its_text() -> None:
    """Existing cells set the width inside the scene's cell, which does not run in the kernel."""
    cell = 'config.media_width = "75%"\nconfig.media_embed = True\nconfig.frame_rate = 5\n'
    assert cell_settings(cell) == {"media_width": "75%", "media_embed": True}
    assert cell_settings("config.media_width = width") == {}
    assert cell_settings("no python at all") == {}


def test_the_kernels_own_manim_says_how_wide_and_whether_embedded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the kernel has loaded Manim, its configuration counts."""
    manim = ModuleType("manim")
    monkeypatch.setitem(sys.modules, "manim", manim)
    assert kernel_settings() == {}
    manim.config = {"media_width": "30%", "media_embed": None}  # type: ignore[attr-defined]
    assert kernel_settings() == {"media_width": "30%", "media_embed": None}


def delivery(line: str, cell: str = "", **frontend: bool) -> Any:
    return delivery_for(parse_line(line), Frontend(Kind.NOTEBOOK, Path("/work"), **frontend), cell)


def test_flags_say_how_a_result_looks() -> None:
    """Width, repetition and start of the video are those of the flags."""
    look = delivery("--width 400px --no-loop --no-autoplay").look
    assert (look.width, look.loop, look.autoplay) == ("400px", False, False)


def test_a_cells_own_width_is_a_limit() -> None:
    """What a cell sets as media_width limits the width; without it the limit is 60 %."""
    assert delivery("", 'config.media_width = "75%"').look.max_width == "75%"
    assert delivery("").look.max_width == "60%"


def test_flags_win_over_settings_when_it_comes_to_embedding() -> None:
    """A cell that asks to embed is embedded, unless the flags say otherwise."""
    cell = "config.media_embed = True"
    assert delivery("").embed is None
    assert delivery("", cell).embed is True
    assert delivery("--link", cell).embed is False
    assert delivery("--link", colab=True).must_embed


@pytest.mark.parametrize(
    ("kind", "line", "view"),
    [
        (Kind.NOTEBOOK, "", WidgetView),
        (Kind.NOTEBOOK, "--background", WidgetView),
        (Kind.NOTEBOOK, "--no-progress", QuietView),
        (Kind.EXECUTOR, "", QuietView),
        (Kind.EXECUTOR, "--background", QuietView),
        (Kind.TERMINAL, "", TerminalView),
        (Kind.TERMINAL, "--background", QuietView),
        (Kind.TERMINAL, "--no-progress", QuietView),
        (Kind.PLAIN, "", QuietView),
    ],
)
def test_each_front_end_has_its_view(
    outputs: Outputs, kind: Kind, line: str, view: type[object]
) -> None:
    """Widgets in a notebook, a bar in a terminal, silence everywhere else."""
    shown = view_for(parse_line(line).display, Frontend(kind, Path("/work")))
    shown.close(None)
    assert isinstance(shown, view)
