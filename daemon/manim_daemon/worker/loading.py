"""From a request's text to the scene classes it asks for."""

from __future__ import annotations

import ast
import difflib
import io
import linecache
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from manim.scene.scene import Scene

from manim_daemon.protocol import (
    ErrorKind,
    Failure,
    NamespaceItem,
    Request,
    Source,
    SourceItem,
    ValueItem,
)
from manim_daemon.worker.failures import SceneProblem

__all__ = ["SceneModule", "write_sources"]

_UNNAMED_SCENE = "CellScene"


def write_sources(request: Request, folder: Path) -> None:
    """Write entry and modules into `folder`. Raises SceneProblem for a path outside it."""
    for source in (request.entry, *request.modules):
        path = inside(folder, source.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.text, encoding="utf-8")


def inside(folder: Path, relative: str) -> Path:
    """Return `relative` below `folder`. Raises SceneProblem when it leads outside."""
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SceneProblem(
            Failure(
                ErrorKind.INVALID_REQUEST,
                f"The path {relative!r} leads outside the job's folder.",
                "Paths in a request are relative, without '..'.",
            )
        )
    return path


class SceneModule:
    """The module that the user's code becomes.

    `files` maps the file names of the user's own code to those that tracebacks show.
    """

    def __init__(self, request: Request, folder: Path) -> None:
        self._request = request
        self._entry_file = request.entry.label or request.entry.path
        stem = Path(request.entry.path).stem
        self._module = types.ModuleType(stem)
        self._module.__file__ = str(folder / request.entry.path)
        self._names_before: dict[str, Any] = {}
        self.files = {
            str(folder / source.path): source.label or source.path for source in request.modules
        }
        self.files[self._entry_file] = self._entry_file
        sys.modules[stem] = self._module
        sys.modules["__main__"] = self._module
        sys.path.insert(0, str(folder))

    @property
    def _namespace(self) -> dict[str, Any]:
        return self._module.__dict__

    def execute(self) -> None:
        """Run the namespace's items, then the entry source."""
        if self._request.notebook:
            exec("from manim import *", self._namespace)
        for item in self._request.namespace:
            self._execute_item(item)
        self._names_before = dict(self._namespace)
        self._execute_entry(self._request.entry, self._request.construct_base)

    def scenes(self) -> list[type[Scene]]:
        """Return the scene classes the request asks for, in order. Raises SceneProblem."""
        offered = self._offered()
        if self._request.scenes:
            return [self._named(name, offered) for name in self._request.scenes]
        if self._request.options.write_all or len(offered) == 1:
            return list(offered.values())
        names = ", ".join(offered)
        if offered:
            raise _problem(f"There are several scenes: {names}.", f"Name one, or use -a: {names}.")
        raise _problem(
            "There is no scene here.",
            "Define a class that derives from Scene and has a construct() method.",
        )

    def syntax_tree(self) -> ast.Module:
        """Return the entry's syntax tree (for counting plays)."""
        return ast.parse(self._request.entry.text)

    def _offered(self) -> dict[str, type[Scene]]:
        found = {
            name: value
            for name, value in self._namespace.items()
            if _is_scene(value)
            and value.__module__ == self._module.__name__
            and self._names_before.get(name) is not value
        }
        with_construct = {n: v for n, v in found.items() if v.construct is not Scene.construct}
        return with_construct or found

    def _named(self, name: str, offered: Iterable[str]) -> type[Scene]:
        value = self._namespace.get(name)
        if isinstance(value, type) and _is_scene(value):
            return value
        known = sorted(offered)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Scenes here: {', '.join(known) or 'none'}."
        if value is not None:
            raise _problem(f"{name} is not a scene but a {type(value).__name__}.", hint)
        raise _problem(f"There is no scene named {name}.", hint)

    def _execute_item(self, item: NamespaceItem) -> None:
        if isinstance(item, ValueItem):
            self._namespace[item.name] = self._unpickle(item)
            return
        self._run(_parse(item.text, item.label, item.first_line), item)

    def _unpickle(self, item: ValueItem) -> Any:
        unpickler = _Unpickler(io.BytesIO(item.pickle), self._namespace.__getitem__)
        try:
            return unpickler.load()
        except Exception as error:
            raise _problem(
                f"The value of {item.name} from the notebook cannot be rebuilt where the scene "
                f"renders: {type(error).__name__}: {error}",
                "Define it inside the cell, or install what it needs in the daemon's environment "
                "(`manim-kernel doctor` shows which one).",
            ) from error

    def _execute_entry(self, entry: Source, construct_base: str | None) -> None:
        tree = _parse(entry.text, self._entry_file, entry.first_line)
        if construct_base is not None:
            name = (*self._request.scenes, _UNNAMED_SCENE)[0]
            tree = _as_construct(tree, name, construct_base)
        self._run(tree, entry)

    def _run(self, tree: ast.Module, source: Source | SourceItem) -> None:
        filename = source.label or self._entry_file
        self.files[filename] = filename
        _show_in_tracebacks(filename, source.text, source.first_line)
        # Without dont_inherit, this module's own __future__ imports would hold in the user's code.
        exec(compile(tree, filename, "exec", dont_inherit=True), self._namespace)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, lookup: Callable[[str], Any]) -> None:
        super().__init__(file)
        self._lookup = lookup

    def persistent_load(self, name: str) -> Any:
        return self._lookup(name)


def _is_scene(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Scene) and value is not Scene


def _problem(message: str, hint: str) -> SceneProblem:
    return SceneProblem(Failure(ErrorKind.INVALID_REQUEST, message, hint))


def _parse(text: str, filename: str, first_line: int) -> ast.Module:
    try:
        tree = ast.parse(text, filename)
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + first_line - 1
        raise
    ast.increment_lineno(tree, first_line - 1)
    return tree


def _as_construct(body: ast.Module, name: str, base: str) -> ast.Module:
    """Put statements into the construct() of a scene; star imports stay at module level."""
    stars = [s for s in body.body if isinstance(s, ast.ImportFrom) and s.names[0].name == "*"]
    inner = [s for s in body.body if s not in stars]
    scene = ast.parse(f"class {name}({base}):\n    def construct(self):\n        pass\n").body[0]
    assert isinstance(scene, ast.ClassDef)
    construct = scene.body[0]
    assert isinstance(construct, ast.FunctionDef)
    construct.body = inner or construct.body
    return ast.fix_missing_locations(ast.Module([*stars, scene], []))


def _show_in_tracebacks(filename: str, text: str, first_line: int) -> None:
    known = linecache.cache.get(filename)
    lines = list(known[2]) if known and len(known) == 4 else []
    new = text.splitlines(keepends=True)
    lines += ["\n"] * (first_line - 1 + len(new) - len(lines))
    lines[first_line - 1 : first_line - 1 + len(new)] = new
    linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)
