"""The daemon's front door: owns the ZeroMQ socket, checks who calls, answers, passes events on.

``python -m manim_daemon.server`` runs the daemon in the foreground.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import metadata

import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

from manim_daemon import launch
from manim_daemon.engine import Engine
from manim_daemon.errors import InvalidRequest, ManimKernelError
from manim_daemon.protocol import (
    PROTOCOL_VERSION,
    Attach,
    Call,
    Cancel,
    Chunk,
    Command,
    Done,
    ErrorKind,
    Failure,
    Fetch,
    FromDaemon,
    GetJob,
    GetLogs,
    GetStatus,
    Goodbye,
    Hello,
    JobEvent,
    Jobs,
    ListJobs,
    Logs,
    Ping,
    ProtocolError,
    Push,
    Put,
    Refused,
    Reply,
    Result,
    Shutdown,
    StateChanged,
    Submit,
    Welcome,
    decode_call,
    decode_call_header,
    encode,
)
from manim_daemon.runfile import (
    Connection,
    data_lock,
    prepare_runtime_dir,
    read_connection,
    remove_connection,
    runtime_lock,
    write_connection,
)
from manim_daemon.settings import Settings
from manim_daemon.status import Clock, daemon_status
from manim_daemon.uploads import Uploads

__all__ = ["main"]

_MAX_MESSAGE = 320 * 1024 * 1024
_HEARTBEAT_MS = 2_000
_HEARTBEAT_TIMEOUT_MS = 10_000
_TICK_S = 0.25
_LOOK_S = 2.0
_PING_OWNERS_S = 1.0
_PING_OTHERS_S = 2.0

Client = bytes


class Server:
    """One ROUTER socket behind CURVE; each client's event cursor per job; idle shutdown."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = Engine(settings, self._on_event, _log)
        self._clock = Clock()
        self._stopping = asyncio.Event()
        self._cursors: dict[str, dict[Client, int]] = {}
        self._uploads = Uploads(self._engine.store)
        self._pinged: dict[Client, float] = {}
        self._last_used = time.monotonic()
        self._server_public, self._server_secret = zmq.curve_keypair()
        self._client_public, self._client_secret = zmq.curve_keypair()
        self._context = zmq.asyncio.Context()
        self._authenticator = AsyncioAuthenticator(self._context)
        self._socket = self._make_socket()
        self._connection = self._make_connection()
        self._looked_at = time.monotonic()
        self._will_look = False

    async def serve(self, started: Callable[[], None]) -> None:
        """Serve until told to stop or idle for too long; `started` is called once reachable."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stopping.set)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(credentials_provider=self)
        self._socket.bind(f"ipc://{self._settings.socket_path}")
        self._settings.socket_path.chmod(0o600)
        loop.add_reader(self._socket.FD, self._receive_all)
        try:
            await self._engine.start()
            write_connection(self._settings, self._connection)
            started()
            while not self._stopping.is_set():
                self._receive_all()
                self._ping_clients()
                self._stop_when_idle()
                self._stop_when_unknown()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _TICK_S)
        finally:
            if self._is_known():
                remove_connection(self._settings)
            loop.remove_reader(self._socket.FD)
            await self._engine.stop()
            self._socket.close(linger=200)
            self._authenticator.stop()
            self._context.destroy(linger=0)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Say, for ZAP, whether the client with this CURVE key may speak."""
        return key == self._client_public

    def _make_socket(self) -> zmq.Socket[bytes]:
        # A plain socket: what waits is read in one go, and sending never waits.
        made: zmq.Socket[bytes] = zmq.Socket(self._context, zmq.ROUTER)
        made.set(zmq.LINGER, 0)
        made.set(zmq.ROUTER_MANDATORY, 1)
        # A client that connects again may be back before its old connection is known to be dead.
        made.set(zmq.ROUTER_HANDOVER, 1)
        made.set(zmq.MAXMSGSIZE, _MAX_MESSAGE)
        made.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        made.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        made.set(zmq.CURVE_SERVER, 1)
        made.set(zmq.CURVE_SECRETKEY, self._server_secret)
        return made

    def _make_connection(self) -> Connection:
        return Connection(
            protocol=PROTOCOL_VERSION,
            version=metadata.version("manim-kernel-ext"),
            pid=os.getpid(),
            address=f"ipc://{self._settings.socket_path}",
            server_key=self._server_public.decode(),
            client_public=self._client_public.decode(),
            client_secret=self._client_secret.decode(),
        )

    # Receiving.

    def _receive_all(self) -> None:
        """Take every waiting message: the descriptor only signals once for all of them."""
        self._will_look = False
        # From the goodbye on nobody is answered any more, and everybody finds the next daemon.
        while not self._stopping.is_set():
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) == 2:
                self._receive(frames[0], frames[1])

    def _receive(self, client: Client, data: bytes) -> None:
        self._last_used = time.monotonic()
        if client not in self._pinged:
            self._pinged[client] = self._last_used
            self._engine.client_seen(client.hex())
        try:
            call = decode_call(data)
        except ProtocolError as error:
            self._answer_unreadable(client, data, error)
            return
        if isinstance(call.command, Goodbye):
            self._forget(client)
            self._engine.client_left(client.hex())
            return
        try:
            if call.version != PROTOCOL_VERSION:
                raise _incompatible(call.version)
            result = self._carry_out(client, call.command)
        except ManimKernelError as error:
            result = Refused(error.failure)
        self._send(client, Reply(call.id, result))
        self._after_reply(client, call, result)

    def _answer_unreadable(self, client: Client, data: bytes, error: ProtocolError) -> None:
        try:
            header = decode_call_header(data)
        except ProtocolError:
            _log(f"a client sent what cannot be read: {error}")
            return
        failure = Failure(ErrorKind.INVALID_REQUEST, f"The message cannot be read: {error}")
        if header.version != PROTOCOL_VERSION:
            failure = _incompatible(header.version).failure
        self._send(client, Reply(header.id, Refused(failure)))

    def _carry_out(self, client: Client, command: Command) -> Result:
        match command:
            case Hello():
                return Welcome(self._engine.state.warm)
            case Submit(request, key):
                return self._engine.submit(client.hex(), key, request)
            case Attach(job, _):
                self._engine.job(job)
            case Cancel(job):
                self._engine.cancel(job)
            case Put():
                self._uploads.take(client, command)
            case Fetch(sha256, offset, length):
                return self._fetch(sha256, offset, length)
            case GetStatus():
                return daemon_status(self._engine, self._settings, self._clock, len(self._pinged))
            case ListJobs(limit):
                return Jobs(self._engine.jobs.newest(limit))
            case GetJob(job):
                return self._engine.job(job)
            case GetLogs(job):
                return Logs(self._engine.logs(job))
            case Shutdown():
                self._stopping.set()
        return Done()

    def _after_reply(self, client: Client, call: Call, result: Result) -> None:
        """Begin to push events only after the reply that announces the job."""
        if isinstance(call.command, Attach) and isinstance(result, Done):
            self._subscribe(client, call.command.job, call.command.after)

    def _fetch(self, sha256: str, offset: int, length: int) -> Chunk:
        store = self._engine.store
        try:
            return Chunk(store.read(sha256, offset, length), store.size(sha256))
        except FileNotFoundError as error:
            raise InvalidRequest(
                "This file is no longer in the daemon's store.", "Render it again."
            ) from error

    # Sending.

    def _subscribe(self, client: Client, job: str, after: int) -> None:
        self._cursors.setdefault(job, {})[client] = after
        self._pump(job)

    def _on_event(self, job: str, seq: int, event: JobEvent) -> None:
        if seq:
            self._pump(job)
            return
        for client in list(self._cursors.get(job, ())):
            self._send(client, Push(job, 0, event))

    def _pump(self, job: str) -> None:
        """Send each follower what it has not had; one that is slow gets the rest later."""
        cursors = self._cursors.get(job, {})
        for client, cursor in list(cursors.items()):
            for seq, event in self._engine.events(job, cursor):
                if not self._send(client, Push(job, seq, event)):
                    break
                cursors[client] = seq
                if isinstance(event, StateChanged) and event.state.is_final:
                    del cursors[client]
        if not cursors:
            self._cursors.pop(job, None)

    def _send(self, client: Client, message: FromDaemon) -> bool:
        if not self._will_look:
            # Sending may use up the descriptor's signal that something has come in.
            self._will_look = True
            asyncio.get_running_loop().call_soon(self._receive_all)
        try:
            self._socket.send_multipart([client, encode(message)], zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._lost(client)
            return False
        return True

    def _ping_clients(self) -> None:
        now = time.monotonic()
        owners = self._engine.state.owners()
        for client, pinged in list(self._pinged.items()):
            owner = client.hex() in owners
            if now - pinged < (_PING_OWNERS_S if owner else _PING_OTHERS_S):
                continue
            self._pinged[client] = now
            if self._send(client, Ping()) and owner:
                self._engine.client_seen(client.hex())
        for job in list(self._cursors):
            self._pump(job)

    def _lost(self, client: Client) -> None:
        self._forget(client)
        self._engine.client_lost(client.hex())

    def _forget(self, client: Client) -> None:
        self._pinged.pop(client, None)
        for cursors in self._cursors.values():
            cursors.pop(client, None)
        self._uploads.forget(client)

    def _is_known(self) -> bool:
        return read_connection(self._settings) == self._connection

    def _stop_when_unknown(self) -> None:
        """Stop when the connection file is gone or another's: nobody could find this daemon."""
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        if not self._is_known():
            _log("the connection file is gone: stopping")
            self._stopping.set()

    def _stop_when_idle(self) -> None:
        timeout = self._settings.idle_timeout_s
        if not self._engine.state.idle or self._pinged:
            self._last_used = time.monotonic()
        if timeout and time.monotonic() - self._last_used > timeout:
            _log(f"idle for {timeout:g} s: stopping")
            self._stopping.set()


def _incompatible(version: int) -> ManimKernelError:
    return ManimKernelError(
        Failure(
            ErrorKind.INCOMPATIBLE,
            f"The daemon speaks protocol {PROTOCOL_VERSION}, this client speaks {version}.",
            "Restart the daemon: `manim-kernel daemon restart` or `%manim_daemon restart`.",
        )
    )


def _log(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=sys.stderr, flush=True)


async def _run(settings: Settings, started: Callable[[], None]) -> None:
    await Server(settings).serve(started)


def main() -> int:
    """Run the daemon; return its exit status."""
    parser = argparse.ArgumentParser(description="Run the Manim daemon in the foreground.")
    parser.add_argument("--ready-fd", type=int, help="where to say that it started, or why not")
    report = launch.Report(parser.parse_args().ready_fd)
    try:
        settings = Settings.load()
        launch.require_manim()
        prepare_runtime_dir(settings)
        with runtime_lock(settings) as free:
            if not free:
                raise ManimKernelError(launch.ALREADY_RUNNING)
            remove_connection(settings)
            with data_lock(settings):
                asyncio.run(_run(settings, report.started))
    except ManimKernelError as error:
        report.failed(error.failure)
        _log(str(error))
        return launch.EXIT_CANNOT_START
    _log("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
