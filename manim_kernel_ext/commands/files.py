"""Where ``manim-kernel render`` writes the files of a job."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Artifact, ArtifactKind

__all__ = ["MAIN_KINDS", "destinations", "is_file_name"]

MAIN_KINDS = (
    ArtifactKind.VIDEO,
    ArtifactKind.GIF,
    ArtifactKind.IMAGE,
    ArtifactKind.IMAGE_SEQUENCE,
)
"""What a scene is rendered to; other files go with one of these."""

_DEFAULT_FOLDER = Path("media", "manim_render")
_SECTIONS = "sections"


def is_file_name(output: str) -> bool:
    """Return whether ``--output`` names a file rather than a folder."""
    return bool(Path(output).suffix) and not output.endswith(os.sep) and not Path(output).is_dir()


def destinations(
    artifacts: Sequence[Artifact], output: str | None, output_file: str | None
) -> dict[Artifact, Path]:
    """Return where each artifact goes.

    `output` is a file or a folder, None the default folder. `output_file` is what Manim's own
    ``-o`` asked for; without it a file has the name of its scene. Raises InvalidRequest when
    `output` is one file and there are several scenes.
    """
    if output is not None and is_file_name(output):
        return _beside(artifacts, Path(output))
    folder = _DEFAULT_FOLDER if output is None else Path(output)
    stem = Path(output_file).stem if output_file else None
    return {artifact: _inside(folder, artifact, stem or artifact.scene) for artifact in artifacts}


def _beside(artifacts: Sequence[Artifact], file: Path) -> dict[Artifact, Path]:
    scenes = {artifact.scene for artifact in artifacts if artifact.kind in MAIN_KINDS}
    if len(scenes) > 1:
        raise InvalidRequest(
            f"--output names one file, {file}, but there are {len(scenes)} scenes.",
            "Name a folder: --output FOLDER. What is rendered already is not rendered again.",
        )
    return {artifact: _inside(file.parent, artifact, file.stem) for artifact in artifacts}


def _inside(folder: Path, artifact: Artifact, stem: str) -> Path:
    # The worker chose the names; whatever they are, they stay inside the folder.
    name = Path(artifact.name).name
    if artifact.kind in (ArtifactKind.SECTION, ArtifactKind.SECTION_INDEX):
        return folder / _SECTIONS / name
    return folder / Path(f"{stem}{Path(name).suffix}").name
