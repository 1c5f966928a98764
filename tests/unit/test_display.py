"""What the notebook is given to show."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from manim_daemon.protocol import ArtifactKind
from manim_kernel_ext.show.display import bundle, message, webvtt
from manim_kernel_ext.show.result import Look, RenderResult, Section


def result(tmp_path: Path, name: str = "Demo.mp4", **fields: object) -> RenderResult:
    path = tmp_path / name
    path.write_bytes(b"the bytes")
    kind, media_type = {
        ".mp4": (ArtifactKind.VIDEO, "video/mp4"),
        ".webm": (ArtifactKind.VIDEO, "video/webm"),
        ".mov": (ArtifactKind.VIDEO, "video/quicktime"),
        ".gif": (ArtifactKind.GIF, "image/gif"),
        ".png": (ArtifactKind.IMAGE, "image/png"),
        ".zip": (ArtifactKind.IMAGE_SEQUENCE, "application/zip"),
    }[path.suffix]
    defaults = {"scene": "Demo", "job": "0123456789ab", "width": 854, "height": 480}
    values = {**defaults, "path": path, "kind": kind, "media_type": media_type, **fields}
    return RenderResult(**values)  # type: ignore[arg-type]


ENCODED = base64.b64encode(b"the bytes").decode()


@pytest.mark.parametrize(("name", "media_type"), [("a.mp4", "video/mp4"), ("a.webm", "video/webm")])
def test_a_video_is_embedded_in_the_src_of_its_element(
    tmp_path: Path, name: str, media_type: str
) -> None:
    """A video is embedded in the src attribute of the video element, as VS Code needs it."""
    html = bundle([result(tmp_path, name)])[0]["text/html"]
    assert f'src="data:{media_type};base64,{ENCODED}"' in html
    assert html.startswith("<video controls playsinline autoplay loop muted ")
    assert "<source" not in html


def test_a_video_with_sound_is_not_muted(tmp_path: Path) -> None:
    """A video with sound is not muted."""
    assert " muted " not in bundle([result(tmp_path, has_audio=True)])[0]["text/html"]


def test_a_look_without_autoplay_and_loop_is_respected(tmp_path: Path) -> None:
    """A video neither starts by itself nor repeats when the look says so."""
    look = Look(autoplay=False, loop=False)
    html = bundle([result(tmp_path, look=look)])[0]["text/html"]
    assert "autoplay" not in html
    assert "loop" not in html


def test_a_linked_video_is_not_embedded(tmp_path: Path) -> None:
    """A linked video has its relative address as src and its bytes nowhere."""
    data, _ = bundle([result(tmp_path, url="media/manim_render/Demo%20-1.mp4")])
    assert 'src="media/manim_render/Demo%20-1.mp4"' in data["text/html"]
    assert ENCODED not in data["text/html"]
    assert str(tmp_path / "Demo.mp4") in data["text/plain"]


@pytest.mark.parametrize(
    ("width", "style"),
    [
        (None, "max-width:60%"),
        ("400px", "width:400px;max-width:100%"),
        ("75%", "width:75%;max-width:100%"),
    ],
)
def test_the_width_becomes_the_style_of_the_video(
    tmp_path: Path, width: str | None, style: str
) -> None:
    """The width asked for becomes the video's style; by default it is at most 60 % wide."""
    html = bundle([result(tmp_path, look=Look(width=width))])[0]["text/html"]
    assert f'style="{style}"' in html


def test_a_still_is_a_png_and_nothing_else(tmp_path: Path) -> None:
    """A still is given as image/png, which every front end shows."""
    data, metadata = bundle([result(tmp_path, "a.png")])
    assert data["image/png"] == ENCODED
    assert "text/html" not in data
    assert metadata == {}


def test_a_still_with_a_width_in_pixels_carries_it_as_metadata(tmp_path: Path) -> None:
    """A width in pixels becomes metadata of the image."""
    _, metadata = bundle([result(tmp_path, "a.png", look=Look(width="300px"))])
    assert metadata == {"image/png": {"width": 300}}


def test_a_still_with_a_note_shows_both(tmp_path: Path) -> None:
    """A still with a note is HTML with both, and still an image where HTML is not shown."""
    data, _ = bundle([result(tmp_path, "a.png", notes=("No plays.",))])
    assert "data:image/png;base64" in data["text/html"]
    assert "No plays." in data["text/html"]
    assert data["image/png"] == ENCODED


def test_a_gif_is_an_image_element(tmp_path: Path) -> None:
    """A GIF is an img element with its bytes in it."""
    html = bundle([result(tmp_path, "a.gif")])[0]["text/html"]
    assert html.startswith("<img ")
    assert f'src="data:image/gif;base64,{ENCODED}"' in html


@pytest.mark.parametrize("name", ["a.mov", "a.zip"])
def test_what_browsers_do_not_show_is_offered_for_download(tmp_path: Path, name: str) -> None:
    """A file that browsers cannot show becomes a link."""
    html = bundle([result(tmp_path, name, url=f"media/{name}")])[0]["text/html"]
    assert f'<a href="media/{name}" download="{name}">' in html
    assert "<video" not in html


def test_several_results_are_shown_one_below_the_other(tmp_path: Path) -> None:
    """Several results make one output with each of them, and each note once."""
    results = [result(tmp_path, f"{i}.mp4", scene=f"S{i}", notes=("Seen.",)) for i in (1, 2)]
    data, _ = bundle(results)
    assert data["text/html"].count("<video ") == 2
    assert data["text/html"].count("Seen.") == 1
    assert data["text/plain"].startswith("S1: ")
    assert "\nS2: " in data["text/plain"]


def test_names_and_notes_are_escaped(tmp_path: Path) -> None:
    """Text that looks like HTML is shown as text."""
    html = bundle([result(tmp_path, scene='"><i>', notes=("<b>",))])[0]["text/html"]
    assert "<i>" not in html
    assert "&lt;b&gt;" in html
    assert "<script>" not in message("<script>")[0]["text/html"]


def test_sections_are_listed_as_links(tmp_path: Path) -> None:
    """Each section is a link with its name."""
    section = Section("intro", tmp_path / "intro.mp4", "media/intro-1.mp4")
    html = bundle([result(tmp_path, sections=(section,))])[0]["text/html"]
    assert '<a href="media/intro-1.mp4">intro</a>' in html


def test_subcaptions_become_a_track_of_the_video(tmp_path: Path) -> None:
    """Subcaptions are a WebVTT track inside the video element."""
    path = tmp_path / "Demo.srt"
    path.write_text("1\n00:00:00,500 --> 00:00:01,000\nHello, world\n", encoding="utf-8")
    html = bundle([result(tmp_path, subcaptions=path)])[0]["text/html"]
    start = html.index("data:text/vtt;base64,") + len("data:text/vtt;base64,")
    track = base64.b64decode(html[start : html.index('"', start)]).decode()
    assert track == "WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.000\nHello, world\n"


def test_subrip_with_windows_line_ends_becomes_webvtt() -> None:
    """Line ends and a byte order mark of Windows do not survive into WebVTT."""
    assert webvtt("\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\na, b\r\n") == (
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\na, b\n"
    )
