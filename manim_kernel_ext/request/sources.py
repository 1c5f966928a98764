"""The user's code as text: parsed, checked, and with the local modules that it imports."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from manim_daemon.errors import InvalidRequest, ManimKernelError
from manim_daemon.protocol import ErrorKind, Failure, Source, TracebackLine
from manim_daemon.protocol.base import MAX_TEXT
from manim_kernel_ext.request import syntax

__all__ = ["InvalidSource", "Module", "local_modules", "parse", "read_module"]

_MAGICS = "Magics and ! commands do not work in a scene: put them into a cell of their own."
_COOKIE = re.compile(r"(?m)\A((?:.*\n)?[ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")


class InvalidSource(ManimKernelError):
    """The user's code cannot be compiled; `failure` points at the place."""


@dataclass(frozen=True)
class Module:
    """One text of the user's and its syntax tree, with the lines of the text itself."""

    source: Source
    tree: ast.Module


def parse(source: Source, is_body: Callable[[ast.Module], bool] = lambda _: False) -> Module:
    """Parse `source`; as the body of a function if `is_body` says so.

    Raises InvalidSource, with the line number that the user sees, and InvalidRequest.
    """
    try:
        with warnings.catch_warnings():
            # The worker compiles the same text and shows its warnings once.
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
            compile(
                _as_body(tree) if is_body(tree) else tree, "<source>", "exec", dont_inherit=True
            )
    except SyntaxError as error:
        raise InvalidSource(_failure(error, source)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidRequest(
            f"{_label(source)} cannot be parsed: {error}.", "Make it shorter or less nested."
        ) from error
    return Module(source, tree)


def read_module(path: Path, relative: str, label: str = "") -> Module:
    """Read and parse a Python file that lies at `relative` in the job's folder.

    Raises InvalidRequest for a file that cannot be read, InvalidSource for a syntax error.
    """
    try:
        status = path.stat()
        return _read(path, relative, label, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise InvalidRequest(
            f"{label or relative} cannot be read: {error.strerror}.",
            "The scene imports it: check its permissions.",
        ) from error


def local_modules(roots: Iterable[Module], base: Path) -> tuple[Module, ...]:
    """Return the modules below the folder `base` that `roots` import, and those that these import.

    Imports inside functions count. Modules installed elsewhere are never among them. Sorted by
    path. Raises InvalidRequest, InvalidSource.
    """
    finder = _Finder(base)
    for root in roots:
        finder.follow(root)
    return tuple(module for _, module in sorted(finder.found.items()))


@functools.lru_cache(maxsize=256)
def _read(path: Path, relative: str, label: str, mtime_ns: int, size: int) -> Module:
    if size > MAX_TEXT:
        raise InvalidRequest(
            f"{label or relative} is too long for a module: {size / 1024**2:.1f} MiB.",
            "Keep data in files of their own.",
        )
    return parse(Source(relative, _decode(path.read_bytes(), label or relative), label))


def _decode(data: bytes, label: str) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        text = importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{label} cannot be read as text: {error}.", "Save it in UTF-8."
        ) from error
    # The worker writes the text in UTF-8, whatever it was in.
    return text if encoding.startswith("utf-8") else _COOKIE.sub(r"\1utf-8", text)


class _Finder:
    def __init__(self, base: Path) -> None:
        self.found: dict[str, Module] = {}
        self._base = base.resolve()
        self._done: set[str] = set()

    def follow(self, module: Module) -> None:
        """Find what `module` imports, and what that imports."""
        waiting = [module]
        while waiting:
            current = waiting.pop()
            self._done.add(current.source.path)
            for name in _imported(current):
                waiting.extend(self._add(name))

    def _add(self, name: str) -> Iterator[Module]:
        """Yield the modules along the dotted `name` that are new."""
        parts = name.split(".")
        if parts[0] == "manim":
            return
        for end in range(1, len(parts) + 1):
            path = self._locate(parts[:end])
            if path is None:
                continue
            relative = path.relative_to(self._base).as_posix()
            if relative not in self._done and relative not in self.found:
                self.found[relative] = read_module(path, relative)
                yield self.found[relative]

    def _locate(self, parts: list[str]) -> Path | None:
        stem = self._base.joinpath(*parts)
        for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
            if path.is_file() and path.resolve().is_relative_to(self._base):
                return path
        return None


def _imported(module: Module) -> Iterator[str]:
    """Yield the dotted names that may be modules, absolute, most of them not local."""
    package = _package(module.source.path)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, package)
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node)):
            yield name
    # `from package import *` imports the submodules that __all__ names.
    if PurePosixPath(module.source.path).name == "__init__.py":
        yield from (".".join((*package, name)) for name in _listed_in_all(module.tree))


def _imported_from(node: ast.ImportFrom, package: tuple[str, ...]) -> Iterator[str]:
    if node.level > len(package):
        return
    parent = package[: len(package) - node.level + 1] if node.level else ()
    start = (*parent, *(node.module.split(".") if node.module else ()))
    if start:
        yield ".".join(start)
    yield from (".".join((*start, alias.name)) for alias in node.names if alias.name != "*")


def _imported_by_call(node: ast.Call) -> str | None:
    name = syntax.dotted_name(node.func)
    if name not in ("importlib.import_module", "import_module", "__import__") or not node.args:
        return None
    first = node.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value.lstrip(".") or None
    return None


def _listed_in_all(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            for item in ast.walk(node.value):
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    yield item.value


def _package(path: str) -> tuple[str, ...]:
    return PurePosixPath(path).parts[:-1]


def _as_body(tree: ast.Module) -> ast.Module:
    """Return a module whose only function has the statements of `tree` but its star imports."""
    wrapper = ast.parse("def construct(self):\n    pass")
    function = wrapper.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [node for node in tree.body if not _is_star(node)] or function.body
    return wrapper


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _label(source: Source) -> str:
    return source.label or source.path


def _failure(error: SyntaxError, source: Source) -> Failure:
    line = error.lineno or 1
    lines = source.text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else (error.text or "")
    return Failure(
        ErrorKind.SCENE_ERROR,
        error.msg,
        _MAGICS if shown.lstrip().startswith(("%", "!")) else "",
        exception=type(error).__name__,
        traceback=(
            TracebackLine(
                _label(source),
                line + source.first_line - 1,
                "<module>",
                _with_caret(shown.rstrip("\r"), error),
            ),
        ),
    )


def _with_caret(line: str, error: SyntaxError) -> str:
    """Return `line` with a line below it that points at the error."""
    start = (error.offset or 0) - 1
    if start < 0:
        return line
    start = min(start, len(line))
    one_line = error.end_lineno in (None, error.lineno)
    end = (error.end_offset or 0) - 1 if one_line else len(line)
    gap = "".join(character if character == "\t" else " " for character in line[:start])
    return f"{line}\n{gap}{'^' * max(1, end - start)}"
