"""What a client asks: sources, names from the notebook, assets, options, limits."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from manim_daemon.protocol.base import MAX_ITEMS, Blob, Count, Message, Name, Sha256, Text

__all__ = [
    "Asset",
    "ConfigValue",
    "Limits",
    "NamespaceItem",
    "RenderOptions",
    "Request",
    "Source",
    "SourceItem",
    "ValueItem",
]


PixelCount = Annotated[int, Meta(ge=1, le=65536)]
ConfigValue = str | int | float | bool | None


class Source(Message, frozen=True):
    """One text file of the user's.

    `path` is relative to the job's folder, with forward slashes. `label` is how tracebacks
    name the file (``Cell In[5]``); empty means `path`. `first_line` is the line number that the
    user's editor shows for the first line of `text` (2 for the body of a ``%%`` cell).
    """

    path: Name
    text: Text
    label: Name = ""
    first_line: Annotated[int, Meta(ge=1)] = 1


class SourceItem(Message, frozen=True, tag="source"):
    """Statements to execute in the scene's module before the entry source; they define `names`."""

    text: Text
    label: Name
    first_line: Annotated[int, Meta(ge=1)] = 1
    names: tuple[Name, ...] = ()


class ValueItem(Message, frozen=True, tag="value"):
    """A value by cloudpickle, bound to `name`. Only the worker unpickles it.

    Inside the pickle a persistent id is the name of something that an earlier item defines.
    """

    name: Name
    pickle: Blob


NamespaceItem = SourceItem | ValueItem


class Asset(Message, frozen=True):
    """A file the scene names: where it goes in the job's folder, and its content by hash."""

    path: Name
    sha256: Sha256
    size: Count


class RenderOptions(Message, frozen=True):
    """Manim's render flags under Manim's own long names; None leaves Manim's configuration alone.

    `resolution` is (width, height) in pixels, `frame_rate` in frames per second,
    `from_animation_number` is (first,) or (first, last), counted from 0.
    """

    quality: Annotated[str, Meta(pattern="^[lmhpk]$")] | None = None
    resolution: tuple[PixelCount, PixelCount] | None = None
    frame_rate: Annotated[float, Meta(gt=0, le=1000)] | None = None
    format: (
        Annotated[str, Meta(pattern="^(auto|none|png|png-sequence|gif|mp4|webm|mov)$")] | None
    ) = None
    save_last_frame: bool | None = None
    write_all: bool | None = None
    from_animation_number: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=2)] | None = (
        None
    )
    transparent: bool | None = None
    background_color: Name | None = None
    seed: int | None = None
    renderer: Annotated[str, Meta(pattern="^(cairo|opengl)$")] | None = None
    disable_caching: bool | None = None
    verbosity: Annotated[str, Meta(pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")] | None = None
    save_sections: bool | None = None
    output_file: Name | None = None
    zero_pad: Annotated[int, Meta(ge=0, le=9)] | None = None
    tex_template: Name | None = None
    config_file: Name | None = None
    video_codec: Name | None = None
    pixel_format: Name | None = None
    video_encoder_options: dict[Name, Name] | None = None


class Limits(Message, frozen=True):
    """What one job may use; the daemon's owner sets the ceilings. Times in seconds."""

    wall_time_s: Annotated[float, Meta(gt=0, le=86400)] = 300.0
    memory_bytes: Annotated[int, Meta(ge=64 * 1024**2)] = 8 * 1024**3
    output_bytes: Annotated[int, Meta(ge=1)] = 2 * 1024**3
    log_bytes: Annotated[int, Meta(ge=1)] = 1024**2


class Request(Message, frozen=True):
    """What a client asks: render `scenes` of `entry` under `options`.

    `scenes` empty means: the only scene there is, or all with ``write_all``. When
    `construct_base` is set, `entry` is the body of ``construct()`` of one scene with that base.
    With `notebook` the entry is a cell: ``from manim import *`` is implied, and the flags win over
    what the cell sets on Manim's ``config``, as under ``%%manim``; in a script the script wins.
    `config` holds values the notebook set on Manim's ``config``.
    """

    entry: Source
    scenes: Annotated[tuple[Name, ...], Meta(max_length=MAX_ITEMS)] = ()
    notebook: bool = False
    construct_base: Name | None = None
    modules: Annotated[tuple[Source, ...], Meta(max_length=MAX_ITEMS)] = ()
    namespace: Annotated[tuple[NamespaceItem, ...], Meta(max_length=MAX_ITEMS)] = ()
    assets: Annotated[tuple[Asset, ...], Meta(max_length=MAX_ITEMS)] = ()
    options: RenderOptions = RenderOptions()
    config: dict[Name, ConfigValue] = field(default_factory=dict)
    limits: Limits = Limits()
    fresh: bool = False
