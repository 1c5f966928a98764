from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from manim_daemon import launch
from tests.acceptance.daemon_home import Home, new_home


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Yield a home whose daemon runs on this Python, which has Manim."""
    with new_home() as home:
        launch.start(home.settings, sys.executable)
        yield home
        assert "Traceback" not in home.settings.log_file.read_text(encoding="utf-8")


@pytest.fixture
def empty_home() -> Iterator[Home]:
    """Yield a home where no daemon runs yet."""
    with new_home() as home:
        yield home
