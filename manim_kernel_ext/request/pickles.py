"""Values of the notebook as bytes that only the worker turns back into values."""

from __future__ import annotations

import dis
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import CellType, CodeType, FunctionType
from typing import Any

import cloudpickle

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol.base import MAX_BLOB

__all__ = ["Notebook", "Pickled", "pickle_value", "relocated"]

_CODE_LABEL = "<notebook>"
_COUNT_UP_TO = 16
"""How many times the limit is counted before the exact size no longer matters."""


@dataclass(frozen=True)
class Notebook:
    """Where a value comes from: the kernel's names, the notebook's folder, and the size allowed."""

    names: dict[str, object]
    base: Path
    max_value_bytes: int


@dataclass(frozen=True)
class Pickled:
    """A value as bytes, and the global names that functions in it use when called."""

    data: bytes
    uses: frozenset[str]


def pickle_value(
    name: str, value: object, notebook: Notebook, reference: Callable[[object], str | None]
) -> Pickled:
    """Return the value of `name` as bytes.

    `reference` returns the name under which an object is known to the worker by then, or None.
    Raises InvalidRequest when the value is too large or cannot be pickled.
    """
    limit = min(notebook.max_value_bytes, MAX_BLOB)
    if (size := _estimate(value)) > limit:
        raise _too_large(name, size, limit)
    file = _Bounded(limit)
    pickler = _Pickler(file, notebook, reference)
    try:
        pickler.dump(value)
    except InvalidRequest:
        raise
    except _Endless:
        pass
    # Objects may raise anything when they are asked for their state.
    except Exception as error:
        raise InvalidRequest(
            f"{name} cannot be taken from the notebook into the scene: it is {_kind(value)} "
            f"({error}).",
            f"Define {name} inside the cell.",
        ) from error
    if file.size > limit:
        raise _too_large(name, file.size, limit)
    return Pickled(file.getvalue(), frozenset(pickler.uses))


def relocated(value: object, base: Path) -> object:
    """Return a path below `base` relative to it, since the scene finds the folder elsewhere."""
    if isinstance(value, PurePath):
        inside = value.is_absolute() and value.is_relative_to(base)
        return type(value)(value.relative_to(base)) if inside else value
    if isinstance(value, str) and value.startswith(f"{base}/") and Path(value).exists():
        return Path(value).relative_to(base).as_posix()
    return value


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(
        self, file: io.BytesIO, notebook: Notebook, reference: Callable[[object], str | None]
    ) -> None:
        # Protocol 5 is what every supported Python reads.
        super().__init__(file, protocol=5)
        self.uses: set[str] = set()
        self._notebook = notebook
        self._reference = reference

    def persistent_id(self, obj: object) -> str | None:
        return self._reference(obj)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType) and obj.__globals__ is self._notebook.names:
            return self._function(obj)
        if isinstance(obj, CellType):
            return _reduced_cell(obj)
        if isinstance(obj, PurePath) and (path := relocated(obj, self._notebook.base)) is not obj:
            return type(obj), (str(path),)
        if isinstance(obj, io.TextIOWrapper):
            # cloudpickle would read the whole file and send its content.
            raise TypeError("cannot pickle an open file")
        return super().reducer_override(obj)

    def _function(self, function: FunctionType) -> Any:
        """Return how to make `function` anew, with the scene's module as its globals.

        cloudpickle would give it globals of its own, in which the names of Manim are missing.
        """
        self.uses |= set(_global_names(function.__code__))
        attributes = {
            "__defaults__": function.__defaults__,
            "__kwdefaults__": function.__kwdefaults__,
            "__annotations__": function.__annotations__,
            "__qualname__": function.__qualname__,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        arguments = (
            _relabelled(function.__code__),
            self._notebook.names,
            function.__name__,
            None,
            function.__closure__,
        )
        return FunctionType, arguments, (function.__dict__, attributes)


class _Endless(Exception):
    """So much that its exact size no longer matters."""


class _Bounded(io.BytesIO):
    """A file that beyond `limit` bytes only counts."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.size = 0
        self._limit = limit

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self.size += length
        if self.size > self._limit * _COUNT_UP_TO:
            raise _Endless
        if self.size <= self._limit:
            super().write(data)
        else:
            self.truncate(0)
        return length


def _reduced_cell(cell: CellType) -> Any:
    # The content is set afterwards, because it may be the function that has the cell.
    try:
        return CellType, (), (None, {"cell_contents": cell.cell_contents})
    except ValueError:
        return CellType, ()


def _relabelled(code: CodeType) -> CodeType:
    """Return `code` without the name of the kernel's temporary file, which differs each time."""
    constants = tuple(
        _relabelled(constant) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_filename=_CODE_LABEL, co_consts=constants)


def _global_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _estimate(value: object) -> int:
    """Return at least how many bytes `value` has, where that is known without a copy."""
    if isinstance(value, (bytes, bytearray, str)):
        return len(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return int(value.nbytes)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return int(value.memory_usage().sum())
    return 0


def _too_large(name: str, size: int, limit: int) -> InvalidRequest:
    more = "more than " if size > limit * _COUNT_UP_TO else ""
    hint = f"Load it inside the cell from a file beside the notebook, or make {name} smaller"
    if limit < MAX_BLOB:
        hint += (
            ", or raise the setting max_value_bytes (in the environment: "
            "MANIM_KERNEL_MAX_VALUE_BYTES)"
        )
    return InvalidRequest(
        f"{name} is too large to be taken from the notebook into the scene: {more}"
        f"{size / 1e6:.1f} MB; {limit / 1e6:.1f} MB are allowed.",
        f"{hint}.",
    )


def _kind(value: object) -> str:
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
