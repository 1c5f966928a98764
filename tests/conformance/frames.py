"""Compare two media files as a viewer would meet them: decoded frames, samples, text.

Nothing is compared as encoded bytes, and nothing is converted on the way: frames are compared in
the pixel format the file stores, plane by plane, so a difference of one step in one plane counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Difference", "compare_files"]

Pixels = NDArray[np.uint8]

_TIME_TOLERANCE = Fraction(1, 1000)


@dataclass(frozen=True)
class Difference:
    """How a file of ours differs from Manim's.

    `frame` is the first frame that differs, counted from 0; `differing` of `frames` differ, by at
    most `largest` steps of 255 in one component. `kept` are pictures of both frames.
    """

    message: str
    frame: int | None = None
    differing: int = 0
    frames: int = 0
    largest: int | None = None
    kept: tuple[Path, ...] = ()

    def __str__(self) -> str:
        text = self.message
        if self.frame is not None:
            text += (
                f"; first differing frame {self.frame}, {self.differing} of {self.frames} differ"
            )
        if self.largest is not None:
            text += f", by at most {self.largest}"
        if self.kept:
            text += "; see " + " and ".join(map(str, self.kept))
        return text


def compare_files(manim: Path, ours: Path, keep: Path | None = None) -> Difference | None:
    """Return how `ours` differs from `manim`, or None when they are the same.

    The suffix of `manim` says how. With `keep`, a folder, the first differing frame of both is
    saved there as PNG. Raises ValueError for a kind of file that cannot be compared.
    """
    compare = _COMPARISONS.get(manim.suffix)
    if compare is None:
        raise ValueError(f"There is no way to compare {manim.suffix or 'unnamed'} files: {manim}")
    if ours.suffix != manim.suffix:
        return Difference(f"the file is a {ours.suffix}, Manim's a {manim.suffix}")
    return compare(manim, ours, keep)


# --- moving pictures ---------------------------------------------------------------------


def _compare_videos(manim: Path, ours: Path, keep: Path | None) -> Difference | None:
    properties = _properties(manim), _properties(ours)
    if properties[0] != properties[1]:
        return Difference(f"{properties[1]}, Manim's is {properties[0]}")
    return _compare_frames(manim, ours, keep) or _compare_sound(manim, ours)


def _properties(path: Path) -> str:
    with av.open(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        return (
            f"{context.name} {context.pix_fmt} {context.width}x{context.height} "
            f"at {stream.average_rate} frames/s, {len(container.streams.audio)} audio streams"
        )


def _compare_frames(manim: Path, ours: Path, keep: Path | None) -> Difference | None:
    counts = [0, 0]
    differing: list[int] = []
    largest: int | None = None
    message = "frames differ"
    kept: tuple[Path, ...] = ()
    for index, pair in enumerate(zip_longest(_frames(manim), _frames(ours))):
        for side in (0, 1):
            counts[side] += pair[side] is not None
        found = _compare_pair(*pair)
        if found is None:
            continue
        if not differing:
            message = found.message
            kept = _keep_pair(pair, keep, f"{manim.stem}-{index}") if keep else ()
        differing.append(index)
        largest = max((n for n in (largest, found.largest) if n is not None), default=None)
    if not differing:
        return None
    if counts[0] != counts[1]:
        message = f"{counts[1]} frames, Manim has {counts[0]}"
    return Difference(message, differing[0], len(differing), max(counts), largest, kept)


def _compare_pair(manim: VideoFrame | None, ours: VideoFrame | None) -> Difference | None:
    if manim is None or ours is None:
        return Difference("a frame is missing" if ours is None else "a frame is too many")
    if manim.format.name != ours.format.name:
        return Difference(f"pixel format {ours.format.name}, Manim's is {manim.format.name}")
    found = _compare_pixels(_planes(manim), _planes(ours))
    if found is None and abs(_time(manim) - _time(ours)) > _TIME_TOLERANCE:
        return Difference(f"shown at {_time(ours)} s, Manim's at {_time(manim)} s")
    return found


def _compare_pixels(manim: tuple[Pixels, ...], ours: tuple[Pixels, ...]) -> Difference | None:
    if [plane.shape for plane in manim] != [plane.shape for plane in ours]:
        return Difference(f"sizes {[p.shape for p in ours]}, Manim's {[p.shape for p in manim]}")
    largest = max(_largest_step(*pair) for pair in zip(manim, ours, strict=True))
    return Difference("pixels differ", largest=largest) if largest else None


def _largest_step(one: Pixels, other: Pixels) -> int:
    if np.array_equal(one, other):
        return 0
    return int(np.abs(one.astype(np.int16) - other.astype(np.int16)).max())


def _frames(path: Path) -> Iterator[VideoFrame]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        decoder = _decoder(stream)
        for packet in container.demux(stream):
            yield from decoder.decode(packet)


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """FFmpeg's own VP9 decoder drops the alpha plane; libvpx keeps it."""
    if stream.codec_context.name != "vp9":
        return stream.codec_context
    decoder = CodecContext.create("libvpx-vp9", "r")
    assert isinstance(decoder, VideoCodecContext)
    return decoder


def _planes(frame: VideoFrame) -> tuple[Pixels, ...]:
    width = 1 if frame.format.is_planar else frame.format.padded_bits_per_pixel // 8
    return tuple(_plane(plane, plane.width * width) for plane in frame.planes)


def _plane(plane: VideoPlane, row: int) -> Pixels:
    data: Pixels = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    return data.reshape(-1, plane.line_size)[: plane.height, :row]


def _time(frame: VideoFrame) -> Fraction:
    assert frame.pts is not None
    assert frame.time_base is not None
    return frame.pts * frame.time_base


def _keep_pair(
    pair: tuple[VideoFrame | None, VideoFrame | None], keep: Path, name: str
) -> tuple[Path, ...]:
    pictures = [
        None if frame is None else Image.fromarray(frame.to_ndarray(format="rgba"))
        for frame in pair
    ]
    return _keep(pictures, keep, name)


def _keep(pictures: Sequence[Image.Image | None], keep: Path, name: str) -> tuple[Path, ...]:
    keep.mkdir(parents=True, exist_ok=True)
    paths = []
    for picture, side in zip(pictures, ("manim", "ours"), strict=True):
        if picture is not None:
            paths.append(keep / f"{name}-{side}.png")
            picture.save(paths[-1])
    return tuple(paths)


# --- sound -------------------------------------------------------------------------------


def _compare_sound(manim: Path, ours: Path) -> Difference | None:
    sound, our_sound = _sound(manim), _sound(ours)
    if sound is None or our_sound is None:
        return None if sound is our_sound else Difference("only one of both has sound")
    (rate, samples), (our_rate, our_samples) = sound, our_sound
    if (rate, samples.shape) != (our_rate, our_samples.shape):
        return Difference(
            f"sound of {our_samples.shape} samples at {our_rate} Hz, "
            f"Manim's has {samples.shape} at {rate} Hz"
        )
    if not np.array_equal(samples, our_samples):
        first = int(np.argmax((samples != our_samples).any(axis=0)))
        return Difference(f"sound differs from sample {first} on")
    return None


def _sound(path: Path) -> tuple[int, NDArray[np.generic]] | None:
    with av.open(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        return stream.rate, np.concatenate(blocks, axis=1)


# --- stills and text ---------------------------------------------------------------------


def _compare_images(manim: Path, ours: Path, keep: Path | None) -> Difference | None:
    with Image.open(manim) as image, Image.open(ours) as our_image:
        if image.mode != our_image.mode:
            return Difference(f"mode {our_image.mode}, Manim's is {image.mode}")
        found = _compare_pixels((np.asarray(image),), (np.asarray(our_image),))
        if found and keep:
            kept = _keep((image, our_image), keep, manim.stem)
            return replace(found, kept=kept)
        return found


def _compare_texts(manim: Path, ours: Path, keep: Path | None) -> Difference | None:
    texts = manim.read_text("utf-8"), ours.read_text("utf-8")
    return None if texts[0] == texts[1] else Difference(f"{texts[1]!r}, Manim's is {texts[0]!r}")


def _compare_objects(manim: Path, ours: Path, keep: Path | None) -> Difference | None:
    found = json.loads(manim.read_text("utf-8")), json.loads(ours.read_text("utf-8"))
    return None if found[0] == found[1] else Difference(f"{found[1]}, Manim's is {found[0]}")


_Comparison = Callable[[Path, Path, Path | None], Difference | None]
_COMPARISONS: dict[str, _Comparison] = {
    ".mp4": _compare_videos,
    ".mov": _compare_videos,
    ".webm": _compare_videos,
    ".gif": _compare_videos,
    ".png": _compare_images,
    ".srt": _compare_texts,
    ".json": _compare_objects,
}
