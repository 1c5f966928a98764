"""What `manim-kernel render` prints, writes and exits with, whatever the daemon answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from manim_daemon.protocol import (
    Artifact,
    ArtifactKind,
    ErrorKind,
    Failure,
    JobState,
    Log,
    Note,
    StateChanged,
)
from tests.unit.cli.fake_daemon import (
    CRASH,
    JOB,
    OTHER,
    STILL,
    SUBTITLES,
    VIDEO,
    Daemon,
    fails,
    read,
    run,
    succeeds,
)

pytestmark = pytest.mark.timeout(30)


def test_json_of_a_success_has_the_documented_shape(daemon: Daemon, folder: Path) -> None:
    """`render --json` prints one object with exactly the documented fields."""
    daemon.events_of_job = succeeds(VIDEO)
    result = run("render", "scene.py", "Dots", "-ql", "--json")
    assert result.exit_code == 0
    path = folder / "media" / "manim_render" / "Dots.mp4"
    assert read(result) == {
        "job": JOB,
        "state": "succeeded",
        "cached": False,
        "elapsed_s": 1.25,
        "artifacts": [
            {
                "scene": "Dots",
                "kind": "video",
                "path": str(path),
                "media_type": "video/mp4",
                "width": 854,
                "height": 480,
                "fps": 15.0,
                "frames": 15,
                "duration_s": 1.0,
                "bytes": 7,
            }
        ],
        "error": None,
    }
    assert path.read_bytes() == b"." * 7


def test_a_cached_result_says_so(daemon: Daemon) -> None:
    """A result from the cache is `cached` in JSON and "from the cache" in text."""
    end = StateChanged(JobState.SUCCEEDED, cached=True, elapsed_s=0.01)
    daemon.events_of_job = [VIDEO, end]
    assert read(run("render", "scene.py", "--json"))["cached"] is True
    assert "From the cache" in run("render", "scene.py").stdout


def test_text_names_the_file_with_its_frames_and_times(daemon: Daemon) -> None:
    """Piped output has one line for the file and one for the time, and nothing else."""
    daemon.events_of_job = succeeds(VIDEO)
    lines = run("render", "scene.py").stdout.splitlines()
    assert lines == [
        "media/manim_render/Dots.mp4  15 frames, 1.00 s, 854x480, 15 fps",
        "Rendered in 1.25 s",
    ]


def test_what_the_scene_prints_and_notes_go_to_standard_error(daemon: Daemon) -> None:
    """The scene's prints and notes never mix with the answer on standard output."""
    daemon.events_of_job = [Log("hello\n"), Note("a still was made"), *succeeds(STILL)]
    result = run("render", "scene.py")
    assert "hello\n" in result.stderr
    assert "Note: a still was made" in result.stderr
    assert "hello" not in result.stdout
    assert "still was" not in result.stdout


def test_scenes_and_flags_reach_the_daemon(daemon: Daemon) -> None:
    """Scene names, Manim's flags and ours are in the request."""
    daemon.events_of_job = succeeds(VIDEO)
    run("render", "scene.py", "Dots", "-qm", "--fps", "12", "--timeout", "9", "--fresh")
    (request,) = daemon.requests
    assert request.scenes == ("Dots",)
    assert request.options.quality == "m"
    assert request.options.frame_rate == 12
    assert request.limits.wall_time_s == 9
    assert request.fresh


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("clip.mp4", {"clip.mp4", "clip.srt"}),
        ("deep/clip.mp4", {"deep/clip.mp4", "deep/clip.srt"}),
        ("out", {"out/Dots.mp4", "out/Dots.srt"}),
        ("v1.0/", {"v1.0/Dots.mp4", "v1.0/Dots.srt"}),
    ],
)
def test_output_names_a_file_or_a_folder(
    daemon: Daemon, folder: Path, output: str, expected: set[str]
) -> None:
    """`--output` with a suffix is the file, else the folder; subcaptions go with the video."""
    daemon.events_of_job = succeeds(VIDEO, SUBTITLES)
    artifacts = read(run("render", "scene.py", "--output", output, "--json"))["artifacts"]
    assert {artifact["path"] for artifact in artifacts} == {str(folder / one) for one in expected}


def test_a_file_as_output_gets_the_suffix_of_what_was_rendered(daemon: Daemon) -> None:
    """A still is never written under the name of a video; a note says so."""
    daemon.events_of_job = succeeds(STILL)
    result = run("render", "scene.py", "--output", "clip.mp4")
    assert Path("clip.png").exists()
    assert not Path("clip.mp4").exists()
    assert "not a .mp4 file" in result.stderr


def test_manims_output_file_names_the_file(daemon: Daemon) -> None:
    """`-o NAME` is the file's name in the default folder."""
    daemon.events_of_job = succeeds(VIDEO)
    run("render", "scene.py", "-o", "intro")
    assert Path("media/manim_render/intro.mp4").exists()


def test_sections_go_to_a_folder_of_their_own(daemon: Daemon) -> None:
    """Section files keep Manim's names, which their index refers to."""
    section = Artifact("Dots", ArtifactKind.SECTION, "Dots_0000.mp4", "e" * 64, 1, "video/mp4")
    index = Artifact("Dots", ArtifactKind.SECTION_INDEX, "Dots.json", "f" * 64, 1, "text/json")
    daemon.events_of_job = succeeds(VIDEO, section, index)
    run("render", "scene.py", "--output", "clip.mp4")
    assert {path.name for path in Path("sections").iterdir()} == {"Dots_0000.mp4", "Dots.json"}


def test_a_name_from_the_worker_stays_inside_the_folder(daemon: Daemon) -> None:
    """A scene or file name that climbs out of the folder does not."""
    evil = Artifact("../../x", ArtifactKind.VIDEO, "../../y.mp4", "a" * 64, 1, "video/mp4")
    daemon.events_of_job = succeeds(evil)
    run("render", "scene.py", "--output", "out")
    assert [path.name for path in Path("out").iterdir()] == ["x.mp4"]


def test_several_scenes_do_not_fit_one_output_file(daemon: Daemon) -> None:
    """Several scenes and one output file are a usage error before anything is rendered."""
    result = run("render", "scene.py", "Dots", "Lines", "--output", "clip.mp4")
    assert result.exit_code == 2
    assert "folder" in result.stderr
    assert daemon.requests == []


def test_several_scenes_are_each_written(daemon: Daemon) -> None:
    """Each scene gets its own file, named after it."""
    daemon.events_of_job = succeeds(VIDEO, OTHER)
    artifacts = read(run("render", "scene.py", "-a", "--json"))["artifacts"]
    assert [Path(one["path"]).name for one in artifacts] == ["Dots.mp4", "Lines.mp4"]


def test_an_output_that_cannot_be_written_says_so(daemon: Daemon) -> None:
    """A file in the place of the output folder is an error with the way out, and no traceback."""
    daemon.events_of_job = succeeds(VIDEO)
    result = run("render", "scene.py", "--output", "scene.py/clip.mp4")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert "--output" in result.stderr


def test_a_failed_scene_exits_with_1_and_shows_the_users_line(daemon: Daemon) -> None:
    """A scene's exception is shown with the user's own file, line number and source line."""
    daemon.events_of_job = fails(CRASH)
    result = run("render", "scene.py")
    assert result.exit_code == 1
    assert result.stdout == ""
    for part in ("ZeroDivisionError", "division by zero", "scene.py", "5", "1 / 0"):
        assert part in result.stderr


def test_json_of_a_failure_has_kind_message_and_traceback(daemon: Daemon) -> None:
    """`render --json` of a failed scene has the job, its state and the error."""
    daemon.events_of_job = fails(CRASH)
    result = run("render", "scene.py", "--json")
    answer = read(result)
    assert result.exit_code == 1
    assert (answer["job"], answer["state"], answer["artifacts"]) == (JOB, "failed", [])
    assert answer["error"].keys() == {"kind", "message", "traceback"}
    assert answer["error"]["kind"] == "scene_error"
    assert answer["error"]["message"] == "division by zero"
    assert "1 / 0" in answer["error"]["traceback"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.INVALID_REQUEST, 2),
        (ErrorKind.LATEX_ERROR, 1),
        (ErrorKind.TIMEOUT, 1),
        (ErrorKind.OUT_OF_MEMORY, 1),
        (ErrorKind.OUTPUT_TOO_LARGE, 1),
        (ErrorKind.WORKER_CRASHED, 1),
        (ErrorKind.DAEMON_UNAVAILABLE, 3),
    ],
)
def test_the_exit_code_follows_from_the_kind_of_failure(
    daemon: Daemon, kind: ErrorKind, code: int
) -> None:
    """A failed scene is 1, a request that cannot be carried out 2, a lost daemon 3."""
    daemon.events_of_job = fails(Failure(kind, "what happened", "what to do"))
    result = run("render", "scene.py", "--json")
    assert result.exit_code == code
    assert read(result)["error"]["message"] == "what happened\nwhat to do"


def test_ctrl_c_cancels_the_job_and_exits_with_130(daemon: Daemon) -> None:
    """An interrupt cancels the job in the daemon; the answer says cancelled."""
    daemon.events_of_job = [StateChanged(JobState.RUNNING), KeyboardInterrupt()]
    result = run("render", "scene.py", "--json")
    assert result.exit_code == 130
    assert daemon.cancelled == [JOB]
    assert (read(result)["job"], read(result)["state"]) == (JOB, "cancelled")
    assert read(result)["error"]["kind"] == "cancelled"


def test_a_job_cancelled_elsewhere_exits_with_130(daemon: Daemon) -> None:
    """A job that someone else cancels ends as cancelled, too."""
    failure = Failure(ErrorKind.CANCELLED, "The job was cancelled.")
    daemon.events_of_job = fails(failure, JobState.CANCELLED)
    result = run("render", "scene.py", "--json")
    assert result.exit_code == 130
    assert read(result)["state"] == "cancelled"


def test_a_daemon_that_cannot_start_exits_with_3(daemon: Daemon) -> None:
    """Without a daemon there is no job; the error says what to do."""
    daemon.runs = daemon.starts = False
    result = run("render", "scene.py", "--json")
    answer = read(result)
    assert result.exit_code == 3
    assert (answer["job"], answer["state"]) == (None, "failed")
    assert answer["error"]["kind"] == "daemon_unavailable"
    assert "daemon start" in answer["error"]["message"]


def test_a_missing_file_is_a_usage_error() -> None:
    """A file that does not exist exits with 2 and its name."""
    result = run("render", "nowhere.py")
    assert result.exit_code == 2
    assert "nowhere.py" in result.stderr


def test_a_syntax_error_is_shown_before_anything_is_sent(daemon: Daemon) -> None:
    """A syntax error fails with the line and its text, without a job."""
    Path("scene.py").write_text("from manim import *\n\nclass Dots(Scene:\n    pass\n")
    result = run("render", "scene.py")
    assert result.exit_code == 1
    assert daemon.requests == []
    assert "class Dots(Scene:" in result.stderr
    assert "3" in result.stderr
