"""What ``manim-kernel render`` does between its flags and its words: one job, its files."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from manim_daemon.client import Client, JobHandle, JobResult
from manim_daemon.errors import InvalidRequest, ManimKernelError
from manim_daemon.protocol import Artifact, ErrorKind, Failure, JobState, Request
from manim_daemon.settings import Settings
from manim_kernel_ext.commands.files import destinations
from manim_kernel_ext.commands.interrupts import interrupts_held
from manim_kernel_ext.options import Invocation
from manim_kernel_ext.request import from_file
from manim_kernel_ext.run import follow
from manim_kernel_ext.show.progress import QuietView, TerminalView, View

__all__ = ["Outcome", "Rendering"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `job` is None when it did not come to a job."""

    job: str | None
    state: JobState
    elapsed_s: float
    cached: bool = False
    files: Sequence[tuple[Artifact, Path]] = ()
    notes: Sequence[str] = ()
    failure: Failure | None = None


class Rendering:
    """Renders scenes of `file` as `asked`, writes what comes to `output`; a bar unless `quiet`."""

    def __init__(self, file: Path, asked: Invocation, output: str | None, *, quiet: bool) -> None:
        self._file = file
        self._asked = asked
        self._output = output
        self._quiet = quiet
        self._handle: JobHandle | None = None

    def outcome(self) -> Outcome:
        """Render, and return how it went. An interrupt cancels the job and is an outcome, too."""
        started = time.monotonic()
        try:
            return self._render()
        except ManimKernelError as error:
            failure = error.failure
        except KeyboardInterrupt:
            failure = Failure(ErrorKind.CANCELLED, "Cancelled.")
        cancelled = failure.kind is ErrorKind.CANCELLED
        return Outcome(
            job=self._handle.id if self._handle else None,
            state=JobState.CANCELLED if cancelled else JobState.FAILED,
            elapsed_s=time.monotonic() - started,
            failure=failure,
        )

    def _render(self) -> Outcome:
        settings = Settings.load()
        request, assets = from_file(self._file, self._asked, settings)
        with Client.connect(settings) as client:
            result = self._follow(client, request, assets)
            files = self._fetch(client, result)
        return Outcome(
            result.job, JobState.SUCCEEDED, result.elapsed_s, result.cached, files, result.notes
        )

    def _follow(self, client: Client, request: Request, assets: Mapping[str, Path]) -> JobResult:
        with contextlib.ExitStack() as stack:
            with interrupts_held():
                view = self._view()
                stack.callback(view.close, None)
            if not client.is_warm():
                view.say("Manim is warming up …")
            try:
                with interrupts_held():
                    self._handle = client.submit(request, assets)
                return follow(self._handle, view, _echo_log)
            except KeyboardInterrupt:
                self._cancel()
                raise

    def _view(self) -> View:
        return QuietView() if self._quiet or not sys.stdout.isatty() else TerminalView()

    def _cancel(self) -> None:
        # A job that is over by now, or a daemon that is gone, is as good as cancelled.
        if self._handle is not None:
            with contextlib.suppress(ManimKernelError):
                self._handle.cancel()

    def _fetch(self, client: Client, result: JobResult) -> list[tuple[Artifact, Path]]:
        planned = destinations(result.artifacts, self._output, self._asked.options.output_file)
        try:
            return [(artifact, client.fetch(artifact, path)) for artifact, path in planned.items()]
        except OSError as error:
            raise InvalidRequest(
                f"The scene is rendered, but a file cannot be written: {error}",
                "Choose another place with --output; nothing needs to be rendered again.",
            ) from error


def _echo_log(text: str) -> None:
    click.echo(text, nl=False, err=True)
