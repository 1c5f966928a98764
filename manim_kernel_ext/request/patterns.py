"""Which files a text may name: its string constants, and the paths it puts together from them."""

from __future__ import annotations

import ast
import glob
import posixpath
import re
from collections.abc import Mapping, Sequence

from manim_kernel_ext.request import syntax

__all__ = ["escaped", "literal", "patterns_in"]

_MAX_LENGTH = 512
_SAME_PATH = frozenset({"resolve", "absolute", "expanduser", "as_posix", "strip"})
_PATHS = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath", "str", "fspath", "abspath"})
_LISTERS = frozenset({"listdir", "scandir"})


def patterns_in(
    trees: Sequence[ast.Module], path: str, known: Mapping[str, str] | None = None
) -> set[str]:
    """Return glob patterns, relative with forward slashes, for the files that `trees` may name.

    The trees share one namespace, whose file lies at `path`. `known` are patterns for names
    that are bound elsewhere. Unknown parts of a path are ``*``.
    """
    reader = _Reader(path, dict(known or {}))
    for tree in trees:
        reader.learn(tree)
    return {
        pattern
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.expr)
        and (pattern := reader.read(node)) is not None
        and _is_usable(pattern)
    }


def escaped(path: str) -> str:
    """Return the pattern that matches only `path`."""
    return glob.escape(path)


def literal(pattern: str) -> str | None:
    """Return the only path that `pattern` matches, or None."""
    plain = re.sub(r"\[([*?[])\]", "\0", pattern)
    return None if glob.has_magic(plain) else re.sub(r"\[([*?[])\]", r"\1", pattern)


def _is_usable(pattern: str) -> bool:
    if not pattern or len(pattern) > _MAX_LENGTH or not pattern.isprintable():
        return False
    if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        return False
    return any(character.isalnum() for character in pattern)


class _Reader:
    def __init__(self, path: str, names: dict[str, str]) -> None:
        self._path = path
        self._names = names

    def learn(self, tree: ast.Module) -> None:
        """Note what names stand for; a name with two meanings stands for anything."""
        seen: set[str] = set()
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    pattern = None if target.id in seen else self.read(node.value)
                    seen.add(target.id)
                    self._names.pop(target.id, None)
                    if pattern is not None:
                        self._names[target.id] = pattern

    def read(self, node: ast.expr) -> str | None:
        """Return the pattern for the value of `node`; None when nothing is known about it."""
        match node:
            case ast.Constant(value=str(text)):
                return glob.escape(text) if len(text) <= _MAX_LENGTH else None
            case ast.Name(id="__file__"):
                return glob.escape(self._path)
            case ast.Name(id=name):
                return self._names.get(name)
            case ast.JoinedStr(values=parts):
                return self._joined([self._formatted(part) for part in parts])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([self.read(left), self.read(right)])
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._path_of([left, right])
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
                return re.sub(r"%[^a-zA-Z%]*[a-zA-Z]", "*", glob.escape(text))
            case ast.Attribute(value=value, attr="parent"):
                return self._parent(self.read(value))
            case ast.Call():
                return self._call(node)
        return None

    def _formatted(self, part: ast.expr) -> str | None:
        if isinstance(part, ast.FormattedValue):
            return self.read(part.value) if part.format_spec is None else None
        return self.read(part)

    def _call(self, node: ast.Call) -> str | None:
        if isinstance(node.func, ast.Attribute):
            found = self._method(node.func.attr, node.func.value, node.args)
            if found is not None:
                return found
        name = (syntax.dotted_name(node.func) or "").rpartition(".")[2]
        if name in ("cwd", "getcwd"):
            return ""
        if name in _PATHS:
            return self._path_of(node.args) if node.args else ""
        if not node.args:
            return None
        if name in _LISTERS:
            return self._under(self.read(node.args[0]), "*")
        if name == "walk":
            return self._under(self.read(node.args[0]), "**/*")
        if name in ("glob", "iglob"):
            return _unescaped(self.read(node.args[0]))
        if name in ("dirname", "realpath"):
            found = self.read(node.args[0])
            return self._parent(found) if name == "dirname" else found
        return None

    def _method(self, name: str, owner: ast.expr, arguments: Sequence[ast.expr]) -> str | None:
        if name == "join" and (syntax.dotted_name(owner) or "").endswith("path"):
            return self._path_of(arguments)
        base = self.read(owner)
        if base is None:
            return None
        first = self.read(arguments[0]) if arguments else None
        match name:
            case "format":
                return re.sub(r"\{[^{}]*\}", "*", base)
            case "joinpath":
                return self._path_of([owner, *arguments])
            case "iterdir":
                return self._under(base, "*")
            case "glob":
                return self._under(base, _unescaped(first) or "*")
            case "rglob":
                return self._under(base, f"**/{_unescaped(first) or '*'}")
            case "with_name":
                return self._under(self._parent(base), first or "*")
            case "with_suffix":
                return posixpath.splitext(base)[0] + (first or ".*")
        return base if name in _SAME_PATH else None

    def _path_of(self, parts: Sequence[ast.expr]) -> str | None:
        read = [self.read(part) for part in parts]
        if all(pattern is None for pattern in read):
            return None
        path = ""
        for pattern in read:
            path = self._under(path, "*" if pattern is None else pattern) or ""
        return path

    def _under(self, folder: str | None, name: str) -> str | None:
        if folder is None:
            return None
        joined = posixpath.join(folder, name)
        return "" if not joined else posixpath.normpath(joined).removeprefix("./")

    def _parent(self, path: str | None) -> str | None:
        if path is None:
            return None
        # Above the folder of the notebook or script nothing may be taken.
        return posixpath.dirname(path) if path not in ("", ".") else ".."

    def _joined(self, parts: Sequence[str | None]) -> str | None:
        if all(part is None for part in parts):
            return None
        return re.sub(r"\*{2,}", "*", "".join("*" if part is None else part for part in parts))


def _unescaped(pattern: str | None) -> str | None:
    return None if pattern is None else re.sub(r"\[([*?[])\]", r"\1", pattern)
