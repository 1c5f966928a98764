"""What the zygote does once so that no scene has to."""

from __future__ import annotations

import tempfile

__all__ = ["warm_up"]


def warm_up() -> str:
    """Import what rendering needs, load the fonts, and return Manim's version."""
    import manim
    import manim.camera.camera
    import manim.cli.render.commands
    import manim.manager
    import manim.renderer.cairo_renderer

    with (
        tempfile.TemporaryDirectory() as folder,
        manim.tempconfig({"media_dir": folder, "verbosity": "WARNING"}),
    ):
        manim.Text("warm")
    return str(manim.__version__)
