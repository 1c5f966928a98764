"""A place in a cell's output whose content can be replaced, from any thread."""

from __future__ import annotations

import uuid
from typing import Any

from manim_kernel_ext.show.display import Bundle

__all__ = ["Place", "publish"]


class Place:
    """Shows `bundle` in the output of the running cell, and later others instead of it.

    Front ends find it by its display id, so that it does not matter which cell runs by then.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._transient = {"display_id": uuid.uuid4().hex}
        publish(bundle, transient=self._transient)

    def replace(self, bundle: Bundle | None) -> None:
        """Show `bundle` instead; None leaves nothing to be seen."""
        publish(bundle or _EMPTY, transient=self._transient, update=True)


def publish(bundle: Bundle, **options: Any) -> None:
    """Add `bundle` to the output of the running cell."""
    from IPython.core.interactiveshell import InteractiveShell

    data, metadata = bundle
    publisher: Any = InteractiveShell.instance().display_pub
    publisher.publish(data, metadata, **options)


_EMPTY: Bundle = ({"text/plain": "", "text/html": ""}, {})
