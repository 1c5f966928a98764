"""Scheduling under every order of events: what holds always."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from manim_daemon.protocol import ErrorKind, Failure, Finished, JobState
from manim_daemon.state import (
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


class _Daemon(RuleBasedStateMachine):
    """Whatever happens in whatever order, as an engine would tell it."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = 2
        self.state = DaemonState(self.slots, _GRACE_S)
        self.now = 0.0
        self.submitted: list[str] = []
        self.ended: Counter[str] = Counter()
        self.workers: set[str] = set()
        self.collecting: set[str] = set()
        self.zygote = False

    def tell(self, event: Event) -> None:
        """Hand over an event and carry out the actions, checking that each makes sense."""
        for action in self.state.handle(event):
            match action:
                case StartWorker(job):
                    assert self.zygote
                    assert job not in self.workers | self.collecting
                    assert not self.ended[job]
                    self.workers.add(job)
                case KillWorker(job):
                    assert job in self.workers | self.collecting
                case CollectOutputs(job):
                    assert job not in self.workers | self.collecting
                    self.collecting.add(job)
                case EndJob(job, state, failure):
                    assert job not in self.workers | self.collecting
                    assert (failure is None) == (state is JobState.SUCCEEDED)
                    self.ended[job] += 1

    def some(self, jobs: set[str], data: st.DataObject) -> str | None:
        """Draw one of `jobs`, if there is any."""
        return data.draw(st.sampled_from(sorted(jobs))) if jobs else None

    @rule(client=st.sampled_from("abc"), timeout_s=st.sampled_from([1.0, 10.0]))
    def submit(self, client: str, timeout_s: float) -> None:
        job = f"{client}{len(self.submitted)}"
        self.submitted.append(job)
        self.tell(JobSubmitted(job, client, timeout_s))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if job := self.some(set(self.submitted), data):
            self.tell(JobCancelled(job))

    @rule(client=st.sampled_from("abc"))
    def lose_client(self, client: str) -> None:
        self.tell(ClientLost(client, self.now))

    @rule(client=st.sampled_from("abc"))
    def leave(self, client: str) -> None:
        self.tell(ClientLeft(client))

    @rule(client=st.sampled_from("abc"))
    def see_client(self, client: str) -> None:
        self.tell(ClientSeen(client))

    @rule(seconds=st.sampled_from([0.25, 2.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick(self.now))

    @rule(data=st.data(), done=st.booleans())
    def report(self, data: st.DataObject, done: bool) -> None:
        if job := self.some(self.workers, data):
            self.tell(WorkerReported(job, Finished() if done else _ERROR))

    @rule(data=st.data(), status=st.sampled_from([0, 1, 137, 139]))
    def exit_worker(self, data: st.DataObject, status: int) -> None:
        if job := self.some(self.workers, data):
            self.workers.remove(job)
            self.tell(WorkerExited(job, status))

    @rule(data=st.data(), fails=st.booleans())
    def collect(self, data: st.DataObject, fails: bool) -> None:
        if job := self.some(self.collecting, data):
            self.collecting.remove(job)
            self.tell(OutputsCollected(job, _ERROR if fails else None))

    @rule()
    def lose_zygote(self) -> None:
        if self.zygote:
            self.zygote = False
            self.workers.clear()
            self.tell(ZygoteLost())

    @rule()
    def warm_up(self) -> None:
        if not self.zygote:
            self.zygote = True
            self.tell(ZygoteReady())

    @invariant()
    def slots_are_bound(self) -> None:
        assert len(self.workers | self.collecting) <= self.slots
        assert self.state.running == len(self.workers | self.collecting)

    @invariant()
    def no_job_ends_twice(self) -> None:
        assert not self.ended or max(self.ended.values()) == 1

    @invariant()
    def no_slot_is_idle_while_a_job_waits(self) -> None:
        if self.zygote and self.state.queued:
            assert self.state.running == self.slots

    def teardown(self) -> None:
        """Let everything run out: every job has ended, once."""
        self.warm_up()
        while self.workers or self.collecting:
            for job in sorted(self.workers):
                self.workers.discard(job)
                self.tell(WorkerExited(job, 0))
            for job in sorted(self.collecting):
                self.collecting.discard(job)
                self.tell(OutputsCollected(job))
        assert self.state.idle
        assert self.ended == Counter(self.submitted)


def test_every_job_ends_once_whatever_happens() -> None:
    """At most `slots` jobs run, none is forgotten, and none ends twice, in whatever order."""
    run_state_machine_as_test(
        _Daemon, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
