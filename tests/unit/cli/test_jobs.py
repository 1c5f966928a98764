"""`manim-kernel jobs`, on a job log of two jobs."""

from __future__ import annotations

import pytest

from tests.unit.cli.fake_daemon import (
    JOB,
    Daemon,
    read,
    run,
)

pytestmark = pytest.mark.timeout(30)


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "list")])
def test_jobs_lists_the_newest_jobs(daemon: Daemon, words: tuple[str, ...]) -> None:
    """`jobs` alone is `jobs list`: a table with a line for each job."""
    lines = run(*words).stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(JOB)
    assert "succeeded" in lines[1]
    assert "failed" in lines[2]


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "list")])
def test_jobs_json_has_a_list(daemon: Daemon, words: tuple[str, ...]) -> None:
    """`jobs --json` is one object with the jobs in it, newest first."""
    answer = read(run(*words, "-n", "1", "--json"))
    assert [job["job"] for job in answer["jobs"]] == [JOB]


def test_no_jobs_yet_is_said(daemon: Daemon) -> None:
    """An empty job log is a sentence, not an empty table."""
    daemon.known = ()
    assert "No jobs" in run("jobs").stdout


def test_show_takes_the_beginning_of_an_id(daemon: Daemon) -> None:
    """`jobs show` prints state, files and error of the job that begins so."""
    shown = run("jobs", "show", "ba98").stdout
    for part in ("ba9876543210", "failed", "division by zero", "1 / 0"):
        assert part in shown
    assert "Dots.mp4" in run("jobs", "show", "01").stdout


def test_show_json_has_the_shape_of_a_render(daemon: Daemon) -> None:
    """`jobs show --json` has the fields of `render --json`, and when and whence."""
    answer = read(run("jobs", "show", "ba98", "--json"))
    assert {"job", "state", "cached", "elapsed_s", "artifacts", "error"} <= answer.keys()
    assert answer["error"]["kind"] == "scene_error"
    assert answer["created_at"] == 1.7e9


def test_an_unknown_job_is_a_usage_error(daemon: Daemon) -> None:
    """A job that does not exist exits with 2 and says how to find jobs."""
    result = run("jobs", "show", "feed")
    assert result.exit_code == 2
    assert "feed" in result.stderr
    assert "manim-kernel jobs" in result.stderr


def test_cancel_cancels_the_job_with_its_full_id(daemon: Daemon) -> None:
    """`jobs cancel` resolves the id and says what it did."""
    assert read(run("jobs", "cancel", "01", "--json")) == {"job": JOB, "state": "cancelled"}
    assert daemon.cancelled == [JOB]


def test_logs_prints_what_the_job_printed(daemon: Daemon) -> None:
    """`jobs logs` prints the text as it was; with --json inside an object."""
    assert run("jobs", "logs", "01").stdout == "hello from the scene\n"
    answer = read(run("jobs", "logs", "01", "--json"))
    assert answer == {"job": JOB, "text": "hello from the scene\n"}
