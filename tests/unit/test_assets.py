from __future__ import annotations

import ast
import hashlib
import os
from pathlib import Path

import pytest

from manim_daemon.errors import InvalidRequest
from manim_kernel_ext.request import assets
from manim_kernel_ext.request.assets import find_assets
from manim_kernel_ext.request.patterns import escaped, literal, patterns_in

pytestmark = pytest.mark.timeout(20)


def make(folder: Path, *names: str, content: str = "") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name, encoding="utf-8")


def sent(code: str, folder: Path, **options: object) -> list[str]:
    patterns = patterns_in([ast.parse(code)], "cell.py")
    found = find_assets(patterns, [folder], **options)  # type: ignore[arg-type]
    return [asset.path for asset in found.assets]


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("ImageMobject('logo.png')", "logo.png"),
        ("ImageMobject('logo')", "logo.png"),
        ("ImageMobject('photo')", "photo.jpeg"),
        ("SVGMobject('icon')", "icon.svg"),
        ("self.add_sound('click')", "click.wav"),
        ("self.add_sound('song.mp3')", "song.mp3"),
        ("register_font('x.ttf')", "fonts/x.ttf"),
        ("TexTemplate.from_file('tpl.tex')", "tpl.tex"),
        ("Code(code_file='example.py')", "example.py"),
        ("open('./data/x.csv')", "data/x.csv"),
        ("Path('data') / 'x.csv'", "data/x.csv"),
        ("Path('data', 'x.csv')", "data/x.csv"),
        ("Path('data').joinpath('x.csv')", "data/x.csv"),
        ("Path.cwd() / 'data' / 'x.csv'", "data/x.csv"),
        ("(Path() / 'data' / 'x.csv').resolve()", "data/x.csv"),
        ("Path(__file__).parent / 'data' / 'x.csv'", "data/x.csv"),
        ("os.path.join(os.path.dirname(__file__), 'data', 'x.csv')", "data/x.csv"),
        ("os.path.join('data', 'x.csv')", "data/x.csv"),
        ("'data/' + 'x.csv'", "data/x.csv"),
        ("DATA = Path('data')\nDATA / 'x.csv'", "data/x.csv"),
        ("DATA = 'data'\nf'{DATA}/x.csv'", "data/x.csv"),
        (
            "class A:\n    folder = 'data'\n    def f(self): return open(folder + '/x.csv')",
            "data/x.csv",
        ),
        ("Path('data/x.txt').with_suffix('.csv')", "data/x.csv"),
        ("Path('data/y.csv').with_name('x.csv')", "data/x.csv"),
        ("open('ünïcode 1.png')", "ünïcode 1.png"),
    ],
)
def test_a_file_that_the_code_names_is_sent(code: str, path: str, tmp_path: Path) -> None:
    """Names, joined paths and Manim's own search for extensions all lead to the file."""
    make(tmp_path, path, "other.png", "data/other.csv")
    assert sent(code, tmp_path) == [path]


@pytest.mark.parametrize(
    "code",
    [
        "f'img/frame_{i}.png'",
        "f'img/frame_{i:03d}.png'",
        "'img/frame_' + str(i) + '.png'",
        "'img/frame_%03d.png' % i",
        "'img/frame_{:03d}.png'.format(i)",
        "Path('img') / f'frame_{i}.png'",
        "f'img/frame_{i}'",
        "Path('img').glob('frame_*.png')",
        "glob.glob('img/frame_*')",
        "Path('img').iterdir()",
        "os.listdir('img')",
        "Path('.').rglob('frame_*.png')",
        "os.path.join('img', name)",
    ],
)
def test_files_with_varying_names_are_sent(code: str, tmp_path: Path) -> None:
    """Where a part of the name is not known, all files that fit are sent."""
    make(tmp_path, "img/frame_001.png", "img/frame_002.png", "other.png")
    assert sent(code, tmp_path) == ["img/frame_001.png", "img/frame_002.png"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("open('notes.ipynb')", "the notebook itself"),
        ("open('.env')", "a hidden file"),
        ("open('.git/config')", "a hidden folder"),
        ("open('/etc/passwd')", "an absolute path"),
        ("open('../outside.txt')", "above the folder"),
        ("Path(__file__).parent.parent / 'outside.txt'", "above the folder"),
        ("open('img')", "a folder"),
        ("f'{a}.{b}'", "a name of which nothing is known"),
        ("f'{n}x'", "hardly the name of a file"),
        ("Path('.').glob('*')", "everything"),
        ("Text('What is this? [x]')", "a sentence"),
        ("'''logo\n.png'''", "more than one line"),
        ("open('linked.txt')", "a link to a file elsewhere"),
    ],
)
def test_what_was_not_meant_stays_here(code: str, why: str, tmp_path: Path) -> None:
    """Only named files below the folder are sent; never this:"""
    base = tmp_path / "base"
    make(base, "notes.ipynb", ".env", ".git/config", "img/a.png", "prefix", "ax", "notes.webmx")
    make(tmp_path, "outside.txt")
    (base / "linked.txt").symlink_to(tmp_path / "outside.txt")
    assert sent(code, base) == [], why


def test_assets_come_from_manims_assets_folder_too(tmp_path: Path) -> None:
    """A file in the folder that Manim is told about keeps its place there."""
    make(tmp_path, "pics/logo.png", "pics/deep/icon.svg")
    code = "ImageMobject('logo')\nSVGMobject('deep/icon')"
    assert sent(code, tmp_path, folders=["./pics"]) == ["pics/deep/icon.svg", "pics/logo.png"]
    assert sent(code, tmp_path) == []


def test_a_name_with_two_meanings_stands_for_anything(tmp_path: Path) -> None:
    """When a name is bound twice, neither value is relied on."""
    make(tmp_path, "a/x.csv", "b/x.csv", "x.csv")
    code = "d = 'a'\nd = 'b'\nPath(d) / 'x.csv'"
    assert sent(code, tmp_path) == ["a/x.csv", "b/x.csv", "x.csv"]


def test_values_of_the_notebook_count_as_parts_of_paths() -> None:
    """A path that an earlier cell made is known by its name."""
    tree = ast.parse("DATA / 'x.csv'")
    assert "data/x.csv" in patterns_in([tree], "cell.py", {"DATA": "data"})


def test_hashes_and_sizes_are_those_of_the_content(tmp_path: Path) -> None:
    """Each asset carries the SHA-256 and size of its file, which can be found by the hash."""
    make(tmp_path, "logo.png", content="hello")
    found = find_assets(["logo.png"], [tmp_path])
    (asset,) = found.assets
    assert asset.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert asset.size == 5
    assert found.files[asset.sha256].read_text(encoding="utf-8") == "hello"


def test_a_changed_file_gets_a_new_hash(tmp_path: Path) -> None:
    """Hashes are kept only as long as the file does not change."""
    make(tmp_path, "a.png", content="one")
    before = find_assets(["a.png"], [tmp_path]).assets
    make(tmp_path, "a.png", content="two")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert find_assets(["a.png"], [tmp_path]).assets != before


def test_two_files_with_one_content_arrive_twice(tmp_path: Path) -> None:
    """Equal content is sent once, but each name arrives."""
    make(tmp_path, "a.png", "b.png", content="same")
    found = find_assets(["a.png", "b.png"], [tmp_path])
    assert [asset.path for asset in found.assets] == ["a.png", "b.png"]
    assert len(found.files) == 1


def test_paths_of_other_texts_are_left_out(tmp_path: Path) -> None:
    """What already travels as a module is no asset."""
    make(tmp_path, "helpers.py")
    assert sent("'helpers.py'", tmp_path, taken=["helpers.py"]) == []


def test_the_first_folder_wins(tmp_path: Path) -> None:
    """With two roots a file of the first hides one of the same name in the second."""
    one, two = tmp_path / "one", tmp_path / "two"
    make(one, "a.png", content="first")
    make(two, "a.png", "b.png", content="second")
    found = find_assets(["a.png", "b.png"], [one, two])
    assert [(asset.path, asset.size) for asset in found.assets] == [("a.png", 5), ("b.png", 6)]


def test_a_file_named_in_the_flags_may_lie_elsewhere(tmp_path: Path) -> None:
    """A file outside arrives beside the scene; one inside keeps its place."""
    base = tmp_path / "base"
    make(base, "in/a.png", "in/.hidden", "x.py")
    make(tmp_path, "shared/logo.png", "shared/more/b.png")
    given = ["../shared/logo.png", "in", "x.py"]
    assert sent("", base, named=given) == ["in/a.png", "logo.png", "x.py"]
    assert sent("", base, named=["../shared"]) == ["shared/logo.png", "shared/more/b.png"]
    assert sent("", base, named=["../shared/*.png"]) == ["logo.png"]
    assert sent("", base, named=[str(tmp_path / "shared/logo.png")]) == ["logo.png"]
    assert sent("", base, named=["shared/logo.png"], named_from=tmp_path) == ["logo.png"]


def test_a_flag_that_names_no_file_is_refused(tmp_path: Path) -> None:
    """A path that leads to nothing is an error that says where it was looked for."""
    with pytest.raises(InvalidRequest) as caught:
        sent("", tmp_path, named=["missing.png"])
    assert "No file matches --asset missing.png" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_two_named_files_with_one_destination_are_refused(tmp_path: Path) -> None:
    """Two files that would arrive in the same place are both named."""
    base = tmp_path / "base"
    make(base, "a.png")
    make(tmp_path, "x/a.png", "y/a.png")
    with pytest.raises(InvalidRequest, match=r"Two files would arrive as a\.png"):
        sent("", base, named=["../x/a.png", "../y/a.png"])


def test_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the largest file is named; guesses are left out instead."""
    monkeypatch.setattr(assets, "MAX_TOTAL_BYTES", 10)
    make(tmp_path, "big.mp4", content="x" * 11)
    with pytest.raises(InvalidRequest, match=r"The largest is big\.mp4"):
        sent("'big.mp4'", tmp_path)
    assert sent("f'{name}.mp4'", tmp_path) == []


def test_a_vast_folder_is_not_searched_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking through everything below a folder ends with an error that says what to do."""
    monkeypatch.setattr(assets, "_MAX_LISTED", 3)
    make(tmp_path, "a/1.png", "a/2.png", "b/3.png", "b/4.png")
    with pytest.raises(InvalidRequest, match="more than 3 files"):
        sent("Path('.').rglob('*.png')", tmp_path)


@pytest.mark.parametrize("path", ["a.png", "a[1].png", "what?.png", "*.png", "x]"])
def test_literal_paths_survive_escaping(path: str) -> None:
    """A path with the characters of patterns is still that path."""
    assert literal(escaped(path)) == path


def test_a_pattern_has_no_literal_path() -> None:
    """A true pattern names no single file."""
    assert literal("a*.png") is None
