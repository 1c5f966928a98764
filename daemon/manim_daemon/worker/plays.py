"""How many plays a scene will have, where its text alone tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

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
_BRANCHES = (ast.While, ast.If, ast.IfExp, ast.Try, ast.Match, ast.comprehension)
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
    body: list[ast.stmt] = module.body
    if scene is not None:
        classes = [n for n in module.body if isinstance(n, ast.ClassDef) and n.name == scene]
        if not classes:
            return None
        methods = {n.name: n for n in classes[-1].body if isinstance(n, ast.FunctionDef)}
        if "construct" not in methods or "setup" in methods:
            return None
        body = methods["construct"].body
    try:
        return _count_all(body, methods, depth=0)
    except _UnknownError:
        return None


def _count_all(nodes: list[ast.stmt], methods: dict[str, ast.FunctionDef], depth: int) -> int:
    return sum(_count(node, methods, depth) for node in nodes)


def _count(node: ast.AST, methods: dict[str, ast.FunctionDef], depth: int) -> int:
    if isinstance(node, ast.For):
        inner = _count_all(node.body, methods, depth)
        return inner * _iterations(node.iter) if inner else 0
    if isinstance(node, _JUMPS):
        raise _UnknownError
    if isinstance(node, (*_BRANCHES, *_DEFINITIONS)):
        jumps = _JUMPS if isinstance(node, _BRANCHES) else ()
        if any(isinstance(child, jumps) or _acts(child) for child in ast.walk(node)):
            raise _UnknownError
        return 0
    count = sum(_count(child, methods, depth) for child in ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        count += _count_call(node, methods, depth)
    return count


def _count_call(call: ast.Call, methods: dict[str, ast.FunctionDef], depth: int) -> int:
    if any(isinstance(a, ast.Name) and a.id == "self" for a in call.args):
        raise _UnknownError
    name = _self_method(call)
    if name in methods:
        if depth > 20:
            raise _UnknownError
        return _count_all(methods[name].body, methods, depth + 1)
    if name and name not in _PLAYS | _HARMLESS:
        raise _UnknownError
    return 1 if name in _PLAYS else 0


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
    if isinstance(iterable, ast.List | ast.Tuple):
        return len(iterable.elts)
    match iterable:
        case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]):
            return len(range(*_integers(arguments)))
    raise _UnknownError


def _integers(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, int)):
            raise _UnknownError
        yield node.value
