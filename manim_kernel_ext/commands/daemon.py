"""``manim-kernel daemon``: start, stop and look at the daemon."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque

import click

from manim_daemon.errors import DaemonUnavailable, InvalidRequest
from manim_daemon.protocol import Status
from manim_daemon.settings import Settings
from manim_kernel_ext.commands.report import echo_json, json_option, table

__all__ = ["daemon"]

_WARM_DEADLINE_S = 120.0
_POLL_S = 0.05
_MIB = 1024**2


def _interpreter(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    if found := shutil.which(os.path.expanduser(value)):
        # Not resolved: a virtual environment's python is a link, and knows itself by its place.
        return os.path.abspath(found)
    raise click.BadParameter(f"{value} is not an executable file.", param=option)


python_option = click.option(
    "--python",
    metavar="PATH",
    callback=_interpreter,
    help="The interpreter that has Manim (default: the setting `python`, or this one).",
)
wait_option = click.option("--wait", is_flag=True, help="Return only once Manim is loaded.")


@click.group()
def daemon() -> None:
    """Start, stop and look at the daemon that renders.

    It starts by itself when a notebook or `manim-kernel render` needs it, and stops when idle.

    \b
    Examples:
      manim-kernel daemon start --wait
      manim-kernel daemon status
      manim-kernel daemon logs -n 50
    """


@daemon.command()
@wait_option
@python_option
def start(wait: bool, python: str | None) -> None:
    """Start the daemon in the background, unless it runs.

    \b
    Examples:
      manim-kernel daemon start
      manim-kernel daemon start --wait
      manim-kernel daemon start --python ~/manim/.venv/bin/python
    """
    settings = Settings.load()
    status = _running(settings)
    if status is None:
        _launch(settings, python, wait)
        return
    # An environment has several names for its interpreter: python, python3, python3.12.
    if python is not None and os.path.dirname(python) != os.path.dirname(status.python):
        raise InvalidRequest(
            f"A daemon is running with another interpreter, {status.python}.",
            f"To change it: manim-kernel daemon restart --python {python}",
        )
    if wait:
        status = _wait_until_warm(settings)
    click.echo(f"The daemon runs already (pid {status.pid}).")


@daemon.command()
def stop() -> None:
    """Stop the daemon; running jobs are cancelled.

    \b
    Example:
      manim-kernel daemon stop
    """
    from manim_daemon import launch

    ran = launch.stop(Settings.load())
    click.echo("The daemon is stopped." if ran else "No daemon runs.")


@daemon.command()
@wait_option
@python_option
def restart(wait: bool, python: str | None) -> None:
    """Stop the daemon and start a new one.

    \b
    Examples:
      manim-kernel daemon restart --wait
      manim-kernel daemon restart --python ~/manim/.venv/bin/python
    """
    from manim_daemon import launch

    settings = Settings.load()
    launch.stop(settings)
    _launch(settings, python, wait)


@daemon.command()
@json_option
def status(as_json: bool) -> None:
    """Say how the daemon is: jobs, memory, isolation, store. Exits with 3 when none runs.

    \b
    Examples:
      manim-kernel daemon status
      manim-kernel daemon status --json
    """
    from manim_daemon.client import Client

    with Client.connect(Settings.load(), start=False) as client:
        answer = client.status()
    if as_json:
        echo_json({name: getattr(answer, name) for name in answer.__struct_fields__})
    else:
        click.echo(_describe(answer))


@daemon.command()
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(min=1))
def logs(lines: int) -> None:
    """Print the end of the daemon's own log.

    \b
    Examples:
      manim-kernel daemon logs
      manim-kernel daemon logs -n 20
    """
    path = Settings.load().log_file
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in deque(file, maxlen=lines):
                click.echo(line, nl=False)
    except FileNotFoundError:
        raise InvalidRequest(
            f"There is no log at {path} yet.", "Start a daemon: manim-kernel daemon start"
        ) from None


@daemon.command()
@python_option
def run(python: str | None) -> None:
    """Run the daemon in the foreground, until Ctrl-C; for service managers and containers.

    \b
    Examples:
      manim-kernel daemon run
      manim-kernel daemon run --python ~/manim/.venv/bin/python
    """
    interpreter = python or Settings.load().python or sys.executable
    sys.stdout.flush()
    os.execv(interpreter, [interpreter, "-m", "manim_daemon.server"])


def _running(settings: Settings) -> Status | None:
    from manim_daemon.client import Client

    try:
        with Client.connect(settings, start=False) as client:
            return client.status()
    except DaemonUnavailable:
        return None


def _launch(settings: Settings, python: str | None, wait: bool) -> None:
    from manim_daemon import launch

    started = time.monotonic()
    launch.start(settings, python)
    if not wait:
        click.echo("The daemon is started and loads Manim in the background.")
        return
    status = _wait_until_warm(settings)
    seconds = time.monotonic() - started
    click.echo(
        f"The daemon is warm (pid {status.pid}, Manim {status.manim_version}, {seconds:.1f} s)."
    )


def _wait_until_warm(settings: Settings) -> Status:
    from manim_daemon.client import Client

    deadline = time.monotonic() + _WARM_DEADLINE_S
    with Client.connect(settings, start=False) as client:
        while time.monotonic() < deadline:
            status = client.status()
            if status.warm:
                return status
            # A zygote that ended is started again at once, and later when it ends again.
            if status.last_error and not status.zygotes:
                raise DaemonUnavailable(status.last_error, "See: manim-kernel doctor")
            time.sleep(_POLL_S)
    raise DaemonUnavailable(
        f"The daemon has not loaded Manim within {_WARM_DEADLINE_S:.0f} s.",
        "See: manim-kernel daemon logs",
    )


def _describe(status: Status) -> str:
    state = "warm" if status.warm else status.last_error or "loading Manim"
    lines = [
        f"pid         {status.pid}, up {_duration(status.uptime_s)}, {state}",
        f"version     {status.version}, Manim {status.manim_version or 'not known yet'}",
        f"python      {status.python}",
        f"jobs        {status.running} running, {status.queued} queued, {status.slots} at once",
        f"clients     {status.clients}",
        f"zygotes     {status.zygotes}",
        f"store       {status.store_bytes / _MIB:.1f} MiB in {status.store_files} files",
        "",
        table(
            ("MEMORY", "PID", "RSS MiB", "PSS MiB"),
            [
                (item.name, str(item.pid), f"{item.rss / _MIB:.1f}", f"{item.pss / _MIB:.1f}")
                for item in status.memory
            ],
        ),
        "",
        table(("ISOLATION", "STATE"), list(status.isolation.items())),
    ]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
