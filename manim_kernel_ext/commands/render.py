"""``manim-kernel render``: render the scenes of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manim_daemon.protocol import Artifact
from manim_kernel_ext.commands.files import MAIN_KINDS, is_file_name
from manim_kernel_ext.commands.interrupts import interrupts_held
from manim_kernel_ext.commands.report import (
    ExitCode,
    artifact_fields,
    echo_json,
    exit_code,
    failure_fields,
    json_option,
)
from manim_kernel_ext.options import invocation, render_options
from manim_kernel_ext.show.tracebacks import failure_text

if TYPE_CHECKING:
    from manim_kernel_ext.commands.rendering import Outcome

__all__ = ["render"]


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
    with interrupts_held():
        from manim_kernel_ext.commands.rendering import Rendering
    quiet = as_json or not asked.display.progress
    outcome = Rendering(file, asked, output, quiet=quiet).outcome()
    if as_json:
        echo_json(_fields(outcome))
    else:
        _echo(outcome, output)
    sys.exit(exit_code(outcome.failure) if outcome.failure else ExitCode.SUCCESS)


def _fields(outcome: Outcome) -> dict[str, object]:
    return {
        "job": outcome.job,
        "state": outcome.state,
        "cached": outcome.cached,
        "elapsed_s": outcome.elapsed_s,
        "artifacts": [artifact_fields(artifact, path) for artifact, path in outcome.files],
        "error": failure_fields(outcome.failure) if outcome.failure else None,
    }


def _echo(outcome: Outcome, output: str | None) -> None:
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
