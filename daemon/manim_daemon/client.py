"""Talk to the daemon: connect or start it, submit, follow, cancel, fetch.

For a script with a scene named Demo::

    from pathlib import Path
    from manim_daemon.client import Client
    from manim_daemon.protocol import Request, Source

    script = Source("scene.py", Path("scene.py").read_text())
    with Client.connect() as client:
        job = client.submit(Request(entry=script, scenes=("Demo",)))
        result = job.result(on_progress=lambda frame, frames, name: print(name, frame, frames))
        client.fetch(result.artifacts[0], Path("Demo.mp4"))
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import zmq

from manim_daemon import launch
from manim_daemon.errors import DaemonUnavailable, Incompatible, InvalidRequest
from manim_daemon.following import JobHandle, JobResult, OnProgress, result_of
from manim_daemon.protocol import (
    Accepted,
    Artifact,
    Attach,
    Call,
    Cancel,
    Chunk,
    Command,
    Done,
    ErrorKind,
    Fetch,
    GetJob,
    GetLogs,
    GetStatus,
    Goodbye,
    Hello,
    Job,
    Jobs,
    ListJobs,
    Logs,
    NeedAssets,
    Push,
    Put,
    Refused,
    Reply,
    Request,
    Result,
    Shutdown,
    Status,
    Submit,
    Welcome,
    decode_from_daemon,
    encode,
)
from manim_daemon.runfile import Connection, lock_holder
from manim_daemon.settings import Settings

__all__ = ["Client", "JobHandle", "JobResult", "OnProgress", "result_of"]

_CALL_TIMEOUT_S = 30.0
_HELLO_TIMEOUT_S = 5.0
_POLL_S = 0.2
_SILENCE_S = 3.0
_GOODBYE_MS = 200
_CHUNK = 4 * 1024 * 1024
_HEARTBEAT_MS = 2_000
_HEARTBEAT_TIMEOUT_MS = 10_000

_R = TypeVar("_R")


class _Stopped(DaemonUnavailable):
    pass


class Client:
    """A connection to the daemon. Use one per thread; a context manager."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._next_id = 0
        self._pushes: dict[str, deque[Push]] = {}
        self._heard_at = time.monotonic()
        self._context = zmq.Context()
        # The same for every connection, so that the daemon knows us again after a broken one.
        self._identity = b"c" + os.urandom(16)
        self._socket = self._open()

    @classmethod
    def connect(cls, settings: Settings | None = None, *, start: bool = True) -> Self:
        """Connect to the user's daemon; start one when none runs and `start` is true.

        Raises DaemonUnavailable, Incompatible.
        """
        settings = settings or Settings.load()
        try:
            return cls._greeted(settings, start=start)
        except _Stopped:
            if not start:
                raise
            # It was about to stop when it was found; the next one is not.
            return cls._greeted(settings, start=start)

    @classmethod
    def _greeted(cls, settings: Settings, *, start: bool) -> Self:
        client = cls(settings, launch.find(settings, may_start=start))
        try:
            _expect(client._ask(Hello(), _HELLO_TIMEOUT_S), Welcome)
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the daemon cancels this client's unfinished jobs."""
        if not self._socket.closed:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.send(encode(Call(0, Goodbye())), zmq.NOBLOCK)
        self._socket.close(linger=_GOODBYE_MS)
        self._context.term()

    def submit(self, request: Request, files: Mapping[str, Path] | None = None) -> JobHandle:
        """Send `request`; `files` maps the SHA-256 of each asset to where its content lies.

        Assets go over the wire only when the daemon lacks them.
        Raises InvalidRequest, DaemonUnavailable.
        """
        submit = Submit(request, secrets.token_hex(16))
        while True:
            result = self._ask(submit)
            if not isinstance(result, NeedAssets):
                return JobHandle(self, _expect(result, Accepted).job)
            for sha256 in result.sha256:
                self._upload(sha256, (files or {}).get(sha256))

    def fetch(self, artifact: Artifact, destination: Path) -> Path:
        """Write the artifact's content to the file `destination`, atomically, hash verified.

        Raises InvalidRequest when the daemon's store no longer has it.
        """
        destination.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
        try:
            with os.fdopen(fd, "wb") as file:
                for chunk in self._chunks(artifact):
                    file.write(chunk)
            os.chmod(name, 0o644)
            os.replace(name, destination)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return destination

    def read(self, artifact: Artifact) -> bytes:
        """Return the artifact's content, hash verified. Raises InvalidRequest."""
        return b"".join(self._chunks(artifact))

    def is_warm(self) -> bool:
        """Return whether a render can start at once; otherwise it waits for Manim's import."""
        return self._call(Hello(), Welcome).warm

    def status(self) -> Status:
        """Return how the daemon is."""
        return self._call(GetStatus(), Status)

    def jobs(self, limit: int = 20) -> tuple[Job, ...]:
        """Return the newest jobs, newest first."""
        return self._call(ListJobs(limit), Jobs).jobs

    def job(self, job: str) -> Job:
        """Return one job by id or the beginning of one. Raises InvalidRequest."""
        return self._call(GetJob(job), Job)

    def logs(self, job: str) -> str:
        """Return what a job printed. Raises InvalidRequest."""
        return self._call(GetLogs(job), Logs).text

    def cancel(self, job: str) -> None:
        """Cancel a job by id or the beginning of one. Raises InvalidRequest when it is over."""
        self._call(Cancel(self.job(job).id), Done)

    def shutdown(self) -> None:
        """Stop the daemon and wait until it is gone."""
        self._call(Shutdown(), Done)
        if not launch.await_end(self._settings, self._connection.pid):
            launch.stop(self._settings)

    # The wire.

    def _open(self) -> zmq.Socket[bytes]:
        opened = self._context.socket(zmq.DEALER)
        opened.set(zmq.LINGER, 0)
        opened.set(zmq.ROUTING_ID, self._identity)
        opened.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        opened.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        opened.set(zmq.CURVE_SERVERKEY, self._connection.server_key.encode())
        opened.set(zmq.CURVE_PUBLICKEY, self._connection.client_public.encode())
        opened.set(zmq.CURVE_SECRETKEY, self._connection.client_secret.encode())
        opened.connect(self._connection.address)
        return opened

    def _call(self, command: Command, kind: type[_R]) -> _R:
        return _expect(self._ask(command), kind)

    def _ask(self, command: Command, timeout_s: float = _CALL_TIMEOUT_S) -> Result:
        self._next_id += 1
        call = Call(self._next_id, command)
        self._socket.send(encode(call))
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            reply = self._receive(_POLL_S)
            if isinstance(reply, Reply) and reply.id == call.id:
                return reply.result
            if reply is None and not self._daemon_runs():
                raise _Stopped("The daemon has stopped.", "Run it again: a new daemon will start.")
        raise DaemonUnavailable(
            f"The daemon did not answer within {timeout_s:g} seconds.",
            "Restart it: `manim-kernel daemon restart` or `%manim_daemon restart`.",
        )

    def _receive(self, timeout_s: float) -> Reply | None:
        """Return the next reply, or None when `timeout_s` passed; keep pushes for their jobs."""
        if not self._socket.poll(int(timeout_s * 1000)):
            return None
        message = decode_from_daemon(self._socket.recv())
        self._heard_at = time.monotonic()
        if isinstance(message, Push):
            self._pushes.setdefault(message.job, deque()).append(message)
        return message if isinstance(message, Reply) else None

    def _next_push(self, job: str) -> Push | None:
        waiting = self._pushes.setdefault(job, deque())
        if not waiting:
            self._receive(_POLL_S)
        return waiting.popleft() if waiting else None

    def _attach(self, job: str, after: int) -> Connection:
        """Have the daemon send the job's events above `after`; return which daemon it was."""
        self._pushes.pop(job, None)
        self._call(Attach(job, after), Done)
        return self._connection

    def _stay_attached(self, job: str, after: int, attached: Connection) -> Connection:
        """Attach again when the daemon is another than before, or may have lost sight of us."""
        if not self._daemon_runs():
            self._connection = launch.find(self._settings, may_start=True)
            self._socket.close(linger=0)
            self._socket = self._open()
        elif attached == self._connection and time.monotonic() - self._heard_at < _SILENCE_S:
            return attached
        return self._attach(job, after)

    def _daemon_runs(self) -> bool:
        return lock_holder(self._settings) == self._connection.pid

    def _upload(self, sha256: str, path: Path | None) -> None:
        if path is None:
            raise InvalidRequest(
                f"The content of the asset {sha256[:12]} is not among the files given.",
                "Pass it to submit() in `files`.",
            )
        with path.open("rb") as file:
            offset = 0
            while True:
                data = file.read(_CHUNK)
                last = len(data) < _CHUNK
                self._call(Put(sha256, offset, data, last), Done)
                offset += len(data)
                if last:
                    return

    def _chunks(self, artifact: Artifact) -> Iterator[bytes]:
        digest = hashlib.sha256()
        offset = 0
        while offset < artifact.bytes:
            data = self._call(Fetch(artifact.sha256, offset, _CHUNK), Chunk).data
            if not data:
                break
            digest.update(data)
            offset += len(data)
            yield data
        if digest.hexdigest() != artifact.sha256:
            raise InvalidRequest(
                f"The stored content of {artifact.name} is damaged.",
                "Render it again with --fresh.",
            )


def _expect(result: Result, kind: type[_R]) -> _R:
    if isinstance(result, Refused):
        if result.failure.kind is ErrorKind.INCOMPATIBLE:
            raise Incompatible(result.failure.message, result.failure.hint)
        raise InvalidRequest(result.failure.message, result.failure.hint)
    if isinstance(result, kind):
        return result
    raise DaemonUnavailable(
        f"The daemon answered with {type(result).__name__}, which was not asked for.",
        "Restart it: `manim-kernel daemon restart` or `%manim_daemon restart`.",
    )
