"""Turn what went wrong in a scene into a failure that its author understands."""

from __future__ import annotations

import itertools
import linecache
import traceback
from collections.abc import Collection
from pathlib import Path

from manim_daemon.protocol import ErrorKind, Failure, TracebackLine

__all__ = ["SceneProblem", "describe"]

_MAX_SOURCE_LINE = 400

_HINTS: dict[type[BaseException], str] = {
    EOFError: "A scene has no keyboard: input() cannot be used. Write the value into the cell.",
    SystemExit: "A scene ends by returning from construct(): remove the call of sys.exit().",
    RecursionError: "A function calls itself without end.",
    ModuleNotFoundError: (
        "Modules are imported where the daemon renders: install it in that environment "
        "(`manim-kernel doctor` shows which one), or keep it beside the notebook as a .py file."
    ),
    FileNotFoundError: (
        "The scene sees only files that its code names and that lie in the notebook's or script's "
        "folder; name any other with --asset PATH."
    ),
    KeyboardInterrupt: "The scene raised KeyboardInterrupt itself.",
}


class SceneProblem(Exception):
    """A failure that already says everything; raised by the worker's own code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def describe(error: BaseException, user_files: Collection[str], memory_bytes: int) -> Failure:
    """Return the failure for `error`, with only the traceback lines inside `user_files`."""
    lines = _own_lines(error, user_files)
    if isinstance(error, SceneProblem):
        found = error.failure
        return Failure(
            found.kind, found.message, found.hint, found.exception, found.traceback or lines
        )
    if isinstance(error, MemoryError):
        return Failure(
            ErrorKind.OUT_OF_MEMORY,
            f"The scene needed more than its memory limit of {memory_bytes / 1024**2:.0f} MiB.",
            "Use fewer or smaller objects or a lower quality, or raise it with --memory.",
            "MemoryError",
            lines,
        )
    if isinstance(error, SyntaxError):
        return _describe_syntax_error(error, lines)
    return Failure(
        ErrorKind.SCENE_ERROR,
        _message(error),
        _hint(error),
        type(error).__name__,
        lines,
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The scene called sys.exit({error.code!r})"
    # Where the job's folder lies says nothing to the user: to them it is their own folder.
    return str(error).replace(f"{Path.cwd()}/", "").replace(str(Path.cwd()), "the scene's folder")


def _hint(error: BaseException) -> str:
    if "No such file" in str(error) or "could not find" in str(error):
        return _HINTS[FileNotFoundError]
    for kind, hint in _HINTS.items():
        if isinstance(error, kind):
            return hint
    return ""


def _own_lines(error: BaseException, user_files: Collection[str]) -> tuple[TracebackLine, ...]:
    places = [
        (frame.f_code.co_filename, number, frame.f_code.co_name)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename in user_files
    ]
    # A recursion is one place many times.
    return tuple(_line(*place) for place, _ in itertools.groupby(places))


def _line(filename: str, number: int, function: str) -> TracebackLine:
    source = linecache.getline(filename, number).rstrip("\n")[:_MAX_SOURCE_LINE]
    return TracebackLine(filename, number, function, source)


def _describe_syntax_error(error: SyntaxError, lines: tuple[TracebackLine, ...]) -> Failure:
    if error.filename and error.lineno:
        source = (error.text or "").rstrip("\n")[:_MAX_SOURCE_LINE]
        lines += (TracebackLine(error.filename, error.lineno, "<module>", source),)
    return Failure(
        ErrorKind.SCENE_ERROR, error.msg or "invalid syntax", "", type(error).__name__, lines
    )
