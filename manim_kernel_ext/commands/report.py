"""What the commands tell the shell: exit codes, JSON objects, tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from manim_daemon.protocol import Artifact, ErrorKind, Failure, Job
from manim_kernel_ext.show.tracebacks import failure_text

__all__ = [
    "ExitCode",
    "artifact_fields",
    "echo_json",
    "exit_code",
    "failure_fields",
    "job_fields",
    "json_option",
    "message",
    "table",
    "wants_json",
]

_JSON = f"{__name__}.json"


def _remember(ctx: click.Context, _: click.Parameter, as_json: bool) -> bool:
    ctx.meta[_JSON] = as_json
    return as_json


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_remember,
    help="Print one JSON object.",
)


def wants_json(ctx: click.Context) -> bool:
    """Return whether the command that ran under `ctx` was asked for JSON."""
    return bool(ctx.meta.get(_JSON))


class ExitCode(enum.IntEnum):
    """What the shell learns from a command."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    NO_DAEMON = 3
    CANCELLED = 130


_EXIT_CODES = {
    ErrorKind.INVALID_REQUEST: ExitCode.USAGE,
    ErrorKind.DAEMON_UNAVAILABLE: ExitCode.NO_DAEMON,
    ErrorKind.INCOMPATIBLE: ExitCode.NO_DAEMON,
    ErrorKind.CANCELLED: ExitCode.CANCELLED,
}


def exit_code(failure: Failure) -> ExitCode:
    """Return the exit code that stands for `failure`."""
    return _EXIT_CODES.get(failure.kind, ExitCode.FAILED)


def echo_json(fields: Mapping[str, object]) -> None:
    """Print `fields` as one JSON object."""
    click.echo(msgspec.json.format(msgspec.json.encode(fields)).decode())


def message(failure: Failure) -> str:
    """Return what happened and what to do next."""
    return "\n".join(part for part in (failure.message, failure.hint) if part)


def failure_fields(failure: Failure) -> dict[str, object]:
    """Return what ``--json`` says about a failure; its traceback is text, and may be empty."""
    return {
        "kind": failure.kind,
        "message": message(failure),
        "traceback": failure_text(failure) if failure.traceback else "",
    }


def artifact_fields(artifact: Artifact, path: Path | None) -> dict[str, object]:
    """Return what ``--json`` says about a file that was written to `path`, if it was."""
    return {
        "scene": artifact.scene,
        "kind": artifact.kind,
        "path": None if path is None else str(path.absolute()),
        "media_type": artifact.media_type,
        "width": artifact.width,
        "height": artifact.height,
        "fps": artifact.fps,
        "frames": artifact.frames,
        "duration_s": artifact.duration_s,
        "bytes": artifact.bytes,
    }


def job_fields(job: Job) -> dict[str, object]:
    """Return what ``--json`` says about a job of the job log."""
    return {
        "job": job.id,
        "state": job.state,
        "cached": job.cached,
        "elapsed_s": job.elapsed_s,
        "artifacts": [artifact_fields(artifact, None) for artifact in job.artifacts],
        "error": failure_fields(job.error) if job.error else None,
        "label": job.label,
        "scenes": job.scenes,
        "created_at": job.created_at,
    }


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return `rows` under `header` in aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )
