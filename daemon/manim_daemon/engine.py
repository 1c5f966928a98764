"""Carry out requests: the one place where decisions, processes, the job log and the store meet.

`submit`, `cancel` and `events` are all that a front door (the ZeroMQ server today) needs; nothing
here knows about sockets to clients.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import Callable, Coroutine

from manim_daemon import state as decisions
from manim_daemon.admission import admitted
from manim_daemon.artifacts import ArtifactStore, StoreError
from manim_daemon.errors import InvalidRequest
from manim_daemon.fingerprint import cache_key, environment_fingerprint
from manim_daemon.history import History, artifact_of, events_of
from manim_daemon.jobs import JobLog
from manim_daemon.protocol import (
    Accepted,
    ErrorKind,
    Failure,
    Finished,
    Job,
    JobEvent,
    JobState,
    Log,
    NeedAssets,
    Note,
    Output,
    Progress,
    Request,
    SceneStarted,
    StateChanged,
    WorkerEvent,
    encode,
)
from manim_daemon.settings import Settings
from manim_daemon.state import DaemonState
from manim_daemon.supervisor import Supervisor
from manim_daemon.zygote_protocol import Spawn

__all__ = ["Engine"]

_TICK_S = 0.25
_KEPT_HISTORIES = 200
_RESTART_DELAYS_S = (0.0, 1.0, 5.0, 15.0, 60.0)

OnEvent = Callable[[str, int, JobEvent], None]


class Engine:
    """The daemon without its sockets. `on_event` hears every event; number 0 is progress."""

    def __init__(self, settings: Settings, on_event: OnEvent, log: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_event = on_event
        self._log = log
        self._state = DaemonState(settings.slots, settings.client_grace_s)
        self._jobs_dir = settings.cache_dir / "jobs"
        self._histories: dict[str, History] = {}
        self._zygote_fingerprint = environment_fingerprint()
        self._failed_starts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.store = ArtifactStore(settings.cache_dir / "store", settings.store_bytes)
        self.jobs = JobLog(settings.state_dir / "jobs.db")
        self.supervisor = Supervisor(self, settings.cache_dir / "tex", log)
        self.manim_version: str | None = None
        self.last_error = ""

    @property
    def state(self) -> DaemonState:
        """The decisions' state, to read."""
        return self._state

    async def start(self) -> None:
        """Begin to warm up and to keep time."""
        shutil.rmtree(self._jobs_dir, ignore_errors=True)
        self._jobs_dir.mkdir(parents=True)
        self.jobs.fail_interrupted()
        await self.supervisor.start()
        self._run(self._tick())

    async def stop(self) -> None:
        """Cancel what runs, end every process, close the job log."""
        for task in self._tasks:
            task.cancel()
        await self.supervisor.stop()
        for job, history in self._histories.items():
            if not history.ended:
                stopped = Failure(ErrorKind.CANCELLED, "The daemon was stopped.")
                self._end(decisions.EndJob(job, JobState.CANCELLED, stopped))
        self.jobs.close()

    def submit(self, client: str, key: str, request: Request) -> Accepted | NeedAssets:
        """Commit `request` as a job of `client`. Raises InvalidRequest.

        The same `key` again is the same job. A result that is already stored ends the job at once.
        """
        if known := self.jobs.by_key(key):
            return Accepted(known)
        request = admitted(request, self._settings)
        missing = tuple(a.sha256 for a in request.assets if not self.store.has(a.sha256))
        if missing:
            return NeedAssets(tuple(dict.fromkeys(missing)))
        self._refresh_environment()
        job = uuid.uuid4().hex[:12]
        # A zygote that could not be replaced yet renders as before the environment changed.
        key_of_result = cache_key(request, self._zygote_fingerprint)
        history = History(request, key_of_result, time.monotonic())
        stored = None if request.fresh else self._stored_result(key_of_result)
        self.jobs.add(job, key, history.cache_key, request, time.time())
        self._remember(job, history)
        self._publish(job, StateChanged(JobState.QUEUED))
        if stored:
            self._end_from_store(job, stored)
        else:
            self._handle(decisions.JobSubmitted(job, client, request.limits.wall_time_s))
        return Accepted(job)

    def cancel(self, job: str) -> None:
        """End a job. Raises InvalidRequest when it is unknown or over."""
        if self.job(job).state.is_final:
            raise InvalidRequest(f"The job {job} is over already.", "There is nothing to cancel.")
        self._handle(decisions.JobCancelled(job))

    def events(self, job: str, after: int) -> list[tuple[int, JobEvent]]:
        """Return the job's numbered events above `after`. Raises InvalidRequest."""
        if history := self._histories.get(job):
            return list(enumerate(history.events[after:], start=after + 1))
        # Only the end is kept for long; whatever the client saw before, this comes after it.
        return list(enumerate(events_of(self.job(job)), start=after + 1))

    def job(self, prefix: str) -> Job:
        """Return the job whose id begins with `prefix`. Raises InvalidRequest."""
        found = self.jobs.matching(prefix)
        if len(found) == 1:
            return found[0]
        what = "Several jobs begin" if found else "No job begins"
        raise InvalidRequest(f"{what} with {prefix!r}.", "`manim-kernel jobs` lists the jobs.")

    def logs(self, prefix: str) -> str:
        """Return what a job printed. Raises InvalidRequest."""
        job = self.job(prefix).id
        history = self._histories.get(job)
        return history.log if history else self.jobs.log(job)

    def client_seen(self, client: str) -> None:
        """The client is there."""
        self._handle(decisions.ClientSeen(client))

    def client_lost(self, client: str) -> None:
        """The client cannot be reached."""
        self._handle(decisions.ClientLost(client, time.monotonic()))

    def client_left(self, client: str) -> None:
        """The client said goodbye."""
        self._handle(decisions.ClientLeft(client))

    # What the supervisor tells.

    def zygote_ready(self, manim_version: str) -> None:
        """The zygote is warm."""
        self._failed_starts = 0
        self.manim_version = manim_version
        self._log(f"warm: Manim {manim_version}")
        self._handle(decisions.ZygoteReady())

    def zygote_lost(self) -> None:
        """The zygote ended unasked: start another, later and later when it keeps failing."""
        self.last_error = "The zygote ended unexpectedly; see the daemon's log."
        self._handle(decisions.ZygoteLost())
        self._run(self._restart_zygote())

    def worker_event(self, job: str, event: WorkerEvent) -> None:
        """A worker said something."""
        history = self._histories[job]
        if isinstance(event, Output):
            history.outputs.append(event)
        elif isinstance(event, Finished | Failure):
            if isinstance(event, Finished):
                history.timings_s.update(event.timings_s)
            self._handle(decisions.WorkerReported(job, event))
        else:
            if isinstance(event, SceneStarted):
                self.jobs.add_scene(job, event.scene)
            self._publish(job, event)

    def worker_log(self, job: str, text: str) -> None:
        """A worker printed something."""
        self._publish(job, Log(text))

    def worker_exited(self, job: str, status: int) -> None:
        """A worker's process tree is gone."""
        self._handle(decisions.WorkerExited(job, status))

    # Carrying out decisions.

    def _handle(self, event: decisions.Event) -> None:
        for action in self._state.handle(event):
            match action:
                case decisions.StartWorker(job):
                    self._try_to_start_worker(job)
                case decisions.KillWorker(job):
                    self.supervisor.kill(job)
                case decisions.CollectOutputs(job):
                    self._run(self._collect(job))
                case decisions.EndJob():
                    self._end(action)

    def _try_to_start_worker(self, job: str) -> None:
        try:
            self._start_worker(job)
        except OSError as error:
            # An asset in the place of another's folder, or a full disk.
            failure = Failure(
                ErrorKind.INVALID_REQUEST,
                f"The job's folder could not be made: {error.strerror}: {error.filename}",
                f"Check the paths of the files it uses, and the room in {self._jobs_dir}.",
            )
            self._handle(decisions.WorkerReported(job, failure))
            self._handle(decisions.WorkerExited(job, 0))

    def _start_worker(self, job: str) -> None:
        history = self._histories[job]
        request = history.request
        assert request is not None
        # What an earlier attempt left is gone with its folder.
        history.outputs.clear()
        folder = self._jobs_dir / job
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "work").mkdir(parents=True, mode=0o700)
        (folder / "out").mkdir()
        (folder / "request.msgpack").write_bytes(encode(request))
        for asset in request.assets:
            self.store.copy_to(asset.sha256, folder / "work" / asset.path)
        self.jobs.set_running(job)
        self._publish(job, StateChanged(JobState.RUNNING))
        limits = request.limits
        spawn = Spawn(
            job=job,
            folder=str(folder),
            tex_cache=str(self._settings.cache_dir / "tex"),
            memory_bytes=limits.memory_bytes,
            output_bytes=limits.output_bytes,
            cpu_time_s=int(limits.wall_time_s * self._settings.slots) + 1,
        )
        self.supervisor.spawn(spawn, limits.log_bytes)

    async def _collect(self, job: str) -> None:
        try:
            failure = await asyncio.to_thread(self._collect_files, job)
        except Exception as error:
            # Whatever it is, the job must end and its slot be free again.
            self.last_error = f"{type(error).__name__}: {error}"
            self._log(f"job {job}: its files could not be taken over: {self.last_error}")
            failure = Failure(
                ErrorKind.WORKER_CRASHED,
                f"The scene's files could not be taken over: {self.last_error}",
                "See `manim-kernel daemon logs`.",
            )
        self._handle(decisions.OutputsCollected(job, failure))

    def _collect_files(self, job: str) -> Failure | None:
        history = self._histories[job]
        assert history.request is not None
        left = history.request.limits.output_bytes
        for output in history.outputs:
            try:
                sha256, size = self.store.take(self._jobs_dir / job / "out", output.path, left)
            except StoreError as error:
                return Failure(
                    ErrorKind.OUTPUT_TOO_LARGE,
                    f"The scene's files could not be taken over: {error}.",
                    "Use a lower quality or a shorter scene; the limit is max_output_bytes.",
                )
            except OSError as error:
                return Failure(
                    ErrorKind.OUTPUT_TOO_LARGE,
                    f"The scene's files could not be stored: {error.strerror}.",
                    f"Make room in {self._settings.cache_dir} and run it again.",
                )
            left -= size
            history.artifacts.append(artifact_of(output, sha256, size))
        return None

    def _end(self, end: decisions.EndJob) -> None:
        job, history = end.job, self._histories[end.job]
        succeeded = end.state is JobState.SUCCEEDED
        artifacts = tuple(history.artifacts) if succeeded else ()
        elapsed_s = time.monotonic() - history.accepted_at
        self.jobs.finish(
            job,
            end.state,
            elapsed_s=elapsed_s,
            artifacts=artifacts,
            error=end.failure,
            notes=history.notes,
            log=history.log,
        )
        for artifact in artifacts:
            self._publish(job, artifact)
        if end.failure:
            self._publish(job, end.failure)
        self._publish(
            job, StateChanged(end.state, elapsed_s=elapsed_s, timings_s=history.timings_s)
        )
        self._forget_request(job)

    def _end_from_store(self, job: str, stored: Job) -> None:
        """End `job` as the one before it ended, with all that was shown and said then."""
        elapsed_s = time.monotonic() - self._histories[job].accepted_at
        log = self.jobs.log(stored.id)
        self.jobs.finish(
            job,
            JobState.SUCCEEDED,
            elapsed_s=elapsed_s,
            artifacts=stored.artifacts,
            cached=True,
            notes=stored.notes,
            log=log,
        )
        for event in (*([Log(log)] if log else ()), *map(Note, stored.notes), *stored.artifacts):
            self._publish(job, event)
        self._publish(job, StateChanged(JobState.SUCCEEDED, cached=True, elapsed_s=elapsed_s))
        self._forget_request(job)

    def _forget_request(self, job: str) -> None:
        history = self._histories[job]
        history.request = None
        history.ended = True
        shutil.rmtree(self._jobs_dir / job, ignore_errors=True)
        self.store.evict({artifact.sha256 for artifact in history.artifacts} | self._due_assets())

    def _due_assets(self) -> set[str]:
        requests = [history.request for history in self._histories.values() if history.request]
        return {asset.sha256 for request in requests for asset in request.assets}

    def _publish(self, job: str, event: JobEvent) -> None:
        if isinstance(event, Progress):
            self._on_event(job, 0, event)
            return
        events = self._histories[job].events
        events.append(event)
        self._on_event(job, len(events), event)

    def _remember(self, job: str, history: History) -> None:
        self._histories[job] = history
        ended = [name for name, known in self._histories.items() if known.ended]
        for name in ended[: max(0, len(ended) - _KEPT_HISTORIES)]:
            del self._histories[name]

    def _stored_result(self, key: str) -> Job | None:
        job = self.jobs.result_for(key)
        if job and all(self.store.has(each.sha256, each.bytes) for each in job.artifacts):
            return job
        return None

    def _refresh_environment(self) -> None:
        """Notice a changed font, TeX or Manim before trusting stored results or the zygote."""
        fingerprint = environment_fingerprint()
        if fingerprint != self._zygote_fingerprint and self._state.idle:
            self._log("the environment changed: starting the zygote anew")
            self._zygote_fingerprint = fingerprint
            self._handle(decisions.ZygoteLost())
            self._run(self._replace_zygote())

    async def _replace_zygote(self) -> None:
        await self.supervisor.stop()
        await self.supervisor.start()

    async def _restart_zygote(self) -> None:
        delays = _RESTART_DELAYS_S
        await asyncio.sleep(delays[min(self._failed_starts, len(delays) - 1)])
        self._failed_starts += 1
        # A change of the environment may have brought a new one in the meantime.
        if self.supervisor.pid is None:
            await self.supervisor.start()

    async def _tick(self) -> None:
        while True:
            self._handle(decisions.Tick(time.monotonic()))
            await asyncio.sleep(_TICK_S)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.last_error = f"{type(error).__name__}: {error}"
            self._log(f"a task failed: {self.last_error}")
