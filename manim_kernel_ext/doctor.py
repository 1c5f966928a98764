"""What this machine has and lacks for rendering, and what to do about each."""

from __future__ import annotations

import enum
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from manim_daemon.errors import ManimKernelError
from manim_daemon.protocol import Status
from manim_daemon.settings import Settings

__all__ = ["Check", "State", "examine"]

_OLDEST_PYTHON = (3, 11)
_NEWEST_PYTHON = (3, 13)
_MANIM = "0.22."
_TIMEOUT_S = 60
_NOT_THE_DAEMONS = ("PYTHONHOME", "PYTHONPATH")
_FRONT_END = {"ipykernel": range(6, 8), "ipywidgets": range(8, 9), "jupyterlab": range(4, 5)}
_OTHER_PYTHON = "name an interpreter that has Manim: manim-kernel daemon restart --python PATH"
_LATEX_PACKAGES = (
    "sudo apt-get install texlive-latex-extra texlive-fonts-recommended dvisvgm; "
    "Typst formulas work without it."
)

# Runs in the interpreter that renders, which need not have this package.
_PROBE = """
import importlib.util, json, sys
from importlib import metadata
report = {"python": sys.version_info[:3], "manim": None, "fonts": 0, "error": ""}
report["daemon"] = importlib.util.find_spec("manim_daemon") is not None
try:
    report["manim"] = metadata.version("manim")
    importlib.import_module("manim")
    report["fonts"] = len(importlib.import_module("manimpango").list_fonts())
except metadata.PackageNotFoundError:
    report["error"] = "Manim is not installed"
except BaseException as error:
    report["error"] = f"{type(error).__name__}: {error}"
print()
print(json.dumps(report))
"""

_FORMULA = r"""\documentclass[preview]{standalone}
\usepackage[english]{babel}
\usepackage{amsmath}
\usepackage{amssymb}
\begin{document}
$\displaystyle \int_0^1 x^2\,\mathrm{d}x = \tfrac{1}{3}$
\end{document}
"""


class State(enum.StrEnum):
    """How a check came out: FAIL means that nothing can be rendered, WARN that something cannot."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at; `action` says what to do and is empty when all is well."""

    name: str
    state: State
    detail: str
    action: str = ""


class _Probe(msgspec.Struct, frozen=True):
    python: tuple[int, ...]
    daemon: bool
    manim: str | None
    fonts: int
    error: str


def examine(settings: Settings) -> Iterator[Check]:
    """Yield a check for each thing that rendering and the notebook need; starts no daemon."""
    status, daemon = _daemon(settings)
    python = status.python if status else settings.python or sys.executable
    yield _python("Python", sys.executable, sys.version_info[:3])
    yield from _renderer(python)
    yield _latex()
    yield daemon
    yield from _isolation(status)
    for package, majors in _FRONT_END.items():
        yield _front_end(package, majors)


def _python(name: str, path: str, version: tuple[int, ...]) -> Check:
    detail = f"{'.'.join(map(str, version))} ({path})"
    if _OLDEST_PYTHON <= version[:2] <= _NEWEST_PYTHON:
        return Check(name, State.OK, detail)
    return Check(
        name,
        State.FAIL if version[:2] < _OLDEST_PYTHON else State.WARN,
        detail,
        "Make a virtual environment with Python 3.11, 3.12 or 3.13; others are not tested.",
    )


def _renderer(python: str) -> Iterator[Check]:
    try:
        probe = _probe(python)
    except (OSError, msgspec.MsgspecError, subprocess.SubprocessError) as error:
        yield Check("Manim", State.FAIL, f"{python} does not run: {error}", _OTHER_PYTHON)
        return
    if python != sys.executable:
        yield _python("Python that renders", python, probe.python)
    yield _manim(python, probe)
    if not probe.error:
        yield _fonts(probe.fonts)


def _probe(python: str) -> _Probe:
    done = subprocess.run(
        [python, "-c", _PROBE],
        capture_output=True,
        check=True,
        cwd=os.sep,
        env={name: os.environ[name] for name in os.environ if name not in _NOT_THE_DAEMONS},
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT_S,
    )
    return msgspec.json.decode(done.stdout.strip().rpartition(b"\n")[2], type=_Probe)


def _manim(python: str, probe: _Probe) -> Check:
    install = f"{python} -m pip install 'manim-kernel-ext[render]'"
    if not probe.daemon:
        detail = f"{python} has no manim-kernel-ext, which the daemon is part of"
        return Check("Manim", State.FAIL, detail, install)
    if probe.manim is None:
        detail = f"{probe.error} for {python}"
        return Check("Manim", State.FAIL, detail, f"{install}; or: {_OTHER_PYTHON}")
    if not probe.manim.startswith(_MANIM):
        detail = f"{probe.manim} ({python}); {_MANIM}x is supported"
        return Check("Manim", State.FAIL, detail, install)
    if probe.error:
        detail = f"{probe.manim} cannot be imported by {python}: {probe.error}"
        return Check("Manim", State.FAIL, detail, f"Mend the installation: {install}")
    return Check("Manim", State.OK, f"{probe.manim} ({python})")


def _fonts(count: int) -> Check:
    if count:
        return Check("Fonts", State.OK, f"{count} families")
    return Check(
        "Fonts",
        State.WARN,
        "Pango finds no fonts, so that Text shows boxes or nothing",
        "sudo apt-get install fontconfig fonts-dejavu-core",
    )


def _latex() -> Check:
    if missing := [tool for tool in ("latex", "dvisvgm") if shutil.which(tool) is None]:
        return Check("LaTeX", State.WARN, f"{' and '.join(missing)} not found", _LATEX_PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "formula.tex").write_text(_FORMULA, encoding="utf-8")
        latex = ["latex", "-interaction=batchmode", "-halt-on-error", "-no-shell-escape"]
        for command in ([*latex, "formula.tex"], ["dvisvgm", "--no-fonts", "formula.dvi"]):
            if problem := _run(command, folder):
                return Check("LaTeX", State.WARN, problem, _LATEX_PACKAGES)
    return Check("LaTeX", State.OK, f"a formula compiles ({shutil.which('latex')})")


def _run(command: list[str], folder: str) -> str:
    """Return why `command` failed in `folder`, empty when it did not."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    log = Path(folder, "formula.log")
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    complaints = [line for line in text.splitlines() if line.startswith("!")]
    reason = complaints[0] if complaints else done.stderr.decode(errors="replace").strip()[-300:]
    return f"{command[0]} cannot make a formula: {reason}"


def _daemon(settings: Settings) -> tuple[Status | None, Check]:
    from manim_daemon.client import Client  # its ZeroMQ is not needed for the other checks

    try:
        with Client.connect(settings, start=False) as client:
            status = client.status()
    except ManimKernelError as error:
        return None, Check(
            "Daemon",
            State.WARN,
            error.failure.message,
            error.failure.hint or "It starts when it is needed; or: manim-kernel daemon start",
        )
    return status, _reachable(status)


def _reachable(status: Status) -> Check:
    detail = f"{status.version}, pid {status.pid}"
    if status.warm:
        return Check("Daemon", State.OK, f"{detail}, warm")
    if status.last_error:
        return Check(
            "Daemon",
            State.FAIL,
            f"{detail}, cannot load Manim: {status.last_error}",
            "Mend what it says, then: manim-kernel daemon restart --wait",
        )
    return Check("Daemon", State.WARN, f"{detail}, still loading Manim", "Wait a few seconds.")


def _isolation(status: Status | None) -> Iterator[Check]:
    if status is None:
        yield Check(
            "Isolation",
            State.WARN,
            "not known while no daemon runs",
            "manim-kernel daemon start --wait, then ask again.",
        )
        return
    for layer, answer in status.isolation.items():
        if answer == "active":
            yield Check(f"Isolation: {layer}", State.OK, answer)
        else:
            action = "Scenes run without this layer: render only scenes that you trust."
            yield Check(f"Isolation: {layer}", State.WARN, answer, action)


def _front_end(package: str, majors: range) -> Check:
    wanted = f"{majors.start} or {majors[-1]}" if len(majors) > 1 else str(majors.start)
    action = f'{sys.executable} -m pip install "{package}>={majors.start},<{majors.stop}"'
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return Check(package, State.WARN, "not installed; notebooks need it", action)
    if int(version.split(".")[0]) in majors:
        return Check(package, State.OK, version)
    return Check(package, State.WARN, f"{version}; version {wanted} is tested", action)
