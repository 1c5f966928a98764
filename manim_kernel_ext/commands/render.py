"""``manim-kernel render``: render the scenes of a file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manim_daemon.errors import InvalidRequest, ManimKernelError
from manim_daemon.protocol import Artifact, ErrorKind, Failure, JobState, Request
from manim_daemon.settings import Settings
from manim_kernel_ext.commands.files import MAIN_KINDS, destinations, is_file_name
from manim_kernel_ext.commands.interrupts import interrupts_held
from manim_kernel_ext.commands.report import (
    ExitCode,
    artifact_fields,
    echo_json,
    exit_code,
    failure_fields,
    json_option,
)
from manim_kernel_ext.options import Invocation, invocation, render_options
from manim_kernel_ext.show.tracebacks import failure_text

if TYPE_CHECKING:
    from manim_daemon.client import Client, JobHandle, JobResult
    from manim_kernel_ext.show.progress import View

__all__ = ["render"]


@dataclass(frozen=True)
class _Outcome:
    """How a command ended; `job` is None when it did not come to a job."""

    job: str | None
    state: JobState
    elapsed_s: float
    cached: bool = False
    files: Sequence[tuple[Artifact, Path]] = ()
    notes: Sequence[str] = ()
    failure: Failure | None = None


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("scenes", metavar="[SCENE]...", nargs=-1)
@render_options
@click.option(
    "--output",
    metavar="PATH",
    help="Where the result goes: a file, or a folder (default: media/manim_render).",
)
@json_option
def render(
    file: Path, scenes: tuple[str, ...], output: str | None, as_json: bool, **flags: Any
) -> None:
    """Render scenes of the Python file FILE; without a name, its only scene.

    The flags are those of `manim render`. Exit codes: 0 success, 1 the scene failed, 2 usage,
    3 the daemon cannot start, 130 cancelled.

    \b
    Examples:
      manim-kernel render scene.py SquareToCircle -ql
      manim-kernel render scene.py Intro Outro -qh --output videos/
      manim-kernel render scene.py -a --json
      manim-kernel render scene.py Logo -s --output logo.png
      manim-kernel render scene.py Logo --format gif --fps 15
    """
    asked = invocation(scenes, flags)
    several = len(asked.scenes) > 1 or asked.options.write_all
    if several and output is not None and is_file_name(output):
        raise click.UsageError(
            f"--output names one file, {output}, but several scenes are asked for; name a folder."
        )
    outcome = _outcome(file, asked, output, quiet=as_json or not asked.display.progress)
    if as_json:
        echo_json(_fields(outcome))
    else:
        _echo(outcome, output)
    sys.exit(exit_code(outcome.failure) if outcome.failure else ExitCode.SUCCESS)


def _outcome(file: Path, asked: Invocation, output: str | None, *, quiet: bool) -> _Outcome:
    started = time.monotonic()
    jobs: list[str] = []
    try:
        return _rendered(file, asked, output, quiet, jobs.append)
    except ManimKernelError as error:
        failure = error.failure
    except KeyboardInterrupt:
        failure = Failure(ErrorKind.CANCELLED, "Cancelled.")
    cancelled = failure.kind is ErrorKind.CANCELLED
    return _Outcome(
        job=jobs[0] if jobs else None,
        state=JobState.CANCELLED if cancelled else JobState.FAILED,
        elapsed_s=time.monotonic() - started,
        failure=failure,
    )


def _rendered(
    file: Path,
    asked: Invocation,
    output: str | None,
    quiet: bool,
    accepted: Callable[[str], None],
) -> _Outcome:
    with interrupts_held():
        from manim_daemon.client import Client
        from manim_kernel_ext.request import from_file

        view = _view(quiet)
    settings = Settings.load()
    request, assets = from_file(file, asked, settings)
    with Client.connect(settings) as client:
        result = _followed(client, request, assets, view, accepted)
        files = _fetched(client, result, output, asked.options.output_file)
    return _Outcome(
        result.job, JobState.SUCCEEDED, result.elapsed_s, result.cached, files, result.notes
    )


def _view(quiet: bool) -> View:
    from manim_kernel_ext.show.progress import QuietView, TerminalView

    return QuietView() if quiet or not sys.stdout.isatty() else TerminalView()


def _followed(
    client: Client,
    request: Request,
    assets: Mapping[str, Path],
    view: View,
    accepted: Callable[[str], None],
) -> JobResult:
    from manim_kernel_ext.run import follow

    handle: JobHandle | None = None
    try:
        if not client.is_warm():
            view.say("Manim is warming up …")
        with interrupts_held():
            handle = client.submit(request, assets)
            accepted(handle.id)
        return follow(handle, view, _echo_log)
    except KeyboardInterrupt:
        if handle is not None:
            # A job that is over by now, or a daemon that is gone, is as good as cancelled.
            with contextlib.suppress(ManimKernelError):
                handle.cancel()
        raise
    finally:
        view.close(None)


def _fetched(
    client: Client, result: JobResult, output: str | None, output_file: str | None
) -> list[tuple[Artifact, Path]]:
    planned = destinations(result.artifacts, output, output_file)
    try:
        return [(artifact, client.fetch(artifact, path)) for artifact, path in planned.items()]
    except OSError as error:
        raise InvalidRequest(
            f"The scene is rendered, but a file cannot be written: {error}",
            "Choose another place with --output; what is rendered already is not rendered again.",
        ) from error


def _echo_log(text: str) -> None:
    click.echo(text, nl=False, err=True)


def _fields(outcome: _Outcome) -> dict[str, object]:
    return {
        "job": outcome.job,
        "state": outcome.state,
        "cached": outcome.cached,
        "elapsed_s": outcome.elapsed_s,
        "artifacts": [artifact_fields(artifact, path) for artifact, path in outcome.files],
        "error": failure_fields(outcome.failure) if outcome.failure else None,
    }


def _echo(outcome: _Outcome, output: str | None) -> None:
    if outcome.failure:
        click.echo(failure_text(outcome.failure), err=True)
        return
    for note in outcome.notes:
        click.echo(f"Note: {note}", err=True)
    for artifact, path in outcome.files:
        click.echo(f"{path}  {_description(artifact)}".rstrip())
        if output and is_file_name(output) and _renamed(artifact, path, output):
            click.echo(f"Note: the result is not a {Path(output).suffix} file.", err=True)
    how = "from the cache" if outcome.cached else "rendered"
    click.echo(f"{how} in {outcome.elapsed_s:.2f} s".capitalize())


def _renamed(artifact: Artifact, path: Path, output: str) -> bool:
    return artifact.kind in MAIN_KINDS and path.suffix != Path(output).suffix


def _description(artifact: Artifact) -> str:
    if artifact.kind not in MAIN_KINDS:
        return ""
    size = f"{artifact.width}x{artifact.height}"
    if not artifact.duration_s:
        return size
    return f"{artifact.frames} frames, {artifact.duration_s:.2f} s, {size}, {artifact.fps:g} fps"
