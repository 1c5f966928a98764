"""From a notebook's cell or a script to the request that renders it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Limits, Request, Source, SourceItem
from manim_daemon.settings import Settings
from manim_kernel_ext.options import Invocation
from manim_kernel_ext.request import kernel_manim, syntax
from manim_kernel_ext.request.checks import check_cell, check_file, check_frame_size, check_named
from manim_kernel_ext.request.definitions import Definitions
from manim_kernel_ext.request.files import Code, Folder, with_files
from manim_kernel_ext.request.names import names_in
from manim_kernel_ext.request.namespace import Namespace, collect
from manim_kernel_ext.request.pickles import Notebook
from manim_kernel_ext.request.scenes import is_construct_body, scene_classes
from manim_kernel_ext.request.sources import Module, parse, read_module

__all__ = ["Kernel", "Prepared", "from_cell", "from_file"]

_CELL = "cell"
_BASE = "Scene"

Prepared = tuple[Request, dict[str, Path]]
"""A request, and where the content of each of its assets lies by SHA-256."""


@dataclass(frozen=True)
class Kernel:
    """The notebook as a cell sees it: its folder, its names, what earlier cells have defined."""

    folder: Path
    names: dict[str, object]
    definitions: Definitions

    def has(self, name: str) -> bool:
        """Return whether `name` is defined, in the kernel or by an earlier cell."""
        return name in self.names or bool(self.definitions.find(name, self.names))


def from_cell(
    cell: str | None, invocation: Invocation, settings: Settings, kernel: Kernel, label: str
) -> Prepared:
    """Return the request that renders `cell`, and its files by hash.

    `cell` is the text below the line of the magic; None renders scenes of earlier cells. `label` is
    how tracebacks name it. Raises InvalidRequest, and InvalidSource for a syntax error.
    """
    known = _known_scenes(cell or "", kernel)

    def is_body(tree: ast.Module) -> bool:
        found = scene_classes(tree, known)
        return is_construct_body(tree, known) or bool(invocation.base and not found.scenes)

    module = parse(Source(_free_path(kernel.folder), cell or "", label, first_line=2), is_body)
    base = None
    if cell is None:
        check_named(invocation.scenes, kernel.has, kernel.definitions.scenes())
    else:
        base = (invocation.base or _BASE) if is_body(module.tree) else None
        check_cell(module.tree, invocation, known, kernel.has)
    namespace = _namespace(module, base, invocation, settings, kernel)
    request = Request(
        entry=module.source,
        scenes=invocation.scenes,
        notebook=True,
        construct_base=base,
        namespace=namespace.items,
        options=invocation.options,
        config={**kernel_manim.settings(), **invocation.config},
        limits=_limits(invocation, settings),
        fresh=invocation.fresh,
    )
    modules = [module, *_modules_in(namespace, module.source.path)]
    code = Code(modules, namespace.values, namespace.modules)
    folder = Folder(kernel.folder, [kernel.folder], kernel.folder)
    return _finish(request, code, invocation, folder)


def from_file(path: Path, invocation: Invocation, settings: Settings) -> Prepared:
    """Return the request that renders scenes of the script `path`, and its files by hash.

    Raises InvalidRequest, and InvalidSource for a syntax error.
    """
    if path.suffix != ".py":
        raise InvalidRequest(f"{path} is not a Python file.", "Name a .py file with a scene.")
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}.", "Name a .py file with a scene.")
    module = read_module(path, path.name, str(path))
    check_file(module.tree, path, invocation)
    request = Request(
        entry=module.source,
        scenes=invocation.scenes,
        options=invocation.options,
        config=dict(invocation.config),
        limits=_limits(invocation, settings),
        fresh=invocation.fresh,
    )
    return _finish(request, Code([module], {}), invocation, _folder_of(path))


def _finish(request: Request, code: Code, invocation: Invocation, folder: Folder) -> Prepared:
    request, files = with_files(request, code, invocation, folder)
    check_frame_size(request)
    return request, files


def _folder_of(script: Path) -> Folder:
    """Return where the files of a script are: Manim looks where it is started, then beside it."""
    base, start = script.resolve().parent, Path.cwd()
    roots = [start, base] if base != start and base.is_relative_to(start) else [base]
    return Folder(base, roots, start)


def _limits(invocation: Invocation, settings: Settings) -> Limits:
    return Limits(
        wall_time_s=invocation.timeout_s or settings.timeout_s,
        memory_bytes=invocation.memory_bytes or settings.max_memory_bytes,
        output_bytes=settings.max_output_bytes,
    )


def _namespace(
    module: Module, base: str | None, invocation: Invocation, settings: Settings, kernel: Kernel
) -> Namespace:
    needed = names_in(module.tree.body)
    wanted = {name for name in invocation.scenes if name not in needed.bound}
    if base is not None:
        needed = replace(needed, now=needed.now - {"self"}, later=needed.later - {"self"})
        wanted.add(base.partition(".")[0])
    return collect(
        needed,
        Notebook(kernel.names, kernel.folder.resolve(), settings.max_value_bytes),
        kernel.definitions,
        cell=module.source.text,
        wanted=wanted,
        with_tex_template=invocation.options.tex_template is None,
    )


def _modules_in(namespace: Namespace, path: str) -> Iterator[Module]:
    for item in namespace.items:
        if isinstance(item, SourceItem) and (tree := syntax.parsed(item.text)):
            yield Module(Source(path, item.text), tree)


def _known_scenes(cell: str, kernel: Kernel) -> frozenset[str]:
    """Return the names of scenes from elsewhere, among those that `cell` uses as bases."""
    tree = syntax.parsed(cell) or ast.Module([], [])
    bases = {
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    in_kernel = {name for name in bases if _is_scene(kernel.names.get(name))}
    return kernel.definitions.scenes() | in_kernel


def _is_scene(value: object) -> bool:
    return isinstance(value, type) and any(
        base.__name__ == "Scene" and base.__module__.startswith("manim.") for base in value.__mro__
    )


def _free_path(folder: Path) -> str:
    """Return a name for the cell's file that no module beside the notebook has."""
    number = 0
    name = _CELL
    while (folder / f"{name}.py").exists() or (folder / name).exists():
        number += 1
        name = f"{_CELL}_{number}"
    return f"{name}.py"
