"""What the daemon decides: who runs, who waits, how a job ends. Pure: no I/O, no clock, no sockets.

`DaemonState.handle` takes an event and returns the actions that the engine carries out.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from manim_daemon import outcomes
from manim_daemon.protocol import ErrorKind, Failure, Finished, JobState, WorkerEvent

__all__ = [
    "Action",
    "ClientLeft",
    "ClientLost",
    "ClientSeen",
    "CollectOutputs",
    "DaemonState",
    "EndJob",
    "Event",
    "JobCancelled",
    "JobSubmitted",
    "KillWorker",
    "OutputsCollected",
    "StartWorker",
    "Tick",
    "WorkerExited",
    "WorkerReported",
    "ZygoteLost",
    "ZygoteReady",
]

MAX_ATTEMPTS = 2
_LAST_WORDS_S = 1.0
"""A worker notices its time limit itself and says where it was; this is how long that may take."""


@dataclass(frozen=True)
class JobSubmitted:
    """A job is committed; `timeout_s` bounds its run."""

    job: str
    client: str
    timeout_s: float


@dataclass(frozen=True)
class JobCancelled:
    """Somebody wants the job to end."""

    job: str


@dataclass(frozen=True)
class ClientSeen:
    """The client is there."""

    client: str


@dataclass(frozen=True)
class ClientLost:
    """The client cannot be reached since `now` (seconds, monotonic)."""

    client: str
    now: float


@dataclass(frozen=True)
class ClientLeft:
    """The client said goodbye."""

    client: str


@dataclass(frozen=True)
class ZygoteReady:
    """Workers can be started."""


@dataclass(frozen=True)
class ZygoteLost:
    """The zygote ended, and with it every worker."""


@dataclass(frozen=True)
class WorkerReported:
    """A worker sent its last word: finished, or a failure."""

    job: str
    event: WorkerEvent


@dataclass(frozen=True)
class WorkerExited:
    """The worker's process tree is gone; `status` is its exit code or 128 + signal."""

    job: str
    status: int


@dataclass(frozen=True)
class OutputsCollected:
    """The job's files are in the store, or `failure` says why not."""

    job: str
    failure: Failure | None = None


@dataclass(frozen=True)
class Tick:
    """Time passes; `now` in seconds, monotonic."""

    now: float


Event = (
    JobSubmitted
    | JobCancelled
    | ClientSeen
    | ClientLost
    | ClientLeft
    | ZygoteReady
    | ZygoteLost
    | WorkerReported
    | WorkerExited
    | OutputsCollected
    | Tick
)


@dataclass(frozen=True)
class StartWorker:
    """Start the job's worker."""

    job: str


@dataclass(frozen=True)
class KillWorker:
    """End the job's process tree."""

    job: str


@dataclass(frozen=True)
class CollectOutputs:
    """Take the job's files into the store."""

    job: str


@dataclass(frozen=True)
class EndJob:
    """Record and announce the job's final state."""

    job: str
    state: JobState
    failure: Failure | None = None


Action = StartWorker | KillWorker | CollectOutputs | EndJob


@dataclass
class _Job:
    client: str
    timeout_s: float
    running: bool = False
    collecting: bool = False
    started_at: float | None = None
    attempts: int = 0
    report: Finished | Failure | None = None
    ending: Failure | None = None
    client_lost_at: float | None = None


@dataclass
class DaemonState:
    """Queues, running jobs and their deadlines.

    At most `slots` jobs run at once. Waiting jobs take turns by client, each client's in order.
    `client_grace_s` is how long a job outlives its client.
    """

    slots: int
    client_grace_s: float
    warm: bool = False
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _queues: OrderedDict[str, deque[str]] = field(default_factory=OrderedDict)

    @property
    def running(self) -> int:
        """How many jobs hold a slot."""
        return sum(job.running for job in self._jobs.values())

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._jobs) - self.running

    @property
    def idle(self) -> bool:
        """True when there is no job."""
        return not self._jobs

    def owners(self) -> set[str]:
        """Return the clients whose jobs have not ended."""
        return {job.client for job in self._jobs.values()}

    def handle(self, event: Event) -> list[Action]:
        """Take `event` into account and return what to do now, in order."""
        match event:
            case JobSubmitted(job, client, timeout_s):
                self._jobs[job] = _Job(client, timeout_s)
                self._enqueue(job, client)
            case JobCancelled(job):
                return self._end_early(job, outcomes.CANCELLED) + self._start_waiting()
            case ClientSeen(client):
                self._mark_client(client, None)
            case ClientLost(client, now):
                self._mark_client(client, now)
            case ClientLeft(client):
                return self._leave(client) + self._start_waiting()
            case ZygoteReady():
                self.warm = True
            case ZygoteLost():
                return self._lose_workers()
            case WorkerReported(job, report):
                if job in self._jobs and isinstance(report, Finished | Failure):
                    self._jobs[job].report = report
            case WorkerExited(job, status):
                return self._worker_gone(job, status) + self._start_waiting()
            case OutputsCollected(job, failure):
                return self._collected(job, failure) + self._start_waiting()
            case Tick(now):
                return self._expire(now) + self._start_waiting()
        return self._start_waiting()

    def _enqueue(self, job: str, client: str) -> None:
        self._queues.setdefault(client, deque()).append(job)

    def _start_waiting(self) -> list[Action]:
        actions: list[Action] = []
        while self.warm and self._queues and self.running < self.slots:
            client, queue = next(iter(self._queues.items()))
            job = queue.popleft()
            # The client goes to the end of the line: round robin.
            del self._queues[client]
            if queue:
                self._queues[client] = queue
            self._jobs[job].running = True
            self._jobs[job].started_at = None
            self._jobs[job].attempts += 1
            actions.append(StartWorker(job))
        return actions

    def _dequeue(self, job: str) -> None:
        client = self._jobs[job].client
        self._queues[client].remove(job)
        if not self._queues[client]:
            del self._queues[client]

    def _mark_client(self, client: str, lost_at: float | None) -> None:
        for job in self._jobs.values():
            if job.client == client and (lost_at is None or job.client_lost_at is None):
                job.client_lost_at = lost_at

    def _leave(self, client: str) -> list[Action]:
        jobs = [name for name, job in self._jobs.items() if job.client == client]
        return [action for name in jobs for action in self._end_early(name, outcomes.CLIENT_GONE)]

    def _end_early(self, name: str, failure: Failure) -> list[Action]:
        job = self._jobs.get(name)
        if job is None or job.ending is not None:
            return []
        job.ending = failure
        if job.running:
            return [KillWorker(name)]
        self._dequeue(name)
        return [self._end(name, _final_state(failure), failure)]

    def _end(self, name: str, state: JobState, failure: Failure | None) -> EndJob:
        del self._jobs[name]
        return EndJob(name, state, failure)

    def _worker_gone(self, name: str, status: int) -> list[Action]:
        job = self._jobs.get(name)
        if job is None:
            return []
        if job.ending is not None:
            return [self._end(name, _final_state(job.ending), job.ending)]
        if isinstance(job.report, Finished):
            job.collecting = True
            return [CollectOutputs(name)]
        failure = job.report or outcomes.crash(status)
        return [self._end(name, JobState.FAILED, failure)]

    def _collected(self, name: str, failure: Failure | None) -> list[Action]:
        job = self._jobs.get(name)
        if job is None:
            return []
        failure = job.ending or failure
        state = _final_state(failure) if failure else JobState.SUCCEEDED
        return [self._end(name, state, failure)]

    def _lose_workers(self) -> list[Action]:
        self.warm = False
        actions: list[Action] = []
        for name, job in list(self._jobs.items()):
            if not job.running or job.collecting:
                continue
            if job.ending or job.report:
                # Its exit will not be told any more, but how it ends is known.
                actions += self._worker_gone(name, 0)
            elif job.attempts >= MAX_ATTEMPTS:
                actions.append(self._end(name, JobState.FAILED, outcomes.LOST_TOO_OFTEN))
            else:
                job.running = False
                self._enqueue(name, job.client)
        return actions

    def _expire(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for name, job in list(self._jobs.items()):
            if job.running and job.started_at is None:
                job.started_at = now
            lost = job.client_lost_at
            if lost is not None and now - lost > self.client_grace_s:
                actions += self._end_early(name, outcomes.CLIENT_GONE)
            elif (
                job.started_at is not None and now - job.started_at > job.timeout_s + _LAST_WORDS_S
            ):
                actions += self._end_early(name, outcomes.timeout(job.timeout_s))
        return actions


def _final_state(failure: Failure) -> JobState:
    return JobState.CANCELLED if failure.kind is ErrorKind.CANCELLED else JobState.FAILED
