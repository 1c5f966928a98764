"""What a rendered scene leaves: find the files, describe them, move them to the output folder."""

from __future__ import annotations

import mimetypes
import shutil
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from manim.scene.scene import Scene
from PIL import Image

from manim_daemon.protocol import ArtifactKind, Output

__all__ = ["collect"]

_MEDIA_TYPES = {
    ".mov": "video/quicktime",
    ".srt": "application/x-subrip",
    ".webm": "video/webm",
}


def collect(scene: Scene, folder: Path, frames: int) -> Iterator[Output]:
    """Move the scene's files to `folder`, a folder of its own, and describe each.

    `frames` is how many frames were written for the main file.
    """
    writer: Any = scene.renderer.file_writer
    name = type(scene).__name__
    folder.mkdir(parents=True)
    main: Path | None = getattr(writer, "final_file_path", None)
    if main is not None:
        yield _main_output(name, main, folder, frames)
    plan = writer.output_plan
    if plan.subcaption_file is not None and plan.subcaption_file.is_file():
        yield _moved(name, ArtifactKind.SUBCAPTIONS, plan.subcaption_file, folder)
    if plan.section_index is not None and plan.section_index.is_file():
        yield _moved(name, ArtifactKind.SECTION_INDEX, plan.section_index, folder)
        for section in sorted(plan.sections_dir.glob(f"*{plan.segment_extension}")):
            yield _video(name, ArtifactKind.SECTION, section, folder, 0)


def _main_output(scene: str, path: Path, folder: Path, frames: int) -> Output:
    if path.is_dir():
        return _sequence(scene, path, folder)
    if path.suffix == ".png":
        with Image.open(path) as image:
            width, height = image.size
        return _moved(scene, ArtifactKind.IMAGE, path, folder, width=width, height=height)
    kind = ArtifactKind.GIF if path.suffix == ".gif" else ArtifactKind.VIDEO
    return _video(scene, kind, path, folder, frames)


def _sequence(scene: str, directory: Path, folder: Path) -> Output:
    images = sorted(directory.glob("*.png"))
    target = folder / f"{directory.name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for image in images:
            archive.write(image, image.name)
    with Image.open(images[0]) as first:
        width, height = first.size
    return Output(
        scene,
        ArtifactKind.IMAGE_SEQUENCE,
        f"{folder.name}/{target.name}",
        "application/zip",
        width=width,
        height=height,
        frames=len(images),
    )


def _video(scene: str, kind: ArtifactKind, path: Path, folder: Path, frames: int) -> Output:
    with av.open(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or Fraction(0)
        frames = stream.frames or frames
        described = {
            "width": stream.width,
            "height": stream.height,
            "fps": float(rate),
            "frames": frames,
            "duration_s": float(frames / rate) if rate else 0.0,
            "has_audio": bool(container.streams.audio),
        }
    return _moved(scene, kind, path, folder, **described)


def _moved(scene: str, kind: ArtifactKind, path: Path, folder: Path, **described: Any) -> Output:
    target = folder / path.name
    shutil.move(path, target)
    guessed = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Output(
        scene,
        kind,
        f"{folder.name}/{target.name}",
        guessed or "application/octet-stream",
        **described,
    )
