"""The worker's end of the event socket."""

from __future__ import annotations

import socket

from manim_daemon.protocol import Failure, TracebackLine, WorkerEvent, encode
from manim_daemon.zygote_protocol import MAX_PACKET

__all__ = ["Channel"]

# In bytes; all of a failure has to fit into one packet.
_MAX_TEXT = 12 * 1024
_MAX_LINE = 500
_MAX_LINES = 20


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
        message=_cut(failure.message, _MAX_TEXT),
        hint=_cut(failure.hint, _MAX_TEXT),
        exception=_cut(failure.exception, _MAX_LINE),
        traceback=tuple(
            TracebackLine(
                _cut(line.filename, _MAX_LINE),
                line.line,
                _cut(line.function, _MAX_LINE),
                _cut(line.source, _MAX_LINE),
            )
            for line in failure.traceback[-_MAX_LINES:]
        ),
    )


def _cut(text: str, max_bytes: int) -> str:
    # A scene's text may hold lone surrogates, which UTF-8 has not.
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
