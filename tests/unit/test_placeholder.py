"""What ``import manim`` gives in a kernel without Manim, while ``%%manim`` is taken over."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import BuiltinImporter
from types import ModuleType

import pytest

from manim_kernel_ext import placeholder
from manim_kernel_ext.request import kernel_manim
from manim_kernel_ext.show.frontend import kernel_settings


@pytest.fixture
def manim(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield what is imported where no Manim can be found."""
    monkeypatch.setattr(sys, "meta_path", [BuiltinImporter])
    monkeypatch.delitem(sys.modules, "manim", raising=False)
    placeholder.install()
    yield importlib.import_module("manim")
    placeholder.remove()


def test_star_import_brings_config_only(manim: ModuleType) -> None:
    """The other names of Manim's are where the scenes render."""
    names: dict[str, object] = {}
    exec("from manim import *", names)
    assert names.keys() - {"__builtins__"} == {"config"}
    assert kernel_manim.is_implied("config", names["config"])


def test_what_is_set_on_config_reaches_the_scenes(manim: ModuleType) -> None:
    """Attributes and items count alike; what does not change the picture stays."""
    manim.config.background_color = "#123456"
    manim.config["frame_rate"] = 30
    manim.config.media_width = "75%"
    assert kernel_manim.settings() == {"background_color": "#123456", "frame_rate": 30}


def test_how_the_result_is_shown_is_taken_from_config(manim: ModuleType) -> None:
    """The width that existing notebooks set holds."""
    manim.config.media_width = "75%"
    assert kernel_settings() == {"media_width": "75%"}
    manim.config.media_embed = True
    assert kernel_settings() == {"media_width": "75%", "media_embed": True}


def test_other_names_say_where_manim_is(manim: ModuleType) -> None:
    """Whoever uses Manim in an ordinary cell learns why it is not there."""
    with pytest.raises(AttributeError, match=r"manim.Circle is not here. Manim is not installed"):
        print(manim.Circle)
    with pytest.raises(AttributeError, match=r"config.frame_width is not set here"):
        print(manim.config.frame_width)


def test_removed_placeholder_is_gone(manim: ModuleType) -> None:
    """After `off`, importing Manim fails as before."""
    placeholder.remove()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("manim")
