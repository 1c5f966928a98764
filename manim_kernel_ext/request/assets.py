"""The files that a scene names: found, hashed, and put where the scene will look for them."""

from __future__ import annotations

import fnmatch
import functools
import glob
import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Asset
from manim_daemon.protocol.base import MAX_ITEMS
from manim_kernel_ext.request.patterns import literal

__all__ = ["MAX_TOTAL_BYTES", "Assets", "arrival", "find_assets"]

MAX_TOTAL_BYTES = 1024**3
"""What the files of one request may have together."""

# What Manim appends to the names of images, drawings and sounds (utils/images.py, utils/sounds.py).
_EXTENSIONS = ("", ".jpg", ".jpeg", ".png", ".gif", ".ico", ".svg", ".wav", ".mp3")
_FONTS = (".ttf", ".otf", ".ttc")
# Where register_font() looks (mobject/text/text_mobject.py).
_FONT_FOLDERS = ("assets/fonts", "fonts")
_NEVER_GUESSED = (".py", ".pyc", ".ipynb")
_MAX_LISTED = 50_000


@dataclass(frozen=True)
class Assets:
    """Files to send; `files` says where the content of each hash lies."""

    assets: tuple[Asset, ...]
    files: dict[str, Path]


def find_assets(
    patterns: Iterable[str],
    roots: Sequence[Path],
    *,
    folders: Sequence[str] = (),
    named: Sequence[str] = (),
    named_from: Path | None = None,
    taken: Iterable[str] = (),
) -> Assets:
    """Return the files below the folders `roots` that match `patterns`, and those in `named`.

    A file arrives at its path relative to its root. `folders` are Manim's assets folders, relative
    to a root. `named` are files, folders or patterns that the user named expressly, relative to
    `named_from`; those outside the first root arrive beside the scene. `taken` are paths that
    other texts of the request have. Raises InvalidRequest.
    """
    collection = _Collection(taken)
    for name in named:
        _add_named(collection, name, roots[0], named_from or roots[0])
    exact, guessed = _split(patterns)
    for root in roots:
        search = _Search(root.resolve(), folders)
        for path in exact:
            collection.add_all(search.exact(path))
        for pattern in guessed:
            collection.add_if_small(search.matching(pattern))
    return collection.finish()


def _split(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the paths that patterns name exactly, and the true patterns, each sorted."""
    exact: list[str] = []
    guessed: list[str] = []
    for pattern in sorted(set(patterns)):
        path = literal(pattern)
        if path is None:
            guessed.append(pattern)
            continue
        exact.append(path)
        if glob.has_magic(path):
            guessed.append(path)
    return exact, guessed


class _Search:
    """Looks for files below one folder, reading each folder once."""

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self._root = root
        self._folders = ["", *(folder.strip("/") for folder in folders)]
        self._listings: dict[str, dict[str, bool]] = {}
        self._listed = 0

    def exact(self, path: str) -> Iterator[tuple[str, Path]]:
        """Yield the files that Manim finds under the name `path`."""
        for candidate in self._candidates(path):
            if self._is_file(candidate) and not candidate.endswith(".ipynb"):
                yield candidate, self._root / candidate

    def matching(self, pattern: str) -> Iterator[tuple[str, Path]]:
        """Yield the files that match `pattern`, sorted."""
        name = pattern.rpartition("/")[2]
        has_suffix = "." in name.replace(".*", "")
        for candidate in self._candidates(pattern):
            # f"{n}x" is hardly the name of a file: without a folder it takes a suffix.
            if candidate == pattern and not (has_suffix or _literal_folder(pattern)):
                continue
            for path in sorted(self._expand("", candidate.split("/"))):
                if not path.endswith(_NEVER_GUESSED):
                    yield path, self._root / path

    def _candidates(self, path: str) -> Iterator[str]:
        for folder in self._folders:
            start = posixpath.normpath(posixpath.join(folder, path))
            yield from (start + extension for extension in _EXTENSIONS)
        if path.lower().endswith(_FONTS):
            for folder in _FONT_FOLDERS:
                yield posixpath.join(folder, path)

    def _is_file(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if _is_hidden(path) or self._entries(folder).get(name) is not False:
            return False
        return self._is_inside(path)

    def _is_inside(self, path: str) -> bool:
        # A link may lead to a file that the user did not mean to give away.
        return (self._root / path).resolve().is_relative_to(self._root)

    def _expand(self, folder: str, parts: Sequence[str]) -> Iterator[str]:
        head, rest = parts[0], parts[1:]
        for name, is_folder in self._entries(folder).items():
            if name.startswith("."):
                continue
            path = f"{folder}/{name}" if folder else name
            if head == "**" and is_folder:
                yield from self._expand(path, parts)
            elif head != "**" and fnmatch.fnmatchcase(name, head):
                if rest and is_folder:
                    yield from self._expand(path, rest)
                elif not rest and not is_folder and self._is_inside(path):
                    yield path
        if head == "**" and rest:
            yield from self._expand(folder, rest)

    def _entries(self, folder: str) -> dict[str, bool]:
        """Return what is in `folder`: for each name whether it is a folder itself."""
        if folder not in self._listings:
            self._listings[folder] = self._list(folder)
            self._listed += len(self._listings[folder])
            if self._listed > _MAX_LISTED:
                raise InvalidRequest(
                    f"There are more than {_MAX_LISTED} files where the scene's files may lie, in "
                    f"{self._root}.",
                    "Name a smaller folder in the code, or keep the notebook in one of its own.",
                )
        return self._listings[folder]

    def _list(self, folder: str) -> dict[str, bool]:
        parent, _, name = folder.rpartition("/")
        if folder and self._entries(parent).get(name) is not True:
            return {}
        try:
            with os.scandir(self._root / folder) as entries:
                return {
                    entry.name: entry.is_dir()
                    for entry in sorted(entries, key=_name)
                    if entry.is_dir() or entry.is_file()
                }
        except OSError:
            # A folder that cannot be read has no files for the scene: Manim says which it misses.
            return {}


class _Collection:
    """The files found so far, by the path at which they arrive."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = frozenset(taken)
        self._found: dict[str, Path] = {}
        self._total = 0

    def add_all(self, files: Iterable[tuple[str, Path]]) -> None:
        """Add files. Raises InvalidRequest when they get too many or too large."""
        for path, file in files:
            if self._is_new(path):
                self._found[path] = file
                self._total += file.stat().st_size
        self._check()

    def add_named(self, files: Iterable[tuple[str, Path]]) -> None:
        """Add files that the user named expressly. Raises InvalidRequest when two collide."""
        for path, file in files:
            known = self._found.get(path, file)
            if path not in self._taken and not known.samefile(file):
                raise InvalidRequest(
                    f"Two files would arrive as {path}: {known} and {file}.", "Rename one of them."
                )
            self.add_all([(path, file)])

    def add_if_small(self, files: Iterable[tuple[str, Path]]) -> None:
        """Add files that are only a guess, all or, when they are too large, none."""
        new = {p: file for p, file in files if self._is_new(p) and os.access(file, os.R_OK)}
        size = sum(file.stat().st_size for file in new.values())
        if self._total + size <= MAX_TOTAL_BYTES and len(self._found) + len(new) <= MAX_ITEMS:
            self._found |= new
            self._total += size

    def _is_new(self, path: str) -> bool:
        return path not in self._taken and path not in self._found

    def _check(self) -> None:
        if self._total > MAX_TOTAL_BYTES:
            largest = max(self._found, key=lambda path: self._found[path].stat().st_size)
            raise InvalidRequest(
                f"The files that the scene names have {self._total / 1024**2:.0f} MiB together; "
                f"{MAX_TOTAL_BYTES / 1024**2:.0f} are allowed. The largest is {largest}.",
                "Name fewer or smaller files.",
            )
        if len(self._found) > MAX_ITEMS:
            raise InvalidRequest(
                f"The scene names {len(self._found)} files; {MAX_ITEMS} are allowed.",
                "Name fewer files.",
            )

    def finish(self) -> Assets:
        """Return the files with their hashes. Raises InvalidRequest."""
        assets = []
        files = {}
        for path, file in sorted(self._found.items()):
            try:
                status = file.stat()
                digest = _sha256(file, status.st_mtime_ns, status.st_size)
            except OSError as error:
                raise InvalidRequest(
                    f"{path}, which the scene names, cannot be read: {error.strerror}.",
                    "Check its permissions.",
                ) from error
            assets.append(Asset(path, digest, status.st_size))
            files[digest] = file
        return Assets(tuple(assets), files)


def arrival(file: Path, root: Path) -> str:
    """Return where a file that the user named arrives: as below `root`, else under its name."""
    file, root = Path(os.path.abspath(file)), Path(os.path.abspath(root))
    return file.relative_to(root if file.is_relative_to(root) else file.parent).as_posix()


def _add_named(collection: _Collection, name: str, root: Path, start: Path) -> None:
    pattern = str(start / Path(name).expanduser())
    matches = [Path(pattern)] if os.path.exists(pattern) else map(Path, glob.glob(pattern))
    found = [pair for match in sorted(matches) for pair in _arrivals(match, root)]
    if not found:
        raise InvalidRequest(
            f"No file matches --asset {name}.", f"Paths are relative to {start.resolve()}."
        )
    collection.add_named(found)


def _arrivals(match: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield where the file `match`, or each file in the folder `match`, arrives."""
    if match.is_file():
        yield arrival(match, root), match
        return
    for file in sorted(match.rglob("*")):
        inside = file.relative_to(match).as_posix()
        if file.is_file() and not _is_hidden(inside):
            yield (PurePosixPath(arrival(match, root)) / inside).as_posix(), file


@functools.lru_cache(maxsize=4096)
def _sha256(file: Path, mtime_ns: int, size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _literal_folder(pattern: str) -> bool:
    folder = pattern.rpartition("/")[0]
    return any(character.isalnum() for character in folder)


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") and part != "." for part in path.split("/"))


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
