"""What the magics of one shell do, and what they remember from cell to cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manim_daemon.client import Client
from manim_daemon.errors import InvalidRequest
from manim_daemon.settings import Settings
from manim_kernel_ext.daemon_magic import run_daemon_command
from manim_kernel_ext.options import Invocation, help_text, parse_line
from manim_kernel_ext.request import Kernel, Prepared, from_cell
from manim_kernel_ext.request.definitions import Definitions
from manim_kernel_ext.request.statements import Text
from manim_kernel_ext.run import Background, Connect, Results, Task, render
from manim_kernel_ext.show.frontend import Frontend, detect
from manim_kernel_ext.show.jobs_table import jobs_bundle
from manim_kernel_ext.show.place import publish
from manim_kernel_ext.show.showing import delivery_for, view_for
from manim_kernel_ext.show.tracebacks import Interrupted, clean_errors
from manim_kernel_ext.takeover import Takeover

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Session"]

_SHOWN_JOBS = 20


class Session:
    """The state behind the magics. Every method raises errors that IPython shows without frames."""

    def __init__(
        self,
        shell: InteractiveShell,
        render_magic: Callable[..., Any],
        connect: Connect = Client.connect,
    ) -> None:
        self.takeover = Takeover(shell, render_magic)
        self._shell = shell
        self._connect = connect
        self._background = Background()
        self._definitions = Definitions()

    @clean_errors()
    def render(self, line: str, cell: str | None) -> None:
        """Render what `line` and `cell` ask for, and show it."""
        invocation = parse_line(line)
        if invocation.help:
            print(help_text())
            return
        frontend = detect(self._shell)
        delivery = delivery_for(invocation, frontend, cell or "")
        request, files = self._prepare(cell, invocation, frontend)
        task = Task(request, files, delivery, self._connect)
        view = view_for(invocation.display, frontend)
        if invocation.display.background:
            self._background.start(task, view, self._keep)
        else:
            self._keep(render(task, view))

    @clean_errors()
    def take_over(self, line: str) -> None:
        """Take the name ``%%manim``, or give it back."""
        match line.split():
            case [] | ["on"]:
                self.takeover.start()
            case ["off"]:
                self.takeover.stop()
            case _:
                raise InvalidRequest(
                    f"%manim_takeover does not know {line.strip()!r}.",
                    "Write %manim_takeover, or %manim_takeover off.",
                )

    @clean_errors()
    def daemon(self, line: str) -> None:
        """Carry out a command on the daemon and print what it says."""
        run_daemon_command(line.split() or ["status"])

    @clean_errors()
    def jobs(self) -> None:
        """Show the newest jobs."""
        with self._connect() as client:
            publish(jobs_bundle(client.jobs(_SHOWN_JOBS)))

    @clean_errors()
    def cancel(self, job: str) -> None:
        """Cancel the job whose id begins with `job`; empty means the newest one that runs."""
        with self._connect() as client:
            job = job or self._background.newest_job() or _newest_unfinished(client)
            client.cancel(job)
        print(f"Job {job} is cancelled.")

    @clean_errors()
    def wait(self) -> None:
        """Wait for the renders in the background."""
        try:
            count = self._background.wait()
        except KeyboardInterrupt:
            raise Interrupted("Not waiting any more; the renders go on.") from None
        print(f"{count} background render{'' if count == 1 else 's'} done.")

    def _prepare(self, cell: str | None, invocation: Invocation, frontend: Frontend) -> Prepared:
        names = self._shell.user_ns
        # IPython's own counter stands at the next cell in some versions, at this one in others.
        label = f"Cell In[{len(names['In']) - 1}]"
        kernel = Kernel(frontend.folder, names, self._definitions)
        request, files = from_cell(cell, invocation, Settings.load(), kernel, label)
        # What the body of a construct() binds is local to it.
        if cell is not None and request.construct_base is None:
            self._definitions.remember(Text(cell, label, first_line=2), names)
        return request, files

    def _keep(self, results: Results) -> None:
        if results:
            self._shell.user_ns["_manim"] = results[-1]
            self._shell.user_ns["_manim_all"] = results


def _newest_unfinished(client: Client) -> str:
    for job in client.jobs(_SHOWN_JOBS):
        if not job.state.is_final:
            return job.id
    raise InvalidRequest("No job is running.", "%manim_jobs shows the ones that were.")
