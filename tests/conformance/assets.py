"""The files that the scenes name, made anew for each run: nothing binary lies in the repository."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["write_assets"]

_SOUND_RATE = 8000
_DRAWING = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40">
  <rect x="2" y="2" width="56" height="36" rx="6" fill="#335577" stroke="#ffffff"/>
  <circle cx="20" cy="20" r="9" fill="#ffcc00"/>
  <path d="M36 10 C50 10 50 30 36 30 Z" fill="none" stroke="#ff4444" stroke-width="2"/>
</svg>
"""


def write_assets(folder: Path) -> None:
    """Write picture.png and tone.wav into `folder` and drawing.svg into its folder assets."""
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "drawing.svg").write_text(_DRAWING, encoding="utf-8")
    _picture().save(folder / "picture.png")
    with wave.open(str(folder / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, _SOUND_RATE, 0, "NONE", ""))
        sound.writeframes(_tone().tobytes())


def _picture() -> Image.Image:
    """Return 12 x 8 pixels, transparent towards the right."""
    rows, columns = np.mgrid[0:8, 0:12]
    channels = (columns * 20, rows * 30, 255 - columns * 10, 255 - columns * 20)
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _tone() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return a quarter of a second of 440 Hz."""
    time = np.arange(_SOUND_RATE // 4) / _SOUND_RATE
    return (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
