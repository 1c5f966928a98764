"""Manim itself, unmodified: its own command line, imported once and run in a fork per render.

Importing Manim takes longer than rendering most scenes. So one process imports it, then forks for
each command; the fork calls Manim's ``main`` with the arguments a shell would have given it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.conformance.renderings import Rendering, files_of_manim

__all__ = ["Reference", "render_in_new_process"]

_ROOT = Path(__file__).parents[2]
_QUIET = ("--progress_bar", "none", "--silent", "-v", "WARNING")
_TIMEOUT_S = 600
# What Manim says of a failure is one line, and not folded at 80 columns.
_ENVIRONMENT = os.environ | {"COLUMNS": "1000"}


class Reference:
    """A process that has imported Manim. A context manager; one render at a time."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=_ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process; closing its input is the signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def render(
        self, file: str, scenes: Sequence[str], flags: Sequence[str], cwd: Path, media_dir: Path
    ) -> Rendering:
        """Return what ``manim render FILE SCENE… FLAGS`` makes in `cwd`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        started = time.monotonic()
        media_dir.mkdir(parents=True)
        argv = _argv(file, scenes, flags, media_dir)
        order = {"argv": argv, "cwd": str(cwd), "log": str(media_dir / "log.txt")}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The process that renders with Manim is gone.")
        return _rendering(json.loads(answer), media_dir, scenes, started)


def render_in_new_process(
    file: str, scenes: Sequence[str], flags: Sequence[str], cwd: Path, media_dir: Path
) -> Rendering:
    """Return what ``python -m manim render FILE SCENE… FLAGS`` makes in `cwd`.

    For what Manim reads while it is imported, such as a ``manim.cfg`` in `cwd`.
    """
    started = time.monotonic()
    media_dir.mkdir(parents=True)
    argv = [sys.executable, "-m", "manim", *_argv(file, scenes, flags, media_dir)]
    with (media_dir / "log.txt").open("wb") as log:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_TIMEOUT_S,
            check=False,
        )
    return _rendering(done.returncode, media_dir, scenes, started)


def _argv(
    file: str, scenes: Sequence[str], flags: Sequence[str], media_dir: Path
) -> tuple[str, ...]:
    names = () if "-a" in flags else scenes
    return ("render", file, *names, *flags, "--media_dir", str(media_dir), *_QUIET)


def _rendering(code: int, media_dir: Path, scenes: Sequence[str], started: float) -> Rendering:
    seconds = time.monotonic() - started
    if code == -signal.SIGALRM:
        return Rendering(failure=f"no end within {_TIMEOUT_S} s", seconds=seconds)
    files = files_of_manim(media_dir, scenes)
    if code or not files:
        return Rendering(failure=_reason(media_dir / "log.txt", code), seconds=seconds)
    return Rendering(files, seconds=seconds)


def _reason(log: Path, code: int) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    told = [line.strip() for line in lines if line.strip()]
    return told[-1] if told else f"it ended with exit code {code} and no word"


# --- the process that has imported Manim -------------------------------------------------


def _serve() -> None:
    from manim.__main__ import main

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(order["cwd"], Path(order["log"]))
            try:
                main(args=order["argv"], prog_name="manim")
            except SystemExit as error:
                _leave(error.code)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                _leave(1)
            _leave(0)
        print(_wait(child), flush=True)


def _become(cwd: str, log: Path) -> None:
    os.setsid()
    os.chdir(cwd)
    with open(os.devnull, "rb") as nothing, log.open("wb") as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.alarm(_TIMEOUT_S)


def _leave(code: object) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


def _wait(child: int) -> int:
    """Return the exit code of `child`, minus the signal if one ended it, and end its children."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return code


if __name__ == "__main__":
    _serve()
