"""Where the files of a job end up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from manim_daemon.client import JobResult
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Artifact, ArtifactKind
from manim_kernel_ext.show.delivery import Delivery, deliver
from tests.unit.fake_client import JOB, FakeClient, artifact

VIDEO = artifact("Demo.mp4")
OTHER = artifact("Other.mp4", b"other", scene="Other")
CAPTIONS = artifact("Demo.srt", b"captions", kind=ArtifactKind.SUBCAPTIONS)
SECTION = artifact("Demo_0000_intro.mp4", b"section", kind=ArtifactKind.SECTION)
CLIENT = FakeClient(contents=(b"content", b"other", b"captions", b"section"))


@pytest.fixture
def notebook(tmp_path: Path) -> Delivery:
    return Delivery(folder=tmp_path, embed_limit=100)


def job(*artifacts: Artifact, notes: tuple[str, ...] = ()) -> JobResult:
    return JobResult(JOB, True, 1.5, artifacts, {"render": 1.2}, notes)


def test_a_small_video_is_embedded_and_leaves_nothing_beside_the_notebook(
    notebook: Delivery,
) -> None:
    """A video up to the limit is embedded; its file lies elsewhere and exists."""
    (result,) = deliver(job(VIDEO), CLIENT, notebook)
    assert result.url is None
    assert result.path.read_bytes() == b"content"
    assert list(notebook.folder.iterdir()) == []


def test_a_result_knows_the_job(notebook: Delivery) -> None:
    """A result carries what the job and the artifact say."""
    (result,) = deliver(job(VIDEO, notes=("Seen.",)), CLIENT, notebook)
    assert (result.scene, result.job, result.cached) == ("Demo", JOB, True)
    assert (result.width, result.height, result.fps) == (854, 480, 15.0)
    assert (result.frames, result.duration, result.elapsed) == (45, 3.0, 1.5)
    assert result.timings == {"render": 1.2}
    assert result.notes == ("Seen.",)


def test_a_video_above_the_limit_is_linked_and_says_how_to_embed_it(notebook: Delivery) -> None:
    """A video above the limit is a file beside the notebook, and a note says what to do."""
    small = dataclasses.replace(notebook, embed_limit=3)
    (result,) = deliver(job(VIDEO), CLIENT, small)
    assert result.url == f"media/manim_render/Demo-{VIDEO.sha256[:8]}.mp4"
    assert result.path == notebook.folder / result.url
    assert result.path.read_bytes() == b"content"
    assert "--embed" in result.notes[0]


def test_embed_wins_over_the_limit(notebook: Delivery) -> None:
    """With --embed a video of any size is embedded."""
    forced = dataclasses.replace(notebook, embed_limit=3, embed=True)
    (result,) = deliver(job(VIDEO), CLIENT, forced)
    assert result.url is None
    assert result.notes == ()


def test_link_links_without_a_note(notebook: Delivery) -> None:
    """With --link the video is linked, and nothing needs to be explained."""
    (result,) = deliver(job(VIDEO), CLIENT, dataclasses.replace(notebook, embed=False))
    assert result.url is not None
    assert result.notes == ()


def test_colab_embeds_whatever_is_asked(notebook: Delivery) -> None:
    """A front end that cannot follow links gets the video embedded."""
    colab = dataclasses.replace(notebook, embed=False, must_embed=True)
    (result,) = deliver(job(VIDEO), CLIENT, colab)
    assert result.url is None


def test_without_a_notebook_the_file_is_kept_and_nothing_embedded(notebook: Delivery) -> None:
    """In a terminal the video is a file below the working folder."""
    (result,) = deliver(job(VIDEO), CLIENT, dataclasses.replace(notebook, in_notebook=False))
    assert result.path.parent == notebook.folder / "media" / "manim_render"
    assert result.notes == ()


def test_a_later_run_leaves_the_earlier_file_alone(notebook: Delivery) -> None:
    """Two renders of one scene that differ are two files."""
    linked = dataclasses.replace(notebook, embed=False)
    (first,) = deliver(job(VIDEO), CLIENT, linked)
    (second,) = deliver(job(artifact("Demo.mp4", b"other")), CLIENT, linked)
    assert first.path != second.path
    assert first.path.read_bytes() == b"content"


def test_the_address_of_a_link_is_percent_encoded(notebook: Delivery) -> None:
    """A scene's name beyond ASCII gives an address that browsers take."""
    (result,) = deliver(
        job(artifact("Kreis.mp4", scene="Größe")),
        CLIENT,
        dataclasses.replace(notebook, embed=False),
    )
    assert result.url is not None
    assert "Gr%C3%B6%C3%9Fe-" in result.url
    assert result.path.name.startswith("Größe-")


@pytest.mark.parametrize(
    ("name", "kind", "word"),
    [
        ("Demo.mov", ArtifactKind.VIDEO, "webm"),
        ("Demo.zip", ArtifactKind.IMAGE_SEQUENCE, "archive"),
    ],
)
def test_what_browsers_do_not_show_is_linked_with_a_note(
    notebook: Delivery, name: str, kind: ArtifactKind, word: str
) -> None:
    """A small file that browsers cannot show is linked all the same, and a note says why."""
    (result,) = deliver(job(artifact(name, kind=kind)), CLIENT, notebook)
    assert result.url is not None
    assert word in result.notes[0]


def test_each_scene_is_a_result_with_its_own_subcaptions(notebook: Delivery) -> None:
    """Every video is a result; subcaptions go with their scene and are none themselves."""
    demo, other = deliver(job(VIDEO, CAPTIONS, OTHER), CLIENT, notebook)
    assert demo.subcaptions is not None
    assert demo.subcaptions.read_bytes() == b"captions"
    assert other.subcaptions is None


def test_sections_are_files_beside_the_notebook(notebook: Delivery) -> None:
    """Each section is a file of its own that the notebook links to."""
    (result,) = deliver(job(VIDEO, SECTION), CLIENT, notebook)
    (section,) = result.sections
    assert section.name == "Demo_0000_intro"
    assert section.path.read_bytes() == b"section"
    assert section.path == notebook.folder / section.url


def test_save_into_a_folder_keeps_the_names(notebook: Delivery, tmp_path: Path) -> None:
    """With a folder, every file of the job is saved there under its own name."""
    folder = tmp_path / "new" / "folder"
    results = deliver(
        job(VIDEO, CAPTIONS, OTHER), CLIENT, dataclasses.replace(notebook, save=folder)
    )
    assert sorted(path.name for path in folder.iterdir()) == ["Demo.mp4", "Demo.srt", "Other.mp4"]
    assert [result.path for result in results] == [folder / "Demo.mp4", folder / "Other.mp4"]


def test_save_under_a_file_name_takes_the_subcaptions_along(
    notebook: Delivery, tmp_path: Path
) -> None:
    """With a file name the video has that name, and its subcaptions the same stem."""
    path = tmp_path / "intro.mp4"
    (result,) = deliver(job(VIDEO, CAPTIONS), CLIENT, dataclasses.replace(notebook, save=path))
    assert result.path == path
    assert path.read_bytes() == b"content"
    assert path.with_suffix(".srt").read_bytes() == b"captions"


def test_saving_a_video_under_a_name_of_another_format_is_noted(
    notebook: Delivery, tmp_path: Path
) -> None:
    """A name that promises another format is used, and a note says how to get that format."""
    save = tmp_path / "a.gif"
    (result,) = deliver(job(VIDEO), CLIENT, dataclasses.replace(notebook, save=save))
    assert "--format gif" in result.notes[0]


def test_files_of_one_name_do_not_overwrite_each_other(notebook: Delivery, tmp_path: Path) -> None:
    """Two scenes whose files have one name are both saved."""
    twins = job(VIDEO, artifact("Demo.mp4", b"other", scene="Other"))
    deliver(twins, CLIENT, dataclasses.replace(notebook, save=tmp_path / "out"))
    names = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert names == {"Demo.mp4": b"content", "Other-Demo.mp4": b"other"}


def test_a_place_that_cannot_be_written_is_one_clear_error(
    notebook: Delivery, tmp_path: Path
) -> None:
    """Saving below a file is an error that names the place."""
    (tmp_path / "file").write_text("")
    save = tmp_path / "file" / "a.mp4"
    with pytest.raises(InvalidRequest, match="cannot be written"):
        deliver(job(VIDEO), CLIENT, dataclasses.replace(notebook, save=save))
