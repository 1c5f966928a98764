"""Which scenes a text defines, as far as that can be seen without Manim."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.names import names_in

__all__ = ["SceneClasses", "is_construct_body", "scene_classes"]

_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class SceneClasses:
    """The classes of a text. `scenes` surely are scenes; `ready` are those that have a construct().

    `maybe` says that there are classes of which only the worker can tell.
    """

    scenes: tuple[str, ...]
    ready: tuple[str, ...]
    maybe: bool


def scene_classes(tree: ast.Module, known: Collection[str] = ()) -> SceneClasses:
    """Return the scenes that `tree` defines at its top level; `known` are scenes from elsewhere.

    A class is a scene when a base of it is one, or is not defined here and has a name that ends in
    Scene, as all of Manim's have.
    """
    judge = _Judge(tree, known)
    scenes = tuple(name for name in judge.classes if judge.is_scene(name))
    return SceneClasses(
        scenes=scenes,
        ready=tuple(name for name in scenes if judge.has_construct(name)),
        maybe=judge.has_unclear(),
    )


def is_construct_body(tree: ast.Module, known: Collection[str] = ()) -> bool:
    """Return whether `tree` is the body of construct(): it uses ``self`` and defines no scene."""
    return "self" in names_in(tree.body).free and not scene_classes(tree, known).scenes


class _Judge:
    def __init__(self, tree: ast.Module, known: Collection[str]) -> None:
        self.classes = {
            node.name: node
            for node in syntax.module_level(tree.body)
            if isinstance(node, ast.ClassDef)
        }
        self._tree = tree
        self._known = known

    def is_scene(self, name: str) -> bool:
        return any(self._base_is_scene(base) for base in self._ancestry(name))

    def has_construct(self, name: str) -> bool:
        lineage = [name, *(base for base in self._ancestry(name) if base in self.classes)]
        return any(_defines_construct(self.classes[base]) for base in lineage)

    def has_unclear(self) -> bool:
        """Return whether some class here, or made here in another way, might be a scene."""
        nested = (node for node in ast.walk(self._tree) if isinstance(node, ast.ClassDef))
        return any(self._is_unclear(node) for node in nested) or any(
            isinstance(node, ast.Call)
            and syntax.dotted_name(node.func) == "type"
            and len(node.args) == 3
            for node in ast.walk(self._tree)
        )

    def _is_unclear(self, node: ast.ClassDef) -> bool:
        if self.classes.get(node.name) is node and self.is_scene(node.name):
            return False
        return any(
            name is None or (name not in _BUILTINS and name not in self.classes)
            for name in _bases(node)
        )

    def _ancestry(self, name: str) -> list[str]:
        """Return all bases of a class of this text, as far as they can be followed here."""
        found: list[str] = []
        waiting = [name]
        while waiting:
            for base in _bases(self.classes[waiting.pop()]):
                if base is not None and base not in found:
                    found.append(base)
                    waiting.extend([base] if base in self.classes else [])
        return found

    def _base_is_scene(self, base: str) -> bool:
        return base not in self.classes and (base in self._known or base.endswith("Scene"))


def _bases(node: ast.ClassDef) -> Iterator[str | None]:
    """Yield the last part of each base's name; None for a base that is not just a name."""
    for base in node.bases:
        expression = base.value if isinstance(base, ast.Subscript) else base
        dotted = syntax.dotted_name(expression)
        yield dotted.rpartition(".")[2] if dotted else None


def _defines_construct(node: ast.ClassDef) -> bool:
    for statement in syntax.module_level(node.body):
        match statement:
            case ast.FunctionDef(name="construct"):
                return True
            case ast.Assign(targets=[ast.Name(id="construct")]):
                return True
    return False
