"""Questions about syntax trees that more than one module asks."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

__all__ = [
    "COMPREHENSIONS",
    "declared_globals",
    "defaults",
    "dotted_name",
    "local_names",
    "module_level",
    "parameter_annotations",
    "parsed",
    "setting",
    "stored",
]

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Nodes that have a scope of their own for their targets."""


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of `text`, or None; without the warnings that running it has given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def dotted_name(node: ast.expr) -> str | None:
    """Return ``a.b.c`` for such an expression, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def module_level(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield `statements` and those inside their ``if``, ``try``, ``with``, loops and matches."""
    for statement in statements:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from module_level(getattr(statement, field, ()))
        for block in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from module_level(block.body)


class _Locals(ast.NodeVisitor):
    def __init__(self, arguments: ast.arguments, body: Iterable[ast.AST]) -> None:
        self.declared_global: set[str] = set()
        self._outer: set[str] = set()
        self._bound = {argument.arg for argument in _parameters(arguments)}
        for node in body:
            self.visit(node)

    @property
    def bound(self) -> set[str]:
        return self._bound - self.declared_global - self._outer

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bound.add(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        self.declared_global.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._outer.update(node.names)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bound.add(node.name)
        for outside in (*node.decorator_list, *defaults(node.args)):
            self.visit(outside)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in defaults(node.args):
            self.visit(outside)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bound.add(node.name)
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.AsyncFunctionDef):
            self.visit_FunctionDef(node)
            return
        if isinstance(node, COMPREHENSIONS):
            self._bound.update(n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._bound.update(a.asname or a.name.partition(".")[0] for a in node.names)
        if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            self._bound.add(node.name)
        if isinstance(node, ast.MatchMapping) and node.rest:
            self._bound.add(node.rest)
        super().generic_visit(node)


def setting(target: ast.expr) -> str | None:
    """Return the key that is set on Manim's configuration: ``config.key = …``, else None."""
    match target:
        case ast.Attribute(value=owner, attr=key):
            pass
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))):
            pass
        case _:
            return None
    return key if (dotted_name(owner) or "").rpartition(".")[2] == "config" else None


def local_names(arguments: ast.arguments, body: Iterable[ast.AST]) -> tuple[set[str], set[str]]:
    """Return the names that are local to a function, and those it declares global."""
    found = _Locals(arguments, body)
    return found.bound, found.declared_global


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """Return the default values of parameters."""
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]


def parameter_annotations(arguments: ast.arguments) -> list[ast.expr]:
    """Return the annotations of parameters."""
    return [found.annotation for found in _parameters(arguments) if found.annotation]


def declared_globals(body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that ``global`` statements of a class body declare."""
    return {name for s in module_level(body) if isinstance(s, ast.Global) for name in s.names}


def stored(target: ast.expr) -> list[ast.Name]:
    """Return the names that an assignment to `target` binds."""
    return [
        node
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    stars = [star for star in (arguments.vararg, arguments.kwarg) if star]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]
