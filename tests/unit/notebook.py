"""A notebook for tests: real cells in a real IPython, and a worker that runs what travels."""

from __future__ import annotations

import ast
import io
import pickle
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from manim_daemon.protocol import NamespaceItem, Request, SourceItem, ValueItem
from manim_daemon.settings import Settings
from manim_kernel_ext.options import parse_line
from manim_kernel_ext.request import Kernel, from_cell
from manim_kernel_ext.request.definitions import Definitions
from manim_kernel_ext.request.names import names_in
from manim_kernel_ext.request.namespace import Namespace, collect
from manim_kernel_ext.request.pickles import Notebook
from manim_kernel_ext.request.statements import Text

__all__ = ["Cells", "execute", "names_of", "script", "source_of"]


class Cells:
    """Runs cells, and prepares those under the magic."""

    def __init__(self, shell: InteractiveShell, folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.definitions = Definitions()
        self.settings = Settings()

    @property
    def names(self) -> dict[str, Any]:
        """The names of the kernel."""
        names: dict[str, Any] = self.shell.user_ns
        return names

    def run(self, cell: str) -> None:
        """Run an ordinary cell in the kernel."""
        self.shell.run_cell(cell, store_history=True).raise_error()  # type: ignore[no-untyped-call]

    def remember(self, cell: str) -> None:
        """Take note of a cell that was rendered."""
        self.definitions.remember(Text(cell, "Cell In[9]", 2), self.names)

    def collect(self, cell: str, *, limit: int = 2**26) -> Namespace:
        """Return what `cell` needs from the notebook."""
        return collect(
            names_in(ast.parse(cell).body),
            Notebook(self.names, self.folder.resolve(), limit),
            self.definitions,
            cell=cell,
        )

    def prepare(self, cell: str | None, line: str = "") -> tuple[Request, dict[str, Path]]:
        """Return the request for a cell under the magic with `line`."""
        kernel = Kernel(self.folder, self.names, self.definitions)
        return from_cell(cell, parse_line(line), self.settings, kernel, "Cell In[5]")

    def value(self, expression: str) -> Any:
        """Return the value that a cell with `expression` has where the scene runs."""
        cell = f"result = {expression}"
        return execute(self.collect(cell).items, cell)["result"]


def execute(items: Iterable[NamespaceItem], cell: str = "", **given: Any) -> dict[str, Any]:
    """Run `items` and then `cell` in a fresh module, as the worker does; return its names."""
    module = ModuleType("cell")
    names = module.__dict__
    names.update(given)
    before = sys.modules["__main__"]
    sys.modules["__main__"] = sys.modules["cell"] = module
    try:
        for item in items:
            if isinstance(item, SourceItem):
                exec(compile(item.text, item.label, "exec", dont_inherit=True), names)
                assert set(item.names) <= set(names)
            else:
                names[item.name] = _Unpickler(item.pickle, names).load()
        exec(compile(cell, "cell", "exec", dont_inherit=True), names)
    finally:
        sys.modules["__main__"] = before
        del sys.modules["cell"]
    return names


def names_of(items: tuple[NamespaceItem, ...]) -> list[str]:
    """Return all names that `items` bind, in their order."""
    return [
        name
        for item in items
        for name in ((item.name,) if isinstance(item, ValueItem) else item.names)
    ]


def source_of(items: tuple[NamespaceItem, ...], name: str) -> SourceItem:
    """Return the only item of source that binds `name`."""
    (found,) = [item for item in items if isinstance(item, SourceItem) and name in item.names]
    return found


def script(folder: Path, text: str, name: str = "scene.py") -> Path:
    """Write a file below `folder` and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, names: dict[str, Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._names = names

    def persistent_load(self, pid: str) -> Any:
        return self._names[pid]
