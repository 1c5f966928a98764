"""Scenes, requests and waiting, for tests that talk to a real daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from manim_daemon.client import Client
from manim_daemon.protocol import RenderOptions, Request, Source

__all__ = ["STILL", "SWIFT", "cell", "eventually", "scene", "warm", "worker_processes"]


def scene(*lines: str, name: str = "Demo") -> str:
    """Return the text of a scene with `lines` as the body of construct(), from line 3 on."""
    body = "".join(f"        {line}\n" for line in lines)
    return f"class {name}(Scene):\n    def construct(self):\n{body}"


SWIFT = scene("self.play(Create(Square()), run_time=0.2)")
STILL = scene("self.add(Dot())")


def cell(text: str, *, quality: str | None = "l", **fields: Any) -> Request:
    """Return the request for a notebook cell whose first line is the magic's."""
    options = fields.pop("options", None) or RenderOptions(quality=quality)
    return Request(
        entry=Source("cell.py", text, "Cell In[1]", 2), notebook=True, options=options, **fields
    )


def eventually(condition: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Wait until `condition` holds; fail, naming `what`, when it has not `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.01)


def warm(client: Client) -> None:
    """Wait until the daemon has Manim loaded."""
    eventually(lambda: client.status().warm, "the zygote is warm", within_s=60)


def worker_processes(client: Client) -> list[psutil.Process]:
    """Return what runs below the zygote."""
    zygotes = [process.pid for process in client.status().memory if process.name == "zygote"]
    return [child for pid in zygotes for child in psutil.Process(pid).children(recursive=True)]
