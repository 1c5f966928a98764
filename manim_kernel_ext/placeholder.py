"""What ``import manim`` gives in a kernel that has no Manim, while ``%%manim`` is taken over.

Existing notebooks begin with ``from manim import *`` and set things on ``config``. The import must
not fail, and what is set must reach the scenes; everything else of Manim's is where they render.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Never

__all__ = ["Config", "install", "remove"]

_NAME = "manim"
_WHERE = "Manim is not installed in this kernel; it is where the scenes of %%manim cells render."


class Config:
    """Remembers what the notebook sets, as attributes or items; it knows no defaults."""

    def __init__(self) -> None:
        vars(self)["_set"] = {}

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"config.{name} is not set here. {_WHERE}") from None

    def __setitem__(self, name: str, value: object) -> None:
        vars(self)["_set"][name] = value

    def __getitem__(self, name: str) -> Any:
        return vars(self)["_set"][name]

    def __repr__(self) -> str:
        return f"<what this notebook set on Manim's config: {vars(self)['_set']}>"


class _Placeholder(ModuleType):
    def __init__(self) -> None:
        super().__init__(_NAME, _WHERE)
        self.config = Config()
        self.__all__ = ["config"]

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(f"manim.{name} is not here. {_WHERE}")


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(_NAME, self) if fullname == _NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholder()

    def exec_module(self, module: ModuleType) -> None:
        pass


_finder = _Finder()


def install() -> None:
    """Have ``import manim`` succeed; a real Manim is found before."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def remove() -> None:
    """Undo `install`; what was imported stays with those who have it."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    if isinstance(sys.modules.get(_NAME), _Placeholder):
        del sys.modules[_NAME]
