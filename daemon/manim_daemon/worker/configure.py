"""Set Manim's configuration for one job, through Manim's own parser of its flags."""

from __future__ import annotations

import logging
from pathlib import Path

from manim import config, logger
from manim.cli.render.commands import render as manim_render

from manim_daemon.protocol import RenderOptions, Request

__all__ = ["apply_flags", "configure"]

_NO_NEWS = ("has no play calls. Automatic", "Output format set as webm")
_VALUES = {
    "quality": "--quality",
    "format": "--format",
    "frame_rate": "--frame_rate",
    "seed": "--seed",
    "renderer": "--renderer",
    "verbosity": "--verbosity",
    "output_file": "--output_file",
    "zero_pad": "--zero_pad",
    "tex_template": "--tex_template",
    "config_file": "--config_file",
    "video_codec": "--video-codec",
    "pixel_format": "--pixel-format",
}
_SWITCHES = {
    "save_last_frame": "--save_last_frame",
    "write_all": "--write_all",
    "transparent": "--transparent",
    "save_sections": "--save_sections",
}


def configure(request: Request, source: Path, media: Path) -> None:
    """Digest the folder's ``manim.cfg``, the notebook's own settings and the flags, in this order.

    `source` is the entry file, `media` Manim's media folder for the job.
    """
    logger.filters = [_is_news]
    logger.setLevel("WARNING")
    folder_config = source.parent / "manim.cfg"
    if folder_config.is_file():
        config.digest_file(folder_config)
    config.update(request.config)
    config.media_dir = str(media)
    apply_flags(request.options, source)


def apply_flags(options: RenderOptions, source: Path) -> None:
    """Apply the render flags as ``manim render`` does."""
    arguments = manim_render.main(
        ["--jupyter", *_as_flags(options), str(source)], standalone_mode=False, prog_name="manim"
    )
    config.digest_args(arguments)
    if options.background_color is not None:
        config.background_color = options.background_color
    config.progress_bar = "none"
    config.disable_caching = True
    # With several at once, x264 gives other files from run to run.
    config.max_inflight_encoders = 1
    config.notify_outdated_version = False
    logger.setLevel(options.verbosity or "WARNING")


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what the user asked for, and what the worker says better as a note."""
    return not any(known in record.getMessage() for known in _NO_NEWS)


def _as_flags(options: RenderOptions) -> list[str]:
    flags = ["--silent"]
    for name, flag in _VALUES.items():
        if (value := getattr(options, name)) is not None:
            flags += [flag, str(value)]
    flags += [flag for name, flag in _SWITCHES.items() if getattr(options, name)]
    if options.resolution:
        flags += ["--resolution", ",".join(map(str, options.resolution))]
    if options.from_animation_number:
        flags += ["--from_animation_number", ",".join(map(str, options.from_animation_number))]
    for key, value in (options.video_encoder_options or {}).items():
        flags += ["--encoder-option", f"{key}={value}"]
    return flags
