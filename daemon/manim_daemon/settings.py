"""Where things lie and what the owner of the daemon may choose."""

from __future__ import annotations

import math
import os
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import platformdirs

from manim_daemon.errors import InvalidRequest

__all__ = ["Settings"]

_APP = "manim-kernel"
_PREFIX = "MANIM_KERNEL_"
_MIB = 1024**2


def _home() -> Path | None:
    home = os.environ.get(_PREFIX + "HOME")
    return Path(home) if home else None


def _runtime_dir() -> Path:
    if home := _home():
        return home / "run"
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(base) / _APP
    return Path(tempfile.gettempdir()) / f"{_APP}-{os.getuid()}"


def _state_dir() -> Path:
    return home / "state" if (home := _home()) else platformdirs.user_state_path(_APP)


def _cache_dir() -> Path:
    return home / "cache" if (home := _home()) else platformdirs.user_cache_path(_APP)


def _config_file() -> Path:
    base = _home() or platformdirs.user_config_path(_APP)
    return base / "config.toml"


@dataclass(frozen=True)
class Settings:
    """Settings of the daemon and its clients.

    Each field may be set in ``config.toml`` or as ``MANIM_KERNEL_<FIELD>`` in the environment,
    which wins. Sizes are in bytes, times in seconds. ``MANIM_KERNEL_HOME`` puts everything into one
    folder.
    """

    runtime_dir: Path = field(default_factory=_runtime_dir)
    state_dir: Path = field(default_factory=_state_dir)
    cache_dir: Path = field(default_factory=_cache_dir)
    python: str = ""
    """The interpreter that has Manim; empty: the one that starts the daemon."""
    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Jobs that may run at once."""
    idle_timeout_s: float = 3600.0
    """The daemon stops itself after this long without clients or jobs; 0 means never."""
    client_grace_s: float = 5.0
    """How long a vanished client may take to come back before its jobs are cancelled."""
    timeout_s: float = 300.0
    """A job's wall time when the request names none."""
    max_timeout_s: float = 3600.0
    max_memory_bytes: int = 8 * 1024 * _MIB
    max_output_bytes: int = 2 * 1024 * _MIB
    max_value_bytes: int = 64 * _MIB
    """The largest value a cell may take from the notebook into the scene."""
    embed_limit_bytes: int = 32 * _MIB
    """Videos above this are linked instead of embedded in the notebook."""
    store_bytes: int = 4 * 1024 * _MIB
    """What the store of artifacts and assets may hold before the least recently used go."""

    @classmethod
    def load(cls) -> Self:
        """Read ``config.toml`` and the environment. Raises InvalidRequest for a bad value."""
        values: dict[str, object] = {}
        path = _config_file()
        known = {item.name: item for item in fields(cls)}
        if path.is_file():
            try:
                values.update(tomllib.loads(path.read_text(encoding="utf-8")))
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise InvalidRequest(
                    f"The settings file {path} cannot be read: {error}", "Mend or remove it."
                ) from error
        for name in known:
            if (text := os.environ.get(_PREFIX + name.upper())) is not None:
                values[name] = text
        if unknown := sorted(set(values) - set(known)):
            raise InvalidRequest(
                f"{path} has unknown settings: {', '.join(unknown)}.",
                f"Known ones are: {', '.join(sorted(known))}.",
            )
        return cls(**{name: _convert(name, value) for name, value in values.items()})

    @property
    def connection_file(self) -> Path:
        """Where a running daemon says how to reach it; mode 0600, made anew per start."""
        return self.runtime_dir / "connection.json"

    @property
    def socket_path(self) -> Path:
        """The unix socket of the daemon."""
        return self.runtime_dir / "daemon.sock"

    @property
    def log_file(self) -> Path:
        """What the daemon itself has to say."""
        return self.state_dir / "daemon.log"


def _convert(name: str, value: object) -> Any:
    default = getattr(Settings(), name)
    kind: Callable[[Any], Any] = Path if isinstance(default, Path) else type(default)
    least = 1 if name == "slots" else 0
    try:
        converted = kind(value)
        if isinstance(default, str | Path) or least <= converted < math.inf:
            return converted
    except (TypeError, ValueError):
        pass
    sort = f"of type {kind.__name__}"
    if not isinstance(default, str | Path):
        sort += f" and at least {least}"
    raise InvalidRequest(
        f"The setting {name} cannot have the value {value!r}.",
        f"It is {sort}; its default is {default!r}.",
    )
