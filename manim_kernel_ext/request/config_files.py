"""Manim's settings files as far as they say which files a scene needs."""

from __future__ import annotations

from configparser import Error, RawConfigParser
from dataclasses import dataclass
from pathlib import Path

from manim_daemon.errors import InvalidRequest
from manim_daemon.protocol import Source

__all__ = ["ConfigFile", "read_config"]


@dataclass(frozen=True)
class ConfigFile:
    """A settings file; `assets_dir` is the folder it names, `values` are all its values."""

    source: Source
    assets_dir: str
    values: tuple[str, ...]


def read_config(path: Path, arrives_at: str) -> ConfigFile:
    """Read a settings file, which arrives at `arrives_at`. Raises InvalidRequest."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"The settings file {path} cannot be read: {error}.", "Mend or remove it."
        ) from error
    parser = RawConfigParser()
    try:
        parser.read_string(text, source=path.name)
    except Error as error:
        raise InvalidRequest(f"{error.message}.", f"Mend {path}.") from error
    return ConfigFile(
        source=Source(arrives_at, text),
        assets_dir=parser.get("CLI", "assets_dir", fallback=""),
        values=tuple(value for section in parser.values() for value in section.values()),
    )
