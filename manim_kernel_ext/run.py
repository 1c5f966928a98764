"""Drive one job: submit it, show its progress, bring its files; in the cell or behind it."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from manim_daemon.client import Client, JobHandle, JobResult, result_of
from manim_daemon.errors import ManimKernelError
from manim_daemon.protocol import (
    ErrorKind,
    Failure,
    JobEvent,
    JobState,
    Log,
    Request,
    StateChanged,
)
from manim_kernel_ext.show.delivery import Delivery, deliver
from manim_kernel_ext.show.display import Bundle, bundle
from manim_kernel_ext.show.progress import View
from manim_kernel_ext.show.result import RenderResult
from manim_kernel_ext.show.tracebacks import failure_html, failure_text

__all__ = ["Background", "Connect", "Results", "Task", "follow", "render"]

_ACCEPTANCE_S = 10.0
Connect = Callable[[], Client]
Results = tuple[RenderResult, ...]


@dataclass(frozen=True)
class Task:
    """What to render, the files it needs by their SHA-256, and where the results go."""

    request: Request
    files: Mapping[str, Path]
    delivery: Delivery
    connect: Connect


def render(task: Task, view: View) -> Results:
    """Render `task` and leave its results in `view`. Raises ManimKernelError.

    A KeyboardInterrupt cancels the job and passes through.
    """
    try:
        results = _run(task, view, _write, _ignore)
    except BaseException:
        view.close(None)
        raise
    view.close(bundle(results))
    return results


def follow(handle: JobHandle, view: View, echo: Callable[[str], None]) -> JobResult:
    """Show the events of a job until it ends; `echo` takes what the scene prints.

    Raises JobFailed.
    """

    def hear(event: JobEvent) -> None:
        view.show(event)
        match event:
            case Log(text=text):
                echo(text)
            case StateChanged(state=JobState.RUNNING):
                view.say("Rendering …")

    return result_of(handle.id, handle.events(), hear)


class Background:
    """The renders that go on while other cells run."""

    def __init__(self) -> None:
        self._renders: list[_Behind] = []

    def start(self, task: Task, view: View, on_results: Callable[[Results], None]) -> None:
        """Render `task` in a thread of its own; `on_results` is called there."""
        behind = _Behind(task, view, on_results)
        self._renders.append(behind)
        behind.thread.start()

    def newest_job(self) -> str | None:
        """Return the newest job that still runs; one just started is waited for."""
        for one in reversed(self._renders):
            if one.thread.is_alive() and one.accepted.wait(_ACCEPTANCE_S):
                return one.job
        return None

    def wait(self) -> int:
        """Wait until all are done and return how many there were. Raises the first one's error."""
        for behind in self._renders:
            behind.thread.join()
        done, self._renders = self._renders, []
        for behind in done:
            if behind.error is not None:
                raise behind.error
        return len(done)


class _Behind:
    def __init__(self, task: Task, view: View, on_results: Callable[[Results], None]) -> None:
        self.job: str | None = None
        self.accepted = threading.Event()
        self.error: Exception | None = None
        self._task = task
        self._view = view
        self._on_results = on_results
        # What the scene prints belongs to the cell that started it, whichever runs by then.
        self._cell = contextvars.copy_context()
        self.thread = threading.Thread(target=self._work, name="manim-render", daemon=True)

    def _work(self) -> None:
        try:
            results = _run(self._task, self._view, self._echo, self._accepted)
            self._on_results(results)
            self._view.close(bundle(results))
        except Exception as error:
            self.error = error
            self._view.close(_error_bundle(error))

    def _echo(self, text: str) -> None:
        self._cell.run(_write, text)

    def _accepted(self, job: str) -> None:
        self.job = job
        self.accepted.set()


def _run(
    task: Task, view: View, echo: Callable[[str], None], accepted: Callable[[str], None]
) -> Results:
    with task.connect() as client:
        if not client.is_warm():
            view.say("Manim is warming up …")
        handle = client.submit(task.request, task.files)
        accepted(handle.id)
        try:
            job = follow(handle, view, echo)
        except KeyboardInterrupt:
            # A job that is over by now, or a daemon that is gone, is as good as cancelled.
            with contextlib.suppress(ManimKernelError):
                handle.cancel()
            raise
        return deliver(job, client, task.delivery)


def _error_bundle(error: Exception) -> Bundle:
    if isinstance(error, ManimKernelError):
        failure = error.failure
    else:
        failure = Failure(ErrorKind.WORKER_CRASHED, str(error), exception=type(error).__name__)
    return {"text/plain": failure_text(failure), "text/html": failure_html(failure)}, {}


def _write(text: str) -> None:
    sys.stdout.write(text)


def _ignore(_: str) -> None:
    pass
