"""The files that go with a request: local modules, Manim's settings, assets."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from msgspec import structs

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import ConfigValue, Request, Source
from manim_kernel_ext.options import Invocation
from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.assets import arrival, find_assets
from manim_kernel_ext.request.config_files import ConfigFile, read_config
from manim_kernel_ext.request.patterns import escaped, patterns_in
from manim_kernel_ext.request.pickles import relocated
from manim_kernel_ext.request.sources import Module, local_modules

__all__ = ["Code", "Folder", "with_files"]

_CONFIG = "manim.cfg"
_MAX_VALUES = 1000


@dataclass(frozen=True)
class Folder:
    """Where files are looked for.

    `base` is the notebook's or the script's folder, and what the scene sees as its own. `roots` are
    the folders that relative paths in the code start from, `start` the one for paths in flags.
    """

    base: Path
    roots: Sequence[Path]
    start: Path


@dataclass(frozen=True)
class Code:
    """All code of one request that shares a namespace.

    `values` are the values in it that travel by pickle; `imported` are modules that these need.
    """

    modules: Sequence[Module]
    values: Mapping[str, object]
    imported: Sequence[str] = ()


def with_files(
    request: Request, code: Code, invocation: Invocation, folder: Folder
) -> tuple[Request, dict[str, Path]]:
    """Return `request` with all files that its code needs, and where their contents lie by hash.

    Raises InvalidRequest, InvalidSource.
    """
    roots = [*code.modules, *_imports(code.imported)]
    modules = [
        module
        for module in local_modules(roots, folder.base)
        if module.source.path != request.entry.path
    ]
    configs, config_file = _configs(invocation, folder)
    template = invocation.options.tex_template
    named = [*invocation.assets, *([template] if template else [])]
    sources = [*(module.source for module in modules), *(config.source for config in configs)]
    found = find_assets(
        _patterns(request.entry, code, modules, configs, folder),
        folder.roots,
        folders=_assets_folders(code, modules, configs, request.config),
        named=named,
        named_from=folder.start,
        taken=[request.entry.path, *(source.path for source in sources)],
    )
    options = structs.replace(
        request.options,
        config_file=config_file,
        tex_template=_arrival(template, folder) if template else None,
    )
    complete = structs.replace(
        request, modules=tuple(sources), assets=found.assets, options=options
    )
    return complete, found.files


def _imports(names: Sequence[str]) -> Iterator[Module]:
    if names:
        text = "\n".join(f"import {name}" for name in names)
        yield Module(Source("", text), ast.parse(text))


def _configs(invocation: Invocation, folder: Folder) -> tuple[list[ConfigFile], str | None]:
    """Return the settings files that apply, and where the one named in the flags arrives."""
    applied = next((p for root in folder.roots if (p := root / _CONFIG).is_file()), None)
    found = [read_config(applied, _CONFIG)] if applied else []
    named = invocation.options.config_file
    if named is None:
        return found, None
    path = folder.start / Path(named).expanduser()
    if not path.is_file():
        raise InvalidRequest(
            f"There is no settings file {named}.",
            f"Paths are relative to {folder.start.resolve()}.",
        )
    arrives_at = _arrival(named, folder)
    if applied and path.samefile(applied):
        return found, _CONFIG
    if arrives_at == _CONFIG:
        arrives_at = f"named-{_CONFIG}"
    return [*found, read_config(path, arrives_at)], arrives_at


def _arrival(name: str, folder: Folder) -> str:
    return arrival(folder.start / Path(name).expanduser(), folder.base)


def _patterns(
    entry: Source,
    code: Code,
    modules: Sequence[Module],
    configs: Sequence[ConfigFile],
    folder: Folder,
) -> set[str]:
    paths = {name: list(_paths_in(value, folder.base)) for name, value in code.values.items()}
    known = {name: escaped(found[0]) for name, found in paths.items() if len(found) == 1}
    trees = [module.tree for module in code.modules]
    patterns = patterns_in(trees, entry.path, known)
    for module in modules:
        patterns |= patterns_in([module.tree], module.source.path)
    for text in itertools.chain(*paths.values(), *(config.values for config in configs)):
        if text and not text.startswith("/") and ".." not in text.split("/"):
            patterns.add(escaped(text))
    return patterns


def _paths_in(value: object, base: Path) -> Iterator[str]:
    """Yield strings and paths in a value of the notebook, relative to `base`."""
    waiting = [value]
    for _ in range(_MAX_VALUES):
        if not waiting:
            return
        current = waiting.pop()
        if isinstance(current, (str, PurePath)):
            text = str(relocated(current, base))
            if len(text) < 512 and text.isprintable():
                yield text
        elif isinstance(current, dict):
            waiting += list(itertools.islice(current.values(), _MAX_VALUES))
        elif isinstance(current, (list, tuple, set, frozenset)):
            waiting += list(itertools.islice(current, _MAX_VALUES))


def _assets_folders(
    code: Code,
    modules: Iterable[Module],
    configs: Sequence[ConfigFile],
    config: Mapping[str, ConfigValue],
) -> list[str]:
    found = [configured.assets_dir for configured in configs]
    found.append(str(config.get("assets_dir") or ""))
    for module in (*code.modules, *modules):
        found += _assigned_assets_dirs(module.tree)
    return sorted({folder for folder in found if folder} | {"assets"})


def _assigned_assets_dirs(tree: ast.Module) -> Iterator[str]:
    """Yield what is assigned to ``config.assets_dir`` and ``config["assets_dir"]``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if syntax.setting(target) == "assets_dir":
                    yield str(node.value.value)
