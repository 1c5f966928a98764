"""The set: one scene and the flags it is rendered with, on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

from tests.conformance.assets import write_assets

__all__ = ["CASES", "Case", "copy_scenes"]

_SCENES = Path(__file__).parent / "scenes"
_LOW = ("-ql",)
_SMALL = ("-r", "320,180", "--fps", "10")


@dataclass(frozen=True)
class Case:
    """One command: `scenes` of `file` with `flags`; `name` tells it from the others."""

    name: str
    file: str
    scenes: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def has_cfg(self) -> bool:
        """Whether a ``manim.cfg`` lies beside the file; Manim reads it when it is imported."""
        return (_SCENES / self.file).with_name("manim.cfg").exists()


def copy_scenes(case: Case, folder: Path) -> Path:
    """Copy all scenes and their assets into the new `folder`; return where `case.file` lies."""
    copytree(_SCENES, folder, ignore=ignore_patterns("__pycache__"))
    write_assets(folder)
    return (folder / case.file).parent


def _plain(file: str, scenes: str, flags: Iterable[str] = _LOW) -> Iterator[Case]:
    for scene in scenes.split():
        yield Case(scene, file, (scene,), tuple(flags))


def _flagged(name: str, file: str, scenes: str, *flags: str) -> Case:
    return Case(name, file, tuple(scenes.split()), flags)


CASES: tuple[Case, ...] = (
    *_plain("shapes.py", "SquareBecomesCircle ShapeGallery Booleans Layers Groups Effects Waits"),
    *_plain("shapes.py", "KeepsState NoPlays Background"),
    *_plain("shapes.py", "SeededRandom", (*_LOW, "--seed", "7")),
    *_plain("texts.py", "PlainText Markup Lines Listing Formula FormulaParts MatchingTex"),
    *_plain("texts.py", "OwnTemplate TypstWords TypstFormula Numbers"),
    *_plain("charts.py", "Network DirectedNetwork Plot Plane Linear Bars Field Grid Brackets"),
    *_plain("charts.py", "Streams", (*_LOW, "--seed", "3")),
    *_plain("motion.py", "TimedUpdater FrameUpdater CountsCalls Following Traced StopsWhen"),
    *_plain("motion.py", "SceneUpdater Paths"),
    *_plain("cameras.py", "Moving FollowingCamera Zoomed Ambient FixedInFrame"),
    *_plain("cameras.py", "Solid", _SMALL),
    *_plain("media.py", "Picture Drawing LocalModule Sound Subcaptions SkippedSection"),
    _flagged("Sections", "media.py", "Sections", *_LOW, "--save_sections"),
    _flagged("ModuleConfig", "module_config.py", "ModuleConfig", *_LOW),
    _flagged("FromCfg", "configured/from_cfg.py", "FromCfg"),
    _flagged("still", "shapes.py", "KeepsState", *_LOW, "-s"),
    _flagged("still-png", "motion.py", "TimedUpdater", *_LOW, "--format", "png"),
    _flagged("still-transparent", "shapes.py", "ShapeGallery", *_LOW, "-s", "-t"),
    _flagged("still-3d", "cameras.py", "Solid", *_SMALL, "-s"),
    _flagged("gif", "shapes.py", "Layers", *_SMALL, "--format", "gif"),
    _flagged("gif-transparent", "shapes.py", "Groups", *_SMALL, "--format", "gif", "-t"),
    _flagged("webm", "texts.py", "PlainText", *_SMALL, "--format", "webm"),
    _flagged("webm-transparent", "shapes.py", "Layers", *_SMALL, "--format", "webm", "-t"),
    _flagged("webm-sound", "media.py", "Sound", *_SMALL, "--format", "webm"),
    _flagged("mov", "shapes.py", "Groups", *_SMALL, "--format", "mov"),
    _flagged("mov-transparent", "motion.py", "Traced", *_SMALL, "-t"),
    _flagged("mp4", "texts.py", "Formula", *_SMALL, "--format", "mp4"),
    _flagged("images", "motion.py", "Following", *_SMALL, "--format", "png-sequence"),
    _flagged("images-transparent", "shapes.py", "Waits", *_SMALL, "--format", "png-sequence", "-t"),
    _flagged("from-to", "shapes.py", "ManyPlays", *_LOW, "-n", "2,4"),
    _flagged("from", "motion.py", "FrameUpdater", *_LOW, "-n", "1"),
    _flagged("resolution-and-fps", "texts.py", "FormulaParts", "-r", "322,242", "--fps", "24"),
    _flagged("odd-fps", "motion.py", "TimedUpdater", "-r", "320,180", "--fps", "23.976"),
    _flagged("medium", "shapes.py", "SquareBecomesCircle", "-qm"),
    _flagged("all-scenes", "two.py", "_Base First Second", *_LOW, "-a"),
    _flagged("two-scenes", "shapes.py", "Background NoPlays", *_LOW),
    _flagged("output-name", "two.py", "Second", *_LOW, "-o", "named"),
    _flagged("config-file", "shapes.py", "Groups", "--config_file", "night.cfg", "-r", "320,180"),
    _flagged("tex-template", "texts.py", "Formula", *_LOW, "--tex_template", "template.tex"),
    _flagged("encoder-option", "shapes.py", "Layers", *_LOW, "--encoder-option", "crf=40"),
    _flagged("uncached", "shapes.py", "ManyPlays", *_LOW, "--disable_caching"),
)
