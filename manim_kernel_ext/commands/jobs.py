"""``manim-kernel jobs``: what the daemon renders and has rendered."""

from __future__ import annotations

from datetime import datetime

import click

from manim_daemon.protocol import Job
from manim_daemon.settings import Settings
from manim_kernel_ext.commands.report import echo_json, job_fields, json_option, table
from manim_kernel_ext.show.tracebacks import failure_text

__all__ = ["jobs"]


class _ListByDefault(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def jobs() -> None:
    """List, show and cancel jobs. Without a command: list.

    An ID may be shortened to its first characters.

    \b
    Examples:
      manim-kernel jobs
      manim-kernel jobs show 3f2a
      manim-kernel jobs cancel 3f2a
    """


@jobs.command("list")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
def list_jobs(limit: int, as_json: bool) -> None:
    """List the newest jobs, newest first.

    \b
    Examples:
      manim-kernel jobs
      manim-kernel jobs list -n 5 --json
    """
    from manim_daemon.client import Client

    with Client.connect(Settings.load()) as client:
        newest = client.jobs(limit)
    if as_json:
        echo_json({"jobs": [job_fields(job) for job in newest]})
    elif newest:
        click.echo(table(("JOB", "STATE", "SCENES", "SECONDS", "STARTED", "FROM"), _rows(newest)))
    else:
        click.echo("No jobs yet.")


@jobs.command()
@click.argument("job", metavar="ID")
@json_option
def show(job: str, as_json: bool) -> None:
    """Show one job: its state, its files, its error.

    \b
    Examples:
      manim-kernel jobs show 3f2a
      manim-kernel jobs show 3f2a --json
    """
    from manim_daemon.client import Client

    with Client.connect(Settings.load()) as client:
        found = client.job(job)
    if as_json:
        echo_json(job_fields(found))
    else:
        click.echo(_describe(found))


@jobs.command()
@click.argument("job", metavar="ID")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """End a job and every process it started.

    \b
    Example:
      manim-kernel jobs cancel 3f2a
    """
    from manim_daemon.client import Client

    with Client.connect(Settings.load()) as client:
        found = client.job(job)
        client.cancel(found.id)
    if as_json:
        echo_json({"job": found.id, "state": "cancelled"})
    else:
        click.echo(f"Job {found.id} is cancelled.")


@jobs.command()
@click.argument("job", metavar="ID")
@json_option
def logs(job: str, as_json: bool) -> None:
    """Print what a job's scene and Manim wrote.

    \b
    Example:
      manim-kernel jobs logs 3f2a
    """
    from manim_daemon.client import Client

    with Client.connect(Settings.load()) as client:
        found = client.job(job)
        text = client.logs(found.id)
    if as_json:
        echo_json({"job": found.id, "text": text})
    else:
        click.echo(text, nl=bool(text) and not text.endswith("\n"))


def _rows(newest: tuple[Job, ...]) -> list[tuple[str, ...]]:
    return [
        (
            job.id,
            _state(job),
            ", ".join(job.scenes) or "-",
            f"{job.elapsed_s:.1f}",
            _time(job.created_at),
            job.label,
        )
        for job in newest
    ]


def _describe(job: Job) -> str:
    lines = [
        f"job      {job.id}, {_state(job)} after {job.elapsed_s:.1f} s",
        f"from     {job.label}",
        f"started  {_time(job.created_at)}",
    ]
    if job.artifacts:
        lines += ["", table(("FILE", "SCENE", "SIZE", "FRAMES", "SECONDS", "KIB"), _files(job))]
    if job.error:
        lines += ["", failure_text(job.error)]
    return "\n".join(lines)


def _files(job: Job) -> list[tuple[str, ...]]:
    return [
        (
            artifact.name,
            artifact.scene,
            f"{artifact.width}x{artifact.height}",
            str(artifact.frames),
            f"{artifact.duration_s:.2f}",
            f"{artifact.bytes / 1024:.0f}",
        )
        for artifact in job.artifacts
    ]


def _state(job: Job) -> str:
    return f"{job.state} (cached)" if job.cached else str(job.state)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
