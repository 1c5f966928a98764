"""Errors as the user sees them: their own lines, the message, what to do; no frames of ours."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterator

from manim_daemon.errors import ManimKernelError
from manim_daemon.protocol import Failure

__all__ = [
    "CellError",
    "Interrupted",
    "cell_error",
    "clean_errors",
    "failure_html",
    "failure_text",
]

_RED, _GREEN, _CYAN, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"
_RULE = "-" * 75


class CellError(ManimKernelError):
    """A failure that IPython shows without frames; build it with `cell_error`.

    Notebooks save the class name and the text of an exception. So each failure gets a subclass
    with the name of what was raised in the scene, and its text is the message alone.
    """

    def __str__(self) -> str:
        return self.failure.message

    def _render_traceback_(self) -> list[str]:
        return list(_lines(self.failure, colour=_wants_colour()))


class Interrupted(KeyboardInterrupt):
    """The user interrupted the cell. Shown as one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


# Front ends show the class name; to them this is an ordinary interrupt.
Interrupted.__name__ = KeyboardInterrupt.__name__


def cell_error(failure: Failure) -> CellError:
    """Return the exception to raise in the user's cell for `failure`."""
    kind: type[CellError] = type(_name(failure), (CellError,), {"__module__": __name__})
    return kind(failure)


@contextlib.contextmanager
def clean_errors() -> Iterator[None]:
    """Let interrupts and errors of ours leave the block as ones that IPython shows unadorned."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted("Cancelled.") from None
    except ManimKernelError as error:
        raise cell_error(error.failure) from None


def failure_text(failure: Failure) -> str:
    """Return `failure` as plain text."""
    return "\n".join(_lines(failure, colour=False))


def failure_html(failure: Failure) -> str:
    """Return `failure` as HTML, for output that is no exception of the cell it is shown in."""
    text = html.escape(failure_text(failure))
    style = "color:var(--jp-error-color1,#c62828);white-space:pre;overflow-x:auto"
    return f'<pre style="{style}">{text}</pre>'


def _name(failure: Failure) -> str:
    return failure.exception or "".join(part.title() for part in failure.kind.split("_"))


def _lines(failure: Failure, *, colour: bool) -> Iterator[str]:
    red, green, cyan, off = (_RED, _GREEN, _CYAN, _OFF) if colour else ("",) * 4
    name = _name(failure)
    if failure.traceback:
        yield f"{red}{_RULE}{off}"
        yield f"{red}{name}{off}{'Traceback (most recent call last)':>{75 - len(name)}}"
    for line in failure.traceback:
        where = f"{cyan}{line.filename}{off}, line {green}{line.line}{off}"
        yield f"{where}{_in(line.function)}"
        # A syntax error has its caret in a second line.
        margin = "\n" + " " * len(f"----> {line.line} ")
        source = line.source.replace("\n", margin)
        yield f"{green}----> {line.line}{off} {source}\n"
    yield f"{red}{name}{off}: {failure.message}"
    if failure.hint:
        yield failure.hint


def _in(function: str) -> str:
    return "" if function in ("", "<module>") else f", in {function}"


def _wants_colour() -> bool:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and str(shell.colors).lower() != "nocolor"
