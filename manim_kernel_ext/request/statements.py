"""Statements of a cell, cut out so that they can run elsewhere."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from manim_kernel_ext.request.names import Names, names_in

__all__ = ["Statement", "Text", "cut"]

_FUTURE = "from __future__ import annotations\n"


@dataclass(frozen=True)
class Text:
    """The text of a cell or file. `label` and `first_line` say where the user sees it."""

    text: str
    label: str
    first_line: int = 1


@dataclass(frozen=True)
class Statement:
    """Statements that can run elsewhere, and their names."""

    source: Text
    names: Names


def cut(node: ast.stmt, tree: ast.Module, source: Text, *, future: bool = False) -> Statement:
    """Return the statement `node` of `tree`, the syntax tree of `source`.

    `future` says that annotations are not evaluated although `source` itself does not say so.
    """
    future = future or _has_future_annotations(tree)
    text, line = _segment(node, source.text)
    if future:
        text, line = _FUTURE + text, line - 1
    first_line = max(1, source.first_line - 1 + line)
    return Statement(
        Text(text, source.label, first_line), names_in([node], future_annotations=future)
    )


def _segment(node: ast.stmt, text: str) -> tuple[str, int]:
    """Return the text of `node` and the line it starts on.

    A definition inside an ``if`` keeps its indentation, under an ``if`` of its own, because strings
    of several lines would change with it.
    """
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    # As the parser does: form feeds and the like do not end a line.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = [line.encode() for line in lines[start - 1 : node.end_lineno]]
    found[-1] = found[-1][: node.end_col_offset]
    inside_block = node.col_offset > 0 and not found[0][: node.col_offset].strip()
    if not inside_block:
        found[0] = found[0][node.col_offset :]
    body = b"\n".join(found).decode() + "\n"
    return (f"if True:\n{body}", start - 1) if inside_block else (body, start)


def _has_future_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )
