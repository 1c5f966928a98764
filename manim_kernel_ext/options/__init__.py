"""The flags of the magic and of the command line: Manim's own under Manim's names, and ours."""

from __future__ import annotations

from manim_kernel_ext.options.parsing import (
    Display,
    Invocation,
    help_text,
    invocation,
    parse_line,
    render_options,
)

__all__ = ["Display", "Invocation", "help_text", "invocation", "parse_line", "render_options"]
