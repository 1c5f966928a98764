"""What a request brings along is there where the scene renders."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import cloudpickle
import msgspec
import pytest

from manim_daemon.client import Client
from manim_daemon.errors import InvalidRequest, JobFailed
from manim_daemon.protocol import (
    Asset,
    ErrorKind,
    NamespaceItem,
    RenderOptions,
    Request,
    Source,
    SourceItem,
    ValueItem,
)
from tests.rendering import STILL, cell, scene

pytestmark = pytest.mark.timeout(60)


def _printed(client: Client, request: Request) -> str:
    job = client.submit(request)
    job.result()
    return client.logs(job.id)


def _asset(path: Path, name: str) -> tuple[Asset, dict[str, Path]]:
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return Asset(name, sha256, len(content)), {sha256: path}


def test_asset_arrives_and_is_sent_once(client: Client, tmp_path: Path) -> None:
    """A file larger than a message arrives whole; the second time its content is not asked for."""
    path = tmp_path / "noise"
    path.write_bytes(os.urandom(9 * 1024**2))
    asset, files = _asset(path, "data/noise.bin")
    text = scene(
        "import hashlib", "print(hashlib.sha256(open('data/noise.bin', 'rb').read()).hexdigest())"
    )
    request = cell(text, assets=(asset,), fresh=True)
    for given in (files, {}):
        job = client.submit(request, given)
        job.result()
        assert client.logs(job.id).split()[0] == asset.sha256


def test_empty_asset_arrives(client: Client, tmp_path: Path) -> None:
    """A file without content is a file."""
    path = tmp_path / "empty"
    path.touch()
    asset, files = _asset(path, "empty")
    job = client.submit(cell(scene("print(open('empty').read() == '')"), assets=(asset,)), files)
    job.result()
    assert client.logs(job.id).startswith("True")


def test_asset_without_its_content_is_refused(client: Client) -> None:
    """The error says that the file must be handed over."""
    asset = Asset("logo.png", "1" * 64, 3)
    with pytest.raises(InvalidRequest, match="not among the files given"):
        client.submit(cell(STILL, assets=(asset,)))


def test_asset_that_changed_on_its_way_is_refused(client: Client, tmp_path: Path) -> None:
    """Content under a hash that is not its own is never stored."""
    path = tmp_path / "logo.png"
    path.write_bytes(b"before")
    asset, files = _asset(path, "logo.png")
    path.write_bytes(b"after")
    with pytest.raises(InvalidRequest, match="does not have the hash"):
        client.submit(cell(STILL, assets=(asset,)), files)


def test_assets_in_each_others_place_fail_the_job_only(client: Client, tmp_path: Path) -> None:
    """A file where another's folder should be is the request's fault, not the daemon's end."""
    path = tmp_path / "x"
    path.write_bytes(b"x")
    asset, files = _asset(path, "x")
    inside = msgspec.structs.replace(asset, path="x/x")
    with pytest.raises(JobFailed, match="folder could not be made") as caught:
        client.submit(cell(STILL, assets=(asset, inside), fresh=True), files).result()
    assert caught.value.failure.kind is ErrorKind.INVALID_REQUEST
    assert client.submit(cell(STILL, fresh=True)).result().artifacts


def test_path_outside_the_folder_is_refused(client: Client) -> None:
    """The request is turned down before it becomes a job."""
    with pytest.raises(InvalidRequest, match="outside the job's folder"):
        client.submit(Request(entry=Source("../cell.py", STILL)))


def test_local_modules_are_imported(client: Client) -> None:
    """Modules and packages beside the entry are found by their names."""
    modules = (
        Source("helpers.py", "from pkg.deep import VALUE\n"),
        Source("pkg/__init__.py", ""),
        Source("pkg/deep.py", "VALUE = 42\n"),
    )
    text = "import helpers\n" + scene("print(helpers.VALUE)")
    assert _printed(client, cell(text, modules=modules)).startswith("42")


def test_error_in_a_local_module_shows_its_line(client: Client) -> None:
    """The user's own files are all part of the traceback, each under its name."""
    modules = (Source("helpers.py", "def half(x):\n    return 1 / 0\n"),)
    text = "import helpers\n" + scene("helpers.half(3)")
    with pytest.raises(JobFailed) as caught:
        client.submit(cell(text, modules=modules)).result()
    places = [(line.filename, line.line) for line in caught.value.failure.traceback]
    assert places == [("Cell In[1]", 5), ("helpers.py", 2)]


def test_syntax_error_in_a_local_module_shows_its_line(client: Client) -> None:
    """The line that imports it, and the line that cannot be read, under the module's name."""
    modules = (Source("pkg/helpers.py", "x = 1\ny = = 2\n", "lib/pkg/helpers.py"),)
    text = "import pkg.helpers\n" + STILL
    with pytest.raises(JobFailed, match="invalid syntax") as caught:
        client.submit(cell(text, modules=modules)).result()
    places = [(line.filename, line.line) for line in caught.value.failure.traceback]
    assert places == [("Cell In[1]", 2), ("lib/pkg/helpers.py", 2)]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sends the functions it is told of by name."""

    names: dict[int, str] = {}  # noqa: RUF012 - set before use

    def persistent_id(self, value: object) -> str | None:
        return self.names.get(id(value))


def _pickled(value: object, **named: object) -> bytes:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.names = {id(item): name for name, item in named.items()}
    pickler.dump(value)
    return buffer.getvalue()


def test_names_from_earlier_cells_are_there(client: Client) -> None:
    """Sources, values, and values that refer to what an earlier item defines."""

    def double(x: int) -> int:
        raise AssertionError("only its name may travel")

    namespace: tuple[NamespaceItem, ...] = (
        SourceItem("import math", "Cell In[2]", names=("math",)),
        SourceItem("def double(x):\n    return x * FACTOR\n", "Cell In[3]", 1, ("double",)),
        ValueItem("FACTOR", _pickled(2)),
        ValueItem("steps", _pickled([double, 5], double=double)),
    )
    text = scene("call, value = steps", "print(call(value), call is double, math.tau > 6)")
    assert _printed(client, cell(text, namespace=namespace)).startswith("10 True True")


def test_error_in_an_earlier_cell_shows_that_cell(client: Client) -> None:
    """A function from another cell keeps its place in the traceback."""
    namespace = (SourceItem("def half(x):\n    return 1 / 0\n", "Cell In[7]", 4, ("half",)),)
    with pytest.raises(JobFailed) as caught:
        client.submit(cell(scene("half(3)"), namespace=namespace)).result()
    lines = caught.value.failure.traceback
    assert [(line.filename, line.line) for line in lines] == [("Cell In[1]", 4), ("Cell In[7]", 5)]
    assert lines[-1].source.strip() == "return 1 / 0"


def test_value_that_cannot_be_rebuilt_is_named(client: Client) -> None:
    """The error says which name, and what to do about it."""
    namespace = (ValueItem("model", b"cno_such_module\nThing\n."),)
    with pytest.raises(JobFailed, match="model") as caught:
        client.submit(cell(STILL, namespace=namespace)).result()
    assert caught.value.failure.kind is ErrorKind.INVALID_REQUEST
    assert "no_such_module" in caught.value.failure.message
    assert "Define it inside the cell" in caught.value.failure.hint


def test_base_scene_from_an_earlier_cell_is_not_rendered_itself(client: Client) -> None:
    """Only what the entry defines is offered."""
    namespace = (SourceItem(scene("pass", name="Base"), "Cell In[1]", 1, ("Base",)),)
    text = "class Demo(Base):\n    def construct(self):\n        self.add(Dot())\n"
    result = client.submit(cell(text, namespace=namespace)).result()
    assert [artifact.scene for artifact in result.artifacts] == ["Demo"]


def test_script_says_itself_what_it_imports(client: Client) -> None:
    """Without a notebook nothing is implied, and lines count from one."""
    script = Source("scene.py", "from manim import *\n\n" + STILL)
    options = RenderOptions(quality="l")
    assert client.submit(Request(script, ("Demo",), options=options)).result().artifacts
    with pytest.raises(JobFailed) as caught:
        client.submit(Request(Source("scene.py", STILL), options=options)).result()
    (line,) = caught.value.failure.traceback
    assert (line.filename, line.line) == ("scene.py", 1)


def test_all_scenes_are_rendered_in_order(client: Client) -> None:
    """With ``write_all`` each scene has its artifact; with names, in the order of the names."""
    text = STILL + scene("self.add(Square())", name="Other")
    everything = RenderOptions(quality="l", write_all=True)
    result = client.submit(cell(text, options=everything)).result()
    assert [artifact.scene for artifact in result.artifacts] == ["Demo", "Other"]
    result = client.submit(cell(text, scenes=("Other", "Demo"))).result()
    assert [artifact.scene for artifact in result.artifacts] == ["Other", "Demo"]


def test_every_job_draws_its_own_random_numbers(client: Client) -> None:
    """Workers forked from one zygote do not repeat each other; a seed makes them repeat."""
    text = scene("import random", "print(random.random(), np.random.rand())", "self.add(Dot())")
    first, second = (_printed(client, cell(text, fresh=True)).splitlines()[0] for _ in range(2))
    assert not set(first.split()) & set(second.split())
    options = RenderOptions(quality="l", seed=7)
    same = {_printed(client, cell(text, fresh=True, options=options)) for _ in range(2)}
    assert len(same) == 1
