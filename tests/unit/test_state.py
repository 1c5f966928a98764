"""The specification of scheduling: what the daemon decides, event by event."""

from __future__ import annotations

import pytest

from manim_daemon.protocol import ErrorKind, Failure, Finished, JobState, Note
from manim_daemon.state import (
    Action,
    ClientLeft,
    ClientLost,
    ClientSeen,
    CollectOutputs,
    DaemonState,
    EndJob,
    Event,
    JobCancelled,
    JobSubmitted,
    KillWorker,
    OutputsCollected,
    StartWorker,
    Tick,
    WorkerExited,
    WorkerReported,
    ZygoteLost,
    ZygoteReady,
)

pytestmark = pytest.mark.timeout(60)

_GRACE_S = 5.0
_ERROR = Failure(ErrorKind.SCENE_ERROR, "name 'Sqare' is not defined")


def _state(slots: int = 1, *, warm: bool = True) -> DaemonState:
    return DaemonState(slots, _GRACE_S, warm)


def _submitted(job: str, client: str = "anna", timeout_s: float = 10.0) -> JobSubmitted:
    return JobSubmitted(job, client, timeout_s)


def _after(state: DaemonState, *events: Event) -> list[Action]:
    """Handle `events`; return what the last one led to."""
    actions: list[Action] = []
    for event in events:
        actions = state.handle(event)
    return actions


def _only_end(actions: list[Action]) -> EndJob:
    ends = [action for action in actions if isinstance(action, EndJob)]
    assert len(ends) == 1
    return ends[0]


def _failure_of(actions: list[Action]) -> Failure:
    failure = _only_end(actions).failure
    assert failure is not None
    return failure


# Waiting and starting.


def test_job_starts_at_once_when_a_slot_is_free() -> None:
    """A submitted job gets its worker without waiting for a tick."""
    assert _after(_state(), _submitted("a1")) == [StartWorker("a1")]


def test_job_waits_until_the_zygote_is_warm() -> None:
    """Nothing starts before the zygote is ready; then what waits does."""
    state = _state(warm=False)
    assert _after(state, _submitted("a1")) == []
    assert (state.running, state.queued) == (0, 1)
    assert _after(state, ZygoteReady()) == [StartWorker("a1")]


def test_no_more_jobs_run_than_there_are_slots() -> None:
    """The job beyond the slots starts when one before it is gone."""
    state = _state(slots=2)
    for job in ("a1", "a2"):
        assert _after(state, _submitted(job)) == [StartWorker(job)]
    assert _after(state, _submitted("a3")) == []
    assert (state.running, state.queued) == (2, 1)
    reported = WorkerReported("a1", _ERROR)
    actions = _after(state, reported, WorkerExited("a1", 0))
    assert actions == [EndJob("a1", JobState.FAILED, _ERROR), StartWorker("a3")]


def test_slot_is_held_until_the_files_are_taken_over() -> None:
    """The next job starts only when the one before it has left its folder."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("a2"), WorkerReported("a1", Finished()))
    assert _after(state, WorkerExited("a1", 0)) == [CollectOutputs("a1")]
    actions = _after(state, OutputsCollected("a1"))
    assert actions == [EndJob("a1", JobState.SUCCEEDED), StartWorker("a2")]


def test_clients_take_turns() -> None:
    """A client with many jobs does not hold up another; each one's own stay in order."""
    state = _state(warm=False)
    for job in ("a1", "a2", "a3", "b1", "b2", "c1"):
        state.handle(_submitted(job, client=job[0]))
    actions = _after(state, ZygoteReady())
    order = []
    while actions:
        started = actions[-1]
        assert isinstance(started, StartWorker)
        order.append(started.job)
        reported = WorkerReported(started.job, _ERROR)
        actions = [
            action
            for action in _after(state, reported, WorkerExited(started.job, 0))
            if isinstance(action, StartWorker)
        ]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_client_that_comes_later_is_served_next() -> None:
    """A newcomer waits for one job of the client before it, not for all."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("a2"), _submitted("a3"), _submitted("b1", "bela"))
    first = _after(state, JobCancelled("a1"), WorkerExited("a1", 137))
    assert first[-1] == StartWorker("a2")
    second = _after(state, JobCancelled("a2"), WorkerExited("a2", 137))
    assert second[-1] == StartWorker("b1")


# How a job ends.


def test_job_succeeds_once_its_worker_is_gone_and_its_files_are_taken() -> None:
    """Report, exit, collect, end: in this order and no sooner."""
    state = _state()
    assert _after(state, _submitted("a1"), WorkerReported("a1", Finished())) == []
    assert _after(state, WorkerExited("a1", 0)) == [CollectOutputs("a1")]
    assert _after(state, OutputsCollected("a1")) == [EndJob("a1", JobState.SUCCEEDED)]
    assert state.idle


def test_job_fails_with_what_its_worker_reported() -> None:
    """The scene's own error is the job's, whatever the exit status."""
    state = _state()
    actions = _after(state, _submitted("a1"), WorkerReported("a1", _ERROR), WorkerExited("a1", 139))
    assert actions == [EndJob("a1", JobState.FAILED, _ERROR)]


def test_job_fails_when_its_files_cannot_be_taken() -> None:
    """A failure while taking over the files is the job's."""
    state = _state()
    too_large = Failure(ErrorKind.OUTPUT_TOO_LARGE, "too large")
    actions = _after(
        state,
        _submitted("a1"),
        WorkerReported("a1", Finished()),
        WorkerExited("a1", 0),
        OutputsCollected("a1", too_large),
    )
    assert actions == [EndJob("a1", JobState.FAILED, too_large)]


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (0, "exit code 0", "os._exit()"),
        (4, "exit code 4", "os._exit()"),
        (128 + 6, "signal 6", "jobs logs"),
        (128 + 9, "killed (signal 9)", "memory"),
        (128 + 11, "segmentation fault", "compiled library"),
        (128 + 24, "CPU time", "--timeout"),
    ],
)
def test_worker_that_ends_without_a_word_has_crashed(status: int, message: str, hint: str) -> None:
    """The exit status says how it ended, and the hint what to do."""
    failure = _failure_of(_after(_state(), _submitted("a1"), WorkerExited("a1", status)))
    assert failure.kind is ErrorKind.WORKER_CRASHED
    assert message in failure.message
    assert hint in failure.hint


def test_what_is_no_last_word_changes_nothing() -> None:
    """Only a report that the worker is done, or failed, counts as its end."""
    state = _state()
    actions = _after(
        state, _submitted("a1"), WorkerReported("a1", Note("so far")), WorkerExited("a1", 0)
    )
    assert _failure_of(actions).kind is ErrorKind.WORKER_CRASHED


def test_word_about_an_unknown_job_is_passed_over() -> None:
    """What comes late, about a job that is over, harms nothing."""
    state = _state()
    for event in (
        JobCancelled("a1"),
        WorkerReported("a1", Finished()),
        WorkerExited("a1", 0),
        OutputsCollected("a1"),
        ClientLost("anna", 1.0),
        ClientLeft("anna"),
        ClientSeen("anna"),
    ):
        assert state.handle(event) == []


# Cancelling.


def test_cancelling_a_waiting_job_ends_it_at_once() -> None:
    """No worker has to be ended, and the next in line moves up."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("a2"), _submitted("a3"))
    end = _only_end(_after(state, JobCancelled("a2")))
    assert (end.job, end.state) == ("a2", JobState.CANCELLED)
    assert _after(state, JobCancelled("a1"), WorkerExited("a1", 137))[-1] == StartWorker("a3")


def test_cancelling_a_running_job_ends_it_with_its_worker() -> None:
    """The job is cancelled once its process tree is gone, not before."""
    state = _state()
    assert _after(state, _submitted("a1"), JobCancelled("a1")) == [KillWorker("a1")]
    assert state.running == 1
    end = _only_end(_after(state, WorkerExited("a1", 137)))
    assert end.state is JobState.CANCELLED
    assert end.failure is not None
    assert end.failure.kind is ErrorKind.CANCELLED


def test_cancelling_twice_kills_once() -> None:
    """A second wish for the same end changes nothing."""
    state = _state()
    assert _after(state, _submitted("a1"), JobCancelled("a1"), JobCancelled("a1")) == []


def test_cancel_wins_over_a_report_that_crossed_it() -> None:
    """A worker that finished while it was being ended does not undo the cancel."""
    state = _state()
    actions = _after(
        state,
        _submitted("a1"),
        JobCancelled("a1"),
        WorkerReported("a1", Finished()),
        WorkerExited("a1", 0),
    )
    assert _only_end(actions).state is JobState.CANCELLED


def test_cancel_while_files_are_taken_over_still_counts() -> None:
    """The job ends as cancelled when the taking over is done."""
    state = _state()
    _after(state, _submitted("a1"), WorkerReported("a1", Finished()), WorkerExited("a1", 0))
    actions = _after(state, JobCancelled("a1"), OutputsCollected("a1"))
    assert _only_end(actions).state is JobState.CANCELLED


# Time.


def test_job_that_runs_too_long_is_ended() -> None:
    """The limit counts from the first tick that sees the job running.

    A second more is for the worker itself to say where it was.
    """
    state = _state()
    _after(state, _submitted("a1", timeout_s=10), Tick(100.0))
    assert _after(state, Tick(111.0)) == []
    assert _after(state, Tick(111.5)) == [KillWorker("a1")]
    failure = _failure_of(_after(state, WorkerExited("a1", 137)))
    assert failure.kind is ErrorKind.TIMEOUT
    assert "10 seconds" in failure.message
    assert "--timeout" in failure.hint


def test_waiting_does_not_count_as_running() -> None:
    """A job's limit begins when it starts, however long it waited."""
    state = _state()
    _after(state, _submitted("a1", timeout_s=1000), _submitted("a2", timeout_s=10))
    _after(state, Tick(0.0), Tick(500.0), JobCancelled("a1"), WorkerExited("a1", 137))
    assert _after(state, Tick(501.0), Tick(512.0)) == []
    assert _after(state, Tick(512.5)) == [KillWorker("a2")]


# Clients that go away.


def test_client_that_stays_away_loses_its_jobs() -> None:
    """Once the grace is over, waiting and running jobs are cancelled, and the reason is said."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("a2"), _submitted("b1", "bela"))
    _after(state, ClientLost("anna", 100.0))
    assert _after(state, Tick(100.0 + _GRACE_S)) == []
    actions = _after(state, Tick(100.5 + _GRACE_S))
    assert actions[0] == KillWorker("a1")
    assert _only_end(actions).job == "a2"
    failure = _failure_of(_after(state, WorkerExited("a1", 137)))
    assert failure.kind is ErrorKind.CANCELLED
    assert "went away" in failure.message


def test_client_that_comes_back_keeps_its_jobs() -> None:
    """Seen again within the grace, nothing is cancelled."""
    state = _state()
    _after(state, _submitted("a1"), ClientLost("anna", 100.0), Tick(103.0), ClientSeen("anna"))
    assert _after(state, Tick(200.0), Tick(201.0)) == []


def test_grace_counts_from_the_first_loss() -> None:
    """That a client is missed again and again does not put its end off."""
    state = _state()
    _after(state, _submitted("a1"), ClientLost("anna", 100.0), ClientLost("anna", 104.0))
    assert _after(state, Tick(100.5 + _GRACE_S)) == [KillWorker("a1")]


def test_client_that_says_goodbye_loses_its_jobs_at_once() -> None:
    """Waiting and running ones are cancelled without any grace; others' go on."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("a2"), _submitted("b1", "bela"))
    actions = _after(state, ClientLeft("anna"))
    assert actions[0] == KillWorker("a1")
    assert _only_end(actions).job == "a2"
    actions = _after(state, WorkerExited("a1", 137))
    assert _failure_of(actions).kind is ErrorKind.CANCELLED
    assert actions[-1] == StartWorker("b1")


# A zygote that goes away.


def test_job_of_a_lost_zygote_is_tried_again() -> None:
    """It waits for the next zygote and starts anew."""
    state = _state()
    assert _after(state, _submitted("a1"), ZygoteLost()) == []
    assert (state.running, state.queued, state.warm) == (0, 1, False)
    assert _after(state, ZygoteReady()) == [StartWorker("a1")]


def test_job_that_loses_two_zygotes_fails() -> None:
    """A scene that takes the zygote down with it is not tried for ever."""
    state = _state()
    actions = _after(state, _submitted("a1"), ZygoteLost(), ZygoteReady(), ZygoteLost())
    failure = _failure_of(actions)
    assert failure.kind is ErrorKind.WORKER_CRASHED
    assert "twice" in failure.message
    assert "daemon logs" in failure.hint


def test_new_attempt_has_its_whole_time() -> None:
    """The limit of a job that is tried again counts from its second start."""
    state = _state()
    _after(state, _submitted("a1", timeout_s=10), Tick(0.0), Tick(9.0), ZygoteLost())
    assert _after(state, ZygoteReady(), Tick(20.0), Tick(29.0)) == []


def test_job_that_reported_its_error_is_not_tried_again() -> None:
    """The scene's own error stands, although nobody will tell the worker's exit any more."""
    state = _state()
    actions = _after(state, _submitted("a1"), WorkerReported("a1", _ERROR), ZygoteLost())
    assert actions == [EndJob("a1", JobState.FAILED, _ERROR)]


def test_job_that_was_being_ended_ends_with_the_zygote() -> None:
    """A cancelled job is not tried again."""
    state = _state()
    actions = _after(state, _submitted("a1"), JobCancelled("a1"), ZygoteLost())
    assert _only_end(actions).state is JobState.CANCELLED


def test_worker_that_was_done_has_its_files_taken_although_the_zygote_is_lost() -> None:
    """Nobody will report its exit any more, so its report is enough."""
    state = _state()
    actions = _after(state, _submitted("a1"), WorkerReported("a1", Finished()), ZygoteLost())
    assert actions == [CollectOutputs("a1")]
    assert _after(state, OutputsCollected("a1")) == [EndJob("a1", JobState.SUCCEEDED)]


def test_loss_of_the_zygote_does_not_disturb_the_taking_over_of_files() -> None:
    """They are collected once, and the job succeeds."""
    state = _state()
    _after(state, _submitted("a1"), WorkerReported("a1", Finished()), WorkerExited("a1", 0))
    assert _after(state, ZygoteLost()) == []
    assert _after(state, OutputsCollected("a1")) == [EndJob("a1", JobState.SUCCEEDED)]


def test_owners_are_the_clients_with_unfinished_jobs() -> None:
    """A client is an owner from its first job to the end of its last."""
    state = _state()
    _after(state, _submitted("a1"), _submitted("b1", "bela"))
    assert state.owners() == {"anna", "bela"}
    _after(state, JobCancelled("b1"))
    assert state.owners() == {"anna"}
