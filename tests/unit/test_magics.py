"""The magics as they are typed, with a client that needs no daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manim_daemon.protocol import (
    ErrorKind,
    Failure,
    Job,
    JobState,
    RenderOptions,
    StateChanged,
    TracebackLine,
)
from manim_kernel_ext import load_ipython_extension, unload_ipython_extension
from manim_kernel_ext.magics import RenderMagics
from manim_kernel_ext.session import Session
from tests.unit.conftest import Outputs
from tests.unit.fake_client import FakeClient, artifact, succeeded

CELL = """\
class Demo(Scene):
    def construct(self):
        self.play(Create(Square()))
"""
FAILURE = Failure(
    ErrorKind.SCENE_ERROR,
    "division by zero",
    exception="ZeroDivisionError",
    traceback=(TracebackLine("Cell In[1]", 4, "construct", "        1 / 0"),),
)
NAMES = {
    "manim_cancel",
    "manim_daemon",
    "manim_jobs",
    "manim_render",
    "manim_takeover",
    "manim_wait",
}


class Notebook:
    """A shell with the magics loaded, whose next job is what `client` plays back."""

    def __init__(self, shell: Any, outputs: Outputs) -> None:
        self.client = FakeClient([artifact("Demo.mp4"), succeeded()])
        self.shell = shell
        self.outputs = outputs
        magics = RenderMagics(shell)
        render = magics.magics["cell"]["manim_render"]
        magics.session = Session(shell, render, lambda: self.client)
        shell.register_magics(magics)
        self.magics = magics

    def run(self, cell: str) -> BaseException | None:
        """Run a cell and return what it raised."""
        result = self.shell.run_cell(cell, store_history=True)
        error: BaseException | None = result.error_in_exec
        return error


@pytest.fixture
def notebook(
    shell: Any, outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Notebook]:
    monkeypatch.setenv("MANIM_KERNEL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shell.starting_dir = str(tmp_path)
    notebook = Notebook(shell, outputs)
    yield notebook
    notebook.magics.close()


def test_a_cell_is_sent_with_its_flags_and_its_place(notebook: Notebook) -> None:
    """The request holds the cell's text, where tracebacks find it, and the flags."""
    assert notebook.run("pass") is None
    assert notebook.run(f"%%manim_render -ql --fresh Demo\n{CELL}") is None
    (request,) = notebook.client.requests
    assert request.entry.text == CELL
    assert (request.entry.label, request.entry.first_line) == ("Cell In[2]", 2)
    assert request.options == RenderOptions(quality="l")
    assert request.scenes == ("Demo",)
    assert request.fresh


def test_the_result_is_displayed_and_bound(notebook: Notebook) -> None:
    """The cell displays its result once; ``_manim`` is the last one and ``_manim_all`` all."""
    notebook.client = FakeClient(
        [artifact("A.mp4", scene="A"), artifact("B.mp4", scene="B"), succeeded()]
    )
    two_scenes = CELL.replace("Demo", "A") + CELL.replace("Demo", "B")
    assert notebook.run(f"%%manim_render A B\n{two_scenes}") is None
    assert len(notebook.outputs.bundles) == 1
    assert notebook.shell.user_ns["_manim"].scene == "B"
    assert [result.scene for result in notebook.shell.user_ns["_manim_all"]] == ["A", "B"]


def test_the_line_magic_renders_a_scene_of_an_earlier_cell(notebook: Notebook) -> None:
    """A scene that a cell under the magic defined can be rendered by name later."""
    assert notebook.run(f"%%manim_render\n{CELL}") is None
    assert notebook.run("%manim_render -qh Demo") is None
    request = notebook.client.requests[1]
    assert request.scenes == ("Demo",)
    assert request.options.quality == "h"


def test_a_failed_scene_raises_its_exception_without_our_frames(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cell raises; what is shown is the user's line and the message."""
    notebook.client = FakeClient([FAILURE, StateChanged(JobState.FAILED)])
    error = notebook.run(f"%%manim_render\n{CELL}")
    assert type(error).__name__ == "ZeroDivisionError"
    assert str(error) == "division by zero"
    shown = capsys.readouterr().out
    assert "construct" in shown
    assert "manim_kernel_ext" not in shown


def test_an_unknown_flag_is_an_error_that_sends_nothing(notebook: Notebook) -> None:
    """A flag that does not exist raises before anything is sent."""
    error = notebook.run(f"%%manim_render --qualty l\n{CELL}")
    assert type(error).__name__ == "InvalidRequest"
    assert "--quality" in str(error)
    assert notebook.client.requests == []


def test_a_syntax_error_points_at_its_line_and_sends_nothing(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    """A syntax error is shown with the cell's line number, and nothing is sent."""
    error = notebook.run("%%manim_render\nclass Demo(Scene):\n    x = = 1\n")
    assert type(error).__name__ == "SyntaxError"
    assert "line \x1b[32m3\x1b[0m" in capsys.readouterr().out
    assert notebook.client.requests == []


def test_an_interrupt_ends_the_cell_as_an_interrupt(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an interrupt the job is cancelled, one line says so, and the next cell works."""
    notebook.client = FakeClient([StateChanged(JobState.RUNNING), KeyboardInterrupt()])
    error = notebook.run(f"%%manim_render\n{CELL}")
    assert isinstance(error, KeyboardInterrupt)
    assert notebook.client.handle.cancelled
    assert capsys.readouterr().out.strip() == "Cancelled."
    notebook.client = FakeClient([artifact("Demo.mp4"), succeeded()])
    assert notebook.run(f"%%manim_render\n{CELL}") is None


def test_a_background_render_is_waited_for(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    """A render in the background is done after %manim_wait, and bound like any other."""
    assert notebook.run(f"%%manim_render --background\n{CELL}") is None
    assert notebook.run("%manim_wait") is None
    assert "1 background render done." in capsys.readouterr().out
    assert notebook.shell.user_ns["_manim"].scene == "Demo"


def test_waiting_raises_what_failed_in_the_background(notebook: Notebook) -> None:
    """%manim_wait stops a run of all cells when a render failed behind them."""
    notebook.client = FakeClient([FAILURE, StateChanged(JobState.FAILED)])
    assert notebook.run(f"%%manim_render --background\n{CELL}") is None
    assert type(notebook.run("%manim_wait")).__name__ == "ZeroDivisionError"
    assert notebook.run("%manim_wait") is None


def test_one_file_for_several_scenes_is_refused_before_rendering(notebook: Notebook) -> None:
    """Saving several scenes under one file name is an error, and nothing is rendered."""
    error = notebook.run(f"%%manim_render -a --save one.mp4\n{CELL}")
    assert "one.mp4" in str(error)
    assert notebook.client.requests == []


def test_takeover_makes_the_other_name_mean_ours(notebook: Notebook) -> None:
    """After %manim_takeover, %%manim renders; after off it is unknown again."""
    assert notebook.run("%manim_takeover") is None
    assert notebook.run(f"%%manim -ql Demo\n{CELL}") is None
    assert len(notebook.client.requests) == 1
    assert notebook.run("%manim_takeover off") is None
    assert notebook.shell.find_cell_magic("manim") is None


def test_takeover_refuses_what_it_does_not_know(notebook: Notebook) -> None:
    """A word other than on and off is an error."""
    assert type(notebook.run("%manim_takeover maybe")).__name__ == "InvalidRequest"


def job(number: int, state: JobState) -> Job:
    return Job(f"{number:012x}", state, ("Demo",), "<Cell>", 1e9, 2.5, cached=False)


def test_jobs_are_a_table(notebook: Notebook) -> None:
    """The newest jobs are shown as text and as HTML, one a row."""
    notebook.client = FakeClient(
        jobs=(job(2, JobState.RUNNING), job(1, JobState.FAILED)),
    )
    assert notebook.run("%manim_jobs") is None
    (data,) = notebook.outputs.bundles
    assert [line.split()[:3] for line in data["text/plain"].splitlines()] == [
        ["Job", "State", "Scenes"],
        ["000000000002", "running", "Demo"],
        ["000000000001", "failed", "Demo"],
    ]
    assert data["text/html"].count("<tr>") == 3
    assert "&lt;Cell&gt;" in data["text/html"]


def test_cancel_without_a_name_means_the_newest_job_that_runs(notebook: Notebook) -> None:
    """Of jobs that are over and jobs that run, the newest one that runs is cancelled."""
    notebook.client = FakeClient(
        jobs=(job(3, JobState.SUCCEEDED), job(2, JobState.QUEUED), job(1, JobState.RUNNING)),
    )
    assert notebook.run("%manim_cancel") is None
    assert notebook.client.cancelled == ["000000000002"]


def test_cancel_takes_the_beginning_of_an_id(notebook: Notebook) -> None:
    """A job can be named by the beginning of its id."""
    notebook.client = FakeClient(jobs=(job(0x0A << 40, JobState.RUNNING),))
    assert notebook.run("%manim_cancel 0a") is None
    assert notebook.client.cancelled == ["0a0000000000"]


def test_cancel_with_nothing_to_cancel_says_so(notebook: Notebook) -> None:
    """Without a running job, cancelling is an error that says so."""
    assert "No job is running" in str(notebook.run("%manim_cancel"))


def test_the_status_without_a_daemon_is_no_error(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    """That no daemon runs is printed; asking does not start one."""
    assert notebook.run("%manim_daemon") is None
    assert "No daemon runs" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["run", "fly", "status --fly"])
def test_daemon_commands_that_do_not_exist_here_are_refused(notebook: Notebook, words: str) -> None:
    """Unknown commands, and the one that would replace the kernel, are errors."""
    assert type(notebook.run(f"%manim_daemon {words}")).__name__ == "InvalidRequest"


@pytest.mark.parametrize("asked", ["%%manim_render?", "%manim_render --help"])
def test_help_has_examples_and_flags(
    notebook: Notebook, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways to ask for help show examples and every flag."""
    assert notebook.run(asked) is None
    shown = capsys.readouterr().out
    assert "%%manim_render -ql" in shown
    assert "--background" in shown


def test_loading_adds_the_magics_and_unloading_removes_them(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unloading leaves no magic, no takeover and no hook behind."""
    monkeypatch.setattr("manim_kernel_ext.magics._warm_up", lambda: None)
    before = {kind: dict(names) for kind, names in shell.magics_manager.magics.items()}
    hooks = list(shell.events.callbacks["pre_execute"])
    load_ipython_extension(shell)
    assert set(shell.magics_manager.magics["line"]) - set(before["line"]) == NAMES
    assert shell.find_cell_magic("manim_render") is not None
    shell.run_line_magic("manim_takeover", "")
    unload_ipython_extension(shell)
    after = {kind: dict(names) for kind, names in shell.magics_manager.magics.items()}
    assert after == before
    assert shell.events.callbacks["pre_execute"] == hooks


def test_loading_imports_nothing_that_takes_time() -> None:
    """The extension itself loads without the client, click, rich, ipywidgets or Manim."""
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell; "
        "before = set(sys.modules); import manim_kernel_ext.magics; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["manim_kernel_ext", "manim_kernel_ext.magics"]
