"""Render Manim scenes from notebook cells: ``%load_ext manim_kernel_ext``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics to `shell` and start the daemon behind it."""
    from manim_kernel_ext.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back that loading did, except for the daemon."""
    from manim_kernel_ext.magics import unload

    unload(shell)
