"""The object behind ``_manim``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from manim_daemon.protocol import ArtifactKind
from manim_kernel_ext.show.result import RenderResult


@pytest.fixture
def video(tmp_path: Path) -> RenderResult:
    path = tmp_path / "Demo.mp4"
    path.write_bytes(b"bytes")
    return RenderResult(
        scene="Demo",
        path=path,
        kind=ArtifactKind.VIDEO,
        media_type="video/mp4",
        job="0123456789ab",
        width=854,
        height=480,
        fps=15.0,
        frames=45,
        duration=3.0,
        elapsed=1.25,
    )


def test_a_result_describes_itself_in_one_sentence(video: RenderResult) -> None:
    """The text of a result names scene, length, size, rate and time."""
    assert video.describe() == "Demo: 3.0 s, 854×480, 15 fps, rendered in 1.2 s"


def test_a_cached_result_says_so(video: RenderResult) -> None:
    """A result that was not rendered says where it comes from."""
    cached = dataclasses.replace(video, cached=True)
    assert cached.describe().endswith("from the cache")


def test_a_still_has_no_length(video: RenderResult) -> None:
    """The text of a still says its size only."""
    still = dataclasses.replace(video, kind=ArtifactKind.IMAGE, duration=0.0, fps=0.0)
    assert still.describe() == "Demo: 854×480, rendered in 1.2 s"


def test_the_repr_names_what_a_program_needs(video: RenderResult) -> None:
    """The repr shows scene, path and job, and not how the result looks."""
    assert "scene='Demo'" in repr(video)
    assert str(video.path) in repr(video)
    assert "job='0123456789ab'" in repr(video)
    assert "look=" not in repr(video)


def test_displaying_a_result_shows_the_video(video: RenderResult) -> None:
    """IPython shows the result as the video itself."""
    data, _ = video._repr_mimebundle_(include=None, exclude=None)
    assert "<video" in data["text/html"]
    assert data["text/plain"] == video.describe()


def test_a_result_cannot_be_changed(video: RenderResult) -> None:
    """A result is a record."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        video.scene = "Other"  # type: ignore[misc]
