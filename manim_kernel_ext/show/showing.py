"""From what the line of a cell asks for to where and how its results are shown."""

from __future__ import annotations

from manim_daemon.errors import InvalidRequest
from manim_daemon.settings import Settings
from manim_kernel_ext.options import Display, Invocation
from manim_kernel_ext.show.delivery import Delivery
from manim_kernel_ext.show.display import message
from manim_kernel_ext.show.frontend import Frontend, Kind, cell_settings, kernel_settings
from manim_kernel_ext.show.place import Place
from manim_kernel_ext.show.progress import QuietView, TerminalView, View, WidgetView
from manim_kernel_ext.show.result import Look

__all__ = ["delivery_for", "view_for"]


def delivery_for(invocation: Invocation, frontend: Frontend, cell: str) -> Delivery:
    """Return where the results of `cell` go. Raises InvalidRequest."""
    _check_save(invocation)
    asked = invocation.display
    known = {**kernel_settings(), **cell_settings(cell)}
    look = Look(
        width=asked.width,
        max_width=str(known.get("media_width") or Look.max_width),
        loop=asked.loop,
        autoplay=asked.autoplay,
    )
    return Delivery(
        folder=frontend.folder,
        embed_limit=Settings.load().embed_limit_bytes,
        in_notebook=frontend.has_cells,
        must_embed=frontend.colab,
        # Manim's own default, not to embed, is no wish of the user's.
        embed=True if asked.embed is None and known.get("media_embed") else asked.embed,
        save=asked.save,
        look=look,
    )


def view_for(asked: Display, frontend: Frontend) -> View:
    """Return what shows the progress and then the results of the running cell."""
    shows_progress = asked.progress and frontend.kind is not Kind.EXECUTOR
    if frontend.has_cells and (shows_progress or asked.background):
        place = Place(message("Rendering …"))
        return WidgetView(place) if shows_progress else QuietView(place)
    if frontend.kind is Kind.TERMINAL and shows_progress and not asked.background:
        return TerminalView()
    return QuietView()


def _check_save(invocation: Invocation) -> None:
    save = invocation.display.save
    several = len(invocation.scenes) > 1 or invocation.options.write_all
    if several and save is not None and save.suffix and not save.expanduser().is_dir():
        raise InvalidRequest(
            f"--save {save} names one file, but several scenes are asked for.",
            "Name a folder, or render one scene at a time.",
        )
