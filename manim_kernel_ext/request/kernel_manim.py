"""What the kernel's own Manim holds, when there is one: it is looked at, never imported."""

from __future__ import annotations

import enum
import math
import sys
from configparser import RawConfigParser
from typing import Any

from manim_daemon.protocol import ConfigValue
from manim_kernel_ext import placeholder

__all__ = ["is_implied", "settings", "tex_template"]

# What changes the picture; paths, logs, previews and the notebook's output stay behind.
_KEYS = (
    "assets_dir",
    "background_color",
    "background_opacity",
    "enable_wireframe",
    "format",
    "frame_height",
    "frame_rate",
    "frame_width",
    "from_animation_number",
    "pixel_format",
    "pixel_height",
    "pixel_width",
    "renderer",
    "save_sections",
    "seed",
    "upto_animation_number",
    "use_projection_fill_shaders",
    "use_projection_stroke_shaders",
    "video_codec",
    "write_all",
    "zero_pad",
)
_SECTIONS = {
    "video_codec": ("video_encoder", "codec"),
    "pixel_format": ("video_encoder", "pixel_format"),
}


def is_implied(name: str, value: object) -> bool:
    """Return whether ``from manim import *`` binds `name` to `value`."""
    manim = sys.modules.get("manim")
    return manim is not None and not name.startswith("_") and vars(manim).get(name) is value


def settings() -> dict[str, ConfigValue]:
    """Return what the notebook set on Manim's ``config``, by its keys, colours as ``#RRGGBB``."""
    config = _config()
    found = {key: _plain(getattr(config, key, None)) for key in _KEYS}
    if isinstance(config, placeholder.Config):
        return {key: value for key, value in found.items() if value is not None}
    parser = getattr(config, "_parser", None)
    if parser is None:
        return {}
    return {
        key: value
        for key, value in found.items()
        if value is not None and not _is_default(key, value, config, parser)
    }


def tex_template() -> object | None:
    """Return the TeX template that the notebook set on Manim's ``config``, or None."""
    template = vars(_config()).get("_tex_template") if _config() is not None else None
    return None if template is None or template == type(template)() else template


def _config() -> Any:
    return getattr(sys.modules.get("manim"), "config", None)


def _plain(value: Any) -> ConfigValue:
    if isinstance(value, enum.Enum):
        value = value.value
    if hasattr(value, "to_hex"):
        return str(value.to_hex())
    if isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "__float__") and math.isfinite(value):
        return float(value)
    return None


def _is_default(key: str, value: ConfigValue, config: Any, parser: RawConfigParser) -> bool:
    if key == "frame_width" and not parser.has_option("CLI", "frame_width"):
        return math.isclose(float(str(value)), _default_frame_width(parser))
    section, option = _SECTIONS.get(key, ("CLI", key))
    text = parser.get(section, option, fallback="", raw=True)
    if key == "background_color":
        return bool(value == type(config.background_color)(text).to_hex())
    if isinstance(value, bool):
        return value == (text.lower() in ("1", "yes", "true", "on"))
    if isinstance(value, str):
        return value.lower() == text.replace("%%", "%").lower()
    try:
        return math.isclose(float(str(value)), float(text))
    except ValueError:
        return key == "frame_height" and value == _FRAME_HEIGHT


_FRAME_HEIGHT = 8.0


def _default_frame_width(parser: RawConfigParser) -> float:
    height = parser.getfloat("CLI", "frame_height", fallback=_FRAME_HEIGHT)
    pixels = parser.getint("CLI", "pixel_width"), parser.getint("CLI", "pixel_height")
    return height * pixels[0] / pixels[1]
