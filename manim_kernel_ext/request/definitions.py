"""What the cells under the magic have defined: they did not run in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from manim_kernel_ext.request import syntax
from manim_kernel_ext.request.names import names_in
from manim_kernel_ext.request.scenes import is_construct_body, scene_classes
from manim_kernel_ext.request.statements import Statement, Text, cut

__all__ = ["Definitions", "Earlier"]

_MISSING = object()


@dataclass(frozen=True)
class Earlier:
    """A top-level statement of a cell under the magic; cells and statements in their order."""

    cell: int
    position: int
    statement: Statement


@dataclass(frozen=True)
class _Cell:
    number: int
    text: str
    statements: tuple[Earlier, ...]
    in_kernel: Mapping[str, object]
    """For each name that the cell binds, what the kernel had under it."""
    scenes: frozenset[str]


class Definitions:
    """The definitions of earlier cells under the magic, as source."""

    def __init__(self) -> None:
        self._cells: list[_Cell] = []
        self._count = 0

    def remember(self, source: Text, namespace: Mapping[str, object]) -> None:
        """Take note of what a cell defines. `namespace` is the kernel's, as it is now.

        A cell that is the body of construct() defines nothing. One that ran before replaces its
        former run.
        """
        tree = syntax.parsed(source.text)
        if tree is None or is_construct_body(tree):
            return
        self._count += 1
        number = self._count
        statements = tuple(
            Earlier(number, position, cut(node, tree, source))
            for position, node in enumerate(tree.body)
        )
        bound = names_in(tree.body).bound
        scenes = scene_classes(tree, self.scenes()).scenes
        self._cells = [cell for cell in self._cells if cell.text != source.text]
        self._cells.append(
            _Cell(
                number,
                source.text,
                statements,
                {name: namespace.get(name, _MISSING) for name in bound},
                frozenset(scenes),
            )
        )

    def find(
        self,
        name: str,
        namespace: Mapping[str, object],
        *,
        before: int | None = None,
        ignoring: str | None = None,
    ) -> tuple[Earlier, ...]:
        """Return the statements that make `name` what it is; empty when the kernel defines it.

        Whatever bound the name last counts, cell or kernel. Only cells with a number below `before`
        count, and not those whose text is `ignoring`: a cell does not build on its own former run.
        """
        for cell in self._back(before, ignoring):
            if name in cell.in_kernel:
                now = namespace.get(name, _MISSING)
                if now is not _MISSING and now is not cell.in_kernel[name]:
                    return ()
                return _that(cell, lambda found: name in found.bound | found.changed)
        return ()

    def preceding(self, earlier: Earlier, name: str) -> tuple[Earlier, ...]:
        """Return the statements above `earlier` in its cell that make `name` what it is there."""
        cell = next(cell for cell in self._cells if cell.number == earlier.cell)
        above = _that(cell, lambda found: name in found.bound | found.changed)
        above = tuple(other for other in above if other.position < earlier.position)
        return above if any(name in other.statement.names.bound for other in above) else ()

    def star_imports(self, ignoring: str | None = None) -> tuple[Earlier, ...]:
        """Return the ``from … import *`` of all cells, except Manim's own, which is implied."""
        found = [
            earlier
            for cell in self._back(None, ignoring)
            for earlier in _that(cell, lambda names: "*" in names.bound)
            if not earlier.statement.source.text.startswith("from manim import")
        ]
        return tuple(found)

    def text_of(self, cell: int) -> str:
        """Return the text of the cell with this number."""
        return next(found.text for found in self._cells if found.number == cell)

    def scenes(self) -> frozenset[str]:
        """Return the names of all scenes defined so far."""
        return frozenset().union(*(cell.scenes for cell in self._cells))

    def _back(self, before: int | None, ignoring: str | None) -> Iterator[_Cell]:
        for cell in reversed(self._cells):
            if (before is None or cell.number < before) and cell.text != ignoring:
                yield cell


def _that(cell: _Cell, condition: Callable[..., bool]) -> tuple[Earlier, ...]:
    return tuple(earlier for earlier in cell.statements if condition(earlier.statement.names))
