"""A module that lies beside the scenes."""

from manim import BLUE, RoundedRectangle, Text, VGroup
from palette import ACCENT

__all__ = ["ACCENT", "badge"]


def badge(word):
    """Return `word` in a frame."""
    text = Text(word)
    return VGroup(RoundedRectangle(width=text.width + 1, color=BLUE), text)
