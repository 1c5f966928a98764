"""From a cell or a script to the request that renders it, without executing anything."""

from __future__ import annotations

from manim_kernel_ext.request.building import Kernel, Prepared, from_cell, from_file

__all__ = ["Kernel", "Prepared", "from_cell", "from_file"]
