"""``manim-kernel``: the command line of the rendering daemon."""

from __future__ import annotations

import sys
from typing import Any

import click

from manim_daemon.errors import ManimKernelError
from manim_daemon.protocol import ErrorKind, Failure
from manim_daemon.settings import Settings
from manim_kernel_ext.commands.daemon import daemon
from manim_kernel_ext.commands.jobs import jobs
from manim_kernel_ext.commands.render import render
from manim_kernel_ext.commands.report import (
    ExitCode,
    echo_json,
    exit_code,
    failure_fields,
    json_option,
    message,
    wants_json,
)

__all__ = ["main"]


class _Commands(click.Group):
    """Turns the project's errors and Ctrl-C into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ManimKernelError as error:
            failure = error.failure
        except KeyboardInterrupt:
            failure = Failure(ErrorKind.CANCELLED, "Cancelled.")
        if wants_json(ctx):
            echo_json({"error": failure_fields(failure)})
        else:
            click.echo(f"Error: {message(failure)}", err=True)
        ctx.exit(exit_code(failure))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="manim-kernel-ext")
def main() -> None:
    """Render Manim scenes with a daemon that keeps Manim warm.

    \b
    Examples:
      manim-kernel render scene.py SquareToCircle -ql
      manim-kernel daemon start --wait
      manim-kernel jobs
      manim-kernel doctor

    Exit codes: 0 success, 1 the scene failed, 2 usage, 3 the daemon cannot start, 130 cancelled.
    """


main.add_command(render)
main.add_command(daemon)
main.add_command(jobs)


@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check what rendering and notebooks need, and say what to do about each.

    Exits with 1 when something without which nothing can be rendered is missing.

    \b
    Examples:
      manim-kernel doctor
      manim-kernel doctor --json
    """
    from manim_kernel_ext.doctor import Check, State, examine

    colours = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
    checks: list[Check] = []
    for check in examine(Settings.load()):
        checks.append(check)
        if as_json:
            continue
        label = click.style(f"{check.state:<4}", fg=colours[check.state])
        click.echo(f"{label}  {check.name}: {check.detail}")
        if check.action:
            click.echo(f"      -> {check.action}")
    failed = any(check.state is State.FAIL for check in checks)
    if as_json:
        echo_json({"ok": not failed, "checks": checks})
    if failed:
        sys.exit(ExitCode.FAILED)
