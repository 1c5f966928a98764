"""LaTeX for the scenes: SVGs shared between jobs, and errors that show TeX's own complaint."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from manim import config
from manim.mobject.text import tex_mobject
from manim.utils import tex_file_writing
from manim.utils.tex import TexTemplate

from manim_daemon.protocol import ErrorKind, Failure
from manim_daemon.worker.failures import SceneProblem

__all__ = ["install"]

_MAX_COMPLAINT_LINES = 12
_INSTALL_HINT = (
    "On Debian or Ubuntu: sudo apt-get install texlive-latex-extra texlive-fonts-recommended "
    "dvisvgm. Formulas work without LaTeX as MathTypst(...) and Typst(...)."
)
# What MathTex adds around each part to find it again in the SVG; nobody wrote it.
_MARKERS = re.compile(
    r"(?:\\special ?\{|\.\.\.[^\s}]*)dvisvgm:raw <(?:g id='unique\d+'|/g)>\} ?"
    r"|\.\.\.[^\s}]*unique\d+'>\} ?"
)
_ADDED = re.compile(r"l\.\d+ \\end\{")
_INSIGHTS = (
    (
        re.compile(r"File `(.+?)\.sty' not found"),
        "The LaTeX package {} is not installed where the daemon renders.",
    ),
    (
        re.compile(r"Unicode character (.)"),
        "This template does not know the character {}; write it as a TeX command, or use Typst.",
    ),
    (
        re.compile(r"Undefined control sequence"),
        "Check the spelling of the command, and write the string as r'...'.",
    ),
)


def install(shared: Path) -> None:
    """Have Manim look for compiled formulas in `shared` first and leave new ones there."""
    original = tex_file_writing.tex_to_svg_file

    def tex_to_svg_file(
        expression: str, environment: str | None = None, tex_template: TexTemplate | None = None
    ) -> Path:
        template = tex_template or config["tex_template"]
        tex_file = tex_file_writing.generate_tex_file(expression, environment, template)
        private = tex_file.with_suffix(".svg")
        known = shared / private.name
        if not private.exists() and known.exists():
            shutil.copyfile(known, private)
        if not private.exists():
            _compile(original, expression, environment, template, tex_file)
            _share(private, known)
        return private

    # The failure shows TeX's complaint; Manim's log of it would only come twice.
    tex_file_writing.print_all_tex_errors = lambda *_: None
    setattr(tex_mobject, "tex_to_svg_file", tex_to_svg_file)  # noqa: B010 - not exported by name


def _compile(
    original: Any,
    expression: str,
    environment: str | None,
    template: TexTemplate,
    tex_file: Path,
) -> None:
    try:
        original(expression, environment, template)
    except FileNotFoundError as error:
        if error.filename not in ("latex", "pdflatex", "lualatex", "xelatex", "luatex", "dvisvgm"):
            raise
        raise SceneProblem(
            Failure(
                ErrorKind.LATEX_ERROR,
                f"The formula needs the program {error.filename}, which is not installed "
                f"where the daemon renders: {expression}",
                _INSTALL_HINT,
                "LatexError",
            )
        ) from None
    except (ValueError, RuntimeError) as error:
        raise SceneProblem(_describe(expression, tex_file, error)) from None


def _describe(expression: str, tex_file: Path, error: Exception) -> Failure:
    expression = _MARKERS.sub("", expression)
    complaint = _complaint(tex_file.with_suffix(".log"))
    hints = [
        text.format(*found.groups())
        for known, text in _INSIGHTS
        if (found := known.search(complaint))
    ]
    return Failure(
        ErrorKind.LATEX_ERROR,
        f"LaTeX could not typeset this formula:\n\n    {expression}\n\n{complaint or error}",
        " ".join(hints),
        "LatexError",
    )


def _complaint(log: Path) -> str:
    """Return TeX's error messages: from each line with '!' to the line that names its place."""
    if not log.is_file():
        return ""
    kept: list[str] = []
    inside = False
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("! ") and "==>" not in line:
            inside = True
        shown = _MARKERS.sub("", line).rstrip()
        if inside and shown and not _ADDED.match(shown):
            kept.append(shown)
        if line.startswith("l."):
            inside = False
    return "\n".join(kept[:_MAX_COMPLAINT_LINES])


def _share(private: Path, known: Path) -> None:
    """Publish atomically: another job must never read half a file."""
    temporary = known.with_name(f".{known.name}.{os.getpid()}")
    shutil.copyfile(private, temporary)
    temporary.replace(known)
