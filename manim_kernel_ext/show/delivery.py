"""Bring a job's files to the user: embedded in the notebook, linked beside it, or saved."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from manim_daemon.client import JobResult
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Artifact, ArtifactKind
from manim_kernel_ext.show.display import is_playable
from manim_kernel_ext.show.result import Look, RenderResult, Section

__all__ = ["Delivery", "Fetcher", "deliver"]

_MEDIA = Path("media", "manim_render")
_SHOWN = (ArtifactKind.VIDEO, ArtifactKind.GIF, ArtifactKind.IMAGE, ArtifactKind.IMAGE_SEQUENCE)
_MIB = 1024**2


class Fetcher(Protocol):
    """The part of a client that is needed here."""

    def fetch(self, artifact: Artifact, destination: Path) -> Path:
        """Write the artifact's content to `destination`."""
        ...


@dataclass(frozen=True)
class Delivery:
    """Where files go and how they look.

    `folder` is the notebook's; links are relative to it. `embed` None means: up to `embed_limit`
    bytes. `save` is a file or a folder. Without a notebook nothing is embedded.
    """

    folder: Path
    embed_limit: int
    in_notebook: bool = True
    must_embed: bool = False
    embed: bool | None = None
    save: Path | None = None
    look: Look = field(default=Look())


def deliver(job: JobResult, client: Fetcher, delivery: Delivery) -> tuple[RenderResult, ...]:
    """Fetch the files of `job` and return a result for each one that is to be shown.

    Raises InvalidRequest when a file cannot be written.
    """
    shown = [artifact for artifact in job.artifacts if artifact.kind in _SHOWN]
    try:
        saved = _save(job.artifacts, client, delivery.save) if delivery.save else {}
        return tuple(_result(artifact, job, client, delivery, saved) for artifact in shown)
    except OSError as error:
        raise InvalidRequest(
            f"The scene is rendered, but a file cannot be written: {error}",
            "Make room or choose another place, and run the cell again: it is not rendered anew.",
        ) from error


def _result(
    artifact: Artifact,
    job: JobResult,
    client: Fetcher,
    delivery: Delivery,
    saved: dict[Artifact, Path],
) -> RenderResult:
    embedded = _embeds(artifact, delivery)
    folder = _scratch() if embedded else delivery.folder / _MEDIA
    path = _fetch(client, artifact, folder, artifact.scene)
    return RenderResult(
        scene=artifact.scene,
        path=saved.get(artifact, path),
        kind=artifact.kind,
        media_type=artifact.media_type,
        job=job.job,
        width=artifact.width,
        height=artifact.height,
        fps=artifact.fps,
        frames=artifact.frames,
        duration=artifact.duration_s,
        elapsed=job.elapsed_s,
        cached=job.cached,
        timings=dict(job.timings_s),
        notes=(
            *job.notes,
            *_notes(artifact, embedded, delivery),
            *_suffix_note(artifact, delivery),
        ),
        has_audio=artifact.has_audio,
        subcaptions=_subcaptions(artifact, job, client),
        sections=_sections(artifact, job, client, delivery),
        url=None if embedded else _url(path, delivery.folder),
        look=delivery.look,
    )


def _embeds(artifact: Artifact, delivery: Delivery) -> bool:
    if not delivery.in_notebook:
        return False
    if delivery.must_embed:
        return True
    if delivery.embed is not None:
        return delivery.embed
    return is_playable(artifact.media_type) and artifact.bytes <= delivery.embed_limit


def _notes(artifact: Artifact, embedded: bool, delivery: Delivery) -> list[str]:
    if not delivery.in_notebook:
        return []
    if artifact.media_type == "video/quicktime":
        return [
            "Browsers do not play .mov files, so this is a link. "
            "`-t --format webm` gives a transparent video that plays here."
        ]
    if not is_playable(artifact.media_type):
        return ["The images are in the linked archive."]
    if embedded or delivery.embed is False:
        return []
    return [
        f"{artifact.scene} has {artifact.bytes / _MIB:.1f} MiB, more than the "
        f"{delivery.embed_limit / _MIB:.0f} MiB that are embedded, so the notebook links to "
        f"{_MEDIA.as_posix()}/. To embed it anyway: --embed."
    ]


def _suffix_note(artifact: Artifact, delivery: Delivery) -> list[str]:
    wanted = "" if delivery.save is None or delivery.save.is_dir() else delivery.save.suffix
    given = Path(artifact.name).suffix
    if not wanted or wanted.lower() == given.lower():
        return []
    return [f"{delivery.save} holds a {given} file; --format {wanted[1:]} renders a {wanted} one."]


def _subcaptions(artifact: Artifact, job: JobResult, client: Fetcher) -> Path | None:
    if artifact.kind is not ArtifactKind.VIDEO:
        return None
    found = _of_scene(artifact, job, ArtifactKind.SUBCAPTIONS)
    return _fetch(client, found[0], _scratch(), artifact.scene) if found else None


def _sections(
    artifact: Artifact, job: JobResult, client: Fetcher, delivery: Delivery
) -> tuple[Section, ...]:
    if artifact.kind is not ArtifactKind.VIDEO:
        return ()
    sections = []
    for part in _of_scene(artifact, job, ArtifactKind.SECTION):
        name = Path(part.name).stem
        path = _fetch(client, part, delivery.folder / _MEDIA, name)
        sections.append(Section(name, path, _url(path, delivery.folder)))
    return tuple(sections)


def _of_scene(artifact: Artifact, job: JobResult, kind: ArtifactKind) -> list[Artifact]:
    return [
        other for other in job.artifacts if other.kind is kind and other.scene == artifact.scene
    ]


def _fetch(client: Fetcher, artifact: Artifact, folder: Path, name: str) -> Path:
    """Write `artifact` under a name that holds its hash, so that nothing is ever overwritten."""
    suffix = Path(artifact.name).suffix
    path = (folder / f"{name}-{artifact.sha256[:8]}{suffix}").absolute()
    if path.is_file() and path.stat().st_size == artifact.bytes:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    return client.fetch(artifact, path)


def _save(artifacts: Sequence[Artifact], client: Fetcher, save: Path) -> dict[Artifact, Path]:
    save = save.expanduser().absolute()
    is_folder = save.is_dir() or not save.suffix
    folder = save if is_folder else save.parent
    folder.mkdir(parents=True, exist_ok=True)
    saved: dict[Artifact, Path] = {}
    for artifact in artifacts:
        path = folder / Path(artifact.name).name
        if not is_folder and artifact.kind in _SHOWN:
            path = save
        elif not is_folder and artifact.kind is ArtifactKind.SUBCAPTIONS:
            path = save.with_suffix(path.suffix)
        if path in saved.values():
            path = path.with_name(f"{artifact.scene}-{path.name}")
        saved[artifact] = client.fetch(artifact, path)
    return saved


def _url(path: Path, folder: Path) -> str:
    return quote(path.relative_to(folder.absolute()).as_posix())


@functools.cache
def _scratch() -> Path:
    """Return a folder for embedded files, which lives as long as the kernel."""
    folder = Path(tempfile.mkdtemp(prefix="manim-render-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
