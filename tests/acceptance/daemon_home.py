"""A daemon apart from the user's own, for the tests, and waiting for what it does."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from manim_daemon import launch
from manim_daemon.client import Client
from manim_daemon.runfile import read_connection
from manim_daemon.settings import Settings

__all__ = ["Home", "new_home", "wait_until"]


@dataclass(frozen=True)
class Home:
    """The folder that holds everything of one daemon."""

    path: Path

    @property
    def settings(self) -> Settings:
        """The settings of the daemon and its clients."""
        return Settings(
            runtime_dir=self.path / "run",
            state_dir=self.path / "state",
            cache_dir=self.path / "cache",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that is to use this daemon, and nothing of the user's."""
        others = {k: v for k, v in os.environ.items() if not k.startswith("MANIM_KERNEL_")}
        own = {"MANIM_KERNEL_HOME": str(self.path), "IPYTHONDIR": str(self.path / "ipython")}
        return {**others, **own}

    @property
    def is_alive(self) -> bool:
        """Whether the daemon runs."""
        return launch.is_alive(self.settings)

    def client(self) -> Client:
        """Return a client of the daemon, which has to run."""
        return Client.connect(self.settings, start=False)

    def processes(self) -> set[int]:
        """Return the ids of all processes below the daemon."""
        connection = read_connection(self.settings)
        assert connection is not None
        return {one.pid for one in psutil.Process(connection.pid).children(recursive=True)}


@contextmanager
def new_home() -> Iterator[Home]:
    """Yield a home where no daemon runs; one that is started is stopped at the end."""
    # The path of a unix socket may have about a hundred characters, so not in pytest's folders.
    home = Home(Path(tempfile.mkdtemp(prefix="mk-", dir="/tmp")))
    try:
        yield home
    finally:
        launch.stop(home.settings)
        shutil.rmtree(home.path)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Return once `condition` holds. Raises AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"Not within {timeout_s:g} s: {what}."
        time.sleep(0.02)
