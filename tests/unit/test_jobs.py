"""The job log: what was accepted stays known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manim_daemon import jobs
from manim_daemon.jobs import JobLog
from manim_daemon.protocol import (
    Artifact,
    ArtifactKind,
    ErrorKind,
    Failure,
    JobState,
    Request,
    Source,
    TracebackLine,
)

pytestmark = pytest.mark.timeout(60)

_REQUEST = Request(Source("cell.py", "x", "Cell In[5]", 2), scenes=("Demo",))
_ARTIFACT = Artifact("Demo", ArtifactKind.VIDEO, "Demo.mp4", "b" * 64, 7, "video/mp4", 64, 36, 15.0)
_FAILURE = Failure(
    ErrorKind.SCENE_ERROR, "no", "do", "NameError", (TracebackLine("f", 1, "g", "h"),)
)
OpenLog = Callable[[], JobLog]


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[OpenLog]:
    """Open the log, as a daemon does at its start; the one opened before is closed."""
    opened: list[JobLog] = []

    def open_log() -> JobLog:
        while opened:
            opened.pop().close()
        opened.append(JobLog(tmp_path / "state" / "jobs.db"))
        return opened[-1]

    yield open_log
    opened.pop().close()


@pytest.fixture
def log(reopened: OpenLog) -> JobLog:
    return reopened()


def _add(log: JobLog, job: str, *, cache_key: str = "c", now: float = 0.0) -> None:
    log.add(job, f"key of {job}", cache_key, _REQUEST, now)


def test_job_is_waiting_once_it_is_added(log: JobLog) -> None:
    """A new job is queued, with what it is about."""
    _add(log, "0123456789ab", now=12.5)
    (job,) = log.newest(10)
    assert (job.id, job.state, job.created_at) == ("0123456789ab", JobState.QUEUED, 12.5)
    assert (job.scenes, job.label) == (("Demo",), "Cell In[5]")


def test_success_is_kept_whole(log: JobLog, reopened: OpenLog) -> None:
    """Artifacts, time and what was printed are there after a restart."""
    _add(log, "0123456789ab")
    log.set_running("0123456789ab")
    assert log.newest(1)[0].state is JobState.RUNNING
    log.finish(
        "0123456789ab", JobState.SUCCEEDED, elapsed_s=1.5, artifacts=(_ARTIFACT,), log="hi\n"
    )
    log = reopened()
    (job,) = log.newest(1)
    assert (job.state, job.elapsed_s, job.cached) == (JobState.SUCCEEDED, 1.5, False)
    assert (job.artifacts, job.error) == ((_ARTIFACT,), None)
    assert log.log("0123456789ab") == "hi\n"


def test_failure_is_kept_whole(log: JobLog, reopened: OpenLog) -> None:
    """Kind, message, hint and traceback are there after a restart."""
    _add(log, "0123456789ab")
    log.finish("0123456789ab", JobState.FAILED, elapsed_s=0.5, error=_FAILURE)
    (job,) = reopened().newest(1)
    assert (job.state, job.error) == (JobState.FAILED, _FAILURE)
    assert job.scenes == ("Demo",)


def test_scenes_that_were_made_are_named(log: JobLog) -> None:
    """Whoever asked for the only scene there is, sees afterwards which it was."""
    log.add("0123456789ab", "k", "c", Request(Source("scene.py", "x")), 0.0)
    log.finish("0123456789ab", JobState.SUCCEEDED, elapsed_s=1, artifacts=(_ARTIFACT, _ARTIFACT))
    (job,) = log.newest(1)
    assert (job.scenes, job.label) == (("Demo",), "scene.py")


def test_scenes_are_named_while_they_render(log: JobLog) -> None:
    """Each once, in the order they begin, also in a job that fails later."""
    log.add("0123456789ab", "k", "c", Request(Source("scene.py", "x")), 0.0)
    for scene in ("Demo", 'It\'s "two"', "Demo"):
        log.add_scene("0123456789ab", scene)
    log.finish("0123456789ab", JobState.FAILED, elapsed_s=1, error=_FAILURE)
    assert log.newest(1)[0].scenes == ("Demo", 'It\'s "two"')


def test_jobs_left_unfinished_have_failed_with_the_reason(log: JobLog, reopened: OpenLog) -> None:
    """What a crash of the daemon interrupted does not look as if it went on."""
    for job, state in (("a" * 12, "queued"), ("b" * 12, "running"), ("c" * 12, "done")):
        _add(log, job)
        if state == "running":
            log.set_running(job)
        if state == "done":
            log.finish(job, JobState.SUCCEEDED, elapsed_s=1)
    log = reopened()
    log.fail_interrupted()
    states = {job.id[0]: job for job in log.newest(10)}
    assert states["c"].state is JobState.SUCCEEDED
    for name in "ab":
        assert states[name].state is JobState.FAILED
        error = states[name].error
        assert error is not None
        assert "daemon stopped" in error.message
        assert "again" in error.hint


def test_result_is_found_by_its_cache_key(log: JobLog) -> None:
    """The newest success counts; failures are no results."""
    newer = Artifact("Demo", ArtifactKind.VIDEO, "Demo.mp4", "d" * 64, 7, "video/mp4")
    assert log.result_for("c") is None
    for number, (state, artifacts) in enumerate(
        [
            (JobState.SUCCEEDED, (_ARTIFACT,)),
            (JobState.SUCCEEDED, (newer,)),
            (JobState.FAILED, ()),
            (JobState.CANCELLED, ()),
        ]
    ):
        job = f"{number:012x}"
        _add(log, job, now=number)
        log.finish(job, state, elapsed_s=1, artifacts=artifacts)
    _add(log, "f" * 12, now=9)
    found = log.result_for("c")
    assert found is not None
    assert found.artifacts == (newer,)
    assert log.result_for("another") is None


def test_job_is_found_by_the_clients_key(log: JobLog) -> None:
    """A request that is sent twice is one job."""
    _add(log, "0123456789ab")
    assert log.by_key("key of 0123456789ab") == "0123456789ab"
    assert log.by_key("another") is None


def test_newest_jobs_come_first(log: JobLog) -> None:
    """As many as were asked for, newest first."""
    for number in range(5):
        _add(log, f"{number:012x}", now=number)
    assert [job.created_at for job in log.newest(3)] == [4, 3, 2]


def test_job_is_found_by_the_beginning_of_its_id(log: JobLog) -> None:
    """One match is the job; two say that more is needed; letters are taken as they are."""
    for job in ("abc000000000", "abd000000000"):
        _add(log, job)
    assert [job.id for job in log.matching("abc")] == ["abc000000000"]
    assert len(log.matching("ab")) == 2
    assert log.matching("%") == ()
    assert log.matching("_bc") == ()
    assert log.matching("x") == ()
    assert log.log("unknown") == ""


def test_oldest_jobs_are_forgotten(log: JobLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log keeps so many jobs, and no more."""
    monkeypatch.setattr(jobs, "_KEPT_JOBS", 3)
    for number in range(5):
        _add(log, f"{number:012x}", now=number)
    assert [job.created_at for job in log.newest(10)] == [4, 3, 2]


def test_what_was_committed_is_there_after_a_crash(log: JobLog, tmp_path: Path) -> None:
    """Another process reads what was added, although the log was never closed."""
    _add(log, "0123456789ab")
    other = JobLog(tmp_path / "state" / "jobs.db")
    try:
        assert other.by_key("key of 0123456789ab") == "0123456789ab"
    finally:
        other.close()
