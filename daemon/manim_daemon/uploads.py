"""Assets on their way from the clients to the store."""

from __future__ import annotations

from manim_daemon.artifacts import ArtifactStore, StoreError, Upload
from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Put

__all__ = ["Uploads"]

_MAX_UPLOADS = 64


class Uploads:
    """At most one upload per client and hash, and a bounded number of all together."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._uploads: dict[tuple[bytes, str], Upload] = {}

    def take(self, client: bytes, put: Put) -> None:
        """Take a piece; the last one puts the whole into the store. Raises InvalidRequest."""
        key = (client, put.sha256)
        upload = self._uploads.get(key) or self._begin(key)
        done = put.last
        try:
            if put.offset != upload.size:
                raise StoreError(f"A piece at {put.offset} came where {upload.size} was due")
            upload.write(put.data)
            if put.last:
                upload.finish(put.sha256)
        except (StoreError, OSError) as error:
            done = True
            raise InvalidRequest(f"The file was not taken: {error}.", "Send it again.") from error
        finally:
            if done:
                self._uploads.pop(key).abort()

    def forget(self, client: bytes) -> None:
        """Drop what `client` has begun."""
        for key in [key for key in self._uploads if key[0] == client]:
            self._uploads.pop(key).abort()

    def _begin(self, key: tuple[bytes, str]) -> Upload:
        if len(self._uploads) >= _MAX_UPLOADS:
            raise InvalidRequest("Too many files are on their way.", "Try again in a moment.")
        upload = self._uploads[key] = self._store.open_upload()
        return upload
