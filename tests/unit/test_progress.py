"""What moves while a job runs."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest
from ipywidgets.widgets.widget import _instances

from manim_daemon.protocol import JobState, Progress, SceneStarted, StateChanged
from manim_kernel_ext.show.display import message
from manim_kernel_ext.show.place import Place
from manim_kernel_ext.show.progress import (
    QuietView,
    Snapshot,
    TerminalView,
    Throttle,
    Tracker,
    WidgetView,
)

if TYPE_CHECKING:
    from tests.unit.conftest import Outputs

WIDGET = "application/vnd.jupyter.widget-view+json"
RESULT = message("the result")


def progress(play: int = 1, frame: int = 5, plays_total: int | None = 4) -> Progress:
    return Progress(
        scene="Demo",
        play=play,
        plays_total=plays_total,
        name="Create(Square)",
        frame=frame,
        frames=10,
        fps=24.4,
        eta_s=75.0,
    )


def test_the_bar_counts_plays_and_the_frames_within_a_play() -> None:
    """With 4 plays, half of the second one done is 3 eighths of the scene."""
    tracker = Tracker()
    assert tracker.see(SceneStarted("Demo", 0, 1, 4)) == Snapshot("Demo", 0.0, "starting …")
    now = tracker.see(progress(play=2))
    assert now is not None
    assert now.fraction == pytest.approx(0.375)
    assert now.detail == ("play 2/4 · Create(Square) · frame 5/10 · 24 frames/s · 1 min 15 s left")


def test_the_bar_of_a_scene_of_unknown_length_advances_and_never_ends() -> None:
    """Without a number of plays the bar grows with each play and stays below its end."""
    tracker = Tracker()
    tracker.see(SceneStarted("Demo", 0, 1))
    seen = [tracker.see(progress(play, 10, None)) for play in range(1, 100)]
    fractions = [now.fraction for now in seen if now]
    assert fractions == sorted(set(fractions))
    assert 0.9 < fractions[-1] < 1.0


def test_the_bar_never_goes_back_within_a_scene() -> None:
    """An event of an earlier play moves the line, not the bar."""
    tracker = Tracker()
    tracker.see(progress(play=3))
    now = tracker.see(progress(play=1))
    assert now is not None
    assert now.fraction == pytest.approx(0.625)
    assert now.detail.startswith("play 1/4")


def test_the_next_scene_starts_a_new_bar_and_is_counted() -> None:
    """Each scene starts at nothing; of several, the title says which."""
    tracker = Tracker()
    tracker.see(progress(play=4))
    assert tracker.see(SceneStarted("Next", 1, 3)) == Snapshot("Next (2/3)", 0.0, "starting …")


def test_a_job_that_succeeded_fills_the_bar() -> None:
    """When the job is done the bar is full while the files are fetched."""
    tracker = Tracker()
    tracker.see(progress())
    now = tracker.see(StateChanged(JobState.SUCCEEDED))
    assert now == Snapshot("Demo", 1.0, "finishing …")


def test_values_that_come_fast_are_dropped_but_not_the_last() -> None:
    """Of many values at once the first is drawn at once, and the newest when it is time."""
    drawn: list[int] = []
    last = threading.Event()

    def draw(value: int) -> None:
        drawn.append(value)
        if value == 99:
            last.set()

    throttle = Throttle(draw, interval_s=0.05)
    for value in range(100):
        throttle.put(value)
    assert last.wait(10)
    assert drawn[0] == 0
    assert len(drawn) < 100


def test_values_are_drawn_no_faster_than_the_interval() -> None:
    """Between two drawings there is at least the interval."""
    times: list[float] = []
    throttle: Throttle[None] = Throttle(lambda _: times.append(time.monotonic()), interval_s=0.02)
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        throttle.put(None)
    throttle.close()
    assert len(times) > 2
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.02


def test_a_closed_throttle_draws_nothing_any_more() -> None:
    """After close, a value that still waited is not drawn."""
    drawn: list[int] = []
    throttle = Throttle(drawn.append, interval_s=0.05)
    throttle.put(1)
    throttle.put(2)
    timer = throttle._timer
    throttle.close()
    throttle.put(3)
    assert timer is not None
    timer.join(10)
    assert drawn == [1]


def test_the_result_takes_the_place_of_the_widgets(outputs: Outputs) -> None:
    """In a notebook first a line, then the widgets, then the result are the one output."""
    view = WidgetView(Place(message("Rendering …")))
    assert outputs.bundles == [message("Rendering …")[0]]
    view.show(SceneStarted("Demo", 0, 1, 4))
    view.show(progress())
    assert set(outputs.bundles[0]) == {"text/plain", WIDGET}
    view.close(RESULT)
    assert outputs.bundles == [RESULT[0]]


def test_no_widget_is_left_open(outputs: Outputs) -> None:
    """After a render the kernel holds no widget of ours, layouts and styles included."""
    before = set(_instances)
    view = WidgetView(Place(message("Rendering …")))
    view.show(SceneStarted("Demo", 0, 1, 4))
    assert set(_instances) > before
    view.close(RESULT)
    assert set(_instances) == before


def test_a_job_without_progress_makes_no_widget(outputs: Outputs) -> None:
    """A job that is answered at once shows a line and then the result."""
    view = WidgetView(Place(message("Rendering …")))
    view.say("Manim is warming up …")
    view.show(StateChanged(JobState.SUCCEEDED, cached=True))
    view.close(RESULT)
    assert [sorted(data) for data in outputs.history] == [["text/html", "text/plain"]] * 3


def test_a_line_does_not_push_the_widgets_away(outputs: Outputs) -> None:
    """Once there is a bar, it stays until the result."""
    view = WidgetView(Place(message("Rendering …")))
    view.show(SceneStarted("Demo", 0, 1, 4))
    view.say("Rendering …")
    assert WIDGET in outputs.bundles[0]
    view.close(None)
    assert outputs.bundles == [{"text/plain": "", "text/html": ""}]


def test_the_quiet_view_shows_the_result_only(outputs: Outputs) -> None:
    """Without progress, the result is the only output there ever is."""
    view = QuietView()
    view.say("Rendering …")
    view.show(progress())
    view.close(RESULT)
    assert outputs.history == [RESULT[0]]


def test_the_quiet_view_leaves_nothing_after_an_error(outputs: Outputs) -> None:
    """Without a result, the quiet view shows nothing."""
    QuietView().close(None)
    assert outputs.history == []


def test_the_bar_of_a_terminal_is_gone_when_the_result_is_printed(
    outputs: Outputs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal the bar shows scene and play on standard output, and is cleared at the end."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "120")
    view = TerminalView()
    view.show(SceneStarted("Demo", 0, 1, 4))
    view.show(progress())
    view.close(RESULT)
    shown = capsys.readouterr()
    assert "Demo" in shown.out
    assert "play 1/4" in shown.out
    assert shown.out.endswith("\x1b[2K")
    assert shown.err == ""
    assert outputs.history == [RESULT[0]]
