from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import RenderOptions, Request, Source, decode_request, encode
from manim_kernel_ext.options import (
    Display,
    Invocation,
    help_text,
    invocation,
    parse_line,
    render_options,
)

pytestmark = pytest.mark.timeout(20)


def refusal(line: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_line(line)
    return str(caught.value)


def on_the_command_line(*arguments: str) -> Invocation:
    found: list[Invocation] = []

    @click.command()
    @click.argument("scenes", nargs=-1)
    @render_options
    def command(scenes: tuple[str, ...], **flags: Any) -> None:
        found.append(invocation(scenes, flags))

    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 0, result.output
    return found[0]


def test_an_empty_line_asks_for_nothing_special() -> None:
    """Without flags nothing is set, so that Manim's configuration holds."""
    assert parse_line("") == Invocation()


@pytest.mark.parametrize("flag", ["-ql", "-q l", "-qL", "--quality l", "--quality=l"])
def test_a_quality_is_accepted_in_each_spelling(flag: str) -> None:
    """Old and new spellings of the quality mean the same."""
    assert parse_line(f"{flag} Demo").options.quality == "l"


@pytest.mark.parametrize("quality", ["l", "m", "h", "p", "k"])
def test_each_quality_of_manim_is_accepted(quality: str) -> None:
    """All five qualities pass."""
    assert parse_line(f"-q{quality}").options.quality == quality


@pytest.mark.parametrize("size", ["640,360", "'640;360'", "640-360", "640x360"])
def test_a_resolution_is_accepted_with_each_separator(size: str) -> None:
    """Width and height may be separated as in Manim, or by an x."""
    assert parse_line(f"-r {size}").options.resolution == (640, 360)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("--fps 24", "frame_rate", 24.0),
        ("--frame_rate 59.94", "frame_rate", 59.94),
        ("-s", "save_last_frame", True),
        ("-a", "write_all", True),
        ("-n 3", "from_animation_number", (3,)),
        ("-n 3,5", "from_animation_number", (3, 5)),
        ("-n '0;2'", "from_animation_number", (0, 2)),
        ("--format GIF", "format", "gif"),
        ("--format png-sequence", "format", "png-sequence"),
        ("-i", "format", "gif"),
        ("-g", "format", "png-sequence"),
        ("-i --format webm", "format", "webm"),
        ("--dry_run", "format", "none"),
        ("-c WHITE", "background_color", "WHITE"),
        ("-c #ece6e2", "background_color", "#ece6e2"),
        ("--background_color RED", "background_color", "RED"),
        ("-c my.cfg", "config_file", "my.cfg"),
        ("--config_file my.cfg", "config_file", "my.cfg"),
        ("--seed 7", "seed", 7),
        ("--renderer OpenGL", "renderer", "opengl"),
        ("--disable_caching", "disable_caching", True),
        ("-v warning", "verbosity", "WARNING"),
        ("--save_sections", "save_sections", True),
        ("-o 'my film'", "output_file", "my film"),
        ("-0 3", "zero_pad", 3),
        ("--tex_template t.tex", "tex_template", "t.tex"),
        ("--video-codec libx265", "video_codec", "libx265"),
        ("--pixel-format yuv444p", "pixel_format", "yuv444p"),
        (
            "--encoder-option crf=18 --encoder-option x=a=b",
            "video_encoder_options",
            {"crf": "18", "x": "a=b"},
        ),
    ],
)
def test_each_of_manims_flags_sets_its_option(line: str, field: str, value: Any) -> None:
    """A flag sets the option of the same name, and only this one."""
    options = parse_line(line).options
    assert getattr(options, field) == value
    assert options == RenderOptions(**{field: value})


@pytest.mark.parametrize(
    "line",
    [
        "-p",
        "--preview",
        "-f",
        "--show_in_file_browser",
        "--jupyter",
        "--media_dir x",
        "--log_to_file",
        "--log_dir x",
        "--progress_bar None",
        "--silent",
        "--notify_outdated_version",
        "--enable_gui",
        "--gui_location 0,0",
        "--fullscreen",
        "--max-inflight-encoders 4",
        "--encoder-queue-size 8",
        "--no_latex_cleanup",
        "--preview_command vlc",
        "--live-preview",
    ],
)
def test_flags_without_meaning_here_are_ignored(line: str) -> None:
    """Flags that a notebook has no use for change nothing, and take their values with them."""
    assert parse_line(f"{line} Demo") == Invocation(scenes=("Demo",))


def test_flags_for_opengl_become_settings() -> None:
    """Flags that only Manim's configuration knows travel as its keys."""
    assert parse_line("--use_projection_fill_shaders").config == {
        "use_projection_fill_shaders": True
    }


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--embed", Display(embed=True)),
        ("--link", Display(embed=False)),
        ("--width 60%", Display(width="60%")),
        ("--width 480", Display(width="480px")),
        ("--save out/a.mp4", Display(save=Path("out/a.mp4"))),
        ("--background", Display(background=True)),
        ("--no-progress", Display(progress=False)),
        ("--no-loop", Display(loop=False)),
        ("--no-autoplay", Display(autoplay=False)),
        ("--loop --autoplay", Display()),
    ],
)
def test_flags_for_the_notebook_say_how_to_show(line: str, shown: Display) -> None:
    """Our own flags for the output of a cell end up in its display."""
    assert parse_line(line) == Invocation(display=shown)


def test_our_other_flags_are_understood() -> None:
    """Cache, limits, base and assets are taken from the line."""
    found = parse_line(
        "--fresh --timeout 90 --memory 2G --base ThreeDScene --asset a --asset b.png"
    )
    assert found == Invocation(
        fresh=True,
        timeout_s=90.0,
        memory_bytes=2 * 1024**3,
        base="ThreeDScene",
        assets=("a", "b.png"),
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [("128M", 128 * 1024**2), ("1.5g", 1536 * 1024**2), ("1GiB", 1024**3), ("67108864", 2**26)],
)
def test_memory_is_given_with_or_without_a_unit(text: str, size: int) -> None:
    """Sizes may be written with the usual units."""
    assert parse_line(f"--memory {text}").memory_bytes == size


def test_several_scenes_and_flags_mix() -> None:
    """Names may stand before, between and after flags."""
    found = parse_line("One -ql Two -s Three")
    assert found.scenes == ("One", "Two", "Three")
    assert found.options == RenderOptions(quality="l", save_last_frame=True)


def test_transparency_in_a_notebook_is_webm() -> None:
    """Browsers show transparent WebM, so a notebook takes it unless a format is given."""
    assert parse_line("-t").options.format == "webm"
    assert parse_line("-t --format mov").options.format == "mov"
    assert parse_line("-t -s").options.format is None


def test_transparency_on_the_command_line_is_left_to_manim() -> None:
    """The command line gives what Manim's gives."""
    assert on_the_command_line("-t").options == RenderOptions(transparent=True)


def test_the_command_line_has_the_same_flags() -> None:
    """The command line and the magic understand the same line in the same way."""
    line = "Demo -qm -r 640,360 --fps 10 -n 1,2 -c RED --seed 3 --fresh --timeout 5 --asset a -p"
    assert on_the_command_line(*line.split()) == parse_line(line)


def test_the_command_line_has_no_flags_for_the_notebook() -> None:
    """Flags about a cell's output are no flags of the command line."""

    @click.command()
    @render_options
    def command(**_: Any) -> None:
        raise AssertionError

    assert CliRunner().invoke(command, ["--embed"]).exit_code == 2


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--frsh", "--fresh"),
        ("--resolutoin 3,3", "--resolution"),
        ("--from-animation-number 3", "--from_animation_number"),
        ("--framerate 3", "--frame_rate"),
        ("-Q l", "-q"),
        ("--Fresh", "--fresh"),
    ],
)
def test_an_unknown_flag_names_the_nearest(flag: str, nearest: str) -> None:
    """A mistyped flag is a usage error that says which flag was meant."""
    message = refusal(flag)
    assert f"No such option {flag.split()[0]}. Did you mean {nearest}?" in message
    assert "%%manim_render?" in message


def test_an_unknown_flag_like_no_other_names_none() -> None:
    """No suggestion is better than a wild one."""
    message = refusal("--quux")
    assert "No such option --quux." in message
    assert "Did you mean" not in message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-q x", "'l', 'm', 'h', 'p', 'k'"),
        ("-q", "requires an argument"),
        ("--format avi", "'mp4'"),
        ("--fps 0", "above 0"),
        ("--fps -3", "above 0"),
        ("--fps nan", "above 0"),
        ("--fps inf", "above 0"),
        ("--fps 1e9", "up to 1000"),
        ("-r 0,0", "1 to 65536"),
        ("-r 100000,100000", "1 to 65536"),
        ("-r 65536,65536", "67108864 pixels"),
        ("-r 640", "as in 1280,720"),
        ("-r a,b", "as in 1280,720"),
        ("-r -1,5", "as in 1280,720"),
        ("-n x", "counted from 0"),
        ("-n 1,2,3", "counted from 0"),
        ("-n 5,2", "ends before it begins"),
        ("--seed -1", "0<=x<="),
        ("--seed x", "not a valid"),
        ("-0 12", "0<=x<=9"),
        ("-v LOUD", "'DEBUG'"),
        ("--renderer vulkan", "'cairo', 'opengl'"),
        ("--timeout 0", "above 0"),
        ("--timeout 1e9", "86400"),
        ("--timeout soon", "above 0"),
        ("--memory much", "as in 512M"),
        ("--memory 1M", "at least 64M"),
        ("--width wide", "as in 60%"),
        ("--width '1px;color:red'", "as in 60%"),
        ("--save ''", "path is empty"),
        ("--encoder-option crf", "KEY=VALUE"),
        ("--encoder-option a=1 --encoder-option a=2", "more than once"),
        ("--base 3D", "--base ThreeDScene"),
        ("-fps 30", "'30' is not a scene's name"),
        ("my-scene", "is not a scene's name"),
        ("class", "is not a scene's name"),
        ("-o 'x", "Close the quotes"),
        (f"-o {'x' * 2000}", "too long"),
        ("-o film -a", "several scenes"),
        ("-o film One Two", "several scenes"),
        ("-t --format mp4", "webm"),
        ("-s --save_sections", "needs a video"),
        ("--format png-sequence --save_sections", "needs a video"),
    ],
)
def test_a_bad_value_says_what_is_allowed(line: str, says: str) -> None:
    """A value that cannot be used is refused with what may be used instead."""
    assert says.lower() in refusal(line).lower()


def test_everything_accepted_fits_into_a_request() -> None:
    """The extremes that pass here also pass the daemon's validation."""
    line = "-qk -r 65536,1024 --fps 1000 -n 0,9 --seed 4294967295 -0 9 --zero_pad 0 -c '#fff'"
    request = Request(entry=Source("cell.py", ""), options=parse_line(line).options)
    assert decode_request(encode(request)) == request


def test_the_help_shows_every_flag_and_examples() -> None:
    """The help lists each visible flag with a sentence, and examples that can be parsed."""
    text = help_text()
    for flag in ("--quality", "--format", "--fresh", "--asset", "--embed / --link", "--save PATH"):
        assert flag in text
    assert "--jupyter" not in text
    examples = re.findall(r"^ +%%manim_render (-.+?)(?:  .*)?$", text, re.MULTILINE)
    assert len(examples) >= 6
    for line in examples:
        parse_line(line)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_may_be_asked_for_in_the_line(flag: str) -> None:
    """The flag for help is noticed."""
    assert parse_line(flag).help
