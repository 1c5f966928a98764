"""What shows the output of this IPython: a notebook, a program that executes one, a terminal."""

from __future__ import annotations

import ast
import contextlib
import enum
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Frontend", "Kind", "cell_settings", "detect", "kernel_settings"]

_SETTINGS = ("media_width", "media_embed")


class Kind(enum.Enum):
    """Who looks at the output."""

    NOTEBOOK = enum.auto()
    """A person in a notebook, with widgets."""
    EXECUTOR = enum.auto()
    """A program that runs the notebook and keeps its outputs: nbclient, nbconvert, papermill."""
    TERMINAL = enum.auto()
    """A person in a terminal."""
    PLAIN = enum.auto()
    """No kernel and no terminal: output goes to a file or a pipe."""


@dataclass(frozen=True)
class Frontend:
    """Who looks, and the folder that relative links in the output start from."""

    kind: Kind
    folder: Path
    colab: bool = False

    @property
    def has_cells(self) -> bool:
        """True when outputs are kept in cells, as HTML."""
        return self.kind in (Kind.NOTEBOOK, Kind.EXECUTOR)


def detect(shell: InteractiveShell) -> Frontend:
    """Return what shows the output of the cell that `shell` runs now."""
    return Frontend(_kind(shell), _folder(shell), "google.colab" in type(shell).__module__)


def kernel_settings() -> dict[str, object]:
    """Return ``media_width`` and ``media_embed`` of Manim's ``config``, if the kernel has one."""
    config: Any = getattr(sys.modules.get("manim"), "config", {})
    found: dict[str, object] = {}
    for name in _SETTINGS:
        with contextlib.suppress(AttributeError, KeyError, TypeError):
            found[name] = config[name]
    return found


def cell_settings(cell: str) -> dict[str, object]:
    """Return what a cell assigns to ``config.media_width`` and ``config.media_embed``.

    The cell runs in the worker, which does not show anything; existing notebooks set these there.
    """
    try:
        tree = ast.parse(cell)
    except SyntaxError:
        return {}
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="config"), attr=name)],
                value=ast.Constant(value=value),
            ) if name in _SETTINGS:
                found[name] = value
    return found


def _kind(shell: InteractiveShell) -> Kind:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Kind.TERMINAL if sys.stdout.isatty() else Kind.PLAIN
    content = kernel.get_parent("shell").get("content", {})
    # Only a front end with a person behind it lets a cell ask for input.
    return Kind.NOTEBOOK if content.get("allow_stdin", True) else Kind.EXECUTOR


def _folder(shell: InteractiveShell) -> Path:
    if notebook := shell.user_ns.get("__vsc_ipynb_file__"):
        return Path(str(notebook)).parent
    # Where the kernel started: cells may have changed the working directory since.
    return Path(getattr(shell, "starting_dir", "."))
