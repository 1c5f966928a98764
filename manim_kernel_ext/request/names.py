"""Which global names a piece of code binds and which it needs, now or when it is called."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.syntax import COMPREHENSIONS

__all__ = ["Names", "names_in"]

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Names:
    """The global names of some statements.

    `bound` are those the statements bind, `changed` those whose object they change (``a.b = …``,
    ``a.append(…)``). `now` must exist when the statements run, `later` when functions that they
    define are called. `dotted` are names with attributes, as ``scipy.stats.norm``.
    """

    bound: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    dotted: frozenset[str] = frozenset()

    @property
    def free(self) -> frozenset[str]:
        """All names that must come from elsewhere."""
        return self.now | self.later


def names_in(statements: Iterable[ast.stmt], *, future_annotations: bool = False) -> Names:
    """Return the names of module-level `statements`.

    A name that the statements bind before they use it is not needed. Whether a branch is taken is
    not known: what only one branch of an ``if`` binds may be needed; bodies of loops are taken to
    run. With `future_annotations`, annotations are not evaluated.
    """
    visitor = _Visitor(future_annotations)
    for statement in statements:
        visitor.visit(statement)
    bound = frozenset(visitor.bound_anywhere)
    return Names(
        bound=bound,
        changed=frozenset(visitor.changed),
        now=frozenset(visitor.now),
        later=frozenset(visitor.later) - bound,
        dotted=frozenset(visitor.dotted),
    )


class _Scope:
    """Names of one scope. A function's are known from the start, others grow as they are bound."""

    def __init__(self, bound: set[str], *, is_function: bool, declared: set[str]) -> None:
        self.bound = bound
        self.is_function = is_function
        self.declared_global = declared


class _Visitor(ast.NodeVisitor):
    def __init__(self, future_annotations: bool) -> None:
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.changed: set[str] = set()
        self.dotted: set[str] = set()
        self.bound_anywhere: set[str] = set()
        self._future = future_annotations
        self._module = _Scope(set(), is_function=False, declared=set())
        self._scopes = [self._module]
        self._depth = 0

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, COMPREHENSIONS):
            self._comprehension(node)
        elif isinstance(node, ast.AsyncFunctionDef):
            self.visit_FunctionDef(node)
        elif isinstance(node, ast.AsyncFor):
            self.visit_For(node)
        elif isinstance(node, ast.TryStar):
            self.visit_Try(node)
        else:
            super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._load(node.id)
        elif isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        else:
            self._load(node.id)
            if not self._scopes[-1].is_function:
                self._scopes[-1].bound.discard(node.id)

    def _load(self, name: str) -> None:
        for index, scope in enumerate(reversed(self._scopes)):
            if scope is self._module:
                break
            if name in scope.declared_global:
                break
            # The names of a class body are seen in that body only, not in its functions.
            if name in scope.bound and (scope.is_function or index == 0):
                return
        if self._depth:
            self.later.add(name)
        elif name not in self._module.bound:
            self.now.add(name)

    def _bind(self, name: str) -> None:
        scope = self._scopes[-1]
        at_module_level = scope is self._module or name in scope.declared_global
        if at_module_level and not self._depth:
            self.bound_anywhere.add(name)
        if not scope.is_function:
            scope.bound.add(name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if name := syntax.dotted_name(node):
            self.dotted.add(name)
        if not isinstance(node.ctx, ast.Load):
            self._change(node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change(node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            self._change(node.value.func)
        self.generic_visit(node)

    def _change(self, node: ast.expr) -> None:
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if len(self._scopes) == 1 and isinstance(node, ast.Name):
            self.changed.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._visit(node.value, *node.targets)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._load(node.target.id)
        self._visit(node.value, node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self._scopes[-1].is_function:
            self._annotation(node.annotation)
        if node.value is not None:
            self._visit(node.value, node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._visit(node.value, node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._visit(node.iter, node.target, *node.body, *node.orelse)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches([node.body, node.orelse])

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        self._branches([[case] for case in node.cases])

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        self._branches([[*node.body, *node.orelse], *([handler] for handler in node.handlers)])
        self._visit(*node.finalbody)

    def _branches(self, branches: Iterable[Iterable[ast.AST]]) -> None:
        """Visit alternatives; bound afterwards is what each of them binds."""
        scope = self._scopes[-1]
        before = scope.bound
        ends = []
        for branch in branches:
            scope.bound = set(before)
            self._visit(*branch)
            ends.append(scope.bound)
        scope.bound = set.intersection(*ends)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name:
            self._bind(node.name)
        self._visit(*node.body)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self._bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self._bind(node.rest)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bind(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._future = self._future or (
            node.module == "__future__" and any(a.name == "annotations" for a in node.names)
        )
        for alias in node.names:
            self._bind(alias.asname or alias.name)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit(*node.decorator_list, *syntax.defaults(node.args))
        with self._type_parameters(node):
            for annotation in syntax.parameter_annotations(node.args):
                self._annotation(annotation)
            if node.returns:
                self._annotation(node.returns)
            self._function(node, node.body)
        self._bind(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit(*syntax.defaults(node.args))
        self._function(node, [node.body])

    def _function(self, node: _Function, body: Sequence[ast.AST]) -> None:
        bound, declared = syntax.local_names(node.args, body)
        self._scopes.append(_Scope(bound, is_function=True, declared=declared))
        self._depth += 1
        self._visit(*body)
        self._depth -= 1
        self._scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit(*node.decorator_list)
        with self._type_parameters(node):
            self._visit(*node.bases, *node.keywords)
            names = {"__module__", "__qualname__"}
            self._scopes.append(
                _Scope(names, is_function=False, declared=syntax.declared_globals(node.body))
            )
            self._visit(*node.body)
            self._scopes.pop()
        self._bind(node.name)

    @contextmanager
    def _type_parameters(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> Iterator[None]:
        parameters = getattr(node, "type_params", ())
        if not parameters:
            yield
            return
        names = {parameter.name for parameter in parameters}
        self._scopes.append(_Scope(names, is_function=True, declared=set()))
        self._visit(*parameters)
        yield
        self._scopes.pop()

    def _comprehension(self, node: _Comprehension) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        for walrus in ast.walk(node):
            if isinstance(walrus, ast.NamedExpr):
                self._bind(walrus.target.id)
        targets = {n.id for g in node.generators for n in syntax.stored(g.target)}
        self._scopes.append(_Scope(targets, is_function=True, declared=set()))
        for generator in node.generators:
            if generator is not first:
                self.visit(generator.iter)
            self._visit(*generator.ifs)
        if isinstance(node, ast.DictComp):
            self._visit(node.key, node.value)
        else:
            self.visit(node.elt)
        self._scopes.pop()

    def visit_TypeAlias(self, node: ast.AST) -> None:
        name = node.name  # type: ignore[attr-defined]
        self._bind(name.id)
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def _annotation(self, node: ast.expr) -> None:
        self._depth += self._future
        self.visit(node)
        self._depth -= self._future

    def _visit(self, *nodes: ast.AST) -> None:
        for node in nodes:
            self.visit(node)
