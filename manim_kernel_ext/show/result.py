"""What a render gave: the object behind ``_manim`` and the output of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manim_daemon.protocol import ArtifactKind

__all__ = ["Look", "RenderResult", "Section"]


@dataclass(frozen=True)
class Look:
    """How a video or image appears in the notebook.

    Sizes are CSS lengths such as ``60%``; without `width` it is the file's own, up to `max_width`.
    """

    width: str | None = None
    max_width: str = "60%"
    loop: bool = True
    autoplay: bool = True


@dataclass(frozen=True)
class Section:
    """One section of a scene as a file of its own; `url` is what the notebook links to."""

    name: str
    path: Path
    url: str


@dataclass(frozen=True)
class RenderResult:
    """One rendered file of one scene. Displaying it shows the video or image again.

    `path` is the file itself; `width` and `height` are in pixels, `duration` and `elapsed` in
    seconds, `fps` in frames per second. `url` is what the notebook links to, and None when the
    file is embedded. `cached` means that nothing had to be rendered; `timings` says where the
    seconds went.
    """

    scene: str
    path: Path
    kind: ArtifactKind
    media_type: str
    job: str
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    duration: float = 0.0
    elapsed: float = 0.0
    cached: bool = False
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    has_audio: bool = False
    subcaptions: Path | None = None
    sections: tuple[Section, ...] = ()
    url: str | None = field(default=None, repr=False)
    look: Look = field(default=Look(), repr=False)

    @property
    def is_image(self) -> bool:
        """True for stills and GIFs."""
        return self.kind in (ArtifactKind.IMAGE, ArtifactKind.GIF)

    def describe(self) -> str:
        """Return one sentence on the file and on how long it took."""
        size = f"{self.width}×{self.height}"
        if self.duration:
            size = f"{self.duration:.1f} s, {size}, {self.fps:.4g} fps"
        took = "from the cache" if self.cached else f"rendered in {self.elapsed:.1f} s"
        return f"{self.scene}: {size}, {took}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        from manim_kernel_ext.show.display import bundle

        return bundle((self,))
