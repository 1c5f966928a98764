"""The flags of ``%%manim_render`` and ``manim-kernel render``, as click options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from manim_kernel_ext.options import values

__all__ = ["CONFIG_FLAGS", "magic", "render_options", "sections"]

_F = TypeVar("_F", bound=Callable[..., Any])
_Flag = Callable[[Any], Any]

CONFIG_FLAGS = (
    "enable_wireframe",
    "use_projection_fill_shaders",
    "use_projection_stroke_shaders",
)
"""Flags that are keys of Manim's configuration and that `RenderOptions` does not know."""

_FORMATS = ("auto", "none", "png", "png-sequence", "gif", "mp4", "webm", "mov")
_VERBOSITIES = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _switch(*names: str, help: str) -> _Flag:
    return click.option(*names, is_flag=True, default=None, help=help)


def _value(
    *names: str, metavar: str, help: str, type: Callable[[str], Any] | click.IntRange = str
) -> _Flag:
    return click.option(*names, default=None, metavar=metavar, help=help, type=type)


def _choice(*names: str, allowed: Sequence[str], help: str) -> _Flag:
    kind = click.Choice(list(allowed), case_sensitive=False)
    return click.option(*names, default=None, type=kind, help=help)


def _list(*names: str, metavar: str, help: str, **attributes: Any) -> _Flag:
    return click.option(*names, multiple=True, metavar=metavar, help=help, **attributes)


def _pair(names: str, *, default: bool | None, help: str) -> _Flag:
    return click.option(names, default=default, help=help)


def _ignored(*names: str, takes_value: bool = False) -> _Flag:
    if takes_value:
        return click.option(*names, expose_value=False, hidden=True, type=str)
    return click.option(*names, expose_value=False, hidden=True, is_flag=True)


_MANIM: list[_Flag] = [
    _choice(
        "-q",
        "--quality",
        allowed="lmhpk",
        help="480p15, 720p30, 1080p60, 1440p60 or 2160p60.",
    ),
    _value(
        "-r",
        "--resolution",
        metavar="W,H",
        type=values.resolution,
        help="Width and height in pixels.",
    ),
    _value(
        "--fps",
        "--frame_rate",
        "frame_rate",
        metavar="FPS",
        type=values.fps,
        help="Frames per second.",
    ),
    _switch("-s", "--save_last_frame", help="Render the last frame only, as PNG."),
    _choice("--format", allowed=_FORMATS, help="What to produce."),
    _switch("-i", "gif", help="The same as --format gif."),
    _switch("-g", "png_sequence", help="The same as --format png-sequence."),
    _switch("-t", "--transparent", help="Render with an alpha channel."),
    _switch("-a", "--write_all", help="Render every scene of the cell or file."),
    _value(
        "-n",
        "--from_animation_number",
        metavar="FROM[,TO]",
        type=values.plays,
        help="Render these plays only, counted from 0.",
    ),
    _value("-c", "colour_or_file", metavar="COLOR", help="Background colour, or a .cfg file."),
    _value("--background_color", metavar="COLOR", help="Background colour."),
    _value("--config_file", metavar="PATH", help="A .cfg file with Manim's settings."),
    _value(
        "--seed",
        metavar="N",
        type=click.IntRange(0, 2**32 - 1),
        help="Seed of the random generators.",
    ),
    _choice("--renderer", allowed=("cairo", "opengl"), help="Which of Manim's renderers draws."),
    _switch("--disable_caching", help="Accepted; Manim's own cache of plays is never used."),
    _choice("-v", "--verbosity", allowed=_VERBOSITIES, help="How much Manim says."),
    _switch("--save_sections", help="Write each section as a video of its own, too."),
    _value("-o", "--output_file", metavar="NAME", help="Name of the rendered file."),
    _value(
        "-0",
        "--zero_pad",
        metavar="N",
        type=click.IntRange(0, 9),
        help="Digits in the names of PNG files.",
    ),
    _value("--tex_template", metavar="PATH", help="A TeX template."),
    _value("--video-codec", metavar="NAME", help="Video encoder (default: auto)."),
    _value("--pixel-format", metavar="NAME", help="Pixel format of the video (default: auto)."),
    _list(
        "--encoder-option",
        "video_encoder_options",
        metavar="KEY=VALUE",
        callback=values.encoder_options,
        help="An option of the video encoder; repeatable.",
    ),
    _switch("--dry_run", help="Run the scene without writing anything: --format none."),
]

_OURS: list[_Flag] = [
    click.option("--fresh", is_flag=True, help="Render again even if nothing has changed."),
    _value(
        "--timeout",
        "timeout_s",
        metavar="SECONDS",
        type=values.time,
        help="End the scene after this time.",
    ),
    _value(
        "--memory",
        "memory_bytes",
        metavar="SIZE",
        type=values.size,
        help="What the scene may use, as in 4G.",
    ),
    _list(
        "--asset",
        "assets",
        metavar="PATH",
        help="A file, folder or pattern that the scene needs and does not name; repeatable.",
    ),
    click.option("--no-progress", "no_progress", is_flag=True, help="Show no progress."),
]

_NOTEBOOK: list[_Flag] = [
    _value("--base", metavar="NAME", help="Base class of a cell without a class: ThreeDScene."),
    _pair(
        "--embed/--link",
        default=None,
        help="Keep the result inside the notebook, or beside it with a link.",
    ),
    _value(
        "--width",
        metavar="CSS",
        type=values.css_length,
        help="Width of the result, as in 60% or 480px.",
    ),
    _value(
        "--save",
        metavar="PATH",
        type=values.save_path,
        help="Also write the result to this file or folder.",
    ),
    click.option(
        "--background", is_flag=True, help="Return at once; go on rendering while other cells run."
    ),
    _pair("--loop/--no-loop", default=True, help="Whether the video starts over."),
    _pair("--autoplay/--no-autoplay", default=True, help="Whether the video starts itself."),
    click.option("-h", "--help", "help", is_flag=True, help="Show this text."),
]

_HIDDEN: list[_Flag] = [
    *(click.option(f"--{name}", is_flag=True, default=None, hidden=True) for name in CONFIG_FLAGS),
    _ignored("-p", "--preview"),
    _ignored("-l", "--live-preview"),
    _ignored("-f", "--show_in_file_browser"),
    _ignored("--jupyter"),
    _ignored("--log_to_file"),
    _ignored("--notify_outdated_version/--silent"),
    _ignored("--enable_gui"),
    _ignored("--fullscreen"),
    _ignored("--no_latex_cleanup"),
    _ignored("--media_dir", takes_value=True),
    _ignored("--log_dir", takes_value=True),
    _ignored("--progress_bar", takes_value=True),
    _ignored("--gui_location", takes_value=True),
    _ignored("--preview_command", takes_value=True),
    _ignored("--max-inflight-encoders", takes_value=True),
    _ignored("--encoder-queue-size", takes_value=True),
]


def render_options(function: _F) -> _F:
    """Add the flags of the command line to a click command."""
    return _apply([*_MANIM, *_OURS, *_HIDDEN], function)


def magic() -> click.Command:
    """Return the command that parses the line of the magic; its argument is ``scenes``."""
    command = _command([*_MANIM, *_OURS, *_NOTEBOOK, *_HIDDEN])
    command.params.append(click.Argument(["scenes"], nargs=-1))
    return command


def sections() -> dict[str, click.Command]:
    """Return the magic's visible flags under the titles that its help gives them."""
    return {"Manim's flags": _command(_MANIM), "More flags": _command([*_OURS, *_NOTEBOOK])}


def _command(flags: list[_Flag]) -> click.Command:
    def nothing(**_: object) -> None:
        pass

    return click.command("%%manim_render", add_help_option=False)(_apply(flags, nothing))


def _apply(flags: list[_Flag], function: _F) -> _F:
    for flag in reversed(flags):
        function = flag(function)
    return function
