"""Both of Manim's renderers work behind the daemon."""

from __future__ import annotations

import pytest

from manim_daemon.client import Client
from manim_daemon.protocol import Progress, RenderOptions
from tests.rendering import cell

_TEXT = """
class Demo(Scene):
    def construct(self):
        self.play(Create(Circle()), run_time=0.2)
        self.wait(0.2)
"""


@pytest.mark.parametrize("renderer", ["cairo", "opengl"])
def test_each_renderer_tells_its_frames(client: Client, renderer: str) -> None:
    """The last progress of each play counts all its frames, and the video has them."""
    options = RenderOptions(quality="l", renderer=renderer)
    job = client.submit(cell(_TEXT, options=options, fresh=True))
    progress = [event for event in job.events() if isinstance(event, Progress)]
    ends = {event.play: (event.frame, event.frames) for event in progress}
    assert ends == {1: (3, 3), 2: (3, 3)}
    assert sum(artifact.frames for artifact in job.result().artifacts) == 6
