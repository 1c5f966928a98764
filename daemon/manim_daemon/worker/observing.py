"""Watch a scene render: which play, which frame, and what its author should know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from manim import config
from manim.renderer.cairo_renderer import CairoRenderer
from manim.scene.scene import Scene

from manim_daemon.protocol import Note, Progress
from manim_daemon.worker.channel import Channel

__all__ = ["Observer"]

_MIN_INTERVAL_S = 0.05
_MAX_NAME = 200


class Observer:
    """Wraps the file writer's methods of one scene to report progress; frames pass unchanged.

    `frames` counts the frames written, also within frozen waits.
    """

    def __init__(self, scene: Scene, channel: Channel, plays_total: int | None) -> None:
        self._scene = scene
        self._channel = channel
        self._plays_total = plays_total
        self._name = type(scene).__name__
        self._play = 0
        self._label = ""
        self._frame = 0
        self._play_frames = 0
        self._started = time.monotonic()
        self._last_sent = 0.0
        self._warned_nan = False
        self.frames = 0
        writer: Any = scene.renderer.file_writer
        writer.begin_animation = self._before(writer.begin_animation, self._begin)
        writer.write_frame = self._after(writer.write_frame, self._count)
        writer.end_animation = self._after(writer.end_animation, self._end)

    @staticmethod
    def _before(method: Callable[..., Any], hook: Callable[..., None]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            hook(*args, **kwargs)
            return method(*args, **kwargs)

        return wrapped

    @staticmethod
    def _after(method: Callable[..., Any], hook: Callable[..., None]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            hook(*args, **kwargs)
            return result

        return wrapped

    def _begin(self, allow_write: bool = False, **_: Any) -> None:
        self._play += 1
        self._frame = 0
        self._play_frames = 0
        self._label = ""
        # Cairo's renderer has compiled the animations by now, OpenGL's does so next.
        if isinstance(self._scene.renderer, CairoRenderer):
            self._announce(allow_write)

    def _announce(self, allow_write: bool) -> None:
        self._play_frames = self._expected_frames() if allow_write else 0
        self._label = self._describe_play()
        self._report(force=True)

    def _count(self, pixels: object, *, repeat: int = 1) -> None:
        if not self._label:
            self._announce(allow_write=True)
        self._frame += repeat
        self.frames += repeat
        self._play_frames = max(self._play_frames, self._frame)
        self._report(force=self._frame == self._play_frames)

    def finish(self) -> None:
        """Look once more at what the scene left, which no play may have shown."""
        self._end()

    def _end(self, *_: Any, **__: Any) -> None:
        if not self._warned_nan and (name := self._first_with_nan()):
            self._warned_nan = True
            self._channel.send(
                Note(
                    f"{name} has coordinates that are not numbers (NaN or infinite) "
                    f"{self._where()}; it cannot be drawn as meant."
                )
            )

    def _where(self) -> str:
        return f"in play {self._play} of {self._name}" if self._play else f"in {self._name}"

    def _expected_frames(self) -> int:
        fps = float(config.frame_rate)
        if self._scene.is_current_animation_frozen_frame():
            return int(self._scene.duration * fps)
        return len(np.arange(0, self._scene.duration, 1 / fps))

    def _describe_play(self) -> str:
        animations = self._scene.animations or []
        more = ", …" if len(animations) > 1 else ""
        return (str(animations[0]) + more)[:_MAX_NAME] if animations else ""

    def _first_with_nan(self) -> str:
        for mobject in self._scene.get_mobject_family_members():
            # A sum is not finite when any term is not; one pass, no mask.
            if not np.isfinite(np.sum(mobject.points)):
                return str(mobject)[:_MAX_NAME]
        return ""

    def _report(self, *, force: bool) -> None:
        now = time.monotonic()
        if not force and now - self._last_sent < _MIN_INTERVAL_S:
            return
        self._last_sent = now
        fps = self.frames / max(now - self._started, 1e-6)
        left = self._play_frames - self._frame
        self._channel.offer(
            Progress(
                scene=self._name,
                play=self._play,
                plays_total=self._plays_total,
                name=self._label,
                frame=self._frame,
                frames=self._play_frames,
                fps=fps,
                eta_s=left / fps if fps else None,
            )
        )
