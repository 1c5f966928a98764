"""Fixtures of the command line's unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from manim_daemon.client import Client
from tests.unit.cli.fake_daemon import (
    SCENE,
    Daemon,
)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    daemon = Daemon()
    monkeypatch.setattr(Client, "connect", daemon.connect)
    return daemon


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANIM_KERNEL_HOME", str(tmp_path / "home"))
    Path("scene.py").write_text(SCENE, encoding="utf-8")
    return tmp_path
