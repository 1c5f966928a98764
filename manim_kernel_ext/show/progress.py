"""What the user sees while a job runs: a widget, a bar in the terminal, or nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from manim_daemon.protocol import JobEvent, JobState, Progress, SceneStarted, StateChanged
from manim_kernel_ext.show.display import Bundle, message
from manim_kernel_ext.show.place import Place, publish

__all__ = [
    "QuietView",
    "Snapshot",
    "TerminalView",
    "Throttle",
    "Tracker",
    "View",
    "WidgetView",
]

_INTERVAL_S = 0.1
_WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_T = TypeVar("_T")


class View(Protocol):
    """The place in the output that first shows progress and then the result."""

    def say(self, text: str) -> None:
        """Show one line while there is no progress to show."""
        ...

    def show(self, event: JobEvent) -> None:
        """Show what `event` says about progress, if anything."""
        ...

    def close(self, bundle: Bundle | None) -> None:
        """Give way to `bundle`; None leaves nothing behind."""
        ...


@dataclass(frozen=True)
class Snapshot:
    """What a bar shows: `fraction` of the scene between 0 and 1, and a line on the current play."""

    title: str
    fraction: float = 0.0
    detail: str = ""


class Tracker:
    """Turns events into snapshots."""

    def __init__(self) -> None:
        self._now = Snapshot("")

    def see(self, event: JobEvent) -> Snapshot | None:
        """Return what to show after `event`; None when nothing changes."""
        match event:
            case SceneStarted():
                title = event.scene
                if event.scenes_total > 1:
                    title += f" ({event.index + 1}/{event.scenes_total})"
                self._now = Snapshot(title, 0.0, "starting …")
            case Progress():
                title = self._now.title or event.scene
                # Plays may be rendered side by side; a bar that goes back only puzzles.
                fraction = max(self._now.fraction, _fraction(event))
                self._now = Snapshot(title, fraction, _detail(event))
            case StateChanged(state=JobState.SUCCEEDED) if self._now.title:
                self._now = replace(self._now, fraction=1.0, detail="finishing …")
            case _:
                return None
        return self._now


class Throttle(Generic[_T]):
    """Passes values on at most every `interval_s` seconds; the newest one always gets there."""

    def __init__(self, draw: Callable[[_T], None], interval_s: float = _INTERVAL_S) -> None:
        self._draw = draw
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._due = 0.0
        self._waiting: tuple[_T] | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def put(self, value: _T) -> None:
        """Draw `value` now, or when it is time unless a newer one comes."""
        with self._lock:
            self._waiting = (value,)
            if self._timer is None:
                self._draw_or_wait()

    def close(self) -> None:
        """Draw nothing any more, once this has returned."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _draw_or_wait(self) -> None:
        delay = self._due - time.monotonic()
        if delay > 0:
            self._timer = threading.Timer(delay, self._wake)
            self._timer.daemon = True
            self._timer.start()
        elif self._waiting is not None and not self._closed:
            (value,) = self._waiting
            self._waiting = None
            self._draw(value)
            self._due = time.monotonic() + self._interval_s

    def _wake(self) -> None:
        with self._lock:
            self._timer = None
            self._draw_or_wait()


class QuietView:
    """Shows nothing until the result; with `place`, the result goes there."""

    def __init__(self, place: Place | None = None) -> None:
        self._place = place

    def say(self, text: str) -> None:
        """Show nothing."""

    def show(self, event: JobEvent) -> None:
        """Show nothing."""

    def close(self, bundle: Bundle | None) -> None:
        """Display `bundle`."""
        if self._place is not None:
            self._place.replace(bundle)
        elif bundle is not None:
            publish(bundle)


class TerminalView:
    """A bar of rich's on standard output, which is gone when the job is over."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._tracker = Tracker()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", style="dim"),
            console=Console(),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, detail="")
        self._bar.start()

    def say(self, text: str) -> None:
        """Show `text` beside the bar."""
        self._bar.update(self._task, detail=text)

    def show(self, event: JobEvent) -> None:
        """Move the bar."""
        if now := self._tracker.see(event):
            self._bar.update(
                self._task, description=now.title, completed=now.fraction, detail=now.detail
            )

    def close(self, bundle: Bundle | None) -> None:
        """Remove the bar and print the text of `bundle`."""
        self._bar.stop()
        if bundle is not None:
            publish(bundle)


class WidgetView:
    """A bar and a line of ipywidgets in the output of a cell.

    The widgets appear with the first progress; a job that is answered at once has none.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tracker = Tracker()
        self._widgets: _Widgets | None = None
        self._throttle = Throttle(self._draw)

    def say(self, text: str) -> None:
        """Show `text`, unless there is a bar already."""
        if self._widgets is None:
            self._place.replace(message(text))

    def show(self, event: JobEvent) -> None:
        """Move the bar."""
        if now := self._tracker.see(event):
            self._throttle.put(now)

    def close(self, bundle: Bundle | None) -> None:
        """Put `bundle` in place of the bar and close the widgets."""
        self._throttle.close()
        self._place.replace(bundle)
        if self._widgets is not None:
            self._widgets.close()

    def _draw(self, now: Snapshot) -> None:
        if self._widgets is None:
            self._widgets = _Widgets()
            self._place.replace(self._widgets.bundle(now.title))
        self._widgets.draw(now)


class _Widgets:
    def __init__(self) -> None:
        from ipywidgets import (
            HTML,
            FloatProgress,
            HBox,
            Label,
            Layout,
            VBox,
        )

        self._title = Label()
        self._bar = FloatProgress(max=1.0, layout=Layout(width="20em"))
        self._percent = Label()
        self._detail = HTML()
        self._row = HBox([self._title, self._bar, self._percent])
        self._box = VBox([self._row, self._detail])

    def bundle(self, title: str) -> Bundle:
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        return {"text/plain": f"Rendering {title} …", _WIDGET_MIME: view}, {}

    def draw(self, now: Snapshot) -> None:
        self._title.value = now.title
        self._bar.value = now.fraction
        self._percent.value = f"{now.fraction:.0%}"
        self._detail.value = message(now.detail)[0]["text/html"]

    def close(self) -> None:
        for widget in (self._title, self._bar, self._percent, self._detail, self._row, self._box):
            # The layout and style are widgets too, which nobody else closes.
            for part in (widget.layout, getattr(widget, "style", None)):
                if part is not None:
                    part.close()
            widget.close()


def _fraction(event: Progress) -> float:
    within = event.frame / event.frames if event.frames else 1.0
    done = max(event.play - 1, 0) + min(within, 1.0)
    if event.plays_total:
        return min(done / event.plays_total, 1.0)
    # The number of plays is not known: approach the end without getting there.
    return done / (done + 3)


def _detail(event: Progress) -> str:
    total = f"/{event.plays_total}" if event.plays_total else ""
    parts = [f"play {event.play}{total}", event.name, f"frame {event.frame}/{event.frames}"]
    if event.fps > 0:
        parts.append(f"{event.fps:.0f} frames/s")
    if event.eta_s is not None and event.eta_s >= 1:
        parts.append(f"{_duration(event.eta_s)} left")
    return " · ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
