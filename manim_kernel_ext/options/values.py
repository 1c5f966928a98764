"""How the values of flags are written, and what they may be."""

from __future__ import annotations

import math
import re
from pathlib import Path

import click

__all__ = [
    "css_length",
    "encoder_options",
    "fps",
    "plays",
    "resolution",
    "save_path",
    "size",
    "time",
]

_MAX_SIDE = 65536
_MAX_FRAME_PIXELS = 2**26
_MAX_FPS = 1000
_MAX_TIME_S = 86400
_MIN_MEMORY = 64 * 1024**2

_LENGTH = re.compile(r"\d+(\.\d+)?(%|px|em|rem|ex|ch|vw|vh|cm|mm|in|pt)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)


def resolution(text: str) -> tuple[int, int]:
    """Return width and height in pixels from ``1280,720``; ``;``, ``-`` and ``x`` separate, too."""
    try:
        width, height = (int(part) for part in re.split(r"[;,\-x×]", text.lower()))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a width and a height in pixels, as in 1280,720."
        ) from None
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise click.BadParameter(
            f"{text!r} is out of range: each side has 1 to {_MAX_SIDE} pixels."
        )
    if width * height > _MAX_FRAME_PIXELS:
        raise click.BadParameter(
            f"{text!r} is too large: a frame has up to {_MAX_FRAME_PIXELS} pixels, as 8192,8192."
        )
    return width, height


def fps(text: str) -> float:
    """Return a frame rate."""
    rate = _number(text)
    if not 0 < rate <= _MAX_FPS:
        raise click.BadParameter(
            f"{text!r} is not a frame rate: above 0, up to {_MAX_FPS} frames per second."
        )
    return rate


def plays(text: str) -> tuple[int, ...]:
    """Return the first and perhaps the last play from ``FROM[,TO]``."""
    try:
        found = tuple(int(part) for part in re.split(r"[;,\-]", text))
    except ValueError:
        found = ()
    if len(found) not in (1, 2):
        raise click.BadParameter(
            f"{text!r} is not a play or a range of plays, counted from 0, as in 2,5."
        )
    if found[0] > found[-1]:
        raise click.BadParameter(f"{text!r} ends before it begins: TO must not be below FROM.")
    return found


def time(text: str) -> float:
    """Return a time in seconds."""
    seconds = _number(text)
    if not 0 < seconds <= _MAX_TIME_S:
        raise click.BadParameter(f"{text!r} is not a time: above 0, up to {_MAX_TIME_S} seconds.")
    return seconds


def size(text: str) -> int:
    """Return a number of bytes from ``512M``, ``2G`` or ``1073741824``."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a size, as in 512M, 2G or a number of bytes.")
    amount = int(float(found[1]) * 1024 ** " kmgt".index(found[2].lower() or " "))
    if not _MIN_MEMORY <= amount < 2**63:
        raise click.BadParameter(f"{text!r} is out of range: a scene needs at least 64M.")
    return amount


def css_length(text: str) -> str:
    """Return a CSS length; a bare number means pixels."""
    length = text.strip().lower()
    length = f"{length}px" if length.isdecimal() else length
    if _LENGTH.fullmatch(length) is None:
        raise click.BadParameter(f"{text!r} is not a CSS length, as in 60%, 480px or 20em.")
    return length


def save_path(text: str) -> Path:
    """Return the path of a file or folder."""
    if not text.strip():
        raise click.BadParameter("the path is empty: give a file or a folder.")
    return Path(text)


def encoder_options(
    ctx: click.Context, param: click.Parameter, entries: tuple[str, ...]
) -> dict[str, str] | None:
    """Return repeated ``KEY=VALUE`` entries as a mapping; None when there are none."""
    options: dict[str, str] = {}
    for entry in entries:
        key, _, value = entry.partition("=")
        key = key.strip()
        if not key or not value:
            raise click.BadParameter(f"{entry!r} is not KEY=VALUE, as in crf=18.", ctx, param)
        if key in options:
            raise click.BadParameter(f"{key!r} is given more than once.", ctx, param)
        options[key] = value
    return options or None


def _number(text: str) -> float:
    """Return `text` as a number; zero, which no flag allows, when it is none."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
