"""Folders for daemons of the tests' own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manim_daemon import launch
from manim_daemon.settings import Settings

__all__ = ["private_home"]


@contextmanager
def private_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have every daemon and client of this process use one new folder, and nothing remain of it."""
    for name in os.environ:
        if name.startswith("MANIM_KERNEL_"):
            monkeypatch.delenv(name)
    # Not pytest's own temporary folder: the path of a unix socket has about 100 characters.
    home = Path(tempfile.mkdtemp(prefix="mk-", dir="/tmp"))
    monkeypatch.setenv("MANIM_KERNEL_HOME", str(home))
    settings = Settings.load()
    try:
        yield home
    finally:
        launch.stop(settings)
        shutil.rmtree(home)
