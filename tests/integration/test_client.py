"""The library: submit, follow, cancel, fetch, against a real daemon and real Manim."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from manim_daemon import client as client_module
from manim_daemon.client import Client, JobHandle
from manim_daemon.errors import InvalidRequest, JobFailed
from manim_daemon.protocol import (
    Artifact,
    ArtifactKind,
    ErrorKind,
    JobEvent,
    JobState,
    Limits,
    Log,
    Progress,
    Request,
    SceneStarted,
    StateChanged,
)
from manim_daemon.settings import Settings
from tests.rendering import STILL, SWIFT, cell, eventually, scene, worker_processes

pytestmark = pytest.mark.timeout(60)

_LOOP = scene("while True: pass")


def _states(events: list[JobEvent]) -> list[JobState]:
    return [event.state for event in events if isinstance(event, StateChanged)]


def _until_running(events: Iterator[JobEvent]) -> None:
    for event in events:
        if isinstance(event, StateChanged) and event.state is JobState.RUNNING:
            return


def _printed(client: Client, request: Request) -> str:
    job = client.submit(request)
    job.result()
    return client.logs(job.id)


def test_job_says_what_it_does_from_beginning_to_end(client: Client) -> None:
    """States, scene, progress, what was printed, the file, and the end come in order."""
    text = scene("self.play(Create(Square()), run_time=0.4)", "print('drawn')", "self.wait(0.2)")
    events = list(client.submit(cell(text, fresh=True)).events())
    assert _states(events) == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    assert SceneStarted("Demo", 0, 1, plays_total=2) in events
    assert "".join(event.text for event in events if isinstance(event, Log)) == "drawn\n"
    (artifact,) = [event for event in events if isinstance(event, Artifact)]
    assert (artifact.kind, artifact.media_type) == (ArtifactKind.VIDEO, "video/mp4")
    assert (artifact.width, artifact.height, artifact.fps) == (854, 480, 15.0)
    assert artifact.frames == 9
    assert artifact.duration_s == pytest.approx(0.6)
    assert isinstance(events[-1], StateChanged)
    assert set(events[-1].timings_s) == {"load", "render"}
    assert events[-1].elapsed_s > 0


def test_progress_counts_frames_of_each_play(client: Client) -> None:
    """The current play, its name, and frame j of m, up to the last."""
    text = scene("self.play(Create(Square()), run_time=1)", "self.wait(1)")
    events = list(client.submit(cell(text, fresh=True)).events())
    progress = [event for event in events if isinstance(event, Progress)]
    assert {event.play for event in progress} == {1, 2}
    assert {event.plays_total for event in progress} == {2}
    assert all(event.frame <= event.frames == 15 for event in progress)
    assert "Create" in progress[0].name
    assert [event.play for event in progress] == sorted(event.play for event in progress)
    for play in (1, 2):
        frames = [event.frame for event in progress if event.play == play]
        assert frames == sorted(frames)
        assert frames[-1] == 15


def test_fetched_file_is_the_artifact(client: Client, tmp_path: Path) -> None:
    """The content has the artifact's hash and size, and missing folders are made."""
    (artifact,) = client.submit(cell(SWIFT)).result().artifacts
    path = client.fetch(artifact, tmp_path / "new" / "folder" / "demo.mp4")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == artifact.sha256
    assert len(content) == artifact.bytes
    assert content == client.read(artifact)
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_file_that_the_store_has_lost_is_a_clear_error(client: Client, tmp_path: Path) -> None:
    """Nothing is written, and the error says what to do."""
    (artifact,) = client.submit(cell(SWIFT)).result().artifacts
    lost = msgspec.structs.replace(artifact, sha256="0" * 64)
    with pytest.raises(InvalidRequest, match="no longer in the daemon's store"):
        client.fetch(lost, tmp_path / "demo.mp4")
    assert not list(tmp_path.iterdir())


def test_damaged_file_is_noticed_and_mended_by_rendering_again(
    client: Client, warm_daemon: Settings, tmp_path: Path
) -> None:
    """A hash that does not fit is an error that names --fresh; and --fresh helps."""
    request = cell(scene("self.add(Square(color=TEAL))"))
    (artifact,) = client.submit(request).result().artifacts
    store = warm_daemon.cache_dir / "store"
    (stored,) = store.glob(f"*/{artifact.sha256}")
    stored.chmod(0o644)
    stored.write_bytes(bytes(artifact.bytes))
    with pytest.raises(InvalidRequest, match=r"damaged.*\n.*--fresh"):
        client.fetch(artifact, tmp_path / "demo.png")
    assert not list(tmp_path.iterdir())
    (again,) = client.submit(msgspec.structs.replace(request, fresh=True)).result().artifacts
    assert client.read(again)


# The result cache.


def test_identical_request_is_answered_without_rendering(client: Client) -> None:
    """The second time no scene starts, and the artifacts are the same."""
    request = cell(scene("self.add(Square(color=MAROON))"))
    first = client.submit(request).result()
    assert not first.cached
    events = list(client.submit(request).events())
    assert not [event for event in events if isinstance(event, SceneStarted)]
    assert _states(events) == [JobState.QUEUED, JobState.SUCCEEDED]
    assert tuple(event for event in events if isinstance(event, Artifact)) == first.artifacts
    assert client.submit(request).result().cached


def test_stored_result_says_again_what_was_said(client: Client) -> None:
    """The notes and what the scene printed come with the stored result as with the first."""
    request = cell(scene("print('drawn')", f"self.add(Circle(radius={time.time()}))"))
    first, second = client.submit(request), client.submit(request)
    results = [first.result(), second.result()]
    assert [result.cached for result in results] == [False, False]
    third = client.submit(request)
    assert third.result().cached
    assert "no plays" in third.result().notes[0]
    assert client.logs(third.id) == client.logs(first.id) == "drawn\n"


def test_fresh_request_is_rendered_anyway(client: Client) -> None:
    """With `fresh` the scene starts, whatever is stored."""
    client.submit(cell(STILL)).result()
    events = list(client.submit(cell(STILL, fresh=True)).events())
    assert [event for event in events if isinstance(event, SceneStarted)]


def test_failure_is_not_cached(client: Client) -> None:
    """A scene that failed is tried again."""
    for _ in range(2):
        job = client.submit(cell(scene("raise ValueError('no')")))
        started = [event for event in job.events() if isinstance(event, SceneStarted)]
        assert started


def test_result_whose_file_is_gone_is_rendered_again(client: Client, warm_daemon: Settings) -> None:
    """What the store no longer has, or has cut short, is a miss and not an error."""
    request = cell(scene("self.add(Square(color=GOLD))"))
    for damage in (Path.unlink, lambda path: os.truncate(path, 3)):
        (artifact,) = client.submit(request).result().artifacts
        (stored,) = (warm_daemon.cache_dir / "store").glob(f"*/{artifact.sha256}")
        stored.chmod(0o644)
        damage(stored)
        result = client.submit(request).result()
        assert not result.cached
        assert client.read(result.artifacts[0])


# Following and ending.


def test_events_can_be_followed_again_by_another_client(
    client: Client, warm_daemon: Settings
) -> None:
    """A second client sees the whole story of a job, while it runs and after it."""
    text = scene("print('begun')", "self.play(Create(Square()), run_time=1)")
    job = client.submit(cell(text, fresh=True))
    with Client.connect(warm_daemon, start=False) as other:
        seen = [event for event in JobHandle(other, job.id).events() if not _is_progress(event)]
        again = [event for event in JobHandle(other, job.id).events() if not _is_progress(event)]
    assert seen == again == [event for event in job.events() if not _is_progress(event)]


def _is_progress(event: JobEvent) -> bool:
    return isinstance(event, Progress)


def test_two_jobs_of_one_client_can_be_followed_in_any_order(client: Client) -> None:
    """What comes for the one while the other is read is not lost."""
    jobs = [client.submit(cell(SWIFT, fresh=True)) for _ in range(3)]
    for job in reversed(jobs):
        assert _states(list(job.events()))[-1] is JobState.SUCCEEDED


def test_broken_connection_does_not_lose_the_job(
    client: Client, warm_daemon: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is known again after it, the job goes on, and every event arrives once."""
    monkeypatch.setattr(client_module, "_SILENCE_S", 0.5)
    text = scene("import time", "print('begun', flush=True)", "time.sleep(3)", "self.add(Dot())")
    job = client.submit(cell(text, fresh=True))
    events = job.events()
    _until_running(events)
    address = client._connection.address
    with Client.connect(warm_daemon, start=False) as other:
        before = other.status().clients
        client._socket.disconnect(address)

        def is_missed() -> bool:
            # ZeroMQ hangs up only while the socket is used.
            client._socket.poll(0)
            return other.status().clients < before

        eventually(is_missed, "the daemon misses the client")
    client._socket.connect(address)
    rest = list(events)
    assert [event.text for event in rest if isinstance(event, Log)] == ["begun\n"]
    assert _states(rest) == [JobState.SUCCEEDED]


def test_cancelled_job_ends_within_a_second(client: Client) -> None:
    """The final event says cancelled, and no process is left."""
    job = client.submit(cell(_LOOP))
    events = job.events()
    _until_running(events)
    started = time.monotonic()
    job.cancel()
    assert _states(list(events)) == [JobState.CANCELLED]
    assert time.monotonic() - started < 1
    eventually(lambda: not worker_processes(client), "no process is left", within_s=2)
    with pytest.raises(JobFailed, match="cancelled") as caught:
        job.result()
    assert caught.value.failure.kind is ErrorKind.CANCELLED


@contextmanager
def _busy(client: Client) -> Iterator[None]:
    """Keep every slot of the daemon taken."""
    jobs = [client.submit(cell(_LOOP)) for _ in range(client.status().slots)]
    eventually(lambda: client.status().running == len(jobs), "all slots are taken")
    yield
    for job in jobs:
        job.cancel()
    eventually(lambda: client.status().running == 0, "all slots are free")


def test_waiting_job_can_be_cancelled(client: Client) -> None:
    """It never starts."""
    with _busy(client):
        job = client.submit(cell(SWIFT, fresh=True))
        assert client.job(job.id).state is JobState.QUEUED
        assert client.status().queued == 1
        job.cancel()
        assert _states(list(job.events())) == [JobState.QUEUED, JobState.CANCELLED]


def test_stored_result_is_shown_although_every_slot_is_taken(client: Client) -> None:
    """What needs no worker does not wait for one."""
    client.submit(cell(STILL)).result()
    with _busy(client):
        assert client.submit(cell(STILL)).result().cached


def test_job_that_is_over_cannot_be_cancelled(client: Client) -> None:
    """The error says that there is nothing to cancel."""
    job = client.submit(cell(STILL))
    job.result()
    with pytest.raises(InvalidRequest, match="over already"):
        job.cancel()


# The record.


def test_jobs_are_listed_newest_first(client: Client) -> None:
    """Each with its state, its scenes, where it came from and why it failed."""
    good = client.submit(cell(STILL, fresh=True))
    result = good.result()
    bad = client.submit(cell(scene("1/0")))
    with pytest.raises(JobFailed):
        bad.result()
    newest, before = client.jobs(2)
    assert (newest.id, newest.state) == (bad.id, JobState.FAILED)
    assert newest.error is not None
    assert newest.error.exception == "ZeroDivisionError"
    assert (before.id, before.state, before.label) == (good.id, JobState.SUCCEEDED, "Cell In[1]")
    assert (before.scenes, before.artifacts) == (("Demo",), result.artifacts)
    assert before.elapsed_s == pytest.approx(result.elapsed_s)
    assert abs(before.created_at - time.time()) < 60


def test_job_is_found_by_the_beginning_of_its_id(client: Client) -> None:
    """An unknown or ambiguous beginning is an error that says so."""
    job = client.submit(cell(STILL))
    job.result()
    assert client.job(job.id) == client.job(job.id[:11])
    with pytest.raises(InvalidRequest, match="No job begins with 'zz'"):
        client.job("zz")
    client.submit(cell(STILL)).result()
    with pytest.raises(InvalidRequest, match="Several jobs"):
        client.job("")


def test_what_a_scene_prints_is_kept(client: Client) -> None:
    """Both streams, in order, letters of any width whole, whatever the pieces they come in."""
    text = scene(
        "import sys",
        "print('first')",
        "print('second', file=sys.stderr, flush=True)",
        "print('x' + 'é' * 100_000)",
    )
    lines = _printed(client, cell(text, fresh=True)).splitlines()
    assert lines[:3] == ["first", "second", "x" + "é" * 100_000]


def test_what_a_scene_prints_is_bounded(client: Client) -> None:
    """Beyond the limit it is left out, and a note in the log says so."""
    text = scene("print('y' * 100_000)", "print('the end')")
    log = _printed(client, cell(text, fresh=True, limits=Limits(log_bytes=1000)))
    assert log.startswith("y" * 1000 + "\n[the rest")
    assert "the end" not in log


def test_example_of_the_documentation_works(
    warm_daemon: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The code in the module's docstring runs as it stands."""
    monkeypatch.setenv("MANIM_KERNEL_HOME", str(warm_daemon.runtime_dir.parent))
    monkeypatch.chdir(tmp_path)
    Path("scene.py").write_text("from manim import *\n\n" + SWIFT)
    assert client_module.__doc__ is not None
    code = dedent(client_module.__doc__.partition("::\n")[2])
    exec(compile(code, "client.py's docstring", "exec"), {})
    assert Path("Demo.mp4").stat().st_size > 0
    assert "12 12" in capsys.readouterr().out
