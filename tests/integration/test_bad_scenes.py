"""Every way a scene goes wrong ends with its own clear error, leaves nothing, and harms nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from manim_daemon.client import Client
from manim_daemon.errors import JobFailed
from manim_daemon.protocol import ArtifactKind, ErrorKind, Limits, RenderOptions
from manim_daemon.settings import Settings
from tests.rendering import STILL, cell, eventually, scene, worker_processes

pytestmark = pytest.mark.timeout(60)

_SCENE_ERROR = ErrorKind.SCENE_ERROR
_INVALID = ErrorKind.INVALID_REQUEST
_CRASHED = ErrorKind.WORKER_CRASHED


@dataclass(frozen=True)
class Bad:
    """A bad cell and what is said of it; `line` is the last line of the traceback, if any."""

    name: str
    text: str
    kind: ErrorKind
    message: str
    line: int | None = None
    hint: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def _limited(**limits: Any) -> dict[str, Any]:
    return {"limits": Limits(**limits)}


def _optioned(**options: Any) -> dict[str, Any]:
    return {"options": RenderOptions(**({"quality": "l"} | options))}


_CASES = [
    # What is there to render?
    Bad("empty", "", _INVALID, "no scene here", hint="derives from Scene"),
    Bad("no scene", "x = 1", _INVALID, "no scene here", hint="derives from Scene"),
    Bad(
        "two scenes and no name",
        STILL + scene("pass", name="Other"),
        _INVALID,
        "several scenes: Demo, Other",
        hint="Name one, or use -a",
    ),
    Bad(
        "unknown name",
        STILL,
        _INVALID,
        "no scene named Dmeo",
        hint="Did you mean Demo?",
        fields={"scenes": ("Dmeo",)},
    ),
    Bad(
        "name of a function",
        STILL + "def helper(): pass",
        _INVALID,
        "helper is not a scene but a function",
        fields={"scenes": ("helper",)},
    ),
    Bad("syntax error", "x = 1\nclass Demo(Scene)\n    pass", _SCENE_ERROR, "expected ':'", 3),
    Bad(
        "syntax error in the body of construct()",
        "self.wait(\n",
        _SCENE_ERROR,
        "never closed",
        2,
        fields={"construct_base": "Scene"},
    ),
    Bad("unknown base class", "class Demo(Scen):\n    pass", _SCENE_ERROR, "'Scen'", 2),
    # What the scene does wrong.
    Bad("raises", scene("x = 1", "self.play(Create(Sqare()))"), _SCENE_ERROR, "'Sqare'", 5),
    Bad("raises in a function", scene("def f():", "    1/0", "f()"), _SCENE_ERROR, "zero", 5),
    Bad("negative wait", scene("self.wait(-1)"), _SCENE_ERROR, "duration of -1", 4),
    Bad("recursion", scene("def f(): f()", "f()"), _SCENE_ERROR, "recursion", 4, "itself"),
    Bad("missing file", scene("ImageMobject('no.png')"), _SCENE_ERROR, "no.png", 4, "--asset"),
    Bad("missing module", "import no_such\n" + STILL, _SCENE_ERROR, "no_such", 2, "install it"),
    Bad(
        "LaTeX error",
        scene(r"MathTex(r'\foo x^2')"),
        ErrorKind.LATEX_ERROR,
        r"Undefined control sequence",
        4,
        "spelling",
    ),
    Bad(
        "message in four-byte characters",
        scene("raise ValueError('🂡' * 10**5)"),
        _SCENE_ERROR,
        "🂡🂡",
        4,
    ),
    Bad("message that is no text", scene(r"raise ValueError('a\ud800b')"), _SCENE_ERROR, "a?b", 4),
    Bad(
        "error that cannot be shown",
        scene("class Mute(Exception):", "    def __str__(self): 1/0", "raise Mute"),
        _SCENE_ERROR,
        "Mute",
        6,
    ),
    Bad(
        "raises elsewhere in the file system",
        scene("import os", "os.chdir('/')", "raise ValueError('a/b')"),
        _SCENE_ERROR,
        "a/b",
        6,
    ),
    Bad(
        "raises in a folder that it removed",
        scene("import os", "os.mkdir('x')", "os.chdir('x')", "os.rmdir('../x')", "1/0"),
        _SCENE_ERROR,
        "zero",
        8,
    ),
    Bad("keyboard", scene("input('name?')"), _SCENE_ERROR, "EOF", 4, "no keyboard"),
    # How it tries to leave.
    Bad("sys.exit", scene("import sys", "sys.exit(3)"), _SCENE_ERROR, "sys.exit(3)", 5, "remove"),
    Bad("quit", scene("quit()"), _SCENE_ERROR, "sys.exit(None)", 4, "returning"),
    Bad("KeyboardInterrupt", scene("raise KeyboardInterrupt"), _SCENE_ERROR, "", 4, "itself"),
    Bad("os._exit", scene("import os", "os._exit(4)"), _CRASHED, "exit code 4", hint="os._exit"),
    Bad("os._exit(0)", scene("import os", "os._exit(0)"), _CRASHED, "exit code 0", hint="os._exit"),
    Bad("segfault", scene("import ctypes", "ctypes.string_at(0)"), _CRASHED, "segmentation fault"),
    Bad("abort", scene("import os", "os.abort()"), _CRASHED, "signal 6", hint="jobs logs"),
    Bad(
        "kills itself", scene("import os", "os.kill(os.getpid(), 9)"), _CRASHED, "killed (signal 9)"
    ),
    Bad(
        "kills its guard and leaves a process",
        scene(
            "import os, subprocess, time",
            "subprocess.Popen(['sleep', '1000'], start_new_session=True)",
            "os.kill(os.getppid(), 9)",
            "time.sleep(1000)",
        ),
        _CRASHED,
        "killed (signal 9)",
    ),
    # What it may not use up.
    Bad(
        "endless loop",
        scene("while True: pass"),
        ErrorKind.TIMEOUT,
        "longer than 0.5 seconds",
        4,
        hint="--timeout",
        fields=_limited(wall_time_s=0.5),
    ),
    Bad(
        "compiled code that does not return",
        scene("import itertools", "sum(itertools.repeat(0))"),
        ErrorKind.TIMEOUT,
        "longer than 0.5 seconds",
        fields=_limited(wall_time_s=0.5),
    ),
    Bad(
        "deaf to signals",
        scene(
            "import signal, subprocess, time",
            "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]",
            "subprocess.Popen(['nohup', 'sleep', '1000'], start_new_session=True)",
            "while True: time.sleep(1)",
        ),
        ErrorKind.TIMEOUT,
        "longer than 0.5 seconds",
        7,
        fields=_limited(wall_time_s=0.5),
    ),
    Bad(
        "memory",
        scene("x = bytearray(10**9)"),
        ErrorKind.OUT_OF_MEMORY,
        "limit of 512 MiB",
        4,
        "--memory",
        _limited(memory_bytes=512 * 1024**2),
    ),
    Bad(
        "file too large",
        scene("open('big', 'wb').write(bytes(10**6))"),
        ErrorKind.OUTPUT_TOO_LARGE,
        "File too large",
        4,
        "lower quality",
        _limited(output_bytes=10**5),
    ),
    Bad(
        "video too large",
        scene("self.play(Create(Square()), run_time=3)"),
        ErrorKind.OUTPUT_TOO_LARGE,
        "File too large",
        4,
        hint="lower quality",
        fields=_limited(output_bytes=2000),
    ),
    Bad(
        "many files too large together",
        scene(
            "for i in range(3):",
            "    self.next_section()",
            "    self.play(Create(Square()), run_time=1)",
        ),
        ErrorKind.OUTPUT_TOO_LARGE,
        "limit",
        hint="max_output_bytes",
        fields=_limited(output_bytes=6000) | _optioned(save_sections=True),
    ),
    # Options that cannot be.
    Bad(
        "odd resolution",
        scene("self.wait(0.1)"),
        _SCENE_ERROR,
        "101x53",
        4,
        hint="even",
        fields=_optioned(resolution=(101, 53)),
    ),
    Bad(
        "huge resolution",
        STILL,
        ErrorKind.OUT_OF_MEMORY,
        "memory limit",
        hint="lower quality",
        fields=_optioned(resolution=(65536, 65536)),
    ),
    Bad(
        "resolution beyond the drawing library",
        scene("self.add(Dot())", "self.wait(0.1)"),
        _SCENE_ERROR,
        "too big",
        5,
        "32767",
        _optioned(resolution=(65536, 16)),
    ),
]


@pytest.fixture
def tidy(client: Client, warm_daemon: Settings) -> Any:
    """After the test, check that no process and no folder of a job is left."""
    yield
    eventually(lambda: not worker_processes(client), "no process is left", within_s=3)
    jobs = warm_daemon.cache_dir / "jobs"
    eventually(lambda: not any(jobs.iterdir()), "no job's folder is left", within_s=3)


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("bad", _CASES, ids=lambda bad: bad.name)
def test_bad_scene_has_its_own_error_and_the_next_one_renders(client: Client, bad: Bad) -> None:
    """The failure says what happened, where in the user's own lines, and what to do next."""
    with pytest.raises(JobFailed) as caught:
        client.submit(cell(bad.text, fresh=True, **bad.fields)).result()
    failure = caught.value.failure
    assert failure.kind is bad.kind
    assert bad.message in failure.message
    assert bad.hint in failure.hint
    lines = bad.text.splitlines()
    own = [place for place in failure.traceback if place.filename == "Cell In[1]"]
    assert (own[-1].line if own else None) == bad.line
    for place in own:
        # The cell's first line is the magic's own.
        assert place.source.strip() == lines[place.line - 2].strip()
    # Where it happened inside Manim is only shown when none of these lines led there.
    others = [place for place in failure.traceback if place not in own]
    assert not (own and others)
    assert all(place.filename.startswith("manim/") for place in others)
    assert client.submit(cell(STILL, fresh=True)).result().artifacts


@pytest.mark.usefixtures("tidy")
def test_failure_never_names_the_daemons_folders(client: Client, warm_daemon: Settings) -> None:
    """Where a job's folder lies says nothing to its author."""
    request = cell(scene("self.wait(0.1)"), **_optioned(resolution=(101, 53)))
    with pytest.raises(JobFailed) as caught:
        client.submit(request).result()
    assert str(warm_daemon.cache_dir) not in str(caught.value)


@pytest.mark.usefixtures("tidy")
def test_long_traceback_keeps_its_end(client: Client) -> None:
    """Of a deep call only the last lines travel, the place of the error among them."""
    text = scene(
        "def f(n):", "    return g(n)", "def g(n):", "    return f(n - 1) if n else 1/0", "f(50)"
    )
    with pytest.raises(JobFailed) as caught:
        client.submit(cell(text)).result()
    lines = caught.value.failure.traceback
    assert 5 <= len(lines) <= 20
    assert (lines[-1].function, lines[-1].line) == ("g", 7)


@pytest.mark.usefixtures("tidy")
def test_scene_without_plays_is_a_still_with_a_note(client: Client) -> None:
    """What was added to the scene is shown as a picture, and the note says why."""
    result = client.submit(cell(STILL, fresh=True)).result()
    assert [artifact.kind for artifact in result.artifacts] == [ArtifactKind.IMAGE]
    assert result.notes == ("Demo has no plays, so its picture is shown instead.",)


@pytest.mark.usefixtures("tidy")
def test_coordinates_that_are_not_numbers_are_noted_once(client: Client) -> None:
    """The scene renders; one note names the object and the play."""
    text = scene(
        "c = Circle().shift(RIGHT * float('nan'))",
        "self.wait(0.1)",
        "self.play(Create(c), run_time=0.2)",
        "self.wait(0.1)",
    )
    result = client.submit(cell(text)).result()
    assert len(result.notes) == 1
    assert "Circle" in result.notes[0]
    assert "play 2" in result.notes[0]


@pytest.mark.usefixtures("tidy")
def test_process_that_a_scene_leaves_behind_is_ended(client: Client) -> None:
    """A scene that succeeds leaves nothing running either."""
    text = scene(
        "import subprocess, threading, time",
        "subprocess.Popen(['sleep', '1000'], start_new_session=True)",
        "threading.Thread(target=time.sleep, args=(1000,)).start()",
        "self.wait(0.1)",
    )
    assert client.submit(cell(text)).result().artifacts


@pytest.mark.usefixtures("tidy")
def test_empty_body_of_construct_is_a_still(client: Client) -> None:
    """A cell without statements is a scene with nothing in it."""
    result = client.submit(cell("# nothing yet", construct_base="Scene")).result()
    assert [artifact.scene for artifact in result.artifacts] == ["CellScene"]


@pytest.mark.usefixtures("tidy")
def test_scene_of_a_body_bears_the_name_asked_for(client: Client) -> None:
    """The file of a body is named after the scene that was named on the line."""
    request = cell("self.wait(0.1)", construct_base="Scene", scenes=("Intro",))
    result = client.submit(request).result()
    assert [artifact.name for artifact in result.artifacts] == ["Intro.mp4"]
