"""Imports run one way: kernel side → client → protocol; only workers know Manim."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import manim_daemon.protocol
import manim_kernel_ext

pytestmark = pytest.mark.timeout(60)

_DAEMON = Path(manim_daemon.protocol.__file__).parents[1]
_KERNEL_SIDE = Path(manim_kernel_ext.__file__).parent
_FOR_THE_KERNEL_SIDE = {"client", "protocol", "errors", "settings", "launch"}


def _name(path: Path) -> str:
    """Return the name of the module in the file `path`."""
    top = _DAEMON if path.is_relative_to(_DAEMON) else _KERNEL_SIDE
    parts = path.relative_to(top.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules(folder: Path) -> list[str]:
    return [_name(path) for path in sorted(folder.rglob("*.py"))]


def _each(paths: Iterable[Path]) -> pytest.MarkDecorator:
    """Run a test for each of `paths`."""
    return pytest.mark.parametrize("path", sorted(paths), ids=_name)


def _imports(path: Path) -> Iterator[str]:
    """Yield the full names of what `path` imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded_after_importing(modules: list[str]) -> set[str]:
    code = "import sys, importlib\n"
    code += f"for name in {modules!r}: importlib.import_module(name)\n"
    code += "print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    return set(done.stdout.split())


def _is_worker(module: str) -> bool:
    # The sandbox says of itself what it can do, to the daemon too.
    parts = module.split(".")
    return "worker" in parts and parts[-1] not in ("worker", "sandbox")


def test_kernel_side_runs_without_manim() -> None:
    """Importing all of it leaves Manim, and every worker's module, unloaded."""
    loaded = _loaded_after_importing(_modules(_KERNEL_SIDE))
    assert "manim_kernel_ext" in loaded
    assert not {name for name in loaded if name.split(".")[0] == "manim"}
    assert not {name for name in loaded if name.startswith("manim_daemon.worker")}


def test_daemon_runs_without_manim() -> None:
    """Everything but the worker's modules can be imported without loading Manim."""
    modules = [name for name in _modules(_DAEMON) if not _is_worker(name)]
    assert "manim_daemon.server" in modules
    assert "manim_daemon.client" in modules
    loaded = _loaded_after_importing(modules)
    assert not {name for name in loaded if name.split(".")[0] == "manim"}


def test_client_runs_without_the_daemons_own_modules() -> None:
    """A client needs neither the server's parts nor IPython."""
    loaded = _loaded_after_importing(["manim_daemon.client"])
    assert not loaded & {
        "IPython",
        "manim_daemon.server",
        "manim_daemon.engine",
        "manim_daemon.state",
        "manim_daemon.supervisor",
        "sqlite3",
    }


@_each(_DAEMON.rglob("*.py"))
def test_daemon_knows_nothing_of_the_kernel_side(path: Path) -> None:
    """Nothing below the daemon's folder imports what stands above it."""
    assert not [name for name in _imports(path) if name.startswith("manim_kernel_ext")]


@_each(_KERNEL_SIDE.rglob("*.py"))
def test_kernel_side_knows_only_the_clients_modules(path: Path) -> None:
    """Of the daemon's modules it imports the client's few, and never Manim."""
    for name in _imports(path):
        package, _, rest = name.partition(".")
        assert package != "manim"
        if package == "manim_daemon":
            assert rest.split(".")[0] in _FOR_THE_KERNEL_SIDE


@_each((_DAEMON / "protocol").glob("*.py"))
def test_protocol_imports_nothing_of_ours(path: Path) -> None:
    """Messages depend on no other part of the project."""
    ours = [name for name in _imports(path) if name.startswith("manim")]
    assert [name for name in ours if not name.startswith("manim_daemon.protocol")] == []


@_each(path for path in _DAEMON.rglob("*.py") if "worker" not in path.parts)
def test_only_workers_import_manim(path: Path) -> None:
    """Not even late, inside a function."""
    assert not [name for name in _imports(path) if name.split(".")[0] == "manim"]


@pytest.mark.parametrize("name", ["sqlite3", "zmq"])
def test_decisions_know_no_sockets_no_files_and_no_clock(name: str) -> None:
    """The state machine imports nothing that does anything."""
    imported = set(_imports(_DAEMON / "state.py"))
    assert not {part for part in imported if part.split(".")[0] in (name, "time", "asyncio", "os")}


def test_only_the_server_and_the_client_know_zeromq() -> None:
    """Another front door needs no change elsewhere."""
    users = {
        path.stem
        for path in _DAEMON.rglob("*.py")
        if any(name.split(".")[0] == "zmq" for name in _imports(path))
    }
    assert users == {"server", "client"}
