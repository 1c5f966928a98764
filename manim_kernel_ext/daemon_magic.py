"""``%manim_daemon``: the commands of ``manim-kernel daemon`` that make sense in a cell."""

from __future__ import annotations

from collections.abc import Sequence

import click

from manim_daemon.errors import DaemonUnavailable, InvalidRequest
from manim_kernel_ext.commands.daemon import daemon
from manim_kernel_ext.show.tracebacks import Interrupted

__all__ = ["run_daemon_command"]

_NAMES = ("status", "start", "stop", "restart", "logs")


def run_daemon_command(words: Sequence[str]) -> None:
    """Run the command that `words` say and print what it prints.

    Raises ManimKernelError, Interrupted. That no daemon runs is a status like any other.
    """
    name = words[0]
    if name not in _NAMES:
        raise InvalidRequest(
            f"%manim_daemon does not know {name!r}.", f"It knows {', '.join(_NAMES)}."
        )
    try:
        daemon.main(list(words), prog_name="%manim_daemon", standalone_mode=False)
    except click.ClickException as error:
        hint = f"`%manim_daemon {name} --help` shows what there is."
        raise InvalidRequest(error.format_message(), hint) from None
    except click.Abort:
        raise Interrupted("Interrupted.") from None
    except DaemonUnavailable as error:
        if name != "status":
            raise
        print(error)
