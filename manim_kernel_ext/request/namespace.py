"""What a cell needs from the notebook: sources, imports and values, in an order that runs."""

from __future__ import annotations

import builtins
import enum
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType

from manim_daemon.protocol import NamespaceItem, SourceItem, ValueItem
from manim_kernel_ext.request import kernel_manim
from manim_kernel_ext.request.cells import Cells
from manim_kernel_ext.request.definitions import Definitions, Earlier
from manim_kernel_ext.request.imports import import_of, module_import
from manim_kernel_ext.request.names import Names
from manim_kernel_ext.request.pickles import Notebook, pickle_value, relocated
from manim_kernel_ext.request.statements import Statement

__all__ = ["Namespace", "collect"]

_IMPORTS = "imports"
"""The label of statements that the user has not written in this form."""
_GLOBALS = "__notebook_globals__"
_TEX_TEMPLATE = "__notebook_tex_template__"
_OF_IPYTHON = frozenset({"display", "exit", "get_ipython", "open", "quit"})
_ATOMS = (str, bytes, int, float, complex, bool, tuple, frozenset, range, enum.Enum, type(None))


@dataclass(frozen=True)
class Namespace:
    """Items for the request. `values` are those that travel by value, `modules` what they need."""

    items: tuple[NamespaceItem, ...]
    values: Mapping[str, object]
    modules: tuple[str, ...]


def collect(
    needed: Names,
    notebook: Notebook,
    definitions: Definitions,
    *,
    cell: str | None = None,
    wanted: Iterable[str] = (),
    with_tex_template: bool = False,
) -> Namespace:
    """Return what code with the names `needed` must find in its module.

    `wanted` are further names, as those of scenes. `cell` is the text of the cell itself, whose
    former run does not count. A name that nothing defines does not travel: it may be Manim's.
    Raises InvalidRequest for a value that cannot travel.
    """
    collector = _Collector(notebook, definitions, cell)
    collector.require(needed, sorted({*needed.free, *wanted}))
    if with_tex_template:
        collector.require_tex_template()
    return collector.finish()


class _State(enum.Enum):
    """How far an item from the kernel is: `READY` when all it needs to run has been added."""

    WAITING = enum.auto()
    READY = enum.auto()
    DONE = enum.auto()


@dataclass
class _Node:
    """An item and the names it needs."""

    item: NamespaceItem
    now: frozenset[str] = field(default=frozenset())
    later: frozenset[str] = field(default=frozenset())


class _Collector:
    def __init__(self, notebook: Notebook, definitions: Definitions, cell: str | None) -> None:
        self._notebook = notebook
        self._names = notebook.names
        self._main = self._names.get("__name__", "__main__")
        self._definitions = definitions
        self._cell = cell
        inputs = self._names.get("In")
        self._cells = Cells(inputs if isinstance(inputs, list) else [], self._names)
        self._items: list[NamespaceItem] = []
        self._states: dict[str, _State] = {}
        self._nodes: dict[str, _Node] = {}
        self._earlier: dict[tuple[int, int], Earlier] = {}
        self._final: set[str] = set()
        self._shared: dict[int, str] = {}
        self._values: dict[str, object] = {}
        self._modules: set[str] = set()
        self._dotted: set[str] = set()
        self._imported: dict[str, ModuleType] = {}
        self._unresolved = False

    def require(self, needed: Names, names: Iterable[str]) -> None:
        """Add what `names` are, for code that uses them as in `needed`."""
        self._dotted |= needed.dotted
        for name in names:
            if not self._resolve(name, now=True):
                self._final.add(name)
        if self._unresolved:
            for star in self._definitions.star_imports(self._cell):
                self._take(star)

    def require_tex_template(self) -> None:
        """Add the template that the notebook set on Manim's configuration."""
        template = kernel_manim.tex_template()
        if template is None:
            return
        data = pickle_value(_TEX_TEMPLATE, template, self._notebook, self._reference).data
        self._items.append(ValueItem(_TEX_TEMPLATE, data))
        text = f"__import__('manim').config.tex_template = {_TEX_TEMPLATE}\n"
        self._items.append(SourceItem(text, _IMPORTS))

    def finish(self) -> Namespace:
        """Return everything: first what the kernel has, then what earlier cells did, in turn."""
        kernel = [self._finished(item) for item in self._items]
        earlier = [found.statement for _, found in sorted(self._earlier.items())]
        rebound = self._final & {name for found in earlier for name in found.names.bound}
        items = [
            *kernel,
            *map(_source_item, earlier),
            # What an earlier cell had under a name that the kernel has bound anew since.
            *(item for item in kernel if rebound & _bound_by(item)),
        ]
        modules = sorted(self._modules - {"__main__", self._main, "builtins"})
        return Namespace(tuple(items), self._values, tuple(modules))

    def _resolve(
        self, name: str, *, now: bool, before: int | None = None, ignoring: str | None = None
    ) -> bool:
        """Add what `name` is; return whether a cell under the magic defined it."""
        found = self._definitions.find(
            name, self._names, before=before, ignoring=ignoring or self._cell
        )
        for earlier in found:
            self._take(earlier)
        if not found:
            self._take_from_kernel(name, now=now)
        return bool(found)

    def _take(self, earlier: Earlier) -> None:
        """Add a statement of an earlier cell, and what it needs."""
        if self._earlier.setdefault((earlier.cell, earlier.position), earlier) is not earlier:
            return
        names = earlier.statement.names
        self._dotted |= names.dotted
        text = self._definitions.text_of(earlier.cell)
        for name in sorted(names.now):
            above = self._definitions.preceding(earlier, name)
            for other in above:
                self._take(other)
            if not above:
                self._resolve(name, now=True, before=earlier.cell, ignoring=text)
        for name in sorted(names.later - names.now):
            self._resolve(name, now=False)

    def _take_from_kernel(self, name: str, *, now: bool) -> None:
        """Add what the kernel has under `name`, after all that it needs.

        Functions may need each other when they are called. What runs as soon as it is added needs
        the others before: then a function that only waits for names it uses later is added first.
        """
        state = self._states.get(name)
        if state is _State.READY and now:
            self._emit(name)
        if state is not None or not self._may_travel(name):
            return
        self._states[name] = _State.WAITING
        node = self._nodes[name] = self._describe(name, self._names[name])
        for other in sorted(node.now):
            if other in self._names:
                self._take_from_kernel(other, now=True)
            else:
                self._resolve(other, now=True)
        self._states[name] = _State.READY
        for other in sorted(node.later - node.now):
            self._resolve(other, now=False)
        self._emit(name)

    def _may_travel(self, name: str) -> bool:
        if name.startswith("__") and name.endswith("__"):
            return False
        if name not in self._names:
            self._unresolved = self._unresolved or not hasattr(builtins, name)
            return False
        value = self._names[name]
        if name in _OF_IPYTHON and _is_ipythons(value):
            return False
        return not kernel_manim.is_implied(name, value)

    def _emit(self, name: str) -> None:
        if self._states[name] is _State.DONE:
            return
        self._states[name] = _State.DONE
        item = self._nodes[name].item
        self._items.append(item)
        if isinstance(item, ValueItem) and not isinstance(self._names[name], _ATOMS):
            self._shared[id(self._names[name])] = name

    def _describe(self, name: str, value: object) -> _Node:
        if isinstance(value, ModuleType) and module_import(name, value, ()):
            self._modules.add(value.__name__)
            self._imported[name] = value
            return _Node(SourceItem("", _IMPORTS, names=(name,)))
        if node := self._definition(name, value):
            return node
        if statement := import_of(name, value):
            self._modules.add(statement.split()[1])
            return _Node(SourceItem(statement, _IMPORTS, names=(name,)))
        moved = self._values[name] = relocated(value, self._notebook.base)
        pickled = pickle_value(name, moved, self._notebook, self._reference)
        return _Node(ValueItem(name, pickled.data), later=pickled.uses)

    def _definition(self, name: str, value: object) -> _Node | None:
        """Return the statement of a cell that defined the function or class `value`."""
        origin, statement = self._statement(value)
        if statement is None:
            return None
        if name == origin:
            item = _source_item(statement)
            self._dotted |= statement.names.dotted
            return _Node(item, statement.names.now, statement.names.later)
        if self._names.get(origin) is not value:
            return None
        alias = SourceItem(f"{name} = {origin}\n", _IMPORTS, names=(name,))
        return _Node(alias, now=frozenset({origin}))

    def _statement(self, value: object) -> tuple[str, Statement | None]:
        if isinstance(value, type):
            if value.__module__ != self._main or value.__qualname__ != value.__name__:
                return "", None
            return value.__name__, self._cells.class_(value)
        function = _innermost(value)
        if function is None:
            return "", None
        return function.__name__, self._cells.function(function, decorated=function is not value)

    def _reference(self, value: object) -> str | None:
        """Return the name under which the worker knows `value` when it unpickles what has it."""
        if value is self._names:
            self._require_globals()
            return _GLOBALS
        if (name := self._shared.get(id(value))) is not None:
            return name
        if isinstance(value, ModuleType):
            self._modules.add(value.__name__)
        if not isinstance(value, (type, FunctionType)):
            return None
        self._modules.add(str(_module_of(value)))
        origin = value.__name__
        if value.__module__ != self._main or self._names.get(origin) is not value:
            return None
        self._take_from_kernel(origin, now=True)
        return origin if self._states.get(origin) is _State.DONE else None

    def _require_globals(self) -> None:
        if _GLOBALS not in self._states:
            self._states[_GLOBALS] = _State.DONE
            text = f"{_GLOBALS} = globals()\n"
            self._items.append(SourceItem(text, _IMPORTS, names=(_GLOBALS,)))

    def _finished(self, item: NamespaceItem) -> NamespaceItem:
        """Return the item of a module with the submodules that turned out to be used."""
        if isinstance(item, ValueItem) or item.text:
            return item
        (name,) = item.names
        text = module_import(name, self._imported[name], self._dotted)
        assert text is not None
        return SourceItem(text, item.label, names=item.names)


def _innermost(value: object) -> FunctionType | None:
    """Return the function behind decorators that say so, as functools.wraps does."""
    if not callable(value):
        return None
    try:
        function = inspect.unwrap(value)
    except ValueError:
        return None
    return function if isinstance(function, FunctionType) else None


def _module_of(value: object) -> object:
    own = getattr(value, "__module__", None)
    return own if isinstance(own, str) else type(value).__module__


def _is_ipythons(value: object) -> bool:
    # What wraps a builtin, as IPython's open() does, claims to come from the builtin's module.
    written_in = getattr(value, "__globals__", {}).get("__name__")
    return str(written_in or _module_of(value)).startswith(("IPython", "ipykernel"))


def _source_item(statement: Statement) -> SourceItem:
    source = statement.source
    names = tuple(sorted(statement.names.bound - {"*"}))
    return SourceItem(source.text, source.label, source.first_line, names)


def _bound_by(item: NamespaceItem) -> set[str]:
    return {item.name} if isinstance(item, ValueItem) else set(item.names)
