"""The same scene gives the same file."""

from __future__ import annotations

import pytest

from manim_daemon.client import Client
from tests.rendering import cell, scene

_PLAYS = (
    "s = Square()",
    "self.play(Create(s))",
    "self.play(s.animate.shift(RIGHT))",
    "self.play(s.animate.scale(2))",
    "self.play(s.animate.rotate(PI / 2))",
    "self.play(Uncreate(s))",
)


@pytest.mark.timeout(60)
def test_the_same_scene_gives_the_same_file(client: Client) -> None:
    """Rendered again, two at a time, a scene without chance gives the same bytes."""
    request = cell(scene(*_PLAYS), fresh=True)
    jobs = [client.submit(request) for _ in range(12)]
    files = {artifact.sha256 for job in jobs for artifact in job.result().artifacts}
    assert len(files) == 1
