"""The thing under test: ``manim-kernel render`` against a daemon of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.conformance.renderings import Rendering

__all__ = ["Subject"]

_ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-c", "from manim_kernel_ext.cli import main; main()")


class Subject:
    """A private daemon, started by the first render and stopped at the end. A context manager."""

    def __enter__(self) -> Self:
        """Choose a home with a short path: the path of a unix socket has about 100 characters."""
        self._home = Path(tempfile.mkdtemp(prefix="mk-", dir="/tmp"))
        own = {k: v for k, v in os.environ.items() if not k.startswith("MANIM_KERNEL_")}
        self._environment = {**own, "MANIM_KERNEL_HOME": str(self._home)}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the daemon and remove its home. Raises RuntimeError when it does not stop."""
        done = self._run(("daemon", "stop"), _ROOT, timeout_s=60)
        if done.returncode != 0:
            raise RuntimeError(f"The daemon of {self._home} does not stop: {done.stderr}")
        shutil.rmtree(self._home)

    def render(
        self,
        file: str,
        scenes: Sequence[str],
        flags: Sequence[str],
        cwd: Path,
        timeout_s: float = 600,
    ) -> Rendering:
        """Return what ``manim-kernel render FILE SCENE… FLAGS`` makes in `cwd`."""
        started = time.monotonic()
        names = () if "-a" in flags else scenes
        try:
            done = self._run(("render", file, *names, *flags, "--json"), cwd, timeout_s)
        except subprocess.TimeoutExpired:
            return Rendering(failure=f"no end within {timeout_s} s")
        seconds = time.monotonic() - started
        try:
            report = json.loads(done.stdout)
        except ValueError:
            said = (done.stdout + done.stderr).strip()[-2000:]
            return Rendering(failure=f"exit code {done.returncode}, no JSON: {said}")
        if report["state"] != "succeeded" or done.returncode != 0:
            return Rendering(failure=_reason(report, done.returncode), seconds=seconds)
        return Rendering(_files(report["artifacts"], cwd), seconds=seconds)

    def _run(
        self, arguments: Sequence[str], cwd: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_COMMAND, *arguments],
            cwd=cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def _reason(report: Mapping[str, Any], code: int) -> str:
    error = report["error"] or {}
    text = f"{report['state']}, exit code {code}, {error.get('kind')}: {error.get('message')}"
    return "\n".join((text, *map(str, error.get("traceback") or ())))


def _files(artifacts: Sequence[Mapping[str, Any]], cwd: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for artifact in artifacts:
        scene, kind, path = artifact["scene"], artifact["kind"], cwd / artifact["path"]
        if kind == "image_sequence":
            files |= {f"{scene}/{kind}/{image.name}": image for image in _images(path)}
        elif kind == "section":
            files[f"{scene}/{kind}/{path.name}"] = path
        else:
            files[f"{scene}/{kind}"] = path
    return files


def _images(path: Path) -> Iterator[Path]:
    """A sequence of images may come as one of them, as a folder or as an archive."""
    if path.suffix == ".zip":
        folder = path.with_suffix(".unpacked")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path = folder
    yield from sorted(path.rglob("*.png")) if path.is_dir() else (path,)
