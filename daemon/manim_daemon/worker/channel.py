"""The worker's end of the event socket."""

from __future__ import annotations

import socket

from manim_daemon.protocol import Failure, WorkerEvent, encode
from manim_daemon.zygote_protocol import MAX_PACKET

__all__ = ["Channel"]

_MAX_FAILURE_TEXT = 16 * 1024


class Channel:
    """Sends events to the daemon; only what `offer` sends may be dropped."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_PACKET)

    def send(self, event: WorkerEvent) -> None:
        """Send `event`, waiting while the daemon is busy."""
        if isinstance(event, Failure):
            event = _shortened(event)
        self._socket.send(encode(event))

    def offer(self, event: WorkerEvent) -> None:
        """Send `event` unless the daemon is busy."""
        try:
            self._socket.send(encode(event), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return


def _shortened(failure: Failure) -> Failure:
    return Failure(
        kind=failure.kind,
        message=failure.message[:_MAX_FAILURE_TEXT],
        hint=failure.hint[:_MAX_FAILURE_TEXT],
        exception=failure.exception[:200],
        traceback=failure.traceback[-20:],
    )
