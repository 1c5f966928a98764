"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


class Outputs(DisplayPublisher):
    """Keeps what is displayed, as a notebook does: an update replaces what has its display id."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)  # type: ignore[no-untyped-call]
        self.bundles: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = []
        self._ids: list[str | None] = []

    def publish(  # type: ignore[override]
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, str] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        self.history.append(data)
        name = (transient or {}).get("display_id")
        if update:
            self.bundles[self._ids.index(name)] = data
        else:
            self.bundles.append(data)
            self._ids.append(name)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Yield the one IPython shell of this process, without history."""
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.fixture
def outputs(shell: InteractiveShell) -> Outputs:
    """Return what `shell` displays."""
    outputs = Outputs(parent=shell)
    shell.display_pub = outputs
    return outputs
