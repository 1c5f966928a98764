"""A bare ZeroMQ client, for saying what `Client` never would."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import zmq

from manim_daemon.protocol import (
    Call,
    Command,
    FromDaemon,
    Push,
    Reply,
    Result,
    decode_from_daemon,
    encode,
)
from manim_daemon.runfile import Connection

__all__ = ["Wire"]


class Wire:
    """A DEALER socket to the daemon; `secret` False means without any key. A context manager."""

    def __init__(self, connection: Connection, *, secret: bool = True) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        if secret:
            self._socket.set(zmq.CURVE_SERVERKEY, connection.server_key.encode())
            self._socket.set(zmq.CURVE_PUBLICKEY, connection.client_public.encode())
            self._socket.set(zmq.CURVE_SECRETKEY, connection.client_secret.encode())
        self._socket.connect(connection.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        """Send these bytes as they are."""
        self._socket.send_multipart(frames)

    def receive(self, within_s: float = 10.0) -> FromDaemon | None:
        """Return the next message, or None when none comes in time."""
        if not self._socket.poll(int(within_s * 1000)):
            return None
        return decode_from_daemon(self._socket.recv())

    def ask(self, command: Command) -> Result:
        """Send `command` and return what it leads to."""
        self.send(encode(Call(1, command)))
        return self.answer()

    def answer(self) -> Result:
        """Return the next reply's result."""
        while message := self.receive():
            if isinstance(message, Reply):
                return message.result
        raise AssertionError("no answer")

    def next_push(self) -> Push:
        """Return the next event."""
        while message := self.receive():
            if isinstance(message, Push):
                return message
        raise AssertionError("no event")
