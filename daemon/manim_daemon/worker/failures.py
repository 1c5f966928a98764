"""Turn what went wrong in a scene into a failure that its author understands."""

from __future__ import annotations

import errno
import itertools
import linecache
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

import msgspec

from manim_daemon.protocol import ErrorKind, Failure, TracebackLine

__all__ = ["Described", "SceneProblem", "describe"]

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


_MESSAGE_HINTS = (
    (
        re.compile(r"yuv420p, (\d*[13579]x\d+|\d+x\d*[13579]) at"),
        "Video in this format needs an even width and an even height, in pixels: change -r.",
    ),
    (
        re.compile(r"invalid value \(typically too big\) for the size of the input"),
        "Pictures of more than 32767 pixels in width or height cannot be drawn: change -r.",
    ),
)


class Described(BaseException):
    """An error of the worker's own, whose `failure` says everything but where it happened."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class SceneProblem(Described, Exception):
    """One that a scene may catch."""


def describe(
    error: BaseException, user_files: Mapping[str, str], folder: Path, memory_bytes: int
) -> Failure:
    """Return the failure for `error`, with only the traceback lines inside `user_files`.

    `user_files` maps each file to how the user calls it; the job's `folder` is not named.
    """
    failure = _describe(error, user_files, memory_bytes)
    message = failure.message
    # Where the job's folder lies says nothing to the user: to them it is their own folder.
    for path, name in ((folder / "work", "the scene's folder"), (folder, "the job's folder")):
        message = message.replace(f"{path}/", "").replace(str(path), name)
    return msgspec.structs.replace(failure, message=message)


def _describe(error: BaseException, user_files: Mapping[str, str], memory_bytes: int) -> Failure:
    lines = _own_lines(error, user_files)
    if isinstance(error, Described):
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
        return _describe_syntax_error(error, user_files, lines)
    if _is_file_too_large(error):
        return Failure(
            ErrorKind.OUTPUT_TOO_LARGE,
            f"A file of the scene grew beyond the limit of its output: {_message(error)}",
            "Use a lower quality or a shorter scene; the limit is max_output_bytes.",
            type(error).__name__,
            lines,
        )
    hint = _hint(error)
    return Failure(
        ErrorKind.SCENE_ERROR,
        _message(error),
        hint,
        type(error).__name__,
        lines if lines or hint else _innermost(error),
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The scene called sys.exit({error.code!r})"
    try:
        return str(error)
    except Exception:
        return f"{type(error).__name__}, whose message cannot be shown"


def _is_file_too_large(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            return True
        error = error.__cause__ or error.__context__
    return False


def _hint(error: BaseException) -> str:
    message = _message(error)
    if "No such file" in message or "could not find" in message:
        return _HINTS[FileNotFoundError]
    for known, hint in _MESSAGE_HINTS:
        if known.search(message):
            return hint
    for kind, hint in _HINTS.items():
        if isinstance(error, kind):
            return hint
    return ""


def _own_lines(error: BaseException, user_files: Mapping[str, str]) -> tuple[TracebackLine, ...]:
    places = [
        (frame.f_code.co_filename, number, frame.f_code.co_name)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename in user_files
    ]
    # A recursion is one place many times.
    return tuple(_line(*place, user_files) for place, _ in itertools.groupby(places))


def _innermost(error: BaseException) -> tuple[TracebackLine, ...]:
    """Return where it happened when no line of the user's is on the way, as while drawing."""
    return tuple(
        TracebackLine(
            frame.filename.rpartition("/site-packages/")[2],
            frame.lineno or 0,
            frame.name,
            (frame.line or "")[:_MAX_SOURCE_LINE],
        )
        for frame in traceback.extract_tb(error.__traceback__)[-1:]
        if "/site-packages/" in frame.filename
    )


def _line(
    filename: str, number: int, function: str, user_files: Mapping[str, str]
) -> TracebackLine:
    source = linecache.getline(filename, number).rstrip("\n")[:_MAX_SOURCE_LINE]
    return TracebackLine(user_files[filename], number, function, source)


def _describe_syntax_error(
    error: SyntaxError, user_files: Mapping[str, str], lines: tuple[TracebackLine, ...]
) -> Failure:
    if error.filename and error.lineno:
        source = (error.text or "").rstrip("\n")[:_MAX_SOURCE_LINE]
        filename = user_files.get(error.filename, error.filename)
        lines += (TracebackLine(filename, error.lineno, "<module>", source),)
    return Failure(
        ErrorKind.SCENE_ERROR, error.msg or "invalid syntax", "", type(error).__name__, lines
    )
