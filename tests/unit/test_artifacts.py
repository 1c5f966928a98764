"""The store: content under its hash, taken safely from what a worker left."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from manim_daemon.artifacts import ArtifactStore, StoreError

pytestmark = pytest.mark.timeout(30)

_BYTES = b"a video"
_HASH = hashlib.sha256(_BYTES).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store", quota_bytes=1000)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder where a worker leaves its files."""
    folder = tmp_path / "out"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "Demo.mp4").write_bytes(_BYTES)
    return folder


def _put(store: ArtifactStore, content: bytes, used_at: float | None = None) -> str:
    upload = store.open_upload()
    upload.write(content)
    sha256 = hashlib.sha256(content).hexdigest()
    upload.finish(sha256)
    if used_at is not None:
        os.utime(store.path(sha256), (used_at, used_at))
    return sha256


def test_file_is_found_under_its_hash(store: ArtifactStore, out: Path) -> None:
    """What was taken can be read, in pieces too."""
    assert store.take(out, "0/Demo.mp4", 100) == (_HASH, len(_BYTES))
    assert store.has(_HASH)
    assert store.size(_HASH) == len(_BYTES)
    assert store.read(_HASH, 0, 100) == _BYTES
    assert store.read(_HASH, 2, 3) == _BYTES[2:5]
    assert store.read(_HASH, 100, 3) == b""
    assert store.usage() == (len(_BYTES), 1)


def test_stored_file_is_read_only(store: ArtifactStore, out: Path) -> None:
    """Nobody writes into the store by mistake."""
    store.take(out, "0/Demo.mp4", 100)
    assert store.path(_HASH).stat().st_mode & 0o777 == 0o444


def test_worker_that_keeps_its_file_open_cannot_change_what_was_taken(
    store: ArtifactStore, out: Path
) -> None:
    """The store has a copy of its own."""
    with (out / "0" / "Demo.mp4").open("r+b") as file:
        store.take(out, "0/Demo.mp4", 100)
        file.write(b"another")
    assert store.read(_HASH, 0, 100) == _BYTES


def test_same_content_is_stored_once(store: ArtifactStore, out: Path) -> None:
    """A second file with the same bytes takes no room."""
    (out / "again.mp4").write_bytes(_BYTES)
    assert store.take(out, "0/Demo.mp4", 100) == store.take(out, "again.mp4", 100)
    assert store.usage() == (len(_BYTES), 1)


def test_damaged_content_is_mended_when_it_comes_again(store: ArtifactStore, out: Path) -> None:
    """Rendering again helps: what is taken replaces what lies there."""
    store.take(out, "0/Demo.mp4", 100)
    store.path(_HASH).chmod(0o644)
    store.path(_HASH).write_bytes(b"damaged")
    store.take(out, "0/Demo.mp4", 100)
    assert store.read(_HASH, 0, 100) == _BYTES


def test_content_of_another_size_does_not_count_as_there(store: ArtifactStore, out: Path) -> None:
    """A file that was cut short is as good as none."""
    store.take(out, "0/Demo.mp4", 100)
    assert store.has(_HASH, len(_BYTES))
    assert not store.has(_HASH, len(_BYTES) + 1)


def test_what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    """Unknown content is no file, without an error of its own kind."""
    assert not store.has(_HASH)
    for ask in (
        lambda: store.read(_HASH, 0, 1),
        lambda: store.size(_HASH),
        lambda: store.copy_to(_HASH, Path("/nowhere/at/all")),
    ):
        with pytest.raises(OSError, match=r".") as caught:
            ask()
        assert isinstance(caught.value, FileNotFoundError | PermissionError)


@pytest.mark.parametrize(
    "relative",
    ["/etc/passwd", "../secret", "0/../../secret", "", ".", "0/De\0mo.mp4", "x" * 300, "missing"],
)
def test_path_that_leads_elsewhere_is_refused(
    store: ArtifactStore, out: Path, relative: str
) -> None:
    """Only what lies below the folder, under a name that can be, is taken."""
    (out.parent / "secret").write_bytes(b"secret")
    with pytest.raises(StoreError):
        store.take(out, relative, 100)
    assert store.usage() == (0, 0)


def _symbolic_link(out: Path) -> str:
    (out / "link").symlink_to(out / "0" / "Demo.mp4")
    return "link"


def _linked_folder(out: Path) -> str:
    (out / "folder").symlink_to(out / "0")
    return "folder/Demo.mp4"


def _hard_link(out: Path) -> str:
    (out / "hard").hardlink_to(out / "0" / "Demo.mp4")
    return "hard"


def _fifo(out: Path) -> str:
    os.mkfifo(out / "fifo")
    return "fifo"


def _folder(out: Path) -> str:
    return "0"


@pytest.mark.parametrize("make", [_symbolic_link, _linked_folder, _hard_link, _fifo, _folder])
def test_only_an_ordinary_file_is_taken(store: ArtifactStore, out: Path, make: object) -> None:
    """Links of either kind, pipes and folders are refused, and nothing waits for them."""
    assert callable(make)
    with pytest.raises(StoreError):
        store.take(out, make(out), 100)
    assert store.usage() == (0, 0)


def test_file_above_the_limit_is_refused_and_leaves_nothing(
    store: ArtifactStore, out: Path, tmp_path: Path
) -> None:
    """The limit counts what is read, not what the file says of itself."""
    assert store.take(out, "0/Demo.mp4", len(_BYTES))
    (out / "big").write_bytes(bytes(50))
    with pytest.raises(StoreError, match="larger than 49 bytes"):
        store.take(out, "big", 49)
    assert store.usage() == (len(_BYTES), 1)
    assert not list((tmp_path / "store" / "incoming").iterdir())


def test_upload_under_a_wrong_hash_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    """Content is only known under its own hash, and what was refused leaves nothing."""
    upload = store.open_upload()
    upload.write(b"other")
    with pytest.raises(StoreError, match="hash"):
        upload.finish(_HASH)
    assert not store.has(_HASH)
    assert not list((tmp_path / "store" / "incoming").iterdir())


def test_upload_may_come_in_pieces(store: ArtifactStore) -> None:
    """Pieces are put together in order, and the size so far is known."""
    upload = store.open_upload()
    for index in range(len(_BYTES)):
        assert upload.size == index
        upload.write(_BYTES[index : index + 1])
    upload.finish(_HASH)
    assert store.read(_HASH, 0, 100) == _BYTES


def test_copy_makes_the_folders_it_needs(store: ArtifactStore, tmp_path: Path) -> None:
    """An asset gets to its place in the job's folder, and may be written to there."""
    target = tmp_path / "work" / "img" / "logo.png"
    store.copy_to(_put(store, _BYTES), target)
    target.write_bytes(b"changed by the scene")
    assert store.read(_HASH, 0, 100) == _BYTES


def test_least_recently_used_files_go_first(store: ArtifactStore) -> None:
    """Above the quota, what was longest unused goes until the rest fits."""
    old, middle, new = (_put(store, bytes([n]) * 400, used_at=n) for n in (1, 2, 3))
    store.evict(())
    assert [store.has(sha256) for sha256 in (old, middle, new)] == [False, True, True]


def test_asking_for_a_file_is_using_it(store: ArtifactStore) -> None:
    """What was just found in the store is not the next to go."""
    old, middle, new = (_put(store, bytes([n]) * 400, used_at=n) for n in (1, 2, 3))
    assert store.has(old)
    store.evict(())
    assert [store.has(sha256) for sha256 in (old, middle, new)] == [True, False, True]


def test_pinned_files_stay_whatever_the_quota(store: ArtifactStore) -> None:
    """What a job has just made is not thrown away before it was fetched."""
    old, new = (_put(store, bytes([n]) * 900, used_at=n) for n in (1, 2))
    store.evict({old})
    assert [store.has(sha256) for sha256 in (old, new)] == [True, False]


def test_leftovers_of_a_crash_are_swept(tmp_path: Path) -> None:
    """Half files of an hour ago go at the next start; those of another daemon now at work stay."""
    incoming = tmp_path / "store" / "incoming"
    incoming.mkdir(parents=True)
    for name, age_s in (("old", 7200), ("new", 0)):
        (incoming / name).write_bytes(b"half")
        modified = (incoming / name).stat().st_mtime - age_s
        os.utime(incoming / name, (modified, modified))
    ArtifactStore(tmp_path / "store", 1000)
    assert [path.name for path in incoming.iterdir()] == ["new"]
