"""What a request has to be before it becomes a job."""

from __future__ import annotations

from pathlib import PurePosixPath

import msgspec

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Limits, Request
from manim_daemon.settings import Settings

__all__ = ["admitted"]


def admitted(request: Request, settings: Settings) -> Request:
    """Return `request` within the limits that the daemon's owner set.

    Raises InvalidRequest for a path that leads outside the job's folder.
    """
    _check_paths(request)
    asked = request.limits
    limits: Limits = msgspec.structs.replace(
        asked,
        wall_time_s=min(asked.wall_time_s, settings.max_timeout_s),
        memory_bytes=min(asked.memory_bytes, settings.max_memory_bytes),
        output_bytes=min(asked.output_bytes, settings.max_output_bytes),
    )
    return msgspec.structs.replace(request, limits=limits)


def _check_paths(request: Request) -> None:
    named = [request.entry.path]
    named += [source.path for source in request.modules]
    named += [asset.path for asset in request.assets]
    for name in named:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
            raise InvalidRequest(
                f"The path {name!r} leads outside the job's folder.",
                "Paths in a request are relative, without '..'.",
            )
