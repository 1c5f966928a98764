"""The scenes in Manim's own docstrings: every ``.. manim::`` directive of an installed Manim."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

__all__ = ["Example", "examples_in", "manim_folder"]

_DIRECTIVE = re.compile(r"( *)\.\. manim:: +(\w+)$")
_OPTION = re.compile(r" +:(\w+):(.*)$")
_PROMPTS = (">>> ", "... ")
_SEEDING = ("import random", "random.seed(0)", "np.random.seed(0)")
_QUALITIES = {"low": "l", "medium": "m", "high": "h", "fourk": "k"}


@dataclass(frozen=True)
class Example:
    """One directive. `name` says where it stands, `flags` are its options as flags of Manim's."""

    name: str
    scene: str
    code: str
    flags: tuple[str, ...]

    @property
    def key(self) -> str:
        """A short name for what is rendered: the code and the flags."""
        text = "\0".join((self.scene, self.code, *self.flags))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def manim_folder() -> Path:
    """Return where the installed Manim lies, without importing it."""
    found = importlib.util.find_spec("manim")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("Manim is not installed beside this Python; install it first.")
    return Path(found.origin).parent


def examples_in(folder: Path) -> Iterator[Example]:
    """Yield the examples in all Python files below `folder`, in the order of their places."""
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if ".. manim::" in source:
            yield from _examples_in_file(path.relative_to(folder).as_posix(), source)


def _examples_in_file(path: str, source: str) -> Iterator[Example]:
    texts = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    for node in sorted(texts, key=lambda node: node.lineno):
        if not isinstance(node.value, str):
            continue
        lines = node.value.expandtabs().splitlines()
        for index, line in enumerate(lines):
            if match := _DIRECTIVE.match(line.rstrip()):
                indent, scene = len(match[1]), match[2]
                name = f"{path}:{node.lineno + index} {scene}"
                yield _example(name, scene, _block(lines[index + 1 :], indent))


def _block(lines: Sequence[str], indent: int) -> list[str]:
    """Return the lines that belong to a directive that stands at `indent`."""
    block = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        block.append(line)
    return block


def _example(name: str, scene: str, block: Sequence[str]) -> Example:
    options = {}
    for line in block:
        match = _OPTION.match(line)
        if match is None:
            break
        options[match[1]] = match[2].strip()
    code = inspect.cleandoc(dedent("\n".join(block[len(options) :])))
    return Example(name, scene, _file(code), _flags(options))


def _file(code: str) -> str:
    """Return what the directive would execute: doctest prompts go, and Manim is imported."""
    lines = code.splitlines()
    if lines and lines[0].startswith(_PROMPTS[0]):
        lines = [line[4:] for line in lines if line.startswith(_PROMPTS)]
    # Manim's --seed takes effect when a scene is made: too late for what the module itself draws.
    seeding = _SEEDING if _acts_when_imported("\n".join(lines)) else ()
    return "\n".join(("from manim import *", *seeding, "", *lines, ""))


def _acts_when_imported(code: str) -> bool:
    definitions = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    try:
        statements = ast.parse(code).body
    except SyntaxError:
        return False
    return not all(isinstance(statement, definitions) for statement in statements)


def _flags(options: dict[str, str]) -> tuple[str, ...]:
    quality = _QUALITIES[options.get("quality", "low")]
    still = ("-s",) if "save_last_frame" in options else ()
    gif = ("--format", "gif") if "save_as_gif" in options else ()
    return (f"-q{quality}", *still, *gif)
