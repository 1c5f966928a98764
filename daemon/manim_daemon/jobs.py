"""The job log: every job the daemon accepted, in SQLite, committed before it is acknowledged."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec

from manim_daemon.protocol import Artifact, ErrorKind, Failure, Job, JobState, Request

__all__ = ["JobLog"]

_T = TypeVar("_T")

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    key TEXT UNIQUE NOT NULL,
    cache_key TEXT NOT NULL,
    state TEXT NOT NULL,
    scenes TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at REAL NOT NULL,
    elapsed_s REAL NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0,
    error BLOB,
    artifacts BLOB,
    notes BLOB,
    log TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (created_at);
CREATE INDEX IF NOT EXISTS jobs_by_cache_key ON jobs (cache_key, state, created_at);
"""
_COLUMNS = "id, state, scenes, label, created_at, elapsed_s, cached, error, artifacts, notes"
_KEPT_JOBS = 1000

_INTERRUPTED = Failure(
    ErrorKind.WORKER_CRASHED,
    "The daemon stopped while this scene was waiting or rendering.",
    "Run the cell or the command again.",
)


class JobLog:
    """Jobs by id, by the client's key and by the result's cache key. One owner, one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != _SCHEMA_VERSION:
            # A log of what was rendered, of another version: nothing is lost but history.
            self._db.execute("DROP TABLE IF EXISTS jobs")
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def fail_interrupted(self) -> None:
        """Fail, with the reason, the jobs that an earlier daemon left unfinished."""
        self._db.execute(
            "UPDATE jobs SET state = ?, error = ? WHERE state IN (?, ?)",
            (
                JobState.FAILED,
                msgspec.msgpack.encode(_INTERRUPTED),
                JobState.QUEUED,
                JobState.RUNNING,
            ),
        )

    def add(self, job: str, key: str, cache_key: str, request: Request, now: float) -> None:
        """Commit a new job in state queued; forget the oldest beyond what is kept."""
        scenes = msgspec.json.encode(request.scenes).decode()
        label = request.entry.label or request.entry.path
        self._db.execute(
            "INSERT INTO jobs (id, key, cache_key, state, scenes, label, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (job, key, cache_key, JobState.QUEUED, scenes, label, now),
        )
        self._db.execute(
            "DELETE FROM jobs WHERE id IN"
            " (SELECT id FROM jobs ORDER BY created_at DESC LIMIT -1 OFFSET ?)",
            (_KEPT_JOBS,),
        )

    def set_running(self, job: str) -> None:
        """Note that the job's worker runs."""
        self._db.execute("UPDATE jobs SET state = ? WHERE id = ?", (JobState.RUNNING, job))

    def add_scene(self, job: str, scene: str) -> None:
        """Note that the job renders `scene`."""
        self._db.execute(
            "UPDATE jobs SET scenes = json_insert(scenes, '$[#]', ?) WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM json_each(scenes) WHERE value = ?)",
            (scene, job, scene),
        )

    def finish(
        self,
        job: str,
        state: JobState,
        *,
        elapsed_s: float,
        artifacts: tuple[Artifact, ...] = (),
        error: Failure | None = None,
        cached: bool = False,
        notes: tuple[str, ...] = (),
        log: str = "",
    ) -> None:
        """Commit the job's end."""
        scenes = msgspec.json.encode(list(dict.fromkeys(a.scene for a in artifacts))).decode()
        self._db.execute(
            "UPDATE jobs SET state = ?, elapsed_s = ?, artifacts = ?, error = ?, cached = ?,"
            " notes = ?, log = ?, scenes = CASE WHEN ? = '[]' THEN scenes ELSE ? END WHERE id = ?",
            (
                state,
                elapsed_s,
                msgspec.msgpack.encode(artifacts),
                msgspec.msgpack.encode(error) if error else None,
                cached,
                msgspec.msgpack.encode(notes),
                log,
                scenes,
                scenes,
                job,
            ),
        )

    def by_key(self, key: str) -> str | None:
        """Return the id of the job with the client's key."""
        row = self._db.execute("SELECT id FROM jobs WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def result_for(self, cache_key: str) -> Job | None:
        """Return the newest job that succeeded with the cache key."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE cache_key = ? AND state = ?"
            " ORDER BY created_at DESC LIMIT 1",
            (cache_key, JobState.SUCCEEDED),
        ).fetchone()
        return _job(row) if row else None

    def newest(self, limit: int) -> tuple[Job, ...]:
        """Return the newest jobs, newest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs ORDER BY created_at DESC LIMIT ?", (limit,)
        )
        return tuple(_job(row) for row in rows)

    def matching(self, prefix: str) -> tuple[Job, ...]:
        """Return the jobs whose id begins with `prefix`; two at most."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE substr(id, 1, length(?)) = ? LIMIT 2",
            (prefix, prefix),
        )
        return tuple(_job(row) for row in rows)

    def log(self, job: str) -> str:
        """Return what a finished job printed."""
        row = self._db.execute("SELECT log FROM jobs WHERE id = ?", (job,)).fetchone()
        return str(row[0]) if row else ""


_Blob = bytes | None
_Row = tuple[str, str, str, str, float, float, int, _Blob, _Blob, _Blob]


def _job(row: _Row) -> Job:
    identity, state, scenes, label, created_at, elapsed_s, cached, error, artifacts, notes = row
    return Job(
        id=identity,
        state=JobState(state),
        scenes=msgspec.json.decode(scenes, type=tuple[str, ...]),
        label=label,
        created_at=created_at,
        elapsed_s=elapsed_s,
        cached=bool(cached),
        error=msgspec.msgpack.decode(error, type=Failure) if error else None,
        artifacts=_decoded(artifacts, Artifact),
        notes=_decoded(notes, str),
    )


def _decoded(blob: _Blob, kind: type[_T]) -> tuple[_T, ...]:
    return msgspec.msgpack.decode(blob, type=tuple[kind, ...]) if blob else ()  # type: ignore[valid-type]
