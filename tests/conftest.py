"""Fixtures of all tests: private daemons, and one that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manim_daemon import launch
from manim_daemon.client import Client
from manim_daemon.settings import Settings
from tests.homes import private_home
from tests.rendering import warm


@pytest.fixture
def daemon_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder for a daemon of the test's own; whichever runs at the end is stopped."""
    with private_home(monkeypatch) as home:
        yield home


@pytest.fixture(scope="session")
def warm_daemon() -> Iterator[Settings]:
    """Return the settings of a warm daemon that tests share; it must not stumble over any."""
    with pytest.MonkeyPatch.context() as monkeypatch, private_home(monkeypatch):
        monkeypatch.setenv("MANIM_KERNEL_SLOTS", "2")
        monkeypatch.setenv("MANIM_KERNEL_CLIENT_GRACE_S", "2")
        monkeypatch.setenv("A_SECRET_TOKEN", "no scene may see it")
        settings = Settings.load()
        launch.start(settings)
        # Tests that want a daemon of their own must not meet this one.
        monkeypatch.undo()
        with Client.connect(settings, start=False) as client:
            warm(client)
        yield settings
        assert "Traceback" not in settings.log_file.read_text(encoding="utf-8")


@pytest.fixture
def client(warm_daemon: Settings) -> Iterator[Client]:
    """Return a client of the daemon that tests share."""
    with Client.connect(warm_daemon, start=False) as client:
        yield client
