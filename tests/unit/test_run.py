"""One job from its submission to its result, without a daemon."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from manim_daemon.errors import JobFailed
from manim_daemon.protocol import (
    ErrorKind,
    Failure,
    JobEvent,
    JobState,
    Log,
    Note,
    Request,
    Source,
    StateChanged,
)
from manim_kernel_ext.run import Background, Task, render
from manim_kernel_ext.show.delivery import Delivery
from manim_kernel_ext.show.display import Bundle
from manim_kernel_ext.show.result import RenderResult
from tests.unit.fake_client import JOB, FakeClient, artifact, succeeded

FAILURE = Failure(ErrorKind.SCENE_ERROR, "division by zero", "", "ZeroDivisionError")


class Recorder:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[JobEvent] = []
        self.closed: list[Bundle | None] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, event: JobEvent) -> None:
        self.shown.append(event)

    def close(self, bundle: Bundle | None) -> None:
        self.closed.append(bundle)


@pytest.fixture
def view() -> Recorder:
    return Recorder()


def task(client: FakeClient, folder: Path) -> Task:
    request = Request(Source("cell.py", "pass"))
    return Task(request, {}, Delivery(folder, embed_limit=100), lambda: client)


def events(*, end: StateChanged | None = None) -> Sequence[JobEvent]:
    return [
        StateChanged(JobState.QUEUED),
        StateChanged(JobState.RUNNING),
        Log("printed\n"),
        Note("Seen."),
        artifact("Demo.mp4"),
        end or succeeded(),
    ]


def test_a_job_that_succeeds_ends_in_its_results(
    tmp_path: Path, view: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The results are returned and shown; what the scene printed went to standard output."""
    client = FakeClient(events())
    (result,) = render(task(client, tmp_path), view)
    assert (result.scene, result.job, result.notes) == ("Demo", JOB, ("Seen.",))
    assert [bundle is not None for bundle in view.closed] == [True]
    assert capsys.readouterr().out == "printed\n"
    assert client.closed


def test_every_event_reaches_the_view(tmp_path: Path, view: Recorder) -> None:
    """The view sees all events, in order."""
    sent = events()
    render(task(FakeClient(sent), tmp_path), view)
    assert view.shown == sent


def test_a_cold_daemon_is_mentioned(tmp_path: Path, view: Recorder) -> None:
    """While Manim is being loaded, the user is told that it is warming up."""
    render(task(FakeClient(events(), warm=False), tmp_path), view)
    assert "warming up" in view.said[0]


def test_a_warm_daemon_is_not_mentioned(tmp_path: Path, view: Recorder) -> None:
    """Once Manim is loaded, nobody hears of it."""
    render(task(FakeClient(events()), tmp_path), view)
    assert view.said == ["Rendering …"]


def test_a_failure_is_raised_and_the_view_left_empty(tmp_path: Path, view: Recorder) -> None:
    """A failed job raises its failure; no bar and no result stay behind."""
    failed: list[JobEvent] = [
        StateChanged(JobState.RUNNING),
        FAILURE,
        StateChanged(JobState.FAILED),
    ]
    with pytest.raises(JobFailed) as caught:
        render(task(FakeClient(failed), tmp_path), view)
    assert caught.value.failure is FAILURE
    assert view.closed == [None]


def test_a_job_cancelled_by_others_says_so(tmp_path: Path, view: Recorder) -> None:
    """A job that somebody else cancelled is a failure of that kind."""
    with pytest.raises(JobFailed) as caught:
        render(task(FakeClient([StateChanged(JobState.CANCELLED)]), tmp_path), view)
    assert caught.value.failure.kind is ErrorKind.CANCELLED


def test_an_interrupt_cancels_the_job(tmp_path: Path, view: Recorder) -> None:
    """An interrupt cancels the job, closes the connection and passes through."""
    client = FakeClient([StateChanged(JobState.RUNNING), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        render(task(client, tmp_path), view)
    assert client.handle.cancelled
    assert client.closed
    assert view.closed == [None]


def test_a_background_render_delivers_its_results(tmp_path: Path, view: Recorder) -> None:
    """In the background the results go to the callback and then into the view."""
    got: list[tuple[RenderResult, ...]] = []
    background = Background()
    background.start(task(FakeClient(events()), tmp_path), view, got.append)
    assert background.wait() == 1
    assert [result.scene for result in got[0]] == ["Demo"]
    assert [bundle is not None for bundle in view.closed] == [True]
    assert background.wait() == 0


def test_a_background_failure_is_shown_in_its_place_and_raised_by_wait(
    tmp_path: Path, view: Recorder
) -> None:
    """A failure in the background takes the place of the result; waiting raises it, once."""
    failed: list[JobEvent] = [FAILURE, StateChanged(JobState.FAILED)]
    background = Background()
    background.start(task(FakeClient(failed), tmp_path), view, lambda _: None)
    with pytest.raises(JobFailed):
        background.wait()
    (shown,) = view.closed
    assert shown is not None
    assert shown[0]["text/plain"] == "ZeroDivisionError: division by zero"
    assert background.wait() == 0


def test_the_newest_background_job_is_known_while_it_runs(tmp_path: Path, view: Recorder) -> None:
    """The job that %manim_cancel means is the newest one that still runs."""
    running, finish = threading.Event(), threading.Event()

    class Waiting(Recorder):
        def say(self, text: str) -> None:
            running.set()
            finish.wait(10)

    background = Background()
    assert background.newest_job() is None
    background.start(task(FakeClient(events()), tmp_path), Waiting(), lambda _: None)
    assert running.wait(10)
    assert background.newest_job() == JOB
    finish.set()
    background.wait()
    assert background.newest_job() is None
