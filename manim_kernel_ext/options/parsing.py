"""What a line of flags asks for, in a notebook and on the command line."""

from __future__ import annotations

import difflib
import keyword
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import click

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import ConfigValue, RenderOptions
from manim_kernel_ext.options import flags
from manim_kernel_ext.options.flags import render_options

__all__ = ["Display", "Invocation", "help_text", "invocation", "parse_line", "render_options"]

_MAX_TEXT = 1024
_MAGIC = flags.magic()
_HELP = "`%%manim_render?` lists all flags with examples."


@dataclass(frozen=True)
class Display:
    """How the result is shown and kept in a notebook. `embed` None leaves the choice open."""

    embed: bool | None = None
    width: str | None = None
    save: Path | None = None
    background: bool = False
    progress: bool = True
    loop: bool = True
    autoplay: bool = True


@dataclass(frozen=True)
class Invocation:
    """What a line of flags asks for.

    `timeout_s` (seconds) and `memory_bytes` are None unless given. `base` is the base class of a
    cell that is the body of ``construct()``. `assets` are paths and patterns named with --asset.
    `config` holds flags that `RenderOptions` does not know, under Manim's configuration keys.
    `help` is set when the line asks for help.
    """

    scenes: tuple[str, ...] = ()
    options: RenderOptions = field(default=RenderOptions())
    display: Display = field(default=Display())
    timeout_s: float | None = None
    memory_bytes: int | None = None
    fresh: bool = False
    base: str | None = None
    assets: tuple[str, ...] = ()
    config: Mapping[str, ConfigValue] = field(default_factory=dict)
    help: bool = False


def parse_line(line: str) -> Invocation:
    """Return what the line after ``%%manim_render`` asks for. Raises InvalidRequest."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidRequest(f"The flags cannot be read: {error}.", "Close the quotes.") from error
    try:
        params = _MAGIC.make_context(_MAGIC.name, words).params
    except click.UsageError as error:
        _refuse(error)
    return invocation(params.pop("scenes"), params, notebook=True)


def invocation(
    scenes: tuple[str, ...], params: Mapping[str, Any], *, notebook: bool = False
) -> Invocation:
    """Return the invocation for `params`, the values that click found for `render_options`.

    In a notebook ``-t`` means WebM unless a format is given, as under ``%%manim``, since browsers
    do not play the MOV that Manim's command line writes. Raises InvalidRequest.
    """
    _check_names(scenes)
    _check_lengths(params)
    options = _options(params, notebook)
    _check_combination(scenes, options)
    return Invocation(
        scenes=scenes,
        options=options,
        display=_display(params),
        timeout_s=params["timeout_s"],
        memory_bytes=params["memory_bytes"],
        fresh=params["fresh"],
        base=_base(params.get("base")),
        assets=tuple(params["assets"]),
        config={key: True for key in flags.CONFIG_FLAGS if params[key]},
        help=params.get("help", False),
    )


_EXAMPLES = """\
Render the scene in this cell and show it.

    %%manim_render [flags] [Scene ...]     scenes of this cell
    %manim_render [flags] Scene            a scene of an earlier cell

Examples:

    %%manim_render -ql                     the cell's only scene, in low quality
    %%manim_render -qm Intro Outro         two scenes of this cell
    %%manim_render -s                      the last frame as an image
    %%manim_render -t -qh Logo             with a transparent background
    %%manim_render --base ThreeDScene      a cell without a class: the body of construct()
    %%manim_render -qh --save intro.mp4    also write the video to a file
    %%manim_render --asset ../shared/logo.png
                                           take a file along that lies elsewhere

`from manim import *` is implied, and names from earlier cells may be used. A cell without a
scene class that uses `self` is the body of construct(). The result is in `_manim`.
"""


def help_text() -> str:
    """Return what ``%%manim_render?`` shows: examples, and every flag."""
    formatter = click.HelpFormatter(width=80, max_width=80)
    for title, command in flags.sections().items():
        context = click.Context(command)
        records = [option.get_help_record(context) for option in command.params]
        with formatter.section(title):
            formatter.write_dl([record for record in records if record])
    return f"{_EXAMPLES}\n{formatter.getvalue()}"


def _display(params: Mapping[str, Any]) -> Display:
    return Display(
        embed=params.get("embed"),
        width=params.get("width"),
        save=params.get("save"),
        background=params.get("background", False),
        progress=not params["no_progress"],
        loop=params.get("loop", True),
        autoplay=params.get("autoplay", True),
    )


def _options(params: Mapping[str, Any], notebook: bool) -> RenderOptions:
    known = {name: params[name] for name in RenderOptions.__struct_fields__ if name in params}
    known["format"] = _format(params, notebook)
    if value := params["colour_or_file"]:
        is_file = value.lower().endswith(".cfg")
        known["config_file" if is_file else "background_color"] = value
    return RenderOptions(**known)


def _format(params: Mapping[str, Any], notebook: bool) -> str | None:
    if params["format"] is not None:
        return str(params["format"])
    if params["dry_run"]:
        return "none"
    if params["gif"]:
        return "gif"
    if params["png_sequence"]:
        return "png-sequence"
    if notebook and params["transparent"] and not params["save_last_frame"]:
        return "webm"
    return None


def _base(name: str | None) -> str | None:
    if name is not None and not all(part.isidentifier() for part in name.split(".")):
        raise InvalidRequest(
            f"{name!r} is not the name of a class.", "Name a base, as in --base ThreeDScene."
        )
    return name


def _check_names(scenes: tuple[str, ...]) -> None:
    for name in scenes:
        if not name.isidentifier() or keyword.iskeyword(name) or len(name) > _MAX_TEXT:
            raise InvalidRequest(
                f"{name[:80]!r} is not a scene's name.",
                "Apart from flags, give names of scene classes only, as SquareToCircle.",
            )


def _check_lengths(params: Mapping[str, Any]) -> None:
    for name, value in params.items():
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise InvalidRequest(
                f"The value of --{name} is too long: {len(value)} characters.",
                f"Up to {_MAX_TEXT} are allowed.",
            )


def _check_combination(scenes: tuple[str, ...], options: RenderOptions) -> None:
    if options.output_file and (options.write_all or len(scenes) > 1):
        raise InvalidRequest(
            "--output_file names one file, but several scenes are asked for.",
            "Leave it out, or name a single scene.",
        )
    if options.transparent and options.format == "mp4":
        raise InvalidRequest(
            "MP4 has no transparency.", "Use --format webm or --format mov with -t, or drop -t."
        )
    is_still = options.format in ("png", "png-sequence", "none")
    if options.save_sections and (is_still or (options.save_last_frame and not options.format)):
        raise InvalidRequest(
            "--save_sections needs a video.", "Leave it out, or choose --format mp4, webm or mov."
        )


def _refuse(error: click.UsageError) -> NoReturn:
    if isinstance(error, click.NoSuchOption):
        near = _nearest(error.option_name)
        message = f"No such option {error.option_name}."
        raise InvalidRequest(f"{message} Did you mean {near}?" if near else message, _HELP)
    raise InvalidRequest(error.format_message(), _HELP)


def _nearest(name: str) -> str | None:
    known = [flag for option in _MAGIC.params for flag in (*option.opts, *option.secondary_opts)]
    known = [flag for flag in known if flag.startswith("-")]
    if same := [flag for flag in known if flag.lower() == name.lower()]:
        return same[0]
    by_words = {_words(flag): flag for flag in known if flag.startswith("--")}
    near = difflib.get_close_matches(_words(name.lower()), by_words, n=1)
    return by_words[near[0]] if near else None


def _words(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")
