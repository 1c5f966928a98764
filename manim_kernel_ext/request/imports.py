"""Import statements that bring an object of the kernel into the scene's module."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

__all__ = ["import_of", "module_import"]


def import_of(name: str, value: object) -> str | None:
    """Return a statement that binds `name` to the function, class or method `value`, or None."""
    if not isinstance(value, (FunctionType, BuiltinFunctionType, MethodType, type)):
        return None
    module, path = _address(value)
    if module == "__main__" or _look_up(module, path) is not value:
        return None
    root, _, rest = path.partition(".")
    statement = f"from {module} import {root}"
    if root != name:
        statement += f" as {name}"
    return f"{statement}\n{name} = {name}.{rest}\n" if rest else f"{statement}\n"


def module_import(name: str, module: ModuleType, dotted: Iterable[str]) -> str | None:
    """Return statements that bind `name` to `module`, or None when it cannot be imported.

    `dotted` are the names with attributes that the code uses: the submodules among them, as
    ``scipy.stats`` in ``scipy.stats.norm``, are imported, too.
    """
    full = module.__name__
    if full == "__main__" or sys.modules.get(full) is not module:
        return None
    lines = sorted({f"import {sub}\n" for use in dotted for sub in _submodules(name, full, use)})
    return "".join([*lines, f"import {full}" + (f" as {name}" if full != name else ""), "\n"])


def _submodules(name: str, full: str, use: str) -> Iterable[str]:
    first, *attributes = use.split(".")
    if first != name:
        return
    path = full
    for attribute in attributes:
        path = f"{path}.{attribute}"
        if not isinstance(sys.modules.get(path), ModuleType):
            return
        yield path


def _address(value: object) -> tuple[str, str]:
    """Return module and qualified name under which `value` may be found."""
    owner = getattr(value, "__self__", None)
    name = getattr(value, "__name__", "")
    if isinstance(value, type) or owner is None or isinstance(owner, ModuleType):
        return getattr(value, "__module__", None) or "", getattr(value, "__qualname__", name)
    if isinstance(owner, type):
        return owner.__module__, f"{owner.__qualname__}.{name}"
    # Modules as random offer the methods of one hidden object as their functions.
    return type(owner).__module__, name


def _look_up(module: str, path: str) -> object:
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found
