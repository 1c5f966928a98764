"""What all messages share: their base, and bounded field types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["MAX_ITEMS", "Blob", "Count", "JobId", "Message", "Name", "Sha256", "Text"]

MAX_TEXT = 4 * 1024 * 1024
MAX_BLOB = 256 * 1024 * 1024
MAX_ITEMS = 10_000

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Name = Annotated[str, Meta(max_length=1024)]
Blob = Annotated[bytes, Meta(max_length=MAX_BLOB)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
JobId = Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
Count = Annotated[int, Meta(ge=0)]


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen struct that knows all its fields."""
