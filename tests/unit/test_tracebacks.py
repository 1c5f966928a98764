"""How errors look in a cell."""

from __future__ import annotations

import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.errors import InvalidRequest, ManimKernelError
from manim_daemon.protocol import ErrorKind, Failure, TracebackLine
from manim_kernel_ext.show.tracebacks import (
    CellError,
    Interrupted,
    cell_error,
    clean_errors,
    failure_html,
    failure_text,
)

FAILURE = Failure(
    ErrorKind.SCENE_ERROR,
    "division by zero",
    "Divide by something else.",
    "ZeroDivisionError",
    (
        TracebackLine("Cell In[5]", 7, "construct", "        half(0)"),
        TracebackLine("Cell In[2]", 2, "half", "    return 1 / x"),
    ),
)
TEXT = """\
---------------------------------------------------------------------------
ZeroDivisionError                         Traceback (most recent call last)
Cell In[5], line 7, in construct
----> 7         half(0)

Cell In[2], line 2, in half
----> 2     return 1 / x

ZeroDivisionError: division by zero
Divide by something else."""


def test_a_failure_shows_the_users_own_lines_and_the_hint() -> None:
    """A failure shows each line of the user's with its place, then the error, then the hint."""
    assert failure_text(FAILURE) == TEXT


def test_a_caret_stays_below_what_it_points_at() -> None:
    """A source line with a line below it keeps the two aligned."""
    line = TracebackLine("Cell In[3]", 12, "<module>", "1 +\n   ^")
    failure = Failure(ErrorKind.SCENE_ERROR, "invalid syntax", "", "SyntaxError", (line,))
    assert "----> 12 1 +\n            ^\n" in failure_text(failure)


def test_a_failure_without_lines_is_only_its_message() -> None:
    """Without lines of the user's there is no empty traceback."""
    failure = Failure(ErrorKind.TIMEOUT, "The scene took longer than 5 s.")
    assert failure_text(failure) == "Timeout: The scene took longer than 5 s."


def test_a_saved_notebook_holds_the_name_and_message_of_the_users_exception() -> None:
    """The exception has the class name and the text that the scene's exception had."""
    error = cell_error(FAILURE)
    assert type(error).__name__ == "ZeroDivisionError"
    assert str(error) == "division by zero"
    assert error.failure is FAILURE


def test_a_failure_that_no_exception_caused_is_named_after_its_kind() -> None:
    """Without an exception the class is named after the kind of failure."""
    assert type(cell_error(Failure(ErrorKind.OUT_OF_MEMORY, "m"))).__name__ == "OutOfMemory"


def test_the_lines_that_ipython_shows_are_those_of_the_failure(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """IPython shows the failure and none of our frames."""
    try:
        raise cell_error(FAILURE)
    except CellError:
        shell.showtraceback()
    shown = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out)
    assert shown.strip() == TEXT


def test_our_errors_become_errors_of_the_cell() -> None:
    """An error of ours leaves the block as one that is shown without frames."""
    with pytest.raises(CellError) as caught, clean_errors():
        raise InvalidRequest("No scene.", "Write one.")
    assert caught.value.failure == Failure(ErrorKind.INVALID_REQUEST, "No scene.", "Write one.")
    assert isinstance(caught.value, ManimKernelError)


def test_an_interrupt_leaves_as_a_clean_one() -> None:
    """An interrupt in the block leaves it as one without frames; one with a text keeps that."""
    with pytest.raises(Interrupted, match="Cancelled"), clean_errors():
        raise KeyboardInterrupt
    with pytest.raises(Interrupted, match="the renders go on"), clean_errors():
        raise Interrupted("Not waiting; the renders go on.")


def test_an_interrupt_is_one_line_and_still_an_interrupt() -> None:
    """An interrupt is shown as one line, under the name that front ends know."""
    error = Interrupted("Cancelled.")
    assert isinstance(error, KeyboardInterrupt)
    assert type(error).__name__ == "KeyboardInterrupt"
    assert error._render_traceback_() == ["Cancelled."]


def test_html_of_a_failure_is_escaped() -> None:
    """A message that looks like HTML is shown as text."""
    assert "<b>" not in failure_html(Failure(ErrorKind.TIMEOUT, "<b>"))
