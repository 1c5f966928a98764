"""What, besides the request, determines the bytes of a rendered file."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import msgspec

from manim_daemon.protocol import Limits, NamespaceItem, Request, Source, SourceItem, encode

__all__ = ["cache_key", "environment_fingerprint"]

_Item = TypeVar("_Item", bound=Source | NamespaceItem)

_DISTRIBUTIONS = (
    "manim",
    "manimpango",
    "numpy",
    "scipy",
    "pycairo",
    "av",
    "pillow",
    "skia-pathops",
    "svgelements",
    "networkx",
    "typst",
    "moderngl",
    "manim-kernel-ext",
)
_PROGRAMS = ("latex", "dvisvgm", "xelatex", "lualatex", "pdflatex")
_TEX_TREES = ("/var/lib/texmf/ls-R", "/usr/share/texlive/texmf-dist/ls-R", "/usr/share/texmf/ls-R")
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_SETTINGS = "~/.config/manim/manim.cfg"


def environment_fingerprint() -> str:
    """Return a hash over the versions of Python, Manim and its libraries, TeX, fonts and settings.

    It looks at version numbers and modification times only, a few milliseconds' work, so that it
    can be asked for with every request.
    """
    digest = hashlib.sha256()
    for part in (platform.python_version(), *_versions(), *_programs(), *_files()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def cache_key(request: Request, fingerprint: str) -> str:
    """Return the key under which the result of `request` may be found again.

    Where a text stands does not matter: a cell that is run again has another number.
    """
    plain = msgspec.structs.replace(
        request,
        fresh=False,
        limits=Limits(),
        entry=_without_place(request.entry),
        modules=tuple(map(_without_place, request.modules)),
        namespace=tuple(map(_without_place, request.namespace)),
    )
    return hashlib.sha256(fingerprint.encode() + encode(plain)).hexdigest()


def _without_place(item: _Item) -> _Item:
    if isinstance(item, Source | SourceItem):
        return msgspec.structs.replace(item, label="", first_line=1)
    return item


def _versions() -> tuple[str, ...]:
    # Installing or removing a package changes the time of the folder that holds its metadata.
    return _versions_in(tuple(map(_stamp, sys.path)))


@functools.lru_cache(maxsize=1)
def _versions_in(_: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name} {_version(name)}" for name in _DISTRIBUTIONS)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"


def _programs() -> Iterator[str]:
    for name in _PROGRAMS:
        found = shutil.which(name)
        yield _stamp(os.path.realpath(found)) if found else f"{name} -"


def _files() -> Iterator[str]:
    for path in (*_TEX_TREES, os.path.expanduser(_SETTINGS)):
        yield _stamp(path)
    for root in _FONT_FOLDERS:
        # A font added or removed changes the time of its folder.
        for folder, subfolders, _ in os.walk(os.path.expanduser(root)):
            subfolders.sort()
            yield _stamp(folder)


def _stamp(path: str | Path) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return f"{path} -"
    return f"{path} {status.st_mtime_ns} {status.st_size}"
