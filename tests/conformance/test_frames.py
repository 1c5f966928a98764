"""The comparison finds every difference that a viewer could meet, and none that is not there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from tests.conformance.frames import compare_files
from tests.conformance.renderings import Rendering, agreement, compare_renderings

# Encoder, pixel format, and options with which no pixel's change is lost on the way.
_PROFILES: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("libx264", "yuv420p", {"crf": "1"}),
    ".mov": ("qtrle", "argb", {}),
    ".webm": ("libvpx-vp9", "yuva420p", {"lossless": "1"}),
    ".gif": ("gif", "rgb8", {}),
}
_RATE = 10


def _frames(count: int = 5) -> list[NDArray[np.uint8]]:
    """Return frames of 64 x 48 pixels: a white square moves over half transparent grey."""
    frames = []
    for index in range(count):
        frame = np.full((48, 64, 4), (90, 90, 90, 128), np.uint8)
        frame[10:20, 5 * index : 5 * index + 10] = 255
        frames.append(frame)
    return frames


def _write_video(path: Path, frames: Sequence[NDArray[np.uint8]], late: int = 0) -> Path:
    """Encode `frames`; the last is shown `late` frames later than it should be."""
    codec, pixel_format, options = _PROFILES[path.suffix]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=_RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format=pixel_format)
            frame.pts = index + (late if index == len(frames) - 1 else 0)
            frame.time_base = Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _write_sound_video(path: Path, samples: NDArray[np.int16]) -> Path:
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=_RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for index, pixels in enumerate(_frames()):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgba")
            picture.pts, picture.time_base = index, Fraction(1, _RATE)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        block.sample_rate = 8000
        container.mux(sound.encode(block))
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize("suffix", _PROFILES)
def test_two_encodings_of_the_same_frames_are_the_same(tmp_path: Path, suffix: str) -> None:
    """The same frames encoded twice differ in nothing."""
    one = _write_video(tmp_path / f"one{suffix}", _frames())
    other = _write_video(tmp_path / f"other{suffix}", _frames())
    assert compare_files(one, other) is None


@pytest.mark.parametrize("suffix", _PROFILES)
def test_a_changed_pixel_is_found(tmp_path: Path, suffix: str) -> None:
    """One pixel in one frame is a difference, and both frames are kept as pictures."""
    frames = _frames()
    frames[3][40, 50] = 255
    one = _write_video(tmp_path / f"one{suffix}", _frames())
    other = _write_video(tmp_path / f"other{suffix}", frames)
    found = compare_files(one, other, tmp_path / "kept")
    assert found is not None
    assert found.frame is not None
    assert found.frame <= 3
    assert found.largest
    assert [path.exists() for path in found.kept] == [True, True]


def test_the_first_differing_frame_is_named_where_frames_are_kept_exactly(tmp_path: Path) -> None:
    """In a lossless video one step in one component of frame 3 is frame 3, by 1."""
    frames = _frames()
    frames[3][40, 50, 1] += 1
    one = _write_video(tmp_path / "one.mov", _frames())
    other = _write_video(tmp_path / "other.mov", frames)
    found = compare_files(one, other)
    assert found is not None
    assert (found.frame, found.differing, found.largest) == (3, 1, 1)
    assert "frame 3" in str(found)


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_a_change_of_transparency_alone_is_found(tmp_path: Path, suffix: str) -> None:
    """The alpha channel is compared too."""
    frames = _frames()
    frames[2][:, :, 3] = 30
    one = _write_video(tmp_path / f"one{suffix}", _frames())
    other = _write_video(tmp_path / f"other{suffix}", frames)
    found = compare_files(one, other)
    assert found is not None
    assert found.largest is not None
    assert found.largest > 50


@pytest.mark.parametrize("count", [4, 6])
def test_a_missing_or_additional_frame_is_found(tmp_path: Path, count: int) -> None:
    """Frames are counted on both sides."""
    one = _write_video(tmp_path / "one.mp4", _frames(5))
    other = _write_video(tmp_path / "other.mp4", _frames(count))
    found = compare_files(one, other, tmp_path / "kept")
    assert found is not None
    assert f"{count} frames, Manim has 5" in str(found)


def test_a_late_frame_is_found(tmp_path: Path) -> None:
    """A frame shown at another time is a difference although its pixels are the same."""
    one = _write_video(tmp_path / "one.mov", _frames())
    other = _write_video(tmp_path / "other.mov", _frames(), late=1)
    assert compare_files(one, other) is not None


def test_other_sound_under_the_same_frames_is_found(tmp_path: Path) -> None:
    """Sound is compared sample by sample, and its absence is a difference."""
    samples = (np.arange(4000) % 100).astype(np.int16)
    changed = samples.copy()
    changed[1234] += 1
    one = _write_sound_video(tmp_path / "one.mov", samples)
    assert compare_files(one, _write_sound_video(tmp_path / "same.mov", samples)) is None
    other = _write_sound_video(tmp_path / "other.mov", changed)
    assert "sample 1234" in str(compare_files(one, other))
    shorter = _write_sound_video(tmp_path / "shorter.mov", samples[:-1])
    assert "3999" in str(compare_files(one, shorter))


def test_stills_are_compared_pixel_by_pixel(tmp_path: Path) -> None:
    """One step in one component of one pixel of a PNG is a difference."""
    pixels = _frames(1)[0]
    Image.fromarray(pixels).save(tmp_path / "one.png")
    Image.fromarray(pixels).save(tmp_path / "same.png")
    pixels[0, 0, 3] += 1
    Image.fromarray(pixels).save(tmp_path / "other.png")
    Image.fromarray(pixels[:, :, :3].copy()).save(tmp_path / "opaque.png")
    assert compare_files(tmp_path / "one.png", tmp_path / "same.png") is None
    found = compare_files(tmp_path / "one.png", tmp_path / "other.png", tmp_path)
    assert found is not None
    assert found.largest == 1
    assert "mode RGB" in str(compare_files(tmp_path / "one.png", tmp_path / "opaque.png"))


def test_subcaptions_are_compared_as_text(tmp_path: Path) -> None:
    """Another word or time in the subcaptions is a difference."""
    line = "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n"
    (tmp_path / "one.srt").write_text(line)
    (tmp_path / "other.srt").write_text(line.replace("01,000", "01,001"))
    assert compare_files(tmp_path / "one.srt", tmp_path / "one.srt") is None
    assert "01,001" in str(compare_files(tmp_path / "one.srt", tmp_path / "other.srt"))


def test_the_index_of_sections_is_compared_as_data(tmp_path: Path) -> None:
    """The layout of the JSON does not matter, its values do."""
    index = [{"name": "intro", "nb_frames": "3"}]
    (tmp_path / "one.json").write_text(json.dumps(index, indent=4))
    (tmp_path / "same.json").write_text(json.dumps(index))
    (tmp_path / "other.json").write_text(json.dumps([{"name": "intro", "nb_frames": "4"}]))
    assert compare_files(tmp_path / "one.json", tmp_path / "same.json") is None
    assert compare_files(tmp_path / "one.json", tmp_path / "other.json") is not None


def test_a_file_of_another_kind_is_a_difference(tmp_path: Path) -> None:
    """A MOV is no MP4 even when the frames are the same."""
    one = _write_video(tmp_path / "one.mov", _frames())
    other = _write_video(tmp_path / "other.mp4", _frames())
    assert compare_files(one, other) is not None


def test_missing_and_additional_files_and_failures_are_differences(tmp_path: Path) -> None:
    """Both sides must make the same files; a failure of ours never counts as the same."""
    video = _write_video(tmp_path / "one.mp4", _frames())
    manim = Rendering({"S/video": video, "S/subcaptions": tmp_path / "one.srt"})
    ours = Rendering({"S/video": video, "S/gif": tmp_path / "one.gif"})
    assert compare_renderings(manim, ours) == [
        "S/subcaptions: ours is missing",
        "S/gif: Manim makes no such file",
    ]
    assert compare_renderings(manim, Rendering(failure="it raised")) == ["ours failed: it raised"]


def test_a_difference_counts_only_when_manim_never_makes_it(tmp_path: Path) -> None:
    """Where Manim varies ours may be any of its results; otherwise the difference stays."""
    one = Rendering({"S/video": _write_video(tmp_path / "one.mp4", _frames(4))})
    other = Rendering({"S/video": _write_video(tmp_path / "other.mp4", _frames(5))})
    third = Rendering({"S/video": _write_video(tmp_path / "third.mp4", _frames(6))})
    assert agreement(one, lambda: one, one, attempts=2).holds
    varying = agreement(one, lambda: other, other, attempts=2)
    assert (varying.holds, varying.is_steady, varying.renderings) == (True, False, 2)
    steady = agreement(one, lambda: one, other, attempts=2)
    assert (steady.holds, steady.is_steady, steady.renderings) == (False, True, 3)
    unsteady = agreement(one, lambda: other, third, attempts=2)
    assert (unsteady.holds, unsteady.is_steady) == (False, False)
