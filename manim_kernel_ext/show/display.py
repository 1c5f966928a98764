"""Mime bundles: what a front end shows for results, and what stays in the saved notebook."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manim_daemon.protocol import ArtifactKind
from manim_kernel_ext.show.result import RenderResult

__all__ = ["Bundle", "bundle", "is_playable", "message", "webvtt"]

Bundle = tuple[dict[str, Any], dict[str, Any]]
"""Data and metadata by mime type, as IPython takes them."""

_MUTED = "color:var(--jp-ui-font-color2,#757575);font-size:85%"
_VIDEOS = ("video/mp4", "video/webm")
_PIXELS = re.compile(r"(\d+)px")
_SRT_TIME = re.compile(r"(\d\d:\d\d:\d\d),(\d\d\d)")


def bundle(results: Sequence[RenderResult]) -> Bundle:
    """Return data and metadata that show `results` one below the other."""
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    data = {"text/plain": "\n".join([*map(_plain, results), *notes])}
    if len(results) == 1 and _is_plain_image(results[0]):
        data["image/png"] = _base64(results[0].path)
        metadata = _image_metadata(results[0])
        if not notes:
            return data, metadata
    else:
        metadata = {}
    data["text/html"] = "\n".join([*map(_media, results), *map(_muted, notes)])
    return data, metadata


def is_playable(media_type: str) -> bool:
    """Return whether browsers show files of `media_type`."""
    return media_type.startswith("image/") or media_type in _VIDEOS


def message(text: str) -> Bundle:
    """Return a bundle that shows one muted line."""
    return {"text/plain": text, "text/html": _muted(text)}, {}


def webvtt(subrip: str) -> str:
    """Return SubRip subtitles as WebVTT, the form that browsers play."""
    return "WEBVTT\n\n" + _SRT_TIME.sub(r"\1.\2", subrip.replace("\r\n", "\n").lstrip("\ufeff"))


def _plain(result: RenderResult) -> str:
    return f"{result.describe()}\n{result.path}" if result.url else result.describe()


def _is_plain_image(result: RenderResult) -> bool:
    width = result.look.width
    fits = width is None or _PIXELS.fullmatch(width) is not None
    return result.media_type == "image/png" and result.url is None and fits


def _image_metadata(result: RenderResult) -> dict[str, Any]:
    found = _PIXELS.fullmatch(result.look.width or "")
    return {"image/png": {"width": int(found[1])}} if found else {}


def _media(result: RenderResult) -> str:
    if result.is_image:
        return _image(result)
    if result.media_type in _VIDEOS:
        return _video(result) + _sections(result)
    return _download(result)


def _video(result: RenderResult) -> str:
    flags = ["controls", "playsinline"]
    flags += ["autoplay"] if result.look.autoplay else []
    flags += ["loop"] if result.look.loop else []
    # Browsers start a video by themselves only when it is silent.
    flags += [] if result.has_audio else ["muted"]
    return (
        f'<video {" ".join(flags)} {_appearance(result)} src="{_source(result)}">'
        f"{_track(result)}</video>"
    )


def _image(result: RenderResult) -> str:
    return f'<img alt="{_quoted(result.scene)}" {_appearance(result)} src="{_source(result)}">'


def _download(result: RenderResult) -> str:
    url = _source(result)
    name = _quoted(result.path.name)
    return f'<div><a href="{url}" download="{name}">{_quoted(result.scene)}: {name}</a></div>'


def _sections(result: RenderResult) -> str:
    if not result.sections:
        return ""
    links = " · ".join(
        f'<a href="{_quoted(section.url)}">{_quoted(section.name)}</a>'
        for section in result.sections
    )
    return f'<div style="{_MUTED}">Sections: {links}</div>'


def _track(result: RenderResult) -> str:
    if result.subcaptions is None:
        return ""
    text = webvtt(result.subcaptions.read_text(encoding="utf-8"))
    data = base64.b64encode(text.encode()).decode()
    return f'<track kind="captions" label="Subcaptions" default src="data:text/vtt;base64,{data}">'


def _appearance(result: RenderResult) -> str:
    look = result.look
    # A still that needs no HTML is shown as the image it is, in its own size; so are the others.
    style = f"max-width:{'100%' if result.kind is ArtifactKind.IMAGE else look.max_width}"
    if look.width is not None:
        style = f"width:{look.width};max-width:100%"
    return f'title="{_quoted(result.scene)}" style="{_quoted(style)}"'


def _source(result: RenderResult) -> str:
    if result.url is not None:
        return _quoted(result.url)
    return f"data:{result.media_type};base64,{_base64(result.path)}"


def _muted(text: str) -> str:
    return f'<div style="{_MUTED}">{_quoted(text)}</div>'


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _quoted(text: str) -> str:
    return html.escape(text, quote=True)
