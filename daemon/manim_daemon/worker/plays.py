"""How many plays a scene will have, where its text alone tells."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence

__all__ = ["count_plays"]

_PLAYS = {"play", "wait", "pause", "wait_until"}
_HARMLESS = {
    "add",
    "add_fixed_in_frame_mobjects",
    "add_fixed_orientation_mobjects",
    "add_foreground_mobject",
    "add_foreground_mobjects",
    "add_sound",
    "add_subcaption",
    "add_updater",
    "begin_ambient_camera_rotation",
    "bring_to_back",
    "bring_to_front",
    "clear",
    "next_section",
    "remove",
    "remove_updater",
    "set_camera_orientation",
    "stop_ambient_camera_rotation",
}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BRANCHES = (ast.While, ast.If, ast.IfExp, ast.Try, ast.Match, *_COMPREHENSIONS)
_JUMPS = (ast.Return, ast.Break, ast.Continue)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class _UnknownError(Exception):
    pass


def count_plays(module: ast.Module, scene: str | None) -> int | None:
    """Return the number of plays in `scene`'s construct(), or None when only running it tells.

    `scene` None means that `module` itself is the body of construct(). Loops over literals and over
    ``range`` of literals are counted; branches and calls of unknown helpers with plays are not.
    """
    methods: dict[str, ast.FunctionDef] = {}
    if scene is not None:
        classes = [n for n in module.body if isinstance(n, ast.ClassDef) and n.name == scene]
        if not classes:
            return None
        methods = {n.name: n for n in classes[-1].body if isinstance(n, ast.FunctionDef)}
        if "construct" not in methods or {"setup", "tear_down"} & methods.keys():
            return None
    try:
        body = _body(methods["construct"]) if scene is not None else module.body
        return _count_all(body, methods, depth=0)
    except _UnknownError:
        return None


def _body(method: ast.FunctionDef) -> list[ast.stmt]:
    parameters = (*method.args.posonlyargs, *method.args.args)
    if not parameters or parameters[0].arg != "self":
        raise _UnknownError
    return method.body


def _count_all(nodes: Sequence[ast.AST], methods: dict[str, ast.FunctionDef], depth: int) -> int:
    return sum(_count(node, methods, depth) for node in nodes)


def _count(node: ast.AST, methods: dict[str, ast.FunctionDef], depth: int) -> int:
    if isinstance(node, ast.For):
        inner = _count_all(node.body, methods, depth)
        inner *= _iterations(node.iter) if inner else 1
        return inner + _count_all(node.orelse, methods, depth)
    if isinstance(node, _JUMPS):
        raise _UnknownError
    if isinstance(node, (*_BRANCHES, *_DEFINITIONS)):
        jumps = _JUMPS if isinstance(node, _BRANCHES) else ()
        if any(isinstance(child, jumps) or _acts(child) for child in ast.walk(node)):
            raise _UnknownError
        return 0
    if _is_self(node):
        # Under another name, or elsewhere, the scene may play unseen.
        raise _UnknownError
    if isinstance(node, ast.Attribute) and _is_self(node.value):
        if node.attr in _PLAYS or node.attr in methods:
            raise _UnknownError
        return 0
    if name := _self_method(node):
        assert isinstance(node, ast.Call)
        return _count_call(node, name, methods, depth)
    return _count_all(list(ast.iter_child_nodes(node)), methods, depth)


def _count_call(call: ast.Call, name: str, methods: dict[str, ast.FunctionDef], depth: int) -> int:
    inner = _count_all([*call.args, *call.keywords], methods, depth)
    if name in methods:
        if depth > 20:
            raise _UnknownError
        return inner + _count_all(_body(methods[name]), methods, depth + 1)
    if name not in _PLAYS | _HARMLESS:
        raise _UnknownError
    return inner + (name in _PLAYS)


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _self_method(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name)):
            raise _UnknownError
        case _:
            return ""


def _acts(node: ast.AST) -> bool:
    name = _self_method(node)
    return bool(name) and name not in _HARMLESS


def _iterations(iterable: ast.expr) -> int:
    match iterable:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            if not any(isinstance(item, ast.Starred) for item in items):
                return len(items)
        case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]):
            # What is no range, or longer than any, is for the scene itself to fail on.
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                return len(range(*_integers(arguments)))
    raise _UnknownError


def _integers(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, int)):
            raise _UnknownError
        yield node.value
