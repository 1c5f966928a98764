"""Make ``%%manim`` and ``%manim`` mean ``%%manim_render``, and undo it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manim_kernel_ext import placeholder

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Takeover"]

_NAME = "manim"
_KINDS = ("line", "cell")


class Takeover:
    """Holds the name ``manim`` for `magic`, even after Manim is imported and registers its own."""

    def __init__(self, shell: InteractiveShell, magic: Callable[..., Any]) -> None:
        self._shell = shell
        self._magic = magic
        self._previous: dict[str, Any] = {}
        self._on = False

    def start(self) -> None:
        """Take the name; what it meant is kept for `stop`."""
        if not self._on:
            self._on = True
            # Importing Manim registers its magic; before each cell the name is taken back.
            self._shell.events.register("pre_execute", self._take)
            placeholder.install()
        self._take()

    def stop(self) -> None:
        """Give the name back to what it meant, or would mean by now."""
        if not self._on:
            return
        self._on = False
        self._shell.events.unregister("pre_execute", self._take)
        placeholder.remove()
        for kind in _KINDS:
            magics = self._magics(kind)
            if magics.get(_NAME) is self._magic:
                del magics[_NAME]
            if kind in self._previous:
                magics.setdefault(_NAME, self._previous[kind])
        self._previous = {}

    def _take(self) -> None:
        for kind in _KINDS:
            magics = self._magics(kind)
            if magics.get(_NAME) is not self._magic:
                if _NAME in magics:
                    self._previous[kind] = magics[_NAME]
                magics[_NAME] = self._magic

    def _magics(self, kind: str) -> dict[str, Any]:
        magics: dict[str, Any] = self._shell.magics_manager.magics[kind]
        return magics
