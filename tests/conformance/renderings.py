"""What one side made of one command, and how two such makings compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance.frames import compare_files

__all__ = ["Agreement", "Rendering", "agreement", "compare_renderings", "files_of_manim"]

_KINDS = {
    ".mp4": "video",
    ".mov": "video",
    ".webm": "video",
    ".gif": "gif",
    ".png": "image",
    ".srt": "subcaptions",
}


@dataclass(frozen=True)
class Rendering:
    """The files that one side made, by scene and purpose (``Scene/video``); or why it failed."""

    files: Mapping[str, Path] = field(default_factory=dict)
    failure: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Agreement:
    """Whether ours is what Manim makes, and whether Manim always makes the same.

    `differences` are those from Manim's first rendering; `renderings` is how often Manim was asked.
    """

    holds: bool
    is_steady: bool = True
    differences: tuple[str, ...] = ()
    renderings: int = 1

    def __str__(self) -> str:
        manim = "the same each time" if self.is_steady else "not always the same"
        asked = f"(Manim rendered {self.renderings} times: {manim})"
        return "\n".join((*self.differences, *([asked] if self.renderings > 1 else [])))


def agreement(
    manim: Rendering,
    again: Callable[[], Rendering],
    ours: Rendering,
    *,
    attempts: int,
    keep: Path | None = None,
) -> Agreement:
    """Return whether `ours` equals something that Manim makes of the same.

    Some scenes come out differently from one start of Manim to the next: sets in the order of
    their hashes, a rounding that depends on where an array lies. So a difference from `manim`
    counts only when Manim, asked `again` up to `attempts` times, never makes what ours is.
    """
    differences = tuple(compare_renderings(manim, ours, keep))
    if not differences or ours.failure:
        return Agreement(not differences, differences=differences)
    is_steady = True
    for count in range(attempts):
        other = again()
        if not compare_renderings(other, ours):
            return Agreement(True, False, differences, count + 2)
        is_steady = is_steady and not compare_renderings(manim, other)
    return Agreement(False, is_steady, differences, attempts + 1)


def compare_renderings(manim: Rendering, ours: Rendering, keep: Path | None = None) -> list[str]:
    """Return one line for each difference; an empty list when they are the same.

    Frames that differ are saved as PNG in the folder `keep`.
    """
    if ours.failure:
        return [f"ours failed: {ours.failure}"]
    missing = [f"{name}: ours is missing" for name in sorted(manim.files.keys() - ours.files)]
    extra = [
        f"{name}: Manim makes no such file" for name in sorted(ours.files.keys() - manim.files)
    ]
    different = [
        f"{name}: {difference}"
        for name in sorted(manim.files.keys() & ours.files)
        if (difference := compare_files(manim.files[name], ours.files[name], keep))
    ]
    return missing + extra + different


def files_of_manim(media_dir: Path, scenes: Sequence[str]) -> dict[str, Path]:
    """Return what Manim left in `media_dir` after rendering `scenes`, without its caches."""
    files = {}
    for path in _finished_files(media_dir):
        name = _scene_of(path, scenes)
        files[f"{name}/{_purpose(path, name)}"] = path
    return files


def _finished_files(media_dir: Path) -> Iterator[Path]:
    for folder in ("videos", "images"):
        for path in sorted((media_dir / folder).rglob("*")):
            # Manim forgets to remove the sound that it has put into the video.
            if path.suffix in (*_KINDS, ".json") and "partial_movie_files" not in path.parts:
                yield path


def _scene_of(path: Path, scenes: Sequence[str]) -> str:
    if len(scenes) == 1:
        return scenes[0]
    stems = (path.parent.name, path.stem)
    candidates = [scene for scene in scenes if any(stem.startswith(scene) for stem in stems)]
    return max(candidates, key=len)


def _purpose(path: Path, scene: str) -> str:
    if path.parent.name == "sections":
        return "section_index" if path.suffix == ".json" else f"section/{path.name}"
    if path.suffix == ".png" and path.stem.isdigit():
        return f"image_sequence/{path.name}"
    return _KINDS[path.suffix]
