"""The source of functions and classes that were defined in the notebook's cells."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType

from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.statements import Statement, Text, cut

__all__ = ["Cells"]

_UNKNOWN_CELL = "notebook"
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Cells:
    """What was typed into the notebook; `inputs` are its cells by execution count, IPython's In."""

    def __init__(self, inputs: Sequence[str], namespace: Mapping[str, object]) -> None:
        self._inputs = inputs
        self._namespace = namespace
        self._trees: dict[str, ast.Module | None] = {}

    def function(self, function: FunctionType, *, decorated: bool = False) -> Statement | None:
        """Return the ``def`` statement of `function`, or None when it cannot be told.

        With `decorated` only a statement with decorators will do.
        """
        if function.__closure__ or function.__globals__ is not self._namespace:
            return None
        text = _recorded(function)
        for node in self._definitions(text):
            found = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            if not found or node.name != function.__name__ or decorated > bool(node.decorator_list):
                continue
            if _first_line(node) == function.__code__.co_firstlineno:
                return self._cut(node, text, future=_has_future(function))
        return None

    def class_(self, kind: type) -> Statement | None:
        """Return the ``class`` statement of `kind`, or None when it cannot be told."""
        for method in _methods(kind):
            if method.__globals__ is not self._namespace:
                return None
            text = _recorded(method)
            line = method.__code__.co_firstlineno
            for node in self._classes(kind, text):
                if node.lineno <= line <= (node.end_lineno or 0):
                    return self._cut(node, text, future=_has_future(method))
        # Without methods nothing says which cell it was: then it was the latest that could be.
        for text in reversed(self._inputs):
            for node in reversed(list(self._classes(kind, text))):
                return self._cut(node, text, future=False)
        return None

    def _classes(self, kind: type, text: str) -> Iterator[ast.ClassDef]:
        if f"class {kind.__name__}" in text:
            for node in self._definitions(text):
                if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                    yield node

    def _definitions(self, text: str) -> Iterator[_Definition]:
        if (tree := self._tree(text)) is not None:
            for node in syntax.module_level(tree.body):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    yield node

    def _cut(self, node: _Definition, text: str, *, future: bool) -> Statement:
        tree = self._tree(text)
        assert tree is not None
        return cut(node, tree, Text(text, self._label(text)), future=future)

    def _tree(self, text: str) -> ast.Module | None:
        if text not in self._trees:
            self._trees[text] = syntax.parsed(text)
        return self._trees[text]

    def _label(self, text: str) -> str:
        wanted = text.strip()
        for number in range(len(self._inputs) - 1, 0, -1):
            if self._inputs[number].strip() == wanted:
                return f"Cell In[{number}]"
        return _UNKNOWN_CELL


def _recorded(function: FunctionType) -> str:
    return "".join(linecache.getlines(function.__code__.co_filename))


def _methods(kind: type) -> Iterator[FunctionType]:
    """Yield the functions written in the body of `kind`, in their order."""
    for value in vars(kind).values():
        if isinstance(value, property):
            value = value.fget
        value = inspect.unwrap(getattr(value, "__func__", value))
        if (
            isinstance(value, FunctionType)
            and value.__qualname__.startswith(f"{kind.__qualname__}.")
            and linecache.getline(value.__code__.co_filename, 1)
        ):
            yield value


def _first_line(node: _Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _has_future(function: FunctionType) -> bool:
    return bool(function.__code__.co_flags & annotations.compiler_flag)
