"""`manim-kernel` as a program, with a real daemon and real Manim."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from manim_daemon import launch
from manim_daemon.client import Client
from manim_daemon.protocol import Job
from manim_daemon.settings import Settings
from tests.rendering import eventually, worker_processes

pytestmark = pytest.mark.timeout(120)

PROGRAM = Path(sys.executable).with_name("manim-kernel")
SCENES = """\
from manim import *


class Grow(Scene):
    def construct(self):
        print("hello from the scene")
        self.play(Create(Square()), run_time=0.2)


class Broken(Scene):
    def construct(self):
        self.add(Dot())
        self.half(0)

    def half(self, number):
        return 1 / number


class Endless(Scene):
    def construct(self):
        print("for ever", flush=True)
        while True:
            self.wait(0.1)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenes.py").write_text(SCENES, encoding="utf-8")
    return tmp_path


@pytest.fixture
def environment(warm_daemon: Settings) -> dict[str, str]:
    """The environment in which the program finds the daemon that tests share."""
    return {**os.environ, "MANIM_KERNEL_HOME": str(warm_daemon.runtime_dir.parent)}


@pytest.fixture
def run(folder: Path, environment: dict[str, str]) -> Run:
    """Run the program in the folder of `scenes.py`."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return _run(words, folder, environment)

    return run


def _run(
    words: tuple[str, ...], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )


def read(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_a_scene_is_rendered_to_a_file_that_is_as_described(run: Run, folder: Path) -> None:
    """`render --json` describes the video that lies at the path it names."""
    done = run("render", "scenes.py", "Grow", "-ql", "--fresh", "--json")
    assert done.returncode == 0, done.stderr
    answer = read(done)
    (artifact,) = answer["artifacts"]
    path = Path(artifact["path"])
    assert (answer["state"], answer["cached"], answer["error"]) == ("succeeded", False, None)
    assert path == folder / "media" / "manim_render" / "Grow.mp4"
    assert artifact["bytes"] == path.stat().st_size
    with av.open(path) as video:
        frames = sum(1 for _ in video.decode(video=0))
    described = (artifact["frames"], artifact["width"], artifact["height"], artifact["fps"])
    assert described == (frames, 854, 480, 15.0)
    assert artifact["duration_s"] == pytest.approx(frames / 15)


def test_the_same_again_is_answered_from_the_cache(run: Run) -> None:
    """An identical command renders nothing, and still writes the file."""
    run("render", "scenes.py", "Grow", "-ql")
    again = read(run("render", "scenes.py", "Grow", "-ql", "--output", "again.mp4", "--json"))
    assert again["cached"] is True
    assert Path(again["artifacts"][0]["path"]).stat().st_size > 0


def test_piped_output_is_the_file_and_the_time(run: Run) -> None:
    """Without a terminal there is no bar; what the scene prints is on standard error."""
    done = run("render", "scenes.py", "Grow", "-ql", "--fresh")
    file, took = done.stdout.splitlines()
    assert file.startswith("media/manim_render/Grow.mp4  3 frames, 0.20 s, 854x480, 15 fps")
    assert took.startswith("Rendered in ")
    assert "hello from the scene" in done.stderr


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end(
    folder: Path, environment: dict[str, str]
) -> None:
    """On a terminal a bar names the scene; the last lines are those of piped output."""
    ours, theirs = pty.openpty()
    words = [str(PROGRAM), "render", "scenes.py", "Grow", "-qm", "--fresh"]
    with subprocess.Popen(
        words,
        cwd=folder,
        env={**environment, "TERM": "xterm", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        screen = _read_terminal(ours)
    assert process.returncode == 0
    assert "━" in screen
    assert "Grow" in screen[: screen.rindex("━")]
    assert "━" not in screen[screen.index("media/manim_render/Grow.mp4") :]


def _read_terminal(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_a_failing_scene_exits_with_1_and_the_users_own_lines(run: Run) -> None:
    """The traceback of a failing scene has the file's own lines and no others."""
    done = run("render", "scenes.py", "Broken", "-ql", "--json")
    error = read(done)["error"]
    assert done.returncode == 1
    assert (error["kind"], error["message"]) == ("scene_error", "division by zero")
    for part in ("scenes.py", "line 13", "self.half(0)", "line 16", "return 1 / number"):
        assert part in error["traceback"]
    assert "site-packages" not in error["traceback"]
    assert "manim_daemon" not in error["traceback"]


def test_a_syntax_error_exits_with_1_and_its_place(run: Run, folder: Path) -> None:
    """A syntax error is shown with its line and the source."""
    (folder / "typo.py").write_text("from manim import *\n\nclass Dots(Scene:\n    pass\n")
    done = run("render", "typo.py")
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert "typo.py" in done.stderr
    assert "class Dots(Scene:" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("render", "scenes.py", "--formet", "gif"), ("--formet", "--format")),
        (("render", "scenes.py", "Grow", "--fps", "0"), ("frame rate",)),
        (("render", "nowhere.py"), ("nowhere.py",)),
        (("render", "scenes.py", "Nonesuch"), ("Nonesuch", "Grow", "Broken", "Endless")),
        (("render", "scenes.py"), ("Grow", "Broken", "Endless")),
        (("jobs", "show", "zzz"), ("zzz", "manim-kernel jobs")),
    ],
    ids=lambda value: " ".join(value) if "render" in value or "jobs" in value else "",
)
def test_a_wrong_command_exits_with_2_and_says_what_is_right(
    run: Run, words: tuple[str, ...], says: tuple[str, ...]
) -> None:
    """A usage error exits with 2, names what is wrong, and what there is instead."""
    done = run(*words)
    assert done.returncode == 2
    for part in says:
        assert part in done.stderr


@pytest.fixture
def endless(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The program, told to render a scene that does not end."""
    with subprocess.Popen(
        [PROGRAM, "render", "scenes.py", "Endless", "-ql", "--fresh", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _await_print(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline() == "for ever\n"


def test_ctrl_c_exits_with_130_and_leaves_nothing(
    endless: subprocess.Popen[str], client: Client
) -> None:
    """Ctrl-C ends the program and the job's whole process tree within a second or two."""
    _await_print(endless)
    assert worker_processes(client)
    endless.send_signal(signal.SIGINT)
    eventually(lambda: not worker_processes(client), "no process is left", within_s=2)
    answer = json.loads(endless.communicate(timeout=2)[0])
    assert endless.returncode == 130
    assert (answer["state"], answer["error"]["kind"]) == ("cancelled", "cancelled")
    assert client.job(answer["job"]).state == "cancelled"


def test_ctrl_c_just_when_the_job_is_accepted_cancels_it(
    endless: subprocess.Popen[str], client: Client
) -> None:
    """Ctrl-C before the program knows its job's id does not leave the job behind."""

    def unfinished() -> list[Job]:
        return [job for job in client.jobs() if not job.state.is_final]

    eventually(lambda: bool(unfinished()), "the job is accepted", within_s=30)
    endless.send_signal(signal.SIGINT)
    eventually(lambda: not unfinished(), "the job is over", within_s=2)
    endless.communicate(timeout=2)
    assert endless.returncode == 130
    assert client.jobs(1)[0].state == "cancelled"


def test_jobs_shows_what_was_rendered(run: Run) -> None:
    """A job is in the list, can be shown by the beginning of its id, and its prints are kept."""
    job = read(run("render", "scenes.py", "Grow", "-ql", "--fresh", "--json"))["job"]
    assert job in [one["job"] for one in read(run("jobs", "--json"))["jobs"]]
    shown = read(run("jobs", "show", job[:8], "--json"))
    assert (shown["job"], shown["state"], shown["label"]) == (job, "succeeded", "scenes.py")
    assert shown["artifacts"][0]["frames"] == 3
    assert run("jobs", "logs", job).stdout == "hello from the scene\n"


def test_jobs_cancel_ends_the_job_of_another_terminal(
    run: Run, endless: subprocess.Popen[str]
) -> None:
    """`jobs cancel` ends a job that another program waits for; that one exits with 130."""
    _await_print(endless)
    jobs = read(run("jobs", "--json"))["jobs"]
    (job,) = [one["job"] for one in jobs if one["state"] == "running"]
    done = run("jobs", "cancel", job)
    assert done.returncode == 0, done.stderr
    answer = json.loads(endless.communicate(timeout=5)[0])
    assert endless.returncode == 130
    assert (answer["job"], answer["state"]) == (job, "cancelled")


def test_status_has_every_documented_field(run: Run, warm_daemon: Settings) -> None:
    """`daemon status --json` describes the daemon and the processes that really run."""
    answer = read(run("daemon", "status", "--json"))
    documented = {"pid", "version", "uptime_s", "zygotes", "running", "queued", "store_bytes"}
    assert documented <= answer.keys()
    assert answer["isolation"]
    assert {"daemon", "zygote"} <= {process["name"] for process in answer["memory"]}
    for process in answer["memory"]:
        assert psutil.pid_exists(process["pid"])
        assert 0 < process["pss"] <= process["rss"]


def test_doctor_sees_the_running_daemon(run: Run) -> None:
    """`doctor` finds the daemon warm and reports each isolation layer."""
    done = run("doctor", "--json")
    checks = {check["name"]: check for check in read(done)["checks"]}
    assert done.returncode == 0, done.stdout
    assert checks["Daemon"]["state"] == checks["Manim"]["state"] == "ok"
    assert any(name.startswith("Isolation: ") for name in checks)
    assert all(check["action"] for check in checks.values() if check["state"] != "ok")


def test_a_daemon_without_manim_exits_with_3(folder: Path, daemon_home: Path) -> None:
    """Where the daemon's interpreter has no Manim, the message says what to install."""
    python = _python_without_manim(folder / "environment")
    done = _run(
        ("render", "scenes.py", "Grow", "--json"),
        folder,
        {**os.environ, "MANIM_KERNEL_PYTHON": str(python)},
    )
    error = read(done)["error"]
    assert done.returncode == 3
    assert error["kind"] == "daemon_unavailable"
    assert f"Manim is not installed in {python}" in error["message"]
    assert "pip install" in error["message"]


def _python_without_manim(folder: Path) -> Path:
    """Return the interpreter of a new environment that has all that this one has but Manim."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name != "manim" and not entry.name.startswith("manim-"):
            (packages / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def test_a_daemon_is_started_restarted_and_stopped(folder: Path, daemon_home: Path) -> None:
    """`start --wait`, `restart` and `stop` do what they say, and no process is left."""

    def pid() -> int:
        return int(read(_run(("daemon", "status", "--json"), folder, dict(os.environ)))["pid"])

    started = _run(("daemon", "start", "--wait"), folder, dict(os.environ))
    assert started.returncode == 0, started.stderr
    first = pid()
    assert "warm" in _run(("daemon", "status"), folder, dict(os.environ)).stdout
    assert _run(("daemon", "restart"), folder, dict(os.environ)).returncode == 0
    second = pid()
    assert first != second
    assert _run(("daemon", "stop"), folder, dict(os.environ)).returncode == 0
    assert _run(("daemon", "status"), folder, dict(os.environ)).returncode == 3
    eventually(lambda: not _lives(first) and not _lives(second), "no process is left")


def _lives(pid: int) -> bool:
    """Return whether the process runs; one that merely was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_run_stays_in_the_foreground_until_it_is_interrupted(daemon_home: Path) -> None:
    """`daemon run` is the daemon itself: it answers, and Ctrl-C ends it with success."""
    settings = Settings.load()
    with subprocess.Popen(
        [PROGRAM, "daemon", "run"], stderr=subprocess.DEVNULL, process_group=0
    ) as process:
        eventually(lambda: launch.is_alive(settings), "the daemon answers", within_s=20)
        with Client.connect(settings, start=False) as client:
            assert client.status().pid == process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert not launch.is_alive(settings)
