"""Whatever dies, the job ends once and for a reason, and nothing is left running."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from manim_daemon import launch
from manim_daemon.client import Client, JobHandle
from manim_daemon.errors import JobFailed
from manim_daemon.protocol import (
    Artifact,
    Asset,
    ErrorKind,
    Failure,
    JobEvent,
    JobState,
    Log,
    RenderOptions,
    StateChanged,
)
from manim_daemon.runfile import lock_holder
from manim_daemon.settings import Settings
from tests.homes import private_home
from tests.rendering import STILL, SWIFT, cell, eventually, scene, warm, worker_processes

pytestmark = pytest.mark.timeout(60)

_LOOP = scene("import time", "print('begun', flush=True)", "while True: time.sleep(0.01)")
_SUBMIT_AND_STAY = f"""
import sys
from manim_daemon.client import Client
from manim_daemon.settings import Settings
from tests.rendering import cell
client = Client.connect(Settings.load(), start=False)
job = client.submit(cell({_LOOP!r}))
print(job.id, flush=True)
for event in job.events():
    pass
"""


def _until_begun(events: Iterator[JobEvent]) -> None:
    """Read on until the scene's own code runs."""
    for event in events:
        if isinstance(event, Log):
            return


def _zygote(client: Client) -> psutil.Process:
    (pid,) = (process.pid for process in client.status().memory if process.name == "zygote")
    return psutil.Process(pid)


def _assert_all_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=3)
    assert not alive


@pytest.fixture(scope="module")
def small_daemon() -> Iterator[Settings]:
    """Return the settings of a daemon with one slot, whose store holds nothing for long."""
    with pytest.MonkeyPatch.context() as monkeypatch, private_home(monkeypatch):
        monkeypatch.setenv("MANIM_KERNEL_SLOTS", "1")
        monkeypatch.setenv("MANIM_KERNEL_STORE_BYTES", "1")
        yield Settings.load()


@pytest.fixture
def small(small_daemon: Settings) -> Iterator[Client]:
    """Return a client of the small daemon, which runs and is warm."""
    with Client.connect(small_daemon) as client:
        warm(client)
        yield client


# Clients.


def test_job_whose_client_is_killed_is_cancelled(client: Client, warm_daemon: Settings) -> None:
    """After the grace it is over, the reason is on record, and nothing of it runs on."""
    environment = os.environ | {"MANIM_KERNEL_HOME": str(warm_daemon.runtime_dir.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", _SUBMIT_AND_STAY],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        job = owner.stdout.readline().strip()
        eventually(lambda: client.status().running == 1, "the job runs")
        owner.kill()
    eventually(lambda: client.status().running == 0, "the job is over")
    _assert_went_away(client, job)


def test_job_whose_client_is_closed_is_cancelled_at_once(
    client: Client, warm_daemon: Settings
) -> None:
    """Who says goodbye does not come back: there is no grace."""
    with Client.connect(warm_daemon, start=False) as owner:
        job = owner.submit(cell(_LOOP)).id
        eventually(lambda: client.status().running == 1, "the job runs")
    eventually(lambda: client.status().running == 0, "the job is over", within_s=1.5)
    _assert_went_away(client, job)


def _assert_went_away(client: Client, job: str) -> None:
    over = client.job(job)
    assert over.state is JobState.CANCELLED
    assert over.error is not None
    assert "went away" in over.error.message
    eventually(lambda: not worker_processes(client), "no process is left", within_s=2)


def test_job_outlives_a_follower_that_is_not_its_owner(
    client: Client, warm_daemon: Settings
) -> None:
    """Somebody who merely looks on may leave in the middle of the events."""
    text = scene("print('begun', flush=True)", "self.play(Create(Square()), run_time=20)")
    job = client.submit(cell(text, fresh=True))
    with Client.connect(warm_daemon, start=False) as other:
        _until_begun(JobHandle(other, job.id).events())
    rest = list(job.events())
    assert isinstance(rest[-1], StateChanged)
    assert rest[-1].state is JobState.SUCCEEDED
    assert "Traceback" not in warm_daemon.log_file.read_text(encoding="utf-8")


# The zygote.


def test_job_of_a_killed_zygote_is_rendered_by_the_next(client: Client) -> None:
    """It starts anew, every scene is there once, and nothing of the first attempt runs on."""
    zygote = _zygote(client)
    text = STILL + scene("import time", "print('begun', flush=True)", "time.sleep(1)", name="Slow")
    options = RenderOptions(quality="l", write_all=True)
    job = client.submit(cell(text, options=options, fresh=True))
    events = job.events()
    _until_begun(events)
    processes = zygote.children(recursive=True)
    zygote.kill()
    rest = list(events)
    _assert_all_gone(processes)
    assert [event.scene for event in rest if isinstance(event, Artifact)] == ["Demo", "Slow"]
    states = [event.state for event in rest if isinstance(event, StateChanged)]
    assert states == [JobState.RUNNING, JobState.SUCCEEDED]
    assert _zygote(client) != zygote
    assert "zygote ended unexpectedly" in client.status().last_error


def test_worker_that_is_killed_from_outside_is_the_end_of_its_job(client: Client) -> None:
    """As by the kernel when memory is short; it is not tried again."""
    job = client.submit(cell(_LOOP))
    events = job.events()
    _until_begun(events)
    for process in worker_processes(client):
        process.kill()
    with pytest.raises(JobFailed) as caught:
        job.result()
    assert caught.value.failure.kind is ErrorKind.WORKER_CRASHED
    assert "signal 9" in caught.value.failure.message
    assert client.submit(cell(STILL, fresh=True)).result().artifacts


# The daemon.


def test_killed_daemon_leaves_nothing_running_and_the_reason_on_record(
    small: Client, small_daemon: Settings
) -> None:
    """The client finds the next daemon by itself and hears how its jobs ended."""
    running, waiting = small.submit(cell(_LOOP)), small.submit(cell(SWIFT, fresh=True))
    events, others = running.events(), waiting.events()
    next(others)
    _until_begun(events)
    daemon = psutil.Process(small.status().pid)
    processes = daemon.children(recursive=True)
    assert len(processes) >= 3
    daemon.kill()
    for rest in (list(events), list(others)):
        *_, failure, end = rest
        assert isinstance(failure, Failure)
        assert "daemon stopped while" in failure.message
        assert isinstance(end, StateChanged)
        assert end.state is JobState.FAILED
    _assert_all_gone(processes)
    assert lock_holder(small_daemon) not in (None, daemon.pid)
    assert small.submit(cell(SWIFT)).result().artifacts


def test_stopped_daemon_cancels_its_jobs_and_tells_their_client(
    small: Client, small_daemon: Settings
) -> None:
    """Running and waiting ones end with the reason; the client does not start a new daemon."""
    running, waiting = small.submit(cell(_LOOP)), small.submit(cell(SWIFT, fresh=True))
    events, others = running.events(), waiting.events()
    next(others)
    _until_begun(events)
    processes = psutil.Process(small.status().pid).children(recursive=True)
    os.kill(small.status().pid, signal.SIGTERM)
    for rest in (list(events), list(others)):
        *_, failure, end = rest
        assert isinstance(failure, Failure)
        assert failure.message == "The daemon was stopped."
        assert isinstance(end, StateChanged)
        assert end.state is JobState.CANCELLED
    _assert_all_gone(processes)
    eventually(lambda: lock_holder(small_daemon) is None, "the daemon is gone")
    assert not launch.is_alive(small_daemon)


def test_file_of_a_waiting_job_is_kept_although_the_store_is_full(
    small: Client, tmp_path: Path
) -> None:
    """What makes room at the end of a job does not take the next one's files away."""
    content = os.urandom(1000)
    (tmp_path / "data").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    first = small.submit(cell(scene("import time", "time.sleep(0.5)"), fresh=True))
    text = scene("import os", "print(os.path.getsize('data.bin'))")
    asset = Asset("data.bin", sha256, len(content))
    second = small.submit(cell(text, assets=(asset,), fresh=True), {sha256: tmp_path / "data"})
    first.result()
    second.result()
    assert small.logs(second.id).startswith("1000\n")
    eventually(lambda: small.status().store_files == 1, "only the newest file is left")


def test_full_disk_ends_the_job_and_not_the_daemon(small: Client, small_daemon: Settings) -> None:
    """A folder that cannot be made is a failure with a reason, and the slot is free again."""
    jobs = small_daemon.cache_dir / "jobs"
    eventually(lambda: not any(jobs.iterdir()), "no job's folder is left")
    jobs.rmdir()
    jobs.touch()
    with pytest.raises(JobFailed, match="could not be made"):
        small.submit(cell(STILL, fresh=True)).result()
    jobs.unlink()
    assert small.submit(cell(STILL, fresh=True)).result().artifacts


# The worker's place.


def test_scene_sees_no_secret_and_no_descriptor_of_the_daemons(client: Client) -> None:
    """Its environment, its folders and its open files are its own."""
    text = scene(
        "import os, pathlib",
        "print(sorted(os.environ))",
        "print(b'A_SECRET_TOKEN' in pathlib.Path('/proc/self/environ').read_bytes())",
        "print(len(os.listdir('/proc/self/fd')))",
        "print(os.environ['HOME'] == str(pathlib.Path.cwd().parent))",
        "print(os.environ['TMPDIR'].startswith(os.environ['HOME']))",
        "print(os.read(0, 1))",
    )
    job = client.submit(cell(text, fresh=True))
    job.result()
    names, secret, descriptors, home, temporary, keyboard = client.logs(job.id).splitlines()[:6]
    assert "PATH" in names
    assert "TOKEN" not in names
    assert "MANIM_KERNEL" not in names
    assert secret == "False"
    # Input, output, errors, events, and the listing itself.
    assert int(descriptors) <= 5
    assert (home, temporary, keyboard) == ("True", "True", "b''")


def test_jobs_run_side_by_side_up_to_the_slots(client: Client) -> None:
    """Two run at once and the third waits; each prints into its own log."""
    jobs = [client.submit(cell(_LOOP.replace("begun", f"begun {n}"))) for n in range(3)]
    eventually(
        lambda: [client.logs(job.id) for job in jobs[:2]] == ["begun 0\n", "begun 1\n"],
        "two scenes run",
    )
    status = client.status()
    assert (status.running, status.queued) == (2, 1)
    started = time.monotonic()
    for job in jobs:
        job.cancel()
    eventually(lambda: client.status().running == 0, "all are over", within_s=2)
    assert time.monotonic() - started < 2
