from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Request, Source, decode_request, encode
from manim_daemon.settings import Settings
from manim_kernel_ext.options import Invocation, parse_line
from manim_kernel_ext.request import from_file
from manim_kernel_ext.request.sources import InvalidSource
from tests.unit.notebook import script

pytestmark = pytest.mark.timeout(60)

SCENE = "class A(Scene):\n    def construct(self):\n        self.play(Create(Circle()))\n"
TWO = SCENE + SCENE.replace("class A", "class B")


def prepared(path: Path, line: str = "") -> Request:
    return from_file(path, parse_line(line), Settings())[0]


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """A restarted kernel finds its results in the cache."""
    script(tmp_path, SCENE)
    script(tmp_path, "x = 1", "helpers.py")
    script(tmp_path, "import helpers\n" + SCENE)
    code = (
        "from pathlib import Path; from manim_daemon.protocol import encode; "
        "from manim_daemon.settings import Settings; import hashlib; "
        "from manim_kernel_ext.options import parse_line; "
        "from manim_kernel_ext.request import from_file; "
        "request, _ = from_file(Path('scene.py'), parse_line('-ql'), Settings()); "
        "print(hashlib.sha256(encode(request)).hexdigest())"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1


def test_a_script_is_the_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is its name, its label what the user typed, and Manim's rules hold."""
    script(tmp_path, "import helpers\n" + SCENE, "films/scene.py")
    script(tmp_path, "import scene", "films/helpers.py")
    monkeypatch.chdir(tmp_path)
    request = prepared(Path("films/scene.py"), "-ql A")
    assert request.entry == Source(
        "scene.py", "import helpers\n" + SCENE, "films/scene.py", first_line=1
    )
    assert not request.notebook
    assert [source.path for source in request.modules] == ["helpers.py"]
    assert decode_request(encode(request)) == request


def test_a_scripts_files_are_found_where_manim_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths start where the command does, else beside the script."""
    code = "ImageMobject('assets/a.png'), SVGMobject('b'), Path(__file__).parent / 'c'"
    path = script(tmp_path, f"{SCENE}        {code}\n", "films/scene.py")
    for name in ("assets/a.png", "films/b.svg", "films/c", "manim.cfg"):
        script(tmp_path, "[CLI]\n", name)
    monkeypatch.chdir(tmp_path)
    request = prepared(path)
    assert [asset.path for asset in request.assets] == ["assets/a.png", "b.svg", "c"]
    assert [source.path for source in request.modules] == ["manim.cfg"]
    monkeypatch.chdir("/")
    monkeypatch.chdir(tmp_path / "films")
    assert [asset.path for asset in prepared(path).assets] == ["b.svg", "c"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", "", "There is no scene in"),
        (TWO, "", "several scenes"),
        (SCENE, "B", "no scene named B"),
        (SCENE, "-r 301,201", "must be even"),
    ],
)
def test_a_script_without_a_clear_scene_is_refused(
    tmp_path: Path, text: str, line: str, says: str
) -> None:
    """The same questions are asked as for a cell."""
    with pytest.raises(InvalidRequest, match=says):
        prepared(script(tmp_path, text), line)


def test_a_script_that_is_none_is_refused(tmp_path: Path) -> None:
    """Other files, and files that are not there, are named."""
    with pytest.raises(InvalidRequest, match="not a Python file"):
        prepared(script(tmp_path, "", "notes.txt"))
    with pytest.raises(InvalidRequest, match="There is no file"):
        prepared(tmp_path / "missing.py")


def test_a_syntax_error_in_a_script_names_the_path_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The label of a script is what the user typed."""
    script(tmp_path, "x = (\n", "films/scene.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSource) as caught:
        from_file(Path("films/scene.py"), Invocation(), Settings())
    assert caught.value.failure.traceback[0].filename == "films/scene.py"
