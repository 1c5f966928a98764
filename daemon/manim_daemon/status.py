"""What the daemon says of itself."""

from __future__ import annotations

import os
import sys
import time
from importlib import metadata

import psutil

from manim_daemon.engine import Engine
from manim_daemon.protocol import PROTOCOL_VERSION, ProcessMemory, Status
from manim_daemon.settings import Settings
from manim_daemon.worker.sandbox import layers

__all__ = ["Clock", "daemon_status"]


class Clock:
    """How long the daemon has been up."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started


def daemon_status(engine: Engine, settings: Settings, clock: Clock, clients: int) -> Status:
    """Return the daemon's state, its processes' memory and its isolation layers."""
    store_bytes, store_files = engine.store.usage()
    state = engine.state
    return Status(
        pid=os.getpid(),
        version=metadata.version("manim-kernel-ext"),
        protocol=PROTOCOL_VERSION,
        python=sys.executable,
        manim_version=engine.manim_version,
        uptime_s=clock.uptime_s,
        warm=state.warm,
        zygotes=int(engine.supervisor.pid is not None),
        running=state.running,
        queued=state.queued,
        slots=settings.slots,
        clients=clients,
        memory=_memory(engine.supervisor.pid),
        isolation=layers(),
        store_bytes=store_bytes,
        store_files=store_files,
        last_error=engine.last_error,
    )


def _memory(zygote: int | None) -> tuple[ProcessMemory, ...]:
    found = []
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        name = {own.pid: "daemon", zygote: "zygote"}.get(process.pid, "worker")
        try:
            usage = process.memory_full_info()
        except psutil.Error:
            continue
        pss = getattr(usage, "pss", usage.rss)
        found.append(ProcessMemory(name, process.pid, usage.rss, pss))
    return tuple(found)
