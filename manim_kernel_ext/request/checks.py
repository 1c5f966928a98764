"""What can be seen to go wrong before anything is sent. In doubt the worker decides."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Request
from manim_kernel_ext.options import Invocation
from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.names import names_in
from manim_kernel_ext.request.scenes import is_construct_body, scene_classes

__all__ = ["check_cell", "check_file", "check_frame_size", "check_named"]

_EXAMPLE = (
    "Write `class Demo(Scene):` with a construct() method, or in a cell just its body, as "
    "`self.play(Create(Circle()))`."
)
_ODD_FORMATS = ("png", "png-sequence", "none", "webm")
_VIDEO_SETTINGS = ("format", "background_opacity", "pixel_format", "video_codec")


def check_cell(
    tree: ast.Module, invocation: Invocation, known: Collection[str], has: Callable[[str], bool]
) -> None:
    """Check the scenes of a cell; `known` are scenes from elsewhere, `has` tells other names.

    Raises InvalidRequest.
    """
    if not tree.body:
        raise InvalidRequest("The cell is empty.", _EXAMPLE)
    scenes = scene_classes(tree, known).scenes
    if invocation.base and scenes:
        raise InvalidRequest(
            f"--base is for a cell without a scene class; this one has {', '.join(scenes)}.",
            "Leave --base out.",
        )
    if invocation.base or is_construct_body(tree, known):
        if len(invocation.scenes) > 1:
            raise InvalidRequest(
                "This cell is the body of one construct(), not of "
                f"{' and '.join(invocation.scenes)}.",
                "Give its scene one name, or none, or write scene classes.",
            )
        return
    _check_scenes(tree, "this cell", invocation, known, has)


def check_file(tree: ast.Module, path: Path, invocation: Invocation) -> None:
    """Check the scenes of a script. Raises InvalidRequest."""
    _check_scenes(tree, str(path), invocation, (), lambda _: False)


def check_named(
    scenes: Collection[str], has: Callable[[str], bool], known: Collection[str]
) -> None:
    """Check the scenes that a line names from earlier cells. Raises InvalidRequest."""
    if not scenes:
        there = f"Scenes of earlier cells: {', '.join(sorted(known))}." if known else ""
        raise InvalidRequest(
            "%manim_render in a line of its own renders a scene of an earlier cell: name one.",
            there or "A scene is rendered in the cell that defines it with %%manim_render.",
        )
    for name in scenes:
        if not has(name):
            raise _unknown(name, "an earlier cell", sorted(known))


def _check_scenes(
    tree: ast.Module,
    where: str,
    invocation: Invocation,
    known: Collection[str],
    has: Callable[[str], bool],
) -> None:
    found = scene_classes(tree, known)
    bound = names_in(tree.body).bound
    for name in invocation.scenes:
        if name not in bound and not has(name) and not _binds_secretly(tree, bound):
            raise _unknown(name, where, found.ready or found.scenes)
    if invocation.scenes:
        return
    if not found.scenes and not found.maybe and not _binds_secretly(tree, ()):
        raise InvalidRequest(f"There is no scene in {where}.", _EXAMPLE)
    if len(found.ready) > 1 and not invocation.options.write_all:
        names = ", ".join(found.ready)
        raise InvalidRequest(
            f"There are several scenes in {where}: {names}.",
            f"Name the one to render, as in `{found.ready[0]}`, or several, or take all with -a.",
        )


def _binds_secretly(tree: ast.Module, bound: Collection[str]) -> bool:
    """Return whether names may appear that no statement binds."""
    return "*" in bound or any(
        isinstance(node, ast.Call)
        and syntax.dotted_name(node.func) in ("exec", "globals", "setattr", "vars")
        for node in ast.walk(tree)
    )


def _unknown(name: str, where: str, known: Iterable[str]) -> InvalidRequest:
    names = list(known)
    if near := difflib.get_close_matches(name, names, n=1):
        hint = f"Did you mean {near[0]}?"
    else:
        hint = f"Scenes there: {', '.join(names)}." if names else _EXAMPLE
    return InvalidRequest(f"There is no scene named {name} in {where}.", hint)


def check_frame_size(request: Request) -> None:
    """Refuse odd sizes for video whose encoder needs even ones. Raises InvalidRequest.

    That is x264, which Manim takes for all but WebM and transparent video. Any setting that may
    lead elsewhere, and a scene without plays, which gives a still, leave it to the worker.
    """
    options = request.options
    width, height = options.resolution or (0, 0)
    if not width % 2 and not height % 2:
        return
    kind = options.format or ("png" if options.save_last_frame else "auto")
    chosen = options.transparent or options.video_codec or options.pixel_format
    texts = [request.entry.text, *(module.text for module in request.modules)]
    if kind in _ODD_FORMATS or chosen or set(_VIDEO_SETTINGS) & set(request.config):
        return
    if options.config_file or any("config" in text for text in texts):
        return
    if any(module.path == "manim.cfg" for module in request.modules):
        return
    texts += [item.text for item in request.namespace if hasattr(item, "text")]
    if kind == "auto" and not any(word in text for text in texts for word in (".play(", ".wait(")):
        return
    even = f"{width + width % 2},{height + height % 2}"
    raise InvalidRequest(
        f"A video of {width}×{height} pixels cannot be encoded: both must be even.",
        f"Use -r {even}, or --format webm, or -s for a still.",
    )
