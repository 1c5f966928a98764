"""The magics: what the user types. Loading them imports next to nothing; see `session`."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from manim_kernel_ext.session import Session

__all__ = ["RenderMagics", "load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Add the magics to `shell`; behind it, import the rest and start the daemon."""
    shell.register_magics(RenderMagics(shell))
    # Not a daemon thread: a shell that ends at once waits rather than leave a half-started daemon.
    threading.Thread(target=_warm_up, name="manim-warm-up").start()


def unload(shell: InteractiveShell) -> None:
    """Remove the magics and what they changed in `shell`; the daemon and its jobs go on."""
    magics = shell.magics_manager.registry.pop(RenderMagics.__name__, None)
    if isinstance(magics, RenderMagics):
        magics.close()


@magics_class
class RenderMagics(Magics):
    """The magics of one shell."""

    shell: InteractiveShell

    @functools.cached_property
    def session(self) -> Session:
        """What the magics do and remember."""
        from manim_kernel_ext.session import Session

        return Session(self.shell, self.magics["cell"]["manim_render"])

    def close(self) -> None:
        """Remove the magics and the takeover."""
        self.session.takeover.stop()
        for kind, ours in self.magics.items():
            registered = self.shell.magics_manager.magics[kind]
            for name, magic in ours.items():
                if registered.get(name) == magic:
                    del registered[name]

    @line_cell_magic
    def manim_render(self, line: str, cell: str | None = None) -> None:
        """Render the scene in this cell and show it; ``%manim_render -h`` shows the flags."""
        self.session.render(line, cell)

    @line_magic
    def manim_takeover(self, line: str) -> None:
        """Make ``%%manim`` mean ``%%manim_render``, so that existing notebooks run unchanged.

        Examples:

            %manim_takeover          take the name
            %manim_takeover off      give it back
        """
        self.session.take_over(line)

    @line_magic
    def manim_daemon(self, line: str) -> None:
        """Look at the daemon that renders, start or stop it.

        Examples:

            %manim_daemon            how it is; the same as %manim_daemon status
            %manim_daemon start      it also starts by itself when a cell needs it
            %manim_daemon stop       running jobs are cancelled
            %manim_daemon restart
            %manim_daemon logs       the end of its log
        """
        self.session.daemon(line)

    @line_magic
    def manim_jobs(self, line: str) -> None:
        """Show the newest jobs of the daemon, those of other notebooks and terminals too."""
        self.session.jobs()

    @line_magic
    def manim_cancel(self, line: str) -> None:
        """Cancel a job and every process it started.

        Examples:

            %manim_cancel            the newest one that runs, of this notebook if there is one
            %manim_cancel 3f2a       the job whose id begins so; %manim_jobs shows the ids
        """
        self.session.cancel(line.strip())

    @line_magic
    def manim_wait(self, line: str) -> None:
        """Wait for the renders that were started with ``--background``.

        The error of the first one that failed is raised. Interrupting stops the waiting only.
        """
        self.session.wait()


def _help() -> str:
    from manim_kernel_ext.options import help_text

    return help_text()


# IPython asks for it when somebody writes `%%manim_render?`, and only then.
vars(RenderMagics)["manim_render"].getdoc = _help


def _warm_up() -> None:
    from manim_daemon.client import Client
    from manim_daemon.errors import ManimKernelError

    # Whoever renders will hear what is wrong; loading the extension is not the time for it.
    with contextlib.suppress(ManimKernelError, OSError):
        Client.connect().close()
    # The first cell that renders needs it, and finds it imported.
    importlib.import_module("manim_kernel_ext.session")
