"""Finished files and assets, stored under the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

__all__ = ["ArtifactStore", "StoreError"]

_BLOCK = 1024 * 1024
_STALE_TEMPORARY_S = 3600.0


class StoreError(Exception):
    """A file cannot be taken; the text says why."""


class ArtifactStore:
    """A folder of read-only files named by their hash; the least recently used go first.

    `quota_bytes` is what the store may hold after `evict`.
    """

    def __init__(self, root: Path, quota_bytes: int) -> None:
        self._root = root
        self._quota = quota_bytes
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def path(self, sha256: str) -> Path:
        """Return where the content with this hash lies, or would lie."""
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the content is there, of `size` bytes if given, and mark it as used."""
        try:
            os.utime(self.path(sha256))
            return size is None or self.size(sha256) == size
        except FileNotFoundError:
            return False

    def size(self, sha256: str) -> int:
        """Return the content's size in bytes. Raises FileNotFoundError."""
        return self.path(sha256).stat().st_size

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`. Raises FileNotFoundError."""
        with self.path(sha256).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def copy_to(self, sha256: str, destination: Path) -> None:
        """Copy the content to `destination`. Raises FileNotFoundError."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(sha256), destination)

    def take(self, folder: Path, relative: str, max_bytes: int) -> tuple[str, int]:
        """Take a file that a worker left; return its hash and size.

        Only a regular file with a single link, below `folder`, reached without symbolic links.
        Raises StoreError for anything else, or above `max_bytes`.
        """
        fd = _open_regular(folder, relative)
        with os.fdopen(fd, "rb") as source, self._temporary() as target:
            digest = hashlib.sha256()
            size = 0
            while block := source.read(_BLOCK):
                size += len(block)
                if size > max_bytes:
                    raise StoreError(f"{relative} is larger than {max_bytes} bytes")
                digest.update(block)
                target.write(block)
            self._publish(target, digest.hexdigest())
        return digest.hexdigest(), size

    def open_upload(self) -> Upload:
        """Begin an asset that arrives in pieces."""
        return Upload(self)

    def evict(self, pinned: Collection[str]) -> None:
        """Remove the least recently used files above the quota, never one in `pinned`."""
        files = sorted(self._files(), key=lambda entry: entry[2])
        total = sum(size for _, size, _ in files)
        for path, size, _ in files:
            if total <= self._quota:
                return
            if path.name not in pinned:
                path.unlink(missing_ok=True)
                total -= size

    def usage(self) -> tuple[int, int]:
        """Return bytes and number of files stored."""
        sizes = [size for _, size, _ in self._files()]
        return sum(sizes), len(sizes)

    def _files(self) -> list[tuple[Path, int, float]]:
        found = []
        for path in self._root.glob("[0-9a-f][0-9a-f]/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found.append((path, status.st_size, status.st_mtime))
        return found

    def _sweep(self) -> None:
        for path in self._incoming.iterdir():
            if time.time() - path.stat().st_mtime > _STALE_TEMPORARY_S:
                path.unlink(missing_ok=True)

    def _temporary(self) -> tempfile._TemporaryFileWrapper[bytes]:
        return tempfile.NamedTemporaryFile(dir=self._incoming)

    def _publish(self, file: tempfile._TemporaryFileWrapper[bytes], sha256: str) -> None:
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        # In place of what is there already, which may have been damaged.
        finished = Path(f"{file.name}.finished")
        os.link(file.name, finished)
        finished.replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


class Upload:
    """An asset on its way in."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._file = store._temporary()
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append a piece."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self, sha256: str) -> None:
        """Publish the whole. Raises StoreError when its hash is another."""
        try:
            if self._digest.hexdigest() != sha256:
                raise StoreError(
                    "The content that arrived does not have the hash it was sent under"
                )
            self._store._publish(self._file, sha256)
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget what arrived."""
        self._file.close()


def _open_regular(folder: Path, relative: str) -> int:
    parts = Path(relative).parts
    if not parts or any(part in ("..", "/") or "\0" in part for part in parts):
        raise StoreError(f"{relative!r} leads outside the output folder")
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = inner
        # Not blocking, so that a FIFO in place of a file cannot hold the daemon.
        fd = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        raise StoreError(f"{relative} cannot be opened: {error.strerror}") from error
    finally:
        os.close(directory)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(fd)
        raise StoreError(f"{relative} is not an ordinary file")
    return fd
